/* control/link_map.c: the description of a machine behind a link, from a YAML map: checked, units
 * converted, copied into one arena. What keys there are is link_map_schema.c. */
#include "control/link_map.h"
#include "control/link.h"

#include "base/words.h"
#include "ingest/units.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    FILE_MOST = 1 << 20,
    VALUES_MOST = 1 << 20, /* of all streams of a side */
    EPISODE_STEPS = 1000000000,
    LINE_BYTES = 512 /* of what is hashed; names and units are at most 128 */
};

/* What is being read, for messages. */
typedef struct reading {
    const char *name;
    gb_link_map *map;
    const gb_raw_link_map *raw;
    const gb_yaml_node *root; /* of the file, for lines */
} reading;

/* ---- messages -----------------------------------------------------------------------------------
 */

static int line_of(const reading *r, const char *value_path)
{
    if (!r->root)
        return 1;
    bool exact = false;
    const gb_yaml_node *node = gb_yaml_find(r->root, value_path, &exact);
    return exact ? node->line : node->key_line;
}

GB_PRINTF(3, 4)
static gb_status wrong(const reading *r, const char *value_path, const char *format, ...)
{
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return gb_fail(GB_ERR_SCHEMA, "%s:%d: %s: %s", r->name, line_of(r, value_path), value_path,
                   message);
}

/* One stream of the file: where it stands and what is being made of it. */
typedef struct entry {
    const gb_raw_link_stream *raw;
    const char *side; /* "observations" */
    uint32_t index;
    bool action;
} entry;

GB_PRINTF(4, 5)
static gb_status
wrong_in(const reading *r, const entry *e, const char *key, const char *format, ...)
{
    char message[768], path[64];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    snprintf(path, sizeof path, "%s[%u].%s", e->side, e->index, key);
    return wrong(r, path, "stream \"%s\": %s", e->raw->name, message);
}

static gb_status no_memory(const reading *r)
{
    return gb_fail(GB_ERR_MEMORY, "%s: no memory for the map", r->name);
}

static const char *copy(const reading *r, const char *text)
{
    return text ? gb_arena_text(r->map->arena, text) : "";
}

/* ---- a stream -----------------------------------------------------------------------------------
 */

static gb_status read_unit(const reading *r, const entry *e, const char **out)
{
    const char *text = e->raw->unit;
    if (!text)
        return wrong_in(r, e, "unit",
                        "has no unit; write its UCUM code (\"rad\", \"N\"; 1 for a "
                        "pure number)");
    gb_unit unit;
    gb_status status = gb_unit_parse(text, &unit);
    if (status == GB_ERR_PARSE) {
        char why[512];
        snprintf(why, sizeof why, "%s", gb_error_message());
        return wrong_in(r, e, "unit", "%s", why);
    }
    GB_TRY(status);
    if (strcmp(unit.code, text) != 0)
        return wrong_in(r, e, "unit", "\"%s\" is no UCUM code; write %s", text, unit.code);
    *out = copy(r, text);
    return *out ? GB_OK : no_memory(r);
}

/* stream = scale x (message in the stream's unit) + offset, and source_unit says the message's. */
static gb_status read_scale(const reading *r, const entry *e, const char *unit, gb_link_stream *out)
{
    double scale = 1, offset = 0;
    if (e->raw->source_unit) {
        gb_status status = gb_unit_convert(e->raw->source_unit, unit, &scale, &offset);
        if (status == GB_ERR_PARSE || status == GB_ERR_MISMATCH) {
            char why[512];
            snprintf(why, sizeof why, "%s", gb_error_message());
            return wrong_in(r, e, "source_unit", "%s", why);
        }
        GB_TRY(status);
    }
    double by = e->raw->scale ? *e->raw->scale : 1;
    out->scale = by * scale;
    out->offset = by * offset + (e->raw->offset ? *e->raw->offset : 0);
    if (by == 0 || !isfinite(1 / out->scale) || !isfinite(out->scale) || !isfinite(out->offset))
        return wrong_in(r, e, "scale",
                        "a scale of %g cannot be undone; expected a finite number "
                        "that is not 0",
                        out->scale);
    return GB_OK;
}

