/* The inspection as a sink, and its lines of text. What is kept of a stream is inspect_stream.c,
 * the page inspect_page.c. */
#include "eval/inspect.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RECORDINGS_MOST 24

static gb_inspect_recording *open_recording(gb_sink *sink, int number)
{
    gb_inspection *in = (gb_inspection *)sink;
    if (number < 0 || number >= in->count || !in->recordings[number] ||
        !in->recordings[number]->open)
        return NULL;
    return in->recordings[number];
}

static gb_status not_open(int number)
{
    return gb_fail(GB_ERR_ARGUMENT, "no recording %d is open in this inspection", number);
}

static gb_status copy(gb_arena *arena, const char **text)
{
    *text = gb_arena_text(arena, *text ? *text : "");
    return *text ? GB_OK : GB_ERR_MEMORY;
}

static gb_status begin(gb_sink *sink, const gb_recording_info *info, int *out_recording)
{
    gb_inspection *in = (gb_inspection *)sink;
    if (in->count == in->room) {
        int room = in->room ? 2 * in->room : 16;
        gb_inspect_recording **grown = realloc(in->recordings, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "no memory to look at %s", info->name);
        in->recordings = grown;
        in->room = room;
    }
    gb_inspect_recording *r = calloc(1, sizeof *r);
    if (!r)
        return gb_fail(GB_ERR_MEMORY, "no memory to look at %s", info->name);
    r->info = *info;
    r->info.pairs = NULL;
    r->info.pair_count = 0;
    gb_status status = gb_arena_create(0, &r->arena);
    const char **texts[] = {&r->info.name,      &r->info.source, &r->info.instruction,
                            &r->info.outcome,   &r->info.owner,  &r->info.licence,
                            &r->info.residency, &r->info.purpose};
    for (size_t i = 0; status == GB_OK && i < sizeof texts / sizeof *texts; i++)
        status = copy(r->arena, texts[i]);
    if (status != GB_OK) {
        gb_arena_destroy(r->arena);
        free(r);
        return status;
    }
    r->open = true;
    *out_recording = in->count;
    in->recordings[in->count++] = r;
    in->beyond += in->count > in->most;
    return GB_OK;
}

static gb_status copy_spec(gb_arena *arena, const gb_stream_spec *spec, gb_stream_spec *out)
{
    *out = *spec;
    GB_TRY(copy(arena, &out->name));
    GB_TRY(copy(arena, &out->unit));
    GB_TRY(copy(arena, &out->semantic));
    GB_TRY(copy(arena, &out->encoding));
    GB_TRY(copy(arena, &out->clock));
    GB_TRY(copy(arena, &out->frame));
    out->pairs = NULL;
    out->pair_count = 0;
    if (!spec->labels)
        return GB_OK;
    int64_t size = gb_stream_spec_size(spec),
            kept = size < GB_INSPECT_CURVES ? size : GB_INSPECT_CURVES;
    const char **labels = gb_arena_alloc(arena, (size_t)kept * sizeof *labels);
    if (!labels)
        return GB_ERR_MEMORY;
    for (int64_t i = 0; i < kept; i++) {
        labels[i] = spec->labels[i];
        GB_TRY(copy(arena, &labels[i]));
    }
    out->labels = labels;
    return GB_OK;
}

static gb_status stream(gb_sink *sink, int recording, const gb_stream_spec *spec, int *out_stream)
{
    gb_inspect_recording *r = open_recording(sink, recording);
    if (!r)
        return not_open(recording);
    if (r->stream_count == r->stream_room) {
        int room = r->stream_room ? 2 * r->stream_room : 16;
        gb_inspect_stream **grown = realloc(r->streams, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "no memory to look at %s", spec->name);
        r->streams = grown;
        r->stream_room = room;
    }
    gb_inspect_stream *s = calloc(1, sizeof *s);
    if (!s)
        return gb_fail(GB_ERR_MEMORY, "no memory to look at %s", spec->name);
    gb_status status = copy_spec(r->arena, spec, &s->spec);
    if (status != GB_OK) {
        free(s);
        return status;
    }
    s->size = gb_stream_spec_size(spec);
    *out_stream = r->stream_count;
    r->streams[r->stream_count++] = s;
    return GB_OK;
}

static gb_status append(gb_sink *sink, int recording, int number, const gb_samples *samples)
{
    gb_inspect_recording *r = open_recording(sink, recording);
    if (!r || number < 0 || number >= r->stream_count)
        return not_open(recording);
    if (recording >= ((gb_inspection *)sink)->most) {
        r->streams[number]->count += samples->count; /* counted only */
        return GB_OK;
    }
    return gb_inspect_take(r->streams[number], samples);
}

static gb_status attach(gb_sink *sink,
                        int recording,
                        const char *name,
                        const char *media_type,
                        const void *data,
                        size_t size)
{
    gb_inspect_recording *r = open_recording(sink, recording);
    (void)name;
    (void)media_type;
    (void)data;
    (void)size;
    if (!r)
        return not_open(recording);
    r->attachments++;
    return GB_OK;
}

