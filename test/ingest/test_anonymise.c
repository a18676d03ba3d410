/* Anonymising: what goes on and what must not, by numbers made by hand. */
#include "ingest/anonymise_fixture.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
