/* YAML files: values arrive, and every slip is named with file, line, expected and found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/yaml.h"

typedef struct head {
    char *name;
    int32_t width;
    int loss;
} head;

typedef struct training {
    int32_t steps;
    uint8_t workers;
    float rate;
    bool resume;
    double betas[2];
} training;

typedef struct recipe {
    char *title;
    training train;
    head *heads;
    uint32_t heads_count;
    uint32_t inputs;
    char *note;
} recipe;

static const cyaml_strval_t losses[] = {{"pinball", 0}, {"mse", 1}, {"flow", 2}};
static const cyaml_strval_t inputs[] = {{"camera", 1}, {"touch", 2}};

static const cyaml_schema_field_t head_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, head, name, 1, 8),
    CYAML_FIELD_INT("width", CYAML_FLAG_DEFAULT, head, width),
    CYAML_FIELD_ENUM("loss", CYAML_FLAG_DEFAULT, head, loss, losses, CYAML_ARRAY_LEN(losses)),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t head_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, head, head_fields)};
static const cyaml_schema_value_t beta_schema = {CYAML_VALUE_FLOAT(CYAML_FLAG_DEFAULT, double)};

static const cyaml_schema_field_t train_fields[] = {
    CYAML_FIELD_INT("steps", CYAML_FLAG_DEFAULT, training, steps),
    CYAML_FIELD_UINT("workers", CYAML_FLAG_OPTIONAL, training, workers),
    CYAML_FIELD_FLOAT("rate", CYAML_FLAG_OPTIONAL, training, rate),
    CYAML_FIELD_BOOL("resume", CYAML_FLAG_OPTIONAL, training, resume),
    CYAML_FIELD_SEQUENCE_FIXED("betas", CYAML_FLAG_OPTIONAL, training, betas, &beta_schema, 2),
    CYAML_FIELD_END,
};
static const cyaml_schema_field_t recipe_fields[] = {
    CYAML_FIELD_STRING_PTR("title", CYAML_FLAG_POINTER, recipe, title, 0, CYAML_UNLIMITED),
    CYAML_FIELD_MAPPING("train", CYAML_FLAG_DEFAULT, recipe, train, train_fields),
    CYAML_FIELD_SEQUENCE(
        "heads", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, recipe, heads, &head_schema, 1, 3),
    CYAML_FIELD_FLAGS(
        "inputs", CYAML_FLAG_OPTIONAL, recipe, inputs, inputs, CYAML_ARRAY_LEN(inputs)),
    CYAML_FIELD_STRING_PTR("note",
                           CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL,
                           recipe,
                           note,
                           0,
                           CYAML_UNLIMITED),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t recipe_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, recipe, recipe_fields)};

static const char good[] = "# a comment\n"
                           "title: \"a: quoted text\"\n"
                           "train:\n"
                           "    steps: 8000\n"
                           "    workers: 0x10\n"
                           "    rate: 1e-3\n"
                           "    resume: Yes\n"
                           "    betas: [.9, 0.99]\n"
                           "heads:\n"
                           "    - name: action\n"
                           "      width: -3\n"
                           "      loss: flow\n"
                           "    - {name: token, width: 4, loss: mse}\n"
                           "inputs: [touch]\n"
                           "note: ~\n";

static gb_status load(const char *text, recipe **out)
{
    return gb_yaml_load_text("r.yaml", text, strlen(text), &recipe_schema, (void **)out);
}

static void expect_error_(const char *text, gb_status status, const char *message, int line)
{
    recipe *untouched = (recipe *)(uintptr_t)64;
    gb_status got = load(text, &untouched);
    if (got != status || strncmp(gb_error_message(), message, strlen(message)) != 0)
        fail_msg("line %d: status %s, message \"%s\"", line, gb_status_name(got),
                 gb_error_message());
    assert_ptr_equal(untouched, (recipe *)(uintptr_t)64);
}
#define expect_error(text, status, message) expect_error_(text, status, message, __LINE__)

static void good_file_gives_its_values(void **state)
{
    (void)state;
    recipe *r = NULL;
    if (load(good, &r) != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_string_equal(r->title, "a: quoted text");
    assert_int_equal(r->train.steps, 8000);
    assert_int_equal(r->train.workers, 16);
    assert_true(r->train.rate == 1e-3f);
    assert_true(r->train.resume);
    assert_true(r->train.betas[0] == 0.9 && r->train.betas[1] == 0.99);
    assert_int_equal(r->heads_count, 2);
    assert_string_equal(r->heads[1].name, "token");
    assert_int_equal(r->heads[0].width, -3);
    assert_int_equal(r->heads[0].loss, 2);
    assert_int_equal(r->inputs, 2);
    assert_null(r->note);
    gb_yaml_free(&recipe_schema, r);
    gb_yaml_free(&recipe_schema, NULL);
    assert_int_equal(load("\xEF\xBB\xBFtitle: x\r\ntrain: {steps: 1}\r\n", &r), GB_OK);
    assert_int_equal(r->train.steps, 1);
    gb_yaml_free(&recipe_schema, r);
}

static void unknown_and_repeated_keys(void **state)
{
    (void)state;
    expect_error("title: x\ntrain:\n  steps: 1\n  wrokers: 2\n", GB_ERR_SCHEMA,
                 "r.yaml:4: unknown key \"wrokers\" in train; did you mean \"workers\"? allowed "
                 "here: steps, workers, rate, resume, betas");
    expect_error("title: x\nTrain: 1\n", GB_ERR_SCHEMA,
                 "r.yaml:2: unknown key \"Train\"; did you mean \"train\"? allowed here: title, ");
    expect_error("optimiser: x\n", GB_ERR_SCHEMA,
                 "r.yaml:1: unknown key \"optimiser\"; allowed here: title, train, heads");
    expect_error("title: x\ntrain: {steps: 1}\nheads:\n- name: a\n  widht: 3\n", GB_ERR_SCHEMA,
                 "r.yaml:5: unknown key \"widht\" in heads[0]; did you mean \"width\"?");
    expect_error("title: x\ntitle: y\n", GB_ERR_SCHEMA,
                 "r.yaml:2: the key \"title\" appears twice (first in line 1); remove one");
}

static void missing_keys(void **state)
{
    (void)state;
    expect_error("title: x\n\ntrain:\n  rate: 1\n", GB_ERR_SCHEMA,
                 "r.yaml:3: train: the key \"steps\" (a whole number) is missing");
    expect_error("train: {steps: 1}\n", GB_ERR_SCHEMA,
                 "r.yaml:1: the key \"title\" (a text) is missing");
    expect_error("title: x\n", GB_ERR_SCHEMA, "r.yaml:1: the key \"train\" (a mapping) is missing");
}

static void wrong_types(void **state)
{
    (void)state;
#define TRAIN(text) "title: x\ntrain:\n  steps: 1\n  " text "\n"
    expect_error("title: x\ntrain:\n  steps: many\n", GB_ERR_SCHEMA,
                 "r.yaml:3: train.steps: expected a whole number between -2147483648 and "
                 "2147483647, found \"many\"");
    expect_error("title: x\ntrain: {steps: 2147483648}", GB_ERR_SCHEMA, "r.yaml:2: train.steps: ");
    expect_error("title: x\ntrain: {steps: 1e6}", GB_ERR_SCHEMA, "r.yaml:2: train.steps: ");
    expect_error("title: x\ntrain: {steps: 1.0}", GB_ERR_SCHEMA, "r.yaml:2: train.steps: ");
    expect_error("title: x\ntrain: {steps: }", GB_ERR_SCHEMA, "r.yaml:2: train.steps: ");
    expect_error("title: x\ntrain: {steps: \" 1\"}", GB_ERR_SCHEMA, "r.yaml:2: train.steps: ");
    expect_error("title: x\ntrain: {steps: 010}", GB_ERR_SCHEMA,
                 "r.yaml:2: train.steps: expected a whole number without leading zeros");
    expect_error("title: x\ntrain: {steps: [1]}", GB_ERR_SCHEMA,
                 "r.yaml:2: train.steps: expected a whole number, found a list of 1 items");
    expect_error(TRAIN("workers: 256"), GB_ERR_SCHEMA,
                 "r.yaml:4: train.workers: expected a whole number between 0 and 255, found "
                 "\"256\"");
    expect_error(TRAIN("workers: -1"), GB_ERR_SCHEMA, "r.yaml:4: train.workers: ");
    expect_error(TRAIN("rate: fast"), GB_ERR_SCHEMA,
                 "r.yaml:4: train.rate: expected a finite number");
    expect_error(TRAIN("rate: .inf"), GB_ERR_SCHEMA, "r.yaml:4: train.rate: ");
    expect_error(TRAIN("rate: nan"), GB_ERR_SCHEMA, "r.yaml:4: train.rate: ");
    expect_error(TRAIN("rate: 1e39"), GB_ERR_SCHEMA, "r.yaml:4: train.rate: ");
    expect_error(TRAIN("rate: 1_000"), GB_ERR_SCHEMA, "r.yaml:4: train.rate: ");
    expect_error(TRAIN("resume: off"), GB_ERR_SCHEMA,
                 "r.yaml:4: train.resume: expected true or false, found \"off\"");
    expect_error(TRAIN("betas: [1]"), GB_ERR_SCHEMA,
                 "r.yaml:4: train.betas: expected a list of exactly 2 items, found a list of 1");
    expect_error(TRAIN("betas: [1, x]"), GB_ERR_SCHEMA, "r.yaml:4: train.betas[1]: expected a fin");
    expect_error("title: x\ntrain: 3\n", GB_ERR_SCHEMA,
                 "r.yaml:2: train: expected a mapping (\"key: value\" lines), found \"3\"");
    expect_error("- a\n- b\n", GB_ERR_SCHEMA, "r.yaml:1: expected a mapping");
    expect_error(TRAIN("betas: [1, 2]\nheads: []"), GB_ERR_SCHEMA,
                 "r.yaml:5: heads: expected a list of 1 to 3 items, found a list of 0 items");
    expect_error(TRAIN("rate: 1\nheads: [{name: far_too_long, width: 1, loss: mse}]"),
                 GB_ERR_SCHEMA, "r.yaml:5: heads[0].name: expected a text of at most 8 bytes");
    expect_error(TRAIN("rate: 1\nheads: [{name: a, width: 1, loss: pinbal}]"), GB_ERR_SCHEMA,
                 "r.yaml:5: heads[0].loss: found \"pinbal\", which is not allowed here; did you "
                 "mean \"pinball\"? allowed: pinball, mse, flow");
    expect_error(TRAIN("rate: 1\nheads: [{name: a, width: 1, loss: 2}]"), GB_ERR_SCHEMA,
                 "r.yaml:5: heads[0].loss: found \"2\"");
    expect_error(TRAIN("rate: 1\ninputs: [camera, smell]"), GB_ERR_SCHEMA,
                 "r.yaml:5: inputs[1]: found \"smell\"");
}

static void not_yaml(void **state)
{
    (void)state;
    expect_error("", GB_ERR_SCHEMA,
                 "r.yaml:1: the file is empty; expected the keys: title, train, heads");
    expect_error("# only a comment\n", GB_ERR_SCHEMA, "r.yaml:1: the file is empty");
    expect_error("title: x\ntrain:\n\tsteps: 1\n", GB_ERR_PARSE, "r.yaml:3: not YAML at column 1");
    assert_non_null(strstr(gb_error_message(), "contains a tab: indent with spaces"));
    expect_error("title: x\ntrain: \"open\nand more\n", GB_ERR_PARSE, "r.yaml:");
    expect_error("title: x\nnote: caf\xE9\n", GB_ERR_PARSE,
                 "r.yaml:2: byte 18 is not text in UTF-8");
    expect_error("title: x\n---\ntitle: y\n", GB_ERR_PARSE, "r.yaml:2: a second document");
    expect_error("title: &a x\nnote: *a\n", GB_ERR_PARSE, "r.yaml:2: aliases");
    expect_error("? [a]\n: b\n", GB_ERR_PARSE, "r.yaml:1: a key must be a word");
    expect_error("title: \"a\\0b\"\n", GB_ERR_PARSE, "r.yaml:1: a text contains a 0 byte");
    expect_error("title: x\ntrain: {steps: 1\n", GB_ERR_PARSE, "r.yaml:");
    char deep[400] = "title: ";
    memset(deep + 7, '[', 100);
    expect_error(deep, GB_ERR_PARSE, "r.yaml:1: nested deeper than 64");
}

static void very_long_lines(void **state)
{
    (void)state;
    enum {
        LENGTH = 1 << 20
    };
    char *text = calloc(1, LENGTH + 100);
    assert_non_null(text);
    memset(text, 'k', LENGTH);
    expect_error(text, GB_ERR_SCHEMA, "r.yaml:1: expected a mapping");
    strcpy(text + LENGTH, ": 3\n");
    expect_error(text, GB_ERR_PARSE, "r.yaml:");
    memcpy(text, "title: ", 7);
    strcpy(text + LENGTH, "\ntrain: {steps: 1}\n");
    recipe *r = NULL;
    assert_int_equal(load(text, &r), GB_OK);
    assert_int_equal(strlen(r->title), LENGTH - 7);
    gb_yaml_free(&recipe_schema, r);
    free(text);
}

static void cut_at_every_byte(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof good; size++) {
        char *exact = malloc(size > 0 ? size : 1);
        assert_non_null(exact);
        memcpy(exact, good, size);
        recipe *r = NULL;
        gb_status status = gb_yaml_load_text("r.yaml", exact, size, &recipe_schema, (void **)&r);
        if (status != GB_OK)
            assert_memory_equal(gb_error_message(), "r.yaml:", 7);
        gb_yaml_free(&recipe_schema, r);
        free(exact);
    }
}

/* Each byte replaced by each of some awkward ones: a status, never a crash. */
static void damaged_at_every_byte(void **state)
{
    (void)state;
    static const char awkward[] = "\0\t\n:-[]{}\"'&*#!%|>?,\\9\xFF\x80";
    char text[sizeof good];
    for (size_t at = 0; at < sizeof good - 1; at++) {
        for (size_t k = 0; k < sizeof awkward - 1; k++) {
            memcpy(text, good, sizeof good);
            text[at] = awkward[k];
            recipe *r = NULL;
            gb_status status =
                gb_yaml_load_text("r.yaml", text, sizeof good - 1, &recipe_schema, (void **)&r);
            if (status != GB_OK)
                assert_memory_equal(gb_error_message(), "r.yaml:", 7);
            gb_yaml_free(&recipe_schema, r);
        }
    }
}

