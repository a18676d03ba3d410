/* Many recordings on their way to files at once. Memory is bounded whatever their number: a budget
 * for samples, and a few files open at a time; recordings beyond those wait in a spill file. */
#include "record/recording_file.h"

#include <stdlib.h>
#include <string.h>

enum {
    BUDGET_BYTES = 64 << 20, /* of samples in memory, all recordings together */
    FILES_OPEN = 16,         /* recordings being written at a time */
    RECORDINGS_MOST = 65536
};

typedef struct slot {
    gb_recording_writer *writer; /* NULL: free */
    uint64_t name_hash;
} slot;

typedef struct file_sink {
    gb_sink sink;
    gb_recording_host host;
    gb_recording_target *target;
    gb_recording_file_options options;
    gb_spill *spill;
    slot *slots; /* [room] */
    int room, open, files;
    size_t held;
} file_sink;

static uint64_t hash_name(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return hash;
}

static gb_status find(file_sink *to, int recording, gb_recording_writer **out)
{
    if (recording < 0 || recording >= to->room || !to->slots[recording].writer)
        return gb_fail(GB_ERR_ARGUMENT, "no recording %d is open in this sink", recording);
    *out = to->slots[recording].writer;
    return GB_OK;
}

static gb_status open_file(file_sink *to, gb_recording_writer *writer)
{
    gb_bytes_out *bytes = NULL;
    GB_TRY(to->target->open(to->target, gb_recording_writer_mark(writer), &bytes));
    to->files++;
    gb_status status = gb_recording_writer_open(writer, bytes, &to->options);
    if (!gb_recording_writer_is_open(writer))
        to->files--;
    return status;
}

static gb_status full(gb_recording_host *host, gb_recording_writer *writer, gb_spill **out)
{
    file_sink *to = (file_sink *)((char *)host - offsetof(file_sink, host));
    if (to->files < FILES_OPEN)
        return open_file(to, writer);
    if (!to->spill)
        GB_TRY(gb_spill_create(to->target->spill_folder, &to->spill));
    *out = to->spill;
    return GB_OK;
}

/* A free number; also looks that no open recording has the name. */
static gb_status find_free(file_sink *to, const gb_recording_info *info, uint64_t hash, int *out)
{
    int number = -1;
    for (int i = 0; i < to->room; i++) {
        if (!to->slots[i].writer)
            number = number < 0 ? i : number;
        else if (to->slots[i].name_hash == hash &&
                 strcmp(gb_recording_writer_info(to->slots[i].writer)->name, info->name) == 0)
            return gb_fail(GB_ERR_ARGUMENT,
                           "two recordings are called %.200s; names must differ, so group by what "
                           "tells them apart",
                           info->name);
    }
    if (number < 0 && to->room == RECORDINGS_MOST)
        return gb_fail(GB_ERR_ARGUMENT, "more than %d recordings are open at once",
                       RECORDINGS_MOST);
    if (number < 0) {
        int room = to->room ? 2 * to->room : 8;
        slot *grown = realloc(to->slots, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "no memory for recording %.200s", info->name);
        memset(grown + to->room, 0, (size_t)(room - to->room) * sizeof *grown);
        number = to->room;
        to->slots = grown;
        to->room = room;
    }
    *out = number;
    return GB_OK;
}

static gb_status sink_begin(gb_sink *sink, const gb_recording_info *info, int *out_recording)
{
    file_sink *to = (file_sink *)sink;
    uint64_t hash = hash_name(info->name);
    int number = 0;
    void *mark = NULL;
    gb_recording_writer *writer = NULL;
    GB_TRY(find_free(to, info, hash, &number));
    GB_TRY(to->target->begin(to->target, info, &mark));
    gb_status status = gb_recording_writer_create(&to->host, info, mark, &writer);
    if (status != GB_OK) {
        to->target->drop(to->target, mark);
        return status;
    }
    to->slots[number] = (slot){writer, hash};
    to->open++;
    *out_recording = number;
    return GB_OK;
}

static gb_status
sink_stream(gb_sink *sink, int recording, const gb_stream_spec *spec, int *out_stream)
{
    gb_recording_writer *writer = NULL;
    GB_TRY(find((file_sink *)sink, recording, &writer));
    return gb_recording_writer_stream(writer, spec, out_stream);
}

