/* Sums over rows in parallel with a fixed order; see row_sums.h. Sums over axes of a tensor as an
 * operation of their own are reduce.c. */
#include "tensor/op/row_sums.h"

#include <string.h>

enum {
    BLOCKS_MOST = 64, /* bounds scratch and the serial part */
    BLOCK_ELEMENTS = 16384
};

typedef struct header {
    int64_t rows, block_rows, blocks, width;
    gb_row_sums_fn add;
    float *sums;
    int64_t unused[2];
    float partial[]; /* [blocks, width] */
} header;

static header header_of(int64_t rows, int64_t row_elements, int64_t width)
{
    int64_t elements = row_elements > 0 ? row_elements : 1;
    int64_t block = (rows + BLOCKS_MOST - 1) / BLOCKS_MOST, least = BLOCK_ELEMENTS / elements;
    block = block > least ? block : least;
    block = block > 0 ? block : 1;
    return (header){rows, block, (rows + block - 1) / block, width, NULL, NULL, {0}};
}

size_t gb_row_sums_bytes(int64_t rows, int64_t row_elements, int64_t width)
{
    header h = header_of(rows, row_elements, width);
    return sizeof(header) + (size_t)(h.blocks * width) * sizeof(float);
}

static void sum_blocks(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    header *h = run->scratch;
    for (int64_t block = begin; block < end; block++) {
        int64_t first = block * h->block_rows, after = first + h->block_rows;
        float *sums = h->partial + block * h->width;
        memset(sums, 0, (size_t)h->width * sizeof(float));
        h->add(run, first, after < h->rows ? after : h->rows, sums);
    }
}

static void sum_partials(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const header *h = run->scratch;
    memset(h->sums + begin, 0, (size_t)(end - begin) * sizeof(float));
    for (int64_t block = 0; block < h->blocks; block++)
        run->kernels->axpy(end - begin, 1, h->partial + block * h->width + begin, h->sums + begin);
}

void gb_row_sums(const gb_run *run,
                 int64_t rows,
                 int64_t row_elements,
                 int64_t width,
                 gb_row_sums_fn add,
                 float *sums)
{
    header *h = run->scratch;
    *h = header_of(rows, row_elements, width);
    h->add = add;
    h->sums = sums;
    gb_run_ranges(run, h->blocks, h->block_rows * (row_elements > 0 ? row_elements : 1),
                  sum_blocks);
    gb_run_ranges(run, width, h->blocks, sum_partials);
}
