/* Gated short convolution (LFM2): (b, c, u) = split3(W_in x); y = W_out (c * dwconv_causal(b * u)).
 * Its memory is the last kernel - 1 rows of b * u. */
#include "model/block.h"

#include <stdio.h>

static gb_status check(const gb_model_config *config, const gb_config_place *place)
{
    return gb_config_check_range(place, "backbone.conv_kernel", config->backbone.conv_kernel, 2,
                                 64);
}

static gb_value mix(const gb_build *build, const char *name, gb_value x, float out_std)
{
    const gb_backbone_config *b = &build->config->backbone;
    gb_graph *g = build->graph;
    char part[96];
    snprintf(part, sizeof part, "%s.in", name);
    gb_value all = gb_build_linear(build, part, x, 3 * b->width, false, gb_init_std(b->width));
    gb_value gate = gb_op_slice(g, all, 2, 0, b->width);
    gb_value out_gate = gb_op_slice(g, all, 2, b->width, b->width);
    gb_value input = gb_op_slice(g, all, 2, 2 * b->width, b->width);
    snprintf(part, sizeof part, "%s.conv.weight", name);
    gb_value weight = gb_graph_parameter(g, part, GB_SHAPE(b->conv_kernel, b->width),
                                         (gb_init){GB_INIT_NORMAL, gb_init_std(b->conv_kernel)});
    gb_value y = gb_op_mul(g, gate, input);
    if (build->rows > 0) {
        snprintf(part, sizeof part, "%s.cache", name);
        gb_value cache =
            gb_graph_state(g, part, GB_F32, GB_SHAPE(build->batch, b->conv_kernel - 1, b->width));
        y = gb_op_dwconv_cached(g, y, weight, cache);
    } else {
        y = gb_op_dwconv(g, y, weight);
    }
    y = gb_op_mul(g, out_gate, y);
    snprintf(part, sizeof part, "%s.out", name);
    return gb_build_linear(build, part, y, b->width, false, out_std);
}

const gb_block_definition gb_block_definition_conv = {.name = "conv", .check = check, .mix = mix};
