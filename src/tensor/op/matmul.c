/* Matrix products: C = op(A) op(B) + bias, leading axes batched. Operand 0 is A, 1 is B, 2 the bias
 * [N] or left out. The arithmetic is kernel/gemm.h's; here are shapes, gradients and packing.
 *
 *   dA = dC op(B)^T    dB = op(A)^T dC    dbias = sum over rows of dC   */
#include "tensor/op/matmul.h"
#include "tensor/op/check.h"

bool gb_activation_of_unary(gb_unary kind, gb_activation *out)
{
    switch (kind) {
    case GB_UNARY_SILU:
        *out = GB_ACT_SILU;
        return true;
    case GB_UNARY_GELU:
        *out = GB_ACT_GELU;
        return true;
    case GB_UNARY_RELU:
        *out = GB_ACT_RELU;
        return true;
    default:
        return false;
    }
}

typedef struct product {
    int64_t batch, m, n, k;
    bool one_b; /* B has no leading axes: they all belong to A's rows */
} product;

static product product_of(const gb_node *node, const gb_shape *a, const gb_shape *b)
{
    bool ta = node->attr.i[GB_MATMUL_TRANSPOSE_A], tb = node->attr.i[GB_MATMUL_TRANSPOSE_B];
    product p = {.one_b = b->rank == 2};
    int64_t rows = a->dim[a->rank - 2], columns = a->dim[a->rank - 1];
    p.batch = gb_extent(a, 0, a->rank - 2);
    p.m = ta ? columns : rows;
    p.k = ta ? rows : columns;
    p.n = b->dim[b->rank - (tb ? 2 : 1)];
    if (p.one_b && !ta) {
        p.m *= p.batch;
        p.batch = 1;
    }
    return p;
}

static bool float_type(gb_dtype dtype)
{
    return dtype == GB_F32 || dtype == GB_BF16;
}

static gb_value append_product(gb_graph *g, gb_value a, bool ta, gb_value b, bool tb, gb_value bias)
{
    if (!gb_graph_usable(g, "matmul", 2, (gb_value[]){a, b}))
        return GB_NONE;
    gb_shape sa = gb_value_shape(g, a), sb = gb_value_shape(g, b);
    char ta_text[96], tb_text[96];
    gb_shape_text(&sa, ta_text, sizeof ta_text);
    gb_shape_text(&sb, tb_text, sizeof tb_text);
    if (sa.rank < 2 || sb.rank < 2 || !float_type(gb_value_dtype(g, a)) ||
        !float_type(gb_value_dtype(g, b)))
        return gb_graph_mistake(g, GB_ERR_SHAPE,
                                "matmul: operands %s and %s must be f32 or bf16 of rank 2 or more",
                                ta_text, tb_text);
    bool leading = sb.rank == 2 || sb.rank == sa.rank;
    for (int i = 0; leading && sb.rank > 2 && i < sa.rank - 2; i++)
        leading = sa.dim[i] == sb.dim[i];
    int64_t ka = sa.dim[sa.rank - (ta ? 2 : 1)], kb = sb.dim[sb.rank - (tb ? 1 : 2)];
    if (!leading || ka != kb)
        return gb_graph_mistake(g, GB_ERR_SHAPE, "matmul: %s%s and %s%s do not fit", ta_text,
                                ta ? " transposed" : "", tb_text, tb ? " transposed" : "");
    gb_shape out = sa;
    out.dim[out.rank - 2] = sa.dim[sa.rank - (ta ? 1 : 2)];
    out.dim[out.rank - 1] = sb.dim[sb.rank - (tb ? 2 : 1)];
    if (bias != GB_NONE &&
        (!gb_graph_usable(g, "linear", 1, &bias) ||
         !gb_check_tensor(g, "linear", "bias", bias, GB_F32, GB_SHAPE(gb_last(&out)))))
        return GB_NONE;
    gb_attr attr = {.i = {ta, tb, gb_graph_get_options(g).compute == GB_BF16, GB_ACT_NONE}};
    return gb_graph_append(g, GB_OP_MATMUL, GB_F32, out, 3, (gb_value[]){a, b, bias}, &attr);
}

gb_value gb_op_matmul(gb_graph *g, gb_value a, bool transpose_a, gb_value b, bool transpose_b)
{
    return append_product(g, a, transpose_a, b, transpose_b, GB_NONE);
}

gb_value gb_op_linear(gb_graph *g, gb_value x, gb_value weight, gb_value bias)
{
    gb_shape shape = gb_value_shape(g, x);
    if (shape.rank != 1)
        return append_product(g, x, false, weight, true, bias);
    gb_value row = gb_op_reshape(g, x, GB_SHAPE(1, shape.dim[0]));
    gb_value y = append_product(g, row, false, weight, true, bias);
    return gb_op_reshape(g, y, GB_SHAPE(gb_value_shape(g, y).dim[1]));
}

/* All axes but the last become one. */
static gb_value flat(gb_graph *g, gb_value x)
{
    gb_shape s = gb_value_shape(g, x);
    return s.rank == 2 ? x : gb_op_reshape(g, x, GB_SHAPE(gb_rows(&s), gb_last(&s)));
}

