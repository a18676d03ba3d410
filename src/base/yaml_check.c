/* Checks a YAML tree against a libcyaml schema and words what is wrong.
 * Does not build values: yaml.c lets libcyaml do that once the tree is known to fit. */
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/words.h"
#include "base/yaml.h"

enum {
    PATH_BYTES = 256,
    TEXT_BYTES = 512,
    WORD_BYTES = 64
};

typedef struct tree_checker {
    const char *name;
    char path[PATH_BYTES]; /* "train.heads[2].width" of the node being checked */
} tree_checker;

static gb_status
check_value(tree_checker *checker, const gb_yaml_node *node, const cyaml_schema_value_t *schema);

/* ---- words for messages ---- */

/* What the file says, short and on one line. */
static const char *describe(const gb_yaml_node *node, char text[TEXT_BYTES])
{
    if (node->kind == GB_YAML_MAPPING)
        snprintf(text, TEXT_BYTES, "a mapping with %d keys", node->count);
    else if (node->kind == GB_YAML_SEQUENCE)
        snprintf(text, TEXT_BYTES, "a list of %d items", node->count);
    else if (node->text[0] == 0)
        snprintf(text, TEXT_BYTES, "nothing");
    else
        snprintf(text, TEXT_BYTES, "\"%.60s%s\"", node->text, strlen(node->text) > 60 ? "..." : "");
    for (char *at = text; *at != 0; at++)
        if ((unsigned char)*at < ' ')
            *at = ' ';
    return text;
}

static gb_status
fail_node(const tree_checker *checker, const gb_yaml_node *node, const char *expected)
{
    char found[TEXT_BYTES];
    return gb_fail(GB_ERR_SCHEMA, "%s:%d: %s%sexpected %s, found %s", checker->name, node->line,
                   checker->path, checker->path[0] != 0 ? ": " : "", expected,
                   describe(node, found));
}

/* ---- scalars ---- */

