/* Anonymising texts and pictures, and rules that fit no stream. */
#include "ingest/anonymise_fixture.h"
#include "record/picture.h"

/* ---- texts and pictures ---- */

static void test_scrub(void **state)
{
    (void)state;
    fixture f;
    open_filter(&f, "name: p\n"
                    "scrub:\n"
                    "  - {pattern: 'SN[0-9]{4}', replace: '#'}\n"
                    "  - {pattern: '(^|[^a-z])tanaka', replace: ' who'}\n"
                    "streams: [{match: '*', rule: scrub}]\n");
    begin(&f);
    gb_stream_spec spec = text_stream("log.SN1234"), json = text_stream("events");
    json.encoding = "json";
    int log = add_stream(&f, &spec), events = add_stream(&f, &json);
    append_texts(&f, log, 4,
                 (const char *const[]){"SN1234SN12345", "all well", "", "tanaka, tanaka"});
    append_texts(&f, events, 3,
                 (const char *const[]){"{\"SN0001\": [\"\\u0053N1234\", 3, null]}", "{\"a\":  1}",
                                       "no json of SN1234"});
    const gb_recording *out = finish(&f);
    const gb_stream_view *view = gb_recording_stream(out, 0);
    assert_string_equal(view->spec->name, "log.#");
    expect_run(view, 0, "##5");
    expect_run(view, 1, "all well");
    expect_run(view, 2, "");
    expect_run(view, 3, " who, who");
    assert_int_equal(view->reason[0], GB_REASON_ANONYMISED);
    assert_int_equal(view->reason[1], GB_REASON_NONE);
    view = gb_recording_stream(out, 1);
    expect_run(view, 0, "{\"#\":[\"#\",3,null]}");
    expect_run(view, 1, "{\"a\":  1}");
    expect_run(view, 2, "no json of #");
    close_filter(&f);
}

static void test_boxes(void **state)
{
    (void)state;
    fixture f;
    open_filter(
        &f,
        "name: p\n"
        "streams:\n"
        "  - {match: black, rule: boxes, boxes: [{x: 1, y: 0, width: 2, height: 1}]}\n"
        "  - {match: blur, rule: boxes, fill: blur, boxes: [{x: 2, y: 0, width: 9, height: 9}]}\n"
        "  - {match: png, rule: boxes, boxes: [{x: 0, y: 1, width: 1, height: 1}]}\n");
    begin(&f);
    gb_stream_spec spec = scalar("black", GB_VALUE_U8);
    spec.kind = GB_STREAM_IMAGE;
    spec.rank = 3;
    spec.shape[0] = 2;
    spec.shape[1] = 4;
    spec.shape[2] = 1;
    int black = add_stream(&f, &spec);
    spec.name = "blur";
    int blur = add_stream(&f, &spec);
    gb_stream_spec bytes = text_stream("png");
    bytes.kind = GB_STREAM_IMAGE;
    bytes.encoding = "png";
    int png = add_stream(&f, &bytes);
    static const uint8_t pixels[] = {10, 20, 30, 40, 50, 60, 70, 80};
    append(&f, black, 1, pixels);
    append(&f, blur, 1, pixels);
    uint8_t copy[8];
    memcpy(copy, pixels, 8);
    gb_picture picture = {.width = 4, .height = 2, .channels = 1, .pixels = copy};
    unsigned char *file = NULL;
    size_t size = 0;
    assert_int_equal(gb_picture_encode_png(&picture, &file, &size), GB_OK);
    gb_samples samples = {.count = 1,
                          .time_ns = hourly(),
                          .runs = (const unsigned char *const[]){file},
                          .run_sizes = &size};
    assert_int_equal(gb_sink_append(f.filter, f.recording, png, &samples), GB_OK);
    const gb_recording *out = finish(&f);
    const gb_stream_view *view = gb_recording_stream(out, 0);
    assert_memory_equal(view->raw, ((uint8_t[]){10, 0, 0, 40, 50, 60, 70, 80}), 8);
    assert_int_equal(view->reason[0], GB_REASON_ANONYMISED);
    view = gb_recording_stream(out, 1); /* cells of one pixel: 2 x 2 box in 4 parts keeps them */
    assert_memory_equal(view->raw, pixels, 2);
    view = gb_recording_stream(out, 2);
    gb_picture made = {0};
    assert_int_equal(gb_picture_decode(view->raw, (size_t)view->offset[1], 0, &made), GB_OK);
    assert_memory_equal(made.pixels, ((uint8_t[]){10, 20, 30, 40, 0, 60, 70, 80}), 8);
    gb_picture_free(&made);
    free(file);
    close_filter(&f);
}

