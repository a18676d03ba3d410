/* What the streams of a policy held in training: their units, and how many actions a second. Who
 * runs it compares them with a machine's (control/policy_model.c). Nothing is converted here. */
#include "model/model.h"

#include <math.h>
#include <string.h>

#include "model/config.h"

enum {
    TEXT_MOST = 127 /* of a name or unit in a config */
};

/* The spec of a stream in the first recording of a source; NULL: it has none. */
static const gb_stream_spec *find_spec(const gb_window_index *source, const char *name)
{
    const gb_recording *first = gb_dataset_get(gb_window_index_dataset(source), 0);
    int number = first ? gb_recording_find(first, name) : -1;
    return number >= 0 ? gb_recording_stream(first, number)->spec : NULL;
}

/* NULL: not known, or sources differ. */
static const char *find_unit(gb_window_index *const *sources, int count, const char *name)
{
    const char *unit = NULL;
    for (int i = 0; i < count; i++) {
        const gb_stream_spec *spec = find_spec(sources[i], name);
        if (!spec || !spec->unit || !spec->unit[0] || strlen(spec->unit) > TEXT_MOST ||
            (unit && strcmp(unit, spec->unit) != 0))
            return NULL;
        unit = spec->unit;
    }
    return unit;
}

/* Of the streams whose future is learned; 0: not known, or they differ. */
static float find_rate(const gb_window_plan *plan, gb_window_index *const *sources, int count)
{
    double rate_hz = 0.0;
    for (int s = 0; s < plan->count; s++)
        for (int i = 0; i < count && plan->streams[s].horizon > 0; i++) {
            const gb_stream_spec *spec = find_spec(sources[i], plan->streams[s].name);
            if (!spec || !(spec->rate_hz > 0.0) ||
                (rate_hz > 0.0 && fabs(spec->rate_hz - rate_hz) > 1e-3 * rate_hz))
                return 0.0f;
            rate_hz = spec->rate_hz;
        }
    return (float)rate_hz;
}

gb_status gb_units_learn(gb_model *model, gb_window_index *const *sources, int source_count)
{
    const gb_window_plan *plan = &model->plan;
    gb_model_config with = *model->config, *copy = NULL;
    if (plan->count == 0)
        return GB_OK;
    if (with.unit_count == 0) {
        with.units = gb_arena_alloc(model->arena, (size_t)plan->count * sizeof *with.units);
        if (!with.units)
            return GB_ERR_MEMORY;
        for (int s = 0; s < plan->count; s++) {
            const char *unit = find_unit(sources, source_count, plan->streams[s].name);
            char *name = gb_arena_text(model->arena, plan->streams[s].name);
            char *text = unit ? gb_arena_text(model->arena, unit) : NULL;
            if (name && text && strlen(name) <= TEXT_MOST)
                with.units[with.unit_count++] = (gb_stream_unit){name, text};
        }
    }
    if (with.rate_hz == 0.0f && with.head.kind == GB_HEAD_FLOW)
        with.rate_hz = find_rate(plan, sources, source_count);
    GB_TRY(gb_model_config_copy(&with, &copy));
    gb_model_config_free(model->config);
    model->config = copy;
    return GB_OK;
}
