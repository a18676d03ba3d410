/* Anonymising: each rule by numbers made by hand, and what must never get through. */
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
#include "record/picture.h"

#define DAY_NS (86400 * INT64_C(1000000000))
#define HOUR_NS (DAY_NS / 24)

static const gb_key key = {{1, 2, 3}}, other_key = {{4, 5, 6}};

static gb_anonymise_policy *policy_of(const char *text)
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

static void open_filter(fixture *f, const char *policy_text)
{
    memset(f, 0, sizeof *f);
    f->policy = policy_of(policy_text);
    f->info = (gb_recording_info){.name = "press/7", .source = "/home/tanaka/press7.csv"};
    assert_int_equal(gb_dataset_create(&f->out), GB_OK);
    assert_int_equal(gb_dataset_sink_create(f->out, &f->target), GB_OK);
    assert_int_equal(gb_anonymise_create(f->policy, &key, f->target, &f->filter), GB_OK);
}

static void begin(fixture *f)
{
    f->info.pairs = f->pairs;
    if (gb_sink_begin(f->filter, &f->info, &f->recording) != GB_OK)
        fail_msg("%s", gb_error_message());
}

static void close_filter(fixture *f)
{
    gb_sink_destroy(f->filter);
    gb_sink_destroy(f->target);
    gb_dataset_destroy(f->out);
    gb_anonymise_policy_destroy(f->policy);
}

static int add_stream(fixture *f, const gb_stream_spec *spec)
{
    int stream = -1;
    if (gb_sink_stream(f->filter, f->recording, spec, &stream) != GB_OK)
        fail_msg("%s", gb_error_message());
    return stream;
}

/* Samples of a UTC stream an hour apart from 2024-03-05 00:00 UTC. */
#define START_NS (19787 * DAY_NS)
static int64_t hours[64];
static const int64_t *hourly(void)
{
    for (int i = 0; i < 64; i++)
        hours[i] = START_NS + i * HOUR_NS;
    return hours;
}

static void append(fixture *f, int stream, int64_t count, const void *values)
{
    gb_samples samples = {.count = count, .time_ns = hourly(), .values = values};
    if (gb_sink_append(f->filter, f->recording, stream, &samples) != GB_OK)
        fail_msg("%s", gb_error_message());
}

static void append_texts(fixture *f, int stream, int count, const char *const *texts)
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

static const gb_recording *finish(fixture *f)
{
    if (gb_sink_end(f->filter, f->recording) != GB_OK)
        fail_msg("%s", gb_error_message());
    return gb_dataset_get(f->out, gb_dataset_count(f->out) - 1);
}

static gb_stream_spec scalar(const char *name, gb_value_type type)
{
    gb_stream_spec spec = gb_stream_spec_defaults(name);
    spec.value_type = type;
    return spec;
}

static gb_stream_spec text_stream(const char *name)
{
    gb_stream_spec spec = scalar(name, GB_VALUE_BYTES);
    spec.kind = GB_STREAM_TEXT;
    spec.encoding = "utf-8";
    return spec;
}

static void expect_run(const gb_stream_view *view, int64_t i, const char *text)
{
    size_t size = (size_t)(view->offset[i + 1] - view->offset[i]);
    char found[256] = "";
    assert_true(size < sizeof found);
    memcpy(found, view->raw + view->offset[i], size);
    assert_string_equal(found, text);
}

/* ---- what goes on, and what does not ---- */

static void test_defaults(void **state)
{
    (void)state;
    fixture f;
    open_filter(&f, "name: p\nstreams: [{match: a, rule: keep}, {match: b*, rule: drop}]\n");
    f.info.instruction = "grind for tanaka";
    f.info.outcome = "success";
    f.info.owner = "acme";
    f.info.residency = "JP";
    f.info.licence = "internal";
    f.info.purpose = "train";
    f.pairs[f.info.pair_count++] = (gb_pair){"worker", "tanaka"};
    begin(&f);
    gb_stream_spec a = scalar("a", GB_VALUE_I32), b = scalar("bx", GB_VALUE_F32);
    gb_pair secret = {"source_column", "press7.temp"};
    a.pairs = &secret;
    a.pair_count = 1;
    int stream_b = add_stream(&f, &b), stream_a = add_stream(&f, &a);
    append(&f, stream_b, 2, (float[]){1, 2});
    append(&f, stream_a, 2, (int32_t[]){3, 4});
    assert_int_equal(
        gb_sink_attach(f.filter, f.recording, "drawing.pdf", "application/pdf", "x", 1), GB_OK);
    const gb_recording *out = finish(&f);
    const gb_recording_info *info = gb_recording_get_info(out);
    assert_int_equal(strlen(info->name), GB_PSEUDONYM_BYTES - 1);
    assert_string_equal(info->source, "");
    assert_string_equal(info->instruction, "");
    assert_string_equal(info->outcome, "");
    assert_string_equal(info->owner, "acme");
    assert_string_equal(info->residency, "JP");
    assert_string_equal(info->licence, "internal");
    assert_string_equal(info->purpose, "train");
    assert_int_equal(info->pair_count, 2);
    assert_memory_equal(gb_pair_find(info->pairs, 2, "anonymise.policy"), "p ", 2);
    assert_int_equal(strlen(gb_pair_find(info->pairs, 2, "anonymise.key")), 16);
    assert_int_equal(gb_recording_stream_count(out), 1);
    const gb_stream_view *view = gb_recording_stream(out, 0);
    assert_int_equal(view->spec->pair_count, 0);
    assert_true(view->values[0] == 3 && view->values[1] == 4);
    assert_null(view->reason); /* nothing was changed */
    char *name = NULL;
    assert_int_equal(gb_anonymise_recording_name(f.policy, &key, "press/7", &name), GB_OK);
    assert_string_equal(name, info->name);
    free(name);
    close_filter(&f);
}

