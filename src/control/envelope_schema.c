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
    CYAML_FIELD_MAPPING_PTR("timing", OPTIONAL, gb_raw_envelope, timing, timing_fields),
    CYAML_FIELD_MAPPING_PTR("return", OPTIONAL, gb_raw_envelope, back, return_fields),
    CYAML_FIELD_END,
};
const cyaml_schema_value_t gb_envelope_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, gb_raw_envelope, envelope_fields)};
