/* plant/demonstrate.c: lets a plant's teacher work and keeps what it did as recordings. An episode
 * is held in memory until it is known whether it is kept. */
#include "genba/sink.h"
#include "genba/store.h"
#include "plant/kind.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOISE_STREAM 0x64617274u /* of gb_random */
#define COMMIT_EVERY_NS 5000000000
#define TRIES_PER_EPISODE 20

/* One episode in memory, as samples of streams. */
typedef struct episode {
    const gb_plant_info *info;
    int steps;
    int64_t *time_ns;        /* [max_steps] */
    double *observations;    /* [max_steps][observation_size] */
    double *actions;         /* [max_steps][action_size] what the teacher said */
    unsigned char *pictures; /* [max_steps][size][size][3] or NULL */
    void *column;            /* [max_steps x the largest stream] for handing over */
} episode;

gb_demonstrate_options gb_demonstrate_options_defaults(void)
{
    return (gb_demonstrate_options){.episodes = 100};
}

static void episode_free(episode *e)
{
    free(e->time_ns);
    free(e->observations);
    free(e->actions);
    free(e->pictures);
    free(e->column);
}

static gb_status episode_init(episode *e, const gb_plant_info *info, int picture_size)
{
    size_t steps = (size_t)info->max_steps, size = (size_t)picture_size;
    size_t widest = (size_t)(info->observation_size + info->action_size);
    e->info = info;
    e->time_ns = calloc(steps, sizeof *e->time_ns);
    e->observations = calloc(steps * (size_t)info->observation_size, sizeof(double));
    e->actions = calloc(steps * (size_t)info->action_size, sizeof(double));
    e->column = calloc(steps * widest, sizeof(double));
    if (picture_size > 0)
        e->pictures = calloc(steps * size * size, 3);
    if (!e->time_ns || !e->observations || !e->actions || !e->column ||
        (picture_size > 0 && !e->pictures))
        return gb_fail(GB_ERR_MEMORY, "demonstrate %s: no memory for an episode of %d steps",
                       info->name, info->max_steps);
    return GB_OK;
}

/* ---- working ----------------------------------------------------------------------------------
 */

/* What is done instead of `action`: noise shows the learner how the teacher comes back. */
static void
add_noise(const gb_plant_info *info, double part, uint64_t seed, int step, double *action)
{
    uint64_t at = (uint64_t)step * (uint64_t)info->action_size;
    int k = 0;
    for (int i = 0; i < info->action_stream_count; i++) {
        const gb_plant_stream *stream = &info->action_streams[i];
        for (int c = 0; c < stream->size; c++, k++) {
            double range = stream->low ? stream->high[c] - stream->low[c] : 1.0;
            double draw = (double)gb_random_normal(seed, NOISE_STREAM, at + (uint64_t)k);
            action[k] += part * range * draw;
        }
    }
}

static gb_status work(const gb_demonstrate_options *options,
                      gb_plant *plant,
                      uint64_t seed,
                      episode *e,
                      double *action,
                      gb_plant_result *result)
{
    const gb_plant_info *info = e->info;
    size_t observation = (size_t)info->observation_size, size = (size_t)info->action_size;
    size_t pixels = (size_t)options->picture_size * (size_t)options->picture_size * 3;
    GB_TRY(gb_plant_reset(plant, seed, NULL));
    *result = gb_plant_get_result(plant);
    for (e->steps = 0; !result->done; e->steps++) {
        size_t at = (size_t)e->steps;
        e->time_ns[at] = (int64_t)at * info->period_ns;
        gb_plant_observe(plant, e->observations + at * observation);
        if (e->pictures)
            GB_TRY(gb_plant_render(plant, options->camera, options->picture_size,
                                   options->picture_size, e->pictures + at * pixels));
        GB_TRY(gb_plant_teach(plant, e->actions + at * size));
        memcpy(action, e->actions + at * size, size * sizeof *action);
        if (options->action_noise > 0.0)
            add_noise(info, options->action_noise, seed, e->steps, action);
        GB_TRY(gb_plant_step(plant, action, NULL, result));
    }
    return GB_OK;
}

/* ---- handing over -----------------------------------------------------------------------------
 */

/* Columns [at, at + size) of rows [steps][width] as one stream: observations in f32, as sensors
 * give them, actions in f64, so that a demonstration replays to the bit. */
static gb_status hand_over_stream(const episode *e,
                                  const gb_plant_stream *stream,
                                  const double *rows,
                                  int width,
                                  int at,
                                  gb_sink *sink,
                                  int recording)
{
    gb_stream_spec spec = stream->spec;
    bool exact = spec.kind == GB_STREAM_ACTION;
    int number = 0;
    spec.value_type = exact ? GB_VALUE_F64 : GB_VALUE_F32;
    GB_TRY(gb_sink_stream(sink, recording, &spec, &number));
    for (int i = 0; i < e->steps; i++) {
        for (int k = 0; k < stream->size; k++) {
            double value = rows[(size_t)i * (size_t)width + (size_t)(at + k)];
            size_t to = (size_t)i * (size_t)stream->size + (size_t)k;
            if (exact)
                ((double *)e->column)[to] = value;
            else
                ((float *)e->column)[to] = (float)value;
        }
    }
    gb_samples samples = {.count = e->steps, .time_ns = e->time_ns, .values = e->column};
    return gb_sink_append(sink, recording, number, &samples);
}

