/* What only hides with the key: rescaling and shifts in time, undone; pseudonyms moved to another
 * key. */
#include "ingest/anonymise_fixture.h"

/* ---- rescaling, and undoing it ---- */

static const char rescale_policy[] =
    "name: p\n"
    "streams:\n"
    "  - {match: temp, rule: rescale, range: {min: 100, max: 300}}\n"
    "  - {match: count, rule: rescale, range: {min: 0, max: 5000}}\n"
    "  - {match: arm, rule: rescale, each_column: true, columns: [a, b], range: {min: -1, max: "
    "1}}\n"
    "recording: {name: keep}\n";

static void emit_rescaled(fixture *f)
{
    static const char *const labels[] = {"a", "b", "c"};
    begin(f);
    gb_stream_spec temp = scalar("temp", GB_VALUE_F64), count = scalar("count", GB_VALUE_I32);
    gb_stream_spec arm = scalar("arm", GB_VALUE_F32);
    temp.unit = "Cel";
    arm.rank = 1;
    arm.shape[0] = 3;
    arm.labels = labels;
    int streams[] = {add_stream(f, &temp), add_stream(f, &count), add_stream(f, &arm)};
    append(f, streams[0], 5, (double[]){100, 183.5, 250, NAN, 1e6});
    append(f, streams[1], 4, (int32_t[]){0, 4999, -7, 2147483647});
    append(f, streams[2], 2, (float[]){0.1f, 0.2f, 0.3f, -0.1f, -0.2f, -0.3f});
}

/* A sink that keeps the last stream's values as they are (a dataset would make them float). */
typedef struct keeper {
    gb_sink sink;
    gb_value_type type[4];
    int64_t size[4];
    char units[4][16];
    double values[4][16];
    int64_t time_ns[4];
    uint8_t reason[4];
    int count;
} keeper;

static gb_status keep_begin(gb_sink *sink, const gb_recording_info *info, int *out)
{
    (void)info;
    ((keeper *)sink)->count = 0;
    *out = 0;
    return GB_OK;
}

static gb_status keep_stream(gb_sink *sink, int recording, const gb_stream_spec *spec, int *out)
{
    keeper *k = (keeper *)sink;
    (void)recording;
    k->type[k->count] = spec->value_type;
    k->size[k->count] = gb_stream_spec_size(spec);
    snprintf(k->units[k->count], 16, "%s", spec->unit);
    *out = k->count++;
    return GB_OK;
}

static gb_status keep_append(gb_sink *sink, int recording, int stream, const gb_samples *samples)
{
    keeper *k = (keeper *)sink;
    (void)recording;
    if (k->type[stream] == GB_VALUE_F64)
        memcpy(k->values[stream], samples->values, (size_t)samples->count * sizeof(double));
    else if (k->type[stream] == GB_VALUE_I32)
        for (int64_t i = 0; i < samples->count; i++)
            k->values[stream][i] = ((const int32_t *)samples->values)[i];
    else
        for (int64_t i = 0; i < k->size[stream] * samples->count; i++)
            k->values[stream][i] = (double)((const float *)samples->values)[i];
    k->time_ns[stream] = samples->time_ns[0];
    k->reason[stream] = samples->reason ? samples->reason[0] : GB_REASON_NONE;
    return GB_OK;
}

static gb_status keep_attach(gb_sink *sink,
                             int recording,
                             const char *name,
                             const char *media_type,
                             const void *data,
                             size_t size)
{
    (void)sink, (void)recording, (void)name, (void)media_type, (void)data, (void)size;
    return GB_OK;
}

static gb_status keep_end(gb_sink *sink, int recording)
{
    (void)sink, (void)recording;
    return GB_OK;
}

static void keep_abandon(gb_sink *sink, int recording)
{
    (void)sink, (void)recording;
}

static void keep_destroy(gb_sink *sink)
{
    (void)sink;
}

static const gb_sink_ops keep_ops = {keep_begin, keep_stream,  keep_append, keep_attach,
                                     keep_end,   keep_abandon, keep_destroy};

