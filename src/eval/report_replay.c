/* eval/report_replay.c: episodes of a plant, to be played and scrubbed. Any plant: the frames are
 * its own drawing primitives. Coordinates are sent as differences of whole 1/4000ths of the world,
 * which keeps fifty episodes below half a megabyte. */
#include "eval/html.h"
#include "eval/report.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define GRID 4000.0
#define EPISODES_MAX 100

typedef struct painter {
    const gb_rollout_set *set;
    gb_plant *plant; /* only draws */
    gb_plant_shape shapes[GB_PLANT_SHAPES_MAX], first[GB_PLANT_SHAPES_MAX];
    bool moves[GB_PLANT_SHAPES_MAX];
    int shape_count;
} painter;

/* ---- frames -----------------------------------------------------------------------------------
 */

/* The shapes at step `step`, with the action that is about to be taken. */
static int draw(painter *p, const gb_rollout *e, int step)
{
    const gb_plant_info *info = p->set->plant;
    int last = e->steps - 1, taken = step < last ? step : last;
    const double *action =
        e->steps > 0 ? e->actions + (size_t)taken * (size_t)info->action_size : NULL;
    return gb_plant_draw(p->plant, e->observations + (size_t)step * (size_t)info->observation_size,
                         action, p->shapes, GB_PLANT_SHAPES_MAX);
}

/* Which shapes ever move, over all episodes. */
static void find_moving(painter *p)
{
    p->shape_count = draw(p, &p->set->episodes[0], 0);
    memcpy(p->first, p->shapes, sizeof p->first);
    for (int i = 0; i < p->set->count; i++) {
        const gb_rollout *e = &p->set->episodes[i];
        for (int step = 0; step <= e->steps; step++) {
            int count = draw(p, e, step);
            p->shape_count = count < p->shape_count ? count : p->shape_count;
            for (int s = 0; s < p->shape_count; s++) {
                if (memcmp(p->shapes[s].points, p->first[s].points,
                           (size_t)p->first[s].point_count * sizeof p->first[s].points[0]) != 0)
                    p->moves[s] = true;
            }
        }
    }
}

static int on_grid(const gb_plant_geometry *world, double value, int axis)
{
    double scale = GRID / (world->world_high[0] - world->world_low[0]);
    return (int)lround((value - world->world_low[axis]) * scale);
}

static void put_points(FILE *to, const gb_plant_geometry *world, const gb_plant_shape *shape)
{
    fputc('[', to);
    for (int i = 0; i < shape->point_count; i++)
        fprintf(to, "%s%d,%d", i ? "," : "", on_grid(world, shape->points[i][0], 0),
                on_grid(world, shape->points[i][1], 1));
    fputc(']', to);
}

static void put_shapes(FILE *to, const painter *p)
{
    static const char *const kinds[] = {"polygon", "circle", "line"};
    const gb_plant_geometry *world = p->set->plant->geometry;
    double scale = GRID / (world->world_high[0] - world->world_low[0]);
    fputs("\"shapes\":[", to);
    for (int s = 0; s < p->shape_count; s++) {
        const gb_plant_shape *shape = &p->first[s];
        fprintf(to, "%s{\"kind\":\"%s\",\"role\":", s ? "," : "", kinds[shape->kind]);
        gb_html_json_text(to, shape->role);
        fprintf(to, ",\"radius\":%.0f,\"moves\":%s,\"points\":", scale * shape->radius,
                p->moves[s] ? "true" : "false");
        put_points(to, world, shape);
        fputc('}', to);
    }
    fputs("]", to);
}

/* Frame after frame, the coordinates of the moving shapes less those of the frame before. */
static void put_frames(FILE *to, painter *p, const gb_rollout *e)
{
    const gb_plant_geometry *world = p->set->plant->geometry;
    int before[GB_PLANT_SHAPES_MAX * GB_PLANT_SHAPE_POINTS * 2] = {0};
    fputs("\"frames\":[", to);
    for (int step = 0; step <= e->steps; step++) {
        int n = 0;
        draw(p, e, step);
        for (int s = 0; s < p->shape_count; s++) {
            for (int i = 0; p->moves[s] && i < 2 * p->shapes[s].point_count; i++, n++) {
                int now = on_grid(world, p->shapes[s].points[i / 2][i % 2], i % 2);
                fprintf(to, "%s%d", step || n ? "," : "", now - before[n]);
                before[n] = now;
            }
        }
    }
    fputc(']', to);
}

