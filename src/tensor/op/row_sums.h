/* op/row_sums.h: sums over the rows of a tensor (gradients of norm weights, losses) in parallel and
 * with one result for any number of threads: rows are cut into blocks by shape alone, every block
 * adds into its own partial sums, and the partial sums are added in order. */
#ifndef GENBA_OP_ROW_SUMS_H
#define GENBA_OP_ROW_SUMS_H

#include "tensor/graph.h"

/* Adds what rows [begin, end) contribute to sums[width]. */
typedef void (*gb_row_sums_fn)(const gb_run *run, int64_t begin, int64_t end, float *sums);

/* Scratch that gb_row_sums needs. row_elements: the work of one row. */
size_t gb_row_sums_bytes(int64_t rows, int64_t row_elements, int64_t width);
/* sums[width] = what all rows contribute. `sums` is written, not added to. */
void gb_row_sums(const gb_run *run,
                 int64_t rows,
                 int64_t row_elements,
                 int64_t width,
                 gb_row_sums_fn add,
                 float *sums);

#endif
