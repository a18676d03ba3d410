/* Writes the stream map of arrays nobody described: one line for each, what it holds beside it. */
#include "ingest/arrays.h"

#include "ingest/guess_text.h"

#include <stdio.h>
#include <string.h>

static void add_shape(gb_guess_text *text, const gb_array *array)
{
    gb_guess_add(text, " # %s", gb_value_type_name(array->type));
    if (array->encoding[0])
        gb_guess_add(text, " (%s)", array->encoding);
    for (int i = 0; i < array->rank; i++)
        gb_guess_add(text, "%s%lld", i == 0 ? " [" : ", ", (long long)array->shape[i]);
    gb_guess_add(text, "%s, %lld rows\n", array->rank > 0 ? "]" : "", (long long)array->rows);
}

static void add_stream(gb_guess_text *text, const gb_array *array)
{
    char name[GB_STREAM_NAME_MAX + 1];
    snprintf(name, sizeof name, "%s", array->path[0] == '/' ? array->path + 1 : array->path);
    for (char *at = name; *at; at++)
        if (*at == '/')
            *at = '.';
    gb_guess_add(text, "  - {name: ");
    gb_guess_add_quoted(text, name);
    gb_guess_add(text, ", source: ");
    gb_guess_add_quoted(text, array->path);
    gb_guess_add(text, "}");
    add_shape(text, array);
}

const char *
gb_arrays_guess(const gb_arrays *arrays, int64_t rows, const char *head, gb_arena *arena)
{
    gb_guess_text text = {.arena = arena};
    gb_guess_add(&text, "%sstreams:\n", head);
    for (int i = 0; i < arrays->count; i++)
        if (!arrays->list[i].unreadable && arrays->list[i].rows == rows)
            add_stream(&text, &arrays->list[i]);
    bool said = false;
    for (int i = 0; i < arrays->count; i++) {
        const gb_array *array = &arrays->list[i];
        if (!array->unreadable && array->rows == rows)
            continue;
        if (!said)
            gb_guess_add(&text, "# left out:\n");
        said = true;
        gb_guess_add(&text, "#   ");
        gb_guess_add_quoted(&text, array->path);
        if (array->unreadable)
            gb_guess_add(&text, ": %s\n", array->unreadable);
        else
            gb_guess_add(&text, ": %lld rows, the others have %lld\n", (long long)array->rows,
                         (long long)rows);
    }
    return gb_guess_done(&text);
}
