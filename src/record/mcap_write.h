/* mcap_write.h: what the parts of the MCAP writer share. mcap_write.c takes records in,
 * mcap_chunk.c fills, compresses and writes chunks, mcap_summary.c writes what stands behind the
 * data. */
#ifndef GENBA_RECORD_MCAP_WRITE_H
#define GENBA_RECORD_MCAP_WRITE_H

#include "record/mcap_format.h"
#include "record/mcap_pack.h"

/* Where a message of a chunk lies. */
typedef struct gb_mcap_entry {
    uint64_t time_ns;
    uint32_t at; /* in the chunk's records */
    uint16_t channel_id;
} gb_mcap_entry;

/* One chunk on its way: filled by the writer, sealed by any thread, written in its turn. */
typedef struct gb_mcap_draft {
    gb_mcap_buffer records, packed;
    gb_mcap_entry *entries; /* [entry_count] */
    size_t entry_count, entry_capacity;
    uint64_t first_ns, last_ns;
    gb_mcap_packer packer;
    uint32_t crc;
    gb_mcap_buffer index;  /* MessageIndex records */
    gb_mcap_buffer places; /* channel u16 and offset u64 in `index` of each of them */
    gb_status status;      /* of sealing */
    const char *why;
} gb_mcap_draft;

struct gb_mcap_writer {
    gb_bytes_out *to;
    gb_mcap_writer_options options;
    gb_status failed;  /* the first failure; later calls repeat it */
    uint64_t at;       /* bytes written */
    uint32_t data_crc; /* of all of them, up to the end of the data */

    gb_mcap_buffer record; /* scratch for one record */
    gb_mcap_buffer head;   /* scratch for what stands before a chunk's records */
    uint64_t *counts;      /* [65536] messages by channel */
    uint8_t *known;        /* [65536] bit 0: this schema was written, bit 1: this channel */
    uint32_t next_schema, next_channel, last_channel;

    gb_mcap_draft *drafts; /* [draft_count] */
    int draft_count, full; /* drafts[full] is being filled; those before it wait */

    /* For the summary, as records. */
    gb_mcap_buffer schemas, channels, chunk_index, attachment_index, metadata_index;
    gb_mcap_statistics statistics;
};

/* Bytes that are part of the data section. */
gb_status gb_mcap_emit(gb_mcap_writer *writer, const void *data, size_t size);
/* Remembers and returns a failure. */
gb_status gb_mcap_writer_fail(gb_mcap_writer *writer, gb_status status);

/* Ids as the schema and the channel say, instead of given out; GB_ERR_ARGUMENT when it is taken. */
gb_status gb_mcap_put_schema(gb_mcap_writer *writer, const gb_mcap_schema *schema);
gb_status gb_mcap_put_channel(gb_mcap_writer *writer, const gb_mcap_channel *channel);

/* ---- mcap_chunk.c ---- */
gb_status gb_mcap_drafts_create(gb_mcap_writer *writer);
void gb_mcap_drafts_free(gb_mcap_writer *writer);
/* Room for a record of that size in the open chunk, or in a new one when it would not fit. */
gb_status gb_mcap_open_chunk(gb_mcap_writer *writer, size_t size, gb_mcap_draft **out);
gb_status gb_mcap_chunk_message(gb_mcap_writer *writer,
                                const gb_mcap_message *message,
                                const gb_piece *parts,
                                int count,
                                size_t size);
/* Writes the chunks that are full; with `open` also the one being filled. */
gb_status gb_mcap_write_chunks(gb_mcap_writer *writer, bool open);

/* ---- mcap_summary.c: DataEnd, summary, summary offsets, footer, magic ---- */
gb_status gb_mcap_write_end(gb_mcap_writer *writer);

#endif
