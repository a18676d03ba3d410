/* Cleaning: each rule on series made by hand, whatever the cut into batches; counts add up; raw
 * values come back. */
#include "ingest/clean.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector.h"

#define S 1000000000LL

/* One stream as a reader would hand it over. */
typedef struct feed {
    const char *name, *unit;
    gb_stream_kind kind;
    gb_value_type type;
    int64_t size, count;
    const int64_t *time_ns;
    const void *values;
    const int64_t *row;
    const uint8_t *quality, *reason;
} feed;

typedef struct bench {
    gb_stream_map *map;
    gb_ingest_report report;
    gb_ingest_watch watch;
    collector next;
    gb_sink *clean;
    int64_t rejected;
    int64_t rejected_rows[64];
    char reason[64], text[64];
} bench;

static gb_status note_reject(void *context,
                             const char *file,
                             int64_t row,
                             const char *column,
                             const char *reason,
                             const char *text,
                             size_t text_size)
{
    bench *b = context;
    assert_string_equal(file, "file.csv");
    assert_string_equal(column, "");
    assert_int_equal(strlen(text), text_size);
    if (b->rejected < 64)
        b->rejected_rows[b->rejected] = row;
    b->rejected++;
    snprintf(b->reason, sizeof b->reason, "%s", reason);
    snprintf(b->text, sizeof b->text, "%s", text);
    return GB_OK;
}

static void open_bench(bench *b, const char *rules)
{
    char text[4096];
    int size = snprintf(text, sizeof text, "name: m\nreader: csv\nfiles: ['*']\n%s", rules);
    memset(b, 0, sizeof *b);
    if (gb_stream_map_parse(text, (size_t)size, "map.yaml", &b->map) != GB_OK)
        fail_msg("%s", gb_error_message());
    b->next.sink.ops = &collector_ops;
    b->watch = (gb_ingest_watch){.context = b, .reject = note_reject};
    assert_int_equal(
        gb_clean_create(b->map, &b->watch, &b->report, "file.csv", &b->next.sink, &b->clean),
        GB_OK);
}

static void close_bench(bench *b)
{
    gb_sink_destroy(b->clean);
    gb_sink_destroy(&b->next.sink);
    gb_stream_map_destroy(b->map);
}

static gb_status declare(bench *b, int recording, const feed *f, int *out)
{
    gb_stream_spec spec = gb_stream_spec_defaults(f->name);
    spec.kind = f->kind;
    spec.unit = f->unit ? f->unit : "";
    spec.value_type = f->type;
    if (f->size > 1) {
        spec.rank = 1;
        spec.shape[0] = f->size;
    }
    return gb_sink_stream(b->clean, recording, &spec, out);
}

static gb_status hand(bench *b, int recording, int stream, const feed *f, int64_t from, int64_t to)
{
    size_t bytes = (size_t)f->size * gb_value_type_bytes(f->type);
    gb_samples samples = {.count = to - from,
                          .time_ns = f->time_ns + from,
                          .values = (const char *)f->values + (size_t)from * bytes,
                          .quality = f->quality ? f->quality + from : NULL,
                          .reason = f->reason ? f->reason + from : NULL,
                          .row = f->row ? f->row + from : NULL};
    return gb_sink_append(b->clean, recording, stream, &samples);
}

/* Runs feeds through the rules in batches of at most `cut` samples (0: cuts by chance, each stream
 * its own). */
static void run(bench *b, const feed *feeds, int count, int64_t cut, uint64_t seed)
{
    gb_recording_info info = {.name = "r"};
    int recording, streams[8];
    int64_t at[8] = {0};
    uint64_t draw = 0;
    assert_int_equal(gb_sink_begin(b->clean, &info, &recording), GB_OK);
    for (int s = 0; s < count; s++)
        if (declare(b, recording, &feeds[s], &streams[s]) != GB_OK)
            fail_msg("%s", gb_error_message());
    b->report.rows_read = b->report.rows_stored = feeds[0].count; /* as the reader counts */
    for (bool more = true; more;) {
        more = false;
        for (int s = 0; s < count; s++) {
            int64_t left = feeds[s].count - at[s];
            int64_t size = cut > 0 ? cut : 1 + (int64_t)gb_random_below(seed, 1, draw++, 40);
            size = size < left ? size : left;
            if (hand(b, recording, streams[s], &feeds[s], at[s], at[s] + size) != GB_OK)
                fail_msg("%s", gb_error_message());
            at[s] += size;
            more |= at[s] < feeds[s].count;
        }
    }
    assert_int_equal(gb_sink_end(b->clean, recording), GB_OK);
    assert_int_equal(b->next.ended, 1);
    assert_int_equal(b->report.rows_read, b->report.rows_stored + b->report.rows_rejected);
}

