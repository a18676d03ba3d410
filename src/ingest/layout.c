/* Finds delimiter, decimal comma, header and what each column holds from a file's first rows. It
 * decides nothing about streams: guess.c and map.c do. */
#include "ingest/layout.h"

#include "ingest/number.h"
#include "ingest/stamp.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool gb_cell_is_missing(const char *text, size_t size)
{
    static const char *const words[] = {"-",   "--",   "?",    "na",  "n/a",    "#n/a",
                                        "nan", "null", "none", "nil", "missing"};
    if (size == 0)
        return true;
    if (size > 7 || (text[0] >= '0' && text[0] <= '9'))
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == size && strncasecmp(words[i], text, size) == 0)
            return true;
    return false;
}

static bool parses(const gb_field *field, gb_time_format format)
{
    int64_t time_ns;
    return gb_stamp_parse(field->text, field->size, format, '.', 1, &time_ns);
}

static gb_cell_kind kind_of(const gb_field *field)
{
    float value;
    if (gb_cell_is_missing(field->text, field->size))
        return GB_CELL_MISSING;
    if (gb_number_float(field->text, field->size, '.', &value) == GB_NUMBER_OK)
        return memchr(field->text, '.', field->size) ? GB_CELL_POINT_NUMBER : GB_CELL_INTEGER;
    if (gb_number_float(field->text, field->size, ',', &value) == GB_NUMBER_OK)
        return GB_CELL_COMMA_NUMBER;
    if (parses(field, GB_TIME_FORMAT_DATETIME) || parses(field, GB_TIME_FORMAT_DAY_FIRST) ||
        parses(field, GB_TIME_FORMAT_MONTH_FIRST))
        return GB_CELL_DATETIME;
    return GB_CELL_TEXT;
}

/* ---- delimiter --------------------------------------------------------------------------------
 */

/* How well a delimiter explains the rows: the share of cells that are no plain text, 0 when the
 * rows (the first left out: it may be a header) do not mostly have the same number of fields,
 * over 1. */
typedef struct delimiter_score {
    double share;
    int64_t columns;
} delimiter_score;