/* The last two axes change places. */
static gb_value transposed(gb_graph *g, gb_value x)
{
    int axes[GB_RANK_MAX], rank = gb_value_shape(g, x).rank;
    for (int i = 0; i < rank; i++)
        axes[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    return gb_op_permute(g, x, axes);
}

static void gradient(gb_graph *g, const gb_grad *grad)
{
    const gb_node *node = grad->node;
    gb_value a = node->operand[0], b = node->operand[1], dc = grad->grad_out;
    bool ta = node->attr.i[GB_MATMUL_TRANSPOSE_A], tb = node->attr.i[GB_MATMUL_TRANSPOSE_B];
    gb_shape sa = gb_value_shape(g, a), sb = gb_value_shape(g, b);
    bool flatten = sb.rank == 2 && sa.rank > 2;
    bool turn = flatten && ta; /* one B meets many transposed A: turned, their rows become one */
    if (gb_grad_wanted(g, grad, 0)) {
        gb_value da =
            ta && !turn ? gb_op_matmul(g, b, tb, dc, true) : gb_op_matmul(g, dc, false, b, !tb);
        gb_grad_add(g, grad, 0, turn ? transposed(g, da) : da);
    }
    if (gb_grad_wanted(g, grad, 1)) {
        gb_value fa = turn ? transposed(g, a) : a, fdc = flatten ? flat(g, dc) : dc;
        bool tfa = ta && !turn;
        fa = flatten ? flat(g, fa) : fa;
        gb_grad_add(g, grad, 1,
                    tb ? gb_op_matmul(g, fdc, true, fa, tfa)
                       : gb_op_matmul(g, fa, !tfa, fdc, false));
    }
    if (node->operand[2] != GB_NONE && gb_grad_wanted(g, grad, 2))
        gb_grad_add(g, grad, 2, gb_op_sum_to_shape(g, dc, gb_value_shape(g, node->operand[2])));
}

static gb_gemm gemm_of(const gb_node *node, const product *p)
{
    gb_gemm gemm = {.m = p->m,
                    .n = p->n,
                    .k = p->k,
                    .transpose_a = node->attr.i[GB_MATMUL_TRANSPOSE_A],
                    .transpose_b = node->attr.i[GB_MATMUL_TRANSPOSE_B],
                    .c_type = GB_F32,
                    .bf16_compute = node->attr.i[GB_MATMUL_BF16],
                    .alpha = 1.0f,
                    .activation = (gb_activation)node->attr.i[GB_MATMUL_ACTIVATION]};
    gemm.lda = gemm.transpose_a ? p->m : p->k;
    gemm.ldb = gemm.transpose_b ? p->k : p->n;
    gemm.ldc = p->n;
    return gemm;
}

static gb_gemm gemm_of_run(const gb_run *run, product *p)
{
    *p = product_of(run->node, &run->in[0].shape, &run->in[1].shape);
    gb_gemm gemm = gemm_of(run->node, p);
    gemm.a = run->in[0].data;
    gemm.a_type = run->in[0].dtype;
    gemm.b = run->in[1].data;
    gemm.b_type = run->in[1].dtype;
    gemm.b_packed = run->packed;
    gemm.c = run->out.data;
    gemm.bias = run->in[2].data;
    return gemm;
}

static void run_product(const gb_run *run)
{
    product p;
    gb_gemm gemm = gemm_of_run(run, &p);
    if (p.batch == 1)
        gb_gemm_run(&gemm, run->scratch, run->pool);
    else
        gb_gemm_run_batched(&gemm, p.batch, p.m * p.k, p.one_b ? 0 : p.k * p.n, p.m * p.n,
                            run->scratch, run->pool);
}

/* The operands' types are not known here; f32 needs the most. */
static size_t scratch_bytes(const gb_node *node, const gb_shape *in, int threads)
{
    product p = product_of(node, &in[0], &in[1]);
    gb_gemm gemm = gemm_of(node, &p);
    return gb_gemm_scratch_bytes(&gemm, threads, p.batch);
}

static uint64_t flops(const gb_node *node, const gb_shape *in)
{
    product p = product_of(node, &in[0], &in[1]);
    return gb_flops(2.0 * (double)p.batch * (double)p.m * (double)p.n * (double)p.k);
}

static size_t packed_bytes(const gb_run *run)
{
    product p;
    gb_gemm gemm = gemm_of_run(run, &p);
    return p.batch == 1 && p.one_b ? gb_gemm_packed_b_bytes(&gemm) : 0;
}

static void pack(const gb_run *run, void *packed)
{
    product p;
    gb_gemm gemm = gemm_of_run(run, &p);
    gb_gemm_pack_b(&gemm, packed, run->pool);
}

const gb_op_definition gb_op_definition_matmul = {.name = "matmul",
                                                  .gradient = gradient,
                                                  .run = run_product,
                                                  .scratch_bytes = scratch_bytes,
                                                  .flops = flops,
                                                  .packed_bytes = packed_bytes,
                                                  .pack = pack};
