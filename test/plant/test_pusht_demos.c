/* The simulated pushing table against the published recordings: every demonstration starts from its
 * seed, and replayed open loop it ends where the recording did. */
#include "genba/plant.h"
#include "plant/demos.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static demos demonstrations;

static gb_plant *new_endless(void)
{
    gb_plant_options options = gb_plant_options_defaults();
    options.stop_above = INFINITY;
    gb_plant *plant = NULL;
    assert_int_equal(gb_plant_create("pusht", &options, &plant), GB_OK);
    return plant;
}

static double distance(const double *a, const double *b)
{
    return hypot(a[0] - b[0], a[1] - b[1]);
}

static void every_demonstration_starts_from_its_seed(void **state)
{
    (void)state;
    gb_plant *plant = new_endless();
    for (int i = 0; i < DEMO_COUNT; i++) {
        double now[5];
        const double *recorded = demonstrations.rows[demonstrations.first[i]].observation;
        assert_int_equal(gb_plant_reset(plant, (uint64_t)i, now), GB_OK);
        for (int k = 0; k < 5; k++)
            assert_true(fabs(now[k] - recorded[k]) < 5e-4);
    }
    gb_plant_destroy(plant);
}

typedef struct replay_sums {
    double agent_worst_px, agent_px, block_px, score;
    int samples, close, passed;
} replay_sums;

/* The action of row k leads to row k + 1; the last action's result was not recorded. */
static void replay(gb_plant *plant, int demo, replay_sums *sums)
{
    double now[5];
    assert_int_equal(gb_plant_reset(plant, (uint64_t)demo, now), GB_OK);
    int first = demonstrations.first[demo], end = demonstrations.first[demo + 1];
    for (int row = first; row + 1 < end; row++) {
        const double *next = demonstrations.rows[row + 1].observation;
        assert_int_equal(gb_plant_step(plant, demonstrations.rows[row].action, now, NULL), GB_OK);
        sums->agent_worst_px = fmax(sums->agent_worst_px, distance(now, next));
        sums->agent_px += distance(now, next);
        sums->block_px += distance(now + 2, next + 2);
        sums->samples++;
    }
    sums->close += distance(now + 2, demonstrations.rows[end - 1].observation + 2) < 0.5;
    gb_plant_result result;
    assert_int_equal(gb_plant_step(plant, demonstrations.rows[end - 1].action, NULL, &result),
                     GB_OK);
    assert_int_equal(result.steps, end - first);
    sums->score += result.score;
    sums->passed += result.success;
}

static void demonstrations_replay_open_loop(void **state)
{
    (void)state;
    gb_plant *plant = new_endless();
    replay_sums sums = {0};
    for (int i = 0; i < DEMO_COUNT; i++)
        replay(plant, i, &sums);
    gb_plant_destroy(plant);
    double block_px = sums.block_px / sums.samples, score = sums.score / DEMO_COUNT;
    print_message("%d steps: agent mean %.6f worst %.6f px, block mean %.4f px, last block within "
                  "0.5 px in %d of 206, mean score %.4f, passed %d\n",
                  sums.samples, sums.agent_px / sums.samples, sums.agent_worst_px, block_px,
                  sums.close, score, sums.passed);
    assert_true(sums.agent_worst_px < 1e-3);
    assert_true(block_px < 0.05);
    assert_true(sums.close >= 205);
    assert_true(fabs(score - 0.946) < 0.001);
    assert_int_equal(sums.passed, 7);
}

/* Without a simulator only the poses that were recorded can be scored. People stopped when the last
 * action had brought the block home, and what that action did is not in the file. */
static void recorded_poses_score_less(void **state)
{
    (void)state;
    gb_plant *plant = new_endless();
    double sum = 0.0;
    for (int i = 0; i < DEMO_COUNT; i++) {
        double best = 0.0;
        for (int row = demonstrations.first[i]; row < demonstrations.first[i + 1]; row++) {
            double coverage, reward;
            gb_plant_measure(plant, demonstrations.rows[row].observation, &coverage, &reward);
            assert_true(coverage >= 0.0 && coverage <= 0.95);
            best = fmax(best, reward);
        }
        sum += best;
    }
    gb_plant_destroy(plant);
    print_message("recorded poses: mean score %.4f\n", sum / DEMO_COUNT);
    assert_true(fabs(sum / DEMO_COUNT - 0.8923) < 5e-4);
}

/* The other rule in use ends an episode above coverage 0.9025. The people recorded under it: who
 * passed it did so with the last action and with none before, so both rules pay the demonstrations
 * alike. */
static void people_stopped_above_0_9025(void **state)
{
    (void)state;
    gb_plant_options options = gb_plant_options_defaults();
    options.stop_above = 0.9025;
    gb_plant *plant = NULL;
    assert_int_equal(gb_plant_create("pusht", &options, &plant), GB_OK);
    double score = 0.0;
    int passed = 0, with_last = 0;
    for (int i = 0; i < DEMO_COUNT; i++) {
        int first = demonstrations.first[i], end = demonstrations.first[i + 1];
        assert_int_equal(gb_plant_reset(plant, (uint64_t)i, NULL), GB_OK);
        for (int row = first; row < end; row++)
            assert_int_equal(gb_plant_step(plant, demonstrations.rows[row].action, NULL, NULL),
                             GB_OK);
        gb_plant_result result = gb_plant_get_result(plant);
        assert_true(result.done == (result.max_progress > 0.9025));
        score += result.score / DEMO_COUNT;
        passed += result.done;
        with_last += result.done && result.steps == end - first;
    }
    gb_plant_destroy(plant);
    print_message("stop above 0.9025: mean score %.4f, passed %d, with the last action %d\n", score,
                  passed, with_last);
    assert_true(fabs(score - 0.946) < 0.001);
    assert_int_equal(passed, 86);
    assert_int_equal(with_last, passed);
}

int main(void)
{
    if (!demos_read(&demonstrations)) {
        print_error("data/pusht/pusht_lowdim.csv is not there or not whole\n");
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_demonstration_starts_from_its_seed),
        cmocka_unit_test(demonstrations_replay_open_loop),
        cmocka_unit_test(recorded_poses_score_less),
        cmocka_unit_test(people_stopped_above_0_9025),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(demonstrations.rows);
    return failed;
}
