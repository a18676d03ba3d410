/* The keys of a recipe. What they mean: docs/recipe.md; their defaults: recipe.c. */
#include "model/config.h"
#include "train/recipe.h"

#include <stddef.h>

#define OPTIONAL (CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER)
#define TEXT_MAX 4096

static const cyaml_strval_t formats[] = {{"csv", GB_SOURCE_CSV}, {"text", GB_SOURCE_TEXT}};
static const cyaml_strval_t optimizers[] = {{"adamw", GB_OPTIMIZER_ADAMW},
                                            {"muon", GB_OPTIMIZER_MUON}};
static const cyaml_strval_t schedules[] = {
    {"cosine", GB_SCHEDULE_COSINE}, {"wsd", GB_SCHEDULE_WSD}, {"constant", GB_SCHEDULE_CONSTANT}};
static const cyaml_strval_t precisions[] = {{"f32", GB_F32}, {"bf16", GB_BF16}};

static const cyaml_schema_value_t whole = {CYAML_VALUE_INT(CYAML_FLAG_DEFAULT, int64_t)};
static const cyaml_schema_value_t number = {CYAML_VALUE_FLOAT(CYAML_FLAG_DEFAULT, double)};
static const cyaml_schema_value_t text = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, TEXT_MAX)};

/* A pair [from, to): the list is there whole or not at all. */
#define PAIR(key, type, member, entry)                                                             \
    CYAML_FIELD_SEQUENCE(key, OPTIONAL, type, member, entry, 2, 2)

static const cyaml_schema_field_t split_fields[] = {
    PAIR("rows", gb_raw_split, rows, &whole),
    PAIR("time", gb_raw_split, time, &number),
    PAIR("recordings", gb_raw_split, recordings, &number),
    CYAML_FIELD_SEQUENCE("names", OPTIONAL, gb_raw_split, names, &text, 1, CYAML_UNLIMITED),
    CYAML_FIELD_STRING_PTR("split", OPTIONAL, gb_raw_split, split, 1, TEXT_MAX),
    CYAML_FIELD_BOOL_PTR("reach_back", OPTIONAL, gb_raw_split, reach_back),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t source_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, gb_raw_source, name, 1, 127),
    CYAML_FIELD_SEQUENCE("files", OPTIONAL, gb_raw_source, files, &text, 1, CYAML_UNLIMITED),
    CYAML_FIELD_STRING_PTR("store", OPTIONAL, gb_raw_source, store, 1, TEXT_MAX),
    CYAML_FIELD_STRING_PTR("select", OPTIONAL, gb_raw_source, select, 1, TEXT_MAX),
    CYAML_FIELD_ENUM_PTR(
        "format", OPTIONAL, gb_raw_source, format, formats, CYAML_ARRAY_LEN(formats)),
    CYAML_FIELD_STRING_PTR("map", OPTIONAL, gb_raw_source, map, 1, TEXT_MAX),
    CYAML_FIELD_FLOAT_PTR("weight", OPTIONAL, gb_raw_source, weight),
    CYAML_FIELD_INT_PTR("limit", OPTIONAL, gb_raw_source, limit),
    CYAML_FIELD_UINT_PTR("split_seed", OPTIONAL, gb_raw_source, split_seed),
    CYAML_FIELD_MAPPING_PTR("train", OPTIONAL, gb_raw_source, train, split_fields),
    CYAML_FIELD_MAPPING_PTR("validation", OPTIONAL, gb_raw_source, validation, split_fields),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t source = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, gb_raw_source, source_fields)};

