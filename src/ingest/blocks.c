/* Cuts a text file into blocks that end at row ends. Reading and looking for quotes can be done by
 * many threads; only finding the last row end of each block, a few bytes, goes in order. */
#include "ingest/blocks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARGIN ((size_t)64)            /* readable before and behind the text */
#define CARRY_ROOM ((size_t)64 * 1024) /* for the row that began in the block before */

gb_status gb_blocks_open(const gb_input *input, int64_t resume_at, gb_blocks *out)
{
    out->input = input;
    out->planned_to = input->first;
    out->text_to = input->plain ? input->first : 0;
    if (resume_at > 0) {
        out->text_to = resume_at;
        out->planned_to = input->plain ? resume_at : input->first;
        out->discard = input->plain ? 0 : resume_at;
    }
    return input->plain ? GB_OK : gb_decoder_open(input, &out->decoder);
}

void gb_blocks_close(gb_blocks *blocks)
{
    gb_decoder_close(&blocks->decoder);
}

void gb_block_free(gb_block *block)
{
    free(block->memory);
    memset(block, 0, sizeof *block);
}

static int64_t next_multiple(int64_t at, int64_t of)
{
    return at / of > INT64_MAX / of - 1 ? INT64_MAX : (at / of + 1) * of;
}

int gb_blocks_plan(gb_blocks *blocks, gb_block *block, int count)
{
    int64_t size = blocks->input->size;
    int planned = 0;
    for (; planned < count && blocks->planned_to < size; planned++) {
        int64_t at = blocks->planned_to;
        int64_t to = next_multiple(at, (int64_t)blocks->piece_bytes);
        int64_t segment_end = next_multiple(at, blocks->segment_bytes);
        to = to < segment_end ? to : segment_end;
        to = to < size ? to : size;
        gb_block *b = &block[planned];
        b->piece_at = at;
        b->piece_bytes = (size_t)(to - at);
        b->ends_segment = to == segment_end;
        b->ends_file = to == size;
        blocks->planned_to = to;
    }
    return planned;
}

/* Moves the piece `from` bytes into new memory with room for `piece` bytes. */
static gb_status make_room(gb_block *block, size_t from, size_t piece)
{
    size_t room = from + piece + 2 * MARGIN;
    char *memory = malloc(room);
    if (!memory)
        return gb_fail(GB_ERR_MEMORY, "no memory for a block of %zu bytes", room);
    memset(memory, 0, MARGIN);
    if (block->piece_size > 0)
        memcpy(memory + from, block->memory + block->piece_from, block->piece_size);
    free(block->memory);
    block->memory = memory;
    block->room = room;
    block->piece_from = from;
    return GB_OK;
}

static gb_status read_piece(gb_blocks *blocks, gb_block *block)
{
    const gb_input *input = blocks->input;
    size_t carry = (size_t)input->size < CARRY_ROOM ? (size_t)input->size : CARRY_ROOM;
    size_t most = block->piece_bytes;
    if (!input->plain)
        most = most * GB_DECODER_GROWTH + GB_DECODER_EXTRA;
    block->piece_size = 0;
    if (block->room < MARGIN + carry + most + 2 * MARGIN)
        GB_TRY(make_room(block, MARGIN + carry, most));
    block->piece_from = MARGIN + carry;
    char *to = block->memory + block->piece_from;
    if (input->plain) {
        GB_TRY(gb_input_read(input, block->piece_at, to, block->piece_bytes));
        block->piece_size = block->piece_bytes;
        return GB_OK;
    }
    size_t got = 0;
    GB_TRY(gb_decoder_read(&blocks->decoder, input, block->piece_bytes, to, &got));
    size_t passed = (int64_t)got < blocks->discard ? got : (size_t)blocks->discard;
    blocks->discard -= (int64_t)passed;
    block->piece_from += passed;
    block->piece_size = got - passed;
    return GB_OK;
}

void gb_blocks_fetch(gb_blocks *blocks, gb_block *block)
{
    block->fault = GB_BLOCK_WHOLE;
    block->status = read_piece(blocks, block);
    if (block->status != GB_OK) {
        block->fault = GB_BLOCK_UNREAD;
        snprintf(block->message, sizeof block->message, "%s", gb_error_message());
        return;
    }
    block->quotes = blocks->cutting.width_count == 0 && !blocks->cutting.paths &&
                    memchr(block->memory + block->piece_from, '"', block->piece_size) != NULL;
}

