/* Recordings to MCAP files and back: every kind and type bit for bit, times of any sign, qualities,
 * many recordings open at once, names of any kind. */
#include "genba/mcap.h"
#include "record/recording_file.h"

#include "collect.h"

#include <ftw.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/genba-recording-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void expect_ok(gb_status status)
{
    if (status != GB_OK)
        fail_msg("%s: %s", gb_status_name(status), gb_error_message());
}

static gb_sink *folder_sink(void)
{
    gb_sink *sink = NULL;
    expect_ok(gb_recording_folder_sink_create(folder, NULL, &sink));
    return sink;
}

static collect_sink *collect(const char *name)
{
    char path[512];
    collect_sink *sink = collect_create();
    snprintf(path, sizeof path, "%s/%s.mcap", folder, name);
    expect_ok(gb_recording_file_emit(path, NULL, 0, &sink->sink));
    assert_int_equal(sink->ended, 1);
    return sink;
}

static int begin(gb_sink *sink, const char *name)
{
    gb_recording_info info = {.name = name};
    int recording = -1;
    expect_ok(gb_sink_begin(sink, &info, &recording));
    return recording;
}

/* Samples of a stream made of random bytes, so every NaN and denormal turns up. */
typedef struct made {
    gb_stream_spec spec;
    int64_t count;
    int64_t *time_ns;
    unsigned char *values;
    uint8_t *quality, *reason;
    size_t each;
} made;

static made make(gb_stream_spec spec, int64_t count, bool regular, uint64_t seed)
{
    made m = {.spec = spec, .count = count};
    m.each = (size_t)gb_stream_spec_size(&spec) * gb_value_type_bytes(spec.value_type);
    m.time_ns = calloc((size_t)count, sizeof *m.time_ns);
    m.values = calloc((size_t)count, m.each);
    m.quality = calloc((size_t)count, 1);
    m.reason = calloc((size_t)count, 1);
    for (int64_t i = 0; i < count; i++) {
        int64_t jitter = regular ? 0 : (int64_t)gb_random_below(seed, 1, (uint64_t)i, 5000000);
        m.time_ns[i] = -300000000 + i * 1000000 + jitter;
        m.quality[i] = (uint8_t)gb_random_below(seed, 2, (uint64_t)i / 100, 4);
        m.reason[i] = (uint8_t)gb_random_below(seed, 3, (uint64_t)i / 70, GB_REASON_COUNT);
    }
    for (size_t i = 0; i < (size_t)count * m.each; i++)
        m.values[i] = (unsigned char)gb_random_u32(seed, 4, i);
    return m;
}

static bool has_nan(const made *m, int64_t sample)
{
    const unsigned char *at = m->values + (size_t)sample * m->each;
    for (int64_t i = 0; i < gb_stream_spec_size(&m->spec); i++) {
        float f = 0;
        double d = 0;
        if (m->spec.value_type == GB_VALUE_F32)
            memcpy(&f, at + 4 * i, 4);
        if (m->spec.value_type == GB_VALUE_F64)
            memcpy(&d, at + 8 * i, 8);
        if (isnan(f) || isnan(d))
            return true;
    }
    return false;
}

static void append_in_slices(gb_sink *sink, int recording, int stream, const made *m, uint64_t seed)
{
    for (int64_t at = 0, part = 0; at < m->count; part++) {
        int64_t left = m->count - at;
        int64_t take = 1 + (int64_t)gb_random_below(seed, 9, (uint64_t)part, 5000);
        take = part % 5 == 4 ? left : take;
        take = take > left ? left : take;
        gb_samples samples = {.count = take,
                              .time_ns = m->time_ns + at,
                              .values = m->values + (size_t)at * m->each,
                              .quality = m->quality + at,
                              .reason = m->reason + at};
        expect_ok(gb_sink_append(sink, recording, stream, &samples));
        at += take;
    }
}