static gb_status
check_int(const tree_checker *checker, const gb_yaml_node *node, const cyaml_schema_value_t *schema)
{
    unsigned bits = 8 * schema->data_size;
    int64_t high = bits >= 64 ? INT64_MAX : (INT64_C(1) << (bits - 1)) - 1, low = -high - 1;
    char expected[TEXT_BYTES];
    snprintf(expected, sizeof expected, "a whole number between %" PRId64 " and %" PRId64, low,
             high);
    const char *digits = node->text + (node->text[0] == '-' || node->text[0] == '+');
    if (digits[0] < '0' || digits[0] > '9')
        return fail_node(checker, node, expected);
    if (digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9')
        return fail_node(checker, node, "a whole number without leading zeros");
    char *end = NULL;
    errno = 0;
    long long value = strtoll(node->text, &end, 0);
    if (*end != 0 || errno != 0 || value < low || value > high)
        return fail_node(checker, node, expected);
    return GB_OK;
}

static gb_status check_uint(const tree_checker *checker,
                            const gb_yaml_node *node,
                            const cyaml_schema_value_t *schema)
{
    unsigned bits = 8 * schema->data_size;
    uint64_t high = bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    char expected[TEXT_BYTES];
    snprintf(expected, sizeof expected, "a whole number between 0 and %" PRIu64, high);
    const char *digits = node->text + (node->text[0] == '+');
    if (digits[0] < '0' || digits[0] > '9')
        return fail_node(checker, node, expected);
    if (digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9')
        return fail_node(checker, node, "a whole number without leading zeros");
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(node->text, &end, 0);
    if (*end != 0 || errno != 0 || value > high)
        return fail_node(checker, node, expected);
    return GB_OK;
}

static gb_status check_float(const tree_checker *checker,
                             const gb_yaml_node *node,
                             const cyaml_schema_value_t *schema)
{
    const char *digits = node->text + (node->text[0] == '-' || node->text[0] == '+');
    bool starts = (digits[0] >= '0' && digits[0] <= '9') || digits[0] == '.';
    char *end = NULL;
    double value = starts ? strtod(node->text, &end) : 0.0;
    double limit = schema->data_size == sizeof(float) ? (double)FLT_MAX : DBL_MAX;
    if (!starts || *end != 0 || end == node->text || !(fabs(value) <= limit))
        return fail_node(checker, node, "a finite number (such as 0.001 or 1e-3)");
    return GB_OK;
}

static gb_status check_bool(const tree_checker *checker, const gb_yaml_node *node)
{
    static const char *const words[] = {"true", "false", "yes", "no"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(node->text, words[i]) == 0)
            return GB_OK;
    return fail_node(checker, node, "true or false");
}

static gb_status check_string(const tree_checker *checker,
                              const gb_yaml_node *node,
                              const cyaml_schema_value_t *schema)
{
    size_t length = strlen(node->text);
    if (length >= schema->string.min && length <= schema->string.max)
        return GB_OK;
    char expected[TEXT_BYTES];
    snprintf(expected, sizeof expected,
             length < schema->string.min ? "a text of at least %u bytes"
                                         : "a text of at most %u bytes",
             length < schema->string.min ? schema->string.min : schema->string.max);
    return fail_node(checker, node, expected);
}

static gb_status check_word(const tree_checker *checker,
                            const gb_yaml_node *node,
                            const cyaml_schema_value_t *schema)
{
    if (node->kind != GB_YAML_SCALAR)
        return fail_node(checker, node, "one word");
    gb_words words = {.written = node->text};
    for (uint32_t i = 0; i < schema->enumeration.count; i++) {
        if (strcmp(node->text, schema->enumeration.strings[i].str) == 0)
            return GB_OK;
        gb_words_add(&words, schema->enumeration.strings[i].str);
    }
    char found[TEXT_BYTES];
    return gb_fail(GB_ERR_SCHEMA, "%s:%d: %s: found %s, which is not allowed here; %sallowed: %s",
                   checker->name, node->line, checker->path, describe(node, found),
                   gb_words_suggest(&words), words.list);
}

/* ---- sequences and mappings ---- */

static size_t push_index(tree_checker *checker, int index)
{
    size_t before = strlen(checker->path);
    snprintf(checker->path + before, PATH_BYTES - before, "[%d]", index);
    return before;
}

static size_t push_key(tree_checker *checker, const char *key)
{
    size_t before = strlen(checker->path);
    snprintf(checker->path + before, PATH_BYTES - before, "%s%.60s", before > 0 ? "." : "", key);
    return before;
}

static gb_status
check_sequence(tree_checker *checker, const gb_yaml_node *node, const cyaml_schema_value_t *schema)
{
    if (node->kind != GB_YAML_SEQUENCE)
        return fail_node(checker, node, "a list");
    uint32_t low = schema->sequence.min, high = schema->sequence.max;
    if ((uint32_t)node->count < low || (uint32_t)node->count > high) {
        char expected[TEXT_BYTES];
        if (low == high)
            snprintf(expected, sizeof expected, "a list of exactly %u items", low);
        else if (high == CYAML_UNLIMITED)
            snprintf(expected, sizeof expected, "a list of at least %u items", low);
        else
            snprintf(expected, sizeof expected, "a list of %u to %u items", low, high);
        return fail_node(checker, node, expected);
    }
    int index = 0;
    for (const gb_yaml_node *item = node->first; item != NULL; item = item->next) {
        size_t before = push_index(checker, index++);
        GB_TRY(check_value(checker, item, schema->sequence.entry));
        checker->path[before] = 0;
    }
    return GB_OK;
}

static gb_status
check_flags(tree_checker *checker, const gb_yaml_node *node, const cyaml_schema_value_t *schema)
{
    if (node->kind != GB_YAML_SEQUENCE)
        return fail_node(checker, node, "a list of words");
    int index = 0;
    for (const gb_yaml_node *item = node->first; item != NULL; item = item->next) {
        size_t before = push_index(checker, index++);
        GB_TRY(check_word(checker, item, schema));
        checker->path[before] = 0;
    }
    return GB_OK;
}

/* Words for what a missing value should be. */
static const char *type_words(const cyaml_schema_value_t *schema)
{
    switch (schema->type) {
    case CYAML_INT:
    case CYAML_UINT:
        return "a whole number";
    case CYAML_BOOL:
        return "true or false";
    case CYAML_ENUM:
        return "a word";
    case CYAML_FLOAT:
        return "a number";
    case CYAML_STRING:
        return "a text";
    case CYAML_MAPPING:
    case CYAML_BITFIELD:
        return "a mapping";
    default:
        return "a list";
    }
}

static gb_status fail_unknown_key(const tree_checker *checker,
                                  const gb_yaml_node *entry,
                                  const cyaml_schema_value_t *schema)
{
    gb_words words = {.written = entry->key};
    for (const cyaml_schema_field_t *field = schema->mapping.fields; field->key != NULL; field++)
        gb_words_add(&words, field->key);
    return gb_fail(GB_ERR_SCHEMA, "%s:%d: unknown key \"%.60s\"%s%s; %sallowed here: %s",
                   checker->name, entry->key_line, entry->key, checker->path[0] != 0 ? " in " : "",
                   checker->path, gb_words_suggest(&words), words.list);
}

static const cyaml_schema_field_t *find_field(const cyaml_schema_value_t *schema, const char *key)
{
    for (const cyaml_schema_field_t *field = schema->mapping.fields; field->key != NULL; field++)
        if (strcmp(field->key, key) == 0)
            return field;
    return NULL;
}

static const gb_yaml_node *
find_child(const gb_yaml_node *node, const gb_yaml_node *end, const char *key)
{
    for (const gb_yaml_node *child = node->first; child != end; child = child->next)
        if (strcmp(child->key, key) == 0)
            return child;
    return NULL;
}

/* The search for an earlier entry of the same key is short: every earlier entry has another one of
 * the schema's keys, or the check would have ended there. */
static gb_status
fail_if_repeated(const tree_checker *checker, const gb_yaml_node *node, const gb_yaml_node *entry)
{
    const gb_yaml_node *earlier = find_child(node, entry, entry->key);
    if (earlier == NULL)
        return GB_OK;
    return gb_fail(GB_ERR_SCHEMA,
                   "%s:%d: the key \"%.60s\" appears twice (first in line %d); remove one",
                   checker->name, entry->key_line, entry->key, earlier->key_line);
}

static gb_status
check_mapping(tree_checker *checker, const gb_yaml_node *node, const cyaml_schema_value_t *schema)
{
    if (node->kind != GB_YAML_MAPPING)
        return fail_node(checker, node, "a mapping (\"key: value\" lines)");
    for (const gb_yaml_node *entry = node->first; entry != NULL; entry = entry->next) {
        const cyaml_schema_field_t *field = find_field(schema, entry->key);
        if (field == NULL)
            return fail_unknown_key(checker, entry, schema);
        GB_TRY(fail_if_repeated(checker, node, entry));
        size_t before = push_key(checker, entry->key);
        GB_TRY(check_value(checker, entry, &field->value));
        checker->path[before] = 0;
    }
    for (const cyaml_schema_field_t *field = schema->mapping.fields; field->key != NULL; field++) {
        if ((field->value.flags & CYAML_FLAG_OPTIONAL) || find_child(node, NULL, field->key))
            continue;
        return gb_fail(GB_ERR_SCHEMA, "%s:%d: %s%sthe key \"%s\" (%s) is missing; add it",
                       checker->name, node->key_line, checker->path,
                       checker->path[0] != 0 ? ": " : "", field->key, type_words(&field->value));
    }
    return GB_OK;
}

static gb_status
check_bitfield(tree_checker *checker, const gb_yaml_node *node, const cyaml_schema_value_t *schema)
{
    if (node->kind != GB_YAML_MAPPING)
        return fail_node(checker, node, "a mapping (\"key: value\" lines)");
    for (const gb_yaml_node *entry = node->first; entry != NULL; entry = entry->next) {
        gb_words words = {.written = entry->key};
        bool known = false;
        for (uint32_t i = 0; i < schema->bitfield.count && !known; i++) {
            known = strcmp(entry->key, schema->bitfield.bitdefs[i].name) == 0;
            gb_words_add(&words, schema->bitfield.bitdefs[i].name);
        }
        if (!known)
            return gb_fail(GB_ERR_SCHEMA, "%s:%d: unknown key \"%.60s\" in %s; allowed here: %s",
                           checker->name, entry->key_line, entry->key, checker->path, words.list);
        GB_TRY(fail_if_repeated(checker, node, entry));
    }
    return GB_OK;
}

/* Empty, and where the schema says so also "null" and "~", stand for no value. */
static bool is_allowed_null(const gb_yaml_node *node, const cyaml_schema_value_t *schema)
{
    if (node->kind != GB_YAML_SCALAR || !(schema->flags & 1u << 2))
        return false;
    static const char *const words[] = {"null", "Null", "NULL", "~"};
    bool is_null = node->text[0] == 0;
    for (size_t i = 0; i < sizeof words / sizeof *words && (schema->flags & 1u << 3); i++)
        is_null = is_null || strcmp(node->text, words[i]) == 0;
    return is_null;
}

static gb_status
check_value(tree_checker *checker, const gb_yaml_node *node, const cyaml_schema_value_t *schema)
{
    if (schema->type == CYAML_IGNORE || is_allowed_null(node, schema))
        return GB_OK;
    switch (schema->type) {
    case CYAML_MAPPING:
        return check_mapping(checker, node, schema);
    case CYAML_BITFIELD:
        return check_bitfield(checker, node, schema);
    case CYAML_SEQUENCE:
    case CYAML_SEQUENCE_FIXED:
        return check_sequence(checker, node, schema);
    case CYAML_FLAGS:
        return check_flags(checker, node, schema);
    default:
        break;
    }
    if (node->kind != GB_YAML_SCALAR)
        return fail_node(checker, node, type_words(schema));
    switch (schema->type) {
    case CYAML_INT:
        return check_int(checker, node, schema);
    case CYAML_UINT:
        return check_uint(checker, node, schema);
    case CYAML_FLOAT:
        return check_float(checker, node, schema);
    case CYAML_BOOL:
        return check_bool(checker, node);
    case CYAML_STRING:
        return check_string(checker, node, schema);
    case CYAML_ENUM:
        return check_word(checker, node, schema);
    default:
        return gb_fail(GB_ERR_ARGUMENT, "the schema for %s has no valid type", checker->name);
    }
}

gb_status
gb_yaml_check(const char *name, const gb_yaml_node *root, const cyaml_schema_value_t *schema)
{
    tree_checker checker = {.name = name};
    if (root != NULL)
        return check_value(&checker, root, schema);
    gb_words words = {.written = ""};
    if (schema->type == CYAML_MAPPING)
        for (const cyaml_schema_field_t *f = schema->mapping.fields; f->key != NULL; f++)
            gb_words_add(&words, f->key);
    return gb_fail(GB_ERR_SCHEMA, "%s:1: the file is empty; expected the keys: %s", name,
                   words.list);
}
