/* control/envelope_schema.c: the keys of an envelope file. What they mean: docs/safety.md. What no
 * schema can judge is checked in envelope_config.c. */
#include "control/envelope_raw.h"

#define OPTIONAL (CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER)
#define NAME_MAX 127

static const cyaml_strval_t command_kinds[] = {{"position", GB_COMMAND_POSITION},
                                               {"velocity", GB_COMMAND_VELOCITY},
                                               {"force", GB_COMMAND_FORCE}};
static const cyaml_strval_t backup_kinds[] = {
    {"hold", GB_BACKUP_HOLD}, {"brake", GB_BACKUP_BRAKE}, {"retreat", GB_BACKUP_RETREAT}};
static const cyaml_strval_t link_kinds[] = {{"turn", GB_LINK_TURN}, {"slide", GB_LINK_SLIDE}};
static const cyaml_strval_t zone_kinds[] = {{"box", GB_ZONE_BOX}, {"cylinder", GB_ZONE_CYLINDER}};

static const cyaml_schema_value_t number = {CYAML_VALUE_FLOAT(CYAML_FLAG_DEFAULT, double)};

#define TEXT(key, type, member)                                                                    \
    CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER, type, member, 1, NAME_MAX)
/* One number for all columns, or one for each. */
#define NUMBERS(key, flags, type, member)                                                          \
    CYAML_FIELD_SEQUENCE(key, (flags) | CYAML_FLAG_POINTER, type, member, &number, 1, 4096)

static const cyaml_schema_field_t backup_fields[] = {
    CYAML_FIELD_ENUM("kind",
                     CYAML_FLAG_DEFAULT,
                     gb_raw_backup,
                     kind,
                     backup_kinds,
                     CYAML_ARRAY_LEN(backup_kinds)),
    NUMBERS("to", OPTIONAL, gb_raw_backup, to),
    CYAML_FIELD_FLOAT_PTR("speed", OPTIONAL, gb_raw_backup, speed),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t command_fields[] = {
    TEXT("stream", gb_raw_command, stream),
    CYAML_FIELD_ENUM("kind",
                     CYAML_FLAG_DEFAULT,
                     gb_raw_command,
                     kind,
                     command_kinds,
                     CYAML_ARRAY_LEN(command_kinds)),
    TEXT("unit", gb_raw_command, unit),
    CYAML_FIELD_STRING_PTR("from", OPTIONAL, gb_raw_command, from, 1, NAME_MAX),
    NUMBERS("low", 0, gb_raw_command, low),
    NUMBERS("high", 0, gb_raw_command, high),
    NUMBERS("velocity", OPTIONAL, gb_raw_command, velocity),
    NUMBERS("acceleration", OPTIONAL, gb_raw_command, acceleration),
    NUMBERS("jerk", OPTIONAL, gb_raw_command, jerk),
    NUMBERS("rate", OPTIONAL, gb_raw_command, rate),
    CYAML_FIELD_MAPPING_PTR("backup", OPTIONAL, gb_raw_command, backup, backup_fields),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t command = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, gb_raw_command, command_fields)};

static const cyaml_schema_field_t sensor_fields[] = {
    TEXT("stream", gb_raw_sensor, stream),
    TEXT("unit", gb_raw_sensor, unit),
    CYAML_FIELD_FLOAT("max_age_ms", CYAML_FLAG_DEFAULT, gb_raw_sensor, max_age_ms),
    CYAML_FIELD_FLOAT_PTR("stuck_ms", OPTIONAL, gb_raw_sensor, stuck_ms),
    NUMBERS("low", OPTIONAL, gb_raw_sensor, low),
    NUMBERS("high", OPTIONAL, gb_raw_sensor, high),
    NUMBERS("max_step", OPTIONAL, gb_raw_sensor, max_step),
    NUMBERS("max_force", OPTIONAL, gb_raw_sensor, max_force),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t sensor = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, gb_raw_sensor, sensor_fields)};

#define THREE(key, flags, type, member)                                                            \
    CYAML_FIELD_SEQUENCE(key, (flags) | CYAML_FLAG_POINTER, type, member, &number, 3, 3)

static const cyaml_schema_field_t link_fields[] = {
    CYAML_FIELD_ENUM(
        "kind", CYAML_FLAG_DEFAULT, gb_raw_link, kind, link_kinds, CYAML_ARRAY_LEN(link_kinds)),
    CYAML_FIELD_INT("column", CYAML_FLAG_DEFAULT, gb_raw_link, column),
    THREE("axis", 0, gb_raw_link, axis),
    THREE("at", OPTIONAL, gb_raw_link, at),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t link_value = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, gb_raw_link, link_fields)};