static void test_not_named(void **state)
{
    (void)state;
    static const struct {
        const char *policy;
        gb_status status;
        int streams;
    } rows[] = {{"name: p\n", GB_ERR_SCHEMA, 0},
                {"name: p\ndefault: error\n", GB_ERR_SCHEMA, 0},
                {"name: p\ndefault: drop\n", GB_OK, 0},
                {"name: p\ndefault: keep\n", GB_OK, 1}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        fixture f;
        open_filter(&f, rows[r].policy);
        begin(&f);
        gb_stream_spec spec = scalar("power", GB_VALUE_F32);
        int stream = -1;
        assert_int_equal(gb_sink_stream(f.filter, f.recording, &spec, &stream), rows[r].status);
        if (rows[r].status == GB_OK) {
            append(&f, stream, 1, (float[]){1});
            assert_int_equal(gb_recording_stream_count(finish(&f)), rows[r].streams);
        } else {
            assert_non_null(strstr(gb_error_message(), "power"));
        }
        close_filter(&f);
    }
}

static void test_pairs_and_texts(void **state)
{
    (void)state;
    fixture f;
    open_filter(&f, "name: p\n"
                    "recording:\n"
                    "  name: keep\n"
                    "  source: keep\n"
                    "  instruction: keep\n"
                    "  outcome: pseudonym\n"
                    "  pairs:\n"
                    "    - {key: worker, rule: pseudonym}\n"
                    "    - {key: age, rule: generalise, width: 10}\n"
                    "    - {key: made, rule: generalise, dates: shift}\n"
                    "    - {key: 'note*', rule: keep}\n"
                    "    - {key: load, rule: generalise, edges: [0, 10, 100]}\n"
                    "attachments: ['*.json', '*.bin']\n"
                    "scrub: [{pattern: 'SN-?[0-9]+', replace: '[serial]'}, {pattern: tanaka}]\n");
    f.info.name = "press/SN12";
    f.info.instruction = "weld SN-1 and SN-2 for tanaka";
    f.info.outcome = "good";
    const gb_pair pairs[] = {
        {"worker", "tanaka"},      {"age", "47"},   {"made", "2024-03-05 02:10"},
        {"note1", "asked tanaka"}, {"load", "250"}, {"secret", "x"}};
    memcpy(f.pairs, pairs, sizeof pairs);
    f.info.pair_count = 6;
    begin(&f);
    const gb_recording_info *info = gb_recording_get_info(finish(&f));
    assert_string_equal(info->name, "press/[serial]");
    assert_string_equal(info->source, "/home/[...]/press7.csv");
    assert_string_equal(info->instruction, "weld [serial] and [serial] for [...]");
    char pseudonym[GB_PSEUDONYM_BYTES];
    assert_int_equal(gb_pseudonym(&key, "worker", "tanaka", 6, pseudonym), GB_OK);
    assert_string_equal(gb_pair_find(info->pairs, info->pair_count, "worker"), pseudonym);
    assert_string_equal(gb_pair_find(info->pairs, info->pair_count, "age"), "[40, 50)");
    assert_string_equal(gb_pair_find(info->pairs, info->pair_count, "made"), "2024-03-04 night");
    assert_string_equal(gb_pair_find(info->pairs, info->pair_count, "note1"), "asked [...]");
    assert_string_equal(gb_pair_find(info->pairs, info->pair_count, "load"), "100 or more");
    assert_null(gb_pair_find(info->pairs, info->pair_count, "secret"));
    assert_int_equal(strlen(info->outcome), GB_PSEUDONYM_BYTES - 1);
    close_filter(&f);
}

/* ---- pseudonyms ---- */

static void test_pseudonyms(void **state)
{
    (void)state;
    char a[GB_PSEUDONYM_BYTES], b[GB_PSEUDONYM_BYTES], c[GB_PSEUDONYM_BYTES];
    assert_int_equal(gb_pseudonym(&key, "worker", "tanaka", 6, a), GB_OK);
    assert_int_equal(gb_pseudonym(&key, "worker", "tanaka", 6, b), GB_OK);
    assert_string_equal(a, b);
    assert_int_equal(gb_pseudonym(&key, "worke", "rtanaka", 7, b), GB_OK);
    assert_string_not_equal(a, b);
    assert_int_equal(gb_pseudonym(&key, "worker", "suzuki", 6, b), GB_OK);
    assert_string_not_equal(a, b);
    assert_int_equal(gb_pseudonym(&other_key, "worker", "tanaka", 6, b), GB_OK);
    assert_string_not_equal(a, b);
    assert_int_equal(gb_pseudonym_rotate(&key, &other_key, a, c), GB_OK);
    assert_string_equal(b, c); /* moved without the name */
    assert_int_equal(gb_pseudonym_rotate(&other_key, &key, b, c), GB_OK);
    assert_string_equal(a, c);
    assert_int_equal(gb_pseudonym_rotate(&key, &other_key, "tanaka", c), GB_ERR_ARGUMENT);
    a[0] = 'q';
    assert_int_equal(gb_pseudonym_rotate(&key, &other_key, a, c), GB_ERR_ARGUMENT);
}

static void test_pseudonym_streams(void **state)
{
    (void)state;
    fixture f;
    open_filter(&f, "name: p\n"
                    "streams:\n"
                    "  - {match: '*', rule: pseudonym, domain: worker}\n");
    begin(&f);
    gb_stream_spec name = text_stream("worker"), number = scalar("badge", GB_VALUE_I32);
    number.kind = GB_STREAM_EVENT;
    int texts = add_stream(&f, &name), badges = add_stream(&f, &number);
    append_texts(&f, texts, 3, (const char *const[]){"17", "", "18"});
    append(&f, badges, 2, (int32_t[]){17, 18});
    const gb_recording *out = finish(&f);
    const gb_stream_view *a = gb_recording_stream(out, 0), *b = gb_recording_stream(out, 1);
    char of17[GB_PSEUDONYM_BYTES], of18[GB_PSEUDONYM_BYTES];
    assert_int_equal(gb_pseudonym(&key, "worker", "17", 2, of17), GB_OK);
    assert_int_equal(gb_pseudonym(&key, "worker", "18", 2, of18), GB_OK);
    expect_run(a, 0, of17);
    expect_run(a, 1, ""); /* nobody stays nobody */
    expect_run(a, 2, of18);
    assert_int_equal(b->spec->value_type, GB_VALUE_BYTES);
    assert_int_equal(b->spec->kind, GB_STREAM_EVENT);
    expect_run(b, 0, of17); /* one domain: the same worker, as text and as number */
    expect_run(b, 1, of18);
    assert_int_equal(a->reason[0], GB_REASON_ANONYMISED);
    close_filter(&f);
}

