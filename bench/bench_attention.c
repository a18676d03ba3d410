/* Attention alone, on fused queries, keys and values: forward, forward and backward, and one step
 * over a cache, in the shapes the models here use. Milliseconds of one layer. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "genba/op.h"

typedef struct attention_case {
    const char *name;
    int64_t batch, sequence, head_dim;
    int heads, kv_heads;
    gb_dtype compute;
    bool backward;
    int64_t cached; /* length of the cache, 0: none */
} attention_case;

static const attention_case cases[] = {
    {"gpt 16x256 h6 e64 forward", 16, 256, 64, 6, 6, GB_F32, false, 0},
    {"gpt 16x256 h6 e64 both", 16, 256, 64, 6, 6, GB_F32, true, 0},
    {"gpt 16x256 h6 e64 both bf16", 16, 256, 64, 6, 6, GB_BF16, true, 0},
    {"grouped 4x512 h8/2 e128 both", 4, 512, 128, 8, 2, GB_F32, true, 0},
    {"series 1792x16 h4 e16 forward", 1792, 16, 16, 4, 4, GB_F32, false, 0},
    {"series 1792x16 h4 e16 both", 1792, 16, 16, 4, 4, GB_F32, true, 0},
    {"step 1x1 of 512 h6 e64", 1, 1, 64, 6, 6, GB_F32, false, 512},
};

typedef struct built {
    gb_graph *g;
    gb_tensors *weights, *state;
    gb_plan *plan;
    gb_exec *exec;
} built;

static gb_status build_graph(const attention_case *c, gb_graph *g)
{
    int64_t width = (c->heads + 2 * c->kv_heads) * c->head_dim;
    gb_value x = gb_graph_input(g, "x", GB_F32, GB_SHAPE(c->batch, c->sequence, width));
    gb_value out;
    if (c->cached > 0) {
        gb_shape shape = GB_SHAPE(c->batch, c->cached, 2, c->kv_heads * c->head_dim);
        gb_value cache = gb_graph_state(g, "cache", GB_F32, shape);
        gb_value position = gb_graph_input(g, "position", GB_I32, GB_SCALAR);
        out = gb_op_attention_cached(g, x, c->heads, c->kv_heads, cache, position);
    } else {
        out = gb_op_attention(g, x, c->heads, c->kv_heads, true);
    }
    gb_graph_output(g, "out", out);
    if (c->backward) {
        gb_graph_require_gradient(g, x);
        gb_value weighed = gb_op_mul(g, out, out);
        GB_TRY(gb_graph_backward(g, gb_op_sum_all(g, weighed), false));
        gb_graph_output(g, "d_x", gb_graph_gradient(g, x));
    }
    return gb_graph_status(g);
}

static gb_status build(const attention_case *c, gb_pool *pool, built *b)
{
    GB_TRY(gb_graph_create((gb_graph_options){c->compute, 1}, &b->g));
    GB_TRY(build_graph(c, b->g));
    GB_TRY(gb_tensors_create(&b->weights));
    GB_TRY(gb_tensors_create(&b->state));
    GB_TRY(gb_graph_init_state(b->g, b->state));
    GB_TRY(gb_plan_create(b->g, gb_pool_threads(pool), &b->plan));
    gb_exec_options options = {.pool = pool, .weights = b->weights, .state = b->state};
    GB_TRY(gb_exec_create(b->plan, options, &b->exec));
    gb_tensor x = gb_exec_tensor(b->exec, "x");
    gb_random_fill_normal(1, 1, 0, x.data, (size_t)gb_shape_count(&x.shape));
    if (c->cached > 0)
        *(int32_t *)gb_exec_tensor(b->exec, "position").data = (int32_t)c->cached - 1;
    return GB_OK;
}

static void take_down(built *b)
{
    gb_exec_destroy(b->exec);
    gb_plan_destroy(b->plan);
    gb_tensors_destroy(b->state);
    gb_tensors_destroy(b->weights);
    gb_graph_destroy(b->g);
}

static double median_ms(gb_exec *exec, int repeats, int inner)
{
    double ms[64];
    gb_exec_run(exec);
    for (int r = 0; r < repeats; r++) {
        int64_t start = gb_clock_monotonic_ns();
        for (int i = 0; i < inner; i++)
            gb_exec_run(exec);
        ms[r] = (double)(gb_clock_monotonic_ns() - start) * 1e-6 / inner;
    }
    return bench_median(ms, (size_t)repeats);
}

static gb_status run_case(const bench_options *options, const attention_case *c, int threads)
{
    gb_pool *pool = NULL;
    built b = {0};
    GB_TRY(gb_pool_create(threads, &pool));
    gb_status status = build(c, pool, &b);
    if (status == GB_OK) {
        double ms = median_ms(b.exec, options->quick ? 5 : 21, c->cached > 0 ? 100 : 1);
        bench_row row = {.bench = "attention",
                         .name = c->name,
                         .value = ms,
                         .unit = "ms",
                         .peer = "",
                         .threads = gb_pool_threads(pool),
                         .isa = gb_isa_name(gb_cpu_get()->used)};
        bench_print(options, &row);
    }
    take_down(&b);
    gb_pool_destroy(pool);
    return status;
}

int bench_attention(const bench_options *options)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int threads = 1; threads >= 0; threads--) /* one, then all */
            if (run_case(options, &cases[i], threads) != GB_OK) {
                fprintf(stderr, "attention: %s: %s\n", cases[i].name, gb_error_message());
                return 1;
            }
    return 0;
}
