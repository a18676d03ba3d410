/* From messages to the streams they feed: numbers, JSON, Sparkplug B. Order and duplicates are
 * live_stream.c; the network is mqtt.c. */
#include "ingest/live_stream.h"
#include "ingest/sparkplug.h"
#include "ingest/stamp.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAYLOAD_MAX (64u << 20)
#define JSON_DEPTH_MAX 32
#define KEY_BYTES 1024

/* What an alias of a Sparkplug node stands for, since its birth. */
typedef struct alias {
    char *node; /* "GROUP/NODE" */
    uint64_t number;
    char *name;
    int type;
} alias;

/* A node's sequence numbers, and which devices it has is not kept. */
typedef struct node {
    char *name;   /* "GROUP/NODE" */
    int sequence; /* of its last message; -1: unknown */
} node;

struct gb_live {
    const gb_stream_map *map;
    int64_t hold_ns;
    gb_record_counts counts;
    gb_sink *sink;
    int recording;
    bool open;
    int64_t handed_over;      /* samples of the open recording */
    gb_live_stream **streams; /* [stream_count] */
    int stream_count, stream_room;
    int *slots; /* hash of keys to stream + 1; [slot_count], a power of two */
    int slot_count;
    alias *aliases;
    int alias_count, alias_room;
    node *nodes;
    int node_count, node_room;
};

gb_status gb_live_create(const gb_stream_map *map, int64_t hold_ns, gb_live **out)
{
    gb_live *live = calloc(1, sizeof *live);
    if (!live)
        return gb_fail(GB_ERR_MEMORY, "no memory for a live recording");
    live->map = map;
    live->hold_ns = hold_ns;
    *out = live;
    return GB_OK;
}

static void forget_aliases(gb_live *live, const char *of)
{
    int kept = 0;
    for (int i = 0; i < live->alias_count; i++) {
        if (of && strcmp(live->aliases[i].node, of) != 0) {
            live->aliases[kept++] = live->aliases[i];
            continue;
        }
        free(live->aliases[i].node);
        free(live->aliases[i].name);
    }
    live->alias_count = kept;
}

void gb_live_destroy(gb_live *live)
{
    if (!live)
        return;
    if (live->open)
        gb_sink_abandon(live->sink, live->recording);
    for (int i = 0; i < live->stream_count; i++) {
        gb_live_stream_free(live->streams[i]);
        free(live->streams[i]);
    }
    forget_aliases(live, NULL);
    for (int i = 0; i < live->node_count; i++)
        free(live->nodes[i].name);
    free(live->nodes);
    free(live->aliases);
    free(live->streams);
    free(live->slots);
    free(live);
}

const gb_record_counts *gb_live_get_counts(const gb_live *live)
{
    return &live->counts;
}

/* ---- streams ------------------------------------------------------------------------------------
 */

static uint64_t hash_key(const char *key)
{
    uint64_t hash = 14695981039346656037ull; /* FNV-1a */
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 1099511628211ull;
    return hash;
}

static int *find_slot(const gb_live *live, const char *key)
{
    unsigned mask = (unsigned)live->slot_count - 1;
    for (unsigned at = (unsigned)hash_key(key) & mask;; at = (at + 1) & mask) {
        int *slot = &live->slots[at];
        if (*slot == 0 || strcmp(live->streams[*slot - 1]->key, key) == 0)
            return slot;
    }
}

static gb_status grow_slots(gb_live *live)
{
    if (2 * (live->stream_count + 1) <= live->slot_count)
        return GB_OK;
    int count = live->slot_count ? 2 * live->slot_count : 64;
    int *slots = calloc((size_t)count, sizeof *slots);
    if (!slots)
        return gb_fail(GB_ERR_MEMORY, "no memory for more streams");
    free(live->slots);
    live->slots = slots;
    live->slot_count = count;
    for (int i = 0; i < live->stream_count; i++)
        *find_slot(live, live->streams[i]->key) = i + 1;
    return GB_OK;
}

static const gb_map_stream *
find_map(const gb_live *live, const char *source, const char *field, bool *out_wanted)
{
    const gb_map_data *data = live->map ? live->map->data : NULL;
    *out_wanted = !data || data->streams_count == 0;
    for (uint32_t i = 0; data && i < data->streams_count; i++) {
        const gb_map_stream *stream = &data->streams[i];
        if (stream->source && strcmp(stream->source, source) == 0 &&
            strcmp(stream->field ? stream->field : "", field) == 0) {
            *out_wanted = true;
            return stream;
        }
    }
    return NULL;
}

