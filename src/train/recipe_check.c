/* What a recipe's schema cannot judge: ranges, and values that exclude each other. Each mistake
 * names the line of the value. */
#include "base/yaml.h"
#include "train/recipe.h"

#include <stdio.h>
#include <string.h>

static gb_status
whole_between(const gb_recipe *recipe, const char *key, int64_t value, int64_t low, int64_t high)
{
    if (value >= low && value <= high)
        return GB_OK;
    return gb_yaml_fail_value(recipe->path, key,
                              "expected a whole number from %lld to %lld, "
                              "found %lld",
                              (long long)low, (long long)high, (long long)value);
}

static gb_status
number_between(const gb_recipe *recipe, const char *key, double value, double low, double high)
{
    if (value >= low && value <= high)
        return GB_OK;
    return gb_yaml_fail_value(recipe->path, key, "expected a number from %g to %g, found %g", low,
                              high, value);
}

/* ---- data ----------------------------------------------------------------------------------- */
static gb_status
check_pair(const gb_recipe *recipe, const char *key, double from, double to, double most)
{
    if (from >= 0.0 && from < to && to <= most)
        return GB_OK;
    return gb_yaml_fail_value(recipe->path, key,
                              "expected [from, to) with 0 <= from < to%s, found [%g, %g]",
                              most == 1.0 ? " <= 1" : "", from, to);
}

static gb_status
check_split(const gb_recipe *recipe, unsigned source, const char *which, const gb_split_config *s)
{
    char key[96];
    int given = 0;
#define AT(part) (snprintf(key, sizeof key, "data[%u].%s%s", source, which, part), key)
    if (s->rows[0] != 0 || s->rows[1] != 0) {
        given++;
        GB_TRY(check_pair(recipe, AT(".rows"), (double)s->rows[0], (double)s->rows[1], 1e18));
    }
    if (s->time[0] != 0.0 || s->time[1] != 0.0) {
        given++;
        GB_TRY(check_pair(recipe, AT(".time"), s->time[0], s->time[1], 1.0));
    }
    if (s->recordings[0] != 0.0 || s->recordings[1] != 0.0) {
        given++;
        GB_TRY(check_pair(recipe, AT(".recordings"), s->recordings[0], s->recordings[1], 1.0));
    }
    given += s->name_count > 0;
    given += s->split != NULL;
    if (s->split && !recipe->sources[source].store)
        return gb_yaml_fail_value(recipe->path, AT(".split"),
                                  "only the recordings of a store have splits; use recordings or "
                                  "names for files");
    if (given > 1)
        return gb_yaml_fail_value(
            recipe->path, AT(""),
            "give one of rows, time, recordings, names and split, not several");
#undef AT
    return GB_OK;
}

/* Files or a store, and nothing that belongs to the other. */
static gb_status check_origin(const gb_recipe *recipe, unsigned i)
{
    const gb_source_config *source = &recipe->sources[i];
    char key[64];
    snprintf(key, sizeof key, "data[%u].%s", i, source->store ? "store" : "files");
    if (!source->store && source->file_count == 0)
        return gb_yaml_fail_value(recipe->path, key, "give the source files, or a store");
    if (source->store && (source->file_count > 0 || source->map))
        return gb_yaml_fail_value(recipe->path, key,
                                  "a store has no files and no map here: they were used when it "
                                  "was filled");
    snprintf(key, sizeof key, "data[%u].select", i);
    if (source->select && !source->store)
        return gb_yaml_fail_value(recipe->path, key, "only recordings of a store are selected");
    return GB_OK;
}

static gb_status check_source(const gb_recipe *recipe, unsigned i)
{
    const gb_source_config *source = &recipe->sources[i];
    char key[64];
    for (unsigned k = 0; k < i; k++)
        if (strcmp(recipe->sources[k].name, source->name) == 0) {
            snprintf(key, sizeof key, "data[%u].name", i);
            return gb_yaml_fail_value(recipe->path, key, "the name %s is data[%u]'s already",
                                      source->name, k);
        }
    snprintf(key, sizeof key, "data[%u].weight", i);
    GB_TRY(number_between(recipe, key, source->weight, 1e-9, 1e9));
    snprintf(key, sizeof key, "data[%u].limit", i);
    GB_TRY(whole_between(recipe, key, source->limit, 0, INT64_MAX));
    GB_TRY(check_origin(recipe, i));
    if (source->format == GB_SOURCE_TEXT && source->map) {
        snprintf(key, sizeof key, "data[%u].map", i);
        return gb_yaml_fail_value(recipe->path, key, "a text source has no stream map: remove it");
    }
    GB_TRY(check_split(recipe, i, "train", &source->train));
    return check_split(recipe, i, "validation", &source->validation);
}