static int compare_counts(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static gb_status score_delimiter(gb_rows *rows, char delimiter, delimiter_score *out)
{
    int64_t fields[GB_LAYOUT_ROWS], count = 0, cells = 0, good = 0, first = 0;
    rows->delimiter = delimiter;
    GB_TRY(gb_rows_rewind(rows));
    *out = (delimiter_score){0, 1};
    while (count < 64) {
        bool have = false;
        if (gb_rows_next(rows, &have) != GB_OK || !have)
            break; /* an unclosed quote can come from the wrong delimiter: judge what was read */
        fields[count++] = rows->field_count;
        if (count == 1) {
            first = rows->field_count;
            continue;
        }
        for (int64_t i = 0; i < rows->field_count && i < 1000; i++) {
            cells++;
            good += kind_of(&rows->fields[i]) != GB_CELL_TEXT;
        }
    }
    if (count < 2) { /* one row: nothing to compare */
        *out = (delimiter_score){first > 1 ? 0.5 : 0, first > 1 ? first : 1};
        return GB_OK;
    }
    qsort(fields + 1, (size_t)(count - 1), sizeof *fields, compare_counts);
    int64_t usual = fields[1 + (count - 1) / 2], same = 0;
    for (int64_t i = 1; i < count; i++)
        same += fields[i] == usual;
    if (usual < 2 || (double)same < 0.8 * (double)(count - 1))
        return GB_OK;
    *out = (delimiter_score){(double)good / (double)cells + 1e-3, usual};
    return GB_OK;
}

static gb_status find_delimiter(gb_rows *rows, char *out)
{
    static const char candidates[] = {',', ';', '\t', '|', ' '};
    delimiter_score best = {0, 1};
    char found = ',';
    for (size_t i = 0; i < sizeof candidates; i++) {
        delimiter_score score;
        GB_TRY(score_delimiter(rows, candidates[i], &score));
        bool better = score.share > best.share + 1e-9;
        if (score.share == best.share && score.share > 0 && score.columns > best.columns)
            better = candidates[i] != ' '; /* spaces also stand inside dates and names */
        if (better) {
            best = score;
            found = candidates[i];
        }
    }
    *out = found;
    return GB_OK;
}

/* ---- columns ----------------------------------------------------------------------------------
 */

static void note_date_order(const gb_field *field, gb_layout_column *column)
{
    if (parses(field, GB_TIME_FORMAT_DATETIME)) {
        column->year_first++;
        return;
    }
    bool day_first = parses(field, GB_TIME_FORMAT_DAY_FIRST);
    bool month_first = parses(field, GB_TIME_FORMAT_MONTH_FIRST);
    column->day_over_12[0] = column->day_over_12[0] || (day_first && !month_first);
    column->day_over_12[1] = column->day_over_12[1] || (month_first && !day_first);
    column->dotted = column->dotted || memchr(field->text, '.', field->size < 6 ? field->size : 6);
}

void gb_layout_note(const gb_field *field, gb_layout_column *column)
{
    gb_cell_kind kind = kind_of(field);
    column->counts[kind]++;
    if (kind == GB_CELL_DATETIME)
        note_date_order(field, column);
    if (kind != GB_CELL_INTEGER && kind != GB_CELL_POINT_NUMBER && kind != GB_CELL_COMMA_NUMBER)
        return;
    char decimal = kind == GB_CELL_COMMA_NUMBER ? ',' : '.';
    int64_t whole;
    if (!gb_number_scaled(field->text, field->size, decimal, 0, &whole))
        return;
    int64_t numbers = column->counts[GB_CELL_INTEGER] + column->counts[GB_CELL_POINT_NUMBER] +
                      column->counts[GB_CELL_COMMA_NUMBER];
    bool first = numbers == 1;
    column->rising = first || (column->rising && (double)whole >= column->last);
    column->first = first ? (double)whole : column->first;
    column->last = (double)whole;
}

int64_t gb_layout_numbers(const gb_layout *layout, int64_t column)
{
    const int64_t *counts = layout->columns[column].counts;
    gb_cell_kind with_sign = layout->decimal == ',' ? GB_CELL_COMMA_NUMBER : GB_CELL_POINT_NUMBER;
    return counts[GB_CELL_INTEGER] + counts[with_sign];
}

/* The number of fields most rows after the first have. */
static gb_status usual_columns(gb_rows *rows, int64_t *out_columns, int64_t *out_rows)
{
    int64_t fields[GB_LAYOUT_ROWS], count = 0;
    bool have = true;
    while (count < GB_LAYOUT_ROWS) {
        GB_TRY(gb_rows_next(rows, &have));
        if (!have)
            break;
        if (rows->field_count > GB_LAYOUT_COLUMNS)
            return gb_fail(GB_ERR_PARSE, "%s, row %lld: %lld fields, at most %d are read",
                           rows->origin, (long long)rows->number, (long long)rows->field_count,
                           GB_LAYOUT_COLUMNS);
        fields[count++] = rows->field_count;
    }
    *out_rows = count;
    int64_t skip = count > 1; /* the header may be longer */
    qsort(fields + skip, (size_t)(count - skip), sizeof *fields, compare_counts);
    int64_t best = 0, columns = count > 0 ? fields[skip] : 0;
    for (int64_t i = skip, run = 0; i < count; i++) {
        run = i > skip && fields[i] == fields[i - 1] ? run + 1 : 1;
        if (run >= best) {
            best = run;
            columns = fields[i];
        }
    }
    *out_columns = columns;
    return GB_OK;
}

/* The first row is a header when more columns change from words to numbers after it than do not. */
static bool looks_like_header(const gb_cell_kind *first, const gb_layout *layout)
{
    int64_t for_it = 0, against = 0;
    for (int64_t c = 0; c < layout->column_count; c++) {
        const int64_t *counts = layout->columns[c].counts;
        int64_t values = counts[GB_CELL_INTEGER] + counts[GB_CELL_POINT_NUMBER] +
                         counts[GB_CELL_COMMA_NUMBER] + counts[GB_CELL_DATETIME];
        bool word = first[c] == GB_CELL_TEXT;
        if (values > counts[GB_CELL_TEXT]) {
            for_it += word;
            against += !word && first[c] != GB_CELL_MISSING;
        } else if (counts[GB_CELL_TEXT] > 0) {
            against += !word && first[c] != GB_CELL_MISSING;
        }
    }
    if (for_it == 0 && against == 0)
        return true; /* words everywhere: the first row names them */
    return for_it > against;
}

static bool valid_utf8_length(const unsigned char *at, size_t left, size_t *length)
{
    size_t need = at[0] < 0x80 ? 1 : at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    *length = need;
    if (at[0] >= 0x80 && (at[0] < 0xC2 || at[0] > 0xF4))
        return false;
    if (need > left)
        return false;
    for (size_t i = 1; i < need; i++)
        if ((at[i] & 0xC0) != 0x80)
            return false;
    return true;
}

bool gb_text_is_utf8(const char *text, size_t size)
{
    for (size_t i = 0, length; i < size; i += length)
        if (!valid_utf8_length((const unsigned char *)text + i, size - i, &length))
            return false;
    return true;
}

/* A column's name as valid UTF-8 without control characters, cut to fit; bytes that are not UTF-8
 * become U+FFFD. */
static char *clean_name(gb_arena *arena, const char *text, size_t size, int64_t column)
{
    char name[GB_STREAM_NAME_MAX + 1];
    size_t used = 0;
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t i = 0; i < size && used + 12 < sizeof name;) {
        size_t length = 1;
        if (!valid_utf8_length(bytes + i, size - i, &length)) {
            memcpy(name + used, "\xEF\xBF\xBD", 3);
            used += 3;
            i++;
            continue;
        }
        memcpy(name + used, text + i, length);
        if (bytes[i] < 0x20 || bytes[i] == 0x7F)
            name[used] = ' ';
        used += length;
        i += length;
    }
    name[used] = 0;
    if (used == 0)
        return gb_arena_format(arena, "column_%lld", (long long)column + 1);
    return gb_arena_text(arena, name);
}