static gb_status sink_append(gb_sink *sink, int recording, int stream, const gb_samples *samples)
{
    file_sink *to = (file_sink *)sink;
    gb_recording_writer *writer = NULL;
    GB_TRY(find(to, recording, &writer));
    size_t before = gb_recording_writer_held(writer);
    gb_status status = gb_recording_writer_append(writer, stream, samples);
    to->held += gb_recording_writer_held(writer) - before;
    /* Over the budget, whoever holds more than its share writes it out. */
    before = gb_recording_writer_held(writer);
    if (status == GB_OK && to->held > BUDGET_BYTES &&
        before > (size_t)BUDGET_BYTES / (size_t)to->open) {
        status = gb_recording_writer_flush(writer);
        to->held -= before - gb_recording_writer_held(writer);
    }
    return status;
}

static gb_status sink_attach(gb_sink *sink,
                             int recording,
                             const char *name,
                             const char *media_type,
                             const void *data,
                             size_t size)
{
    file_sink *to = (file_sink *)sink;
    gb_recording_writer *writer = NULL;
    GB_TRY(find(to, recording, &writer));
    if (!gb_recording_writer_is_open(writer))
        GB_TRY(open_file(to, writer));
    return gb_recording_writer_attach(writer, name, media_type, data, size);
}

/* The writer leaves the sink; the mark is still the target's. */
static void close_slot(file_sink *to, int recording)
{
    gb_recording_writer *writer = to->slots[recording].writer;
    to->slots[recording].writer = NULL;
    to->open--;
    to->held -= gb_recording_writer_held(writer);
    to->files -= gb_recording_writer_is_open(writer);
    gb_recording_writer_destroy(writer);
    if (to->open == 0 && to->spill)
        gb_spill_forget(to->spill);
}

static gb_status sink_end(gb_sink *sink, int recording)
{
    file_sink *to = (file_sink *)sink;
    gb_recording_writer *writer = NULL;
    GB_TRY(find(to, recording, &writer));
    if (!gb_recording_writer_is_open(writer))
        GB_TRY(open_file(to, writer));
    size_t before = gb_recording_writer_held(writer);
    gb_status status = gb_recording_writer_finish(writer);
    to->held -= before - gb_recording_writer_held(writer);
    to->files -= !gb_recording_writer_is_open(writer);
    GB_TRY(status);
    GB_TRY(to->target->done(to->target, gb_recording_writer_mark(writer), writer));
    close_slot(to, recording);
    return GB_OK;
}

static void sink_abandon(gb_sink *sink, int recording)
{
    file_sink *to = (file_sink *)sink;
    if (recording < 0 || recording >= to->room || !to->slots[recording].writer)
        return;
    void *mark = gb_recording_writer_mark(to->slots[recording].writer);
    close_slot(to, recording); /* the file first, then what the target knows of it */
    to->target->drop(to->target, mark);
}

static void sink_destroy(gb_sink *sink)
{
    file_sink *to = (file_sink *)sink;
    for (int i = 0; i < to->room; i++)
        sink_abandon(sink, i);
    gb_spill_destroy(to->spill);
    to->target->destroy(to->target);
    free(to->slots);
    free(to);
}

static const gb_sink_ops file_ops = {sink_begin, sink_stream,  sink_append, sink_attach,
                                     sink_end,   sink_abandon, sink_destroy};

gb_recording_file_options gb_recording_file_options_defaults(void)
{
    return (gb_recording_file_options){
        .compression = GB_COMPRESSION_ZSTD, .level = 1, .chunk_bytes = 1 << 20, .pool = NULL};
}

gb_status gb_recording_sink_create(gb_recording_target *target,
                                   const gb_recording_file_options *options,
                                   gb_sink **out)
{
    file_sink *sink = calloc(1, sizeof *sink);
    if (!sink)
        return gb_fail(GB_ERR_MEMORY, "no memory for a sink");
    sink->sink.ops = &file_ops;
    sink->host.full = full;
    sink->target = target;
    sink->options = options ? *options : gb_recording_file_options_defaults();
    *out = &sink->sink;
    return GB_OK;
}
