/* The cells of one column into values of their type. A plain number is read in place; what is
 * anything else (empty, a word for missing, an exponent, a mistake) goes the general way. */
#include "ingest/csv_parse.h"
#include "ingest/number_fast.h"

#include <math.h>
#include <string.h>

void gb_csv_flag(gb_csv_column *column, int64_t row, gb_reason reason)
{
    uint8_t *held = &column->reason[row];
    if (gb_reason_quality(reason) > gb_reason_quality((gb_reason)*held) || *held == GB_REASON_NONE)
        *held = (uint8_t)reason;
    column->flagged = true;
}

/* One cell of the batch. */
typedef struct cell {
    const char *text;
    size_t size;
    gb_span span;
    int64_t row;    /* in the part */
    int64_t column; /* of the file */
    const gb_cut_row *cut;
} cell;

static void absent(gb_csv_part *part, gb_csv_column *column, const cell *c)
{
    part->cells_missing++;
    gb_csv_flag(column, c->row, GB_REASON_ABSENT);
}

static void wrong(gb_csv_part *part, gb_csv_column *column, const cell *c, const char *expected)
{
    gb_csv_problem problem = {.line = c->cut->line,
                              .row_at = c->cut->begin,
                              .row_size = c->cut->end - c->cut->begin,
                              .column = (int32_t)c->column,
                              .fields = -1,
                              .found = c->span,
                              .expected = expected};
    part->cells_bad++;
    gb_csv_flag(column, c->row, GB_REASON_NOT_A_VALUE);
    gb_csv_part_problem(part, &problem);
}

