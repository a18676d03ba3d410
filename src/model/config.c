/* The model's config: its schema, defaults and checks. What a codec, a block or a head alone can
 * judge is in its own file; writing is config_write.c. */
#include "model/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"
#include "model/block.h"
#include "model/codec.h"
#include "model/head.h"

enum {
    NAME_MAX_BYTES = 127,
    LIST_MAX = 4096
};

static const cyaml_strval_t codec_kinds[] = {{"series", GB_CODEC_SERIES},
                                             {"vector", GB_CODEC_VECTOR},
                                             {"poses", GB_CODEC_POSES},
                                             {"bytes", GB_CODEC_BYTES}};
static const cyaml_strval_t block_kinds[] = {{"conv", GB_BLOCK_CONV},
                                             {"attention", GB_BLOCK_ATTENTION}};
static const cyaml_strval_t head_kinds[] = {
    {"quantile", GB_HEAD_QUANTILE}, {"flow", GB_HEAD_FLOW}, {"token", GB_HEAD_TOKEN}};

#define OPTIONAL CYAML_FLAG_OPTIONAL
#define TEXT(key, type, flags) CYAML_FIELD_STRING_PTR(#key, flags, type, key, 1, NAME_MAX_BYTES)
#define INT(key, type) CYAML_FIELD_INT(#key, OPTIONAL, type, key)
#define FLOAT(key, type) CYAML_FIELD_FLOAT(#key, OPTIONAL, type, key)
#define LIST(key, count, type, entry)                                                              \
    CYAML_FIELD_SEQUENCE_COUNT(#key, CYAML_FLAG_POINTER | OPTIONAL, type, key, count, &entry, 0,   \
                               LIST_MAX)

static const cyaml_schema_value_t text_entry = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, NAME_MAX_BYTES)};
static const cyaml_schema_value_t float_entry = {CYAML_VALUE_FLOAT(CYAML_FLAG_DEFAULT, float)};
static const cyaml_schema_value_t int_entry = {CYAML_VALUE_INT(CYAML_FLAG_DEFAULT, int)};
static const cyaml_schema_value_t block_entry = {
    CYAML_VALUE_ENUM(CYAML_FLAG_STRICT, gb_block_kind, block_kinds, CYAML_ARRAY_LEN(block_kinds))};

static const cyaml_schema_field_t body_fields[] = {
    TEXT(name, gb_pose_body, CYAML_FLAG_POINTER),
    TEXT(position, gb_pose_body, CYAML_FLAG_POINTER),
    TEXT(angle, gb_pose_body, CYAML_FLAG_POINTER | OPTIONAL),
    LIST(landmarks, landmark_count, gb_pose_body, float_entry),
    LIST(goal, goal_count, gb_pose_body, float_entry),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t body_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, gb_pose_body, body_fields)};

static const cyaml_schema_field_t symmetry_fields[] = {
    LIST(matrix, matrix_count, gb_symmetry, float_entry),
    LIST(offset, offset_count, gb_symmetry, float_entry),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t symmetry_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, gb_symmetry, symmetry_fields)};

