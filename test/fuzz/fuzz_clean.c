/* Any series under any rules, in batches of any size: never a crash, counts add up, and the result
 * is that of one batch. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../ingest/collector.h"
#include "ingest/clean.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RULES 64
#define MOST 4096

/* One map for each combination of rules, made when first needed. */
static gb_stream_map *map_of(unsigned int rules)
{
    static gb_stream_map *maps[RULES];
    if (maps[rules])
        return maps[rules];
    char text[1024];
    int size = snprintf(text, sizeof text,
                        "name: m\nreader: csv\nfiles: ['*']\nclean: {%s%s%s repeated_time: %s, "
                        "backward_time: %s}\nstreams:\n  - {name: v, columns: [a, b]%s}\n",
                        rules & 1 ? "gap_s: 2e-7, " : "", rules & 2 ? "stuck_samples: 3, " : "",
                        rules & 4 ? "spike_sigmas: 4," : "", rules & 8 ? "reject" : "flag",
                        rules & 16 ? "reject" : "flag",
                        rules & 32 ? ", sentinels: [7, -128], scale: 0.5, unit: Cel, source_unit: "
                                     "degF, range: {min: -60, max: 50}"
                                   : "");
    if (gb_stream_map_parse(text, (size_t)size, "map", &maps[rules]) != GB_OK)
        abort();
    return maps[rules];
}

static gb_value_type type_of(uint8_t choice)
{
    static const gb_value_type types[] = {GB_VALUE_F64, GB_VALUE_F32, GB_VALUE_U8, GB_VALUE_I16,
                                          GB_VALUE_I64};
    return types[choice % 5];
}

static void put(gb_value_type type, void *values, int64_t at, int8_t number)
{
    double value = number == 127 ? (double)__builtin_nanf("") : number;
    if (type == GB_VALUE_F64)
        ((double *)values)[at] = value;
    else if (type == GB_VALUE_F32)
        ((float *)values)[at] = (float)value;
    else if (type == GB_VALUE_U8)
        ((uint8_t *)values)[at] = (uint8_t)number;
    else if (type == GB_VALUE_I16)
        ((int16_t *)values)[at] = number;
    else
        ((int64_t *)values)[at] = number;
}

typedef struct series {
    gb_value_type type;
    int64_t count;
    int64_t time_ns[MOST];
    int64_t values[2 * MOST]; /* of any type */
} series;

/* whole: one batch; else the numbers say where batches end. */
static void
run(unsigned int rules, const series *s, bool whole, collector *next, gb_ingest_report *report)
{
    gb_ingest_watch watch = {0};
    gb_recording_info info = {.name = "r"};
    gb_stream_spec spec = gb_stream_spec_defaults("v");
    spec.kind = GB_STREAM_VECTOR;
    spec.rank = 1;
    spec.shape[0] = 2;
    spec.value_type = s->type;
    gb_sink *clean;
    int recording, stream;
    next->sink.ops = &collector_ops;
    report->rows_read = report->rows_stored = s->count;
    if (gb_clean_create(map_of(rules), &watch, report, "f", &next->sink, &clean) != GB_OK ||
        gb_sink_begin(clean, &info, &recording) != GB_OK ||
        gb_sink_stream(clean, recording, &spec, &stream) != GB_OK)
        abort();
    size_t bytes = 2 * gb_value_type_bytes(s->type);
    for (int64_t at = 0; at < s->count;) {
        int64_t step = whole ? s->count : 1 + (s->time_ns[at] & 15);
        step = step < s->count - at ? step : s->count - at;
        gb_samples samples = {.count = step,
                              .time_ns = s->time_ns + at,
                              .values = (const char *)s->values + (size_t)at * bytes};
        if (gb_sink_append(clean, recording, stream, &samples) != GB_OK)
            abort();
        at += step;
    }
    if (gb_sink_end(clean, recording) != GB_OK)
        abort();
    if (report->rows_stored + report->rows_rejected != report->rows_read ||
        next->streams[0].count != report->rows_stored)
        abort();
    gb_sink_destroy(clean);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static series s;
    static collector whole, cut;
    gb_ingest_report whole_report = {0}, cut_report = {0};
    if (size < 2)
        return 0;
    unsigned int rules = data[0] % RULES;
    int64_t now = 0;
    s.type = type_of(data[1]);
    s.count = (int64_t)(size - 2) / 3 < MOST ? (int64_t)(size - 2) / 3 : MOST;
    for (int64_t i = 0; i < s.count; i++) {
        const uint8_t *at = data + 2 + 3 * i;
        now += (at[0] == 255 ? 1000 : at[0] == 254 ? -1000 : at[0] / 32);
        s.time_ns[i] = now;
        put(s.type, s.values, 2 * i, (int8_t)at[1]);
        put(s.type, s.values, 2 * i + 1, (int8_t)at[2]);
    }
    run(rules, &s, true, &whole, &whole_report);
    run(rules, &s, false, &cut, &cut_report);
    if (whole.stream_count != cut.stream_count ||
        memcmp(&whole_report, &cut_report, sizeof cut_report) != 0)
        abort();
    for (int n = 0; n < whole.stream_count; n++) {
        const collected *a = &whole.streams[n], *b = &cut.streams[n];
        size_t count = (size_t)a->count;
        if (a->count != b->count)
            abort();
        if (count > 0 && (memcmp(a->time_ns, b->time_ns, count * sizeof *a->time_ns) != 0 ||
                          memcmp(a->reason, b->reason, count) != 0 ||
                          memcmp(a->quality, b->quality, count) != 0))
            abort();
    }
    gb_sink_destroy(&whole.sink);
    gb_sink_destroy(&cut.sink);
    return 0;
}
