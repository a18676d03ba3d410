/* A model's config as JSON. JSON is YAML, so the schema of config.c reads it back; values that are
 * 0 or absent are left out, lists that stand for usual ones are written out. */
#include <stdio.h>
#include <stdlib.h>

#include "model/config.h"
#include "model/head.h"

/* The shortest decimal that gives the same float: .1, not .100000001. */
static json_t *real(float value)
{
    char text[32];
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    return json_real(strtod(text, NULL));
}

static int put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value);
}

static int put_text(json_t *object, const char *key, const char *text)
{
    return text ? put(object, key, json_string(text)) : 0;
}

static int put_int(json_t *object, const char *key, int value)
{
    return value != 0 ? put(object, key, json_integer(value)) : 0;
}

static int put_float(json_t *object, const char *key, float value)
{
    return value != 0.0f ? put(object, key, real(value)) : 0;
}

static int put_floats(json_t *object, const char *key, const float *values, unsigned count)
{
    json_t *list = json_array();
    int failed = 0;
    for (unsigned i = 0; i < count; i++)
        failed |= json_array_append_new(list, real(values[i]));
    if (count == 0) {
        json_decref(list);
        return 0;
    }
    return failed | put(object, key, list);
}

static int put_ints(json_t *object, const char *key, const int *values, unsigned count)
{
    json_t *list = json_array();
    int failed = 0;
    for (unsigned i = 0; i < count; i++)
        failed |= json_array_append_new(list, json_integer(values[i]));
    if (count == 0) {
        json_decref(list);
        return 0;
    }
    return failed | put(object, key, list);
}

static int put_texts(json_t *object, const char *key, char *const *values, unsigned count)
{
    json_t *list = json_array();
    int failed = 0;
    for (unsigned i = 0; i < count; i++)
        failed |= json_array_append_new(list, json_string(values[i]));
    if (count == 0) {
        json_decref(list);
        return 0;
    }
    return failed | put(object, key, list);
}

static int put_bodies(json_t *object, const gb_codec_config *c)
{
    json_t *list = json_array();
    int failed = 0;
    for (unsigned i = 0; i < c->body_count; i++) {
        const gb_pose_body *b = &c->bodies[i];
        json_t *body = json_object();
        failed |= put_text(body, "name", b->name);
        failed |= put_text(body, "position", b->position);
        failed |= put_text(body, "angle", b->angle);
        failed |= put_floats(body, "landmarks", b->landmarks, b->landmark_count);
        failed |= put_floats(body, "goal", b->goal, b->goal_count);
        failed |= json_array_append_new(list, body);
    }
    return failed | put(object, "bodies", list);
}

static int put_symmetries(json_t *object, const gb_codec_config *c)
{
    json_t *list = json_array();
    int failed = 0;
    for (unsigned i = 0; i < c->symmetry_count; i++) {
        const gb_symmetry *s = &c->symmetries[i];
        json_t *symmetry = json_object();
        failed |= put_floats(symmetry, "matrix", s->matrix, s->matrix_count);
        failed |= put_floats(symmetry, "offset", s->offset, s->offset_count);
        failed |= json_array_append_new(list, symmetry);
    }
    return failed | put(object, "symmetries", list);
}

static int put_codec(json_t *object, const gb_codec_config *c)
{
    static const char *const kinds[] = {[GB_CODEC_SERIES] = "series",
                                        [GB_CODEC_VECTOR] = "vector",
                                        [GB_CODEC_POSES] = "poses",
                                        [GB_CODEC_BYTES] = "bytes"};
    int failed = put_text(object, "kind", kinds[c->kind]);
    failed |= put_int(object, "look_back", c->look_back);
    failed |= put_texts(object, "streams", c->streams, c->stream_count);
    failed |= put_ints(object, "sizes", c->sizes, c->size_count);
    failed |= put_int(object, "hidden", c->hidden);
    failed |= put_int(object, "patch", c->patch);
    if (c->body_count > 0)
        failed |= put_bodies(object, c);
    failed |= put_texts(object, "points", c->points, c->point_count);
    if (c->center[0] != 0.0f || c->center[1] != 0.0f)
        failed |= put_floats(object, "center", c->center, 2);
    failed |= put_float(object, "world_scale", c->world_scale);
    failed |= put_float(object, "near_scale", c->near_scale);
    failed |= put_float(object, "fine_scale", c->fine_scale);
    failed |= put_float(object, "motion_scale", c->motion_scale);
    if (c->symmetry_count > 0)
        failed |= put_symmetries(object, c);
    return failed;
}

