/* mcap_verify.h: what was met going through the data of an MCAP file, for comparison with what its
 * summary says. mcap_verify.c goes through the data, mcap_verify_summary.c compares. */
#ifndef GENBA_RECORD_MCAP_VERIFY_H
#define GENBA_RECORD_MCAP_VERIFY_H

#include "record/mcap_read.h"

typedef struct gb_mcap_fact { /* a chunk, attachment or metadata record that is there */
    uint8_t op;
    uint64_t at, length;
    uint64_t first_ns, last_ns, size, packed_size; /* of a chunk */
    gb_compression compression;
    uint64_t index_length;     /* bytes of the MessageIndex records behind it */
    size_t index, index_count; /* which of `indexes` are its */
} gb_mcap_fact;

typedef struct gb_mcap_index_fact {
    uint64_t at;
    uint16_t channel_id;
} gb_mcap_index_fact;

typedef struct gb_mcap_check {
    gb_mcap_reader *reader;
    gb_mcap_block block;     /* of the last chunk */
    uint64_t *counts;        /* [65536] messages by channel */
    uint32_t *in_chunk;      /* [65536] those of the last chunk that no index has listed yet */
    uint32_t chunk_channels; /* how many channels it has */
    uint32_t chunk_ids;      /* all of their ids are below this */
    gb_mcap_fact *facts;     /* in the order of the file */
    gb_mcap_index_fact *indexes;
    size_t fact_count, fact_capacity, index_count, index_capacity;
    gb_mcap_statistics statistics;
    uint32_t crc;
    uint64_t at; /* behind the data */
} gb_mcap_check;

gb_status gb_mcap_check_summary(gb_mcap_check *check);

#endif