static gb_status
read_link(const reading *r, const entry *e, const gb_plant_stream *stream, gb_link_stream *out)
{
    char path[64];
    snprintf(path, sizeof path, "%s[%u].name", e->side, e->index);
    *out = (gb_link_stream){.line = line_of(r, path),
                            .topic = copy(r, e->raw->topic),
                            .type = copy(r, e->raw->type),
                            .field = copy(r, e->raw->field),
                            .sequence = copy(r, e->raw->sequence)};
    if (!out->topic || !out->type || !out->field || !out->sequence)
        return no_memory(r);
    if (e->raw->columns_count > 0) {
        uint32_t count = e->raw->columns_count;
        if (count != (uint32_t)stream->size)
            return wrong_in(r, e, "columns", "%u columns for %d values; expected one for each",
                            count, stream->size);
        const char **columns = gb_arena_alloc(r->map->arena, count * sizeof *columns);
        for (uint32_t i = 0; columns && i < count; i++)
            if (!(columns[i] = copy(r, e->raw->columns[i])))
                columns = NULL;
        if (!columns)
            return no_memory(r);
        out->columns = columns;
    }
    return read_scale(r, e, stream->spec.unit, out);
}

static gb_status read_shape(const reading *r, const entry *e, gb_plant_stream *out)
{
    const gb_raw_link_stream *raw = e->raw;
    int64_t size = 1;
    out->spec.rank = raw->shape_count ? (int)raw->shape_count : 1;
    out->spec.shape[0] = raw->columns_count ? raw->columns_count : 1;
    for (uint32_t i = 0; i < raw->shape_count; i++) {
        if (raw->shape[i] < 1 || raw->shape[i] > VALUES_MOST)
            return wrong_in(r, e, "shape", "%" PRId64 " values; expected 1 to %d in each direction",
                            raw->shape[i], VALUES_MOST);
        out->spec.shape[i] = raw->shape[i];
    }
    for (int i = 0; i < out->spec.rank; i++) {
        size *= out->spec.shape[i];
        if (size > VALUES_MOST)
            return wrong_in(r, e, "shape", "more than %d values", VALUES_MOST);
    }
    out->size = (int)size;
    out->spec.kind = e->action             ? GB_STREAM_ACTION
                     : out->spec.rank == 3 ? GB_STREAM_IMAGE
                                           : GB_STREAM_VECTOR;
    return GB_OK;
}

/* low: [0] counts for all values, or one for each. */
static gb_status read_limit(const reading *r,
                            const entry *e,
                            const char *key,
                            const double *given,
                            uint32_t count,
                            int size,
                            const double **out)
{
    if (count != 1 && count != (uint32_t)size)
        return wrong_in(r, e, key, "%u limits for %d values; expected 1 or %d", count, size, size);
    double *limits = gb_arena_alloc(r->map->arena, (size_t)size * sizeof *limits);
    if (!limits)
        return no_memory(r);
    for (int i = 0; i < size; i++)
        limits[i] = given[count == 1 ? 0 : i];
    *out = limits;
    return GB_OK;
}

static gb_status read_limits(const reading *r, const entry *e, gb_plant_stream *out)
{
    const gb_raw_link_stream *raw = e->raw;
    if (!raw->low_count != !raw->high_count)
        return wrong_in(r, e, raw->low_count ? "low" : "high", "low and high limits come together");
    if (!raw->low_count)
        return GB_OK;
    GB_TRY(read_limit(r, e, "low", raw->low, raw->low_count, out->size, &out->low));
    GB_TRY(read_limit(r, e, "high", raw->high, raw->high_count, out->size, &out->high));
    for (int i = 0; i < out->size; i++)
        if (!(out->low[i] < out->high[i]))
            return wrong_in(r, e, "low", "value %d: %g is not below its high limit %g", i,
                            out->low[i], out->high[i]);
    return GB_OK;
}

