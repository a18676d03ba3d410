/* Cuts a product into parts and blocks, and says what is packed and where it lies in scratch.
 * Shapes in, numbers out; nothing is computed here. */
#include "tensor/kernel/gemm_plan.h"

enum {
    DIRECT_ROWS_MAX = 16, /* beyond this, packing B is cheaper than reading it as it lies */
    DOT_ROWS_MAX = 4,
    LOCAL_ROWS_MAX = 512,
    DIRECT_COLUMNS_MAX = 64,
    WIDE_ROWS_MAX = 3, /* so few rows take several panels at once */
    WIDE_PANELS = 4,
    TILE_PANELS = 2, /* smaller blocks than these reuse too little */
    TILE_GROUPS = 2,
    DIRECT_PANELS = 16, /* an unpacked B is read in long pieces of rows */
    DIRECT_DEPTH = 64,  /* rows of an unpacked B that stay in the first-level TLB */
    SMALL_DEPTH = 1024, /* of a block with too few rows to reuse B from cache */
    PARTS_WANTED_MAX = 32,
    SLICED_PARTS = 8, /* fewer tiles than this and a long K: cut K as well */
    SLICE_DEPTH_MIN = 512,
    PART_B_BYTES = 128 * 1024,
    CROWDED_BYTES = 2048,
    CROWDED_COLUMNS = 512
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static gb_gemm_b_form choose_b_form(const gb_gemm *g, int64_t batch)
{
    if (g->b_packed != NULL)
        return GB_GEMM_B_PREPACKED;
    bool plain = g->b_type == GB_F32 && !g->bf16_compute;
    if (plain && g->transpose_b && g->m <= DOT_ROWS_MAX)
        return GB_GEMM_B_DOT;
    if (plain && !g->transpose_b && g->m <= DIRECT_ROWS_MAX)
        return GB_GEMM_B_DIRECT;
    return batch > 1 ? GB_GEMM_B_LOCAL : GB_GEMM_B_SHARED;
}

/* How many parts are worth having: by arithmetic, or by reading B where there is little of it. */
static double
parts_wanted(const gb_gemm_kernel *kernel, const gb_gemm *g, int64_t batch, const gb_gemm_plan *p)
{
    double products = (double)g->n * (double)g->k * (double)batch;
    double by_flops = 2.0 * (double)g->m * products / kernel->part_flops;
    double by_bytes = products * (p->b_bf16 ? 2.0 : 4.0) / PART_B_BYTES;
    double wanted = by_flops > by_bytes ? by_flops : by_bytes;
    return wanted < PARTS_WANTED_MAX ? wanted : PARTS_WANTED_MAX;
}

/* Halves the block until there are enough parts to keep many threads evenly busy. */
static void
choose_blocks(const gb_gemm_kernel *kernel, const gb_gemm *g, int64_t batch, gb_gemm_plan *p)
{
    /* A part that packs its own B had better use it for many rows. */
    int64_t rows_most = p->b_form == GB_GEMM_B_LOCAL ? LOCAL_ROWS_MAX : kernel->mc;
    int64_t mb = least(gb_round_up(g->m, kernel->mr), gb_round_up(rows_most, kernel->mr));
    int64_t nb = least(gb_round_up(g->n, kernel->nr), kernel->nc);
    int64_t panels = g->m <= WIDE_ROWS_MAX ? WIDE_PANELS : TILE_PANELS;
    if (p->b_form == GB_GEMM_B_DIRECT)
        panels = DIRECT_PANELS;
    const int64_t nb_least = panels * kernel->nr, mb_least = TILE_GROUPS * kernel->mr;
    const double wanted = parts_wanted(kernel, g, batch, p);
    while ((double)(gb_divide_up(g->m, mb) * gb_divide_up(g->n, nb) * batch) < wanted) {
        if (nb / 2 >= nb_least && (nb > mb || mb / 2 < mb_least))
            nb = gb_round_up(nb / 2, kernel->nr);
        else if (mb / 2 >= mb_least)
            mb = gb_round_up(mb / 2, kernel->mr);
        else
            break;
    }
    p->parts_m = gb_divide_up(g->m, mb);
    p->parts_n = gb_divide_up(g->n, nb);
    p->mb = least(gb_round_up(gb_divide_up(g->m, p->parts_m), kernel->mr), g->m);
    p->nb = gb_round_up(gb_divide_up(g->n, p->parts_n), kernel->nr);
    p->parts_m = gb_divide_up(g->m, p->mb);
    p->parts_n = gb_divide_up(g->n, p->nb);
    int64_t groups = gb_divide_up(p->mb, kernel->mr);
    p->rows = kernel->a_rows > 0 ? kernel->a_rows : gb_divide_up(p->mb, groups);
    if (p->b_form == GB_GEMM_B_DOT)
        p->rows = 1;
    if (p->b_form == GB_GEMM_B_SHARED && p->parts_m * p->parts_n == 1)
        p->b_form = GB_GEMM_B_LOCAL;

    int64_t parts = p->parts_m * p->parts_n;
    p->slices = 1;
    if (batch == 1 && parts < SLICED_PARTS && (double)parts < wanted && p->b_form != GB_GEMM_B_DOT)
        p->slices = least(gb_divide_up(SLICED_PARTS, parts), g->k / SLICE_DEPTH_MIN);
    if (p->slices < 1)
        p->slices = 1;
    p->slice_k = p->slices == 1 ? g->k : gb_round_up(gb_divide_up(g->k, p->slices), 32);
    if (p->slices > 1)
        p->slices = gb_divide_up(g->k, p->slice_k);
}

static int64_t choose_depth(const gb_gemm_kernel *kernel, const gb_gemm_plan *p)
{
    int64_t depth = kernel->kc;
    if (p->b_form == GB_GEMM_B_DOT)
        return p->slice_k;
    if (p->b_form == GB_GEMM_B_DIRECT)
        depth = DIRECT_DEPTH;
    else if (p->mb <= kernel->mr && p->b_form != GB_GEMM_B_LOCAL)
        depth = SMALL_DEPTH;
    int64_t blocks = gb_divide_up(p->slice_k, depth);
    return blocks <= 1 ? p->slice_k : gb_round_up(gb_divide_up(p->slice_k, blocks), 32);
}

static gb_gemm_a_form
choose_a_form(const gb_gemm_kernel *kernel, const gb_gemm *g, int64_t batch, const gb_gemm_plan *p)
{
    bool direct = g->a_type == GB_F32 && !g->bf16_compute;
    if (kernel->a_rows > 0) {
        /* Rows 2 KiB apart share few sets of the first-level cache; long N pays for moving them. */
        bool crowded = g->lda * 2 % CROWDED_BYTES == 0 && g->n >= CROWDED_COLUMNS;
        direct = g->a_type == GB_BF16 && !g->transpose_a && g->k % 32 == 0 && !crowded;
    } else if (p->b_form == GB_GEMM_B_DOT)
        direct = direct && !g->transpose_a;
    else
        direct = direct && (!g->transpose_a || p->nb <= DIRECT_COLUMNS_MAX);
    if (direct)
        return GB_GEMM_A_DIRECT;
    return batch > 1 || p->parts_n == 1 ? GB_GEMM_A_LOCAL : GB_GEMM_A_SHARED;
}

static size_t lines(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static void place_scratch(const gb_gemm_kernel *kernel, const gb_gemm *g, gb_gemm_plan *p)
{
    size_t a_element = kernel->a_rows > 0 ? 2 : 4, b_element = p->b_bf16 ? 2 : 4;
    size_t depth = (size_t)gb_round_up(p->kb, 32);
    p->shared_bytes = 0;
    if (p->b_form == GB_GEMM_B_SHARED)
        p->shared_bytes = lines(gb_gemm_kernel_packed_b_bytes(kernel, g));
    p->shared_a_offset = p->shared_bytes;
    p->blocks_k = p->kb == 0 ? 1 : gb_divide_up(p->slice_k, p->kb);
    p->a_parts = 0;
    if (p->a_form == GB_GEMM_A_SHARED) {
        int64_t elements = gb_round_up(g->m, p->rows) * gb_round_up(g->k, 32);
        p->shared_bytes += lines((size_t)elements * a_element);
        p->a_parts = p->parts_m * p->slices * p->blocks_k;
    }
    p->slices_offset = p->shared_bytes;
    if (p->slices > 1)
        p->shared_bytes += lines((size_t)(p->slices * g->m * g->n) * sizeof(float));

    size_t a_bytes = 0, b_bytes = 0, sums_bytes = 0;
    if (p->a_form == GB_GEMM_A_LOCAL)
        a_bytes = (size_t)gb_round_up(p->mb, p->rows) * depth * a_element;
    if (p->b_form == GB_GEMM_B_LOCAL)
        b_bytes = (size_t)p->nb * depth * b_element;
    else if (p->b_form == GB_GEMM_B_DIRECT)
        b_bytes = (size_t)kernel->nr * depth * sizeof(float);
    if (p->slices == 1 && p->kb < g->k && (g->c_type != GB_F32 || g->beta != 0.0f))
        sums_bytes = (size_t)(p->mb * p->nb) * sizeof(float);
    p->b_offset = lines(a_bytes);
    p->sums_offset = p->b_offset + lines(b_bytes);
    p->thread_bytes = p->sums_offset + lines(sums_bytes);
}

void gb_gemm_plan_make(const gb_gemm_kernel *kernel,
                       const gb_gemm *g,
                       int64_t batch,
                       gb_gemm_plan *out)
{
    *out = (gb_gemm_plan){.b_form = choose_b_form(g, batch)};
    out->b_bf16 = g->bf16_compute || g->b_type == GB_BF16;
    choose_blocks(kernel, g, batch, out);
    out->kb = choose_depth(kernel, out);
    out->a_form = choose_a_form(kernel, g, batch, out);
    place_scratch(kernel, g, out);
}
