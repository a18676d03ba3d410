/* Attention and convolution over a cache: pieces of any length, run one after another, give what
 * the whole sequence gives at once. */
#include "tensor/op_fixture.h"

#define SHAPES 200
#define PIECES_MAX 4

/* Copies rows [begin, begin + rows) of each batch row of `whole` [B, T, width] into a piece, or
 * back. */
static void copy_rows(float *piece,
                      float *whole,
                      int64_t B,
                      int64_t T,
                      int64_t begin,
                      int64_t rows,
                      int64_t width,
                      bool back)
{
    for (int64_t b = 0; b < B; b++) {
        float *inside = whole + (b * T + begin) * width, *own = piece + b * rows * width;
        size_t bytes = (size_t)(rows * width) * sizeof *own;
        memcpy(back ? inside : own, back ? own : inside, bytes);
    }
}

/* Cuts [0, T) at random; returns the number of pieces. */
static int cut(fixture *f, int64_t T, int64_t *lengths)
{
    int count = 0;
    while (T > 0) {
        lengths[count] = count == PIECES_MAX - 1 ? T : pick(f, 1, T);
        T -= lengths[count++];
    }
    return count;
}

/* ---- attention ---- */

typedef struct heads {
    int64_t B, T, T_max, E, width;
    int H, G;
} heads;

/* Runs rows at `position` with the state of `kept` and leaves it there. */
static void attention_piece(const heads *d,
                            gb_tensors *kept,
                            int32_t position,
                            int64_t rows,
                            const float *qkv,
                            float *out,
                            gb_dtype compute,
                            int threads)
{
    fixture f = fixture_begin(1, compute);
    gb_value x = gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(d->B, rows, d->width));
    gb_value at = gb_graph_input(f.g, "at", GB_I32, GB_SCALAR);
    gb_value cache = gb_graph_state(f.g, "cache", GB_F32, GB_SHAPE(d->B, d->T_max, 2, d->G * d->E));
    gb_graph_output(f.g, "out", gb_op_attention_cached(f.g, x, d->H, d->G, cache, at));
    gb_tensors *own = f.state;
    f.state = kept;
    fixture_ready(&f, threads);
    size_t bytes = (size_t)(d->B * rows) * sizeof(float);
    memcpy(fixture_data(&f, "x"), qkv, bytes * (size_t)d->width);
    *(int32_t *)fixture_tensor(&f, "at").data = position;
    gb_exec_run(f.exec);
    memcpy(out, fixture_data(&f, "out"), bytes * (size_t)(d->H * d->E));
    f.state = own;
    fixture_end(&f);
}

static void attention_is_whole(uint64_t seed, gb_dtype compute, double tolerance)
{
    fixture f = fixture_begin(seed, compute);
    heads d = {.B = pick(&f, 1, 3), .T = pick(&f, 1, 90), .E = pick(&f, 1, 20)};
    d.G = (int)pick(&f, 1, 3), d.H = d.G * (int)pick(&f, 1, 2);
    d.T_max = d.T + pick(&f, 0, 30), d.width = (d.H + 2 * d.G) * d.E;
    gb_value x = gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(d.B, d.T, d.width));
    gb_graph_output(f.g, "out", gb_op_attention(f.g, x, d.H, d.G, true));
    fixture_ready(&f, 1);
    fill_normal(&f, "x");
    gb_exec_run(f.exec);

    int64_t lengths[PIECES_MAX], begin = 0, out_width = d.H * d.E;
    int pieces = cut(&f, d.T, lengths), threads = (int)pick(&f, 1, 2);
    float *qkv = malloc((size_t)(d.B * d.T * d.width) * sizeof *qkv);
    float *out = malloc((size_t)(d.B * d.T * out_width) * sizeof *out);
    float *joined = malloc((size_t)(d.B * d.T * out_width) * sizeof *joined);
    gb_tensors *kept = NULL;
    assert_int_equal(gb_tensors_create(&kept), GB_OK);
    for (int p = 0; p < pieces; begin += lengths[p++]) {
        copy_rows(qkv, fixture_data(&f, "x"), d.B, d.T, begin, lengths[p], d.width, false);
        attention_piece(&d, kept, (int32_t)begin, lengths[p], qkv, out, compute, threads);
        copy_rows(out, joined, d.B, d.T, begin, lengths[p], out_width, true);
    }
    assert_near(joined, fixture_data(&f, "out"), d.B * d.T * out_width, tolerance, "pieces");
    gb_tensors_destroy(kept);
    free(qkv);
    free(out);
    free(joined);
    fixture_end(&f);
}

