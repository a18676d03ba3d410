/* LeRobot data sets written here and read back by the reader: recordings of our own with pictures,
 * tasks and several files, and the real data sets value for value, video packet for packet. */
#include "genba/ingest.h"
#include "record/video.h"

#include "base/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define assert_done(call)                                                                          \
    do {                                                                                           \
        if ((call) != GB_OK)                                                                       \
            fail_msg("%s", gb_error_message());                                                    \
    } while (0)

#define SIDE 64

/* A folder of this test alone, empty. */
static void fresh(char path[256], const char *name)
{
    char command[512];
    snprintf(path, 256, "test_lerobot_write.%s", name);
    snprintf(command, sizeof command, "rm -rf %s", path);
    assert_int_equal(system(command), 0);
}

static gb_dataset *read_back(const char *folder, gb_ingest_report *report)
{
    static const char text[] = "name: back\nreader: lerobot\nfiles: [meta/info.json]\n";
    gb_stream_map *map = NULL;
    gb_dataset *dataset = NULL;
    memset(report, 0, sizeof *report);
    assert_done(gb_stream_map_parse(text, sizeof text - 1, "back.yaml", &map));
    assert_done(gb_ingest_folder(map, folder, NULL, report, &dataset));
    gb_stream_map_destroy(map);
    return dataset;
}

static const gb_stream_view *stream_of(const gb_dataset *dataset, int64_t number, const char *name)
{
    const gb_recording *recording = gb_dataset_get(dataset, number);
    int stream = gb_recording_find(recording, name);
    return stream >= 0 ? gb_recording_stream(recording, stream) : NULL;
}

/* ---- recordings of our own --------------------------------------------------------------------
 */

#define LENGTH(episode) (20 + 3 * (episode))

static int
declare(gb_sink *sink, int recording, const char *name, gb_stream_kind kind, int64_t size)
{
    gb_stream_spec spec = gb_stream_spec_defaults(name);
    int stream = 0;
    spec.kind = kind;
    spec.rate_hz = kind == GB_STREAM_ACTION ? 10 : 0;
    spec.rank = size > 0;
    spec.shape[0] = size;
    if (kind == GB_STREAM_IMAGE) {
        spec.value_type = GB_VALUE_U8;
        spec.rank = 3;
        spec.shape[0] = spec.shape[1] = SIDE;
        spec.shape[2] = 3;
    }
    if (kind == GB_STREAM_TEXT) {
        spec.value_type = GB_VALUE_BYTES;
        spec.encoding = "utf-8";
        spec.semantic = "instruction";
    }
    assert_done(gb_sink_stream(sink, recording, &spec, &stream));
    return stream;
}

static void put(gb_sink *sink, int recording, int stream, int64_t time_ns, const void *values)
{
    gb_samples samples = {.count = 1, .time_ns = &time_ns, .values = values};
    assert_done(gb_sink_append(sink, recording, stream, &samples));
}

static void put_task(gb_sink *sink, int recording, int stream, int64_t time_ns, const char *text)
{
    const unsigned char *run = (const unsigned char *)text;
    size_t size = strlen(text);
    gb_samples samples = {.count = 1, .time_ns = &time_ns, .runs = &run, .run_sizes = &size};
    assert_done(gb_sink_append(sink, recording, stream, &samples));
}

