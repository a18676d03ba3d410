/* The CSV reader: applies a stream map to one file's columns and reads it. */
#include "ingest/csv.h"
#include "ingest/guess.h"
#include "ingest/guess_map.h"
#include "ingest/reader.h"
#include "ingest/stamp.h"

#include "base/words.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct target {
    const gb_source *source;
    const gb_stream_map *map;
    const char *origin;
    const gb_layout *layout;
    gb_arena *arena;
    bool strict;
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
        t->origin, name, t->map->origin, what, (long long)t->layout->column_count, names);
}

/* ---- drift: the file is no longer what the map says -------------------------------------------
 */

static gb_status tell_drift(const target *t, const char *message)
{
    const gb_ingest_watch *watch = t->source->watch;
    return watch->drift ? watch->drift(watch->context, t->origin, message) : GB_OK;
}

/* A column that the file lacks: renamed, perhaps, or in another unit. */
static gb_status tell_missing(const target *t, const char *stream, const char *column)
{
    gb_words words = {.written = column};
    const char *bracket = strpbrk(column, "[(");
    char message[1024];
    for (int64_t c = 0; c < t->layout->column_count; c++) {
        const char *name = t->layout->columns[c].name;
        gb_words_add(&words, name);
        if (!bracket || strncmp(name, column, (size_t)(bracket - column) + 1) != 0)
            continue;
        snprintf(message, sizeof message,
                 "column %.200s of stream %.130s is called %.200s now: another unit? the stream is "
                 "left out",
                 column, stream, name);
        return tell_drift(t, message);
    }
    snprintf(message, sizeof message,
             "column %.200s of stream %.130s is missing; %.300sthe stream is left out", column,
             stream, gb_words_suggest(&words));
    return tell_drift(t, message);
}

static bool is_in(char *const *names, uint32_t count, const gb_layout *layout, int64_t column)
{
    for (uint32_t i = 0; i < count; i++)
        if (column_of(layout, names[i]) == column)
            return true;
    return false;
}

static bool is_named(const gb_map_data *data, const gb_layout *layout, int64_t column)
{
    const gb_map_time *time = &data->time;
    if ((time->column && column_of(layout, time->column) == column) ||
        (time->time_column && column_of(layout, time->time_column) == column) ||
        is_in(data->group, data->group_count, layout, column) ||
        is_in(data->csv.ignored, data->csv.ignored_count, layout, column))
        return true;
    for (uint32_t d = 0; d < data->drift_count; d++)
        if (data->drift[d].column && column_of(layout, data->drift[d].column) == column)
            return true;
    for (uint32_t s = 0; s < data->streams_count; s++)
        if (is_in(data->streams[s].columns, data->streams[s].columns_count, layout, column))
            return true;
    return false;
}

static gb_status tell_extra(const target *t)
{
    char message[256];
    if (t->map->data->csv.extra_columns != GB_MAP_EXTRA_REPORT)
        return GB_OK;
    for (int64_t c = 0; c < t->layout->column_count; c++) {
        if (is_named(t->map->data, t->layout, c))
            continue;
        snprintf(message, sizeof message, "column %lld, %.130s, is not in the map",
                 (long long)c + 1, t->layout->columns[c].name);
        GB_TRY(tell_drift(t, message));
    }
    return GB_OK;
}

/* ---- time and groups --------------------------------------------------------------------------
 */

