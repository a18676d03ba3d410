/* Live messages without a broker: what becomes of numbers, JSON and Sparkplug B, of samples that
 * come twice, in the wrong order or too late. */
#include "ingest/live.h"
#include "ingest/sparkplug.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000000000LL

typedef struct fixture {
    gb_stream_map *map;
    gb_dataset *dataset;
    gb_sink *sink;
    gb_live *live;
} fixture;

static void begin(fixture *f, const char *map)
{
    gb_recording_info info = {.name = "plant"};
    memset(f, 0, sizeof *f);
    if (map)
        assert_int_equal(gb_stream_map_parse(map, strlen(map), "map", &f->map), GB_OK);
    assert_int_equal(gb_dataset_create(&f->dataset), GB_OK);
    assert_int_equal(gb_dataset_sink_create(f->dataset, &f->sink), GB_OK);
    assert_int_equal(gb_live_create(f->map, 2 * SECOND, &f->live), GB_OK);
    assert_int_equal(gb_live_begin(f->live, f->sink, &info), GB_OK);
}

static gb_status take(fixture *f, const char *topic, const char *payload, int64_t arrival_ns)
{
    return gb_live_take(f->live, topic, payload, strlen(payload), arrival_ns, false);
}

static const gb_recording *end(fixture *f)
{
    int64_t samples = 0;
    assert_int_equal(gb_live_end(f->live, true, &samples), GB_OK);
    return gb_dataset_get(f->dataset, 0);
}

static void close_all(fixture *f)
{
    gb_live_destroy(f->live);
    gb_sink_destroy(f->sink);
    gb_dataset_destroy(f->dataset);
    gb_stream_map_destroy(f->map);
}

static const gb_stream_view *stream_of(const gb_recording *recording, const char *name)
{
    int number = gb_recording_find(recording, name);
    for (int i = 0; number < 0 && i < gb_recording_stream_count(recording); i++)
        print_message("there is %s\n", gb_recording_stream(recording, i)->spec->name);
    assert_true(number >= 0);
    return gb_recording_stream(recording, number);
}

static void numbers_and_json_become_streams(void **state)
{
    (void)state;
    fixture f;
    begin(&f, NULL);
    assert_int_equal(take(&f, "plant/oven/temperature", " 181.5", 10), GB_OK);
    assert_int_equal(take(&f, "plant/oven/state", "heating", 11), GB_OK);
    assert_int_equal(take(&f, "plant/press",
                          "{\"ts\": 1700000000.25, \"force\": {\"x\": 1, \"y\": [2, 3]}, \"ok\": "
                          "true, \"lot\": \"A7\"}",
                          12),
                     GB_OK);
    assert_int_equal(
        take(&f, "plant/press", "{\"timestamp\":\"2023-11-14T22:13:21Z\",\"ok\":null}", 13), GB_OK);
    const gb_recording *r = end(&f);
    assert_true(stream_of(r, "plant.oven.temperature")->values[0] == 181.5f);
    assert_int_equal(stream_of(r, "plant.oven.temperature")->time_ns[0], 10);
    assert_memory_equal(stream_of(r, "plant.oven.state")->raw, "heating", 7);
    assert_int_equal(stream_of(r, "plant.press.force.x")->time_ns[0], 1700000000250000000LL);
    assert_true(stream_of(r, "plant.press.force.y[1]")->values[0] == 3);
    const gb_stream_view *ok = stream_of(r, "plant.press.ok");
    assert_int_equal(ok->count, 2);
    assert_int_equal(ok->time_ns[1], 1700000001 * SECOND);
    assert_int_equal(ok->quality[1], GB_QUALITY_MISSING);
    assert_memory_equal(stream_of(r, "plant.press.lot")->raw, "A7", 2);
    assert_int_equal(gb_recording_find(r, "plant.press.ts"), -1);
    close_all(&f);
}

static void maps_choose_and_name(void **state)
{
    (void)state;
    fixture f;
    begin(&f, "name: plant\nreader: mqtt\nfiles: [live]\ntime: {column: at}\nstreams:\n"
              "  - {name: oven.force, source: plant/press, field: force.x, unit: N}\n");
    assert_int_equal(take(&f, "plant/press", "{\"at\": 5, \"force\": {\"x\": 7}, \"lot\": 1}", 1),
                     GB_OK);
    assert_int_equal(take(&f, "plant/other", "4", 1), GB_OK);
    const gb_recording *r = end(&f);
    assert_int_equal(gb_recording_stream_count(r), 1);
    assert_string_equal(stream_of(r, "oven.force")->spec->unit, "N");
    assert_int_equal(stream_of(r, "oven.force")->time_ns[0], 5 * SECOND);
    close_all(&f);
}

