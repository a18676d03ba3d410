/* Any bytes as a YAML file: a status with a message or a value, never a crash, and what the check
 * accepts libcyaml must accept too. */
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct part {
    char *name;
    int16_t count;
    int mode;
} part;

typedef struct whole {
    char text[9];
    uint8_t small;
    int64_t large;
    float rate;
    bool on;
    uint32_t bits;
    part *parts;
    uint16_t parts_count;
    double pair[2];
    char *note;
} whole;

static const cyaml_strval_t modes[] = {{"mean", 0}, {"last", 1}, {"first", 2}};
static const cyaml_schema_field_t part_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, part, name, 0, 20),
    CYAML_FIELD_INT("count", CYAML_FLAG_OPTIONAL, part, count),
    CYAML_FIELD_ENUM("mode", CYAML_FLAG_OPTIONAL, part, mode, modes, CYAML_ARRAY_LEN(modes)),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t part_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, part, part_fields)};
static const cyaml_schema_value_t double_schema = {CYAML_VALUE_FLOAT(CYAML_FLAG_DEFAULT, double)};
static const cyaml_schema_field_t whole_fields[] = {
    CYAML_FIELD_STRING("text", CYAML_FLAG_OPTIONAL, whole, text, 0),
    CYAML_FIELD_UINT("small", CYAML_FLAG_OPTIONAL, whole, small),
    CYAML_FIELD_INT("large", CYAML_FLAG_OPTIONAL, whole, large),
    CYAML_FIELD_FLOAT("rate", CYAML_FLAG_OPTIONAL, whole, rate),
    CYAML_FIELD_BOOL("on", CYAML_FLAG_OPTIONAL, whole, on),
    CYAML_FIELD_FLAGS("bits", CYAML_FLAG_OPTIONAL, whole, bits, modes, CYAML_ARRAY_LEN(modes)),
    CYAML_FIELD_SEQUENCE("parts",
                         CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                         whole,
                         parts,
                         &part_schema,
                         0,
                         CYAML_UNLIMITED),
    CYAML_FIELD_SEQUENCE_FIXED("pair", CYAML_FLAG_OPTIONAL, whole, pair, &double_schema, 2),
    CYAML_FIELD_STRING_PTR(
        "note", CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL, whole, note, 0, CYAML_UNLIMITED),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t whole_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, whole, whole_fields)};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = {"parts[1].name", "text", "pair[0]", "parts..[", "[9999]"};
    gb_arena *arena = NULL;
    gb_yaml_node *root = NULL;
    if (gb_arena_create(0, &arena) != GB_OK)
        return 0;
    const char *text = (const char *)data;
    bool accepted = gb_yaml_tree("fuzz.yaml", text, size, arena, &root) == GB_OK &&
                    gb_yaml_check("fuzz.yaml", root, &whole_schema) == GB_OK;
    for (size_t i = 0; root != NULL && i < sizeof paths / sizeof *paths; i++) {
        bool exact = false;
        if (gb_yaml_find(root, paths[i], &exact)->line < 1)
            abort();
    }
    gb_arena_destroy(arena);
    void *value = NULL;
    gb_status status = gb_yaml_load_text("fuzz.yaml", text, size, &whole_schema, &value);
    if ((status == GB_OK) != accepted)
        abort();
    if (status != GB_OK && strncmp(gb_error_message(), "fuzz.yaml:", 10) != 0)
        abort();
    gb_yaml_free(&whole_schema, value);
    return 0;
}
