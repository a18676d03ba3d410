/* Private to ingest: a text file in blocks of whole rows, so that many threads can parse it. */
#ifndef GENBA_INGEST_BLOCKS_H
#define GENBA_INGEST_BLOCKS_H

#include "ingest/fields.h"
#include "ingest/input.h"

typedef enum gb_block_fault {
    GB_BLOCK_WHOLE,
    GB_BLOCK_UNREAD,    /* status and message say why */
    GB_BLOCK_LONG_ROW,  /* the row behind the block's text is longer than the limit */
    GB_BLOCK_OPEN_QUOTE /* in the row behind the block's text a quote is never closed */
} gb_block_fault;

/* One block. Its memory is used again for later blocks. */
typedef struct gb_block {
    /* the piece of the source it ends in */
    int64_t piece_at;
    size_t piece_bytes;
    bool ends_segment, ends_file;
    /* the text of that piece, behind room for the row that began before it */
    char *memory;
    size_t room, piece_from, piece_size;
    bool quotes;
    gb_block_fault fault;
    gb_status status; /* of fetching */
    char message[256];
    /* whole rows, each with its newline; 64 bytes before and behind may be read */
    char *text;
    size_t size;
    int64_t skipped_lines; /* before the header, and the header: no rows, but lines */
    int64_t text_to;       /* where in the file's text the block ends */
    int64_t source_to;     /* so many bytes of the source are certainly behind us */
} gb_block;

/* Where a piece is cut depends on the file and these sizes alone, never on threads or on where
 * reading was taken up again: a segment ends with the last row that ends in its bytes of the
 * source. */
typedef struct gb_blocks {
    const gb_input *input;
    gb_cutting cutting;
    size_t limit, piece_bytes;
    int64_t segment_bytes;
    int64_t skip_lines; /* still to be skipped before the first row */
    bool skip_header;
    int64_t planned_to; /* the source's first byte without a piece */
    gb_decoder decoder;
    int64_t discard;   /* text handed out before, to be passed over once decoded again */
    const char *carry; /* the beginning of a row, in the memory of the last block */
    size_t carry_size;
    int64_t text_to;
} gb_blocks;

/* Begins at the start of the text, or at resume_at of an earlier gb_block.text_to. The input and
 * cutting are borrowed. */
GB_MUST gb_status gb_blocks_open(const gb_input *input, int64_t resume_at, gb_blocks *out);
void gb_blocks_close(gb_blocks *blocks);

/* 1. Gives each block its piece; returns how many got one. */
int gb_blocks_plan(gb_blocks *blocks, gb_block *block, int count);
/* 2. Reads a block's piece. Plain input: any number of blocks at once, in any order; else one after
 * the other (gb_input.plain). */
void gb_blocks_fetch(gb_blocks *blocks, gb_block *block);
/* 3. In order: makes the block whole rows. It may have none. The block before it must keep its
 * memory until then. Nothing can be read behind a block with a fault. */
void gb_blocks_cut(gb_blocks *blocks, gb_block *block);

void gb_block_free(gb_block *block);

#endif
