/* base/yaml.h: YAML files checked against a libcyaml schema, with messages that name the file, the
 * line, what was expected, what was found and, for an unknown key, the nearest allowed one.
 * For rooms only, not part of the public interface.
 *
 * Stricter than libcyaml on purpose, so that a slip never becomes a silent value: duplicate keys,
 * aliases, several documents, numbers for enumerations, words other than true/false/yes/no for
 * booleans, leading zeros and non-finite numbers are errors. */
#ifndef GENBA_BASE_YAML_H
#define GENBA_BASE_YAML_H

#include <cyaml/cyaml.h>

#include "genba/base.h"

/* Loads a file. The schema's top level must be CYAML_VALUE_MAPPING with CYAML_FLAG_POINTER. *out is
 * freed with gb_yaml_free. GB_ERR_IO: unreadable; GB_ERR_PARSE: not YAML; GB_ERR_SCHEMA: not what
 * the schema allows. */
GB_MUST gb_status gb_yaml_load(const char *path, const cyaml_schema_value_t *schema, void **out);
/* The same from memory; `name` stands for the file in messages. */
GB_MUST gb_status gb_yaml_load_text(const char *name,
                                    const char *text,
                                    size_t size,
                                    const cyaml_schema_value_t *schema,
                                    void **out);
void gb_yaml_free(const cyaml_schema_value_t *schema, void *data); /* NULL data is fine */

/* The line (from 1) of a value such as "train.steps" or "streams[2].unit" in a file; the line of
 * the deepest part that exists when the value itself is absent (a default was used); 0 when the
 * file cannot be read. */
int gb_yaml_line(const char *path, const char *value_path);
/* For values that a schema cannot judge: records "path:line: value_path: <message>" and returns
 * GB_ERR_SCHEMA. */
gb_status gb_yaml_fail_value(const char *path, const char *value_path, const char *format, ...)
    GB_PRINTF(3, 4);

/* ---- the tree below, for settings whose keys depend on a `kind` and no fixed schema fits ------
 */
typedef enum gb_yaml_kind {
    GB_YAML_SCALAR,
    GB_YAML_SEQUENCE,
    GB_YAML_MAPPING
} gb_yaml_kind;

typedef struct gb_yaml_node {
    gb_yaml_kind kind;
    int line;         /* from 1 */
    bool plain;       /* a scalar without quotes */
    const char *key;  /* of an entry of a mapping, otherwise NULL */
    int key_line;     /* where the key is written; `line` otherwise */
    const char *text; /* of a scalar; contains no 0 byte */
    int count;        /* children */
    struct gb_yaml_node *first, *last, *next;
} gb_yaml_node;

/* Reads one document into nodes that live in the arena. *out is NULL when it is empty. */
GB_MUST gb_status
gb_yaml_tree(const char *name, const char *text, size_t size, gb_arena *arena, gb_yaml_node **out);
/* Checks a tree against a schema; `name` stands for the file in messages. */
GB_MUST gb_status gb_yaml_check(const char *name,
                                const gb_yaml_node *root,
                                const cyaml_schema_value_t *schema);
/* The node at a path, or the deepest one on the way to it (*out_exact says which); never NULL. */
const gb_yaml_node *gb_yaml_find(const gb_yaml_node *root, const char *value_path, bool *out_exact);

#endif