static void expect_same(const collect_stream *got, const made *m)
{
    assert_int_equal(got->count, m->count);
    assert_int_equal(got->spec.value_type, m->spec.value_type);
    assert_int_equal(got->spec.kind, m->spec.kind);
    assert_int_equal(got->spec.rank, m->spec.rank);
    assert_memory_equal(got->spec.shape, m->spec.shape, sizeof got->spec.shape);
    assert_int_equal(got->size, (size_t)m->count * m->each);
    if (m->count == 0)
        return;
    assert_memory_equal(got->time_ns, m->time_ns, (size_t)m->count * sizeof *m->time_ns);
    assert_memory_equal(got->bytes, m->values, got->size);
    assert_memory_equal(got->reason, m->reason, (size_t)m->count);
    for (int64_t i = 0; i < m->count; i++)
        assert_int_equal(got->quality[i], has_nan(m, i) ? GB_QUALITY_MISSING : m->quality[i]);
}

static void free_made(made *m)
{
    free(m->time_ns);
    free(m->values);
    free(m->quality);
    free(m->reason);
}

static gb_stream_spec spec_of(const char *name, gb_stream_kind kind, gb_value_type type, int rank)
{
    gb_stream_spec spec = gb_stream_spec_defaults(name);
    spec.kind = kind;
    spec.value_type = type;
    spec.rank = rank;
    spec.shape[0] = rank > 0 ? 3 : 0;
    spec.shape[1] = rank > 1 ? 5 : 0;
    spec.shape[2] = rank > 2 ? 2 : 0;
    return spec;
}

static void keeps_numbers_of_every_type(void **state)
{
    (void)state;
    enum {
        STREAMS = GB_VALUE_BYTES * 4
    };
    made all[STREAMS];
    gb_sink *sink = folder_sink();
    int recording = begin(sink, "types");
    for (int i = 0; i < STREAMS; i++) {
        char name[32];
        int stream = -1;
        gb_value_type type = (gb_value_type)(i / 4);
        snprintf(name, sizeof name, "%s.%d", gb_value_type_name(type), i % 4);
        gb_stream_spec spec =
            spec_of(name, (gb_stream_kind)(i % GB_STREAM_KIND_COUNT), type, i % 4);
        if (spec.kind == GB_STREAM_IMAGE)
            spec.kind = GB_STREAM_POINTS;
        int64_t count = i % 4 == 3 ? 0 : i % 4 == 2 ? 1 : 20000;
        all[i] = make(spec, count, i % 2 == 0, (uint64_t)i);
        expect_ok(gb_sink_stream(sink, recording, &spec, &stream));
        assert_int_equal(stream, i);
        append_in_slices(sink, recording, stream, &all[i], (uint64_t)i);
    }
    expect_ok(gb_sink_end(sink, recording));
    gb_sink_destroy(sink);
    collect_sink *got = collect("types");
    assert_int_equal(got->count, STREAMS);
    for (int i = 0; i < STREAMS; i++) {
        expect_same(&got->streams[i], &all[i]);
        free_made(&all[i]);
    }
    gb_sink_destroy(&got->sink);
}

static void keeps_plain_pictures(void **state)
{
    (void)state;
    static const struct {
        gb_value_type type;
        int64_t channels; /* 0: rank 2 */
    } cases[] = {{GB_VALUE_U8, 0}, {GB_VALUE_U8, 1},  {GB_VALUE_U8, 3},  {GB_VALUE_U8, 4},
                 {GB_VALUE_U8, 2}, {GB_VALUE_U16, 1}, {GB_VALUE_F32, 0}, {GB_VALUE_F64, 3}};
    enum {
        CASES = sizeof cases / sizeof *cases
    };
    made all[CASES];
    gb_sink *sink = folder_sink();
    int recording = begin(sink, "pictures"), stream = -1;
    for (int i = 0; i < CASES; i++) {
        char name[32];
        snprintf(name, sizeof name, "camera%d", i);
        gb_stream_spec spec = gb_stream_spec_defaults(name);
        spec.kind = GB_STREAM_IMAGE;
        spec.value_type = cases[i].type;
        spec.rank = cases[i].channels ? 3 : 2;
        spec.shape[0] = 6;
        spec.shape[1] = 7;
        spec.shape[2] = cases[i].channels;
        spec.frame = "lens";
        all[i] = make(spec, 30, false, 50 + (uint64_t)i);
        expect_ok(gb_sink_stream(sink, recording, &spec, &stream));
        append_in_slices(sink, recording, stream, &all[i], 1);
    }
    expect_ok(gb_sink_end(sink, recording));
    gb_sink_destroy(sink);
    collect_sink *got = collect("pictures");
    for (int i = 0; i < CASES; i++) {
        expect_same(&got->streams[i], &all[i]);
        assert_string_equal(got->streams[i].spec.frame, "lens");
        free_made(&all[i]);
    }
    gb_sink_destroy(&got->sink);
}

