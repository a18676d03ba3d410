/* The CSV reader: applies a stream map to one file's columns and reads it. */
#include "ingest/csv.h"
#include "ingest/guess.h"
#include "ingest/guess_map.h"
#include "ingest/reader.h"
#include "ingest/stamp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct target {
    const gb_stream_map *map;
    const gb_rows *rows;
    gb_layout *layout;
    gb_arena *arena;
} target;

/* The number of a column given by name or as "#3"; -1 when the file lacks it. */
static int64_t column_of(const gb_layout *layout, const char *name)
{
    for (int64_t c = 0; c < layout->column_count; c++)
        if (strcmp(layout->columns[c].name, name) == 0)
            return c;
    if (name[0] != '#')
        return -1;
    char *end = NULL;
    long number = strtol(name + 1, &end, 10);
    return end != name + 1 && *end == 0 && number >= 1 && number <= layout->column_count
               ? number - 1
               : -1;
}

static gb_status no_column(const target *t, const char *what, const char *name)
{
    char names[400] = "";
    size_t used = 0;
    for (int64_t c = 0; c < t->layout->column_count && used < sizeof names - 140; c++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", c > 0 ? ", " : "",
                                 t->layout->columns[c].name);
    return gb_fail(
        GB_ERR_NOT_FOUND, "%s has no column %s, which %s names for %s; its %lld columns are: %s",
        t->rows->origin, name, t->map->origin, what, (long long)t->layout->column_count, names);
}

static gb_status plan_time(const target *t, double period_s, gb_csv_plan *plan)
{
    const gb_map_time *time = &t->map->data->time;
    plan->period_s = time->period_s > 0 ? time->period_s : period_s;
    plan->time_column = -1;
    plan->time_format = GB_TIME_FORMAT_NONE;
    if (!time->column)
        return GB_OK;
    plan->time_column = column_of(t->layout, time->column);
    if (plan->time_column < 0)
        return no_column(t, "time", time->column);
    if (time->format >= 0) {
        plan->time_format = (gb_time_format)time->format;
        return GB_OK;
    }
    const char *reason = "";
    if (!gb_guess_time_format(t->layout, plan->time_column, &plan->time_format, &plan->period_s,
                              &reason))
        return gb_fail(GB_ERR_PARSE, "%s, column %s: %s; set time.format in %s", t->rows->origin,
                       time->column, reason, t->map->origin);
    return GB_OK;
}

static gb_status plan_groups(const target *t, gb_csv_plan *plan)
{
    const gb_map_data *data = t->map->data;
    int64_t *columns = gb_arena_alloc(t->arena, data->group_count * sizeof *columns);
    if (!columns)
        return GB_ERR_MEMORY;
    for (uint32_t g = 0; g < data->group_count; g++) {
        columns[g] = column_of(t->layout, data->group[g]);
        if (columns[g] < 0)
            return no_column(t, "group", data->group[g]);
    }
    plan->group_columns = columns;
    plan->group_count = (int)data->group_count;
    return GB_OK;
}

static gb_status plan_sentinels(const target *t, const gb_map_stream *from, gb_csv_stream *to)
{
    float *sentinels = gb_arena_alloc(t->arena, from->sentinels_count * sizeof *sentinels);
    if (!sentinels)
        return GB_ERR_MEMORY;
    for (uint32_t i = 0; i < from->sentinels_count; i++)
        sentinels[i] = (float)from->sentinels[i];
    to->sentinels = sentinels;
    to->sentinel_count = (int)from->sentinels_count;
    to->range_min = from->range.min ? (float)*from->range.min : -INFINITY;
    to->range_max = from->range.max ? (float)*from->range.max : INFINITY;
    return GB_OK;
}

