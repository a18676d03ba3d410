/* Rows of delimited text (RFC 4180 quotes, LF or CRLF), read in pieces: memory is one row. Says
 * nothing about what fields mean (layout.c, csv.c do). */
#include "ingest/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES ((size_t)1 << 18)

static gb_status grow_buffer(gb_rows *rows, size_t room)
{
    char *grown = realloc(rows->buffer, room);
    if (!grown)
        return gb_fail(GB_ERR_MEMORY, "%s, row %lld: no memory for a row of more than %zu bytes",
                       rows->origin, (long long)rows->next_number, rows->room);
    rows->buffer = grown;
    rows->room = room;
    return GB_OK;
}

static gb_status read_piece(gb_rows *rows, size_t *out_got)
{
    char *to = rows->buffer + rows->end;
    size_t want = rows->room - rows->end;
    if (rows->file < 0) {
        size_t left = rows->memory_size - rows->memory_at;
        *out_got = want < left ? want : left;
        memcpy(to, rows->memory + rows->memory_at, *out_got);
        rows->memory_at += *out_got;
        return GB_OK;
    }
    for (;;) {
        ssize_t got = read(rows->file, to, want);
        if (got >= 0) {
            *out_got = (size_t)got;
            return GB_OK;
        }
        if (errno != EINTR)
            return gb_fail(GB_ERR_IO, "%s: reading failed: %s", rows->origin, strerror(errno));
    }
}

/* Gets more bytes behind the unread ones, which move to the front of the buffer. */
static gb_status fill(gb_rows *rows)
{
    size_t kept = rows->end - rows->begin;
    if (rows->begin > 0)
        memmove(rows->buffer, rows->buffer + rows->begin, kept);
    rows->begin = 0;
    rows->end = kept;
    if (kept > rows->limit)
        return gb_fail(GB_ERR_PARSE,
                       "%s, row %lld: longer than %zu bytes without an end; is this a text file "
                       "with one record a line, and is every quote closed?",
                       rows->origin, (long long)rows->next_number, rows->limit);
    if (rows->room - rows->end < PIECE_BYTES)
        GB_TRY(grow_buffer(rows, 2 * rows->room > PIECE_BYTES ? 2 * rows->room : 2 * PIECE_BYTES));
    size_t got = 0;
    GB_TRY(read_piece(rows, &got));
    rows->end += got;
    rows->bytes += (int64_t)got;
    rows->at_end = got == 0;
    return GB_OK;
}

/* Skips the mark; tells UTF-16 from its own. */
static gb_status start(gb_rows *rows, bool *out_mark)
{
    while (rows->end < 3 && !rows->at_end)
        GB_TRY(fill(rows));
    if (rows->end == 0)
        return gb_fail(GB_ERR_PARSE, "%s is empty: expected rows of text", rows->origin);
    const unsigned char *head = (const unsigned char *)rows->buffer;
    if (rows->end >= 2 &&
        ((head[0] == 0xFF && head[1] == 0xFE) || (head[0] == 0xFE && head[1] == 0xFF)))
        return gb_fail(GB_ERR_PARSE,
                       "%s is UTF-16: convert it first, as in  iconv -f UTF-16 -t UTF-8",
                       rows->origin);
    *out_mark = rows->end >= 3 && memcmp(head, "\xEF\xBB\xBF", 3) == 0;
    rows->begin = *out_mark ? 3 : 0;
    rows->next_number = 1;
    rows->number = 0;
    return GB_OK;
}

gb_status gb_rows_open_memory(
    const void *data, size_t size, const char *origin, size_t limit, gb_rows *out, bool *out_mark)
{
    gb_rows rows = {.origin = origin,
                    .file = -1,
                    .memory = data,
                    .memory_size = size,
                    .limit = limit,
                    .delimiter = ','};
    gb_status status = start(&rows, out_mark);
    if (status != GB_OK) {
        gb_rows_close(&rows);
        return status;
    }
    *out = rows;
    return GB_OK;
}

gb_status gb_rows_open_file(const char *path, size_t limit, gb_rows *out, bool *out_mark)
{
    gb_rows rows = {.origin = path, .limit = limit, .delimiter = ','};
    /* O_NONBLOCK: opening a pipe must not wait for a writer before it is refused. */
    rows.file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (rows.file < 0)
        return gb_fail(GB_ERR_IO, "cannot open %s: %s", path, strerror(errno));
    struct stat about;
    gb_status status = GB_OK;
    if (fstat(rows.file, &about) != 0)
        status = gb_fail(GB_ERR_IO, "cannot read %s: %s", path, strerror(errno));
    else if (!S_ISREG(about.st_mode))
        status = gb_fail(GB_ERR_IO, "%s is %s, expected a regular file", path,
                         S_ISDIR(about.st_mode) ? "a folder" : "a device or pipe");
    if (status == GB_OK)
        status = start(&rows, out_mark);
    if (status != GB_OK) {
        gb_rows_close(&rows);
        return status;
    }
    *out = rows;
    return GB_OK;
}

gb_status gb_rows_rewind(gb_rows *rows)
{
    if (rows->file >= 0 && lseek(rows->file, 0, SEEK_SET) != 0)
        return gb_fail(GB_ERR_IO, "%s: cannot go back to its start: %s", rows->origin,
                       strerror(errno));
    rows->memory_at = rows->begin = rows->end = 0;
    rows->bytes = 0;
    rows->at_end = false;
    bool mark;
    return start(rows, &mark);
}

void gb_rows_close(gb_rows *rows)
{
    if (rows->file >= 0)
        close(rows->file);
    free(rows->buffer);
    free(rows->fields);
    memset(rows, 0, sizeof *rows);
    rows->file = -1;
}

