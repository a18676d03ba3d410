/* Stream maps: the YAML schema and the checks a schema cannot express. Applying a map to a file's
 * columns is csv_map.c. */
#include "ingest/map.h"

#include "base/yaml.h"
#include "ingest/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONAL_CHOICE(key, type, field, list)                                                    \
    CYAML_FIELD_ENUM(key, CYAML_FLAG_OPTIONAL, type, field, list, CYAML_ARRAY_LEN(list))
#define LINE_BYTES 512

static const cyaml_strval_t delimiters[] = {{"auto", 0},   {"comma", ','}, {"semicolon", ';'},
                                            {"tab", '\t'}, {"pipe", '|'},  {"space", ' '}};
static const cyaml_strval_t decimals[] = {{"auto", 0}, {"point", '.'}, {"comma", ','}};
static const cyaml_strval_t headers[] = {
    {"auto", GB_HEADER_AUTO}, {"present", GB_HEADER_YES}, {"absent", GB_HEADER_NO}};
static const cyaml_strval_t extra_names[] = {{"error", 0}, {"ignore", 1}};
static const cyaml_strval_t bad_cells[] = {{"tolerant", GB_BAD_CELLS_TOLERANT},
                                           {"strict", GB_BAD_CELLS_STRICT}};

static const cyaml_strval_t extra_columns[] = {{"ignore", GB_MAP_EXTRA_IGNORE},
                                               {"report", GB_MAP_EXTRA_REPORT}};
static const cyaml_strval_t row_policies[] = {{"flag", GB_MAP_ROWS_FLAG},
                                              {"reject", GB_MAP_ROWS_REJECT}};
static const cyaml_strval_t folds[] = {{"earlier", 0}, {"later", 1}};
static const cyaml_strval_t label_formats[] = {
    {"none", GB_MAP_LABELS_NONE}, {"voc", GB_MAP_LABELS_VOC}, {"coco", GB_MAP_LABELS_COCO}};

#define VALUE_TYPE_ENTRY(value, text, bytes) {text, value + 1},
static const cyaml_strval_t value_types[] = {{"auto", 0}, GB_VALUE_TYPE_LIST(VALUE_TYPE_ENTRY)};
#define KIND_ENTRY(value, text) {text, value + 1},
static const cyaml_strval_t kinds[] = {{"auto", 0}, GB_STREAM_KIND_LIST(KIND_ENTRY)};
#define FORMAT_ENTRY(value, text) {text, value + 1},
static const cyaml_strval_t formats[] = {{"auto", 0}, GB_TIME_FORMAT_LIST(FORMAT_ENTRY)};

static const cyaml_schema_value_t line_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, LINE_BYTES)};
static const cyaml_schema_value_t double_schema = {CYAML_VALUE_FLOAT(CYAML_FLAG_DEFAULT, double)};

#define OPTIONAL_TEXT(key, type, field)                                                            \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, field, 0,          \
                           LINE_BYTES)

#define OPTIONAL_NUMBER(key, type, field)                                                          \
    CYAML_FIELD_FLOAT_PTR(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, field)
#define OPTIONAL_LIST(key, type, field, schema, most)                                              \
    CYAML_FIELD_SEQUENCE(key, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, type, field, schema, 0,    \
                         most)

static const cyaml_schema_value_t width_schema = {CYAML_VALUE_INT(CYAML_FLAG_DEFAULT, int64_t)};

static const cyaml_schema_field_t clean_fields[] = {
    OPTIONAL_NUMBER("gap_s", gb_map_clean, gap_s),
    CYAML_FIELD_INT_PTR(
        "stuck_samples", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, gb_map_clean, stuck_samples),
    OPTIONAL_NUMBER("spike_sigmas", gb_map_clean, spike_sigmas),
    OPTIONAL_CHOICE("repeated_time", gb_map_clean, repeated, row_policies),
    OPTIONAL_CHOICE("backward_time", gb_map_clean, backward, row_policies),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t range_fields[] = {
    CYAML_FIELD_FLOAT_PTR("min", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, gb_map_range, min),
    CYAML_FIELD_FLOAT_PTR("max", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, gb_map_range, max),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t stream_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, gb_map_stream, name, 1, GB_STREAM_NAME_MAX),
    OPTIONAL_LIST("columns", gb_map_stream, columns, &line_schema, 65536),
    OPTIONAL_TEXT("source", gb_map_stream, source),
    OPTIONAL_TEXT("field", gb_map_stream, field),
    OPTIONAL_CHOICE("kind", gb_map_stream, kind, kinds),
    OPTIONAL_CHOICE("value_type", gb_map_stream, value_type, value_types),
    OPTIONAL_TEXT("unit", gb_map_stream, unit),
    OPTIONAL_TEXT("source_unit", gb_map_stream, source_unit),
    OPTIONAL_NUMBER("scale", gb_map_stream, scale),
    OPTIONAL_NUMBER("offset", gb_map_stream, offset),
    OPTIONAL_TEXT("semantic", gb_map_stream, semantic),
    OPTIONAL_TEXT("clock", gb_map_stream, clock),
    OPTIONAL_TEXT("frame", gb_map_stream, frame),
    OPTIONAL_LIST("sentinels", gb_map_stream, sentinels, &double_schema, 16),
    CYAML_FIELD_MAPPING("range", CYAML_FLAG_OPTIONAL, gb_map_stream, range, range_fields),
    OPTIONAL_LIST("categories", gb_map_stream, categories, &line_schema, 65536),
    CYAML_FIELD_MAPPING("clean", CYAML_FLAG_OPTIONAL, gb_map_stream, clean, clean_fields),
    CYAML_FIELD_BOOL("optional", CYAML_FLAG_OPTIONAL, gb_map_stream, optional),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t stream_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, gb_map_stream, stream_fields)};

