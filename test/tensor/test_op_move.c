/* concat, slice, permute and embedding against naive loops over fuzzed shapes. */
#include "tensor/op_fixture.h"

#define SHAPES 200

static gb_shape random_shape(fixture *f, int rank, int64_t most)
{
    gb_shape shape = {.rank = rank};
    for (int a = 0; a < rank; a++)
        shape.dim[a] = pick(f, 1, most);
    return shape;
}

/* The coordinates of element i of a shape. */
static void coordinates(const gb_shape *shape, int64_t i, int64_t *at)
{
    for (int a = shape->rank - 1; a >= 0; a--) {
        at[a] = i % shape->dim[a];
        i /= shape->dim[a];
    }
}

static int64_t element(const gb_shape *shape, const int64_t *at)
{
    int64_t i = 0;
    for (int a = 0; a < shape->rank; a++)
        i = i * shape->dim[a] + at[a];
    return i;
}

static float *exact(const fixture *f, const char *name, gb_shape *shape)
{
    gb_tensor t = fixture_tensor(f, name);
    *shape = t.shape;
    return t.data;
}

static void concat_is_naive(uint64_t seed)
{
    fixture f = fixture_begin(seed, GB_F32);
    int count = (int)pick(&f, 1, 8), rank = (int)pick(&f, 1, 5);
    int axis = (int)pick(&f, 0, rank - 1);
    gb_shape shape = random_shape(&f, rank, 5);
    static const char *const names[] = {"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7"};
    gb_value parts[8];
    for (int p = 0; p < count; p++) {
        shape.dim[axis] = pick(&f, 1, 7);
        parts[p] = gb_graph_input(f.g, names[p], GB_F32, shape);
    }
    fixture_differentiate(&f, gb_op_concat(f.g, parts, count, axis), names, count);
    fixture_ready(&f, (int)pick(&f, 1, 2));
    fill_normal(&f, "r");
    for (int p = 0; p < count; p++)
        fill_normal(&f, names[p]);
    gb_exec_run(f.exec);
    int64_t before = 0;
    gb_shape out_shape;
    const float *out = exact(&f, "out", &out_shape), *r = fixture_data(&f, "r");
    for (int p = 0; p < count; p++) {
        gb_tensor part = fixture_tensor(&f, names[p]);
        char name[8];
        snprintf(name, sizeof name, "d_%s", names[p]);
        const float *gradient = fixture_data(&f, name);
        for (int64_t i = 0; i < gb_shape_count(&part.shape); i++) {
            int64_t at[GB_RANK_MAX];
            coordinates(&part.shape, i, at);
            at[axis] += before;
            int64_t o = element(&out_shape, at);
            assert_float_equal(out[o], ((float *)part.data)[i], 0.0f);
            assert_float_equal(gradient[i], r[o], 0.0f);
        }
        before += part.shape.dim[axis];
    }
    assert_int_equal(before, out_shape.dim[axis]);
    fixture_end(&f);
}

static void slice_is_naive(uint64_t seed)
{
    fixture f = fixture_begin(seed, GB_F32);
    int rank = (int)pick(&f, 1, 5), axis = (int)pick(&f, 0, rank - 1);
    gb_shape shape = random_shape(&f, rank, 7);
    int64_t begin = pick(&f, 0, shape.dim[axis] - 1);
    int64_t length = pick(&f, 1, shape.dim[axis] - begin);
    gb_value x = gb_graph_input(f.g, "x", GB_F32, shape);
    fixture_differentiate(&f, gb_op_slice(f.g, x, axis, begin, length), (const char *[]){"x"}, 1);
    fixture_ready(&f, (int)pick(&f, 1, 2));
    fill_normal(&f, "x");
    fill_normal(&f, "r");
    gb_exec_run(f.exec);
    gb_shape out_shape;
    const float *out = exact(&f, "out", &out_shape), *r = fixture_data(&f, "r");
    const float *data = fixture_data(&f, "x"), *gradient = fixture_data(&f, "d_x");
    assert_int_equal(out_shape.dim[axis], length);
    for (int64_t i = 0; i < gb_shape_count(&shape); i++) {
        int64_t at[GB_RANK_MAX];
        coordinates(&shape, i, at);
        at[axis] -= begin;
        bool inside = at[axis] >= 0 && at[axis] < length;
        int64_t o = inside ? element(&out_shape, at) : 0;
        if (inside)
            assert_float_equal(out[o], data[i], 0.0f);
        assert_float_equal(gradient[i], inside ? r[o] : 0.0f, 0.0f);
    }
    fixture_end(&f);
}

