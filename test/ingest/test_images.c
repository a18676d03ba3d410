/* The images reader: pictures keep their bytes; VOC and COCO labels; duplicates, broken files,
 * boxes that reach out; NEU-DET whole. */
#include "ingest/kept.h"

#include "ingest/labels.h"

#include "record/picture.h"

#include <sys/stat.h>
#include <turbojpeg.h>
#include <unistd.h>

#define HERE "test_images_folder"

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
}

static void write_text(const char *path, const char *text)
{
    write_file(path, text, strlen(text));
}

/* A grey picture of 20 x 10 pixels of one brightness. */
static void write_picture(const char *path, int brightness, bool jpeg)
{
    unsigned char pixels[200], *data = NULL;
    memset(pixels, brightness, sizeof pixels);
    if (jpeg) {
        unsigned long size = 0;
        tjhandle writer = tjInitCompress();
        assert_int_equal(
            tjCompress2(writer, pixels, 20, 0, 10, TJPF_GRAY, &data, &size, TJSAMP_GRAY, 90, 0), 0);
        write_file(path, data, size);
        tjFree(data);
        tjDestroy(writer);
        return;
    }
    gb_picture picture = {20, 10, 1, pixels};
    size_t size = 0;
    assert_int_equal(gb_picture_encode_png(&picture, &data, &size), GB_OK);
    write_file(path, data, size);
    free(data);
}

#define BOX(name, a, b, c, d)                                                                      \
    "<object><name>" name "</name><part><name>inner</name><bndbox><xmin>1</xmin></bndbox></part>"  \
    "<bndbox><xmin>" #a "</xmin><ymin>" #b "</ymin><xmax>" #c "</xmax><ymax>" #d                   \
    "</ymax></bndbox></object>"
#define VOC(boxes)                                                                                 \
    "<annotation><size><width>20</width><height>10</height></size>" boxes "</annotation>"

/* p1 p2 p10: natural order; p3 is broken, p4 repeats p1, p10 is a PNG called .jpg. */
static void make_folder(void)
{
    mkdir(HERE, 0777);
    mkdir(HERE "/pictures", 0777);
    mkdir(HERE "/xml", 0777);
    write_picture(HERE "/pictures/p1.jpg", 40, true);
    write_picture(HERE "/pictures/p2.jpg", 80, true);
    write_text(HERE "/pictures/p3.jpg", "\xff\xd8\xff no more");
    write_picture(HERE "/pictures/p4.jpg", 40, true);
    write_picture(HERE "/pictures/p10.jpg", 120, false);
    write_text(HERE "/xml/p1.xml",
               VOC(BOX("dent", 1, 2, 9.5, 8) BOX("scratch &amp; co", 1, 1, 20, 10)));
    write_text(HERE "/xml/p2.xml", VOC(BOX("dent", 5, 2, 21, 8)));
    write_text(HERE "/xml/p4.xml", "<annotation><object></annotation>");
    write_text(HERE "/xml/p10.xml", VOC(""));
    write_text(HERE "/coco.json",
               "{\"images\":[{\"id\":7,\"file_name\":\"a/p2.jpg\",\"width\":20,\"height\":10},"
               "{\"id\":3,\"file_name\":\"p1.jpg\"},{\"id\":4,\"file_name\":\"p10.jpg\"}],"
               "\"categories\":[{\"id\":2,\"name\":\"dent\"},{\"id\":1,\"name\":\"hole\"}],"
               "\"annotations\":[{\"image_id\":7,\"category_id\":1,\"bbox\":[1,2,3.5,4]},"
               "{\"image_id\":3,\"category_id\":2,\"bbox\":[0,0,20,10]},"
               "{\"image_id\":7,\"category_id\":2,\"bbox\":[1,1,1,1],\"iscrowd\":1}]}");
}

static void remove_folder(void)
{
    static const char *const files[] = {"/pictures/p1.jpg", "/pictures/p2.jpg",  "/pictures/p3.jpg",
                                        "/pictures/p4.jpg", "/pictures/p10.jpg", "/xml/p1.xml",
                                        "/xml/p2.xml",      "/xml/p4.xml",       "/xml/p10.xml",
                                        "/coco.json"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[256];
        snprintf(path, sizeof path, HERE "%s", files[i]);
        remove(path);
    }
    rmdir(HERE "/pictures");
    rmdir(HERE "/xml");
    rmdir(HERE);
}