static void order_is_restored_and_copies_are_left_out(void **state)
{
    (void)state;
    static const int seconds[] = {1000, 1002, 1001, 1001, 1003, 1002};
    fixture f;
    char payload[64];
    begin(&f, NULL);
    for (int i = 0; i < 6; i++) {
        snprintf(payload, sizeof payload, "{\"ts\": %d, \"v\": %d}", seconds[i], seconds[i]);
        assert_int_equal(take(&f, "a", payload, 5000 * SECOND + i), GB_OK);
    }
    /* Long after: what waited is handed over, and what comes now is too late. */
    assert_int_equal(gb_live_tick(f.live, 5010 * SECOND), GB_OK);
    assert_int_equal(take(&f, "a", "{\"ts\": 1001.5, \"v\": 9}", 5011 * SECOND), GB_OK);
    assert_int_equal(take(&f, "a", "{\"ts\": 1003, \"v\": 1003}", 5011 * SECOND), GB_OK);
    const gb_live *live = f.live;
    assert_int_equal(gb_live_get_counts(live)->duplicates, 3);
    assert_int_equal(gb_live_get_counts(live)->reordered, 1);
    assert_int_equal(gb_live_get_counts(live)->late, 1);
    const gb_stream_view *v = stream_of(end(&f), "a.v");
    assert_int_equal(v->count, 5);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(v->time_ns[i], (1000 + i) * SECOND);
        assert_int_equal(v->quality[i], GB_QUALITY_GOOD);
    }
    assert_int_equal(v->quality[4], GB_QUALITY_UNCERTAIN);
    assert_int_equal(v->reason[4], GB_REASON_BACKWARD_TIME);
    close_all(&f);
}

static void redelivered_numbers_without_time_are_left_out(void **state)
{
    (void)state;
    fixture f;
    begin(&f, NULL);
    assert_int_equal(gb_live_take(f.live, "a", "1", 1, 10, false), GB_OK);
    assert_int_equal(gb_live_take(f.live, "a", "1", 1, 20, true), GB_OK);
    assert_int_equal(gb_live_take(f.live, "a", "1", 1, 30, false), GB_OK); /* measured again */
    assert_int_equal(stream_of(end(&f), "a")->count, 2);
    close_all(&f);
}

static void wrong_payloads_are_rejected(void **state)
{
    (void)state;
    fixture f;
    begin(&f, NULL);
    assert_int_equal(take(&f, "a", "{\"v\": 1", 1), GB_ERR_PARSE);
    assert_int_equal(take(&f, "spBv1.0/g/NDATA/n", "\xff\xff", 1), GB_ERR_PARSE);
    assert_int_equal(gb_live_get_counts(f.live)->rejected, 2);
    int64_t samples = 1;
    assert_int_equal(gb_live_end(f.live, true, &samples), GB_OK);
    assert_int_equal(samples, 0);
    assert_int_equal(gb_dataset_count(f.dataset), 0);
    close_all(&f);
}

/* ---- Sparkplug B --------------------------------------------------------------------------------
 */

typedef struct proto {
    unsigned char data[512];
    size_t size;
} proto;

static void put_varint(proto *p, uint64_t v)
{
    for (; v > 127; v >>= 7)
        p->data[p->size++] = (unsigned char)(v | 128u);
    p->data[p->size++] = (unsigned char)v;
}

static void put_number(proto *p, uint32_t field, uint64_t v)
{
    put_varint(p, field << 3);
    put_varint(p, v);
}

static void put_bytes(proto *p, uint32_t field, const void *data, size_t size)
{
    put_varint(p, field << 3 | 2u);
    put_varint(p, size);
    memcpy(p->data + p->size, data, size);
    p->size += size;
}

static void put_text(proto *p, uint32_t field, const char *text)
{
    put_bytes(p, field, text, strlen(text));
}

static void put_double(proto *p, uint32_t field, double v)
{
    put_varint(p, field << 3 | 1u);
    memcpy(p->data + p->size, &v, 8);
    p->size += 8;
}