/* Ten rows a second; the angle comes at 20 Hz and with jitter, the temperature once a second. */
static gb_status make_episode(gb_sink *sink, int episode, bool pictures, bool more)
{
    static unsigned char rgb[SIDE * SIDE * 3];
    char name[32];
    int recording = 0;
    snprintf(name, sizeof name, "own/%d", episode);
    gb_recording_info info = {.name = name, .instruction = "sort the parts"};
    assert_done(gb_sink_begin(sink, &info, &recording));
    int action = declare(sink, recording, "target", GB_STREAM_ACTION, 2);
    int angle = declare(sink, recording, "arm.angle", GB_STREAM_VECTOR, 3);
    int heat = declare(sink, recording, "motor.temperature", GB_STREAM_SCALAR, 0);
    int camera = pictures ? declare(sink, recording, "cam/front", GB_STREAM_IMAGE, 0) : -1;
    int task = declare(sink, recording, "task", GB_STREAM_TEXT, 0);
    if (more)
        declare(sink, recording, "surplus", GB_STREAM_SCALAR, 0);
    for (int r = 0; r < LENGTH(episode); r++) {
        int64_t now = 5000000000 + r * INT64_C(100000000);
        float command[2] = {(float)r, (float)episode}, angles[3] = {(float)r, 1, -(float)r};
        float degrees = (float)(20 + r / 10);
        put(sink, recording, action, now, command);
        put(sink, recording, angle, now + (r > 0 ? (r % 3 - 1) * 20000000 : 0), angles);
        if (r % 10 == 0)
            put(sink, recording, heat, now, &degrees);
        memset(rgb, 10 * (r % 20) + 20, sizeof rgb);
        if (pictures)
            put(sink, recording, camera, now, rgb);
        if (r == 12 && episode == 1)
            put_task(sink, recording, task, now, "now pack them");
    }
    gb_status status = gb_sink_end(sink, recording);
    if (status != GB_OK)
        gb_sink_abandon(sink, recording);
    return status;
}

static void check_own(const gb_dataset *dataset, int episodes)
{
    assert_int_equal(gb_dataset_count(dataset), episodes);
    for (int e = 0; e < episodes; e++) {
        const gb_stream_view *action = stream_of(dataset, e, "action");
        const gb_stream_view *state = stream_of(dataset, e, "observation.state");
        int64_t rows = state->count;
        assert_int_equal(rows, LENGTH(e));
        assert_int_equal(action->count, rows);
        assert_int_equal(state->size, 4);
        assert_string_equal(state->spec->labels[0], "arm.angle.0");
        assert_string_equal(state->spec->labels[3], "motor.temperature");
        for (int64_t r = 0; r < rows; r++) {
            assert_int_equal(action->time_ns[r], r * 100000000);
            assert_true(action->values[2 * r] == (float)r);
            assert_true(action->values[2 * r + 1] == (float)e);
            assert_true(state->values[4 * r] == (float)r);
            assert_true(state->values[4 * r + 2] == -(float)r);
            assert_true(state->values[4 * r + 3] == (float)(20 + r / 10));
        }
        const gb_recording_info *info = gb_recording_get_info(gb_dataset_get(dataset, e));
        assert_string_equal(info->instruction, "sort the parts");
    }
    const gb_stream_view *task = stream_of(dataset, 1, "task");
    assert_int_equal(task->count, 2);
    assert_int_equal(task->time_ns[1], 1200000000);
    assert_memory_equal(task->raw + task->offset[1], "now pack them", 13);
}

static double number_at(const json_t *root, const char *feature, const char *stat, size_t i)
{
    const json_t *value = json_object_get(json_object_get(root, feature), stat);
    while (json_is_array(value)) {
        value = json_array_get(value, json_array_size(value) > i ? i : 0);
        i = 0;
    }
    assert_non_null(value);
    return json_number_value(value);
}

/* Episodes of 21, 21, 21 rows: what the statistics are can be computed by hand. */
static void check_stats(const char *folder)
{
    char path[512];
    json_t *root = NULL;
    snprintf(path, sizeof path, "%s/meta/stats.json", folder);
    assert_done(gb_json_open(path, 0, &root));
    assert_true(number_at(root, "action", "min", 0) == 0);
    assert_true(number_at(root, "action", "max", 0) == 20);
    assert_true(fabs(number_at(root, "action", "mean", 1) - 1) < 1e-12);
    assert_true(fabs(number_at(root, "action", "std", 1) - sqrt(2.0 / 3)) < 1e-12);
    assert_true(fabs(number_at(root, "action", "q50", 0) - 10) < 1e-12);
    assert_true(fabs(number_at(root, "action", "q01", 0) - 0.2) < 1e-12);
    assert_true(number_at(root, "index", "max", 0) == 62);
    assert_true(number_at(root, "action", "count", 0) == 63);
    json_decref(root);
}

