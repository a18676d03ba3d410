/* Hands the rows of arrays to a sink, block by block, all streams side by side. Memory is one
 * block, whatever the file's size. */
#include "ingest/arrays.h"

#include "ingest/array_values.h"
#include "ingest/steps.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_ROWS_MAX = 65536
};

/* One array on its way into one stream. */
typedef struct lane {
    const gb_array_stream *stream;
    void *cursor;
    int number; /* of the stream in the sink */
    int64_t size, array_size;
    unsigned char *values, *spare; /* [block x widest sample]; spare: when values are changed */
    const unsigned char **runs;    /* [block] of BYTES */
    size_t *run_sizes;
} lane;

typedef struct emitter {
    const gb_source *source;
    const gb_arrays *arrays;
    const gb_array_plan *plan;
    int64_t block;
    lane *lanes; /* [plan->stream_count] */
    void *time_cursor;
    unsigned char *time_values;
    int64_t time_size;
    int64_t *time_ns, *kept, *row; /* [block]; kept: rows of the block that are used; row: from 1 */
    uint8_t *quality, *reason;
    gb_steps steps;
    int64_t last_ns, emitted;
    int recording;
} emitter;

static int64_t samples_size(const gb_array *array)
{
    int64_t size = 1;
    for (int i = 0; i < array->rank; i++)
        size *= array->shape[i];
    return size;
}

static size_t widest_sample(const gb_array_stream *stream)
{
    size_t there = (size_t)samples_size(stream->array) * gb_value_type_bytes(stream->array->type);
    size_t here =
        (size_t)gb_stream_spec_size(&stream->spec) * gb_value_type_bytes(stream->spec.value_type);
    return there > here ? there : here;
}

/* Rows of a block: all streams fit in the budget, and a chunk is read once where that is possible.
 */
static int64_t choose_block(const gb_array_plan *plan)
{
    int64_t row_bytes = 1, chunk = 1;
    for (int s = 0; s < plan->stream_count; s++) {
        const gb_array *array = plan->streams[s].array;
        size_t bytes = array->type == GB_VALUE_BYTES ? 65536 : widest_sample(&plan->streams[s]);
        row_bytes += (int64_t)bytes;
        if (array->block_rows > chunk)
            chunk = array->block_rows;
    }
    int64_t block = GB_ARRAY_BLOCK_BYTES / row_bytes;
    if (block >= chunk)
        block -= block % chunk;
    else if (chunk <= 4 * (GB_ARRAY_BLOCK_BYTES / row_bytes))
        block = chunk;
    block = block > BLOCK_ROWS_MAX ? BLOCK_ROWS_MAX : block < 1 ? 1 : block;
    return plan->rows < block ? (plan->rows > 0 ? plan->rows : 1) : block;
}

/* ---- opening ----------------------------------------------------------------------------------
 */

static gb_status open_lane(emitter *e, lane *to, const gb_array_stream *stream)
{
    size_t block = (size_t)e->block, bytes = widest_sample(stream);
    to->stream = stream;
    to->size = gb_stream_spec_size(&stream->spec);
    to->array_size = samples_size(stream->array);
    if ((int64_t)bytes > GB_ARRAY_SAMPLE_BYTES_MAX)
        return gb_fail(GB_ERR_UNSUPPORTED, "%s: one row of %s takes %zu bytes; the limit is %lld",
                       e->source->path, stream->array->path, bytes,
                       (long long)GB_ARRAY_SAMPLE_BYTES_MAX);
    bool changed = stream->columns || stream->spec.value_type != stream->array->type;
    bool runs = stream->array->type == GB_VALUE_BYTES;
    to->values = runs ? NULL : malloc(block * bytes);
    to->spare = changed ? malloc(block * bytes) : NULL;
    to->runs = runs ? malloc(block * sizeof *to->runs) : NULL;
    to->run_sizes = runs ? malloc(block * sizeof *to->run_sizes) : NULL;
    if (runs ? !to->runs || !to->run_sizes : !to->values || (changed && !to->spare))
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for %zu rows of %s", e->source->path, block,
                       stream->array->path);
    return e->arrays->ops->open(e->arrays, stream->array, &to->cursor);
}

