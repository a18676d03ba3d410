/* model/config.h: the config's schema and what reads and writes it. For rooms only, not part of the
 * public interface; a recipe embeds the fields under its own key. */
#ifndef GENBA_MODEL_CONFIG_H
#define GENBA_MODEL_CONFIG_H

#include <cyaml/cyaml.h>
#include <jansson.h>

#include "genba/model.h"

/* Of gb_model_config: CYAML_FIELD_MAPPING("model", CYAML_FLAG_DEFAULT, recipe, model,
 * gb_model_config_fields). A key that is left out is 0, which stands for its default. */
extern const cyaml_schema_field_t gb_model_config_fields[];

/* Where a config was written, so that a message can name the line: path may be NULL. */
typedef struct gb_config_place {
    const char *path;
    const char *prefix; /* "model." or "" */
} gb_config_place;

/* Records "file:line: model.codec.patch: <message>" and returns GB_ERR_SCHEMA. */
gb_status gb_config_fail(const gb_config_place *place, const char *key, const char *format, ...)
    GB_PRINTF(3, 4);
/* GB_ERR_SCHEMA unless low <= value <= high. */
GB_MUST gb_status gb_config_check_range(
    const gb_config_place *place, const char *key, int64_t value, int64_t low, int64_t high);

/* Puts defaults where scalars were left out; lists belong to libcyaml and are filled in by a copy.
 */
void gb_model_config_fill_defaults(gb_model_config *config);
/* A copy with defaults filled in; free with gb_model_config_free. */
GB_MUST gb_status gb_model_config_copy(const gb_model_config *config, gb_model_config **out);

/* The config as a JSON object that the schema reads back; NULL when memory is short. The caller
 * owns the reference. */
json_t *gb_model_config_json(const gb_model_config *config);

#endif
