/* Causal grouped-query attention with RMSNorm on every query and key head, then rotary positions.
 * Its memory is the keys and values of all rows before. */
#include "model/block.h"

#include <stdio.h>

static gb_status check(const gb_model_config *config, const gb_config_place *place)
{
    const gb_backbone_config *b = &config->backbone;
    GB_TRY(gb_config_check_range(place, "backbone.heads", b->heads, 1, 1024));
    GB_TRY(gb_config_check_range(place, "backbone.kv_heads", b->kv_heads, 1, b->heads));
    if (b->width % b->heads != 0 || (b->width / b->heads) % 2 != 0)
        return gb_config_fail(place, "backbone.heads",
                              "%d heads share a width of %d: each must get the same even number of "
                              "values; change heads or width",
                              b->heads, b->width);
    if (b->heads % b->kv_heads != 0)
        return gb_config_fail(place, "backbone.kv_heads",
                              "is %d, expected a divisor of heads, which is %d", b->kv_heads,
                              b->heads);
    if (!(b->rope_theta > 1.0f))
        return gb_config_fail(place, "backbone.rope_theta", "is %g, expected more than 1",
                              (double)b->rope_theta);
    return GB_OK;
}

static gb_value mix(const gb_build *build, const char *name, gb_value x, float out_std)
{
    const gb_backbone_config *b = &build->config->backbone;
    gb_graph *g = build->graph;
    int head_dim = b->width / b->heads;
    char part[96];
    snprintf(part, sizeof part, "%s.qkv", name);
    gb_value qkv = gb_build_linear(build, part, x, (b->heads + 2 * b->kv_heads) * head_dim, false,
                                   gb_init_std(b->width));
    snprintf(part, sizeof part, "%s.head_norm.weight", name);
    gb_value norm =
        gb_graph_parameter(g, part, GB_SHAPE(2, head_dim), (gb_init){GB_INIT_ONE, 0.0f});
    qkv = gb_op_head_norm(g, qkv, norm, b->heads, b->kv_heads, 1e-6f);
    gb_value position = build->rows > 0 ? gb_build_position(build) : GB_NONE;
    qkv = gb_op_rope(g, qkv, b->heads, b->kv_heads, b->rope_theta, position);
    gb_value y;
    if (build->rows > 0) {
        snprintf(part, sizeof part, "%s.cache", name);
        gb_value cache = gb_graph_state(
            g, part, GB_F32,
            GB_SHAPE(build->batch, build->config->codec.look_back, 2, b->kv_heads * head_dim));
        y = gb_op_attention_cached(g, qkv, b->heads, b->kv_heads, cache, position);
    } else {
        y = gb_op_attention(g, qkv, b->heads, b->kv_heads, true);
    }
    snprintf(part, sizeof part, "%s.out", name);
    return gb_build_linear(build, part, y, b->width, false, out_std);
}

const gb_block_definition gb_block_definition_attention = {
    .name = "attention", .check = check, .mix = mix};
