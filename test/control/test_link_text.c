/* Observations and commands as text: numbers to the bit, shapes, and what is refused. */
#include "link_fixture.h"

#include "control/link_text.h"

static gb_link_map *map_of(const char *streams)
{
    char text[4096];
    gb_link_map *map = NULL;
    snprintf(text, sizeof text, "name: m\nrate_hz: 1\nactions:\n%sobservations:\n%s", streams,
             streams);
    OK(gb_link_map_parse("m.yaml", text, strlen(text), &map));
    return map;
}

#define X "  - name: x\n    unit: N\n"
#define Y "  - name: y\n    unit: N\n"

static void numbers_pass_to_the_bit(void **state)
{
    (void)state;
    static const char *const forms[] = {
        X,
        X "    type: json\n",
        X "    field: a\n",
        X "    shape: [2]\n",
        X "    shape: [2]\n    field: a\n    sequence: n\n",
        X "    columns: [p, q]\n",
        X "    columns: [p, \"q.r[1]\"]\n    field: a\n    sequence: n\n",
        X "    topic: t\n    field: a\n" Y "    topic: t\n    shape: [3]\n    field: b\n",
        X "    topic: t\n    columns: [a]\n" Y "    topic: t\n    columns: [b, c]\n",
        X Y "    shape: [1]\n    field: y\n",
    };
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        gb_link_map *map = map_of(forms[f]);
        gb_link_text *out = NULL, *in = NULL;
        OK(gb_link_text_create(map, true, true, &out));
        OK(gb_link_text_create(map, false, false, &in));
        int size = map->info.action_size;
        for (uint64_t n = 1; n <= 300; n++) {
            double sent[8], got[8];
            char text[1024];
            uint64_t counted = 0;
            for (int i = 0; i < size; i++) {
                uint64_t word = gb_random_u64(1, (uint64_t)i, n);
                memcpy(&sent[i], &word, sizeof word);
                if (!isfinite(sent[i]))
                    sent[i] = -0.0;
            }
            for (int t = 0; t < gb_link_text_topics(out); t++) {
                size_t length = gb_link_text_write(out, t, sent, n, text);
                assert_int_equal(strlen(text), length);
                assert_true(length < gb_link_text_room(out, t) &&
                            gb_link_text_room(out, t) < sizeof text);
                if (gb_link_text_read(in, t, text, length, got, &counted) != GB_LINK_TEXT_GOOD)
                    fail_msg("form %zu: %s", f, text);
                assert_int_equal(counted, gb_link_text_is_counted(in, t) ? n : 0);
            }
            assert_memory_equal(got, sent, (size_t)size * sizeof *sent);
        }
        gb_link_map_destroy(map);
    }
}

