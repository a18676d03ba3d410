/* cli/store_text.c: sizes, times, recordings and streams of a store as texts and as JSON. */
#include "store_text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *size_text(int64_t bytes, char *text, size_t size)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    int unit = 0;
    for (; value >= 999.5 && unit < 4; unit++)
        value /= 1000;
    snprintf(text, size, unit && value < 10 ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

const char *time_text(int64_t time_ns, char *text, size_t size)
{
    const int64_t year_1975 = 157766400;
    time_t seconds = (time_t)(time_ns / 1000000000);
    struct tm parts;
    if (seconds < year_1975 || !gmtime_r(&seconds, &parts))
        snprintf(text, size, "%.3f s", (double)time_ns / 1e9);
    else
        strftime(text, size, "%Y-%m-%d %H:%M:%S", &parts);
    return text;
}

const char *cut_text(const char *from, size_t width, char *text, size_t size)
{
    size_t length = strlen(from);
    if (length <= width && length < size) {
        memcpy(text, from, length + 1);
        return text;
    }
    length = width - 2;
    while (length > 0 && ((unsigned char)from[length] & 0xc0) == 0x80)
        length--;
    memcpy(text, from, length);
    memcpy(text + length, "..", 3);
    return text;
}

json_t *entry_json(const gb_store_entry *entry)
{
    const gb_recording_info *info = entry->info;
    json_t *pairs = json_object();
    for (int i = 0; i < info->pair_count; i++)
        json_object_set_new(pairs, info->pairs[i].key, json_string(info->pairs[i].value));
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I,"
                     " s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:I, s:o}",
                     "name", info->name, "source", info->source, "instruction", info->instruction,
                     "outcome", info->outcome, "residency", info->residency, "owner", info->owner,
                     "licence", info->licence, "purpose", info->purpose, "first_ns",
                     (json_int_t)entry->first_ns, "last_ns", (json_int_t)entry->last_ns, "samples",
                     (json_int_t)entry->samples, "bytes", (json_int_t)entry->bytes, "good",
                     (json_int_t)entry->good, "uncertain", (json_int_t)entry->uncertain, "bad",
                     (json_int_t)entry->bad, "missing", (json_int_t)entry->missing, "checksum",
                     entry->checksum, "split", entry->split, "file", entry->file, "ingest",
                     (json_int_t)entry->ingest, "pairs", pairs);
}

void print_json(json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    if (text)
        printf("%s\n", text);
    free(text);
    json_decref(value);
}

const char *shape_text(const gb_stream_spec *spec, char *text, size_t size)
{
    int used = snprintf(text, size, "%s", gb_value_type_name(spec->value_type));
    for (int i = 0; i < spec->rank && used < (int)size; i++)
        used += snprintf(text + used, size - (size_t)used, "%s%lld", i ? "x" : " ",
                         (long long)spec->shape[i]);
    return text;
}

json_t *stream_json(const gb_store_stream *stream)
{
    const gb_stream_spec *spec = &stream->spec;
    json_t *shape = json_array();
    for (int i = 0; i < spec->rank; i++)
        json_array_append_new(shape, json_integer(spec->shape[i]));
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:f, s:s, s:s, s:I, s:I, s:I, s:I, s:I,"
                     " s:I, s:I}",
                     "name", spec->name, "kind", gb_stream_kind_name(spec->kind), "unit",
                     spec->unit, "value_type", gb_value_type_name(spec->value_type), "shape", shape,
                     "semantic", spec->semantic, "encoding", spec->encoding, "rate_hz",
                     spec->rate_hz, "clock", spec->clock, "frame", spec->frame, "samples",
                     (json_int_t)stream->samples, "first_ns", (json_int_t)stream->first_ns,
                     "last_ns", (json_int_t)stream->last_ns, "good", (json_int_t)stream->good,
                     "uncertain", (json_int_t)stream->uncertain, "bad", (json_int_t)stream->bad,
                     "missing", (json_int_t)stream->missing);
}
