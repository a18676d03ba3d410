/* Plans: buffers alive together never overlap, in-place and recomputation save memory and change no
 * bit, activations are fused, threads change no bit, and what is wrong is refused before a run. */
#include "tensor/plan.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WIDTH 24
#define ROWS 40
#define LAYERS 6

typedef struct built {
    gb_graph *graph;
    gb_plan *plan;
    gb_tensors *weights;
} built;

/* A stack of x + (gelu(x W) * x) / 2 layers with a mean-square loss. */
static gb_graph *stack(bool backward, bool recompute)
{
    gb_graph *g;
    assert_int_equal(gb_graph_create((gb_graph_options){.compute = GB_F32}, &g), GB_OK);
    gb_value x = gb_graph_input(g, "x", GB_F32, GB_SHAPE(ROWS, WIDTH));
    char name[32];
    for (int i = 0; i < LAYERS; i++) {
        gb_graph_checkpoint(g, x);
        snprintf(name, sizeof name, "w%d", i);
        gb_value w =
            gb_graph_parameter(g, name, GB_SHAPE(WIDTH, WIDTH), (gb_init){GB_INIT_NORMAL, 0.2f});
        gb_value h = gb_op_unary(g, GB_UNARY_GELU, gb_op_linear(g, x, w, GB_NONE));
        x = gb_op_add(g, x, gb_op_affine(g, gb_op_mul(g, h, x), 0.5f, 0.0f));
    }
    gb_value loss = gb_op_mean_all(g, gb_op_mul(g, x, x));
    gb_value shown = gb_op_affine(g, loss, 1.0f, 0.0f);
    gb_graph_output(g, "loss", shown);
    if (backward) {
        assert_int_equal(gb_graph_backward(g, loss, recompute), GB_OK);
        for (int i = 0; i < LAYERS; i++) {
            snprintf(name, sizeof name, "g%d", i);
            gb_graph_output(g, name, gb_graph_gradient(g, gb_graph_parameter_at(g, i)));
        }
    }
    assert_int_equal(gb_graph_status(g), GB_OK);
    return g;
}

static built build(bool backward, bool recompute)
{
    built b;
    b.graph = stack(backward, recompute);
    assert_int_equal(gb_tensors_create(&b.weights), GB_OK);
    assert_int_equal(gb_graph_init_parameters(b.graph, 3, b.weights), GB_OK);
    assert_int_equal(gb_plan_create(b.graph, 4, &b.plan), GB_OK);
    return b;
}

static void drop(built *b)
{
    gb_plan_destroy(b->plan);
    gb_tensors_destroy(b->weights);
    gb_graph_destroy(b->graph);
}

/* loss and all gradients into out[1 + LAYERS * WIDTH * WIDTH] */
static void run(const built *b, int threads, float *out)
{
    gb_pool *pool = NULL;
    gb_exec *exec;
    if (threads > 1)
        assert_int_equal(gb_pool_create(threads, &pool), GB_OK);
    gb_exec_options options = {.pool = pool, .weights = b->weights};
    assert_int_equal(gb_exec_create(b->plan, options, &exec), GB_OK);
    gb_random_fill_normal(1, 2, 0, gb_exec_tensor(exec, "x").data, ROWS * WIDTH);
    gb_exec_run(exec);
    out[0] = *(float *)gb_exec_tensor(exec, "loss").data;
    char name[32];
    for (int i = 0; i < LAYERS; i++) {
        snprintf(name, sizeof name, "g%d", i);
        gb_tensor g = gb_exec_tensor(exec, name);
        if (g.data)
            memcpy(out + 1 + i * WIDTH * WIDTH, g.data, gb_tensor_bytes(&g));
    }
    gb_exec_destroy(exec);
    gb_pool_destroy(pool);
}

#define NUMBERS (1 + LAYERS * WIDTH * WIDTH)

static void recomputation_saves_memory_and_changes_no_bit(void **state)
{
    (void)state;
    static float kept[NUMBERS], recomputed[NUMBERS];
    built a = build(true, false), b = build(true, true);
    run(&a, 1, kept);
    run(&b, 1, recomputed);
    assert_memory_equal(kept, recomputed, sizeof kept);
    gb_plan_report all = gb_plan_get_report(a.plan), less = gb_plan_get_report(b.plan);
    assert_true(less.workspace_bytes < all.workspace_bytes);
    assert_true(less.flops > all.flops);
    drop(&a);
    drop(&b);
}

static void threads_change_no_bit(void **state)
{
    (void)state;
    static float one[NUMBERS], many[NUMBERS];
    built b = build(true, false);
    run(&b, 1, one);
    for (int threads = 2; threads <= 4; threads++) {
        run(&b, threads, many);
        assert_memory_equal(one, many, sizeof one);
    }
    drop(&b);
}

