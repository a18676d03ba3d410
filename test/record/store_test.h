/* What the tests of stores share: a folder, small recordings, and what must be true afterwards. */
#ifndef TEST_RECORD_STORE_TEST_H
#define TEST_RECORD_STORE_TEST_H

#include "genba/store.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64], store_path[96];

static inline void expect_ok(gb_status status)
{
    if (status != GB_OK)
        fail_msg("%s: %s", gb_status_name(status), gb_error_message());
}

static inline int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline int make_folder(void **state)
{
    (void)state;
    unsetenv("GENBA_SITE");
    unsetenv("GENBA_KEY");
    snprintf(folder, sizeof folder, "/tmp/genba-store-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(store_path, sizeof store_path, "%s/store", folder);
    return 0;
}

static inline int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline gb_store *open_store(void)
{
    gb_store *store = NULL;
    if (!gb_store_is(store_path))
        expect_ok(gb_store_init(store_path, false, NULL));
    expect_ok(gb_store_open(store_path, NULL, &store));
    return store;
}

static inline gb_store_source source_of(const char *path)
{
    return (gb_store_source){.path = path,
                             .checksum = "",
                             .bytes = 1000,
                             .map = "m",
                             .map_text = "name: m",
                             .policy = ""};
}

/* A recording of two streams: "x" with `samples` samples from `first` on, "label" with one text. */
static inline gb_status
emit_small(gb_sink *sink, const gb_recording_info *info, int64_t samples, float first)
{
    static const unsigned char text[] = "good part";
    const unsigned char *run = text;
    size_t size = 9;
    int recording = -1, x = -1, label = -1;
    gb_stream_spec spec = gb_stream_spec_defaults("x"), word = gb_stream_spec_defaults("label");
    word.kind = GB_STREAM_TEXT;
    word.value_type = GB_VALUE_BYTES;
    GB_TRY(gb_sink_begin(sink, info, &recording));
    gb_status status = gb_sink_stream(sink, recording, &spec, &x);
    if (status == GB_OK)
        status = gb_sink_stream(sink, recording, &word, &label);
    for (int64_t i = 0; status == GB_OK && i < samples; i++) {
        int64_t time_ns = i * 1000000;
        float value = first + (float)i;
        uint8_t quality = i % 7 == 6 ? GB_QUALITY_BAD : GB_QUALITY_GOOD;
        gb_samples one = {.count = 1, .time_ns = &time_ns, .values = &value, .quality = &quality};
        status = gb_sink_append(sink, recording, x, &one);
    }
    int64_t zero = 0;
    gb_samples words = {.count = 1, .time_ns = &zero, .runs = &run, .run_sizes = &size};
    if (status == GB_OK)
        status = gb_sink_append(sink, recording, label, &words);
    if (status == GB_OK)
        status = gb_sink_end(sink, recording);
    if (status != GB_OK)
        gb_sink_abandon(sink, recording);
    return status;
}

/* One ingest with recordings of these names, committed and finished. */
static inline gb_status ingest_names(
    gb_store *store, const char *source, const char *const *names, int count, int64_t samples)
{
    gb_store_source from = source_of(source);
    gb_store_ingest *ingest = NULL;
    int64_t done = 0;
    GB_TRY(gb_store_ingest_begin(store, &from, &ingest, &done));
    gb_status status = GB_OK;
    for (int i = 0; status == GB_OK && i < count; i++) {
        gb_recording_info info = {.name = names[i], .owner = "acme", .residency = ""};
        status = emit_small(gb_store_ingest_sink(ingest), &info, samples, (float)i);
    }
    gb_store_counts counts = {.rows_read = samples, .rows_stored = samples, .source_to = 1000};
    if (status == GB_OK)
        status = gb_store_ingest_commit(ingest, &counts, NULL, 0);
    gb_status ended = gb_store_ingest_end(ingest, status == GB_OK);
    return status == GB_OK ? ended : status;
}

static inline gb_status count_entry(void *context, const gb_store_entry *entry)
{
    (void)entry;
    ++*(int64_t *)context;
    return GB_OK;
}

static inline int64_t count_recordings(gb_store *store)
{
    int64_t count = 0;
    expect_ok(gb_store_list(store, NULL, count_entry, &count));
    return count;
}

static inline gb_store_report expect_whole(gb_store *store)
{
    gb_store_report report = {0};
    expect_ok(gb_store_verify(store, NULL, NULL, &report));
    assert_int_equal(report.wrong, 0);
    return report;
}

#endif
