/* eval/sheet.c: reads benchmark files whose layout their publishers fixed. Files that a user brings
 * go through the ingest room, which guesses and reports. */
#include "eval/sheet.h"

#include "ingest/number.h"

#include <math.h>
#include <string.h>

#define FILE_LIMIT_BYTES ((size_t)256 << 20)
#define COLUMNS_MAX 256

/* Cuts the next cell off *cursor in place; NULL when the line has none left. */
static char *next_cell(char **cursor, char delimiter)
{
    char *at = *cursor;
    if (!at)
        return NULL;
    if (delimiter == ' ') {
        while (*at == ' ')
            at++;
        if (*at == 0)
            return NULL;
    }
    char *end = strchr(at, delimiter);
    if (end)
        *end = 0;
    *cursor = end ? end + 1 : NULL;
    return at;
}

static char *next_line(char **cursor)
{
    char *line = *cursor;
    if (!line || *line == 0)
        return NULL;
    char *end = strchr(line, '\n');
    *cursor = end ? end + 1 : NULL;
    if (end)
        *end = 0;
    size_t size = strlen(line);
    if (size && line[size - 1] == '\r')
        line[size - 1] = 0;
    return line;
}

static int64_t count_lines(const char *text)
{
    int64_t lines = 1;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

typedef struct reader {
    const char *path;
    char delimiter;
    gb_arena *arena;
    int64_t capacity;
    int64_t rows;
    int header_cells, columns, first; /* first: 1 when the first cell is a stamp */
    const char **names, **stamps;
    float *values;
} reader;

static gb_status read_header(reader *r, char *line)
{
    r->names = gb_arena_alloc(r->arena, COLUMNS_MAX * sizeof *r->names);
    if (!r->names)
        return GB_ERR_MEMORY;
    char *cell;
    while ((cell = next_cell(&line, r->delimiter))) {
        if (r->header_cells == COLUMNS_MAX)
            return gb_fail(GB_ERR_PARSE, "%s:1: more than %d columns", r->path, COLUMNS_MAX);
        r->names[r->header_cells++] = cell;
    }
    return GB_OK;
}

/* The first row of data says how many columns there are and whether the first is a stamp. */
static gb_status begin_rows(reader *r, const char *line)
{
    char *copy = gb_arena_text(r->arena, line);
    if (!copy)
        return GB_ERR_MEMORY;
    char *cell;
    int cells = 0;
    while ((cell = next_cell(&copy, r->delimiter))) {
        float value;
        if (cells == 0 && gb_number_float(cell, strlen(cell), '.', &value) != GB_NUMBER_OK)
            r->first = 1;
        cells++;
    }
    if (cells > r->header_cells || cells <= r->first)
        return gb_fail(GB_ERR_PARSE, "%s:2: %d cells under a header of %d names", r->path, cells,
                       r->header_cells);
    r->columns = cells - r->first;
    r->values = gb_arena_alloc(r->arena, (size_t)(r->capacity * r->columns) * sizeof *r->values);
    if (r->first)
        r->stamps = gb_arena_alloc(r->arena, (size_t)r->capacity * sizeof *r->stamps);
    return r->values && (!r->first || r->stamps) ? GB_OK : GB_ERR_MEMORY;
}

static gb_status read_row(reader *r, char *line)
{
    float *row = r->values + r->rows * r->columns;
    char *cell;
    int cells = 0;
    while ((cell = next_cell(&line, r->delimiter))) {
        int column = cells++ - r->first;
        if (column < 0) {
            r->stamps[r->rows] = cell;
            continue;
        }
        if (column >= r->columns)
            break;
        row[column] = NAN;
        if (*cell && gb_number_float(cell, strlen(cell), '.', &row[column]) != GB_NUMBER_OK)
            return gb_fail(GB_ERR_PARSE, "%s:%lld: column \"%s\" is \"%.40s\", expected a number",
                           r->path, (long long)r->rows + 2, r->names[cells - 1], cell);
    }
    if (cells != r->columns + r->first)
        return gb_fail(GB_ERR_PARSE, "%s:%lld: expected %d cells as in the first row", r->path,
                       (long long)r->rows + 2, r->columns + r->first);
    r->rows++;
    return GB_OK;
}

gb_status gb_sheet_read(const char *path, char delimiter, gb_arena *arena, gb_sheet *out)
{
    char *text = NULL;
    size_t size = 0;
    GB_TRY(gb_file_read(path, FILE_LIMIT_BYTES, arena, &text, &size));
    reader r = {.path = path, .delimiter = delimiter, .arena = arena};
    r.capacity = count_lines(text);
    char *line = next_line(&text);
    if (!line)
        return gb_fail(GB_ERR_PARSE, "%s: the file is empty", path);
    GB_TRY(read_header(&r, line));
    while ((line = next_line(&text))) {
        if (line[strspn(line, " ")] == 0)
            continue;
        if (!r.values)
            GB_TRY(begin_rows(&r, line));
        GB_TRY(read_row(&r, line));
    }
    if (r.rows == 0)
        return gb_fail(GB_ERR_PARSE, "%s: no rows below the header", path);
    *out = (gb_sheet){.rows = r.rows,
                      .columns = r.columns,
                      .names = r.names + r.first,
                      .values = r.values,
                      .stamps = r.stamps};
    return GB_OK;
}

gb_status
gb_sheet_column(const gb_sheet *sheet, const char *path, const char *name, int *out_column)
{
    for (int i = 0; i < sheet->columns; i++) {
        if (strcmp(sheet->names[i], name) == 0) {
            *out_column = i;
            return GB_OK;
        }
    }
    return gb_fail(GB_ERR_NOT_FOUND, "%s: no column \"%s\"", path, name);
}
