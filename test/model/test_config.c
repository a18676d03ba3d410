/* Configs: defaults, what is refused and with which words, and that writing keeps every value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/config.h"

static char path[] = "/tmp/genba_model_config_XXXXXX";

static int make_path(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

static gb_status load(const char *text, gb_model_config **out)
{
    assert_int_equal(gb_file_replace(path, text, strlen(text)), GB_OK);
    return gb_model_config_load(path, out);
}

static const char series[] = "name: ett\n"
                             "codec:\n"
                             "    kind: series\n"
                             "    look_back: 512\n"
                             "    patch: 32\n"
                             "backbone:\n"
                             "    width: 64\n"
                             "    blocks: [conv, attention]\n"
                             "    dropout: .2\n"
                             "head:\n"
                             "    kind: quantile\n"
                             "    horizon: 720\n"
                             "    quantiles: [.1, .5, .9]\n"
                             "    shortcuts: 3\n";

#define GOOD_LOAD(text)                                                                            \
    if (load(text, &c) != GB_OK)                                                                   \
    fail_msg("%s", gb_error_message())

static void good_config_and_its_defaults(void **state)
{
    (void)state;
    gb_model_config *c = NULL;
    GOOD_LOAD(series);
    assert_int_equal(c->codec.kind, GB_CODEC_SERIES);
    assert_int_equal(c->backbone.block_count, 2);
    assert_int_equal(c->backbone.blocks[1], GB_BLOCK_ATTENTION);
    assert_int_equal(c->backbone.heads, 4);
    assert_int_equal(c->backbone.kv_heads, 4);
    assert_int_equal(c->backbone.conv_kernel, 3);
    assert_true(c->backbone.rope_theta == 1e6f);
    assert_true(c->head.quantiles[2] == .9f);
    assert_true(c->head.ridge == .1f);
    assert_int_equal(c->head.evaluation_horizon_count, 4);
    gb_model_config_free(c);
    GOOD_LOAD(
        "codec: {kind: series, look_back: 16}\nbackbone: {}\nhead: {kind: quantile, horizon: 4}");
    assert_int_equal(c->head.quantile_count, 9);
    assert_true(c->head.quantiles[4] == .5f);
    assert_int_equal(c->backbone.block_count, 0);
    gb_model_config_free(c);
}

static void expect_error_(const char *text, const char *message, int line)
{
    gb_model_config *c = NULL;
    char expected[512];
    gb_status status = load(text, &c);
    snprintf(expected, sizeof expected, "%s:%s", path, message);
    if (status != GB_ERR_SCHEMA || strncmp(gb_error_message(), expected, strlen(expected)) != 0)
        fail_msg("line %d: %s: %s", line, gb_status_name(status), gb_error_message());
    assert_null(c);
}

/* The good config with one piece of text replaced. */
static void expect_(const char *from, const char *to, const char *message, int line)
{
    char text[1024];
    const char *at = strstr(series, from);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - series), series, to, at + strlen(from));
    expect_error_(text, message, line);
}
#define expect(from, to, message) expect_(from, to, message, __LINE__)

