/* From the streams of a recording to the features of a LeRobot data set. */
#include "ingest/lerobot_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char dtype_bool[] = "bool";

bool gb_lerobot_is_picture(const gb_stream_spec *spec)
{
    return spec->kind == GB_STREAM_IMAGE;
}

bool gb_lerobot_is_task(const gb_stream_spec *spec)
{
    return spec->kind == GB_STREAM_TEXT && strcmp(spec->name, "task") == 0 &&
           strcmp(spec->semantic, "instruction") == 0;
}

const gb_taken_stream *gb_lerobot_find_taken(const gb_taken *taken, const char *name)
{
    for (int i = 0; i < taken->stream_count; i++)
        if (strcmp(taken->streams[i].spec.name, name) == 0)
            return &taken->streams[i];
    return NULL;
}

/* Streams that have no place: audio, points, bytes that are neither text nor pictures. */
static bool is_taken(const gb_lerobot_export *e, const gb_stream_spec *spec)
{
    if (gb_lerobot_is_task(spec))
        return false;
    if (gb_lerobot_is_picture(spec))
        return e->options.videos;
    if (spec->value_type == GB_VALUE_BYTES)
        return spec->kind == GB_STREAM_TEXT;
    return spec->kind != GB_STREAM_AUDIO && spec->kind != GB_STREAM_POINTS &&
           spec->kind != GB_STREAM_TEXT;
}

static bool is_number(const gb_stream_spec *spec)
{
    return spec->value_type != GB_VALUE_BYTES && !gb_lerobot_is_picture(spec);
}

/* ---- names ------------------------------------------------------------------------------------
 */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static const char *own_name(const gb_stream_spec *spec)
{
    const char *from = gb_pair_find(spec->pairs, spec->pair_count, "lerobot.feature");
    const char *name = from ? from : spec->name;
    bool known = begins(name, "observation.") || begins(name, "next.") ||
                 strcmp(name, "action") == 0 || begins(name, "action.");
    return from || known ? name : NULL;
}

static int count_actions(const gb_lerobot_export *e, const gb_taken *taken)
{
    int count = 0;
    for (int i = 0; i < taken->stream_count; i++)
        count +=
            is_taken(e, &taken->streams[i].spec) && taken->streams[i].spec.kind == GB_STREAM_ACTION;
    return count;
}

/* A name is also a folder's: no '/', and no '.' at its ends. */
static gb_status clean_name(gb_arena *arena, const char *before, const char *name, const char **out)
{
    char *text = gb_arena_format(arena, "%s%s", before, name + strspn(name, "./"));
    if (!text)
        return GB_ERR_MEMORY;
    for (char *at = text; *at; at++)
        if (*at == '/' || *at == '\\' || (*at == '.' && at[1] == '.'))
            *at = '_';
    *out = text;
    return GB_OK;
}

/* NULL: it becomes a part of observation.state. */
static gb_status
name_of(gb_lerobot_export *e, const gb_stream_spec *spec, bool joins, const char **out)
{
    const char *name = own_name(spec);
    *out = NULL;
    if (name)
        return clean_name(e->arena, "", name, out);
    if (gb_lerobot_is_picture(spec))
        return clean_name(e->arena, "observation.images.", spec->name, out);
    if (spec->kind == GB_STREAM_ACTION)
        return clean_name(e->arena, "", "action", out);
    if (joins && is_number(spec) && spec->kind != GB_STREAM_EVENT)
        return GB_OK;
    return clean_name(e->arena, "observation.", spec->name, out);
}

/* ---- columns ----------------------------------------------------------------------------------
 */

static const char *dtype_of(gb_value_type type)
{
    switch (type) {
    case GB_VALUE_F32:
        return "float32";
    case GB_VALUE_F64:
        return "float64";
    case GB_VALUE_I8:
        return "int8";
    case GB_VALUE_U8:
        return "uint8";
    case GB_VALUE_I16:
        return "int16";
    case GB_VALUE_U16:
        return "uint16";
    case GB_VALUE_I32:
        return "int32";
    case GB_VALUE_U32:
        return "uint32";
    case GB_VALUE_I64:
        return "int64";
    case GB_VALUE_U64:
        return "uint64";
    default:
        return "string";
    }
}

static bool is_bool(const gb_stream_spec *spec)
{
    const char *dtype = gb_pair_find(spec->pairs, spec->pair_count, "lerobot.dtype");
    return dtype && strcmp(dtype, dtype_bool) == 0 && spec->value_type == GB_VALUE_U8;
}

static void shape_picture(const gb_stream_spec *spec, gb_lerobot_column *c)
{
    c->is_video = true;
    c->dtype = "video";
    c->rank = 3;
    c->height = (int)spec->shape[0];
    c->width = spec->rank >= 2 ? (int)spec->shape[1] : 0;
    c->shape[0] = c->height;
    c->shape[1] = c->width;
    c->shape[2] = 3;
    c->size = 3; /* of its statistics: the colours */
    c->field = -1;
}