static const cyaml_schema_field_t optimizer_fields[] = {
    CYAML_FIELD_ENUM_PTR(
        "kind", OPTIONAL, gb_raw_optimizer, kind, optimizers, CYAML_ARRAY_LEN(optimizers)),
    CYAML_FIELD_FLOAT_PTR("rate", OPTIONAL, gb_raw_optimizer, rate),
    PAIR("betas", gb_raw_optimizer, betas, &number),
    CYAML_FIELD_FLOAT_PTR("epsilon", OPTIONAL, gb_raw_optimizer, epsilon),
    CYAML_FIELD_FLOAT_PTR("weight_decay", OPTIONAL, gb_raw_optimizer, weight_decay),
    CYAML_FIELD_FLOAT_PTR("muon_rate", OPTIONAL, gb_raw_optimizer, muon_rate),
    CYAML_FIELD_FLOAT_PTR("momentum", OPTIONAL, gb_raw_optimizer, momentum),
    CYAML_FIELD_FLOAT_PTR("muon_decay", OPTIONAL, gb_raw_optimizer, muon_decay),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t schedule_fields[] = {
    CYAML_FIELD_ENUM_PTR(
        "kind", OPTIONAL, gb_raw_schedule, kind, schedules, CYAML_ARRAY_LEN(schedules)),
    CYAML_FIELD_INT_PTR("warmup", OPTIONAL, gb_raw_schedule, warmup),
    CYAML_FIELD_FLOAT_PTR("decay_fraction", OPTIONAL, gb_raw_schedule, decay_fraction),
    CYAML_FIELD_FLOAT_PTR("final_fraction", OPTIONAL, gb_raw_schedule, final_fraction),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t rate_scale_fields[] = {
    CYAML_FIELD_STRING_PTR("match", CYAML_FLAG_POINTER, gb_rate_scale, match, 1, 127),
    CYAML_FIELD_FLOAT("scale", CYAML_FLAG_DEFAULT, gb_rate_scale, scale),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t rate_scale = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, gb_rate_scale, rate_scale_fields)};

static const cyaml_schema_field_t validation_fields[] = {
    CYAML_FIELD_INT_PTR("every", OPTIONAL, gb_raw_validation, every),
    CYAML_FIELD_INT_PTR("examples", OPTIONAL, gb_raw_validation, examples),
    CYAML_FIELD_INT_PTR("patience", OPTIONAL, gb_raw_validation, patience),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t checkpoint_fields[] = {
    CYAML_FIELD_INT_PTR("steps", OPTIONAL, gb_raw_checkpoint, steps),
    CYAML_FIELD_FLOAT_PTR("seconds", OPTIONAL, gb_raw_checkpoint, seconds),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t train_fields[] = {
    CYAML_FIELD_INT_PTR("steps", OPTIONAL, gb_raw_train, steps),
    CYAML_FIELD_FLOAT_PTR("minutes", OPTIONAL, gb_raw_train, minutes),
    CYAML_FIELD_INT_PTR("batch", OPTIONAL, gb_raw_train, batch),
    CYAML_FIELD_MAPPING_PTR("optimizer", OPTIONAL, gb_raw_train, optimizer, optimizer_fields),
    CYAML_FIELD_MAPPING_PTR("schedule", OPTIONAL, gb_raw_train, schedule, schedule_fields),
    CYAML_FIELD_SEQUENCE(
        "rate_scales", OPTIONAL, gb_raw_train, rate_scales, &rate_scale, 1, CYAML_UNLIMITED),
    CYAML_FIELD_FLOAT_PTR("clip", OPTIONAL, gb_raw_train, clip),
    CYAML_FIELD_FLOAT_PTR("ema", OPTIONAL, gb_raw_train, ema),
    CYAML_FIELD_ENUM_PTR(
        "precision", OPTIONAL, gb_raw_train, precision, precisions, CYAML_ARRAY_LEN(precisions)),
    CYAML_FIELD_INT_PTR("threads", OPTIONAL, gb_raw_train, threads),
    CYAML_FIELD_BOOL_PTR("recompute", OPTIONAL, gb_raw_train, recompute),
    CYAML_FIELD_MAPPING_PTR("validation", OPTIONAL, gb_raw_train, validation, validation_fields),
    CYAML_FIELD_MAPPING_PTR("checkpoint", OPTIONAL, gb_raw_train, checkpoint, checkpoint_fields),
    CYAML_FIELD_INT_PTR("log_every", OPTIONAL, gb_raw_train, log_every),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t suite_fields[] = {
    CYAML_FIELD_STRING_PTR("suite", CYAML_FLAG_POINTER, gb_raw_suite, suite, 1, 127),
    CYAML_FIELD_INT_PTR("episodes", OPTIONAL, gb_raw_suite, episodes),
    CYAML_FIELD_SEQUENCE("sources", OPTIONAL, gb_raw_suite, sources, &text, 1, CYAML_UNLIMITED),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t suite = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, gb_raw_suite, suite_fields)};

static const cyaml_schema_field_t recipe_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, gb_raw_recipe, name, 1, 127),
    CYAML_FIELD_UINT_PTR("seed", OPTIONAL, gb_raw_recipe, seed),
    CYAML_FIELD_SEQUENCE("data", CYAML_FLAG_POINTER, gb_raw_recipe, data, &source, 1, 256),
    CYAML_FIELD_MAPPING_PTR(
        "model", CYAML_FLAG_POINTER, gb_raw_recipe, model, gb_model_config_fields),
    CYAML_FIELD_MAPPING_PTR("train", CYAML_FLAG_POINTER, gb_raw_recipe, train, train_fields),
    CYAML_FIELD_SEQUENCE("eval", OPTIONAL, gb_raw_recipe, eval, &suite, 1, 256),
    CYAML_FIELD_END,
};
const cyaml_schema_value_t gb_recipe_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, gb_raw_recipe, recipe_fields)};