static const cyaml_schema_field_t csv_fields[] = {
    OPTIONAL_CHOICE("delimiter", gb_map_csv, delimiter, delimiters),
    OPTIONAL_CHOICE("decimal", gb_map_csv, decimal, decimals),
    OPTIONAL_CHOICE("header", gb_map_csv, header, headers),
    OPTIONAL_CHOICE("header_names_extra", gb_map_csv, header_names_extra, extra_names),
    OPTIONAL_CHOICE("bad_cells", gb_map_csv, bad_cells, bad_cells),
    OPTIONAL_CHOICE("extra_columns", gb_map_csv, extra_columns, extra_columns),
    OPTIONAL_TEXT("encoding", gb_map_csv, encoding),
    OPTIONAL_LIST("widths", gb_map_csv, widths, &width_schema, 65536),
    CYAML_FIELD_INT("skip_rows", CYAML_FLAG_OPTIONAL, gb_map_csv, skip_rows),
    OPTIONAL_LIST("missing", gb_map_csv, missing, &line_schema, 64),
    OPTIONAL_LIST("ignored", gb_map_csv, ignored, &line_schema, 65536),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t time_fields[] = {
    OPTIONAL_TEXT("column", gb_map_time, column),
    OPTIONAL_TEXT("time_column", gb_map_time, time_column),
    OPTIONAL_CHOICE("format", gb_map_time, format, formats),
    OPTIONAL_TEXT("zone", gb_map_time, zone),
    OPTIONAL_CHOICE("ambiguous", gb_map_time, ambiguous, folds),
    CYAML_FIELD_FLOAT("period_s", CYAML_FLAG_OPTIONAL, gb_map_time, period_s),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t labels_fields[] = {
    OPTIONAL_CHOICE("format", gb_map_labels, format, label_formats),
    OPTIONAL_TEXT("path", gb_map_labels, path),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t drift_fields[] = {
    CYAML_FIELD_STRING_PTR("device", CYAML_FLAG_POINTER, gb_map_drift, device, 1, LINE_BYTES),
    OPTIONAL_TEXT("column", gb_map_drift, column),
    OPTIONAL_TEXT("signal", gb_map_drift, signal),
    OPTIONAL_TEXT("reference", gb_map_drift, reference),
    OPTIONAL_NUMBER("window_s", gb_map_drift, window_s),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t drift_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, gb_map_drift, drift_fields)};

static const cyaml_schema_field_t map_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, gb_map_data, name, 1, GB_STREAM_NAME_MAX),
    OPTIONAL_TEXT("description", gb_map_data, description),
    CYAML_FIELD_STRING_PTR("reader", CYAML_FLAG_POINTER, gb_map_data, reader, 1, LINE_BYTES),
    CYAML_FIELD_SEQUENCE("files", CYAML_FLAG_POINTER, gb_map_data, files, &line_schema, 1, 1024),
    OPTIONAL_TEXT("instruction", gb_map_data, instruction),
    OPTIONAL_TEXT("outcome", gb_map_data, outcome),
    OPTIONAL_TEXT("residency", gb_map_data, residency),
    OPTIONAL_TEXT("owner", gb_map_data, owner),
    OPTIONAL_TEXT("licence", gb_map_data, licence),
    OPTIONAL_TEXT("purpose", gb_map_data, purpose),
    CYAML_FIELD_MAPPING("csv", CYAML_FLAG_OPTIONAL, gb_map_data, csv, csv_fields),
    CYAML_FIELD_MAPPING("time", CYAML_FLAG_OPTIONAL, gb_map_data, time, time_fields),
    CYAML_FIELD_MAPPING("clean", CYAML_FLAG_OPTIONAL, gb_map_data, clean, clean_fields),
    OPTIONAL_LIST("drift", gb_map_data, drift, &drift_schema, 16),
    CYAML_FIELD_MAPPING("labels", CYAML_FLAG_OPTIONAL, gb_map_data, labels, labels_fields),
    OPTIONAL_LIST("group", gb_map_data, group, &line_schema, 8),
    OPTIONAL_TEXT("episodes", gb_map_data, episodes),
    OPTIONAL_LIST("streams", gb_map_data, streams, &stream_schema, GB_STREAMS_MAX),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t map_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, gb_map_data, map_fields)};

