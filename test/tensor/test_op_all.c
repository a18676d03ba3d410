/* What holds for every operation of GB_OP_LIST: the same bits on any number of threads, however
 * many the plan was made for, wherever values are placed, in f32 and bf16; and gradients that agree
 * with differences. Fails when an operation is in no case: add one here with the operation. */
#include "tensor/gradient_check.h"
#include "tensor/plan.h"

static const gb_init normal = {GB_INIT_NORMAL, 1};

/* ---- cases: each builds a graph of a few operations; `large` is enough for many parts ---- */

typedef struct op_case {
    const char *name;
    gb_value (*build)(gb_graph *g, bool large);
    bool differences; /* smooth: gradients are compared with differences */
    float step, tolerance;
} op_case;

static gb_value parameter(gb_graph *g, const char *name, gb_shape shape)
{
    return gb_graph_parameter(g, name, shape, normal);
}

static gb_value number(gb_graph *g, const char *name)
{
    return gb_graph_input(g, name, GB_I32, GB_SCALAR);
}

static gb_shape plane(bool large)
{
    return large ? GB_SHAPE(101, 403) : GB_SHAPE(5, 7);
}

static gb_value build_matmul(gb_graph *g, bool large)
{
    int m = large ? 70 : 5, k = large ? 66 : 4, n = large ? 100 : 3, b = 3;
    gb_value x = parameter(g, "x", GB_SHAPE(b, m, k)), w = parameter(g, "w", GB_SHAPE(n, k));
    gb_value y = gb_op_linear(g, x, w, parameter(g, "bias", GB_SHAPE(n))); /* [b, m, n] */
    gb_value each = gb_op_matmul(g, x, true, y, false);                    /* [b, k, n] */
    gb_value turned = gb_op_matmul(g, each, true, gb_op_unary(g, GB_UNARY_TANH, w), true);
    gb_value row = gb_op_linear(g, parameter(g, "row", GB_SHAPE(k)), w, GB_NONE); /* [n] */
    return gb_op_add(g, turned, gb_op_reshape(g, row, GB_SHAPE(n, 1)));
}

static gb_value build_unary(gb_graph *g, bool large)
{
    gb_value x = parameter(g, "x", plane(large)), y = x;
    gb_value positive = gb_op_affine(g, gb_op_unary(g, GB_UNARY_SIGMOID, x), 2, 0.5f);
    for (int kind = 0; kind < GB_UNARY_COUNT; kind++)
        y = gb_op_add(g, y, gb_op_unary(g, (gb_unary)kind, positive));
    return y;
}

static gb_value build_binary(gb_graph *g, bool large)
{
    gb_shape s = plane(large);
    gb_value x = parameter(g, "x", s), column = parameter(g, "column", GB_SHAPE(s.dim[0], 1));
    gb_value row = parameter(g, "row", GB_SHAPE(s.dim[1]));
    gb_value y = gb_op_sub(g, gb_op_mul(g, x, row), gb_op_mul(g, column, x));
    gb_value positive = gb_op_affine(g, gb_op_unary(g, GB_UNARY_SQUARE, row), 1, 1);
    return gb_op_add(g, gb_op_div(g, y, positive), gb_op_div(g, column, positive));
}

static gb_value build_extremes(gb_graph *g, bool large)
{
    gb_shape s = plane(large);
    gb_value x = gb_graph_input(g, "x", GB_F32, s);
    gb_value largest = gb_op_reduce(g, GB_REDUCE_MAX, x, 0, 1);
    return gb_op_min(g, gb_op_max(g, x, gb_op_affine(g, x, -1, 0)), largest);
}

static gb_value build_sums(gb_graph *g, bool large)
{
    gb_shape s = large ? GB_SHAPE(3, 40, 1025) : GB_SHAPE(3, 4, 5);
    gb_value x = parameter(g, "x", s);
    gb_value inner = gb_op_reduce(g, GB_REDUCE_MEAN, x, 1, 2);
    gb_value outer = gb_op_broadcast(g, gb_op_reduce(g, GB_REDUCE_SUM, x, 0, 1), s);
    gb_value y = gb_op_add(g, gb_op_mul(g, outer, inner), gb_op_cumsum(g, x));
    return gb_op_mul(g, gb_op_add(g, y, gb_op_fill(g, s, 2)), gb_op_mean_all(g, x));
}