static gb_status read_stream(const reading *r, const entry *e, double rate_hz, gb_plant_stream *out)
{
    const gb_raw_link_stream *raw = e->raw;
    const char *name = copy(r, raw->name);
    if (!name)
        return no_memory(r);
    *out = (gb_plant_stream){.spec = gb_stream_spec_defaults(name), .hold = raw->hold};
    out->spec.value_type = GB_VALUE_F64;
    out->spec.time_base = GB_TIME_START;
    out->spec.rate_hz = rate_hz;
    out->spec.semantic = copy(r, raw->semantic);
    out->spec.frame = copy(r, raw->frame);
    if (!out->spec.semantic || !out->spec.frame)
        return no_memory(r);
    GB_TRY(read_unit(r, e, &out->spec.unit));
    GB_TRY(read_shape(r, e, out));
    if (raw->hold && !e->action)
        return wrong_in(r, e, "hold", "only actions hold");
    if (raw->wrap && !(*raw->wrap > 0))
        return wrong_in(r, e, "wrap", "%g; expected the length of a turn, above 0", *raw->wrap);
    if (raw->wrap && e->action)
        return wrong_in(r, e, "wrap",
                        "a command does not wrap: from 179 to -179 degrees the machine would go "
                        "all the way round; give the limits of one turn, or let it count turns");
    out->wrap = raw->wrap ? *raw->wrap : 0;
    return read_limits(r, e, out);
}

/* ---- the streams of a side ----------------------------------------------------------------------
 */

static gb_status repeated(const reading *r, const entry *e, const gb_raw_link_stream *all)
{
    for (uint32_t i = 0; i < e->index; i++)
        if (strcmp(all[i].name, e->raw->name) == 0)
            return wrong_in(r, e, "name", "is named twice");
    return GB_OK;
}

/* A machine of the map's own. */
static gb_status read_side(const reading *r,
                           const char *side,
                           const gb_raw_link_stream *raw,
                           uint32_t count,
                           double rate_hz,
                           const gb_plant_stream **out_streams,
                           const gb_link_stream **out_links,
                           int *out_size)
{
    if (count == 0)
        return wrong(r, side, "no streams; name at least one, or a known machine with plant:");
    gb_plant_stream *streams = gb_arena_alloc(r->map->arena, count * sizeof *streams);
    gb_link_stream *links = gb_arena_alloc(r->map->arena, count * sizeof *links);
    if (!streams || !links)
        return no_memory(r);
    int64_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        entry e = {&raw[i], side, i, raw == r->raw->actions};
        GB_TRY(repeated(r, &e, raw));
        GB_TRY(read_stream(r, &e, rate_hz, &streams[i]));
        GB_TRY(read_link(r, &e, &streams[i], &links[i]));
        streams[i].spec.labels = links[i].columns;
        size += streams[i].size;
        if (size > VALUES_MOST)
            return wrong_in(r, &e, "shape", "with it the %s hold more than %d values", side,
                            VALUES_MOST);
    }
    *out_streams = streams;
    *out_links = links;
    *out_size = (int)size;
    return GB_OK;
}

static int find_stream(const gb_plant_stream *streams, int count, const char *name, gb_words *words)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(streams[i].spec.name, name) == 0)
            return i;
        gb_words_add(words, streams[i].spec.name);
    }
    return -1;
}

/* What the file repeats of a known machine must be what it is. */
static gb_status agrees(const reading *r, const entry *e, const gb_plant_stream *known)
{
    const gb_raw_link_stream *raw = e->raw;
    int64_t size = 1;
    for (uint32_t i = 0; i < raw->shape_count && size <= VALUES_MOST; i++)
        size = raw->shape[i] < 1 || raw->shape[i] > VALUES_MOST ? INT32_MAX : size * raw->shape[i];
    if (raw->shape_count && size != known->size)
        return wrong_in(r, e, "shape", "the plant \"%s\" has %d values here", r->raw->plant,
                        known->size);
    if (raw->unit && strcmp(raw->unit, known->spec.unit) != 0)
        return wrong_in(r, e, "unit", "the plant \"%s\" has \"%s\" here, not \"%s\"", r->raw->plant,
                        known->spec.unit, raw->unit);
    const char *given = raw->low_count    ? "low"
                        : raw->high_count ? "high"
                        : raw->wrap       ? "wrap"
                        : raw->semantic   ? "semantic"
                        : raw->frame      ? "frame"
                        : raw->hold       ? "hold"
                                          : NULL;
    if (given)
        return wrong_in(r, e, given, "is known of the plant \"%s\"; leave it out", r->raw->plant);
    return GB_OK;
}

