/* A model's folder: what was saved is loaded; every kind of damage is refused by name. */
#include "model/toy.h"

#include <unistd.h>

static char folder[] = "/tmp/genba_model_XXXXXX";
static char weights_path[64], config_path[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(weights_path, sizeof weights_path, "%s/weights.safetensors", folder);
    snprintf(config_path, sizeof config_path, "%s/config.json", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(weights_path);
    unlink(config_path);
    return rmdir(folder);
}

static gb_model *sample(int width)
{
    gb_model_config c = toy_config(GB_CODEC_SERIES, GB_HEAD_QUANTILE);
    c.backbone.width = width;
    c.name = (char[]){"sample"};
    gb_model *model = toy_model(&c);
    gb_tensor *stats;
    GOOD(gb_tensors_add(gb_model_weights(model), "stats.test", GB_F32, GB_SHAPE(2), &stats));
    ((float *)stats->data)[1] = 3.5f;
    return model;
}

static void round_trip(void **state)
{
    (void)state;
    gb_model *model = sample(32), *loaded = NULL;
    GOOD(gb_model_save(model, folder));
    GOOD(gb_model_load(folder, &loaded));
    gb_tensors *a = gb_model_weights(model), *b = gb_model_weights(loaded);
    assert_int_equal(gb_tensors_count(a), gb_tensors_count(b));
    for (int64_t i = 0; i < gb_tensors_count(a); i++) {
        const char *name;
        const gb_tensor *x = gb_tensors_at(a, i, &name), *y = gb_tensors_find(b, name);
        assert_non_null(y);
        assert_memory_equal(x->data, y->data, gb_tensor_bytes(x));
    }
    assert_string_equal(gb_model_get_config(loaded)->name, "sample");
    assert_int_equal(gb_model_get_config(loaded)->backbone.ffn, 48);
    assert_int_equal(gb_model_parameter_count(loaded), gb_model_parameter_count(model));
    gb_model_destroy(loaded);
    gb_model_destroy(model);
}

static void weights_start_as_the_seed_says(void **state)
{
    (void)state;
    gb_model_config c = toy_config(GB_CODEC_BYTES, GB_HEAD_TOKEN);
    gb_model *models[3] = {NULL};
    for (int i = 0; i < 3; i++)
        GOOD(gb_model_create(&c, i == 2 ? 8 : 7, &models[i]));
    const float *x[3];
    for (int i = 0; i < 3; i++)
        x[i] = gb_tensors_find(gb_model_weights(models[i]), "block.1.qkv.weight")->data;
    assert_memory_equal(x[0], x[1], 32 * 32 * sizeof(float));
    assert_true(memcmp(x[0], x[2], 32 * 32 * sizeof(float)) != 0);
    for (int i = 0; i < 3; i++)
        gb_model_destroy(models[i]);
}

/* The byte model of the sanity check: 6 layers, width 384, 6 heads. */
static void the_byte_model_has_its_size(void **state)
{
    (void)state;
    gb_block_kind blocks[6];
    gb_model_config c = toy_config(GB_CODEC_BYTES, GB_HEAD_TOKEN);
    for (int i = 0; i < 6; i++)
        blocks[i] = GB_BLOCK_ATTENTION;
    c.backbone.blocks = blocks;
    c.backbone.block_count = 6;
    c.backbone.width = 384;
    c.backbone.heads = c.backbone.kv_heads = 6;
    c.backbone.ffn = 1024;
    gb_model *model = toy_model(&c);
    assert_in_range(gb_model_parameter_count(model), 10750000, 10850000);
    gb_model_destroy(model);
}

static gb_file_view copy_of(const char *path)
{
    gb_file_view view;
    GOOD(gb_file_map(path, &view));
    unsigned char *copy = malloc(view.size);
    assert_non_null(copy);
    memcpy(copy, view.data, view.size);
    size_t size = view.size;
    gb_file_unmap(&view);
    return (gb_file_view){copy, size};
}

static void expect_refused_(gb_status status, const char *words, int line)
{
    gb_model *model = NULL;
    gb_status got = gb_model_load(folder, &model);
    if (got != status || !strstr(gb_error_message(), words))
        fail_msg("line %d: %s: %s", line, gb_status_name(got), gb_error_message());
    assert_null(model);
}
#define expect_refused(status, words) expect_refused_(status, words, __LINE__)

static void damaged_weights_are_refused(void **state)
{
    (void)state;
    gb_model *model = sample(32);
    GOOD(gb_model_save(model, folder));
    gb_file_view good = copy_of(weights_path);
    unsigned char *bytes = (unsigned char *)(uintptr_t)good.data;
    for (size_t size = 0; size < good.size; size += size < 3000 ? 101 : 7919) {
        GOOD(gb_file_replace(weights_path, bytes, size));
        expect_refused(GB_ERR_CORRUPT, "weights.safetensors");
    }
    bytes[good.size - 5] ^= 1; /* one bit of one weight */
    GOOD(gb_file_replace(weights_path, bytes, good.size));
    expect_refused(GB_ERR_CORRUPT, "weights.safetensors: the checksum of the data");
    unlink(weights_path);
    expect_refused(GB_ERR_IO, "weights.safetensors");
    /* a whole file, of another seed: right in itself, but not this config's */
    gb_model *other = sample(32);
    ((float *)gb_tensors_find(gb_model_weights(other), "stats.test")->data)[0] = 1.0f;
    GOOD(gb_tensors_save(gb_model_weights(other), weights_path, NULL));
    expect_refused(GB_ERR_MISMATCH, "does not belong to the config.json beside it");
    gb_model_destroy(other);
    free(bytes);
    gb_model_destroy(model);
}

/* Replaces `from` by `to` in config.json, of equal length or not. */
static void edit_config(const gb_file_view *good, const char *from, const char *to)
{
    char text[8192];
    const char *at = memmem(good->data, good->size, from, strlen(from));
    assert_non_null(at);
    size_t before = (size_t)(at - (const char *)good->data),
           after = good->size - before - strlen(from);
    memcpy(text, good->data, before);
    memcpy(text + before, to, strlen(to));
    memcpy(text + before + strlen(to), at + strlen(from), after);
    GOOD(gb_file_replace(config_path, text, before + strlen(to) + after));
}

static void damaged_configs_are_refused(void **state)
{
    (void)state;
    gb_model *model = sample(32);
    GOOD(gb_model_save(model, folder));
    gb_file_view good = copy_of(config_path);
    for (size_t size = 0; size + 2 < good.size; size++) {
        gb_model *loaded = NULL;
        GOOD(gb_file_replace(config_path, good.data, size));
        assert_int_not_equal(gb_model_load(folder, &loaded), GB_OK);
        assert_non_null(strstr(gb_error_message(), "config.json:"));
    }
    edit_config(&good, "\"rope_theta\": 1000000.0", "\"rope_theta\": 1000.0");
    expect_refused(GB_ERR_CORRUPT, "config.json was edited");
    edit_config(&good, "\"ffn\": 48", "\"ffn\": 56");
    expect_refused(GB_ERR_CORRUPT, "config.json was edited");
    edit_config(&good, "\"patch\": 8", "\"patch\": 9");
    expect_refused(GB_ERR_SCHEMA, "model.codec.look_back: is 32 rows");
    edit_config(&good, "\"patch\": 8", "\"pitch\": 8");
    expect_refused(GB_ERR_SCHEMA, "unknown key \"pitch\"");
    edit_config(&good, "genba-model-1", "genba-model-9");
    expect_refused(GB_ERR_MISMATCH, "the format is \"genba-model-9\"");
    edit_config(&good, "{\n", "{\n\n\n"); /* white space alone changes nothing */
    gb_model *loaded = NULL;
    GOOD(gb_model_load(folder, &loaded));
    gb_model_destroy(loaded);
    unlink(config_path);
    expect_refused(GB_ERR_IO, "config.json");
    free((void *)(uintptr_t)good.data);
    gb_model_destroy(model);
}

/* Weights of another architecture whose checksum was made to fit: still refused, by name. */
static void another_architecture_is_refused(void **state)
{
    (void)state;
    gb_model *model = sample(32), *wide = sample(48);
    char old_hex[2 * GB_HASH_BYTES + 1], new_hex[2 * GB_HASH_BYTES + 1];
    unsigned char hash[GB_HASH_BYTES];
    GOOD(gb_model_save(model, folder));
    gb_file_view good = copy_of(config_path);
    GOOD(gb_hash_file(weights_path, hash));
    gb_hash_hex(hash, old_hex);
    GOOD(gb_tensors_save(gb_model_weights(wide), weights_path, NULL));
    GOOD(gb_hash_file(weights_path, hash));
    gb_hash_hex(hash, new_hex);
    edit_config(&good, old_hex, new_hex);
    expect_refused(GB_ERR_MISMATCH,
                   "does not fit config.json: tensor codec.identity is F32 [64, 48], expected F32 "
                   "[64, 32]");
    free((void *)(uintptr_t)good.data);
    gb_model_destroy(model);
    gb_model_destroy(wide);
}

static void impossible_models_are_refused(void **state)
{
    (void)state;
    gb_model *model = NULL;
    gb_model_config c = toy_config(GB_CODEC_SERIES, GB_HEAD_QUANTILE);
    c.codec.look_back = 33;
    assert_int_equal(gb_model_create(&c, 1, &model), GB_ERR_SCHEMA);
    assert_non_null(strstr(gb_error_message(), "model.codec.look_back: is 33 rows"));
    c = toy_config((gb_codec_kind)77, GB_HEAD_QUANTILE);
    assert_int_equal(gb_model_create(&c, 1, &model), GB_ERR_SCHEMA);
    assert_null(model);
    gb_model_destroy(NULL);
    gb_session_destroy(NULL);
    gb_feed_destroy(NULL);
    gb_model_config_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(weights_start_as_the_seed_says),
        cmocka_unit_test(the_byte_model_has_its_size),
        cmocka_unit_test(damaged_weights_are_refused),
        cmocka_unit_test(damaged_configs_are_refused),
        cmocka_unit_test(another_architecture_is_refused),
        cmocka_unit_test(impossible_models_are_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
