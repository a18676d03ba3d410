/* control/envelope_raw.h: an envelope file as libcyaml reads it. A pointer is NULL where the key
 * was left out. Private to the envelope. */
#ifndef GENBA_CONTROL_ENVELOPE_RAW_H
#define GENBA_CONTROL_ENVELOPE_RAW_H

#include "base/yaml.h"
#include "control/envelope.h"

typedef struct gb_raw_backup {
    gb_backup_kind kind;
    double *to, *speed;
    unsigned to_count;
} gb_raw_backup;

typedef struct gb_raw_command {
    char *stream, *unit, *from;
    gb_command_kind kind;
    double *low, *high, *velocity, *acceleration, *jerk, *rate;
    unsigned low_count, high_count, velocity_count, acceleration_count, jerk_count, rate_count;
    gb_raw_backup *backup;
} gb_raw_command;

typedef struct gb_raw_sensor {
    char *stream, *unit;
    double max_age_ms, *stuck_ms;
    double *low, *high, *max_step, *max_force;
    unsigned low_count, high_count, max_step_count, max_force_count;
} gb_raw_sensor;

typedef struct gb_raw_timing {
    double *max_command_age_ms, *late_ms;
    int64_t *late_ticks;
} gb_raw_timing;

typedef struct gb_raw_return {
    double *good_ms, *margin;
    bool *at_rest;
} gb_raw_return;

typedef struct gb_raw_people {
    char *distance, *unit, *speed_of;
    double *footprint, separation, person_speed, reaction_ms, braking, *standing;
    double *metres; /* [metres_count] per unit of each column of speed_of */
    unsigned metres_count;
} gb_raw_people;

typedef struct gb_raw_link {
    gb_link_motion kind;
    int64_t column;
    double *axis, *at;
    unsigned axis_count, at_count;
} gb_raw_link;

typedef struct gb_raw_point {
    int64_t link;
    double *at, *radius;
    unsigned at_count;
} gb_raw_point;

typedef struct gb_raw_zone {
    gb_zone_kind kind;
    double *low, *high, *from, *to, *radius;
    unsigned low_count, high_count, from_count, to_count;
} gb_raw_zone;

typedef struct gb_raw_region {
    char *stream, *unit;
    gb_raw_link *chain;
    gb_raw_point *points;
    gb_raw_zone *allowed, *keep_out;
    unsigned chain_count, points_count, allowed_count, keep_out_count;
    double *tracking;
} gb_raw_region;

typedef struct gb_raw_envelope {
    char *machine;
    gb_raw_command *commands;
    unsigned commands_count;
    gb_raw_sensor *sensors;
    unsigned sensors_count;
    gb_raw_region *workspace;
    gb_raw_people *people;
    gb_raw_timing *timing;
    gb_raw_return *back; /* "return" */
} gb_raw_envelope;

extern const cyaml_schema_value_t gb_envelope_schema;

#endif