/* ---- cutting ----------------------------------------------------------------------------------
 */

/* Puts the carried bytes in front of the piece. */
static gb_status join(gb_blocks *blocks, gb_block *block)
{
    size_t carry = blocks->carry_size;
    if (carry + MARGIN > block->piece_from)
        GB_TRY(make_room(block, MARGIN + carry, block->piece_size));
    block->text = block->memory + block->piece_from - carry;
    block->size = carry + block->piece_size;
    if (carry > 0) {
        block->quotes =
            block->quotes || (blocks->cutting.width_count == 0 && !blocks->cutting.paths &&
                              memchr(blocks->carry, '"', carry) != NULL);
        memcpy(block->text, blocks->carry, carry);
    }
    return GB_OK;
}

/* Passes over the lines before the first row; false when they do not end in this block. */
static bool skip_beginning(gb_blocks *blocks, gb_block *block)
{
    const gb_cutting line = {.width_count = 1};
    const char *end = block->text + block->size;
    while (blocks->skip_lines > 0 || blocks->skip_header) {
        bool is_header = blocks->skip_lines == 0, open = false;
        int64_t lines = 1;
        const char *stop = block->text;
        if (stop < end)
            stop = gb_row_end(is_header ? &blocks->cutting : &line, stop, end, &lines, &open);
        if (stop == end)
            return false;
        bool blank = true;
        for (const char *at = block->text; at < stop; at++)
            blank = blank && (*at == ' ' || *at == '\t' || *at == '\r');
        if (!is_header)
            blocks->skip_lines--;
        else if (!blank)
            blocks->skip_header = false;
        block->skipped_lines += lines;
        block->text = block->memory + (stop + 1 - block->memory);
        block->size = (size_t)(end - block->text);
    }
    return true;
}

/* Bytes of whole rows at the beginning of the block. */
static size_t whole_rows(const gb_blocks *blocks, const gb_block *block, bool *open)
{
    const char *at = block->text, *end = at + block->size;
    *open = false;
    if (!block->quotes) {
        const char *newline = block->size ? memrchr(at, '\n', block->size) : NULL;
        return newline ? (size_t)(newline + 1 - at) : 0;
    }
    while (at < end) {
        int64_t lines = 1;
        const char *stop = gb_row_end(&blocks->cutting, at, end, &lines, open);
        if (stop == end)
            break;
        at = stop + 1;
    }
    return (size_t)(at - block->text);
}

void gb_blocks_cut(gb_blocks *blocks, gb_block *block)
{
    block->skipped_lines = 0;
    if (block->fault != GB_BLOCK_WHOLE) {
        block->size = 0;
        return;
    }
    block->status = join(blocks, block);
    if (block->status != GB_OK) {
        snprintf(block->message, sizeof block->message, "%s", gb_error_message());
        block->fault = GB_BLOCK_UNREAD;
        block->size = 0;
        return;
    }
    const char *begin = block->text;
    size_t all = block->size, rows = 0;
    bool open = false;
    if (block->ends_file && all > 0 && block->text[all - 1] != '\n')
        block->text[block->size++] = '\n'; /* the margin has room for it */
    if (skip_beginning(blocks, block))
        rows = whole_rows(blocks, block, &open);
    size_t left = block->size - rows;
    blocks->carry = block->text + rows;
    blocks->carry_size = left;
    if (left > blocks->limit || (block->ends_file && open))
        block->fault = open && block->ends_file ? GB_BLOCK_OPEN_QUOTE : GB_BLOCK_LONG_ROW;
    block->size = rows;
    size_t taken = (size_t)(block->text - begin) + rows;
    blocks->text_to += (int64_t)(taken < all ? taken : all);
    block->text_to = blocks->text_to;
    /* A row of decoded text may have begun anywhere in the piece; 0 would say "nothing at all". */
    block->source_to = block->piece_at > 0 ? block->piece_at : 1;
    if (blocks->input->plain)
        block->source_to = block->text_to;
    if (block->ends_file)
        block->source_to = blocks->input->size;
}