static void permute_is_naive(uint64_t seed)
{
    fixture f = fixture_begin(seed, GB_F32);
    int rank = (int)pick(&f, 1, 5), axes[GB_RANK_MAX];
    gb_shape shape = random_shape(&f, rank, rank < 3 ? 70 : 9);
    for (int a = 0; a < rank; a++) {
        int other = (int)pick(&f, 0, a);
        axes[a] = axes[other];
        axes[other] = a;
    }
    gb_value x = gb_graph_input(f.g, "x", GB_F32, shape);
    gb_value x16 = gb_graph_input(f.g, "x16", GB_BF16, shape);
    gb_graph_output(f.g, "out16", gb_op_permute(f.g, x16, axes));
    fixture_differentiate(&f, gb_op_permute(f.g, x, axes), (const char *[]){"x"}, 1);
    fixture_ready(&f, (int)pick(&f, 1, 2));
    fill_normal(&f, "x");
    fill_normal(&f, "r");
    uint16_t *in16 = fixture_tensor(&f, "x16").data;
    for (int64_t i = 0; i < gb_shape_count(&shape); i++)
        in16[i] = (uint16_t)i;
    gb_exec_run(f.exec);
    gb_shape out_shape;
    const float *out = exact(&f, "out", &out_shape), *r = fixture_data(&f, "r");
    const float *data = fixture_data(&f, "x"), *gradient = fixture_data(&f, "d_x");
    const uint16_t *out16 = fixture_tensor(&f, "out16").data;
    for (int64_t i = 0; i < gb_shape_count(&shape); i++) {
        int64_t at[GB_RANK_MAX], to[GB_RANK_MAX];
        coordinates(&shape, i, at);
        for (int a = 0; a < rank; a++)
            to[a] = at[axes[a]];
        int64_t o = element(&out_shape, to);
        assert_float_equal(out[o], data[i], 0.0f);
        assert_float_equal(gradient[i], r[o], 0.0f);
        assert_int_equal(out16[o], (uint16_t)i);
    }
    fixture_end(&f);
}

/* Runs the embedding of one seed and returns d table, to compare between thread counts. */
static float *embedding_is_naive(uint64_t seed, int threads, size_t *bytes)
{
    fixture f = fixture_begin(seed, GB_F32);
    int64_t V = pick(&f, 1, 90), D = pick(&f, 1, 40);
    gb_shape shape = random_shape(&f, (int)pick(&f, 0, 4), 6);
    gb_value table = gb_graph_input(f.g, "table", GB_F32, GB_SHAPE(V, D));
    gb_value index = gb_graph_input(f.g, "index", GB_I32, shape);
    fixture_differentiate(&f, gb_op_embedding(f.g, table, index), (const char *[]){"table"}, 1);
    fixture_ready(&f, threads);
    fill_normal(&f, "table");
    fill_normal(&f, "r");
    int32_t *rows = fixture_tensor(&f, "index").data;
    int64_t N = gb_shape_count(&shape);
    for (int64_t n = 0; n < N; n++)
        rows[n] = (int32_t)pick(&f, -2, V + 1);
    gb_exec_run(f.exec);
    const float *data = fixture_data(&f, "table"), *out = fixture_data(&f, "out");
    const float *r = fixture_data(&f, "r"), *gradient = fixture_data(&f, "d_table");
    *bytes = (size_t)(V * D) * sizeof(float);
    float *expected = calloc(1, *bytes);
    for (int64_t n = 0; n < N; n++) {
        int64_t row = rows[n] < 0 || rows[n] >= V ? 0 : rows[n];
        for (int64_t d = 0; d < D; d++) {
            assert_float_equal(out[n * D + d], data[row * D + d], 0.0f);
            expected[row * D + d] += r[n * D + d];
        }
    }
    assert_near(gradient, expected, V * D, 1e-5, "d table");
    memcpy(expected, gradient, *bytes);
    fixture_end(&f);
    return expected;
}

