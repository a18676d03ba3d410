/* control/envelope_check.c: the checks that all sections of an envelope file share, with messages
 * that name file, line, stream and unit. */
#include "control/envelope_check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *gb_check_key(const gb_place *p, const char *key, char *out, size_t bytes)
{
    snprintf(out, bytes, "%s%s%s", p->key, key[0] ? "." : "", key);
    return out;
}

gb_status gb_check_no_memory(const gb_place *p)
{
    return gb_fail(GB_ERR_MEMORY, "%s: no memory for the envelope", p->path);
}

/* ---- numbers ------------------------------------------------------------------------------------
 */

/* One number for all columns, or one for each. *out is NULL when the key was left out. */
gb_status gb_check_spread(
    const gb_place *p, const char *key, const double *raw, unsigned count, int size, double **out)
{
    *out = NULL;
    if (!raw)
        return GB_OK;
    if (count != 1 && count != (unsigned)size)
        return GB_CHECK_FAIL(p, key,
                             "stream %s has %d column%s (%s); give 1 number for all or %d, not %u",
                             p->stream, size, size == 1 ? "" : "s", p->unit, size, count);
    double *values = gb_arena_alloc(p->arena, (size_t)size * sizeof *values);
    if (!values)
        return gb_check_no_memory(p);
    for (int i = 0; i < size; i++) {
        values[i] = raw[count == 1 ? 0 : i];
        if (!isfinite(values[i]) || fabs(values[i]) > 1e15)
            return GB_CHECK_FAIL(p, key, "expected numbers up to 1e15 in %s", p->unit);
    }
    *out = values;
    return GB_OK;
}

gb_status gb_check_spread_positive(
    const gb_place *p, const char *key, const double *raw, unsigned count, int size, double **out)
{
    GB_TRY(gb_check_spread(p, key, raw, count, size, out));
    for (int i = 0; *out && i < size; i++)
        if (!((*out)[i] > 1e-12))
            return GB_CHECK_FAIL(p, key, "stream %s: a limit must be positive, column %d has %g",
                                 p->stream, i, (*out)[i]);
    return GB_OK;
}

gb_status gb_check_order(const gb_place *p, const double *low, const double *high, int size)
{
    for (int i = 0; low && high && i < size; i++)
        if (!(low[i] < high[i]))
            return GB_CHECK_FAIL(
                p, "high",
                "stream %s, column %d: low %g is not below high %g (%s); these limits "
                "contradict each other",
                p->stream, i, low[i], high[i], p->unit);
    return GB_OK;
}

/* Milliseconds as whole nanoseconds; NULL gives `absent`. */
gb_status
gb_check_to_ns(const gb_place *p, const char *key, const double *ms, int64_t absent, int64_t *out)
{
    if (ms && !(*ms > 0.0 && *ms <= 1e9))
        return GB_CHECK_FAIL(p, key, "expected milliseconds above 0, at most 1e9, found %g", *ms);
    *out = ms ? (int64_t)(*ms * 1e6) : absent;
    return GB_OK;
}

gb_status gb_check_positive(const gb_place *p, const char *key, double value)
{
    return value > 1e-9 && value < 1e9
               ? GB_OK
               : GB_CHECK_FAIL(p, key, "expected a number above 0, found %g", value);
}

/* ---- streams ------------------------------------------------------------------------------------
 */

gb_status gb_check_fail_stream(const gb_place *p,
                               const char *key,
                               const char *name,
                               const gb_plant_stream *streams,
                               int count,
                               const char *what)
{
    char list[512] = "";
    for (int i = 0; i < count; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", streams[i].spec.name);
    }
    return GB_CHECK_FAIL(p, key, "the machine has no %s stream \"%s\"; it has: %s", what, name,
                         list);
}

gb_status gb_check_unit(const gb_place *p, const gb_plant_stream *stream, const char *unit)
{
    const char *actual = stream->spec.unit ? stream->spec.unit : "";
    if (strcmp(actual, unit) == 0)
        return GB_OK;
    return GB_CHECK_FAIL(
        p, "unit", "stream %s is in \"%s\", not \"%s\"; write the limits in \"%s\" and say so here",
        p->stream, actual, unit, actual);
}