/* Is it one of the map's words for missing? */
static bool is_named_missing(const gb_csv_part *part, const char *text, size_t size)
{
    if (size == 0 || !part->missing_first[(unsigned char)text[0]])
        return false;
    for (int i = 0; i < part->plan->missing_count; i++) {
        const char *word = part->plan->missing[i];
        if (strlen(word) == size && memcmp(word, text, size) == 0)
            return true;
    }
    return false;
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

static const char *expected_number(gb_value_type type, gb_number_result result)
{
    static const char *const whole[] = {
        [GB_VALUE_I8] = "a whole number from -128 to 127",
        [GB_VALUE_U8] = "a whole number from 0 to 255",
        [GB_VALUE_I16] = "a whole number from -32768 to 32767",
        [GB_VALUE_U16] = "a whole number from 0 to 65535",
        [GB_VALUE_I32] = "a whole number from -2147483648 to 2147483647",
        [GB_VALUE_U32] = "a whole number from 0 to 4294967295",
        [GB_VALUE_I64] = "a whole number of 64 bits",
        [GB_VALUE_U64] = "a whole number of 64 bits, not negative",
    };
    if (type != GB_VALUE_F32 && type != GB_VALUE_F64)
        return whole[type];
    if (result == GB_NUMBER_NOT)
        return "a number";
    return type == GB_VALUE_F32 ? "a number below 3.4e38" : "a number below 1.8e308";
}

/* Stores a whole number of any type; false when it does not fit. */
static bool store_whole(gb_value_type type, bool negative, uint64_t magnitude, void *to)
{
    static const uint64_t most[] = {
        [GB_VALUE_I8] = INT8_MAX,    [GB_VALUE_U8] = UINT8_MAX,  [GB_VALUE_I16] = INT16_MAX,
        [GB_VALUE_U16] = UINT16_MAX, [GB_VALUE_I32] = INT32_MAX, [GB_VALUE_U32] = UINT32_MAX,
        [GB_VALUE_I64] = INT64_MAX,  [GB_VALUE_U64] = UINT64_MAX};
    bool is_signed =
        type == GB_VALUE_I8 || type == GB_VALUE_I16 || type == GB_VALUE_I32 || type == GB_VALUE_I64;
    if (negative && !is_signed)
        return false;
    if (magnitude > most[type] + negative)
        return false;
    uint64_t bits = negative ? 0 - magnitude : magnitude; /* two's complement, little endian */
    memcpy(to, &bits, gb_value_type_bytes(type));
    return true;
}

static gb_number_result
read_number(gb_value_type type, const char *text, size_t size, char decimal, void *to)
{
    if (type == GB_VALUE_F64)
        return gb_number_double(text, size, decimal, to);
    if (type == GB_VALUE_F32)
        return gb_number_float(text, size, decimal, to);
    bool negative = false;
    uint64_t magnitude = 0;
    gb_number_result result = gb_number_whole(text, size, decimal, &negative, &magnitude);
    if (result == GB_NUMBER_OK && !store_whole(type, negative, magnitude, to))
        result = GB_NUMBER_TOO_LARGE;
    return result;
}

static void store_missing(gb_value_type type, void *to)
{
    const double nan64 = NAN;
    const float nan32 = NAN;
    if (type == GB_VALUE_F64)
        memcpy(to, &nan64, sizeof nan64);
    else if (type == GB_VALUE_F32)
        memcpy(to, &nan32, sizeof nan32);
    else
        memset(to, 0, gb_value_type_bytes(type)); /* its quality says that it is no value */
}

/* true and false stand for 1 and 0 in lines of JSON. */
static bool is_json_bool(const cell *c)
{
    return (c->size == 4 && memcmp(c->text, "true", 4) == 0) ||
           (c->size == 5 && memcmp(c->text, "false", 5) == 0);
}

/* Any cell of a column of numbers. */
static void
number_cell(gb_csv_part *part, gb_value_type type, gb_csv_column *column, const cell *c, void *to)
{
    bool named = is_named_missing(part, c->text, c->size);
    gb_number_result result = GB_NUMBER_NOT;
    if (!named)
        result = read_number(type, c->text, c->size, part->plan->layout->decimal, to);
    if (result == GB_NUMBER_NOT && part->plan->cutting.paths && is_json_bool(c))
        result = read_number(type, c->text[0] == 't' ? "1" : "0", 1, '.', to);
    if (result == GB_NUMBER_OK)
        return;
    store_missing(type, to);
    if (named || (result == GB_NUMBER_NOT && gb_cell_is_missing(c->text, c->size)))
        absent(part, column, c);
    else
        wrong(part, column, c, expected_number(type, result));
}

static cell cell_at(const gb_csv_part *part, int64_t taken, int64_t file_column)
{
    int64_t row = part->taken[taken];
    gb_span span = part->spans[row * part->plan->layout->column_count + file_column];
    return (cell){.text = part->block->text + span.at,
                  .size = GB_SPAN_SIZE(span),
                  .span = span,
                  .row = part->count + taken,
                  .column = file_column,
                  .cut = &part->rows[row]};
}

/* The loop that most of all time is spent in. */
static void read_doubles(
    gb_csv_part *part, gb_csv_column *column, int64_t file_column, double *to, int64_t step)
{
    const char *text = part->block->text, decimal = part->plan->layout->decimal;
    const gb_span *spans = part->spans + file_column;
    int64_t columns = part->plan->layout->column_count;
    const bool *missing_first = part->missing_first;
    for (int64_t i = 0; i < part->taken_count; i++, to += step) {
        gb_span span = spans[part->taken[i] * columns];
        if (!missing_first[(unsigned char)text[span.at]] &&
            gb_number_fast_double(text + span.at, span.size, decimal, to))
            continue;
        cell c = cell_at(part, i, file_column);
        number_cell(part, GB_VALUE_F64, column, &c, to);
    }
}

/* A double that is right may lie in the middle of two floats, where rounding again is not. */
static bool fast_float(const char *text, size_t size, char decimal, float *out)
{
    double value;
    if (!gb_number_fast_double(text, size, decimal, &value))
        return false;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x1FFFFFFF) == 0x10000000)
        return false;
    *out = (float)value;
    return true;
}

static void
read_floats(gb_csv_part *part, gb_csv_column *column, int64_t file_column, float *to, int64_t step)
{
    for (int64_t i = 0; i < part->taken_count; i++, to += step) {
        cell c = cell_at(part, i, file_column);
        if (is_named_missing(part, c.text, c.size) ||
            !fast_float(c.text, c.span.size, part->plan->layout->decimal, to))
            number_cell(part, GB_VALUE_F32, column, &c, to);
    }
}

static void read_whole(gb_csv_part *part,
                       gb_value_type type,
                       gb_csv_column *column,
                       int64_t file_column,
                       unsigned char *to,
                       int64_t step)
{
    size_t bytes = gb_value_type_bytes(type);
    for (int64_t i = 0; i < part->taken_count; i++, to += (size_t)step * bytes) {
        cell c = cell_at(part, i, file_column);
        gb_number_digits number;
        if (is_named_missing(part, c.text, c.size) ||
            !gb_number_fast(c.text, c.span.size, part->plan->layout->decimal, &number) ||
            number.fraction > 0 ||
            !store_whole(type, number.negative && number.digits > 0, number.digits, to))
            number_cell(part, type, column, &c, to);
    }
}

