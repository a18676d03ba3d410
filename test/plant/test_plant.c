/* What every plant promises: descriptions, determinism, refusals, the end of an episode, snapshots.
 */
#include "genba/plant.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static gb_plant *new_plant(void)
{
    gb_plant *plant = NULL;
    assert_int_equal(gb_plant_create("pusht", NULL, &plant), GB_OK);
    return plant;
}

/* A target that wanders over the table, different for each seed. */
static void wander(uint64_t seed, int step, double *action)
{
    action[0] = 30.0 + 450.0 * (double)gb_random_uniform(seed, 0, (uint64_t)(step / 4));
    action[1] = 30.0 + 450.0 * (double)gb_random_uniform(seed, 1, (uint64_t)(step / 4));
}

static void run_steps(gb_plant *plant, uint64_t seed, int from, int end)
{
    for (int i = from; i < end; i++) {
        double action[2];
        wander(seed, i, action);
        assert_int_equal(gb_plant_step(plant, action, NULL, NULL), GB_OK);
    }
}

static void assert_same_bits(const gb_plant *a, const gb_plant *b)
{
    double left[5], right[5];
    gb_plant_observe(a, left);
    gb_plant_observe(b, right);
    assert_memory_equal(left, right, sizeof left);
    gb_plant_result ra = gb_plant_get_result(a), rb = gb_plant_get_result(b);
    assert_true(ra.score == rb.score && ra.progress == rb.progress && ra.reward == rb.reward);
    assert_true(ra.steps == rb.steps && ra.done == rb.done && ra.success == rb.success);
}

static void every_description_is_whole(void **state)
{
    (void)state;
    const gb_plant_info *info;
    for (int i = 0; (info = gb_plant_at(i)) != NULL; i++) {
        const gb_plant_info *found = NULL;
        assert_int_equal(gb_plant_describe(info->name, &found), GB_OK);
        assert_ptr_equal(found, info);
        int size = 0;
        for (int k = 0; k < info->observation_stream_count; k++) {
            const gb_plant_stream *stream = &info->observation_streams[k];
            assert_int_equal(gb_stream_spec_size(&stream->spec), stream->size);
            int offset = -1;
            assert_ptr_equal(gb_plant_observation_stream(info, stream->spec.name, &offset), stream);
            assert_int_equal(offset, size);
            size += stream->size;
        }
        assert_int_equal(size, info->observation_size);
        size = 0;
        for (int k = 0; k < info->action_stream_count; k++)
            size += info->action_streams[k].size;
        assert_int_equal(size, info->action_size);
        const gb_plant_geometry *geometry = info->geometry;
        for (int k = 0; k < geometry->body_count; k++) {
            const gb_plant_body *body = &geometry->bodies[k];
            const gb_plant_stream *position =
                gb_plant_observation_stream(info, body->position_stream, NULL);
            assert_non_null(position);
            assert_int_equal(position->size, geometry->dimensions);
            if (body->rotation_stream)
                assert_non_null(gb_plant_observation_stream(info, body->rotation_stream, NULL));
        }
    }
    assert_null(gb_plant_at(-1));
    assert_int_equal(gb_plant_describe("crane", &info), GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_error_message(), "pusht"));
    assert_null(gb_plant_observation_stream(gb_plant_at(0), "no.such", NULL));
}

static void same_seed_same_bits(void **state)
{
    (void)state;
    gb_plant *a = new_plant(), *b = new_plant();
    run_steps(b, 99, 0, 57); /* what happened before must not matter */
    for (uint64_t seed = 0; seed < 8; seed++) {
        assert_int_equal(gb_plant_reset(a, seed, NULL), GB_OK);
        assert_int_equal(gb_plant_reset(b, seed, NULL), GB_OK);
        for (int i = 0; i < 300; i += 10) {
            run_steps(a, seed, i, i + 10);
            run_steps(b, seed, i, i + 10);
            assert_same_bits(a, b);
        }
    }
    gb_plant_destroy(a);
    gb_plant_destroy(b);
}

