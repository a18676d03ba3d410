/* Reading a recipe: libcyaml's view with keys left out becomes plain data with defaults.
 * What is impossible is recipe_check.c; reading the data it names is data.c. */
#include "train/recipe.h"
#include "base/yaml.h"
#include "model/config.h"

#include <stdlib.h>
#include <string.h>

#define RECIPE_LIMIT_BYTES (4u << 20)
#define OR(pointer, fallback) ((pointer) ? *(pointer) : (fallback))

/* The plain data and where it lives. */
typedef struct owned_recipe {
    gb_recipe recipe; /* first: gb_recipe_free casts back */
    gb_arena *arena;
} owned_recipe;

gb_train_config gb_train_config_defaults(void)
{
    return (gb_train_config){
        .steps = 1000,
        .batch = 64,
        .optimizer = {GB_OPTIMIZER_ADAMW, 1e-3, 0.9, 0.99, 1e-8, 1e-4, 0.02, 0.95, 0.01},
        .schedule = {GB_SCHEDULE_COSINE, 100, 0.2, 0.0},
        .clip = 1.0,
        .ema = 0.999,
        .precision = GB_F32,
        .validation_examples = 1024,
        .checkpoint_seconds = 60.0,
        .log_every = 10,
    };
}

/* ---- lists of texts ------------------------------------------------------------------------- */
static gb_status
copy_texts(gb_arena *arena, char *const *from, unsigned count, char ***out, unsigned *out_count)
{
    char **texts = gb_arena_alloc(arena, sizeof(char *) * (count + 1));
    if (!texts)
        return GB_ERR_MEMORY;
    for (unsigned i = 0; i < count; i++)
        if (!(texts[i] = gb_arena_text(arena, from[i])))
            return GB_ERR_MEMORY;
    *out = texts;
    *out_count = count;
    return GB_OK;
}

static gb_status copy_text(gb_arena *arena, const char *from, char **out)
{
    *out = from ? gb_arena_text(arena, from) : NULL;
    return from && !*out ? GB_ERR_MEMORY : GB_OK;
}

/* ---- sources -------------------------------------------------------------------------------- */
static gb_status
convert_split(gb_arena *arena, const gb_raw_split *raw, bool reach_back, gb_split_config *split)
{
    *split = (gb_split_config){.reach_back = reach_back};
    if (!raw)
        return GB_OK;
    split->reach_back = OR(raw->reach_back, reach_back);
    for (int i = 0; i < 2; i++) {
        split->rows[i] = raw->rows ? raw->rows[i] : 0;
        split->time[i] = raw->time ? raw->time[i] : 0.0;
        split->recordings[i] = raw->recordings ? raw->recordings[i] : 0.0;
    }
    GB_TRY(copy_text(arena, raw->split, &split->split));
    return copy_texts(arena, raw->names, raw->names_count, &split->names, &split->name_count);
}

static gb_status convert_source(gb_arena *arena, const gb_raw_source *raw, gb_source_config *source)
{
    source->format = OR(raw->format, GB_SOURCE_CSV);
    source->weight = OR(raw->weight, 1.0);
    source->limit = OR(raw->limit, 0);
    source->split_seed = OR(raw->split_seed, 0);
    source->has_validation = raw->validation != NULL;
    GB_TRY(copy_text(arena, raw->name, &source->name));
    GB_TRY(copy_text(arena, raw->map, &source->map));
    GB_TRY(copy_text(arena, raw->store, &source->store));
    GB_TRY(copy_text(arena, raw->select, &source->select));
    GB_TRY(copy_texts(arena, raw->files, raw->files_count, &source->files, &source->file_count));
    GB_TRY(convert_split(arena, raw->train, false, &source->train));
    return convert_split(arena, raw->validation, true, &source->validation);
}