static void test_cells_of_blur(void **state)
{
    (void)state;
    gb_rule_box box = {0, 0, 8, 8};
    gb_rule rule = {.boxes = &box, .boxes_count = 1, .fill = GB_FILL_BLUR};
    uint8_t pixels[64];
    for (int i = 0; i < 64; i++)
        pixels[i] = (uint8_t)(i % 2 ? 200 : 100);
    assert_int_equal(gb_cover_boxes(&rule, pixels, 8, 8, 1, 1), GB_OK);
    for (int i = 0; i < 64; i++)
        assert_int_equal(pixels[i], 150);
    box.x = 8;
    assert_int_equal(gb_cover_boxes(&rule, pixels, 8, 8, 1, 1), GB_ERR_SCHEMA);
    /* what a JPEG smears is covered too */
    gb_rule_box small = {17, 17, 1, 1};
    rule = (gb_rule){.boxes = &small, .boxes_count = 1};
    uint8_t *large = malloc(64 * 64);
    memset(large, 9, 64 * 64);
    assert_int_equal(gb_cover_boxes(&rule, large, 64, 64, 1, 16), GB_OK);
    for (int y = 0; y < 64; y++)
        for (int x = 0; x < 64; x++)
            assert_int_equal(large[y * 64 + x], y / 16 == 1 && x / 16 == 1 ? 0 : 9);
    free(large);
}

/* A rule that cannot be applied must not be passed over. */
static void test_rules_that_do_not_fit(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *stream; /* f f32, v vector, t text, j jpeg, h h264, i image */
    } rows[] = {
        {"boxes, boxes: [{x: 0, y: 0, width: 1, height: 1}]", "fth"},
        {"rescale, range: {min: 0, max: 1}", "tjhi"},
        {"generalise, width: 1", "tjhi"},
        {"generalise, dates: day", "fvjh"},
        {"pseudonym", "vjhi"},
        {"scrub", "fvhi"},
        {"noise, epsilon: 1, delta: 1e-5, unit: recording, clip: {min: 0, max: 1}, "
         "samples_per_unit: 9",
         "tjhi"},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (const char *kind = rows[r].stream; *kind; kind++) {
            char text[512];
            fixture f;
            snprintf(text, sizeof text,
                     "name: p\nscrub: [{pattern: x}]\nstreams: [{match: s, rule: %s}]\n",
                     rows[r].rule);
            open_filter(&f, text);
            begin(&f);
            gb_stream_spec spec = text_stream("s");
            int stream = 0;
            if (*kind == 'f' || *kind == 'v' || *kind == 'i')
                spec = scalar("s", *kind == 'i' ? GB_VALUE_U8 : GB_VALUE_F32);
            spec.kind = *kind == 'i' ? GB_STREAM_IMAGE : spec.kind;
            spec.rank = *kind == 'v' ? 1 : *kind == 'i' ? 2 : 0;
            spec.shape[0] = spec.shape[1] = 4;
            spec.encoding = *kind == 'j' ? "jpeg" : *kind == 'h' ? "h264" : spec.encoding;
            gb_status status = gb_sink_stream(f.filter, f.recording, &spec, &stream);
            if (status != GB_ERR_SCHEMA)
                fail_msg("%s on %c gave %d", rows[r].rule, *kind, (int)status);
            close_filter(&f);
        }
}

static void test_text_as_numbers(void **state)
{
    (void)state;
    fixture f;
    open_filter(&f, "name: p\nscrub: [{pattern: x}]\ndefault: keep\n");
    begin(&f);
    gb_stream_spec spec = scalar("text", GB_VALUE_F32);
    spec.kind = GB_STREAM_TEXT;
    int stream;
    assert_int_equal(gb_sink_stream(f.filter, f.recording, &spec, &stream), GB_ERR_SCHEMA);
    close_filter(&f);
}

static void test_worse_reasons_stay(void **state)
{
    (void)state;
    fixture f;
    open_filter(&f, "name: p\nstreams: [{match: a, rule: generalise, width: 1}]\n");
    begin(&f);
    gb_stream_spec spec = scalar("a", GB_VALUE_F32);
    int stream = add_stream(&f, &spec);
    static const uint8_t reason[] = {GB_REASON_NONE, GB_REASON_STUCK, GB_REASON_AFTER_GAP, 0};
    static const uint8_t quality[] = {0, GB_QUALITY_UNCERTAIN, 0, GB_QUALITY_BAD};
    gb_samples samples = {.count = 4,
                          .time_ns = hourly(),
                          .values = (float[]){1, 2, 3, 4},
                          .quality = quality,
                          .reason = reason};
    assert_int_equal(gb_sink_append(f.filter, f.recording, stream, &samples), GB_OK);
    const gb_stream_view *view = gb_recording_stream(finish(&f), 0);
    const uint8_t due[] = {GB_REASON_ANONYMISED, GB_REASON_STUCK, GB_REASON_AFTER_GAP, 0};
    assert_memory_equal(view->reason, due, 4);
    assert_memory_equal(view->quality, quality, 4);
    close_filter(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scrub),           cmocka_unit_test(test_boxes),
        cmocka_unit_test(test_cells_of_blur),   cmocka_unit_test(test_rules_that_do_not_fit),
        cmocka_unit_test(test_text_as_numbers), cmocka_unit_test(test_worse_reasons_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