static const cyaml_schema_field_t point_fields[] = {
    CYAML_FIELD_INT("link", CYAML_FLAG_DEFAULT, gb_raw_point, link),
    THREE("at", OPTIONAL, gb_raw_point, at),
    CYAML_FIELD_FLOAT_PTR("radius", OPTIONAL, gb_raw_point, radius),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t point = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, gb_raw_point, point_fields)};

static const cyaml_schema_field_t zone_fields[] = {
    CYAML_FIELD_ENUM(
        "kind", CYAML_FLAG_DEFAULT, gb_raw_zone, kind, zone_kinds, CYAML_ARRAY_LEN(zone_kinds)),
    THREE("low", OPTIONAL, gb_raw_zone, low),
    THREE("high", OPTIONAL, gb_raw_zone, high),
    THREE("from", OPTIONAL, gb_raw_zone, from),
    THREE("to", OPTIONAL, gb_raw_zone, to),
    CYAML_FIELD_FLOAT_PTR("radius", OPTIONAL, gb_raw_zone, radius),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t zone = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, gb_raw_zone, zone_fields)};

static const cyaml_schema_field_t region_fields[] = {
    TEXT("stream", gb_raw_region, stream),
    TEXT("unit", gb_raw_region, unit),
    CYAML_FIELD_SEQUENCE(
        "chain", CYAML_FLAG_POINTER, gb_raw_region, chain, &link_value, 1, GB_LINKS_MAX),
    CYAML_FIELD_SEQUENCE(
        "points", CYAML_FLAG_POINTER, gb_raw_region, points, &point, 1, GB_POINTS_MAX),
    CYAML_FIELD_SEQUENCE("allowed", OPTIONAL, gb_raw_region, allowed, &zone, 1, GB_ZONES_MAX),
    CYAML_FIELD_SEQUENCE("keep_out", OPTIONAL, gb_raw_region, keep_out, &zone, 1, GB_ZONES_MAX),
    CYAML_FIELD_FLOAT_PTR("tracking", OPTIONAL, gb_raw_region, tracking),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t people_fields[] = {
    TEXT("distance", gb_raw_people, distance),
    TEXT("unit", gb_raw_people, unit),
    CYAML_FIELD_FLOAT_PTR("footprint", OPTIONAL, gb_raw_people, footprint),
    CYAML_FIELD_FLOAT("separation", CYAML_FLAG_DEFAULT, gb_raw_people, separation),
    CYAML_FIELD_FLOAT("person_speed", CYAML_FLAG_DEFAULT, gb_raw_people, person_speed),
    CYAML_FIELD_FLOAT("reaction_ms", CYAML_FLAG_DEFAULT, gb_raw_people, reaction_ms),
    CYAML_FIELD_FLOAT("braking", CYAML_FLAG_DEFAULT, gb_raw_people, braking),
    CYAML_FIELD_FLOAT_PTR("standing", OPTIONAL, gb_raw_people, standing),
    TEXT("speed_of", gb_raw_people, speed_of),
    NUMBERS("per_unit", 0, gb_raw_people, metres),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t timing_fields[] = {
    CYAML_FIELD_FLOAT_PTR("max_command_age_ms", OPTIONAL, gb_raw_timing, max_command_age_ms),
    CYAML_FIELD_FLOAT_PTR("late_ms", OPTIONAL, gb_raw_timing, late_ms),
    CYAML_FIELD_INT_PTR("late_ticks", OPTIONAL, gb_raw_timing, late_ticks),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t return_fields[] = {
    CYAML_FIELD_FLOAT_PTR("good_ms", OPTIONAL, gb_raw_return, good_ms),
    CYAML_FIELD_BOOL_PTR("at_rest", OPTIONAL, gb_raw_return, at_rest),
    CYAML_FIELD_FLOAT_PTR("margin", OPTIONAL, gb_raw_return, margin),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t envelope_fields[] = {
    TEXT("machine", gb_raw_envelope, machine),
    CYAML_FIELD_SEQUENCE(
        "commands", CYAML_FLAG_POINTER, gb_raw_envelope, commands, &command, 1, 64),
    CYAML_FIELD_SEQUENCE("sensors", CYAML_FLAG_POINTER, gb_raw_envelope, sensors, &sensor, 1, 256),
    CYAML_FIELD_MAPPING_PTR("workspace", OPTIONAL, gb_raw_envelope, workspace, region_fields),
    CYAML_FIELD_MAPPING_PTR("people", OPTIONAL, gb_raw_envelope, people, people_fields),
    CYAML_FIELD_MAPPING_PTR("timing", OPTIONAL, gb_raw_envelope, timing, timing_fields),
    CYAML_FIELD_MAPPING_PTR("return", OPTIONAL, gb_raw_envelope, back, return_fields),
    CYAML_FIELD_END,
};
const cyaml_schema_value_t gb_envelope_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, gb_raw_envelope, envelope_fields)};
