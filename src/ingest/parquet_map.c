/* The reader of Parquet tables: a stream map applied to the columns of one file, a recording for
 * each group of rows. */
#include "ingest/parquet_table.h"

#include "ingest/parquet_encoding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define GROUPS_MAX 1000000
#define SCAN_ROWS 4096
#define KEY_BYTES 256

/* ---- the map ----------------------------------------------------------------------------------
 */

/* A map whose streams of columns name the arrays that were joined of them. */
typedef struct rewritten {
    gb_stream_map map;
    gb_map_data data;
    gb_source source;
} rewritten;

static gb_status rewrite(const gb_source *source, gb_parquet_table *table, rewritten *out)
{
    const gb_map_data *data = source->map->data;
    gb_map_stream *streams =
        gb_arena_alloc(table->arena, (data->streams_count + 1) * sizeof *streams);
    if (!streams)
        return GB_ERR_MEMORY;
    out->data = *data;
    out->data.streams = streams;
    out->data.streams_count = 0;
    for (uint32_t s = 0; s < data->streams_count; s++) {
        gb_map_stream *to = &streams[out->data.streams_count];
        bool absent = false;
        *to = data->streams[s];
        if (to->columns_count > 0) {
            char *name = gb_arena_format(table->arena, "columns of %s", to->name);
            if (!name)
                return GB_ERR_MEMORY;
            GB_TRY(gb_parquet_table_join(table, name, to->columns, to->columns_count, to->optional,
                                         &absent));
            to->source = name;
            to->columns = NULL;
            to->columns_count = 0;
        }
        out->data.streams_count += !absent;
    }
    if (data->streams_count > 0 && out->data.streams_count == 0)
        return gb_fail(GB_ERR_NOT_FOUND, "%s has the columns of none of the streams in %s",
                       source->path, source->map->origin);
    out->map = *source->map;
    out->map.data = &out->data;
    out->source = *source;
    out->source.map = &out->map;
    return GB_OK;
}

/* ---- groups -----------------------------------------------------------------------------------
 * Rows that have the same values in the map's `group` columns and stand together. */

typedef struct run {
    int64_t first, rows;
    const char *key;
} run;

typedef struct runs {
    const gb_source *source;
    const gb_parquet *file;
    gb_arena *arena;
    run *list; /* [count] */
    size_t count, room;
    char (*keys)[KEY_BYTES]; /* [SCAN_ROWS] of the rows at hand */
} runs;

static void add_text(char key[KEY_BYTES], const char *text, size_t size)
{
    size_t used = strlen(key);
    if (used > 0 && used < KEY_BYTES - 1)
        key[used++] = '/';
    for (size_t i = 0; i < size && used < KEY_BYTES - 1; i++)
        key[used++] = text[i];
    key[used] = 0;
}

static void add_value(const gb_parquet_column *about,
                      const gb_parquet_batch *b,
                      int64_t row,
                      char key[KEY_BYTES])
{
    char text[32] = "";
    int64_t wide = 0;
    int32_t narrow = 0;
    if (!b->present[row]) {
        add_text(key, "absent", 6);
        return;
    }
    if (about->width == 0) {
        add_text(key, (const char *)b->bytes + b->offset[row],
                 (size_t)(b->offset[row + 1] - b->offset[row]));
        return;
    }
    const unsigned char *at = b->values + (size_t)row * about->width;
    if (about->type == GB_PARQUET_INT32)
        memcpy(&narrow, at, 4);
    else if (about->type == GB_PARQUET_INT64)
        memcpy(&wide, at, 8);
    else
        narrow = *at;
    snprintf(text, sizeof text, "%lld", (long long)(wide + narrow));
    add_text(key, text, strlen(text));
}

static gb_status find_group_column(const runs *r, const char *name, int *out)
{
    int column = gb_parquet_find(r->file, name);
    if (column < 0)
        return gb_fail(GB_ERR_NOT_FOUND, "%s has no column %s, which %s names for group",
                       r->source->path, name, r->source->map->origin);
    const gb_parquet_column *about = &r->file->columns[column];
    bool fits = about->type == GB_PARQUET_INT32 || about->type == GB_PARQUET_INT64 ||
                about->type == GB_PARQUET_BOOLEAN || about->type == GB_PARQUET_BYTE_ARRAY;
    if (!fits || about->max_rep > 0)
        return gb_fail(GB_ERR_SCHEMA,
                       "%s: column %s groups rows: expected texts or whole numbers, one a row",
                       r->source->path, name);
    *out = column;
    return GB_OK;
}