static void test_rescale(void **state)
{
    (void)state;
    fixture f;
    open_filter(&f, rescale_policy);
    emit_rescaled(&f);
    const gb_recording *out = finish(&f);
    const gb_stream_view *temp = gb_recording_stream(out, 0), *arm = gb_recording_stream(out, 2);
    gb_secrets *secrets = NULL;
    assert_int_equal(gb_secrets_create(&key, &secrets), GB_OK);
    gb_rule_bounds range = {100, 300};
    gb_affine a = gb_secret_affine(secrets, "temp", -1, &range);
    assert_true(a.scale >= 0.25 && a.scale <= 4 && fabs(a.offset) <= 2);
    assert_true(a.center == 200 && a.unit == 200);
    assert_true(fabs((double)temp->values[0] - (-0.5 * a.scale + a.offset)) < 1e-6);
    assert_true(fabs((double)temp->values[2] - (0.25 * a.scale + a.offset)) < 1e-6);
    assert_true(isnan(temp->values[3]));
    assert_string_equal(temp->spec->unit, "1"); /* degrees would be a hint */
    assert_int_equal(temp->reason[0], GB_REASON_ANONYMISED);
    assert_true(arm->values[2] == 0.3f); /* column c is not named */
    range = (gb_rule_bounds){-1, 1};
    gb_affine b = gb_secret_affine(secrets, "arm", 0, &range);
    gb_affine c = gb_secret_affine(secrets, "arm", 1, &range);
    assert_true(b.scale != c.scale && b.offset != c.offset);
    assert_true(fabs((double)arm->values[0] - (0.05 * b.scale + b.offset)) < 1e-6);
    assert_true(fabs((double)arm->values[1] - (0.1 * c.scale + c.offset)) < 1e-6);
    gb_secrets_destroy(secrets);
    close_filter(&f);
}

static void test_undo(void **state)
{
    (void)state;
    fixture f;
    keeper kept = {.sink = {&keep_ops}};
    gb_sink *undo = NULL, *filter = NULL;
    open_filter(&f, rescale_policy);
    assert_int_equal(gb_anonymise_undo_create(&key, &kept.sink, &undo), GB_OK);
    assert_int_equal(gb_anonymise_create(f.policy, &key, undo, &filter), GB_OK);
    gb_sink_destroy(f.filter);
    f.filter = filter;
    emit_rescaled(&f);
    assert_int_equal(gb_sink_end(filter, f.recording), GB_OK);
    assert_int_equal(kept.count, 3);
    assert_int_equal(kept.type[0], GB_VALUE_F64);
    assert_int_equal(kept.type[1], GB_VALUE_I32);
    assert_int_equal(kept.type[2], GB_VALUE_F32);
    assert_string_equal(kept.units[0], "Cel");
    assert_true(fabs(kept.values[0][0] - 100) < 1e-12 * 300);
    assert_true(fabs(kept.values[0][1] - 183.5) < 1e-12 * 300);
    assert_true(isnan(kept.values[0][3]));
    assert_true(fabs(kept.values[0][4] - 1e6) < 1e-15 * 4e6);
    const double counts[] = {0, 4999, -7, 2147483647}; /* whole numbers come back exactly */
    assert_memory_equal(kept.values[1], counts, sizeof counts);
    for (int i = 0; i < 6; i++)
        assert_true(fabs(kept.values[2][i] - (i < 3 ? 0.1 : -0.1) * (i % 3 + 1)) < 4e-6);
    assert_int_equal(kept.reason[0], GB_REASON_NONE);
    gb_sink_destroy(filter);
    f.filter = NULL;
    gb_sink_destroy(undo);
    close_filter(&f);
}

static void test_undo_refused(void **state)
{
    (void)state;
    fixture f;
    open_filter(&f, rescale_policy);
    emit_rescaled(&f);
    const gb_recording *made = finish(&f);
    keeper kept = {.sink = {&keep_ops}};
    gb_sink *undo = NULL;
    assert_int_equal(gb_anonymise_undo_create(&other_key, &kept.sink, &undo), GB_OK);
    assert_int_equal(gb_recording_emit(made, undo), GB_ERR_REFUSED);
    assert_non_null(strstr(gb_error_message(), "was anonymised with key"));
    gb_sink_destroy(undo);
    assert_int_equal(gb_recording_emit(made, f.filter), GB_ERR_REFUSED); /* not twice */
    gb_recording_builder *builder = NULL;
    gb_recording *plain = NULL;
    assert_int_equal(gb_recording_builder_create(&(gb_recording_info){.name = "x"}, &builder),
                     GB_OK);
    assert_int_equal(gb_recording_builder_finish(builder, &plain), GB_OK);
    assert_int_equal(gb_anonymise_undo_create(&key, &kept.sink, &undo), GB_OK);
    assert_int_equal(gb_recording_emit(plain, undo), GB_ERR_REFUSED);
    gb_sink_destroy(undo);
    gb_recording_destroy(plain);
    close_filter(&f);
}