static gb_value build_move(gb_graph *g, bool large)
{
    int n = large ? 120 : 4;
    gb_value x = parameter(g, "x", GB_SHAPE(3, n, n + 1));
    gb_value turned = gb_op_permute(g, x, (int[]){2, 0, 1}); /* [n + 1, 3, n] */
    gb_value part = gb_op_slice(g, turned, 0, 1, n), rest = gb_op_slice(g, turned, 2, 0, 2);
    gb_value total =
        gb_op_reduce(g, GB_REDUCE_SUM, gb_op_reshape(g, rest, GB_SHAPE(6 * (n + 1))), 0, 1);
    return gb_op_mul(g, gb_op_concat(g, (gb_value[]){part, part}, 2, 1), total);
}

static gb_value build_norm(gb_graph *g, bool large)
{
    int rows = large ? 100 : 4, heads = 3, kv_heads = 1, size = large ? 80 : 3;
    int width = (heads + 2 * kv_heads) * size;
    gb_value x = parameter(g, "x", GB_SHAPE(rows, width));
    gb_value w = parameter(g, "w", GB_SHAPE(width)), b = parameter(g, "b", GB_SHAPE(width));
    gb_value y = gb_op_layernorm(g, gb_op_rmsnorm(g, x, w, 1e-5f), w, b, 1e-5f);
    y = gb_op_head_norm(g, y, parameter(g, "heads", GB_SHAPE(2, size)), heads, kv_heads, 1e-5f);
    gb_value pairs = gb_op_concat(g, (gb_value[]){y, x}, 2, 1);
    return gb_op_add(g, gb_op_softmax(g, y), gb_op_swiglu(g, pairs));
}

static gb_value build_losses(gb_graph *g, bool large)
{
    static const float levels[] = {0.1f, 0.5f, 0.9f};
    int rows = large ? 12000 : 6, classes = 3;
    gb_value x = parameter(g, "x", GB_SHAPE(rows, classes));
    gb_value index = gb_graph_input(g, "index", GB_I32, GB_SHAPE(rows));
    gb_value target = gb_graph_input(g, "target", GB_F32, GB_SHAPE(rows));
    gb_value weight = gb_op_unary(g, GB_UNARY_SIGMOID, target);
    gb_value far = gb_op_affine(g, target, 0.1f, 9); /* away from the kink */
    gb_value likely = gb_op_cross_entropy(g, x, index);
    gb_value quantile = gb_op_pinball(g, x, far, weight, levels, classes);
    gb_value same =
        gb_op_broadcast(g, gb_op_reshape(g, target, GB_SHAPE(rows, 1)), GB_SHAPE(rows, classes));
    gb_value square = gb_op_mse(g, x, same, gb_op_unary(g, GB_UNARY_SIGMOID, same));
    return gb_op_add(g, gb_op_mul(g, likely, quantile), square);
}

/* Linear, so that wide differences are exact but for the rounding to bf16. */
static gb_value build_cast(gb_graph *g, bool large)
{
    gb_value x = parameter(g, "x", plane(large));
    gb_value whole = gb_graph_input(g, "index", GB_I32, plane(large));
    gb_value y = gb_op_cast(g, gb_op_cast(g, x, GB_BF16), GB_F32);
    return gb_op_mul(g, y, gb_op_affine(g, gb_op_cast(g, whole, GB_F32), 1, 1));
}

static gb_value build_chance(gb_graph *g, bool large)
{
    gb_shape s = plane(large);
    gb_value x = parameter(g, "x", s), step = number(g, "step");
    gb_value random =
        gb_op_mul(g, gb_op_random_normal(g, s, step), gb_op_random_uniform(g, s, step));
    return gb_op_mul(g, gb_op_dropout(g, x, 0.3f, step), random);
}

