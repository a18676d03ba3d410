/* What an inspection keeps of a recording, and that its page can hold any text and needs nothing.
 */
#include "eval/inspect.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND 1000000000LL

/* 10,000 samples at 100 Hz with a gap of 5 s, one missing value and one spike. */
static void fill(gb_sink *sink, const char *name)
{
    int recording, stream, words;
    gb_recording_info info = {.name = name, .owner = "acme & sons"};
    gb_stream_spec spec = gb_stream_spec_defaults("press.force"),
                   text = gb_stream_spec_defaults("alarm");
    spec.value_type = GB_VALUE_F64;
    spec.unit = "N";
    text.kind = GB_STREAM_EVENT;
    text.value_type = GB_VALUE_BYTES;
    text.encoding = "utf-8";
    assert_int_equal(gb_sink_begin(sink, &info, &recording), GB_OK);
    assert_int_equal(gb_sink_stream(sink, recording, &spec, &stream), GB_OK);
    assert_int_equal(gb_sink_stream(sink, recording, &text, &words), GB_OK);
    for (int64_t i = 0; i < 10000; i++) {
        int64_t time_ns = i * 10000000 + (i >= 5000 ? 5 * SECOND : 0);
        double value = i == 77 ? NAN : i == 7000 ? 50 : sin((double)i * .01);
        uint8_t quality = i == 77 ? GB_QUALITY_MISSING : GB_QUALITY_GOOD;
        uint8_t reason = i == 77 ? GB_REASON_ABSENT : GB_REASON_NONE;
        gb_samples one = {.count = 1,
                          .time_ns = &time_ns,
                          .values = &value,
                          .quality = &quality,
                          .reason = &reason};
        assert_int_equal(gb_sink_append(sink, recording, stream, &one), GB_OK);
    }
    static const char *const alarms[] = {"<script>alert(1)</script>", "door", "door"};
    for (int64_t i = 0; i < 3; i++) {
        const unsigned char *run = (const unsigned char *)alarms[i];
        size_t size = strlen(alarms[i]);
        int64_t time_ns = i * SECOND;
        gb_samples one = {.count = 1, .time_ns = &time_ns, .runs = &run, .run_sizes = &size};
        assert_int_equal(gb_sink_append(sink, recording, words, &one), GB_OK);
    }
    assert_int_equal(gb_sink_end(sink, recording), GB_OK);
}

static void keeps_what_matters(void **state)
{
    (void)state;
    gb_inspection *in;
    assert_int_equal(gb_inspection_create(0, &in), GB_OK);
    fill(gb_inspection_sink(in), "press/1");
    const gb_inspect_stream *s = in->recordings[0]->streams[0];
    assert_int_equal(s->count, 10000);
    assert_int_equal(s->gap_count, 1);
    assert_int_equal(s->gaps[0][1] - s->gaps[0][0], 5 * SECOND + 10000000);
    assert_int_equal(s->qualities[GB_QUALITY_MISSING], 1);
    assert_int_equal(s->reasons[GB_REASON_ABSENT], 1);
    assert_true(s->curves[0].most == 50);
    assert_int_equal(s->curves[0].count, 9999);
    /* Every sample is in one bucket, the spike in the bucket of its time, every value in one bin.
     */
    int64_t samples = 0, binned = 0;
    for (int i = 0; i < GB_INSPECT_BUCKETS; i++)
        samples += s->samples[i];
    for (int i = 0; i < GB_INSPECT_BINS; i++)
        binned += s->curves[0].bins.counts[i];
    assert_int_equal(samples, 10000);
    assert_int_equal(binned, 9999);
    int64_t at = (7000 * 10000000LL + 5 * SECOND) / s->bucket_ns;
    assert_true(s->curves[0].high[at] == 50.0f);
    const gb_inspect_stream *words = in->recordings[0]->streams[1];
    assert_int_equal(words->word_count, 2);
    assert_int_equal(words->word_counts[1], 2);
    gb_inspection_destroy(in);
}

static void pages_escape_texts_and_load_nothing(void **state)
{
    (void)state;
    char path[] = "/tmp/genba-inspect-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    gb_inspection *in;
    gb_arena *arena;
    char *page = NULL;
    gb_report_fact facts[] = {{"<b>", "</dd><img src=x>"}};
    assert_int_equal(gb_inspection_create(0, &in), GB_OK);
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    fill(gb_inspection_sink(in), "\"><script>alert(2)</script>");
    assert_int_equal(gb_inspection_write(in, "<i>", facts, 1, facts, 1, path), GB_OK);
    assert_int_equal(gb_file_read(path, 0, arena, &page, NULL), GB_OK);
    assert_null(strstr(page, "alert(1)</script>"));
    assert_null(strstr(page, "alert(2)</script>"));
    assert_null(strstr(page, "<img src=x"));
    assert_null(strstr(page, "http://"));
    assert_null(strstr(page, "https://"));
    assert_non_null(strstr(page, "press.force"));
    assert_non_null(strstr(page, "acme &amp; sons"));
    unlink(path);
    gb_arena_destroy(arena);
    gb_inspection_destroy(in);
}

static gb_status count_line(void *context, const char *line)
{
    *(int *)context += line[0] != 0;
    return GB_OK;
}

static void recordings_beyond_the_limit_are_counted(void **state)
{
    (void)state;
    gb_inspection *in;
    int lines = 0;
    assert_int_equal(gb_inspection_create(1, &in), GB_OK);
    fill(gb_inspection_sink(in), "a");
    fill(gb_inspection_sink(in), "b");
    assert_int_equal(gb_inspection_lines(in, count_line, &lines), GB_OK);
    assert_int_equal(lines, 4); /* the recording, two streams, "and 1 more" */
    gb_inspection_destroy(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_matters),
        cmocka_unit_test(pages_escape_texts_and_load_nothing),
        cmocka_unit_test(recordings_beyond_the_limit_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
