/* The update part of a training graph: clipping, AdamW or Muon, averaged weights. All of it is
 * graph operations; the numbers that change by step come in as scalars. */
#include "train/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    NAME_BYTES = 512,
    NEWTON_SCHULZ_STEPS = 5
};

bool gb_is_trained(const char *parameter)
{
    return strncmp(parameter, "stats.", 6) != 0;
}

bool gb_is_decayed(const char *parameter, const gb_shape *shape)
{
    return shape->rank >= 2 && !strstr(parameter, "norm") && !strstr(parameter, "bias");
}

bool gb_is_muon(const char *parameter, const gb_shape *shape)
{
    if (shape->rank != 2 || shape->dim[0] < 16 || shape->dim[1] < 16)
        return false;
    return !strstr(parameter, "norm") && !strstr(parameter, "embed") &&
           strncmp(parameter, "head.", 5) != 0 && strncmp(parameter, "codec.", 6) != 0;
}

double gb_rate_scale_of(const gb_train_config *config, const char *parameter)
{
    for (unsigned i = 0; i < config->rate_scale_count; i++)
        if (strstr(parameter, config->rate_scales[i].match))
            return config->rate_scales[i].scale;
    return 1.0;
}

static gb_value state_of(gb_graph *g, const char *prefix, gb_value parameter)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "%s%s", prefix, gb_value_name(g, parameter));
    return gb_graph_state(g, name, GB_F32, gb_value_shape(g, parameter));
}

/* ---- Muon -------------------------------------------------------------------------------------
 */
gb_value gb_append_orthogonal(gb_graph *g, gb_value x)
{
    static const float a = 3.4445f, b = -4.7750f, c = 2.0315f;
    gb_shape shape = gb_value_shape(g, x);
    bool tall = shape.dim[0] > shape.dim[1];
    if (tall)
        x = gb_op_permute(g, x, (const int[]){1, 0});
    gb_value norm = gb_op_unary(g, GB_UNARY_SQRT, gb_op_sum_all(g, gb_op_mul(g, x, x)));
    x = gb_op_div(g, x, gb_op_affine(g, norm, 1.0f, 1e-7f));
    for (int i = 0; i < NEWTON_SCHULZ_STEPS; i++) { /* x <- a x + (b A + c A A) x, A = x x^T */
        gb_value gram = gb_op_matmul(g, x, false, x, true);
        gb_value square = gb_op_matmul(g, gram, false, gram, false);
        gb_value mixed =
            gb_op_add(g, gb_op_affine(g, gram, b, 0.0f), gb_op_affine(g, square, c, 0.0f));
        x = gb_op_add(g, gb_op_affine(g, x, a, 0.0f), gb_op_matmul(g, mixed, false, x, false));
    }
    return tall ? gb_op_permute(g, x, (const int[]){1, 0}) : x;
}

/* momentum <- mu momentum + (1 - mu) g; u = (1 - mu) g + mu momentum (Nesterov);
 * p <- p - rate (orthogonal(u) sqrt(max(1, rows / columns)) + decay p) */
static gb_value append_muon(gb_graph *g,
                            const gb_train_config *config,
                            gb_value parameter,
                            gb_value gradient,
                            gb_value rate)
{
    const gb_optimizer_config *o = &config->optimizer;
    const char *name = gb_value_name(g, parameter);
    gb_shape shape = gb_value_shape(g, parameter);
    float mu = (float)o->momentum;
    double ratio = o->muon_rate / o->rate * gb_rate_scale_of(config, name);
    gb_value rest = gb_op_fill(g, GB_SCALAR, 1.0f - mu);
    gb_value momentum =
        gb_op_lerp_into(g, state_of(g, "muon.momentum.", parameter), gradient, rest);
    gb_value ahead = gb_op_add(g, gb_op_affine(g, gradient, 1.0f - mu, 0.0f),
                               gb_op_affine(g, momentum, mu, 0.0f));
    double stretch = (double)shape.dim[0] / (double)shape.dim[1];
    float scale = (float)sqrt(stretch > 1.0 ? stretch : 1.0);
    gb_value direction = gb_op_affine(g, gb_append_orthogonal(g, ahead), scale, 0.0f);
    if (o->muon_decay > 0.0)
        direction = gb_op_add(g, direction, gb_op_affine(g, parameter, (float)o->muon_decay, 0.0f));
    gb_value step = gb_op_mul(g, direction, gb_op_affine(g, rate, (float)ratio, 0.0f));
    return gb_op_assign(g, parameter, gb_op_sub(g, parameter, step));
}

