/* JSON documents: parsing with positions, and reading fields with messages that say where.
 * Writing JSON is jansson's json_dumps or plain printf; nothing of that here. */
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/words.h"

enum {
    PATH_BYTES = 512,
    FOUND_BYTES = 96
};

gb_status gb_json_parse(const char *name, const char *text, size_t size, json_t **out)
{
    json_error_t error;
    json_t *document = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    /* jansson words every failure except the ones of memory */
    if (document == NULL &&
        (error.text[0] == 0 || json_error_code(&error) == json_error_out_of_memory))
        return gb_fail(GB_ERR_MEMORY, "%s: not enough memory to read it", name);
    if (document == NULL)
        return gb_fail(GB_ERR_PARSE, "%s:%d: not JSON at column %d: %s; the file may be cut", name,
                       error.line > 0 ? error.line : 1, error.column, error.text);
    *out = document;
    return GB_OK;
}

gb_status gb_json_open(const char *path, size_t limit_bytes, json_t **out)
{
    gb_arena *arena = NULL;
    char *text = NULL;
    size_t size = 0;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = gb_file_read(path, limit_bytes, arena, &text, &size);
    if (status == GB_OK)
        status = gb_json_parse(path, text, size, out);
    gb_arena_destroy(arena);
    return status;
}

gb_json_at gb_json_root(const char *name, const json_t *document)
{
    return (gb_json_at){.name = name, .value = document};
}

void gb_json_path(const gb_json_at *at, char *path, size_t size)
{
    path[0] = 0;
    if (at->parent == NULL)
        return;
    gb_json_path(at->parent, path, size);
    size_t used = strlen(path);
    if (at->key != NULL)
        snprintf(path + used, size - used, "%s%.64s", used > 0 ? "." : "", at->key);
    else
        snprintf(path + used, size - used, "[%zu]", at->index);
}

gb_status
gb_json_fail(const gb_json_at *at, gb_status status, const char *key, const char *format, ...)
{
    char path[PATH_BYTES], message[1024];
    gb_json_path(at, path, sizeof path);
    if (key != NULL) {
        size_t used = strlen(path);
        snprintf(path + used, sizeof path - used, "%s%.64s", used > 0 ? "." : "", key);
    }
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return gb_fail(status, "%s: %s%s%s", at->name, path, path[0] != 0 ? ": " : "", message);
}

static gb_status fail_expected(const gb_json_at *at, const char *expected)
{
    char found[FOUND_BYTES];
    switch (json_typeof(at->value)) {
    case JSON_OBJECT:
        snprintf(found, sizeof found, "an object with %zu keys", json_object_size(at->value));
        break;
    case JSON_ARRAY:
        snprintf(found, sizeof found, "an array of %zu items", json_array_size(at->value));
        break;
    case JSON_STRING:
        snprintf(found, sizeof found, "\"%.60s\"", json_string_value(at->value));
        break;
    case JSON_INTEGER:
        snprintf(found, sizeof found, "%" JSON_INTEGER_FORMAT, json_integer_value(at->value));
        break;
    case JSON_REAL:
        snprintf(found, sizeof found, "%.9g", json_real_value(at->value));
        break;
    default:
        snprintf(found, sizeof found, "%s",
                 json_is_null(at->value) ? "null" : (json_is_true(at->value) ? "true" : "false"));
    }
    return gb_json_fail(at, GB_ERR_SCHEMA, NULL, "expected %s, found %s", expected, found);
}

gb_status gb_json_keys(const gb_json_at *object, const char *const *allowed)
{
    GB_TRY(gb_json_as_object(object));
    for (void *entry = json_object_iter((json_t *)(uintptr_t)object->value); entry != NULL;
         entry = json_object_iter_next((json_t *)(uintptr_t)object->value, entry)) {
        const char *key = json_object_iter_key(entry);
        gb_words words = {.written = key};
        bool known = false;
        for (size_t i = 0; allowed[i] != NULL && !known; i++) {
            known = strcmp(key, allowed[i]) == 0;
            gb_words_add(&words, allowed[i]);
        }
        if (!known)
            return gb_json_fail(object, GB_ERR_SCHEMA, NULL,
                                "unknown key \"%.60s\"; %sallowed here: %s", key,
                                gb_words_suggest(&words), words.list);
    }
    return GB_OK;
}