static feed scalar(const char *name, const int64_t *time_ns, const double *values, int64_t count)
{
    return (feed){.name = name,
                  .kind = GB_STREAM_SCALAR,
                  .type = GB_VALUE_F64,
                  .size = 1,
                  .count = count,
                  .time_ns = time_ns,
                  .values = values};
}

static void seconds(int64_t *time_ns, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        time_ns[i] = i * S;
}

static double value_at(const collected *stream, int64_t i)
{
    return stream->values[i * COLLECTOR_SIZE];
}

static void assert_reasons(const collected *stream, const char *expected)
{
    static const char letters[GB_REASON_COUNT] = ".cagrbfskToxn-A";
    assert_int_equal(stream->count, (int64_t)strlen(expected));
    char found[256] = "";
    for (int64_t i = 0; i < stream->count; i++)
        found[i] = letters[stream->reason[i]];
    assert_string_equal(found, expected);
    for (int64_t i = 0; i < stream->count; i++)
        assert_int_equal(stream->quality[i], gb_reason_quality((gb_reason)stream->reason[i]));
}

/* ---- values -----------------------------------------------------------------------------------
 */

static void test_units(void **state)
{
    (void)state;
    static const double values[] = {32, 212, -40, NAN};
    int64_t time_ns[4];
    seconds(time_ns, 4);
    bench b;
    open_bench(&b, "streams:\n  - {name: t, columns: [a], unit: Cel, source_unit: degF}\n"
                   "  - {name: p, columns: [b], unit: kPa, source_unit: kgf/cm², scale: -2, "
                   "offset: 5}\n"
                   "  - {name: q, columns: [c], unit: ℃}\n");
    feed feeds[] = {scalar("t", time_ns, values, 4), scalar("p", time_ns, values, 4),
                    scalar("q", time_ns, values, 4)};
    run(&b, feeds, 3, 4, 0);
    const collected *t = collector_find(&b.next, "t"), *p = collector_find(&b.next, "p");
    static const double celsius[] = {0, 100, -40};
    for (int i = 0; i < 3; i++) {
        assert_true(fabs(value_at(t, i) - celsius[i]) < 1e-12);
        double scale = strtod(collected_pair(t, "scale"), NULL);
        double offset = strtod(collected_pair(t, "offset"), NULL);
        assert_true(fabs((value_at(t, i) - offset) / scale - values[i]) < 1e-12);
        assert_true(fabs(value_at(p, i) - (-2 * 98.0665 * values[i] + 5)) < 1e-9);
    }
    assert_true(isnan(value_at(t, 3)));
    assert_string_equal(t->unit, "Cel");
    assert_string_equal(collected_pair(t, "source_unit"), "degF");
    assert_string_equal(collected_pair(p, "source_unit"), "kgf/cm²");
    assert_string_equal(p->unit, "kPa");
    const collected *q = collector_find(&b.next, "q");
    assert_string_equal(q->unit, "Cel"); /* a code, whatever the map wrote; numbers as they were */
    assert_true(value_at(q, 0) == 32 && !collected_pair(q, "scale"));
    assert_null(collector_find(&b.next, "t.raw"));
    close_bench(&b);
}

