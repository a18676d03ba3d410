/* control/policy_model.c: a model with an action head as a policy: hands it the streams it names
 * and carries out the chunk it answers. */
#include "genba/policy.h"

#include "ingest/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAMS_MAX 64

typedef struct driver {
    gb_session *session;
    const gb_plant_info *plant;
    int look_back, horizon, stream_count;
    int offsets[STREAMS_MAX], sizes[STREAMS_MAX]; /* of each stream in the flat observation */
    float *streams[STREAMS_MAX];                  /* [look_back x size] */
    float *chunk;                                 /* [horizon x action_size] */
    float *prefix;                                /* the same, of the chunk under way */
} driver;

static void destroy(void *context)
{
    driver *d = context;
    if (!d)
        return;
    for (int i = 0; i < d->stream_count; i++)
        free(d->streams[i]);
    free(d->chunk);
    free(d->prefix);
    gb_session_destroy(d->session);
    free(d);
}

static gb_status decide_after(void *context,
                              const double *observations,
                              uint64_t seed,
                              uint64_t tick,
                              const gb_policy_prefix *prefix,
                              double *actions)
{
    driver *d = context;
    int size = d->plant->action_size;
    for (int i = 0; i < d->stream_count; i++) {
        for (int t = 0; t < d->look_back; t++) {
            const double *from = observations + t * d->plant->observation_size + d->offsets[i];
            for (int k = 0; k < d->sizes[i]; k++)
                d->streams[i][t * d->sizes[i] + k] = (float)from[k];
        }
    }
    gb_action_prefix given = {.actions = d->prefix};
    if (prefix) {
        if (prefix->count < 0 || prefix->count > d->horizon)
            return gb_fail(GB_ERR_ARGUMENT, "policy: a prefix of %d actions, expected 0 to %d",
                           prefix->count, d->horizon);
        for (int i = 0; i < prefix->count * size; i++)
            d->prefix[i] = (float)prefix->actions[i];
        given.count = prefix->count;
        given.frozen = prefix->frozen;
        given.soft = prefix->soft;
    }
    GB_TRY(gb_session_act_after(d->session, (const float *const *)d->streams, seed, tick, &given,
                                d->chunk));
    for (int i = 0; i < d->horizon * size; i++)
        actions[i] = i < given.frozen * size ? prefix->actions[i] : (double)d->chunk[i];
    return GB_OK;
}

static gb_status
decide(void *context, const double *observations, uint64_t seed, uint64_t tick, double *actions)
{
    return decide_after(context, observations, seed, tick, NULL, actions);
}

/* The last decision once more: the weights come from the same memory whatever is asked. */
static void warm(void *context)
{
    driver *d = context;
    gb_status ignored =
        gb_session_act(d->session, (const float *const *)d->streams, 0, 0, d->chunk);
    (void)ignored;
}

static gb_status add_stream(driver *d, const char *name)
{
    int offset = 0;
    const gb_plant_stream *stream = gb_plant_observation_stream(d->plant, name, &offset);
    if (!stream)
        return gb_fail(GB_ERR_MISMATCH,
                       "the model reads stream \"%s\", which plant %s does not have; it was "
                       "trained for another machine",
                       name, d->plant->name);
    if (d->stream_count == STREAMS_MAX)
        return gb_fail(GB_ERR_UNSUPPORTED, "a model with more than %d streams", STREAMS_MAX);
    d->offsets[d->stream_count] = offset;
    d->sizes[d->stream_count] = stream->size;
    float *values = calloc((size_t)(d->look_back * stream->size), sizeof *values);
    if (!values)
        return gb_fail(GB_ERR_MEMORY, "policy: no memory for stream %s", name);
    d->streams[d->stream_count++] = values;
    return GB_OK;
}

static gb_status add_streams(driver *d, const gb_model *model)
{
    int64_t size = 0;
    const gb_window_stream *stream;
    for (int i = 0; (stream = gb_model_observation(model, i, &size)); i++) {
        GB_TRY(add_stream(d, stream->name));
        if (size != d->sizes[i] || stream->look_back != d->look_back)
            return gb_fail(GB_ERR_MISMATCH,
                           "the model reads %lld rows of %lld numbers of stream \"%s\", plant %s "
                           "gives %d numbers; it was trained for another machine",
                           (long long)stream->look_back, (long long)size, stream->name,
                           d->plant->name, d->sizes[i]);
    }
    return GB_OK;
}

/* The model answers the plant's action streams, in their order. */
static gb_status check_actions(const gb_plant_info *plant, const gb_head_config *head)
{
    bool fits = head->kind == GB_HEAD_FLOW && head->action_size == plant->action_size;
    int streams = head->action_count > 0 ? (int)head->action_count : 1;
    fits = fits && streams == plant->action_stream_count;
    for (int i = 0; fits && i < streams; i++) {
        const gb_plant_stream *stream = &plant->action_streams[i];
        const char *name = head->action_count > 0 ? head->actions[i] : head->action;
        int size = head->action_count > 0 ? head->action_sizes[i] : head->action_size;
        fits = strcmp(name, stream->spec.name) == 0 && size == stream->size;
    }
    if (fits)
        return GB_OK;
    char names[512] = "";
    for (int i = 0; i < plant->action_stream_count; i++) {
        char one[160];
        snprintf(one, sizeof one, "%s\"%s\" [%d]", i ? ", " : "",
                 plant->action_streams[i].spec.name, plant->action_streams[i].size);
        strncat(names, one, sizeof names - strlen(names) - 1);
    }
    return gb_fail(
        GB_ERR_MISMATCH,
        "the model does not command plant %s: expected a flow head whose actions are the "
        "streams %s",
        plant->name, names);
}

