/* Layers: x += mix(RMSNorm x); x += SwiGLU(RMSNorm x). And the few pieces all graphs are built of.
 *
 * Weights start as normal(0, 1 / sqrt(fan_in)). The projections that end a residual branch are
 * scaled by 1 / sqrt(2 layers), so that the sum of all branches starts with the variance of one
 * (Radford et al. 2019, GPT-2). */
#include <math.h>
#include <stdio.h>

#include "model/block.h"

gb_value gb_build_step(const gb_build *build)
{
    return gb_graph_input(build->graph, "step", GB_I32, GB_SCALAR);
}

gb_value gb_build_position(const gb_build *build)
{
    return gb_graph_input(build->graph, "position", GB_I32, GB_SCALAR);
}

float gb_init_std(int64_t fan_in)
{
    return (float)(1.0 / sqrt((double)fan_in));
}

gb_value gb_build_linear(
    const gb_build *build, const char *name, gb_value x, int64_t outputs, bool bias, float std)
{
    gb_graph *g = build->graph;
    gb_shape shape = gb_value_shape(g, x);
    int64_t inputs = shape.rank > 0 ? shape.dim[shape.rank - 1] : 1;
    char full[128];
    snprintf(full, sizeof full, "%s.weight", name);
    gb_init init = {std > 0.0f ? GB_INIT_NORMAL : GB_INIT_ZERO, std};
    gb_value weight = gb_graph_parameter(g, full, GB_SHAPE(outputs, inputs), init);
    gb_value offset = GB_NONE;
    if (bias) {
        snprintf(full, sizeof full, "%s.bias", name);
        offset = gb_graph_parameter(g, full, GB_SHAPE(outputs), (gb_init){GB_INIT_ZERO, 0.0f});
    }
    return gb_op_linear(g, x, weight, offset);
}

gb_value gb_build_rmsnorm(const gb_build *build, const char *name, gb_value x)
{
    gb_shape shape = gb_value_shape(build->graph, x);
    char full[128];
    snprintf(full, sizeof full, "%s.weight", name);
    gb_value weight = gb_graph_parameter(build->graph, full,
                                         GB_SHAPE(shape.rank > 0 ? shape.dim[shape.rank - 1] : 1),
                                         (gb_init){GB_INIT_ONE, 0.0f});
    return gb_op_rmsnorm(build->graph, x, weight, 1e-6f);
}

gb_value gb_build_dropout(const gb_build *build, gb_value x)
{
    float probability = build->config->backbone.dropout;
    if (!build->training || probability <= 0.0f)
        return x;
    return gb_op_dropout(build->graph, x, probability, gb_build_step(build));
}

static gb_value feed_forward(const gb_build *build, const char *name, gb_value x, float out_std)
{
    const gb_backbone_config *b = &build->config->backbone;
    char part[96];
    snprintf(part, sizeof part, "%s.ffn_norm", name);
    x = gb_build_rmsnorm(build, part, x);
    snprintf(part, sizeof part, "%s.ffn.in", name);
    x = gb_build_linear(build, part, x, 2 * (int64_t)b->ffn, false, gb_init_std(b->width));
    snprintf(part, sizeof part, "%s.ffn.out", name);
    return gb_build_linear(build, part, gb_op_swiglu(build->graph, x), b->width, false, out_std);
}

gb_value gb_build_backbone(const gb_build *build, gb_value tokens)
{
    const gb_backbone_config *b = &build->config->backbone;
    gb_graph *g = build->graph;
    double branches = 2.0 * (double)b->block_count;
    gb_value x = tokens;
    for (unsigned i = 0; i < b->block_count; i++) {
        char name[48], part[96];
        gb_graph_checkpoint(g, x);
        snprintf(name, sizeof name, "block.%u", i);
        snprintf(part, sizeof part, "%s.norm", name);
        gb_value y = gb_build_rmsnorm(build, part, x);
        float out_std = (float)(1.0 / sqrt((double)b->width * branches));
        y = gb_block_of(b->blocks[i])->mix(build, name, y, out_std);
        x = gb_op_add(g, x, gb_build_dropout(build, y));
        out_std = (float)(1.0 / sqrt((double)b->ffn * branches));
        y = feed_forward(build, name, x, out_std);
        x = gb_op_add(g, x, gb_build_dropout(build, y));
    }
    if (b->block_count > 0) {
        gb_graph_checkpoint(g, x);
        x = gb_build_rmsnorm(build, "norm", x);
    }
    return x;
}