static const char *const encodings[] = {"",     "utf-8", "json", "jpeg", "jpg", "png",
                                        "webp", "h264",  "h265", "av1",  "cdr", "x-thing"};
enum {
    ENCODINGS = sizeof encodings / sizeof *encodings,
    RUNS = 5
};

static void keeps_runs_of_bytes(void **state)
{
    (void)state;
    const unsigned char *runs[RUNS] = {
        (const unsigned char *)"caf\xc3\xa9", (const unsigned char *)"\xff\xfe\x00zero",
        (const unsigned char *)"", (const unsigned char *)"\xed\xa0\x80",
        (const unsigned char *)"plain"};
    size_t sizes[RUNS] = {5, 7, 0, 3, 5};
    int64_t times[RUNS] = {-1500000001, -1, 0, 999999999, 1700000000123456789};
    uint8_t quality[RUNS] = {0, 1, 2, 3, 0}, reason[RUNS] = {0, 4, 10, 14, 2};
    gb_samples samples = {.count = RUNS,
                          .time_ns = times,
                          .runs = runs,
                          .run_sizes = sizes,
                          .quality = quality,
                          .reason = reason};
    gb_sink *sink = folder_sink();
    int recording = begin(sink, "runs"), stream = -1;
    for (int i = 0; i < 2 * ENCODINGS; i++) {
        char name[32];
        snprintf(name, sizeof name, "run%d", i);
        gb_stream_spec spec = gb_stream_spec_defaults(name);
        spec.kind = i < ENCODINGS ? GB_STREAM_TEXT : GB_STREAM_IMAGE;
        spec.value_type = GB_VALUE_BYTES;
        spec.encoding = encodings[i % ENCODINGS];
        expect_ok(gb_sink_stream(sink, recording, &spec, &stream));
        expect_ok(gb_sink_append(sink, recording, stream, &samples));
    }
    expect_ok(gb_sink_end(sink, recording));
    gb_sink_destroy(sink);
    collect_sink *got = collect("runs");
    assert_int_equal(got->count, 2 * ENCODINGS);
    for (int i = 0; i < got->count; i++) {
        const collect_stream *from = &got->streams[i];
        assert_int_equal(from->count, RUNS);
        assert_string_equal(from->spec.encoding, encodings[i % ENCODINGS]);
        assert_memory_equal(from->time_ns, times, sizeof times);
        assert_memory_equal(from->quality, quality, sizeof quality);
        assert_memory_equal(from->reason, reason, sizeof reason);
        for (int r = 0; r < RUNS; r++) {
            size_t start = r ? from->ends[r - 1] : 0;
            assert_int_equal(from->ends[r] - start, sizes[r]);
            assert_memory_equal(from->bytes + start, runs[r], sizes[r]);
        }
    }
    gb_sink_destroy(&got->sink);
}

static void keeps_times_of_any_sign(void **state)
{
    (void)state;
    int64_t times[] = {INT64_MIN, INT64_MAX, -1, 0, 5, 3, 3, INT64_MIN + 1};
    float values[] = {1, 2, 3, 4, 5, 6, 7, 8};
    gb_samples samples = {.count = 8, .time_ns = times, .values = values};
    gb_stream_spec spec = gb_stream_spec_defaults("x"), text = gb_stream_spec_defaults("t");
    text.value_type = GB_VALUE_U8;
    text.kind = GB_STREAM_IMAGE;
    text.rank = 2;
    text.shape[0] = text.shape[1] = 2;
    gb_sink *sink = folder_sink();
    int recording = begin(sink, "signs"), stream = -1;
    expect_ok(gb_sink_stream(sink, recording, &spec, &stream));
    expect_ok(gb_sink_append(sink, recording, stream, &samples));
    expect_ok(gb_sink_stream(sink, recording, &text, &stream));
    expect_ok(gb_sink_append(sink, recording, stream, &samples));
    expect_ok(gb_sink_end(sink, recording));
    gb_sink_destroy(sink);
    collect_sink *got = collect("signs");
    for (int i = 0; i < 2; i++)
        assert_memory_equal(got->streams[i].time_ns, times, sizeof times);
    gb_sink_destroy(&got->sink);
}

