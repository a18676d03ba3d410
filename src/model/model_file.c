/* A model's folder: weights.safetensors, then config.json, which carries the checksum of the
 * weights and of itself. Either file cut, edited or put beside another's is refused by name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/yaml.h"
#include "model/model.h"

#define FORMAT "genba-model-1"

enum {
    PATH_BYTES = 4096,
    CONFIG_LIMIT = 16 << 20
};

typedef struct folder_config {
    char *format, *weights_blake2b, *config_blake2b;
    gb_model_config model;
} folder_config;

static const cyaml_schema_field_t folder_fields[] = {
    CYAML_FIELD_STRING_PTR("format", CYAML_FLAG_POINTER, folder_config, format, 1, 64),
    CYAML_FIELD_STRING_PTR(
        "weights_blake2b", CYAML_FLAG_POINTER, folder_config, weights_blake2b, 64, 64),
    CYAML_FIELD_STRING_PTR(
        "config_blake2b", CYAML_FLAG_POINTER, folder_config, config_blake2b, 64, 64),
    CYAML_FIELD_MAPPING("model", CYAML_FLAG_DEFAULT, folder_config, model, gb_model_config_fields),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t folder_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, folder_config, folder_fields)};

static gb_status file_in(const char *folder, const char *name, char path[PATH_BYTES])
{
    int length = snprintf(path, PATH_BYTES, "%s/%s", folder, name);
    if (length < 0 || length >= PATH_BYTES)
        return gb_fail(GB_ERR_ARGUMENT, "the path of the folder %.60s... is too long", folder);
    return GB_OK;
}

static gb_status hash_text_of(const char *path, char hex[2 * GB_HASH_BYTES + 1])
{
    unsigned char hash[GB_HASH_BYTES];
    GB_TRY(gb_hash_file(path, hash));
    gb_hash_hex(hash, hex);
    return GB_OK;
}

/* Of the config's canonical text, so that white space does not matter and values do. */
static gb_status config_hash(const gb_model_config *config, char hex[2 * GB_HASH_BYTES + 1])
{
    json_t *json = gb_model_config_json(config);
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    unsigned char hash[GB_HASH_BYTES];
    json_decref(json);
    if (!text)
        return gb_fail(GB_ERR_MEMORY, "no memory to write a model's config");
    gb_hash(text, strlen(text), hash);
    free(text);
    gb_hash_hex(hash, hex);
    return GB_OK;
}

static gb_status write_config(const gb_model *model, const char *weights_hex, const char *path)
{
    char config_hex[2 * GB_HASH_BYTES + 1];
    GB_TRY(config_hash(model->config, config_hex));
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:o}", "format", FORMAT, "weights_blake2b", weights_hex,
                  "config_blake2b", config_hex, "model", gb_model_config_json(model->config));
    char *text = object ? json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    gb_status status = text ? gb_file_replace(path, text, strlen(text))
                            : gb_fail(GB_ERR_MEMORY, "no memory to write %s", path);
    free(text);
    json_decref(object);
    return status;
}

gb_status gb_model_save(const gb_model *model, const char *folder)
{
    char weights[PATH_BYTES], config[PATH_BYTES], hex[2 * GB_HASH_BYTES + 1];
    GB_TRY(gb_folder_create(folder));
    GB_TRY(file_in(folder, "weights.safetensors", weights));
    GB_TRY(file_in(folder, "config.json", config));
    const char *metadata[] = {"format", FORMAT, NULL};
    GB_TRY(gb_tensors_save(model->weights, weights, metadata));
    GB_TRY(hash_text_of(weights, hex));
    return write_config(model, hex, config);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Every parameter of the model is in the file with its shape, and nothing else but statistics. */
static gb_status adopt_weights(gb_model *model, gb_tensors *read, const char *path)
{
    for (int64_t i = 0; i < gb_tensors_count(read); i++) {
        const char *name;
        const gb_tensor *tensor = gb_tensors_at(read, i, &name);
        if (gb_tensors_find(model->weights, name))
            continue;
        if (strncmp(name, "stats.", 6) != 0)
            return gb_fail(GB_ERR_MISMATCH,
                           "%s: tensor %s is not of the architecture in config.json", path, name);
        GB_TRY(gb_tensors_add(model->weights, name, tensor->dtype, tensor->shape, NULL));
    }
    gb_status status = gb_tensors_copy(model->weights, read, "");
    return status == GB_OK ? GB_OK : gb_fail_context(status, "%s does not fit config.json", path);
}

static gb_status check_folder_config(const folder_config *read, const char *path)
{
    char hex[2 * GB_HASH_BYTES + 1];
    if (strcmp(read->format, FORMAT) != 0)
        return gb_fail(GB_ERR_MISMATCH, "%s: the format is \"%s\", this program reads \"%s\"", path,
                       read->format, FORMAT);
    GB_TRY(gb_model_config_check(&read->model, path, "model."));
    GB_TRY(config_hash(&read->model, hex));
    if (strcmp(hex, read->config_blake2b) != 0)
        return gb_fail(
            GB_ERR_CORRUPT,
            "%s was edited: its checksum is %.12s..., not %.12s...; save the model again "
            "from its recipe instead",
            path, hex, read->config_blake2b);
    return GB_OK;
}

static gb_status read_weights(gb_model *model, const folder_config *config, const char *path)
{
    char hex[2 * GB_HASH_BYTES + 1];
    gb_tensors *read = NULL;
    GB_TRY(gb_tensors_load(path, &read)); /* verifies the file's own checksum */
    gb_status status = hash_text_of(path, hex);
    if (status == GB_OK && strcmp(hex, config->weights_blake2b) != 0)
        status =
            gb_fail(GB_ERR_MISMATCH,
                    "%s (checksum %.12s...) does not belong to the config.json beside it, which "
                    "expects %.12s...",
                    path, hex, config->weights_blake2b);
    if (status == GB_OK)
        status = adopt_weights(model, read, path);
    gb_tensors_destroy(read);
    return status;
}

gb_status gb_model_load(const char *folder, gb_model **out)
{
    char weights[PATH_BYTES], path[PATH_BYTES];
    GB_TRY(file_in(folder, "weights.safetensors", weights));
    GB_TRY(file_in(folder, "config.json", path));
    void *data = NULL;
    gb_model *model = NULL;
    GB_TRY(gb_yaml_load(path, &folder_schema, &data));
    folder_config *config = data;
    gb_status status = check_folder_config(config, path);
    if (status == GB_OK)
        status = gb_model_create(&config->model, 0, &model);
    if (status == GB_OK)
        status = read_weights(model, config, weights);
    gb_yaml_free(&folder_schema, data);
    if (status != GB_OK) {
        gb_model_destroy(model);
        return status;
    }
    *out = model;
    return GB_OK;
}
