/* eval/policy_nearest.c: the policy without training. It looks up the recorded moment at which the
 * bodies stood most like now and repeats the actions that followed. For plants in the plane. */
#include "genba/eval.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A moment of a demonstration, or of its mirror image. */
typedef struct moment {
    int64_t actions; /* where its actions start, in rows of `actions` */
    int64_t left;    /* rows of actions until the end of its episode */
} moment;

typedef struct nearest {
    const gb_plant_info *plant;
    int horizon;
    int features;       /* numbers that describe a moment */
    int64_t moments;    /* filled so far */
    moment *index;      /* [moments] */
    float *features_of; /* [moments][features] */
    double *actions;    /* [moments][action_size] */
    float *now;         /* [features] */
} nearest;

/* ---- features: every landmark of every body, in world coordinates ------------------------------
 */

static int count_features(const gb_plant_info *plant)
{
    int count = 0;
    for (int i = 0; i < plant->geometry->body_count; i++)
        count += 2 * plant->geometry->bodies[i].landmark_count;
    return count;
}

static void describe(const gb_plant_info *plant, const double *observation, float *out)
{
    for (int i = 0; i < plant->geometry->body_count; i++) {
        const gb_plant_body *body = &plant->geometry->bodies[i];
        int position = 0, rotation = 0;
        gb_plant_observation_stream(plant, body->position_stream, &position);
        double c = 1.0, s = 0.0;
        if (body->rotation_stream) {
            gb_plant_observation_stream(plant, body->rotation_stream, &rotation);
            c = cos(observation[rotation]);
            s = sin(observation[rotation]);
        }
        /* Each body weighs the same, whatever its number of landmarks. */
        double weight = 1.0 / sqrt((double)body->landmark_count);
        for (int k = 0; k < body->landmark_count; k++) {
            const double *at = body->landmarks[k];
            *out++ = (float)(weight * (observation[position] + c * at[0] - s * at[1]));
            *out++ = (float)(weight * (observation[position + 1] + s * at[0] + c * at[1]));
        }
    }
}

/* ---- the demonstrations -----------------------------------------------------------------------
 */

/* The row of all streams of one kind as one flat array of doubles. */
static gb_status read_row(const gb_recording *recording,
                          const gb_plant_stream *streams,
                          int stream_count,
                          int64_t row,
                          double *out)
{
    for (int i = 0; i < stream_count; i++) {
        const char *name = streams[i].spec.name;
        const gb_stream_view *view =
            gb_recording_stream(recording, gb_recording_find(recording, name));
        if (!view || view->size != streams[i].size || row >= view->count)
            return gb_fail(GB_ERR_MISMATCH,
                           "demonstration %s: stream %s is not there as the plant declares it",
                           gb_recording_get_info(recording)->name, name);
        for (int k = 0; k < streams[i].size; k++)
            *out++ = (double)view->values[row * view->size + k];
    }
    return GB_OK;
}

static int64_t count_rows(const gb_plant_info *plant, const gb_recording *recording)
{
    int stream = gb_recording_find(recording, plant->observation_streams[0].spec.name);
    return stream < 0 ? 0 : gb_recording_stream(recording, stream)->count;
}

static void add_moment(nearest *n, const double *observation, const double *action, int64_t left)
{
    size_t size = (size_t)n->plant->action_size;
    describe(n->plant, observation, n->features_of + n->moments * n->features);
    memcpy(n->actions + (size_t)n->moments * size, action, size * sizeof *action);
    n->index[n->moments] = (moment){n->moments, left};
    n->moments++;
}

/* Adds an episode as it was (symmetry NULL) or mirrored. */
static gb_status
add_episode(nearest *n, const gb_recording *recording, const gb_plant_symmetry *symmetry)
{
    const gb_plant_info *plant = n->plant;
    double numbers[4][256];
    int64_t rows = count_rows(plant, recording);
    for (int64_t row = 0; row < rows; row++) {
        GB_TRY(read_row(recording, plant->observation_streams, plant->observation_stream_count, row,
                        numbers[0]));
        GB_TRY(read_row(recording, plant->action_streams, plant->action_stream_count, row,
                        numbers[1]));
        if (symmetry) {
            gb_plant_mirror_observation(plant, symmetry, numbers[0], numbers[2]);
            gb_plant_mirror_action(plant, symmetry, numbers[1], numbers[3]);
        }
        add_moment(n, numbers[symmetry ? 2 : 0], numbers[symmetry ? 3 : 1], rows - row);
    }
    return GB_OK;
}

