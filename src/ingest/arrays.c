/* Which arrays of a file become which streams: by the map, or all that go together. Reads nothing
 * but the first time; arrays_emit.c reads the rows. */
#include "ingest/arrays.h"

#include "ingest/array_values.h"
#include "ingest/stamp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct planner {
    const gb_source *source;
    const gb_arrays *arrays;
    gb_arena *arena;
    gb_array_plan *plan;
} planner;

void gb_report_left_out(gb_ingest_report *report, const char *name, const char *reason)
{
    if (report->left_out_count < GB_INGEST_LEFT_OUT) {
        gb_ingest_left_out *to = &report->left_out[report->left_out_count];
        snprintf(to->name, sizeof to->name, "%s", name);
        to->reason = reason;
    }
    report->left_out_count++;
}

/* ---- finding arrays ---------------------------------------------------------------------------
 */

/* "#3" is the third value of a sample: 2; -1: not such a text. */
static int64_t column_number(const char *text)
{
    char *end = NULL;
    if (text[0] != '#' || text[1] < '1' || text[1] > '9')
        return -1;
    long long number = strtoll(text + 1, &end, 10);
    return *end == 0 && number <= GB_STREAM_SIZE_MAX ? number - 1 : -1;
}

static const gb_array *find_path(const gb_arrays *arrays, const char *path, size_t size)
{
    for (int i = 0; i < arrays->count; i++)
        if (strlen(arrays->list[i].path) == size && memcmp(arrays->list[i].path, path, size) == 0)
            return &arrays->list[i];
    return size == 0 && arrays->count == 1 ? &arrays->list[0] : NULL;
}

/* "obs/state", "obs/state#2", or "#2" of the only array there is. */
static const gb_array *find_column(const gb_arrays *arrays, const char *text, int64_t *out_at)
{
    const gb_array *whole = find_path(arrays, text, strlen(text));
    const char *mark = strrchr(text, '#');
    *out_at = whole ? 0 : mark ? column_number(mark) : -1;
    if (whole || *out_at < 0)
        return whole;
    return find_path(arrays, text, (size_t)(mark - text));
}

static gb_status no_array(const planner *p, const char *what, const char *path)
{
    char names[400] = "";
    size_t used = 0;
    for (int i = 0; i < p->arrays->count && used < sizeof names - 140; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%.100s", i > 0 ? ", " : "",
                                 p->arrays->list[i].path);
    gb_status status = gb_fail(
        GB_ERR_NOT_FOUND, "%s has no \"%s\", which %s names for %s; found: %s", p->source->path,
        path, p->source->map->origin, what, names[0] ? names : "nothing that can be read");
    const gb_ingest_watch *watch = p->source->watch;
    if (watch->drift)
        GB_TRY(watch->drift(watch->context, p->source->path, gb_error_message()));
    return status;
}

int64_t gb_arrays_common_rows(const gb_arrays *arrays)
{
    int64_t best_rows = 0;
    int best = 0;
    for (int i = 0; i < arrays->count; i++) {
        int same = 0;
        int64_t rows = arrays->list[i].rows;
        if (arrays->list[i].unreadable || rows == best_rows)
            continue;
        for (int k = 0; k < arrays->count; k++)
            same += !arrays->list[k].unreadable && arrays->list[k].rows == rows;
        if (same > best || (same == best && rows > best_rows)) {
            best = same;
            best_rows = rows;
        }
    }
    return best_rows;
}

/* ---- time -------------------------------------------------------------------------------------
 */

static gb_status first_time(const planner *p, const gb_array *array, int64_t at, double *out)
{
    void *cursor = NULL;
    size_t size = 1;
    for (int i = 0; i < array->rank; i++)
        size *= (size_t)array->shape[i];
    void *sample = gb_arena_alloc(p->arena, size * gb_value_type_bytes(array->type));
    if (!sample)
        return GB_ERR_MEMORY;
    GB_TRY(p->arrays->ops->open(p->arrays, array, &cursor));
    gb_status status = p->arrays->ops->read(cursor, 0, 1, sample);
    p->arrays->ops->close(cursor);
    if (status == GB_OK)
        *out = gb_values_get(array->type, sample, at);
    return status;
}

