/* plant/plant.c: the registry of plants and all that they share: argument checks, saturation,
 * score, the end of an episode. No physics, no plant's numbers. Snapshots are in snapshot.c. */
#include "plant/plant.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const gb_plant_kind *const kinds[] = {
    &gb_plant_kind_pusht,
    &gb_plant_kind_grasp,
    &gb_plant_kind_mobile,
};
#define KIND_COUNT ((int)(sizeof kinds / sizeof *kinds))

/* ---- description ------------------------------------------------------------------------------
 */

const gb_plant_info *gb_plant_at(int index)
{
    return index >= 0 && index < KIND_COUNT ? kinds[index]->info : NULL;
}

static gb_status find(const char *name, const gb_plant_kind **out)
{
    for (int i = 0; name && i < KIND_COUNT; i++) {
        if (strcmp(kinds[i]->info->name, name) == 0) {
            *out = kinds[i];
            return GB_OK;
        }
    }
    char names[256] = "";
    for (int i = 0; i < KIND_COUNT; i++) {
        strncat(names, i ? ", " : "", sizeof names - strlen(names) - 1);
        strncat(names, kinds[i]->info->name, sizeof names - strlen(names) - 1);
    }
    return gb_fail(GB_ERR_NOT_FOUND, "plant \"%s\": no such plant; this build has: %s",
                   name ? name : "(null)", names);
}

gb_status gb_plant_describe(const char *name, const gb_plant_info **out)
{
    const gb_plant_kind *kind = NULL;
    GB_TRY(find(name, &kind));
    *out = kind->info;
    return GB_OK;
}

static const gb_plant_stream *
find_stream(const gb_plant_stream *streams, int count, const char *name, int *out_offset)
{
    int offset = 0;
    for (int i = 0; i < count; i++) {
        if (strcmp(streams[i].spec.name, name) == 0) {
            if (out_offset)
                *out_offset = offset;
            return &streams[i];
        }
        offset += streams[i].size;
    }
    return NULL;
}

const gb_plant_stream *
gb_plant_observation_stream(const gb_plant_info *info, const char *name, int *out_offset)
{
    return find_stream(info->observation_streams, info->observation_stream_count, name, out_offset);
}

const gb_plant_stream *
gb_plant_action_stream(const gb_plant_info *info, const char *name, int *out_offset)
{
    return find_stream(info->action_streams, info->action_stream_count, name, out_offset);
}

static void mirror_stream(const gb_plant_symmetry *symmetry,
                          const gb_plant_stream *stream,
                          const double *in,
                          double *out)
{
    memcpy(out, in, (size_t)stream->size * sizeof *out);
    for (int i = 0; i < symmetry->map_count; i++) {
        const gb_plant_map *map = &symmetry->maps[i];
        if (strcmp(map->stream, stream->spec.name) != 0)
            continue;
        for (int row = 0; row < stream->size; row++) {
            double sum = map->offset[row];
            for (int column = 0; column < stream->size; column++)
                sum += map->matrix[row * stream->size + column] * in[column];
            if (stream->wrap > 0.0)
                sum -= stream->wrap * floor(sum / stream->wrap);
            out[row] = sum;
        }
    }
}

void gb_plant_mirror_observation(const gb_plant_info *info,
                                 const gb_plant_symmetry *symmetry,
                                 const double *observation,
                                 double *out)
{
    int at = 0;
    for (int i = 0; i < info->observation_stream_count; i++) {
        mirror_stream(symmetry, &info->observation_streams[i], observation + at, out + at);
        at += info->observation_streams[i].size;
    }
}

void gb_plant_mirror_action(const gb_plant_info *info,
                            const gb_plant_symmetry *symmetry,
                            const double *action,
                            double *out)
{
    int at = 0;
    for (int i = 0; i < info->action_stream_count; i++) {
        mirror_stream(symmetry, &info->action_streams[i], action + at, out + at);
        at += info->action_streams[i].size;
    }
}

/* ---- life -------------------------------------------------------------------------------------
 */

gb_plant_options gb_plant_options_defaults(void)
{
    return (gb_plant_options){.max_steps = 0, .stop_above = NAN};
}

static gb_status check_options(const gb_plant_info *info, const gb_plant_options *options)
{
    if (options->max_steps < 0 || options->max_steps > info->max_steps)
        return gb_fail(GB_ERR_ARGUMENT,
                       "plant %s: max_steps is %d, expected 1 to %d, or 0 for the plant's own",
                       info->name, options->max_steps, info->max_steps);
    if (!isnan(options->stop_above) && options->stop_above < 0.0)
        return gb_fail(GB_ERR_ARGUMENT,
                       "plant %s: stop_above is %g, expected a %s from 0 on; infinity never stops",
                       info->name, options->stop_above, info->progress_name);
    return GB_OK;
}

