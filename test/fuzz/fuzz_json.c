/* Any bytes as a JSON document: a status with a message or a value, never a crash. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Asks every field for every type, down to the depth that paths are worded for. */
static void ask(const gb_json_at *at, int depth)
{
    int64_t integer = 0;
    double number = 0;
    bool flag = false;
    const char *text = NULL;
    int answers = (gb_json_as_int(at, 0, 1000, &integer) == GB_OK) +
                  (gb_json_as_number(at, -INFINITY, INFINITY, &number) == GB_OK) +
                  (gb_json_as_bool(at, &flag) == GB_OK) + (gb_json_as_text(at, &text) == GB_OK);
    if (answers > 2 || integer < 0 || integer > 1000)
        abort();
    if (gb_json_as_array(at) == GB_OK && depth < 12)
        for (size_t i = 0; i < gb_json_count(at); i++) {
            gb_json_at item = gb_json_item(at, i);
            ask(&item, depth + 1);
        }
    if (gb_json_as_object(at) == GB_OK) {
        const char *const allowed[] = {"name", "shape", "dtype", NULL};
        gb_json_at child;
        (void)(gb_json_keys(at, allowed) == GB_OK);
        if (gb_json_object(at, "shape", &child) == GB_OK && depth < 12)
            ask(&child, depth + 1);
        if (gb_json_array(at, "name", &child) == GB_OK && depth < 12)
            ask(&child, depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *document = NULL;
    gb_status status = gb_json_parse("fuzz.json", (const char *)data, size, &document);
    if (status != GB_OK) {
        if (strncmp(gb_error_message(), "fuzz.json:", 10) != 0)
            abort();
        return 0;
    }
    gb_json_at root = gb_json_root("fuzz.json", document);
    ask(&root, 0);
    json_decref(document);
    return 0;
}
