/* control/link_peer.h: the other end of a link, as a program: a simulated plant that runs at its
 * own rate behind UDP, shared memory, MQTT or DDS, with faults put in on purpose. What tests of
 * links talk to, and what one tries first without a machine. Private to the room and to the
 * command `genba machine`. */
#ifndef GENBA_CONTROL_LINK_PEER_H
#define GENBA_CONTROL_LINK_PEER_H

#include "control/link.h"

/* ---- faults -------------------------------------------------------------------------------------
 */

/* What happens to the messages that a machine sends. Each chance is drawn by seed and the message's
 * number, so that a run repeats. */
typedef struct gb_link_faults {
    double drop, duplicate, reorder, corrupt; /* chances, 0..1 */
    int64_t delay_ns, jitter_ns;              /* every message: delay + up to jitter more */
    int64_t cut_from_ns, cut_ns;              /* nothing passes either way; since the start */
    uint64_t seed;
} gb_link_faults;

typedef struct gb_link_fault_counts {
    int64_t messages; /* that the machine meant to send */
    int64_t passed;   /* handed to the transport, copies too */
    int64_t dropped, duplicated, reordered, corrupted, cut;
} gb_link_fault_counts;

typedef void (*gb_link_transmit_fn)(void *context, int channel, const void *bytes, size_t size);

/* Stands between a machine and its transport. Allocates for each message that is held back. One
 * thread. */
typedef struct gb_fault_line gb_fault_line;
/* text: messages are text without checksum: corruption must be visible as such. */
GB_MUST gb_status gb_fault_line_create(const gb_link_faults *faults,
                                       bool text,
                                       gb_link_transmit_fn transmit,
                                       void *context,
                                       gb_fault_line **out);
void gb_fault_line_destroy(gb_fault_line *line); /* NULL is fine; what waits is dropped */
/* now_ns: since the start. The bytes are copied where they must wait. */
void gb_fault_line_send(
    gb_fault_line *line, int64_t now_ns, int channel, const void *bytes, size_t size);
/* Passes on what is due. Returns when the next is, INT64_MAX: nothing waits. */
int64_t gb_fault_line_flush(gb_fault_line *line, int64_t now_ns);
bool gb_fault_line_is_cut(const gb_fault_line *line, int64_t now_ns);
gb_link_fault_counts gb_fault_line_counts(const gb_fault_line *line);

/* ---- a transport's machine side -----------------------------------------------------------------
 */

/* An observation on its way out. */
typedef struct gb_peer_sample {
    const double *values; /* [observation_size] */
    int64_t time_ns;      /* gb_clock_monotonic_ns when it was measured */
    uint64_t step;        /* 1, 2, ...: of the machine's ticks */
    uint64_t tick;        /* the controller's, of the command in force; 0: none yet */
} gb_peer_sample;

/* What every kind of link supplies for this side; embedded as the first member. */
typedef struct gb_link_peer gb_link_peer;
typedef struct gb_link_peer_ops {
    /* The newest command that was not returned before, in the machine's units [action_size], and
     * the controller's tick where the transport tells it, else 0. Never waits. */
    bool (*receive)(gb_link_peer *peer, double *command, uint64_t *out_tick);
    /* Turns an observation into messages (one for UDP, one for each topic) and hands each to
     * emit(context, channel, bytes, size): channel is the transport's own number for a topic. */
    void (*encode)(gb_link_peer *peer,
                   const gb_peer_sample *sample,
                   gb_link_transmit_fn emit,
                   void *context);
    /* Sends the bytes of one message as they are, harmed or not. Never waits for long. */
    void (*transmit)(gb_link_peer *peer, int channel, const void *bytes, size_t size);
    void (*counts)(const gb_link_peer *peer, gb_link_counts *out);
    void (*close)(gb_link_peer *peer); /* frees it and its map */
} gb_link_peer_ops;

struct gb_link_peer {
    const gb_link_peer_ops *ops;
};

typedef struct gb_link_peer_kind {
    const char *scheme; /* "udp"; a row in link_peer.c */
    bool text;          /* messages are text without a checksum */
    /* address: what follows "scheme://"; takes the map over on success. */
    GB_MUST gb_status (*open)(const char *address, gb_link_map *map, gb_link_peer **out);
} gb_link_peer_kind;

extern const gb_link_peer_kind gb_link_peer_kind_udp, gb_link_peer_kind_shm, gb_link_peer_kind_dds,
    gb_link_peer_kind_mqtt;

/* ---- serving ------------------------------------------------------------------------------------
 */

typedef struct gb_link_serve_options {
    const char *plant; /* "pusht" */
    const char *url;   /* this side's: udp://CONTROLLER:PORT?listen=PORT, shm://NAME, ... */
    const char *map_path;
    uint64_t first_seed; /* of the plant's episodes: first_seed, first_seed + 1, ... */
    int episodes;        /* stop after so many; 0: until stopped */
    int64_t duration_ns; /* stop after so long; 0: until stopped */
    gb_link_faults faults;
    const volatile int *stop; /* not 0: return; may be NULL */
    /* The link is open, the plant moves on; may be NULL. */
    void (*ready)(void *context);
    void (*episode)(void *context, int episode, const gb_plant_result *result); /* may be NULL */
    void *context;
} gb_link_serve_options;

typedef struct gb_link_serve_counts {
    int64_t ticks;  /* of the plant */
    int64_t waited; /* ticks before the first command: observations were sent, nothing moved */
    int64_t episodes, successes;
    int64_t commands_cut;        /* that came while the line was cut: not heard */
    gb_link_counts link;         /* of what came through: `received` counts commands */
    gb_link_fault_counts faults; /* of observations */
} gb_link_serve_counts;

/* Runs a plant behind a link in real time until told to stop: each tick the newest command is
 * applied (the last one stays in force when none comes) and an observation sent. Nothing moves
 * before the first command. Sends what is still delayed before it returns. GB_ERR_MISMATCH: the map
 * is not of this plant's sizes. */
GB_MUST gb_status gb_link_serve(const gb_link_serve_options *options, gb_link_serve_counts *out);

#endif