bool gb_json_has(const gb_json_at *object, const char *key)
{
    const json_t *value = json_object_get(object->value, key);
    return value != NULL && !json_is_null(value);
}

static gb_status get(const gb_json_at *object, const char *key, gb_json_at *out)
{
    GB_TRY(gb_json_as_object(object));
    const json_t *value = json_object_get(object->value, key);
    if (value == NULL)
        return gb_json_fail(object, GB_ERR_SCHEMA, NULL, "the key \"%s\" is missing", key);
    *out = (gb_json_at){.name = object->name, .parent = object, .key = key, .value = value};
    return GB_OK;
}

gb_status
gb_json_int(const gb_json_at *object, const char *key, int64_t low, int64_t high, int64_t *out)
{
    gb_json_at at = {0};
    GB_TRY(get(object, key, &at));
    return gb_json_as_int(&at, low, high, out);
}

gb_status
gb_json_number(const gb_json_at *object, const char *key, double low, double high, double *out)
{
    gb_json_at at = {0};
    GB_TRY(get(object, key, &at));
    return gb_json_as_number(&at, low, high, out);
}

gb_status gb_json_bool(const gb_json_at *object, const char *key, bool *out)
{
    gb_json_at at = {0};
    GB_TRY(get(object, key, &at));
    return gb_json_as_bool(&at, out);
}

gb_status gb_json_text(const gb_json_at *object, const char *key, const char **out)
{
    gb_json_at at = {0};
    GB_TRY(get(object, key, &at));
    return gb_json_as_text(&at, out);
}

gb_status gb_json_object(const gb_json_at *object, const char *key, gb_json_at *out)
{
    gb_json_at at = {0};
    GB_TRY(get(object, key, &at));
    GB_TRY(gb_json_as_object(&at));
    *out = at;
    return GB_OK;
}

gb_status gb_json_array(const gb_json_at *object, const char *key, gb_json_at *out)
{
    gb_json_at at = {0};
    GB_TRY(get(object, key, &at));
    GB_TRY(gb_json_as_array(&at));
    *out = at;
    return GB_OK;
}

size_t gb_json_count(const gb_json_at *at)
{
    return json_is_object(at->value) ? json_object_size(at->value) : json_array_size(at->value);
}

gb_json_at gb_json_item(const gb_json_at *array, size_t index)
{
    return (gb_json_at){.name = array->name,
                        .parent = array,
                        .index = index,
                        .value = json_array_get(array->value, index)};
}

gb_status gb_json_as_int(const gb_json_at *at, int64_t low, int64_t high, int64_t *out)
{
    json_int_t value = json_integer_value(at->value);
    if (!json_is_integer(at->value) || value < low || value > high) {
        char expected[FOUND_BYTES];
        snprintf(expected, sizeof expected, "a whole number between %" PRId64 " and %" PRId64, low,
                 high);
        return fail_expected(at, expected);
    }
    *out = value;
    return GB_OK;
}

gb_status gb_json_as_number(const gb_json_at *at, double low, double high, double *out)
{
    double value = json_number_value(at->value);
    if (!json_is_number(at->value) || !(value >= low && value <= high)) {
        char expected[FOUND_BYTES];
        snprintf(expected, sizeof expected, "a number between %g and %g", low, high);
        return fail_expected(at, expected);
    }
    *out = value;
    return GB_OK;
}

gb_status gb_json_as_bool(const gb_json_at *at, bool *out)
{
    if (!json_is_boolean(at->value))
        return fail_expected(at, "true or false");
    *out = json_is_true(at->value);
    return GB_OK;
}

gb_status gb_json_as_text(const gb_json_at *at, const char **out)
{
    if (!json_is_string(at->value))
        return fail_expected(at, "a text");
    *out = json_string_value(at->value);
    return GB_OK;
}

gb_status gb_json_as_object(const gb_json_at *at)
{
    return json_is_object(at->value) ? GB_OK : fail_expected(at, "an object");
}

gb_status gb_json_as_array(const gb_json_at *at)
{
    return json_is_array(at->value) ? GB_OK : fail_expected(at, "an array");
}
