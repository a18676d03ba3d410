/* Private to apart.c: the messages a reader's process sends. Integers are this machine's: both ends
 * are one program. The sender may have been broken by its file, so nothing in a message is believed
 * unchecked. */
#ifndef GENBA_INGEST_APART_WIRE_H
#define GENBA_INGEST_APART_WIRE_H

#include "ingest/reader.h"

#define GB_WIRE_BYTES_MAX ((uint64_t)1 << 30) /* of a message */

typedef enum gb_wire_kind {
    GB_WIRE_BEGIN,
    GB_WIRE_STREAM,
    GB_WIRE_APPEND,
    GB_WIRE_ATTACH,
    GB_WIRE_END,
    GB_WIRE_ABANDON,
    GB_WIRE_REJECT,
    GB_WIRE_DRIFT,
    GB_WIRE_PROGRESS,
    GB_WIRE_TEXT, /* what a guess found */
    GB_WIRE_DONE  /* status, message, report */
} gb_wire_kind;

typedef struct gb_wire_head {
    uint64_t kind, size;
} gb_wire_head;

/* ---- sending (apart_child.c) */
/* The sink and the watch that a reader's process uses: they send. */
typedef struct gb_wire_child {
    gb_sink sink;
    gb_ingest_watch watch;
    int pipe;
    int recordings, streams, room; /* numbers given out */
    size_t *sample_bytes;          /* [streams], 0 of BYTES */
} gb_wire_child;

/* Lets this process work for so long until the next message: a file may send a library round and
 * round. SIGXCPU ends it. */
#define GB_WIRE_SILENT_SECONDS 10 /* of CPU */
void gb_wire_allow_time(void);

/* `watch` is who listens in the end. */
void gb_wire_child_start(gb_wire_child *child, const gb_ingest_watch *watch, int pipe);
GB_MUST gb_status gb_wire_send_text(int pipe, const char *text);
GB_MUST gb_status gb_wire_send_done(int pipe, gb_status status, const gb_ingest_report *report);

/* ---- receiving (apart_wire.c) */
typedef struct gb_wire_in {
    const unsigned char *data; /* [size], aligned to 8 */
    size_t size, at;
    bool broken; /* something did not fit; everything taken since is 0 or NULL */
} gb_wire_in;

uint64_t gb_wire_u64(gb_wire_in *in);
const char *gb_wire_text(gb_wire_in *in);                 /* NULL when NULL was sent */
const void *gb_wire_bytes(gb_wire_in *in, uint64_t size); /* in the message */
gb_recording_info gb_wire_info(gb_wire_in *in, gb_arena *arena);
gb_stream_spec gb_wire_spec(gb_wire_in *in, gb_arena *arena);
/* What stands behind the numbers of recording and stream; sample_bytes 0: of BYTES. */
gb_samples gb_wire_samples(gb_wire_in *in, size_t sample_bytes, gb_arena *arena);

#endif
