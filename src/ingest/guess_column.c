/* One pass over a sample: what kinds of cells each column has, which words, which numbers. It
 * decides nothing: guess_time.c and guess_map.c do. */
#include "ingest/guess_column.h"

#include "ingest/number.h"
#include "ingest/stamp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct sentinel {
    double value;
    const char *text;
} sentinels[] = {
#define SENTINEL(value, text) {value, text},
    GB_SENTINEL_LIST(SENTINEL)
#undef SENTINEL
};

/* ---- one cell ---------------------------------------------------------------------------------
 */

bool gb_guess_is_clock(const gb_field *cell)
{
    const char *at = cell->text, *end = at + cell->size;
    int parts = 0;
    for (; parts < 3; parts++) {
        int digits = 0;
        while (at < end && *at >= '0' && *at <= '9' && digits < 3) {
            at++;
            digits++;
        }
        if (digits < 1 || digits > 2)
            return false;
        if (at == end || *at != ':' || parts == 2)
            break;
        at++;
    }
    if (parts < 1)
        return false;
    if (at < end && (*at == '.' || *at == ',')) {
        at++;
        while (at < end && *at >= '0' && *at <= '9')
            at++;
    }
    if (end - at >= 2 && *at == ' ')
        at++;
    bool noon = end - at == 2 && (strncasecmp(at, "am", 2) == 0 || strncasecmp(at, "pm", 2) == 0);
    return at == end || noon;
}

static bool parses(const gb_field *cell, gb_time_format format)
{
    int64_t time_ns;
    return gb_stamp_parse(cell->text, cell->size, format, '.', 1, &time_ns);
}

/* A stamp with a zone ends in Z or +hh:mm, +hhmm, +hh behind its time of day. */
static bool has_zone(const gb_field *cell)
{
    const char *colon = memchr(cell->text, ':', cell->size);
    if (!colon)
        return false;
    size_t left = cell->size - (size_t)(colon - cell->text);
    char last = cell->text[cell->size - 1];
    return last == 'Z' || last == 'z' || memchr(colon, '+', left) || memchr(colon, '-', left);
}

static bool note_date(const gb_field *cell, gb_guess_column *column)
{
    bool year = parses(cell, GB_TIME_FORMAT_DATETIME);
    bool day = !year && parses(cell, GB_TIME_FORMAT_DAY_FIRST);
    bool month = !year && parses(cell, GB_TIME_FORMAT_MONTH_FIRST);
    column->dates[0] += year;
    column->dates[1] += day;
    column->dates[2] += month;
    if (!year && !day && !month)
        return false;
    column->any_date++;
    column->zoned += has_zone(cell);
    column->without_clock += !memchr(cell->text, ':', cell->size);
    return true;
}

static bool note_number(const gb_field *cell, char decimal, gb_guess_column *column)
{
    float near = 0;
    if (gb_number_float(cell->text, cell->size, decimal, &near) != GB_NUMBER_OK)
        return false;
    /* counters and epochs need more digits than a float has */
    double value = (double)near;
    int64_t scaled;
    bool integer = !memchr(cell->text, decimal, cell->size);
    if (integer && gb_number_scaled(cell->text, cell->size, decimal, 0, &scaled))
        value = (double)scaled;
    bool first = column->numbers == 0;
    column->numbers++;
    column->integers += integer;
    column->steps_of_one += !first && value == column->last + 1;
    column->rising = first || (column->rising && value >= column->last);
    column->last = value;
    if (first)
        column->first = value;
    for (size_t i = 0; i < GB_SENTINEL_COUNT; i++) {
        if ((float)sentinels[i].value == near) {
            column->sentinels[i]++;
            return true;
        }
    }
    column->low = value < column->low ? value : column->low;
    column->high = value > column->high ? value : column->high;
    return true;
}

static bool same(const gb_field *a, const gb_field *b)
{
    return a->size == b->size && memcmp(a->text, b->text, a->size) == 0;
}

/* A field's text lives until the next row only. */
static gb_status keep(gb_arena *arena, const gb_field *field, gb_field *out)
{
    char *text = gb_arena_alloc(arena, field->size + 1);
    if (!text)
        return GB_ERR_MEMORY;
    memcpy(text, field->text, field->size);
    *out = (gb_field){text, field->size};
    return GB_OK;
}