static gb_status hand_over_pictures(const episode *e,
                                    const gb_demonstrate_options *options,
                                    gb_sink *sink,
                                    int recording)
{
    char name[GB_STREAM_NAME_MAX + 1];
    int number = 0;
    if (!e->pictures)
        return GB_OK;
    snprintf(name, sizeof name, "camera.%s", e->info->cameras[options->camera]);
    gb_stream_spec spec = gb_stream_spec_defaults(name);
    spec.kind = GB_STREAM_IMAGE;
    spec.unit = "1";
    spec.rank = 3;
    spec.shape[0] = spec.shape[1] = options->picture_size;
    spec.shape[2] = 3;
    spec.time_base = GB_TIME_START;
    spec.rate_hz = 1e9 / (double)e->info->period_ns;
    spec.value_type = GB_VALUE_U8;
    GB_TRY(gb_sink_stream(sink, recording, &spec, &number));
    gb_samples samples = {.count = e->steps, .time_ns = e->time_ns, .values = e->pictures};
    return gb_sink_append(sink, recording, number, &samples);
}

static gb_status hand_over_streams(const episode *e,
                                   const gb_demonstrate_options *options,
                                   gb_sink *sink,
                                   int recording)
{
    const gb_plant_info *info = e->info;
    for (int i = 0, at = 0; i < info->observation_stream_count; i++) {
        const gb_plant_stream *stream = &info->observation_streams[i];
        GB_TRY(hand_over_stream(e, stream, e->observations, info->observation_size, at, sink,
                                recording));
        at += stream->size;
    }
    for (int i = 0, at = 0; i < info->action_stream_count; i++) {
        const gb_plant_stream *stream = &info->action_streams[i];
        GB_TRY(hand_over_stream(e, stream, e->actions, info->action_size, at, sink, recording));
        at += stream->size;
    }
    GB_TRY(hand_over_pictures(e, options, sink, recording));
    return gb_sink_end(sink, recording);
}

static gb_status hand_over(const episode *e,
                           const gb_demonstrate_options *options,
                           uint64_t seed,
                           const gb_plant_result *result,
                           gb_sink *sink)
{
    char name[96], seed_text[24], score[32], noise[32];
    snprintf(name, sizeof name, "%s/%06" PRIu64, e->info->name, seed);
    snprintf(seed_text, sizeof seed_text, "%" PRIu64, seed);
    snprintf(score, sizeof score, "%.6g", result->score);
    snprintf(noise, sizeof noise, "%g", options->action_noise);
    const gb_pair pairs[] = {
        {"plant", e->info->name},  {"seed", seed_text},     {"score", score},
        {"controller", "teacher"}, {"action_noise", noise}, {"verdict", result->verdict},
    };
    gb_recording_info info = {.name = name,
                              .source = e->info->name,
                              .instruction = e->info->instruction,
                              .outcome = result->success ? "success" : "failure",
                              .pairs = pairs,
                              .pair_count = (int)(sizeof pairs / sizeof *pairs)};
    int recording = 0;
    GB_TRY(gb_sink_begin(sink, &info, &recording));
    gb_status status = hand_over_streams(e, options, sink, recording);
    if (status != GB_OK)
        gb_sink_abandon(sink, recording);
    return status;
}

/* ---- all episodes -----------------------------------------------------------------------------
 */

gb_status gb_plant_demonstrate_check(const gb_demonstrate_options *options)
{
    const gb_plant_info *info = NULL;
    GB_TRY(gb_plant_describe(options->plant, &info));
    if (!info->has_teacher)
        return gb_fail(GB_ERR_UNSUPPORTED,
                       "plant %s: it has no teacher to record; its demonstrations are people's",
                       info->name);
    if (options->episodes < 1 || options->episodes > 1000000)
        return gb_fail(GB_ERR_ARGUMENT, "demonstrate: %d episodes, expected 1 to 1000000",
                       options->episodes);
    if (!(options->action_noise >= 0.0 && options->action_noise <= 1.0))
        return gb_fail(GB_ERR_ARGUMENT,
                       "demonstrate: action_noise is %g, expected a part of the action's range, "
                       "0 to 1",
                       options->action_noise);
    if (options->picture_size != 0 && (options->picture_size < 16 || options->picture_size > 1024))
        return gb_fail(GB_ERR_ARGUMENT, "demonstrate: pictures of %d pixels, expected 16 to 1024",
                       options->picture_size);
    if (options->picture_size > 0 && (options->camera < 0 || options->camera >= info->camera_count))
        return gb_fail(GB_ERR_UNSUPPORTED, "plant %s: no camera %d, it has %d", info->name,
                       options->camera, info->camera_count);
    return GB_OK;
}

