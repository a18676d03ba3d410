/* control/link_map_schema.c: which keys a map of a link has and what they may hold. What a schema
 * cannot say is checked in link_map.c. */
#include "control/link_map.h"

#include "genba/record.h"

#define OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
enum {
    TEXT_BYTES = 512,
    COLUMNS_MOST = 65536
};

static const cyaml_schema_value_t text = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, TEXT_BYTES)};
static const cyaml_schema_value_t number = {CYAML_VALUE_FLOAT(CYAML_FLAG_DEFAULT, double)};
static const cyaml_schema_value_t whole = {CYAML_VALUE_INT(CYAML_FLAG_DEFAULT, int64_t)};

#define TEXT(key, type, field) CYAML_FIELD_STRING_PTR(key, OPTIONAL, type, field, 1, TEXT_BYTES)

static const cyaml_schema_field_t stream_fields[] = {
    CYAML_FIELD_STRING_PTR(
        "name", CYAML_FLAG_POINTER, gb_raw_link_stream, name, 1, GB_STREAM_NAME_MAX),
    TEXT("unit", gb_raw_link_stream, unit),
    TEXT("source_unit", gb_raw_link_stream, source_unit),
    TEXT("semantic", gb_raw_link_stream, semantic),
    TEXT("frame", gb_raw_link_stream, frame),
    TEXT("topic", gb_raw_link_stream, topic),
    TEXT("type", gb_raw_link_stream, type),
    TEXT("field", gb_raw_link_stream, field),
    TEXT("sequence", gb_raw_link_stream, sequence),
    CYAML_FIELD_SEQUENCE("columns", OPTIONAL, gb_raw_link_stream, columns, &text, 1, COLUMNS_MOST),
    CYAML_FIELD_SEQUENCE(
        "shape", OPTIONAL, gb_raw_link_stream, shape, &whole, 1, GB_STREAM_RANK_MAX),
    CYAML_FIELD_SEQUENCE("low", OPTIONAL, gb_raw_link_stream, low, &number, 1, COLUMNS_MOST),
    CYAML_FIELD_SEQUENCE("high", OPTIONAL, gb_raw_link_stream, high, &number, 1, COLUMNS_MOST),
    CYAML_FIELD_FLOAT_PTR("scale", OPTIONAL, gb_raw_link_stream, scale),
    CYAML_FIELD_FLOAT_PTR("offset", OPTIONAL, gb_raw_link_stream, offset),
    CYAML_FIELD_FLOAT_PTR("wrap", OPTIONAL, gb_raw_link_stream, wrap),
    CYAML_FIELD_BOOL("hold", CYAML_FLAG_OPTIONAL, gb_raw_link_stream, hold),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t stream = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, gb_raw_link_stream, stream_fields)};

static const cyaml_schema_field_t map_fields[] = {
    CYAML_FIELD_STRING_PTR("name", OPTIONAL, gb_raw_link_map, name, 1, GB_STREAM_NAME_MAX),
    TEXT("plant", gb_raw_link_map, plant),
    TEXT("description", gb_raw_link_map, description),
    TEXT("instruction", gb_raw_link_map, instruction),
    TEXT("key", gb_raw_link_map, key),
    CYAML_FIELD_FLOAT_PTR("rate_hz", OPTIONAL, gb_raw_link_map, rate_hz),
    CYAML_FIELD_FLOAT_PTR("action_rate_hz", OPTIONAL, gb_raw_link_map, action_rate_hz),
    CYAML_FIELD_BOOL("simulated", CYAML_FLAG_OPTIONAL, gb_raw_link_map, simulated),
    CYAML_FIELD_BOOL("shared_clock", CYAML_FLAG_OPTIONAL, gb_raw_link_map, shared_clock),
    CYAML_FIELD_SEQUENCE(
        "observations", OPTIONAL, gb_raw_link_map, observations, &stream, 1, GB_STREAMS_MAX),
    CYAML_FIELD_SEQUENCE("actions", OPTIONAL, gb_raw_link_map, actions, &stream, 1, GB_STREAMS_MAX),
    CYAML_FIELD_END,
};
const cyaml_schema_value_t gb_link_map_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, gb_raw_link_map, map_fields)};
