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

gb_stream_spec gb_stream_spec_defaults(const char *name)
{
    gb_stream_spec spec;
    memset(&spec, 0, sizeof spec);
    spec.name = name;
    spec.kind = GB_STREAM_SCALAR;
    spec.unit = "";
    spec.semantic = "";
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
    if (!isfinite(spec->rate_hz) || spec->rate_hz < 0)
        return gb_fail(GB_ERR_ARGUMENT, "stream %s: rate_hz is %g, expected 0 or more", spec->name,
                       spec->rate_hz);
    return GB_OK;
}
