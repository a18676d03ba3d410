/* Lines of JSON nobody described: their values are written out as a table, one column for each
 * path, and the table is guessed as any other. */
#include "ingest/guess_map.h"
#include "ingest/json_cells.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_BYTES ((size_t)8 << 20)
#define PATHS_MAX 2048
#define PATH_BYTES 120
#define ITEMS_MAX 32 /* longer arrays are no columns */
#define TABLE_SIZE 8192

typedef struct value {
    const char *text;
    size_t size;
    gb_json_type type;
    bool set;
} value;

typedef struct flattening {
    gb_arena *arena;
    const char *paths[PATHS_MAX];
    int path_count;
    int16_t table[TABLE_SIZE]; /* hashed: path + 1 */
    value values[PATHS_MAX];   /* of the line being read */
    bool collecting, full, no_memory;
    FILE *to;
    char *text;
    size_t text_size;
    char *unescaped; /* [longest line] */
} flattening;

/* ---- paths ------------------------------------------------------------------------------------
 */

/* Can the path be a column's name as it is? Long arrays and odd names are left out. */
static bool is_column(const char *path)
{
    if (strlen(path) > PATH_BYTES)
        return false;
    for (const char *at = path; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7F)
            return false;
        if (*at == '[' && at[1] != '"' && strtoul(at + 1, NULL, 10) >= ITEMS_MAX)
            return false;
    }
    return true;
}

/* The number of a path; -1 when it is new and not to be kept. */
static int find_path(flattening *f, const char *path)
{
    uint64_t slot = 14695981039346656037ULL;
    for (const char *at = path; *at; at++)
        slot = (slot ^ (unsigned char)*at) * 1099511628211ULL;
    for (;; slot++) {
        int16_t number = f->table[slot % TABLE_SIZE];
        if (number > 0 && strcmp(f->paths[number - 1], path) == 0)
            return number - 1;
        if (number == 0)
            break;
    }
    if (!f->collecting || !is_column(path))
        return -1;
    if (f->path_count == PATHS_MAX) {
        f->full = true;
        return -1;
    }
    f->paths[f->path_count] = gb_arena_text(f->arena, path);
    f->no_memory = f->no_memory || !f->paths[f->path_count];
    if (f->no_memory)
        return -1;
    f->table[slot % TABLE_SIZE] = (int16_t)++f->path_count;
    return f->path_count - 1;
}

static bool
note_value(void *context, const char *path, gb_json_type type, const char *text, size_t size)
{
    flattening *f = context;
    int number = type == GB_JSON_EMPTY ? -1 : find_path(f, path);
    if (number >= 0)
        f->values[number] = (value){text, size, type, true};
    return true;
}

/* ---- the table --------------------------------------------------------------------------------
 */

static void put_quoted(flattening *f, const char *text, size_t size)
{
    fputc('"', f->to);
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"')
            fputc('"', f->to);
        fputc(text[i], f->to);
    }
    fputc('"', f->to);
}

static void put_row(flattening *f)
{
    for (int i = 0; i < f->path_count; i++) {
        const value *v = &f->values[i];
        if (i > 0)
            fputc(',', f->to);
        if (!v->set || v->type == GB_JSON_NULL) {
            if (f->path_count == 1)
                fputs("null", f->to); /* a row of one empty field would be a blank line */
        } else if (v->type == GB_JSON_STRING) {
            put_quoted(f, f->unescaped, gb_json_unescape(v->text, v->size, f->unescaped));
        } else {
            fwrite(v->text, 1, v->size, f->to);
        }
    }
    fputc('\n', f->to);
}

/* Walks over all lines; the first time to collect paths, the second to write rows. */
static int64_t walk_lines(flattening *f, const gb_sample *sample)
{
    int64_t rows = 0;
    for (size_t at = 0; at < sample->size;) {
        const char *line = sample->text + at;
        const char *newline = memchr(line, '\n', sample->size - at);
        size_t size = newline ? (size_t)(newline - line) : sample->size - at;
        at += size + 1;
        memset(f->values, 0, (size_t)f->path_count * sizeof *f->values);
        if (!gb_json_walk(line, 0, (uint32_t)size, note_value, f))
            continue;
        rows++;
        if (!f->collecting)
            put_row(f);
    }
    return rows;
}

static gb_status flatten(flattening *f, const gb_sample *sample, const char *path)
{
    f->collecting = true;
    int64_t rows = walk_lines(f, sample);
    if (f->no_memory)
        return GB_ERR_MEMORY;
    if (rows == 0 || f->path_count == 0)
        return gb_fail(GB_ERR_PARSE,
                       "%s: none of its lines is a JSON object or list with values in it; expected "
                       "one on every line, like {\"time\": 1.5, \"value\": 20}",
                       path);
    f->collecting = false;
    f->unescaped = malloc(sample->size + 1);
    f->to = open_memstream(&f->text, &f->text_size);
    if (!f->unescaped || !f->to)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to look at its lines", path);
    for (int i = 0; i < f->path_count; i++) {
        if (i > 0)
            fputc(',', f->to);
        put_quoted(f, f->paths[i], strlen(f->paths[i]));
    }
    fputc('\n', f->to);
    walk_lines(f, sample);
    if (fflush(f->to) != 0 || ferror(f->to))
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to look at its lines", path);
    return GB_OK;
}

gb_status gb_guess_json(const gb_sample *sample,
                        const char *path,
                        const gb_ingest_options *options,
                        gb_arena *arena,
                        const char **out_yaml)
{
    gb_sample lines = *sample;
    if (lines.size > SAMPLE_BYTES) {
        lines.size = SAMPLE_BYTES;
        lines.whole = false;
        while (lines.size > 0 && lines.text[lines.size - 1] != '\n')
            lines.size--;
    }
    flattening *f = calloc(1, sizeof *f);
    if (!f)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to look at its lines", path);
    f->arena = arena;
    gb_status status = flatten(f, &lines, path);
    if (status == GB_OK) {
        gb_sample table = lines;
        table.text = f->text;
        table.size = f->text_size;
        status = gb_guess_json_table(&table, path, options, arena, out_yaml);
    }
    if (f->to)
        fclose(f->to);
    free(f->text);
    free(f->unescaped);
    free(f);
    return status;
}

gb_status gb_jsonl_guess(const char *path,
                         const gb_ingest_options *options,
                         gb_arena *arena,
                         const char **out_yaml)
{
    gb_sample sample;
    GB_TRY(gb_sample_read(path, arena, &sample));
    return gb_guess_json(&sample, path, options, arena, out_yaml);
}