static void own(void **state)
{
    (void)state;
    char folder[256];
    gb_sink *sink = NULL;
    gb_ingest_report report;
    fresh(folder, "own");
    gb_lerobot_options options = gb_lerobot_options_defaults();
    options.videos = false;
    options.data_file_bytes = 1; /* each episode in a file of its own, */
    options.chunk_files = 2;     /* two files a chunk */
    assert_done(gb_lerobot_export_begin(folder, &options, &sink));
    for (int e = 0; e < 4; e++)
        assert_done(make_episode(sink, e, true, false));
    assert_done(gb_lerobot_export_finish(sink));
    char path[512];
    snprintf(path, sizeof path, "%s/data/chunk-001/file-000.parquet", folder);
    assert_true(gb_file_exists(path));
    gb_dataset *dataset = read_back(folder, &report);
    assert_int_equal(report.rows_stored, 20 + 23 + 26 + 29);
    assert_int_equal(report.rows_rejected, 0);
    check_own(dataset, 4);
    gb_dataset_destroy(dataset);
    gb_sink *again = NULL;
    assert_int_equal(gb_lerobot_export_begin(folder, NULL, &again), GB_ERR_ARGUMENT);
}

static void own_with_pictures(void **state)
{
    (void)state;
    char folder[256];
    gb_sink *sink = NULL;
    gb_ingest_report report;
    fresh(folder, "pictures");
    assert_done(gb_lerobot_export_begin(folder, NULL, &sink));
    gb_status status = make_episode(sink, 0, true, false);
    if (status == GB_ERR_UNSUPPORTED) {
        print_message("%s\n", gb_error_message());
        gb_sink_destroy(sink);
        skip();
    }
    assert_done(status);
    for (int e = 1; e < 4; e++)
        assert_done(make_episode(sink, e, true, false));
    assert_done(gb_lerobot_export_finish(sink));
    gb_dataset *dataset = read_back(folder, &report);
    check_own(dataset, 4);
    for (int e = 0; e < 4; e++) { /* the grey of each frame, through encoder and decoder */
        const gb_stream_view *view = stream_of(dataset, e, "observation.images.cam_front");
        assert_non_null(view);
        gb_video *video = NULL;
        unsigned char rgb[SIDE * SIDE * 3];
        assert_int_equal(view->count, stream_of(dataset, e, "action")->count);
        assert_done(gb_video_open_stream(view, &video));
        for (int64_t f = view->count - 1; f >= 0; f -= 3) {
            assert_done(gb_video_read(video, f, rgb));
            assert_true(abs(rgb[999] - (int)(10 * (f % 20) + 20)) <= 4);
        }
        gb_video_close(video);
    }
    gb_dataset_destroy(dataset);
}

static void statistics(void **state)
{
    (void)state;
    char folder[256];
    gb_sink *sink = NULL;
    gb_recording_info info = {.name = "x"};
    fresh(folder, "stats");
    assert_done(gb_lerobot_export_begin(folder, NULL, &sink));
    for (int e = 0; e < 3; e++) {
        int recording = 0;
        assert_done(gb_sink_begin(sink, &info, &recording));
        int action = declare(sink, recording, "action", GB_STREAM_ACTION, 2);
        for (int r = 0; r < 21; r++) {
            float command[2] = {(float)r, (float)e};
            put(sink, recording, action, r * INT64_C(100000000), command);
        }
        assert_done(gb_sink_end(sink, recording));
    }
    assert_done(gb_lerobot_export_finish(sink));
    check_stats(folder);
}

static void what_does_not_fit(void **state)
{
    (void)state;
    char folder[256], path[512];
    gb_sink *sink = NULL;
    fresh(folder, "misfit");
    gb_lerobot_options options = gb_lerobot_options_defaults();
    options.video_codec = "theora";
    assert_int_equal(gb_lerobot_export_begin(folder, &options, &sink), GB_ERR_ARGUMENT);
    options = gb_lerobot_options_defaults();
    options.videos = false;
    assert_done(gb_lerobot_export_begin(folder, &options, &sink));
    assert_done(make_episode(sink, 1, false, false));
    assert_int_equal(make_episode(sink, 2, false, true), GB_ERR_MISMATCH);
    assert_done(make_episode(sink, 3, false, false)); /* nothing was written of the misfit */
    gb_sink_destroy(sink);
    snprintf(path, sizeof path, "%s/meta/info.json", folder);
    assert_false(gb_file_exists(path));
    fresh(folder, "empty");
    assert_done(gb_lerobot_export_begin(folder, NULL, &sink));
    assert_int_equal(gb_lerobot_export_finish(sink), GB_ERR_NOT_FOUND);
}

