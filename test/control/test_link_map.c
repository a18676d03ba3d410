/* Maps of links: what is read, what is refused and where the message points. */
#include "control/link.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char arm[] = "name: arm\n"
                          "rate_hz: 500\n"
                          "action_rate_hz: 20\n"
                          "observations:\n"
                          "  - name: joint\n"
                          "    unit: rad\n"
                          "    source_unit: deg\n"
                          "    scale: -1\n"
                          "    offset: 0.5\n"
                          "    columns: [a, b, c]\n"
                          "    low: [-3]\n"
                          "    high: [1, 2, 3]\n"
                          "  - name: camera\n"
                          "    unit: \"1\"\n"
                          "    shape: [4, 5, 3]\n"
                          "actions:\n"
                          "  - name: target\n"
                          "    unit: rad\n"
                          "    topic: /cmd\n"
                          "    type: JointTrajectory\n"
                          "    field: positions\n"
                          "    shape: [3]\n"
                          "    hold: true\n";

static void a_map_describes_its_machine(void **state)
{
    (void)state;
    gb_link_map *map = NULL;
    if (gb_link_map_parse("arm.yaml", arm, strlen(arm), &map) != GB_OK)
        fail_msg("%s", gb_error_message());
    const gb_plant_info *info = &map->info;
    assert_string_equal(info->name, "arm");
    assert_int_equal(info->tick_ns, 2000000);
    assert_int_equal(info->period_ns, 50000000);
    assert_int_equal(info->observation_stream_count, 2);
    assert_int_equal(info->observation_size, 63);
    assert_int_equal(info->action_size, 3);
    const gb_plant_stream *joint = &info->observation_streams[0];
    assert_int_equal(joint->size, 3);
    assert_string_equal(joint->spec.unit, "rad");
    assert_true(joint->low[2] == -3 && joint->high[1] == 2);
    assert_string_equal(joint->spec.labels[1], "b");
    assert_true(fabs(map->observations[0].scale + M_PI / 180) < 1e-15);
    assert_true(map->observations[0].offset == 0.5);
    assert_int_equal(info->observation_streams[1].spec.kind, GB_STREAM_IMAGE);
    const gb_plant_stream *target = &info->action_streams[0];
    assert_true(target->hold && !target->low);
    assert_int_equal(target->spec.kind, GB_STREAM_ACTION);
    assert_string_equal(map->actions[0].topic, "/cmd");
    assert_string_equal(map->actions[0].type, "JointTrajectory");
    assert_string_equal(map->actions[0].field, "positions");
    assert_null(map->actions[0].columns);
    assert_true(map->actions[0].scale == 1 && map->actions[0].offset == 0);
    assert_string_equal(map->observations[1].topic, "");
    assert_false(map->simulated);
    gb_link_map_destroy(map);
}

