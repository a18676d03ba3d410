/* A model in the loop, on record, and once more from the record: real policies through servo and
 * pilot, both ways of switching chunks, by the clock and stepped. */
#include "model/pushing.h"

#include "genba/control.h"
#include "genba/tensor.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/genba-run-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

/* Noise instead of training, also in the last layer, which begins with zeros: what it answers is no
 * matter, only that it answers the same again. */
static gb_model *make_model(uint64_t seed)
{
    gb_model_config config = pushing_config();
    gb_model *model = NULL;
    config.head.horizon = 16;
    config.head.execute = 4;
    pushing_ok(gb_model_create(&config, seed, &model));
    gb_tensors *weights = gb_model_weights(model);
    for (int64_t i = 0; i < gb_tensors_count(weights); i++) {
        const char *name = NULL;
        gb_tensor *tensor = gb_tensors_at(weights, i, &name);
        float *values = tensor->data;
        for (int64_t k = 0; tensor->dtype == GB_F32 && k < gb_shape_count(&tensor->shape); k++)
            values[k] += 0.02f * gb_random_normal(seed, (uint64_t)i, (uint64_t)k);
    }
    return model;
}

static void record(const char *path,
                   const gb_model *model,
                   gb_dtype compute,
                   gb_switching switching,
                   bool stepped,
                   gb_control_result *result)
{
    gb_link *link = NULL;
    gb_blackbox *box = NULL;
    gb_blackbox_counts counts;
    gb_policy policy = {0};
    gb_policy_make_fn make = gb_policy_model_maker(compute);
    gb_plant_options plant = gb_plant_options_defaults();
    plant.max_steps = 60;
    pushing_ok(gb_link_plant("pusht", &plant, &link));
    pushing_ok(make(model, link->machine, &policy));
    gb_control_options options = gb_control_options_defaults();
    options.link = link;
    options.make = make;
    options.make_context = model;
    options.switching = switching;
    options.stepped_time = stepped;
    options.episodes = stepped ? 3 : 1;
    options.seconds = stepped ? 0 : 1;
    options.first_seed = 100;
    options.tick_ns = link->machine->tick_ns;
    options.delay_ns = 2 * link->machine->tick_ns;
    options.priority = 0;
    gb_blackbox_options log = {.path = path,
                               .machine = link->machine,
                               .policy = &policy,
                               .model_name = "pushing",
                               .model_hash_hex = "beef",
                               .machine_name = "plant:pusht",
                               .tick_ns = options.tick_ns,
                               .ring_ticks = 4096};
    pushing_ok(gb_blackbox_open(&log, &box));
    options.blackbox = box;
    pushing_ok(gb_control_run(&options, result));
    pushing_ok(gb_blackbox_close(box, &counts));
    gb_policy_destroy(&policy);
    gb_link_close(link);
    assert_int_equal(counts.ticks_lost, 0);
    assert_int_equal(counts.ticks, result->ticks);
    assert_int_equal(counts.decisions, result->decisions);
}

/* Warming between two decisions changes no bit of the second. */
static void test_warming_changes_nothing(void **state)
{
    (void)state;
    gb_model *model = make_model(7);
    const gb_plant_info *pusht = NULL;
    gb_policy policy = {0};
    pushing_ok(gb_plant_describe("pusht", &pusht));
    pushing_ok(gb_policy_make_model(model, pusht, &policy));
    assert_non_null(policy.warm);
    policy.warm(policy.context); /* also before the first */
    double seen[64], actions[2][512];
    assert_true(policy.look_back * pusht->observation_size <= 64);
    assert_true(policy.horizon * pusht->action_size <= 512);
    for (int i = 0; i < 64; i++)
        seen[i] = 100.0 + i;
    for (int i = 0; i < 2; i++) {
        pushing_ok(policy.decide(policy.context, seen, 3, 4, actions[i]));
        policy.warm(policy.context);
    }
    assert_memory_equal(actions[0], actions[1],
                        (size_t)(policy.horizon * pusht->action_size) * sizeof(double));
    gb_policy_destroy(&policy);
    gb_model_destroy(model);
}