static void test_types(void **state)
{
    (void)state;
    static const int32_t counts[] = {0, 10, -9999, 2147483647};
    static const float floats[] = {0.1F, -9999.9F, 3, 4};
    int64_t time_ns[4];
    seconds(time_ns, 4);
    bench b;
    open_bench(&b, "streams:\n  - {name: same, columns: [a], range: {max: 100}}\n"
                   "  - {name: scaled, columns: [b], scale: 0.5}\n"
                   "  - {name: small, columns: [c], value_type: f32, sentinels: [-9999]}\n"
                   "  - {name: f, columns: [d], sentinels: [-9999.9], range: {max: 0.1}}\n");
    feed whole = {.name = "same",
                  .kind = GB_STREAM_SCALAR,
                  .type = GB_VALUE_I32,
                  .size = 1,
                  .count = 4,
                  .time_ns = time_ns,
                  .values = counts};
    feed feeds[] = {whole, whole, whole, whole};
    feeds[1].name = "scaled";
    feeds[2].name = "small";
    feeds[3].name = "f";
    feeds[3].type = GB_VALUE_F32;
    feeds[3].values = floats;
    run(&b, feeds, 4, 3, 0);
    collected *same = collector_find(&b.next, "same"), *scaled = collector_find(&b.next, "scaled");
    collected *small = collector_find(&b.next, "small"), *f = collector_find(&b.next, "f");
    assert_int_equal(same->value_type, GB_VALUE_I32);
    assert_reasons(same, "...o");
    assert_true(value_at(same, 3) == 2147483647);
    assert_int_equal(scaled->value_type, GB_VALUE_F64);
    assert_true(value_at(scaled, 3) == 1073741823.5);
    assert_int_equal(small->value_type, GB_VALUE_F32);
    assert_true(isnan(value_at(small, 2)));
    assert_reasons(small, "..n.");
    assert_int_equal(f->value_type, GB_VALUE_F32);
    assert_reasons(f, ".noo"); /* 0.1 is not above 0.1, also as f32 */
    close_bench(&b);
}

static void test_sentinels(void **state)
{
    (void)state;
    static const double values[] = {1, -9999, 3, 1e31, -9999, 6};
    int64_t time_ns[3];
    seconds(time_ns, 3);
    bench b;
    open_bench(&b,
               "streams:\n  - {name: v, columns: [a, b], sentinels: [-9999, 1e31], scale: 2}\n");
    feed v = {.name = "v",
              .kind = GB_STREAM_VECTOR,
              .type = GB_VALUE_F64,
              .size = 2,
              .count = 3,
              .time_ns = time_ns,
              .values = values};
    run(&b, &v, 1, 1, 0);
    const collected *stored = collector_find(&b.next, "v");
    const collected *raw = collector_find(&b.next, "v.raw");
    assert_reasons(stored, "nnn");
    assert_true(value_at(stored, 0) == 2 && isnan(stored->values[1]));
    assert_int_equal(b.report.cells_missing, 3);
    assert_int_equal(b.report.reasons[GB_REASON_SENTINEL], 3);
    /* every raw value comes back: by the law, or from the stream beside */
    assert_non_null(raw);
    assert_int_equal(raw->kind, GB_STREAM_EVENT);
    assert_string_equal(collected_pair(raw, "raw_of"), "v");
    double back[6];
    for (int64_t i = 0; i < 6; i++)
        back[i] = stored->values[i / 2 * COLLECTOR_SIZE + i % 2] / 2;
    assert_int_equal(raw->count, 3);
    for (int64_t i = 0; i < raw->count; i++) {
        const double *entry = raw->values + i * COLLECTOR_SIZE;
        assert_int_equal(raw->time_ns[i], time_ns[(int)entry[0]]);
        back[2 * (int)entry[0] + (int)entry[1]] = entry[2];
    }
    assert_memory_equal(back, values, sizeof values);
    close_bench(&b);
}

static void test_stuck(void **state)
{
    (void)state;
    static const double values[] = {1, 2, 2, 2, 2, 3, NAN, NAN, NAN, 4, 4, 4, 5};
    int64_t time_ns[13];
    seconds(time_ns, 13);
    for (int64_t cut = 1; cut <= 13; cut++) {
        bench b;
        open_bench(&b, "streams:\n  - {name: v, columns: [a], clean: {stuck_samples: 3}}\n");
        feed v = scalar("v", time_ns, values, 13);
        run(&b, &v, 1, cut, 0);
        assert_reasons(collector_find(&b.next, "v"), "...ss......s.");
        assert_int_equal(b.report.stuck_runs, 2);
        assert_int_equal(b.report.longest_stuck, 4);
        close_bench(&b);
    }
}