/* ---- words ------------------------------------------------------------------------------------
 */

/* A cell's text with its quotes closed up; NULL: no memory. */
static const char *closed_up(gb_csv_part *part, const cell *c, size_t *out_size)
{
    *out_size = c->size;
    if (c->span.size == c->size)
        return c->text;
    char *copy = gb_arena_alloc(part->arena, c->size);
    if (!copy) {
        part->status = GB_ERR_MEMORY;
        return NULL;
    }
    *out_size = gb_span_copy(part->block->text, c->span, copy);
    return copy;
}

static int32_t find_category(const gb_csv_stream *stream, const char *text, size_t size)
{
    uint64_t mask = (uint64_t)stream->table_size - 1;
    for (uint64_t slot = gb_csv_hash(text, size);; slot++) {
        int32_t number = stream->category_table[slot & mask];
        if (number == 0)
            return -1;
        const char *word = stream->categories[number - 1];
        if (strlen(word) == size && memcmp(word, text, size) == 0)
            return number - 1;
    }
}

static void read_categories(gb_csv_part *part,
                            const gb_csv_stream *stream,
                            gb_csv_column *column,
                            int64_t file_column,
                            unsigned char *to,
                            int64_t step)
{
    gb_value_type type = stream->spec.value_type;
    size_t bytes = gb_value_type_bytes(type);
    for (int64_t i = 0; i < part->taken_count; i++, to += (size_t)step * bytes) {
        cell c = cell_at(part, i, file_column);
        size_t size;
        const char *text = closed_up(part, &c, &size);
        int32_t number = text ? find_category(stream, text, size) : -1;
        if (number >= 0 && type == GB_VALUE_F64)
            memcpy(to, &(double){number}, sizeof(double));
        else if (number >= 0 && type == GB_VALUE_F32)
            memcpy(to, &(float){(float)number}, sizeof(float));
        else if (number >= 0)
            (void)store_whole(type, false, (uint64_t)number, to); /* fits: checked in the plan */
        if (number >= 0)
            continue;
        store_missing(type, to);
        if (is_named_missing(part, c.text, c.size) || gb_cell_is_missing(c.text, c.size))
            absent(part, column, &c);
        else
            wrong(part, column, &c, "one of the map's categories");
    }
}

static void read_text(gb_csv_part *part, gb_csv_column *column, int64_t file_column)
{
    for (int64_t i = 0; i < part->taken_count; i++) {
        cell c = cell_at(part, i, file_column);
        size_t size = 0;
        const char *text = closed_up(part, &c, &size);
        column->runs[c.row] = (const unsigned char *)(text ? text : "");
        column->run_sizes[c.row] = text ? size : 0;
        if (size > 0 && !is_named_missing(part, c.text, c.size) && gb_text_is_utf8(text, size))
            continue;
        column->run_sizes[c.row] = 0;
        if (size == 0 || is_named_missing(part, c.text, c.size))
            absent(part, column, &c);
        else
            wrong(part, column, &c, "text in UTF-8");
    }
}

void gb_csv_read_column(gb_csv_part *part, int number)
{
    const gb_csv_stream *stream = &part->plan->streams[number];
    gb_csv_column *column = &part->columns[number];
    gb_value_type type = stream->spec.value_type;
    int64_t size = gb_stream_spec_size(&stream->spec);
    for (int64_t slot = 0; slot < size; slot++) {
        int64_t from = stream->columns[slot];
        size_t skip = (size_t)(part->count * size + slot) * gb_value_type_bytes(type);
        unsigned char *to = column->values ? (unsigned char *)column->values + skip : NULL;
        if (stream->cells == GB_CSV_TEXT)
            read_text(part, column, from);
        else if (stream->cells == GB_CSV_CATEGORIES)
            read_categories(part, stream, column, from, to, size);
        else if (type == GB_VALUE_F64)
            read_doubles(part, column, from, (double *)column->values + part->count * size + slot,
                         size);
        else if (type == GB_VALUE_F32)
            read_floats(part, column, from, (float *)column->values + part->count * size + slot,
                        size);
        else
            read_whole(part, type, column, from, to, size);
    }
}