static void what_a_message_lacks_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *form, *payload;
        gb_link_text_verdict verdict;
        double first;
    } cases[] = {
        {X, " 12.5\n", GB_LINK_TEXT_GOOD, 12.5},
        {X, "null", GB_LINK_TEXT_GOOD, NAN},
        {X, "true", GB_LINK_TEXT_GOOD, 1},
        {X, "12.5x", GB_LINK_TEXT_CORRUPT, 0},
        {X, "", GB_LINK_TEXT_CORRUPT, 0},
        {X, "  ", GB_LINK_TEXT_CORRUPT, 0},
        {X, "1e999", GB_LINK_TEXT_CORRUPT, 0},
        {X "    field: a.b[1]\n", "{\"a\":{\"b\":[1,2]}}", GB_LINK_TEXT_GOOD, 2},
        {X "    field: a\n", "{\"a\":\"7\"}", GB_LINK_TEXT_GOOD, 7},
        {X "    field: a\n", "{\"a\":null,\"z\":[{}]}", GB_LINK_TEXT_GOOD, NAN},
        {X "    field: a\n", "{\"a\":[1]}", GB_LINK_TEXT_MISSHAPEN, 0},
        {X "    field: a\n", "{\"a\":\"x\"}", GB_LINK_TEXT_MISSHAPEN, 0},
        {X "    field: a\n", "{\"b\":1}", GB_LINK_TEXT_MISSHAPEN, 0},
        {X "    field: a\n", "{\"a\":1,\"a\":2}", GB_LINK_TEXT_CORRUPT, 0},
        {X "    field: a\n", "{\"a\":1", GB_LINK_TEXT_CORRUPT, 0},
        {X "    field: a\n", "{\"a\":1}x", GB_LINK_TEXT_CORRUPT, 0},
        {X "    shape: [2]\n", "[3,4]", GB_LINK_TEXT_GOOD, 3},
        {X "    shape: [2]\n", "[3]", GB_LINK_TEXT_MISSHAPEN, 0},
        {X "    shape: [2]\n", "[3,4,5]", GB_LINK_TEXT_MISSHAPEN, 0},
        {X "    shape: [2]\n", "[3,4,null]", GB_LINK_TEXT_MISSHAPEN, 0},
        {X "    shape: [2]\n", "{\"a\":3}", GB_LINK_TEXT_MISSHAPEN, 0},
        {X "    columns: [p]\n    sequence: n\n", "{\"p\":3,\"n\":9}", GB_LINK_TEXT_GOOD, 3},
        {X "    columns: [p]\n    sequence: n\n", "{\"p\":3}", GB_LINK_TEXT_MISSHAPEN, 0},
        {X "    columns: [p]\n    sequence: n\n", "{\"p\":3,\"n\":-9}", GB_LINK_TEXT_MISSHAPEN, 0},
        {X "    columns: [p]\n    sequence: n\n", "{\"p\":3,\"n\":1.5}", GB_LINK_TEXT_MISSHAPEN, 0},
        {X "    source_unit: kN\n", "2", GB_LINK_TEXT_GOOD, 2000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        gb_link_map *map = NULL;
        gb_link_text *in = NULL;
        double values[4] = {-1, -1, -1, -1};
        uint64_t counted = 0;
        snprintf(text, sizeof text, "name: m\nrate_hz: 1\nactions:\n" Y "observations:\n%s",
                 cases[i].form);
        OK(gb_link_map_parse("m.yaml", text, strlen(text), &map));
        OK(gb_link_text_create(map, false, false, &in));
        gb_link_text_verdict verdict =
            gb_link_text_read(in, 0, cases[i].payload, strlen(cases[i].payload), values, &counted);
        if (verdict != cases[i].verdict)
            fail_msg("case %zu: %s: %d", i, cases[i].payload, verdict);
        double first = verdict == GB_LINK_TEXT_GOOD ? cases[i].first : -1; /* else untouched */
        assert_true(values[0] == first || (isnan(first) && isnan(values[0])));
        gb_link_map_destroy(map);
    }
}

static void wrong_maps_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        X "    type: JointState\n",
        X "    type: number\n    shape: [2]\n",
        X "    type: number\n    field: a\n",
        X "    field: a.b\n", /* can be read, not written */
        X "    sequence: n\n    type: json\n",
        X "    columns: ['a\"b']\n",
        X "    topic: t\n" Y "    topic: t\n    field: a\n",
        X "    topic: t\n    type: json\n" Y "    topic: t\n    field: a\n",
        X "    topic: t\n    field: a\n" Y "    topic: t\n    field: a\n",
        X "    topic: t\n    columns: [a]\n    sequence: n\n" Y
          "    topic: t\n    columns: [b]\n    sequence: m\n",
        X "    shape: [1025]\n",
        X "    field: \"a[\"\n",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        gb_link_map *map = map_of(wrong[i]);
        gb_link_text *out = NULL;
        if (gb_link_text_create(map, true, true, &out) != GB_ERR_SCHEMA)
            fail_msg("case %zu: %s", i, gb_error_message());
        assert_non_null(strstr(gb_error_message(), "m.yaml"));
        gb_link_map_destroy(map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_pass_to_the_bit),
        cmocka_unit_test(what_a_message_lacks_is_told),
        cmocka_unit_test(wrong_maps_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