/* ---- columns ---- */

static void test_columns(void **state)
{
    (void)state;
    fixture f;
    open_filter(&f, "name: p\n"
                    "streams:\n"
                    "  - {match: arm, columns: ['secret*'], rule: drop}\n"
                    "  - {match: arm, columns: [b], rule: generalise, width: 10}\n"
                    "  - {match: gone, columns: ['*'], rule: drop}\n"
                    "  - {match: bare, columns: ['1'], rule: drop}\n");
    begin(&f);
    static const char *const labels[] = {"secret1", "a", "secret2", "b"};
    gb_stream_spec spec = scalar("arm", GB_VALUE_I64), gone = scalar("gone", GB_VALUE_F32);
    spec.kind = GB_STREAM_VECTOR;
    spec.rank = 1;
    spec.shape[0] = 4;
    spec.labels = labels;
    int arm = add_stream(&f, &spec);
    add_stream(&f, &gone);
    spec.name = "bare";
    spec.labels = NULL;
    int bare = add_stream(&f, &spec);
    append(&f, arm, 2, (int64_t[]){1, 2, 3, 44, 5, 6, 7, -1});
    append(&f, bare, 1, (int64_t[]){1, 2, 3, 4});
    const gb_recording *out = finish(&f);
    assert_int_equal(gb_recording_stream_count(out), 2);
    const gb_stream_view *view = gb_recording_stream(out, 0);
    assert_int_equal(view->size, 2);
    assert_string_equal(view->spec->labels[0], "a");
    assert_string_equal(view->spec->labels[1], "b");
    const float expected[] = {2, 45, 6, -5};
    assert_memory_equal(view->values, expected, sizeof expected);
    assert_int_equal(view->reason[1], GB_REASON_ANONYMISED);
    view = gb_recording_stream(out, 1);
    assert_int_equal(view->size, 3);
    assert_true(view->values[0] == 1 && view->values[1] == 3 && view->values[2] == 4);
    assert_null(view->reason);
    close_filter(&f);
}

static void test_column_slip(void **state)
{
    (void)state;
    fixture f;
    open_filter(&f, "name: p\nstreams: [{match: arm, columns: [sekret], rule: drop}]\n");
    begin(&f);
    static const char *const labels[] = {"secret", "a"};
    gb_stream_spec spec = scalar("arm", GB_VALUE_F32);
    spec.rank = 1;
    spec.shape[0] = 2;
    spec.labels = labels;
    int stream;
    assert_int_equal(gb_sink_stream(f.filter, f.recording, &spec, &stream), GB_ERR_SCHEMA);
    assert_non_null(strstr(gb_error_message(), "sekret"));
    close_filter(&f);
}

/* ---- generalising ---- */

static void test_bins(void **state)
{
    (void)state;
    double width = 5, origin = 2, edges[] = {0, 10, 100};
    gb_generalise equal = {.width = &width, .origin = &origin};
    gb_generalise uneven = {.edges = edges, .edges_count = 3};
    static const double rows[][3] = {
        /* value, equal, uneven */
        {2, 4.5, 5},      {6.99, 4.5, 5}, {7, 9.5, 5},      {1.99, -0.5, 5},  {-3, -0.5, 0},
        {-3.01, -5.5, 0}, {10, 9.5, 55},  {99.9, 99.5, 55}, {100, 99.5, 100}, {1000, 999.5, 100}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        assert_true(gb_generalise_number(&equal, rows[r][0]) == rows[r][1]);
        assert_true(gb_generalise_number(&uneven, rows[r][0]) == rows[r][2]);
    }
    assert_true(isnan(gb_generalise_number(&equal, NAN)));
    assert_true(isnan(gb_generalise_number(&equal, INFINITY)));
    assert_true(gb_generalise_number(&uneven, INFINITY) == 100);
}

static void test_dates(void **state)
{
    (void)state;
    gb_policy_data tokyo = {.zone_h = 9};
    static const struct {
        gb_period period;
        const char *text, *made;
    } rows[] = {
        {GB_PERIOD_SHIFT, "2024-03-05 06:00", "2024-03-05 early"},
        {GB_PERIOD_SHIFT, "2024-03-05 13:59:59", "2024-03-05 early"},
        {GB_PERIOD_SHIFT, "2024-03-05 14:00", "2024-03-05 late"},
        {GB_PERIOD_SHIFT, "2024-03-05 22:30", "2024-03-05 night"},
        {GB_PERIOD_SHIFT, "2024-03-01 05:59", "2024-02-29 night"},
        {GB_PERIOD_SHIFT, "2024-03-05T00:30:00Z", "2024-03-05 early"}, /* 09:30 in Tokyo */
        {GB_PERIOD_SHIFT, "2024-03-05T00:30:00+09:00", "2024-03-04 night"},
        {GB_PERIOD_HOUR, "2024-03-05 06:59", "2024-03-05 06"},
        {GB_PERIOD_DAY, "2024-03-05 06:59", "2024-03-05"},
        {GB_PERIOD_WEEK, "2024-03-05 06:59", "2024-W10"},
        {GB_PERIOD_WEEK, "2024-12-30 06:59", "2025-W01"},
        {GB_PERIOD_WEEK, "2021-01-03 06:59", "2020-W53"},
        {GB_PERIOD_DAY, "tanaka", "unknown"},
        {GB_PERIOD_DAY, "", "unknown"},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        gb_generalise how = {.dates = (int)rows[r].period};
        char made[128];
        gb_generalise_text(&tokyo, &how, rows[r].text, strlen(rows[r].text), made, sizeof made);
        assert_string_equal(made, rows[r].made);
    }
    /* 2024-03-05 was a Tuesday; midnight in Tokyo is 15:00 UTC of the day before */
    int64_t at = START_NS + 3 * HOUR_NS + 5; /* Tuesday 12:00 in Tokyo */
    assert_int_equal(gb_generalise_time(&tokyo, GB_PERIOD_HOUR, at), START_NS + 3 * HOUR_NS);
    assert_int_equal(gb_generalise_time(&tokyo, GB_PERIOD_DAY, at), START_NS - 9 * HOUR_NS);
    assert_int_equal(gb_generalise_time(&tokyo, GB_PERIOD_SHIFT, at), START_NS - 3 * HOUR_NS);
    assert_int_equal(gb_generalise_time(&tokyo, GB_PERIOD_WEEK, at), START_NS - 33 * HOUR_NS);
    assert_int_equal(gb_generalise_time(&tokyo, GB_PERIOD_DAY, INT64_MAX), 0);
    assert_int_equal(gb_generalise_time(&tokyo, GB_PERIOD_DAY, INT64_MIN), 0);
    gb_policy_data utc = {0};
    assert_int_equal(gb_generalise_time(&utc, GB_PERIOD_DAY, -1), -DAY_NS);
}