/* ---- where a row ends -------------------------------------------------------------------------
 */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The end of a row that has quotes: newlines between them do not count. Returns `end` when it is
 * not in sight; *lines counts the newlines passed. */
static const char *
quoted_row_end(const char *at, const char *end, char delimiter, int64_t *lines, bool *open)
{
    bool field_start = true, closed = false; /* closed: right behind a closing quote */
    *open = false;
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

/* Finds [row, *out_end) of the next row, refilling as needed. */
static gb_status find_row(gb_rows *rows, const char **out_end, int64_t *out_lines, bool *out_have)
{
    size_t searched = 0;
    *out_have = true;
    for (;;) {
        const char *row = rows->buffer + rows->begin, *end = rows->buffer + rows->end;
        const char *newline = memchr(row + searched, '\n', (size_t)(end - row) - searched);
        const char *stop = newline ? newline : end;
        *out_lines = 1;
        if (stop > row && memchr(row, '"', (size_t)(stop - row))) {
            bool open = false;
            stop = quoted_row_end(row, end, rows->delimiter, out_lines, &open);
            newline = stop < end ? stop : NULL;
            if (!newline && rows->at_end && open)
                return gb_fail(GB_ERR_PARSE, "%s, row %lld: a quote is opened and never closed",
                               rows->origin, (long long)rows->next_number);
        } else {
            searched = newline ? 0 : (size_t)(end - row);
        }
        if (newline || rows->at_end) {
            *out_end = stop;
            *out_have = newline || stop > row;
            if (*out_have && (size_t)(stop - row) > rows->limit)
                return gb_fail(GB_ERR_PARSE, "%s, row %lld: %zu bytes long, the limit is %zu",
                               rows->origin, (long long)rows->next_number, (size_t)(stop - row),
                               rows->limit);
            return GB_OK;
        }
        GB_TRY(fill(rows));
    }
}

/* ---- fields -----------------------------------------------------------------------------------
 */

static gb_status add_field(gb_rows *rows, const char *text, const char *end)
{
    while (text < end && is_blank(*text))
        text++;
    while (end > text && is_blank(end[-1]))
        end--;
    if (rows->field_count == rows->field_room) {
        int64_t room = rows->field_room ? 2 * rows->field_room : 32;
        gb_field *grown = realloc(rows->fields, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "%s, row %lld: no memory for more than %lld fields",
                           rows->origin, (long long)rows->number, (long long)rows->field_count);
        rows->fields = grown;
        rows->field_room = room;
    }
    rows->fields[rows->field_count++] = (gb_field){text, (size_t)(end - text)};
    return GB_OK;
}

static const char *field_end(const char *at, const char *end, char delimiter)
{
    if (delimiter == ' ') {
        while (at < end && !is_blank(*at))
            at++;
        return at;
    }
    const char *found = memchr(at, delimiter, (size_t)(end - at));
    return found ? found : end;
}

/* A field in quotes starting at `at`: closes up doubled quotes in place. Returns where the field
 * ends, a delimiter or `end`. */
static gb_status quoted_field(gb_rows *rows, char *at, char *end, char **out_next)
{
    char *from = at + 1, *to = at;
    for (; from < end; from++) {
        if (*from == '"') {
            if (from + 1 < end && from[1] == '"')
                from++;
            else
                break;
        }
        *to++ = *from;
    }
    char *next = from < end ? from + 1 : end;
    while (next < end && is_blank(*next) && *next != rows->delimiter)
        next++;
    bool ends = next == end || *next == rows->delimiter || rows->delimiter == ' ';
    if (!ends) {
        rows->fault = GB_ROW_AFTER_QUOTE;
        next = end;
    }
    *out_next = next;
    return add_field(rows, at, to);
}

static gb_status split(gb_rows *rows, char *row, char *end, bool quotes)
{
    char delimiter = rows->delimiter;
    char *at = row;
    rows->field_count = 0;
    for (;;) {
        char *start_of_field = at;
        if (delimiter == ' ' || quotes)
            while (at < end && is_blank(*at) && (delimiter == ' ' || *at != delimiter))
                at++;
        if (delimiter == ' ' && at == end)
            return GB_OK; /* trailing blanks are no field */
        if (quotes && at < end && *at == '"') {
            GB_TRY(quoted_field(rows, at, end, &at));
        } else {
            at = start_of_field + (field_end(at, end, delimiter) - start_of_field);
            GB_TRY(add_field(rows, start_of_field, at));
        }
        if (at == end)
            return GB_OK;
        if (delimiter != ' ')
            at++;
    }
}

static bool all_blank(const char *row, const char *end)
{
    while (row < end && is_blank(*row))
        row++;
    return row == end;
}

gb_status gb_rows_next(gb_rows *rows, bool *out_have)
{
    for (;;) {
        const char *stop = NULL;
        int64_t lines = 1;
        bool have = false;
        GB_TRY(find_row(rows, &stop, &lines, &have));
        *out_have = have;
        if (!have)
            return GB_OK;
        char *row = rows->buffer + rows->begin;
        char *end = row + (stop - row);
        bool newline = end < rows->buffer + rows->end;
        rows->begin = (size_t)(end - rows->buffer) + newline;
        rows->number = rows->next_number;
        rows->next_number += lines;
        if (end > row && end[-1] == '\r')
            end--;
        if (all_blank(row, end))
            continue;
        size_t size = (size_t)(end - row);
        rows->fault = memchr(row, 0, size) ? GB_ROW_NUL : GB_ROW_WHOLE;
        return split(rows, row, end, memchr(row, '"', size) != NULL);
    }
}