/* ---- what the schema cannot say ---------------------------------------------------------------
 */

/* The text being parsed, to find a value's line in. */
typedef struct source {
    const char *text, *origin;
    size_t size;
} source;

static gb_status
wrong(const source *from, const char *value_path, const char *problem, const char *text)
{
    gb_arena *arena = NULL;
    gb_yaml_node *root = NULL;
    int line = 0;
    GB_TRY(gb_arena_create(0, &arena));
    if (gb_yaml_tree(from->origin, from->text, from->size, arena, &root) == GB_OK && root) {
        bool exact;
        line = gb_yaml_find(root, value_path, &exact)->line;
    }
    gb_status status =
        gb_fail(GB_ERR_SCHEMA, "%s:%d: %s: %s%s", from->origin, line, value_path, problem, text);
    gb_arena_destroy(arena);
    return status;
}

static gb_status wrong_in_stream(
    const source *from, uint32_t stream, const char *key, const char *problem, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "streams[%u].%s", stream, key);
    return wrong(from, path, problem, text);
}

static gb_status
check_table_stream(const source *from, const gb_map_stream *stream, uint32_t number)
{
    bool one = stream->kind == GB_STREAM_SCALAR;
    bool text = stream->kind == GB_STREAM_TEXT || stream->value_type == GB_VALUE_BYTES;
    if (one && stream->columns_count != 1)
        return wrong_in_stream(from, number, "kind",
                               "a scalar has one column; use vector for several", "");
    bool readable = stream->kind == -1 || one || stream->kind == GB_STREAM_VECTOR ||
                    stream->kind == GB_STREAM_EVENT || stream->kind == GB_STREAM_ACTION ||
                    stream->kind == GB_STREAM_TEXT;
    if (!readable)
        return wrong_in_stream(
            from, number, "kind",
            "columns of a table make scalar, vector, event, action or text, not ",
            gb_stream_kind_name((gb_stream_kind)stream->kind));
    if (text && stream->columns_count != 1)
        return wrong_in_stream(from, number, "columns", "text has one column", "");
    if (text && stream->categories_count > 0)
        return wrong_in_stream(from, number, "categories",
                               "words that become numbers are not text: leave kind and value_type "
                               "out, or the categories",
                               "");
    int64_t most = stream->value_type == GB_VALUE_I8    ? INT8_MAX
                   : stream->value_type == GB_VALUE_U8  ? UINT8_MAX
                   : stream->value_type == GB_VALUE_I16 ? INT16_MAX
                                                        : UINT16_MAX;
    if ((int64_t)stream->categories_count > most + 1)
        return wrong_in_stream(from, number, "categories", "more than fit the value type", "");
    return GB_OK;
}

/* Readers of rows and columns in text. */
static bool is_table(const gb_map_data *data)
{
    static const char *const readers[] = {"csv", "jsonl", "json", "blocks"};
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        if (strcmp(data->reader, readers[i]) == 0)
            return true;
    return false;
}

static gb_status check_stream(const source *from, const gb_map_data *data, uint32_t number)
{
    const gb_map_stream *stream = &data->streams[number];
    for (uint32_t i = 0; i < number; i++)
        if (strcmp(data->streams[i].name, stream->name) == 0)
            return wrong_in_stream(from, number, "name", "used before: ", stream->name);
    const gb_map_range *range = &stream->range;
    if (range->min && range->max && *range->min > *range->max)
        return wrong_in_stream(from, number, "range", "min is above max", "");
    bool table = is_table(data);
    if (table && stream->columns_count == 0)
        return wrong_in_stream(from, number, "columns", "a stream of a table needs columns", "");
    if (!table)
        return GB_OK;
    return check_table_stream(from, stream, number);
}