static gb_status open_emitter(emitter *e)
{
    size_t block = (size_t)e->block;
    const gb_array *time = e->plan->time;
    e->lanes = calloc((size_t)e->plan->stream_count, sizeof *e->lanes);
    e->time_ns = malloc(block * sizeof *e->time_ns);
    e->kept = malloc(block * sizeof *e->kept);
    e->row = malloc(block * sizeof *e->row);
    e->quality = malloc(block);
    e->reason = malloc(block);
    if (time) {
        e->time_size = samples_size(time);
        e->time_values = malloc(block * (size_t)e->time_size * gb_value_type_bytes(time->type));
    }
    if (!e->lanes || !e->time_ns || !e->kept || !e->row || !e->quality || !e->reason ||
        (time && !e->time_values))
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for a block of %zu rows", e->source->path,
                       block);
    if (time)
        GB_TRY(e->arrays->ops->open(e->arrays, time, &e->time_cursor));
    for (int s = 0; s < e->plan->stream_count; s++)
        GB_TRY(open_lane(e, &e->lanes[s], &e->plan->streams[s]));
    return GB_OK;
}

static void close_emitter(emitter *e)
{
    for (int s = 0; e->lanes && s < e->plan->stream_count; s++) {
        lane *l = &e->lanes[s];
        if (l->cursor)
            e->arrays->ops->close(l->cursor);
        free(l->values);
        free(l->spare);
        free(l->runs);
        free(l->run_sizes);
    }
    if (e->time_cursor)
        e->arrays->ops->close(e->time_cursor);
    free(e->lanes);
    free(e->time_values);
    free(e->time_ns);
    free(e->kept);
    free(e->row);
    free(e->quality);
    free(e->reason);
    gb_steps_free(&e->steps);
}

/* ---- times ------------------------------------------------------------------------------------
 */

static gb_status reject_row(emitter *e, int64_t row, double found)
{
    const gb_source *source = e->source;
    gb_ingest_report *report = source->report;
    const gb_array *time = e->plan->time;
    static const char expected[] = "a time that 64 bits of nanoseconds hold";
    char text[32];
    snprintf(text, sizeof text, "%.17g", found);
    if (source->options->bad_cells == GB_BAD_CELLS_STRICT)
        return gb_fail(GB_ERR_PARSE, "%s, row %lld of %s: found %s, expected %s", source->path,
                       (long long)row, time->path, text, expected);
    if (report->example_count < GB_INGEST_EXAMPLES) {
        gb_ingest_example *example = &report->examples[report->example_count++];
        *example = (gb_ingest_example){.row = row, .column = 0, .expected = expected};
        snprintf(example->name, sizeof example->name, "%s", time->path);
        snprintf(example->text, sizeof example->text, "%s", text);
    }
    if (!source->watch->reject)
        return GB_OK;
    return source->watch->reject(source->watch->context, source->path, row, time->path, expected,
                                 text, strlen(text));
}

static void note_step(emitter *e, int64_t time_ns)
{
    int64_t step;
    if (e->emitted++ > 0 && !__builtin_sub_overflow(time_ns, e->last_ns, &step))
        gb_steps_add(&e->steps, step);
    e->last_ns = time_ns;
}

/* Times of rows [first, first + count), and which of them can be used. */
static gb_status read_times(emitter *e, int64_t first, int64_t count, int64_t *out_kept)
{
    const gb_array_plan *plan = e->plan;
    int64_t kept = 0;
    if (plan->time)
        GB_TRY(e->arrays->ops->read(e->time_cursor, first, count, e->time_values));
    for (int64_t i = 0; i < count; i++) {
        int64_t time_ns, at = i * e->time_size + plan->time_at;
        bool usable = true;
        if (plan->time)
            usable = gb_values_time(plan->time->type, e->time_values, at, plan->time_format,
                                    plan->period_s, &time_ns);
        else
            time_ns = llround((double)(first + i) * plan->period_s * 1e9);
        if (!usable) {
            GB_TRY(
                reject_row(e, first + i + 1, gb_values_get(plan->time->type, e->time_values, at)));
            continue;
        }
        note_step(e, time_ns);
        e->time_ns[kept] = time_ns;
        e->row[kept] = first + i + 1;
        e->kept[kept++] = i;
    }
    *out_kept = kept;
    return GB_OK;
}

