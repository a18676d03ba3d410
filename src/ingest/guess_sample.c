/* Takes a file's beginning into memory and finds the table in it: below how many lines of titles,
 * with or without a row of units. What its columns mean is guess_column.c and guess_time.c. */
#include "ingest/guess_sample.h"

#include "ingest/guess_unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TITLE_LINES_MAX 60
#define LOOK_ROWS 200

/* ---- bytes to UTF-8 ---------------------------------------------------------------------------
 */

gb_status gb_sample_decode(
    const void *bytes, size_t size, bool whole, const char *origin, gb_arena *arena, gb_sample *out)
{
    gb_sample sample = {.whole = whole};
    if (size == 0)
        return gb_fail(GB_ERR_PARSE, "%s is empty: expected rows of text", origin);
    GB_TRY(gb_encoding_find(bytes, size, whole, &sample.encoding));
    const char *at = (const char *)bytes + sample.encoding.mark_bytes;
    size_t left = size - sample.encoding.mark_bytes;
    sample.text = at;
    sample.size = left;
    if (strcmp(sample.encoding.name, "utf-8") != 0) {
        gb_transcoder *transcoder = NULL;
        size_t room = 3 * left + 64, used = 0;
        char *text = gb_arena_alloc(arena, room);
        if (!text)
            return GB_ERR_MEMORY;
        GB_TRY(gb_transcoder_create(sample.encoding.name, &transcoder));
        gb_status status =
            gb_transcoder_feed(transcoder, at, left, &used, text, room, &sample.size);
        gb_transcoder_destroy(transcoder);
        GB_TRY(status);
        sample.text = text;
    }
    while (!whole && sample.size > 0 && sample.text[sample.size - 1] != '\n')
        sample.size--;
    if (sample.size == 0)
        return gb_fail(GB_ERR_PARSE, "%s: %s; expected rows of text", origin,
                       whole ? "a byte order mark and nothing else"
                             : "no end of a line in its first 32 MiB");
    *out = sample;
    return GB_OK;
}

static gb_status read_head(int file, const char *path, char *bytes, size_t room, size_t *out_size)
{
    size_t size = 0;
    while (size < room) {
        ssize_t got = read(file, bytes + size, room - size);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return gb_fail(GB_ERR_IO, "%s: reading failed: %s", path, strerror(errno));
        size += got > 0 ? (size_t)got : 0;
    }
    *out_size = size;
    return GB_OK;
}

gb_status gb_sample_read(const char *path, gb_arena *arena, gb_sample *out)
{
    /* O_NONBLOCK: opening a pipe must not wait for a writer before it is refused. */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return gb_fail(GB_ERR_IO, "cannot open %s: %s", path, strerror(errno));
    struct stat about;
    gb_status status = GB_OK;
    char *bytes = NULL;
    size_t size = 0, room = 0;
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode))
        status = gb_fail(GB_ERR_IO, "%s is not a regular file", path);
    if (status == GB_OK) {
        size_t file_size = about.st_size > 0 ? (size_t)about.st_size : 0;
        room = file_size < GB_GUESS_SAMPLE_BYTES ? file_size + 1 : GB_GUESS_SAMPLE_BYTES;
        bytes = gb_arena_alloc(arena, room);
        status = bytes ? read_head(file, path, bytes, room, &size) : GB_ERR_MEMORY;
    }
    close(file);
    GB_TRY(status);
    return gb_sample_decode(bytes, size, size < room, path, arena, out);
}

/* ---- where the table begins -------------------------------------------------------------------
 */

/* The lines above the first of the rows that all have the usual number of fields. */
typedef struct beginning {
    int64_t lines;
    size_t offset; /* in the sample */
} beginning;

static gb_status
open_at(const gb_sample *sample, size_t offset, const char *origin, size_t limit, gb_rows *out)
{
    gb_input input;
    bool mark;
    GB_TRY(gb_input_open_memory(sample->text + offset, sample->size - offset, origin, "utf-8",
                                &input));
    return gb_rows_open_input(&input, limit, out, &mark);
}