/* Runs through the listing of folders, as ingesting does. */
static gb_status run_folder(const char *map_text,
                            const char *path,
                            gb_bad_cells bad_cells,
                            gb_ingest_report *report,
                            capture *c)
{
    gb_stream_map *map = map_of(map_text);
    gb_ingest_options options = gb_ingest_options_defaults();
    options.bad_cells = bad_cells;
    gb_folder_files files = {0};
    gb_ingest_watch nobody = {0};
    memset(report, 0, sizeof *report);
    *c = (capture){.sink = {&capture_ops}};
    c->recordings = calloc(CAPTURE_RECORDINGS, sizeof *c->recordings);
    assert_non_null(c->recordings);
    gb_status status = gb_folder_list(map, path, &files);
    for (int64_t i = 0; status == GB_OK && i < files.count; i++) {
        gb_source source = {.map = map,
                            .path = files.files[i].path,
                            .name = files.files[i].name,
                            .parts = files.files[i].parts,
                            .part_count = files.files[i].part_count,
                            .options = &options,
                            .report = report,
                            .watch = &nobody,
                            .sink = &c->sink};
        status = gb_reader_find("images")->read(&source);
    }
    gb_folder_free(&files);
    gb_stream_map_destroy(map);
    return status;
}

static void check_run(const captured_stream *s, int64_t sample, const char *expected)
{
    int64_t from = sample > 0 ? s->ends[sample - 1] : 0;
    char found[1024];
    snprintf(found, sizeof found, "%.*s", (int)(s->ends[sample] - from), s->bytes + from);
    assert_string_equal(found, expected);
}

static const char voc_map[] = "name: t\nreader: images\nfiles: ['*.jpg']\n"
                              "labels: {format: voc, path: ../xml}\ntime: {period_s: 0.5}\n";