static gb_status note_word(gb_arena *arena, const gb_field *cell, gb_guess_column *column)
{
    for (int i = 0; i < column->word_count; i++) {
        if (same(&column->words[i].text, cell)) {
            column->words[i].count++;
            return GB_OK;
        }
    }
    for (size_t i = 0; i + 2 < cell->size; i++) /* UTF-8 of U+3000..U+9FFF */
        column->japanese |=
            (unsigned char)cell->text[i] >= 0xE3 && (unsigned char)cell->text[i] <= 0xE9;
    if (column->word_count == GB_GUESS_WORDS || cell->size > 256) {
        column->other_words++;
        return GB_OK;
    }
    gb_guess_word *word = &column->words[column->word_count];
    GB_TRY(keep(arena, cell, &word->text));
    word->count = 1;
    column->word_count++;
    return GB_OK;
}

static gb_status
note_cell(gb_arena *arena, const gb_field *cell, char decimal, gb_guess_column *column)
{
    if (gb_cell_is_missing(cell->text, cell->size)) {
        column->missing++;
        return GB_OK;
    }
    if (column->seen++ == 0) {
        GB_TRY(keep(arena, cell, &column->first_cell));
        column->constant = true;
    }
    column->constant = column->constant && same(cell, &column->first_cell);
    if (note_number(cell, decimal, column))
        return GB_OK;
    if (note_date(cell, column))
        return GB_OK;
    if (gb_guess_is_clock(cell)) {
        column->clocks++;
        return GB_OK;
    }
    column->texts++;
    return note_word(arena, cell, column);
}

/* ---- the whole sample -------------------------------------------------------------------------
 */

static int compare_labels(const void *a, const void *b)
{
    const gb_guess_column *x = *(gb_guess_column *const *)a, *y = *(gb_guess_column *const *)b;
    return strcmp(x->unit.label, y->unit.label);
}

static gb_status name_columns(const gb_layout *layout, gb_arena *arena, gb_guess_columns *look)
{
    size_t count = (size_t)look->count;
    gb_guess_column **order = gb_arena_alloc(arena, count * sizeof *order);
    if (!order)
        return GB_ERR_MEMORY;
    for (size_t c = 0; c < count; c++) {
        gb_guess_column *column = &look->columns[c];
        column->name = layout->columns[c].name;
        column->low = INFINITY;
        column->high = -INFINITY;
        gb_guess_unit_of_name(column->name, &column->unit);
        order[c] = column;
    }
    qsort(order, count, sizeof *order, compare_labels);
    for (size_t c = 1; c < count; c++)
        if (compare_labels(&order[c - 1], &order[c]) == 0)
            order[c - 1]->label_taken = order[c]->label_taken = true;
    return GB_OK;
}

gb_status gb_guess_look(gb_table *table, gb_arena *arena, gb_guess_columns *out)
{
    const gb_layout *layout = &table->layout;
    gb_guess_columns look = {.count = layout->column_count};
    look.columns = gb_arena_alloc(arena, (size_t)look.count * sizeof *look.columns);
    if (!look.columns)
        return GB_ERR_MEMORY;
    GB_TRY(name_columns(layout, arena, &look));
    GB_TRY(gb_table_start(table));
    for (;;) {
        bool have = false;
        GB_TRY(gb_rows_next(&table->rows, &have));
        if (!have)
            break;
        look.rows++;
        if (table->rows.fault != GB_ROW_WHOLE || table->rows.field_count != look.count) {
            look.rows_odd++;
            continue;
        }
        for (int64_t c = 0; c < look.count; c++)
            GB_TRY(note_cell(arena, &table->rows.fields[c], layout->decimal, &look.columns[c]));
    }
    *out = look;
    return GB_OK;
}

/* Far outside: further from the other values than three times as wide as they are. Values beyond
 * any measurement need not repeat. */
int gb_guess_sentinels(const gb_guess_column *column, double values[16], const char *texts[16])
{
    int count = 0;
    if (!(column->low <= column->high)) /* nothing but sentinels: they are the data */
        return 0;
    double width = column->high - column->low;
    double most = fabs(column->low) > fabs(column->high) ? fabs(column->low) : fabs(column->high);
    width = width > 0.01 * most ? width : 0.01 * most;
    for (size_t i = 0; i < GB_SENTINEL_COUNT && count < 16; i++) {
        double value = sentinels[i].value;
        bool far = value > column->high + 3 * width || value < column->low - 3 * width;
        bool repeats =
            column->sentinels[i] >= 2 || (column->sentinels[i] == 1 && fabs(value) > 1e19);
        if (!far || !repeats)
            continue;
        values[count] = value;
        texts[count++] = sentinels[i].text;
    }
    return count;
}