static gb_value build_updates(gb_graph *g, bool large)
{
    gb_shape s = plane(large);
    gb_value w = parameter(g, "w", s), m = gb_graph_state(g, "m", GB_F32, s);
    gb_value v = gb_graph_state(g, "v", GB_F32, s), mean = gb_graph_state(g, "mean", GB_F32, s);
    gb_value x = gb_graph_input(g, "target", GB_F32, s);
    gb_value rate = gb_graph_input(g, "amount", GB_F32, GB_SCALAR);
    gb_adamw options = {0.9f, 0.95f, 1e-6f, 0.1f, 0.5f};
    gb_value updated = gb_op_adamw(g, w, x, m, v, rate, number(g, "step"), options);
    gb_value average = gb_op_lerp_into(g, mean, updated, rate);
    gb_value copied = gb_op_assign(g, gb_graph_state(g, "copy", GB_F32, s), average);
    return gb_op_affine(g, copied, 2, 0);
}

static gb_value build_sequence(gb_graph *g, bool large)
{
    int B = 2, T = large ? 100 : 4, H = 4, G = 2, E = large ? 16 : 2, V = large ? 90 : 7;
    int width = (H + 2 * G) * E;
    gb_value table = parameter(g, "table", GB_SHAPE(V, width));
    gb_value x = gb_op_embedding(g, table, gb_graph_input(g, "index", GB_I32, GB_SHAPE(B, T)));
    x = gb_op_dwconv(g, x, parameter(g, "w", GB_SHAPE(3, width)));
    x = gb_op_rope(g, x, H, G, 100, number(g, "position"));
    gb_value causal = gb_op_attention(g, x, H, G, true);
    return gb_op_sub(g, causal, gb_op_attention(g, x, H, G, false));
}

static gb_value build_cached(gb_graph *g, bool large)
{
    int B = 2, T = large ? 70 : 2, H = 4, G = 2, E = large ? 32 : 2, kept = large ? 200 : 5;
    int width = (H + 2 * G) * E;
    gb_value x = gb_graph_input(g, "x", GB_F32, GB_SHAPE(B, T, width));
    gb_value rows = gb_graph_state(g, "rows", GB_F32, GB_SHAPE(B, 2, width));
    gb_value cache = gb_graph_state(g, "cache", GB_F32, GB_SHAPE(B, kept, 2, G * E));
    x = gb_op_dwconv_cached(g, x, parameter(g, "w", GB_SHAPE(3, width)), rows);
    return gb_op_attention_cached(g, x, H, G, cache, number(g, "position"));
}

static gb_value build_poses(gb_graph *g, bool large)
{
    const float landmarks[] = {1, 2, -1, 1}, goals[] = {0.5f, 0.25f, 1, 0, 0, 0};
    gb_poses poses = {.frames = 2,
                      .bodies = 2,
                      .points = 1,
                      .landmark_counts = (int[]){1, 1},
                      .landmarks = landmarks,
                      .goal_of = (int[]){1, 0},
                      .goals = goals,
                      .world_scale = 2,
                      .near_scale = 1,
                      .fine_scale = 0.5f,
                      .motion_scale = 1};
    gb_value state = gb_graph_input(g, "x", GB_F32, GB_SHAPE(large ? 2000 : 3, 2, 8));
    return gb_op_poses(g, state, &poses);
}

static const op_case cases[] = {
    {"matmul", build_matmul, true, 0, 0},     {"unary", build_unary, true, 0, 0},
    {"binary", build_binary, true, 0, 0},     {"extremes", build_extremes, false, 0, 0},
    {"sums", build_sums, true, 0, 0},         {"move", build_move, true, 0, 0},
    {"norm", build_norm, true, 5e-3f, 5e-3f}, {"losses", build_losses, true, 0, 0},
    {"cast", build_cast, true, 1, 5e-2f},     {"chance", build_chance, true, 0, 0},
    {"updates", build_updates, false, 0, 0},  {"sequence", build_sequence, true, 0, 0},
    {"cached", build_cached, false, 0, 0},    {"poses", build_poses, false, 0, 0},
};

enum {
    CASES = sizeof cases / sizeof *cases
};

/* ---- filling ---- */

/* Whole numbers are small, so that they can be indices, positions and steps; others are normal. */
static void fill_input(gb_tensor t, uint64_t stream)
{
    size_t count = (size_t)gb_shape_count(&t.shape);
    if (t.dtype == GB_F32)
        gb_random_fill_normal(5, stream, 0, t.data, count);
    for (size_t i = 0; t.dtype == GB_I32 && i < count; i++)
        ((int32_t *)t.data)[i] = (int32_t)gb_random_below(5, stream, i, 3);
}

