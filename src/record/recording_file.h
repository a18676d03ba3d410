/* Private to record: recordings as MCAP files. What a channel and a message look like
 * (recording_schema.c, recording_encode.c, recording_decode.c), one file being written
 * (recording_writer.c), many at once (recording_sink.c), and reading (recording_read.c).
 * docs/record.md describes the format, src/record/schema/ publishes it. */
#ifndef GENBA_RECORD_RECORDING_FILE_H
#define GENBA_RECORD_RECORDING_FILE_H

#include "genba/mcap.h"

/* ---- schemas --------------------------------------------------------------------------------- */
typedef enum gb_message_kind {
    GB_MESSAGE_SAMPLES, /* numbers, many samples a message */
    GB_MESSAGE_TEXT,    /* from here on: one sample a message */
    GB_MESSAGE_BYTES,
    GB_MESSAGE_COMPRESSED_IMAGE,
    GB_MESSAGE_RAW_IMAGE,
    GB_MESSAGE_COMPRESSED_VIDEO,
    GB_MESSAGE_KIND_COUNT
} gb_message_kind;

typedef struct gb_message_schema {
    const char *name;                /* "genba.Samples" */
    const unsigned char *descriptor; /* [size] a serialized FileDescriptorSet */
    size_t size;
} gb_message_schema;

#define GB_RECORDING_METADATA "genba.recording"
#define GB_RECORDING_COUNTS "genba.counts"

/* kind in [0, GB_MESSAGE_KIND_COUNT). */
const gb_message_schema *gb_message_schema_of(gb_message_kind kind);
/* GB_ERR_PARSE: not one of genba's. */
GB_MUST gb_status gb_message_kind_parse(const char *name, gb_message_kind *out);
/* What the samples of a stream are written as. */
gb_message_kind gb_message_kind_of(const gb_stream_spec *spec);
/* "rgb8" of a picture of plain pixels; NULL when Foxglove knows no such layout. */
const char *gb_pixel_layout(const gb_stream_spec *spec);

/* ---- metadata: all texts live in the arena --------------------------------------------------- */
/* GB_ERR_ARGUMENT: a text is not UTF-8. */
GB_MUST gb_status gb_stream_spec_to_pairs(const gb_stream_spec *spec,
                                          gb_arena *arena,
                                          const gb_pair **out_pairs,
                                          int *out_count);
GB_MUST gb_status gb_stream_spec_from_pairs(
    const char *topic, const gb_pair *pairs, int count, gb_arena *arena, gb_stream_spec *out);
/* zero_ns: the time that log time 0 of the file stands for. */
GB_MUST gb_status gb_recording_info_to_pairs(const gb_recording_info *info,
                                             int64_t zero_ns,
                                             gb_arena *arena,
                                             const gb_pair **out_pairs,
                                             int *out_count);
GB_MUST gb_status gb_recording_info_from_pairs(const gb_pair *pairs,
                                               int count,
                                               gb_arena *arena,
                                               gb_recording_info *out);
bool gb_record_is_utf8(const void *text, size_t size);

/* ---- messages ---------------------------------------------------------------------------------
 */
/* A message in pieces: what is large stays where it is. Borrows the samples and the spec. */
typedef struct gb_encoded {
    unsigned char small[160];
    size_t small_used, small_from;
    gb_piece pieces[16];
    int count;
    size_t size; /* of all pieces */
} gb_encoded;

/* At least one sample of a stream of numbers. */
void gb_encode_samples(const gb_stream_spec *spec, const gb_samples *samples, gb_encoded *out);
/* One sample of any other kind of message. */
void gb_encode_one(gb_message_kind kind,
                   const gb_stream_spec *spec,
                   int64_t time_ns,
                   const void *data,
                   size_t size,
                   uint8_t quality,
                   uint8_t reason,
                   gb_encoded *out);

/* Memory for one decoded message, kept from one to the next. */
typedef struct gb_decoded {
    gb_samples samples; /* borrows the message and what follows; valid until the next decode */
    int64_t *time_ns;   /* [time_room] */
    size_t time_room;
    void *values; /* [value_room] bytes, aligned for any type */
    size_t value_room;
    const unsigned char *run;
    size_t run_size;
    uint8_t quality, reason; /* of a single sample */
} gb_decoded;

/* GB_ERR_PARSE says what is wrong with the message; size is that of one sample of the spec. */
GB_MUST gb_status gb_decode_message(gb_message_kind kind,
                                    const gb_stream_spec *spec,
                                    const unsigned char *data,
                                    size_t size,
                                    gb_decoded *decoded);
void gb_decoded_free(gb_decoded *decoded);

/* ---- spill: one nameless file beside recordings that have no writer yet -----------------------
 */
