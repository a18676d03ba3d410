/* Calibrated noise: the amount against published and independent figures, the numbers against the
 * normal law, and what each unit is charged. */
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

static const gb_key key = {{7}}, other_key = {{8}};

/* ---- how much ---- */

static void test_sigma(void **state)
{
    (void)state;
    /* sensitivity 1, by bisection in 50 digits (mpmath) of theorem 8 */
    static const double rows[][3] = {
        {0.01, 1e-05, 243.78543767567803}, {0.1, 1e-06, 36.304690426195785},
        {0.5, 1e-05, 7.0318266755824914},  {1, 1e-05, 3.7306316348159418},
        {1, 1e-09, 5.4952661572382962},    {2, 1e-06, 2.2304762711864173},
        {4, 0.001, 0.8230776852446613},    {10, 1e-06, 0.54108683181836598},
        {50, 1e-10, 0.18029422294241373},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        double sigma = gb_gaussian_sigma(rows[r][0], rows[r][1], 1);
        if (fabs(sigma / rows[r][2] - 1) > 1e-9)
            fail_msg("epsilon %g, delta %g: %.12g, not %.12g", rows[r][0], rows[r][1], sigma,
                     rows[r][2]);
        assert_true(gb_gaussian_delta(rows[r][0], 1 / sigma) <= rows[r][1] * (1 + 1e-9));
        assert_true(fabs(gb_gaussian_epsilon(rows[r][1], 1 / sigma) / rows[r][0] - 1) < 1e-8);
        assert_true(fabs(gb_gaussian_sigma(rows[r][0], rows[r][1], 12) / (12 * sigma) - 1) < 1e-12);
        if (rows[r][0] <= 1) /* the classic bound of Dwork & Roth needs more */
            assert_true(sigma < sqrt(2 * log(1.25 / rows[r][1])) / rows[r][0]);
    }
    assert_true(gb_gaussian_delta(1, 0) == 0);
    assert_true(gb_gaussian_epsilon(1e-5, 0) == 0);
    assert_true(gb_gaussian_epsilon(0.9, 1) == 0);
}

/* ---- the numbers ---- */

static void test_normal(void **state)
{
    (void)state;
    enum {
        COUNT = 100000
    };
    gb_secrets *secrets = NULL;
    assert_int_equal(gb_secrets_create(&key, &secrets), GB_OK);
    unsigned char policy[GB_HASH_BYTES] = {0};
    gb_noise_place place = {.policy = policy, .recording = "r", .stream = "s"};
    double sums[5] = {0}, value = 3.5, drawn, last = 0, lagged = 0;
    int within[4] = {0};
    for (int i = 0; i < COUNT; i++) {
        place.sample = i;
        gb_noise_draw(secrets, &place, &value, 1, &drawn);
        for (int p = 1; p <= 4; p++)
            sums[p] += pow(drawn, p);
        for (int s = 1; s <= 3; s++)
            within[s] += fabs(drawn) < s;
        lagged += drawn * last;
        last = drawn;
    }
    /* five standard errors each */
    double n = COUNT, error = 5 / sqrt(n);
    assert_true(fabs(sums[1] / n) < error);
    assert_true(fabs(sums[2] / n - 1) < sqrt(2) * error);
    assert_true(fabs(sums[3] / n) < sqrt(15) * error);
    assert_true(fabs(sums[4] / n - 3) < sqrt(96) * error);
    assert_true(fabs(lagged / n) < error);
    static const double share[] = {0, 0.682689492137, 0.954499736104, 0.997300203937};
    for (int s = 1; s <= 3; s++)
        assert_true(fabs(within[s] / n - share[s]) < error * sqrt(share[s] * (1 - share[s])));
    gb_secrets_destroy(secrets);
}