static gb_status
name_stream(const gb_live *live, gb_live_stream *s, const char *source, const char *field)
{
    char name[GB_STREAM_NAME_MAX + 1];
    if (s->map)
        snprintf(name, sizeof name, "%s", s->map->name);
    else
        snprintf(name, sizeof name, "%s%s%s", source, field[0] ? "." : "", field);
    for (char *c = name; *c && !s->map; c++)
        if (*c == '/')
            *c = '.';
    for (int i = 0; i < live->stream_count; i++) /* cut names may meet */
        if (strcmp(live->streams[i]->name, name) == 0)
            snprintf(name + (strlen(name) > 100 ? 100 : strlen(name)), 20, "~%d",
                     live->stream_count);
    s->name = strdup(name);
    return s->name ? GB_OK : gb_fail(GB_ERR_MEMORY, "no memory for stream %s", name);
}

static gb_status add_stream(gb_live *live,
                            const char *key,
                            const char *source,
                            const char *field,
                            const gb_map_stream *map,
                            bool is_text,
                            gb_live_stream **out)
{
    if (live->stream_count == GB_STREAMS_MAX)
        return gb_fail(GB_ERR_SHAPE, "%s: more than %d streams; choose some with a map", source,
                       GB_STREAMS_MAX);
    if (live->stream_count == live->stream_room) {
        int room = live->stream_room ? 2 * live->stream_room : 32;
        gb_live_stream **grown = realloc(live->streams, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "no memory for stream %s", key);
        live->streams = grown;
        live->stream_room = room;
    }
    GB_TRY(grow_slots(live));
    gb_live_stream *s = calloc(1, sizeof *s);
    if (!s)
        return gb_fail(GB_ERR_MEMORY, "no memory for stream %s", key);
    s->map = map;
    s->is_text = is_text;
    s->number = -1;
    s->key = strdup(key);
    gb_status status = s->key ? name_stream(live, s, source, field) : GB_ERR_MEMORY;
    if (status != GB_OK) {
        gb_live_stream_free(s);
        free(s);
        return status;
    }
    live->streams[live->stream_count++] = s;
    *find_slot(live, key) = live->stream_count;
    *out = s;
    return GB_OK;
}

typedef struct place {
    const char *source, *field; /* what a map names, and a stream is named after */
    int64_t time_ns, arrival_ns;
    bool again;       /* see gb_live_value */
    const char *unit; /* [unit_size] the source's, NULL none */
    size_t unit_size;
} place;

/* Numbers and texts of one place are streams of their own: "state" may hold either. */
static gb_status put(gb_live *live, const place *at, const gb_live_value *given)
{
    gb_live_value settled = *given, *value = &settled;
    settled.again = at->again;
    char key[KEY_BYTES];
    int length = snprintf(key, sizeof key, "%s%s%s%s", at->source, at->field[0] ? "#" : "",
                          at->field, value->is_text ? "$" : "");
    if (length < 0 || length >= (int)sizeof key)
        return gb_fail(GB_ERR_SHAPE, "%.60s...: a topic and field of over %d bytes", at->source,
                       KEY_BYTES);
    GB_TRY(grow_slots(live));
    int slot = *find_slot(live, key);
    gb_live_stream *s = slot ? live->streams[slot - 1] : NULL;
    if (!s) {
        bool wanted;
        const gb_map_stream *map = find_map(live, at->source, at->field, &wanted);
        if (!wanted)
            return GB_OK;
        GB_TRY(add_stream(live, key, at->source, at->field, map, value->is_text, &s));
    }
    if (at->unit && !s->unit)
        s->unit = strndup(at->unit, at->unit_size);
    return gb_live_stream_put(s, value, at->time_ns, at->arrival_ns, &live->counts);
}

/* ---- JSON ---------------------------------------------------------------------------------------
 */

static int64_t epoch_ns(double number)
{
    double size = fabs(number);
    double scale = size < 1e11 ? 1e9 : size < 1e14 ? 1e6 : size < 1e17 ? 1e3 : 1;
    double whole = floor(number); /* apart, so that nanoseconds survive */
    if (fabs(whole) * scale > 9.2e18)
        return 0;
    return (int64_t)whole * (int64_t)scale + (int64_t)llround((number - whole) * scale);
}

