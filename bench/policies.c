/* Models as large as those of examples/, with random weights: time does not depend on what they
 * learned. */
#include "policies.h"

static float tee[16] = {-60, 0, 60, 0, 60, 30, 15, 30, 15, 120, -15, 120, -15, 30, -60, 30};
static float goal[3] = {256, 256, 0.78539816f};

/* The sizes of examples/pusht.yaml. */
static gb_model_config policy_config(void)
{
    static gb_pose_body block = {"block", "block.position", "block.angle", tee, 16, goal, 3};
    static char *points[1] = {"agent.position"};
    gb_model_config config = {.name = "pusht"};
    config.codec = (gb_codec_config){.kind = GB_CODEC_POSES,
                                     .look_back = 2,
                                     .hidden = 512,
                                     .bodies = &block,
                                     .body_count = 1,
                                     .points = points,
                                     .point_count = 1,
                                     .center = {256, 256},
                                     .world_scale = 256};
    config.backbone.width = 256;
    config.head = (gb_head_config){.kind = GB_HEAD_FLOW,
                                   .horizon = 16,
                                   .action = "agent.target",
                                   .action_size = 2,
                                   .relative_to = "agent.position",
                                   .width = 256,
                                   .hidden = 512,
                                   .blocks = 4,
                                   .time_features = 64,
                                   .euler_steps = 2,
                                   .temperature = .5f,
                                   .execute = 4,
                                   .clip_low = 0,
                                   .clip_high = 512};
    return config;
}

/* Layers that start at zero get numbers too: a multiplication by zero might be cheaper. */
static void fill_zeros(gb_model *model)
{
    gb_tensors *weights = gb_model_weights(model);
    for (int64_t i = 0; i < gb_tensors_count(weights); i++) {
        gb_tensor *t = gb_tensors_at(weights, i, NULL);
        float *values = t->data;
        int64_t count = gb_shape_count(&t->shape);
        for (int64_t k = 0; k < count; k++)
            if (values[k] == 0.0f)
                values[k] = .02f * gb_random_normal(7, (uint64_t)i, (uint64_t)k);
    }
}

static gb_status create(const gb_model_config *config, gb_model **out)
{
    GB_TRY(gb_model_create(config, 1, out));
    fill_zeros(*out);
    return GB_OK;
}

gb_status bench_policy_pusht(gb_model **out)
{
    gb_model_config config = policy_config();
    return create(&config, out);
}

gb_status bench_policy_grasp(gb_model **out)
{
    static char *streams[] = {"arm.position",     "arm.velocity", "hand.position",
                              "hand.opening",     "hand.grip",    "touch.normal",
                              "touch.tangential", "touch.slip",   "object.position"};
    static int sizes[] = {5, 5, 3, 1, 1, 2, 2, 2, 3};
    static char *actions[] = {"arm.target", "grip.force"};
    static int action_sizes[] = {5, 1};
    gb_model_config config = policy_config();
    config.name = "grasp";
    config.codec = (gb_codec_config){.kind = GB_CODEC_VECTOR,
                                     .look_back = 2,
                                     .hidden = 512,
                                     .streams = streams,
                                     .stream_count = 9,
                                     .sizes = sizes,
                                     .size_count = 9};
    config.head.action = config.head.relative_to = NULL;
    config.head.action_size = 6;
    config.head.actions = actions;
    config.head.action_count = 2;
    config.head.action_sizes = action_sizes;
    config.head.action_size_count = 2;
    config.head.clip_low = config.head.clip_high = 0;
    return create(&config, out);
}