static gb_status convert_sources(gb_arena *arena, const gb_raw_recipe *raw, gb_recipe *recipe)
{
    recipe->source_count = raw->data_count;
    recipe->sources = gb_arena_alloc(arena, sizeof *recipe->sources * raw->data_count);
    if (!recipe->sources)
        return GB_ERR_MEMORY;
    for (unsigned i = 0; i < raw->data_count; i++)
        GB_TRY(convert_source(arena, &raw->data[i], &recipe->sources[i]));
    return GB_OK;
}

/* ---- training ------------------------------------------------------------------------------- */
static void convert_optimizer(const gb_raw_optimizer *raw, gb_optimizer_config *optimizer)
{
    if (!raw)
        return;
    optimizer->kind = OR(raw->kind, optimizer->kind);
    optimizer->rate = OR(raw->rate, optimizer->rate);
    optimizer->beta1 = raw->betas ? raw->betas[0] : optimizer->beta1;
    optimizer->beta2 = raw->betas ? raw->betas[1] : optimizer->beta2;
    optimizer->epsilon = OR(raw->epsilon, optimizer->epsilon);
    optimizer->weight_decay = OR(raw->weight_decay, optimizer->weight_decay);
    optimizer->muon_rate = OR(raw->muon_rate, optimizer->muon_rate);
    optimizer->momentum = OR(raw->momentum, optimizer->momentum);
    optimizer->muon_decay = OR(raw->muon_decay, optimizer->muon_decay);
}

static void convert_schedule(const gb_raw_schedule *raw, gb_schedule_config *schedule)
{
    if (!raw)
        return;
    schedule->kind = OR(raw->kind, schedule->kind);
    schedule->warmup_steps = OR(raw->warmup, schedule->warmup_steps);
    schedule->decay_fraction = OR(raw->decay_fraction, schedule->decay_fraction);
    schedule->final_fraction = OR(raw->final_fraction, schedule->final_fraction);
}

static void convert_intervals(const gb_raw_train *raw, gb_train_config *train)
{
    const gb_raw_validation *validation = raw->validation;
    if (validation) {
        train->validation_every = OR(validation->every, 100);
        train->validation_examples = OR(validation->examples, train->validation_examples);
        train->patience = OR(validation->patience, 0);
    }
    const gb_raw_checkpoint *checkpoint = raw->checkpoint;
    if (checkpoint) {
        train->checkpoint_steps = OR(checkpoint->steps, 0);
        train->checkpoint_seconds = OR(checkpoint->seconds, train->checkpoint_seconds);
    }
}

static gb_status convert_train(gb_arena *arena, const gb_raw_train *raw, gb_train_config *train)
{
    *train = gb_train_config_defaults();
    train->steps = raw->steps || !raw->minutes ? OR(raw->steps, train->steps) : 0;
    train->minutes = OR(raw->minutes, 0.0);
    train->batch = OR(raw->batch, train->batch);
    train->clip = OR(raw->clip, train->clip);
    train->ema = OR(raw->ema, train->ema);
    train->precision = OR(raw->precision, train->precision);
    int64_t threads = OR(raw->threads, 0);
    train->threads = threads < 0 ? -1 : threads > 1024 ? 1024 : (int)threads;
    train->recompute = OR(raw->recompute, false);
    train->log_every = OR(raw->log_every, train->log_every);
    convert_optimizer(raw->optimizer, &train->optimizer);
    if (train->steps > 0 && train->schedule.warmup_steps > train->steps / 2)
        train->schedule.warmup_steps = train->steps / 2; /* the default; what is written stays */
    convert_schedule(raw->schedule, &train->schedule);
    convert_intervals(raw, train);
    train->rate_scale_count = raw->rate_scales_count;
    train->rate_scales =
        gb_arena_alloc(arena, sizeof *train->rate_scales * (raw->rate_scales_count + 1));
    if (!train->rate_scales)
        return GB_ERR_MEMORY;
    for (unsigned i = 0; i < raw->rate_scales_count; i++) {
        train->rate_scales[i].scale = raw->rate_scales[i].scale;
        GB_TRY(copy_text(arena, raw->rate_scales[i].match, &train->rate_scales[i].match));
    }
    return GB_OK;
}