/* A time inside the message: where the map says, or under one of the usual names. */
static int64_t
json_time(const gb_live *live, const json_t *object, int64_t arrival_ns, const char **out_key)
{
    static const char *const usual[] = {"timestamp", "ts", "time", "Timestamp", "datetime"};
    const char *mapped = live->map ? live->map->data->time.column : NULL;
    *out_key = NULL;
    for (size_t i = 0; i < (mapped ? 1 : sizeof usual / sizeof *usual); i++) {
        const char *key = mapped ? mapped : usual[i];
        const json_t *value = json_object_get(object, key);
        int64_t ns = 0;
        const char *text = json_string_value(value);
        if (json_is_number(value))
            ns = json_is_integer(value) && llabs(json_integer_value(value)) >= 100000000000000000
                     ? (int64_t)json_integer_value(value)
                     : epoch_ns(json_number_value(value));
        else if (!text || !gb_stamp_parse(text, strlen(text), GB_TIME_FORMAT_DATETIME, '.', 1, &ns))
            continue;
        *out_key = key;
        return ns;
    }
    return arrival_ns;
}

static gb_status
take_json(gb_live *live, place *at, const json_t *value, const char *skip, int depth);

static gb_status
take_children(gb_live *live, place *at, const json_t *value, const char *skip, int depth)
{
    char path[KEY_BYTES];
    const char *prefix = at->field, *key;
    json_t *child, *container = (json_t *)(uintptr_t)value;
    size_t index;
    gb_status status = GB_OK;
    json_object_foreach(container, key, child)
    {
        if (status != GB_OK || (skip && strcmp(key, skip) == 0))
            continue;
        snprintf(path, sizeof path, "%s%s%s", prefix, prefix[0] ? "." : "", key);
        at->field = path;
        status = take_json(live, at, child, NULL, depth + 1);
        at->field = prefix;
    }
    json_array_foreach(container, index, child)
    {
        if (status != GB_OK)
            break;
        snprintf(path, sizeof path, "%s[%zu]", prefix, index);
        at->field = path;
        status = take_json(live, at, child, NULL, depth + 1);
        at->field = prefix;
    }
    return status;
}

static gb_status
take_json(gb_live *live, place *at, const json_t *value, const char *skip, int depth)
{
    gb_live_value v = {0};
    if (depth > JSON_DEPTH_MAX)
        return gb_fail(GB_ERR_SHAPE, "%s: JSON more than %d deep", at->source, JSON_DEPTH_MAX);
    if (json_is_object(value) || json_is_array(value))
        return take_children(live, at, value, skip, depth);
    if (json_is_number(value))
        v.number = json_number_value(value);
    else if (json_is_boolean(value))
        v.number = json_is_true(value);
    else if (json_is_null(value)) {
        v.number = NAN;
        v.is_missing = true;
    } else {
        v.is_text = true;
        v.text = json_string_value(value);
        v.size = json_string_length(value);
    }
    return put(live, at, &v);
}