/* ---- the real ones ----------------------------------------------------------------------------
 */

static gb_dataset *ingest(const char *map_name, const char *folder)
{
    const char *root = getenv("GENBA_DATA");
    char path[4096], map_path[4096];
    snprintf(map_path, sizeof map_path, GENBA_SOURCE_DIR "/examples/maps/%s.yaml", map_name);
    snprintf(path, sizeof path, "%s/%s", root ? root : "", folder);
    gb_stream_map *map = NULL;
    gb_dataset *dataset = NULL;
    assert_done(gb_stream_map_load(map_path, &map));
    if (!root || !gb_file_exists(path))
        print_message("%s is not there: set GENBA_DATA to the folder that has it\n", folder);
    else
        assert_done(gb_ingest_folder(map, path, NULL, NULL, &dataset));
    gb_stream_map_destroy(map);
    return dataset;
}

static void same_stream(const gb_stream_view *a, const gb_stream_view *b)
{
    assert_non_null(b);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->spec->kind, b->spec->kind);
    assert_memory_equal(a->time_ns, b->time_ns, (size_t)a->count * 8);
    if (a->values)
        assert_memory_equal(a->values, b->values, (size_t)(a->count * a->size) * 4);
    else
        assert_memory_equal(a->raw, b->raw, (size_t)a->offset[a->count]);
    for (int64_t i = 0; a->spec->labels && i < a->size; i++)
        assert_string_equal(a->spec->labels[i], b->spec->labels[i]);
}

/* Every stream of every recording comes back as it was. only: NULL, or the numbers wanted, -1. */
static void round_trip(const gb_dataset *from, const char *name, bool videos, const int *only)
{
    char folder[256];
    gb_sink *sink = NULL;
    gb_ingest_report report;
    gb_lerobot_options options = gb_lerobot_options_defaults();
    int64_t count = 0, numbers[128];
    for (; only ? only[count] >= 0 : count < gb_dataset_count(from); count++)
        numbers[count] = only ? only[count] : count;
    fresh(folder, name);
    options.videos = videos;
    assert_done(gb_lerobot_export_begin(folder, &options, &sink));
    for (int64_t e = 0; e < count; e++)
        assert_done(gb_recording_emit(gb_dataset_get(from, numbers[e]), sink));
    assert_done(gb_lerobot_export_finish(sink));
    gb_dataset *back = read_back(folder, &report);
    assert_int_equal(gb_dataset_count(back), count);
    for (int64_t e = 0; e < count; e++) {
        const gb_recording *recording = gb_dataset_get(from, numbers[e]);
        for (int s = 0; s < gb_recording_stream_count(recording); s++) {
            const gb_stream_view *view = gb_recording_stream(recording, s);
            if (view->spec->kind != GB_STREAM_IMAGE || videos)
                same_stream(view, stream_of(back, e, view->spec->name));
        }
        assert_string_equal(gb_recording_get_info(recording)->instruction,
                            gb_recording_get_info(gb_dataset_get(back, e))->instruction);
    }
    gb_dataset_destroy(back);
}

static void so101(void **state)
{
    (void)state;
    gb_dataset *dataset = ingest("lerobot_so101", "lerobot_v3_so101");
    if (!dataset)
        skip();
    round_trip(dataset, "so101", true, NULL);
    gb_dataset_destroy(dataset);
}

static void g1(void **state)
{
    (void)state;
    static const int with_video[] = {1, 2, 4, -1};
    gb_dataset *dataset = ingest("lerobot_g1", "lerobot_v21_g1");
    if (!dataset)
        skip();
    round_trip(dataset, "g1", false, NULL);
    if (stream_of(dataset, 1, "observation.images.cam_high"))
        round_trip(dataset, "g1_video", true, with_video);
    gb_dataset_destroy(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own),        cmocka_unit_test(own_with_pictures),
        cmocka_unit_test(statistics), cmocka_unit_test(what_does_not_fit),
        cmocka_unit_test(so101),      cmocka_unit_test(g1),
    };
    setenv("SVT_LOG", "1", 0); /* so that the fast encoder is used, and silent */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