static void test_spikes(void **state)
{
    (void)state;
    double values[200], original[200];
    int64_t time_ns[200];
    seconds(time_ns, 200);
    for (int i = 0; i < 200; i++) {
        values[i] = sin(i * 0.1) + 0.01 * (double)gb_random_normal(7, 0, (uint64_t)i);
        values[i] += i >= 100 ? 20 : 0; /* a new level is no spike */
    }
    values[3] += 5;
    values[50] -= 3;
    values[51] -= 3;
    values[150] += 9;
    values[199] += 9;
    memcpy(original, values, sizeof values);
    for (uint64_t seed = 0; seed < 12; seed++) {
        bench b;
        open_bench(&b, "clean: {spike_sigmas: 12}\nstreams:\n  - {name: v, columns: [a]}\n");
        feed v = scalar("v", time_ns, values, 200);
        run(&b, &v, 1, seed < 2 ? 1 + (int64_t)seed * 1000 : 0, seed);
        const collected *stored = collector_find(&b.next, "v");
        assert_int_equal(stored->count, 200);
        for (int64_t i = 0; i < 200; i++) {
            bool wanted = i == 3 || i == 50 || i == 51 || i == 150 || i == 199;
            if ((stored->reason[i] == GB_REASON_SPIKE) != wanted)
                fail_msg("seed %d, sample %d: reason %d", (int)seed, (int)i, stored->reason[i]);
            assert_true(value_at(stored, i) == original[i]); /* flagged, never changed */
            assert_int_equal(stored->time_ns[i], time_ns[i]);
        }
        assert_int_equal(b.report.reasons[GB_REASON_SPIKE], 5);
        close_bench(&b);
    }
}

/* A switch and a sensor that flickers in its last digit have no spikes. */
static void test_no_spikes(void **state)
{
    (void)state;
    double on_off[300], flicker[300];
    int64_t time_ns[300];
    seconds(time_ns, 300);
    for (int i = 0; i < 300; i++) {
        on_off[i] = i % 37 == 0;
        flicker[i] = 20 + (i % 11 == 0 ? 0.1 : i % 29 == 0 ? -0.1 : 0);
    }
    bench b;
    open_bench(&b, "clean: {spike_sigmas: 6}\nstreams:\n  - {name: a, columns: [a]}\n"
                   "  - {name: b, columns: [b]}\n");
    feed feeds[] = {scalar("a", time_ns, on_off, 300), scalar("b", time_ns, flicker, 300)};
    run(&b, feeds, 2, 0, 3);
    assert_int_equal(b.report.reasons[GB_REASON_SPIKE], 0);
    assert_int_equal(collector_find(&b.next, "a")->count, 300);
    close_bench(&b);
}

/* ---- times ------------------------------------------------------------------------------------
 */

static const int64_t dirty_time[] = {0,      1 * S,  2 * S,  2 * S,  3 * S,  10 * S,
                                     11 * S, 11 * S, 11 * S, 5 * S,  6 * S,  7 * S,
                                     12 * S, 13 * S, 20 * S, 20 * S, 21 * S, 3 * S};
#define DIRTY 18
static const double dirty_a[DIRTY] = {0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 11, 12, 12, 13, 14};
static const double dirty_b[DIRTY] = {0, 1, 2, 2, 3, 4, 5, 5, 5, 7, 8, 9, 10, 11, 12, 99, 13, 14};

static void test_flag_times(void **state)
{
    (void)state;
    for (int64_t cut = 0; cut <= DIRTY; cut++) {
        bench b;
        open_bench(&b, "clean: {gap_s: 4}\nstreams:\n  - {name: a, columns: [a]}\n"
                       "  - {name: b, columns: [b]}\n");
        feed feeds[] = {scalar("a", dirty_time, dirty_a, DIRTY),
                        scalar("b", dirty_time, dirty_b, DIRTY)};
        run(&b, feeds, 2, cut, (uint64_t)cut);
        assert_reasons(collector_find(&b.next, "a"), "...r.g.rrb..g.gr.b");
        assert_reasons(collector_find(&b.next, "b"), "...r.g.rrb..g.gr.b");
        assert_int_equal(b.report.time_repeated, 4);
        assert_int_equal(b.report.rows_duplicated, 2); /* rows 3 and 7; 8 and 15 differ in one */
        assert_int_equal(b.report.time_backwards, 2);
        assert_int_equal(b.report.gaps, 3);
        assert_int_equal(b.report.longest_gap_ns, 7 * S);
        assert_int_equal(b.report.rows_stored, DIRTY);
        assert_int_equal(b.rejected, 0);
        close_bench(&b);
    }
}