/* Stamps since 1970 tell their unit by their size; a small whole number could be anything. */
static gb_status
guess_time_format(const planner *p, const gb_array *array, int64_t at, gb_time_format *out)
{
    double first;
    GB_TRY(first_time(p, array, at, &first));
    bool real = array->type == GB_VALUE_F32 || array->type == GB_VALUE_F64;
    *out = first >= 1e17   ? GB_TIME_FORMAT_EPOCH_NS
           : first >= 1e14 ? GB_TIME_FORMAT_EPOCH_US
           : first >= 1e11 ? GB_TIME_FORMAT_EPOCH_MS
           : first >= 1e8  ? GB_TIME_FORMAT_EPOCH_S
                           : GB_TIME_FORMAT_SECONDS;
    if (real || first >= 1e8)
        return GB_OK;
    return gb_fail(GB_ERR_PARSE,
                   "%s: %s holds whole numbers that begin at %g: set time.format in %s "
                   "(seconds, row, epoch_ms, ...)",
                   p->source->path, array->path, first, p->source->map->origin);
}

static gb_status check_time_array(const planner *p, const gb_array *array, int64_t at)
{
    int64_t size = 1;
    if (array->unreadable || array->type == GB_VALUE_BYTES)
        return gb_fail(GB_ERR_SCHEMA, "%s: time.column %s: expected numbers, found %s",
                       p->source->path, array->path,
                       array->unreadable ? array->unreadable : "text");
    for (int i = 0; i < array->rank; i++)
        size *= array->shape[i];
    if (at >= size)
        return gb_fail(GB_ERR_SCHEMA, "%s: time.column asks for value %lld of %s, which has %lld",
                       p->source->path, (long long)at + 1, array->path, (long long)size);
    if (size > 4096)
        return gb_fail(GB_ERR_SHAPE, "%s: time.column %s has %lld values a row, expected one",
                       p->source->path, array->path, (long long)size);
    return GB_OK;
}

static gb_status plan_time(const planner *p)
{
    const gb_map_time *time = &p->source->map->data->time;
    gb_array_plan *plan = p->plan;
    plan->rate_hz = time->period_s > 0 ? 1 / time->period_s : p->arrays->rate_hz;
    plan->period_s = time->period_s > 0  ? time->period_s
                     : plan->rate_hz > 0 ? 1 / plan->rate_hz
                                         : p->source->options->period_s;
    plan->time_format = GB_TIME_FORMAT_NONE;
    if (!time->column)
        return GB_OK;
    plan->time = find_column(p->arrays, time->column, &plan->time_at);
    if (!plan->time)
        return no_array(p, "time", time->column);
    GB_TRY(check_time_array(p, plan->time, plan->time_at));
    int format = time->format >= 0 ? time->format : plan->time->time_format;
    if (format < 0)
        return guess_time_format(p, plan->time, plan->time_at, &plan->time_format);
    if (format < (int)GB_TIME_FORMAT_EPOCH_S)
        return gb_fail(GB_ERR_SCHEMA,
                       "%s: time.format %s is for text; numbers are epoch_s, epoch_ms, epoch_us, "
                       "epoch_ns, seconds or row",
                       p->source->map->origin, gb_time_format_name((gb_time_format)format));
    plan->time_format = (gb_time_format)format;
    return GB_OK;
}

/* ---- streams ----------------------------------------------------------------------------------
 */

static bool ends_in(const char *path, const char *word)
{
    const char *slash = strrchr(path, '/');
    return strcmp(slash ? slash + 1 : path, word) == 0;
}

static bool looks_like_pixels(const gb_array *array)
{
    int64_t channels = array->rank == 3 ? array->shape[2] : 0;
    return array->type == GB_VALUE_U8 && (channels == 1 || channels == 3 || channels == 4);
}

static gb_stream_kind infer_kind(const gb_array *array, int64_t size)
{
    if (array->kind >= 0)
        return (gb_stream_kind)array->kind;
    if (array->type == GB_VALUE_BYTES)
        return strcmp(array->encoding, "utf-8") == 0 ? GB_STREAM_TEXT : GB_STREAM_IMAGE;
    if (looks_like_pixels(array))
        return GB_STREAM_IMAGE;
    if (ends_in(array->path, "action") || ends_in(array->path, "actions"))
        return GB_STREAM_ACTION;
    return size == 1 ? GB_STREAM_SCALAR : GB_STREAM_VECTOR;
}