/* A plain number, JSON, or a text. */
static gb_status take_plain(gb_live *live,
                            const char *topic,
                            const char *payload,
                            size_t size,
                            int64_t arrival_ns,
                            bool again)
{
    place at = {.source = topic,
                .field = "",
                .time_ns = arrival_ns,
                .arrival_ns = arrival_ns,
                .again = again};
    const char *time_key = NULL;
    json_error_t error;
    json_t *document = json_loadb(payload, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (!document) {
        bool meant = size > 0 && (payload[0] == '{' || payload[0] == '[');
        if (meant)
            return gb_fail(GB_ERR_PARSE, "%s: JSON that is none: %s at byte %d", topic, error.text,
                           error.position);
        gb_live_value text = {.is_text = true, .text = payload, .size = size};
        return put(live, &at, &text);
    }
    if (json_is_object(document))
        at.time_ns = json_time(live, document, arrival_ns, &time_key);
    at.again = again && !time_key;
    gb_status status = take_json(live, &at, document, time_key, 0);
    json_decref(document);
    return status;
}

/* ---- Sparkplug B --------------------------------------------------------------------------------
 */

typedef struct birth {
    gb_live *live;
    const gb_sparkplug_topic *topic;
    char node[256];   /* "GROUP/NODE" */
    char source[512]; /* "GROUP/NODE/DEVICE" */
    int64_t arrival_ns;
    bool is_birth;
} birth;

static alias *find_alias(gb_live *live, const char *of, uint64_t number)
{
    for (int i = 0; i < live->alias_count; i++)
        if (live->aliases[i].number == number && strcmp(live->aliases[i].node, of) == 0)
            return &live->aliases[i];
    return NULL;
}

static gb_status declare(gb_live *live, const char *of, const gb_sparkplug_metric *m)
{
    if (!m->has_alias || !m->name)
        return GB_OK;
    alias *found = find_alias(live, of, m->alias);
    if (!found && live->alias_count == live->alias_room) {
        int room = live->alias_room ? 2 * live->alias_room : 64;
        alias *grown = realloc(live->aliases, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "no memory for the aliases of %s", of);
        live->aliases = grown;
        live->alias_room = room;
    }
    char *name = strndup(m->name, m->name_size), *owner = found ? found->node : strdup(of);
    if (!name || !owner) {
        free(name);
        return gb_fail(GB_ERR_MEMORY, "no memory for the aliases of %s", of);
    }
    if (found)
        free(found->name);
    else
        found = &live->aliases[live->alias_count++];
    *found = (alias){owner, m->alias, name, m->type};
    return GB_OK;
}

static gb_status
take_metric(void *context, const gb_sparkplug_payload *payload, const gb_sparkplug_metric *m)
{
    birth *b = context;
    gb_live *live = b->live;
    if (b->is_birth)
        GB_TRY(declare(live, b->node, m));
    const alias *known = m->has_alias ? find_alias(live, b->node, m->alias) : NULL;
    char name[KEY_BYTES / 2];
    if (m->name)
        snprintf(name, sizeof name, "%.*s", (int)(m->name_size < 400 ? m->name_size : 400),
                 m->name);
    else if (known)
        snprintf(name, sizeof name, "%.400s", known->name);
    else {
        live->counts.unknown++;
        return GB_OK;
    }
    if (strcmp(name, "bdSeq") == 0 || strncmp(name, "Node Control/", 13) == 0)
        return GB_OK; /* of the protocol, not of the plant */
    int64_t time_ms = m->time_ms ? m->time_ms : payload->time_ms;
    bool fits = time_ms > 0 && time_ms < INT64_MAX / 1000000;
    place at = {.source = b->source,
                .field = name,
                .time_ns = fits ? time_ms * 1000000 : b->arrival_ns,
                .arrival_ns = b->arrival_ns,
                .unit = m->unit,
                .unit_size = m->unit_size};
    gb_live_value value = {.is_text = m->has_text, .text = m->text, .size = m->text_size};
    int type = m->type ? m->type : known ? known->type : 0;
    if (!m->has_text && !gb_sparkplug_number(m, type, &value.number)) {
        value.number = NAN;
        value.is_missing = true;
    }
    return put(live, &at, &value);
}

static gb_status find_node(gb_live *live, const char *name, node **out)
{
    for (int i = 0; i < live->node_count; i++) {
        if (strcmp(live->nodes[i].name, name) == 0) {
            *out = &live->nodes[i];
            return GB_OK;
        }
    }
    if (live->node_count == live->node_room) {
        int room = live->node_room ? 2 * live->node_room : 16;
        node *grown = realloc(live->nodes, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "no memory for node %s", name);
        live->nodes = grown;
        live->node_room = room;
    }
    char *copy = strdup(name);
    if (!copy)
        return gb_fail(GB_ERR_MEMORY, "no memory for node %s", name);
    live->nodes[live->node_count] = (node){copy, -1};
    *out = &live->nodes[live->node_count++];
    return GB_OK;
}

/* Births, data and deaths of a node and its devices are numbered 0..255, round and round. */
static void
follow_sequence(gb_live *live, node *n, const gb_sparkplug_payload *payload, bool is_node_birth)
{
    if (payload->sequence < 0)
        return;
    if (!is_node_birth && n->sequence >= 0) {
        int missing = (payload->sequence - n->sequence - 1) & 255;
        if (missing < 128) /* more is a message delivered again, or late */
            live->counts.lost += missing;
        else
            return;
    }
    n->sequence = payload->sequence;
}

static gb_status put_state(birth *b, bool alive)
{
    gb_live_value value = {.number = alive};
    place at = {.source = b->source,
                .field = "alive",
                .time_ns = b->arrival_ns,
                .arrival_ns = b->arrival_ns};
    return put(b->live, &at, &value);
}

static gb_status take_sparkplug(gb_live *live,
                                const gb_sparkplug_topic *topic,
                                const void *payload,
                                size_t size,
                                int64_t arrival_ns)
{
    birth b = {.live = live, .topic = topic, .arrival_ns = arrival_ns};
    gb_sparkplug_message m = topic->message;
    b.is_birth = m == GB_SPARKPLUG_NBIRTH || m == GB_SPARKPLUG_DBIRTH;
    bool is_death = m == GB_SPARKPLUG_NDEATH || m == GB_SPARKPLUG_DDEATH;
    if (topic->group_size + topic->node_size > 200 || topic->device_size > 200)
        return gb_fail(GB_ERR_SHAPE, "a Sparkplug topic with names of over 200 bytes");
    snprintf(b.node, sizeof b.node, "%.*s/%.*s", (int)topic->group_size, topic->group,
             (int)topic->node_size, topic->node);
    snprintf(b.source, sizeof b.source, "%s%s%.*s", b.node, topic->device_size ? "/" : "",
             (int)topic->device_size, topic->device);
    gb_sparkplug_payload about;
    node *n = NULL;
    GB_TRY(find_node(live, b.node, &n));
    if (m == GB_SPARKPLUG_NBIRTH)
        forget_aliases(live, b.node);
    if (b.is_birth || is_death)
        GB_TRY(put_state(&b, b.is_birth));
    if (is_death)
        return GB_OK;
    GB_TRY(gb_sparkplug_read(payload, size, take_metric, &b, &about));
    follow_sequence(live, n, &about, m == GB_SPARKPLUG_NBIRTH);
    return GB_OK;
}

/* ---- messages and recordings --------------------------------------------------------------------
 */

gb_status gb_live_take(gb_live *live,
                       const char *topic,
                       const void *payload,
                       size_t size,
                       int64_t arrival_ns,
                       bool again)
{
    gb_sparkplug_topic sparkplug = gb_sparkplug_topic_parse(topic);
    gb_status status = GB_OK;
    live->counts.messages++;
    if (size > PAYLOAD_MAX)
        status = gb_fail(GB_ERR_SHAPE, "%s: a payload of %zu bytes is over the limit of %u", topic,
                         size, PAYLOAD_MAX);
    else if (sparkplug.message == GB_SPARKPLUG_NONE)
        status = take_plain(live, topic, payload, size, arrival_ns, again);
    else if (sparkplug.message != GB_SPARKPLUG_OTHER)
        status = take_sparkplug(live, &sparkplug, payload, size, arrival_ns);
    live->counts.rejected += status == GB_ERR_PARSE || status == GB_ERR_SHAPE;
    return status;
}

gb_status gb_live_begin(gb_live *live, gb_sink *sink, const gb_recording_info *info)
{
    GB_TRY(gb_sink_begin(sink, info, &live->recording));
    live->sink = sink;
    live->open = true;
    live->handed_over = 0;
    for (int i = 0; i < live->stream_count; i++)
        live->streams[i]->number = -1;
    return GB_OK;
}

gb_status gb_live_tick(gb_live *live, int64_t now_ns)
{
    for (int i = 0; i < live->stream_count; i++) {
        int64_t count = 0;
        int64_t until_ns = now_ns == INT64_MAX ? now_ns : now_ns - live->hold_ns;
        gb_status status =
            gb_live_stream_release(live->streams[i], until_ns, live->sink, live->recording, &count);
        live->handed_over += count;
        if (status != GB_OK)
            return status;
    }
    return GB_OK;
}

gb_status gb_live_end(gb_live *live, bool all, int64_t *out_samples)
{
    if (all)
        GB_TRY(gb_live_tick(live, INT64_MAX));
    int64_t samples = live->handed_over;
    if (samples == 0)
        gb_sink_abandon(live->sink, live->recording);
    else
        GB_TRY(gb_sink_end(live->sink, live->recording));
    live->open = false;
    *out_samples = samples;
    return GB_OK;
}
