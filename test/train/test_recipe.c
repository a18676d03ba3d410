/* Recipes: values and defaults arrive; every mistake is named with file, line and what was
 * expected.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "train/data.h"
#include "train/recipe.h"

static const char good[] = "name: toy\n"
                           "seed: 7\n"
                           "data:\n"
                           "  - name: words\n"
                           "    files: [words.txt]\n"
                           "    format: text\n"
                           "    weight: 2\n"
                           "    train: {time: [0, 0.9]}\n"
                           "    validation: {time: [0.9, 1]}\n"
                           "model:\n"
                           "  codec: {kind: bytes, look_back: 16}\n"
                           "  backbone: {width: 16, blocks: [attention], heads: 2}\n"
                           "  head: {kind: token}\n"
                           "train:\n"
                           "  steps: 40\n"
                           "  batch: 4\n"
                           "  optimizer: {kind: muon, rate: 2e-3, betas: [0.8, 0.95]}\n"
                           "  schedule: {kind: wsd, warmup: 5}\n"
                           "  rate_scales: [{match: head.shortcut, scale: 0.02}]\n"
                           "  ema: 0\n"
                           "  precision: bf16\n"
                           "  validation: {every: 10, patience: 3}\n"
                           "eval:\n"
                           "  - {suite: ett, sources: [words]}\n";

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/genba-recipe-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static const char *write_recipe(const char *text)
{
    static char path[96];
    snprintf(path, sizeof path, "%s/recipe.yaml", folder);
    assert_int_equal(gb_file_replace(path, text, strlen(text)), GB_OK);
    return path;
}

/* The good recipe with the first `from` replaced by `to`. */
static const char *edited(const char *from, const char *to)
{
    static char text[sizeof good + 256];
    const char *at = strstr(good, from);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    return text;
}

static void values_and_defaults_arrive(void **state)
{
    (void)state;
    gb_recipe *r;
    gb_status status = gb_recipe_load(write_recipe(good), &r);
    if (status != GB_OK)
        print_message("%s\n", gb_error_message());
    assert_int_equal(status, GB_OK);
    assert_string_equal(r->name, "toy");
    assert_int_equal(r->seed, 7);
    assert_string_equal(r->folder, folder);
    assert_string_equal(r->text, good);
    assert_int_equal(r->source_count, 1);
    assert_int_equal(r->sources[0].format, GB_SOURCE_TEXT);
    assert_float_equal(r->sources[0].weight, 2.0, 0.0);
    assert_float_equal(r->sources[0].train.time[1], 0.9, 1e-12);
    assert_true(r->sources[0].has_validation);
    assert_true(r->sources[0].validation.reach_back);
    assert_false(r->sources[0].train.reach_back);
    assert_int_equal(r->model->codec.look_back, 16);
    const gb_train_config *t = &r->train;
    assert_int_equal(t->steps, 40);
    assert_int_equal(t->optimizer.kind, GB_OPTIMIZER_MUON);
    assert_float_equal(t->optimizer.beta2, 0.95, 1e-12);
    assert_float_equal(t->optimizer.momentum, 0.95, 1e-12); /* default */
    assert_float_equal(t->clip, 1.0, 0.0);                  /* default */
    assert_float_equal(t->ema, 0.0, 0.0);                   /* 0 is a value */
    assert_int_equal(t->precision, GB_BF16);
    assert_int_equal(t->schedule.kind, GB_SCHEDULE_WSD);
    assert_int_equal(t->rate_scale_count, 1);
    assert_string_equal(t->rate_scales[0].match, "head.shortcut");
    assert_int_equal(t->validation_every, 10);
    assert_string_equal(r->suites[0].sources[0], "words");
    gb_recipe_free(r);
}

