/* control/link_text.c: reads and writes the text of topics. How messages travel is link_mqtt.c. */
#include "control/link_text.h"

#include "ingest/json_cells.h"
#include "ingest/layout.h"
#include "ingest/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    NUMBER_BYTES = 32, /* "-1.7976931348623157e+308" and a comma */
    SEQUENCE_BYTES = 24
};

/* Where a stream stands in the flat array and what the map says of it. */
typedef struct member {
    const gb_plant_stream *stream;
    const gb_link_stream *link;
    int number, offset;
    int path;      /* of its first value in the topic's */
    bool is_array; /* the path behind its last value must be empty */
} member;

typedef struct text_topic {
    const char *name, *sequence; /* "" no sequence */
    bool is_number;
    int member_count;
    member *members;
    gb_json_paths *paths;
    int path_count; /* the last is the sequence's, when there is one */
    gb_span *cells; /* [path_count] */
    double *values; /* [path_count] a message being judged */
    size_t room;
} text_topic;

struct gb_link_text {
    const gb_link_map *map;
    int topic_count;
    text_topic *topics;
};

/* ---- from a map ---------------------------------------------------------------------------------
 */

GB_PRINTF(3, 4)
static gb_status wrong(const gb_link_map *map, const member *m, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return gb_fail(GB_ERR_SCHEMA, "%s:%d: stream \"%s\": %s", map->path, m->link->line,
                   m->stream->spec.name, message);
}

static const char *topic_of(const member *m)
{
    return m->link->topic[0] ? m->link->topic : m->stream->spec.name;
}

static bool is_number(const member *m)
{
    if (m->link->type[0])
        return strcmp(m->link->type, "number") == 0;
    return m->stream->size == 1 && !m->link->field[0] && !m->link->columns;
}

static gb_status check_member(const gb_link_map *map, const member *m, bool written)
{
    const char *type = m->link->type;
    if (type[0] && strcmp(type, "json") != 0 && strcmp(type, "number") != 0)
        return wrong(map, m, "type \"%s\"; MQTT has json and number", type);
    if (is_number(m) &&
        (m->stream->size != 1 || m->link->field[0] || m->link->columns || m->link->sequence[0]))
        return wrong(map, m,
                     "type number is one number alone; use json for %d values, fields or "
                     "a sequence",
                     m->stream->size);
    if (m->link->sequence[0] && !m->link->field[0] && !m->link->columns)
        return wrong(map, m, "with a sequence the values need a field or columns");
    if (written && strpbrk(m->link->field, ".["))
        return wrong(map, m, "field \"%s\": only a plain key can be written", m->link->field);
    if (strchr(m->link->field, '"') || strchr(m->link->sequence, '"'))
        return wrong(map, m, "a key with a quote in it cannot be found");
    for (int i = 0; m->link->columns && i < m->stream->size; i++)
        if (strpbrk(m->link->columns[i], "\"\\"))
            return wrong(map, m, "column \"%s\": a key with a quote or backslash cannot be found",
                         m->link->columns[i]);
    return GB_OK;
}

/* How many streams from this one on have its topic. */
static int count_members(const member *m, int rest)
{
    int count = 0;
    for (int i = 0; i < rest; i++) {
        member other = {.stream = m->stream + i, .link = m->link + i};
        count += strcmp(topic_of(&other), topic_of(m)) == 0;
    }
    return count;
}

