/* Any bytes as lines of JSON or as a JSON document, by a map and guessed: a status with a message
 * or whole recordings; counts add up; segments make the same rows; what is JSON here is JSON for
 * jansson. The input's first byte chooses. */
#include "ingest/clean.h"
#include "ingest/guess_map.h"
#include "ingest/json_cells.h"
#include "ingest/jsonl.h"
#include "ingest/map.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STREAMS                                                                                    \
    "group: [g]\n"                                                                                 \
    "streams:\n"                                                                                   \
    "  - {name: v, columns: ['a.b[1]', 'a.c'], sentinels: [-9999]}\n"                              \
    "  - {name: n, columns: [t], kind: event, value_type: bytes}\n"                                \
    "  - {name: w, columns: [w], categories: ['on', 'off', 'true']}\n"                             \
    "  - {name: i, columns: ['[\"x.y\"]'], value_type: i32}\n"                                     \
    "  - {name: o, columns: [o], kind: text}\n"

static const char *const texts[] = {
    "name: f\nreader: jsonl\nfiles: ['*']\ntime: {column: t, format: epoch_s}\n" STREAMS,
    "name: f\nreader: jsonl\nfiles: ['*']\ncsv: {bad_cells: strict}\n" STREAMS,
    "name: f\nreader: json\nfiles: ['*']\nepisodes: 'e.*'\n" STREAMS,
    ("name: f\nreader: json\nfiles: ['*']\ntime: {column: '[0]'}\n"
     "streams: [{name: v, columns: ['[1]', '.'], value_type: f64}]\n"),
};
enum {
    MAPS = sizeof texts / sizeof *texts
};

static const gb_stream_map *map_of(int number)
{
    static gb_stream_map *maps[MAPS]; /* parsed once: the maps have a fuzzer of their own */
    if (!maps[number] && gb_stream_map_parse(texts[number], strlen(texts[number]), "fuzz.yaml",
                                             &maps[number]) != GB_OK)
        abort();
    return maps[number];
}

static gb_status read_by(const gb_source *source, const uint8_t *data, size_t size)
{
    if (strcmp(source->map->data->reader, "json") == 0) {
        json_t *root = NULL;
        GB_TRY(gb_json_parse("fuzz", (const char *)data, size, &root));
        gb_status status = gb_json_read_rows(source, root);
        json_decref(root);
        return status;
    }
    gb_input input;
    GB_TRY(gb_input_open_memory(data, size, "fuzz", "utf-8", &input));
    gb_status status = gb_jsonl_read(source, &input);
    gb_input_close(&input);
    return status;
}

static gb_status
read_all(int number, const uint8_t *data, size_t size, int64_t segment, gb_ingest_report *report)
{
    gb_ingest_options options = gb_ingest_options_defaults();
    gb_ingest_watch nobody = {0};
    gb_dataset *dataset = NULL;
    gb_sink *target = NULL, *clean = NULL;
    memset(report, 0, sizeof *report);
    options.line_limit_bytes = 2048;
    options.segment_bytes = segment;
    gb_source source = {.map = map_of(number),
                        .path = "fuzz",
                        .name = "fuzz",
                        .options = &options,
                        .report = report,
                        .watch = &nobody};
    if (gb_dataset_create(&dataset) != GB_OK || gb_dataset_sink_create(dataset, &target) != GB_OK ||
        gb_clean_create(source.map, &nobody, report, "fuzz", target, &clean) != GB_OK)
        abort();
    source.sink = clean;
    gb_status status = read_by(&source, data, size);
    if (report->rows_read != report->rows_stored + report->rows_rejected)
        abort();
    if (status != GB_OK && !gb_error_message()[0])
        abort();
    gb_sink_destroy(clean);
    gb_sink_destroy(target);
    int64_t rows = 0;
    for (int64_t r = 0; status == GB_OK && r < gb_dataset_count(dataset); r++)
        rows += gb_recording_stream(gb_dataset_get(dataset, r), 0)->count;
    if (status == GB_OK && (rows != report->rows_stored || rows == 0))
        abort();
    gb_dataset_destroy(dataset);
    return status;
}

static void guess(const uint8_t *data, size_t size)
{
    gb_ingest_options options = gb_ingest_options_defaults();
    gb_arena *arena = NULL;
    gb_sample sample;
    gb_stream_map *map = NULL;
    const char *yaml = NULL;
    if (gb_arena_create(0, &arena) != GB_OK)
        abort();
    if (gb_sample_decode(data, size, true, "fuzz.jsonl", arena, &sample) == GB_OK &&
        gb_guess_json(&sample, "fuzz.jsonl", &options, arena, &yaml) == GB_OK &&
        gb_stream_map_parse(yaml, strlen(yaml), "proposal", &map) != GB_OK)
        abort();
    gb_stream_map_destroy(map);
    gb_arena_destroy(arena);
}

/* jansson takes no more than is taken here, but for a wanted key that stands twice and for one zero
 * byte behind a number that is the whole document. */
static void compare(const uint8_t *data, size_t size)
{
    static const char *const path[] = {"\x01"};
    gb_arena *arena = NULL;
    gb_json_paths *paths = NULL;
    gb_span cell;
    uint32_t at;
    if (gb_arena_create(0, &arena) != GB_OK ||
        gb_json_paths_create(path, 1, arena, &paths) != GB_OK)
        abort();
    bool fine = gb_json_cut(paths, (const char *)data, 0, (uint32_t)size, &cell, &at);
    json_error_t error;
    json_t *read = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (json_is_number(read) && data[size - 1] == 0) {
        json_decref(read);
        read = NULL;
    }
    if (at > size || (read && !fine && !strstr((const char *)error.text, "depth"))) {
        /* jansson nests deeper */
        int depth = 0, most = 0;
        for (size_t i = 0; i < size; i++) {
            depth += data[i] == '[' || data[i] == '{';
            depth -= data[i] == ']' || data[i] == '}';
            most = depth > most ? depth : most;
        }
        if (at > size || most <= GB_JSON_DEPTH_MAX)
            abort();
    }
    json_decref(read);
    gb_arena_destroy(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gb_ingest_report whole, parts;
    if (size < 2 || size > 1 << 16)
        return 0;
    int number = data[0] % (MAPS + 2);
    data++;
    size--;
    if (number == MAPS) {
        guess(data, size);
    } else if (number == MAPS + 1) {
        compare(data, size);
    } else {
        gb_status once = read_all(number, data, size, 1 << 20, &whole);
        gb_status cut = read_all(number, data, size, 41, &parts);
        if (once != cut || whole.rows_read != parts.rows_read)
            abort();
        if (once == GB_OK && whole.rows_stored != parts.rows_stored)
            abort();
    }
    return 0;
}