static void test_sealed_text(void **state)
{
    (void)state;
    gb_secrets *mine = NULL, *others = NULL;
    char *sealed = NULL, *again = NULL, *text = NULL;
    assert_int_equal(gb_secrets_create(&key, &mine), GB_OK);
    assert_int_equal(gb_secrets_create(&other_key, &others), GB_OK);
    assert_int_equal(gb_secret_seal(mine, "{\"unit\":\"Cel\"}", &sealed), GB_OK);
    assert_int_equal(gb_secret_seal(mine, "{\"unit\":\"Cel\"}", &again), GB_OK);
    assert_string_equal(sealed, again);
    assert_null(strstr(sealed, "Cel"));
    assert_int_equal(gb_secret_open(mine, sealed, &text), GB_OK);
    assert_string_equal(text, "{\"unit\":\"Cel\"}");
    free(text);
    text = NULL;
    assert_int_equal(gb_secret_open(others, sealed, &text), GB_ERR_CORRUPT);
    for (size_t i = 0; i < strlen(sealed); i++) {
        char had = sealed[i];
        sealed[i] = had == 'A' ? 'B' : 'A';
        assert_int_equal(gb_secret_open(mine, sealed, &text), GB_ERR_CORRUPT);
        sealed[i] = had;
    }
    assert_int_equal(gb_secret_open(mine, "", &text), GB_ERR_CORRUPT);
    assert_null(text);
    free(sealed);
    free(again);
    gb_secrets_destroy(mine);
    gb_secrets_destroy(others);
}

/* ---- shifts in time ---- */

static int64_t
shifted(const char *recording, const char *worker, const char *stream, gb_time_base base)
{
    fixture f;
    open_filter(&f, "name: p\ndefault: keep\ntime_shift: {entity: worker, days: 30}\n");
    f.info.name = recording;
    f.pairs[f.info.pair_count++] = (gb_pair){"worker", worker};
    begin(&f);
    gb_stream_spec spec = scalar(stream, GB_VALUE_F32);
    spec.time_base = base;
    append(&f, add_stream(&f, &spec), 3, (float[]){1, 2, 3});
    const gb_stream_view *view = gb_recording_stream(finish(&f), 0);
    int64_t offset = view->time_ns[0] - START_NS;
    assert_int_equal(view->time_ns[2] - view->time_ns[1], HOUR_NS); /* steps stay */
    close_filter(&f);
    return offset;
}

static void test_time_shift(void **state)
{
    (void)state;
    int64_t tanaka = shifted("a", "tanaka", "x", GB_TIME_UTC);
    assert_true(tanaka != 0 && llabs(tanaka) <= 30 * DAY_NS);
    assert_int_equal(shifted("b", "tanaka", "x", GB_TIME_UTC), tanaka);
    assert_int_equal(shifted("b", "tanaka", "y", GB_TIME_UTC), tanaka);
    assert_int_not_equal(shifted("a", "suzuki", "x", GB_TIME_UTC), tanaka);
    assert_int_equal(shifted("a", "tanaka", "x", GB_TIME_START), 0); /* says nothing of when */
    assert_int_equal(shifted("a", "tanaka", "x", GB_TIME_ROW), 0);

    /* offsets are spread over the whole range, in whole days when asked */
    gb_secrets *secrets = NULL;
    assert_int_equal(gb_secrets_create(&key, &secrets), GB_OK);
    char entity[] = "worker";
    gb_rule_time_shift shift = {.entity = entity, .days = 10, .step = GB_TIME_STEP_DAY};
    int seen[21] = {0};
    for (int i = 0; i < 2100; i++) {
        char who[16];
        snprintf(who, sizeof who, "w%d", i);
        int64_t offset = gb_secret_offset_ns(secrets, &shift, who);
        assert_int_equal(offset % DAY_NS, 0);
        seen[offset / DAY_NS + 10]++;
    }
    for (int i = 0; i < 21; i++)
        assert_true(seen[i] > 60 && seen[i] < 140);
    gb_secrets_destroy(secrets);
}

static void test_time_shift_undone(void **state)
{
    (void)state;
    fixture f;
    keeper kept = {.sink = {&keep_ops}};
    gb_sink *undo = NULL;
    open_filter(&f, "name: p\ndefault: keep\ntime_shift: {entity: recording, days: 100}\n");
    begin(&f);
    gb_stream_spec spec = scalar("x", GB_VALUE_F64);
    append(&f, add_stream(&f, &spec), 1, (double[]){1});
    const gb_recording *made = finish(&f);
    assert_int_not_equal(gb_recording_stream(made, 0)->time_ns[0], START_NS);
    assert_int_equal(gb_anonymise_undo_create(&key, &kept.sink, &undo), GB_OK);
    assert_int_equal(gb_recording_emit(made, undo), GB_OK);
    assert_int_equal(kept.time_ns[0], START_NS);
    assert_int_equal(kept.reason[0], GB_REASON_NONE);
    gb_sink_destroy(undo);
    close_filter(&f);
}