static gb_status run(const gb_demonstrate_options *options,
                     gb_plant *plant,
                     episode *e,
                     double *action,
                     gb_sink *sink,
                     gb_demonstrate_counts *counts)
{
    gb_plant_result result;
    int64_t limit = (int64_t)options->episodes * TRIES_PER_EPISODE;
    while (counts->kept < options->episodes && !(options->stop && *options->stop)) {
        if (counts->tried == limit)
            return gb_fail(GB_ERR_NUMERIC,
                           "demonstrate %s: the teacher succeeded in %lld of %lld episodes; keep "
                           "failures too, or less noise",
                           e->info->name, (long long)counts->succeeded, (long long)counts->tried);
        uint64_t seed = options->first_seed + (uint64_t)counts->tried;
        int64_t start_ns = gb_clock_monotonic_ns();
        GB_TRY(work(options, plant, seed, e, action, &result));
        counts->wall_s += (double)(gb_clock_monotonic_ns() - start_ns) * 1e-9;
        counts->simulated_s += (double)e->steps * (double)e->info->period_ns * 1e-9;
        counts->tried++;
        counts->steps += e->steps;
        counts->succeeded += result.success;
        if (result.success || options->keep_failures) {
            GB_TRY(hand_over(e, options, seed, &result, sink));
            counts->kept++;
        }
        if (options->progress)
            options->progress(options->progress_context, e->info->name,
                              (double)counts->kept / (double)options->episodes);
    }
    return GB_OK;
}

gb_status gb_plant_demonstrate(const gb_demonstrate_options *options,
                               gb_sink *sink,
                               gb_demonstrate_counts *out)
{
    const gb_plant_info *info = NULL;
    gb_plant *plant = NULL;
    episode e = {0};
    gb_demonstrate_counts counts = {0};
    GB_TRY(gb_plant_demonstrate_check(options));
    GB_TRY(gb_plant_describe(options->plant, &info));
    double *action = calloc((size_t)info->action_size, sizeof *action);
    gb_status status = action ? episode_init(&e, info, options->picture_size)
                              : gb_fail(GB_ERR_MEMORY, "demonstrate: no memory");
    if (status == GB_OK)
        status = gb_plant_create(options->plant, NULL, &plant);
    if (status == GB_OK)
        status = run(options, plant, &e, action, sink, &counts);
    gb_plant_destroy(plant);
    episode_free(&e);
    free(action);
    if (status == GB_OK && out)
        *out = counts;
    return status;
}

/* ---- into a store -----------------------------------------------------------------------------
 */

typedef struct store_run {
    const gb_demonstrate_options *options;
    gb_store_ingest *ingest;
    gb_status status;
    int64_t committed_ns;
    volatile int stop;
} store_run;

/* After each episode: the catalogue every few seconds, and whether to stop. */
static void after_episode(void *context, const char *what, double fraction)
{
    store_run *r = context;
    const gb_store_counts none = {0};
    int64_t now_ns = gb_clock_monotonic_ns();
    if (now_ns - r->committed_ns > COMMIT_EVERY_NS) {
        r->status = gb_store_ingest_commit(r->ingest, &none, NULL, 0);
        r->committed_ns = now_ns;
    }
    if (r->options->progress)
        r->options->progress(r->options->progress_context, what, fraction);
    r->stop = r->status != GB_OK || (r->options->stop && *r->options->stop);
}

gb_status gb_plant_demonstrate_into_store(const gb_demonstrate_options *options,
                                          gb_store *store,
                                          gb_demonstrate_counts *out)
{
    char path[160];
    snprintf(path, sizeof path, "plant:%s?controller=teacher&seed=%" PRIu64 "&noise=%g",
             options->plant, options->first_seed, options->action_noise);
    const gb_store_source source = {.path = path,
                                    .checksum = "",
                                    .bytes = options->episodes,
                                    .map = "",
                                    .map_text = "",
                                    .policy = ""};
    store_run r = {.options = options, .committed_ns = gb_clock_monotonic_ns()};
    gb_demonstrate_options own = *options;
    gb_demonstrate_counts counts = {0};
    int64_t done = 0;
    own.progress = after_episode;
    own.progress_context = &r;
    own.stop = &r.stop;
    GB_TRY(gb_store_ingest_begin(store, &source, &r.ingest, &done));
    gb_status status = gb_plant_demonstrate(&own, gb_store_ingest_sink(r.ingest), &counts);
    if (status == GB_OK)
        status = r.status;
    if (status == GB_OK) {
        const gb_store_counts rows = {
            .rows_read = counts.steps, .rows_stored = counts.steps, .source_to = counts.kept};
        status = gb_store_ingest_commit(r.ingest, &rows, NULL, 0);
    }
    gb_status ended = gb_store_ingest_end(r.ingest, status == GB_OK);
    if (status == GB_OK)
        status = ended;
    if (status == GB_OK && out)
        *out = counts;
    return status;
}
