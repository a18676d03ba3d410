/* Rows and fields of delimited text (RFC 4180 quotes, LF or CRLF) and of fixed-width text. Plain
 * rows, which are nearly all, are found 64 bytes at a time; rows with quotes go one by one. */
#include "ingest/fields.h"

#include "ingest/json_cells.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* ---- where a row ends -------------------------------------------------------------------------
 */

static const char *
quoted_row_end(const char *at, const char *end, char delimiter, int64_t *lines, bool *open)
{
    bool field_start = true, closed = false; /* closed: right behind a closing quote */
    for (; at < end; at++) {
        if (*open) {
            closed = *at == '"';
            *open = !closed;
            *lines += *at == '\n';
            field_start = false;
        } else if (*at == '\n') {
            return at;
        } else if (*at == '"' && (field_start || closed)) {
            *open = true; /* "" inside closes and opens again */
        } else {
            closed = false;
            field_start = *at == delimiter || (delimiter == ' ' && *at == '\t') ||
                          (field_start && is_blank(*at));
        }
    }
    return end;
}

const char *
gb_row_end(const gb_cutting *cutting, const char *row, const char *end, int64_t *lines, bool *open)
{
    const char *newline = memchr(row, '\n', (size_t)(end - row));
    const char *stop = newline ? newline : end;
    *open = false;
    if (cutting->width_count > 0 || cutting->paths || stop == row ||
        !memchr(row, '"', (size_t)(stop - row)))
        return stop;
    return quoted_row_end(row, end, cutting->delimiter, lines, open);
}

/* ---- one row, character by character ----------------------------------------------------------
 */

static gb_span trimmed(const char *text, size_t begin, size_t end)
{
    while (begin < end && is_blank(text[begin]))
        begin++;
    while (end > begin && is_blank(text[end - 1]))
        end--;
    return (gb_span){(uint32_t)begin, (uint32_t)(end - begin)};
}

/* Returns where the field in quotes at `at` ends: a delimiter or `end`. */
static size_t quoted_field(
    const char *text, size_t at, size_t end, char delimiter, gb_span *out, gb_row_fault *fault)
{
    size_t from = at + 1;
    uint32_t doubled = 0;
    for (; from < end; from++) {
        if (text[from] != '"')
            continue;
        if (from + 1 == end || text[from + 1] != '"')
            break;
        doubled = GB_SPAN_DOUBLED;
        from++;
    }
    *out = trimmed(text, at + 1, from < end ? from : end);
    out->size |= doubled;
    size_t next = from < end ? from + 1 : end;
    while (next < end && is_blank(text[next]) && text[next] != delimiter)
        next++;
    if (next == end || text[next] == delimiter || delimiter == ' ')
        return next;
    *fault = GB_ROW_AFTER_QUOTE;
    return end;
}

static size_t plain_field_end(const char *text, size_t at, size_t end, char delimiter)
{
    if (delimiter != ' ') {
        const char *found = memchr(text + at, delimiter, end - at);
        return found ? (size_t)(found - text) : end;
    }
    while (at < end && !is_blank(text[at]))
        at++;
    return at;
}

static int64_t cut_delimited(char delimiter,
                             const char *text,
                             size_t at,
                             size_t end,
                             gb_span *spans,
                             int64_t room,
                             gb_row_fault *fault)
{
    int64_t count = 0;
    for (;;) {
        size_t begin = at;
        while (at < end && is_blank(text[at]) && (delimiter == ' ' || text[at] != delimiter))
            at++;
        if (delimiter == ' ' && at == end)
            return count; /* trailing blanks are no field */
        gb_span span;
        if (at < end && text[at] == '"') {
            at = quoted_field(text, at, end, delimiter, &span, fault);
        } else {
            at = plain_field_end(text, at, end, delimiter);
            span = trimmed(text, begin, at);
        }
        if (count < room)
            spans[count] = span;
        count++;
        if (at == end)
            return count;
        at += delimiter != ' ';
    }
}

static size_t skip_characters(const char *text, size_t at, size_t end, int64_t characters)
{
    for (; at < end && characters > 0; characters--) {
        at++;
        while (at < end && ((unsigned char)text[at] & 0xC0) == 0x80)
            at++;
    }
    return at;
}

static int64_t cut_fixed(const gb_cutting *cutting,
                         const char *text,
                         size_t at,
                         size_t end,
                         gb_span *spans,
                         int64_t room,
                         gb_row_fault *fault)
{
    for (int64_t c = 0; c < cutting->width_count; c++) {
        size_t stop = skip_characters(text, at, end, cutting->widths[c]);
        if (c < room)
            spans[c] = trimmed(text, at, stop);
        at = stop;
    }
    if (trimmed(text, at, end).size > 0)
        *fault = GB_ROW_TOO_WIDE;
    return cutting->width_count;
}

/* All values or none. `room` is the number of paths, or 0 to count only. */
static int64_t cut_json(const gb_cutting *cutting,
                        const char *text,
                        size_t begin,
                        size_t end,
                        gb_span *spans,
                        int64_t room,
                        gb_row_fault *fault)
{
    uint32_t at;
    int64_t count = gb_json_paths_count(cutting->paths);
    if (room >= count &&
        !gb_json_cut(cutting->paths, text, (uint32_t)begin, (uint32_t)end, spans, &at))
        *fault = GB_ROW_NOT_JSON;
    return count;
}

int64_t gb_row_cut(const gb_cutting *cutting,
                   const char *text,
                   size_t begin,
                   size_t end,
                   gb_span *spans,
                   int64_t room,
                   gb_row_fault *fault)
{
    *fault = memchr(text + begin, 0, end - begin) ? GB_ROW_NUL : GB_ROW_WHOLE;
    if (cutting->paths)
        return cut_json(cutting, text, begin, end, spans, room, fault);
    if (cutting->width_count > 0)
        return cut_fixed(cutting, text, begin, end, spans, room, fault);
    return cut_delimited(cutting->delimiter, text, begin, end, spans, room, fault);
}