static void voc(void **state)
{
    (void)state;
    capture c;
    gb_ingest_report report;
    make_folder();
    if (run_folder(voc_map, HERE, GB_BAD_CELLS_AS_MAPPED, &report, &c) != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_int_equal(c.count, 1);
    assert_string_equal(c.recordings[0].name, "pictures");
    assert_true(report.rows_read == 5 && report.rows_stored == 4 && report.rows_rejected == 1);
    assert_true(report.rows_duplicated == 1 && report.cells_out_of_range == 1);
    assert_int_equal(report.cells_bad, 1); /* p4.xml */
    const captured_stream *jpeg = check_captured(&c, 0, "image", GB_STREAM_IMAGE, GB_VALUE_BYTES);
    const captured_stream *png =
        check_captured(&c, 0, "image.png", GB_STREAM_IMAGE, GB_VALUE_BYTES);
    assert_true(jpeg->count == 3 && png->count == 1);
    assert_string_equal(jpeg->encoding, "jpeg");
    gb_arena *arena = NULL;
    char *bytes = NULL;
    size_t size = 0;
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    assert_int_equal(gb_file_read(HERE "/pictures/p10.jpg", 0, arena, &bytes, &size), GB_OK);
    assert_int_equal(png->size, size);
    assert_memory_equal(png->bytes, bytes, size);
    gb_arena_destroy(arena);
    const captured_stream *file = check_captured(&c, 0, "file", GB_STREAM_TEXT, GB_VALUE_BYTES);
    check_run(file, 1, "p2.jpg");
    check_run(file, 3, "p10.jpg");
    assert_int_equal(file->time_ns[3], 2000000000);
    const captured_stream *label = check_captured(&c, 0, "label", GB_STREAM_EVENT, GB_VALUE_BYTES);
    check_run(label, 0, "dent,scratch & co");
    check_run(label, 3, "");
    assert_int_equal(label->reason[2], GB_REASON_NOT_A_VALUE);
    const captured_stream *boxes = check_captured(&c, 0, "boxes", GB_STREAM_EVENT, GB_VALUE_BYTES);
    assert_string_equal(boxes->encoding, "json");
    check_run(boxes, 1, "[{\"label\":\"dent\",\"xmin\":5,\"ymin\":2,\"xmax\":21,\"ymax\":8}]");
    check_run(boxes, 3, "[]");
    assert_int_equal(boxes->reason[1], GB_REASON_OUT_OF_RANGE);
    assert_int_equal(boxes->quality[3], GB_QUALITY_GOOD);
    const captured_stream *same = check_captured(&c, 0, "same_as", GB_STREAM_EVENT, GB_VALUE_BYTES);
    assert_int_equal(same->count, 1);
    check_run(same, 0, "p1.jpg");
    assert_int_equal(same->time_ns[0], 1500000000);
    capture_free(&c);
    remove_folder();
}

static void coco(void **state)
{
    (void)state;
    capture c;
    gb_ingest_report report;
    make_folder();
    const char *map = "name: t\nreader: images\nfiles: ['*.jpg']\n"
                      "labels: {format: coco, path: ../coco.json}\n"
                      "streams:\n"
                      "  - {name: camera, source: image}\n"
                      "  - {name: kind, source: label, categories: [hole, dent]}\n"
                      "  - {name: boxes}\n";
    if (run_folder(map, HERE, GB_BAD_CELLS_AS_MAPPED, &report, &c) != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_int_equal(c.recordings[0].stream_count, 4); /* camera, camera.png, kind, boxes */
    const captured_stream *kind = check_captured(&c, 0, "kind", GB_STREAM_EVENT, GB_VALUE_I32);
    assert_int_equal(((int32_t *)kind->bytes)[0], 1);
    assert_int_equal(kind->reason[1], GB_REASON_NOT_A_VALUE); /* two classes on one picture */
    assert_int_equal(kind->reason[2], GB_REASON_ABSENT);      /* p4 is not in the file */
    const captured_stream *boxes = find_captured(&c, 0, "boxes");
    check_run(
        boxes, 1,
        "[{\"label\":\"hole\",\"xmin\":1,\"ymin\":2,\"xmax\":4.5,\"ymax\":6},"
        "{\"label\":\"dent\",\"xmin\":1,\"ymin\":1,\"xmax\":2,\"ymax\":2,\"difficult\":true}]");
    capture_free(&c);
    remove_folder();
}

static void strict_and_wrong(void **state)
{
    (void)state;
    capture c;
    gb_ingest_report report;
    make_folder();
    assert_int_equal(run_folder(voc_map, HERE, GB_BAD_CELLS_STRICT, &report, &c), GB_ERR_PARSE);
    assert_non_null(strstr(gb_error_message(), "p3.jpg"));
    capture_free(&c);
    assert_int_equal(run_folder("name: t\nreader: images\nfiles: ['*.jpg']\n"
                                "labels: {format: voc, path: nowhere}\n",
                                HERE, GB_BAD_CELLS_AS_MAPPED, &report, &c),
                     GB_ERR_NOT_FOUND);
    assert_non_null(strstr(gb_error_message(), "nowhere"));
    capture_free(&c);
    assert_int_equal(run_folder("name: t\nreader: images\nfiles: ['*.jpg']\n"
                                "streams: [{name: depth}]\n",
                                HERE, GB_BAD_CELLS_AS_MAPPED, &report, &c),
                     GB_ERR_SCHEMA);
    capture_free(&c);
    assert_int_equal(run_folder("name: t\nreader: images\nfiles: ['*.xml']\n", HERE,
                                GB_BAD_CELLS_AS_MAPPED, &report, &c),
                     GB_ERR_PARSE);
    capture_free(&c);
    remove_folder();
}

static void guesses(void **state)
{
    (void)state;
    make_folder();
    gb_arena *arena = NULL;
    const char *yaml = NULL;
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    gb_ingest_options options = gb_ingest_options_defaults();
    assert_int_equal(
        gb_reader_find("images")->guess(HERE "/pictures/p1.jpg", &options, arena, &yaml), GB_OK);
    assert_non_null(strstr(yaml, "name: pictures"));
    gb_stream_map *map = map_of(yaml);
    gb_stream_map_destroy(map);
    gb_arena_destroy(arena);
    remove_folder();
}

static void voc_file(const char *text, gb_status wanted, const char *words)
{
    gb_arena *arena = NULL;
    gb_picture_labels labels;
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    gb_status status = gb_labels_read_voc(text, strlen(text), "t.xml", arena, &labels);
    if (status != wanted || (wanted != GB_OK && !strstr(gb_error_message(), words)))
        fail_msg("%s: %s %s", text, gb_status_name(status), gb_error_message());
    gb_arena_destroy(arena);
}

static void wrong_labels(void **state)
{
    (void)state;
    voc_file(VOC(BOX("a", 1, 1, 2, 2)), GB_OK, "");
    voc_file("<labels/>", GB_ERR_SCHEMA, "annotation");
    voc_file(VOC(BOX("a", 3, 1, 2, 2)), GB_ERR_SCHEMA, "ends before");
    voc_file(VOC(BOX("a", x, 1, 2, 2)), GB_ERR_SCHEMA, "number");
    voc_file(VOC("<object><name>a</name></object>"), GB_ERR_SCHEMA, "bndbox");
    voc_file(VOC(BOX("", 1, 1, 2, 2)), GB_ERR_SCHEMA, "name");
    voc_file("<annotation><size><width>1.5</width></size></annotation>", GB_ERR_SCHEMA, "whole");
    static const char *const broken[] = {
        "[]",
        "{\"images\":[],\"categories\":[]}",
        "{\"images\":[{\"id\":1}],\"categories\":[],\"annotations\":[]}",
        "{\"images\":[{\"id\":1,\"file_name\":\"a\"},{\"id\":2,\"file_name\":\"b/a\"}],"
        "\"categories\":[],\"annotations\":[]}",
        "{\"images\":[],\"categories\":[],\"annotations\":[{\"image_id\":1,\"category_id\":9,"
        "\"bbox\":[1,2,3,4]}]}",
        "{\"images\":[],\"categories\":[{\"id\":1,\"name\":\"a\"}],\"annotations\":[{\"image_id\":"
        "1,"
        "\"category_id\":1,\"bbox\":[1,2,-3,4]}]}"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        gb_coco *coco_file = NULL;
        write_text("test_images_coco.json", broken[i]);
        assert_int_not_equal(gb_coco_open("test_images_coco.json", &coco_file), GB_OK);
        assert_null(coco_file);
    }
    remove("test_images_coco.json");
}

static void neu_det(void **state)
{
    (void)state;
    const char *data = getenv("GENBA_DATA");
    char path[4096];
    snprintf(path, sizeof path, "%s/neu_det", data ? data : "");
    if (!data || !gb_file_exists(path)) {
        print_message("neu_det is not there: set GENBA_DATA to the folder that has it\n");
        skip();
    }
    gb_stream_map *map = NULL;
    gb_dataset *dataset = NULL;
    gb_ingest_report report = {0};
    if (gb_stream_map_load(GENBA_SOURCE_DIR "/examples/maps/neu_det.yaml", &map) != GB_OK ||
        gb_ingest_folder(map, path, NULL, &report, &dataset) != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_true(report.rows_read == 1770 && report.rows_stored == 1770);
    assert_true(report.rows_duplicated == 1 && report.cells_out_of_range == 0);
    const gb_recording *recording = gb_dataset_get(dataset, 0);
    const gb_stream_view *boxes =
        gb_recording_stream(recording, gb_recording_find(recording, "defect.boxes"));
    const gb_stream_view *defect =
        gb_recording_stream(recording, gb_recording_find(recording, "defect"));
    const gb_stream_view *same =
        gb_recording_stream(recording, gb_recording_find(recording, "same_as"));
    int64_t count = 0, classes[6] = {0};
    for (int64_t i = 0; i < boxes->offset[boxes->count]; i++)
        count += boxes->raw[i] == '{';
    assert_int_equal(count, 4126);
    for (int64_t i = 0; i < defect->count; i++)
        if (defect->quality[i] == GB_QUALITY_GOOD) /* a picture without a label has no class */
            classes[(int)defect->values[i]]++;
    for (int k = 0; k < 6; k++)
        assert_in_range(classes[k], 240, 300);
    assert_int_equal(same->count, 1);
    assert_memory_equal(same->raw, "patches_101.jpg", 15);
    gb_dataset_destroy(dataset);
    gb_stream_map_destroy(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(voc),
        cmocka_unit_test(coco),
        cmocka_unit_test(strict_and_wrong),
        cmocka_unit_test(guesses),
        cmocka_unit_test(wrong_labels),
        cmocka_unit_test(neu_det),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
