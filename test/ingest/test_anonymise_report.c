/* The report: known tables, attacks that must succeed and attacks that must not, and the cost. */
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
#include <jansson.h>

#include "genba/anonymise.h"

static const gb_key key = {{9}};

/* ---- classes ---- */

/* The inpatients of Machanavajjhala et al. (2007), figure 2: 4-anonymous, one class all cancer. */
static void test_table(void **state)
{
    (void)state;
    static const char *const quasi[] = {"130**", "<30",  "130**", "<30",  "130**", "<30",
                                        "130**", "<30",  "1485*", ">=40", "1485*", ">=40",
                                        "1485*", ">=40", "1485*", ">=40", "130**", "3*",
                                        "130**", "3*",   "130**", "3*",   "130**", "3*"};
    static const char *const condition[] = {"heart",  "heart",  "viral",  "viral",
                                            "cancer", "heart",  "viral",  "viral",
                                            "cancer", "cancer", "cancer", "cancer"};
    gb_anonymity found;
    assert_int_equal(gb_anonymity_compute(quasi, 12, 2, condition, &found), GB_OK);
    assert_int_equal(found.rows, 12);
    assert_int_equal(found.classes, 3);
    assert_int_equal(found.unique, 0);
    assert_int_equal(found.k, 4);
    assert_int_equal(found.l, 1);
    assert_int_equal(gb_anonymity_compute(quasi, 8, 2, condition, &found), GB_OK);
    assert_int_equal(found.l, 2); /* without the class of cancer */
    assert_int_equal(gb_anonymity_compute(quasi, 9, 2, NULL, &found), GB_OK);
    assert_int_equal(found.k, 1);
    assert_int_equal(found.unique, 1);
    assert_int_equal(found.l, 0);
    assert_int_equal(gb_anonymity_compute(quasi, 0, 2, NULL, &found), GB_OK);
    assert_true(found.k == 0 && found.classes == 0);
    assert_int_equal(gb_anonymity_compute(NULL, 5, 0, NULL, &found), GB_OK);
    assert_true(found.k == 5 && found.classes == 1);
}

/* ---- machines that can be told apart by how they run ---- */

enum {
    MACHINES = 20,
    SAMPLES = 640
};

static void feed(gb_sink *sink, int machine)
{
    char name[32], shift[16];
    snprintf(name, sizeof name, "press/%d", machine);
    snprintf(shift, sizeof shift, "%d", machine % 4);
    gb_pair pairs[] = {{"shift", shift}, {"defect", machine % 3 ? "no" : "yes"}};
    gb_recording_info info = {.name = name, .pairs = pairs, .pair_count = 2};
    gb_stream_spec spec = gb_stream_spec_defaults("temp");
    spec.value_type = GB_VALUE_F32;
    int recording, stream;
    assert_int_equal(gb_sink_begin(sink, &info, &recording), GB_OK);
    assert_int_equal(gb_sink_stream(sink, recording, &spec, &stream), GB_OK);
    static int64_t times[SAMPLES];
    static float values[SAMPLES];
    uint64_t own = (uint64_t)machine;
    double level = 50 + 40 * (double)gb_random_uniform(1, own, 1);
    double swing = 2 + 6 * (double)gb_random_uniform(1, own, 2);
    double period = 15 + 30 * (double)gb_random_uniform(1, own, 3);
    for (int i = 0; i < SAMPLES; i++) {
        times[i] = i * INT64_C(1000000000);
        values[i] = (float)(level + swing * sin(6.283 * i / period) +
                            0.2 * (double)gb_random_normal(2, own, (uint64_t)i));
    }
    gb_samples samples = {.count = SAMPLES, .time_ns = times, .values = values};
    assert_int_equal(gb_sink_append(sink, recording, stream, &samples), GB_OK);
    assert_int_equal(gb_sink_end(sink, recording), GB_OK);
}