/* ---- training ------------------------------------------------------------------------------- */
static gb_status check_optimizer(const gb_recipe *recipe)
{
    const gb_optimizer_config *o = &recipe->train.optimizer;
    GB_TRY(number_between(recipe, "train.optimizer.rate", o->rate, 0.0, 10.0));
    GB_TRY(number_between(recipe, "train.optimizer.betas[0]", o->beta1, 0.0, 0.99999));
    GB_TRY(number_between(recipe, "train.optimizer.betas[1]", o->beta2, 0.0, 0.99999));
    GB_TRY(number_between(recipe, "train.optimizer.epsilon", o->epsilon, 1e-16, 1.0));
    GB_TRY(number_between(recipe, "train.optimizer.weight_decay", o->weight_decay, 0.0, 100.0));
    GB_TRY(number_between(recipe, "train.optimizer.muon_rate", o->muon_rate, 0.0, 10.0));
    GB_TRY(number_between(recipe, "train.optimizer.momentum", o->momentum, 0.0, 0.99999));
    return number_between(recipe, "train.optimizer.muon_decay", o->muon_decay, 0.0, 100.0);
}

static gb_status check_schedule(const gb_recipe *recipe)
{
    const gb_train_config *t = &recipe->train;
    const gb_schedule_config *s = &t->schedule;
    GB_TRY(whole_between(recipe, "train.schedule.warmup", s->warmup_steps, 0, INT32_MAX));
    if (t->steps > 0 && s->warmup_steps > t->steps)
        return gb_yaml_fail_value(recipe->path, "train.schedule.warmup",
                                  "%lld steps of warm-up do not fit into %lld steps: give %lld or "
                                  "fewer, leave the key out (it then follows train.steps), or keep "
                                  "the recipe and say genba train --steps %lld",
                                  (long long)s->warmup_steps, (long long)t->steps,
                                  (long long)t->steps / 2, (long long)t->steps);
    GB_TRY(number_between(recipe, "train.schedule.decay_fraction", s->decay_fraction, 0.0, 1.0));
    return number_between(recipe, "train.schedule.final_fraction", s->final_fraction, 0.0, 1.0);
}

static gb_status check_validation(const gb_recipe *recipe)
{
    const gb_train_config *t = &recipe->train;
    GB_TRY(whole_between(recipe, "train.validation.every", t->validation_every, 0, INT32_MAX));
    GB_TRY(
        whole_between(recipe, "train.validation.examples", t->validation_examples, 1, INT32_MAX));
    GB_TRY(whole_between(recipe, "train.validation.patience", t->patience, 0, INT32_MAX));
    bool any = t->validation_every == 0;
    for (unsigned i = 0; i < recipe->source_count; i++)
        any = any || recipe->sources[i].has_validation;
    if (any)
        return GB_OK;
    return gb_yaml_fail_value(recipe->path, "train.validation",
                              "no source has held-out data: give one of them a \"validation\"");
}

static gb_status check_train(const gb_recipe *recipe)
{
    const gb_train_config *t = &recipe->train;
    if (t->steps > 0 && t->minutes > 0.0)
        return gb_yaml_fail_value(recipe->path, "train.minutes",
                                  "give steps or minutes, not both: the other follows from it");
    if (t->minutes == 0.0)
        GB_TRY(whole_between(recipe, "train.steps", t->steps, 1, INT32_MAX));
    GB_TRY(number_between(recipe, "train.minutes", t->minutes, 0.0, 1e6));
    GB_TRY(whole_between(recipe, "train.batch", t->batch, 1, 1 << 20));
    GB_TRY(whole_between(recipe, "train.threads", t->threads, 0, 256));
    GB_TRY(whole_between(recipe, "train.log_every", t->log_every, 1, INT32_MAX));
    GB_TRY(number_between(recipe, "train.clip", t->clip, 0.0, 1e9));
    GB_TRY(number_between(recipe, "train.ema", t->ema, 0.0, 0.9999999));
    GB_TRY(whole_between(recipe, "train.checkpoint.steps", t->checkpoint_steps, 0, INT32_MAX));
    GB_TRY(number_between(recipe, "train.checkpoint.seconds", t->checkpoint_seconds, 0.0, 1e9));
    for (unsigned i = 0; i < t->rate_scale_count; i++) {
        char key[64];
        snprintf(key, sizeof key, "train.rate_scales[%u].scale", i);
        GB_TRY(number_between(recipe, key, t->rate_scales[i].scale, 0.0, 1e6));
    }
    GB_TRY(check_optimizer(recipe));
    GB_TRY(check_schedule(recipe));
    return check_validation(recipe);
}

gb_status gb_recipe_check(const gb_recipe *recipe)
{
    for (unsigned i = 0; i < recipe->source_count; i++)
        GB_TRY(check_source(recipe, i));
    GB_TRY(check_train(recipe));
    for (unsigned i = 0; i < recipe->suite_count; i++)
        for (unsigned k = 0; k < recipe->suites[i].source_count; k++) {
            const char *name = recipe->suites[i].sources[k];
            bool known = false;
            for (unsigned s = 0; s < recipe->source_count; s++)
                known = known || strcmp(recipe->sources[s].name, name) == 0;
            if (!known) {
                char key[64];
                snprintf(key, sizeof key, "eval[%u].sources[%u]", i, k);
                return gb_yaml_fail_value(recipe->path, key, "no source under data is called %s",
                                          name);
            }
        }
    return GB_OK;
}