static void take_proto(fixture *f, const char *topic, const proto *p)
{
    assert_int_equal(gb_live_take(f->live, topic, p->data, p->size, 99, false), GB_OK);
}

static proto metric_of(const char *name, uint64_t alias, int type)
{
    proto m = {.size = 0};
    if (name)
        put_text(&m, 1, name);
    put_number(&m, 2, alias);
    if (type)
        put_number(&m, 4, (uint64_t)type);
    return m;
}

static void sparkplug_births_name_what_data_carries(void **state)
{
    (void)state;
    fixture f;
    begin(&f, NULL);
    proto early = {.size = 0}, birth = {.size = 0}, data = {.size = 0}, unit = {.size = 0},
          set = {.size = 0};
    proto unknown = metric_of(NULL, 3, 0);
    put_number(&unknown, 10, 1);
    put_bytes(&early, 2, unknown.data, unknown.size);
    take_proto(&f, "spBv1.0/line/DDATA/edge/oven", &early);
    assert_int_equal(gb_live_get_counts(f.live)->unknown, 1);

    put_text(&unit, 8, "degC");
    put_text(&set, 1, "engUnit");
    put_bytes(&set, 2, unit.data, unit.size);
    proto temperature = metric_of("Temperature", 3, GB_SPARKPLUG_DOUBLE);
    put_bytes(&temperature, 9, set.data, set.size);
    put_double(&temperature, 13, 20.5);
    proto count = metric_of("Count/Bad", 4, GB_SPARKPLUG_INT8 + 2);
    put_number(&count, 10, (uint32_t)-5);
    put_number(&birth, 1, 1000);
    put_number(&birth, 3, 254);
    put_bytes(&birth, 2, temperature.data, temperature.size);
    put_bytes(&birth, 2, count.data, count.size);
    take_proto(&f, "spBv1.0/line/DBIRTH/edge/oven", &birth);

    proto again = metric_of(NULL, 3, 0);
    put_number(&again, 3, 2000);
    put_double(&again, 13, 21.5);
    proto null = metric_of(NULL, 4, 0);
    put_number(&null, 7, 1);
    put_number(&data, 1, 3000);
    put_bytes(&data, 2, again.data, again.size);
    put_bytes(&data, 2, null.data, null.size);
    put_number(&data, 3, 1); /* 255 and 0 were lost */
    take_proto(&f, "spBv1.0/line/DDATA/edge/oven", &data);
    assert_int_equal(gb_live_get_counts(f.live)->lost, 2);
    assert_int_equal(
        gb_live_take(f.live, "spBv1.0/line/DDEATH/edge/oven", "", 0, 5 * SECOND, false), GB_OK);

    const gb_recording *r = end(&f);
    const gb_stream_view *t = stream_of(r, "line.edge.oven.Temperature");
    assert_string_equal(t->spec->unit, "degC");
    assert_int_equal(t->count, 2);
    assert_int_equal(t->time_ns[1], 2 * SECOND);
    assert_true(t->values[1] == 21.5f);
    const gb_stream_view *bad = stream_of(r, "line.edge.oven.Count.Bad");
    assert_true(bad->values[0] == -5);
    assert_int_equal(bad->quality[1], GB_QUALITY_MISSING);
    const gb_stream_view *alive = stream_of(r, "line.edge.oven.alive");
    assert_true(alive->values[0] == 1 && alive->values[1] == 0);
    close_all(&f);
}

static void sparkplug_cut_anywhere_is_no_crash(void **state)
{
    (void)state;
    fixture f;
    begin(&f, NULL);
    proto birth = {.size = 0}, m = metric_of("T", 1, GB_SPARKPLUG_DOUBLE);
    put_double(&m, 13, 1);
    put_bytes(&birth, 2, m.data, m.size);
    for (size_t size = 0; size < birth.size; size++)
        (void)!gb_live_take(f.live, "spBv1.0/g/NBIRTH/n", birth.data, size, 1, false);
    assert_int_equal(gb_recording_find(end(&f), "g.n.T"), -1);
    close_all(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_json_become_streams),
        cmocka_unit_test(maps_choose_and_name),
        cmocka_unit_test(order_is_restored_and_copies_are_left_out),
        cmocka_unit_test(redelivered_numbers_without_time_are_left_out),
        cmocka_unit_test(wrong_payloads_are_rejected),
        cmocka_unit_test(sparkplug_births_name_what_data_carries),
        cmocka_unit_test(sparkplug_cut_anywhere_is_no_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