/* Noise depends on the key and on everything that is said of the sample. */
static void test_depends(void **state)
{
    (void)state;
    gb_secrets *secrets = NULL, *others = NULL;
    assert_int_equal(gb_secrets_create(&key, &secrets), GB_OK);
    assert_int_equal(gb_secrets_create(&other_key, &others), GB_OK);
    unsigned char policy[GB_HASH_BYTES] = {0}, policy2[GB_HASH_BYTES] = {1};
    gb_noise_place base = {.policy = policy, .recording = "r", .stream = "s"}, places[8];
    for (int i = 0; i < 8; i++)
        places[i] = base;
    places[1].policy = policy2;
    places[2].recording = "r2";
    places[3].stream = "s2";
    places[4].sample = 1;
    places[5].time_ns = 1;
    places[6].rule = 1;
    double values[3] = {1, 2, 3}, first[3], drawn[3];
    gb_noise_draw(secrets, &base, values, 3, first);
    assert_true(first[0] != first[1] && first[1] != first[2]);
    for (int i = 0; i < 8; i++) {
        values[2] = i == 7 ? 3.0000001 : 3;
        gb_noise_draw(secrets, &places[i], values, 3, drawn);
        assert_true((drawn[0] == first[0]) == (i == 0));
    }
    values[2] = 3;
    gb_noise_draw(others, &base, values, 3, drawn);
    assert_true(drawn[0] != first[0]);
    double many[200] = {0}, out[200];
    gb_noise_draw(secrets, &base, many, 200, out);
    for (int i = 1; i < 200; i++)
        assert_true(out[i] != out[0] && isfinite(out[i]));
    gb_secrets_destroy(secrets);
    gb_secrets_destroy(others);
}

/* ---- in a stream ---- */

typedef struct run {
    gb_anonymise_policy *policy;
    gb_dataset *out;
    gb_sink *target, *filter;
} run;