static void test_times(void **state)
{
    (void)state;
    fixture f;
    open_filter(&f, "name: p\nstreams: [{match: a, rule: generalise, times: shift}]\n");
    begin(&f);
    gb_stream_spec spec = scalar("a", GB_VALUE_F32);
    append(&f, add_stream(&f, &spec), 24, (float[24]){0});
    const gb_stream_view *view = gb_recording_stream(finish(&f), 0);
    assert_int_equal(view->time_ns[0], START_NS - 2 * HOUR_NS);
    assert_int_equal(view->time_ns[5], START_NS - 2 * HOUR_NS);
    assert_int_equal(view->time_ns[6], START_NS + 6 * HOUR_NS);
    assert_int_equal(view->time_ns[23], START_NS + 22 * HOUR_NS);
    assert_int_equal(view->reason[0], GB_REASON_ANONYMISED);
    close_filter(&f);
}

/* ---- rescaling, and undoing it ---- */

static const char rescale_policy[] =
    "name: p\n"
    "streams:\n"
    "  - {match: temp, rule: rescale, range: {min: 100, max: 300}}\n"
    "  - {match: count, rule: rescale, range: {min: 0, max: 5000}}\n"
    "  - {match: arm, rule: rescale, each_column: true, columns: [a, b], range: {min: -1, max: "
    "1}}\n"
    "recording: {name: keep}\n";

static void emit_rescaled(fixture *f)
{
    static const char *const labels[] = {"a", "b", "c"};
    begin(f);
    gb_stream_spec temp = scalar("temp", GB_VALUE_F64), count = scalar("count", GB_VALUE_I32);
    gb_stream_spec arm = scalar("arm", GB_VALUE_F32);
    temp.unit = "Cel";
    arm.rank = 1;
    arm.shape[0] = 3;
    arm.labels = labels;
    int streams[] = {add_stream(f, &temp), add_stream(f, &count), add_stream(f, &arm)};
    append(f, streams[0], 5, (double[]){100, 183.5, 250, NAN, 1e6});
    append(f, streams[1], 4, (int32_t[]){0, 4999, -7, 2147483647});
    append(f, streams[2], 2, (float[]){0.1f, 0.2f, 0.3f, -0.1f, -0.2f, -0.3f});
}

/* A sink that keeps the last stream's values as they are (a dataset would make them float). */
typedef struct keeper {
    gb_sink sink;
    gb_value_type type[4];
    int64_t size[4];
    char units[4][16];
    double values[4][16];
    int64_t time_ns[4];
    uint8_t reason[4];
    int count;
} keeper;

static gb_status keep_begin(gb_sink *sink, const gb_recording_info *info, int *out)
{
    (void)info;
    ((keeper *)sink)->count = 0;
    *out = 0;
    return GB_OK;
}

static gb_status keep_stream(gb_sink *sink, int recording, const gb_stream_spec *spec, int *out)
{
    keeper *k = (keeper *)sink;
    (void)recording;
    k->type[k->count] = spec->value_type;
    k->size[k->count] = gb_stream_spec_size(spec);
    snprintf(k->units[k->count], 16, "%s", spec->unit);
    *out = k->count++;
    return GB_OK;
}

static gb_status keep_append(gb_sink *sink, int recording, int stream, const gb_samples *samples)
{
    keeper *k = (keeper *)sink;
    (void)recording;
    if (k->type[stream] == GB_VALUE_F64)
        memcpy(k->values[stream], samples->values, (size_t)samples->count * sizeof(double));
    else if (k->type[stream] == GB_VALUE_I32)
        for (int64_t i = 0; i < samples->count; i++)
            k->values[stream][i] = ((const int32_t *)samples->values)[i];
    else
        for (int64_t i = 0; i < k->size[stream] * samples->count; i++)
            k->values[stream][i] = (double)((const float *)samples->values)[i];
    k->time_ns[stream] = samples->time_ns[0];
    k->reason[stream] = samples->reason ? samples->reason[0] : GB_REASON_NONE;
    return GB_OK;
}

static gb_status keep_attach(gb_sink *sink,
                             int recording,
                             const char *name,
                             const char *media_type,
                             const void *data,
                             size_t size)
{
    (void)sink, (void)recording, (void)name, (void)media_type, (void)data, (void)size;
    return GB_OK;
}

static gb_status keep_end(gb_sink *sink, int recording)
{
    (void)sink, (void)recording;
    return GB_OK;
}

static void keep_abandon(gb_sink *sink, int recording)
{
    (void)sink, (void)recording;
}

static void keep_destroy(gb_sink *sink)
{
    (void)sink;
}

static const gb_sink_ops keep_ops = {keep_begin, keep_stream,  keep_append, keep_attach,
                                     keep_end,   keep_abandon, keep_destroy};

