/* One recording through an anonymising policy, for tests. */
#ifndef GENBA_TEST_ANONYMISE_FIXTURE_H
#define GENBA_TEST_ANONYMISE_FIXTURE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "genba/anonymise.h"
#include "ingest/anonymise.h"

#define DAY_NS (86400 * INT64_C(1000000000))
#define HOUR_NS (DAY_NS / 24)

static const gb_key key = {{1, 2, 3}}, other_key = {{4, 5, 6}};

static inline gb_anonymise_policy *policy_of(const char *text)
{
    gb_anonymise_policy *policy = NULL;
    if (gb_anonymise_policy_parse(text, strlen(text), "p.yaml", &policy) != GB_OK)
        fail_msg("%s", gb_error_message());
    return policy;
}

/* ---- one recording through a policy ---- */

typedef struct fixture {
    gb_recording_info info;
    gb_pair pairs[8];
    gb_dataset *out;
    gb_sink *target, *filter;
    gb_anonymise_policy *policy;
    int recording;
} fixture;

static inline void open_filter(fixture *f, const char *policy_text)
{
    memset(f, 0, sizeof *f);
    f->policy = policy_of(policy_text);
    f->info = (gb_recording_info){.name = "press/7", .source = "/home/tanaka/press7.csv"};
    assert_int_equal(gb_dataset_create(&f->out), GB_OK);
    assert_int_equal(gb_dataset_sink_create(f->out, &f->target), GB_OK);
    assert_int_equal(gb_anonymise_create(f->policy, &key, f->target, &f->filter), GB_OK);
}

static inline void begin(fixture *f)
{
    f->info.pairs = f->pairs;
    if (gb_sink_begin(f->filter, &f->info, &f->recording) != GB_OK)
        fail_msg("%s", gb_error_message());
}

static inline void close_filter(fixture *f)
{
    gb_sink_destroy(f->filter);
    gb_sink_destroy(f->target);
    gb_dataset_destroy(f->out);
    gb_anonymise_policy_destroy(f->policy);
}

static inline int add_stream(fixture *f, const gb_stream_spec *spec)
{
    int stream = -1;
    if (gb_sink_stream(f->filter, f->recording, spec, &stream) != GB_OK)
        fail_msg("%s", gb_error_message());
    return stream;
}

/* Samples of a UTC stream an hour apart from 2024-03-05 00:00 UTC. */
#define START_NS (19787 * DAY_NS)
static int64_t hours[64];
static inline const int64_t *hourly(void)
{
    for (int i = 0; i < 64; i++)
        hours[i] = START_NS + i * HOUR_NS;
    return hours;
}

static inline void append(fixture *f, int stream, int64_t count, const void *values)
{
    gb_samples samples = {.count = count, .time_ns = hourly(), .values = values};
    if (gb_sink_append(f->filter, f->recording, stream, &samples) != GB_OK)
        fail_msg("%s", gb_error_message());
}

static inline void append_texts(fixture *f, int stream, int count, const char *const *texts)
{
    const unsigned char *runs[16];
    size_t sizes[16];
    for (int i = 0; i < count; i++) {
        runs[i] = (const unsigned char *)texts[i];
        sizes[i] = strlen(texts[i]);
    }
    gb_samples samples = {.count = count, .time_ns = hourly(), .runs = runs, .run_sizes = sizes};
    if (gb_sink_append(f->filter, f->recording, stream, &samples) != GB_OK)
        fail_msg("%s", gb_error_message());
}

static inline const gb_recording *finish(fixture *f)
{
    if (gb_sink_end(f->filter, f->recording) != GB_OK)
        fail_msg("%s", gb_error_message());
    return gb_dataset_get(f->out, gb_dataset_count(f->out) - 1);
}

static inline gb_stream_spec scalar(const char *name, gb_value_type type)
{
    gb_stream_spec spec = gb_stream_spec_defaults(name);
    spec.value_type = type;
    return spec;
}

static inline gb_stream_spec text_stream(const char *name)
{
    gb_stream_spec spec = scalar(name, GB_VALUE_BYTES);
    spec.kind = GB_STREAM_TEXT;
    spec.encoding = "utf-8";
    return spec;
}

static inline void expect_run(const gb_stream_view *view, int64_t i, const char *text)
{
    size_t size = (size_t)(view->offset[i + 1] - view->offset[i]);
    char found[256] = "";
    assert_true(size < sizeof found);
    memcpy(found, view->raw + view->offset[i], size);
    assert_string_equal(found, text);
}

#endif