static const cyaml_schema_field_t codec_fields[] = {
    CYAML_FIELD_ENUM("kind",
                     CYAML_FLAG_STRICT,
                     gb_codec_config,
                     kind,
                     codec_kinds,
                     CYAML_ARRAY_LEN(codec_kinds)),
    INT(look_back, gb_codec_config),
    LIST(streams, stream_count, gb_codec_config, text_entry),
    LIST(sizes, size_count, gb_codec_config, int_entry),
    INT(hidden, gb_codec_config),
    INT(patch, gb_codec_config),
    LIST(bodies, body_count, gb_codec_config, body_entry),
    LIST(points, point_count, gb_codec_config, text_entry),
    CYAML_FIELD_SEQUENCE_FIXED("center", OPTIONAL, gb_codec_config, center, &float_entry, 2),
    FLOAT(world_scale, gb_codec_config),
    FLOAT(near_scale, gb_codec_config),
    FLOAT(fine_scale, gb_codec_config),
    FLOAT(motion_scale, gb_codec_config),
    LIST(symmetries, symmetry_count, gb_codec_config, symmetry_entry),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t backbone_fields[] = {
    INT(width, gb_backbone_config),
    LIST(blocks, block_count, gb_backbone_config, block_entry),
    INT(heads, gb_backbone_config),
    INT(kv_heads, gb_backbone_config),
    INT(ffn, gb_backbone_config),
    INT(conv_kernel, gb_backbone_config),
    FLOAT(rope_theta, gb_backbone_config),
    FLOAT(dropout, gb_backbone_config),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t head_fields[] = {
    CYAML_FIELD_ENUM(
        "kind", CYAML_FLAG_STRICT, gb_head_config, kind, head_kinds, CYAML_ARRAY_LEN(head_kinds)),
    INT(horizon, gb_head_config),
    LIST(quantiles, quantile_count, gb_head_config, float_entry),
    INT(shortcuts, gb_head_config),
    FLOAT(ridge, gb_head_config),
    LIST(evaluation_horizons, evaluation_horizon_count, gb_head_config, int_entry),
    TEXT(action, gb_head_config, CYAML_FLAG_POINTER | OPTIONAL),
    INT(action_size, gb_head_config),
    LIST(actions, action_count, gb_head_config, text_entry),
    LIST(action_sizes, action_size_count, gb_head_config, int_entry),
    INT(prefix, gb_head_config),
    TEXT(relative_to, gb_head_config, CYAML_FLAG_POINTER | OPTIONAL),
    LIST(relatives, relative_count, gb_head_config, text_entry),
    INT(width, gb_head_config),
    INT(hidden, gb_head_config),
    INT(blocks, gb_head_config),
    INT(time_features, gb_head_config),
    INT(euler_steps, gb_head_config),
    FLOAT(temperature, gb_head_config),
    INT(execute, gb_head_config),
    FLOAT(clip_low, gb_head_config),
    FLOAT(clip_high, gb_head_config),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t unit_fields[] = {
    TEXT(stream, gb_stream_unit, CYAML_FLAG_POINTER),
    TEXT(unit, gb_stream_unit, CYAML_FLAG_POINTER),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t unit_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, gb_stream_unit, unit_fields)};

const cyaml_schema_field_t gb_model_config_fields[] = {
    TEXT(name, gb_model_config, CYAML_FLAG_POINTER | OPTIONAL),
    CYAML_FIELD_MAPPING("codec", CYAML_FLAG_DEFAULT, gb_model_config, codec, codec_fields),
    CYAML_FIELD_MAPPING("backbone", CYAML_FLAG_DEFAULT, gb_model_config, backbone, backbone_fields),
    CYAML_FIELD_MAPPING("head", CYAML_FLAG_DEFAULT, gb_model_config, head, head_fields),
    LIST(units, unit_count, gb_model_config, unit_entry),
    FLOAT(rate_hz, gb_model_config),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t config_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, gb_model_config, gb_model_config_fields)};

/* ---- the tables ----------------------------------------------------------------------------- */

const gb_codec_definition *gb_codec_of(gb_codec_kind kind)
{
    switch (kind) {
#define GB_CODEC_CASE(name, file)                                                                  \
    case name:                                                                                     \
        return &gb_codec_definition_##file;
        GB_CODEC_LIST(GB_CODEC_CASE)
#undef GB_CODEC_CASE
    default:
        return NULL;
    }
}

const gb_head_definition *gb_head_of(gb_head_kind kind)
{
    switch (kind) {
#define GB_HEAD_CASE(name, file)                                                                   \
    case name:                                                                                     \
        return &gb_head_definition_##file;
        GB_HEAD_LIST(GB_HEAD_CASE)
#undef GB_HEAD_CASE
    default:
        return NULL;
    }
}

const gb_block_definition *gb_block_of(gb_block_kind kind)
{
    switch (kind) {
#define GB_BLOCK_CASE(name, file)                                                                  \
    case name:                                                                                     \
        return &gb_block_definition_##file;
        GB_BLOCK_LIST(GB_BLOCK_CASE)
#undef GB_BLOCK_CASE
    default:
        return NULL;
    }
}

/* ---- checks --------------------------------------------------------------------------------- */

gb_status gb_config_fail(const gb_config_place *place, const char *key, const char *format, ...)
{
    char message[1024], value_path[256];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    snprintf(value_path, sizeof value_path, "%s%s", place->prefix ? place->prefix : "", key);
    if (place->path)
        return gb_yaml_fail_value(place->path, value_path, "%s", message);
    return gb_fail(GB_ERR_SCHEMA, "%s: %s", value_path, message);
}

gb_status gb_config_check_range(
    const gb_config_place *place, const char *key, int64_t value, int64_t low, int64_t high)
{
    if (value >= low && value <= high)
        return GB_OK;
    return gb_config_fail(place, key, "is %lld, expected a whole number from %lld to %lld",
                          (long long)value, (long long)low, (long long)high);
}

static gb_status check_backbone(const gb_model_config *config, const gb_config_place *place)
{
    const gb_backbone_config *b = &config->backbone;
    GB_TRY(gb_config_check_range(place, "backbone.width", b->width, 1, 65536));
    if (!(b->dropout >= 0.0f && b->dropout < 1.0f))
        return gb_config_fail(place, "backbone.dropout", "is %g, expected 0 up to below 1",
                              (double)b->dropout);
    GB_TRY(gb_config_check_range(place, "backbone.blocks", b->block_count, 0, 1024));
    if (b->block_count > 0)
        GB_TRY(gb_config_check_range(place, "backbone.ffn", b->ffn, 1, 1 << 20));
    for (unsigned i = 0; i < b->block_count; i++) {
        const gb_block_definition *block = gb_block_of(b->blocks[i]);
        char key[64];
        snprintf(key, sizeof key, "backbone.blocks[%u]", i);
        if (!block)
            return gb_config_fail(place, key, "there is no block number %d", (int)b->blocks[i]);
        GB_TRY(block->check(config, place));
    }
    return GB_OK;
}

static gb_status check_filled(const gb_model_config *config, const gb_config_place *place)
{
    const gb_codec_definition *codec = gb_codec_of(config->codec.kind);
    const gb_head_definition *head = gb_head_of(config->head.kind);
    if (!codec)
        return gb_config_fail(place, "codec.kind", "this build has no codec of this kind");
    if (!head)
        return gb_config_fail(place, "head.kind", "this build has no head of this kind");
    GB_TRY(gb_config_check_range(place, "codec.look_back", config->codec.look_back, 1, 1 << 24));
    if (!(config->rate_hz >= 0.0f && config->rate_hz <= 1e6f))
        return gb_config_fail(place, "rate_hz", "is %g, expected actions a second, 0 to 1e6",
                              (double)config->rate_hz);
    GB_TRY(codec->check(config, place));
    GB_TRY(check_backbone(config, place));
    return head->check(config, place);
}

gb_status gb_model_config_check(const gb_model_config *config, const char *path, const char *prefix)
{
    gb_config_place place = {path, prefix};
    gb_model_config filled = *config; /* lists are shared, only scalars are defaulted */
    gb_model_config_fill_defaults(&filled);
    return check_filled(&filled, &place);
}

void gb_model_config_fill_defaults(gb_model_config *config)
{
    gb_backbone_config *b = &config->backbone;
    const gb_codec_definition *codec = gb_codec_of(config->codec.kind);
    const gb_head_definition *head = gb_head_of(config->head.kind);
    b->width = b->width ? b->width : 64;
    b->heads = b->heads ? b->heads : 4;
    b->kv_heads = b->kv_heads ? b->kv_heads : b->heads;
    b->ffn = b->ffn ? b->ffn : (8 * b->width / 3 + 7) / 8 * 8;
    b->conv_kernel = b->conv_kernel ? b->conv_kernel : 3;
    b->rope_theta = b->rope_theta != 0.0f ? b->rope_theta : 1e6f;
    if (codec && codec->fill_defaults)
        codec->fill_defaults(config);
    if (head && head->fill_defaults)
        head->fill_defaults(config);
}

/* ---- loading, copying ----------------------------------------------------------------------- */

gb_status gb_model_config_load(const char *path, gb_model_config **out)
{
    void *data = NULL;
    GB_TRY(gb_yaml_load(path, &config_schema, &data));
    gb_status status = gb_model_config_check(data, path, "");
    if (status == GB_OK)
        status = gb_model_config_copy(data, out);
    gb_yaml_free(&config_schema, data);
    return status;
}

void gb_model_config_free(gb_model_config *config)
{
    gb_yaml_free(&config_schema, config);
}

/* Through text: what can be written can be read, and the copy owns all it points to. */
gb_status gb_model_config_copy(const gb_model_config *config, gb_model_config **out)
{
    json_t *json = gb_model_config_json(config);
    char *text = json ? json_dumps(json, JSON_REAL_PRECISION(9)) : NULL;
    void *data = NULL;
    gb_status status = GB_ERR_MEMORY;
    if (text)
        status = gb_yaml_load_text("model config", text, strlen(text), &config_schema, &data);
    else
        status = gb_fail(GB_ERR_MEMORY, "no memory to copy a model's config");
    free(text);
    json_decref(json);
    GB_TRY(status);
    gb_model_config_fill_defaults(data);
    *out = data;
    return GB_OK;
}
