/* base/json.h: JSON files through jansson, read field by field with messages that say where.
 * For rooms only, not part of the public interface.
 *
 * A gb_json_at is a value together with the way to it, so that a message can say
 * "config.json: blocks[2].width: expected a whole number between 1 and 65536, found "wide"".
 * It borrows the document and the gb_json_at it came from: keep both alive while it is used.
 *
 *     gb_json_at root, block; int64_t width;
 *     GB_TRY(gb_json_open("config.json", 1 << 20, &document));
 *     root = gb_json_root("config.json", document);
 *     GB_TRY_OR(done, gb_json_keys(&root, (const char *[]){"blocks", NULL}));
 *     GB_TRY_OR(done, gb_json_object(&root, "block", &block));
 *     GB_TRY_OR(done, gb_json_int(&block, "width", 1, 65536, &width)); */
#ifndef GENBA_BASE_JSON_H
#define GENBA_BASE_JSON_H

#include <jansson.h>

#include "genba/base.h"

/* Parses a file or a text; `name` stands for the file in messages, which give line and column.
 * Duplicate keys are errors. The caller owns *out (json_decref). limit_bytes 0 = no limit. */
GB_MUST gb_status gb_json_open(const char *path, size_t limit_bytes, json_t **out);
GB_MUST gb_status gb_json_parse(const char *name, const char *text, size_t size, json_t **out);

typedef struct gb_json_at {
    const char *name;                /* the file */
    const struct gb_json_at *parent; /* NULL at the root */
    const char *key;                 /* in the parent; NULL: `index` counts */
    size_t index;
    const json_t *value;
} gb_json_at;

gb_json_at gb_json_root(const char *name, const json_t *document);
/* Writes the path of a value, "blocks[2].width" or "" for the root; cut when it does not fit. */
void gb_json_path(const gb_json_at *at, char *path, size_t size);
/* Records "file: path.key: message" (key NULL: the value itself) and returns `status`. */
gb_status
gb_json_fail(const gb_json_at *at, gb_status status, const char *key, const char *format, ...)
    GB_PRINTF(4, 5);

/* GB_ERR_SCHEMA when the object has a key that is not in the NULL-terminated list; the message
 * names the nearest allowed one. */
GB_MUST gb_status gb_json_keys(const gb_json_at *object, const char *const *allowed);
bool gb_json_has(const gb_json_at *object, const char *key); /* and is not null */

/* A required field; GB_ERR_SCHEMA when it is missing, of another type or out of range. Texts are
 * borrowed from the document and hold no 0 byte. */
GB_MUST gb_status
gb_json_int(const gb_json_at *object, const char *key, int64_t low, int64_t high, int64_t *out);
GB_MUST gb_status
gb_json_number(const gb_json_at *object, const char *key, double low, double high, double *out);
GB_MUST gb_status gb_json_bool(const gb_json_at *object, const char *key, bool *out);
GB_MUST gb_status gb_json_text(const gb_json_at *object, const char *key, const char **out);
GB_MUST gb_status gb_json_object(const gb_json_at *object, const char *key, gb_json_at *out);
GB_MUST gb_status gb_json_array(const gb_json_at *object, const char *key, gb_json_at *out);

size_t gb_json_count(const gb_json_at *array_or_object);
/* Item `index` of an array, which must be there (index < gb_json_count). */
gb_json_at gb_json_item(const gb_json_at *array, size_t index);
/* What an item itself holds; errors as above. */
GB_MUST gb_status gb_json_as_int(const gb_json_at *at, int64_t low, int64_t high, int64_t *out);
GB_MUST gb_status gb_json_as_number(const gb_json_at *at, double low, double high, double *out);
GB_MUST gb_status gb_json_as_bool(const gb_json_at *at, bool *out);
GB_MUST gb_status gb_json_as_text(const gb_json_at *at, const char **out);
GB_MUST gb_status gb_json_as_object(const gb_json_at *at);
GB_MUST gb_status gb_json_as_array(const gb_json_at *at);

#endif
