/* test/model/two_actions.h: what tests of flow heads with two action streams of different size
 * share: a config to be filled in, and a recording's streams. */
#ifndef TEST_MODEL_TWO_ACTIONS_H
#define TEST_MODEL_TWO_ACTIONS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "genba/model.h"

enum {
    TURN = 2,
    SIZE = TURN + 1 /* turn [2] and force [1] */
};

#define must(call)                                                                                 \
    do {                                                                                           \
        if ((call) != GB_OK)                                                                       \
            fail_msg("%s", gb_error_message());                                                    \
    } while (0)

/* From "level" to chunks of "turn" and "force": one small block; sizes and the rest are the
 * caller's. */
static inline gb_model_config two_actions_config(int width, int horizon)
{
    static char *observed[1] = {"level"}, *actions[2] = {"turn", "force"};
    static int observed_sizes[1] = {1}, action_sizes[2] = {TURN, 1};
    return (gb_model_config){.name = "two actions",
                             .codec = {.kind = GB_CODEC_VECTOR,
                                       .look_back = 1,
                                       .hidden = width,
                                       .streams = observed,
                                       .stream_count = 1,
                                       .sizes = observed_sizes,
                                       .size_count = 1},
                             .backbone = {.width = width},
                             .head = {.kind = GB_HEAD_FLOW,
                                      .horizon = horizon,
                                      .action_size = SIZE,
                                      .actions = actions,
                                      .action_count = 2,
                                      .action_sizes = action_sizes,
                                      .action_size_count = 2,
                                      .width = width,
                                      .hidden = 2 * width,
                                      .blocks = 1,
                                      .time_features = width / 2,
                                      .euler_steps = 2,
                                      .execute = 1}};
}

/* Vectors of these names and sizes, numbered from 0. */
static inline void
add_vectors(gb_recording_builder *builder, const char *const *names, const int *sizes, int count)
{
    for (int s = 0; s < count; s++) {
        gb_stream_spec spec = gb_stream_spec_defaults(names[s]);
        int stream;
        spec.kind = GB_STREAM_VECTOR;
        spec.rank = 1;
        spec.shape[0] = sizes[s];
        must(gb_recording_builder_stream(builder, &spec, &stream));
    }
}

#endif
