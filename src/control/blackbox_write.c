/* control/blackbox_write.c: chains records, gathers them in blocks, and writes each block twice: as
 * it is, for proof and replay, and as streams, for the eye. No threads here. */
#include "control/blackbox_write.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BLOCK_FULL = 64 << 10, /* bytes of records after which a block is written */
    NONCE_BYTES = 16
};

struct gb_box_writer {
    size_t tick_bytes, decision_bytes;
    gb_recording_host host; /* never asked: the file is open from the start */
    gb_recording_writer *recording;
    gb_bytes_out *file; /* the recording's */
    gb_box_streams *streams;
    int chain;        /* the stream of blocks */
    gb_status failed; /* the first failure */

    unsigned char hash[GB_HASH_BYTES];         /* of the last record */
    unsigned char block_before[GB_HASH_BYTES]; /* of the last record before the block */
    uint64_t records;                          /* ever */
    uint32_t block_records;
    unsigned char *block; /* [room] head and records */
    size_t block_size, room;
    int64_t block_time_ns; /* wall, of its first tick or when it began */
    const gb_tick **ticks; /* [most_ticks] in the block */
    int64_t tick_count, most_ticks;
};

/* ---- records and blocks ---- */

static void begin_block(gb_box_writer *w)
{
    memcpy(w->block_before, w->hash, GB_HASH_BYTES);
    w->block_size = GB_BOX_BLOCK_BYTES;
    w->block_records = 0;
    w->tick_count = 0;
}

static void print_block_head(gb_box_writer *w)
{
    uint32_t version = GB_BOX_VERSION, size = (uint32_t)(w->block_size - GB_BOX_BLOCK_BYTES);
    uint64_t first = w->records - w->block_records;
    memcpy(w->block, GB_BOX_MAGIC, 4);
    memcpy(w->block + 4, &version, 4);
    memcpy(w->block + 8, &first, 8);
    memcpy(w->block + 16, w->block_before, GB_HASH_BYTES);
    memcpy(w->block + 48, &w->block_records, 4);
    memcpy(w->block + 52, &size, 4);
}

static const void *record_at(const gb_box_writer *w, size_t at, gb_box_kind *kind, size_t *size)
{
    uint32_t head[2];
    memcpy(head, w->block + at, sizeof head);
    *kind = (gb_box_kind)head[0];
    *size = head[1];
    return w->block + at + GB_BOX_RECORD_BYTES;
}

/* Decisions come behind the ticks: only then it is known how their clock stands to the wall's. */
static gb_status show_block(gb_box_writer *w)
{
    GB_TRY(gb_box_streams_ticks(w->streams, w->ticks, w->tick_count));
    for (size_t at = GB_BOX_BLOCK_BYTES; at < w->block_size;) {
        gb_box_kind kind;
        size_t size = 0;
        const void *record = record_at(w, at, &kind, &size);
        if (kind == GB_BOX_DECISION)
            GB_TRY(gb_box_streams_decision(w->streams, record));
        at += GB_BOX_RECORD_BYTES + size;
    }
    return GB_OK;
}

static gb_status end_block(gb_box_writer *w)
{
    if (w->block_records == 0)
        return GB_OK;
    print_block_head(w);
    const unsigned char *run = w->block;
    gb_samples sample = {
        .count = 1, .time_ns = &w->block_time_ns, .runs = &run, .run_sizes = &w->block_size};
    GB_TRY(gb_recording_writer_append(w->recording, w->chain, &sample));
    GB_TRY(show_block(w));
    begin_block(w);
    return GB_OK;
}

static gb_status put(gb_box_writer *w, gb_box_kind kind, const void *bytes, size_t size)
{
    if (w->block_size + GB_BOX_RECORD_BYTES + size > w->room)
        return gb_fail(GB_ERR_ARGUMENT, "black box: a record of %zu bytes is too long", size);
    uint32_t head[2] = {(uint32_t)kind, (uint32_t)size};
    unsigned char *to = w->block + w->block_size;
    gb_box_hash(w->hash, kind, bytes, size);
    memcpy(to, head, sizeof head);
    memcpy(to + 8, w->hash, GB_BOX_CHECK_BYTES);
    memcpy(to + GB_BOX_RECORD_BYTES, bytes, size);
    w->block_size += GB_BOX_RECORD_BYTES + size;
    w->block_records++;
    w->records++;
    if (kind == GB_BOX_TICK) {
        w->ticks[w->tick_count++] = (const gb_tick *)(to + GB_BOX_RECORD_BYTES);
        if (w->tick_count == 1)
            w->block_time_ns = w->ticks[0]->wall_ns;
    }
    bool full = w->block_size >= GB_BOX_BLOCK_BYTES + BLOCK_FULL || w->tick_count == w->most_ticks;
    return full ? end_block(w) : GB_OK;
}