static void test_reject_times(void **state)
{
    (void)state;
    int64_t rows[DIRTY];
    for (int64_t i = 0; i < DIRTY; i++)
        rows[i] = 100 + 2 * i;
    for (int64_t cut = 0; cut <= DIRTY; cut++) {
        bench b;
        open_bench(&b, "clean: {gap_s: 4, repeated_time: reject, backward_time: reject}\n"
                       "streams:\n  - {name: a, columns: [a], sentinels: [5]}\n"
                       "  - {name: b, columns: [b]}\n  - {name: c, columns: [c]}\n");
        feed feeds[] = {scalar("a", dirty_time, dirty_a, DIRTY),
                        scalar("b", dirty_time, dirty_b, DIRTY),
                        scalar("c", dirty_time, dirty_b, DIRTY)};
        for (int s = 0; s < 3; s++)
            feeds[s].row = rows;
        run(&b, feeds, 3, cut, (uint64_t)cut);
        const collected *stored = collector_find(&b.next, "b");
        assert_reasons(stored, "....g...g.");
        assert_reasons(collector_find(&b.next, "a"), "....gn..g.");
        for (int64_t i = 1; i < stored->count; i++)
            assert_true(stored->time_ns[i] > stored->time_ns[i - 1]);
        assert_int_equal(stored->row[9], rows[16]);
        assert_int_equal(b.report.rows_rejected, 8);
        assert_int_equal(b.report.rows_stored, 10);
        assert_int_equal(b.rejected, 8); /* once, not for each stream */
        static const int64_t expected[] = {3, 7, 8, 9, 10, 11, 15, 17};
        for (int i = 0; i < 8; i++)
            assert_int_equal(b.rejected_rows[i], 100 + 2 * expected[i]);
        assert_string_equal(b.reason, "backward_time");
        assert_string_equal(b.text, "1970-01-01T00:00:03.000000000Z");
        const collected *raw = collector_find(&b.next, "a.raw");
        assert_int_equal(raw->count, 1);
        assert_true(raw->values[0] == 5); /* the number of the sample as stored */
        close_bench(&b);
    }
}

/* Streams of other rows count for themselves. */
static void test_separate_rows(void **state)
{
    (void)state;
    static const int64_t times[] = {0, S, S, 2 * S};
    static const double values[] = {1, 2, 2, 3};
    static const int64_t odd[] = {1, 3, 5, 7}, even[] = {2, 4, 6, 8};
    bench b;
    open_bench(&b, "clean: {repeated_time: reject}\nstreams:\n  - {name: a, columns: [a]}\n");
    feed feeds[] = {scalar("a", times, values, 4), scalar("other", times, values, 4)};
    feeds[0].row = odd;
    feeds[1].row = even;
    run(&b, feeds, 2, 3, 0);
    assert_int_equal(b.report.rows_rejected, 2);
    assert_int_equal(b.report.time_repeated, 2);
    assert_int_equal(b.report.rows_duplicated, 2);
    assert_int_equal(b.rejected_rows[0], 5);
    assert_int_equal(b.rejected_rows[1], 6);
    close_bench(&b);
}

/* Extremes of 64 bits: no overflow, no wrong gap. */
static void test_far_times(void **state)
{
    (void)state;
    static const int64_t times[] = {INT64_MIN, -1, 0, INT64_MAX, INT64_MAX, INT64_MIN};
    static const double values[6] = {0};
    bench b;
    open_bench(&b, "clean: {gap_s: 10}\nstreams:\n  - {name: a, columns: [a]}\n");
    feed a = scalar("a", times, values, 6);
    run(&b, &a, 1, 2, 0);
    assert_reasons(collector_find(&b.next, "a"), ".g.grb");
    assert_int_equal(b.report.longest_gap_ns, INT64_MAX);
    close_bench(&b);
}

/* ---- together ---------------------------------------------------------------------------------
 */

static void test_worst_reason_wins(void **state)
{
    (void)state;
    static const int64_t times[] = {0, 0, 10 * S, 11 * S, 12 * S};
    static const double values[] = {1, 500, -9999, 7, 700};
    static const uint8_t quality[] = {0, 0, 0, GB_QUALITY_UNCERTAIN, GB_QUALITY_BAD};
    static const uint8_t reason[] = {0, 0, 0, GB_REASON_STALE, GB_REASON_SOURCE_BAD};
    bench b;
    open_bench(&b, "clean: {gap_s: 5}\nstreams:\n"
                   "  - {name: a, columns: [a], sentinels: [-9999], range: {max: 100}}\n");
    feed a = scalar("a", times, values, 5);
    a.quality = quality;
    a.reason = reason;
    run(&b, &a, 1, 5, 0);
    assert_reasons(collector_find(&b.next, "a"), ".onTx");
    close_bench(&b);
}