static void shape_numbers(const gb_stream_spec *spec, gb_lerobot_column *c)
{
    c->type = spec->value_type;
    c->is_text = spec->value_type == GB_VALUE_BYTES;
    c->is_bool = is_bool(spec);
    c->dtype = c->is_bool ? dtype_bool : dtype_of(c->type);
    c->is_whole = c->type != GB_VALUE_F32 && c->type != GB_VALUE_F64 && !c->is_text;
    c->size = c->is_text ? 1 : gb_stream_spec_size(spec);
    c->rank = spec->rank > 0 && !c->is_text ? spec->rank : 1;
    c->shape[0] = c->size;
    if (spec->rank > 0 && !c->is_text)
        memcpy(c->shape, spec->shape, sizeof c->shape);
}

static gb_status
copy_labels(gb_arena *arena, const gb_stream_spec *spec, int64_t size, const char **to)
{
    for (int64_t i = 0; i < size; i++) {
        to[i] = spec->labels ? gb_arena_text(arena, spec->labels[i])
                : size == 1  ? gb_arena_text(arena, spec->name)
                             : gb_arena_format(arena, "%s.%lld", spec->name, (long long)i);
        if (!to[i])
            return GB_ERR_MEMORY;
    }
    return GB_OK;
}

static gb_status add_column(gb_lerobot_export *e, const gb_stream_spec *spec, const char *name)
{
    for (int i = 0; i < e->column_count; i++)
        if (strcmp(e->columns[i].name, name) == 0)
            return gb_fail(GB_ERR_ARGUMENT,
                           "two streams become the feature %s; rename one of them in the map",
                           name);
    gb_lerobot_column *c = &e->columns[e->column_count++];
    c->name = name;
    c->parts = gb_arena_alloc(e->arena, sizeof *c->parts);
    if (!c->parts)
        return GB_ERR_MEMORY;
    c->parts[0] = gb_arena_text(e->arena, spec->name);
    c->part_count = 1;
    if (gb_lerobot_is_picture(spec))
        shape_picture(spec, c);
    else
        shape_numbers(spec, c);
    if (spec->labels && !c->is_video && !c->is_text && c->size <= 65536) {
        const char **labels = gb_arena_alloc(e->arena, (size_t)c->size * sizeof *labels);
        if (!labels)
            return GB_ERR_MEMORY;
        GB_TRY(copy_labels(e->arena, spec, c->size, labels));
        c->labels = labels;
    }
    return c->parts[0] ? gb_lerobot_stats_room(e->arena, c) : GB_ERR_MEMORY;
}

/* All streams without a name of their own, side by side, as float32 unless all are of one type. */
static gb_status add_state(gb_lerobot_export *e, const gb_taken *taken)
{
    gb_lerobot_column *c = &e->columns[e->column_count];
    int count = 0;
    int64_t size = 0, at = 0;
    c->parts = gb_arena_alloc(e->arena, (size_t)taken->stream_count * sizeof *c->parts);
    if (!c->parts)
        return GB_ERR_MEMORY;
    for (int i = 0; i < taken->stream_count; i++) {
        const gb_stream_spec *spec = &taken->streams[i].spec;
        const char *name = NULL;
        if (!is_taken(e, spec))
            continue;
        GB_TRY(name_of(e, spec, true, &name));
        if (name)
            continue;
        c->parts[count] = gb_arena_text(e->arena, spec->name);
        if (!c->parts[count])
            return GB_ERR_MEMORY;
        c->type = count == 0 || c->type == spec->value_type ? spec->value_type : GB_VALUE_F32;
        size += taken->streams[i].size;
        count++;
    }
    if (count == 0)
        return GB_OK;
    const char **labels = gb_arena_alloc(e->arena, (size_t)size * sizeof *labels);
    if (!labels)
        return GB_ERR_MEMORY;
    for (int p = 0; p < count; p++) {
        const gb_taken_stream *s = gb_lerobot_find_taken(taken, c->parts[p]);
        GB_TRY(copy_labels(e->arena, &s->spec, s->size, labels + at));
        at += s->size;
    }
    c->name = "observation.state";
    c->dtype = dtype_of(c->type);
    c->is_whole = c->type != GB_VALUE_F32 && c->type != GB_VALUE_F64;
    c->rank = 1;
    c->shape[0] = c->size = size;
    c->labels = labels;
    c->part_count = count;
    e->column_count++;
    return gb_lerobot_stats_room(e->arena, c);
}

static gb_status add_books(gb_lerobot_export *e)
{
    static const char *const names[GB_LEROBOT_BOOKS] = {"timestamp", "frame_index", "episode_index",
                                                        "index", "task_index"};
    for (int b = 0; b < GB_LEROBOT_BOOKS; b++) {
        gb_lerobot_column *c = &e->columns[e->column_count++];
        c->name = names[b];
        c->type = b == GB_LEROBOT_TIMESTAMP ? GB_VALUE_F32 : GB_VALUE_I64;
        c->dtype = dtype_of(c->type);
        c->is_whole = b != GB_LEROBOT_TIMESTAMP;
        c->rank = 1;
        c->shape[0] = c->size = 1;
        GB_TRY(gb_lerobot_stats_room(e->arena, c));
    }
    int field = 0;
    for (int i = 0; i < e->column_count; i++)
        e->columns[i].field = e->columns[i].is_video ? -1 : field++;
    return GB_OK;
}