/* A machine of the registry: entries say only where its streams are in messages. */
static gb_status read_known(const reading *r,
                            const char *side,
                            const gb_raw_link_stream *raw,
                            uint32_t raw_count,
                            const gb_plant_stream *streams,
                            int count,
                            const gb_link_stream **out)
{
    gb_link_stream *links = gb_arena_alloc(r->map->arena, (size_t)count * sizeof *links);
    if (!links)
        return no_memory(r);
    for (int i = 0; i < count; i++)
        links[i] = (gb_link_stream){
            .line = 1, .topic = "", .type = "", .field = "", .sequence = "", .scale = 1};
    for (uint32_t i = 0; i < raw_count; i++) {
        entry e = {&raw[i], side, i, raw == r->raw->actions};
        gb_words words = {.written = raw[i].name};
        GB_TRY(repeated(r, &e, raw));
        int at = find_stream(streams, count, raw[i].name, &words);
        if (at < 0)
            return wrong_in(r, &e, "name", "the plant \"%s\" has no such stream; %sit has: %s",
                            r->raw->plant, gb_words_suggest(&words), words.list);
        GB_TRY(agrees(r, &e, &streams[at]));
        GB_TRY(read_link(r, &e, &streams[at], &links[at]));
    }
    *out = links;
    return GB_OK;
}

/* ---- the whole ----------------------------------------------------------------------------------
 */

static gb_status read_rates(const reading *r, gb_plant_info *info)
{
    const double *rate = r->raw->rate_hz, *action_rate = r->raw->action_rate_hz;
    if (!rate || !(*rate >= 1 && *rate <= 1000))
        return wrong(r, "rate_hz", "%s; expected commands a second, 1 to 1000",
                     rate ? "out of range" : "is missing");
    double each = action_rate ? *rate / *action_rate : 1;
    if (!(each >= 1 && each <= 10000))
        return wrong(r, "action_rate_hz", "%g; expected actions a second, from %g to rate_hz %g",
                     *action_rate, *rate / 10000, *rate);
    if (fabs(each - round(each)) > 1e-9 * each)
        return wrong(r, "action_rate_hz",
                     "%g actions a second are no whole number of commands at "
                     "rate_hz %g",
                     *action_rate, *rate);
    info->tick_ns = llround(1e9 / *rate);
    info->period_ns = info->tick_ns * llround(each);
    return GB_OK;
}

static gb_status read_own(const reading *r)
{
    const gb_raw_link_map *raw = r->raw;
    gb_link_map *map = r->map;
    if (!raw->name)
        return wrong(r, "name", "is missing: name the machine, or a known one with plant:");
    map->info = (gb_plant_info){
        .name = copy(r, raw->name),
        .summary = copy(r, raw->description),
        .source = "",
        .max_steps = EPISODE_STEPS,
        .observation_stream_count = (int)raw->observations_count,
        .action_stream_count = (int)raw->actions_count,
        .progress_name = "progress",
        .success_above = 1,
        .instruction = copy(r, raw->instruction),
    };
    if (!map->info.name || !map->info.summary || !map->info.instruction)
        return no_memory(r);
    GB_TRY(read_rates(r, &map->info));
    double rate_hz = 1e9 / (double)map->info.period_ns;
    GB_TRY(read_side(r, "observations", raw->observations, raw->observations_count, rate_hz,
                     &map->info.observation_streams, &map->observations,
                     &map->info.observation_size));
    return read_side(r, "actions", raw->actions, raw->actions_count, rate_hz,
                     &map->info.action_streams, &map->actions, &map->info.action_size);
}

static gb_status read_plant(const reading *r)
{
    const gb_raw_link_map *raw = r->raw;
    gb_link_map *map = r->map;
    const gb_plant_info *known = NULL;
    if (gb_plant_describe(raw->plant, &known) != GB_OK) {
        char why[512];
        snprintf(why, sizeof why, "%s", gb_error_message());
        return wrong(r, "plant", "%s", why);
    }
    if (raw->name && strcmp(raw->name, known->name) != 0)
        return wrong(r, "name", "the plant is called \"%s\"; leave the name out", known->name);
    map->info = *known;
    if (raw->rate_hz && llround(1e9 / *raw->rate_hz) != known->tick_ns)
        return wrong(r, "rate_hz", "the plant \"%s\" has %g; leave it out", known->name,
                     1e9 / (double)known->tick_ns);
    if (raw->action_rate_hz && llround(1e9 / *raw->action_rate_hz) != known->period_ns)
        return wrong(r, "action_rate_hz", "the plant \"%s\" has %g; leave it out", known->name,
                     1e9 / (double)known->period_ns);
    GB_TRY(read_known(r, "observations", raw->observations, raw->observations_count,
                      known->observation_streams, known->observation_stream_count,
                      &map->observations));
    return read_known(r, "actions", raw->actions, raw->actions_count, known->action_streams,
                      known->action_stream_count, &map->actions);
}

