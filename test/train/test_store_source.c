/* A recipe that trains on a store: the recordings selected, the splits the store gave them, and
 * labels that forbid it. */
#include "genba/store.h"
#include "genba/train.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char folder[] = "/tmp/genba-source-XXXXXX";
static char store_path[64];

static void add(gb_sink *sink, const char *name, const char *residency)
{
    int recording, stream;
    int64_t times[64];
    float values[64];
    gb_recording_info info = {.name = name, .residency = residency};
    gb_stream_spec spec = gb_stream_spec_defaults("force");
    assert_int_equal(gb_sink_begin(sink, &info, &recording), GB_OK);
    assert_int_equal(gb_sink_stream(sink, recording, &spec, &stream), GB_OK);
    for (int i = 0; i < 64; i++) {
        times[i] = i * 1000000000LL;
        values[i] = (float)i;
    }
    gb_samples samples = {.count = 64, .time_ns = times, .values = values};
    assert_int_equal(gb_sink_append(sink, recording, stream, &samples), GB_OK);
    assert_int_equal(gb_sink_end(sink, recording), GB_OK);
}

static int make_store(void **state)
{
    (void)state;
    static const char *const splits[] = {"train", "test"};
    static const double shares[] = {0.5, 0.5};
    gb_store *store;
    gb_store_ingest *ingest;
    int64_t done;
    gb_store_source source = {
        .path = "made here", .checksum = "1", .map = "", .map_text = "", .policy = ""};
    gb_store_counts counts = {.rows_read = 256, .rows_stored = 256};
    char name[32];
    if (!mkdtemp(folder))
        return -1;
    snprintf(store_path, sizeof store_path, "%s/press.store", folder);
    unsetenv("GENBA_SITE");
    assert_int_equal(gb_store_init(store_path, false, NULL), GB_OK);
    assert_int_equal(gb_store_open(store_path, NULL, &store), GB_OK);
    assert_int_equal(gb_store_ingest_begin(store, &source, &ingest, &done), GB_OK);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "press/%d", i);
        add(gb_store_ingest_sink(ingest), name, "");
    }
    add(gb_store_ingest_sink(ingest), "secret/0", "JP");
    assert_int_equal(gb_store_ingest_commit(ingest, &counts, NULL, 0), GB_OK);
    assert_int_equal(gb_store_ingest_end(ingest, true), GB_OK);
    assert_int_equal(gb_store_split(store, NULL, splits, shares, 2, NULL, 1), GB_OK);
    gb_store_close(store);
    return 0;
}

static int remove_store(void **state)
{
    char command[96];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static gb_status open_recipe(const char *source, gb_recipe **recipe, gb_train_data **data)
{
    char path[96], text[1024];
    snprintf(path, sizeof path, "%s/recipe.yaml", folder);
    int size = snprintf(text, sizeof text,
                        "name: press\ndata:\n  - name: press\n%s"
                        "model:\n  codec: {kind: series, look_back: 16, patch: 4}\n"
                        "  backbone: {width: 8, blocks: [conv], heads: 1}\n"
                        "  head: {kind: quantile, horizon: 4, quantiles: [0.5]}\n"
                        "train: {steps: 200, batch: 4}\n",
                        source);
    assert_int_equal(gb_file_replace(path, text, (size_t)size), GB_OK);
    GB_TRY(gb_recipe_load(path, recipe));
    return gb_train_data_open(*recipe, data);
}

static void reads_the_recordings_selected(void **state)
{
    (void)state;
    gb_recipe *recipe = NULL;
    gb_train_data *data = NULL;
    gb_status status = open_recipe("    store: press.store\n    select: press/*\n", &recipe, &data);
    if (status != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_int_equal(gb_dataset_count(gb_train_data_dataset(data, 0)), 4);
    gb_train_data_destroy(data);
    gb_recipe_free(recipe);
}

static void labels_forbid_training(void **state)
{
    (void)state;
    gb_recipe *recipe = NULL;
    gb_train_data *data = NULL;
    assert_int_equal(open_recipe("    store: press.store\n", &recipe, &data), GB_ERR_REFUSED);
    assert_non_null(strstr(gb_error_message(), "secret/0"));
    gb_recipe_free(recipe);
}

static void splits_of_the_store_are_used(void **state)
{
    (void)state;
    gb_recipe *recipe = NULL;
    gb_train_data *data = NULL;
    gb_model *model = NULL;
    gb_status status = open_recipe("    store: press.store\n    select: press/*\n"
                                   "    train: {split: train}\n    validation: {split: test}\n",
                                   &recipe, &data);
    if (status != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_int_equal(gb_model_create(recipe->model, 1, &model), GB_OK);
    status = gb_train_data_index(data, model);
    if (status != GB_OK)
        fail_msg("%s", gb_error_message());
    int64_t train = gb_window_count(gb_train_data_windows(data, 0));
    int64_t test = gb_window_count(gb_train_data_held_out(data, 0));
    assert_int_equal(train + test, 4 * (64 - 16 - 4 + 1));
    assert_true(train > 0 && test > 0);
    gb_model_destroy(model);
    gb_train_data_destroy(data);
    gb_recipe_free(recipe);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    gb_recipe *recipe = NULL;
    gb_train_data *data = NULL;
    assert_int_equal(open_recipe("    store: press.store\n    files: [x.csv]\n", &recipe, &data),
                     GB_ERR_SCHEMA);
    assert_int_equal(open_recipe("    weight: 1\n", &recipe, &data), GB_ERR_SCHEMA);
    assert_int_equal(open_recipe("    files: [x.csv]\n    select: a\n", &recipe, &data),
                     GB_ERR_SCHEMA);
    assert_int_equal(open_recipe("    files: [x.csv]\n    train: {split: a}\n", &recipe, &data),
                     GB_ERR_SCHEMA);
    assert_int_equal(open_recipe("    store: press.store\n    select: nobody/*\n", &recipe, &data),
                     GB_ERR_NOT_FOUND);
    gb_recipe_free(recipe);
    assert_int_equal(
        open_recipe("    store: press.store\n    select: press/*\n    train: {split: no}\n",
                    &recipe, &data),
        GB_ERR_NOT_FOUND);
    gb_recipe_free(recipe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_recordings_selected),
        cmocka_unit_test(labels_forbid_training),
        cmocka_unit_test(splits_of_the_store_are_used),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, make_store, remove_store);
}