static void test_attention_pieces(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SHAPES; seed++)
        attention_is_whole(seed, GB_F32, 2e-5);
    for (uint64_t seed = 0; seed < 40; seed++)
        attention_is_whole(seed, GB_BF16, 3e-2);
}

/* One graph of one row, run T times. */
static void test_attention_steps(void **state)
{
    (void)state;
    enum {
        T = 70,
        E = 16,
        WIDTH = 3 * 2 * E
    };
    fixture whole = fixture_begin(5, GB_F32), step = fixture_begin(5, GB_F32);
    gb_value x = gb_graph_input(whole.g, "x", GB_F32, GB_SHAPE(1, T, WIDTH));
    gb_graph_output(whole.g, "out", gb_op_attention(whole.g, x, 2, 2, true));
    fixture_ready(&whole, 1);
    fill_normal(&whole, "x");
    gb_exec_run(whole.exec);
    x = gb_graph_input(step.g, "x", GB_F32, GB_SHAPE(1, 1, WIDTH));
    gb_value at = gb_graph_input(step.g, "at", GB_I32, GB_SCALAR);
    gb_value cache = gb_graph_state(step.g, "cache", GB_F32, GB_SHAPE(1, T, 2, 2 * E));
    gb_graph_output(step.g, "out", gb_op_attention_cached(step.g, x, 2, 2, cache, at));
    fixture_ready(&step, 2);
    for (int32_t t = 0; t < T; t++) {
        memcpy(fixture_data(&step, "x"), fixture_data(&whole, "x") + t * WIDTH,
               WIDTH * sizeof(float));
        *(int32_t *)fixture_tensor(&step, "at").data = t;
        gb_exec_run(step.exec);
        assert_near(fixture_data(&step, "out"), fixture_data(&whole, "out") + t * 2 * E, 2 * E,
                    2e-5, "step");
    }
    /* Past the end, and before the start: wrong answers, but in their own memory. */
    for (int32_t t = -3; t < 3; t++) {
        *(int32_t *)fixture_tensor(&step, "at").data = t < 0 ? INT32_MIN + 3 + t : INT32_MAX - t;
        gb_exec_run(step.exec);
    }
    fixture_end(&step);
    fixture_end(&whole);
}

/* ---- convolution ---- */

typedef struct kernel {
    int64_t B, T, D, K;
} kernel;

static void dwconv_piece(const kernel *d,
                         gb_tensors *kept,
                         int64_t rows,
                         const float *in,
                         const float *weight,
                         float *out)
{
    fixture f = fixture_begin(1, GB_F32);
    gb_value x = gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(d->B, rows, d->D));
    gb_value w = gb_graph_input(f.g, "w", GB_F32, GB_SHAPE(d->K, d->D));
    gb_value cache = GB_NONE;
    if (d->K > 1)
        cache = gb_graph_state(f.g, "cache", GB_F32, GB_SHAPE(d->B, d->K - 1, d->D));
    gb_graph_output(f.g, "out", gb_op_dwconv_cached(f.g, x, w, cache));
    gb_tensors *own = f.state;
    f.state = kept;
    fixture_ready(&f, 2);
    size_t bytes = (size_t)(d->B * rows * d->D) * sizeof(float);
    memcpy(fixture_data(&f, "x"), in, bytes);
    memcpy(fixture_data(&f, "w"), weight, (size_t)(d->K * d->D) * sizeof(float));
    gb_exec_run(f.exec);
    memcpy(out, fixture_data(&f, "out"), bytes);
    f.state = own;
    fixture_end(&f);
}

