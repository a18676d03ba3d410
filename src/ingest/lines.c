/* Lines of a text file in any encoding. Says nothing about what they hold. */
#include "ingest/lines.h"

#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES ((size_t)1 << 16)

gb_status gb_lines_open(const gb_input *input, size_t limit, gb_lines *out)
{
    gb_lines lines = {.input = input, .limit = limit};
    GB_TRY(gb_decoder_open(input, &lines.decoder));
    *out = lines;
    return GB_OK;
}

void gb_lines_close(gb_lines *lines)
{
    gb_decoder_close(&lines->decoder);
    free(lines->buffer);
    lines->buffer = NULL;
}

/* Gets more text behind what is unread, which moves to the front. */
static gb_status fill(gb_lines *lines)
{
    size_t kept = lines->end - lines->begin;
    size_t most = PIECE_BYTES * GB_DECODER_GROWTH + GB_DECODER_EXTRA;
    if (kept > 0 && lines->begin > 0)
        memmove(lines->buffer, lines->buffer + lines->begin, kept);
    lines->begin = 0;
    lines->end = kept;
    if (lines->room < kept + most) {
        size_t room = 2 * (kept + most);
        char *grown = realloc(lines->buffer, room);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "%s, line %lld: no memory for it", lines->input->origin,
                           (long long)lines->number + 1);
        lines->buffer = grown;
        lines->room = room;
    }
    int64_t left = lines->input->size - lines->decoder.at;
    size_t size = left < (int64_t)PIECE_BYTES ? (size_t)left : PIECE_BYTES, got = 0;
    GB_TRY(gb_decoder_read(&lines->decoder, lines->input, size, lines->buffer + kept, &got));
    lines->end += got;
    return GB_OK;
}

gb_status gb_lines_next(gb_lines *lines, const char **out_text, size_t *out_size)
{
    size_t searched = 0;
    for (;;) {
        const char *at = lines->buffer ? lines->buffer + lines->begin : NULL;
        size_t unread = lines->end - lines->begin;
        const char *newline =
            unread > searched ? memchr(at + searched, '\n', unread - searched) : NULL;
        bool last = !newline && lines->decoder.at >= lines->input->size;
        size_t size = newline ? (size_t)(newline - at) : unread;
        if (size > lines->limit)
            return gb_fail(GB_ERR_PARSE, "%s, line %lld: longer than %zu bytes",
                           lines->input->origin, (long long)lines->number + 1, lines->limit);
        if (newline || (last && unread > 0)) {
            lines->begin += size + (newline != NULL);
            lines->number++;
            *out_text = at;
            *out_size = size > 0 && at[size - 1] == '\r' ? size - 1 : size;
            return GB_OK;
        }
        if (last) {
            *out_text = NULL;
            *out_size = 0;
            return GB_OK;
        }
        searched = unread;
        GB_TRY(fill(lines));
    }
}