static void fill_inputs(void *context, gb_tensors *weights, gb_exec *exec)
{
    static const char *const names[] = {"x", "index", "target", "amount", "step", "position"};
    (void)context;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        gb_tensor t = gb_exec_tensor(exec, names[i]);
        if (t.data && !gb_tensors_find(weights, names[i]))
            fill_input(t, 100 + i);
    }
}

/* ---- the same bits ---- */

typedef struct variant {
    const char *what;
    int planned, threads; /* threads 0: no pool */
    bool apart;           /* every value in memory of its own */
} variant;

/* Output and gradients are outputs 0, 1, ... of the graph. */
static gb_graph *build_graph(const op_case *c, gb_dtype compute)
{
    gb_graph *g;
    GRADIENT_OK(gb_graph_create((gb_graph_options){.compute = compute, .seed = 11}, &g));
    gb_value y = c->build(g, true);
    GRADIENT_OK(gb_graph_status(g));
    gb_value loss = gb_op_mean_all(g, gb_op_mul(g, y, y));
    gb_graph_output(g, "out.y", gb_op_affine(g, y, 1, 0));
    GRADIENT_OK(gb_graph_backward(g, loss, false));
    for (int64_t i = 0; gb_graph_parameter_at(g, i) != GB_NONE; i++) {
        char name[48];
        gb_value gradient = gb_graph_gradient(g, gb_graph_parameter_at(g, i));
        if (gradient != GB_NONE)
            gb_graph_output(g, gradient_name(i, name), gb_op_affine(g, gradient, 1, 0));
    }
    GRADIENT_OK(gb_graph_status(g));
    return g;
}

/* Gives every value that is not a view, an update or a leaf outside its own place. */
static void place_apart(gb_plan *plan)
{
    size_t offset = 0;
    for (int32_t i = 0; i < plan->count; i++) {
        const gb_node *node = &plan->nodes[i];
        const gb_op_definition *op = gb_op_table[node->op];
        plan->root[i] = op->view || op->updates ? plan->root[node->operand[0]] : i;
        plan->offset[i] = GB_NOT_PLACED;
        if (!plan->live[i] || plan->root[i] != i || gb_node_is_leaf(node, GB_LEAF_PARAMETER) ||
            gb_node_is_leaf(node, GB_LEAF_STATE))
            continue;
        plan->offset[i] = offset;
        offset += (gb_node_bytes(node) + 63) & ~(size_t)63;
    }
    plan->report.workspace_bytes = offset;
}

static uint64_t hash_tensor(uint64_t hash, gb_tensor t)
{
    const unsigned char *bytes = t.data;
    size_t count = gb_tensor_bytes(&t) / 4;
    for (size_t i = 0; i < count; i++) {
        uint32_t word;
        memcpy(&word, bytes + 4 * i, 4);
        hash = (hash ^ word) * 1099511628211u;
    }
    return hash;
}

static uint64_t hash_set(uint64_t hash, const gb_tensors *set)
{
    for (int64_t i = 0; i < gb_tensors_count(set); i++)
        hash = hash_tensor(hash, *gb_tensors_at(set, i, NULL));
    return hash;
}

/* All that two runs leave: outputs, parameters, states. */
static uint64_t bits_of(const gb_graph *g, const variant *v)
{
    gb_plan *plan;
    gb_pool *pool = NULL;
    gb_exec *exec;
    gb_tensors *weights, *state;
    GRADIENT_OK(gb_tensors_create(&weights));
    GRADIENT_OK(gb_tensors_create(&state));
    GRADIENT_OK(gb_graph_init_parameters(g, 3, weights));
    GRADIENT_OK(gb_graph_init_state(g, state));
    GRADIENT_OK(gb_plan_create(g, v->planned, &plan));
    if (v->apart)
        place_apart(plan);
    if (v->threads > 0)
        GRADIENT_OK(gb_pool_create(v->threads, &pool));
    gb_exec_options options = {.pool = pool, .weights = weights, .state = state};
    GRADIENT_OK(gb_exec_create(plan, options, &exec));
    fill_inputs(NULL, weights, exec);
    gb_exec_run(exec);
    gb_exec_run(exec);
    uint64_t hash = hash_set(hash_set(14695981039346656037u, weights), state);
    for (int32_t i = 0; i < gb_graph_count(g); i++)
        if (gb_graph_node(g, i)->output)
            hash = hash_tensor(hash, gb_exec_tensor(exec, gb_value_name(g, i)));
    gb_exec_destroy(exec);
    gb_pool_destroy(pool);
    gb_plan_destroy(plan);
    gb_tensors_destroy(weights);
    gb_tensors_destroy(state);
    return hash;
}

