/* op/matmul.h: the attribute slots of a matrix product, for matmul.c and the fusion in plan.c. */
#ifndef GENBA_TENSOR_OP_MATMUL_H
#define GENBA_TENSOR_OP_MATMUL_H

#include "tensor/graph.h"
#include "tensor/kernel/gemm.h"

enum {
    GB_MATMUL_TRANSPOSE_A,
    GB_MATMUL_TRANSPOSE_B,
    GB_MATMUL_BF16,
    GB_MATMUL_ACTIVATION
};

/* The epilogue that computes a unary operation, false if there is none. */
bool gb_activation_of_unary(gb_unary kind, gb_activation *out);

#endif
