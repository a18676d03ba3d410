/* Rows read one at a time, in pieces: memory is one row. Says nothing about what fields mean. */
#include "ingest/rows.h"

#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES ((size_t)1 << 16)

static gb_status too_long(const gb_rows *rows)
{
    return gb_fail(GB_ERR_PARSE,
                   "%s, row %lld: longer than %zu bytes without an end; is this a text file with "
                   "one record a line, and is every quote closed?",
                   rows->origin, (long long)rows->next_number, rows->limit);
}

static bool at_end(const gb_rows *rows)
{
    return rows->decoder.at == rows->input.size;
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
        return too_long(rows);
    size_t left = (size_t)(rows->input.size - rows->decoder.at);
    size_t piece = left < PIECE_BYTES ? left : PIECE_BYTES;
    size_t need = kept + piece * (rows->input.plain ? 1 : GB_DECODER_GROWTH) + GB_DECODER_EXTRA;
    if (need > rows->room) {
        size_t room = need > 2 * rows->room ? need : 2 * rows->room;
        char *grown = realloc(rows->buffer, room);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY,
                           "%s, row %lld: no memory for a row of more than %zu "
                           "bytes",
                           rows->origin, (long long)rows->next_number, rows->room);
        rows->buffer = grown;
        rows->room = room;
    }
    size_t got = 0;
    GB_TRY(gb_decoder_read(&rows->decoder, &rows->input, piece, rows->buffer + rows->end, &got));
    rows->end += got;
    return GB_OK;
}

gb_status gb_rows_open_input(gb_input *input, size_t limit, gb_rows *out, bool *out_mark)
{
    gb_rows rows = {.origin = input->origin,
                    .input = *input,
                    .limit = limit,
                    .next_number = 1,
                    .delimiter = ','};
    gb_status status = gb_decoder_open(input, &rows.decoder);
    if (status != GB_OK) {
        gb_input_close(input);
        return status;
    }
    *out = rows;
    *out_mark = input->first > 0;
    return GB_OK;
}

gb_status gb_rows_open_memory(
    const void *data, size_t size, const char *origin, size_t limit, gb_rows *out, bool *out_mark)
{
    gb_input input;
    GB_TRY(gb_input_open_memory(data, size, origin, NULL, &input));
    return gb_rows_open_input(&input, limit, out, out_mark);
}

gb_status gb_rows_open_file(const char *path, size_t limit, gb_rows *out, bool *out_mark)
{
    gb_input input;
    GB_TRY(gb_input_open_file(path, NULL, &input));
    return gb_rows_open_input(&input, limit, out, out_mark);
}

gb_status gb_rows_rewind(gb_rows *rows)
{
    rows->begin = rows->end = 0;
    rows->skipped = false;
    rows->next_number = 1;
    rows->decoder.at = rows->input.first;
    if (rows->decoder.transcoder)
        gb_transcoder_reset(rows->decoder.transcoder, rows->input.first);
    return GB_OK;
}

void gb_rows_close(gb_rows *rows)
{
    gb_decoder_close(&rows->decoder);
    gb_input_close(&rows->input);
    free(rows->buffer);
    free(rows->fields);
    free(rows->spans);
    rows->buffer = NULL;
    rows->fields = NULL;
    rows->spans = NULL;
}

static gb_cutting cutting_of(const gb_rows *rows)
{
    return (gb_cutting){
        .delimiter = rows->delimiter, .widths = rows->widths, .width_count = rows->width_count};
}

/* Finds [row, *out_end) of the next row, refilling as needed. */
static gb_status find_row(
    gb_rows *rows, const gb_cutting *cutting, size_t *out_end, int64_t *out_lines, bool *out_have)
{
    for (;;) {
        bool any = rows->begin < rows->end, open = false;
        size_t stop = rows->begin;
        *out_lines = 1;
        if (any) /* else there may be no buffer yet */
            stop = (size_t)(gb_row_end(cutting, rows->buffer + rows->begin,
                                       rows->buffer + rows->end, out_lines, &open) -
                            rows->buffer);
        if (stop < rows->end || at_end(rows)) {
            if (open)
                return gb_fail(GB_ERR_PARSE, "%s, row %lld: a quote is opened and never closed",
                               rows->origin, (long long)rows->next_number);
            *out_have = any;
            *out_end = stop;
            return stop - rows->begin > rows->limit ? too_long(rows) : GB_OK;
        }
        GB_TRY(fill(rows));
    }
}

/* Doubled quotes are closed up in place: the buffer is our own. */
static gb_status cut_row(gb_rows *rows, size_t begin, size_t end)
{
    const gb_cutting cutting = cutting_of(rows);
    int64_t count =
        gb_row_cut(&cutting, rows->buffer, begin, end, rows->spans, rows->field_room, &rows->fault);
    if (count > rows->field_room) {
        int64_t room = count > 16 ? 2 * count : 32;
        gb_field *fields = realloc(rows->fields, (size_t)room * sizeof *fields);
        if (fields)
            rows->fields = fields;
        gb_span *spans = realloc(rows->spans, (size_t)room * sizeof *spans);
        if (spans)
            rows->spans = spans;
        if (!fields || !spans)
            return gb_fail(GB_ERR_MEMORY, "%s, row %lld: no memory for %lld fields", rows->origin,
                           (long long)rows->number, (long long)count);
        rows->field_room = room;
        count = gb_row_cut(&cutting, rows->buffer, begin, end, spans, room, &rows->fault);
    }
    for (int64_t i = 0; i < count; i++) {
        char *text = rows->buffer + rows->spans[i].at;
        rows->fields[i] = (gb_field){text, rows->spans[i].size};
        if (rows->spans[i].size & GB_SPAN_DOUBLED)
            rows->fields[i].size = gb_span_copy(rows->buffer, rows->spans[i], text);
    }
    rows->field_count = count;
    return GB_OK;
}

static bool all_blank(const char *row, size_t size)
{
    size_t i = 0;
    while (i < size && (row[i] == ' ' || row[i] == '\t'))
        i++;
    return i == size;
}

/* The next row's end, and the place behind it. */
static gb_status
step(gb_rows *rows, const gb_cutting *cutting, size_t *out_begin, size_t *out_end, bool *out_have)
{
    size_t end = 0;
    int64_t lines = 1;
    GB_TRY(find_row(rows, cutting, &end, &lines, out_have));
    *out_begin = rows->begin;
    *out_end = end;
    rows->begin = end + (end < rows->end);
    rows->number = rows->next_number;
    rows->next_number += *out_have ? lines : 0;
    return GB_OK;
}

/* Lines before the header are lines, whatever quotes are in them. */
static gb_status skip_lines(gb_rows *rows)
{
    const gb_cutting lines = {.width_count = 1};
    bool have = true;
    for (int64_t i = 0; have && i < rows->skip_rows; i++) {
        size_t begin, end;
        GB_TRY(step(rows, &lines, &begin, &end, &have));
    }
    rows->skipped = true;
    return GB_OK;
}

gb_status gb_rows_next(gb_rows *rows, bool *out_have)
{
    if (!rows->skipped)
        GB_TRY(skip_lines(rows));
    const gb_cutting cutting = cutting_of(rows);
    for (;;) {
        size_t begin = 0, end = 0;
        bool have = false;
        GB_TRY(step(rows, &cutting, &begin, &end, &have));
        *out_have = have;
        if (!have)
            return GB_OK;
        if (end > begin && rows->buffer[end - 1] == '\r')
            end--;
        if (!all_blank(rows->buffer + begin, end - begin))
            return cut_row(rows, begin, end);
    }
}
