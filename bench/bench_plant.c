/* How much faster than real time the plants run on one core, with a teacher at work where there is
 * one (processor time, so that other programs disturb little), and a picture of the first camera.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "genba/plant.h"

enum {
    EPISODES = 40,
    EPISODES_QUICK = 5,
    PICTURES = 20,
    PICTURE_SIZE = 128,
    ACTION_MAX = 64
};

static double clock_s(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* One episode by the teacher; without one the machine is told to stay at its limits' middle. */
static gb_status work(gb_plant *plant, uint64_t seed, double *out_simulated_s)
{
    const gb_plant_info *info = gb_plant_get_info(plant);
    double action[ACTION_MAX] = {0};
    gb_plant_result result = {0};
    int at = 0;
    for (int i = 0; i < info->action_stream_count; i++) {
        const gb_plant_stream *stream = &info->action_streams[i];
        for (int k = 0; k < stream->size; k++, at++)
            action[at] = stream->low ? 0.5 * (stream->low[k] + stream->high[k]) : 0.0;
    }
    GB_TRY(gb_plant_reset(plant, seed, NULL));
    while (!result.done) {
        if (info->has_teacher)
            GB_TRY(gb_plant_teach(plant, action));
        GB_TRY(gb_plant_step(plant, action, NULL, &result));
    }
    *out_simulated_s += result.steps * 1e-9 * (double)info->period_ns;
    return GB_OK;
}

static gb_status measure(const bench_options *options, gb_plant *plant)
{
    const gb_plant_info *info = gb_plant_get_info(plant);
    double simulated_s = 0.0, start_s = clock_s(CLOCK_PROCESS_CPUTIME_ID);
    int episodes = options->quick ? EPISODES_QUICK : EPISODES;
    for (int i = 0; i < episodes; i++)
        GB_TRY(work(plant, (uint64_t)i, &simulated_s));
    double speed = simulated_s / (clock_s(CLOCK_PROCESS_CPUTIME_ID) - start_s);
    char name[64];
    snprintf(name, sizeof name, "%s, steps", info->name);
    bench_print(options, &(bench_row){"plant", name, speed, "x real", "", 0, 0, 1, ""});
    unsigned char *rgb = malloc(PICTURE_SIZE * PICTURE_SIZE * 3);
    if (!rgb)
        return gb_fail(GB_ERR_MEMORY, "bench: no memory for a picture");
    gb_status status = gb_plant_render(plant, 0, PICTURE_SIZE, PICTURE_SIZE, rgb);
    start_s = clock_s(CLOCK_MONOTONIC); /* the first one made the context */
    for (int i = 0; i < PICTURES && status == GB_OK; i++)
        status = gb_plant_render(plant, 0, PICTURE_SIZE, PICTURE_SIZE, rgb);
    double picture_ms = 1e3 * (clock_s(CLOCK_MONOTONIC) - start_s) / PICTURES;
    free(rgb);
    if (status == GB_ERR_UNSUPPORTED) /* no camera, or a build without OSMesa */
        return GB_OK;
    GB_TRY(status);
    snprintf(name, sizeof name, "%s, picture 128 x 128", info->name);
    bench_print(options, &(bench_row){"plant", name, picture_ms, "ms", "", 0, 0, 1, ""});
    return GB_OK;
}

int bench_plant(const bench_options *options)
{
    const gb_plant_info *info;
    for (int i = 0; (info = gb_plant_at(i)) != NULL; i++) {
        gb_plant *plant = NULL;
        gb_status status = info->action_size <= ACTION_MAX
                               ? gb_plant_create(info->name, NULL, &plant)
                               : GB_ERR_UNSUPPORTED;
        if (status == GB_OK)
            status = measure(options, plant);
        gb_plant_destroy(plant);
        if (status != GB_OK) {
            fprintf(stderr, "genba-bench plant: %s\n", gb_error_message());
            return 1;
        }
    }
    return 0;
}