static void check(gb_dtype compute, gb_switching switching, bool stepped)
{
    char path[128];
    gb_control_result run;
    gb_replay_result replay;
    gb_model *model = make_model(7), *other = make_model(8);
    gb_dtype said = GB_DTYPE_COUNT;
    snprintf(path, sizeof path, "%s/%d-%d-%d.mcap", folder, (int)compute, (int)switching, stepped);
    record(path, model, compute, switching, stepped, &run);
    assert_true(run.ticks > 10 && run.decisions > 1);

    pushing_ok(gb_blackbox_precision(path, &said));
    assert_int_equal(said, compute);
    gb_policy_make_fn make = gb_policy_model_maker(said);
    pushing_ok(gb_replay(path, make, model, "beef", &replay));
    assert_int_equal(replay.compute, compute);
    assert_int_equal(replay.ticks, run.ticks);
    assert_int_equal(replay.decisions_checked, run.decisions);
    assert_int_equal(replay.decisions_different, 0);
    assert_int_equal(replay.proposals_different, 0);
    assert_int_equal(replay.proposals_unchecked, 0);
    assert_int_equal(replay.proposals_checked, run.ticks - run.without_chunk);
    assert_true(replay.chain_whole && replay.closed && replay.same_model);

    pushing_ok(gb_replay(path, make, other, "cafe", &replay));
    assert_true(replay.decisions_different > 0);
    assert_true(replay.proposals_different > 0);
    assert_false(replay.same_model);
    gb_model_destroy(model);
    gb_model_destroy(other);
}

static void test_stepped_plain(void **state)
{
    (void)state;
    check(GB_F32, GB_SWITCH_PLAIN, true);
}

static void test_stepped_real_time_chunks(void **state)
{
    (void)state;
    check(GB_F32, GB_SWITCH_REAL_TIME, true);
}

static void test_in_bf16(void **state)
{
    (void)state;
    check(GB_BF16, GB_SWITCH_PLAIN, true);
    check(GB_BF16, GB_SWITCH_REAL_TIME, true);
    check(GB_BF16, GB_SWITCH_REAL_TIME, false);
}

/* What differs between the precisions is not called a difference of the model. */
static void test_other_precision_is_refused(void **state)
{
    (void)state;
    static const gb_dtype kinds[] = {GB_F32, GB_BF16};
    char path[128], expected[64];
    gb_control_result run;
    gb_model *model = make_model(7);
    for (int i = 0; i < 2; i++) {
        gb_replay_result replay = {.decisions = -1};
        snprintf(path, sizeof path, "%s/refused-%d.mcap", folder, i);
        record(path, model, kinds[i], GB_SWITCH_REAL_TIME, true, &run);
        assert_int_equal(gb_replay(path, gb_policy_model_maker(kinds[!i]), model, "beef", &replay),
                         GB_ERR_MISMATCH);
        snprintf(expected, sizeof expected, "computes in %s", gb_precision_name(kinds[i]));
        assert_non_null(strstr(gb_error_message(), expected));
        assert_int_equal(replay.decisions, -1); /* untouched: nothing was compared */
    }
    gb_model_destroy(model);
}

static void test_precisions_have_names(void **state)
{
    (void)state;
    gb_dtype read = GB_I32;
    assert_int_equal(GB_F32, 0); /* a policy that says nothing computes in f32 */
    pushing_ok(gb_precision_parse("bf16", &read));
    assert_int_equal(read, GB_BF16);
    pushing_ok(gb_precision_parse("f32", &read));
    assert_int_equal(read, GB_F32);
    assert_int_equal(gb_precision_parse("fp16", &read), GB_ERR_ARGUMENT);
    assert_int_equal(gb_precision_parse("", &read), GB_ERR_ARGUMENT);
    assert_int_equal(read, GB_F32);
    assert_null(gb_precision_name(GB_I8));
    assert_true(gb_policy_model_maker(GB_F32) == gb_policy_make_model);
    assert_true(gb_policy_model_maker(GB_I8) == NULL);
}

static void test_by_the_clock(void **state)
{
    (void)state;
    check(GB_F32, GB_SWITCH_REAL_TIME, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_warming_changes_nothing),
        cmocka_unit_test(test_stepped_plain),
        cmocka_unit_test(test_stepped_real_time_chunks),
        cmocka_unit_test(test_by_the_clock),
        cmocka_unit_test(test_in_bf16),
        cmocka_unit_test(test_other_precision_is_refused),
        cmocka_unit_test(test_precisions_have_names),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