gb_status gb_plant_create(const char *name, const gb_plant_options *options, gb_plant **out)
{
    gb_plant_options chosen = options ? *options : gb_plant_options_defaults();
    const gb_plant_kind *kind = NULL;
    GB_TRY(find(name, &kind));
    const gb_plant_info *info = kind->info;
    GB_TRY(check_options(info, &chosen));
    if (chosen.max_steps == 0)
        chosen.max_steps = info->max_steps;
    if (isnan(chosen.stop_above))
        chosen.stop_above = info->success_above;

    size_t observation_size = (size_t)info->observation_size;
    size_t action_size = (size_t)info->action_size;
    int ticks_per_step = (int)(info->period_ns / info->tick_ns);
    size_t ticks = (size_t)chosen.max_steps * (size_t)ticks_per_step;
    size_t numbers = 3 * observation_size + action_size * (ticks + 2);
    gb_plant *plant = calloc(1, sizeof *plant + numbers * sizeof(double));
    if (!plant)
        return gb_fail(GB_ERR_MEMORY, "plant %s: no memory for an episode", name);
    plant->kind = kind;
    plant->options = chosen;
    plant->ticks_per_step = ticks_per_step;
    plant->observation = plant->numbers;
    plant->start = plant->observation + observation_size;
    plant->scratch = plant->start + observation_size;
    plant->command = plant->scratch + observation_size;
    plant->before = plant->command + action_size;
    plant->actions = plant->before + action_size;
    gb_status status = kind->create(&plant->machine);
    if (status == GB_OK)
        status = gb_plant_reset(plant, 0, NULL);
    if (status != GB_OK) {
        gb_plant_destroy(plant);
        return status;
    }
    *out = plant;
    return GB_OK;
}

void gb_plant_destroy(gb_plant *plant)
{
    if (!plant)
        return;
    plant->kind->destroy(plant->machine);
    free(plant);
}

const gb_plant_info *gb_plant_get_info(const gb_plant *plant)
{
    return plant->kind->info;
}

/* ---- an episode -------------------------------------------------------------------------------
 */

static void copy_numbers(double *to, const double *from, int count)
{
    memcpy(to, from, (size_t)count * sizeof *to);
}

/* How far the task is done, by the machine itself or by what was observed of it. */
static void judge(gb_plant *plant)
{
    gb_plant_result *result = &plant->result;
    const char *verdict = "";
    if (plant->kind->judge)
        plant->kind->judge(plant->machine, &result->progress, &result->reward, &verdict);
    else
        plant->kind->measure(plant->observation, &result->progress, &result->reward);
    result->failed = *verdict != 0;
    result->verdict = verdict;
}

/* Updates the result after a full step. What the start itself covers is not rewarded: the published
 * score is the maximum over steps. */
static void take_stock(gb_plant *plant)
{
    gb_plant_result *result = &plant->result;
    judge(plant);
    result->steps++;
    result->score = fmax(result->score, result->reward);
    result->max_progress = fmax(result->max_progress, result->progress);
    result->success = !result->failed && result->max_progress > plant->kind->info->success_above;
    result->done = result->failed || result->progress > plant->options.stop_above ||
                   result->steps >= plant->options.max_steps;
}

static void begin_episode(gb_plant *plant)
{
    plant->result = (gb_plant_result){0};
    plant->ticks = 0;
    plant->kind->observe(plant->machine, plant->observation);
    judge(plant);
}

gb_status gb_plant_reset(gb_plant *plant, uint64_t seed, double *observation)
{
    GB_TRY(plant->kind->reset(plant->machine, seed));
    plant->from_state = false;
    plant->seed = seed;
    begin_episode(plant);
    if (observation)
        gb_plant_observe(plant, observation);
    return GB_OK;
}

static gb_status check_state(const gb_plant_info *info, const double *observation)
{
    const double *at = observation;
    for (int i = 0; i < info->observation_stream_count; i++) {
        const gb_plant_stream *stream = &info->observation_streams[i];
        for (int k = 0; k < stream->size; k++, at++) {
            if (!isfinite(*at))
                return gb_fail(GB_ERR_NUMERIC,
                               "plant %s: state %s[%d] is %g; start from a recorded observation",
                               info->name, stream->spec.name, k, *at);
            if (stream->low && (*at < stream->low[k] || *at > stream->high[k]))
                return gb_fail(GB_ERR_ARGUMENT,
                               "plant %s: state %s[%d] is %g %s, expected %g to %g", info->name,
                               stream->spec.name, k, *at, stream->spec.unit, stream->low[k],
                               stream->high[k]);
        }
    }
    return GB_OK;
}

gb_status gb_plant_set_state(gb_plant *plant, const double *observation)
{
    const gb_plant_info *info = plant->kind->info;
    GB_TRY(check_state(info, observation));
    GB_TRY(plant->kind->set_state(plant->machine, observation));
    plant->from_state = true;
    copy_numbers(plant->start, observation, info->observation_size);
    begin_episode(plant);
    return GB_OK;
}

