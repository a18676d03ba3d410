/* Windows a second on one core, at random places of a warm store: 512 rows x 8 channels with their
 * masks, the way training reads. The peer is memcpy of the same bytes from the same places. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "genba/store.h"

enum {
    ROWS = 1 << 21,
    CHANNELS = 8,
    LOOK_BACK = 512,
    BATCH = 8192, /* rows handed over at a time */
    REPEATS = 7
};

typedef struct window_case {
    const char *name;
    bool separate;  /* eight streams of one channel, else one vector */
    double missing; /* share of values */
    int64_t period_ns;
} window_case;

static const window_case cases[] = {
    {"vector of 8, all there", false, 0, 0},
    {"vector of 8, 1 % missing", false, .01, 0},
    {"8 streams side by side", true, 0, 0},
    {"vector of 8, on its time grid", false, 0, 10000000},
    {"vector of 8, on a slower grid", false, 0, 25000000},
};

static float value_at(const window_case *c, int64_t row, int channel)
{
    uint64_t index = (uint64_t)(row * CHANNELS + channel);
    if (gb_random_uniform(2, 1, index) < (float)c->missing)
        return NAN;
    return sinf((float)row * .01f) + gb_random_uniform(1, 1, index);
}

static gb_status fill(const window_case *c, gb_sink *sink, int recording)
{
    static float values[BATCH * CHANNELS];
    static int64_t times[BATCH];
    int streams[CHANNELS], count = c->separate ? CHANNELS : 1, size = CHANNELS / count;
    for (int s = 0; s < count; s++) {
        char name[24];
        snprintf(name, sizeof name, "channel%d", s);
        gb_stream_spec spec = gb_stream_spec_defaults(name);
        spec.kind = c->separate ? GB_STREAM_SCALAR : GB_STREAM_VECTOR;
        spec.rank = c->separate ? 0 : 1;
        spec.shape[0] = size;
        GB_TRY(gb_sink_stream(sink, recording, &spec, &streams[s]));
    }
    for (int64_t first = 0; first < ROWS; first += BATCH) {
        for (int i = 0; i < BATCH; i++)
            times[i] = (first + i) * 10000000;
        for (int s = 0; s < count; s++) {
            for (int i = 0; i < BATCH * size; i++)
                values[i] = value_at(c, first + i / size, s + i % size);
            gb_samples samples = {.count = BATCH, .time_ns = times, .values = values};
            GB_TRY(gb_sink_append(sink, recording, streams[s], &samples));
        }
    }
    return GB_OK;
}

static gb_status write_recording(const window_case *c, gb_store *store)
{
    gb_store_source source = {.path = c->name, .checksum = c->name, .map = "bench", .map_text = ""};
    gb_recording_info info = {.name = "bench"};
    gb_store_counts counts = {.rows_read = ROWS, .rows_stored = ROWS};
    gb_store_ingest *ingest;
    int64_t done;
    int recording;
    GB_TRY(gb_store_ingest_begin(store, &source, &ingest, &done));
    gb_sink *sink = gb_store_ingest_sink(ingest);
    gb_status status = gb_sink_begin(sink, &info, &recording);
    if (status == GB_OK)
        status = fill(c, sink, recording);
    if (status == GB_OK)
        status = gb_sink_end(sink, recording);
    if (status == GB_OK)
        status = gb_store_ingest_commit(ingest, &counts, NULL, 0);
    gb_status ended = gb_store_ingest_end(ingest, status == GB_OK);
    return status == GB_OK ? ended : status;
}

/* Writes the recording into a store and reads it back, as training would. */
static gb_status through_store(const window_case *c, gb_dataset **out)
{
    char folder[] = "/tmp/genba-bench-XXXXXX", path[64], command[96];
    if (!mkdtemp(folder))
        return gb_fail(GB_ERR_IO, "no temporary folder for a store");
    snprintf(path, sizeof path, "%s/store", folder);
    gb_store *store = NULL;
    gb_status status = gb_store_init(path, false, NULL);
    if (status == GB_OK)
        status = gb_store_open(path, NULL, &store);
    if (status == GB_OK)
        status = write_recording(c, store);
    if (status == GB_OK)
        status = gb_store_load(store, NULL, NULL, 0, GB_USE_TRAIN, NULL, out);
    gb_store_close(store);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        fprintf(stderr, "genba-bench: %s is left behind\n", folder);
    return status;
}

static gb_status time_case(const bench_options *options, const window_case *c)
{
    gb_dataset *dataset = NULL;
    gb_window_index *index = NULL;
    gb_window_stream streams[CHANNELS];
    gb_window_out outs[CHANNELS] = {0};
    static float past[LOOK_BACK * CHANNELS], copied[LOOK_BACK * CHANNELS];
    static uint8_t masks[LOOK_BACK * CHANNELS];
    int count = c->separate ? CHANNELS : 1;
    for (int s = 0; s < count; s++) {
        static char names[CHANNELS][24];
        snprintf(names[s], sizeof names[s], "channel%d", s);
        streams[s] = (gb_window_stream){.name = names[s], .look_back = LOOK_BACK};
        outs[s] =
            (gb_window_out){.past = past + s, .past_mask = masks + s, .past_stride = CHANNELS};
    }
    gb_window_spec spec = gb_window_spec_defaults();
    spec.streams = streams;
    spec.stream_count = count;
    spec.period_ns = c->period_ns;
    GB_TRY(through_store(c, &dataset));
    gb_status status = gb_window_index_create(dataset, &spec, NULL, 0, &index);
    double ours[REPEATS], theirs[REPEATS];
    int reads = options->quick ? 20000 : 200000;
    const float *values = gb_recording_stream(gb_dataset_get(dataset, 0), 0)->values;
    uint64_t windows = status == GB_OK ? (uint64_t)gb_window_count(index) : 1;
    for (int r = 0; status == GB_OK && r < REPEATS; r++) {
        int64_t started = gb_clock_monotonic_ns();
        for (int i = 0; status == GB_OK && i < reads; i++)
            status = gb_window_read(
                index, (int64_t)gb_random_below(1, (uint64_t)r, (uint64_t)i, windows), outs);
        int64_t middle = gb_clock_monotonic_ns();
        uint64_t places = (ROWS - LOOK_BACK) / (c->separate ? CHANNELS : 1);
        for (int i = 0; i < reads; i++) {
            uint64_t at = gb_random_below(1, (uint64_t)r, (uint64_t)i, places);
            memcpy(copied, values + at * (c->separate ? 1 : CHANNELS), sizeof copied);
            __asm__ volatile("" ::"r"(copied) : "memory");
        }
        int64_t ended = gb_clock_monotonic_ns();
        ours[r] = reads / ((double)(middle - started) / 1e9);
        theirs[r] = reads / ((double)(ended - middle) / 1e9);
    }
    if (status == GB_OK) {
        bench_row row = {.bench = "window",
                         .name = c->name,
                         .value = bench_median(ours, REPEATS),
                         .unit = "windows/s",
                         .peer = "memcpy",
                         .peer_value = bench_median(theirs, REPEATS),
                         .threads = 1,
                         .isa = ""};
        row.ratio = row.value / row.peer_value;
        bench_print(options, &row);
    }
    gb_window_index_destroy(index);
    gb_dataset_destroy(dataset);
    return status;
}

int bench_window(const bench_options *options)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (time_case(options, &cases[i]) != GB_OK) {
            fprintf(stderr, "genba-bench: %s\n", gb_error_message());
            return 1;
        }
    }
    return 0;
}
