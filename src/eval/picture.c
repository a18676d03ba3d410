/* eval/picture.c: the demo in one picture, for a README: a forecast with its bands beside frames of
 * a rollout. One SVG file with its own colours. */
#include "eval/html.h"
#include "eval/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES 4
#define WIDTH 1200
#define HEIGHT 380
#define CELL 168

static const char style[] =
    "<style>text{font:13px system-ui,-apple-system,'Segoe UI','Noto Sans',Arial,sans-serif;"
    "fill:#5d646c}.plot text{font-size:12px}.title{font-size:17px;fill:#1d2126}"
    ".grid{stroke:#e4e1d9}.tick,.axis{stroke:#9aa0a6}.mark{stroke:#9aa0a6;stroke-dasharray:2 3}"
    ".plot path{fill:none;stroke-width:1.6;stroke-linejoin:round}"
    ".plot .band-outer,.band-outer{fill:#dfecec;stroke:none}"
    ".plot .band-inner,.band-inner{fill:#b9d6d6;stroke:none}"
    ".plot .line-truth{stroke:#1d2126;stroke-width:1.2}"
    ".plot .line-came{stroke:#c4541c;stroke-width:1.4}"
    ".plot .line-forecast{stroke:#0f6b70;stroke-width:2.2}"
    ".role-wall{stroke:#e4e1d9;fill:none}.role-goal{fill:#d9c9a6;opacity:.6}"
    ".role-block{fill:#1d2126;opacity:.86}.role-agent{fill:#0f6b70}"
    ".role-target{fill:none;stroke:#c4541c}.role-other{fill:#5d646c}</style>";

static const gb_forecast_example *first_example(const gb_report *report)
{
    for (int i = 0; i < report->result_count; i++) {
        if (report->results[i]->example_count > 0)
            return &report->results[i]->examples[0];
    }
    return NULL;
}

/* The middle one of the successful episodes by length, else the best. */
static const gb_rollout *choose_episode(const gb_rollout_set *set)
{
    const gb_rollout *best = &set->episodes[0];
    for (int i = 1; i < set->count; i++) {
        const gb_rollout *e = &set->episodes[i];
        bool longer = e->steps > best->steps && e->steps < 150;
        if (e->result.score > best->result.score ||
            (e->result.score == best->result.score && longer))
            best = e;
    }
    return best;
}

static void put_shape(FILE *to, const gb_plant_shape *s)
{
    static const char *const known[] = {"wall", "goal", "block", "agent", "target"};
    const char *role = "other";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i], s->role) == 0)
            role = known[i];
    }
    if (s->kind == GB_PLANT_CIRCLE) {
        fprintf(to, "<circle class=\"role-%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"", role,
                s->points[0][0], s->points[0][1], s->radius);
        fputs(" stroke-width=\"3\"/>", to);
        return;
    }
    bool line = s->kind == GB_PLANT_LINE;
    fprintf(to, "<poly%s class=\"role-%s\"", line ? "line" : "gon", role);
    if (line)
        fprintf(to, " stroke-width=\"%.1f\"", 2.0 * s->radius);
    fputs(" points=\"", to);
    for (int i = 0; i < s->point_count; i++)
        fprintf(to, "%.1f,%.1f ", s->points[i][0], s->points[i][1]);
    fputs("\"/>", to);
}

static void
put_frame(FILE *to, const gb_plant *plant, const gb_plant_info *info, const gb_rollout *e, int n)
{
    const gb_plant_geometry *world = info->geometry;
    gb_plant_shape shapes[GB_PLANT_SHAPES_MAX];
    int step = n * e->steps / (FRAMES - 1), taken = step < e->steps ? step : e->steps - 1;
    double span = world->world_high[0] - world->world_low[0], scale = CELL / span;
    int x = 780 + n % 2 * (CELL + 32), y = 16 + n / 2 * (CELL + 14);
    fprintf(to, "<g transform=\"translate(%d %d) scale(%.5f) translate(%.1f %.1f)\">", x, y, scale,
            -world->world_low[0], -world->world_low[1]);
    int count = gb_plant_draw(plant, e->observations + step * info->observation_size,
                              e->steps ? e->actions + taken * info->action_size : NULL, shapes,
                              GB_PLANT_SHAPES_MAX);
    for (int i = 0; i < count; i++)
        put_shape(to, &shapes[i]);
    fprintf(to, "</g><text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.1f s</text>", x + CELL - 8,
            y + CELL - 8, step * (double)info->period_ns / 1e9);
}

static gb_status put_rollout(FILE *to, const gb_report *report)
{
    const gb_rollout_set *set = NULL;
    for (int i = 0; i < report->result_count && !set; i++)
        set = report->results[i]->rollouts;
    if (!set || set->count == 0)
        return GB_OK;
    gb_plant *plant = NULL;
    GB_TRY(gb_plant_create(set->plant->name, NULL, &plant));
    const gb_rollout *e = choose_episode(set);
    for (int n = 0; n < FRAMES; n++)
        put_frame(to, plant, set->plant, e, n);
    gb_plant_destroy(plant);
    return GB_OK;
}

static gb_status put_picture(FILE *to, const gb_report *report)
{
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
            "height=\"%d\">%s<rect width=\"%d\" height=\"%d\" rx=\"12\" fill=\"#faf9f6\"/>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT, style, WIDTH, HEIGHT);
    const gb_forecast_example *example = first_example(report);
    if (example) {
        fputs("<g transform=\"translate(14 22)\">", to);
        GB_TRY(gb_report_forecast_plot(to, example, 730, 340));
        fputs("</g>\n", to);
    }
    GB_TRY(put_rollout(to, report));
    fputs("</svg>\n", to);
    return GB_OK;
}

gb_status gb_report_picture(const gb_report *report, const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (!to)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for the picture", path);
    gb_status status = put_picture(to, report);
    bool whole = !ferror(to);
    whole = fclose(to) == 0 && whole;
    if (status == GB_OK && !whole)
        status = gb_fail(GB_ERR_MEMORY, "%s: no memory for the picture", path);
    if (status == GB_OK)
        status = gb_file_replace(path, text, size);
    free(text);
    return status;
}