static void keeps_what_is_said_of_streams(void **state)
{
    (void)state;
    gb_pair facts[] = {{"source_unit", "degF"}, {"kind", "not the stream's"}, {"", "no key"}};
    const char *labels[] = {"x \"quoted\"", "\xe6\xb8\xa9\xe5\xba\xa6", ""};
    gb_recording_info info = {.name = "a/b c",
                              .source = "f.csv",
                              .instruction = "push the T",
                              .outcome = "success",
                              .residency = "JP",
                              .owner = "acme",
                              .licence = "CC-BY-4.0",
                              .purpose = "train,inspect",
                              .pairs = facts,
                              .pair_count = 3};
    gb_stream_spec spec = spec_of("arm.position", GB_STREAM_VECTOR, GB_VALUE_F64, 1);
    spec.unit = "Cel";
    spec.semantic = "position";
    spec.time_base = GB_TIME_ROW;
    spec.rate_hz = 1.0 / 3;
    spec.labels = labels;
    spec.clock = "plc1";
    spec.frame = "base";
    spec.pairs = facts;
    spec.pair_count = 3;
    gb_sink *sink = folder_sink();
    int recording = -1, stream = -1;
    expect_ok(gb_sink_begin(sink, &info, &recording));
    expect_ok(gb_sink_stream(sink, recording, &spec, &stream));
    expect_ok(gb_sink_attach(sink, recording, "map.txt", "text/plain", "hello", 6));
    expect_ok(gb_sink_end(sink, recording));
    gb_sink_destroy(sink);
    collect_sink *got = collect("a/b c");
    const gb_recording_info *i = &got->info;
    const gb_stream_spec *s = &got->streams[0].spec;
    assert_string_equal(i->name, "a/b c");
    assert_string_equal(i->source, "f.csv");
    assert_string_equal(i->instruction, "push the T");
    assert_string_equal(i->outcome, "success");
    assert_string_equal(i->residency, "JP");
    assert_string_equal(i->owner, "acme");
    assert_string_equal(i->licence, "CC-BY-4.0");
    assert_string_equal(i->purpose, "train,inspect");
    assert_int_equal(i->pair_count, 3);
    assert_int_equal(s->pair_count, 3);
    for (int p = 0; p < 3; p++) {
        assert_string_equal(i->pairs[p].key, facts[p].key);
        assert_string_equal(i->pairs[p].value, facts[p].value);
        assert_string_equal(s->pairs[p].key, facts[p].key);
        assert_string_equal(s->labels[p], labels[p]);
    }
    assert_string_equal(s->unit, "Cel");
    assert_string_equal(s->semantic, "position");
    assert_int_equal(s->time_base, GB_TIME_ROW);
    assert_true(s->rate_hz == 1.0 / 3);
    assert_string_equal(s->clock, "plc1");
    assert_string_equal(s->frame, "base");
    assert_int_equal(got->attachments, 1);
    assert_string_equal(got->attached, "map.txt");
    assert_string_equal(got->attached + 32, "hello");
    gb_sink_destroy(&got->sink);
}