/* What nothing is asked of goes on as it came: the same memory. */
static gb_status see_pointer(gb_sink *sink, int recording, int stream, const gb_samples *samples)
{
    (void)recording, (void)stream;
    memcpy(&((collector *)sink)->streams[0].room, &samples->values, sizeof samples->values);
    return GB_OK;
}

static void test_untouched(void **state)
{
    (void)state;
    static const double values[3] = {1, 2, 3};
    int64_t time_ns[3];
    seconds(time_ns, 3);
    bench b;
    open_bench(&b, "streams:\n  - {name: a, columns: [a], unit: kPa, range: {max: 9}}\n"
                   "  - {name: b, columns: [b]}\n");
    gb_sink_ops seeing = collector_ops;
    seeing.append = see_pointer;
    b.next.sink.ops = &seeing;
    for (int s = 0; s < 2; s++) {
        feed f = scalar(s ? "b" : "a", time_ns, values, 3);
        const void *seen = NULL;
        b.next.ended = 0;
        run(&b, &f, 1, 3, 0);
        memcpy((void *)&seen, &b.next.streams[0].room, sizeof seen);
        assert_ptr_equal(seen, values);
    }
    b.next.streams[0].room = 0;
    close_bench(&b);
}

/* Everything at once, on a long series: the same whatever the batches. */
static void test_cuts(void **state)
{
    (void)state;
    enum {
        N = 9000
    };
    static int64_t times[N];
    static double values[2 * N];
    int64_t now = 0;
    for (int i = 0; i < N; i++) {
        uint64_t draw = gb_random_below(5, 0, (uint64_t)i, 100);
        now += draw == 0 ? 0 : draw == 1 ? -3 * S : draw == 2 ? 60 * S : S;
        times[i] = now;
        for (int c = 0; c < 2; c++) {
            uint64_t at = (uint64_t)(2 * i + c), kind = gb_random_below(6, 0, at, 200);
            double normal = (double)gb_random_normal(6, 1, at);
            values[2 * i + c] = kind == 0   ? -9999
                                : kind == 1 ? 1000 * normal
                                : kind == 2 ? NAN
                                : kind < 40 ? 7
                                            : normal;
        }
    }
    bench whole;
    static const char rules[] =
        "clean: {gap_s: 30, stuck_samples: 3, spike_sigmas: 8, backward_time: reject}\n"
        "streams:\n  - {name: v, columns: [a, b], sentinels: [-9999], scale: 0.1, "
        "range: {min: -50, max: 50}}\n";
    feed v = {.name = "v",
              .kind = GB_STREAM_VECTOR,
              .type = GB_VALUE_F64,
              .size = 2,
              .count = N,
              .time_ns = times,
              .values = values};
    open_bench(&whole, rules);
    run(&whole, &v, 1, N, 0);
    assert_true(whole.report.rows_rejected > 50);
    for (int r = GB_REASON_AFTER_GAP; r <= GB_REASON_SENTINEL; r++)
        if (r == GB_REASON_AFTER_GAP || r == GB_REASON_REPEATED_TIME || r == GB_REASON_STUCK ||
            r == GB_REASON_SPIKE || r == GB_REASON_OUT_OF_RANGE || r == GB_REASON_SENTINEL)
            assert_true(whole.report.reasons[r] > 0);
    for (uint64_t seed = 1; seed < 6; seed++) {
        bench cut;
        open_bench(&cut, rules);
        run(&cut, &v, 1, 0, seed);
        assert_int_equal(cut.next.stream_count, whole.next.stream_count);
        for (int s = 0; s < cut.next.stream_count; s++) {
            const collected *a = &whole.next.streams[s], *c = &cut.next.streams[s];
            size_t count = (size_t)a->count;
            assert_int_equal(a->count, c->count);
            assert_memory_equal(a->time_ns, c->time_ns, count * sizeof *a->time_ns);
            assert_memory_equal(a->quality, c->quality, count);
            assert_memory_equal(a->reason, c->reason, count);
            for (size_t i = 0; i < count * COLLECTOR_SIZE; i++)
                if ((int64_t)(i % COLLECTOR_SIZE) < a->size)
                    assert_memory_equal(&a->values[i], &c->values[i], sizeof a->values[i]);
        }
        gb_ingest_report same = cut.report;
        assert_memory_equal(&same, &whole.report, sizeof same);
        close_bench(&cut);
    }
    close_bench(&whole);
}