/* Shape and kind of the stream, from the array's or from the columns picked. */
static gb_status settle_shape(const planner *p, const gb_map_stream *from, gb_array_stream *to)
{
    const gb_array *array = to->array;
    gb_stream_spec *spec = &to->spec;
    spec->rank = array->rank;
    memcpy(spec->shape, array->shape, sizeof spec->shape);
    if (to->columns) {
        spec->rank = 1;
        spec->shape[0] = from->columns_count;
    }
    int64_t size = gb_stream_spec_size(spec);
    spec->kind = from && from->kind >= 0 ? (gb_stream_kind)from->kind : infer_kind(array, size);
    if (spec->kind == GB_STREAM_SCALAR && size != 1)
        return gb_fail(GB_ERR_SHAPE,
                       "%s: stream %s is to be a scalar, but a sample of %s has %lld "
                       "values: use vector, or pick one by columns: [\"#1\"]",
                       p->source->map->origin, spec->name, array->path, (long long)size);
    if (spec->kind == GB_STREAM_SCALAR || array->type == GB_VALUE_BYTES)
        spec->rank = 0;
    if (spec->kind != GB_STREAM_IMAGE || array->type == GB_VALUE_BYTES)
        return GB_OK;
    if (spec->rank == 2)
        spec->shape[spec->rank++] = 1;
    if (spec->rank != 3 || spec->shape[2] > 4)
        return gb_fail(GB_ERR_SHAPE,
                       "%s: stream %s is to be pictures; expected samples of [height, width] or "
                       "[height, width, 1 to 4 channels] in %s",
                       p->source->map->origin, spec->name, array->path);
    return GB_OK;
}

static gb_status settle_type(const planner *p, const gb_map_stream *from, gb_array_stream *to)
{
    gb_value_type type = to->array->type;
    to->spec.value_type = from && from->value_type >= 0 ? (gb_value_type)from->value_type : type;
    to->spec.encoding = to->array->encoding;
    if ((type == GB_VALUE_BYTES) != (to->spec.value_type == GB_VALUE_BYTES))
        return gb_fail(GB_ERR_SCHEMA, "%s: stream %s: %s holds %s, which cannot become %s",
                       p->source->map->origin, to->spec.name, to->array->path,
                       gb_value_type_name(type), gb_value_type_name(to->spec.value_type));
    return GB_OK;
}

static gb_status plan_columns(const planner *p, const gb_map_stream *from, gb_array_stream *to)
{
    int64_t size = 1;
    for (int i = 0; i < to->array->rank; i++)
        size *= to->array->shape[i];
    int64_t *columns = gb_arena_alloc(p->arena, from->columns_count * sizeof *columns);
    if (!columns)
        return GB_ERR_MEMORY;
    for (uint32_t c = 0; c < from->columns_count; c++) {
        columns[c] = column_number(from->columns[c]);
        if (columns[c] < 0 || columns[c] >= size || to->array->type == GB_VALUE_BYTES)
            return gb_fail(GB_ERR_SCHEMA,
                           "%s: stream %s: columns of an array are \"#1\" to \"#%lld\", found "
                           "\"%s\"",
                           p->source->map->origin, from->name, (long long)size, from->columns[c]);
    }
    to->columns = columns;
    return GB_OK;
}

static gb_status fill_spec(const planner *p, const gb_map_stream *from, gb_array_stream *to)
{
    const gb_array_plan *plan = p->plan;
    gb_stream_spec *spec = &to->spec;
    spec->time_base = gb_stamp_base(plan->time_format);
    if (!plan->time)
        spec->rate_hz = plan->rate_hz;
    if (!plan->time && p->arrays->rate_hz > 0)
        spec->time_base = GB_TIME_START;
    if (from) {
        /* The unit of the values handed over; what stands behind converts them. */
        const char *unit = from->source_unit ? from->source_unit : from->unit;
        spec->unit = unit ? unit : "";
        spec->semantic = from->semantic ? from->semantic : "";
        spec->clock = from->clock ? from->clock : "";
        spec->frame = from->frame ? from->frame : "";
    }
    gb_pair *pairs = gb_arena_alloc(p->arena, (size_t)(to->array->pair_count + 1) * sizeof *pairs);
    if (!pairs)
        return GB_ERR_MEMORY;
    pairs[0] = (gb_pair){"source", to->array->path};
    if (to->array->pair_count > 0)
        memcpy(pairs + 1, to->array->pairs, (size_t)to->array->pair_count * sizeof *pairs);
    spec->pairs = pairs;
    spec->pair_count = to->array->pair_count + 1;
    GB_TRY(settle_type(p, from, to));
    return settle_shape(p, from, to);
}

