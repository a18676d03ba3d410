/* From store to store: everything that went in under its name comes out without it, wherever it
 * stood; what hides only with the key can be undone; a failure leaves nothing behind. */
#include <dirent.h>
#include <ftw.h>
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

#include "genba/anonymise.h"

enum {
    RECORDINGS = 6,
    SAMPLES = 400
};

#define SECRET "tanaka"

static const gb_key key = {{1, 2}}, new_key = {{3, 4}};
static char folder[64];

static const char policy_text[] = "name: share\n"
                                  "recording:\n"
                                  "  instruction: keep\n"
                                  "  outcome: keep\n"
                                  "  pairs:\n"
                                  "    - {key: worker, rule: pseudonym, domain: worker}\n"
                                  "    - {key: lot, rule: generalise, width: 2}\n"
                                  "time_shift: {entity: worker, days: 20}\n"
                                  "scrub: [{pattern: '[Tt]anaka'}]\n"
                                  "streams:\n"
                                  "  - {match: temp, rule: rescale, range: {min: 0, max: 100}}\n"
                                  "  - {match: log, rule: scrub}\n"
                                  "  - {match: who, rule: pseudonym, domain: worker}\n"
                                  "  - {match: camera, rule: drop}\n"
                                  "report: {quasi_identifiers: [lot], segment: 50}\n";

/* ---- stores ---- */

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)kind, (void)at;
    return remove(path);
}

static const char *path_of(const char *name)
{
    static char path[4][128];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
    return path[next];
}

static gb_site *site;

static gb_store *open_store(const char *name)
{
    const gb_store_options options = {.site = site};
    gb_store *store = NULL;
    if (!gb_store_is(path_of(name)))
        assert_int_equal(gb_store_init(path_of(name), false, &options), GB_OK);
    if (gb_store_open(path_of(name), &options, &store) != GB_OK)
        fail_msg("%s", gb_error_message());
    return store;
}

static void append_text(gb_sink *sink, int recording, const char *name, const char *text)
{
    int stream;
    gb_stream_spec spec = gb_stream_spec_defaults(name);
    spec.kind = GB_STREAM_TEXT;
    spec.value_type = GB_VALUE_BYTES;
    spec.encoding = "utf-8";
    gb_pair pair = {"source_column", SECRET "_column"};
    spec.pairs = &pair;
    spec.pair_count = 1;
    assert_int_equal(gb_sink_stream(sink, recording, &spec, &stream), GB_OK);
    size_t size = strlen(text);
    int64_t time_ns = 1000;
    gb_samples samples = {.count = 1,
                          .time_ns = &time_ns,
                          .runs = (const unsigned char *const[]){(const unsigned char *)text},
                          .run_sizes = &size};
    assert_int_equal(gb_sink_append(sink, recording, stream, &samples), GB_OK);
}

/* time i s, value 20 + r + sin: what undoing must give back. */
static double value_of(int recording, int i)
{
    return 20 + 5 * recording + sin(i / (3.0 + recording));
}

static void put_recording(gb_sink *sink, int r)
{
    char name[64], lot[16];
    snprintf(name, sizeof name, SECRET "/run%d", r);
    snprintf(lot, sizeof lot, "%d", r);
    gb_pair pairs[] = {{"worker", r % 2 ? SECRET : "suzuki"}, {"lot", lot}, {"note", SECRET}};
    gb_recording_info info = {.name = name,
                              .source = "/home/" SECRET "/x.csv",
                              .instruction = "ask Tanaka first",
                              .outcome = "good",
                              .owner = "acme",
                              .pairs = pairs,
                              .pair_count = 3};
    int recording, stream;
    assert_int_equal(gb_sink_begin(sink, &info, &recording), GB_OK);
    gb_stream_spec spec = gb_stream_spec_defaults("temp");
    spec.value_type = GB_VALUE_F64;
    spec.unit = "Cel";
    assert_int_equal(gb_sink_stream(sink, recording, &spec, &stream), GB_OK);
    int64_t times[SAMPLES];
    double values[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        times[i] = i * INT64_C(1000000000);
        values[i] = value_of(r, i);
    }
    gb_samples samples = {.count = SAMPLES, .time_ns = times, .values = values};
    assert_int_equal(gb_sink_append(sink, recording, stream, &samples), GB_OK);
    append_text(sink, recording, "log", SECRET " opened the door");
    append_text(sink, recording, "who", r % 2 ? SECRET : "suzuki");
    append_text(sink, recording, "camera", SECRET);
    assert_int_equal(gb_sink_attach(sink, recording, SECRET ".txt", "text/plain", SECRET, 6),
                     GB_OK);
    assert_int_equal(gb_sink_end(sink, recording), GB_OK);
}

