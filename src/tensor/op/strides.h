/* op/strides.h: how two operands are walked when they broadcast: neighbouring axes that both walk
 * alike are joined, so that most cases become a few long rows. */
#ifndef GENBA_TENSOR_OP_STRIDES_H
#define GENBA_TENSOR_OP_STRIDES_H

#include "tensor/graph.h"

typedef struct gb_strides {
    int64_t rows, inner;      /* rows x inner = elements of the result */
    int64_t inner_a, inner_b; /* 1: walks with the row, 0: one number for the whole row */
    int rank;                 /* of the outer axes */
    int64_t dim[GB_RANK_MAX], a[GB_RANK_MAX], b[GB_RANK_MAX];
} gb_strides;

/* NumPy's joint shape of two operands; false if they do not fit. */
bool gb_shape_broadcast(const gb_shape *a, const gb_shape *b, gb_shape *out);
gb_strides gb_strides_of(const gb_shape *out, const gb_shape *a, const gb_shape *b);
/* Offsets of both operands at the start of a row. */
static inline void gb_strides_row(const gb_strides *s, int64_t row, int64_t *at_a, int64_t *at_b)
{
    *at_a = *at_b = 0;
    for (int i = s->rank - 1; i >= 0; i--) {
        int64_t index = row % s->dim[i];
        row /= s->dim[i];
        *at_a += index * s->a[i];
        *at_b += index * s->b[i];
    }
}

#endif