static void test_rescale(void **state)
{
    (void)state;
    fixture f;
    open_filter(&f, rescale_policy);
    emit_rescaled(&f);
    const gb_recording *out = finish(&f);
    const gb_stream_view *temp = gb_recording_stream(out, 0), *arm = gb_recording_stream(out, 2);
    gb_secrets *secrets = NULL;
    assert_int_equal(gb_secrets_create(&key, &secrets), GB_OK);
    gb_rule_bounds range = {100, 300};
    gb_affine a = gb_secret_affine(secrets, "temp", -1, &range);
    assert_true(a.scale >= 0.25 && a.scale <= 4 && fabs(a.offset) <= 2);
    assert_true(a.center == 200 && a.unit == 200);
    assert_true(fabs((double)temp->values[0] - (-0.5 * a.scale + a.offset)) < 1e-6);
    assert_true(fabs((double)temp->values[2] - (0.25 * a.scale + a.offset)) < 1e-6);
    assert_true(isnan(temp->values[3]));
    assert_string_equal(temp->spec->unit, "1"); /* degrees would be a hint */
    assert_int_equal(temp->reason[0], GB_REASON_ANONYMISED);
    assert_true(arm->values[2] == 0.3f); /* column c is not named */
    range = (gb_rule_bounds){-1, 1};
    gb_affine b = gb_secret_affine(secrets, "arm", 0, &range);
    gb_affine c = gb_secret_affine(secrets, "arm", 1, &range);
    assert_true(b.scale != c.scale && b.offset != c.offset);
    assert_true(fabs((double)arm->values[0] - (0.05 * b.scale + b.offset)) < 1e-6);
    assert_true(fabs((double)arm->values[1] - (0.1 * c.scale + c.offset)) < 1e-6);
    gb_secrets_destroy(secrets);
    close_filter(&f);
}

static void test_undo(void **state)
{
    (void)state;
    fixture f;
    keeper kept = {.sink = {&keep_ops}};
    gb_sink *undo = NULL, *filter = NULL;
    open_filter(&f, rescale_policy);
    assert_int_equal(gb_anonymise_undo_create(&key, &kept.sink, &undo), GB_OK);
    assert_int_equal(gb_anonymise_create(f.policy, &key, undo, &filter), GB_OK);
    gb_sink_destroy(f.filter);
    f.filter = filter;
    emit_rescaled(&f);
    assert_int_equal(gb_sink_end(filter, f.recording), GB_OK);
    assert_int_equal(kept.count, 3);
    assert_int_equal(kept.type[0], GB_VALUE_F64);
    assert_int_equal(kept.type[1], GB_VALUE_I32);
    assert_int_equal(kept.type[2], GB_VALUE_F32);
    assert_string_equal(kept.units[0], "Cel");
    assert_true(fabs(kept.values[0][0] - 100) < 1e-12 * 300);
    assert_true(fabs(kept.values[0][1] - 183.5) < 1e-12 * 300);
    assert_true(isnan(kept.values[0][3]));
    assert_true(fabs(kept.values[0][4] - 1e6) < 1e-15 * 4e6);
    const double counts[] = {0, 4999, -7, 2147483647}; /* whole numbers come back exactly */
    assert_memory_equal(kept.values[1], counts, sizeof counts);
    for (int i = 0; i < 6; i++)
        assert_true(fabs(kept.values[2][i] - (i < 3 ? 0.1 : -0.1) * (i % 3 + 1)) < 4e-6);
    assert_int_equal(kept.reason[0], GB_REASON_NONE);
    gb_sink_destroy(filter);
    f.filter = NULL;
    gb_sink_destroy(undo);
    close_filter(&f);
}

static void test_undo_refused(void **state)
{
    (void)state;
    fixture f;
    open_filter(&f, rescale_policy);
    emit_rescaled(&f);
    const gb_recording *made = finish(&f);
    keeper kept = {.sink = {&keep_ops}};
    gb_sink *undo = NULL;
    assert_int_equal(gb_anonymise_undo_create(&other_key, &kept.sink, &undo), GB_OK);
    assert_int_equal(gb_recording_emit(made, undo), GB_ERR_REFUSED);
    assert_non_null(strstr(gb_error_message(), "was anonymised with key"));
    gb_sink_destroy(undo);
    assert_int_equal(gb_recording_emit(made, f.filter), GB_ERR_REFUSED); /* not twice */
    gb_recording_builder *builder = NULL;
    gb_recording *plain = NULL;
    assert_int_equal(gb_recording_builder_create(&(gb_recording_info){.name = "x"}, &builder),
                     GB_OK);
    assert_int_equal(gb_recording_builder_finish(builder, &plain), GB_OK);
    assert_int_equal(gb_anonymise_undo_create(&key, &kept.sink, &undo), GB_OK);
    assert_int_equal(gb_recording_emit(plain, undo), GB_ERR_REFUSED);
    gb_sink_destroy(undo);
    gb_recording_destroy(plain);
    close_filter(&f);
}

static void test_sealed_text(void **state)
{
    (void)state;
    gb_secrets *mine = NULL, *others = NULL;
    char *sealed = NULL, *again = NULL, *text = NULL;
    assert_int_equal(gb_secrets_create(&key, &mine), GB_OK);
    assert_int_equal(gb_secrets_create(&other_key, &others), GB_OK);
    assert_int_equal(gb_secret_seal(mine, "{\"unit\":\"Cel\"}", &sealed), GB_OK);
    assert_int_equal(gb_secret_seal(mine, "{\"unit\":\"Cel\"}", &again), GB_OK);
    assert_string_equal(sealed, again);
    assert_null(strstr(sealed, "Cel"));
    assert_int_equal(gb_secret_open(mine, sealed, &text), GB_OK);
    assert_string_equal(text, "{\"unit\":\"Cel\"}");
    free(text);
    text = NULL;
    assert_int_equal(gb_secret_open(others, sealed, &text), GB_ERR_CORRUPT);
    for (size_t i = 0; i < strlen(sealed); i++) {
        char had = sealed[i];
        sealed[i] = had == 'A' ? 'B' : 'A';
        assert_int_equal(gb_secret_open(mine, sealed, &text), GB_ERR_CORRUPT);
        sealed[i] = had;
    }
    assert_int_equal(gb_secret_open(mine, "", &text), GB_ERR_CORRUPT);
    assert_null(text);
    free(sealed);
    free(again);
    gb_secrets_destroy(mine);
    gb_secrets_destroy(others);
}