static void see_live(const gb_graph *g, bool *seen)
{
    gb_plan *plan;
    GRADIENT_OK(gb_plan_create(g, 1, &plan));
    for (int32_t i = 0; i < plan->count; i++)
        if (plan->live[i])
            seen[plan->nodes[i].op] = true;
    gb_plan_destroy(plan);
}

static void test_same_bits(void **state)
{
    (void)state;
    enum {
        VARIANTS = 6,
        FOR_BF16 = 4 /* of bf16 only the last ones: it differs in the products alone */
    };
    static const variant variants[VARIANTS] = {{"a plan for 8", 8, 0, false},
                                               {"1 thread", 8, 1, false},
                                               {"2 threads", 2, 2, false},
                                               {"8 threads", 8, 8, false},
                                               {"3 threads of a plan for 8", 8, 3, false},
                                               {"values in memory of their own", 1, 0, true}};
    bool seen[GB_OP_COUNT] = {false};
    for (int i = 0; i < 2 * CASES; i++) {
        const op_case *c = &cases[i / 2];
        gb_graph *g = build_graph(c, i % 2 ? GB_BF16 : GB_F32);
        see_live(g, seen);
        uint64_t expected = bits_of(g, &(variant){"", 1, 0, false});
        for (size_t k = i % 2 ? FOR_BF16 : 0; k < VARIANTS; k++)
            if (bits_of(g, &variants[k]) != expected)
                fail_msg("%s %s: %s changes bits", c->name, i % 2 ? "bf16" : "f32",
                         variants[k].what);
        gb_graph_destroy(g);
    }
    for (int op = 0; op < GB_OP_COUNT; op++)
        if (!seen[op])
            fail_msg("operation %s is in no case of this file", gb_op_table[op]->name);
}

/* ---- gradients ---- */

static gb_value build_small(gb_graph *g, void *context)
{
    return ((const op_case *)context)->build(g, false);
}

/* Operations on a path from a parameter. */
static void see_differentiated(const op_case *c, bool *seen)
{
    gb_graph *g;
    GRADIENT_OK(gb_graph_create((gb_graph_options){.compute = GB_F32}, &g));
    c->build(g, false);
    bool *depends = calloc((size_t)gb_graph_count(g), 1);
    assert_non_null(depends);
    for (int32_t i = 0; i < gb_graph_count(g); i++) {
        const gb_node *node = gb_graph_node(g, i);
        depends[i] = gb_node_is_leaf(node, GB_LEAF_PARAMETER);
        for (int k = 0; k < node->operand_count; k++)
            depends[i] = depends[i] || (node->operand[k] != GB_NONE && depends[node->operand[k]]);
        seen[node->op] = seen[node->op] || depends[i];
    }
    free(depends);
    gb_graph_destroy(g);
}

static void test_gradients(void **state)
{
    (void)state;
    bool seen[GB_OP_COUNT] = {false};
    for (int i = 0; i < CASES; i++) {
        op_case c = cases[i];
        if (!c.differences)
            continue;
        see_differentiated(&c, seen);
        gradient_check_run(&(gradient_check){.build = build_small,
                                             .prepare = fill_inputs,
                                             .context = &c,
                                             .seed = 4,
                                             .step = c.step,
                                             .tolerance = c.tolerance});
    }
    for (int op = 0; op < GB_OP_COUNT; op++)
        if (gb_op_table[op]->gradient && !seen[op])
            fail_msg("the gradient of %s is compared with differences in no case of this file",
                     gb_op_table[op]->name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_gradients),
    };
    return cmocka_run_group_tests_name("tensor.op_all", tests, NULL, NULL);
}