/* ---- what is refused --------------------------------------------------------------------------
 */

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *rules, *expected;
    } wrong[] = {
        {"streams:\n  - {name: a, columns: [a], unit: Cel, source_unit: MPa}\n",
         "does not convert"},
        {"streams:\n  - {name: a, columns: [a], unit: Cel, source_unit: blob}\n", "is not a unit"},
        {"streams:\n  - {name: a, columns: [a], scale: 0}\n", "scale is 0"},
        {"clean: {gap_s: -1}\nstreams:\n  - {name: a, columns: [a]}\n", "clean.gap_s"},
        {"clean: {stuck_samples: 1}\nstreams:\n  - {name: a, columns: [a]}\n", "stuck_samples"},
        {"streams:\n  - {name: a, columns: [a], clean: {spike_sigmas: 0}}\n", "spike_sigmas"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        bench b;
        gb_recording_info info = {.name = "r"};
        int recording, stream = -5;
        open_bench(&b, wrong[i].rules);
        feed a = scalar("a", NULL, NULL, 0);
        assert_int_equal(gb_sink_begin(b.clean, &info, &recording), GB_OK);
        assert_int_equal(declare(&b, recording, &a, &stream), GB_ERR_SCHEMA);
        assert_non_null(strstr(gb_error_message(), wrong[i].expected));
        assert_non_null(strstr(gb_error_message(), "stream a"));
        assert_non_null(strstr(gb_error_message(), "map.yaml"));
        assert_int_equal(stream, -5);
        gb_sink_abandon(b.clean, recording);
        close_bench(&b);
    }
}

static void test_next_fails(void **state)
{
    (void)state;
    static const double values[8] = {1, -9999, 1, 1, 1, 1, 1, 1};
    int64_t time_ns[8];
    seconds(time_ns, 8);
    for (int64_t after = 1; after <= 3; after++) {
        bench b;
        gb_recording_info info = {.name = "r"};
        int recording, stream;
        open_bench(&b, "clean: {spike_sigmas: 6}\n"
                       "streams:\n  - {name: a, columns: [a], sentinels: [-9999]}\n");
        b.next.fail_after = after;
        feed a = scalar("a", time_ns, values, 8);
        assert_int_equal(gb_sink_begin(b.clean, &info, &recording), GB_OK);
        assert_int_equal(declare(&b, recording, &a, &stream), GB_OK);
        gb_status status = hand(&b, recording, stream, &a, 0, 8);
        if (status == GB_OK)
            status = gb_sink_end(b.clean, recording);
        assert_int_equal(status, GB_ERR_IO);
        gb_sink_abandon(b.clean, recording);
        close_bench(&b);
    }
}

static gb_status gather_line(void *context, const char *line)
{
    strcat(context, line);
    strcat(context, "\n");
    return GB_OK;
}

static void test_lines(void **state)
{
    (void)state;
    char text[4096] = "";
    gb_ingest_report report = {.rows_read = 10, .rows_stored = 8, .rows_rejected = 2, .gaps = 1};
    report.longest_gap_ns = 5 * S;
    report.reasons[GB_REASON_STUCK] = 3;
    report.clock_count = 1;
    strcpy(report.clocks[0].device, "plc");
    assert_int_equal(gb_ingest_report_lines(&report, gather_line, text), GB_OK);
    assert_non_null(strstr(text, "10  = 8 stored + 2 rejected"));
    assert_non_null(strstr(text, "the longest 5 s"));
    assert_non_null(strstr(text, "stuck"));
    assert_non_null(strstr(text, "clock plc"));
    assert_null(strstr(text, "spike"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_sentinels),
        cmocka_unit_test(test_stuck),
        cmocka_unit_test(test_spikes),
        cmocka_unit_test(test_no_spikes),
        cmocka_unit_test(test_flag_times),
        cmocka_unit_test(test_reject_times),
        cmocka_unit_test(test_separate_rows),
        cmocka_unit_test(test_far_times),
        cmocka_unit_test(test_worst_reason_wins),
        cmocka_unit_test(test_untouched),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_next_fails),
        cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
