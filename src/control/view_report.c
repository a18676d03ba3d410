/* control/view_report.c: the record of a run as one HTML file: the viewer's own page with its data
 * inside, to be scrubbed without a server. Measures nothing itself. */
#include "control/view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SCENES_MAX 600

static bool same_shape(const gb_plant_shape *a, const gb_plant_shape *b)
{
    return a->kind == b->kind && strcmp(a->role, b->role) == 0 && a->radius == b->radius &&
           a->point_count == b->point_count &&
           memcmp(a->points, b->points, (size_t)a->point_count * sizeof a->points[0]) == 0;
}

/* Shapes that stayed since the scene before, at the same place of the list, are 0. */
static void put_scene(FILE *to, const gb_plant_shape *shapes, int count, gb_plant_shape *before)
{
    fputc('[', to);
    for (int s = 0; s < count; s++) {
        fputs(s ? "," : "", to);
        if (before[s].role && same_shape(&shapes[s], &before[s]))
            fputc('0', to);
        else
            gb_view_json_shape(to, &shapes[s]);
        before[s] = shapes[s];
    }
    fputc(']', to);
}

/* Whether the last values of a bucket are a whole observation; then writes it as doubles. */
static bool observation_of(const gb_view *view, const float *last, double *observation)
{
    for (int i = 0; i < view->columns.observation_count; i++) {
        if (!isfinite(last[i]))
            return false;
        observation[view->columns.source[i]] = (double)last[i];
    }
    return view->columns.observation_count == view->columns.observation_size;
}

static void put_scenes(FILE *to, const gb_view *view)
{
    const gb_view_trace *kept = &view->kept;
    int every = (kept->count + SCENES_MAX - 1) / SCENES_MAX;
    int n = view->columns.action_size, observed = view->columns.observation_count;
    gb_plant_shape *before = calloc(GB_PLANT_SHAPES_MAX, sizeof *before);
    double *numbers = calloc((size_t)view->columns.observation_size + (size_t)n, sizeof *numbers);
    fprintf(to, ",\"every\":%d,\"scenes\":[", every > 0 ? every : 1);
    for (int i = 0; before && numbers && view->plant && i < kept->count; i += every) {
        const float *last = gb_view_trace_values(kept, i) + 2 * kept->columns;
        double *command = numbers + view->columns.observation_size;
        bool whole = observation_of(view, last, numbers), commanded = true;
        for (int c = 0; c < n; c++) {
            command[c] = (double)last[observed + n + c];
            commanded = commanded && isfinite(command[c]);
        }
        int count = whole ? gb_plant_draw(view->plant, numbers, commanded ? command : NULL,
                                          view->shapes, GB_PLANT_SHAPES_MAX)
                          : 0;
        fputs(i ? ",\n" : "", to);
        put_scene(to, view->shapes, count, before);
    }
    fputc(']', to);
    free(before);
    free(numbers);
}

static void put_report(FILE *to, const gb_view *view)
{
    fputs("{\"live\":false,", to);
    gb_view_json_machine(to, view);
    fprintf(to, ",\"kept\":%.9g,\"sums\":", (double)view->kept_ns / 1e9);
    gb_view_json_sums(to, view);
    fputs(",\"events\":", to);
    gb_view_json_events(to, view, 0);
    fprintf(to, ",\"events_beyond\":%lld,\"rows\":", (long long)view->events->beyond);
    gb_view_json_buckets(to, view, &view->kept, 0, view->kept.count, true);
    put_scenes(to, view);
    fputs("}", to);
}

gb_status gb_view_report(const gb_view *view, const char *path)
{
    char *text;
    size_t size;
    GB_TRY(gb_view_page(view, put_report, &text, &size));
    gb_status status = gb_file_replace(path, text, size);
    free(text);
    return status == GB_OK ? GB_OK : gb_fail_context(status, "report of the run");
}