static size_t put_side(
    char *text, size_t room, const gb_plant_stream *streams, const gb_link_stream *links, int count)
{
    size_t used = 0;
    for (int i = 0; i < count && used < room; i++)
        used += (size_t)snprintf(text + used, room - used, "%s\t%s\t%d\t%a\t%a\n",
                                 streams[i].spec.name, streams[i].spec.unit, streams[i].size,
                                 links[i].scale, links[i].offset);
    return used;
}

/* The hash of a text that says what both sides must agree on: name and rates on a line, then a line
 * for each stream. The text's form is part of the wire format (docs/link.md). */
static gb_status hash_machine(const reading *r)
{
    gb_link_map *map = r->map;
    const gb_plant_info *info = &map->info;
    size_t lines = 1 + (size_t)info->observation_stream_count + (size_t)info->action_stream_count;
    size_t room = lines * LINE_BYTES;
    gb_arena *arena = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    char *text = gb_arena_alloc(arena, room);
    if (text) {
        size_t used = (size_t)snprintf(text, room, "%s\t%" PRId64 "\t%" PRId64 "\t%d\t%d\n",
                                       info->name, info->tick_ns, info->period_ns,
                                       info->observation_stream_count, info->action_stream_count);
        used += put_side(text + used, room - used, info->observation_streams, map->observations,
                         info->observation_stream_count);
        used += put_side(text + used, room - used, info->action_streams, map->actions,
                         info->action_stream_count);
        gb_hash(text, used, map->hash);
    }
    gb_arena_destroy(arena);
    return text ? GB_OK : no_memory(r);
}

static gb_status read_map(const reading *r)
{
    gb_link_map *map = r->map;
    map->path = copy(r, r->name);
    map->key_path = copy(r, r->raw->key);
    map->simulated = r->raw->simulated;
    map->shared_clock = r->raw->shared_clock;
    if (!map->path || !map->key_path)
        return no_memory(r);
    GB_TRY(r->raw->plant ? read_plant(r) : read_own(r));
    return hash_machine(r);
}

gb_status gb_link_map_parse(const char *name, const char *text, size_t size, gb_link_map **out)
{
    gb_arena *arena = NULL, *lines = NULL;
    gb_yaml_node *root = NULL;
    void *raw = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    reading r = {.name = name, .map = gb_arena_alloc(arena, sizeof(gb_link_map))};
    gb_status status =
        r.map ? gb_yaml_load_text(name, text, size, &gb_link_map_schema, &raw) : GB_ERR_MEMORY;
    if (status == GB_OK)
        status = gb_arena_create(0, &lines);
    if (status == GB_OK)
        status = gb_yaml_tree(name, text, size, lines, &root);
    if (status == GB_OK) {
        r.root = root;
        r.raw = raw;
        r.map->arena = arena;
        status = read_map(&r);
    }
    gb_yaml_free(&gb_link_map_schema, raw);
    gb_arena_destroy(lines);
    if (status != GB_OK) {
        gb_arena_destroy(arena);
        return status;
    }
    *out = r.map;
    return GB_OK;
}

gb_status gb_link_map_load(const char *path, gb_link_map **out)
{
    gb_arena *arena = NULL;
    char *text = NULL;
    size_t size = 0;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = gb_file_read(path, FILE_MOST, arena, &text, &size);
    if (status == GB_OK)
        status = gb_link_map_parse(path, text, size, out);
    gb_arena_destroy(arena);
    return status;
}

gb_status gb_link_map_without_key(const gb_link_map *map, const char *scheme)
{
    if (!map->key_path[0])
        return GB_OK;
    return gb_fail(GB_ERR_SCHEMA,
                   "%s: key: a %s link signs nothing, so the key would protect nothing; leave it "
                   "out, or use udp:// or shm://",
                   map->path, scheme);
}

void gb_link_map_destroy(gb_link_map *map)
{
    if (map)
        gb_arena_destroy(map->arena);
}