static void a_known_plant_fills_the_map(void **state)
{
    (void)state;
    static const char text[] = "plant: pusht\nsimulated: true\nobservations:\n"
                               "  - name: block.angle\n    topic: /angle\n    source_unit: deg\n";
    gb_link_map *map = NULL;
    const gb_plant_info *pusht = NULL;
    assert_int_equal(gb_plant_describe("pusht", &pusht), GB_OK);
    if (gb_link_map_parse("p.yaml", text, strlen(text), &map) != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_memory_equal(&map->info, pusht, sizeof *pusht);
    assert_true(map->simulated);
    assert_string_equal(map->observations[2].topic, "/angle");
    assert_true(fabs(map->observations[2].scale - M_PI / 180) < 1e-15);
    assert_string_equal(map->observations[0].topic, "");
    assert_true(map->actions[0].scale == 1);
    gb_link_map_destroy(map);
}

static void the_hash_is_of_what_both_sides_must_agree_on(void **state)
{
    (void)state;
    static const char *const same[] = {"    topic: /cmd\n", "    low: [-3]\n    high: [1, 2, 3]\n"};
    static const char *const differ[][2] = {{"scale: -1", "scale: -2"},
                                            {"rate_hz: 500", "rate_hz: 100"},
                                            {"unit: \"1\"", "unit: N"},
                                            {"[4, 5, 3]", "[4, 6, 3]"},
                                            {"name: target", "name: aim"}};
    gb_link_map *map = NULL, *other = NULL;
    char text[2048];
    assert_int_equal(gb_link_map_parse("arm.yaml", arm, strlen(arm), &map), GB_OK);
    for (size_t i = 0; i < 7; i++) {
        const char *from = i < 2 ? same[i] : differ[i - 2][0], *to = i < 2 ? "" : differ[i - 2][1];
        const char *at = strstr(arm, from);
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - arm), arm, to, at + strlen(from));
        if (gb_link_map_parse("arm.yaml", text, strlen(text), &other) != GB_OK)
            fail_msg("%s", gb_error_message());
        assert_int_equal(memcmp(map->hash, other->hash, GB_HASH_BYTES) == 0, i < 2);
        gb_link_map_destroy(other);
    }
    gb_link_map_destroy(map);
}

#define HEAD "name: m\nrate_hz: 10\nobservations:\n  - name: x\n    unit: N\n"
#define TAIL "actions:\n  - name: u\n    unit: N\n"