static gb_status take_keys(runs *r, int64_t first, int64_t rows)
{
    for (int64_t i = 0; i < rows; i++) {
        run *last = r->count > 0 ? &r->list[r->count - 1] : NULL;
        if (last && strcmp(last->key, r->keys[i]) == 0) {
            last->rows++;
            continue;
        }
        if (r->count == GROUPS_MAX)
            return gb_fail(GB_ERR_UNSUPPORTED, "%s: more than %d groups", r->source->path,
                           GROUPS_MAX);
        GB_TRY(gb_parquet_grow((void **)&r->list, &r->room, r->count + 1, sizeof *r->list));
        const char *key = gb_arena_text(r->arena, r->keys[i]);
        if (!key)
            return GB_ERR_MEMORY;
        r->list[r->count++] = (run){first + i, 1, key};
    }
    return GB_OK;
}

/* Keys of some rows of a row group, all group columns side by side. */
static gb_status
read_keys(runs *r, const int *columns, gb_parquet_cursor **cursors, int64_t first, int64_t rows)
{
    gb_parquet_batch batch = {0};
    gb_status status = GB_OK;
    memset(r->keys, 0, (size_t)rows * sizeof *r->keys);
    for (uint32_t g = 0; g < r->source->map->data->group_count && status == GB_OK; g++) {
        status = gb_parquet_read(cursors[g], rows, &batch);
        for (int64_t i = 0; i < rows && status == GB_OK; i++)
            add_value(&r->file->columns[columns[g]], &batch, i, r->keys[i]);
    }
    gb_parquet_batch_free(&batch);
    return status == GB_OK ? take_keys(r, first, rows) : status;
}

static gb_status scan_group(runs *r, int group, const int *columns, int64_t *row)
{
    gb_parquet_cursor *cursors[8] = {NULL};
    uint32_t count = r->source->map->data->group_count;
    gb_status status = GB_OK;
    for (uint32_t g = 0; g < count && status == GB_OK; g++)
        status = gb_parquet_cursor_open(r->file, group, columns[g], &cursors[g]);
    for (int64_t left = r->file->groups[group].rows; left > 0 && status == GB_OK;) {
        int64_t take = left < SCAN_ROWS ? left : SCAN_ROWS;
        status = read_keys(r, columns, cursors, *row, take);
        *row += take;
        left -= take;
    }
    for (uint32_t g = 0; g < count; g++)
        gb_parquet_cursor_close(cursors[g]);
    return status;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const run *)a)->key, ((const run *)b)->key);
}

static int by_row(const void *a, const void *b)
{
    int64_t x = ((const run *)a)->first, y = ((const run *)b)->first;
    return (x > y) - (x < y);
}

static gb_status check_keys(runs *r)
{
    qsort(r->list, r->count, sizeof *r->list, by_key);
    for (size_t i = 1; i < r->count; i++)
        if (strcmp(r->list[i].key, r->list[i - 1].key) == 0)
            return gb_fail(GB_ERR_UNSUPPORTED,
                           "%s: the rows of group %s stand apart (rows %lld and %lld); sort the "
                           "file by its group",
                           r->source->path, r->list[i].key, (long long)r->list[i - 1].first + 1,
                           (long long)r->list[i].first + 1);
    qsort(r->list, r->count, sizeof *r->list, by_row);
    return GB_OK;
}

static gb_status find_runs(runs *r)
{
    const gb_map_data *data = r->source->map->data;
    int columns[8] = {0};
    int64_t row = 0;
    if (data->group_count > 8)
        return gb_fail(GB_ERR_SCHEMA, "%s: group has more than 8 columns", r->source->map->origin);
    for (uint32_t g = 0; g < data->group_count; g++)
        GB_TRY(find_group_column(r, data->group[g], &columns[g]));
    r->keys = malloc(SCAN_ROWS * sizeof *r->keys);
    if (!r->keys)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for its groups", r->source->path);
    for (int g = 0; g < r->file->group_count; g++)
        GB_TRY(scan_group(r, g, columns, &row));
    return check_keys(r);
}

/* ---- reading ----------------------------------------------------------------------------------
 */

