/* Loads YAML files: read, check against the schema with good messages, then let libcyaml build the
 * values. */
#include <stdio.h>
#include <string.h>

#include "base/yaml.h"

enum {
    FILE_LIMIT = 16 << 20,
    LOG_BYTES = 512
};

/* libcyaml's own words, kept for the case that it refuses what the check accepted. */
typedef struct log_text {
    size_t used;
    char text[LOG_BYTES];
} log_text;

GB_PRINTF(3, 0)
static void keep_log(cyaml_log_t level, void *context, const char *format, va_list args)
{
    (void)level;
    log_text *kept = context;
    if (kept->used >= sizeof kept->text - 1)
        return;
    int put = vsnprintf(kept->text + kept->used, sizeof kept->text - kept->used, format, args);
    kept->used += put > 0 ? (size_t)put : 0;
    for (size_t i = 0; kept->text[i] != 0; i++)
        if (kept->text[i] == '\n')
            kept->text[i] = ' ';
}

static gb_status build(
    const char *name, const char *text, size_t size, const cyaml_schema_value_t *schema, void **out)
{
    log_text kept = {0};
    const cyaml_config_t config = {.log_fn = keep_log,
                                   .log_ctx = &kept,
                                   .mem_fn = cyaml_mem,
                                   .log_level = CYAML_LOG_ERROR,
                                   .flags = CYAML_CFG_NO_ALIAS};
    cyaml_data_t *data = NULL;
    cyaml_err_t error = cyaml_load_data((const uint8_t *)text, size, &config, schema, &data, NULL);
    /* The text was parsed just before: its parser can only have run out of memory. */
    if (error == CYAML_ERR_OOM || error == CYAML_ERR_LIBYAML_PARSER ||
        error == CYAML_ERR_LIBYAML_PARSER_INIT)
        return gb_fail(GB_ERR_MEMORY, "%s: not enough memory to read it", name);
    if (error != CYAML_OK)
        return gb_fail(GB_ERR_SCHEMA, "%s: %s (%s)", name, cyaml_strerror(error), kept.text);
    *out = data;
    return GB_OK;
}

gb_status gb_yaml_load_text(
    const char *name, const char *text, size_t size, const cyaml_schema_value_t *schema, void **out)
{
    if (schema->type != CYAML_MAPPING || !(schema->flags & CYAML_FLAG_POINTER))
        return gb_fail(GB_ERR_ARGUMENT, "%s: the top of its schema is not a mapping by pointer",
                       name);
    gb_arena *arena = NULL;
    gb_yaml_node *root = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = gb_yaml_tree(name, text, size, arena, &root);
    if (status == GB_OK)
        status = gb_yaml_check(name, root, schema);
    gb_arena_destroy(arena);
    return status == GB_OK ? build(name, text, size, schema, out) : status;
}

gb_status gb_yaml_load(const char *path, const cyaml_schema_value_t *schema, void **out)
{
    gb_arena *arena = NULL;
    char *text = NULL;
    size_t size = 0;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = gb_file_read(path, FILE_LIMIT, arena, &text, &size);
    if (status == GB_OK)
        status = gb_yaml_load_text(path, text, size, schema, out);
    gb_arena_destroy(arena);
    return status;
}

void gb_yaml_free(const cyaml_schema_value_t *schema, void *data)
{
    const cyaml_config_t config = {.mem_fn = cyaml_mem, .log_level = CYAML_LOG_ERROR};
    if (data != NULL)
        (void)cyaml_free(&config, schema, data, 0);
}

int gb_yaml_line(const char *path, const char *value_path)
{
    gb_arena *arena = NULL;
    char *text = NULL;
    size_t size = 0;
    gb_yaml_node *root = NULL;
    int line = 0;
    if (gb_arena_create(0, &arena) != GB_OK)
        return 0;
    if (gb_file_read(path, FILE_LIMIT, arena, &text, &size) == GB_OK &&
        gb_yaml_tree(path, text, size, arena, &root) == GB_OK && root != NULL) {
        bool exact = false;
        const gb_yaml_node *node = gb_yaml_find(root, value_path, &exact);
        line = exact ? node->line : node->key_line;
    }
    gb_arena_destroy(arena);
    return line;
}

gb_status gb_yaml_fail_value(const char *path, const char *value_path, const char *format, ...)
{
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    int line = gb_yaml_line(path, value_path);
    return gb_fail(GB_ERR_SCHEMA, "%s:%d: %s: %s", path, line, value_path, message);
}
