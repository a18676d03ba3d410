/* Stores: what goes in comes out, is labelled, split, verified, removed; what is wrong is said. */
#include "store_test.h"

#include <dirent.h>

static void gives_back_what_went_in(void **state)
{
    (void)state;
    static const char *const names[] = {"b/2", "b/1", "a"};
    gb_store *store = open_store();
    expect_ok(ingest_names(store, "first.csv", names, 3, 50));
    gb_pool *pool = NULL;
    gb_dataset *dataset = NULL;
    expect_ok(gb_pool_create(2, &pool));
    expect_ok(gb_store_load(store, NULL, NULL, 0, GB_USE_TRAIN, pool, &dataset));
    assert_int_equal(gb_dataset_count(dataset), 3);
    static const char *const sorted[] = {"a", "b/1", "b/2"};
    for (int i = 0; i < 3; i++) {
        const gb_recording *recording = gb_dataset_get(dataset, i);
        assert_string_equal(gb_recording_get_info(recording)->name, sorted[i]);
        const gb_stream_view *x = gb_recording_stream(recording, 0);
        assert_int_equal(x->count, 50);
        assert_true(x->values[49] == 49 + (float)(2 - i));
        assert_int_equal(x->quality[6], GB_QUALITY_BAD);
        const gb_stream_view *label = gb_recording_stream(recording, 1);
        assert_memory_equal(label->raw, "good part", 9);
    }
    gb_dataset_destroy(dataset);
    const char *chosen[] = {"x"};
    gb_store_query query = {.name = "b/*"};
    expect_ok(gb_store_load(store, &query, chosen, 1, GB_USE_TRAIN, NULL, &dataset));
    assert_int_equal(gb_dataset_count(dataset), 2);
    assert_int_equal(gb_recording_stream_count(gb_dataset_get(dataset, 0)), 1);
    gb_dataset_destroy(dataset);
    expect_ok(gb_dataset_create(&dataset));
    gb_sink *sink = NULL;
    expect_ok(gb_dataset_sink_create(dataset, &sink));
    expect_ok(gb_store_emit(store, "a", NULL, 0, GB_USE_INSPECT, sink));
    assert_int_equal(gb_store_emit(store, "c", NULL, 0, GB_USE_INSPECT, sink), GB_ERR_NOT_FOUND);
    assert_int_equal(gb_dataset_count(dataset), 1);
    gb_sink_destroy(sink);
    gb_dataset_destroy(dataset);
    query.name = "nothing*";
    assert_int_equal(gb_store_load(store, &query, NULL, 0, GB_USE_TRAIN, NULL, &dataset),
                     GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_error_message(), "matches name nothing*; it holds 3: a, b/1, b/2 ("));
    gb_pool_destroy(pool);
    gb_store_report report = expect_whole(store);
    assert_int_equal(report.recordings, 3);
    assert_int_equal(report.samples, 3 * 51);
    assert_int_equal(report.leftovers, 0);
    gb_store_close(store);
}

static gb_status check_entry(void *context, const gb_store_entry *entry)
{
    (void)context;
    assert_string_equal(entry->info->name, "one");
    assert_string_equal(entry->info->owner, "acme");
    assert_int_equal(entry->samples, 101);
    assert_int_equal(entry->bad, 14);
    assert_int_equal(entry->good, 87);
    assert_int_equal(entry->first_ns, 0);
    assert_int_equal(entry->last_ns, 99000000);
    assert_int_equal(strlen(entry->checksum), 64);
    assert_int_equal(entry->ingest, 1);
    char path[256];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", store_path, entry->file);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, entry->bytes);
    return GB_OK;
}

static gb_status never_called(void *context, const gb_store_entry *entry)
{
    (void)context;
    fail_msg("%s was listed", entry->info->name);
    return GB_OK;
}

