/* The reader's side of apart.c: a sink and a watch that send all they are told down a pipe. A pipe
 * that nobody reads any more ends the process (SIGPIPE). */
#include "ingest/apart_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* A message being put together; large arrays are sent from where they are. */
typedef struct letter {
    unsigned char *data;
    size_t used, room;
    bool failed;
} letter;

static void put(letter *l, const void *data, size_t size)
{
    size_t padded = (size + 7) / 8 * 8;
    if (l->failed)
        return;
    if (padded > l->room - l->used) {
        size_t room = 2 * l->room + padded + 256;
        unsigned char *grown = realloc(l->data, room);
        l->failed = !grown;
        if (!grown)
            return;
        l->data = grown;
        l->room = room;
    }
    if (size > 0)
        memcpy(l->data + l->used, data, size);
    memset(l->data + l->used + size, 0, padded - size);
    l->used += padded;
}

static void put_u64(letter *l, uint64_t value)
{
    put(l, &value, sizeof value);
}

static void put_text(letter *l, const char *text)
{
    size_t size = text ? strlen(text) + 1 : 0;
    put_u64(l, size);
    put(l, text, size);
}

static gb_status send_all(int pipe, const void *data, size_t size)
{
    const unsigned char *at = data;
    while (size > 0) {
        ssize_t sent = write(pipe, at, size);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return gb_fail(GB_ERR_IO, "a reader's process cannot send: %s", strerror(errno));
        at += sent;
        size -= (size_t)sent;
    }
    return GB_OK;
}

void gb_wire_allow_time(void)
{
    struct rusage used;
    struct rlimit limit;
    if (getrusage(RUSAGE_SELF, &used) != 0 || getrlimit(RLIMIT_CPU, &limit) != 0)
        return;
    limit.rlim_cur = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + GB_WIRE_SILENT_SECONDS;
    if (limit.rlim_cur <= limit.rlim_max)
        setrlimit(RLIMIT_CPU, &limit);
}

/* Sends the letter and then `extra` bytes that are still to follow as part of the message. */
static gb_status post(int pipe, gb_wire_kind kind, letter *l, size_t extra)
{
    gb_wire_head head = {kind, l->used + extra};
    gb_status status = GB_OK;
    gb_wire_allow_time();
    if (l->failed)
        status = gb_fail(GB_ERR_MEMORY, "a reader's process has no memory for a message");
    if (status == GB_OK && head.size > GB_WIRE_BYTES_MAX)
        status = gb_fail(GB_ERR_UNSUPPORTED, "%llu bytes handed over at once; the limit is 1 GiB",
                         (unsigned long long)head.size);
    if (status == GB_OK)
        status = send_all(pipe, &head, sizeof head);
    if (status == GB_OK)
        status = send_all(pipe, l->data, l->used);
    free(l->data);
    *l = (letter){0};
    return status;
}

/* Extra bytes end on a multiple of 8, as everything does. */
static gb_status post_array(int pipe, const void *data, size_t size)
{
    static const unsigned char zeros[8];
    GB_TRY(send_all(pipe, data, size));
    return send_all(pipe, zeros, (8 - size % 8) % 8);
}

static size_t padded_size(size_t size)
{
    return (size + 7) / 8 * 8;
}

static void put_pairs(letter *l, const gb_pair *pairs, int count)
{
    put_u64(l, (uint64_t)count);
    for (int i = 0; i < count; i++) {
        put_text(l, pairs[i].key);
        put_text(l, pairs[i].value);
    }
}

/* ---- the sink ---------------------------------------------------------------------------------
 */

static gb_status child_begin(gb_sink *sink, const gb_recording_info *info, int *out)
{
    gb_wire_child *child = (gb_wire_child *)sink;
    letter l = {0};
    put_text(&l, info->name);
    put_text(&l, info->source);
    put_text(&l, info->instruction);
    put_text(&l, info->outcome);
    put_text(&l, info->residency);
    put_text(&l, info->owner);
    put_text(&l, info->licence);
    put_text(&l, info->purpose);
    put_pairs(&l, info->pairs, info->pair_count);
    GB_TRY(post(child->pipe, GB_WIRE_BEGIN, &l, 0));
    *out = child->recordings++;
    return GB_OK;
}

