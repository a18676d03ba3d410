/* control/link_map.h: a map of a link as its YAML file says it, before it is checked
 * (link_map_schema.c reads it, link_map.c judges it). Private to the two. */
#ifndef GENBA_CONTROL_LINK_MAP_H
#define GENBA_CONTROL_LINK_MAP_H

#include "base/yaml.h"

/* NULL: the key was left out. */
typedef struct gb_raw_link_stream {
    char *name, *unit, *source_unit, *semantic, *frame;
    char *topic, *type, *field, *sequence;
    char **columns;
    uint32_t columns_count;
    int64_t *shape;
    uint32_t shape_count;
    double *low, *high;
    uint32_t low_count, high_count;
    double *scale, *offset, *wrap;
    bool hold;
} gb_raw_link_stream;

typedef struct gb_raw_link_map {
    char *name, *plant, *description, *instruction, *key;
    double *rate_hz, *action_rate_hz;
    bool simulated, shared_clock;
    gb_raw_link_stream *observations, *actions;
    uint32_t observations_count, actions_count;
} gb_raw_link_map;

extern const cyaml_schema_value_t gb_link_map_schema;

#endif
