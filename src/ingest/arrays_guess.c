/* Writes the stream map of arrays nobody described: one line for each, what it holds beside it. */
#include "ingest/arrays.h"

#include <stdio.h>
#include <string.h>

static void put_text(gb_yaml_out *out, const char *text)
{
    gb_yaml_put_text(out, text, strlen(text));
}

void gb_guess_put_head(gb_yaml_out *out, const char *path, const char *reader, const char *pattern)
{
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    const char *dot = strrchr(file, '.');
    size_t size = dot && dot > file ? (size_t)(dot - file) : strlen(file);
    gb_yaml_put(out, "# Proposed for ");
    gb_yaml_put_plain(out, file, strlen(file));
    gb_yaml_put(out, "; docs/formats.md says what each line does.\nname: ");
    gb_yaml_put_text(out, file, size < GB_STREAM_NAME_MAX ? size : GB_STREAM_NAME_MAX - 1);
    gb_yaml_put(out, "\nreader: %s\nfiles: [", reader);
    char ending[64] = "*";
    if (!pattern && dot && dot > file && strlen(dot) < sizeof ending - 1)
        snprintf(ending, sizeof ending, "*%s", dot);
    put_text(out, pattern ? pattern : ending);
    gb_yaml_put(out, "]\n");
}

static void put_shape(gb_yaml_out *out, const gb_array *array)
{
    gb_yaml_put(out, " # %s", gb_value_type_name(array->type));
    if (array->encoding[0])
        gb_yaml_put(out, " (%s)", array->encoding);
    for (int i = 0; i < array->rank; i++)
        gb_yaml_put(out, "%s%lld", i == 0 ? " [" : ", ", (long long)array->shape[i]);
    gb_yaml_put(out, "%s, ", array->rank > 0 ? "]" : "");
    gb_yaml_put_count(out, array->rows);
    gb_yaml_put(out, " rows\n");
}

static void put_stream(gb_yaml_out *out, const gb_array *array)
{
    char name[GB_STREAM_NAME_MAX];
    snprintf(name, sizeof name, "%s", array->path[0] == '/' ? array->path + 1 : array->path);
    for (char *at = name; *at; at++)
        if (*at == '/')
            *at = '.';
    gb_yaml_put(out, "  - {name: ");
    put_text(out, name);
    gb_yaml_put(out, ", source: ");
    put_text(out, array->path);
    gb_yaml_put(out, "}");
    put_shape(out, array);
}

static void put_left_out(gb_yaml_out *out, const gb_array *array, int64_t rows)
{
    gb_yaml_put(out, "#   ");
    gb_yaml_put_plain(out, array->path, strlen(array->path));
    if (array->unreadable)
        gb_yaml_put(out, ": %s\n", array->unreadable);
    else
        gb_yaml_put(out, ": %lld rows, the others have %lld\n", (long long)array->rows,
                    (long long)rows);
}

const char *gb_arrays_guess_time(const gb_arrays *arrays, int64_t rows)
{
    static const char *const words[] = {"time",   "times", "timestamp", "timestamps",
                                        "time_s", "t",     "stamp",     "time_ns"};
    for (int i = 0; i < arrays->count; i++) {
        const gb_array *array = &arrays->list[i];
        const char *slash = strrchr(array->path, '/'), *name = slash ? slash + 1 : array->path;
        bool one = array->rank == 0 || (array->rank == 1 && array->shape[0] == 1);
        for (size_t w = 0; w < sizeof words / sizeof *words; w++)
            if (one && !array->unreadable && array->rows == rows && array->type != GB_VALUE_BYTES &&
                strcmp(name, words[w]) == 0)
                return array->path;
    }
    return NULL;
}

void gb_arrays_put_time(gb_yaml_out *out, const char *clock)
{
    if (!clock) {
        gb_yaml_put(out,
                    "time: {period_s: 1} # no clock was found: put the seconds between rows\n");
        return;
    }
    gb_yaml_put(out, "time: {column: ");
    gb_yaml_put_text(out, clock, strlen(clock));
    gb_yaml_put(out, "}\n");
}

void gb_arrays_put_guess(gb_yaml_out *out, const gb_arrays *arrays, int64_t rows)
{
    bool said = false;
    gb_yaml_put(out, "streams:\n");
    for (int i = 0; i < arrays->count; i++)
        if (!arrays->list[i].unreadable && arrays->list[i].rows == rows)
            put_stream(out, &arrays->list[i]);
    for (int i = 0; i < arrays->count; i++) {
        if (!arrays->list[i].unreadable && arrays->list[i].rows == rows)
            continue;
        if (!said)
            gb_yaml_put(out, "# left out:\n");
        said = true;
        put_left_out(out, &arrays->list[i], rows);
    }
}
