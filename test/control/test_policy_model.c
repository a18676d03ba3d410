/* A model as the policy of a machine: it must be the machine that it was trained for, in names,
 * sizes, units and rate. */
#include "model/pushing.h"

#include "genba/policy.h"

#include <stdio.h>
#include <stdlib.h>

/* A machine like pusht, with the unit of one stream and the period of choice. */
typedef struct machine {
    gb_plant_info info;
    gb_plant_stream observations[8], actions[2];
} machine;

static void like_pusht(machine *m)
{
    const gb_plant_info *pusht = NULL;
    pushing_ok(gb_plant_describe("pusht", &pusht));
    m->info = *pusht;
    assert_true(pusht->observation_stream_count <= 8 && pusht->action_stream_count <= 2);
    memcpy(m->observations, pusht->observation_streams,
           (size_t)pusht->observation_stream_count * sizeof *m->observations);
    memcpy(m->actions, pusht->action_streams,
           (size_t)pusht->action_stream_count * sizeof *m->actions);
    m->info.observation_streams = m->observations;
    m->info.action_streams = m->actions;
}

static void set_unit(machine *m, const char *stream, const char *unit)
{
    for (int i = 0; i < m->info.observation_stream_count; i++)
        if (strcmp(m->observations[i].spec.name, stream) == 0)
            m->observations[i].spec.unit = unit;
    for (int i = 0; i < m->info.action_stream_count; i++)
        if (strcmp(m->actions[i].spec.name, stream) == 0)
            m->actions[i].spec.unit = unit;
}

static gb_status fits(const gb_model *model, const machine *m)
{
    gb_policy policy = {0};
    gb_status status = gb_policy_make_model(model, &m->info, &policy);
    gb_policy_destroy(&policy);
    return status;
}

static gb_model *trained(gb_stream_unit *units, unsigned count, float rate_hz)
{
    gb_model_config config = pushing_config();
    gb_model *model = NULL;
    config.units = units;
    config.unit_count = count;
    config.rate_hz = rate_hz;
    pushing_ok(gb_model_create(&config, 1, &model));
    return model;
}

static void units_are_compared(void **state)
{
    (void)state;
    gb_stream_unit units[] = {{"block.angle", "rad"}, {"agent.target", "mm"}};
    gb_model *model = trained(units, 2, 0);
    machine m;
    like_pusht(&m);
    set_unit(&m, "block.angle", "rad");
    set_unit(&m, "agent.target", "mm");
    pushing_ok(fits(model, &m));
    set_unit(&m, "block.angle", "deg");
    assert_int_equal(fits(model, &m), GB_ERR_MISMATCH);
    assert_non_null(strstr(gb_error_message(), "\"block.angle\" in rad"));
    assert_non_null(strstr(gb_error_message(), "in deg"));
    set_unit(&m, "block.angle", "kg");
    assert_int_equal(fits(model, &m), GB_ERR_MISMATCH);
    set_unit(&m, "block.angle", ""); /* nobody knows */
    pushing_ok(fits(model, &m));
    set_unit(&m, "agent.target", "m");
    assert_int_equal(fits(model, &m), GB_ERR_MISMATCH);
    assert_non_null(strstr(gb_error_message(), "agent.target"));
    gb_model_destroy(model);
    gb_stream_unit pixels[] = {{"agent.target", "{px}"}, {"block.position", "{px}"}};
    model = trained(pixels, 2, 0); /* as data sets spell it */
    like_pusht(&m);
    pushing_ok(fits(model, &m));
    gb_model_destroy(model);
    model = trained(NULL, 0, 0); /* of before units were noted */
    pushing_ok(fits(model, &m));
    gb_model_destroy(model);
}

static void rates_are_compared(void **state)
{
    (void)state;
    gb_model *model = trained(NULL, 0, 10);
    machine m;
    like_pusht(&m);
    m.info.period_ns = 100000000;
    pushing_ok(fits(model, &m));
    m.info.period_ns = 50000000;
    assert_int_equal(fits(model, &m), GB_ERR_MISMATCH);
    assert_non_null(strstr(gb_error_message(), "10 actions a second"));
    assert_non_null(strstr(gb_error_message(), "asks for 20"));
    gb_model_destroy(model);
}

/* What training saw is in the model's folder. */
static void training_notes_them(void **state)
{
    (void)state;
    gb_stream_unit none = {NULL, NULL};
    gb_model *model = trained(&none, 0, 0), *loaded = NULL;
    char folder[] = "/tmp/genba-units-XXXXXX", path[96];
    pushing p = pushing_open(model, 3, false);
    pushing_ok(gb_model_fit_statistics(model, &p.index, 1, NULL));
    assert_non_null(mkdtemp(folder));
    pushing_ok(gb_model_save(model, folder));
    pushing_ok(gb_model_load(folder, &loaded));
    const gb_model_config *config = gb_model_get_config(loaded);
    assert_int_equal(config->unit_count, 4);
    for (unsigned i = 0; i < config->unit_count; i++)
        assert_string_equal(config->units[i].unit,
                            strcmp(config->units[i].stream, "block.angle") == 0 ? "rad" : "px");
    assert_true(config->rate_hz == 10.0f);
    gb_model_destroy(loaded);
    gb_model_destroy(model);
    pushing_close(&p);
    snprintf(path, sizeof path, "%s/config.json", folder);
    remove(path);
    snprintf(path, sizeof path, "%s/weights.safetensors", folder);
    remove(path);
    remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_are_compared),
        cmocka_unit_test(rates_are_compared),
        cmocka_unit_test(training_notes_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