/* ---- shifts in time ---- */

static int64_t
shifted(const char *recording, const char *worker, const char *stream, gb_time_base base)
{
    fixture f;
    open_filter(&f, "name: p\ndefault: keep\ntime_shift: {entity: worker, days: 30}\n");
    f.info.name = recording;
    f.pairs[f.info.pair_count++] = (gb_pair){"worker", worker};
    begin(&f);
    gb_stream_spec spec = scalar(stream, GB_VALUE_F32);
    spec.time_base = base;
    append(&f, add_stream(&f, &spec), 3, (float[]){1, 2, 3});
    const gb_stream_view *view = gb_recording_stream(finish(&f), 0);
    int64_t offset = view->time_ns[0] - START_NS;
    assert_int_equal(view->time_ns[2] - view->time_ns[1], HOUR_NS); /* steps stay */
    close_filter(&f);
    return offset;
}

static void test_time_shift(void **state)
{
    (void)state;
    int64_t tanaka = shifted("a", "tanaka", "x", GB_TIME_UTC);
    assert_true(tanaka != 0 && llabs(tanaka) <= 30 * DAY_NS);
    assert_int_equal(shifted("b", "tanaka", "x", GB_TIME_UTC), tanaka);
    assert_int_equal(shifted("b", "tanaka", "y", GB_TIME_UTC), tanaka);
    assert_int_not_equal(shifted("a", "suzuki", "x", GB_TIME_UTC), tanaka);
    assert_int_equal(shifted("a", "tanaka", "x", GB_TIME_START), 0); /* says nothing of when */
    assert_int_equal(shifted("a", "tanaka", "x", GB_TIME_ROW), 0);

    /* offsets are spread over the whole range, in whole days when asked */
    gb_secrets *secrets = NULL;
    assert_int_equal(gb_secrets_create(&key, &secrets), GB_OK);
    char entity[] = "worker";
    gb_rule_time_shift shift = {.entity = entity, .days = 10, .step = GB_TIME_STEP_DAY};
    int seen[21] = {0};
    for (int i = 0; i < 2100; i++) {
        char who[16];
        snprintf(who, sizeof who, "w%d", i);
        int64_t offset = gb_secret_offset_ns(secrets, &shift, who);
        assert_int_equal(offset % DAY_NS, 0);
        seen[offset / DAY_NS + 10]++;
    }
    for (int i = 0; i < 21; i++)
        assert_true(seen[i] > 60 && seen[i] < 140);
    gb_secrets_destroy(secrets);
}

static void test_time_shift_undone(void **state)
{
    (void)state;
    fixture f;
    keeper kept = {.sink = {&keep_ops}};
    gb_sink *undo = NULL;
    open_filter(&f, "name: p\ndefault: keep\ntime_shift: {entity: recording, days: 100}\n");
    begin(&f);
    gb_stream_spec spec = scalar("x", GB_VALUE_F64);
    append(&f, add_stream(&f, &spec), 1, (double[]){1});
    const gb_recording *made = finish(&f);
    assert_int_not_equal(gb_recording_stream(made, 0)->time_ns[0], START_NS);
    assert_int_equal(gb_anonymise_undo_create(&key, &kept.sink, &undo), GB_OK);
    assert_int_equal(gb_recording_emit(made, undo), GB_OK);
    assert_int_equal(kept.time_ns[0], START_NS);
    assert_int_equal(kept.reason[0], GB_REASON_NONE);
    gb_sink_destroy(undo);
    close_filter(&f);
}

static void test_entity_missing(void **state)
{
    (void)state;
    fixture f;
    open_filter(&f, "name: p\ndefault: keep\ntime_shift: {entity: worker, days: 30}\n");
    assert_int_equal(gb_sink_begin(f.filter, &f.info, &f.recording), GB_ERR_SCHEMA);
    assert_non_null(strstr(gb_error_message(), "does not say its worker"));
    close_filter(&f);
}

/* ---- texts and pictures ---- */

static void test_scrub(void **state)
{
    (void)state;
    fixture f;
    open_filter(&f, "name: p\n"
                    "scrub:\n"
                    "  - {pattern: 'SN[0-9]{4}', replace: '#'}\n"
                    "  - {pattern: '(^|[^a-z])tanaka', replace: ' who'}\n"
                    "streams: [{match: '*', rule: scrub}]\n");
    begin(&f);
    gb_stream_spec spec = text_stream("log.SN1234"), json = text_stream("events");
    json.encoding = "json";
    int log = add_stream(&f, &spec), events = add_stream(&f, &json);
    append_texts(&f, log, 4,
                 (const char *const[]){"SN1234SN12345", "all well", "", "tanaka, tanaka"});
    append_texts(&f, events, 3,
                 (const char *const[]){"{\"SN0001\": [\"\\u0053N1234\", 3, null]}", "{\"a\":  1}",
                                       "no json of SN1234"});
    const gb_recording *out = finish(&f);
    const gb_stream_view *view = gb_recording_stream(out, 0);
    assert_string_equal(view->spec->name, "log.#");
    expect_run(view, 0, "##5");
    expect_run(view, 1, "all well");
    expect_run(view, 2, "");
    expect_run(view, 3, " who, who");
    assert_int_equal(view->reason[0], GB_REASON_ANONYMISED);
    assert_int_equal(view->reason[1], GB_REASON_NONE);
    view = gb_recording_stream(out, 1);
    expect_run(view, 0, "{\"#\":[\"#\",3,null]}");
    expect_run(view, 1, "{\"a\":  1}");
    expect_run(view, 2, "no json of #");
    close_filter(&f);
}