typedef struct side_by_side {
    gb_plant *plants[8];
} side_by_side;

static void run_one(void *context, int64_t part, int thread)
{
    (void)thread;
    gb_plant *plant = ((side_by_side *)context)->plants[part];
    for (int i = 0; i < 200; i++) {
        double action[2];
        wander((uint64_t)part, i, action);
        if (gb_plant_step(plant, action, NULL, NULL) != GB_OK)
            return; /* the comparison will find it */
    }
}

static void plants_run_side_by_side(void **state)
{
    (void)state;
    side_by_side parallel, serial;
    gb_pool *pool = NULL;
    assert_int_equal(gb_pool_create(3, &pool), GB_OK);
    for (int i = 0; i < 8; i++) {
        parallel.plants[i] = new_plant();
        serial.plants[i] = new_plant();
        assert_int_equal(gb_plant_reset(parallel.plants[i], (uint64_t)i, NULL), GB_OK);
        assert_int_equal(gb_plant_reset(serial.plants[i], (uint64_t)i, NULL), GB_OK);
    }
    gb_pool_run(pool, run_one, &parallel, 8);
    gb_pool_run(NULL, run_one, &serial, 8);
    for (int i = 0; i < 8; i++) {
        assert_true(gb_plant_get_result(serial.plants[i]).steps > 0);
        assert_same_bits(parallel.plants[i], serial.plants[i]);
        gb_plant_destroy(parallel.plants[i]);
        gb_plant_destroy(serial.plants[i]);
    }
    gb_pool_destroy(pool);
}

static void a_bad_action_changes_nothing(void **state)
{
    (void)state;
    const double bad[] = {NAN, INFINITY, -INFINITY};
    gb_plant *a = new_plant(), *b = new_plant();
    run_steps(a, 1, 0, 20);
    run_steps(b, 1, 0, 20);
    for (int i = 0; i < 6; i++) {
        double action[2] = {100.0, 100.0}, observation[5] = {-1.0};
        action[i % 2] = bad[i / 2];
        assert_int_equal(gb_plant_step(a, action, observation, NULL), GB_ERR_NUMERIC);
        assert_non_null(strstr(gb_error_message(), "agent.target"));
        assert_true(observation[0] == -1.0);
        assert_same_bits(a, b);
    }
    run_steps(a, 1, 20, 60);
    run_steps(b, 1, 20, 60);
    assert_same_bits(a, b);
    gb_plant_destroy(a);
    gb_plant_destroy(b);
}

static void commands_saturate(void **state)
{
    (void)state;
    gb_plant *a = new_plant(), *b = new_plant();
    const double far[2] = {1e300, -1e300}, edge[2] = {512.0, 0.0};
    for (int i = 0; i < 30; i++) {
        assert_int_equal(gb_plant_step(a, far, NULL, NULL), GB_OK);
        assert_int_equal(gb_plant_step(b, edge, NULL, NULL), GB_OK);
        assert_same_bits(a, b);
    }
    gb_plant_destroy(a);
    gb_plant_destroy(b);
}

static void a_finished_plant_is_frozen(void **state)
{
    (void)state;
    gb_plant_options options = gb_plant_options_defaults();
    options.max_steps = 12;
    gb_plant *plant = NULL;
    assert_int_equal(gb_plant_create("pusht", &options, &plant), GB_OK);
    run_steps(plant, 3, 0, 11);
    assert_false(gb_plant_get_result(plant).done);
    run_steps(plant, 3, 11, 12);
    double before[5], after[5], action[2] = {400.0, 20.0};
    gb_plant_observe(plant, before);
    for (int i = 0; i < 5; i++) {
        gb_plant_result result;
        assert_int_equal(gb_plant_step(plant, action, after, &result), GB_OK);
        assert_memory_equal(before, after, sizeof before);
        assert_true(result.done);
        assert_int_equal(result.steps, 12);
    }
    assert_int_equal(gb_plant_reset(plant, 3, NULL), GB_OK);
    assert_false(gb_plant_get_result(plant).done);
    assert_int_equal(gb_plant_get_result(plant).steps, 0);
    gb_plant_destroy(plant);
}