/* Adds the stream to the topic it names; topics has room for all, a topic's members for those. */
static gb_status place(gb_link_text *text, const member *m, int members)
{
    int at = 0;
    while (at < text->topic_count && strcmp(text->topics[at].name, topic_of(m)) != 0)
        at++;
    text_topic *t = &text->topics[at];
    if (at == text->topic_count) {
        *t = (text_topic){.name = topic_of(m), .sequence = "", .is_number = is_number(m)};
        t->members = gb_arena_alloc(text->map->arena, (size_t)members * sizeof *t->members);
        if (!t->members)
            return GB_ERR_MEMORY;
        text->topic_count++;
    } else if (t->is_number || is_number(m)) {
        return wrong(text->map, m, "topic \"%s\" carries one plain number and another stream",
                     t->name);
    } else if ((!m->link->field[0] && !m->link->columns) ||
               (!t->members[0].link->field[0] && !t->members[0].link->columns)) {
        return wrong(text->map, m,
                     "topic \"%s\" carries several streams; each needs a field or columns",
                     t->name);
    }
    if (m->link->sequence[0]) {
        if (t->sequence[0] && strcmp(t->sequence, m->link->sequence) != 0)
            return wrong(text->map, m, "sequence \"%s\"; the topic has \"%s\" already",
                         m->link->sequence, t->sequence);
        t->sequence = m->link->sequence;
    }
    if (t->path_count + m->stream->size > GB_LINK_TEXT_VALUES_MOST)
        return wrong(text->map, m, "topic \"%s\" carries more than %d values", t->name,
                     GB_LINK_TEXT_VALUES_MOST);
    t->members[t->member_count] = *m;
    t->members[t->member_count].path = t->path_count;
    t->members[t->member_count++].is_array =
        !is_number(m) && m->stream->size > 1 && !m->link->columns;
    t->path_count += m->stream->size + t->members[t->member_count - 1].is_array;
    return GB_OK;
}

static const char *value_path(gb_arena *arena, const member *m, int value)
{
    const char *field = m->link->field;
    if (m->link->columns)
        return gb_arena_format(arena, "%s[\"%s\"]", field, m->link->columns[value]);
    if (m->stream->size > 1)
        return gb_arena_format(arena, "%s[%d]", field, value);
    return field[0] ? field : ".";
}

/* How long its message can be: a key may need six bytes for one. */
static size_t message_room(const text_topic *t)
{
    size_t room = SEQUENCE_BYTES + 6 * strlen(t->sequence) + 16;
    for (int i = 0; i < t->member_count; i++) {
        const member *m = &t->members[i];
        room += 6 * strlen(m->link->field) + 16;
        for (int k = 0; k < m->stream->size; k++)
            room += NUMBER_BYTES + (m->link->columns ? 6 * strlen(m->link->columns[k]) + 8 : 0);
    }
    return room;
}

static gb_status finish_topic(const gb_link_map *map, text_topic *t)
{
    gb_arena *arena = map->arena;
    t->path_count += t->sequence[0] != 0;
    t->room = message_room(t);
    const char **paths = gb_arena_alloc(arena, (size_t)t->path_count * sizeof *paths);
    t->cells = gb_arena_alloc(arena, (size_t)t->path_count * sizeof *t->cells);
    t->values = gb_arena_alloc(arena, (size_t)t->path_count * sizeof *t->values);
    if (!paths || !t->cells || !t->values)
        return GB_ERR_MEMORY;
    for (int i = 0; i < t->member_count; i++) {
        const member *m = &t->members[i];
        for (int k = 0; k < m->stream->size + m->is_array; k++)
            if (!(paths[m->path + k] = value_path(arena, m, k)))
                return GB_ERR_MEMORY;
    }
    if (t->sequence[0])
        paths[t->path_count - 1] = t->sequence;
    gb_status status = gb_json_paths_create(paths, t->path_count, arena, &t->paths);
    return status == GB_OK ? GB_OK
                           : gb_fail_context(status, "%s: topic \"%s\"", map->path, t->name);
}