/* ---- AdamW ------------------------------------------------------------------------------------
 */
static gb_value append_adamw(gb_graph *g,
                             const gb_train_config *config,
                             gb_value parameter,
                             gb_value gradient,
                             gb_value rate,
                             gb_value step)
{
    const gb_optimizer_config *o = &config->optimizer;
    const char *name = gb_value_name(g, parameter);
    gb_shape shape = gb_value_shape(g, parameter);
    gb_adamw options = {
        .beta1 = (float)o->beta1,
        .beta2 = (float)o->beta2,
        .epsilon = (float)o->epsilon,
        .weight_decay = gb_is_decayed(name, &shape) ? (float)o->weight_decay : 0.0f,
        .rate_scale = (float)gb_rate_scale_of(config, name),
    };
    return gb_op_adamw(g, parameter, gradient, state_of(g, "adam.m.", parameter),
                       state_of(g, "adam.v.", parameter), rate, step, options);
}

/* ---- the whole --------------------------------------------------------------------------------
 */
/* The gradient of the parameter at `index`; GB_NONE if no step changes it. */
static gb_value trained_gradient(const gb_graph *g, int64_t index, gb_value *parameter)
{
    *parameter = gb_graph_parameter_at(g, index);
    if (*parameter == GB_NONE || !gb_is_trained(gb_value_name(g, *parameter)))
        return GB_NONE;
    return gb_graph_gradient(g, *parameter);
}

static gb_value append_norm(gb_graph *g)
{
    gb_value sum = GB_NONE, parameter;
    for (int64_t i = 0; (parameter = gb_graph_parameter_at(g, i)) != GB_NONE; i++) {
        gb_value gradient = trained_gradient(g, i, &parameter);
        if (gradient == GB_NONE)
            continue;
        gb_value square = gb_op_sum_all(g, gb_op_unary(g, GB_UNARY_SQUARE, gradient));
        sum = sum == GB_NONE ? square : gb_op_add(g, sum, square);
    }
    return sum == GB_NONE ? GB_NONE : gb_op_unary(g, GB_UNARY_SQRT, sum);
}

gb_status gb_append_updates(gb_graph *g, const gb_train_config *config)
{
    GB_TRY(gb_graph_status(g));
    gb_value step = gb_graph_input(g, GB_INPUT_STEP, GB_I32, GB_SCALAR);
    gb_value rate = gb_graph_input(g, GB_INPUT_RATE, GB_F32, GB_SCALAR);
    gb_value average = gb_graph_input(g, GB_INPUT_AVERAGE, GB_F32, GB_SCALAR);
    gb_value norm = append_norm(g), scale = GB_NONE, parameter;
    if (norm == GB_NONE)
        return gb_fail(GB_ERR_ARGUMENT, "the loss depends on no parameter: nothing can be trained");
    gb_graph_output(g, GB_OUTPUT_NORM, norm);
    if (config->clip > 0.0) { /* min(1, clip / norm) */
        gb_value clip = gb_op_fill(g, GB_SCALAR, (float)config->clip);
        scale = gb_op_min(g, gb_op_fill(g, GB_SCALAR, 1.0f),
                          gb_op_div(g, clip, gb_op_affine(g, norm, 1.0f, 1e-6f)));
    }
    for (int64_t i = 0; (parameter = gb_graph_parameter_at(g, i)) != GB_NONE; i++) {
        gb_value gradient = trained_gradient(g, i, &parameter);
        if (gradient == GB_NONE)
            continue;
        gb_shape shape = gb_value_shape(g, parameter);
        bool muon = config->optimizer.kind == GB_OPTIMIZER_MUON &&
                    gb_is_muon(gb_value_name(g, parameter), &shape);
        if (scale != GB_NONE)
            gradient = gb_op_mul(g, gradient, scale);
        gb_value updated = muon ? append_muon(g, config, parameter, gradient, rate)
                                : append_adamw(g, config, parameter, gradient, rate, step);
        if (config->ema > 0.0)
            (void)gb_op_lerp_into(g, state_of(g, GB_AVERAGE_PREFIX, parameter), updated, average);
    }
    return gb_graph_status(g);
}
