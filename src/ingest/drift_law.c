/* The law between two clocks: fitting a line that a third of wrong points does not move, applying
 * it, and the list of laws. Where points come from is in drift_stamps.c and drift_lag.c. */
#include "ingest/drift.h"

#include "ingest/units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double gb_drift_median(double *values, int64_t count)
{
    if (count == 0)
        return NAN;
    qsort(values, (size_t)count, sizeof *values, compare);
    double upper = values[count / 2];
    return count % 2 ? upper : (values[count / 2 - 1] + upper) / 2;
}

/* The median of the slopes from point i to all others, for every i, then the median of those
 * (Siegel's repeated median): as robust as Theil and Sen's, in memory for one row of slopes. */
static double fit_rate(const gb_drift_point *points, int count)
{
    double slopes[GB_DRIFT_POINTS], medians[GB_DRIFT_POINTS];
    int64_t median_count = 0;
    for (int i = 0; i < count; i++) {
        int64_t slope_count = 0;
        for (int j = 0; j < count; j++)
            if (points[i].x != points[j].x)
                slopes[slope_count++] = (points[j].y - points[i].y) / (points[j].x - points[i].x);
        if (slope_count > 0)
            medians[median_count++] = gb_drift_median(slopes, slope_count);
    }
    return median_count > 0 ? gb_drift_median(medians, median_count) : 0;
}

void gb_drift_fit(
    const gb_drift_point *points, int count, double *offset, double *rate, double *residual)
{
    double left[GB_DRIFT_POINTS];
    *rate = fit_rate(points, count);
    for (int i = 0; i < count; i++)
        left[i] = points[i].y - *rate * points[i].x;
    *offset = count > 0 ? gb_drift_median(left, count) : 0;
    for (int i = 0; i < count; i++)
        left[i] = fabs(points[i].y - *rate * points[i].x - *offset);
    *residual = count > 0 ? 1.4826 * gb_drift_median(left, count) : 0;
}

int64_t gb_drift_apply(const gb_drift_law *law, int64_t device_ns)
{
    double since = (double)device_ns - (double)law->from_ns, moved = law->rate * since;
    double whole = (double)device_ns + (double)law->shift_ns + moved;
    if (!(fabs(whole) < 9.2e18))
        return device_ns; /* beyond 64 bits: nothing a clock says */
    return (int64_t)((uint64_t)device_ns + (uint64_t)law->shift_ns + (uint64_t)llround(moved));
}

/* ---- the list ---------------------------------------------------------------------------------
 */

void gb_drift_tracks_free(gb_drift_tracks *tracks)
{
    for (int i = 0; i < tracks->count; i++) {
        free(tracks->tracks[i].recording);
        free(tracks->tracks[i].laws);
    }
    free(tracks->tracks);
    *tracks = (gb_drift_tracks){0};
}

const gb_drift_track *
gb_drift_find(const gb_drift_tracks *tracks, const char *recording, uint32_t drift)
{
    for (int i = 0; i < tracks->count; i++)
        if (tracks->tracks[i].drift == drift && strcmp(tracks->tracks[i].recording, recording) == 0)
            return &tracks->tracks[i];
    return NULL;
}

/* ---- stamps -----------------------------------------------------------------------------------
 */

bool gb_drift_is_stamps(const gb_stream_map *map, const gb_map_drift *drift, const char *stream)
{
    const gb_map_data *data = map->data;
    if (!drift->column)
        return false;
    if (strcmp(stream, drift->column) == 0)
        return true;
    for (uint32_t i = 0; i < data->streams_count; i++)
        if (strcmp(data->streams[i].name, stream) == 0)
            return data->streams[i].columns_count == 1 &&
                   strcmp(data->streams[i].columns[0], drift->column) == 0;
    return false;
}

gb_status gb_drift_stamp_unit(const gb_stream_map *map, const gb_stream_spec *spec, double *out_ns)
{
    const char *unit =
        spec->unit && spec->unit[0] && strcmp(spec->unit, "1") != 0 ? spec->unit : "s";
    double scale, offset;
    if (spec->value_type == GB_VALUE_F32 || spec->value_type == GB_VALUE_BYTES ||
        gb_stream_spec_size(spec) != 1)
        return gb_fail(GB_ERR_SCHEMA,
                       "%s: stream %s holds a device's stamps; expected one number a row, of "
                       "value_type f64 or an integer (f32 has too few digits)",
                       map->origin, spec->name);
    gb_status status = gb_unit_convert(unit, "ns", &scale, &offset);
    if (status == GB_ERR_UNSUPPORTED)
        return status;
    if (status != GB_OK)
        return gb_fail_context(GB_ERR_SCHEMA, "%s: stream %s holds a device's stamps", map->origin,
                               spec->name);
    *out_ns = scale;
    return GB_OK;
}
