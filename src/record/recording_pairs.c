/* Streams and recordings as the texts of MCAP metadata, and back. Further facts of a stream keep
 * their keys behind "pair.", so that they never clash with the fields here. */
#include "record/recording_file.h"
#include "record/stream.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

enum {
    FIELDS_MOST = 16
};
#define PAIR_PREFIX "pair."

static const char *const time_bases[] = {"utc", "start", "row"};

bool gb_record_is_utf8(const void *text, size_t size)
{
    const unsigned char *at = text, *end = at + size;
    while (at < end) {
        unsigned char c = *at;
        int more = c < 0x80 ? 0 : c < 0xc2 ? -1 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf5 ? 3 : -1;
        if (more < 0 || end - at <= more)
            return false;
        if (more > 0) { /* no overlong forms, no surrogates, nothing above U+10FFFF */
            unsigned char least = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
            unsigned char most = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
            if (at[1] < least || at[1] > most)
                return false;
        }
        for (int i = 2; i <= more; i++)
            if ((at[i] & 0xc0) != 0x80)
                return false;
        at += more + 1;
    }
    return true;
}

/* ---- writing ---- */

typedef struct pair_list {
    gb_arena *arena;
    const char *what; /* for messages */
    gb_pair *pairs;
    int count;
} pair_list;

static gb_status add(pair_list *list, const char *key, const char *value)
{
    if (!value)
        value = "";
    if (!gb_record_is_utf8(key, strlen(key)) || !gb_record_is_utf8(value, strlen(value)))
        return gb_fail(GB_ERR_ARGUMENT,
                       "%s: its %s is not UTF-8; files hold UTF-8 only, so convert the text first",
                       list->what, key);
    list->pairs[list->count++] = (gb_pair){key, value};
    return GB_OK;
}

static gb_status add_text(pair_list *list, const char *key, const char *value)
{
    return value && value[0] ? add(list, key, value) : GB_OK;
}

static gb_status add_pairs(pair_list *list, const gb_pair *pairs, int count)
{
    for (int i = 0; i < count; i++) {
        const char *key = gb_arena_format(list->arena, PAIR_PREFIX "%s", pairs[i].key);
        if (!key)
            return GB_ERR_MEMORY;
        GB_TRY(add(list, key, pairs[i].value));
    }
    return GB_OK;
}

static gb_status start_list(pair_list *list, gb_arena *arena, const char *what, int pair_count)
{
    *list = (pair_list){.arena = arena, .what = what};
    list->pairs =
        gb_arena_alloc(arena, ((size_t)FIELDS_MOST + (size_t)pair_count) * sizeof *list->pairs);
    return list->pairs ? GB_OK : GB_ERR_MEMORY;
}

static gb_status labels_text(const gb_stream_spec *spec, gb_arena *arena, const char **out)
{
    json_t *array = json_array();
    int64_t size = gb_stream_spec_size(spec);
    for (int64_t i = 0; i < size; i++) {
        const char *label = spec->labels[i] ? spec->labels[i] : "";
        if (!gb_record_is_utf8(label, strlen(label))) {
            json_decref(array);
            return gb_fail(GB_ERR_ARGUMENT,
                           "stream %s: label %lld is not UTF-8; convert the text first", spec->name,
                           (long long)i);
        }
        if (json_array_append_new(array, json_string(label)) != 0) {
            json_decref(array);
            return gb_fail(GB_ERR_MEMORY, "no memory for the labels of stream %s", spec->name);
        }
    }
    char *text = json_dumps(array, JSON_COMPACT);
    json_decref(array);
    *out = text ? gb_arena_text(arena, text) : NULL;
    free(text);
    return *out ? GB_OK : gb_fail(GB_ERR_MEMORY, "no memory for the labels of %s", spec->name);
}

