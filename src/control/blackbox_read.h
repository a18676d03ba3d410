/* control/blackbox_read.h: the records of a black box, one after another, each checked against the
 * one before. Private to the room. */
#ifndef GENBA_CONTROL_BLACKBOX_READ_H
#define GENBA_CONTROL_BLACKBOX_READ_H

#include "control/blackbox_format.h"
#include "genba/mcap.h"

typedef struct gb_box_reader gb_box_reader;

typedef struct gb_box_record {
    gb_box_kind kind;
    uint64_t number;
    const void *bytes; /* [size] aligned, of the size its kind has; valid until the next call */
    size_t size;
} gb_box_record;

/* Opens a black box and reads its header. A file that was cut is read as far as it is whole.
 * GB_ERR_MISMATCH: an MCAP file without a black box. Takes bytes over, also on failure. */
GB_MUST gb_status gb_box_reader_open(gb_bytes_in *bytes, gb_box_reader **out);
void gb_box_reader_destroy(gb_box_reader *reader); /* NULL is fine */
const gb_box_header *gb_box_reader_header(const gb_box_reader *reader);
/* The file has no end of its own: it was cut, and what is whole was read from it. */
bool gb_box_reader_cut(const gb_box_reader *reader);
/* *have false behind the last. GB_ERR_CORRUPT names the first record that does not follow. */
GB_MUST gb_status gb_box_reader_next(gb_box_reader *reader, gb_box_record *out, bool *have);
/* Of the records so far: how many, and the hash of the last. */
uint64_t gb_box_reader_count(const gb_box_reader *reader);
const unsigned char *gb_box_reader_hash(const gb_box_reader *reader);
/* GB_ERR_CORRUPT: the attached envelope is not the one whose hash the header has. */
GB_MUST gb_status gb_box_reader_check_envelope(gb_box_reader *reader);

#endif