static void test_concat(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SHAPES; seed++)
        concat_is_naive(seed);
}

static void test_slice(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SHAPES; seed++)
        slice_is_naive(seed);
}

static void test_permute(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SHAPES; seed++)
        permute_is_naive(seed);
}

static void test_embedding(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SHAPES; seed++) {
        size_t bytes;
        float *one = embedding_is_naive(seed, 1, &bytes),
              *two = embedding_is_naive(seed, 2, &bytes);
        assert_memory_equal(one, two, bytes);
        free(one);
        free(two);
    }
}

static void test_mistakes(void **state)
{
    (void)state;
    fixture f = fixture_begin(1, GB_F32);
    gb_value parts[] = {gb_graph_input(f.g, "a", GB_F32, GB_SHAPE(2, 3)),
                        gb_graph_input(f.g, "b", GB_F32, GB_SHAPE(3, 3))};
    assert_int_equal(gb_op_concat(f.g, parts, 2, 1), GB_NONE);
    assert_mistake(&f, GB_ERR_SHAPE, "part 1 is [3, 3], part 0 is [2, 3]");

    f = fixture_begin(1, GB_F32);
    parts[0] = gb_graph_input(f.g, "a", GB_F32, GB_SHAPE(2, 3));
    gb_op_concat(f.g, parts, 1, 2);
    assert_mistake(&f, GB_ERR_SHAPE, "axis 2");

    f = fixture_begin(1, GB_F32);
    parts[0] = gb_graph_input(f.g, "a", GB_F32, GB_SHAPE(2, 3));
    parts[1] = gb_graph_input(f.g, "b", GB_I32, GB_SHAPE(2, 3));
    gb_op_concat(f.g, parts, 2, 0);
    assert_mistake(&f, GB_ERR_SHAPE, "part 1 is I32");

    f = fixture_begin(1, GB_F32);
    gb_op_slice(f.g, gb_graph_input(f.g, "a", GB_F32, GB_SHAPE(2, 3)), 1, 2, 2);
    assert_mistake(&f, GB_ERR_SHAPE, "2 elements from 2 of axis 1 of [2, 3]");

    f = fixture_begin(1, GB_F32);
    gb_op_slice(f.g, gb_graph_input(f.g, "a", GB_F32, GB_SHAPE(2, 3)), 0, 0, INT64_MAX);
    assert_int_equal(gb_graph_status(f.g), GB_ERR_SHAPE);
    fixture_end(&f);

    f = fixture_begin(1, GB_F32);
    gb_op_permute(f.g, gb_graph_input(f.g, "a", GB_F32, GB_SHAPE(2, 3)), (int[]){1, 1});
    assert_mistake(&f, GB_ERR_SHAPE, "axes[1] is 1");

    f = fixture_begin(1, GB_F32);
    parts[0] = gb_graph_input(f.g, "a", GB_F32, GB_SHAPE(2, 3));
    gb_op_embedding(f.g, parts[0], parts[0]);
    assert_mistake(&f, GB_ERR_SHAPE, "index is F32");

    f = fixture_begin(1, GB_F32);
    parts[0] = gb_graph_input(f.g, "a", GB_F32, GB_SHAPE(2, 3, 4));
    gb_op_embedding(f.g, parts[0], parts[0]);
    assert_mistake(&f, GB_ERR_SHAPE, "table is F32 [2, 3, 4]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_concat),   cmocka_unit_test(test_slice),
        cmocka_unit_test(test_permute),  cmocka_unit_test(test_embedding),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