static gb_status same_rows(const planner *p, const gb_array_stream *stream)
{
    gb_array_plan *plan = p->plan;
    if (plan->rows < 0)
        plan->rows = stream->array->rows;
    if (stream->array->rows == plan->rows)
        return GB_OK;
    return gb_fail(GB_ERR_SHAPE,
                   "%s: %s has %lld rows, the recording's other arrays have %lld; streams of one "
                   "recording share their rows: give it a map of its own",
                   p->source->path, stream->array->path, (long long)stream->array->rows,
                   (long long)plan->rows);
}

static gb_status plan_mapped(const planner *p, const gb_map_stream *from)
{
    gb_array_plan *plan = p->plan;
    gb_array_stream *to = &plan->streams[plan->stream_count];
    const char *path = from->source            ? from->source
                       : p->arrays->count == 1 ? p->arrays->list[0].path
                                               : from->name;
    to->array = find_path(p->arrays, path, strlen(path));
    if (!to->array && from->optional)
        return GB_OK;
    if (!to->array)
        return no_array(p, from->name, path);
    if (to->array->unreadable)
        return gb_fail(GB_ERR_UNSUPPORTED, "%s: %s cannot become a stream: %s", p->source->path,
                       to->array->path, to->array->unreadable);
    to->spec = gb_stream_spec_defaults(from->name);
    if (from->columns_count > 0)
        GB_TRY(plan_columns(p, from, to));
    GB_TRY(fill_spec(p, from, to));
    GB_TRY(same_rows(p, to));
    plan->stream_count++;
    return GB_OK;
}

/* "obs/image" as a stream is called "obs.image". */
static const char *name_of_path(const planner *p, const char *path)
{
    char *name = gb_arena_text(p->arena, path[0] == '/' ? path + 1 : path);
    for (char *at = name; at && *at; at++)
        if (*at == '/')
            *at = '.';
    return name;
}

static gb_status plan_unmapped(const planner *p, const gb_array *array)
{
    gb_array_plan *plan = p->plan;
    gb_ingest_report *report = p->source->report;
    if (array == plan->time)
        return GB_OK;
    const char *reason = array->unreadable                      ? array->unreadable
                         : array->rows != plan->rows            ? "another number of rows than most"
                         : plan->stream_count == GB_STREAMS_MAX ? "too many streams"
                         : strlen(array->path) > GB_STREAM_NAME_MAX ? "its name is too long"
                                                                    : NULL;
    if (reason) {
        gb_report_left_out(report, array->path, reason);
        return GB_OK;
    }
    const char *name = name_of_path(p, array->path);
    if (!name)
        return GB_ERR_MEMORY;
    gb_array_stream *to = &plan->streams[plan->stream_count++];
    to->array = array;
    to->spec = gb_stream_spec_defaults(name);
    return fill_spec(p, NULL, to);
}

static gb_status plan_streams(const planner *p)
{
    const gb_map_data *data = p->source->map->data;
    gb_array_plan *plan = p->plan;
    size_t room = data->streams_count > 0 ? data->streams_count : (size_t)p->arrays->count;
    plan->streams = gb_arena_alloc(p->arena, (room + 1) * sizeof *plan->streams);
    if (!plan->streams)
        return GB_ERR_MEMORY;
    plan->rows = plan->time ? plan->time->rows : -1;
    if (data->streams_count == 0 && !plan->time)
        plan->rows = gb_arrays_common_rows(p->arrays);
    for (uint32_t s = 0; s < data->streams_count; s++)
        GB_TRY(plan_mapped(p, &data->streams[s]));
    for (int i = 0; data->streams_count == 0 && i < p->arrays->count; i++)
        GB_TRY(plan_unmapped(p, &p->arrays->list[i]));
    if (plan->stream_count == 0)
        return gb_fail(GB_ERR_NOT_FOUND, "%s holds no array that could become a stream",
                       p->source->path);
    return GB_OK;
}

gb_status gb_arrays_plan(const gb_source *source,
                         const gb_arrays *arrays,
                         gb_arena *arena,
                         gb_array_plan *out)
{
    gb_array_plan plan = {0};
    planner p = {source, arrays, arena, &plan};
    GB_TRY(plan_time(&p));
    GB_TRY(plan_streams(&p));
    *out = plan;
    return GB_OK;
}