static void memory_and_file_say_the_same(void **state)
{
    (void)state;
    made m = make(spec_of("v", GB_STREAM_VECTOR, GB_VALUE_F32, 1), 40000, false, 7);
    gb_dataset *dataset = NULL;
    expect_ok(gb_dataset_create(&dataset));
    gb_sink *sinks[2] = {NULL, folder_sink()};
    expect_ok(gb_dataset_sink_create(dataset, &sinks[0]));
    for (int i = 0; i < 2; i++) {
        int recording = begin(sinks[i], "same"), stream = -1;
        expect_ok(gb_sink_stream(sinks[i], recording, &m.spec, &stream));
        append_in_slices(sinks[i], recording, stream, &m, 3);
        expect_ok(gb_sink_end(sinks[i], recording));
        gb_sink_destroy(sinks[i]);
    }
    char path[128];
    gb_recording *loaded = NULL;
    snprintf(path, sizeof path, "%s/same.mcap", folder);
    expect_ok(gb_recording_file_load(path, &loaded));
    const gb_stream_view *a = gb_recording_stream(gb_dataset_get(dataset, 0), 0);
    const gb_stream_view *b = gb_recording_stream(loaded, 0);
    assert_int_equal(b->count, a->count);
    assert_memory_equal(b->values, a->values, (size_t)(a->count * a->size) * sizeof *a->values);
    assert_memory_equal(b->time_ns, a->time_ns, (size_t)a->count * sizeof *a->time_ns);
    assert_memory_equal(b->quality, a->quality, (size_t)a->count);
    assert_memory_equal(b->reason, a->reason, (size_t)a->count);
    gb_recording_destroy(loaded);
    gb_dataset_destroy(dataset);
    free_made(&m);
}

static void reads_only_the_streams_asked_for(void **state)
{
    (void)state;
    float value = 1;
    int64_t time_ns = 0;
    gb_samples samples = {.count = 1, .time_ns = &time_ns, .values = &value};
    static const char *const names[] = {"force", "torque", "speed"};
    gb_sink *sink = folder_sink();
    int recording = begin(sink, "some"), stream = -1;
    for (int i = 0; i < 3; i++) {
        gb_stream_spec spec = gb_stream_spec_defaults(names[i]);
        expect_ok(gb_sink_stream(sink, recording, &spec, &stream));
        expect_ok(gb_sink_append(sink, recording, stream, &samples));
    }
    expect_ok(gb_sink_end(sink, recording));
    gb_sink_destroy(sink);
    char path[128];
    snprintf(path, sizeof path, "%s/some.mcap", folder);
    collect_sink *got = collect_create();
    const char *chosen[] = {"speed", "force"}, *wrong[] = {"torqe"};
    expect_ok(gb_recording_file_emit(path, chosen, 2, &got->sink));
    assert_int_equal(got->count, 2);
    assert_string_equal(got->streams[0].spec.name, "force");
    assert_string_equal(got->streams[1].spec.name, "speed");
    assert_int_equal(gb_recording_file_emit(path, wrong, 1, &got->sink), GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_error_message(), "did you mean \"torque\""));
    gb_sink_destroy(&got->sink);
}

/* Rows of many machines in turn: more recordings than files may be open. */
static void writes_many_recordings_at_once(void **state)
{
    (void)state;
    enum {
        MANY = 1000,
        ROUNDS = 30,
        AT_ONCE = 700
    };
    gb_sink *sink = folder_sink();
    int *recordings = calloc(MANY, sizeof *recordings);
    int64_t times[AT_ONCE];
    double *values = calloc(AT_ONCE * 5, sizeof *values);
    gb_stream_spec spec = gb_stream_spec_defaults("load");
    spec.kind = GB_STREAM_VECTOR;
    spec.value_type = GB_VALUE_F64;
    spec.rank = 1;
    spec.shape[0] = 5;
    int stream = -1;
    for (int i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof name, "many/%04d", i);
        recordings[i] = begin(sink, name);
        expect_ok(gb_sink_stream(sink, recordings[i], &spec, &stream));
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < MANY; i++) {
            for (int t = 0; t < AT_ONCE; t++) {
                times[t] = (int64_t)(round * AT_ONCE + t) * 1000;
                values[5 * t] = i + 0.001 * (round * AT_ONCE + t);
            }
            gb_samples samples = {.count = AT_ONCE, .time_ns = times, .values = values};
            expect_ok(gb_sink_append(sink, recordings[i], 0, &samples));
        }
    }
    for (int i = 0; i < MANY; i++) {
        if (i == 500)
            gb_sink_abandon(sink, recordings[i]);
        else
            expect_ok(gb_sink_end(sink, recordings[i]));
    }
    gb_sink_destroy(sink);
    for (int i = 0; i < MANY; i += 100) {
        char path[128];
        snprintf(path, sizeof path, "%s/many/%04d.mcap", folder, i);
        assert_int_equal(gb_file_exists(path), i != 500);
        if (i == 500)
            continue;
        gb_recording *recording = NULL;
        expect_ok(gb_recording_file_load(path, &recording));
        const gb_stream_view *view = gb_recording_stream(recording, 0);
        assert_int_equal(view->count, ROUNDS * AT_ONCE);
        assert_int_equal(view->period_ns, 1000);
        for (int64_t t = 0; t < view->count; t += 97)
            assert_true(view->values[5 * t] == (float)(i + 0.001 * (double)t));
        gb_recording_destroy(recording);
    }
    free(recordings);
    free(values);
}