static void open_run(run *r, const char *text)
{
    if (gb_anonymise_policy_parse(text, strlen(text), "p.yaml", &r->policy) != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_int_equal(gb_dataset_create(&r->out), GB_OK);
    assert_int_equal(gb_dataset_sink_create(r->out, &r->target), GB_OK);
    assert_int_equal(gb_anonymise_create(r->policy, &key, r->target, &r->filter), GB_OK);
}

static void close_run(run *r)
{
    gb_sink_destroy(r->filter);
    gb_sink_destroy(r->target);
    gb_dataset_destroy(r->out);
    gb_anonymise_policy_destroy(r->policy);
}

/* `count` samples of two columns, all 0.5, of streams a and b. */
static gb_status feed(run *r, const char *name, const char *lot, int64_t count, const char *streams)
{
    gb_pair pair = {"lot", lot};
    gb_recording_info info = {.name = name, .pairs = &pair, .pair_count = 1};
    int recording;
    gb_status status = gb_sink_begin(r->filter, &info, &recording);
    assert_int_equal(status, GB_OK);
    int64_t *times = calloc((size_t)count, sizeof *times);
    float *values = calloc((size_t)count * 2, sizeof *values);
    for (int64_t i = 0; i < 2 * count; i++)
        values[i] = 0.5f;
    for (; status == GB_OK && *streams; streams++) {
        char stream_name[2] = {*streams, 0};
        gb_stream_spec spec = gb_stream_spec_defaults(stream_name);
        spec.rank = 1;
        spec.shape[0] = 2;
        int stream;
        status = gb_sink_stream(r->filter, recording, &spec, &stream);
        gb_samples samples = {.count = count, .time_ns = times, .values = values};
        if (status == GB_OK)
            status = gb_sink_append(r->filter, recording, stream, &samples);
    }
    free(times);
    free(values);
    if (status == GB_OK)
        return gb_sink_end(r->filter, recording);
    gb_sink_abandon(r->filter, recording);
    return status;
}

static const char two_streams[] =
    "name: p\n"
    "streams:\n"
    "  - {match: '[ab]', rule: noise, epsilon: 2, delta: 1e-5, unit: lot, clip: {min: 0, max: 1},\n"
    "     samples_per_unit: 50000}\n";

static void test_stream(void **state)
{
    (void)state;
    run r;
    open_run(&r, two_streams);
    assert_int_equal(feed(&r, "r1", "L1", 50000, "a"), GB_OK);
    const gb_stream_view *view = gb_recording_stream(gb_dataset_get(r.out, 0), 0);
    /* 50000 samples of 2 columns within [0, 1] */
    double sigma = gb_gaussian_sigma(2, 1e-5, sqrt(100000.0)), sum = 0, squares = 0;
    for (int64_t i = 0; i < 100000; i++) {
        sum += (double)view->values[i] - 0.5;
        squares += pow((double)view->values[i] - 0.5, 2);
    }
    assert_true(fabs(sum / 1e5) < 5 * sigma / sqrt(1e5));
    assert_true(fabs(sqrt(squares / 1e5) / sigma - 1) < 5 / sqrt(2e5));
    assert_non_null(
        strstr(gb_pair_find(view->spec->pairs, view->spec->pair_count, "anonymise.noise"),
               "epsilon 2, delta 1e-05, per lot"));
    close_run(&r);
}

/* Values beyond the bounds are clipped: nobody's influence is larger than was declared. */
static void test_clipped(void **state)
{
    (void)state;
    run r;
    open_run(&r, "name: p\nstreams: [{match: a, rule: noise, epsilon: 100, delta: 0.5, unit: "
                 "recording, clip: {min: 0, max: 1}, samples_per_unit: 3}]\n");
    gb_recording_info info = {.name = "r"};
    int recording, stream;
    gb_stream_spec spec = gb_stream_spec_defaults("a");
    assert_int_equal(gb_sink_begin(r.filter, &info, &recording), GB_OK);
    assert_int_equal(gb_sink_stream(r.filter, recording, &spec, &stream), GB_OK);
    gb_samples samples = {
        .count = 3, .time_ns = (int64_t[]){0, 1, 2}, .values = (float[]){1e6f, -1e6f, NAN}};
    assert_int_equal(gb_sink_append(r.filter, recording, stream, &samples), GB_OK);
    assert_int_equal(gb_sink_end(r.filter, recording), GB_OK);
    const gb_stream_view *view = gb_recording_stream(gb_dataset_get(r.out, 0), 0);
    assert_true(fabs((double)view->values[0]) < 10 && fabs((double)view->values[1]) < 10);
    assert_true(isnan(view->values[2]));
    close_run(&r);
}

static void test_accounting(void **state)
{
    (void)state;
    run r;
    gb_privacy_spent spent[4];
    open_run(&r, two_streams);
    assert_int_equal(feed(&r, "r1", "L1", 30000, "ab"), GB_OK);
    assert_int_equal(feed(&r, "r2", "L2", 30000, "a"), GB_OK);
    assert_int_equal(feed(&r, "r3", "L1", 20000, "a"), GB_OK); /* 50000 of L1 in all */
    assert_int_equal(gb_anonymise_spent(r.filter, spent, 4), 1);
    assert_string_equal(spent[0].unit, "lot");
    assert_int_equal(spent[0].units, 2);
    assert_int_equal(spent[0].releases, 2);
    double mu = 1 / gb_gaussian_sigma(2, 1e-5, 1); /* of one stream */
    assert_true(fabs(spent[0].mu - sqrt(2) * mu) < 1e-9);
    assert_true(fabs(spent[0].epsilon - gb_gaussian_epsilon(1e-5, sqrt(2) * mu)) < 1e-9);
    assert_true(spent[0].epsilon > 2 && spent[0].epsilon < 4); /* better than adding up */
    assert_int_equal(feed(&r, "r4", "L1", 1, "a"), GB_ERR_REFUSED);
    assert_non_null(strstr(gb_error_message(), "50000 samples"));
    assert_int_equal(feed(&r, "r5", "L1", 20000, "b"), GB_OK);
    close_run(&r);
}

static void test_budget(void **state)
{
    (void)state;
    run r;
    char text[512];
    snprintf(text, sizeof text, "%sbudget: [{unit: lot, epsilon: 2.5, delta: 1e-5}]\n",
             two_streams);
    open_run(&r, text);
    assert_int_equal(feed(&r, "r1", "L1", 10, "a"), GB_OK);
    assert_int_equal(feed(&r, "r2", "L1", 10, "b"), GB_ERR_REFUSED);
    assert_non_null(strstr(gb_error_message(), "the budget is 2.5"));
    assert_int_equal(feed(&r, "r3", "L2", 10, "b"), GB_OK);
    close_run(&r);
}

/* The same data gives the same bytes however it is handed over. */
static void test_batches(void **state)
{
    (void)state;
    float got[2][40];
    for (int batches = 0; batches < 2; batches++) {
        run r;
        open_run(&r, two_streams);
        gb_pair pair = {"lot", "L"};
        gb_recording_info info = {.name = "r", .pairs = &pair, .pair_count = 1};
        int recording, stream;
        gb_stream_spec spec = gb_stream_spec_defaults("a");
        assert_int_equal(gb_sink_begin(r.filter, &info, &recording), GB_OK);
        assert_int_equal(gb_sink_stream(r.filter, recording, &spec, &stream), GB_OK);
        int64_t times[40];
        float values[40];
        for (int i = 0; i < 40; i++) {
            times[i] = i;
            values[i] = (float)i / 40;
        }
        for (int64_t at = 0; at < 40; at += batches ? 7 : 40) {
            int64_t count = 40 - at < 7 || !batches ? 40 - at : 7;
            gb_samples samples = {.count = count, .time_ns = times + at, .values = values + at};
            assert_int_equal(gb_sink_append(r.filter, recording, stream, &samples), GB_OK);
        }
        assert_int_equal(gb_sink_end(r.filter, recording), GB_OK);
        memcpy(got[batches], gb_recording_stream(gb_dataset_get(r.out, 0), 0)->values,
               sizeof got[0]);
        close_run(&r);
    }
    assert_memory_equal(got[0], got[1], sizeof got[0]);
}

/* Many units are found again quickly and correctly. */
static void test_many_units(void **state)
{
    (void)state;
    gb_anonymise_policy *policy = NULL;
    gb_ledger *ledger = NULL;
    gb_privacy_spent spent;
    assert_int_equal(gb_anonymise_policy_parse(two_streams, strlen(two_streams), "p", &policy),
                     GB_OK);
    assert_int_equal(gb_ledger_create(policy, &ledger), GB_OK);
    const gb_rule *rule = &policy->data->streams[0];
    for (int again = 0; again < 2; again++)
        for (int i = 0; i < 3000; i++) {
            char unit[16];
            int entry;
            snprintf(unit, sizeof unit, "L%d", i);
            assert_int_equal(gb_ledger_release(ledger, rule, unit, "a", 0.5, &entry), GB_OK);
            assert_int_equal(gb_ledger_count(ledger, entry, 25000), GB_OK);
            if (again)
                assert_int_equal(gb_ledger_count(ledger, entry, 1), GB_ERR_REFUSED);
        }
    assert_int_equal(gb_ledger_spent(ledger, &spent, 1), 1);
    assert_int_equal(spent.units, 3000);
    assert_true(spent.mu == 0.5);
    gb_ledger_destroy(ledger);
    gb_anonymise_policy_destroy(policy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sigma),      cmocka_unit_test(test_normal),
        cmocka_unit_test(test_depends),    cmocka_unit_test(test_stream),
        cmocka_unit_test(test_clipped),    cmocka_unit_test(test_accounting),
        cmocka_unit_test(test_budget),     cmocka_unit_test(test_batches),
        cmocka_unit_test(test_many_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