typedef struct gb_spill gb_spill;
GB_MUST gb_status gb_spill_create(const char *folder, gb_spill **out);
void gb_spill_destroy(gb_spill *spill); /* NULL is fine */
/* Where a message lies. */
typedef struct gb_spilled {
    uint64_t at, serial;
    size_t size;
} gb_spilled;
GB_MUST gb_status gb_spill_write(gb_spill *spill, const gb_encoded *message, gb_spilled *out);
GB_MUST gb_status gb_spill_read(gb_spill *spill, const gb_spilled *from, void *data); /* [size] */
void gb_spill_forget(gb_spill *spill); /* all of it: its disk space is free again */

/* ---- one recording being written ---------------------------------------------------------------
 */
typedef struct gb_stream_tally {
    int64_t samples, first_ns, last_ns; /* least and greatest time; 0 without samples */
    int64_t of_quality[GB_QUALITY_MISSING + 1];
} gb_stream_tally;

typedef struct gb_recording_writer gb_recording_writer;

/* Called when samples must leave memory and the writer is not open: opens it, or leaves it as it is
 * and gives the spill to use. */
typedef struct gb_recording_host {
    gb_status (*full)(struct gb_recording_host *host, gb_recording_writer *writer, gb_spill **out);
} gb_recording_host;

/* mark: the host's own, kept for it. */
GB_MUST gb_status gb_recording_writer_create(gb_recording_host *host,
                                             const gb_recording_info *info,
                                             void *mark,
                                             gb_recording_writer **out);
void *gb_recording_writer_mark(const gb_recording_writer *writer);
void gb_recording_writer_destroy(gb_recording_writer *writer); /* drops the file; NULL is fine */
/* Begins the file; takes `to` over, also on failure. */
GB_MUST gb_status gb_recording_writer_open(gb_recording_writer *writer,
                                           gb_bytes_out *to,
                                           const gb_recording_file_options *options);
bool gb_recording_writer_is_open(const gb_recording_writer *writer);
/* Bytes of samples held in memory. */
size_t gb_recording_writer_held(const gb_recording_writer *writer);
GB_MUST gb_status gb_recording_writer_stream(gb_recording_writer *writer,
                                             const gb_stream_spec *spec,
                                             int *out_stream);
GB_MUST gb_status gb_recording_writer_append(gb_recording_writer *writer,
                                             int stream,
                                             const gb_samples *samples);
/* The writer must be open here and at finish. */
GB_MUST gb_status gb_recording_writer_attach(gb_recording_writer *writer,
                                             const char *name,
                                             const char *media_type,
                                             const void *data,
                                             size_t size);
/* Writes out what memory holds and frees that memory. */
GB_MUST gb_status gb_recording_writer_flush(gb_recording_writer *writer);
/* The same, and ends the open chunk: all of it can be recovered from what was written. The writer
 * must be open. */
GB_MUST gb_status gb_recording_writer_sync(gb_recording_writer *writer);
/* Ends the file and closes it. The writer stays, to look at. */
GB_MUST gb_status gb_recording_writer_finish(gb_recording_writer *writer);
const gb_recording_info *gb_recording_writer_info(const gb_recording_writer *writer);
int gb_recording_writer_stream_count(const gb_recording_writer *writer);
const gb_stream_spec *gb_recording_writer_spec(const gb_recording_writer *writer, int stream);
const gb_stream_tally *gb_recording_writer_tally(const gb_recording_writer *writer, int stream);

/* ---- a sink of recording files ------------------------------------------------------------------
 */
/* Where the files go. *mark is the target's own, one a recording, from begin to done or drop. */
typedef struct gb_recording_target gb_recording_target;
struct gb_recording_target {
    gb_status (*begin)(gb_recording_target *target, const gb_recording_info *info, void **mark);
    gb_status (*open)(gb_recording_target *target, void *mark, gb_bytes_out **out);
    /* The file is whole and closed. */
    gb_status (*done)(gb_recording_target *target, void *mark, const gb_recording_writer *writer);
    void (*drop)(gb_recording_target *target, void *mark);
    void (*destroy)(gb_recording_target *target);
    const char *spill_folder;
};

/* Takes the target over on success. options may be NULL. */
GB_MUST gb_status gb_recording_sink_create(gb_recording_target *target,
                                           const gb_recording_file_options *options,
                                           gb_sink **out);

/* "FOLDER/NAME.mcap" with NAME's parts made safe as file names; the caller frees it. NULL and a
 * message without memory. */
char *gb_recording_path(const char *folder, const char *name);

/* ---- reading ------------------------------------------------------------------------------------
 */
/* As gb_recording_file_emit and _load from any bytes; take `from` over, also on failure. */
GB_MUST gb_status gb_recording_emit_bytes(gb_bytes_in *from,
                                          const char *const *names,
                                          int name_count,
                                          gb_sink *sink);
GB_MUST gb_status gb_recording_load_bytes(gb_bytes_in *from,
                                          const char *const *names,
                                          int name_count,
                                          gb_recording **out);

#endif
