/* One step of AdamW (Loshchilov, Hutter 2019, "Decoupled weight decay regularization", algorithm
 * 2), in place. With t = step (1 at the first update) and rate' = rate rate_scale: m = beta1 m + (1
 * - beta1) gradient;  v = beta2 v + (1 - beta2) gradient^2; parameter -= rate' (m / (1 - beta1^t) /
 * (sqrt(v / (1 - beta2^t)) + epsilon) + decay parameter). Operands: parameter, gradient, m, v,
 * rate, step, and after planning perhaps a number that multiplies the gradient (fuse.c). attr: f[0]
 * beta1, f[1] beta2, f[2] epsilon, f[3] weight_decay, f[4] rate_scale. */
#include <math.h>

#include "tensor/op/check.h"

static bool in_range(gb_graph *g, const gb_adamw *o)
{
    if (o->beta1 >= 0 && o->beta1 < 1 && o->beta2 >= 0 && o->beta2 < 1 && o->epsilon >= 0 &&
        o->weight_decay >= 0 && isfinite(o->rate_scale))
        return true;
    gb_graph_mistake(g, GB_ERR_ARGUMENT,
                     "adamw: beta1 %g, beta2 %g, epsilon %g, weight_decay %g, rate_scale %g; "
                     "expected betas in [0, 1), epsilon and decay from 0 on, a finite scale",
                     (double)o->beta1, (double)o->beta2, (double)o->epsilon,
                     (double)o->weight_decay, (double)o->rate_scale);
    return false;
}

gb_value gb_op_adamw(gb_graph *g,
                     gb_value parameter,
                     gb_value gradient,
                     gb_value m,
                     gb_value v,
                     gb_value rate,
                     gb_value step,
                     gb_adamw options)
{
    gb_value operands[] = {parameter, gradient, m, v, rate, step};
    if (!gb_graph_usable(g, "adamw", 6, operands) ||
        !gb_check_leaf(g, "adamw", "parameter", parameter) || !gb_check_leaf(g, "adamw", "m", m) ||
        !gb_check_leaf(g, "adamw", "v", v))
        return GB_NONE;
    gb_shape shape = gb_value_shape(g, parameter);
    if (!gb_check_dtype(g, "adamw", "parameter", parameter, GB_F32) ||
        !gb_check_tensor(g, "adamw", "gradient", gradient, GB_F32, shape) ||
        !gb_check_tensor(g, "adamw", "m", m, GB_F32, shape) ||
        !gb_check_tensor(g, "adamw", "v", v, GB_F32, shape) ||
        !gb_check_scalar(g, "adamw", "rate", rate, GB_F32) ||
        !gb_check_scalar(g, "adamw", "step", step, GB_I32) || !in_range(g, &options))
        return GB_NONE;
    if (parameter == m || parameter == v || m == v)
        return gb_graph_mistake(g, GB_ERR_ARGUMENT,
                                "adamw: parameter, m and v must be three leaves, two are the same");
    gb_attr attr = {.f = {options.beta1, options.beta2, options.epsilon, options.weight_decay,
                          options.rate_scale}};
    return gb_graph_append(g, GB_OP_ADAMW, GB_F32, shape, 6, operands, &attr);
}

enum {
    BLOCK = 1024 /* gradients scaled at once: they stay in the first cache */
};

static void adamw_range(const gb_run *run, int64_t begin, int64_t end, int thread)
{
    (void)thread;
    const float *f = run->node->attr.f;
    float rate = *(const float *)run->in[4].data * f[4];
    int32_t step = *(const int32_t *)run->in[5].data;
    double t =
        step > 1 ? step : 1; /* a step before the first has no correction; take the first's */
    float correction1 = (float)(1 / (1 - pow((double)f[0], t)));
    float correction2 = (float)(1 / (1 - pow((double)f[1], t)));
    bool scaled = run->node->operand_count == 7;
    float scale = scaled ? *(const float *)run->in[6].data : 1.0f, block[BLOCK];
    for (int64_t i = begin; i < end; i += BLOCK) {
        int64_t n = end - i < BLOCK ? end - i : BLOCK;
        const float *gradient = (const float *)run->in[1].data + i;
        if (scaled)
            run->kernels->affine(n, gradient, scale, 0.0f, block);
        run->kernels->adamw(n, (float *)run->out.data + i, scaled ? block : gradient,
                            (float *)run->in[2].data + i, (float *)run->in[3].data + i, f[0], f[1],
                            rate, f[3], f[2], correction1, correction2);
    }
}

static void run_adamw(const gb_run *run)
{
    gb_run_ranges(run, gb_shape_count(&run->out.shape), 1, adamw_range);
}

static uint64_t flops(const gb_node *node, const gb_shape *in)
{
    (void)in;
    return 14 * (uint64_t)gb_shape_count(&node->shape);
}

const gb_op_definition gb_op_definition_adamw = {
    .name = "adamw", .run = run_adamw, .flops = flops, .updates = 1 | 4 | 8};
