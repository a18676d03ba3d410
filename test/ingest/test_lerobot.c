/* LeRobot data sets that others recorded, by the committed maps: counts, times, names, and
 * checksums that pyarrow computed of the very same files. */
#include "genba/ingest.h"
#include "genba/sink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Reads GENBA_DATA/folder by examples/maps/map.yaml; NULL: skip. */
static gb_dataset *ingest(const char *map_name, const char *folder, gb_ingest_report *report)
{
    const char *root = getenv("GENBA_DATA");
    char path[4096], map_path[4096];
    snprintf(map_path, sizeof map_path, GENBA_SOURCE_DIR "/examples/maps/%s.yaml", map_name);
    snprintf(path, sizeof path, "%s/%s", root ? root : "", folder);
    gb_stream_map *map = NULL;
    if (gb_stream_map_load(map_path, &map) != GB_OK)
        fail_msg("%s", gb_error_message());
    gb_dataset *dataset = NULL;
    memset(report, 0, sizeof *report);
    if (!root || !gb_file_exists(path))
        print_message("%s is not there: set GENBA_DATA to the folder that has it\n", folder);
    else if (gb_ingest_folder(map, path, NULL, report, &dataset) != GB_OK)
        fail_msg("%s", gb_error_message());
    gb_stream_map_destroy(map);
    return dataset;
}

/* Sum over all recordings of bits x (place in the recording, from 1), modulo 2^64: no two values
 * can change places unseen. */
static uint64_t checksum(const gb_dataset *dataset, const char *stream)
{
    uint64_t sum = 0;
    for (int64_t r = 0; r < gb_dataset_count(dataset); r++) {
        const gb_recording *recording = gb_dataset_get(dataset, r);
        const gb_stream_view *view =
            gb_recording_stream(recording, gb_recording_find(recording, stream));
        assert_non_null(view);
        for (int64_t i = 0; i < view->count * view->size; i++) {
            uint32_t bits;
            memcpy(&bits, &view->values[i], 4);
            sum += (uint64_t)bits * (uint64_t)(i + 1);
        }
    }
    return sum;
}

static const gb_stream_view *stream_of(const gb_dataset *dataset, int64_t number, const char *name)
{
    const gb_recording *recording = gb_dataset_get(dataset, number);
    int stream = gb_recording_find(recording, name);
    return stream >= 0 ? gb_recording_stream(recording, stream) : NULL;
}

static void version_21(void **state)
{
    (void)state;
    gb_ingest_report report;
    gb_dataset *dataset = ingest("lerobot_g1", "lerobot_v21_g1", &report);
    if (!dataset)
        skip();
    assert_int_equal(gb_dataset_count(dataset), 100);
    assert_int_equal(report.rows_read, 35965);
    assert_int_equal(report.rows_stored, 35965);
    assert_int_equal(report.rows_rejected, 0);
    assert_int_equal(report.period_ns, 33333333);
    assert_true(checksum(dataset, "observation.state") == 0x64ad1efaff7ab160);
    assert_true(checksum(dataset, "action") == 0x652c0b24f1621cca);
    const gb_recording_info *info = gb_recording_get_info(gb_dataset_get(dataset, 7));
    assert_string_equal(info->name, "g1/episode_000007");
    assert_string_equal(info->instruction, "Pick up the yellow bottle on the table.");
    assert_string_equal(gb_pair_find(info->pairs, info->pair_count, "lerobot.episode_index"), "7");
    const gb_stream_view *view = stream_of(dataset, 7, "observation.state");
    assert_int_equal(view->size, 26);
    assert_string_equal(view->spec->labels[3], "kLeftElbow");
    assert_int_equal(view->spec->kind, GB_STREAM_VECTOR);
    assert_int_equal(stream_of(dataset, 7, "action")->spec->kind, GB_STREAM_ACTION);
    assert_int_equal(view->time_ns[0], 0);
    assert_int_equal(view->time_ns[1], 33333333);
    assert_int_equal(view->time_ns[30], 1000000000);
    assert_true(view->ordered && view->clean);
#ifdef GENBA_WITH_LIBAV /* three videos are there: of episodes 1, 2 and 4 */
    assert_null(stream_of(dataset, 7, "observation.images.cam_high"));
    const gb_stream_view *video = stream_of(dataset, 1, "observation.images.cam_high");
    view = stream_of(dataset, 1, "observation.state");
    assert_string_equal(video->spec->encoding, "av1");
    assert_int_equal(video->count, view->count);
    assert_memory_equal(video->time_ns, view->time_ns, (size_t)view->count * 8);
    assert_int_equal(video->spec->shape[0], 480);
    assert_non_null(gb_pair_find(video->spec->pairs, video->spec->pair_count, "video.extradata"));
#endif
    gb_dataset_destroy(dataset);
}

static void version_3(void **state)
{
    (void)state;
    static const int64_t lengths[] = {373, 374, 372, 373};
    gb_ingest_report report;
    gb_dataset *dataset = ingest("lerobot_so101", "lerobot_v3_so101", &report);
    if (!dataset)
        skip();
    assert_int_equal(gb_dataset_count(dataset), 4);
    assert_int_equal(report.rows_stored, 1492);
    assert_int_equal(report.rows_read, 1492);
    for (int64_t e = 0; e < 4; e++)
        assert_int_equal(stream_of(dataset, e, "action")->count, lengths[e]);
    assert_true(checksum(dataset, "observation.state") == 0x49b353b1a1d585);
    assert_true(checksum(dataset, "action") == 0x49f81e40cffc9e);
    const gb_recording_info *info = gb_recording_get_info(gb_dataset_get(dataset, 3));
    assert_string_equal(info->name, "so101/episode_000003");
    assert_string_equal(info->instruction, "Pick the orange cube and place it in the box");
    assert_int_equal(stream_of(dataset, 3, "action")->time_ns[372], 12400000000);
    gb_dataset_destroy(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_21),
        cmocka_unit_test(version_3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