static const char *shape_text(const gb_stream_spec *spec, gb_arena *arena)
{
    const int64_t *shape = spec->shape;
    switch (spec->rank) {
    case 1:
        return gb_arena_format(arena, "%lld", (long long)shape[0]);
    case 2:
        return gb_arena_format(arena, "%lld,%lld", (long long)shape[0], (long long)shape[1]);
    case 3:
        return gb_arena_format(arena, "%lld,%lld,%lld", (long long)shape[0], (long long)shape[1],
                               (long long)shape[2]);
    default:
        return "";
    }
}

gb_status gb_stream_spec_to_pairs(const gb_stream_spec *spec,
                                  gb_arena *arena,
                                  const gb_pair **out_pairs,
                                  int *out_count)
{
    pair_list list;
    const char *labels = NULL, *shape = shape_text(spec, arena), *rate = NULL;
    rate = gb_arena_format(arena, "%.17g", spec->rate_hz);
    const char *what = gb_arena_format(arena, "stream %s", spec->name);
    if (!shape || !rate || !what)
        return GB_ERR_MEMORY;
    if (spec->labels)
        GB_TRY(labels_text(spec, arena, &labels));
    GB_TRY(start_list(&list, arena, what, spec->pair_count));
    GB_TRY(add(&list, "kind", gb_stream_kind_name(spec->kind)));
    GB_TRY(add(&list, "value_type", gb_value_type_name(spec->value_type)));
    GB_TRY(add(&list, "shape", shape));
    GB_TRY(add(&list, "unit", spec->unit));
    if (spec->rate_hz > 0)
        GB_TRY(add(&list, "rate_hz", rate));
    GB_TRY(add(&list, "time_base", time_bases[spec->time_base]));
    GB_TRY(add_text(&list, "clock", spec->clock));
    GB_TRY(add_text(&list, "semantic", spec->semantic));
    GB_TRY(add_text(&list, "frame", spec->frame));
    GB_TRY(add_text(&list, "encoding", spec->encoding));
    GB_TRY(add_text(&list, "labels", labels));
    GB_TRY(add_pairs(&list, spec->pairs, spec->pair_count));
    if (!gb_record_is_utf8(spec->name, strlen(spec->name)))
        return gb_fail(GB_ERR_ARGUMENT, "the name of stream %s is not UTF-8; convert it first",
                       spec->name);
    *out_pairs = list.pairs;
    *out_count = list.count;
    return GB_OK;
}

/* MCAP keeps no checksum of metadata, but labels that are enforced must not change unnoticed. */
static const char *pairs_checksum(const gb_pair *pairs, int count, gb_arena *arena)
{
    unsigned char hash[GB_HASH_BYTES];
    char hex[2 * GB_HASH_BYTES + 1];
    size_t size = 0, used = 0;
    for (int i = 0; i < count; i++)
        size += strlen(pairs[i].key) + strlen(pairs[i].value) + 2;
    char *text = gb_arena_alloc(arena, size);
    if (!text)
        return NULL;
    for (int i = 0; i < count; i++) {
        if (strcmp(pairs[i].key, "checksum") == 0)
            continue;
        used += (size_t)sprintf(text + used, "%s", pairs[i].key) + 1; /* the 0 parts them */
        used += (size_t)sprintf(text + used, "%s", pairs[i].value) + 1;
    }
    gb_hash(text, used, hash);
    gb_hash_hex(hash, hex);
    return gb_arena_text(arena, hex);
}