size_t gb_span_copy(const char *text, gb_span span, char *to)
{
    size_t size = GB_SPAN_SIZE(span), written = 0;
    const char *from = text + span.at;
    if (span.size & GB_SPAN_ESCAPED)
        return gb_json_unescape(from, size, to);
    for (size_t i = 0; i < size; i++) {
        to[written++] = from[i];
        if ((span.size & GB_SPAN_DOUBLED) && from[i] == '"' && i + 1 < size && from[i + 1] == '"')
            i++;
    }
    return written;
}

/* ---- many rows --------------------------------------------------------------------------------
 */

static bool all_blank(const char *text, size_t begin, size_t end)
{
    while (begin < end && is_blank(text[begin]))
        begin++;
    return begin == end;
}

/* The row at cutter->at with everything a row may have. */
static void cut_slowly(gb_cutter *cutter, gb_cut_row *row, gb_span *spans)
{
    const char *text = cutter->text, *end = text + cutter->size;
    int64_t lines = 1;
    bool open = false;
    size_t begin = cutter->at;
    const char *stop = gb_row_end(&cutter->cutting, text + begin, end, &lines, &open);
    size_t row_end = (size_t)(stop - text);
    cutter->at = row_end + (stop < end);
    row->line = cutter->line;
    cutter->line += (uint32_t)lines;
    if (row_end > begin && text[row_end - 1] == '\r')
        row_end--;
    row->begin = (uint32_t)begin;
    row->end = (uint32_t)row_end;
    int64_t fields =
        gb_row_cut(&cutter->cutting, text, begin, row_end, spans, cutter->columns, &row->fault);
    row->fields = fields < INT32_MAX ? (int32_t)fields : INT32_MAX;
}

static int64_t
next_slowly(gb_cutter *cutter, gb_cut_row *rows, gb_span *spans, int64_t count, int64_t most)
{
    while (count < most && cutter->at < cutter->size) {
        cut_slowly(cutter, &rows[count], spans + count * cutter->columns);
        count += !all_blank(cutter->text, rows[count].begin, rows[count].end);
    }
    return count;
}

#ifdef __SSE2__

/* One bit for each of 64 bytes that ends a field, or that asks for cut_slowly. */
static inline uint64_t find_marks(const char *at, __m128i delimiter)
{
    const __m128i newline = _mm_set1_epi8('\n'), quote = _mm_set1_epi8('"');
    uint64_t marks = 0;
    for (int i = 0; i < 4; i++) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(at + 16 * i));
        __m128i ends =
            _mm_or_si128(_mm_cmpeq_epi8(bytes, delimiter), _mm_cmpeq_epi8(bytes, newline));
        __m128i odd =
            _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, _mm_setzero_si128()));
        marks |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_or_si128(ends, odd)) << (16 * i);
    }
    return marks;
}

static inline gb_span field_span(const char *text, size_t begin, size_t end)
{
    if (begin < end && (is_blank(text[begin]) || is_blank(text[end - 1])))
        return trimmed(text, begin, end);
    return (gb_span){(uint32_t)begin, (uint32_t)(end - begin)};
}

int64_t gb_cutter_next(gb_cutter *cutter, gb_cut_row *rows, gb_span *spans, int64_t most)
{
    if (cutter->cutting.width_count > 0 || cutter->cutting.paths ||
        cutter->cutting.delimiter == ' ')
        return next_slowly(cutter, rows, spans, 0, most);
    const char *text = cutter->text, delimiter = cutter->cutting.delimiter;
    const __m128i wanted = _mm_set1_epi8(delimiter);
    int64_t count = 0, columns = cutter->columns, field = 0;
    size_t row = cutter->at, begin = row, chunk = row;
    gb_span *to = spans;
    uint64_t marks = row < cutter->size ? find_marks(text + chunk, wanted) : 0;
    while (count < most && row < cutter->size) {
        while (marks == 0)
            marks = find_marks(text + (chunk += 64), wanted);
        size_t at = chunk + (size_t)__builtin_ctzll(marks);
        marks &= marks - 1;
        if (text[at] == delimiter) {
            if (field < columns)
                to[field] = field_span(text, begin, at);
            field++;
            begin = at + 1;
            continue;
        }
        if (text[at] != '\n') { /* a quote or a NUL */
            cutter->at = row;
            count = next_slowly(cutter, rows, spans, count, count + 1);
            row = begin = chunk = cutter->at;
            marks = row < cutter->size ? find_marks(text + chunk, wanted) : 0;
        } else {
            size_t end = at > begin && text[at - 1] == '\r' ? at - 1 : at;
            if (field < columns)
                to[field] = field_span(text, begin, end);
            gb_cut_row *made = &rows[count];
            *made = (gb_cut_row){.begin = (uint32_t)row,
                                 .end = (uint32_t)end,
                                 .line = cutter->line++,
                                 .fields = field < INT32_MAX ? (int32_t)field + 1 : INT32_MAX};
            bool blank = (field == 0 || delimiter == '\t') && all_blank(text, row, end);
            count += !blank;
            row = begin = at + 1;
        }
        field = 0;
        to = spans + count * columns;
    }
    cutter->at = row;
    return count;
}

#else

int64_t gb_cutter_next(gb_cutter *cutter, gb_cut_row *rows, gb_span *spans, int64_t most)
{
    return next_slowly(cutter, rows, spans, 0, most);
}

#endif