static void lists_what_matches(void **state)
{
    (void)state;
    static const char *const names[] = {"one"};
    gb_store *store = open_store();
    expect_ok(ingest_names(store, "one.csv", names, 1, 100));
    static const gb_store_query hits[] = {{0},
                                          {.name = "o?e"},
                                          {.owner = "acme"},
                                          {.stream = "label"},
                                          {.first_ns = 99000000, .end_ns = INT64_MAX},
                                          {.first_ns = -5, .end_ns = 1}};
    static const gb_store_query misses[] = {{.name = "two"},
                                            {.owner = "acm"},
                                            {.residency = "JP"},
                                            {.stream = "y"},
                                            {.split = "train"},
                                            {.first_ns = 99000001, .end_ns = INT64_MAX},
                                            {.first_ns = -5, .end_ns = 0}};
    for (size_t i = 0; i < sizeof hits / sizeof *hits; i++) {
        int64_t count = 0;
        expect_ok(gb_store_list(store, &hits[i], check_entry, NULL));
        expect_ok(gb_store_list(store, &hits[i], count_entry, &count));
        assert_int_equal(count, 1);
    }
    for (size_t i = 0; i < sizeof misses / sizeof *misses; i++)
        expect_ok(gb_store_list(store, &misses[i], never_called, NULL));
    gb_store_close(store);
}

static void refuses_names_that_are_taken(void **state)
{
    (void)state;
    static const char *const first[] = {"same"}, *const second[] = {"new", "same"};
    static const char *const twice[] = {"again", "again"};
    gb_store *store = open_store();
    expect_ok(ingest_names(store, "first.csv", first, 1, 10));
    assert_int_equal(ingest_names(store, "second.csv", second, 2, 10), GB_ERR_ARGUMENT);
    assert_non_null(strstr(gb_error_message(), "same"));
    assert_int_equal(ingest_names(store, "third.csv", twice, 2, 10), GB_ERR_ARGUMENT);
    assert_int_equal(count_recordings(store), 1);
    gb_store_report report = expect_whole(store);
    assert_int_equal(report.leftovers, 0);
    expect_ok(ingest_names(store, "second.csv", second, 1, 10));
    assert_int_equal(gb_store_init(store_path, false, NULL), GB_ERR_ARGUMENT);
    gb_store_close(store);
}