static gb_store *make_original(void)
{
    gb_store *store = open_store("original");
    const gb_store_source source = {.path = "/home/" SECRET "/x.csv", .checksum = "", .map = "m"};
    const gb_store_counts counts = {0};
    gb_store_ingest *ingest = NULL;
    int64_t done;
    assert_int_equal(gb_store_ingest_begin(store, &source, &ingest, &done), GB_OK);
    for (int r = 0; r < RECORDINGS; r++)
        put_recording(gb_store_ingest_sink(ingest), r);
    assert_int_equal(gb_store_ingest_commit(ingest, &counts, NULL, 0), GB_OK);
    assert_int_equal(gb_store_ingest_end(ingest, true), GB_OK);
    return store;
}

/* ---- looking for what must not be there ---- */

static bool holds(const void *data, size_t size, const char *text)
{
    return memmem(data, size, text, strlen(text)) != NULL;
}

/* Everything a recording says or holds; texts in any case. */
static void expect_clean(const gb_recording *recording)
{
    const gb_recording_info *info = gb_recording_get_info(recording);
    const char *texts[8 + 64] = {info->name,    info->source,    info->instruction, info->outcome,
                                 info->licence, info->residency, info->purpose,     info->owner};
    int count = 8;
    for (int i = 0; i < info->pair_count; i++) {
        texts[count++] = info->pairs[i].key;
        texts[count++] = info->pairs[i].value;
    }
    for (int i = 0; i < count; i++)
        if (texts[i])
            assert_null(strcasestr(texts[i], SECRET));
    for (int s = 0; s < gb_recording_stream_count(recording); s++) {
        const gb_stream_view *view = gb_recording_stream(recording, s);
        assert_null(strcasestr(view->spec->name, SECRET));
        for (int i = 0; i < view->spec->pair_count; i++)
            assert_null(strcasestr(view->spec->pairs[i].value, SECRET));
        if (view->offset)
            assert_false(holds(view->raw, (size_t)view->offset[view->count], SECRET));
    }
}

static bool file_holds; /* what the walk found */
static int search_file(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info, (void)at;
    gb_file_view view;
    if (kind != FTW_F || gb_file_map(path, &view) != GB_OK)
        return 0;
    file_holds |= holds(view.data, view.size, SECRET) || strstr(path, SECRET);
    gb_file_unmap(&view);
    return 0;
}

static gb_status load(gb_store *store, gb_dataset **out)
{
    return gb_store_load(store, NULL, NULL, 0, GB_USE_INSPECT, NULL, out);
}

static gb_status
anonymise(gb_store *from, gb_store *to, gb_anonymise_report *report, int64_t *count)
{
    gb_anonymise_policy *policy = NULL;
    assert_int_equal(gb_anonymise_policy_parse(policy_text, strlen(policy_text), "p.yaml", &policy),
                     GB_OK);
    gb_status status = gb_anonymise_store(policy, &key, from, NULL, to, report, count);
    gb_anonymise_policy_destroy(policy);
    return status;
}

/* ---- the tests ---- */