static void takes_names_of_any_kind(void **state)
{
    (void)state;
    char longest[1200];
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    const char *const names[] = {
        "../../etc/passwd",           "/absolute", "a//b", "a/./b", ".hidden", "50%\n\"done\"",
        "\xe6\xb8\xa9\xe5\xba\xa6/1", longest};
    static const char *const files[] = {"%2E./%2E./etc/passwd",
                                        "%/absolute",
                                        "a/%/b",
                                        "a/%2E/b",
                                        "%2Ehidden",
                                        "50%25%0A%22done%22",
                                        "\xe6\xb8\xa9\xe5\xba\xa6/1"};
    gb_sink *sink = folder_sink();
    for (int i = 0; i < 8; i++)
        expect_ok(gb_sink_end(sink, begin(sink, names[i])));
    for (int i = 0; i < 7; i++) {
        collect_sink *got = collect(files[i]);
        assert_string_equal(got->info.name, names[i]);
        gb_sink_destroy(&got->sink);
    }
    gb_recording_info again = {.name = "../../etc/passwd"};
    int recording = -1;
    assert_int_equal(gb_sink_begin(sink, &again, &recording), GB_ERR_ARGUMENT);
    recording = begin(sink, "twice");
    again.name = "twice";
    assert_int_equal(gb_sink_begin(sink, &again, &recording), GB_ERR_ARGUMENT);
    gb_sink_destroy(sink);
    char path[128];
    snprintf(path, sizeof path, "%s/twice.mcap", folder);
    assert_false(gb_file_exists(path));
}

static void refuses_what_it_cannot_keep(void **state)
{
    (void)state;
    gb_sink *sink = folder_sink();
    int recording = begin(sink, "refused"), stream = -1;
    gb_stream_spec spec = gb_stream_spec_defaults("x");
    spec.unit = "\xb0"
                "C";
    expect_ok(gb_sink_stream(sink, recording, &spec, &stream));
    assert_int_equal(gb_sink_end(sink, recording), GB_ERR_ARGUMENT);
    gb_sink_abandon(sink, recording);
    recording = begin(sink, "refused");
    spec.unit = "Cel";
    expect_ok(gb_sink_stream(sink, recording, &spec, &stream));
    assert_int_equal(gb_sink_stream(sink, recording, &spec, &stream), GB_ERR_ARGUMENT);
    int64_t time_ns = 0;
    float value = 0;
    uint8_t quality = 9;
    gb_samples samples = {.count = 1, .time_ns = &time_ns, .values = &value, .quality = &quality};
    assert_int_equal(gb_sink_append(sink, recording, stream, &samples), GB_ERR_ARGUMENT);
    gb_sink_destroy(sink);
    char path[128];
    snprintf(path, sizeof path, "%s/refused.mcap", folder);
    assert_false(gb_file_exists(path));
}

static void tells_other_files_from_its_own(void **state)
{
    (void)state;
    char path[128];
    gb_bytes_out *to = NULL;
    gb_mcap_writer *writer = NULL;
    gb_recording *recording = NULL;
    snprintf(path, sizeof path, "%s/foreign.mcap", folder);
    expect_ok(gb_bytes_out_file(path, &to));
    gb_mcap_writer_options options = gb_mcap_writer_options_defaults();
    options.profile = "ros2";
    expect_ok(gb_mcap_writer_create(to, &options, &writer));
    expect_ok(gb_mcap_writer_finish(writer));
    assert_int_equal(gb_recording_file_load(path, &recording), GB_ERR_MISMATCH);
    assert_non_null(strstr(gb_error_message(), "ros2"));
    assert_null(recording);
}

