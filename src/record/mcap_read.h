/* mcap_read.h: what the parts of the MCAP reader share. mcap_read.c opens files and answers for
 * what is in them, mcap_index.c finds it (by the summary, else by reading), mcap_block.c
 * decompresses chunks, mcap_next.c and mcap_merge.c hand out messages in the order of the file and
 * of time, mcap_verify.c checks everything. */
#ifndef GENBA_RECORD_MCAP_READ_H
#define GENBA_RECORD_MCAP_READ_H

#include "record/mcap_format.h"
#include "record/mcap_pack.h"

/* Where a chunk lies and what is known of it without reading it. */
typedef struct gb_mcap_chunk_place {
    uint64_t at, length;
    uint64_t first_ns, last_ns;
    const uint16_t *channels; /* [channel_count] of its messages */
    int channel_count;        /* -1: not known */
} gb_mcap_chunk_place;

typedef struct gb_mcap_place {
    uint64_t at, length;
} gb_mcap_place;

/* The records of one chunk, decompressed. */
typedef struct gb_mcap_block {
    const unsigned char *data; /* [size], in the file or in `owned` */
    size_t size;
    uint64_t at; /* of the chunk, for messages */
    gb_mcap_buffer owned;
} gb_mcap_block;

typedef struct gb_mcap_footer {
    uint64_t at; /* of the footer's record */
    uint64_t summary_at, offsets_at;
    uint32_t crc;
} gb_mcap_footer;

typedef struct gb_mcap_merge gb_mcap_merge;

struct gb_mcap_reader {
    gb_bytes_in *in;
    const char *profile, *library;
    gb_arena *lists;   /* what lives as long as the reader */
    gb_arena *scratch; /* what lives until the next call */
    gb_mcap_table table;
    gb_mcap_unpacker unpacker;

    uint64_t data_at, data_end; /* records of the data section lie in between */
    gb_mcap_footer footer;
    gb_mcap_statistics statistics;
    bool loose;                  /* messages may lie outside chunks */
    bool scanned;                /* the lists below come from the data, not from the summary */
    gb_mcap_chunk_place *chunks; /* [chunk_count] in the order of the file */
    gb_mcap_place *attachments, *metadata;
    size_t chunk_count, attachment_count, metadata_count;
    size_t chunk_capacity, attachment_capacity, metadata_capacity;

    /* Reading messages. */
    uint8_t wanted[65536 / 8]; /* a bit for each channel id */
    bool all_channels;
    uint64_t first_ns, end_ns; /* end_ns 0: no limit */
    gb_mcap_block block;
    gb_mcap_cursor in_block;
    size_t next_chunk;
    uint64_t next_at; /* reading record by record: where the next one begins */
    uint32_t data_crc;
    bool ended;
    gb_mcap_merge *merge; /* NULL: in the order of the file */
};

/* ---- mcap_index.c ---- */
gb_status gb_mcap_read_header(gb_mcap_reader *reader);
gb_status gb_mcap_read_footer(gb_bytes_in *in, gb_mcap_footer *out);
/* Fills lists and statistics from the summary; *out_complete says whether it lists everything. */
gb_status gb_mcap_read_summary(gb_mcap_reader *reader, bool *out_complete);
/* The same from the data. */
gb_status gb_mcap_scan(gb_mcap_reader *reader);

typedef struct gb_mcap_chunk_index {
    gb_mcap_chunk_place place;
    gb_mcap_cursor offsets; /* pairs of channel u16 and offset u64 */
    uint64_t message_index_length, packed_size, size;
    gb_mcap_text compression;
} gb_mcap_chunk_index;
bool gb_mcap_chunk_index_parse(gb_mcap_cursor body, gb_mcap_chunk_index *out);

/* ---- mcap_block.c ---- */
/* Reads and decompresses the chunk at `record`; its checksum is checked. *out_chunk (NULL is fine)
 * has its fields, without `packed`. */
gb_status gb_mcap_block_load(gb_bytes_in *in,
                             gb_mcap_unpacker *unpacker,
                             const gb_mcap_record *record,
                             gb_mcap_block *block,
                             gb_mcap_chunk *out_chunk);
/* The same by its place, which must agree with the chunk. */
gb_status gb_mcap_block_load_place(gb_mcap_reader *reader,
                                   const gb_mcap_chunk_place *place,
                                   gb_mcap_block *block);
void gb_mcap_block_free(gb_mcap_block *block);

/* ---- mcap_next.c ---- */
bool gb_mcap_wants_channel(const gb_mcap_reader *reader, uint16_t channel_id);
bool gb_mcap_wants_time(const gb_mcap_reader *reader, uint64_t log_time_ns);
/* Whether messages that are wanted may lie in the chunk. */
bool gb_mcap_wants_chunk(const gb_mcap_reader *reader, const gb_mcap_chunk_place *place);
/* The message of a record whose body is given; its channel must be known. */
gb_status gb_mcap_take_message(const gb_mcap_reader *reader,
                               uint64_t at,
                               gb_mcap_cursor body,
                               gb_mcap_message *out);

/* ---- mcap_merge.c ---- */
gb_status gb_mcap_merge_create(gb_mcap_reader *reader, gb_mcap_merge **out);
void gb_mcap_merge_destroy(gb_mcap_merge *merge); /* NULL is fine */
gb_status gb_mcap_merge_next(gb_mcap_reader *reader, gb_mcap_message *out, bool *out_have);

#endif
