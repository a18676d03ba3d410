/* What cleaning costs one value, on one core: 20 streams in batches as the reader of tables hands
 * them over, into a sink that drops them. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "ingest/clean.h"

enum {
    STREAMS = 20,
    BATCH = 390, /* rows */
    BATCHES = 512,
    REPEATS = 7
};

typedef struct clean_case {
    const char *name;
    const char *all, *each; /* YAML: for the map, for each stream */
} clean_case;

#define VALUE_RULES                                                                                \
    ", unit: Cel, source_unit: degF, sentinels: [-9999, 1e31], range: {min: -60, max: 50}"

static const clean_case cases[] = {
    {"no rules", "", ""},
    {"units, 2 sentinels, range", "", VALUE_RULES},
    {"and gaps, rejects, stuck runs",
     "clean: {gap_s: 5, repeated_time: reject, stuck_samples: 10}\n", VALUE_RULES},
    {"and spikes", "clean: {gap_s: 5, repeated_time: reject, stuck_samples: 10, spike_sigmas: 8}\n",
     VALUE_RULES},
};

/* ---- a sink that drops ------------------------------------------------------------------------
 */

static gb_status drop_begin(gb_sink *sink, const gb_recording_info *info, int *out)
{
    (void)sink, (void)info;
    *out = 0;
    return GB_OK;
}

static gb_status drop_stream(gb_sink *sink, int recording, const gb_stream_spec *spec, int *out)
{
    (void)sink, (void)recording, (void)spec;
    *out = 0;
    return GB_OK;
}

static gb_status drop_append(gb_sink *sink, int recording, int stream, const gb_samples *samples)
{
    (void)sink, (void)recording, (void)stream, (void)samples;
    return GB_OK;
}

static gb_status drop_attach(gb_sink *sink,
                             int recording,
                             const char *name,
                             const char *media_type,
                             const void *data,
                             size_t size)
{
    (void)sink, (void)recording, (void)name, (void)media_type, (void)data, (void)size;
    return GB_OK;
}

static gb_status drop_end(gb_sink *sink, int recording)
{
    (void)sink, (void)recording;
    return GB_OK;
}

static void drop_abandon(gb_sink *sink, int recording)
{
    (void)sink, (void)recording;
}

static void drop_destroy(gb_sink *sink)
{
    (void)sink;
}

static const gb_sink_ops drop_ops = {drop_begin, drop_stream,  drop_append, drop_attach,
                                     drop_end,   drop_abandon, drop_destroy};

/* ---- one case ---------------------------------------------------------------------------------
 */

typedef struct table {
    int64_t time_ns[BATCH];
    double values[STREAMS][BATCH];
} table;

static gb_status feed(gb_sink *sink, table *t)
{
    gb_recording_info info = {.name = "r"};
    int recording, streams[STREAMS];
    GB_TRY(gb_sink_begin(sink, &info, &recording));
    for (int s = 0; s < STREAMS; s++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", s);
        gb_stream_spec spec = gb_stream_spec_defaults(name);
        spec.value_type = GB_VALUE_F64;
        GB_TRY(gb_sink_stream(sink, recording, &spec, &streams[s]));
    }
    for (int64_t b = 0; b < BATCHES; b++) {
        for (int64_t i = 0; i < BATCH; i++)
            t->time_ns[i] = (b * BATCH + i) * 100000000;
        for (int s = 0; s < STREAMS; s++) {
            gb_samples samples = {.count = BATCH, .time_ns = t->time_ns, .values = t->values[s]};
            GB_TRY(gb_sink_append(sink, recording, streams[s], &samples));
        }
    }
    return gb_sink_end(sink, recording);
}

static gb_status make_map(const clean_case *c, gb_stream_map **out)
{
    char text[8192];
    int used =
        snprintf(text, sizeof text, "name: m\nreader: csv\nfiles: ['*']\n%sstreams:\n", c->all);
    for (int s = 0; s < STREAMS; s++)
        used += snprintf(text + used, sizeof text - (size_t)used,
                         "  - {name: c%d, columns: [c%d]%s}\n", s, s, c->each);
    return gb_stream_map_parse(text, (size_t)used, "bench", out);
}

/* Of this thread, so that what else the machine does is not counted. */
static double thread_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Nanoseconds a value, the median of several runs. */
static gb_status measure(const clean_case *c, int repeats, table *t, double *out_ns)
{
    gb_sink drop = {&drop_ops}, *clean = NULL;
    gb_ingest_watch nobody = {0};
    gb_ingest_report report = {0};
    gb_stream_map *map = NULL;
    double times[REPEATS];
    GB_TRY(make_map(c, &map));
    gb_status status = gb_clean_create(map, &nobody, &report, "bench", &drop, &clean);
    for (int r = 0; status == GB_OK && r < repeats; r++) {
        double begin = thread_ns();
        status = feed(clean, t);
        times[r] = thread_ns() - begin;
    }
    gb_sink_destroy(clean);
    gb_stream_map_destroy(map);
    if (status == GB_OK)
        *out_ns = bench_median(times, (size_t)repeats) / ((double)BATCHES * BATCH * STREAMS);
    return status;
}

int bench_clean(const bench_options *options)
{
    table *t = malloc(sizeof *t);
    if (!t)
        return 4;
    for (int s = 0; s < STREAMS; s++)
        for (int i = 0; i < BATCH; i++)
            t->values[s][i] = 68 + 5 * (double)gb_random_normal(1, (uint64_t)s, (uint64_t)i);
    int repeats = options->quick ? 3 : REPEATS;
    gb_status status = GB_OK;
    for (size_t i = 0; status == GB_OK && i < sizeof cases / sizeof *cases; i++) {
        double ns = 0;
        status = measure(&cases[i], repeats, t, &ns);
        bench_row row = {.bench = "clean",
                         .name = cases[i].name,
                         .value = ns,
                         .unit = "ns/value",
                         .peer = "",
                         .threads = 1,
                         .isa = "any"};
        if (status == GB_OK)
            bench_print(options, &row);
    }
    free(t);
    if (status != GB_OK)
        fprintf(stderr, "%s\n", gb_error_message());
    return status == GB_OK ? 0 : 4;
}