gb_status gb_recording_info_to_pairs(const gb_recording_info *info,
                                     int64_t zero_ns,
                                     gb_arena *arena,
                                     const gb_pair **out_pairs,
                                     int *out_count)
{
    pair_list list;
    const char *what = gb_arena_format(arena, "recording %s", info->name);
    const char *zero = gb_arena_format(arena, "%lld", (long long)zero_ns);
    if (!what || !zero)
        return GB_ERR_MEMORY;
    GB_TRY(start_list(&list, arena, what, info->pair_count));
    GB_TRY(add(&list, "format", "1"));
    GB_TRY(add(&list, "name", info->name));
    GB_TRY(add_text(&list, "source", info->source));
    GB_TRY(add_text(&list, "instruction", info->instruction));
    GB_TRY(add_text(&list, "outcome", info->outcome));
    GB_TRY(add_text(&list, "residency", info->residency));
    GB_TRY(add_text(&list, "owner", info->owner));
    GB_TRY(add_text(&list, "licence", info->licence));
    GB_TRY(add_text(&list, "purpose", info->purpose));
    GB_TRY(add(&list, "log_time_zero_ns", zero));
    GB_TRY(add_pairs(&list, info->pairs, info->pair_count));
    const char *checksum = pairs_checksum(list.pairs, list.count, arena);
    if (!checksum)
        return GB_ERR_MEMORY;
    GB_TRY(add(&list, "checksum", checksum));
    *out_pairs = list.pairs;
    *out_count = list.count;
    return GB_OK;
}

/* ---- reading ---- */

static const char *find(const gb_pair *pairs, int count, const char *key)
{
    const char *value = gb_pair_find(pairs, count, key);
    return value ? value : "";
}

static gb_status
read_pairs(const gb_pair *from, int count, gb_arena *arena, const gb_pair **out, int *out_count)
{
    const size_t prefix = sizeof PAIR_PREFIX - 1;
    int kept = 0;
    for (int i = 0; i < count; i++)
        kept += strncmp(from[i].key, PAIR_PREFIX, prefix) == 0;
    gb_pair *pairs = gb_arena_alloc(arena, (size_t)kept * sizeof *pairs);
    if (!pairs)
        return GB_ERR_MEMORY;
    kept = 0;
    for (int i = 0; i < count; i++) {
        if (strncmp(from[i].key, PAIR_PREFIX, prefix) != 0)
            continue;
        pairs[kept].key = gb_arena_text(arena, from[i].key + prefix);
        pairs[kept].value = gb_arena_text(arena, from[i].value);
        if (!pairs[kept].key || !pairs[kept].value)
            return GB_ERR_MEMORY;
        kept++;
    }
    *out = pairs;
    *out_count = kept;
    return GB_OK;
}

typedef struct text_field {
    const char *key, **to;
} text_field;

static gb_status read_texts(
    const gb_pair *pairs, int count, gb_arena *arena, const text_field *fields, int field_count)
{
    for (int i = 0; i < field_count; i++) {
        const char *value = gb_pair_find(pairs, count, fields[i].key);
        *fields[i].to = gb_arena_text(arena, value ? value : "");
        if (!*fields[i].to)
            return GB_ERR_MEMORY;
    }
    return GB_OK;
}

gb_status gb_recording_info_from_pairs(const gb_pair *pairs,
                                       int count,
                                       gb_arena *arena,
                                       gb_recording_info *out)
{
    gb_recording_info info = {0};
    const text_field fields[] = {
        {"name", &info.name},
        {"source", &info.source},
        {"instruction", &info.instruction},
        {"outcome", &info.outcome},
        {"residency", &info.residency},
        {"owner", &info.owner},
        {"licence", &info.licence},
        {"purpose", &info.purpose},
    };
    const char *format = gb_pair_find(pairs, count, "format");
    if (!format || strcmp(format, "1") != 0)
        return gb_fail(GB_ERR_MISMATCH,
                       "the recording has format \"%.20s\", this genba reads format 1",
                       format ? format : "");
    const char *checksum = pairs_checksum(pairs, count, arena);
    if (!checksum)
        return GB_ERR_MEMORY;
    if (strcmp(checksum, find(pairs, count, "checksum")) != 0)
        return gb_fail(GB_ERR_CORRUPT, "the recording's name, labels or facts were edited or "
                                       "damaged (their checksum differs)");
    GB_TRY(read_texts(pairs, count, arena, fields, sizeof fields / sizeof *fields));
    if (!info.name[0])
        return gb_fail(GB_ERR_PARSE, "the recording has no name");
    GB_TRY(read_pairs(pairs, count, arena, &info.pairs, &info.pair_count));
    *out = info;
    return GB_OK;
}