static void options_and_states_are_checked(void **state)
{
    (void)state;
    gb_plant *plant = NULL;
    gb_plant_options options = gb_plant_options_defaults();
    options.max_steps = 301;
    assert_int_equal(gb_plant_create("pusht", &options, &plant), GB_ERR_ARGUMENT);
    options.max_steps = -1;
    assert_int_equal(gb_plant_create("pusht", &options, &plant), GB_ERR_ARGUMENT);
    options = gb_plant_options_defaults();
    options.stop_above = -0.5;
    assert_int_equal(gb_plant_create("pusht", &options, &plant), GB_ERR_ARGUMENT);
    assert_int_equal(gb_plant_create(NULL, NULL, &plant), GB_ERR_NOT_FOUND);
    assert_null(plant);
    gb_plant_destroy(NULL);

    plant = new_plant();
    double before[5], after[5], wrong[5] = {100, 100, 200, 200, NAN};
    gb_plant_observe(plant, before);
    assert_int_equal(gb_plant_set_state(plant, wrong), GB_ERR_NUMERIC);
    wrong[4] = 0.0;
    wrong[2] = 1e9;
    assert_int_equal(gb_plant_set_state(plant, wrong), GB_ERR_ARGUMENT);
    assert_int_equal(gb_plant_reset(plant, 1ull << 32, NULL), GB_ERR_ARGUMENT);
    gb_plant_observe(plant, after);
    assert_memory_equal(before, after, sizeof before);
    gb_plant_destroy(plant);
}

static void check_restore(gb_plant *original, gb_plant *other, uint64_t seed)
{
    size_t bytes = gb_plant_snapshot_bytes(original);
    unsigned char *snapshot = malloc(bytes), *again = malloc(bytes);
    assert_non_null(snapshot);
    assert_non_null(again);
    assert_int_equal(gb_plant_save(original, snapshot, bytes), GB_OK);
    assert_int_equal(gb_plant_restore(other, snapshot, bytes), GB_OK);
    assert_same_bits(original, other);
    assert_int_equal(gb_plant_save(other, again, bytes), GB_OK);
    assert_memory_equal(snapshot, again, bytes);
    run_steps(original, seed, 150, 220);
    run_steps(other, seed, 150, 220);
    assert_same_bits(original, other);
    assert_int_equal(gb_plant_restore(original, snapshot, bytes), GB_OK);
    run_steps(original, seed, 150, 220);
    assert_same_bits(original, other);
    free(snapshot);
    free(again);
}

static void a_snapshot_is_exact(void **state)
{
    (void)state;
    gb_plant *original = new_plant(), *other = new_plant();
    const double recorded[5] = {250.0, 330.0, 300.0, 310.0, 2.0};
    for (uint64_t seed = 0; seed < 4; seed++) {
        if (seed % 2)
            assert_int_equal(gb_plant_set_state(original, recorded), GB_OK);
        else
            assert_int_equal(gb_plant_reset(original, seed, NULL), GB_OK);
        run_steps(original, seed, 0, 150);
        run_steps(other, 7, 0, 40);
        check_restore(original, other, seed);
    }
    gb_plant_destroy(original);
    gb_plant_destroy(other);
}