/* *out_absent: the stream is optional and its columns are not there. */
static gb_status
plan_stream(const target *t, const gb_map_stream *from, gb_csv_stream *to, bool *out_absent)
{
    uint32_t size = from->columns_count;
    int64_t *columns = gb_arena_alloc(t->arena, size * sizeof *columns);
    const char **labels = gb_arena_alloc(t->arena, size * sizeof *labels);
    if (!columns || !labels)
        return GB_ERR_MEMORY;
    for (uint32_t c = 0; c < size; c++) {
        columns[c] = column_of(t->layout, from->columns[c]);
        if (columns[c] < 0 && from->optional) {
            *out_absent = true;
            return GB_OK;
        }
        if (columns[c] < 0)
            return no_column(t, from->name, from->columns[c]);
        labels[c] = t->layout->columns[columns[c]].name;
    }
    to->spec = gb_stream_spec_defaults(from->name);
    to->spec.kind = from->kind >= 0 ? (gb_stream_kind)from->kind
                    : size == 1     ? GB_STREAM_SCALAR
                                    : GB_STREAM_VECTOR;
    to->spec.unit = from->unit ? from->unit : "";
    to->spec.semantic = from->semantic ? from->semantic : "";
    bool scalar = to->spec.kind == GB_STREAM_SCALAR;
    to->spec.rank = scalar ? 0 : 1;
    to->spec.shape[0] = scalar ? 0 : size;
    to->spec.labels = labels;
    to->columns = columns;
    return plan_sentinels(t, from, to);
}

static gb_status plan_streams(const target *t, gb_csv_plan *plan)
{
    const gb_map_data *data = t->map->data;
    gb_csv_stream *streams = gb_arena_alloc(t->arena, data->streams_count * sizeof *streams);
    if (!streams)
        return GB_ERR_MEMORY;
    for (uint32_t s = 0; s < data->streams_count; s++) {
        bool absent = false;
        gb_csv_stream *to = &streams[plan->stream_count];
        GB_TRY(plan_stream(t, &data->streams[s], to, &absent));
        to->spec.time_base = gb_stamp_base(plan->time_format);
        plan->stream_count += !absent;
    }
    plan->streams = streams;
    if (plan->stream_count == 0)
        return gb_fail(GB_ERR_NOT_FOUND, "%s has the columns of none of the streams in %s",
                       t->rows->origin, t->map->origin);
    return GB_OK;
}

gb_status gb_csv_read_mapped(const gb_stream_map *map,
                             gb_rows *rows,
                             const char *name,
                             const gb_ingest_options *options,
                             gb_ingest_report *report,
                             gb_dataset *dataset)
{
    const gb_map_data *data = map->data;
    gb_arena *arena = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    gb_layout_hints hints = {.delimiter = (char)data->csv.delimiter,
                             .decimal = (char)data->csv.decimal,
                             .header = (gb_header)data->csv.header,
                             .names_extra_ignored = data->csv.header_names_extra == 1};
    int policy = options->bad_cells == GB_BAD_CELLS_AS_MAPPED ? data->csv.bad_cells
                                                              : (int)options->bad_cells;
    gb_layout layout;
    target t = {map, rows, &layout, arena};
    gb_csv_plan plan = {.info = gb_map_info(map, name, rows->origin),
                        .layout = &layout,
                        .missing = (const char *const *)data->csv.missing,
                        .missing_count = (int)data->csv.missing_count,
                        .strict = policy == GB_BAD_CELLS_STRICT,
                        .row_limit = options->row_limit};
    gb_status status = gb_layout_find(rows, &hints, arena, &layout);
    if (status == GB_OK)
        status = plan_time(&t, options->period_s, &plan);
    if (status == GB_OK)
        status = plan_groups(&t, &plan);
    if (status == GB_OK)
        status = plan_streams(&t, &plan);
    if (status == GB_OK) {
        gb_csv_describe(&plan, report);
        status = gb_csv_read(&plan, rows, report, dataset);
    }
    gb_arena_destroy(arena);
    return status;
}

static gb_status emit_all(const gb_dataset *dataset, gb_sink *sink)
{
    for (int64_t i = 0; i < gb_dataset_count(dataset); i++)
        GB_TRY(gb_recording_emit(gb_dataset_get(dataset, i), sink));
    return GB_OK;
}

static gb_status read_source(const gb_source *source)
{
    gb_rows rows;
    GB_TRY(gb_rows_open_file(source->path, source->options->line_limit_bytes, &rows,
                             &source->report->byte_order_mark));
    gb_dataset *dataset = NULL;
    gb_status status = gb_dataset_create(&dataset);
    if (status == GB_OK)
        status = gb_csv_read_mapped(source->map, &rows, source->name, source->options,
                                    source->report, dataset);
    if (status == GB_OK)
        status = emit_all(dataset, source->sink);
    gb_dataset_destroy(dataset);
    gb_rows_close(&rows);
    return status;
}

static const char *const ends[] = {".csv", ".tsv", ".txt", NULL};

const gb_reader gb_reader_csv = {"csv", false, ends, read_source, gb_csv_guess};