static void test_entity_missing(void **state)
{
    (void)state;
    fixture f;
    open_filter(&f, "name: p\ndefault: keep\ntime_shift: {entity: worker, days: 30}\n");
    assert_int_equal(gb_sink_begin(f.filter, &f.info, &f.recording), GB_ERR_SCHEMA);
    assert_non_null(strstr(gb_error_message(), "does not say its worker"));
    close_filter(&f);
}

/* ---- another key ---- */

static void test_rotate(void **state)
{
    (void)state;
    static const char policy[] = "name: p\n"
                                 "recording: {pairs: [{key: worker, rule: pseudonym}]}\n"
                                 "streams:\n"
                                 "  - {match: who, rule: pseudonym, domain: worker}\n"
                                 "  - {match: x, rule: rescale, range: {min: 0, max: 1}}\n";
    fixture f, g;
    gb_sink *rotate = NULL, *undo = NULL;
    open_filter(&f, policy);
    f.pairs[f.info.pair_count++] = (gb_pair){"worker", "tanaka"};
    begin(&f);
    gb_stream_spec who = text_stream("who"), x = scalar("x", GB_VALUE_F64);
    append_texts(&f, add_stream(&f, &who), 2, (const char *const[]){"tanaka", "suzuki"});
    append(&f, add_stream(&f, &x), 1, (double[]){0.25});
    const gb_recording *old = finish(&f);
    gb_dataset *moved = NULL;
    gb_sink *target = NULL;
    assert_int_equal(gb_dataset_create(&moved), GB_OK);
    assert_int_equal(gb_dataset_sink_create(moved, &target), GB_OK);
    assert_int_equal(gb_anonymise_rotate_create(&key, &other_key, target, &rotate), GB_OK);
    assert_int_equal(gb_recording_emit(old, rotate), GB_OK);
    const gb_recording *made = gb_dataset_get(moved, 0);
    const gb_recording_info *info = gb_recording_get_info(made);
    char due[GB_PSEUDONYM_BYTES], id[GB_KEY_ID_BYTES];
    assert_int_equal(gb_pseudonym(&other_key, "worker", "tanaka", 6, due), GB_OK);
    assert_string_equal(gb_pair_find(info->pairs, info->pair_count, "worker"), due);
    expect_run(gb_recording_stream(made, 0), 0, due);
    gb_key_id(&other_key, id);
    assert_string_equal(gb_pair_find(info->pairs, info->pair_count, "anonymise.key"), id);
    g.policy = policy_of(policy);
    char *name = NULL;
    assert_int_equal(gb_anonymise_recording_name(g.policy, &other_key, "press/7", &name), GB_OK);
    assert_string_equal(info->name, name);
    free(name);
    keeper kept = {.sink = {&keep_ops}}; /* and it is undone with the new key */
    kept.type[1] = GB_VALUE_F64;
    assert_int_equal(gb_anonymise_undo_create(&other_key, &kept.sink, &undo), GB_OK);
    int number, stream;
    assert_int_equal(gb_sink_begin(undo, info, &number), GB_OK);
    gb_stream_spec spec = *gb_recording_stream(made, 1)->spec;
    spec.value_type = GB_VALUE_F32;
    assert_int_equal(gb_sink_stream(undo, number, &spec, &stream), GB_OK);
    float values[3] = {gb_recording_stream(made, 1)->values[0]};
    gb_samples samples = {.count = 1, .time_ns = hourly(), .values = values};
    assert_int_equal(gb_sink_append(undo, number, stream, &samples), GB_OK);
    assert_true(fabs(kept.values[0][0] - (0.25)) < 1e-6);
    gb_sink_destroy(undo);
    gb_sink_destroy(rotate);
    gb_sink_destroy(target);
    gb_dataset_destroy(moved);
    gb_anonymise_policy_destroy(g.policy);
    close_filter(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rescale),        cmocka_unit_test(test_undo),
        cmocka_unit_test(test_undo_refused),   cmocka_unit_test(test_sealed_text),
        cmocka_unit_test(test_time_shift),     cmocka_unit_test(test_time_shift_undone),
        cmocka_unit_test(test_entity_missing), cmocka_unit_test(test_rotate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