static gb_status put_or_fail(gb_box_writer *w, gb_box_kind kind, const void *bytes, size_t size)
{
    if (w->failed == GB_OK)
        w->failed = put(w, kind, bytes, size);
    return w->failed;
}

gb_status gb_box_writer_tick(gb_box_writer *w, const gb_tick *tick)
{
    return put_or_fail(w, GB_BOX_TICK, tick, w->tick_bytes);
}

gb_status gb_box_writer_decision(gb_box_writer *w, const gb_decision *decision)
{
    return put_or_fail(w, GB_BOX_DECISION, decision, w->decision_bytes);
}

gb_status gb_box_writer_lost(gb_box_writer *w, const gb_box_totals *totals)
{
    return put_or_fail(w, GB_BOX_LOST, totals, sizeof *totals);
}

static gb_status sync_file(gb_box_writer *w)
{
    GB_TRY(gb_recording_writer_sync(w->recording));
    return gb_box_file_sync(w->file);
}

static gb_status sync_all(gb_box_writer *w)
{
    GB_TRY(end_block(w));
    return sync_file(w);
}

gb_status gb_box_writer_sync(gb_box_writer *w)
{
    if (w->failed == GB_OK)
        w->failed = sync_all(w);
    return w->failed;
}

gb_status gb_box_writer_close(gb_box_writer *w, const gb_box_totals *totals)
{
    GB_TRY(put_or_fail(w, GB_BOX_CLOSE, totals, sizeof *totals));
    w->failed = end_block(w);
    if (w->failed == GB_OK)
        w->failed = gb_recording_writer_finish(w->recording);
    return w->failed;
}

/* ---- begin ---- */

static gb_status allocate(gb_box_writer *w, const gb_blackbox_options *options, size_t header_bytes)
{
    const gb_plant_info *machine = options->machine;
    size_t largest = header_bytes;
    w->tick_bytes = gb_tick_bytes(machine);
    w->decision_bytes = options->policy ? gb_decision_bytes(machine, options->policy) : 0;
    largest = w->tick_bytes > largest ? w->tick_bytes : largest;
    largest = w->decision_bytes > largest ? w->decision_bytes : largest;
    if (machine->observation_size > GB_BOX_SIZE_LIMIT || machine->action_size > GB_BOX_SIZE_LIMIT ||
        largest > GB_BOX_RECORD_LIMIT)
        return gb_fail(GB_ERR_ARGUMENT,
                       "black box: machine %s has records of %zu bytes, the most "
                       "is %d",
                       machine->name, largest, GB_BOX_RECORD_LIMIT);
    w->most_ticks = (int64_t)(BLOCK_FULL / (w->tick_bytes + GB_BOX_RECORD_BYTES) + 1);
    w->room = GB_BOX_BLOCK_BYTES + BLOCK_FULL + GB_BOX_RECORD_BYTES + largest;
    w->block = gb_aligned_alloc(w->room);
    w->ticks = calloc((size_t)w->most_ticks, sizeof *w->ticks);
    return w->block && w->ticks ? GB_OK : gb_fail(GB_ERR_MEMORY, "black box: no memory");
}

/* "runs/monday.mcap" -> "monday" */
static void print_name(const char *path, char *name, size_t size)
{
    const char *slash = strrchr(path, '/');
    snprintf(name, size, "%s", slash ? slash + 1 : path);
    char *end = strstr(name, ".mcap");
    if (end && end != name && !end[5])
        *end = 0;
}

static gb_status
open_recording(gb_box_writer *w, const gb_blackbox_options *options, const gb_box_header *header)
{
    char name[256];
    print_name(options->path, name, sizeof name);
    const gb_pair pairs[] = {{"black_box", "1"},
                             {"model", header->model_name},
                             {"model_hash", header->model_hash},
                             {"precision", gb_precision_name(header->compute)},
                             {"envelope_hash", header->envelope_hash}};
    gb_recording_info info = {.name = name,
                              .source = header->machine_name,
                              .instruction = options->machine->instruction,
                              .pairs = pairs,
                              .pair_count = sizeof pairs / sizeof *pairs};
    gb_recording_file_options file = gb_recording_file_options_defaults();
    GB_TRY(gb_recording_writer_create(&w->host, &info, NULL, &w->recording));
    GB_TRY(gb_box_file_create(options->path, &w->file));
    return gb_recording_writer_open(w->recording, w->file, &file);
}

