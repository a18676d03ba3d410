/* genba/mcap.h: MCAP files, every record of the format (https://mcap.dev/spec): what is in them is
 * the business of sink.h (recordings of genba) and ingest (files of ROS 2 and others). Room:
 * record.
 *
 * A writer or reader belongs to one thread at a time. Texts and data handed out are borrowed until
 * the next call on the same reader. */
#ifndef GENBA_MCAP_H
#define GENBA_MCAP_H

#include "genba/sink.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- bytes: where a file is written to and read from ------------------------------------------
 * A file on disk, memory, or an encrypted file (store.h): readers and writers see these only. */
typedef struct gb_bytes_out {
    gb_status (*write)(struct gb_bytes_out *out, const void *data, size_t size);
    gb_status (*close)(struct gb_bytes_out *out); /* makes it whole: fsync, rename; frees it */
    void (*abandon)(struct gb_bytes_out *out);    /* drops what was written; frees it */
} gb_bytes_out;

typedef struct gb_bytes_in {
    uint64_t size;
    /* Reads exactly `size` bytes at `at`; beyond the end is GB_ERR_CORRUPT. *out_data is valid
     * until the next read on the same gb_bytes_in, or until close when `stable`. */
    gb_status (*read)(struct gb_bytes_in *in,
                      uint64_t at,
                      size_t size,
                      const unsigned char **out_data);
    void (*close)(struct gb_bytes_in *in); /* frees it */
    bool stable;
    const char *origin; /* the file, for messages */
} gb_bytes_in;

/* Plain files: written to a temporary beside `path` and renamed at close; read through a map. */
GB_API GB_MUST gb_status gb_bytes_out_file(const char *path, gb_bytes_out **out);
GB_API GB_MUST gb_status gb_bytes_in_file(const char *path, gb_bytes_in **out);
/* Memory that stays valid until close. */
GB_API GB_MUST gb_status gb_bytes_in_memory(const void *data,
                                            size_t size,
                                            const char *origin,
                                            gb_bytes_in **out);

/* ---- records ----------------------------------------------------------------------------------
 */
typedef struct gb_mcap_schema {
    uint16_t id;                 /* from 1; 0 = no schema */
    const char *name, *encoding; /* "sensor_msgs/msg/Imu", "ros2msg" */
    const unsigned char *data;   /* [size] */
    size_t size;
} gb_mcap_schema;

typedef struct gb_mcap_channel {
    uint16_t id;
    uint16_t schema_id;
    const char *topic, *encoding; /* "/imu", "cdr" */
    const gb_pair *pairs;         /* [pair_count] metadata */
    int pair_count;
} gb_mcap_channel;

typedef struct gb_mcap_message {
    uint16_t channel_id;
    uint32_t sequence;
    uint64_t log_time_ns, publish_time_ns;
    const unsigned char *data; /* [size] */
    size_t size;
} gb_mcap_message;

typedef struct gb_mcap_attachment {
    uint64_t log_time_ns, create_time_ns;
    const char *name, *media_type;
    const unsigned char *data; /* [size] */
    uint64_t size;
} gb_mcap_attachment;

typedef struct gb_mcap_metadata {
    const char *name;
    const gb_pair *pairs; /* [pair_count] */
    int pair_count;
} gb_mcap_metadata;

typedef struct gb_mcap_statistics {
    uint64_t message_count;
    uint16_t schema_count;
    uint32_t channel_count, attachment_count, metadata_count, chunk_count;
    uint64_t first_time_ns, last_time_ns; /* log times; 0 when there is no message */
    bool from_file; /* the file's own Statistics record; otherwise counted by reading */
} gb_mcap_statistics;

/* ---- writing ----------------------------------------------------------------------------------
 */
typedef struct gb_mcap_writer_options {
    const char *profile, *library; /* "" and "genba VERSION" */
    bool chunked;                  /* default true */
    gb_compression compression;    /* default zstd */
    int level;                     /* of zstd, default 1 */
    size_t chunk_bytes;            /* default 1 MiB */
    gb_pool *pool;                 /* compresses several chunks side by side; NULL: on the caller.
                                      The bytes written do not depend on it */
    bool crcs;                     /* default true */
    bool indexes;                  /* message and chunk indexes, summary; default true */
} gb_mcap_writer_options;

typedef struct gb_mcap_writer gb_mcap_writer;

GB_API gb_mcap_writer_options gb_mcap_writer_options_defaults(void);
/* Takes `to` over, also on failure. options may be NULL. */
GB_API GB_MUST gb_status gb_mcap_writer_create(gb_bytes_out *to,
                                               const gb_mcap_writer_options *options,
                                               gb_mcap_writer **out);
/* Ids are given out: 1, 2, ... for schemas, 0, 1, ... for channels; `id` of the argument is
 * ignored.
 */
GB_API GB_MUST gb_status gb_mcap_write_schema(gb_mcap_writer *writer,
                                              const gb_mcap_schema *schema,
                                              uint16_t *out_id);
GB_API GB_MUST gb_status gb_mcap_write_channel(gb_mcap_writer *writer,
                                               const gb_mcap_channel *channel,
                                               uint16_t *out_id);