static void test_nothing_leaks(void **state)
{
    (void)state;
    gb_store *from = make_original(), *to = open_store("share");
    gb_anonymise_report report;
    int64_t count = 0;
    if (anonymise(from, to, &report, &count) != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_int_equal(count, RECORDINGS);
    gb_store_report checked;
    assert_int_equal(gb_store_verify(to, NULL, NULL, &checked), GB_OK);
    assert_int_equal(checked.recordings, RECORDINGS);
    assert_int_equal(checked.leftovers, 0);
    gb_dataset *made = NULL;
    assert_int_equal(load(to, &made), GB_OK);
    for (int64_t i = 0; i < RECORDINGS; i++) {
        const gb_recording *recording = gb_dataset_get(made, i);
        expect_clean(recording);
        assert_int_equal(gb_recording_stream_count(recording), 3);
        assert_int_equal(gb_recording_find(recording, "camera"), -1);
        assert_string_equal(gb_recording_get_info(recording)->owner, "acme");
    }
    gb_dataset_destroy(made);
    gb_store_close(to); /* catalogue, log and file names too */
    nftw(path_of("share"), search_file, 8, FTW_PHYS);
    assert_false(file_holds);
    nftw(path_of("original"), search_file, 8, FTW_PHYS);
    assert_true(file_holds); /* the search would have found it */
    assert_int_equal(report.recordings, RECORDINGS);
    assert_int_equal(report.anonymity_before.k, 1);
    assert_int_equal(report.anonymity_after.k, 2);
    assert_int_equal(report.cost.columns, 1);
    gb_store_close(from);
}

static void test_undone(void **state)
{
    (void)state;
    gb_store *from = make_original(), *to = open_store("share"), *back = open_store("back");
    int64_t count = 0;
    assert_int_equal(anonymise(from, to, NULL, &count), GB_OK);
    if (gb_anonymise_store_undo(&key, NULL, to, NULL, back, &count) != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_int_equal(count, RECORDINGS);
    gb_dataset *made = NULL;
    gb_anonymise_policy *policy = NULL;
    assert_int_equal(load(back, &made), GB_OK);
    assert_int_equal(gb_anonymise_policy_parse(policy_text, strlen(policy_text), "p.yaml", &policy),
                     GB_OK);
    for (int r = 0; r < RECORDINGS; r++) {
        char name[64], *new_name = NULL;
        snprintf(name, sizeof name, SECRET "/run%d", r);
        assert_int_equal(gb_anonymise_recording_name(policy, &key, name, &new_name), GB_OK);
        int64_t at = gb_dataset_find(made, new_name);
        free(new_name);
        assert_true(at >= 0);
        const gb_recording *recording = gb_dataset_get(made, at);
        const gb_stream_view *temp =
            gb_recording_stream(recording, gb_recording_find(recording, "temp"));
        assert_string_equal(temp->spec->unit, "Cel");
        assert_int_equal(temp->count, SAMPLES);
        for (int i = 0; i < SAMPLES; i++) {
            assert_int_equal(temp->time_ns[i], i * INT64_C(1000000000));
            assert_true(temp->values[i] == (float)value_of(r, i));
        }
    }
    gb_anonymise_policy_destroy(policy);
    gb_dataset_destroy(made);
    assert_int_equal(gb_anonymise_store_undo(&new_key, NULL, to, NULL, back, &count),
                     GB_ERR_REFUSED);
    gb_store_close(from);
    gb_store_close(to);
    gb_store_close(back);
}

static void test_rotated(void **state)
{
    (void)state;
    gb_store *from = make_original(), *to = open_store("share"), *moved = open_store("moved");
    int64_t count = 0;
    assert_int_equal(anonymise(from, to, NULL, &count), GB_OK);
    assert_int_equal(gb_anonymise_store_undo(&key, &new_key, to, NULL, moved, &count), GB_OK);
    gb_dataset *made = NULL;
    assert_int_equal(load(moved, &made), GB_OK);
    char due[GB_PSEUDONYM_BYTES];
    int found = 0;
    assert_int_equal(gb_pseudonym(&new_key, "worker", SECRET, strlen(SECRET), due), GB_OK);
    for (int64_t i = 0; i < RECORDINGS; i++) {
        const gb_recording *recording = gb_dataset_get(made, i);
        const gb_recording_info *info = gb_recording_get_info(recording);
        const gb_stream_view *who =
            gb_recording_stream(recording, gb_recording_find(recording, "who"));
        bool hers = strcmp(gb_pair_find(info->pairs, info->pair_count, "worker"), due) == 0;
        assert_int_equal(hers, memcmp(who->raw, due, GB_PSEUDONYM_BYTES - 1) == 0);
        found += hers;
    }
    assert_int_equal(found, RECORDINGS / 2);
    gb_dataset_destroy(made);
    gb_store_close(from);
    gb_store_close(to);
    gb_store_close(moved);
}

/* A policy that stops half-way leaves the new store empty. */
static void test_all_or_nothing(void **state)
{
    (void)state;
    static const char stops[] = "name: p\n"
                                "recording: {pairs: [{key: '*', rule: keep}]}\n"
                                "streams:\n"
                                "  - {match: temp, rule: noise, epsilon: 1, delta: 1e-5, unit: "
                                "worker, clip: {min: 0, max: 1}, samples_per_unit: 500}\n"
                                "default: drop\n";
    gb_store *from = make_original(), *to = open_store("share");
    gb_anonymise_policy *policy = NULL;
    gb_store_report checked;
    int64_t count = -1;
    assert_int_equal(gb_anonymise_policy_parse(stops, strlen(stops), "p.yaml", &policy), GB_OK);
    assert_int_equal(gb_anonymise_store(policy, &key, from, NULL, to, NULL, &count),
                     GB_ERR_REFUSED);
    assert_non_null(strstr(gb_error_message(), "more than the 500 samples"));
    assert_int_equal(count, -1);
    assert_int_equal(gb_store_verify(to, NULL, NULL, &checked), GB_OK);
    assert_int_equal(checked.recordings, 0);
    assert_int_equal(checked.leftovers, 0);
    const gb_store_query nobody = {.name = "nobody"};
    assert_int_equal(gb_anonymise_store(policy, &key, from, &nobody, to, NULL, &count),
                     GB_ERR_NOT_FOUND);
    gb_anonymise_policy_destroy(policy);
    gb_store_close(from);
    gb_store_close(to);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/genba_share_XXXXXX");
    assert_non_null(mkdtemp(folder));
    const char *text = "name: here\n";
    assert_int_equal(gb_file_replace(path_of("site.yaml"), text, strlen(text)), GB_OK);
    file_holds = false;
    return gb_site_load(path_of("site.yaml"), &site) == GB_OK ? 0 : -1;
}

static int drop_folder(void **state)
{
    (void)state;
    gb_site_destroy(site);
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, drop_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(test_nothing_leaks),
        IN_FOLDER(test_undone),
        IN_FOLDER(test_rotated),
        IN_FOLDER(test_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