static void make_report(const char *policy_text, gb_anonymise_report *out)
{
    gb_dataset *before = NULL, *after = NULL;
    gb_sink *to_before = NULL, *to_after = NULL, *filter = NULL;
    gb_anonymise_policy *policy = NULL;
    if (gb_anonymise_policy_parse(policy_text, strlen(policy_text), "p.yaml", &policy) != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_int_equal(gb_dataset_create(&before), GB_OK);
    assert_int_equal(gb_dataset_create(&after), GB_OK);
    assert_int_equal(gb_dataset_sink_create(before, &to_before), GB_OK);
    assert_int_equal(gb_dataset_sink_create(after, &to_after), GB_OK);
    assert_int_equal(gb_anonymise_create(policy, &key, to_after, &filter), GB_OK);
    for (int m = 0; m < MACHINES; m++) {
        feed(to_before, m);
        feed(filter, MACHINES - 1 - m); /* the order must not matter */
    }
    if (gb_anonymise_report_compute(policy, &key, before, after, filter, out) != GB_OK)
        fail_msg("%s", gb_error_message());
    const gb_key other = {{1}};
    gb_anonymise_report none;
    assert_int_equal(gb_anonymise_report_compute(policy, &other, before, after, NULL, &none),
                     GB_ERR_NOT_FOUND);
    gb_sink_destroy(filter);
    gb_sink_destroy(to_before);
    gb_sink_destroy(to_after);
    gb_dataset_destroy(before);
    gb_dataset_destroy(after);
    gb_anonymise_policy_destroy(policy);
}

#define PAIRS                                                                                      \
    "recording: {pairs: [{key: '*', rule: keep}]}\n"                                               \
    "report: {quasi_identifiers: [shift], sensitive: defect}\n"

static void test_unprotected(void **state)
{
    (void)state;
    gb_anonymise_report r;
    make_report("name: p\ndefault: keep\n" PAIRS, &r);
    assert_int_equal(r.recordings, MACHINES);
    assert_int_equal(r.anonymity_after.k, 5);
    assert_int_equal(r.anonymity_after.l, 2);
    assert_true(fabs(r.held_out_after.chance - 1.0 / MACHINES) < 1e-12);
    assert_int_equal(r.held_out_after.queries, MACHINES * 5); /* ten pieces each, every second */
    assert_true(r.held_out_after.rate > 0.95);
    assert_true(r.held_out_before.rate == r.held_out_after.rate);
    assert_true(r.same_after.rate == 1); /* a copy is found by itself */
    assert_true(r.cost.original < 0.2);  /* sines are easy to continue */
    assert_true(r.cost.released == r.cost.original && r.cost.transferred == r.cost.original);
    assert_int_equal(r.cost.columns, 1);
    assert_int_equal(r.spent_count, 0);
}

/* An affine map hides the recipe and keeps the dynamics: it neither stops linking nor costs. */
static void test_rescaled(void **state)
{
    (void)state;
    gb_anonymise_report r;
    make_report(
        "name: p\nstreams: [{match: temp, rule: rescale, range: {min: 0, max: 100}}]\n" PAIRS, &r);
    assert_true(r.held_out_after.rate > 0.95);
    assert_true(r.same_after.rate == 1);
    assert_true(fabs(r.cost.released - r.cost.original) < 1e-3);
    assert_true(fabs(r.cost.transferred - r.cost.original) < 1e-3);
}

static void test_strong_noise(void **state)
{
    (void)state;
    gb_anonymise_report r;
    make_report("name: p\nstreams: [{match: temp, rule: noise, epsilon: 0.1, delta: 1e-6, unit: "
                "recording, clip: {min: 40, max: 100}, samples_per_unit: 640}]\n" PAIRS,
                &r);
    assert_true(r.held_out_before.rate > 0.95);
    /* 100 tries at 5 %: under 16 % with five standard errors */
    assert_true(r.held_out_after.rate < 0.16);
    assert_true(r.same_after.rate < 0.16);
    assert_true(r.cost.released > 0.9 && r.cost.transferred > 0.5);
    assert_int_equal(r.spent_count, 1);
    assert_string_equal(r.spent[0].unit, "recording");
    assert_int_equal(r.spent[0].units, MACHINES);
    assert_true(fabs(r.spent[0].epsilon - 0.1) < 1e-6);
}

static void test_dropped_and_coarse(void **state)
{
    (void)state;
    gb_anonymise_report r;
    make_report("name: p\ndefault: drop\n" PAIRS, &r);
    assert_int_equal(r.cost.columns, 0);
    assert_int_equal(r.cost.columns_lost, 1);
    assert_int_equal(r.held_out_after.hits, 0);
    make_report("name: p\nstreams: [{match: temp, rule: generalise, edges: [-1000, 1000]}]\n"
                "recording: {pairs: [{key: shift, rule: generalise, width: 2}]}\n"
                "report: {quasi_identifiers: [shift], sensitive: defect}\n",
                &r);
    assert_int_equal(r.anonymity_before.k, 5);
    assert_int_equal(r.anonymity_after.k, 10);
    assert_int_equal(r.anonymity_after.l, 1);   /* defects are dropped */
    assert_true(r.held_out_after.rate <= 0.05); /* all pieces alike: one guess for all */
    assert_true(r.cost.released == 1);
    assert_true(r.cost.transferred > 0.9);
}

static void test_written(void **state)
{
    (void)state;
    gb_anonymise_report r;
    make_report(
        "name: 'a <b>'\nstreams: [{match: temp, rule: noise, epsilon: 1, delta: 1e-6, unit: "
        "recording, clip: {min: 40, max: 100}, samples_per_unit: 640}]\n" PAIRS,
        &r);
    char *text = NULL;
    assert_int_equal(gb_anonymise_report_text(&r, &text), GB_OK);
    assert_non_null(strstr(text, "k-anonymity"));
    assert_non_null(strstr(text, "epsilon of one recording"));
    free(text);
    assert_int_equal(gb_anonymise_report_json(&r, &text), GB_OK);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    assert_int_equal(json_integer_value(json_object_get(json, "recordings")), MACHINES);
    json_t *after = json_object_get(json_object_get(json, "linkage_held_out"), "after");
    assert_true(fabs(json_number_value(json_object_get(after, "rate")) - r.held_out_after.rate) <
                1e-5);
    json_decref(json);
    free(text);
    char folder[] = "/tmp/genba_report_XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/r.html", folder);
    assert_int_equal(gb_anonymise_report_write(&r, path), GB_OK);
    gb_arena *arena = NULL;
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    assert_int_equal(gb_file_read(path, 0, arena, &text, NULL), GB_OK);
    assert_non_null(strstr(text, "a &lt;b>"));
    assert_null(strstr(text, "http"));
    gb_arena_destroy(arena);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_unprotected),
        cmocka_unit_test(test_rescaled),
        cmocka_unit_test(test_strong_noise),
        cmocka_unit_test(test_dropped_and_coarse),
        cmocka_unit_test(test_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