static int compare_names(const void *a, const void *b)
{
    const gb_layout_column *x = *(gb_layout_column *const *)a, *y = *(gb_layout_column *const *)b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : (x > y) - (x < y);
}

/* A name that occurs again gets its column's number behind it. */
static gb_status make_unique(gb_arena *arena, const gb_layout *layout)
{
    size_t count = (size_t)layout->column_count;
    gb_layout_column **order = malloc((count + 1) * sizeof(gb_layout_column *));
    if (!order)
        return gb_fail(GB_ERR_MEMORY, "no memory for %zu columns", count);
    for (int round = 0; round < 3; round++) { /* a new name can meet an old one, hardly twice */
        for (size_t i = 0; i < count; i++)
            order[i] = &layout->columns[i];
        qsort(order, count, sizeof *order, compare_names);
        for (size_t i = count; i-- > 1;) {
            if (strcmp(order[i]->name, order[i - 1]->name) != 0)
                continue;
            long long number = (long long)(order[i] - layout->columns) + 1;
            char *name = gb_arena_format(arena, "%.115s_%lld", order[i]->name, number);
            if (!name) {
                free(order);
                return GB_ERR_MEMORY;
            }
            order[i]->name = name;
        }
    }
    free(order);
    return GB_OK;
}

static gb_status
name_columns(gb_rows *rows, gb_arena *arena, bool names_extra_ignored, gb_layout *layout)
{
    bool have = false;
    GB_TRY(gb_rows_rewind(rows));
    GB_TRY(gb_rows_next(rows, &have));
    int64_t names = layout->header ? rows->field_count : 0;
    layout->names_extra = names > layout->column_count ? names - layout->column_count : 0;
    if (layout->header &&
        (names < layout->column_count || (layout->names_extra > 0 && !names_extra_ignored)))
        return gb_fail(GB_ERR_PARSE, "%s: the header has %lld names, the rows have %lld fields%s",
                       rows->origin, (long long)names, (long long)layout->column_count,
                       layout->names_extra > 0 ? "; a map with header_names_extra: ignore leaves "
                                                 "the names at the end out"
                                               : "");
    for (int64_t c = 0; c < layout->column_count; c++) {
        const char *text = c < names ? rows->fields[c].text : "";
        size_t size = c < names ? rows->fields[c].size : 0;
        layout->columns[c].name = clean_name(arena, text, size, c);
        if (!layout->columns[c].name)
            return GB_ERR_MEMORY;
    }
    return make_unique(arena, layout);
}

