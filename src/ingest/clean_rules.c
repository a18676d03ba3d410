/* From a stream map to the rules for one stream, and what its spec says afterwards. Nothing is
 * judged here. */
#include "ingest/clean_stream.h"

#include "ingest/units.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct settling {
    const gb_stream_map *map;
    const gb_map_stream *stream; /* of that name; NULL: the map does not name it */
    const gb_stream_spec *spec;
    gb_arena *arena;
    gb_pair pairs[4];
    int pair_count;
} settling;

static const gb_map_stream *find_stream(const gb_stream_map *map, const char *name)
{
    const gb_map_data *data = map->data;
    for (uint32_t i = 0; i < data->streams_count; i++)
        if (strcmp(data->streams[i].name, name) == 0)
            return &data->streams[i];
    return NULL;
}

static gb_status wrong(const settling *s, const char *key, double value, const char *expected)
{
    return gb_fail(GB_ERR_SCHEMA, "%s: stream %s: %s is %g, expected %s", s->map->origin,
                   s->spec->name, key, value, expected);
}

static gb_status add_pair(settling *s, const char *key, const char *text)
{
    char *copy = gb_arena_text(s->arena, text);
    if (!copy)
        return GB_ERR_MEMORY;
    s->pairs[s->pair_count++] = (gb_pair){key, copy};
    return GB_OK;
}

static gb_status add_number(settling *s, const char *key, double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.17g", value);
    return add_pair(s, key, text);
}

/* ---- units ------------------------------------------------------------------------------------
 */

/* The unit stored, as a UCUM code. One that the map writes must be known; one that the source
 * brings stays as it is as long as nothing is converted. */
static gb_status settle_units(
    settling *s, double *scale, double *offset, const char **out_unit, const char **out_raw)
{
    const char *mapped = s->stream && s->stream->unit ? s->stream->unit : "";
    const char *raw = s->stream && s->stream->source_unit ? s->stream->source_unit : s->spec->unit;
    if (!raw[0])
        raw = mapped;
    const char *stored = mapped[0] ? mapped : raw;
    *scale = 1;
    *offset = 0;
    if (strcmp(raw, stored) != 0) {
        gb_status status = gb_unit_convert(raw, stored, scale, offset);
        if (status == GB_ERR_UNSUPPORTED)
            return status;
        if (status != GB_OK)
            return gb_fail_context(GB_ERR_SCHEMA, "%s: stream %s", s->map->origin, s->spec->name);
    }
    gb_unit unit;
    gb_status known = stored[0] ? gb_unit_parse(stored, &unit) : GB_ERR_NOT_FOUND;
    if (mapped[0] && known != GB_OK && known != GB_ERR_UNSUPPORTED)
        return gb_fail_context(GB_ERR_SCHEMA, "%s: stream %s", s->map->origin, s->spec->name);
    if (known == GB_OK) {
        if (unit.note)
            GB_TRY(add_pair(s, "unit_note", unit.note));
        stored = gb_arena_text(s->arena, unit.code);
        if (!stored)
            return GB_ERR_MEMORY;
    }
    *out_unit = stored;
    *out_raw = raw;
    return GB_OK;
}

static gb_status settle_law(settling *s, gb_clean_rules *rules, gb_stream_spec *out_spec)
{
    double scale, offset;
    const char *raw = "";
    GB_TRY(settle_units(s, &scale, &offset, &out_spec->unit, &raw));
    double own_scale = s->stream && s->stream->scale ? *s->stream->scale : 1;
    double own_offset = s->stream && s->stream->offset ? *s->stream->offset : 0;
    rules->scale = own_scale * scale;
    rules->offset = own_scale * offset + own_offset;
    if (rules->scale == 0 || !isfinite(rules->scale))
        return wrong(s, "scale", rules->scale, "a number other than 0: raw values must come back");
    if (!isfinite(rules->offset))
        return wrong(s, "offset", rules->offset, "a finite number");
    rules->convert = rules->scale != 1 || rules->offset != 0;
    if (rules->convert && rules->in == GB_VALUE_BYTES)
        return gb_fail(GB_ERR_SCHEMA, "%s: stream %s: bytes have no unit, scale or offset",
                       s->map->origin, s->spec->name);
    if (strcmp(raw, out_spec->unit) != 0)
        GB_TRY(add_pair(s, "source_unit", raw));
    if (!rules->convert)
        return GB_OK;
    GB_TRY(add_number(s, "scale", rules->scale));
    return add_number(s, "offset", rules->offset);
}

/* ---- what is looked for -----------------------------------------------------------------------
 */

/* The widest type stays; what was whole becomes f64, or f32 when that holds every number of it. */
static gb_value_type settle_type(const settling *s, const gb_clean_rules *rules)
{
    bool changes = rules->convert || rules->sentinel_count > 0;
    bool is_float = rules->in == GB_VALUE_F32 || rules->in == GB_VALUE_F64;
    if (!changes || rules->in == GB_VALUE_BYTES)
        return rules->in;
    int mapped = s->stream ? s->stream->value_type : -1;
    if (mapped == GB_VALUE_F32 || mapped == GB_VALUE_F64)
        return (gb_value_type)mapped;
    return is_float ? rules->in : gb_value_type_bytes(rules->in) <= 2 ? GB_VALUE_F32 : GB_VALUE_F64;
}