static gb_status plan_time(const target *t, gb_csv_plan *plan)
{
    const gb_map_time *time = &t->map->data->time;
    plan->period_s = time->period_s > 0 ? time->period_s : t->source->options->period_s;
    plan->time_column = plan->clock_column = -1;
    plan->time_format = GB_TIME_FORMAT_NONE;
    plan->zone = time->zone;
    plan->later = time->ambiguous == 1;
    if (!time->column)
        return GB_OK;
    plan->time_column = column_of(t->layout, time->column);
    if (plan->time_column < 0)
        return no_column(t, "time", time->column);
    if (time->time_column) {
        plan->clock_column = column_of(t->layout, time->time_column);
        if (plan->clock_column < 0)
            return no_column(t, "the time of day", time->time_column);
    }
    if (time->format >= 0) {
        plan->time_format = (gb_time_format)time->format;
        return GB_OK;
    }
    const char *reason = "";
    if (!gb_guess_time_format(t->layout, plan->time_column, &plan->time_format, &plan->period_s,
                              &reason))
        return gb_fail(GB_ERR_PARSE, "%s, column %s: %s; set time.format in %s", t->origin,
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

/* ---- streams ----------------------------------------------------------------------------------
 */

/* Do the cells of the sample hold words rather than numbers? */
static bool holds_words(const gb_layout *layout, int64_t column)
{
    const int64_t *counts = layout->columns[column].counts;
    int64_t words = counts[GB_CELL_TEXT] + counts[GB_CELL_DATETIME];
    return words > gb_layout_numbers(layout, column);
}

/* The words hashed, and named in the spec as a JSON list. */
static gb_status plan_categories(const target *t, const gb_map_stream *from, gb_csv_stream *to)
{
    int count = (int)from->categories_count, size = 4;
    while (size < 2 * count)
        size *= 2;
    int32_t *table = gb_arena_alloc(t->arena, (size_t)size * sizeof *table);
    gb_pair *pair = gb_arena_alloc(t->arena, sizeof *pair);
    json_t *list = json_array();
    if (!table || !pair || !list)
        return GB_ERR_MEMORY;
    for (int i = 0; i < count; i++) {
        const char *word = from->categories[i];
        uint64_t slot = gb_csv_hash(word, strlen(word)), mask = (uint64_t)size - 1;
        while (table[slot & mask] != 0)
            slot++;
        table[slot & mask] = i + 1;
        json_array_append_new(list, json_string(word));
    }
    char *dumped = json_dumps(list, JSON_COMPACT);
    json_decref(list);
    *pair = (gb_pair){"categories", dumped ? gb_arena_text(t->arena, dumped) : NULL};
    free(dumped);
    if (!pair->value)
        return gb_fail(GB_ERR_MEMORY, "no memory for the categories of %s", from->name);
    to->categories = (const char *const *)from->categories;
    to->category_count = count;
    to->category_table = table;
    to->table_size = size;
    to->spec.pairs = pair;
    to->spec.pair_count = 1;
    return GB_OK;
}

/* What its cells are, and the type they are handed on in. */
static gb_status plan_cells(const target *t, const gb_map_stream *from, gb_csv_stream *to)
{
    bool text = from->value_type == GB_VALUE_BYTES || from->kind == GB_STREAM_TEXT;
    if (from->kind == GB_STREAM_EVENT && from->value_type < 0 && from->columns_count == 1)
        text = holds_words(t->layout, to->columns[0]);
    to->cells = GB_CSV_NUMBERS;
    to->spec.value_type = from->value_type >= 0 ? (gb_value_type)from->value_type : GB_VALUE_F64;
    if (from->categories_count > 0) {
        to->cells = GB_CSV_CATEGORIES;
        if (from->value_type < 0)
            to->spec.value_type = GB_VALUE_I32;
        return plan_categories(t, from, to);
    }
    if (text) {
        to->cells = GB_CSV_TEXT;
        to->spec.value_type = GB_VALUE_BYTES;
        to->spec.encoding = "utf-8";
        to->spec.rank = 0;
        to->spec.labels = NULL;
    }
    return GB_OK;
}

/* The numbers of a stream's columns; *out_absent: the file lacks one, and goes without the stream.
 */
static gb_status plan_columns(const target *t,
                              const gb_map_stream *from,
                              int64_t *columns,
                              const char **labels,
                              bool *out_absent)
{
    for (uint32_t c = 0; c < from->columns_count; c++) {
        columns[c] = column_of(t->layout, from->columns[c]);
        if (columns[c] >= 0) {
            labels[c] = t->layout->columns[columns[c]].name;
            continue;
        }
        if (!from->optional && t->strict)
            return no_column(t, from->name, from->columns[c]);
        *out_absent = true;
        return from->optional ? GB_OK : tell_missing(t, from->name, from->columns[c]);
    }
    return GB_OK;
}

static gb_status
plan_stream(const target *t, const gb_map_stream *from, gb_csv_stream *to, bool *out_absent)
{
    uint32_t size = from->columns_count;
    int64_t *columns = gb_arena_alloc(t->arena, size * sizeof *columns);
    const char **labels = gb_arena_alloc(t->arena, size * sizeof *labels);
    if (!columns || !labels)
        return GB_ERR_MEMORY;
    GB_TRY(plan_columns(t, from, columns, labels, out_absent));
    if (*out_absent)
        return GB_OK;
    memset(to, 0, sizeof *to);
    to->spec = gb_stream_spec_defaults(from->name);
    to->spec.kind = from->kind >= 0 ? (gb_stream_kind)from->kind
                    : size == 1     ? GB_STREAM_SCALAR
                                    : GB_STREAM_VECTOR;
    if (from->kind < 0 && from->value_type == GB_VALUE_BYTES)
        to->spec.kind = GB_STREAM_TEXT;
    to->spec.unit = from->unit ? from->unit : "";
    to->spec.semantic = from->semantic ? from->semantic : "";
    to->spec.clock = from->clock ? from->clock : "";
    to->spec.frame = from->frame ? from->frame : "";
    bool scalar = to->spec.kind == GB_STREAM_SCALAR;
    to->spec.rank = scalar ? 0 : 1;
    to->spec.shape[0] = scalar ? 0 : size;
    to->spec.labels = labels;
    to->columns = columns;
    return plan_cells(t, from, to);
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
                       t->origin, t->map->origin);
    return GB_OK;
}

static gb_status make_plan(const target *t, gb_csv_plan *plan)
{
    GB_TRY(plan_time(t, plan));
    GB_TRY(plan_groups(t, plan));
    GB_TRY(plan_streams(t, plan));
    return tell_extra(t);
}

gb_status gb_csv_read_table(const gb_source *source, const gb_csv_table *table)
{
    const gb_map_csv *csv = &source->map->data->csv;
    gb_arena *arena = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    const char *origin = table->input->origin;
    bool as_mapped = source->options->bad_cells == GB_BAD_CELLS_AS_MAPPED;
    int policy = as_mapped ? csv->bad_cells : (int)source->options->bad_cells;
    target t = {source, source->map, origin, table->layout, arena, policy == GB_BAD_CELLS_STRICT};
    gb_csv_plan plan = {.info = gb_map_info(source->map, source->name, origin),
                        .layout = table->layout,
                        .cutting = table->cutting,
                        .skip_rows = table->skip_rows,
                        .lines_before = table->lines_before,
                        .missing = (const char *const *)csv->missing,
                        .missing_count = (int)csv->missing_count,
                        .strict = t.strict,
                        .row_limit = source->options->row_limit};
    if (table->outcome && !plan.info.outcome)
        plan.info.outcome = table->outcome;
    gb_status status = make_plan(&t, &plan);
    if (status == GB_OK) {
        gb_csv_describe(&plan, source->report);
        status = gb_csv_read(&plan, table->input, source);
    }
    gb_arena_destroy(arena);
    return status;
}

gb_status gb_csv_read_mapped(const gb_source *source, gb_rows *rows)
{
    const gb_map_csv *csv = &source->map->data->csv;
    gb_arena *arena = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    gb_layout_hints hints = {.delimiter = (char)csv->delimiter,
                             .decimal = (char)csv->decimal,
                             .header = (gb_header)csv->header,
                             .names_extra_ignored = csv->header_names_extra == 1,
                             .widths = csv->widths,
                             .width_count = csv->widths_count,
                             .skip_rows = csv->skip_rows};
    gb_layout layout;
    gb_status status = gb_layout_find(rows, &hints, arena, &layout);
    if (status == GB_OK) {
        gb_csv_table table = {.input = &rows->input,
                              .layout = &layout,
                              .cutting = {.delimiter = layout.delimiter,
                                          .widths = csv->widths,
                                          .width_count = csv->widths_count},
                              .skip_rows = csv->skip_rows};
        status = gb_csv_read_table(source, &table);
    }
    gb_arena_destroy(arena);
    return status;
}

static gb_status read_source(const gb_source *source)
{
    gb_input input;
    gb_rows rows;
    GB_TRY(gb_input_open_file(source->path, source->map->data->csv.encoding, &input));
    GB_TRY(gb_rows_open_input(&input, source->options->line_limit_bytes, &rows,
                              &source->report->byte_order_mark));
    gb_status status = gb_csv_read_mapped(source, &rows);
    gb_rows_close(&rows);
    return status;
}

static const char *const ends[] = {".csv", ".tsv", ".txt", NULL};

const gb_reader gb_reader_csv = {"csv", true, ends, read_source, gb_csv_guess};