/* ---- values -----------------------------------------------------------------------------------
 */

static void swap_buffers(lane *l)
{
    unsigned char *values = l->values;
    l->values = l->spare;
    l->spare = values;
}

static void pick_columns(lane *l, int64_t count)
{
    size_t bytes = gb_value_type_bytes(l->stream->array->type);
    unsigned char *to = l->spare;
    for (int64_t i = 0; i < count; i++)
        for (int64_t c = 0; c < l->size; c++, to += bytes)
            memcpy(to, l->values + (size_t)(i * l->array_size + l->stream->columns[c]) * bytes,
                   bytes);
    swap_buffers(l);
}

static gb_status change_type(const emitter *e, lane *l, int64_t first, int64_t count)
{
    gb_value_type from = l->stream->array->type, to = l->stream->spec.value_type;
    int64_t wrong = gb_values_convert(from, l->values, count * l->size, to, l->spare);
    if (wrong >= 0)
        return gb_fail(GB_ERR_SCHEMA, "%s, row %lld of %s: %.17g is no %s, which %s asks for",
                       e->source->path, (long long)(first + wrong / l->size + 1),
                       l->stream->array->path, gb_values_get(from, l->values, wrong),
                       gb_value_type_name(to), e->source->map->origin);
    swap_buffers(l);
    return GB_OK;
}

/* Closes the gaps that rejected rows leave. */
static void drop_rows(lane *l, const int64_t *kept, int64_t count)
{
    size_t bytes = (size_t)l->size * gb_value_type_bytes(l->stream->spec.value_type);
    for (int64_t i = 0; i < count; i++) {
        if (l->runs) {
            l->runs[i] = l->runs[kept[i]];
            l->run_sizes[i] = l->run_sizes[kept[i]];
        } else if (kept[i] != i) {
            memcpy(l->values + (size_t)i * bytes, l->values + (size_t)kept[i] * bytes, bytes);
        }
    }
}

static bool is_nan(gb_value_type type, const void *values, int64_t index)
{
    return type == GB_VALUE_F32 ? isnan(((const float *)values)[index])
                                : isnan(((const double *)values)[index]);
}

/* NaN is a missing value. False: all samples are good. */
static bool flag_missing(emitter *e, const lane *l, int64_t count)
{
    gb_value_type type = l->stream->spec.value_type;
    int64_t missing = 0;
    if (type != GB_VALUE_F32 && type != GB_VALUE_F64)
        return false;
    for (int64_t i = 0; i < count; i++) {
        int64_t before = missing;
        for (int64_t c = 0; c < l->size; c++)
            missing += is_nan(type, l->values, i * l->size + c);
        e->quality[i] = missing > before ? GB_QUALITY_MISSING : GB_QUALITY_GOOD;
        e->reason[i] = missing > before ? GB_REASON_ABSENT : GB_REASON_NONE;
    }
    e->source->report->cells_missing += missing;
    return missing > 0;
}

static gb_status emit_lane(emitter *e, lane *l, int64_t first, int64_t count, int64_t kept)
{
    const gb_array_ops *ops = e->arrays->ops;
    if (l->runs) {
        GB_TRY(ops->read_runs(l->cursor, first, count, l->runs, l->run_sizes));
    } else {
        GB_TRY(ops->read(l->cursor, first, count, l->values));
        if (l->stream->columns)
            pick_columns(l, count);
        if (l->stream->spec.value_type != l->stream->array->type)
            GB_TRY(change_type(e, l, first, count));
    }
    if (kept < count)
        drop_rows(l, e->kept, kept);
    bool flagged = flag_missing(e, l, kept);
    gb_samples samples = {.count = kept,
                          .time_ns = e->time_ns,
                          .row = e->row,
                          .values = l->values,
                          .runs = l->runs,
                          .run_sizes = l->run_sizes,
                          .quality = flagged ? e->quality : NULL,
                          .reason = flagged ? e->reason : NULL};
    return gb_sink_append(e->source->sink, e->recording, l->number, &samples);
}

