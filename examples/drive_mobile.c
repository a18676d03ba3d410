/* Drives the mobile robot for many episodes by its teacher or by a plain rule and prints how often
 * it arrives, with nothing but genba's public headers. The rules are the floors that a learned
 * policy must beat.
 *
 *     cc -std=c17 examples/drive_mobile.c -lgenba -lm -o drive_mobile
 *     ./drive_mobile teacher 100 1000        who drives, episodes, first seed */
#include <genba/plant.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STEPS_MAX 900

typedef struct driver {
    const char *name;
    const gb_plant_info *info;
    double replayed[STEPS_MAX][2]; /* what the teacher did in another episode */
    int replayed_count;
} driver;

typedef struct tally {
    int arrived, too_close, collided, late;
    double score, steps, deciding_s;
} tally;

/* Time of this process on a core, whatever else the machine does. */
static int64_t cpu_ns(void)
{
    return (int64_t)(1e9 * (double)clock() / CLOCKS_PER_SEC);
}

static const double *part(const gb_plant_info *info, const char *stream, const double *observation)
{
    int offset = 0;
    if (!gb_plant_observation_stream(info, stream, &offset))
        abort(); /* the description is part of this build */
    return observation + offset;
}

/* Wheel speeds that turn to a point ahead, left and drive there. */
static void steer(double ahead, double left, double most_m_s, double *action)
{
    double bearing = atan2(left, ahead), straight = fmax(cos(bearing), 0.0);
    double speed = fmin(0.9 * straight * straight, most_m_s);
    double turn = fmin(fmax(2.5 * bearing, -2.0), 2.0);
    action[0] = (speed - 0.2 * turn) / 0.1;
    action[1] = (speed + 0.2 * turn) / 0.1;
}

static gb_status
decide(const driver *d, gb_plant *plant, uint64_t seed, const double *observation, double *action)
{
    int step = gb_plant_get_result(plant).steps;
    const double *goal = part(d->info, "goal.direction", observation);
    const double *way = part(d->info, "route.waypoints", observation);
    action[0] = action[1] = 0.0; /* hold */
    if (strcmp(d->name, "teacher") == 0)
        return gb_plant_teach(plant, action);
    if (strcmp(d->name, "random") == 0) {
        for (int i = 0; i < 2; i++)
            action[i] =
                20.0 * (double)gb_random_uniform(seed, (uint64_t)(77 + i), (uint64_t)(step / 5)) -
                10.0;
    } else if (strcmp(d->name, "replay") == 0 && step < d->replayed_count) {
        memcpy(action, d->replayed[step], sizeof d->replayed[step]);
    } else if (strcmp(d->name, "goal") == 0) { /* straight there */
        steer(goal[1], goal[2], 1.0, action);
    } else if (strcmp(d->name, "route") == 0) { /* along the route, as if nobody were there */
        steer(way[0], way[1], 1.0, action);
    } else if (strcmp(d->name, "careful") == 0) { /* and slower, the nearer somebody is */
        double gap = *part(d->info, "people.gap", observation);
        steer(way[0], way[1], fmax(0.0, 0.8 * (gap - 1.0)), action);
    }
    return GB_OK;
}

static gb_status drive(const driver *d, gb_plant *plant, uint64_t seed, tally *out)
{
    double observation[1024], action[2];
    gb_plant_result result = {0};
    GB_TRY(gb_plant_reset(plant, seed, observation));
    while (!result.done) {
        int64_t before_ns = cpu_ns();
        GB_TRY(decide(d, plant, seed, observation, action));
        out->deciding_s += 1e-9 * (double)(cpu_ns() - before_ns);
        GB_TRY(gb_plant_step(plant, action, observation, &result));
    }
    out->arrived += result.success;
    out->too_close += strcmp(result.verdict, "too close") == 0;
    out->collided += strcmp(result.verdict, "collided") == 0;
    out->late += !result.success && !result.failed;
    out->score += result.score;
    out->steps += result.steps;
    return GB_OK;
}

/* An episode that is not among those that are driven. */
static gb_status learn_replay(driver *d, gb_plant *plant)
{
    gb_plant_result result = {0};
    GB_TRY(gb_plant_reset(plant, 77, NULL));
    while (!result.done && d->replayed_count < STEPS_MAX) {
        double *action = d->replayed[d->replayed_count++];
        GB_TRY(gb_plant_teach(plant, action));
        GB_TRY(gb_plant_step(plant, action, NULL, &result));
    }
    return GB_OK;
}

static gb_status run(driver *d, int episodes, uint64_t first_seed)
{
    gb_plant *plant = NULL;
    GB_TRY(gb_plant_create("mobile", NULL, &plant));
    d->info = gb_plant_get_info(plant);
    tally sum = {0};
    gb_status status = learn_replay(d, plant);
    int64_t before_ns = cpu_ns();
    for (int i = 0; i < episodes && status == GB_OK; i++)
        status = drive(d, plant, first_seed + (uint64_t)i, &sum);
    double cpu_s = 1e-9 * (double)(cpu_ns() - before_ns);
    gb_plant_destroy(plant);
    GB_TRY(status);
    printf("%s: arrived in %d of %d; too close %d, collided %d, late %d; mean score %.3f, mean "
           "time %.1f s; %.0f times real time, %.0f without deciding\n",
           d->name, sum.arrived, episodes, sum.too_close, sum.collided, sum.late,
           sum.score / episodes, 0.1 * sum.steps / episodes, 0.1 * sum.steps / cpu_s,
           0.1 * sum.steps / (cpu_s - sum.deciding_s));
    return GB_OK;
}

int main(int argc, char **argv)
{
    static driver d;
    d.name = argc > 1 ? argv[1] : "";
    int episodes = argc > 2 ? atoi(argv[2]) : 20;
    uint64_t first_seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1000;
    if (!*d.name || !strstr(" teacher hold random replay goal route careful ", d.name) ||
        episodes < 1) {
        bool asked = strcmp(d.name, "--help") == 0;
        fprintf(asked ? stdout : stderr,
                "usage: drive_mobile teacher|hold|random|replay|goal|route|careful "
                "[EPISODES [FIRST_SEED]]\n");
        return asked ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (run(&d, episodes, first_seed) == GB_OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "drive_mobile: %s\n", gb_error_message());
    return EXIT_FAILURE;
}
