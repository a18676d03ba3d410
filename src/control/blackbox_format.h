/* control/blackbox_format.h: the records of a black box and how they are chained, for the writer
 * and the reader. docs/blackbox.md describes it for people. Private to the room.
 *
 * The recording's stream GB_BOX_STREAM holds blocks; a block holds records; all numbers are
 * little-endian. Record n begins with its kind and its size, and
 *     hash(n) = BLAKE2b-256(hash(n - 1) || kind || size || bytes),   hash(-1) = 32 zeros.
 *
 *     block    "GBBX", version u32, number u64 of the first record, hash before it [32],
 *              records u32, size u32 of what follows
 *     record   kind u32, size u32, the first 8 bytes of its hash, bytes [size]
 *
 * Eight bytes are enough to say which record was changed; the whole hash stands in the next block
 * and binds everything before it. */
#ifndef GENBA_CONTROL_BLACKBOX_FORMAT_H
#define GENBA_CONTROL_BLACKBOX_FORMAT_H

#include "genba/blackbox.h"

#define GB_BOX_STREAM "blackbox"
#define GB_BOX_ENCODING "genba.blackbox"
#define GB_BOX_MAGIC "GBBX"
#define GB_BOX_ENVELOPE "envelope.yaml" /* the attachment */

enum {
    GB_BOX_VERSION = 1,
    GB_BOX_BLOCK_BYTES = 56,  /* before a block's records */
    GB_BOX_RECORD_BYTES = 16, /* before a record's bytes */
    GB_BOX_CHECK_BYTES = 8,
    GB_BOX_HEADER_LIMIT = 4 << 20,  /* bytes of the header's text */
    GB_BOX_SIZE_LIMIT = 1 << 20,    /* numbers in an observation or an action */
    GB_BOX_RECORD_LIMIT = 256 << 20 /* bytes of a record */
};

typedef enum gb_box_kind {
    GB_BOX_HEADER = 1, /* JSON: what the rest means; always record 0 */
    GB_BOX_TICK,       /* gb_tick and its arrays */
    GB_BOX_DECISION,   /* gb_decision and its arrays */
    GB_BOX_LOST,       /* gb_box_totals: records that did not fit into a ring, up to here */
    GB_BOX_CLOSE       /* gb_box_totals: always the last; without it the file was cut */
} gb_box_kind;

typedef struct gb_box_totals {
    int64_t ticks, decisions, ticks_lost, decisions_lost;
} gb_box_totals;

/* The layout is part of the format: another one is another version. */
_Static_assert(sizeof(gb_tick) == 120 && sizeof(gb_verdict) == 32, "a tick of version 1");
_Static_assert(sizeof(gb_decision) == 72, "a decision of version 1");

/* What the header says. Texts and arrays are borrowed. */
typedef struct gb_box_header {
    const gb_plant_info *machine;
    int look_back, horizon, execute; /* of the policy; 0: no pilot */
    gb_dtype compute;                /* of the policy */
    const char *machine_name, *model_name, *model_hash, *envelope_hash, *nonce;
    int64_t tick_ns, started_wall_ns;
} gb_box_header;

/* The header as text; free() it. GB_ERR_ARGUMENT: a text is not UTF-8. */
GB_MUST gb_status gb_box_header_print(const gb_box_header *header, char **out, size_t *out_size);
/* Everything in *out lives in the arena. GB_ERR_PARSE or GB_ERR_SCHEMA; sizes are checked. */
GB_MUST gb_status gb_box_header_parse(const void *text,
                                      size_t size,
                                      gb_arena *arena,
                                      gb_box_header *out);

/* hash becomes the hash of the record. */
void gb_box_hash(unsigned char hash[GB_HASH_BYTES],
                 gb_box_kind kind,
                 const void *bytes,
                 size_t size);
/* Bytes of a decision of such a policy. */
size_t gb_box_decision_bytes(const gb_plant_info *machine, int look_back, int horizon);

#endif
