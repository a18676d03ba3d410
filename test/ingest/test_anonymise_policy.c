/* Anonymising policies: every slip is named with its line, and none is taken for protection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "genba/anonymise.h"

static gb_status parse(const char *text, gb_anonymise_policy **out)
{
    return gb_anonymise_policy_parse(text, strlen(text), "p.yaml", out);
}

#define NOISE "epsilon: 1, delta: 1e-5, unit: lot, clip: {min: 0, max: 1}, samples_per_unit: 5"

static void test_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"default: keep\n", "name"},
        {"name: p\nstraems: []\n", "p.yaml:2:"},
        {"name: p\nstreams:\n  - {match: a, rule: dorp}\n", "p.yaml:3:"},
        {"name: p\nstreams:\n  - {rule: drop}\n", "p.yaml:3:"},
        {"name: p\nstreams:\n  - {match: a, rule: drop, with: 3}\n", "p.yaml:3:"},
        {"name: p\nstreams:\n  - {match: a, rule: keep, width: 3}\n",
         "belongs to rule: generalise"},
        {"name: p\nstreams:\n  - {match: a, rule: drop, domain: x}\n",
         "belongs to rule: pseudonym"},
        {"name: p\nstreams:\n  - {match: a, rule: generalise}\n", "needs width, edges"},
        {"name: p\nstreams:\n  - {match: a, rule: generalise, width: 0}\n", "more than 0"},
        {"name: p\nstreams:\n  - {match: a, rule: generalise, width: 1, edges: [1, 2]}\n",
         "not both"},
        {"name: p\nstreams:\n  - {match: a, rule: generalise, edges: [1]}\n", "two edges"},
        {"name: p\nstreams:\n  - {match: a, rule: generalise, edges: [2, 1]}\n", "rise"},
        {"name: p\nstreams:\n  - {match: a, rule: generalise, dates: day, origin: 1}\n",
         "width too"},
        {"name: p\nstreams:\n  - {match: a, rule: rescale}\n", "streams[0].range: is missing"},
        {"name: p\nstreams:\n  - {match: a, rule: rescale, range: {min: 1, max: 1}}\n",
         "less than"},
        {"name: p\nstreams:\n  - {match: a, rule: boxes}\n", "boxes: is missing"},
        {"name: p\nstreams:\n  - {match: a, rule: boxes, boxes: [{x: -1, y: 0, width: 1, height: "
         "1}]}\n",
         "0 or more"},
        {"name: p\nstreams:\n  - {match: a, rule: noise}\n", "epsilon"},
        {"name: p\nstreams:\n  - {match: a, rule: noise, epsilon: 1, delta: 1}\n", "delta"},
        {"name: p\nstreams:\n  - {match: a, rule: noise, epsilon: 1, delta: .1}\n", "clip"},
        {"name: p\nstreams:\n  - {match: a, rule: noise, epsilon: 1, delta: .1, clip: {min: 0, "
         "max: "
         "1}}\n",
         "unit"},
        {"name: p\ntime_shift: {entity: worker, days: 0}\n", "p.yaml:2: time_shift.days"},
        {"name: p\nzone_h: 30\n", "zone_h"},
        {"name: p\nshifts: [{name: a, from_h: 6}, {name: b, from_h: 6}]\n", "from_h must rise"},
        {"name: p\nscrub:\n  - {pattern: 'a('}\n", "p.yaml:3: scrub[0].pattern"},
        {"name: p\nscrub:\n  - {pattern: 'a*'}\n", "matches nothing"},
        {"name: p\nrecording: {pairs: [{key: a, rule: generalise}]}\n", "recording.pairs[0]"},
        {"name: p\nrecording: {pairs: [{key: a, rule: rescale}]}\n", "p.yaml:2:"},
        {"name: p\nrecording: {name: drop}\n", "p.yaml:2:"},
        {"name: p\nbudget: [{unit: lot, epsilon: 0, delta: 1e-5}]\n", "budget[0].epsilon"},
        {"name: p\nreport: {segment: 2}\n", "report.segment"},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        gb_anonymise_policy *policy = NULL;
        gb_status status = parse(rows[r].text, &policy);
        if (status != GB_ERR_SCHEMA || !strstr(gb_error_message(), rows[r].message))
            fail_msg("row %zu: %d, \"%s\"", r, (int)status, gb_error_message());
        assert_null(policy);
    }
}

static void test_right(void **state)
{
    (void)state;
    static const char text[] =
        "name: press share\n"
        "description: what the partner gets\n"
        "default: drop\n"
        "zone_h: 9\n"
        "recording:\n"
        "  name: pseudonym\n"
        "  outcome: keep\n"
        "  pairs:\n"
        "    - {key: worker, rule: pseudonym, domain: person}\n"
        "    - {key: made, rule: generalise, dates: week}\n"
        "attachments: [calibration.yaml]\n"
        "stream_pairs: [sensor_kind]\n"
        "time_shift: {entity: worker, days: 30, step: day}\n"
        "shifts: [{name: day, from_h: 7.5}, {name: night, from_h: 19.5}]\n"
        "scrub: [{pattern: 'SN[0-9]+', replace: ''}]\n"
        "streams:\n"
        "  - {match: 'temp*', rule: rescale, range: {min: 0, max: 300}}\n"
        "  - {match: load, columns: [x, 'y*'], rule: noise, " NOISE "}\n"
        "budget: [{unit: lot, epsilon: 8, delta: 1e-5}]\n"
        "report: {quasi_identifiers: [made, outcome], sensitive: defect, segment: 128}\n";
    gb_anonymise_policy *policy = NULL, *other = NULL;
    if (parse(text, &policy) != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_string_equal(gb_anonymise_policy_name(policy), "press share");
    assert_memory_equal(gb_anonymise_policy_id(policy), "press share ", 12);
    assert_int_equal(strlen(gb_anonymise_policy_id(policy)), 12 + 16);
    assert_int_equal(parse("name: press share\n", &other), GB_OK); /* another text, another id */
    assert_string_not_equal(gb_anonymise_policy_id(policy), gb_anonymise_policy_id(other));
    gb_anonymise_policy_destroy(policy);
    gb_anonymise_policy_destroy(other);
    gb_anonymise_policy_destroy(NULL);
}

/* Cut at every byte: a status or a policy, never a crash. */
static void test_cut(void **state)
{
    (void)state;
    static const char text[] = "name: p\nscrub: [{pattern: 'S[0-9]+'}]\n"
                               "streams:\n  - {match: a, rule: noise, " NOISE "}\n"
                               "  - {match: b, rule: generalise, edges: [1, 2]}\n";
    for (size_t size = 0; size <= strlen(text); size++) {
        gb_anonymise_policy *policy = NULL;
        if (gb_anonymise_policy_parse(text, size, "cut", &policy) == GB_OK)
            gb_anonymise_policy_destroy(policy);
        else
            assert_null(policy);
    }
}

/* The policies that people start from. */
static void test_examples(void **state)
{
    (void)state;
    static const char *const names[] = {"press", "skab_rescaled", "skab_coarse", "skab_noise"};
    gb_anonymise_policy *policy = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512];
        snprintf(path, sizeof path, GENBA_SOURCE_DIR "/examples/policies/%s.yaml", names[i]);
        if (gb_anonymise_policy_load(path, &policy) != GB_OK)
            fail_msg("%s", gb_error_message());
        gb_anonymise_policy_destroy(policy);
    }
    assert_int_equal(gb_anonymise_policy_load("/nonexistent.yaml", &policy), GB_ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_right),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_examples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