static gb_status load_memory(const void *data, size_t size, gb_recording **out)
{
    gb_bytes_in *from = NULL;
    expect_ok(gb_bytes_in_memory(data, size, "damaged.mcap", &from));
    return gb_recording_load_bytes(from, NULL, 0, out);
}

static void expect_equal(const gb_recording *a, const gb_recording *b)
{
    assert_string_equal(gb_recording_get_info(a)->name, gb_recording_get_info(b)->name);
    assert_int_equal(gb_recording_stream_count(a), gb_recording_stream_count(b));
    for (int i = 0; i < gb_recording_stream_count(a); i++) {
        const gb_stream_view *x = gb_recording_stream(a, i), *y = gb_recording_stream(b, i);
        size_t count = (size_t)x->count;
        assert_int_equal(y->count, count);
        assert_string_equal(x->spec->name, y->spec->name);
        assert_memory_equal(x->time_ns, y->time_ns, count * sizeof *x->time_ns);
        assert_memory_equal(x->quality, y->quality, count);
        if (x->values)
            assert_memory_equal(x->values, y->values, count * (size_t)x->size * sizeof(float));
        if (x->offset)
            assert_memory_equal(x->raw, y->raw, (size_t)x->offset[count]);
    }
}

/* Cut at every byte: an error. Every byte changed in turn: an error, or what was there before. */
static void never_gives_wrong_samples(void **state)
{
    (void)state;
    made m = make(spec_of("force", GB_STREAM_VECTOR, GB_VALUE_F32, 1), 40, false, 3);
    const unsigned char *run = (const unsigned char *)"hello";
    size_t run_size = 5, size = 0;
    gb_samples text = {.count = 1, .time_ns = m.time_ns, .runs = &run, .run_sizes = &run_size};
    gb_stream_spec word = gb_stream_spec_defaults("word");
    word.kind = GB_STREAM_TEXT;
    word.value_type = GB_VALUE_BYTES;
    gb_sink *sink = folder_sink();
    int recording = begin(sink, "damage"), stream = -1;
    expect_ok(gb_sink_stream(sink, recording, &m.spec, &stream));
    append_in_slices(sink, recording, stream, &m, 3);
    expect_ok(gb_sink_stream(sink, recording, &word, &stream));
    expect_ok(gb_sink_append(sink, recording, stream, &text));
    expect_ok(gb_sink_end(sink, recording));
    gb_sink_destroy(sink);
    gb_arena *arena = NULL;
    gb_recording *whole = NULL, *damaged = NULL;
    char path[128], *bytes = NULL;
    snprintf(path, sizeof path, "%s/damage.mcap", folder);
    expect_ok(gb_arena_create(0, &arena));
    expect_ok(gb_file_read(path, 0, arena, &bytes, &size));
    expect_ok(load_memory(bytes, size, &whole));
    for (size_t cut = 0; cut < size; cut++)
        assert_int_not_equal(load_memory(bytes, cut, &damaged), GB_OK);
    for (size_t at = 0; at < size; at++) {
        for (int bit = 0; bit < 8; bit += 3) {
            bytes[at] ^= (char)(1 << bit);
            if (load_memory(bytes, size, &damaged) == GB_OK) {
                expect_equal(whole, damaged);
                gb_recording_destroy(damaged);
            }
            bytes[at] ^= (char)(1 << bit);
        }
    }
    gb_recording_destroy(whole);
    gb_arena_destroy(arena);
    free_made(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_numbers_of_every_type),
        cmocka_unit_test(keeps_plain_pictures),
        cmocka_unit_test(keeps_runs_of_bytes),
        cmocka_unit_test(keeps_times_of_any_sign),
        cmocka_unit_test(keeps_what_is_said_of_streams),
        cmocka_unit_test(memory_and_file_say_the_same),
        cmocka_unit_test(reads_only_the_streams_asked_for),
        cmocka_unit_test(writes_many_recordings_at_once),
        cmocka_unit_test(takes_names_of_any_kind),
        cmocka_unit_test(refuses_what_it_cannot_keep),
        cmocka_unit_test(tells_other_files_from_its_own),
        cmocka_unit_test(never_gives_wrong_samples),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
