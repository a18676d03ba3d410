/* The driver of matrix multiplication, in plain C for all instruction sets: runs the parts that
 * gemm_plan.c cut, packs what they need and hands blocks to the kernels. No arithmetic here. */
#include "tensor/kernel/gemm_plan.h"

enum {
    PACK_PART_BYTES = 128 * 1024,
    REDUCE_PART_ROWS = 16
};

typedef struct gemm_run {
    const gb_gemm_kernel *kernel;
    const gb_gemm *g;
    gb_gemm_plan plan;
    int64_t stride_a, stride_b, stride_c;
    const char *b_packed; /* the caller's, or the shared part of scratch */
    char *b_target;       /* where the packing parts write */
    char *a_packed;       /* the shared part of scratch */
    float *slices;
    char *threads; /* per-thread scratch */
} gemm_run;

static size_t element_bytes(gb_dtype type)
{
    return type == GB_BF16 ? 2 : 4;
}

static const char *element_at(const void *base, gb_dtype type, int64_t at)
{
    return (const char *)base + at * (int64_t)element_bytes(type);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

const gb_gemm_kernel *gb_gemm_kernel_pick(const gb_gemm *g, gb_isa isa)
{
    switch (isa) {
    case GB_ISA_AMX:
        return g->bf16_compute ? &gb_gemm_amx : &gb_gemm_avx512;
    case GB_ISA_AVX512:
        return &gb_gemm_avx512;
    case GB_ISA_AVX2:
        return &gb_gemm_avx2;
    default:
        return NULL;
    }
}

/* ---- packing B ------------------------------------------------------------------------------- */

static int64_t panel_elements(const gb_gemm_kernel *kernel, const gb_gemm *g)
{
    bool bf16 = g->bf16_compute || g->b_type == GB_BF16;
    return (bf16 ? gb_round_up(g->k, kernel->k_multiple) : g->k) * kernel->nr;
}

static size_t panel_bytes(const gb_gemm_kernel *kernel, const gb_gemm *g)
{
    size_t element = g->bf16_compute || g->b_type == GB_BF16 ? 2 : 4;
    return (size_t)panel_elements(kernel, g) * element;
}

static int64_t panels_per_pack(const gb_gemm_kernel *kernel, const gb_gemm *g)
{
    int64_t panels = PACK_PART_BYTES / ((int64_t)panel_bytes(kernel, g) + 1);
    return panels < 1 ? 1 : panels;
}

/* What to pack of op(B): columns j.. and steps k.. of it. */
static gb_gemm_pack
b_pack(const gb_gemm *g, const void *b, int64_t j, int64_t columns, int64_t k, int64_t depth)
{
    int64_t outer = g->transpose_b ? g->ldb : 1, inner = g->transpose_b ? 1 : g->ldb;
    return (gb_gemm_pack){.source = element_at(b, g->b_type, j * outer + k * inner),
                          .type = g->b_type,
                          .outer = outer,
                          .inner = inner,
                          .count = columns,
                          .k = depth,
                          .bf16 = g->bf16_compute || g->b_type == GB_BF16};
}

static int64_t b_parts(const gb_gemm_kernel *kernel, const gb_gemm *g)
{
    return gb_divide_up(gb_divide_up(g->n, kernel->nr), panels_per_pack(kernel, g));
}

static void pack_b_part(void *context, int64_t part, int thread)
{
    const gemm_run *run = context;
    const gb_gemm *g = run->g;
    (void)thread;
    int64_t panels = panels_per_pack(run->kernel, g);
    int64_t j = part * panels * run->kernel->nr;
    gb_gemm_pack pack = b_pack(g, g->b, j, least(g->n - j, panels * run->kernel->nr), 0, g->k);
    run->kernel->pack_b(&pack,
                        run->b_target + part * panels * (int64_t)panel_bytes(run->kernel, g));
}

size_t gb_gemm_kernel_packed_b_bytes(const gb_gemm_kernel *kernel, const gb_gemm *g)
{
    if (kernel == NULL)
        return (size_t)(g->k * g->n) * sizeof(float);
    return (size_t)gb_divide_up(g->n, kernel->nr) * panel_bytes(kernel, g);
}

void gb_gemm_kernel_pack_b(const gb_gemm_kernel *kernel,
                           const gb_gemm *g,
                           void *packed,
                           gb_pool *pool)
{
    if (kernel == NULL) {
        gb_gemm_ref_pack_b(g, packed);
        return;
    }
    if (g->n == 0 || g->k == 0)
        return;
    gemm_run run = {.kernel = kernel, .g = g, .b_target = packed};
    gb_pool_run(pool, pack_b_part, &run, b_parts(kernel, g));
}

/* ---- packing A ---------------------------------------------------------------------------------
 */

/* Packs rows i.. and steps k.. of op(A). */
static void pack_a(const gemm_run *run,
                   const char *a,
                   int64_t i,
                   int64_t rows,
                   int64_t k,
                   int64_t depth,
                   char *packed)
{
    const gb_gemm *g = run->g;
    int64_t outer = g->transpose_a ? 1 : g->lda, inner = g->transpose_a ? g->lda : 1;
    gb_gemm_pack pack = {.source = element_at(a, g->a_type, i * outer + k * inner),
                         .type = g->a_type,
                         .outer = outer,
                         .inner = inner,
                         .count = rows,
                         .k = depth,
                         .rows = run->plan.rows,
                         .bf16 = g->bf16_compute};
    run->kernel->pack_a(&pack, packed);
}

/* Depth of a block in packed A. */
static int64_t packed_depth(const gb_gemm_kernel *kernel, int64_t depth)
{
    return kernel->a_rows > 0 ? gb_round_up(depth, 32) : depth;
}

/* Where row i of the block that starts at step k lies in a shared packed A: blocks of K one after
 * another, all groups of rows in each. */
static char *shared_a(const gemm_run *run, int64_t i, int64_t k, int64_t depth)
{
    int64_t rows = gb_round_up(run->g->m, run->plan.rows);
    int64_t at = k * rows + i * packed_depth(run->kernel, depth);
    return run->a_packed + at * (run->kernel->a_rows > 0 ? 2 : 4);
}

static void pack_a_part(const gemm_run *run, int64_t part)
{
    const gb_gemm_plan *plan = &run->plan;
    int64_t i = part % plan->parts_m * plan->mb, rest = part / plan->parts_m;
    int64_t slice = rest / plan->blocks_k, block = rest % plan->blocks_k;
    int64_t end = least((slice + 1) * plan->slice_k, run->g->k);
    int64_t k = slice * plan->slice_k + block * plan->kb, depth = least(plan->kb, end - k);
    if (depth > 0)
        pack_a(run, run->g->a, i, least(plan->mb, run->g->m - i), k, depth,
               shared_a(run, i, k, depth));
}

/* What is packed before the product: A's parts, then B's. */
static void pack_part(void *context, int64_t part, int thread)
{
    const gemm_run *run = context;
    if (part < run->plan.a_parts)
        pack_a_part(run, part);
    else
        pack_b_part(context, part - run->plan.a_parts, thread);
}

/* ---- one part: a tile of C over one slice of K --------------------------------------------------
 */

typedef struct gemm_tile {
    int64_t i, j, m, n;
    int64_t k, k_end; /* the slice */
    const char *a, *b;
    char *c;
    char *scratch; /* this thread's */
} gemm_tile;

static void set_a(const gemm_run *run, const gemm_tile *t, int64_t k, gb_gemm_block *block)
{
    const gb_gemm *g = run->g;
    const gb_gemm_plan *plan = &run->plan;
    const bool tiles = run->kernel->a_rows > 0;
    block->rows = plan->rows;
    if (plan->a_form == GB_GEMM_A_DIRECT) {
        int64_t outer = g->transpose_a ? 1 : g->lda, inner = g->transpose_a ? g->lda : 1;
        block->a = element_at(t->a, g->a_type, t->i * outer + k * inner);
        block->a_group = plan->rows * outer;
        block->a_row = outer;
        block->a_col = tiles ? 32 : inner;
        return;
    }
    if (plan->a_form == GB_GEMM_A_LOCAL)
        pack_a(run, t->a, t->i, t->m, k, block->k, t->scratch);
    block->a = plan->a_form == GB_GEMM_A_LOCAL ? t->scratch : shared_a(run, t->i, k, block->k);
    block->a_group = plan->rows * packed_depth(run->kernel, block->k);
    block->a_row = tiles ? 32 : 1;
    block->a_col = tiles ? 32 * plan->rows : plan->rows;
}

static void set_b(const gemm_run *run, const gemm_tile *t, int64_t k, gb_gemm_block *block)
{
    const gb_gemm *g = run->g;
    const gb_gemm_plan *plan = &run->plan;
    const int64_t nr = run->kernel->nr;
    block->b_bf16 = plan->b_bf16;
    block->b_row = nr;
    if (plan->b_form == GB_GEMM_B_DIRECT) {
        block->b = element_at(t->b, g->b_type, k * g->ldb + t->j);
        block->b_row = g->ldb;
        block->b_panel = nr;
    } else if (plan->b_form == GB_GEMM_B_LOCAL) {
        gb_gemm_pack pack = b_pack(g, t->b, t->j, t->n, k, block->k);
        block->b = t->scratch + plan->b_offset;
        run->kernel->pack_b(&pack, t->scratch + plan->b_offset);
        int64_t multiple = plan->b_bf16 ? run->kernel->k_multiple : 1;
        block->b_panel = gb_round_up(block->k, multiple) * nr;
    } else {
        block->b_panel = panel_elements(run->kernel, g);
        int64_t at = t->j / nr * block->b_panel + k * nr;
        block->b = run->b_packed + at * (plan->b_bf16 ? 2 : 4);
    }
}

static void set_c(const gemm_run *run, const gemm_tile *t, gb_gemm_block *block)
{
    const gb_gemm *g = run->g;
    block->c = t->c + (t->i * g->ldc + t->j) * (int64_t)element_bytes(g->c_type);
    block->ldc = g->ldc;
    block->c_type = g->c_type;
    block->alpha = g->alpha;
    block->beta = g->beta;
    block->bias = g->bias == NULL ? NULL : g->bias + t->j;
    block->activation = g->activation;
    block->plain = g->c_type == GB_F32 && g->alpha == 1.0f && g->beta == 0.0f && g->bias == NULL &&
                   g->activation == GB_ACT_NONE;
    if (g->c_type == GB_F32 && g->beta == 0.0f) {
        block->sums = (float *)block->c;
        block->ld_sums = g->ldc;
    } else {
        block->sums = (float *)(void *)(t->scratch + run->plan.sums_offset);
        block->ld_sums = run->plan.nb;
    }
}

/* Columns beyond the last full panel would be read past the end of B: they are packed. */
static void direct_block(const gemm_run *run, const gemm_tile *t, int64_t k, gb_gemm_block *block)
{
    int64_t full = block->n / run->kernel->nr * run->kernel->nr, rest = block->n - full;
    if (full > 0) {
        block->n = full;
        run->kernel->block(block);
    }
    if (rest == 0)
        return;
    gb_gemm_block tail = *block;
    gb_gemm_pack pack = b_pack(run->g, t->b, t->j + full, rest, k, block->k);
    run->kernel->pack_b(&pack, t->scratch + run->plan.b_offset);
    tail.n = rest;
    tail.b = t->scratch + run->plan.b_offset;
    tail.b_row = run->kernel->nr;
    tail.c = (char *)block->c + full * (int64_t)element_bytes(block->c_type);
    tail.sums = block->sums + full;
    tail.bias = block->bias == NULL ? NULL : block->bias + full;
    run->kernel->block(&tail);
}

static void dot_block(const gemm_run *run, const gemm_tile *t, gb_gemm_block *block)
{
    gb_gemm_dot dot = {.out = *block, .ldb = run->g->ldb};
    dot.out.b = element_at(t->b, run->g->b_type, t->j * run->g->ldb);
    dot.out.a_row = block->a_group; /* groups of one row */
    run->kernel->dot(&dot);
}

static void run_tile(const gemm_run *run, const gemm_tile *t, int64_t slice)
{
    const gb_gemm_plan *plan = &run->plan;
    int64_t k = t->k;
    do {
        gb_gemm_block block = {.m = t->m, .n = t->n, .k = least(plan->kb, t->k_end - k)};
        set_c(run, t, &block);
        block.first = k == t->k;
        block.last = k + block.k >= t->k_end;
        if (plan->slices > 1) {
            const gb_gemm *g = run->g;
            block.last = false;
            block.sums = run->slices + slice * g->m * g->n + t->i * g->n + t->j;
            block.ld_sums = g->n;
        }
        set_a(run, t, k, &block);
        if (plan->b_form == GB_GEMM_B_DOT) {
            dot_block(run, t, &block);
            return;
        }
        set_b(run, t, k, &block);
        if (plan->b_form == GB_GEMM_B_DIRECT)
            direct_block(run, t, k, &block);
        else
            run->kernel->block(&block);
        k += plan->kb;
    } while (k < t->k_end);
}

static void run_part(void *context, int64_t part, int thread)
{
    const gemm_run *run = context;
    const gb_gemm *g = run->g;
    const gb_gemm_plan *plan = &run->plan;
    int64_t slice = part % plan->slices, tile = part / plan->slices;
    int64_t column = tile % plan->parts_n, row = tile / plan->parts_n % plan->parts_m;
    int64_t item = tile / (plan->parts_n * plan->parts_m);
    gemm_tile t = {.i = row * plan->mb,
                   .j = column * plan->nb,
                   .k = slice * plan->slice_k,
                   .a = element_at(g->a, g->a_type, item * run->stride_a),
                   .c = (char *)g->c + item * run->stride_c * (int64_t)element_bytes(g->c_type),
                   .scratch = run->threads + (int64_t)plan->thread_bytes * thread};
    if (g->b_packed == NULL)
        t.b = element_at(g->b, g->b_type, item * run->stride_b);
    t.m = least(plan->mb, g->m - t.i);
    t.n = least(plan->nb, g->n - t.j);
    t.k_end = least(t.k + plan->slice_k, g->k);
    run_tile(run, &t, slice);
    if (run->kernel->end != NULL)
        run->kernel->end();
}

/* C = epilogue(sum of the slices, in their order). */
static void reduce_part(void *context, int64_t part, int thread)
{
    const gemm_run *run = context;
    const gb_gemm *g = run->g;
    (void)thread;
    gemm_tile t = {.i = part * REDUCE_PART_ROWS, .c = g->c};
    gb_gemm_block out = {.m = least(REDUCE_PART_ROWS, g->m - t.i), .n = g->n};
    set_c(run, &t, &out);
    out.sums = run->slices + t.i * g->n;
    out.ld_sums = g->n;
    run->kernel->reduce(&out, run->plan.slices, g->m * g->n);
}

/* ---- the reference ----------------------------------------------------------------------------
 */

static void ref_part(void *context, int64_t part, int thread)
{
    const gemm_run *run = context;
    (void)thread;
    gb_gemm g = *run->g;
    int64_t item = part / g.m, row = part % g.m;
    g.a = element_at(g.a, g.a_type, item * run->stride_a);
    if (g.b_packed == NULL)
        g.b = element_at(g.b, g.b_type, item * run->stride_b);
    g.c = (char *)g.c + item * run->stride_c * (int64_t)element_bytes(g.c_type);
    gb_gemm_ref_rows(&g, row, 1);
}

/* ---- the functions of gemm.h ---------------------------------------------------------------- */

size_t gb_gemm_kernel_scratch_bytes(const gb_gemm_kernel *kernel,
                                    const gb_gemm *g,
                                    int threads,
                                    int64_t batch)
{
    if (kernel == NULL || g->m == 0 || g->n == 0 || batch == 0)
        return 0;
    gb_gemm_plan plan;
    gb_gemm_plan_make(kernel, g, batch, &plan);
    return plan.shared_bytes + plan.thread_bytes * (size_t)threads;
}

void gb_gemm_kernel_run(const gb_gemm_kernel *kernel,
                        const gb_gemm *g,
                        int64_t batch,
                        int64_t stride_a,
                        int64_t stride_b,
                        int64_t stride_c,
                        void *scratch,
                        gb_pool *pool)
{
    gemm_run run = {.kernel = kernel,
                    .g = g,
                    .stride_a = stride_a,
                    .stride_b = stride_b,
                    .stride_c = stride_c,
                    .b_packed = g->b_packed};
    if (g->m == 0 || g->n == 0 || batch == 0)
        return;
    if (kernel == NULL) {
        gb_pool_run(pool, ref_part, &run, batch * g->m);
        return;
    }
    gb_gemm_plan_make(kernel, g, batch, &run.plan);
    run.a_packed = (char *)scratch + run.plan.shared_a_offset;
    run.b_target = scratch;
    int64_t pack_parts = run.plan.a_parts;
    if (run.plan.b_form == GB_GEMM_B_SHARED) {
        run.b_packed = scratch;
        pack_parts += b_parts(kernel, g);
    }
    if (pack_parts > 0 && g->k > 0)
        gb_pool_run(pool, pack_part, &run, pack_parts);
    run.slices = (float *)(void *)((char *)scratch + run.plan.slices_offset);
    run.threads = (char *)scratch + run.plan.shared_bytes;
    gb_pool_run(pool, run_part, &run,
                batch * run.plan.parts_m * run.plan.parts_n * run.plan.slices);
    if (run.plan.slices > 1)
        gb_pool_run(pool, reduce_part, &run, gb_divide_up(g->m, REDUCE_PART_ROWS));
}

static const gb_gemm_kernel *pick(const gb_gemm *g)
{
    return gb_gemm_kernel_pick(g, gb_cpu_get()->used);
}

size_t gb_gemm_packed_b_bytes(const gb_gemm *g)
{
    return gb_gemm_kernel_packed_b_bytes(pick(g), g);
}

void gb_gemm_pack_b(const gb_gemm *g, void *packed, gb_pool *pool)
{
    gb_gemm_kernel_pack_b(pick(g), g, packed, pool);
}

size_t gb_gemm_scratch_bytes(const gb_gemm *g, int threads, int64_t batch)
{
    size_t most = 0;
    for (int variant = 0; variant < 8; variant++) {
        gb_gemm v = *g;
        v.a_type = variant & 1 ? GB_BF16 : GB_F32;
        v.b_type = variant & 2 ? GB_BF16 : GB_F32;
        if (variant & 4)
            v.b_packed = g; /* any pointer: it is not followed */
        size_t bytes = gb_gemm_kernel_scratch_bytes(pick(&v), &v, threads, batch);
        most = bytes > most ? bytes : most;
    }
    return most;
}

void gb_gemm_run(const gb_gemm *g, void *scratch, gb_pool *pool)
{
    gb_gemm_kernel_run(pick(g), g, 1, 0, 0, 0, scratch, pool);
}

void gb_gemm_run_batched(const gb_gemm *g,
                         int64_t batch,
                         int64_t stride_a,
                         int64_t stride_b,
                         int64_t stride_c,
                         void *scratch,
                         gb_pool *pool)
{
    gb_gemm_kernel_run(pick(g), g, batch, stride_a, stride_b, stride_c, scratch, pool);
}
