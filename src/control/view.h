/* control/view.h: the viewer between its files: view.c (life, the thread that drains the ring),
 * view_json.c (data for the page), view_page.c (the page), view_server.c (HTTP), view_report.c.
 * Private to the room. */
#ifndef GENBA_CONTROL_VIEW_H
#define GENBA_CONTROL_VIEW_H

#include "control/ring.h"
#include "control/view_record.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define GB_VIEW_BUCKET_NS INT64_C(40000000) /* 25 pictures a second */
#define GB_VIEW_LIVE_BUCKETS 750            /* half a minute */
#define GB_VIEW_WIDE 16 /* numbers of a stream from which on it is drawn as a profile of now */
#define GB_VIEW_TOKEN_BYTES 16

typedef struct gb_view_server gb_view_server;

struct gb_view {
    gb_view_options options; /* its texts are copies in `arena` */
    gb_arena *arena;
    gb_view_columns columns;
    int64_t tick_ns, bucket_ns;
    gb_plant
        *plant; /* draws, and nothing else, under the lock; NULL: not a plant of this program */
    gb_ring *ring;
    char envelope_hash[2 * GB_HASH_BYTES + 1]; /* of the file, when the view was opened; "" none */
    gb_view_server *server;                    /* NULL: a report alone */
    int port;
    char token[2 * GB_VIEW_TOKEN_BYTES + 1]; /* who presses the button must know it */
    atomic_bool emergency_stop;

    pthread_t drain;
    bool draining;
    pthread_mutex_t lock; /* of all below; never taken by the servo */
    pthread_cond_t change;
    bool closing;
    gb_view_sums sums;
    gb_view_events *events;
    gb_view_trace live, kept; /* kept: for the report, else without capacity */
    int64_t kept_ns;          /* length of a bucket in kept; doubles when it is full */
    gb_tick *newest;          /* [gb_view_columns_record_bytes] */
    float *values;            /* [columns.count] of a tick, the drain's own */
    gb_plant_shape *shapes;   /* [GB_PLANT_SHAPES_MAX] of the newest */
    int shape_count;
    int64_t drawn; /* ticks taken when they were drawn */
};

/* Draws the newest tick, when somebody asks for it. Under the lock. */
void gb_view_draw(gb_view *view);

/* ---- data for the page: JSON that can stand inside a script element ----------------------------
 */
void gb_view_json_text(FILE *to, const char *text); /* with quotes */
void gb_view_json_number(FILE *to, double value, int digits);
/* The machine, its streams, names of modes and limits, facts. */
void gb_view_json_machine(FILE *to, const gb_view *view);
/* Rows of buckets [from, until) of a trace; all: with the last values of wide streams too. */
void gb_view_json_buckets(
    FILE *to, const gb_view *view, const gb_view_trace *trace, int from, int until, bool all);
void gb_view_json_sums(FILE *to, const gb_view *view);             /* counts and histograms */
void gb_view_json_events(FILE *to, const gb_view *view, int from); /* from event `from` on */
void gb_view_json_shape(FILE *to, const gb_plant_shape *shape);
/* What a page that has all buckets before number `after` does not have yet. Takes the lock. */
void gb_view_json_live(FILE *to, gb_view *view, uint64_t after, bool more);

/* ---- the page -----------------------------------------------------------------------------------
 */
typedef void (*gb_view_put_fn)(FILE *to, const gb_view *view);
/* The page with the data that `put` writes. The caller frees *out. */
GB_MUST gb_status gb_view_page(const gb_view *view,
                               gb_view_put_fn put,
                               char **out,
                               size_t *out_size);
void gb_view_put_live(FILE *to, const gb_view *view);
GB_MUST gb_status gb_view_report(const gb_view *view, const char *path);

/* ---- the server ---------------------------------------------------------------------------------
 */
GB_MUST gb_status gb_view_server_start(gb_view *view,
                                       int port,
                                       gb_view_server **out,
                                       int *out_port);
void gb_view_server_stop(gb_view_server *server); /* NULL is fine */

#endif
