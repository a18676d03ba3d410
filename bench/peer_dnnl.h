/* oneDNN's matmul as the peer of the gemm benchmark: weights in the layout it likes best, reordered
 * before the timing. Without oneDNN at build time nothing is created. */
#ifndef GENBA_BENCH_PEER_DNNL_H
#define GENBA_BENCH_PEER_DNNL_H

#include "genba/tensor.h"

typedef struct peer_matmul peer_matmul;

/* C[m,n] = A[m,k] B[k,n], all dense, of one type; NULL if this oneDNN cannot do it here. */
peer_matmul *
peer_matmul_create(int64_t m, int64_t n, int64_t k, gb_dtype type, void *a, void *b, void *c);
void peer_matmul_run(peer_matmul *peer);
void peer_matmul_destroy(peer_matmul *peer);
void peer_set_threads(int threads);

#endif
