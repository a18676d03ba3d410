/* The driver of integer matrix multiplication: cuts C into parts by shape, packs A's rows for each
 * part and runs the kernel over all of k. */
#include "tensor/kernel/gemm_i8.h"

#include <string.h>

enum {
    BLOCK_ROWS = 96,
    BLOCK_COLUMNS = 512,
    PARTS_WANTED_MAX = 32
};
static const double PART_OPERATIONS = 4e6;

typedef struct i8_run {
    const gb_gemm_i8_kernel *kernel;
    const gb_gemm_i8 *g;
    int64_t mb, nb, parts_n;
    char *scratch;
    size_t thread_bytes;
} i8_run;

static int64_t round_up(int64_t value, int64_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

const gb_gemm_i8_kernel *gb_gemm_i8_kernel_pick(gb_isa isa)
{
    switch (isa) {
    case GB_ISA_AMX:
        return &gb_gemm_i8_amx;
    case GB_ISA_AVX512:
        return &gb_gemm_i8_avx512;
    case GB_ISA_AVX2:
        return &gb_gemm_i8_avx2;
    default:
        return &gb_gemm_i8_ref;
    }
}

size_t gb_gemm_i8_kernel_packed_b_bytes(const gb_gemm_i8_kernel *kernel, int64_t n, int64_t k)
{
    return (size_t)(round_up(n, kernel->nr) * round_up(k, kernel->k_multiple));
}

void gb_gemm_i8_kernel_pack_b(const gb_gemm_i8_kernel *kernel,
                              int64_t n,
                              int64_t k,
                              bool transpose,
                              const int8_t *b,
                              int64_t ldb,
                              void *packed)
{
    const int64_t nr = kernel->nr, depth = kernel->depth;
    const int64_t padded = round_up(k, kernel->k_multiple);
    int8_t *to = packed;
    memset(to, 0, gb_gemm_i8_kernel_packed_b_bytes(kernel, n, k));
    for (int64_t j = 0; j < n; j++) {
        int8_t *panel = to + j / nr * padded * nr + j % nr * depth;
        for (int64_t s = 0; s < k; s++)
            panel[s / depth * nr * depth + s % depth] = transpose ? b[j * ldb + s] : b[s * ldb + j];
    }
}

/* The largest block, halved until there are enough parts. */
static void cut(const gb_gemm_i8_kernel *kernel, const gb_gemm_i8 *g, i8_run *out)
{
    int64_t mb = round_up(least(g->m, BLOCK_ROWS), kernel->mr);
    int64_t nb = round_up(least(g->n, BLOCK_COLUMNS), kernel->nr);
    double wanted = 2.0 * (double)g->m * (double)g->n * (double)g->k / PART_OPERATIONS;
    if (wanted > PARTS_WANTED_MAX)
        wanted = PARTS_WANTED_MAX;
    while ((double)((g->m + mb - 1) / mb * ((g->n + nb - 1) / nb)) < wanted) {
        if (nb > kernel->nr && (nb > mb || mb <= kernel->mr))
            nb = round_up(nb / 2, kernel->nr);
        else if (mb > kernel->mr)
            mb = round_up(mb / 2, kernel->mr);
        else
            break;
    }
    out->mb = mb;
    out->nb = nb;
    out->parts_n = (g->n + nb - 1) / nb;
    int64_t bytes = mb * round_up(g->k, kernel->k_multiple) * kernel->a_bytes;
    out->thread_bytes = (size_t)round_up(bytes, 64);
}

static void run_part(void *context, int64_t part, int thread)
{
    const i8_run *run = context;
    const gb_gemm_i8 *g = run->g;
    const int64_t padded = round_up(g->k, run->kernel->k_multiple);
    int64_t i = part / run->parts_n * run->mb, j = part % run->parts_n * run->nb;
    char *a = run->scratch + (int64_t)run->thread_bytes * thread;
    gb_gemm_i8_block block = {.m = least(run->mb, g->m - i),
                              .n = least(run->nb, g->n - j),
                              .k = g->k,
                              .a = a,
                              .b = (const char *)g->b_packed + j * padded,
                              .b_panel = padded * run->kernel->nr,
                              .c = g->c + i * g->ldc + j,
                              .ldc = g->ldc};
    run->kernel->pack_a(g, i, block.m, a);
    run->kernel->block(&block);
}

size_t
gb_gemm_i8_kernel_scratch_bytes(const gb_gemm_i8_kernel *kernel, const gb_gemm_i8 *g, int threads)
{
    i8_run run;
    cut(kernel, g, &run);
    return run.thread_bytes * (size_t)threads;
}

void gb_gemm_i8_kernel_run(const gb_gemm_i8_kernel *kernel,
                           const gb_gemm_i8 *g,
                           void *scratch,
                           gb_pool *pool)
{
    if (g->m == 0 || g->n == 0)
        return;
    i8_run run = {.kernel = kernel, .g = g, .scratch = scratch};
    cut(kernel, g, &run);
    gb_pool_run(pool, run_part, &run, (g->m + run.mb - 1) / run.mb * run.parts_n);
}

static const gb_gemm_i8_kernel *pick(void)
{
    return gb_gemm_i8_kernel_pick(gb_cpu_get()->used);
}

size_t gb_gemm_i8_packed_b_bytes(int64_t n, int64_t k)
{
    return gb_gemm_i8_kernel_packed_b_bytes(pick(), n, k);
}

void gb_gemm_i8_pack_b(
    int64_t n, int64_t k, bool transpose, const int8_t *b, int64_t ldb, void *packed)
{
    gb_gemm_i8_kernel_pack_b(pick(), n, k, transpose, b, ldb, packed);
}

size_t gb_gemm_i8_scratch_bytes(const gb_gemm_i8 *g, int threads)
{
    return gb_gemm_i8_kernel_scratch_bytes(pick(), g, threads);
}

void gb_gemm_i8_run(const gb_gemm_i8 *g, void *scratch, gb_pool *pool)
{
    gb_gemm_i8_kernel_run(pick(), g, scratch, pool);
}