static void a_default_warmup_follows_the_steps(void **state)
{
    (void)state;
    gb_recipe *r = NULL;
    assert_int_equal(gb_recipe_load(write_recipe(edited(", warmup: 5", "")), &r), GB_OK);
    assert_int_equal(r->train.schedule.warmup_steps, 20);
    gb_recipe_free(r);
}

typedef struct mistake {
    const char *from, *to;
    const char *where;    /* "recipe.yaml:16:" */
    const char *words[3]; /* all of them are in the message */
} mistake;

static const mistake mistakes[] = {
    {"batch: 4", "bach: 4", ":16:", {"bach", "did you mean \"batch\"", NULL}},
    {"batch: 4", "batch: many", ":16:", {"train.batch", "whole number", "many"}},
    {"batch: 4", "batch: 0", ":16:", {"train.batch", "from 1 to", "0"}},
    {"steps: 40", "steps: -1", ":15:", {"train.steps", "-1", NULL}},
    {"steps: 40", "steps: 40\n  minutes: 2", ":16:", {"train.minutes", "not both", NULL}},
    {"kind: wsd", "kind: linear", ":18:", {"linear", "cosine", "constant"}},
    {"warmup: 5", "warmup: 500", ":18:", {"500 steps", "40 steps", "20 or fewer"}},
    {"rate: 2e-3", "rate: fast", ":17:", {"train.optimizer.rate", "number", "fast"}},
    {"rate: 2e-3", "rate: -1", ":17:", {"train.optimizer.rate", "from 0 to 10", "-1"}},
    {"[0.8, 0.95]", "[0.8, 1.5]", ":17:", {"betas[1]", "1.5", NULL}},
    {"[0.8, 0.95]", "[0.8]", ":17:", {"betas", "exactly 2", NULL}},
    {"[0, 0.9]", "[0.9, 0.2]", ":8:", {"train.time", "from < to", NULL}},
    {"{time: [0, 0.9]}", "{time: [0, 0.9], rows: [0, 5]}", ":8:", {"one of rows", NULL, NULL}},
    {"weight: 2", "weight: 0", ":7:", {"weight", NULL, NULL}},
    {"weight: 2", "wieght: 2", ":7:", {"wieght", "did you mean \"weight\"", NULL}},
    {"format: text", "format: hdf5", ":6:", {"hdf5", "csv", "text"}},
    {"    validation: {time: [0.9, 1]}\n", "", ":21:", {"no source has held-out", NULL, NULL}},
    {"ema: 0\n", "ema: 1\n", ":20:", {"train.ema", NULL, NULL}},
    {"width: 16", "widht: 16", ":12:", {"widht", "did you mean \"width\"", NULL}},
    {"heads: 2", "heads: 3", ":12:", {"heads", NULL, NULL}},
    {"sources: [words]", "sources: [word]", ":24:", {"word", "no source", NULL}},
    {"name: toy\n", "", ":1:", {"name", "missing", NULL}},
};

static void mistakes_are_named_with_their_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        const mistake *m = &mistakes[i];
        gb_recipe *r = NULL;
        gb_status status = gb_recipe_load(write_recipe(edited(m->from, m->to)), &r);
        const char *message = gb_error_message();
        bool fits = status == GB_ERR_SCHEMA && strstr(message, m->where);
        for (int w = 0; w < 3 && m->words[w]; w++)
            fits = fits && strstr(message, m->words[w]);
        if (!fits)
            print_message("\"%s\" -> \"%s\" gave %s: %s\n", m->from, m->to, gb_status_name(status),
                          message);
        assert_true(fits);
        assert_null(r);
    }
}

static void a_cut_recipe_is_a_status(void **state)
{
    (void)state;
    char text[sizeof good];
    for (size_t length = 0; length < sizeof good - 1; length += 3) {
        memcpy(text, good, length);
        text[length] = 0;
        gb_recipe *r = NULL;
        if (gb_recipe_load(write_recipe(text), &r) == GB_OK)
            gb_recipe_free(r); /* a cut between two lines may leave a whole recipe */
        else
            assert_null(r);
    }
}

