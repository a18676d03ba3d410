/* Matrix products against oneDNN: same process, interleaved, weights prepacked on both sides; the
 * ratio is the median of the ratios of neighbouring runs, so that slow drifts of the machine
 * cancel. */
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "bench.h"
#include "peak.h"
#include "peer_dnnl.h"
#include "tensor/kernel/gemm_kernel.h"

enum {
    ROUNDS_MAX = 25,
    REST_US = 10000 /* OpenMP's threads spin for milliseconds */
};
static const double ROUND_NS = 4e6;

static const struct {
    int64_t m, n, k;
    bool scored; /* counts towards the geometric mean */
} shapes[] = {
    {2048, 2048, 2048, true},  {1024, 512, 512, true},   {256, 256, 256, true},
    {64, 256, 256, true},      {16, 256, 1024, true},    {1, 1024, 1024, true},
    {1024, 1024, 1024, false}, {4096, 384, 1152, false}, {256, 512, 63, false},
    {4, 512, 256, false},
};
enum {
    SHAPES = sizeof shapes / sizeof *shapes
};

typedef struct contest {
    gb_gemm g;
    void *a, *b, *c, *packed, *scratch, *peer_c;
    float *a_f32, *b_f32, *c_f32; /* for a peer without bf16 */
    gb_pool *pool;
    peer_matmul *peer;
    bool peer_is_f32;
} contest;

static void *allocate(size_t bytes)
{
    void *memory = gb_aligned_alloc(bytes);
    if (memory == NULL) {
        fprintf(stderr, "genba-bench: %s\n", gb_error_message());
        exit(1);
    }
    return memory;
}

static void *convert(const float *values, size_t count)
{
    uint16_t *halves = allocate(count * sizeof *halves);
    for (size_t i = 0; i < count; i++)
        halves[i] = gb_f32_to_bf16(values[i]);
    return halves;
}

static void contest_begin(contest *x, int64_t m, int64_t n, int64_t k, gb_dtype type, int threads)
{
    size_t element = type == GB_BF16 ? 2 : 4;
    *x = (contest){0};
    x->a_f32 = allocate((size_t)(m * k) * sizeof(float));
    x->b_f32 = allocate((size_t)(k * n) * sizeof(float));
    x->c_f32 = allocate((size_t)(m * n) * sizeof(float));
    x->c = allocate((size_t)(m * n) * element);
    x->peer_c = allocate((size_t)(m * n) * element);
    gb_random_fill_normal(1, 0, 0, x->a_f32, (size_t)(m * k));
    gb_random_fill_normal(1, 1, 0, x->b_f32, (size_t)(k * n));
    x->a = type == GB_BF16 ? convert(x->a_f32, (size_t)(m * k)) : x->a_f32;
    x->b = type == GB_BF16 ? convert(x->b_f32, (size_t)(k * n)) : x->b_f32;
    peer_set_threads(threads);
    x->peer = peer_matmul_create(m, n, k, type, x->a, x->b, x->peer_c);
    if (x->peer == NULL && type == GB_BF16) {
        x->peer = peer_matmul_create(m, n, k, GB_F32, x->a_f32, x->b_f32, x->c_f32);
        x->peer_is_f32 = true;
    }
    if (gb_pool_create(threads, &x->pool) != GB_OK)
        exit(1);
    gb_gemm g = {.m = m, .n = n, .k = k, .a = x->a, .lda = k, .b = x->b, .ldb = n, .c = x->c};
    g.ldc = n;
    g.a_type = g.b_type = g.c_type = type;
    g.bf16_compute = type == GB_BF16;
    g.alpha = 1.0f;
    x->packed = allocate(gb_gemm_packed_b_bytes(&g));
    gb_gemm_pack_b(&g, x->packed, x->pool);
    g.b_packed = x->packed;
    x->scratch = allocate(gb_gemm_scratch_bytes(&g, threads, 1));
    x->g = g;
}

static void contest_end(contest *x)
{
    if (x->a != x->a_f32)
        gb_aligned_free(x->a);
    if (x->b != x->b_f32)
        gb_aligned_free(x->b);
    gb_aligned_free(x->a_f32);
    gb_aligned_free(x->b_f32);
    gb_aligned_free(x->c_f32);
    gb_aligned_free(x->c);
    gb_aligned_free(x->peer_c);
    gb_aligned_free(x->packed);
    gb_aligned_free(x->scratch);
    gb_pool_destroy(x->pool);
    peer_matmul_destroy(x->peer);
}