static gb_status remember_sample(gb_wire_child *child, size_t bytes)
{
    if (child->streams == child->room) {
        int room = child->room ? 2 * child->room : 64;
        size_t *grown = realloc(child->sample_bytes, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "a reader's process has no memory for a stream");
        child->sample_bytes = grown;
        child->room = room;
    }
    child->sample_bytes[child->streams++] = bytes;
    return GB_OK;
}

static gb_status child_stream(gb_sink *sink, int recording, const gb_stream_spec *spec, int *out)
{
    gb_wire_child *child = (gb_wire_child *)sink;
    letter l = {0};
    int64_t size = gb_stream_spec_size(spec);
    put_u64(&l, (uint64_t)recording);
    put_text(&l, spec->name);
    put_text(&l, spec->unit);
    put_text(&l, spec->semantic);
    put_text(&l, spec->encoding);
    put_text(&l, spec->clock);
    put_text(&l, spec->frame);
    put_u64(&l, (uint64_t)spec->kind);
    put_u64(&l, (uint64_t)spec->value_type);
    put_u64(&l, (uint64_t)spec->time_base);
    put(&l, &spec->rate_hz, sizeof spec->rate_hz);
    put_u64(&l, (uint64_t)spec->rank);
    for (int i = 0; i < spec->rank; i++)
        put_u64(&l, (uint64_t)spec->shape[i]);
    put_u64(&l, spec->labels ? (uint64_t)size : 0);
    for (int64_t i = 0; spec->labels && i < size; i++)
        put_text(&l, spec->labels[i]);
    put_pairs(&l, spec->pairs, spec->pair_count);
    GB_TRY(post(child->pipe, GB_WIRE_STREAM, &l, 0));
    *out = child->streams;
    return remember_sample(child, (size_t)size * gb_value_type_bytes(spec->value_type));
}

static size_t bytes_of_values(const gb_wire_child *child, int stream, const gb_samples *samples)
{
    size_t bytes = 0;
    if (!samples->runs)
        return (size_t)samples->count * child->sample_bytes[stream];
    for (int64_t i = 0; i < samples->count; i++)
        bytes += samples->run_sizes[i];
    return bytes;
}

static gb_status post_runs(int pipe, const gb_samples *samples, size_t bytes)
{
    static const unsigned char zeros[8];
    for (int64_t i = 0; i < samples->count; i++)
        GB_TRY(send_all(pipe, samples->runs[i], samples->run_sizes[i]));
    return send_all(pipe, zeros, padded_size(bytes) - bytes);
}

/* Times, run sizes (of BYTES), values, quality, reason, rows; sizes as gb_wire_samples expects
 * them. */
static gb_status child_append(gb_sink *sink, int recording, int stream, const gb_samples *samples)
{
    gb_wire_child *child = (gb_wire_child *)sink;
    size_t count = (size_t)samples->count, bytes = bytes_of_values(child, stream, samples);
    size_t flags = padded_size(count);
    size_t extra = 8 * count + (samples->runs ? 8 * count : 0) + padded_size(bytes) +
                   (samples->quality ? flags : 0) + (samples->reason ? flags : 0) +
                   (samples->row ? 8 * count : 0);
    letter l = {0};
    put_u64(&l, (uint64_t)recording);
    put_u64(&l, (uint64_t)stream);
    put_u64(&l, count);
    put_u64(&l, (samples->quality ? 1 : 0) | (samples->reason ? 2 : 0) | (samples->row ? 4 : 0));
    put_u64(&l, bytes);
    GB_TRY(post(child->pipe, GB_WIRE_APPEND, &l, extra));
    GB_TRY(post_array(child->pipe, samples->time_ns, 8 * count));
    if (samples->runs) {
        GB_TRY(post_array(child->pipe, samples->run_sizes, 8 * count));
        GB_TRY(post_runs(child->pipe, samples, bytes));
    } else {
        GB_TRY(post_array(child->pipe, samples->values, bytes));
    }
    if (samples->quality)
        GB_TRY(post_array(child->pipe, samples->quality, count));
    if (samples->reason)
        GB_TRY(post_array(child->pipe, samples->reason, count));
    return samples->row ? post_array(child->pipe, samples->row, 8 * count) : GB_OK;
}