static gb_status add_all(nearest *n, const gb_nearest_options *options)
{
    int64_t episodes = gb_dataset_count(options->demonstrations);
    int copies = 1 + (options->symmetries ? n->plant->symmetry_count : 0);
    int64_t rows = 0;
    for (int64_t i = 0; i < episodes; i++)
        rows += count_rows(n->plant, gb_dataset_get(options->demonstrations, i));
    if (rows == 0)
        return gb_fail(GB_ERR_MISMATCH, "nearest: the demonstrations hold no row of plant %s",
                       n->plant->name);
    size_t capacity = (size_t)(rows * copies);
    n->index = calloc(capacity, sizeof *n->index);
    n->features_of = calloc(capacity * (size_t)n->features, sizeof *n->features_of);
    n->actions = calloc(capacity * (size_t)n->plant->action_size, sizeof *n->actions);
    n->now = calloc((size_t)n->features, sizeof *n->now);
    if (!n->index || !n->features_of || !n->actions || !n->now)
        return gb_fail(GB_ERR_MEMORY, "nearest: no memory for %zu moments", capacity);
    for (int64_t i = 0; i < episodes; i++) {
        const gb_recording *recording = gb_dataset_get(options->demonstrations, i);
        for (int copy = 0; copy < copies; copy++)
            GB_TRY(add_episode(n, recording, copy ? &n->plant->symmetries[copy - 1] : NULL));
    }
    return GB_OK;
}

/* ---- the policy -------------------------------------------------------------------------------
 */

static float distance(const float *a, const float *b, int count)
{
    float sum = 0.0f;
    for (int i = 0; i < count; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

static gb_status
decide(void *context, const double *observations, uint64_t seed, uint64_t tick, double *actions)
{
    nearest *n = context;
    (void)seed;
    (void)tick;
    describe(n->plant, observations, n->now);
    int64_t best = 0;
    float least = FLT_MAX;
    for (int64_t i = 0; i < n->moments; i++) {
        float d = distance(n->now, n->features_of + i * n->features, n->features);
        if (d < least) {
            least = d;
            best = i;
        }
    }
    /* Past the end of the episode its last action is held. */
    int size = n->plant->action_size;
    for (int k = 0; k < n->horizon; k++) {
        int64_t row =
            n->index[best].actions + (k < n->index[best].left ? k : n->index[best].left - 1);
        memcpy(actions + k * size, n->actions + row * size, (size_t)size * sizeof *actions);
    }
    return GB_OK;
}

static void destroy(void *context)
{
    nearest *n = context;
    if (!n)
        return;
    free(n->index);
    free(n->features_of);
    free(n->actions);
    free(n->now);
    free(n);
}

gb_status gb_policy_make_nearest(const void *context, const gb_plant_info *plant, gb_policy *out)
{
    const gb_nearest_options *options = context;
    if (plant->geometry->dimensions != 2 || plant->observation_size > 256 ||
        plant->action_size > 256)
        return gb_fail(GB_ERR_UNSUPPORTED, "nearest: plant %s is not one in the plane",
                       plant->name);
    nearest *n = calloc(1, sizeof *n);
    if (!n)
        return gb_fail(GB_ERR_MEMORY, "nearest: no memory");
    n->plant = plant;
    n->horizon = options->horizon;
    n->features = count_features(plant);
    gb_status status = add_all(n, options);
    if (status != GB_OK) {
        destroy(n);
        return status;
    }
    *out = (gb_policy){.look_back = 1,
                       .horizon = options->horizon,
                       .execute = options->execute,
                       .context = n,
                       .decide = decide,
                       .destroy = destroy};
    return GB_OK;
}
