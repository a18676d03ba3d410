/* From features to tokens: the small network in front of the backbone that codecs share. */
#include "model/codec.h"

gb_value gb_codec_encoder(const gb_build *build, gb_value features)
{
    gb_shape shape = gb_value_shape(build->graph, features);
    int64_t fan_in = shape.rank > 0 ? shape.dim[shape.rank - 1] : 1;
    int64_t hidden = build->config->codec.hidden;
    gb_value x = features;
    if (hidden > 0) {
        x = gb_build_linear(build, "codec.hidden", x, hidden, true, gb_init_std(fan_in));
        x = gb_op_unary(build->graph, GB_UNARY_SILU, x);
        fan_in = hidden;
    }
    return gb_build_linear(build, "codec.out", x, build->config->backbone.width, true,
                           gb_init_std(fan_in));
}
