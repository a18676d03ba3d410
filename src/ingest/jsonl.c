/* Lines of JSON, and JSON documents whose lists are rows: values at paths become the cells of a
 * table, and from there on everything is as with CSV (csv_map.c, csv.c). */
#include "ingest/jsonl.h"

#include "ingest/csv.h"
#include "ingest/guess_map.h"
#include "ingest/json_cells.h"
#include "ingest/lines.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DOCUMENT_BYTES ((size_t)64 << 20)

/* ---- the columns a map asks for ---------------------------------------------------------------
 */

typedef struct wanted {
    const char **names; /* [count] */
    int64_t count, room;
} wanted;

static void want(wanted *w, const char *name)
{
    for (int64_t i = 0; i < w->count; i++)
        if (!name || strcmp(w->names[i], name) == 0)
            return;
    if (name)
        w->names[w->count++] = name;
}

static gb_status find_wanted(const gb_map_data *data, gb_arena *arena, wanted *out)
{
    wanted w = {.room = 2 + data->group_count + data->drift_count};
    for (uint32_t s = 0; s < data->streams_count; s++)
        w.room += data->streams[s].columns_count;
    w.names = gb_arena_alloc(arena, (size_t)w.room * sizeof *w.names);
    if (!w.names)
        return GB_ERR_MEMORY;
    want(&w, data->time.column);
    want(&w, data->time.time_column);
    for (uint32_t g = 0; g < data->group_count; g++)
        want(&w, data->group[g]);
    for (uint32_t d = 0; d < data->drift_count; d++)
        want(&w, data->drift[d].column);
    for (uint32_t s = 0; s < data->streams_count; s++)
        for (uint32_t c = 0; c < data->streams[s].columns_count; c++)
            want(&w, data->streams[s].columns[c]);
    *out = w;
    return GB_OK;
}

/* ---- what the first lines hold ----------------------------------------------------------------
 */

typedef struct table {
    gb_arena *arena;
    gb_json_paths *paths;
    gb_layout layout;
    gb_span *cells; /* [columns] */
} table;

static gb_status prepare(const gb_source *source, table *t)
{
    wanted w;
    GB_TRY(find_wanted(source->map->data, t->arena, &w));
    gb_status status = gb_json_paths_create(w.names, w.count, t->arena, &t->paths);
    if (status != GB_OK)
        return gb_fail_context(status, "%s", source->map->origin);
    size_t count = (size_t)w.count;
    t->layout = (gb_layout){.decimal = '.', .column_count = w.count};
    t->layout.columns = gb_arena_alloc(t->arena, count * sizeof *t->layout.columns);
    t->cells = gb_arena_alloc(t->arena, count * sizeof *t->cells);
    if (!t->layout.columns || !t->cells)
        return GB_ERR_MEMORY;
    for (size_t c = 0; c < count; c++) {
        t->layout.columns[c].name = gb_arena_text(t->arena, w.names[c]);
        if (!t->layout.columns[c].name)
            return GB_ERR_MEMORY;
    }
    return GB_OK;
}

/* Numbers or words, dates of which order: said by the first lines where the map does not say. */
static gb_status look(const gb_input *input, size_t line_limit, table *t)
{
    gb_lines lines;
    const char *text = NULL;
    size_t size = 0;
    GB_TRY(gb_lines_open(input, line_limit, &lines));
    gb_status status = GB_OK;
    while (status == GB_OK && lines.number < GB_LAYOUT_ROWS) {
        uint32_t at;
        status = gb_lines_next(&lines, &text, &size);
        if (status != GB_OK || !text)
            break;
        if (!gb_json_cut(t->paths, text, 0, (uint32_t)size, t->cells, &at))
            continue;
        for (int64_t c = 0; c < t->layout.column_count; c++) {
            gb_field field = {text + t->cells[c].at, GB_SPAN_SIZE(t->cells[c])};
            gb_layout_note(&field, &t->layout.columns[c]);
        }
    }
    gb_lines_close(&lines);
    return status;
}

static gb_status
read_lines(const gb_source *source, const gb_input *input, table *t, int64_t lines_before)
{
    gb_csv_table read = {.input = input,
                         .layout = &t->layout,
                         .cutting = {.paths = t->paths},
                         .lines_before = lines_before};
    GB_TRY(look(input, source->options->line_limit_bytes, t));
    return gb_csv_read_table(source, &read);
}

gb_status gb_jsonl_read(const gb_source *source, const gb_input *input)
{
    table t = {0};
    GB_TRY(gb_arena_create(0, &t.arena));
    source->report->byte_order_mark = input->first > 0;
    gb_status status = prepare(source, &t);
    if (status == GB_OK)
        status = read_lines(source, input, &t, 0);
    gb_arena_destroy(t.arena);
    return status;
}

static gb_status read_jsonl(const gb_source *source)
{
    gb_input input;
    GB_TRY(gb_input_open_file(source->path, source->map->data->csv.encoding, &input));
    gb_status status = gb_jsonl_read(source, &input);
    gb_input_close(&input);
    return status;
}

/* ---- documents --------------------------------------------------------------------------------
 * The map's `episodes` leads to the rows: "a.b" to a list; "a.b.*" to an object whose lists are one
 * recording each. Left out: the document itself is the list. */

typedef struct document {
    const gb_source *source;
    table *t;
    int64_t rows; /* handed on */
} document;