static gb_status add_chain(gb_box_writer *w)
{
    gb_stream_spec spec = gb_stream_spec_defaults(GB_BOX_STREAM);
    spec.kind = GB_STREAM_EVENT;
    spec.value_type = GB_VALUE_BYTES;
    spec.encoding = GB_BOX_ENCODING;
    spec.time_base = GB_TIME_UTC;
    return gb_recording_writer_stream(w->recording, &spec, &w->chain);
}

/* The attachment is the envelope in force, not what somebody has made of its file since. */
static gb_status
check_envelope(const gb_blackbox_options *options, const char *envelope, const unsigned char *hash)
{
    if (!options->envelope_hash ||
        (envelope && memcmp(hash, options->envelope_hash, GB_HASH_BYTES) == 0))
        return GB_OK;
    return gb_fail(GB_ERR_MISMATCH,
                   "black box: %s is not the envelope in force: it was changed since it was read; "
                   "start the run again",
                   envelope ? options->envelope_path : "no file");
}

/* envelope: the file's bytes; the hash is taken of these. */
static gb_status begin(gb_box_writer *w,
                       const gb_blackbox_options *options,
                       const char *envelope,
                       size_t envelope_size,
                       gb_box_header *header)
{
    unsigned char hash[GB_HASH_BYTES], nonce[NONCE_BYTES];
    char hex[2 * GB_HASH_BYTES + 1] = "", nonce_hex[2 * NONCE_BYTES + 1];
    char *text = NULL;
    size_t size = 0;
    if (envelope) {
        gb_hash(envelope, envelope_size, hash);
        gb_hash_hex(hash, hex);
    }
    GB_TRY(check_envelope(options, envelope, hash));
    randombytes_buf(nonce, sizeof nonce);
    header->nonce = sodium_bin2hex(nonce_hex, sizeof nonce_hex, nonce, sizeof nonce);
    header->envelope_hash = hex;
    GB_TRY(gb_box_header_print(header, &text, &size));
    gb_status status = allocate(w, options, size);
    if (status == GB_OK)
        status = open_recording(w, options, header);
    if (status == GB_OK && envelope)
        status = gb_recording_writer_attach(w->recording, GB_BOX_ENVELOPE, "application/yaml",
                                            envelope, envelope_size);
    if (status == GB_OK)
        status = gb_box_streams_create(options->machine, options->tick_ns, options->policy != NULL,
                                       w->most_ticks, w->recording, &w->streams);
    if (status == GB_OK)
        status = add_chain(w);
    if (status == GB_OK) {
        begin_block(w);
        w->block_time_ns = header->started_wall_ns;
        status = put(w, GB_BOX_HEADER, text, size);
    }
    if (status == GB_OK) /* the header waits for the first ticks: their clock may be another one */
        status = sync_file(w);
    free(text);
    return status;
}

static void remove_part(const char *path)
{
    char *part = malloc(strlen(path) + sizeof ".part");
    if (part) {
        sprintf(part, "%s.part", path);
        unlink(part);
    }
    free(part);
}

gb_status gb_box_writer_create(const gb_blackbox_options *options, gb_box_writer **out)
{
    const gb_policy *policy = options->policy;
    gb_box_header header = {.machine = options->machine,
                            .look_back = policy ? policy->look_back : 0,
                            .horizon = policy ? policy->horizon : 0,
                            .execute = policy ? policy->execute : 0,
                            .compute = policy ? policy->compute : GB_F32,
                            .machine_name = options->machine_name ? options->machine_name
                                                                  : options->machine->name,
                            .model_name = options->model_name ? options->model_name : "",
                            .model_hash = options->model_hash_hex ? options->model_hash_hex : "",
                            .tick_ns = options->tick_ns,
                            .started_wall_ns = gb_clock_wall_ns()};
    gb_arena *arena = NULL;
    char *envelope = NULL;
    size_t envelope_size = 0;
    GB_TRY(gb_arena_create(0, &arena));
    gb_box_writer *w = calloc(1, sizeof *w);
    gb_status status = w ? GB_OK : gb_fail(GB_ERR_MEMORY, "black box: no memory");
    if (status == GB_OK && options->envelope_path)
        status = gb_file_read(options->envelope_path, 64 << 20, arena, &envelope, &envelope_size);
    if (status == GB_OK)
        status = begin(w, options, envelope, envelope_size, &header);
    gb_arena_destroy(arena);
    if (status != GB_OK) {
        bool created = w && w->file;
        gb_box_writer_destroy(w);
        if (created)
            remove_part(options->path);
        return status;
    }
    *out = w;
    return GB_OK;
}

void gb_box_writer_destroy(gb_box_writer *w)
{
    if (!w)
        return;
    gb_box_streams_destroy(w->streams);
    gb_recording_writer_destroy(w->recording);
    gb_aligned_free(w->block);
    free(w->ticks);
    free(w);
}