static gb_status emit_run(const gb_source *source,
                          gb_parquet_table *table,
                          const gb_array_plan *whole,
                          const run *part,
                          int64_t bytes)
{
    char name[1024];
    gb_arrays arrays = gb_parquet_table_as_arrays(table);
    gb_array_plan plan = *whole;
    int64_t limit = source->options->row_limit;
    int64_t left = limit > 0 ? limit - source->report->rows_read : 0;
    if (limit > 0 && left <= 0)
        return GB_OK;
    snprintf(name, sizeof name, "%s%s%s", source->name, part->key ? "/" : "",
             part->key ? part->key : "");
    gb_recording_info info = gb_map_info(source->map, name, source->path);
    double share = table->file->rows > 0 ? (double)bytes / (double)table->file->rows : 0;
    gb_array_progress progress = {.done = (int64_t)(share * (double)part->first),
                                  .bytes = (int64_t)(share * (double)part->rows),
                                  .all = bytes};
    table->base = part->first;
    plan.rows = part->rows;
    return gb_arrays_emit(source, &arrays, &plan, &info, left, &progress);
}

static gb_status read_table(const gb_source *source, gb_parquet_table *table, int64_t bytes)
{
    rewritten changed;
    gb_array_plan plan = {0};
    GB_TRY(rewrite(source, table, &changed));
    gb_arrays arrays = gb_parquet_table_as_arrays(table);
    GB_TRY(gb_arrays_plan(&changed.source, &arrays, table->arena, &plan));
    if (source->map->data->group_count == 0) {
        run all = {0, table->file->rows, NULL};
        return emit_run(source, table, &plan, &all, bytes);
    }
    runs r = {.source = source, .file = table->file, .arena = table->arena};
    gb_status status = find_runs(&r);
    for (size_t i = 0; i < r.count && status == GB_OK; i++)
        status = emit_run(source, table, &plan, &r.list[i], bytes);
    free(r.list);
    free(r.keys);
    return status;
}

static gb_status read_file(const gb_source *source, const gb_parquet *file)
{
    gb_arena *arena = NULL;
    gb_parquet_table table = {0};
    struct stat about;
    int64_t bytes = stat(source->path, &about) == 0 ? (int64_t)about.st_size : 0;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = gb_parquet_table_open(file, source->path, arena,
                                             (int)source->map->data->streams_count, &table);
    if (status == GB_OK)
        status = read_table(source, &table, bytes);
    gb_parquet_table_close(&table);
    source->report->bytes += bytes;
    gb_arena_destroy(arena);
    return status;
}

static gb_status read_source(const gb_source *source)
{
    gb_parquet *file = NULL;
    GB_TRY(gb_parquet_open_file(source->path, &file));
    gb_status status = read_file(source, file);
    gb_parquet_close(file);
    return status;
}

/* ---- guessing ---------------------------------------------------------------------------------
 */

/* A number a row, called like a clock. */
static bool is_clock(const gb_array *array)
{
    static const char *const names[] = {"timestamp", "time", "time_s", "t", "stamp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(array->path, names[i]) == 0)
            return !array->unreadable && array->rank == 0 && array->type != GB_VALUE_BYTES;
    return false;
}

static gb_status put_guess(const char *path, const gb_parquet_table *table, gb_yaml_out *out)
{
    gb_arrays arrays = gb_parquet_table_as_arrays(table);
    const char *time = NULL;
    for (int i = 0; i < arrays.count && !time; i++) /* what the file calls a time, then by name */
        if (arrays.list[i].time_format >= 0 && !arrays.list[i].unreadable)
            time = arrays.list[i].path;
    for (int i = 0; i < arrays.count && !time; i++)
        if (is_clock(&arrays.list[i]))
            time = arrays.list[i].path;
    gb_guess_put_head(out, path, "parquet", NULL);
    if (time) {
        gb_yaml_put(out, "time: {column: ");
        gb_yaml_put_text(out, time, strlen(time));
        gb_yaml_put(out, "}\n");
    }
    gb_arrays_put_guess(out, &arrays, table->file->rows);
    return GB_OK;
}

static gb_status guess_file(const char *path,
                            const gb_ingest_options *options,
                            gb_arena *arena,
                            const char **out_yaml)
{
    gb_parquet *file = NULL;
    gb_parquet_table table = {0};
    gb_yaml_out out = {0};
    (void)options;
    GB_TRY(gb_parquet_open_file(path, &file));
    gb_status status = gb_parquet_table_open(file, path, arena, 0, &table);
    if (status == GB_OK)
        status = gb_yaml_out_open(&out);
    if (status == GB_OK) {
        status = put_guess(path, &table, &out);
        if (status == GB_OK)
            status = gb_yaml_out_finish(&out, arena, out_yaml);
        else
            gb_yaml_out_drop(&out);
    }
    gb_parquet_table_close(&table);
    gb_parquet_close(file);
    return status;
}

static const char *const ends[] = {".parquet", ".pq", NULL};

extern const gb_reader gb_reader_parquet;
const gb_reader gb_reader_parquet = {"parquet", false, ends, read_source, guess_file};