/* The rows of one list as lines. */
static gb_status read_list(document *d, const json_t *list, const char *key)
{
    const gb_source *source = d->source;
    char *text = NULL, name[512];
    size_t size = 0;
    FILE *to = json_array_size(list) > 0 ? open_memstream(&text, &size) : NULL;
    if (json_array_size(list) == 0)
        return GB_OK;
    if (!to)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for its rows", source->path);
    bool whole = true;
    for (size_t i = 0; i < json_array_size(list); i++) {
        whole =
            json_dumpf(json_array_get(list, i), to, JSON_COMPACT | JSON_ENCODE_ANY) == 0 && whole;
        whole = fputc('\n', to) != EOF && whole;
    }
    whole = fclose(to) == 0 && whole;
    gb_status status = whole ? GB_OK : gb_fail(GB_ERR_MEMORY, "%s: no memory", source->path);
    snprintf(name, sizeof name, key ? "%.200s/%.300s" : "%.200s", source->name, key);
    gb_ingest_watch watch = *source->watch; /* what is told of bytes would be those of the lines */
    watch.segment = NULL;
    watch.progress = NULL;
    gb_source rows = *source;
    rows.name = name;
    rows.watch = &watch;
    gb_input input;
    int64_t bytes = source->report->bytes;
    if (status == GB_OK)
        status = gb_input_open_memory(text, size, source->path, "utf-8", &input);
    if (status == GB_OK) {
        for (int64_t c = 0; c < d->t->layout.column_count; c++)
            memset(d->t->layout.columns[c].counts, 0, sizeof d->t->layout.columns[c].counts);
        status = read_lines(&rows, &input, d->t, d->rows);
        gb_input_close(&input);
    }
    source->report->bytes = bytes;
    d->rows += (int64_t)json_array_size(list);
    free(text);
    return status;
}

static gb_status read_all_lists(document *d, const json_t *object)
{
    const char *key;
    json_t *list;
    json_object_foreach((json_t *)(uintptr_t)object, key, list)
    {
        if (!json_is_array(list))
            return gb_fail(GB_ERR_PARSE, "%s: %.200s is no list, expected a list of rows",
                           d->source->path, key);
        GB_TRY(read_list(d, list, key));
    }
    return GB_OK;
}

/* Follows "a.b" to a value. */
static gb_status follow(const gb_source *source, const char *way, size_t size, const json_t **at)
{
    while (size > 0) {
        char key[256];
        const char *dot = memchr(way, '.', size);
        size_t length = dot ? (size_t)(dot - way) : size;
        if (length == 0 || length >= sizeof key)
            return gb_fail(GB_ERR_SCHEMA, "%s: episodes: expected keys with dots between",
                           source->map->origin);
        memcpy(key, way, length);
        key[length] = 0;
        *at = json_object_get(*at, key);
        if (!*at)
            return gb_fail(GB_ERR_NOT_FOUND, "%s has no %s, to which episodes of %s lead",
                           source->path, key, source->map->origin);
        way += length + (dot != NULL);
        size -= length + (dot != NULL);
    }
    return GB_OK;
}

static gb_status read_rows_of(document *d, const json_t *root)
{
    const gb_source *source = d->source;
    const char *way = source->map->data->episodes ? source->map->data->episodes : "";
    size_t size = strlen(way);
    bool many = size > 0 && way[size - 1] == '*';
    if (many)
        size -= size > 1 ? 2 : 1; /* ".*" */
    const json_t *at = root;
    GB_TRY(follow(source, way, size, &at));
    if (many && json_is_object(at))
        GB_TRY(read_all_lists(d, at));
    else if (!many && json_is_array(at))
        GB_TRY(read_list(d, at, NULL));
    else
        return gb_fail(GB_ERR_PARSE, "%s: found no %s where episodes of %s lead; expected rows",
                       source->path, many ? "object of lists" : "list", source->map->origin);
    if (d->rows == 0)
        return gb_fail(GB_ERR_PARSE, "%s: its lists are empty, expected rows", source->path);
    return GB_OK;
}

gb_status gb_json_read_rows(const gb_source *source, const json_t *root)
{
    table t = {0};
    document d = {.source = source, .t = &t};
    gb_ingest_report before = *source->report;
    GB_TRY(gb_arena_create(0, &t.arena));
    gb_status status = prepare(source, &t);
    if (status == GB_OK)
        status = read_rows_of(&d, root);
    if (status != GB_OK)
        gb_csv_take_back(&before, source->report);
    gb_arena_destroy(t.arena);
    return status;
}

static gb_status read_document(const gb_source *source)
{
    json_t *root = NULL;
    struct stat about;
    GB_TRY(gb_json_open(source->path, DOCUMENT_BYTES, &root));
    gb_status status = gb_json_read_rows(source, root);
    if (status == GB_OK && stat(source->path, &about) == 0)
        source->report->bytes += (int64_t)about.st_size;
    json_decref(root);
    return status;
}

static const char *const line_ends[] = {".jsonl", ".ndjson", NULL};
static const char *const document_ends[] = {".json", NULL};

const gb_reader gb_reader_jsonl = {"jsonl", true, line_ends, read_jsonl, gb_jsonl_guess};
const gb_reader gb_reader_json = {"json", false, document_ends, read_document, NULL};