static gb_status child_attach(gb_sink *sink,
                              int recording,
                              const char *name,
                              const char *media_type,
                              const void *data,
                              size_t size)
{
    letter l = {0};
    put_u64(&l, (uint64_t)recording);
    put_text(&l, name);
    put_text(&l, media_type);
    put_u64(&l, size);
    GB_TRY(post(((gb_wire_child *)sink)->pipe, GB_WIRE_ATTACH, &l, padded_size(size)));
    return post_array(((gb_wire_child *)sink)->pipe, data, size);
}

static gb_status post_number(const gb_sink *sink, gb_wire_kind kind, int recording)
{
    letter l = {0};
    put_u64(&l, (uint64_t)recording);
    return post(((const gb_wire_child *)sink)->pipe, kind, &l, 0);
}

static gb_status child_end(gb_sink *sink, int recording)
{
    return post_number(sink, GB_WIRE_END, recording);
}

static void child_abandon(gb_sink *sink, int recording)
{
    (void)!post_number(sink, GB_WIRE_ABANDON, recording);
}

static void child_destroy(gb_sink *sink)
{
    free(((gb_wire_child *)sink)->sample_bytes);
}

static const gb_sink_ops child_ops = {child_begin, child_stream,  child_append, child_attach,
                                      child_end,   child_abandon, child_destroy};

/* ---- the watch --------------------------------------------------------------------------------
 */

static gb_status child_reject(void *context,
                              const char *file,
                              int64_t row,
                              const char *column,
                              const char *reason,
                              const char *text,
                              size_t text_size)
{
    letter l = {0};
    put_text(&l, file);
    put_u64(&l, (uint64_t)row);
    put_text(&l, column);
    put_text(&l, reason);
    put_u64(&l, text_size);
    put(&l, text, text_size);
    return post(((gb_wire_child *)context)->pipe, GB_WIRE_REJECT, &l, 0);
}

static gb_status child_drift(void *context, const char *file, const char *message)
{
    letter l = {0};
    put_text(&l, file);
    put_text(&l, message);
    return post(((gb_wire_child *)context)->pipe, GB_WIRE_DRIFT, &l, 0);
}

/* Whether to stop is the parent's to say: it ends the recordings and this process. */
static gb_status child_progress(void *context, int64_t bytes_done, int64_t bytes_all)
{
    letter l = {0};
    put_u64(&l, (uint64_t)bytes_done);
    put_u64(&l, (uint64_t)bytes_all);
    return post(((gb_wire_child *)context)->pipe, GB_WIRE_PROGRESS, &l, 0);
}

void gb_wire_child_start(gb_wire_child *child, const gb_ingest_watch *watch, int pipe)
{
    *child = (gb_wire_child){.sink = {&child_ops}, .pipe = pipe};
    child->watch = (gb_ingest_watch){.context = child,
                                     .reject = watch->reject ? child_reject : NULL,
                                     .drift = watch->drift ? child_drift : NULL,
                                     .progress = watch->progress ? child_progress : NULL};
}

gb_status gb_wire_send_text(int pipe, const char *text)
{
    letter l = {0};
    put_text(&l, text);
    return post(pipe, GB_WIRE_TEXT, &l, 0);
}

gb_status gb_wire_send_done(int pipe, gb_status status, const gb_ingest_report *report)
{
    letter l = {0};
    put_u64(&l, (uint64_t)status);
    put_text(&l, gb_error_message());
    put_u64(&l, report ? sizeof *report : 0);
    if (report)
        put(&l, report, sizeof *report);
    return post(pipe, GB_WIRE_DONE, &l, 0);
}
