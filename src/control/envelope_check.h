/* control/envelope_check.h: checks that all sections of an envelope file share. Private to the
 * envelope's configuration. */
#ifndef GENBA_CONTROL_ENVELOPE_CHECK_H
#define GENBA_CONTROL_ENVELOPE_CHECK_H

#include "control/envelope_raw.h"

/* What is being checked: messages name its place in the file. */
typedef struct gb_place {
    const char *path; /* of the file */
    char key[96];     /* "commands[0]" */
    const char *stream, *unit;
    gb_arena *arena;
} gb_place;

/* GB_ERR_SCHEMA at place.key + "." + key. */
#define GB_CHECK_FAIL(p, key, ...)                                                                 \
    gb_yaml_fail_value((p)->path, gb_check_key(p, key, (char[160]){0}, 160), __VA_ARGS__)

const char *gb_check_key(const gb_place *p, const char *key, char *out, size_t bytes);
gb_status gb_check_no_memory(const gb_place *p);
/* One number for all columns, or one for each. *out is NULL when the key was left out. */
GB_MUST gb_status gb_check_spread(
    const gb_place *p, const char *key, const double *raw, unsigned count, int size, double **out);
GB_MUST gb_status gb_check_spread_positive(
    const gb_place *p, const char *key, const double *raw, unsigned count, int size, double **out);
GB_MUST gb_status gb_check_order(const gb_place *p,
                                 const double *low,
                                 const double *high,
                                 int size);
/* Milliseconds as whole nanoseconds; NULL gives `absent`. */
GB_MUST gb_status
gb_check_to_ns(const gb_place *p, const char *key, const double *ms, int64_t absent, int64_t *out);
GB_MUST gb_status gb_check_positive(const gb_place *p, const char *key, double value);
/* The machine has no such stream; lists those it has. */
gb_status gb_check_fail_stream(const gb_place *p,
                               const char *key,
                               const char *name,
                               const gb_plant_stream *streams,
                               int count,
                               const char *what);
GB_MUST gb_status gb_check_unit(const gb_place *p, const gb_plant_stream *stream, const char *unit);

/* Sections that have files of their own. */
GB_MUST gb_status gb_envelope_configure_people(gb_envelope *envelope,
                                               const char *path,
                                               const gb_raw_people *raw);
GB_MUST gb_status gb_envelope_configure_region(gb_envelope *envelope,
                                               const char *path,
                                               const gb_raw_region *raw);

#endif