/* ---- the whole --------------------------------------------------------------------------------
 */

static gb_status begin(emitter *e, const gb_recording_info *info)
{
    gb_sink *sink = e->source->sink;
    GB_TRY(gb_sink_begin(sink, info, &e->recording));
    for (int s = 0; s < e->plan->stream_count; s++)
        GB_TRY(gb_sink_stream(sink, e->recording, &e->lanes[s].stream->spec, &e->lanes[s].number));
    return GB_OK;
}

static gb_status tell(const emitter *e, const gb_array_progress *progress, int64_t rows_done)
{
    const gb_ingest_watch *watch = e->source->watch;
    if (!watch->progress)
        return GB_OK;
    double part = (double)rows_done / (double)e->plan->rows;
    return watch->progress(
        watch->context, progress->done + (int64_t)(part * (double)progress->bytes), progress->all);
}

static gb_status finish_cursors(emitter *e)
{
    if (e->time_cursor)
        GB_TRY(e->arrays->ops->finish(e->time_cursor));
    for (int s = 0; s < e->plan->stream_count; s++)
        GB_TRY(e->arrays->ops->finish(e->lanes[s].cursor));
    return GB_OK;
}

static void describe_time(emitter *e)
{
    gb_ingest_report *report = e->source->report;
    const gb_array_plan *plan = e->plan;
    report->time_format = plan->time_format;
    memset(report->time_column, 0, sizeof report->time_column);
    if (plan->time)
        snprintf(report->time_column, sizeof report->time_column, "%s", plan->time->path);
    gb_steps_report(&e->steps, report);
}

static gb_status
emit_blocks(emitter *e, int64_t rows, const gb_array_progress *progress, bool *out_stopped)
{
    gb_ingest_report *report = e->source->report;
    for (int64_t first = 0; first < rows && !*out_stopped; first += e->block) {
        int64_t count = rows - first < e->block ? rows - first : e->block, kept;
        GB_TRY(read_times(e, first, count, &kept));
        for (int s = 0; s < e->plan->stream_count; s++)
            GB_TRY(emit_lane(e, &e->lanes[s], first, count, kept));
        report->rows_read += count;
        report->rows_stored += kept;
        report->rows_rejected += count - kept;
        gb_status status = tell(e, progress, first + count);
        *out_stopped = status == GB_ERR_INTERRUPTED;
        if (status != GB_OK && !*out_stopped)
            return status;
    }
    return *out_stopped || rows < e->plan->rows ? GB_OK : finish_cursors(e);
}

gb_status gb_arrays_emit(const gb_source *source,
                         const gb_arrays *arrays,
                         const gb_array_plan *plan,
                         const gb_recording_info *info,
                         int64_t row_limit,
                         const gb_array_progress *progress)
{
    bool stopped = false;
    emitter e = {.source = source, .arrays = arrays, .plan = plan, .block = choose_block(plan)};
    int64_t rows = row_limit > 0 && row_limit < plan->rows ? row_limit : plan->rows;
    if (rows == 0)
        return gb_fail(GB_ERR_PARSE, "%s: %s has no rows", source->path, info->name);
    gb_status status = open_emitter(&e);
    if (status == GB_OK)
        status = begin(&e, info);
    if (status == GB_OK)
        status = emit_blocks(&e, rows, progress, &stopped);
    if (status == GB_OK)
        status = gb_sink_end(source->sink, e.recording);
    if (status == GB_OK)
        describe_time(&e);
    close_emitter(&e);
    if (status == GB_OK && stopped)
        return gb_fail(GB_ERR_INTERRUPTED, "%s: stopped on request", source->path);
    return status;
}
