/* The report: tags balanced, everything escaped, nothing fetched from anywhere. */
#include "genba/eval.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define DATA GENBA_SOURCE_DIR "/data"
#define EVIL "<b>\"&' </script><script>alert(1)</script>"

/* ---- a small judge of markup ---------------------------------------------------------------- */

static bool is_void(const char *name)
{
    static const char *const names[] = {"meta", "input", "br", "link", "!DOCTYPE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* Walks the tags; the contents of script and style are skipped. Fails on a tag that closes another
 * one, and on one left open. */
static void check_balanced(const char *text)
{
    char stack[64][24];
    int depth = 0;
    for (const char *at = text; (at = strchr(at, '<'));) {
        bool closing = at[1] == '/';
        const char *name_at = at + 1 + closing;
        char name[24];
        size_t length = strcspn(name_at, " \n/>");
        snprintf(name, sizeof name, "%.*s", (int)length, name_at);
        const char *end = strchr(at, '>');
        assert_non_null(end);
        if (closing) {
            assert_true(depth > 0);
            if (strcmp(stack[--depth], name) != 0)
                fail_msg("</%s> closes <%s>", name, stack[depth]);
        } else if (!is_void(name) && end[-1] != '/') {
            assert_true(depth < 64);
            memcpy(stack[depth++], name, sizeof name);
        }
        at = end + 1;
        if (!closing && (strcmp(name, "script") == 0 || strcmp(name, "style") == 0)) {
            at = strstr(at, name[1] == 'c' ? "</script>" : "</style>");
            assert_non_null(at);
        }
    }
    assert_int_equal(depth, 0);
}

static char *read_text(gb_arena *arena, const char *path)
{
    char *text = NULL;
    size_t size = 0;
    if (gb_file_read(path, 0, arena, &text, &size) != GB_OK)
        fail_msg("%s", gb_error_message());
    return text;
}

/* Every JSON block of the page. */
static void check_json_blocks(gb_arena *arena, const char *text)
{
    const char *open = "<script type=\"application/json\"";
    for (const char *at = text; (at = strstr(at, open));) {
        const char *begin = strchr(at, '>') + 1, *end = strstr(begin, "</script>");
        json_error_t error;
        json_t *root = json_loadb(begin, (size_t)(end - begin), 0, &error);
        if (!root)
            fail_msg("JSON in the page: %s at %d", error.text, error.position);
        const json_t *episode = json_array_get(json_object_get(root, "episodes"), 0);
        json_int_t steps = json_integer_value(json_object_get(episode, "steps"));
        size_t frames = json_array_size(json_object_get(episode, "frames"));
        assert_true(steps > 0 && frames % (size_t)(steps + 1) == 0 && frames > 0);
        assert_int_equal(json_array_size(json_object_get(episode, "reward")), steps + 1);
        json_decref(root);
        at = end;
    }
    (void)arena;
}

/* ---- a report of real results --------------------------------------------------------------- */

typedef struct fixture {
    gb_suite_result *results[2];
    char folder[64], page[128], picture[128], metrics[128];
    gb_arena *arena;
} fixture;

static gb_suite_result *suite(const char *name, gb_suite_options options)
{
    gb_suite_result *result = NULL;
    if (gb_suite_run(name, &options, &result) != GB_OK)
        fail_msg("%s", gb_error_message());
    return result;
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/genba_report_XXXXXX");
    if (!mkdtemp(f->folder) || gb_arena_create(0, &f->arena) != GB_OK)
        return -1;
    snprintf(f->page, sizeof f->page, "%s/report.html", f->folder);
    snprintf(f->picture, sizeof f->picture, "%s/picture.svg", f->folder);
    snprintf(f->metrics, sizeof f->metrics, "%s/metrics.jsonl", f->folder);
    gb_suite_options options = gb_suite_options_defaults();
    options.data = DATA;
    options.resamples = 50;
    options.episodes = 2;
    options.baselines = "nearest";
    options.command = EVIL;
    f->results[0] = suite("pusht", options);
    options.baselines = "ridge";
    options.only = "ETTh1";
    options.window_step = 300;
    options.examples = 2;
    f->results[1] = suite("ett", options);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    unlink(f->page);
    unlink(f->picture);
    unlink(f->metrics);
    rmdir(f->folder);
    gb_suite_result_destroy(f->results[0]);
    gb_suite_result_destroy(f->results[1]);
    gb_arena_destroy(f->arena);
    free(f);
    return 0;
}

static void write_metrics(const char *path)
{
    FILE *file = fopen(path, "w");
    for (int i = 1; i <= 1000; i++)
        fprintf(file, "{\"step\":%d,\"loss\":%.4f,\"seconds\":%.1f}\n", i, 2.0 / i, 0.1 * i);
    fputs("{\"step\":1000,\"validation_loss\":0.5}\n{\"step\":1001,\"loss\":nu", file);
    fclose(file);
}

static gb_report report_of(const fixture *f, const gb_report_run *runs, int run_count)
{
    static const gb_report_fact facts[] = {{EVIL, EVIL}};
    static const gb_report_command commands[] = {{EVIL, EVIL}};
    return (gb_report){.title = EVIL,
                       .summary = EVIL,
                       .result_count = 2,
                       .results = (const gb_suite_result *const *)f->results,
                       .run_count = run_count,
                       .runs = runs,
                       .fact_count = 1,
                       .facts = facts,
                       .command_count = 1,
                       .commands = commands};
}

static void page_is_sound_and_self_contained(void **state)
{
    fixture *f = *state;
    write_metrics(f->metrics);
    const gb_report_run runs[] = {{EVIL, f->metrics, EVIL}, {"gone", "/nowhere/x.jsonl", ""}};
    gb_report report = report_of(f, runs, 2);
    assert_int_equal(gb_report_write(&report, f->page), GB_OK);
    char *text = read_text(f->arena, f->page);
    check_balanced(text);
    check_json_blocks(f->arena, text);
    assert_null(strstr(text, "<script>alert"));
    assert_null(strstr(text, "http:"));
    assert_null(strstr(text, "https:"));
    assert_null(strstr(text, "src="));
    assert_null(strstr(text, "@import"));
    assert_null(strstr(text, "url("));
    assert_non_null(strstr(text, "&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert_non_null(strstr(text, "last held-out loss 0.5000"));
    assert_non_null(strstr(text, "No metrics could be read from /nowhere/x.jsonl"));
    assert_non_null(strstr(text, "id=\"control\""));
    assert_non_null(strstr(text, "id=\"forecasts\""));
    assert_non_null(strstr(text, "Time-MoE-50M"));
}

static void picture_is_sound(void **state)
{
    fixture *f = *state;
    gb_report report = report_of(f, NULL, 0);
    assert_int_equal(gb_report_picture(&report, f->picture), GB_OK);
    char *text = read_text(f->arena, f->picture);
    check_balanced(text);
    assert_non_null(strstr(text, "role-block"));
    assert_non_null(strstr(text, "line-forecast"));
}

static void empty_report_is_a_page(void **state)
{
    fixture *f = *state;
    gb_report report = {.title = "nothing", .summary = "yet"};
    assert_int_equal(gb_report_write(&report, f->page), GB_OK);
    check_balanced(read_text(f->arena, f->page));
    assert_int_equal(gb_report_write(&report, "/nowhere/at/all.html"), GB_ERR_IO);
}

static void machine_facts_are_there(void **state)
{
    fixture *f = *state;
    const gb_report_fact *facts = NULL;
    int count = 0;
    assert_int_equal(gb_report_machine_facts(f->arena, 2, &facts, &count), GB_OK);
    assert_true(count >= 5);
    for (int i = 0; i < count; i++)
        assert_true(*facts[i].label && *facts[i].value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_is_sound_and_self_contained),
        cmocka_unit_test(picture_is_sound),
        cmocka_unit_test(empty_report_is_a_page),
        cmocka_unit_test(machine_facts_are_there),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