static gb_status convert_suites(gb_arena *arena, const gb_raw_recipe *raw, gb_recipe *recipe)
{
    recipe->suite_count = raw->eval_count;
    recipe->suites = gb_arena_alloc(arena, sizeof *recipe->suites * (raw->eval_count + 1));
    if (!recipe->suites)
        return GB_ERR_MEMORY;
    for (unsigned i = 0; i < raw->eval_count; i++) {
        const gb_raw_suite *from = &raw->eval[i];
        gb_suite_config *to = &recipe->suites[i];
        to->episodes = OR(from->episodes, 0);
        GB_TRY(copy_text(arena, from->suite, &to->suite));
        GB_TRY(
            copy_texts(arena, from->sources, from->sources_count, &to->sources, &to->source_count));
    }
    return GB_OK;
}

/* ---- the whole ------------------------------------------------------------------------------ */
static gb_status convert(owned_recipe *owned, const gb_raw_recipe *raw)
{
    gb_recipe *recipe = &owned->recipe;
    recipe->seed = OR(raw->seed, 1);
    GB_TRY(copy_text(owned->arena, raw->name, &recipe->name));
    GB_TRY(convert_sources(owned->arena, raw, recipe));
    GB_TRY(convert_train(owned->arena, raw->train, &recipe->train));
    GB_TRY(convert_suites(owned->arena, raw, recipe));
    return gb_model_config_copy(raw->model, &recipe->model);
}

static gb_status keep_place(owned_recipe *owned, const char *path)
{
    const char *slash = strrchr(path, '/');
    int length = slash ? (int)(slash - path) : 1;
    owned->recipe.path = gb_arena_text(owned->arena, path);
    owned->recipe.folder =
        gb_arena_format(owned->arena, "%.*s", slash == path ? 1 : length, slash ? path : ".");
    return owned->recipe.path && owned->recipe.folder ? GB_OK : GB_ERR_MEMORY;
}

gb_status gb_recipe_load(const char *path, gb_recipe **out)
{
    gb_arena *arena;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = GB_ERR_MEMORY;
    gb_raw_recipe *raw = NULL;
    size_t size = 0;
    owned_recipe *owned = gb_arena_alloc(arena, sizeof *owned);
    if (!owned)
        goto failed;
    owned->arena = arena;
    GB_TRY_OR(failed, keep_place(owned, path));
    GB_TRY_OR(failed, gb_file_read(path, RECIPE_LIMIT_BYTES, arena, &owned->recipe.text, &size));
    GB_TRY_OR(failed,
              gb_yaml_load_text(path, owned->recipe.text, size, &gb_recipe_schema, (void **)&raw));
    GB_TRY_OR(failed, gb_model_config_check(raw->model, path, "model."));
    GB_TRY_OR(failed, convert(owned, raw));
    GB_TRY_OR(failed, gb_recipe_check(&owned->recipe));
    gb_yaml_free(&gb_recipe_schema, raw);
    *out = &owned->recipe;
    return GB_OK;
failed:
    gb_yaml_free(&gb_recipe_schema, raw);
    if (owned && owned->recipe.model)
        gb_model_config_free(owned->recipe.model);
    gb_arena_destroy(arena);
    return status;
}

gb_status gb_recipe_set_folder(gb_recipe *recipe, const char *folder)
{
    char *copy = gb_arena_text(((owned_recipe *)recipe)->arena, folder);
    if (!copy)
        return GB_ERR_MEMORY;
    recipe->folder = copy;
    return GB_OK;
}

void gb_recipe_free(gb_recipe *recipe)
{
    if (!recipe)
        return;
    owned_recipe *owned = (owned_recipe *)recipe;
    gb_model_config_free(recipe->model);
    gb_arena_destroy(owned->arena);
}
