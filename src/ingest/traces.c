/* Pairs the columns of original and released recordings. What is measured on them: linkage.c and
 * forecast_cost.c. */
#include "ingest/traces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A column by name: its stream, and its label or number. */
typedef struct column_name {
    const char *stream, *label; /* label NULL: by number */
    int64_t number;
} column_name;

static bool is_numbers(const gb_stream_view *view)
{
    return view->values != NULL && view->count > 0;
}

static bool find_column(const gb_recording *recording, const column_name *name, gb_trace *out)
{
    int stream = gb_recording_find(recording, name->stream);
    const gb_stream_view *view = gb_recording_stream(recording, stream);
    *out = (gb_trace){0};
    if (!view || !is_numbers(view))
        return false;
    int64_t column = name->label && view->spec->labels ? -1 : name->number;
    for (int64_t c = 0; column < 0 && c < view->size; c++)
        if (view->spec->labels[c] && strcmp(view->spec->labels[c], name->label) == 0)
            column = c;
    if (column < 0 || column >= view->size)
        return false;
    *out = (gb_trace){view->values + column, view->size, view->count};
    return true;
}

/* All columns of numbers that the recordings have between them, at most `room`; how many. */
static int64_t name_columns(const gb_recording *const *recordings,
                            int64_t count,
                            column_name *names,
                            int64_t room,
                            int64_t *out_total)
{
    int64_t found = 0;
    *out_total = 0;
    for (int64_t r = 0; r < count; r++)
        for (int s = 0; s < gb_recording_stream_count(recordings[r]); s++) {
            const gb_stream_view *view = gb_recording_stream(recordings[r], s);
            bool known = !is_numbers(view);
            for (int64_t i = 0; !known && i < found; i++)
                known = strcmp(names[i].stream, view->spec->name) == 0;
            for (int64_t c = 0; !known && c < view->size; c++) {
                (*out_total)++;
                if (found < room)
                    names[found++] = (column_name){
                        view->spec->name, view->spec->labels ? view->spec->labels[c] : NULL, c};
            }
        }
    return found;
}

/* Is a column there in any released recording? */
static bool is_released(const gb_recording *const *released, int64_t count, const column_name *name)
{
    gb_trace trace;
    for (int64_t r = 0; r < count; r++)
        if (find_column(released[r], name, &trace))
            return true;
    return false;
}

gb_status gb_traces_create(const gb_recording *const *original,
                           const gb_recording *const *released,
                           int64_t count,
                           gb_traces *out)
{
    column_name names[GB_TRACES_COLUMNS_MAX];
    gb_traces made = {.recordings = count};
    int64_t total = 0;
    int64_t found = name_columns(original, count, names, GB_TRACES_COLUMNS_MAX, &total);
    for (int64_t i = 0; i < found; i++) {
        if (is_released(released, count, &names[i]))
            names[made.columns++] = names[i];
        else
            made.columns_lost++;
    }
    size_t cells = (size_t)(count * made.columns) + 1;
    made.original = calloc(cells, sizeof *made.original);
    made.released = calloc(cells, sizeof *made.released);
    if (!made.original || !made.released) {
        gb_traces_free(&made);
        return gb_fail(GB_ERR_MEMORY, "no memory to compare %lld recordings", (long long)count);
    }
    for (int64_t r = 0; r < count; r++)
        for (int64_t c = 0; c < made.columns; c++) {
            (void)find_column(original[r], &names[c], &made.original[r * made.columns + c]);
            (void)find_column(released[r], &names[c], &made.released[r * made.columns + c]);
        }
    *out = made;
    return GB_OK;
}

void gb_traces_free(gb_traces *traces)
{
    free(traces->original);
    free(traces->released);
    *traces = (gb_traces){0};
}