/* Whatever is placed: run again with every value in memory of its own and compare. */
static void placement_changes_no_bit(void **state)
{
    (void)state;
    static float shared[NUMBERS], apart[NUMBERS];
    built b = build(true, false);
    run(&b, 1, shared);
    size_t offset = 0, before = b.plan->report.workspace_bytes;
    for (int32_t i = 0; i < b.plan->count; i++) {
        const gb_node *node = &b.plan->nodes[i];
        if (!b.plan->live[i] || gb_node_is_leaf(node, GB_LEAF_PARAMETER))
            continue;
        b.plan->root[i] = node->op == GB_OP_RESHAPE ? b.plan->root[node->operand[0]] : i;
        b.plan->offset[i] = offset;
        offset += (gb_node_bytes(node) + 63) & ~(size_t)63;
    }
    b.plan->report.workspace_bytes = offset;
    run(&b, 1, apart);
    assert_memory_equal(shared, apart, sizeof shared);
    assert_true(before < offset / 2);
    drop(&b);
}

static void activations_are_fused_only_without_gradients(void **state)
{
    (void)state;
    int unary[2] = {0, 0};
    for (int backward = 0; backward < 2; backward++) {
        built b = build(backward, false);
        for (int32_t i = 0; i < b.plan->count; i++)
            unary[backward] += b.plan->live[i] && b.plan->nodes[i].op == GB_OP_UNARY;
        drop(&b);
    }
    assert_int_equal(unary[0], 0);
    assert_int_equal(unary[1], LAYERS);
}

static void fusion_and_freezing_keep_the_loss(void **state)
{
    (void)state;
    static float a[NUMBERS], b[NUMBERS];
    built plain = build(true, false), fused = build(false, false);
    run(&plain, 1, a);
    run(&fused, 1, b);
    assert_float_equal(a[0], b[0], 1e-6f * a[0]);
    gb_exec *exec;
    gb_exec_options options = {.weights = fused.weights, .frozen = true};
    assert_int_equal(gb_exec_create(fused.plan, options, &exec), GB_OK);
    gb_random_fill_normal(1, 2, 0, gb_exec_tensor(exec, "x").data, ROWS * WIDTH);
    gb_exec_run(exec);
    assert_float_equal(*(float *)gb_exec_tensor(exec, "loss").data, a[0], 1e-5f * a[0]);
    gb_exec_destroy(exec);
    drop(&plain);
    drop(&fused);
}

static void a_missing_or_wrong_weight_is_named(void **state)
{
    (void)state;
    built b = build(false, false);
    gb_exec *exec = NULL;
    assert_int_equal(gb_exec_create(b.plan, (gb_exec_options){0}, &exec), GB_ERR_MISMATCH);
    assert_non_null(strstr(gb_error_message(), "w0"));
    gb_tensors *wrong;
    assert_int_equal(gb_tensors_create(&wrong), GB_OK);
    assert_int_equal(gb_tensors_add(wrong, "w0", GB_F32, GB_SHAPE(2), NULL), GB_OK);
    assert_int_equal(gb_exec_create(b.plan, (gb_exec_options){.weights = wrong}, &exec),
                     GB_ERR_MISMATCH);
    assert_non_null(strstr(gb_error_message(), "[24, 24]"));
    assert_null(exec);
    gb_tensors_destroy(wrong);
    drop(&b);
}

static void too_much_memory_is_said_before(void **state)
{
    (void)state;
    gb_graph *g;
    assert_int_equal(gb_graph_create((gb_graph_options){.compute = GB_F32}, &g), GB_OK);
    gb_graph_output(g, "y", gb_op_fill(g, GB_SHAPE(1 << 20, 1 << 20), 1.0f));
    gb_plan *plan;
    assert_int_equal(gb_plan_create(g, 1, &plan), GB_OK);
    gb_exec *exec = NULL;
    assert_int_equal(gb_exec_create(plan, (gb_exec_options){0}, &exec), GB_ERR_MEMORY);
    assert_non_null(strstr(gb_error_message(), "4194304.0 MiB"));
    gb_plan_destroy(plan);
    gb_graph_destroy(g);
}

/* A product of 2^66 multiplications: planned, not run. */
static void costs_saturate(void **state)
{
    (void)state;
    gb_graph *g;
    assert_int_equal(gb_graph_create((gb_graph_options){.compute = GB_F32}, &g), GB_OK);
    int64_t n = (int64_t)1 << 22;
    gb_value a = gb_op_fill(g, GB_SHAPE(n, n), 1.0f);
    gb_graph_output(g, "y", gb_op_matmul(g, a, false, a, false));
    gb_graph_output(g, "z", gb_op_matmul(g, a, true, a, false));
    gb_plan *plan;
    assert_int_equal(gb_plan_create(g, 1, &plan), GB_OK);
    assert_true(gb_plan_get_report(plan).flops == UINT64_MAX);
    gb_plan_destroy(plan);
    gb_graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recomputation_saves_memory_and_changes_no_bit),
        cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(placement_changes_no_bit),
        cmocka_unit_test(activations_are_fused_only_without_gradients),
        cmocka_unit_test(fusion_and_freezing_keep_the_loss),
        cmocka_unit_test(a_missing_or_wrong_weight_is_named),
        cmocka_unit_test(too_much_memory_is_said_before),
        cmocka_unit_test(costs_saturate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