static void paths_are_found(void **state)
{
    (void)state;
    gb_recipe *r;
    gb_arena *arena;
    char **paths, name[96];
    int count;
    const char *files[] = {"b1.txt", "b2.txt", "a.txt"};
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s/%s", folder, files[i]);
        assert_int_equal(gb_file_replace(name, "text", 4), GB_OK);
    }
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    setenv("GENBA_DATA", folder, 1);
    const char *text = edited("[words.txt]", "[\"b?.txt\", \"${GENBA_DATA}/a.txt\"]");
    assert_int_equal(gb_recipe_load(write_recipe(text), &r), GB_OK);
    assert_int_equal(gb_source_paths(r, 0, arena, &paths, &count), GB_OK);
    assert_int_equal(count, 3);
    snprintf(name, sizeof name, "%s/b1.txt", folder);
    assert_string_equal(paths[0], name);
    snprintf(name, sizeof name, "%s/a.txt", folder);
    assert_string_equal(paths[2], name);
    unsetenv("GENBA_DATA");
    assert_int_equal(gb_source_paths(r, 0, arena, &paths, &count), GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_error_message(), "GENBA_DATA"));
    assert_non_null(strstr(gb_error_message(), "recipe.yaml:5"));
    gb_recipe_free(r);
    assert_int_equal(gb_recipe_load(write_recipe(good), &r), GB_OK);
    assert_int_equal(gb_source_paths(r, 0, arena, &paths, &count), GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_error_message(), "words.txt"));
    gb_recipe_free(r);
    gb_arena_destroy(arena);
}

/* What people start from must load, and name data that is there. */
static void the_examples_load(void **state)
{
    (void)state;
    static const char *const names[] = {"ett", "ett_joint", "pusht", "pusht_90", "language"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512];
        gb_recipe *r;
        snprintf(path, sizeof path, "%s/examples/%s.yaml", GENBA_SOURCE_DIR, names[i]);
        gb_status status = gb_recipe_load(path, &r);
        if (status != GB_OK)
            print_message("%s\n", gb_error_message());
        assert_int_equal(status, GB_OK);
        assert_string_equal(r->name, names[i]);
        gb_recipe_free(r);
    }
}

/* The repository's own data, split as the recipes say. */
static void the_examples_find_their_data(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t train, held_out; /* windows of the first source; held_out 0: none */
    } examples[] = {{"ett", 8640 - 512 - 720 + 1, 2880 - 720 + 1}, {"pusht", 25650, 0}};
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        char path[512];
        gb_recipe *r;
        gb_train_data *data;
        gb_model *model;
        snprintf(path, sizeof path, "%s/examples/%s.yaml", GENBA_SOURCE_DIR, examples[i].name);
        assert_int_equal(gb_recipe_load(path, &r), GB_OK);
        assert_int_equal(gb_train_data_open(r, &data), GB_OK);
        assert_int_equal(gb_model_create(r->model, 1, &model), GB_OK);
        assert_int_equal(gb_train_data_index(data, model), GB_OK);
        assert_int_equal(gb_window_count(gb_train_data_windows(data, 0)), examples[i].train);
        const gb_window_index *held_out = gb_train_data_held_out(data, 0);
        assert_int_equal(held_out ? gb_window_count(held_out) : 0, examples[i].held_out);
        gb_train_data_destroy(data);
        gb_model_destroy(model);
        gb_recipe_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_defaults_arrive),
        cmocka_unit_test(a_default_warmup_follows_the_steps),
        cmocka_unit_test(mistakes_are_named_with_their_line),
        cmocka_unit_test(a_cut_recipe_is_a_status),
        cmocka_unit_test(paths_are_found),
        cmocka_unit_test(the_examples_load),
        cmocka_unit_test(the_examples_find_their_data),
    };
    return cmocka_run_group_tests(tests, make_folder, NULL);
}