static void put_episode(FILE *to, painter *p, const gb_rollout *e)
{
    fprintf(to,
            "{\"seed\":%llu,\"steps\":%d,\"success\":%s,\"score\":", (unsigned long long)e->seed,
            e->steps, e->result.success ? "true" : "false");
    gb_html_json_number(to, e->result.score, 4);
    fputs(",\"best\":", to);
    gb_html_json_number(to, e->result.max_progress, 4);
    fputs(",\"progress\":[", to);
    for (int i = 0; i <= e->steps; i++) {
        if (i)
            fputc(',', to);
        gb_html_json_number(to, e->progress[i], 3);
    }
    fputs("],\"reward\":[", to);
    for (int i = 0; i <= e->steps; i++) {
        if (i)
            fputc(',', to);
        gb_html_json_number(to, e->rewards[i], 3);
    }
    fputs("],", to);
    put_frames(to, p, e);
    fputs("}", to);
}

static void put_data(FILE *to, painter *p, int number)
{
    const gb_plant_info *info = p->set->plant;
    const gb_plant_geometry *world = info->geometry;
    double height = GRID * (world->world_high[1] - world->world_low[1]) /
                    (world->world_high[0] - world->world_low[0]);
    fprintf(to,
            "<script type=\"application/json\" id=\"replay-data-%d\">{\"width\":%.0f,"
            "\"height\":%.0f,\"period\":%.4g,\"threshold\":%.4g,\"progress_name\":",
            number, GRID, height, (double)info->period_ns / 1e9, info->success_above);
    gb_html_json_text(to, info->progress_name);
    fputc(',', to);
    put_shapes(to, p);
    fputs(",\"episodes\":[", to);
    for (int i = 0; i < p->set->count && i < EPISODES_MAX; i++) {
        if (i)
            fputs(",\n", to);
        put_episode(to, p, &p->set->episodes[i]);
    }
    fputs("]}</script>\n", to);
}

/* ---- the section ------------------------------------------------------------------------------
 */

static void put_player(FILE *to, int number)
{
    fprintf(to,
            "<div class=\"replay\" data-replay=\"replay-data-%d\">"
            "<div class=\"stage\"><svg class=\"world\" role=\"img\"><title>The machine</title>"
            "</svg><div class=\"controls\"><button type=\"button\" class=\"play\" "
            "aria-label=\"play or pause\">&#9654;</button><input type=\"range\" min=\"0\" "
            "value=\"0\" step=\"1\" aria-label=\"step\"><button type=\"button\" class=\"speed\" "
            "aria-label=\"speed\">1&#215;</button></div></div>"
            "<div class=\"side\"><div class=\"picks\"></div><dl class=\"readout\"></dl>"
            "<svg class=\"trace\" viewBox=\"0 0 520 170\" role=\"img\"><title>Reward over the "
            "episode</title></svg>"
            "<p class=\"caption\">Score of every episode in the order of seeds. Green reached its "
            "goal, orange did not. Choose one to watch it.</p>"
            "<div class=\"bars\"></div></div></div>\n",
            number);
}

static gb_status put_set(FILE *to, const gb_suite_result *result, int number)
{
    painter *p = calloc(1, sizeof *p);
    if (!p)
        return gb_fail(GB_ERR_MEMORY, "report: no memory to draw episodes");
    p->set = result->rollouts;
    gb_status status = gb_plant_create(p->set->plant->name, NULL, &p->plant);
    if (status == GB_OK) {
        find_moving(p);
        fputs("<p class=\"sentence\">", to);
        gb_html_text(to, p->set->plant->summary);
        fputs(".</p>\n", to);
        put_player(to, number);
        put_data(to, p, number);
    }
    gb_plant_destroy(p->plant);
    free(p);
    return status;
}

gb_status gb_report_replay(FILE *to, const gb_report *report)
{
    bool begun = false;
    for (int i = 0; i < report->result_count; i++) {
        const gb_suite_result *result = report->results[i];
        if (!result->rollouts || result->rollouts->count == 0)
            continue;
        if (!begun)
            fputs("<section id=\"control\"><h2>The machine in closed loop</h2>\n", to);
        begun = true;
        GB_TRY(put_set(to, result, i));
    }
    if (begun)
        fputs("<noscript><p>The replay needs JavaScript, which stays inside this page.</p>"
              "</noscript></section>\n",
              to);
    return GB_OK;
}