/* ---- what it was trained in ---------------------------------------------------------------------
 */

static const gb_plant_stream *
find_stream(const gb_plant_stream *streams, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(streams[i].spec.name, name) == 0)
            return &streams[i];
    return NULL;
}

/* Other spellings of a unit are the same; what cannot be told is let pass. */
static bool same_unit(const char *trained, const char *unit)
{
    double scale = 1.0, offset = 0.0;
    if (!unit || !unit[0] || strcmp(trained, unit) == 0)
        return true;
    gb_status status = gb_unit_convert(trained, unit, &scale, &offset);
    if (status != GB_OK)
        return status != GB_ERR_MISMATCH;
    return fabs(scale - 1.0) < 1e-9 && fabs(offset) < 1e-9;
}

static gb_status check_units(const gb_plant_info *plant, const gb_model_config *config)
{
    for (unsigned i = 0; i < config->unit_count; i++) {
        const gb_stream_unit *u = &config->units[i];
        const gb_plant_stream *both[] = {
            find_stream(plant->observation_streams, plant->observation_stream_count, u->stream),
            find_stream(plant->action_streams, plant->action_stream_count, u->stream)};
        for (int k = 0; k < 2; k++)
            if (both[k] && !same_unit(u->unit, both[k]->spec.unit))
                return gb_fail(GB_ERR_MISMATCH,
                               "the model was trained on stream \"%s\" in %s, machine %s has it in "
                               "%s; say unit: %s in its map, with source_unit: what its messages "
                               "hold",
                               u->stream, u->unit, plant->name, both[k]->spec.unit, u->unit);
    }
    return GB_OK;
}

static gb_status check_rate(const gb_plant_info *plant, const gb_model_config *config)
{
    double rate_hz = 1e9 / (double)plant->period_ns, trained_hz = (double)config->rate_hz;
    if (trained_hz == 0.0 || fabs(rate_hz - trained_hz) <= 0.01 * trained_hz)
        return GB_OK;
    return gb_fail(GB_ERR_MISMATCH,
                   "the model was trained on %g actions a second, machine %s asks for %g; say "
                   "action_rate_hz: %g in its map",
                   trained_hz, plant->name, rate_hz, trained_hz);
}

static gb_status build(driver *d, const gb_model *model, gb_dtype compute)
{
    gb_session_options options = gb_session_defaults();
    const gb_model_config *config = gb_model_get_config(model);
    const gb_head_config *head = &config->head;
    GB_TRY(check_actions(d->plant, head));
    GB_TRY(check_units(d->plant, config));
    GB_TRY(check_rate(d->plant, config));
    d->look_back = config->codec.look_back;
    d->horizon = head->horizon;
    GB_TRY(add_streams(d, model));
    d->chunk = calloc((size_t)(d->horizon * d->plant->action_size), sizeof *d->chunk);
    d->prefix = calloc((size_t)(d->horizon * d->plant->action_size), sizeof *d->prefix);
    if (!d->chunk || !d->prefix)
        return gb_fail(GB_ERR_MEMORY, "policy: no memory for a chunk");
    options.compute = compute;
    return gb_session_create(model, options, &d->session);
}

static gb_status
make(const gb_model *model, const gb_plant_info *plant, gb_dtype compute, gb_policy *out)
{
    driver *d = calloc(1, sizeof *d);
    if (!d)
        return gb_fail(GB_ERR_MEMORY, "policy: no memory");
    d->plant = plant;
    gb_status status = build(d, model, compute);
    if (status != GB_OK) {
        destroy(d);
        return status;
    }
    *out = (gb_policy){.look_back = d->look_back,
                       .horizon = d->horizon,
                       .execute = gb_model_get_config(model)->head.execute,
                       .compute = compute,
                       .context = d,
                       .decide = decide,
                       .decide_after = decide_after,
                       .warm = warm,
                       .destroy = destroy};
    return GB_OK;
}

gb_status gb_policy_make_model(const void *context, const gb_plant_info *plant, gb_policy *out)
{
    return make(context, plant, GB_F32, out);
}

gb_status gb_policy_make_model_bf16(const void *context, const gb_plant_info *plant, gb_policy *out)
{
    return make(context, plant, GB_BF16, out);
}

gb_policy_make_fn gb_policy_model_maker(gb_dtype compute)
{
    return compute == GB_F32    ? gb_policy_make_model
           : compute == GB_BF16 ? gb_policy_make_model_bf16
                                : NULL;
}