static void test_boxes(void **state)
{
    (void)state;
    fixture f;
    open_filter(
        &f,
        "name: p\n"
        "streams:\n"
        "  - {match: black, rule: boxes, boxes: [{x: 1, y: 0, width: 2, height: 1}]}\n"
        "  - {match: blur, rule: boxes, fill: blur, boxes: [{x: 2, y: 0, width: 9, height: 9}]}\n"
        "  - {match: png, rule: boxes, boxes: [{x: 0, y: 1, width: 1, height: 1}]}\n");
    begin(&f);
    gb_stream_spec spec = scalar("black", GB_VALUE_U8);
    spec.kind = GB_STREAM_IMAGE;
    spec.rank = 3;
    spec.shape[0] = 2;
    spec.shape[1] = 4;
    spec.shape[2] = 1;
    int black = add_stream(&f, &spec);
    spec.name = "blur";
    int blur = add_stream(&f, &spec);
    gb_stream_spec bytes = text_stream("png");
    bytes.kind = GB_STREAM_IMAGE;
    bytes.encoding = "png";
    int png = add_stream(&f, &bytes);
    static const uint8_t pixels[] = {10, 20, 30, 40, 50, 60, 70, 80};
    append(&f, black, 1, pixels);
    append(&f, blur, 1, pixels);
    uint8_t copy[8];
    memcpy(copy, pixels, 8);
    gb_picture picture = {.width = 4, .height = 2, .channels = 1, .pixels = copy};
    unsigned char *file = NULL;
    size_t size = 0;
    assert_int_equal(gb_picture_encode_png(&picture, &file, &size), GB_OK);
    gb_samples samples = {.count = 1,
                          .time_ns = hourly(),
                          .runs = (const unsigned char *const[]){file},
                          .run_sizes = &size};
    assert_int_equal(gb_sink_append(f.filter, f.recording, png, &samples), GB_OK);
    const gb_recording *out = finish(&f);
    const gb_stream_view *view = gb_recording_stream(out, 0);
    assert_memory_equal(view->raw, ((uint8_t[]){10, 0, 0, 40, 50, 60, 70, 80}), 8);
    assert_int_equal(view->reason[0], GB_REASON_ANONYMISED);
    view = gb_recording_stream(out, 1); /* cells of one pixel: 2 x 2 box in 4 parts keeps them */
    assert_memory_equal(view->raw, pixels, 2);
    view = gb_recording_stream(out, 2);
    gb_picture made = {0};
    assert_int_equal(gb_picture_decode(view->raw, (size_t)view->offset[1], 0, &made), GB_OK);
    assert_memory_equal(made.pixels, ((uint8_t[]){10, 20, 30, 40, 0, 60, 70, 80}), 8);
    gb_picture_free(&made);
    free(file);
    close_filter(&f);
}

static void test_cells_of_blur(void **state)
{
    (void)state;
    gb_rule_box box = {0, 0, 8, 8};
    gb_rule rule = {.boxes = &box, .boxes_count = 1, .fill = GB_FILL_BLUR};
    uint8_t pixels[64];
    for (int i = 0; i < 64; i++)
        pixels[i] = (uint8_t)(i % 2 ? 200 : 100);
    assert_int_equal(gb_cover_boxes(&rule, pixels, 8, 8, 1, 1), GB_OK);
    for (int i = 0; i < 64; i++)
        assert_int_equal(pixels[i], 150);
    box.x = 8;
    assert_int_equal(gb_cover_boxes(&rule, pixels, 8, 8, 1, 1), GB_ERR_SCHEMA);
    /* what a JPEG smears is covered too */
    gb_rule_box small = {17, 17, 1, 1};
    rule = (gb_rule){.boxes = &small, .boxes_count = 1};
    uint8_t *large = malloc(64 * 64);
    memset(large, 9, 64 * 64);
    assert_int_equal(gb_cover_boxes(&rule, large, 64, 64, 1, 16), GB_OK);
    for (int y = 0; y < 64; y++)
        for (int x = 0; x < 64; x++)
            assert_int_equal(large[y * 64 + x], y / 16 == 1 && x / 16 == 1 ? 0 : 9);
    free(large);
}

/* A rule that cannot be applied must not be passed over. */
static void test_rules_that_do_not_fit(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *stream; /* f f32, v vector, t text, j jpeg, h h264, i image */
    } rows[] = {
        {"boxes, boxes: [{x: 0, y: 0, width: 1, height: 1}]", "fth"},
        {"rescale, range: {min: 0, max: 1}", "tjhi"},
        {"generalise, width: 1", "tjhi"},
        {"generalise, dates: day", "fvjh"},
        {"pseudonym", "vjhi"},
        {"scrub", "fvhi"},
        {"noise, epsilon: 1, delta: 1e-5, unit: recording, clip: {min: 0, max: 1}, "
         "samples_per_unit: 9",
         "tjhi"},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (const char *kind = rows[r].stream; *kind; kind++) {
            char text[512];
            fixture f;
            snprintf(text, sizeof text,
                     "name: p\nscrub: [{pattern: x}]\nstreams: [{match: s, rule: %s}]\n",
                     rows[r].rule);
            open_filter(&f, text);
            begin(&f);
            gb_stream_spec spec = text_stream("s");
            int stream = 0;
            if (*kind == 'f' || *kind == 'v' || *kind == 'i')
                spec = scalar("s", *kind == 'i' ? GB_VALUE_U8 : GB_VALUE_F32);
            spec.kind = *kind == 'i' ? GB_STREAM_IMAGE : spec.kind;
            spec.rank = *kind == 'v' ? 1 : *kind == 'i' ? 2 : 0;
            spec.shape[0] = spec.shape[1] = 4;
            spec.encoding = *kind == 'j' ? "jpeg" : *kind == 'h' ? "h264" : spec.encoding;
            gb_status status = gb_sink_stream(f.filter, f.recording, &spec, &stream);
            if (status != GB_ERR_SCHEMA)
                fail_msg("%s on %c gave %d", rows[r].rule, *kind, (int)status);
            close_filter(&f);
        }
}

