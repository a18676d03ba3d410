/* Stream kinds and specs: names, sizes, checks. Holds no samples (recording.c does). */
#include "record/stream.h"

#include <math.h>
#include <string.h>

static const char *const kind_names[] = {
#define GB_STREAM_KIND_NAME(name, text) [name] = text,
    GB_STREAM_KIND_LIST(GB_STREAM_KIND_NAME)
#undef GB_STREAM_KIND_NAME
};

const char *gb_stream_kind_name(gb_stream_kind kind)
{
    if ((unsigned)kind >= GB_STREAM_KIND_COUNT)
        return "?";
    return kind_names[kind];
}

gb_status gb_stream_kind_parse(const char *text, gb_stream_kind *out)
{
    for (int k = 0; k < GB_STREAM_KIND_COUNT; k++) {
        if (strcmp(text, kind_names[k]) == 0) {
            *out = (gb_stream_kind)k;
            return GB_OK;
        }
    }
    return gb_fail(GB_ERR_NOT_FOUND,
                   "\"%.64s\" is no stream kind: use scalar, vector, image, audio, points, text, "
                   "event or action",
                   text);
}

typedef struct value_type_row {
    const char *name;
    size_t bytes;
} value_type_row;

static const value_type_row value_types[] = {
#define VALUE_TYPE_ROW(name, text, bytes) [name] = {text, bytes},
    GB_VALUE_TYPE_LIST(VALUE_TYPE_ROW)
#undef VALUE_TYPE_ROW
};

const char *gb_value_type_name(gb_value_type type)
{
    return (unsigned)type < GB_VALUE_TYPE_COUNT ? value_types[type].name : "?";
}

size_t gb_value_type_bytes(gb_value_type type)
{
    return (unsigned)type < GB_VALUE_TYPE_COUNT ? value_types[type].bytes : 0;
}

gb_status gb_value_type_parse(const char *text, gb_value_type *out)
{
    for (int t = 0; t < GB_VALUE_TYPE_COUNT; t++) {
        if (strcmp(text, value_types[t].name) == 0) {
            *out = (gb_value_type)t;
            return GB_OK;
        }
    }
    return gb_fail(
        GB_ERR_NOT_FOUND,
        "\"%.64s\" is no value type: use f32, f64, i8, u8, i16, u16, i32, u32, i64, u64 or "
        "bytes",
        text);
}

typedef struct reason_row {
    const char *name;
    gb_quality quality;
} reason_row;

static const reason_row reasons[] = {
#define REASON_ROW(name, quality, text) [name] = {text, quality},
    GB_REASON_LIST(REASON_ROW)
#undef REASON_ROW
};

const char *gb_reason_name(gb_reason reason)
{
    return (unsigned)reason < GB_REASON_COUNT ? reasons[reason].name : "?";
}

gb_quality gb_reason_quality(gb_reason reason)
{
    return (unsigned)reason < GB_REASON_COUNT ? reasons[reason].quality : GB_QUALITY_BAD;
}

const char *gb_quality_name(gb_quality quality)
{
    static const char *const names[] = {"good", "uncertain", "bad", "missing"};
    return (unsigned)quality <= GB_QUALITY_MISSING ? names[quality] : "?";
}

const char *gb_pair_find(const gb_pair *pairs, int count, const char *key)
{
    for (int i = 0; i < count; i++)
        if (strcmp(pairs[i].key, key) == 0)
            return pairs[i].value;
    return NULL;
}

gb_stream_spec gb_stream_spec_defaults(const char *name)
{
    gb_stream_spec spec;
    memset(&spec, 0, sizeof spec);
    spec.name = name;
    spec.kind = GB_STREAM_SCALAR;
    spec.unit = "";
    spec.semantic = "";
    spec.encoding = "";
    spec.clock = "";
    spec.frame = "";
    return spec;
}

int64_t gb_stream_spec_size(const gb_stream_spec *spec)
{
    int64_t size = 1;
    for (int i = 0; i < spec->rank; i++)
        size *= spec->shape[i];
    return size;
}

gb_status gb_stream_spec_check(const gb_stream_spec *spec)
{
    if (!spec->name || !spec->name[0] || strlen(spec->name) > GB_STREAM_NAME_MAX)
        return gb_fail(GB_ERR_ARGUMENT, "a stream needs a name of 1 to %d bytes, got \"%.80s\"",
                       GB_STREAM_NAME_MAX, spec->name ? spec->name : "");
    if ((unsigned)spec->kind >= GB_STREAM_KIND_COUNT)
        return gb_fail(GB_ERR_ARGUMENT, "stream %s: kind %d is unknown", spec->name,
                       (int)spec->kind);
    if (spec->rank < 0 || spec->rank > GB_STREAM_RANK_MAX)
        return gb_fail(GB_ERR_ARGUMENT, "stream %s: rank %d is not in 0..%d", spec->name,
                       spec->rank, GB_STREAM_RANK_MAX);
    int64_t size = 1;
    for (int i = 0; i < spec->rank; i++) {
        if (spec->shape[i] < 1 || spec->shape[i] > GB_STREAM_SIZE_MAX / size)
            return gb_fail(GB_ERR_ARGUMENT,
                           "stream %s: dimension %d is %lld; each must be at least 1 and all "
                           "together at most %lld values",
                           spec->name, i, (long long)spec->shape[i], GB_STREAM_SIZE_MAX);
        size *= spec->shape[i];
    }
    if ((unsigned)spec->value_type >= GB_VALUE_TYPE_COUNT)
        return gb_fail(GB_ERR_ARGUMENT, "stream %s: value type %d is unknown", spec->name,
                       (int)spec->value_type);
    if (spec->pair_count < 0 || (spec->pair_count > 0 && !spec->pairs))
        return gb_fail(GB_ERR_ARGUMENT, "stream %s: %d pairs, but none are given", spec->name,
                       spec->pair_count);
    if (!isfinite(spec->rate_hz) || spec->rate_hz < 0)
        return gb_fail(GB_ERR_ARGUMENT, "stream %s: rate_hz is %g, expected 0 or more", spec->name,
                       spec->rate_hz);
    return GB_OK;
}

bool gb_stream_spec_is_raw(const gb_stream_spec *spec)
{
    return spec->value_type == GB_VALUE_BYTES ||
           (spec->value_type == GB_VALUE_U8 && spec->kind == GB_STREAM_IMAGE);
}