static void a_damaged_snapshot_is_refused(void **state)
{
    (void)state;
    gb_plant *plant = new_plant(), *witness = new_plant();
    run_steps(plant, 2, 0, 9);
    run_steps(witness, 2, 0, 9);
    size_t bytes = gb_plant_snapshot_bytes(plant);
    unsigned char *snapshot = malloc(bytes);
    assert_non_null(snapshot);
    assert_int_equal(gb_plant_save(plant, snapshot, bytes), GB_OK);
    for (size_t at = 0; at < bytes; at++) {
        snapshot[at] ^= 0x40;
        gb_status status = gb_plant_restore(plant, snapshot, bytes);
        assert_true(status == GB_ERR_CORRUPT || status == GB_ERR_MISMATCH);
        snapshot[at] ^= 0x40;
    }
    assert_int_equal(gb_plant_restore(plant, snapshot, bytes - 1), GB_ERR_MISMATCH);
    assert_int_equal(gb_plant_save(plant, snapshot, bytes - 1), GB_ERR_MISMATCH);
    assert_same_bits(plant, witness);
    free(snapshot);
    gb_plant_destroy(plant);
    gb_plant_destroy(witness);
}

/* Any action within the limits of `info`, the same for the same seed and step. */
static void any_action(const gb_plant_info *info, uint64_t seed, int step, double *action)
{
    for (int i = 0; i < info->action_stream_count; i++) {
        const gb_plant_stream *stream = &info->action_streams[i];
        for (int k = 0; k < stream->size; k++, action++) {
            double part = (double)gb_random_uniform(seed, (uint64_t)(16 * i + k), (uint64_t)step);
            *action = stream->low[k] + part * (stream->high[k] - stream->low[k]);
        }
    }
}

/* A step is its ticks with the setpoints on the way, in every plant. One of the two has worked
 * before: neither its state nor its last command may be left. */
static void check_ticks(const gb_plant_info *info)
{
    double before[64], action[64], command[64], left[512], right[512];
    assert_true(info->action_size <= 64 && info->observation_size <= 512);
    size_t bytes = (size_t)info->observation_size * sizeof *left;
    int ticks = (int)(info->period_ns / info->tick_ns);
    gb_plant *stepped = NULL, *ticked = NULL;
    assert_int_equal(gb_plant_create(info->name, NULL, &stepped), GB_OK);
    assert_int_equal(gb_plant_create(info->name, NULL, &ticked), GB_OK);
    for (int i = 0; i < 7; i++) {
        any_action(info, 1, i, action);
        assert_int_equal(gb_plant_step(stepped, action, NULL, NULL), GB_OK);
    }
    assert_int_equal(gb_plant_reset(stepped, 2, NULL), GB_OK);
    assert_int_equal(gb_plant_reset(ticked, 2, NULL), GB_OK);
    for (int i = 0; i < 15; i++) {
        gb_plant_result a, b = {0};
        any_action(info, 3, i, action);
        if (i == 0)
            memcpy(before, action, sizeof before);
        assert_int_equal(gb_plant_step(stepped, action, left, &a), GB_OK);
        for (int k = 1; k <= ticks; k++) {
            gb_plant_setpoint(info, before, action, (double)k / ticks, command);
            assert_int_equal(gb_plant_tick(ticked, command, k % 2 ? right : NULL, &b), GB_OK);
        }
        memcpy(before, action, sizeof before);
        gb_plant_observe(ticked, right);
        assert_memory_equal(left, right, bytes);
        assert_true(a.progress == b.progress && a.steps == b.steps && a.failed == b.failed);
    }
    gb_plant_destroy(stepped);
    gb_plant_destroy(ticked);
}

static void ticks_make_a_step_in_every_plant(void **state)
{
    (void)state;
    const gb_plant_info *info;
    for (int i = 0; (info = gb_plant_at(i)) != NULL; i++)
        check_ticks(info);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_description_is_whole),
        cmocka_unit_test(same_seed_same_bits),
        cmocka_unit_test(plants_run_side_by_side),
        cmocka_unit_test(a_bad_action_changes_nothing),
        cmocka_unit_test(commands_saturate),
        cmocka_unit_test(a_finished_plant_is_frozen),
        cmocka_unit_test(options_and_states_are_checked),
        cmocka_unit_test(a_snapshot_is_exact),
        cmocka_unit_test(a_damaged_snapshot_is_refused),
        cmocka_unit_test(ticks_make_a_step_in_every_plant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