static gb_status check_map(const source *from, const gb_map_data *data)
{
    if (!gb_reader_find(data->reader))
        return wrong(from, "reader", "no reader of that name: ", data->reader);
    const gb_map_time *time = &data->time;
    if (time->period_s < 0 || time->period_s > 1e9)
        return wrong(from, "time.period_s", "expected seconds above 0 and at most 1e9", "");
    bool needs_column = time->format != -1 && time->format != GB_TIME_FORMAT_NONE;
    if (needs_column && !time->column)
        return wrong(from, "time.format", "needs time.column, the column to read; format is ",
                     gb_time_format_name((gb_time_format)time->format));
    if (time->format == GB_TIME_FORMAT_NONE && time->column)
        return wrong(from, "time.column", "is not read with format: none", "");
    if (data->csv.delimiter == ',' && data->csv.decimal == ',')
        return wrong(from, "csv.decimal", "a comma cannot be delimiter and decimal sign at once",
                     "");
    if (time->time_column && (!time->column || time->format > GB_TIME_FORMAT_MONTH_FIRST))
        return wrong(from, "time.time_column",
                     "goes with time.column, a date, in one of the date formats", "");
    if (data->csv.skip_rows < 0 || data->csv.skip_rows > 1000000)
        return wrong(from, "csv.skip_rows", "expected 0 to 1000000 lines", "");
    for (uint32_t i = 0; i < data->csv.widths_count; i++)
        if (data->csv.widths[i] < 1 || data->csv.widths[i] > 1 << 20)
            return wrong(from, "csv.widths", "each must be 1 to 1048576 characters", "");
    if (data->csv.widths_count > 0 && data->csv.delimiter != 0)
        return wrong(from, "csv.delimiter", "columns of fixed widths have no delimiter", "");
    if (data->streams_count == 0 && is_table(data))
        return wrong(from, "streams", "a table's map names its streams: at least one", "");
    for (uint32_t i = 0; i < data->streams_count; i++)
        GB_TRY(check_stream(from, data, i));
    return GB_OK;
}

/* ---- the public side --------------------------------------------------------------------------
 */

gb_status
gb_stream_map_parse(const char *text, size_t size, const char *origin, gb_stream_map **out)
{
    void *loaded = NULL;
    GB_TRY(gb_yaml_load_text(origin, text, size, &map_schema, &loaded));
    gb_map_data *data = loaded;
    /* In the file 0 is a key left out; from here on -1 says so. */
    data->time.format -= 1;
    for (uint32_t i = 0; i < data->streams_count; i++) {
        data->streams[i].kind -= 1;
        data->streams[i].value_type -= 1;
    }
    source from = {text, origin, size};
    gb_status status = check_map(&from, data);
    gb_stream_map *map = status == GB_OK ? calloc(1, sizeof *map) : NULL;
    if (map) {
        map->origin = strdup(origin);
        map->text = strndup(text, size);
    }
    if (status == GB_OK && (!map || !map->origin || !map->text))
        status = gb_fail(GB_ERR_MEMORY, "%s: no memory for the map", origin);
    if (status != GB_OK) {
        gb_yaml_free(&map_schema, data);
        if (map) {
            free(map->origin);
            free(map->text);
        }
        free(map);
        return status;
    }
    map->data = data;
    *out = map;
    return GB_OK;
}

gb_status gb_stream_map_load(const char *path, gb_stream_map **out)
{
    gb_arena *arena = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    char *text = NULL;
    size_t size = 0;
    gb_status status = gb_file_read(path, 16 << 20, arena, &text, &size);
    if (status == GB_OK)
        status = gb_stream_map_parse(text, size, path, out);
    gb_arena_destroy(arena);
    return status;
}

void gb_stream_map_destroy(gb_stream_map *map)
{
    if (!map)
        return;
    gb_yaml_free(&map_schema, map->data);
    free(map->origin);
    free(map->text);
    free(map);
}

const char *gb_stream_map_name(const gb_stream_map *map)
{
    return map->data->name;
}

gb_status gb_stream_map_label(gb_stream_map *map,
                              const char *owner,
                              const char *licence,
                              const char *residency,
                              const char *purpose)
{
    char **fields[] = {&map->data->owner, &map->data->licence, &map->data->residency,
                       &map->data->purpose};
    const char *const values[] = {owner, licence, residency, purpose};
    for (int i = 0; i < 4; i++) {
        if (!values[i])
            continue;
        char *copy = strdup(values[i]);
        if (!copy)
            return gb_fail(GB_ERR_MEMORY, "%s: no memory for a label", map->origin);
        free(*fields[i]); /* libcyaml's memory is malloc's */
        *fields[i] = copy;
    }
    return GB_OK;
}