gb_status gb_link_text_create(gb_link_map *map, bool actions, bool written, gb_link_text **out)
{
    const gb_plant_info *info = &map->info;
    int count = actions ? info->action_stream_count : info->observation_stream_count;
    const gb_plant_stream *streams = actions ? info->action_streams : info->observation_streams;
    const gb_link_stream *links = actions ? map->actions : map->observations;
    gb_link_text *text = gb_arena_alloc(map->arena, sizeof *text);
    text_topic *topics = gb_arena_alloc(map->arena, (size_t)count * sizeof *topics);
    if (!text || !topics)
        return GB_ERR_MEMORY;
    *text = (gb_link_text){.map = map, .topics = topics};
    for (int i = 0, offset = 0; i < count; offset += streams[i++].size) {
        member m = {.stream = &streams[i], .link = &links[i], .number = i, .offset = offset};
        GB_TRY(check_member(map, &m, written));
        GB_TRY(place(text, &m, count_members(&m, count - i)));
    }
    for (int i = 0; i < text->topic_count; i++)
        GB_TRY(finish_topic(map, &topics[i]));
    *out = text;
    return GB_OK;
}

int gb_link_text_topics(const gb_link_text *text)
{
    return text->topic_count;
}

const char *gb_link_text_topic(const gb_link_text *text, int topic)
{
    return text->topics[topic].name;
}

bool gb_link_text_has(const gb_link_text *text, int topic, int stream)
{
    for (int i = 0; i < text->topics[topic].member_count; i++)
        if (text->topics[topic].members[i].number == stream)
            return true;
    return false;
}

bool gb_link_text_is_counted(const gb_link_text *text, int topic)
{
    return text->topics[topic].sequence[0] != 0;
}

size_t gb_link_text_room(const gb_link_text *text, int topic)
{
    return text->topics[topic].room;
}

/* ---- reading ------------------------------------------------------------------------------------
 */

/* A number, a truth as 0 or 1, or nothing: "", null and nan. */
static bool read_value(const char *text, size_t size, double *out)
{
    if (size == 0 || (size == 4 && memcmp(text, "null", 4) == 0) ||
        (size == 3 && (memcmp(text, "nan", 3) == 0 || memcmp(text, "NaN", 3) == 0))) {
        *out = NAN;
        return true;
    }
    if ((size == 4 && memcmp(text, "true", 4) == 0) ||
        (size == 5 && memcmp(text, "false", 5) == 0)) {
        *out = size == 4;
        return true;
    }
    return gb_number_double(text, size, '.', out) == GB_NUMBER_OK;
}

static gb_link_text_verdict read_number(const text_topic *t, const char *payload, size_t size)
{
    while (size > 0 && strchr(" \t\r\n", payload[size - 1]) && payload[size - 1])
        size--;
    while (size > 0 && strchr(" \t\r\n", payload[0]) && payload[0])
        payload++, size--;
    return size > 0 && read_value(payload, size, &t->values[0]) ? GB_LINK_TEXT_GOOD
                                                                : GB_LINK_TEXT_CORRUPT;
}

/* A value that is not there stands at 0, where no value inside an object or array begins. */
static bool is_absent(const gb_span *cell)
{
    return cell->at == 0 && GB_SPAN_SIZE(*cell) == 0;
}

static gb_link_text_verdict
read_json(const text_topic *t, const char *payload, size_t size, uint64_t *sequence)
{
    uint32_t at = 0;
    bool negative = false;
    uint64_t counted = 0;
    if (!gb_json_cut(t->paths, payload, 0, (uint32_t)size, t->cells, &at))
        return GB_LINK_TEXT_CORRUPT;
    for (int i = 0; i < t->member_count; i++) {
        const member *m = &t->members[i];
        for (int k = 0; k < m->stream->size; k++) {
            const gb_span *cell = &t->cells[m->path + k];
            if (is_absent(cell))
                return GB_LINK_TEXT_MISSHAPEN;
            if (!read_value(payload + cell->at, GB_SPAN_SIZE(*cell), &t->values[m->path + k]))
                return GB_LINK_TEXT_MISSHAPEN;
        }
        if (m->is_array && !is_absent(&t->cells[m->path + m->stream->size]))
            return GB_LINK_TEXT_MISSHAPEN;
    }
    if (t->sequence[0]) {
        const gb_span *cell = &t->cells[t->path_count - 1];
        if (gb_number_whole(payload + cell->at, GB_SPAN_SIZE(*cell), '.', &negative, &counted) !=
                GB_NUMBER_OK ||
            negative)
            return GB_LINK_TEXT_MISSHAPEN;
    }
    *sequence = counted;
    return GB_LINK_TEXT_GOOD;
}