/* One thread is timed by its own processor time, which other programs do not lengthen. */
static int64_t now_ns(const contest *x)
{
    if (gb_pool_threads(x->pool) > 1)
        return gb_clock_monotonic_ns();
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* The other side's threads spin for a while after their work: let them go to sleep first. */
static double time_ns(contest *x, bool peer, int64_t repeats)
{
    if (gb_pool_threads(x->pool) > 1)
        nanosleep(&(struct timespec){.tv_nsec = REST_US * 1000L}, NULL);
    int64_t start = 0;
    for (int64_t i = -1; i < repeats; i++) { /* the first one wakes threads and fills caches */
        if (i == 0)
            start = now_ns(x);
        if (peer)
            peer_matmul_run(x->peer);
        else
            gb_gemm_run(&x->g, x->scratch, x->pool);
    }
    return (double)(now_ns(x) - start) / (double)repeats;
}

/* Fills gflops, peer_gflops and returns the median ratio. */
static double contest_run(contest *x, int rounds, double *gflops, double *peer_gflops)
{
    double ours[ROUNDS_MAX], theirs[ROUNDS_MAX], ratios[ROUNDS_MAX];
    double flops = 2.0 * (double)x->g.m * (double)x->g.n * (double)x->g.k;
    int64_t repeats = (int64_t)(ROUND_NS / time_ns(x, false, 2)) + 1;
    for (int r = 0; r < rounds; r++) {
        ours[r] = flops / time_ns(x, false, repeats);
        theirs[r] = x->peer == NULL ? 0.0 : flops / time_ns(x, true, repeats);
        ratios[r] = x->peer == NULL ? 0.0 : ours[r] / theirs[r];
    }
    *gflops = bench_median(ours, (size_t)rounds);
    *peer_gflops = bench_median(theirs, (size_t)rounds);
    return bench_median(ratios, (size_t)rounds);
}

static const char *peer_name(const contest *x)
{
    if (x->peer == NULL)
        return "";
    return x->peer_is_f32 ? "onednn-f32 (no bf16 on this CPU)" : "onednn";
}

static void print_share(const bench_options *options, gb_dtype type, double gflops, double peak)
{
    const char *isa = gb_isa_name(gb_cpu_get()->used);
    bench_row row = {.bench = "gemm",
                     .name = type == GB_BF16 ? "bf16 1024x1024x1024 share of peak"
                                             : "f32 1024x1024x1024 share of peak",
                     .value = gflops / peak,
                     .unit = "1",
                     .peer = "",
                     .threads = 1,
                     .isa = isa};
    bench_print(options, &row);
}

static void run_group(const bench_options *options, gb_dtype type, int threads, double peak)
{
    double log_sum = 0.0;
    int scored = 0;
    const char *type_name = type == GB_BF16 ? "bf16" : "f32";
    bench_row row = {.bench = "gemm", .unit = "GFLOP/s", .threads = threads, .peer = ""};
    row.isa = gb_isa_name(gb_cpu_get()->used);
    char name[64];
    row.name = name;
    for (int s = 0; s < SHAPES; s++) {
        contest x;
        contest_begin(&x, shapes[s].m, shapes[s].n, shapes[s].k, type, threads);
        row.ratio = contest_run(&x, options->quick ? 5 : ROUNDS_MAX, &row.value, &row.peer_value);
        row.peer = peer_name(&x);
        snprintf(name, sizeof name, "%s %dx%dx%d", type_name, (int)shapes[s].m, (int)shapes[s].n,
                 (int)shapes[s].k);
        bench_print(options, &row);
        if (shapes[s].scored && x.peer != NULL) {
            log_sum += log(row.ratio);
            scored++;
        }
        if (shapes[s].m == 1024 && shapes[s].n == 1024 && threads == 1 && peak > 0.0)
            print_share(options, type, row.value, peak);
        contest_end(&x);
    }
    if (scored > 0) {
        row.value = row.ratio = exp(log_sum / scored);
        row.unit = "1";
        row.peer_value = 1.0;
        snprintf(name, sizeof name, "%s geometric mean of ratios", type_name);
        bench_print(options, &row);
    }
}

int bench_gemm(const bench_options *options)
{
    const gb_cpu *cpu = gb_cpu_get();
    bench_row peak = {.bench = "gemm", .name = "peak f32 multiply-add", .unit = "GFLOP/s"};
    peak.peer = "";
    peak.threads = 1;
    peak.isa = gb_isa_name(cpu->used);
    double f32_peak = peak.value = bench_peak_fma_gflops(cpu->used);
    bench_print(options, &peak);
    double bf16_peak = f32_peak;
    if (cpu->used == GB_ISA_AMX) {
        bf16_peak = peak.value = bench_peak_amx_gflops();
        peak.name = "peak bf16 tile product";
        bench_print(options, &peak);
    }
    for (int threads = 1; threads <= 2 && threads <= cpu->cores; threads++) {
        run_group(options, GB_F32, threads, f32_peak);
        run_group(options, GB_BF16, threads, bf16_peak);
    }
    return 0;
}