GB_API GB_MUST gb_status gb_mcap_write_message(gb_mcap_writer *writer,
                                               const gb_mcap_message *message);
/* The same from pieces, so that a large message is copied once: data is parts [count] end to end.
 */
typedef struct gb_piece {
    const void *data;
    size_t size;
} gb_piece;
GB_API GB_MUST gb_status gb_mcap_write_message_pieces(gb_mcap_writer *writer,
                                                      const gb_mcap_message *message,
                                                      const gb_piece *parts,
                                                      int count);
GB_API GB_MUST gb_status gb_mcap_write_attachment(gb_mcap_writer *writer,
                                                  const gb_mcap_attachment *attachment);
GB_API GB_MUST gb_status gb_mcap_write_metadata(gb_mcap_writer *writer,
                                                const gb_mcap_metadata *metadata);
/* Ends the open chunk, so that everything written up to now can be recovered. */
GB_API GB_MUST gb_status gb_mcap_writer_flush(gb_mcap_writer *writer);
/* Writes summary and footer and closes `to`; frees the writer either way. */
GB_API GB_MUST gb_status gb_mcap_writer_finish(gb_mcap_writer *writer);
GB_API void gb_mcap_writer_abandon(gb_mcap_writer *writer); /* NULL is fine */

/* ---- reading ----------------------------------------------------------------------------------
 */
typedef struct gb_mcap_reader gb_mcap_reader;

/* Takes `from` over, also on failure. Reads the summary when there is one, otherwise the records.
 * GB_ERR_PARSE: no MCAP file; GB_ERR_CORRUPT: cut or damaged (the message says at which byte, and
 * that genba recover saves what is whole). */
GB_API GB_MUST gb_status gb_mcap_reader_create(gb_bytes_in *from, gb_mcap_reader **out);
GB_API void gb_mcap_reader_destroy(gb_mcap_reader *reader); /* NULL is fine */
GB_API const char *gb_mcap_reader_profile(const gb_mcap_reader *reader);
GB_API const char *gb_mcap_reader_library(const gb_mcap_reader *reader);
GB_API GB_MUST gb_status gb_mcap_reader_statistics(gb_mcap_reader *reader, gb_mcap_statistics *out);
/* Schemas and channels known so far (all of them once the summary or the data was read); NULL when
 * there is none of that number or id. Valid as long as the reader. */
GB_API int gb_mcap_reader_channel_count(const gb_mcap_reader *reader);
GB_API const gb_mcap_channel *gb_mcap_reader_channel_at(const gb_mcap_reader *reader, int number);
GB_API const gb_mcap_channel *gb_mcap_reader_channel(const gb_mcap_reader *reader, uint16_t id);
GB_API const gb_mcap_schema *gb_mcap_reader_schema(const gb_mcap_reader *reader, uint16_t id);

/* Which messages gb_mcap_next hands out; chunks without any are skipped by their index. */
typedef struct gb_mcap_filter {
    const uint16_t *channels; /* [channel_count]; NULL: all */
    int channel_count;
    uint64_t first_ns, end_ns; /* log_time in [first, end); end 0: no limit */
    bool by_time;              /* in the order of log_time (needs indexes); else of the file */
} gb_mcap_filter;

/* Begins (again) before the first message; filter NULL: all, in the order of the file. */
GB_API GB_MUST gb_status gb_mcap_rewind(gb_mcap_reader *reader, const gb_mcap_filter *filter);
/* *out_have is false behind the last. CRCs are checked as data is read. */
GB_API GB_MUST gb_status gb_mcap_next(gb_mcap_reader *reader, gb_mcap_message *out, bool *out_have);
/* Attachments and metadata by number; GB_ERR_NOT_FOUND behind the last. */
GB_API GB_MUST gb_status gb_mcap_attachment_at(gb_mcap_reader *reader,
                                               int number,
                                               gb_mcap_attachment *out);
GB_API GB_MUST gb_status gb_mcap_metadata_at(gb_mcap_reader *reader,
                                             int number,
                                             gb_mcap_metadata *out);
/* Reads everything and checks every CRC, index and count. */
GB_API GB_MUST gb_status gb_mcap_verify(gb_mcap_reader *reader);

/* ---- recovery ---------------------------------------------------------------------------------
 */
typedef struct gb_mcap_recovery {
    uint64_t bytes_read, bytes_whole; /* up to the end of the last whole record */
    uint64_t messages, chunks, attachments, metadata;
    uint64_t chunks_damaged; /* left out: their CRC does not hold or they do not decompress */
    bool was_whole;          /* the file had nothing wrong */
} gb_mcap_recovery;

/* Copies all that is whole in a cut or damaged file to a new, finished one. GB_ERR_PARSE: not even
 * the first magic bytes are there. Closes `from` and `to` either way. */
GB_API GB_MUST gb_status gb_mcap_recover(gb_bytes_in *from,
                                         gb_bytes_out *to,
                                         gb_mcap_recovery *out);

#ifdef __cplusplus
}
#endif
#endif