static int put_backbone(json_t *object, const gb_backbone_config *b)
{
    static const char *const kinds[] = {
        [GB_BLOCK_CONV] = "conv", [GB_BLOCK_ATTENTION] = "attention"};
    json_t *blocks = json_array();
    int failed = put_int(object, "width", b->width);
    for (unsigned i = 0; i < b->block_count; i++)
        failed |= json_array_append_new(blocks, json_string(kinds[b->blocks[i]]));
    failed |= put(object, "blocks", blocks);
    failed |= put_int(object, "heads", b->heads);
    failed |= put_int(object, "kv_heads", b->kv_heads);
    failed |= put_int(object, "ffn", b->ffn);
    failed |= put_int(object, "conv_kernel", b->conv_kernel);
    failed |= put_float(object, "rope_theta", b->rope_theta);
    return failed | put_float(object, "dropout", b->dropout);
}

static int put_head(json_t *object, const gb_head_config *h)
{
    static const char *const kinds[] = {
        [GB_HEAD_QUANTILE] = "quantile", [GB_HEAD_FLOW] = "flow", [GB_HEAD_TOKEN] = "token"};
    int failed = put_text(object, "kind", kinds[h->kind]);
    failed |= put_int(object, "horizon", h->horizon);
    if (h->kind == GB_HEAD_QUANTILE) {
        unsigned levels, horizons;
        const float *level = gb_quantile_levels(h, &levels);
        const int *horizon = gb_quantile_horizons(h, &horizons);
        failed |= put_floats(object, "quantiles", level, levels);
        failed |= put_ints(object, "evaluation_horizons", horizon, horizons);
    }
    failed |= put_int(object, "shortcuts", h->shortcuts);
    failed |= put_float(object, "ridge", h->ridge);
    failed |= put_text(object, "action", h->action);
    failed |= put_int(object, "action_size", h->action_size);
    failed |= put_texts(object, "actions", h->actions, h->action_count);
    failed |= put_ints(object, "action_sizes", h->action_sizes, h->action_size_count);
    failed |= put_int(object, "prefix", h->prefix);
    failed |= put_text(object, "relative_to", h->relative_to);
    failed |= put_texts(object, "relatives", h->relatives, h->relative_count);
    failed |= put_int(object, "width", h->width);
    failed |= put_int(object, "hidden", h->hidden);
    failed |= put_int(object, "blocks", h->blocks);
    failed |= put_int(object, "time_features", h->time_features);
    failed |= put_int(object, "euler_steps", h->euler_steps);
    failed |= put_float(object, "temperature", h->temperature);
    failed |= put_int(object, "execute", h->execute);
    failed |= put_float(object, "clip_low", h->clip_low);
    return failed | put_float(object, "clip_high", h->clip_high);
}

static int put_units(json_t *object, const gb_model_config *config)
{
    json_t *list = json_array();
    int failed = 0;
    for (unsigned i = 0; i < config->unit_count; i++) {
        json_t *unit = json_object();
        failed |= put_text(unit, "stream", config->units[i].stream);
        failed |= put_text(unit, "unit", config->units[i].unit);
        failed |= json_array_append_new(list, unit);
    }
    return failed | put(object, "units", list);
}

/* json_* functions take NULL and report it, so one check at the end is enough. */
json_t *gb_model_config_json(const gb_model_config *config)
{
    json_t *object = json_object(), *codec = json_object(), *backbone = json_object(),
           *head = json_object();
    int failed = put_text(object, "name", config->name);
    failed |= put_codec(codec, &config->codec);
    failed |= put_backbone(backbone, &config->backbone);
    failed |= put_head(head, &config->head);
    failed |= put(object, "codec", codec);
    failed |= put(object, "backbone", backbone);
    failed |= put(object, "head", head);
    if (config->unit_count > 0)
        failed |= put_units(object, config);
    failed |= put_float(object, "rate_hz", config->rate_hz);
    if (failed) {
        json_decref(object);
        return NULL;
    }
    return object;
}