static size_t offset_of_line(const gb_sample *sample, int64_t lines)
{
    const char *at = sample->text, *end = at + sample->size;
    for (int64_t i = 0; i < lines && at < end; i++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        at = newline ? newline + 1 : end;
    }
    return (size_t)(at - sample->text);
}

/* With this delimiter: the rows' usual number of fields, and the first line from which on (nearly)
 * all rows have it. false when there is no such table of two columns or more. */
static bool find_beginning(
    const gb_sample *sample, char delimiter, const char *origin, size_t limit, beginning *out)
{
    int64_t fields[LOOK_ROWS], lines[LOOK_ROWS], count = 0;
    gb_rows rows;
    bool have = true;
    if (open_at(sample, 0, origin, limit, &rows) != GB_OK)
        return false;
    rows.delimiter = delimiter;
    while (count < LOOK_ROWS && gb_rows_next(&rows, &have) == GB_OK && have) {
        fields[count] = rows.field_count;
        lines[count++] = rows.number;
    }
    gb_rows_close(&rows);
    /* the last rows are the table's if anything is */
    int64_t usual = count > 0 ? fields[count - 1] : 0, first = count;
    for (int64_t i = count; i-- > 0 && fields[i] == usual;)
        first = i;
    if (usual < 2 || count - first < 3 || first == count)
        return false;
    out->lines = lines[first] - 1;
    out->offset = offset_of_line(sample, out->lines);
    return out->lines <= TITLE_LINES_MAX;
}

static gb_status try_at(const gb_sample *sample,
                        const beginning *begin,
                        char delimiter,
                        const char *origin,
                        size_t limit,
                        gb_arena *arena,
                        gb_table *out)
{
    gb_layout_hints hints = {.delimiter = delimiter, .names_extra_ignored = true};
    gb_table table = {.sample = *sample, .skip_rows = begin->lines};
    GB_TRY(open_at(sample, begin->offset, origin, limit, &table.rows));
    gb_status status = gb_layout_find(&table.rows, &hints, arena, &table.layout);
    if (status != GB_OK) {
        gb_rows_close(&table.rows);
        return status;
    }
    *out = table;
    return GB_OK;
}

/* Share of the cells that are numbers, times or nothing. */
static double typed_share(const gb_layout *layout)
{
    int64_t all = 0, texts = 0;
    for (int64_t c = 0; c < layout->column_count; c++) {
        for (int k = 0; k < GB_CELL_KIND_COUNT; k++)
            all += layout->columns[c].counts[k];
        texts += layout->columns[c].counts[GB_CELL_TEXT];
    }
    return all > 0 ? 1 - (double)texts / (double)all : 0;
}

/* Has the first row as many fields as a header of this layout may have? */
static bool begins_well(gb_table *table)
{
    bool have = false;
    bool well = gb_rows_rewind(&table->rows) == GB_OK &&
                gb_rows_next(&table->rows, &have) == GB_OK && have &&
                table->rows.field_count >= table->layout.column_count;
    return gb_rows_rewind(&table->rows) == GB_OK && well;
}

static gb_status find_table(
    const gb_sample *sample, const char *origin, size_t limit, gb_arena *arena, gb_table *out)
{
    static const char delimiters[] = {',', ';', '\t', '|', ' '};
    beginning top = {0};
    gb_status plain = try_at(sample, &top, 0, origin, limit, arena, out);
    if (plain == GB_OK && out->layout.column_count > 1 && begins_well(out))
        return GB_OK;
    double best = -1;
    for (size_t i = 0; i < sizeof delimiters; i++) {
        beginning begin;
        gb_table table;
        if (!find_beginning(sample, delimiters[i], origin, limit, &begin) || begin.lines == 0 ||
            try_at(sample, &begin, delimiters[i], origin, limit, arena, &table) != GB_OK)
            continue;
        double share = typed_share(&table.layout);
        if (share <= best) {
            gb_rows_close(&table.rows);
            continue;
        }
        best = share;
        if (plain == GB_OK)
            gb_rows_close(&out->rows);
        *out = table;
        plain = GB_OK;
    }
    if (plain != GB_OK) /* say again what was wrong at the top */
        plain = try_at(sample, &top, 0, origin, limit, arena, out);
    return plain;
}

