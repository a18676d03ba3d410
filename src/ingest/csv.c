/* A table from the first block to the last: blocks are parsed side by side while the next ones are
 * read, and handed on in order, so that results do not depend on the number of threads. What
 * columns mean is decided in csv_map.c and guess.c. */
#include "ingest/csv.h"

#include "ingest/csv_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)1 << 20)
#define WAVE_MAX 32 /* blocks at a time */

/* Blocks of which one wave is parsed while the other is read. */
typedef struct wave {
    gb_block blocks[WAVE_MAX];
    int count;
} wave;

typedef struct reading {
    gb_csv_out out;
    gb_blocks blocks;
    gb_pool *pool;
    int width; /* blocks of a wave */
    wave waves[2];
    gb_csv_part parts[WAVE_MAX];
    wave *parsed, *fetched;
    int64_t rows_left; /* of row_limit; 0: all */
} reading;

/* ---- what the pool does -----------------------------------------------------------------------
 */

static void work(void *context, int64_t part, int thread)
{
    reading *r = context;
    (void)thread;
    if (part < r->parsed->count) {
        gb_csv_part_parse(&r->parts[part], &r->parsed->blocks[part], r->rows_left);
        return;
    }
    int64_t fetch = part - r->parsed->count;
    if (r->blocks.input->plain)
        gb_blocks_fetch(&r->blocks, &r->fetched->blocks[fetch]);
    else
        for (int i = 0; i < r->fetched->count; i++)
            gb_blocks_fetch(&r->blocks, &r->fetched->blocks[i]);
}

/* Parses the wave that is there and reads the next. */
static void parse_and_fetch(reading *r)
{
    r->fetched->count = gb_blocks_plan(&r->blocks, r->fetched->blocks, r->width);
    int fetches = r->blocks.input->plain ? r->fetched->count : r->fetched->count > 0;
    if (r->parsed->count + fetches > 0)
        gb_pool_run(r->pool, work, r, r->parsed->count + fetches);
}

/* ---- in order ---------------------------------------------------------------------------------
 */

static gb_status block_fault(const reading *r, const gb_block *block)
{
    const char *origin = r->blocks.input->origin;
    long long row = r->out.line + 1;
    switch (block->fault) {
    case GB_BLOCK_UNREAD:
        return gb_fail(block->status, "%s", block->message);
    case GB_BLOCK_LONG_ROW:
        return gb_fail(GB_ERR_PARSE,
                       "%s, row %lld: longer than %zu bytes without an end; is this a text file "
                       "with one record a line, and is every quote closed?",
                       origin, row, r->blocks.limit);
    case GB_BLOCK_OPEN_QUOTE:
        return gb_fail(GB_ERR_PARSE, "%s, row %lld: a quote is opened and never closed", origin,
                       row);
    default:
        return GB_OK;
    }
}

/* Hands on one block, and whatever is due behind it. */
static gb_status deliver(reading *r, const gb_block *block, gb_csv_part *part, bool *out_done)
{
    r->out.line += block->skipped_lines;
    GB_TRY(gb_csv_out_part(&r->out, block, part));
    GB_TRY(block_fault(r, block));
    if (r->rows_left > 0) {
        r->rows_left -= part->rows_read;
        *out_done = r->rows_left == 0;
    }
    if (*out_done || block->ends_file)
        return GB_OK;
    if (block->ends_segment)
        GB_TRY(gb_csv_out_segment(&r->out, block));
    return gb_csv_out_progress(&r->out, block);
}

static gb_status read_waves(reading *r)
{
    bool done = false;
    gb_status status = GB_OK;
    parse_and_fetch(r);
    while (status == GB_OK && !done && r->fetched->count > 0) {
        for (int i = 0; i < r->fetched->count; i++) {
            gb_blocks_cut(&r->blocks, &r->fetched->blocks[i]);
            if (r->fetched->blocks[i].fault != GB_BLOCK_WHOLE)
                r->fetched->count = i + 1;
        }
        wave *parsed = r->parsed;
        r->parsed = r->fetched;
        r->fetched = parsed;
        parse_and_fetch(r);
        for (int i = 0; status == GB_OK && !done && i < r->parsed->count; i++)
            status = deliver(r, &r->parsed->blocks[i], &r->parts[i], &done);
    }
    return status;
}

/* ---- begin and end ----------------------------------------------------------------------------
 */

static gb_status prepare(reading *r, const gb_csv_plan *plan, const gb_source *source)
{
    const gb_ingest_options *options = source->options;
    const gb_input *input = r->blocks.input;
    int threads = options->pool ? gb_pool_threads(options->pool) : 1;
    r->pool = options->pool;
    r->width = threads == 1 ? 1 : 2 * threads < WAVE_MAX ? 2 * threads : WAVE_MAX;
    if (plan->row_limit > 0) { /* how many are left is known only when all before are parsed */
        r->width = 1;
        r->rows_left = plan->row_limit;
    }
    r->blocks.cutting = plan->cutting;
    r->blocks.limit = options->line_limit_bytes;
    r->blocks.segment_bytes = options->segment_bytes;
    r->blocks.piece_bytes = BLOCK_BYTES;
    r->parsed = &r->waves[0];
    r->fetched = &r->waves[1];
    GB_TRY(gb_csv_out_open(&r->out, plan, input, source));
    if (r->out.resume_at == 0) {
        r->blocks.skip_lines = plan->skip_rows;
        r->blocks.skip_header = plan->layout->header;
    }
    for (int i = 0; i < r->width; i++)
        GB_TRY(gb_csv_part_create(plan, r->blocks.limit, input->size, source->watch->reject != NULL,
                                  &r->parts[i]));
    return gb_blocks_open(input, r->out.resume_at, &r->blocks);
}

gb_status gb_csv_read(const gb_csv_plan *plan, const gb_input *input, const gb_source *source)
{
    reading *r = calloc(1, sizeof *r);
    if (!r)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to read it", input->origin);
    r->blocks.input = input;
    gb_status status = prepare(r, plan, source);
    if (status == GB_OK)
        status = read_waves(r);
    status = gb_csv_out_close(&r->out, status);
    gb_blocks_close(&r->blocks);
    for (int i = 0; i < WAVE_MAX; i++) {
        gb_csv_part_destroy(&r->parts[i]);
        gb_block_free(&r->waves[0].blocks[i]);
        gb_block_free(&r->waves[1].blocks[i]);
    }
    free(r);
    return status;
}
