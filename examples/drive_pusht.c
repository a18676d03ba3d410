/* Drives the pushing table for one episode and prints its score, with nothing but genba's public
 * headers. Either a written rule pushes the T, or a recorded demonstration is played again.
 *
 *     cc -std=c17 examples/drive_pusht.c -lgenba -lm -o drive_pusht
 *     ./drive_pusht 100000                                   seed; the rule drives
 *     ./drive_pusht 5 data/pusht/pusht_lowdim.csv            demonstration 5, action by action */
#include <genba/plant.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 300

static int fail(const char *what, gb_plant *plant)
{
    fprintf(stderr, "drive_pusht: %s: %s\n", what, gb_error_message());
    gb_plant_destroy(plant);
    return EXIT_FAILURE;
}

/* Reads the actions of one demonstration; returns how many, 0 when there are none. */
static int read_demonstration(const char *path, long wanted, double actions[STEPS_MAX][2])
{
    FILE *file = fopen(path, "r");
    if (!file) {
        fprintf(stderr, "drive_pusht: %s: %s\n", path, strerror(errno));
        return 0;
    }
    char line[512];
    long episode;
    double x, y;
    int count = 0;
    while (count < STEPS_MAX && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%ld,%*d,%*f,%*f,%*f,%*f,%*f,%*f,%lf,%lf", &episode, &x, &y) != 3)
            continue; /* the names of the columns */
        if (episode != wanted)
            continue;
        actions[count][0] = x;
        actions[count][1] = y;
        count++;
    }
    fclose(file);
    if (count == 0)
        fprintf(stderr, "drive_pusht: %s: no demonstration %ld\n", path, wanted);
    return count;
}

/* Where the middle of the T lies for a body at this pose. */
static void tee_middle(double x, double y, double angle, double *out)
{
    out[0] = x - 45.0 * sin(angle);
    out[1] = y + 45.0 * cos(angle);
}

/* Walks round the T to the side that looks away from the goal, then pushes through its middle. It
 * never turns the T on purpose, so it scores little: a place to put a better idea. */
static void rule(const double *observation, const gb_plant_body *block, double *action)
{
    const double *agent = observation, *pose = observation + 2;
    double middle[2], goal[2];
    tee_middle(pose[0], pose[1], pose[2], middle);
    tee_middle(block->goal_position[0], block->goal_position[1], block->goal_rotation[0], goal);
    double push = atan2(goal[1] - middle[1], goal[0] - middle[0]);
    double place = atan2(agent[1] - middle[1], agent[0] - middle[0]);
    double off = remainder(place - (push + 3.14159265358979), 6.28318530717959);
    if (fabs(off) < 0.3) { /* behind it: push towards the goal */
        action[0] = agent[0] + 25.0 * cos(push);
        action[1] = agent[1] + 25.0 * sin(push);
        return;
    }
    double next = place - (off > 0.0 ? 0.4 : -0.4), radius = 130.0;
    action[0] = middle[0] + radius * cos(next);
    action[1] = middle[1] + radius * sin(next);
}

int main(int argc, char **argv)
{
    char *end = NULL;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        puts("usage: drive_pusht SEED [DEMONSTRATIONS.csv]");
        return EXIT_SUCCESS;
    }
    long seed = argc > 1 ? strtol(argv[1], &end, 10) : -1;
    if (argc < 2 || argc > 3 || *end != 0 || seed < 0) {
        fprintf(stderr, "usage: drive_pusht SEED [DEMONSTRATIONS.csv]\n");
        return EXIT_FAILURE;
    }
    double actions[STEPS_MAX][2];
    int recorded = argc == 3 ? read_demonstration(argv[2], seed, actions) : 0;
    if (argc == 3 && recorded == 0)
        return EXIT_FAILURE;

    gb_plant *plant = NULL;
    if (gb_plant_create("pusht", NULL, &plant) != GB_OK)
        return fail("create", plant);
    const gb_plant_info *info = gb_plant_get_info(plant);
    const gb_plant_body *block = &info->geometry->bodies[1];
    double observation[5], action[2];
    if (gb_plant_reset(plant, (uint64_t)seed, observation) != GB_OK)
        return fail("reset", plant);

    gb_plant_result result = {0};
    for (int step = 0; !result.done && (recorded == 0 || step < recorded); step++) {
        if (recorded)
            memcpy(action, actions[step], sizeof action);
        else
            rule(observation, block, action);
        if (gb_plant_step(plant, action, observation, &result) != GB_OK)
            return fail("step", plant);
    }
    printf("%s, %s %ld: %d steps of %.0f ms, score %.4f, best %s %.4f, %s\n", info->name,
           recorded ? "demonstration" : "seed", seed, result.steps, (double)info->period_ns / 1e6,
           result.score, info->progress_name, result.max_progress,
           result.success ? "success" : "no success");
    gb_plant_destroy(plant);
    return EXIT_SUCCESS;
}