/* ---- a row of units below the header ----------------------------------------------------------
 */

static bool looks_like_unit(const gb_field *field, char out[GB_GUESS_UNIT_TEXT])
{
    size_t size = field->size;
    const char *text = field->text;
    if (size >= 2 && (*text == '[' || *text == '(')) {
        text++;
        size -= 2;
    }
    if (size == 0 || size >= GB_GUESS_UNIT_TEXT)
        return false;
    memcpy(out, text, size);
    out[size] = 0;
    return strcmp(out, "1") != 0 && gb_guess_unit_known(out);
}

/* Every field is a unit or empty, and at least half of them are units. */
static gb_status find_units_row(gb_arena *arena, gb_table *table)
{
    int64_t columns = table->layout.column_count, units = 0;
    bool have = false;
    GB_TRY(gb_rows_rewind(&table->rows));
    GB_TRY(gb_rows_next(&table->rows, &have));
    GB_TRY(gb_rows_next(&table->rows, &have));
    if (!table->layout.header || !have || table->rows.field_count != columns || columns < 2)
        return GB_OK;
    const char **found = gb_arena_alloc(arena, (size_t)columns * sizeof *found);
    if (!found)
        return GB_ERR_MEMORY;
    for (int64_t c = 0; c < columns; c++) {
        const gb_field *field = &table->rows.fields[c];
        char text[GB_GUESS_UNIT_TEXT];
        if (gb_cell_is_missing(field->text, field->size))
            continue;
        bool known = looks_like_unit(field, text);
        bool first = c == 0; /* "yyyy-mm-dd" or "Date" below a time column is fine */
        if (!known && !first)
            return GB_OK;
        found[c] = known ? gb_arena_text(arena, text) : NULL;
        units += known;
    }
    if (2 * units < columns - 1 || units == 0)
        return GB_OK;
    table->units = found;
    table->units_row = 1;
    table->names_apart = true;
    return GB_OK;
}

gb_status gb_table_open(const gb_sample *sample,
                        const char *origin,
                        size_t line_limit_bytes,
                        gb_arena *arena,
                        gb_table *out)
{
    gb_table table;
    GB_TRY(find_table(sample, origin, line_limit_bytes, arena, &table));
    gb_status status = find_units_row(arena, &table);
    if (status == GB_OK)
        status = gb_rows_rewind(&table.rows);
    if (status != GB_OK) {
        gb_table_close(&table);
        return status;
    }
    *out = table;
    return GB_OK;
}

gb_status gb_table_open_known(const gb_sample *sample,
                              const char *origin,
                              size_t line_limit_bytes,
                              gb_arena *arena,
                              gb_table *out)
{
    gb_layout_hints hints = {.delimiter = ',', .decimal = '.', .header = GB_HEADER_YES};
    gb_table table = {.sample = *sample};
    GB_TRY(open_at(sample, 0, origin, line_limit_bytes, &table.rows));
    gb_status status = gb_layout_find(&table.rows, &hints, arena, &table.layout);
    if (status != GB_OK) {
        gb_table_close(&table);
        return status;
    }
    *out = table;
    return GB_OK;
}

gb_status gb_table_start(gb_table *table)
{
    bool have = true;
    GB_TRY(gb_rows_rewind(&table->rows));
    for (int64_t i = 0; i < table->layout.header + table->units_row && have; i++)
        GB_TRY(gb_rows_next(&table->rows, &have));
    return GB_OK;
}

void gb_table_close(gb_table *table)
{
    gb_rows_close(&table->rows);
}