static gb_status
read_labels(const char *topic, const char *text, gb_arena *arena, gb_stream_spec *spec)
{
    json_t *array = NULL;
    int64_t size = gb_stream_spec_size(spec);
    GB_TRY(gb_json_parse("labels", text, strlen(text), &array));
    gb_status status = GB_OK;
    if (!json_is_array(array) || (int64_t)json_array_size(array) != size) {
        json_decref(array);
        return gb_fail(GB_ERR_PARSE, "channel %.127s: expected %lld labels", topic,
                       (long long)size);
    }
    const char **labels = gb_arena_alloc(arena, (size_t)size * sizeof *labels);
    for (int64_t i = 0; labels && status == GB_OK && i < size; i++) {
        const char *label = json_string_value(json_array_get(array, (size_t)i));
        if (!label)
            status =
                gb_fail(GB_ERR_PARSE, "channel %.127s: label %lld is no text", topic, (long long)i);
        else if (!(labels[i] = gb_arena_text(arena, label)))
            status = GB_ERR_MEMORY;
    }
    json_decref(array);
    spec->labels = labels;
    return labels ? status : GB_ERR_MEMORY;
}

static gb_status read_shape(const char *topic, const char *text, gb_stream_spec *spec)
{
    spec->rank = 0;
    while (*text) {
        char *end = NULL;
        long long extent = strtoll(text, &end, 10);
        if (end == text || (*end != 0 && *end != ',') || spec->rank == GB_STREAM_RANK_MAX)
            return gb_fail(GB_ERR_PARSE,
                           "channel %.127s: shape \"%.40s\" is not up to %d whole numbers", topic,
                           text, GB_STREAM_RANK_MAX);
        spec->shape[spec->rank++] = extent;
        text = *end ? end + 1 : end;
    }
    return GB_OK;
}

static gb_status read_time_base(const char *topic, const char *text, gb_time_base *out)
{
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, time_bases[i]) == 0) {
            *out = (gb_time_base)i;
            return GB_OK;
        }
    }
    return gb_fail(GB_ERR_PARSE, "channel %.127s: time_base \"%.20s\" is not utc, start or row",
                   topic, text);
}

gb_status gb_stream_spec_from_pairs(
    const char *topic, const gb_pair *pairs, int count, gb_arena *arena, gb_stream_spec *out)
{
    gb_stream_spec spec = gb_stream_spec_defaults(NULL);
    const text_field fields[] = {
        {"unit", &spec.unit},         {"semantic", &spec.semantic}, {"clock", &spec.clock},
        {"encoding", &spec.encoding}, {"frame", &spec.frame},
    };
    spec.name = gb_arena_text(arena, topic);
    if (!spec.name)
        return GB_ERR_MEMORY;
    GB_TRY(read_texts(pairs, count, arena, fields, sizeof fields / sizeof *fields));
    gb_status status = gb_stream_kind_parse(find(pairs, count, "kind"), &spec.kind);
    if (status == GB_OK)
        status = gb_value_type_parse(find(pairs, count, "value_type"), &spec.value_type);
    if (status != GB_OK)
        return gb_fail_context(GB_ERR_PARSE, "channel %.127s", topic);
    GB_TRY(read_shape(topic, find(pairs, count, "shape"), &spec));
    GB_TRY(read_time_base(topic, find(pairs, count, "time_base"), &spec.time_base));
    const char *rate = gb_pair_find(pairs, count, "rate_hz");
    spec.rate_hz = rate ? strtod(rate, NULL) : 0;
    status = gb_stream_spec_check(&spec); /* the shape must be sound before labels are read */
    if (status != GB_OK)
        return gb_fail_context(GB_ERR_PARSE, "channel %.127s", topic);
    const char *labels = gb_pair_find(pairs, count, "labels");
    if (labels)
        GB_TRY(read_labels(topic, labels, arena, &spec));
    GB_TRY(read_pairs(pairs, count, arena, &spec.pairs, &spec.pair_count));
    *out = spec;
    return GB_OK;
}