/* ---- the rate ---------------------------------------------------------------------------------
 */

static double rate_of(const gb_taken_stream *s)
{
    if (s->spec.rate_hz > 0)
        return s->spec.rate_hz;
    double span_s = s->count > 1 ? (double)(s->time_ns[s->count - 1] - s->time_ns[0]) * 1e-9 : 0;
    return span_s > 0 ? (double)(s->count - 1) / span_s : 0;
}

static gb_status choose_rate(gb_lerobot_export *e, const gb_taken *taken)
{
    const gb_taken_stream *chosen = NULL;
    for (int i = 0; i < taken->stream_count; i++) {
        const gb_taken_stream *s = &taken->streams[i];
        bool better =
            !chosen || (s->spec.kind == GB_STREAM_ACTION && chosen->spec.kind != GB_STREAM_ACTION);
        if (is_taken(e, &s->spec) && better && rate_of(s) > 0)
            chosen = s;
    }
    double rate = e->fps > 0 ? e->fps : chosen ? rate_of(chosen) : 0;
    if (!(rate >= 1e-3 && rate <= 1e5))
        return gb_fail(GB_ERR_ARGUMENT,
                       "its streams do not tell a rate between 0.001 and 100,000 Hz; set fps");
    e->fps = fabs(rate - round(rate)) < 1e-3 && rate >= 1 ? round(rate) : rate;
    return GB_OK;
}

gb_status gb_lerobot_plan_columns(gb_lerobot_export *e, const gb_taken *taken)
{
    size_t room = (size_t)taken->stream_count + 1 + GB_LEROBOT_BOOKS;
    bool has_state = false;
    GB_TRY(choose_rate(e, taken));
    if (count_actions(e, taken) > 1)
        for (int i = 0; i < taken->stream_count; i++)
            if (taken->streams[i].spec.kind == GB_STREAM_ACTION &&
                !own_name(&taken->streams[i].spec))
                return gb_fail(
                    GB_ERR_ARGUMENT,
                    "several streams are actions; name them action.SOMETHING in the map, "
                    "as %s is not",
                    taken->streams[i].spec.name);
    e->columns = gb_arena_alloc(e->arena, room * sizeof *e->columns);
    if (!e->columns)
        return GB_ERR_MEMORY;
    for (int i = 0; i < taken->stream_count; i++) {
        const char *name = own_name(&taken->streams[i].spec);
        has_state = has_state || (name && strcmp(name, "observation.state") == 0);
    }
    for (int i = 0; i < taken->stream_count; i++) {
        const char *name = NULL;
        if (!is_taken(e, &taken->streams[i].spec))
            continue;
        GB_TRY(name_of(e, &taken->streams[i].spec, !has_state, &name));
        if (name)
            GB_TRY(add_column(e, &taken->streams[i].spec, name));
    }
    if (!has_state)
        GB_TRY(add_state(e, taken));
    GB_TRY(add_books(e));
    e->planned = true;
    return GB_OK;
}

/* ---- the recordings that follow ---------------------------------------------------------------
 */

static bool is_part(const gb_lerobot_export *e, const char *stream)
{
    for (int c = 0; c < e->column_count; c++)
        for (int p = 0; p < e->columns[c].part_count; p++)
            if (strcmp(e->columns[c].parts[p], stream) == 0)
                return true;
    return false;
}

gb_status gb_lerobot_check_columns(const gb_lerobot_export *e, const gb_taken *taken)
{
    for (int i = 0; i < taken->stream_count; i++)
        if (is_taken(e, &taken->streams[i].spec) && !is_part(e, taken->streams[i].spec.name))
            return gb_fail(GB_ERR_MISMATCH,
                           "it has a stream %s that the first one lacks; every episode of a data "
                           "set has the same features",
                           taken->streams[i].spec.name);
    for (int c = 0; c < e->column_count; c++) {
        const gb_lerobot_column *column = &e->columns[c];
        int64_t size = 0;
        bool type = true, pictures = true;
        for (int p = 0; p < column->part_count; p++) {
            const gb_taken_stream *s = gb_lerobot_find_taken(taken, column->parts[p]);
            if (!s)
                return gb_fail(GB_ERR_MISMATCH,
                               "it has no stream %s, as the first one has; every episode of a data "
                               "set has the same features (pictures can be left out)",
                               column->parts[p]);
            size += column->is_text ? 1 : s->size;
            type = type && (column->part_count > 1 || s->spec.value_type == column->type);
            pictures =
                pictures && s->spec.shape[0] == column->height && s->spec.shape[1] == column->width;
        }
        bool fits = column->is_video ? pictures : size == column->size && type;
        if (column->part_count > 0 && !fits)
            return gb_fail(GB_ERR_MISMATCH,
                           "its stream %s has another shape or type than the first one's",
                           column->parts[0]);
    }
    return GB_OK;
}