static void test_text_as_numbers(void **state)
{
    (void)state;
    fixture f;
    open_filter(&f, "name: p\nscrub: [{pattern: x}]\ndefault: keep\n");
    begin(&f);
    gb_stream_spec spec = scalar("text", GB_VALUE_F32);
    spec.kind = GB_STREAM_TEXT;
    int stream;
    assert_int_equal(gb_sink_stream(f.filter, f.recording, &spec, &stream), GB_ERR_SCHEMA);
    close_filter(&f);
}

static void test_worse_reasons_stay(void **state)
{
    (void)state;
    fixture f;
    open_filter(&f, "name: p\nstreams: [{match: a, rule: generalise, width: 1}]\n");
    begin(&f);
    gb_stream_spec spec = scalar("a", GB_VALUE_F32);
    int stream = add_stream(&f, &spec);
    static const uint8_t reason[] = {GB_REASON_NONE, GB_REASON_STUCK, GB_REASON_AFTER_GAP, 0};
    static const uint8_t quality[] = {0, GB_QUALITY_UNCERTAIN, 0, GB_QUALITY_BAD};
    gb_samples samples = {.count = 4,
                          .time_ns = hourly(),
                          .values = (float[]){1, 2, 3, 4},
                          .quality = quality,
                          .reason = reason};
    assert_int_equal(gb_sink_append(f.filter, f.recording, stream, &samples), GB_OK);
    const gb_stream_view *view = gb_recording_stream(finish(&f), 0);
    const uint8_t due[] = {GB_REASON_ANONYMISED, GB_REASON_STUCK, GB_REASON_AFTER_GAP, 0};
    assert_memory_equal(view->reason, due, 4);
    assert_memory_equal(view->quality, quality, 4);
    close_filter(&f);
}

/* ---- another key ---- */

static void test_rotate(void **state)
{
    (void)state;
    static const char policy[] = "name: p\n"
                                 "recording: {pairs: [{key: worker, rule: pseudonym}]}\n"
                                 "streams:\n"
                                 "  - {match: who, rule: pseudonym, domain: worker}\n"
                                 "  - {match: x, rule: rescale, range: {min: 0, max: 1}}\n";
    fixture f, g;
    gb_sink *rotate = NULL, *undo = NULL;
    open_filter(&f, policy);
    f.pairs[f.info.pair_count++] = (gb_pair){"worker", "tanaka"};
    begin(&f);
    gb_stream_spec who = text_stream("who"), x = scalar("x", GB_VALUE_F64);
    append_texts(&f, add_stream(&f, &who), 2, (const char *const[]){"tanaka", "suzuki"});
    append(&f, add_stream(&f, &x), 1, (double[]){0.25});
    const gb_recording *old = finish(&f);
    gb_dataset *moved = NULL;
    gb_sink *target = NULL;
    assert_int_equal(gb_dataset_create(&moved), GB_OK);
    assert_int_equal(gb_dataset_sink_create(moved, &target), GB_OK);
    assert_int_equal(gb_anonymise_rotate_create(&key, &other_key, target, &rotate), GB_OK);
    assert_int_equal(gb_recording_emit(old, rotate), GB_OK);
    const gb_recording *made = gb_dataset_get(moved, 0);
    const gb_recording_info *info = gb_recording_get_info(made);
    char due[GB_PSEUDONYM_BYTES], id[GB_KEY_ID_BYTES];
    assert_int_equal(gb_pseudonym(&other_key, "worker", "tanaka", 6, due), GB_OK);
    assert_string_equal(gb_pair_find(info->pairs, info->pair_count, "worker"), due);
    expect_run(gb_recording_stream(made, 0), 0, due);
    gb_key_id(&other_key, id);
    assert_string_equal(gb_pair_find(info->pairs, info->pair_count, "anonymise.key"), id);
    g.policy = policy_of(policy);
    char *name = NULL;
    assert_int_equal(gb_anonymise_recording_name(g.policy, &other_key, "press/7", &name), GB_OK);
    assert_string_equal(info->name, name);
    free(name);
    keeper kept = {.sink = {&keep_ops}}; /* and it is undone with the new key */
    kept.type[1] = GB_VALUE_F64;
    assert_int_equal(gb_anonymise_undo_create(&other_key, &kept.sink, &undo), GB_OK);
    int number, stream;
    assert_int_equal(gb_sink_begin(undo, info, &number), GB_OK);
    gb_stream_spec spec = *gb_recording_stream(made, 1)->spec;
    spec.value_type = GB_VALUE_F32;
    assert_int_equal(gb_sink_stream(undo, number, &spec, &stream), GB_OK);
    float values[3] = {gb_recording_stream(made, 1)->values[0]};
    gb_samples samples = {.count = 1, .time_ns = hourly(), .values = values};
    assert_int_equal(gb_sink_append(undo, number, stream, &samples), GB_OK);
    assert_true(fabs(kept.values[0][0] - (0.25)) < 1e-6);
    gb_sink_destroy(undo);
    gb_sink_destroy(rotate);
    gb_sink_destroy(target);
    gb_dataset_destroy(moved);
    gb_anonymise_policy_destroy(g.policy);
    close_filter(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_not_named),
        cmocka_unit_test(test_pairs_and_texts),
        cmocka_unit_test(test_pseudonyms),
        cmocka_unit_test(test_pseudonym_streams),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_column_slip),
        cmocka_unit_test(test_bins),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_rescale),
        cmocka_unit_test(test_undo),
        cmocka_unit_test(test_undo_refused),
        cmocka_unit_test(test_sealed_text),
        cmocka_unit_test(test_time_shift),
        cmocka_unit_test(test_time_shift_undone),
        cmocka_unit_test(test_entity_missing),
        cmocka_unit_test(test_scrub),
        cmocka_unit_test(test_boxes),
        cmocka_unit_test(test_cells_of_blur),
        cmocka_unit_test(test_rules_that_do_not_fit),
        cmocka_unit_test(test_text_as_numbers),
        cmocka_unit_test(test_worse_reasons_stay),
        cmocka_unit_test(test_rotate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