/* Fills counts of all columns and `first`, the kinds of the first row. */
static gb_status look_at_cells(gb_rows *rows, gb_layout *layout, gb_cell_kind *first)
{
    bool have = false;
    int64_t nul_rows = 0;
    GB_TRY(gb_rows_rewind(rows));
    for (int64_t r = 0; r < GB_LAYOUT_ROWS; r++) {
        GB_TRY(gb_rows_next(rows, &have));
        if (!have)
            break;
        nul_rows += rows->fault == GB_ROW_NUL;
        if (rows->fault == GB_ROW_NUL && (r == 0 || 2 * nul_rows > r + 1))
            return gb_fail(GB_ERR_PARSE,
                           "%s, row %lld: holds a NUL byte; expected text, this looks binary",
                           rows->origin, (long long)rows->number);
        if (r > 0 && rows->field_count != layout->column_count)
            continue;
        for (int64_t c = 0; c < layout->column_count && c < rows->field_count; c++) {
            if (r == 0)
                first[c] = kind_of(&rows->fields[c]);
            else
                gb_layout_note(&rows->fields[c], &layout->columns[c]);
        }
    }
    return GB_OK;
}

static char find_decimal(const gb_layout *layout)
{
    int64_t points = 0, commas = 0;
    for (int64_t c = 0; c < layout->column_count; c++) {
        points += layout->columns[c].counts[GB_CELL_POINT_NUMBER];
        commas += layout->columns[c].counts[GB_CELL_COMMA_NUMBER];
    }
    return commas > points && layout->delimiter != ',' ? ',' : '.';
}

gb_status
gb_layout_find(gb_rows *rows, const gb_layout_hints *hints, gb_arena *arena, gb_layout *out)
{
    gb_layout layout = {.delimiter = hints->delimiter};
    rows->widths = hints->widths;
    rows->width_count = hints->width_count;
    rows->skip_rows = hints->skip_rows;
    if (layout.delimiter == 0 && hints->width_count == 0)
        GB_TRY(find_delimiter(rows, &layout.delimiter));
    rows->delimiter = layout.delimiter;
    GB_TRY(gb_rows_rewind(rows));
    int64_t sample_rows = 0;
    GB_TRY(usual_columns(rows, &layout.column_count, &sample_rows));
    if (sample_rows == 0)
        return gb_fail(GB_ERR_PARSE, "%s has no rows: only blank lines", rows->origin);
    size_t count = (size_t)layout.column_count;
    layout.columns = gb_arena_alloc(arena, count * sizeof *layout.columns);
    gb_cell_kind *first = gb_arena_alloc(arena, count * sizeof *first);
    if (!layout.columns || !first)
        return GB_ERR_MEMORY;
    GB_TRY(look_at_cells(rows, &layout, first));
    layout.header = hints->header == GB_HEADER_AUTO ? looks_like_header(first, &layout)
                                                    : hints->header == GB_HEADER_YES;
    if (layout.header && sample_rows == 1)
        return gb_fail(GB_ERR_PARSE, "%s: a header and no rows below it", rows->origin);
    layout.decimal = hints->decimal != 0 ? hints->decimal : find_decimal(&layout);
    GB_TRY(name_columns(rows, arena, hints->names_extra_ignored, &layout));
    if (!layout.header) { /* the first row is data as well: look again */
        GB_TRY(gb_rows_rewind(rows));
        bool have = false;
        GB_TRY(gb_rows_next(rows, &have));
        for (int64_t c = 0; c < layout.column_count && c < rows->field_count; c++)
            gb_layout_note(&rows->fields[c], &layout.columns[c]);
    }
    GB_TRY(gb_rows_rewind(rows));
    *out = layout;
    return GB_OK;
}