gb_link_text_verdict gb_link_text_read(const gb_link_text *text,
                                       int topic,
                                       const char *payload,
                                       size_t size,
                                       double *values,
                                       uint64_t *sequence)
{
    const text_topic *t = &text->topics[topic];
    uint64_t counted = 0;
    if (size == 0 || size > GB_LINK_TEXT_MESSAGE_MOST || !gb_text_is_utf8(payload, size))
        return GB_LINK_TEXT_CORRUPT;
    gb_link_text_verdict verdict =
        t->is_number ? read_number(t, payload, size) : read_json(t, payload, size, &counted);
    if (verdict != GB_LINK_TEXT_GOOD)
        return verdict;
    for (int i = 0; i < t->member_count; i++) {
        const member *m = &t->members[i];
        bool plain = m->link->scale == 1 && m->link->offset == 0;
        for (int k = 0; k < m->stream->size; k++) {
            double value = t->values[m->path + k];
            values[m->offset + k] = plain ? value : m->link->scale * value + m->link->offset;
        }
    }
    *sequence = counted;
    return GB_LINK_TEXT_GOOD;
}

/* ---- writing ------------------------------------------------------------------------------------
 */

static char *put_key(char *at, const char *key)
{
    *at++ = '"';
    for (; *key; key++) {
        unsigned char c = (unsigned char)*key;
        if (c == '"' || c == '\\') {
            *at++ = '\\';
            *at++ = (char)c;
        } else if (c < 0x20) {
            at += sprintf(at, "\\u%04x", c);
        } else {
            *at++ = (char)c;
        }
    }
    *at++ = '"';
    *at++ = ':';
    return at;
}

static char *put_value(char *at, const member *m, int k, const double *values)
{
    double value = values[m->offset + k];
    if (m->link->scale != 1 || m->link->offset != 0)
        value = (value - m->link->offset) / m->link->scale;
    return at + (isfinite(value) ? sprintf(at, "%.17g", value) : sprintf(at, "null"));
}

/* All values of a stream: a number, [..] or the members of an object without its braces. */
static char *put_values(char *at, const member *m, const double *values, bool braces)
{
    bool array = m->is_array;
    if (array || braces)
        *at++ = array ? '[' : '{';
    for (int k = 0; k < m->stream->size; k++) {
        if (k > 0)
            *at++ = ',';
        if (m->link->columns)
            at = put_key(at, m->link->columns[k]);
        at = put_value(at, m, k, values);
    }
    if (array || braces)
        *at++ = array ? ']' : '}';
    return at;
}

size_t gb_link_text_write(
    const gb_link_text *text, int topic, const double *values, uint64_t sequence, char *out)
{
    const text_topic *t = &text->topics[topic];
    const member *first = &t->members[0];
    char *at = out;
    bool bare = !first->link->field[0] && !first->link->columns && !t->sequence[0];
    if (!bare)
        *at++ = '{';
    if (t->sequence[0]) {
        at = put_key(at, t->sequence);
        at += sprintf(at, "%" PRIu64 ",", sequence);
    }
    for (int i = 0; i < t->member_count; i++) {
        const member *m = &t->members[i];
        if (i > 0)
            *at++ = ',';
        if (m->link->field[0])
            at = put_key(at, m->link->field);
        at = put_values(at, m, values, m->link->columns && m->link->field[0]);
    }
    if (!bare)
        *at++ = '}';
    *at = 0;
    return (size_t)(at - out);
}