static void bad_configs_name_the_line(void **state)
{
    (void)state;
    expect("patch:", "pach:", "5: unknown key \"pach\" in codec; did you mean \"patch\"?");
    expect("patch: 32", "patch: wide", "5: codec.patch: expected a whole number");
    expect("patch: 32", "patch: 33",
           "4: codec.look_back: is 512 rows, expected a multiple of the "
           "patch, which is 33");
    expect("look_back: 512", "look_back: 0", "4: codec.look_back: is 0, expected a whole number");
    expect("look_back: 512", "look_back: -5", "4: codec.look_back: is -5");
    expect("kind: series", "kind: serious", "3: codec.kind: found \"serious\"");
    expect("kind: series", "kind: bytes", "11: head.kind: a quantile head needs the series codec");
    expect("kind: quantile", "kind: token", "11: head.kind: a token head needs the bytes codec");
    expect("[conv, attention]", "[conv, atention]",
           "8: backbone.blocks[1]: found \"atention\", which is not allowed here; did you mean "
           "\"attention\"?");
    expect("width: 64", "width: 66", "6: backbone.heads: 4 heads share a width of 66");
    expect("width: 64", "heads: 16\n    width: 16", "7: backbone.heads: 16 heads");
    expect("dropout: .2", "dropout: 1.0", "9: backbone.dropout: is 1, expected 0 up to below 1");
    expect("dropout: .2", "kv_heads: 3", "9: backbone.kv_heads: is 3, expected a divisor of heads");
    expect("[.1, .5, .9]", "[.1, .9]", "13: head.quantiles: 0.5 must be among the levels");
    expect("[.1, .5, .9]", "[.5, .1]", "13: head.quantiles: expected rising levels");
    expect("horizon: 720", "horizon: 0", "12: head.horizon: is 0");
    expect("shortcuts: 3", "shortcuts: -1", "14: head.shortcuts: is -1");
    expect("shortcuts: 3", "ridge: -1", "14: head.ridge: is -1");
    expect("shortcuts: 3", "evaluation_horizons: [0]", "14: head.evaluation_horizons: is 0");
    expect_error_("codec: {kind: series, look_back: 8}\nhead: {kind: quantile}\n",
                  "1: the key \"backbone\" (a mapping) is missing", __LINE__);
}

/* Every key with a value of its own: read, written, read again, written again the same. */
static void writing_keeps_every_value(void **state)
{
    (void)state;
    static const char all[] =
        "name: all\n"
        "codec: {kind: series, look_back: 64, streams: [a, b.c], sizes: [1, 2], hidden: 7, patch: "
        "4,\n"
        "  bodies: [{name: t, position: p, angle: q, landmarks: [1, -2.5, 1e-3, 4], goal: [1, 2, "
        "3]}],\n"
        "  points: [x], center: [256, 255], world_scale: 256, near_scale: 64, fine_scale: 32,\n"
        "  motion_scale: 16, symmetries: [{matrix: [0, -1, -1, 0], offset: [512, 512]}]}\n"
        "backbone: {width: 24, blocks: [attention], heads: 2, kv_heads: 1, ffn: 40, conv_kernel: "
        "4,\n"
        "  rope_theta: 12345.678, dropout: 0.1}\n"
        "head: {kind: quantile, horizon: 9, quantiles: [.25, .5], shortcuts: 1, ridge: .3,\n"
        "  evaluation_horizons: [3, 9], action: act, action_size: 3, relative_to: x,\n"
        "  relatives: [y, absolute], width: 5, hidden: 6, blocks: 2, time_features: 8, "
        "euler_steps: 3, temperature: .5, execute: 4,\n"
        "  clip_low: -1, clip_high: 1}\n";
    gb_model_config *c = NULL, *copy = NULL;
    if (load(all, &c) != GB_OK)
        fail_msg("%s", gb_error_message());
    if (gb_model_config_copy(c, &copy) != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_true(copy->backbone.rope_theta == 12345.678f);
    assert_true(copy->codec.bodies[0].landmarks[2] == 1e-3f);
    assert_int_equal(copy->codec.symmetries[0].matrix_count, 4);
    assert_int_equal(copy->head.evaluation_horizons[1], 9);
    json_t *a = gb_model_config_json(c), *b = gb_model_config_json(copy);
    assert_true(json_equal(a, b));
    /* every key of the file is there */
    assert_int_equal(json_object_size(json_object_get(a, "codec")), 14);
    assert_int_equal(json_object_size(json_object_get(a, "backbone")), 8);
    assert_int_equal(json_object_size(json_object_get(a, "head")), 19);
    json_decref(a);
    json_decref(b);
    gb_model_config_free(c);
    gb_model_config_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_config_and_its_defaults),
        cmocka_unit_test(bad_configs_name_the_line),
        cmocka_unit_test(writing_keeps_every_value),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