static void lines_of_values_in_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/genba_yaml_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(gb_file_replace(path, good, sizeof good - 1), GB_OK);
    recipe *r = NULL;
    assert_int_equal(gb_yaml_load(path, &recipe_schema, (void **)&r), GB_OK);
    gb_yaml_free(&recipe_schema, r);
    assert_int_equal(gb_yaml_line(path, "title"), 2);
    assert_int_equal(gb_yaml_line(path, "train.rate"), 6);
    assert_int_equal(gb_yaml_line(path, "train.betas[1]"), 8);
    assert_int_equal(gb_yaml_line(path, "heads[0].width"), 11);
    assert_int_equal(gb_yaml_line(path, "heads[1].loss"), 13);
    assert_int_equal(gb_yaml_line(path, "heads[9].loss"), 9);
    assert_int_equal(gb_yaml_line(path, "train.absent"), 3);
    assert_int_equal(gb_yaml_line(path, "title..[x"), 2);
    assert_int_equal(gb_yaml_line("/nowhere.yaml", "title"), 0);
    assert_int_equal(
        gb_yaml_fail_value(path, "train.steps", "must be between 1 and 1000000, is %d", -3),
        GB_ERR_SCHEMA);
    char expected[128];
    snprintf(expected, sizeof expected, "%s:4: train.steps: must be between 1 and 1000000, is -3",
             path);
    assert_string_equal(gb_error_message(), expected);
    unlink(path);
    assert_int_equal(gb_yaml_load(path, &recipe_schema, (void **)&r), GB_ERR_IO);
    assert_non_null(strstr(gb_error_message(), path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_file_gives_its_values),
        cmocka_unit_test(unknown_and_repeated_keys),
        cmocka_unit_test(missing_keys),
        cmocka_unit_test(wrong_types),
        cmocka_unit_test(not_yaml),
        cmocka_unit_test(very_long_lines),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(damaged_at_every_byte),
        cmocka_unit_test(lines_of_values_in_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