static void takes_names_of_any_kind(void **state)
{
    (void)state;
    char longest[2000];
    memset(longest, '/', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    const char *names[] = {"../../../etc/passwd",
                           "/",
                           ".",
                           "a/b",
                           "a-b",
                           "a b",
                           "\xe6\xb8\xa9\xe5\xba\xa6",
                           "\xe9\x83\xa8\xe5\x93\x81",
                           "'; DROP TABLE recording; --",
                           "%s%n",
                           longest};
    enum {
        COUNT = sizeof names / sizeof *names
    };
    gb_store *store = open_store();
    expect_ok(ingest_names(store, "names.csv", names, COUNT, 3));
    assert_int_equal(count_recordings(store), COUNT);
    for (int i = 0; i < COUNT; i++) {
        gb_dataset *dataset = NULL;
        gb_sink *sink = NULL;
        expect_ok(gb_dataset_create(&dataset));
        expect_ok(gb_dataset_sink_create(dataset, &sink));
        expect_ok(gb_store_emit(store, names[i], NULL, 0, GB_USE_INSPECT, sink));
        const gb_recording *recording = gb_dataset_get(dataset, 0);
        assert_string_equal(gb_recording_get_info(recording)->name, names[i]);
        gb_sink_destroy(sink);
        gb_dataset_destroy(dataset);
    }
    assert_int_equal(expect_whole(store).leftovers, 0);
    gb_store_close(store);
}

/* A source read in segments, stopped, and continued by another process's eyes. */
static void continues_where_it_stopped(void **state)
{
    (void)state;
    gb_store_source source = source_of("long.csv");
    source.checksum = "abc";
    gb_store_ingest *ingest = NULL;
    int64_t done = -1;
    gb_store *store = open_store();
    expect_ok(gb_store_ingest_begin(store, &source, &ingest, &done));
    assert_int_equal(done, 0);
    gb_recording_info part1 = {.name = "part1"}, part2 = {.name = "part2"}, lost = {.name = "lost"};
    expect_ok(emit_small(gb_store_ingest_sink(ingest), &part1, 5, 0));
    expect_ok(gb_store_ingest_reject(ingest, "long.csv", 7, "speed", "no number", "\"x\"\n", 4));
    gb_store_counts counts = {
        .rows_read = 6, .rows_stored = 5, .rows_rejected = 1, .source_to = 400};
    expect_ok(gb_store_ingest_commit(ingest, &counts, "here\0", 5));
    expect_ok(emit_small(gb_store_ingest_sink(ingest), &lost, 5, 0));
    expect_ok(gb_store_ingest_reject(ingest, "long.csv", 9, "speed", "lost", "", 0));
    expect_ok(gb_store_ingest_end(ingest, false));
    gb_store_close(store);

    store = open_store();
    gb_store_source other = source;
    other.map_text = "name: other";
    expect_ok(gb_store_ingest_begin(store, &other, &ingest, &done));
    assert_int_equal(done, 0);
    expect_ok(gb_store_ingest_end(ingest, false));
    expect_ok(gb_store_ingest_begin(store, &source, &ingest, &done));
    assert_int_equal(done, 400);
    gb_arena *arena = NULL;
    const void *kept = NULL;
    size_t size = 0;
    expect_ok(gb_arena_create(0, &arena));
    expect_ok(gb_store_ingest_state(ingest, arena, &kept, &size));
    assert_int_equal(size, 5);
    assert_memory_equal(kept, "here\0", 5);
    gb_arena_destroy(arena);
    expect_ok(emit_small(gb_store_ingest_sink(ingest), &part2, 4, 0));
    expect_ok(gb_store_ingest_reject(ingest, "long.csv", 12, NULL, "short row", "1,2", 3));
    counts = (gb_store_counts){.rows_read = 5,
                               .rows_stored = 4,
                               .rows_rejected = 1,
                               .source_from = 400,
                               .source_to = 1000};
    expect_ok(gb_store_ingest_commit(ingest, &counts, NULL, 0));
    counts.rows_read = 9;
    assert_int_equal(gb_store_ingest_commit(ingest, &counts, NULL, 0), GB_ERR_ARGUMENT);
    expect_ok(gb_store_ingest_end(ingest, true));
    expect_ok(gb_store_ingest_begin(store, &source, &ingest, &done));
    assert_int_equal(done, 1000);
    expect_ok(gb_store_ingest_end(ingest, true));
    assert_int_equal(count_recordings(store), 2);
    assert_int_equal(expect_whole(store).leftovers, 0);
    gb_store_close(store);

    char path[128], text[512] = "";
    snprintf(path, sizeof path, "%s/rejects/ingest-000001.csv", store_path);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    assert_string_equal(text, "file,row,column,reason,text\n"
                              "\"long.csv\",7,\"speed\",\"no number\",\"\"\"x\"\"\\x0a\"\n"
                              "\"long.csv\",12,\"\",\"short row\",\"1,2\"\n");
}

static gb_status gather_splits(void *context, const gb_store_entry *entry)
{
    strcat(context, entry->split[0] ? entry->split : "-");
    return GB_OK;
}

static void splits_the_same_way_each_time(void **state)
{
    (void)state;
    char names[200][16], first[400] = "", second[400] = "";
    const char *all[200];
    for (int i = 0; i < 200; i++) {
        snprintf(names[i], sizeof names[i], "r%03d", i);
        all[i] = names[i];
    }
    gb_store *store = open_store();
    expect_ok(ingest_names(store, "half.csv", all, 100, 1));
    static const char *const splits[] = {"T", "V"};
    static const double shares[] = {0.6, 0.2}, too_much[] = {0.9, 0.2};
    expect_ok(gb_store_split(store, NULL, splits, shares, 2, NULL, 5));
    expect_ok(gb_store_list(store, NULL, gather_splits, first));
    expect_ok(ingest_names(store, "rest.csv", all + 100, 100, 1));
    expect_ok(gb_store_split(store, NULL, splits, shares, 2, NULL, 5));
    expect_ok(gb_store_list(store, NULL, gather_splits, second));
    assert_memory_equal(first, second, 100);
    int train = 0, none = 0;
    for (const char *at = second; *at; at++) {
        train += *at == 'T';
        none += *at == '-';
    }
    assert_true(train > 95 && train < 145);
    assert_true(none > 20 && none < 60);
    assert_int_equal(gb_store_split(store, NULL, splits, too_much, 2, NULL, 5), GB_ERR_ARGUMENT);
    assert_int_equal(gb_store_split(store, NULL, splits, shares, 2, "lot", 5), GB_ERR_NOT_FOUND);
    static const double everything[] = {0.7, 0.3};
    expect_ok(gb_store_split(store, NULL, splits, everything, 2, NULL, 9));
    second[0] = 0;
    expect_ok(gb_store_list(store, NULL, gather_splits, second));
    assert_null(strchr(second, '-'));
    gb_store_query query = {.split = "V"};
    gb_dataset *dataset = NULL;
    expect_ok(gb_store_load(store, &query, NULL, 0, GB_USE_TRAIN, NULL, &dataset));
    assert_true(gb_dataset_count(dataset) < 100);
    gb_dataset_destroy(dataset);
    gb_store_close(store);
}

static void keeps_groups_together(void **state)
{
    (void)state;
    gb_store *store = open_store();
    gb_store_source source = source_of("groups.csv");
    gb_store_ingest *ingest = NULL;
    int64_t done = 0;
    expect_ok(gb_store_ingest_begin(store, &source, &ingest, &done));
    for (int i = 0; i < 60; i++) {
        char name[16], lot[16];
        snprintf(name, sizeof name, "g%02d", i);
        snprintf(lot, sizeof lot, "lot%d", i / 6);
        gb_pair pair = {"lot", lot};
        gb_recording_info info = {.name = name, .pairs = &pair, .pair_count = 1};
        expect_ok(emit_small(gb_store_ingest_sink(ingest), &info, 1, 0));
    }
    gb_store_counts counts = {0};
    expect_ok(gb_store_ingest_commit(ingest, &counts, NULL, 0));
    expect_ok(gb_store_ingest_end(ingest, true));
    static const char *const splits[] = {"T", "V"};
    static const double shares[] = {0.5, 0.5};
    expect_ok(gb_store_split(store, NULL, splits, shares, 2, "lot", 3));
    char marks[100] = "";
    expect_ok(gb_store_list(store, NULL, gather_splits, marks));
    for (int i = 0; i < 60; i++)
        assert_int_equal(marks[i], marks[i - i % 6]);
    assert_non_null(strchr(marks, 'T'));
    assert_non_null(strchr(marks, 'V'));
    gb_store_close(store);
}

static int files_in(const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", store_path, name);
    DIR *inside = opendir(path);
    int count = -2; /* . and .. */
    assert_non_null(inside);
    while (readdir(inside))
        count++;
    closedir(inside);
    return count;
}

static void frees_what_nobody_owns(void **state)
{
    (void)state;
    static const char *const names[] = {"keep", "drop"};
    gb_store *store = open_store();
    expect_ok(ingest_names(store, "two.csv", names, 2, 10));
    gb_store_source source = source_of("running.csv");
    gb_store_ingest *running = NULL;
    int64_t done = 0, removed = 0;
    expect_ok(gb_store_ingest_begin(store, &source, &running, &done));
    gb_recording_info info = {.name = "soon"};
    expect_ok(emit_small(gb_store_ingest_sink(running), &info, 10, 0));
    char path[160];
    snprintf(path, sizeof path, "%s/recordings/stray.mcap", store_path);
    expect_ok(gb_file_replace(path, "stray", 5));
    snprintf(path, sizeof path, "%s/recordings/.ingest-gone12", store_path);
    expect_ok(gb_folder_create(path));
    snprintf(path, sizeof path, "%s/recordings/.ingest-gone12/0.mcap", store_path);
    expect_ok(gb_file_replace(path, "part", 4));
    snprintf(path, sizeof path, "%s/rejects/ingest-000099.csv", store_path);
    expect_ok(gb_file_replace(path, "part", 4));
    gb_store_query query = {.name = "drop"};
    expect_ok(gb_store_remove(store, &query, &removed));
    assert_int_equal(removed, 1);
    assert_int_equal(gb_store_remove(store, &query, &removed), GB_ERR_NOT_FOUND);
    assert_int_equal(expect_whole(store).leftovers, 5);
    gb_store_report report = {0};
    expect_ok(gb_store_gc(store, &report));
    assert_int_equal(report.leftovers, 5);
    assert_int_equal(files_in("recordings"), 2);
    assert_int_equal(files_in("rejects"), 0);
    gb_store_counts counts = {0};
    expect_ok(gb_store_ingest_commit(running, &counts, NULL, 0));
    expect_ok(gb_store_ingest_end(running, true));
    assert_int_equal(count_recordings(store), 2);
    assert_int_equal(expect_whole(store).leftovers, 0);
    gb_store_close(store);
    assert_int_equal(files_in("."), 4); /* catalogue, recordings, rejects, audit: nothing else */
}

static gb_status copy_path(void *context, const gb_store_entry *entry)
{
    snprintf(context, 256, "%s/%s", store_path, entry->file);
    return GB_OK;
}

static void finds_what_was_changed(void **state)
{
    (void)state;
    static const char *const names[] = {"only"};
    char path[256] = "";
    gb_store *store = open_store();
    expect_ok(ingest_names(store, "only.csv", names, 1, 100));
    expect_ok(gb_store_list(store, NULL, copy_path, path));
    gb_arena *arena = NULL;
    char *whole = NULL;
    size_t size = 0;
    gb_store_report report;
    expect_ok(gb_arena_create(0, &arena));
    expect_ok(gb_file_read(path, 0, arena, &whole, &size));
    for (size_t at = 0; at < size; at += 97) { /* any byte */
        whole[at] ^= 1;
        expect_ok(gb_file_replace(path, whole, size));
        assert_int_equal(gb_store_verify(store, NULL, NULL, &report), GB_ERR_CORRUPT);
        assert_int_equal(report.wrong, 1);
        whole[at] ^= 1;
    }
    expect_ok(gb_file_replace(path, whole, size - 1));
    assert_int_equal(gb_store_verify(store, NULL, NULL, &report), GB_ERR_CORRUPT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(gb_store_verify(store, NULL, NULL, &report), GB_ERR_CORRUPT);
    assert_non_null(strstr(gb_error_message(), "missing"));
    expect_ok(gb_file_replace(path, whole, size));
    expect_whole(store);
    char log[128];
    snprintf(log, sizeof log, "%s/audit.jsonl", store_path);
    assert_int_equal(truncate(log, 0), 0);
    assert_int_equal(gb_store_verify(store, NULL, NULL, &report), GB_ERR_CORRUPT);
    gb_arena_destroy(arena);
    gb_store_close(store);
}

static void enforces_labels(void **state)
{
    (void)state;
    char site_path[128], out[128];
    snprintf(site_path, sizeof site_path, "%s/site.yaml", folder);
    snprintf(out, sizeof out, "%s/out", folder);
    static const char text[] = "name: here\nresidency: [JP]\npurposes: [inspect, train]\n";
    expect_ok(gb_file_replace(site_path, text, sizeof text - 1));
    setenv("GENBA_SITE", site_path, 1);
    gb_store *store = open_store();
    gb_store_source source = source_of("labels.csv");
    gb_store_ingest *ingest = NULL;
    int64_t done = 0;
    expect_ok(gb_store_ingest_begin(store, &source, &ingest, &done));
    gb_recording_info home = {.name = "home", .residency = "JP"};
    gb_recording_info away = {.name = "away", .residency = "DE"};
    expect_ok(emit_small(gb_store_ingest_sink(ingest), &home, 5, 0));
    expect_ok(emit_small(gb_store_ingest_sink(ingest), &away, 5, 0));
    gb_store_counts counts = {0};
    expect_ok(gb_store_ingest_commit(ingest, &counts, NULL, 0));
    expect_ok(gb_store_ingest_end(ingest, true));
    gb_dataset *dataset = NULL;
    gb_store_query query = {.name = "home"};
    expect_ok(gb_store_load(store, &query, NULL, 0, GB_USE_TRAIN, NULL, &dataset));
    gb_sink *sink = NULL;
    expect_ok(gb_dataset_sink_create(dataset, &sink));
    assert_int_equal(gb_store_emit(store, "away", NULL, 0, GB_USE_INSPECT, sink), GB_ERR_REFUSED);
    gb_sink_destroy(sink);
    gb_dataset_destroy(dataset);
    assert_int_equal(gb_store_load(store, NULL, NULL, 0, GB_USE_TRAIN, NULL, &dataset),
                     GB_ERR_REFUSED);
    assert_int_equal(gb_store_export(store, &query, out), GB_ERR_REFUSED);
    gb_store_close(store);
    unsetenv("GENBA_SITE");
    char log[128], *lines = NULL;
    gb_arena *arena = NULL;
    expect_ok(gb_arena_create(0, &arena));
    snprintf(log, sizeof log, "%s/audit.jsonl", store_path);
    expect_ok(gb_file_read(log, 0, arena, &lines, NULL));
    int refusals = 0;
    for (const char *at = lines; (at = strstr(at, "\"refuse\"")); at++)
        refusals++;
    assert_int_equal(refusals, 3);
    gb_arena_destroy(arena);
}

static void exports_and_adds(void **state)
{
    (void)state;
    static const char *const names[] = {"set/one", "set/two"};
    char out[128], path[256];
    snprintf(out, sizeof out, "%s/out", folder);
    gb_store *store = open_store();
    expect_ok(ingest_names(store, "set.csv", names, 2, 20));
    expect_ok(gb_store_export(store, NULL, out));
    assert_int_equal(gb_store_export(store, NULL, out), GB_ERR_ARGUMENT);
    gb_store_close(store);
    snprintf(store_path, sizeof store_path, "%s/second", folder);
    store = open_store();
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s.mcap", out, names[i]);
        expect_ok(gb_store_add(store, path));
        assert_int_equal(gb_store_add(store, path), GB_ERR_ARGUMENT);
    }
    assert_int_equal(count_recordings(store), 2);
    assert_int_equal(expect_whole(store).leftovers, 0);
    gb_store_close(store);
}

static void keeps_secrets(void **state)
{
    (void)state;
    static const char *const names[] = {"secret"};
    char key[128], wrong[128], path[256] = "", *bytes = NULL;
    size_t size = 0;
    snprintf(key, sizeof key, "%s/key", folder);
    snprintf(wrong, sizeof wrong, "%s/wrong", folder);
    expect_ok(gb_key_create(key));
    expect_ok(gb_key_create(wrong));
    gb_store_options options = {.key_path = key};
    assert_int_equal(gb_store_init(store_path, true, NULL), GB_ERR_ARGUMENT);
    expect_ok(gb_store_init(store_path, true, &options));
    gb_store *store = NULL;
    expect_ok(gb_store_open(store_path, &options, &store));
    expect_ok(ingest_names(store, "secret.csv", names, 1, 1000));
    expect_whole(store);
    gb_dataset *dataset = NULL;
    expect_ok(gb_store_load(store, NULL, NULL, 0, GB_USE_TRAIN, NULL, &dataset));
    assert_int_equal(gb_recording_stream(gb_dataset_get(dataset, 0), 0)->count, 1000);
    gb_dataset_destroy(dataset);
    expect_ok(gb_store_list(store, NULL, copy_path, path));
    gb_store_close(store);
    gb_arena *arena = NULL;
    expect_ok(gb_arena_create(0, &arena));
    expect_ok(gb_file_read(path, 0, arena, &bytes, &size));
    for (size_t i = 0; i + 6 < size; i++)
        assert_memory_not_equal(bytes + i, "secret", 6);
    gb_arena_destroy(arena);
    options.key_path = wrong;
    assert_int_equal(gb_store_open(store_path, &options, &store), GB_ERR_ARGUMENT);
    expect_ok(gb_store_open(store_path, NULL, &store)); /* the list needs no key, the samples do */
    assert_int_equal(count_recordings(store), 1);
    assert_int_equal(gb_store_load(store, NULL, NULL, 0, GB_USE_TRAIN, NULL, &dataset),
                     GB_ERR_ARGUMENT);
    gb_store_close(store);
}

/* ---- made for nothing ---- */

static void empty_is_taken_back_and_only_that(void **state)
{
    (void)state;
    char above[80], deep[96], file[128], missing[128];
    snprintf(above, sizeof above, "%s/above", folder);
    snprintf(deep, sizeof deep, "%s/more/store//", above);
    expect_ok(gb_folder_missing(deep, missing, sizeof missing));
    assert_string_equal(missing, above);
    expect_ok(gb_store_init(deep, false, NULL));
    assert_false(gb_store_unmake(deep, "")); /* it was there before */
    assert_true(gb_store_is(deep));
    snprintf(file, sizeof file, "%s/more/store/notes.txt", above);
    expect_ok(gb_file_replace(file, "mine", 4));
    assert_false(gb_store_unmake(deep, missing)); /* another's file is in it */
    assert_true(gb_store_is(deep));
    unlink(file);
    snprintf(file, sizeof file, "%s/notes.txt", above);
    expect_ok(gb_file_replace(file, "mine", 4));
    assert_true(gb_store_unmake(deep, missing));
    assert_true(gb_file_exists(file)); /* and the folder it lies in stays */
    snprintf(file, sizeof file, "%s/more", above);
    assert_false(gb_file_exists(file));
    expect_ok(gb_folder_missing(folder, missing, sizeof missing));
    assert_string_equal(missing, "");
    assert_int_equal(gb_folder_missing(deep, missing, 8), GB_ERR_ARGUMENT);
}

static void a_store_with_something_in_it_is_not_taken_back(void **state)
{
    (void)state;
    static const char *const names[] = {"a"};
    char missing[128];
    expect_ok(gb_folder_missing(store_path, missing, sizeof missing));
    gb_store *store = open_store();
    expect_ok(ingest_names(store, "first.csv", names, 1, 5));
    gb_store_close(store);
    assert_false(gb_store_unmake(store_path, missing));
    store = open_store();
    assert_int_equal(expect_whole(store).recordings, 1);
    gb_store_close(store);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        TEST(gives_back_what_went_in),
        TEST(empty_is_taken_back_and_only_that),
        TEST(a_store_with_something_in_it_is_not_taken_back),
        TEST(lists_what_matches),
        TEST(refuses_names_that_are_taken),
        TEST(takes_names_of_any_kind),
        TEST(continues_where_it_stopped),
        TEST(splits_the_same_way_each_time),
        TEST(keeps_groups_together),
        TEST(frees_what_nobody_owns),
        TEST(finds_what_was_changed),
        TEST(enforces_labels),
        TEST(exports_and_adds),
        TEST(keeps_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