/* A limit as the stored type holds it: 0.1 stored as f32 is not above 0.1. */
static double settle_limit(const double *limit, double none, gb_value_type type)
{
    double value = limit ? *limit : none;
    return type == GB_VALUE_F32 ? (double)(float)value : value;
}

static gb_status settle_values(settling *s, gb_clean_rules *rules)
{
    if (rules->in == GB_VALUE_BYTES || !s->stream) {
        rules->out = rules->in;
        return GB_OK;
    }
    uint32_t count = s->stream->sentinels_count;
    double *sentinels = gb_arena_alloc(s->arena, count * sizeof *sentinels);
    if (!sentinels)
        return GB_ERR_MEMORY;
    for (uint32_t i = 0; i < count; i++)
        sentinels[i] = rules->in == GB_VALUE_F32 ? (double)(float)s->stream->sentinels[i]
                                                 : s->stream->sentinels[i];
    rules->sentinels = sentinels;
    rules->sentinel_count = count;
    rules->out = settle_type(s, rules);
    const gb_map_range *range = &s->stream->range;
    rules->has_range = range->min || range->max;
    rules->range_min = settle_limit(range->min, -INFINITY, rules->out);
    rules->range_max = settle_limit(range->max, INFINITY, rules->out);
    return GB_OK;
}

/* A stream's own wish, or the map's where it makes sense for such a stream. */
static gb_status settle_clean(settling *s, gb_clean_rules *rules)
{
    const gb_map_clean *all = &s->map->data->clean;
    const gb_map_clean none = {0}, *own = s->stream ? &s->stream->clean : &none;
    gb_stream_kind kind = s->spec->kind;
    bool regular = kind != GB_STREAM_EVENT && kind != GB_STREAM_TEXT;
    bool measured = (kind == GB_STREAM_SCALAR || kind == GB_STREAM_VECTOR) &&
                    rules->in != GB_VALUE_BYTES && !(s->stream && s->stream->categories_count > 0);
    const double *gap_s = own->gap_s ? own->gap_s : regular ? all->gap_s : NULL;
    const int64_t *stuck = own->stuck_samples ? own->stuck_samples
                           : measured         ? all->stuck_samples
                                              : NULL;
    const double *sigmas = own->spike_sigmas ? own->spike_sigmas
                           : measured        ? all->spike_sigmas
                                             : NULL;
    if (gap_s && !(*gap_s > 0))
        return wrong(s, "clean.gap_s", *gap_s, "seconds above 0");
    if (stuck && *stuck < 2)
        return wrong(s, "clean.stuck_samples", (double)*stuck, "2 or more samples");
    if (sigmas && !(*sigmas > 0))
        return wrong(s, "clean.spike_sigmas", *sigmas, "a number above 0, such as 6");
    bool has_values = rules->in != GB_VALUE_BYTES;
    rules->gap_ns = gap_s && *gap_s < 9e9 ? (int64_t)llround(*gap_s * 1e9) : INT64_MAX;
    rules->stuck_samples = stuck && has_values ? *stuck : 0;
    rules->spike_sigmas = sigmas && has_values ? *sigmas : 0;
    return GB_OK;
}

/* A row stays or goes as a whole: one stream's wish to reject holds for all. */
static void settle_rows(const gb_stream_map *map, gb_clean_rules *rules)
{
    const gb_map_data *data = map->data;
    rules->reject_repeated = data->clean.repeated == GB_MAP_ROWS_REJECT;
    rules->reject_backward = data->clean.backward == GB_MAP_ROWS_REJECT;
    for (uint32_t i = 0; i < data->streams_count; i++) {
        rules->reject_repeated |= data->streams[i].clean.repeated == GB_MAP_ROWS_REJECT;
        rules->reject_backward |= data->streams[i].clean.backward == GB_MAP_ROWS_REJECT;
    }
}

gb_status gb_clean_settle(const gb_stream_map *map,
                          const gb_stream_spec *spec,
                          gb_arena *arena,
                          gb_clean_rules *rules,
                          gb_stream_spec *out_spec)
{
    settling s = {.map = map, .stream = find_stream(map, spec->name), .spec = spec, .arena = arena};
    gb_clean_rules settled = {.in = spec->value_type, .size = gb_stream_spec_size(spec)};
    gb_stream_spec changed = *spec;
    GB_TRY(settle_law(&s, &settled, &changed));
    GB_TRY(settle_values(&s, &settled));
    GB_TRY(settle_clean(&s, &settled));
    settle_rows(map, &settled);
    int count = spec->pair_count + s.pair_count;
    gb_pair *pairs = gb_arena_alloc(arena, (size_t)count * sizeof *pairs);
    if (!pairs)
        return GB_ERR_MEMORY;
    if (spec->pair_count > 0)
        memcpy(pairs, spec->pairs, (size_t)spec->pair_count * sizeof *pairs);
    memcpy(pairs + spec->pair_count, s.pairs, (size_t)s.pair_count * sizeof *pairs);
    changed.value_type = settled.out;
    changed.pairs = count > 0 ? pairs : NULL;
    changed.pair_count = count;
    *rules = settled;
    *out_spec = changed;
    return GB_OK;
}