static void mistakes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *where, *says;
    } wrong[] = {
        {"plan: pusht\n", "m.yaml:1:", "plant"},
        {"plant: pushed\n", "m.yaml:1: plant", "pusht"},
        {"plant: pusht\nrate_hz: 7\n", "m.yaml:2: rate_hz", "leave it out"},
        {"plant: pusht\naction_rate_hz: 7\n", "m.yaml:2: action_rate_hz", "leave it out"},
        {"plant: pusht\nname: other\n", "m.yaml:2: name", "pusht"},
        {"plant: pusht\nactions:\n  - name: agent.aim\n", "m.yaml:3: actions[0].name",
         "agent.target"},
        {"plant: pusht\nactions:\n  - name: agent.target\n    unit: m\n",
         "m.yaml:4: actions[0].unit", "\"px\""},
        {"plant: pusht\nactions:\n  - name: agent.target\n    shape: [3]\n",
         "m.yaml:4: actions[0].shape", "2 values"},
        {"plant: pusht\nactions:\n  - name: agent.target\n    low: [3]\n",
         "m.yaml:4: actions[0].low", "leave it out"},
        {"plant: pusht\nactions:\n  - name: agent.target\n    columns: [a]\n",
         "m.yaml:4: actions[0].columns", "1 columns for 2"},
        {"name: m\nrate_hz: 10\n", "m.yaml:", "observations"},
        {HEAD, "m.yaml:", "actions"},
        {"rate_hz: 10\n" TAIL, "m.yaml:", "name"},
        {"name: m\n" TAIL, "m.yaml:", "rate_hz"},
        {"name: m\nrate_hz: 2000\n", "m.yaml:2: rate_hz", "1 to 1000"},
        {"name: m\nrate_hz: 10\naction_rate_hz: 3\n", "m.yaml:3: action_rate_hz", "whole number"},
        {"name: m\nrate_hz: 10\naction_rate_hz: 20\n", "m.yaml:3: action_rate_hz", "20"},
        {"name: m\nrate_hz: 10\naction_rate_hz: -1\n", "m.yaml:3: action_rate_hz", "-1"},
        {"name: m\nrate_hz: 10\naction_rate_hz: 0\n", "m.yaml:3: action_rate_hz", "0"},
        {HEAD "    low: [1]\n" TAIL, "m.yaml:6: observations[0].low", "come together"},
        {HEAD "    low: [1]\n    high: [1]\n" TAIL, "m.yaml:6: observations[0].low", "not below"},
        {HEAD "    low: [1, 2]\n    high: [1]\n" TAIL, "m.yaml:6: observations[0].low",
         "2 limits for 1"},
        {HEAD "    shape: [0]\n" TAIL, "m.yaml:6: observations[0].shape", "\"x\""},
        {HEAD "    shape: [1000, 1000, 1000]\n" TAIL, "m.yaml:6: observations[0].shape", "more"},
        {HEAD "    shape: [1048576]\n  - name: y\n    unit: N\n" TAIL,
         "m.yaml:7: observations[1].shape", "more"},
        {HEAD "    scale: 0\n" TAIL, "m.yaml:6: observations[0].scale", "undone"},
        {HEAD "    scale: 1e-320\n" TAIL, "m.yaml:6: observations[0].scale", "undone"},
        {HEAD "    source_unit: rad\n" TAIL, "m.yaml:6: observations[0].source_unit", "rad"},
        {HEAD "    source_unit: furlongs\n" TAIL, "m.yaml:6: observations[0].source_unit",
         "furlongs"},
        {HEAD "    hold: true\n" TAIL, "m.yaml:6: observations[0].hold", "only actions"},
        {HEAD "    wrap: -1\n" TAIL, "m.yaml:6: observations[0].wrap", "turn"},
        {HEAD TAIL "    wrap: 6.28\n", "m.yaml:9: actions[0].wrap", "all the way round"},
        {HEAD "    columns: [a, b]\n    shape: [3]\n" TAIL, "m.yaml:6: observations[0].columns",
         "2 columns for 3"},
        {HEAD "  - name: x\n    unit: N\n" TAIL, "m.yaml:6: observations[1].name", "twice"},
        {HEAD "  - name: y\n" TAIL, "m.yaml:6: observations[1].unit", "UCUM"},
        {HEAD "  - name: y\n    unit: degC\n" TAIL, "m.yaml:7: observations[1].unit", "Cel"},
        {HEAD "  - name: y\n    unit: blorp\n" TAIL, "m.yaml:7: observations[1].unit", "blorp"},
        {HEAD "    colour: red\n" TAIL, "m.yaml:6:", "colour"},
        {"", "m.yaml", ""},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        gb_link_map *map = NULL;
        gb_status status = gb_link_map_parse("m.yaml", wrong[i].text, strlen(wrong[i].text), &map);
        const char *message = gb_error_message();
        if (status != GB_ERR_SCHEMA || strncmp(message, wrong[i].where, strlen(wrong[i].where)) ||
            !strstr(message, wrong[i].says))
            fail_msg("case %zu: status %d, \"%s\", expected %s ... %s", i, status, message,
                     wrong[i].where, wrong[i].says);
        assert_null(map);
    }
}

static void a_map_cut_anywhere_is_a_status(void **state)
{
    (void)state;
    for (size_t size = 0; size < strlen(arm); size++) {
        gb_link_map *map = NULL;
        if (gb_link_map_parse("arm.yaml", arm, size, &map) == GB_OK)
            gb_link_map_destroy(map);
        else
            assert_null(map);
    }
}

static void the_examples_are_read(void **state)
{
    (void)state;
    static const char *const names[] = {"pusht", "arm_udp", "furnace_mqtt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512];
        gb_link_map *map = NULL;
        snprintf(path, sizeof path, "%s/examples/links/%s.yaml", GENBA_SOURCE_DIR, names[i]);
        if (gb_link_map_load(path, &map) != GB_OK)
            fail_msg("%s", gb_error_message());
        gb_link_map_destroy(map);
    }
    gb_link_map *none = NULL;
    assert_int_equal(gb_link_map_load("/nowhere/map.yaml", &none), GB_ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_describes_its_machine),
        cmocka_unit_test(a_known_plant_fills_the_map),
        cmocka_unit_test(the_hash_is_of_what_both_sides_must_agree_on),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(a_map_cut_anywhere_is_a_status),
        cmocka_unit_test(the_examples_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