/* command = action within the streams' limits. */
static gb_status saturate(const gb_plant_info *info, const double *action, double *command)
{
    int at = 0;
    for (int i = 0; i < info->action_stream_count; i++) {
        const gb_plant_stream *stream = &info->action_streams[i];
        for (int k = 0; k < stream->size; k++, at++) {
            double value = action[at];
            if (!isfinite(value))
                return gb_fail(
                    GB_ERR_NUMERIC,
                    "plant %s: action %s[%d] is %g, expected a finite number of %s; check "
                    "the policy that made it",
                    info->name, stream->spec.name, k, value, stream->spec.unit);
            if (stream->low)
                value = fmin(fmax(value, stream->low[k]), stream->high[k]);
            command[at] = value;
        }
    }
    return GB_OK;
}

void gb_plant_setpoint(
    const gb_plant_info *info, const double *from, const double *to, double part, double *out)
{
    int at = 0;
    for (int i = 0; i < info->action_stream_count; i++) {
        const gb_plant_stream *stream = &info->action_streams[i];
        for (int k = 0; k < stream->size; k++, at++)
            out[at] = stream->hold || part >= 1.0 ? to[at] : from[at] + part * (to[at] - from[at]);
    }
}

/* One tick, `part` of the way to the command; what is sent is kept, so that the episode can be run
 * again. */
static void advance(gb_plant *plant, double part)
{
    int size = plant->kind->info->action_size;
    int tick = plant->result.steps * plant->ticks_per_step + plant->ticks;
    double *sent = plant->actions + (size_t)tick * (size_t)size;
    if (tick == 0) /* nothing was commanded before: the first action holds */
        copy_numbers(plant->before, plant->command, size);
    gb_plant_setpoint(plant->kind->info, plant->before, plant->command, part, sent);
    plant->kind->advance(plant->machine, sent);
    plant->ticks++;
}

static void finish(gb_plant *plant, double *observation, gb_plant_result *result)
{
    if (observation)
        gb_plant_observe(plant, observation);
    if (result)
        *result = plant->result;
}

gb_status
gb_plant_step(gb_plant *plant, const double *action, double *observation, gb_plant_result *result)
{
    GB_TRY(saturate(plant->kind->info, action, plant->command));
    if (!plant->result.done) {
        int count = plant->ticks_per_step - plant->ticks;
        for (int i = 1; i <= count; i++)
            advance(plant, (double)i / (double)count);
        copy_numbers(plant->before, plant->command, plant->kind->info->action_size);
        plant->ticks = 0;
        plant->kind->observe(plant->machine, plant->observation);
        take_stock(plant);
    }
    finish(plant, observation, result);
    return GB_OK;
}

gb_status
gb_plant_tick(gb_plant *plant, const double *action, double *observation, gb_plant_result *result)
{
    GB_TRY(saturate(plant->kind->info, action, plant->command));
    if (!plant->result.done) {
        advance(plant, 1.0);
        copy_numbers(plant->before, plant->command, plant->kind->info->action_size);
        bool full = plant->ticks == plant->ticks_per_step;
        if (full)
            plant->ticks = 0;
        if (full || observation)
            plant->kind->observe(plant->machine, plant->observation);
        if (full)
            take_stock(plant);
    }
    finish(plant, observation, result);
    return GB_OK;
}

gb_status gb_plant_teach(gb_plant *plant, double *action)
{
    const gb_plant_info *info = plant->kind->info;
    if (!plant->kind->teach)
        return gb_fail(GB_ERR_UNSUPPORTED,
                       "plant %s: it has no teacher; record people or another controller instead",
                       info->name);
    plant->kind->teach(plant->machine, action);
    return GB_OK;
}

gb_status gb_plant_render(gb_plant *plant, int camera, int width, int height, unsigned char *rgb)
{
    const gb_plant_info *info = plant->kind->info;
    if (!plant->kind->render || camera < 0 || camera >= info->camera_count)
        return gb_fail(GB_ERR_UNSUPPORTED, "plant %s: no camera %d, it has %d", info->name, camera,
                       info->camera_count);
    if (width < 16 || width > 1024 || height < 16 || height > 1024)
        return gb_fail(GB_ERR_ARGUMENT,
                       "plant %s: a picture of %d x %d pixels, expected 16 to 1024 each",
                       info->name, width, height);
    return plant->kind->render(plant->machine, camera, width, height, rgb);
}

void gb_plant_observe(const gb_plant *plant, double *observation)
{
    copy_numbers(observation, plant->observation, plant->kind->info->observation_size);
}

gb_plant_result gb_plant_get_result(const gb_plant *plant)
{
    return plant->result;
}

void gb_plant_measure(const gb_plant *plant,
                      const double *observation,
                      double *out_progress,
                      double *out_reward)
{
    *out_progress = *out_reward = NAN;
    if (plant->kind->measure)
        plant->kind->measure(observation, out_progress, out_reward);
}

int gb_plant_draw(const gb_plant *plant,
                  const double *observation,
                  const double *action,
                  gb_plant_shape *shapes,
                  int capacity)
{
    return plant->kind->draw(observation ? observation : plant->observation, action, shapes,
                             capacity);
}