static void dwconv_is_whole(uint64_t seed)
{
    fixture f = fixture_begin(seed, GB_F32);
    kernel d = {pick(&f, 1, 3), pick(&f, 1, 30), pick(&f, 1, 40), pick(&f, 1, 9)};
    gb_value x = gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(d.B, d.T, d.D));
    gb_value w = gb_graph_input(f.g, "w", GB_F32, GB_SHAPE(d.K, d.D));
    gb_graph_output(f.g, "out", gb_op_dwconv(f.g, x, w));
    fixture_ready(&f, 1);
    fill_normal(&f, "x");
    fill_normal(&f, "w");
    gb_exec_run(f.exec);

    int64_t lengths[PIECES_MAX], begin = 0;
    int pieces = cut(&f, d.T, lengths);
    size_t bytes = (size_t)(d.B * d.T * d.D) * sizeof(float);
    float *in = malloc(bytes), *out = malloc(bytes), *joined = malloc(bytes);
    gb_tensors *kept = NULL;
    assert_int_equal(gb_tensors_create(&kept), GB_OK);
    for (int p = 0; p < pieces; begin += lengths[p++]) {
        copy_rows(in, fixture_data(&f, "x"), d.B, d.T, begin, lengths[p], d.D, false);
        dwconv_piece(&d, kept, lengths[p], in, fixture_data(&f, "w"), out);
        copy_rows(out, joined, d.B, d.T, begin, lengths[p], d.D, true);
    }
    assert_near(joined, fixture_data(&f, "out"), d.B * d.T * d.D, 1e-6, "pieces");
    gb_tensors_destroy(kept);
    free(in);
    free(out);
    free(joined);
    fixture_end(&f);
}

static void test_dwconv_pieces(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SHAPES; seed++)
        dwconv_is_whole(seed);
}

static void test_mistakes(void **state)
{
    (void)state;
    fixture f = fixture_begin(1, GB_F32);
    gb_value x = gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(2, 3, 12));
    gb_value at = gb_graph_input(f.g, "at", GB_I32, GB_SCALAR);
    gb_value cache = gb_graph_state(f.g, "cache", GB_F32, GB_SHAPE(2, 2, 2, 4));
    gb_op_attention_cached(f.g, x, 1, 1, cache, at);
    assert_mistake(&f, GB_ERR_SHAPE,
                   "cache is F32 [2, 2, 2, 4], expected an F32 state [2, at least 3");

    f = fixture_begin(1, GB_F32);
    x = gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(2, 3, 12));
    at = gb_graph_input(f.g, "at", GB_I32, GB_SCALAR);
    cache = gb_graph_input(f.g, "cache", GB_F32, GB_SHAPE(2, 8, 2, 4));
    gb_op_attention_cached(f.g, x, 1, 1, cache, at);
    assert_mistake(&f, GB_ERR_SHAPE, "expected an F32 state");

    f = fixture_begin(1, GB_F32);
    x = gb_graph_input(f.g, "x", GB_F32, GB_SHAPE(2, 3, 12));
    gb_value w = gb_graph_input(f.g, "w", GB_F32, GB_SHAPE(4, 12));
    gb_op_dwconv_cached(f.g, x, w, gb_graph_state(f.g, "c", GB_F32, GB_SHAPE(2, 4, 12)));
    assert_mistake(&f, GB_ERR_SHAPE, "cache is F32 [2, 4, 12], expected an F32 state [2, 3, 12]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention_pieces),
        cmocka_unit_test(test_attention_steps),
        cmocka_unit_test(test_dwconv_pieces),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