static gb_status end(gb_sink *sink, int recording)
{
    gb_inspect_recording *r = open_recording(sink, recording);
    if (!r)
        return not_open(recording);
    r->open = false;
    return GB_OK;
}

static void free_recording(gb_inspect_recording *r)
{
    if (!r)
        return;
    for (int i = 0; i < r->stream_count; i++)
        gb_inspect_stream_free(r->streams[i]);
    free(r->streams);
    gb_arena_destroy(r->arena);
    free(r);
}

static void abandon(gb_sink *sink, int recording)
{
    gb_inspection *in = (gb_inspection *)sink;
    if (!open_recording(sink, recording))
        return;
    free_recording(in->recordings[recording]);
    in->recordings[recording] = NULL;
}

static void let_go(gb_sink *sink)
{
    (void)sink; /* belongs to the inspection */
}

static const gb_sink_ops ops = {begin, stream, append, attach, end, abandon, let_go};

gb_status gb_inspection_create(int recordings_most, gb_inspection **out)
{
    gb_inspection *in = calloc(1, sizeof *in);
    if (!in)
        return gb_fail(GB_ERR_MEMORY, "no memory for an inspection");
    in->sink.ops = &ops;
    in->most = recordings_most > 0 ? recordings_most : RECORDINGS_MOST;
    *out = in;
    return GB_OK;
}

void gb_inspection_destroy(gb_inspection *in)
{
    if (!in)
        return;
    for (int i = 0; i < in->count; i++)
        free_recording(in->recordings[i]);
    free(in->recordings);
    free(in);
}

gb_sink *gb_inspection_sink(gb_inspection *in)
{
    return &in->sink;
}

/* ---- lines --------------------------------------------------------------------------------------
 */

static void shape_text(const gb_stream_spec *spec, char *out, size_t room)
{
    int length = snprintf(
        out, room, "%s",
        spec->value_type == GB_VALUE_BYTES ? spec->encoding : gb_value_type_name(spec->value_type));
    for (int i = 0; i < spec->rank && length < (int)room; i++)
        length += snprintf(out + length, room - (size_t)length, "%s%lld", i ? "x" : " ",
                           (long long)spec->shape[i]);
}

static void range_text(const gb_inspect_stream *s, char *out, size_t room)
{
    double least = INFINITY, most = -INFINITY;
    for (int c = 0; c < s->curve_count; c++) {
        if (s->curves[c].count > 0) {
            least = fmin(least, s->curves[c].least);
            most = fmax(most, s->curves[c].most);
        }
    }
    out[0] = '\0';
    if (least <= most)
        snprintf(out, room, "%.6g to %.6g %s", least, most, s->spec.unit);
}

static gb_status
stream_line(const gb_inspect_stream *s, gb_status (*visit)(void *, const char *), void *context)
{
    char line[512], shape[64], range[96], rate[32] = "";
    shape_text(&s->spec, shape, sizeof shape);
    range_text(s, range, sizeof range);
    if (s->mean_step_ns > 0 && s->mean_step_ns <= 2e9)
        snprintf(rate, sizeof rate, "%.4g Hz", 1e9 / s->mean_step_ns);
    else if (s->mean_step_ns > 0)
        snprintf(rate, sizeof rate, "%.4g s", s->mean_step_ns / 1e9);
    int used = snprintf(line, sizeof line, "  %-32s %-7s %-12s %9lld %-10s %s", s->spec.name,
                        gb_stream_kind_name(s->spec.kind), shape, (long long)s->count, rate, range);
    const int64_t *q = s->qualities;
    if (q[1] + q[2] + q[3] > 0 && used < (int)sizeof line)
        snprintf(line + used, sizeof line - (size_t)used,
                 "  uncertain %lld, bad %lld, missing %lld", (long long)q[1], (long long)q[2],
                 (long long)q[3]);
    return visit(context, line);
}

gb_status gb_inspection_lines(const gb_inspection *in,
                              gb_status (*visit)(void *context, const char *line),
                              void *context)
{
    char line[768];
    for (int i = 0; i < in->count && i < in->most; i++) {
        const gb_inspect_recording *r = in->recordings[i];
        if (!r)
            continue;
        snprintf(line, sizeof line, "%s%s%s%s%s", r->info.name,
                 r->info.instruction[0] ? "  \"" : "", r->info.instruction,
                 r->info.instruction[0] ? "\"" : "", r->attachments ? "  with attachments" : "");
        GB_TRY(visit(context, line));
        for (int s = 0; s < r->stream_count; s++)
            GB_TRY(stream_line(r->streams[s], visit, context));
    }
    if (in->beyond == 0)
        return GB_OK;
    snprintf(line, sizeof line, "and %lld recordings more", (long long)in->beyond);
    return visit(context, line);
}
