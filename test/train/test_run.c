/* Whole runs: the loss falls, and the same bits come out at 1 and 2 threads, after a stop, after
 * kill -9 at any moment; damaged and foreign checkpoints are refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "train/folder.h"
#include "train/run_folder.h"

static const char recipe_text[] =
    "name: toy\n"
    "seed: 11\n"
    "data:\n"
    "  - {name: counting, files: [counting.txt], format: text, weight: 2,\n"
    "     train: {time: [0, 0.8]}, validation: {time: [0.8, 1]}}\n"
    "  - {name: letters, files: [letters.txt], format: text}\n"
    "model:\n"
    "  codec: {kind: bytes, look_back: 24}\n"
    "  backbone: {width: 32, blocks: [conv, attention], heads: 2, ffn: 64, dropout: 0.1}\n"
    "  head: {kind: token}\n"
    "train:\n"
    "  steps: 48\n"
    "  batch: 6\n"
    "  optimizer: {kind: muon, rate: 3e-3, muon_rate: 0.01}\n"
    "  schedule: {warmup: 4}\n"
    "  ema: 0.9\n"
    "  log_every: 1\n"
    "  validation: {every: 8, examples: 12, patience: 50}\n"
    "  checkpoint: {steps: 5, seconds: 0}\n";

static char home[64], recipe_path[96];

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", home, name);
    assert_int_equal(gb_file_replace(path, text, strlen(text)), GB_OK);
}

static int make_home(void **state)
{
    (void)state;
    char text[4096] = "";
    snprintf(home, sizeof home, "/tmp/genba-run-XXXXXX");
    if (!mkdtemp(home))
        return -1;
    for (int i = 0; i < 400; i++)
        sprintf(text + strlen(text), "%d ", i % 100);
    write_file("counting.txt", text);
    for (int i = 0; i < 2000; i++)
        text[i] = (char)('a' + i % 7);
    text[2000] = 0;
    write_file("letters.txt", text);
    write_file("recipe.yaml", recipe_text);
    snprintf(recipe_path, sizeof recipe_path, "%s/recipe.yaml", home);
    return 0;
}

static int remove_home(void **state)
{
    (void)state;
    gb_folder_remove(home);
    return 0;
}

static const char *in_home(const char *name)
{
    static char paths[4][160];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", home, name);
    return path;
}

static gb_status train(const char *run, int threads, gb_train_result *result)
{
    gb_train_options options = gb_train_options_defaults();
    options.threads = threads;
    return gb_train_run(recipe_path, in_home(run), &options, result);
}

static void assert_trained(const char *run, int threads, gb_train_result *result)
{
    gb_status status = train(run, threads, result);
    if (status != GB_OK)
        print_message("%s: %s\n", gb_status_name(status), gb_error_message());
    assert_int_equal(status, GB_OK);
}

static void hash_weights(const char *run, unsigned char hash[GB_HASH_BYTES])
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s/model/weights.safetensors", home, run);
    assert_int_equal(gb_hash_file(path, hash), GB_OK);
}

/* The undisturbed run that the others are compared with. */
static void assert_same_as_whole(const char *run)
{
    unsigned char whole[GB_HASH_BYTES], other[GB_HASH_BYTES];
    if (!gb_file_exists(in_home("whole/model"))) {
        gb_train_result result;
        assert_trained("whole", 1, &result);
    }
    hash_weights("whole", whole);
    hash_weights(run, other);
    assert_memory_equal(whole, other, GB_HASH_BYTES);
}

/* Lines of metrics.jsonl; every step's loss line must be there once, in order. */
static int count_metrics(const char *run)
{
    char path[256], line[1024];
    snprintf(path, sizeof path, "%s/%s/metrics.jsonl", home, run);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    int lines = 0, last = 0;
    while (fgets(line, sizeof line, file)) {
        int step = -1;
        assert_int_equal(sscanf(line, "{\"step\":%d", &step), 1);
        assert_int_equal(line[strlen(line) - 1], '\n');
        if (strstr(line, "\"grad_norm\""))
            assert_int_equal(step, ++last);
        lines++;
    }
    fclose(file);
    assert_int_equal(last, 48);
    return lines;
}

/* ---- tests ------------------------------------------------------------------------------------
 */
typedef struct seen {
    int phases[8];
    double first, last, validation;
    uint64_t bytes;
} seen;

static void look(void *context, const gb_train_progress *p)
{
    seen *s = context;
    s->phases[p->phase]++;
    if (p->phase == GB_TRAIN_PLANNED)
        s->bytes = p->memory.total_bytes;
    if (p->phase == GB_TRAIN_STEPPING && s->phases[p->phase] == 1)
        s->first = p->loss;
    s->last = p->loss;
    s->validation = p->validation_loss;
    assert_non_null(p->message);
    assert_string_equal(p->phase == GB_TRAIN_READING ? p->name : "toy", "toy");
}

static void the_loss_falls(void **state)
{
    (void)state;
    seen s = {0};
    gb_train_options options = gb_train_options_defaults();
    options.callback = look;
    options.context = &s;
    options.threads = 1;
    gb_train_result result;
    assert_int_equal(gb_train_run(recipe_path, in_home("whole"), &options, &result), GB_OK);
    assert_int_equal(result.step, 48);
    assert_false(result.resumed || result.finished_before || result.stopped_early);
    assert_true(s.first > 5.0 && s.last < 4.0 && s.validation < 5.4);
    assert_true(s.bytes > 100000);
    assert_int_equal(s.phases[GB_TRAIN_VALIDATED], 6);
    assert_int_equal(s.phases[GB_TRAIN_FINISHED], 1);
    assert_true(gb_file_exists(in_home("whole/recipe.yaml")));
    assert_true(gb_file_exists(in_home("whole/run.json")));
    assert_int_equal(count_metrics("whole"), 48 + 6);
    int64_t steps[GB_RUN_CHECKPOINTS_MAX];
    assert_int_equal(gb_run_checkpoints(in_home("whole"), steps), 2);
    assert_int_equal(steps[0], 48);
}

static void a_finished_run_says_so(void **state)
{
    (void)state;
    gb_train_result result;
    assert_same_as_whole("whole");
    assert_trained("whole", 1, &result);
    assert_true(result.finished_before);
    assert_int_equal(result.step, 48);
}

static void two_threads_give_the_same_bits(void **state)
{
    (void)state;
    gb_train_result result;
    assert_trained("threads", 2, &result);
    assert_same_as_whole("threads");
}

static void stop_at(void *context, const gb_train_progress *p)
{
    if (p->step >= 17)
        *(volatile int *)context = 1;
}

static void a_stopped_run_saves_and_goes_on(void **state)
{
    (void)state;
    volatile int stop = 0;
    gb_train_options options = gb_train_options_defaults();
    options.callback = stop_at;
    options.context = (void *)(uintptr_t)&stop;
    options.stop = &stop;
    options.threads = 1;
    gb_train_result result = {0};
    assert_int_equal(gb_train_run(recipe_path, in_home("stopped"), &options, &result),
                     GB_ERR_INTERRUPTED);
    assert_true(result.step >= 17 && result.step < 48);
    assert_false(gb_file_exists(in_home("stopped/model")));
    options = gb_train_options_defaults();
    options.threads = 2;
    assert_int_equal(gb_train_run(NULL, in_home("stopped"), &options, &result), GB_OK);
    assert_true(result.resumed);
    assert_same_as_whole("stopped");
    assert_int_equal(count_metrics("stopped"), count_metrics("whole"));
}

/* Runs the recipe in a child and kills it after `delay_us`; true if it had finished. */
static bool run_and_kill(const char *run, int threads, useconds_t delay_us)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        gb_train_result result;
        _exit(train(run, threads, &result) == GB_OK ? 0 : 1);
    }
    int code = 0;
    usleep(delay_us);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &code, 0), child);
    if (WIFEXITED(code))
        assert_int_equal(WEXITSTATUS(code), 0);
    return WIFEXITED(code);
}

static void a_killed_run_gives_the_same_bits(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        const char *run = threads == 1 ? "killed1" : "killed2";
        int kills = 0;
        uint64_t longest_us = 60000; /* grows until the run gets through */
        while (!run_and_kill(run, threads,
                             (useconds_t)(5000 + gb_random_below(3, (uint64_t)threads,
                                                                 (uint64_t)kills, longest_us)))) {
            kills++;
            longest_us += longest_us / 4;
            assert_true(kills < 200);
        }
        assert_true(kills > 0);
        assert_same_as_whole(run);
        assert_int_equal(count_metrics(run), count_metrics("whole"));
    }
}

/* A run stopped in the middle, for others to damage. */
static void make_half(const char *run)
{
    volatile int stop = 0;
    gb_train_options options = gb_train_options_defaults();
    options.callback = stop_at;
    options.context = (void *)(uintptr_t)&stop;
    options.stop = &stop;
    options.threads = 1;
    assert_int_equal(gb_train_run(recipe_path, in_home(run), &options, NULL), GB_ERR_INTERRUPTED);
}

static void damage(const char *run, int which, const char *file, bool cut)
{
    int64_t steps[GB_RUN_CHECKPOINTS_MAX];
    char folder[GB_RUN_PATH_BYTES], path[GB_RUN_PATH_BYTES];
    assert_true(gb_run_checkpoints(in_home(run), steps) > which);
    assert_int_equal(gb_run_checkpoint_path(in_home(run), steps[which], folder), GB_OK);
    assert_int_equal(gb_run_path(folder, file, path), GB_OK);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, -9, SEEK_END), 0);
    long at = ftell(f);
    int byte = fgetc(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    if (!cut)
        fputc(byte ^ 1, f); /* another one, whatever it was */
    fclose(f);
    if (cut)
        assert_int_equal(truncate(path, at), 0);
}

static void note_message(void *context, const gb_train_progress *p)
{
    if (p->phase == GB_TRAIN_RESUMED)
        snprintf(context, 4096, "%s", p->message);
}

static void a_damaged_checkpoint_is_passed_over(void **state)
{
    (void)state;
    static const char *const files[] = {"weights.safetensors", "state.safetensors",
                                        "checkpoint.json"};
    for (int i = 0; i < 3; i++) {
        char run[16], message[4096] = "";
        snprintf(run, sizeof run, "damaged%d", i);
        make_half(run);
        damage(run, 0, files[i], i == 1);
        gb_train_options options = gb_train_options_defaults();
        options.threads = 1;
        options.callback = note_message;
        options.context = message;
        assert_int_equal(gb_train_run(recipe_path, in_home(run), &options, NULL), GB_OK);
        assert_non_null(strstr(message, "passed over"));
        assert_non_null(strstr(message, files[i]));
        assert_same_as_whole(run);
    }
}

static void no_whole_checkpoint_is_an_error(void **state)
{
    (void)state;
    gb_train_result result;
    make_half("ruined");
    damage("ruined", 0, "weights.safetensors", false);
    damage("ruined", 1, "checkpoint.json", true);
    assert_int_equal(train("ruined", 1, &result), GB_ERR_CORRUPT);
    assert_non_null(strstr(gb_error_message(), "weights.safetensors"));
    assert_non_null(strstr(gb_error_message(), "delete"));
}

static void another_recipe_seed_or_data_is_refused(void **state)
{
    (void)state;
    gb_train_result result;
    make_half("foreign");
    gb_train_options options = gb_train_options_defaults();
    options.use_seed = true;
    options.seed = 12;
    assert_int_equal(gb_train_run(recipe_path, in_home("foreign"), &options, &result),
                     GB_ERR_MISMATCH);
    assert_non_null(strstr(gb_error_message(), "seed"));
    options = gb_train_options_defaults();
    options.steps = 30;
    assert_int_equal(gb_train_run(recipe_path, in_home("foreign"), &options, &result),
                     GB_ERR_MISMATCH);
    assert_non_null(strstr(gb_error_message(), "steps"));
    char text[sizeof recipe_text + 32];
    snprintf(text, sizeof text, "%s# edited\n", recipe_text);
    write_file("edited.yaml", text);
    assert_int_equal(gb_train_run(in_home("edited.yaml"), in_home("foreign"), NULL, &result),
                     GB_ERR_MISMATCH);
    assert_non_null(strstr(gb_error_message(), "recipe"));
    write_file("letters.txt", "other letters, but enough of them to train on: abcdefghijklmnopq");
    assert_int_equal(train("foreign", 1, &result), GB_ERR_MISMATCH);
    assert_non_null(strstr(gb_error_message(), "letters.txt"));
    char letters[2001];
    for (int i = 0; i < 2000; i++)
        letters[i] = (char)('a' + i % 7);
    letters[2000] = 0;
    write_file("letters.txt", letters);
    assert_trained("foreign", 1, &result);
}

static void two_processes_do_not_share_a_folder(void **state)
{
    (void)state;
    int fd;
    gb_train_result result;
    assert_int_equal(gb_folder_create(in_home("locked")), GB_OK);
    assert_int_equal(gb_run_lock(in_home("locked"), &fd), GB_OK);
    assert_int_equal(train("locked", 1, &result), GB_ERR_IO);
    assert_non_null(strstr(gb_error_message(), "another process"));
    close(fd);
}

static void minutes_fix_the_steps(void **state)
{
    (void)state;
    gb_train_options options = gb_train_options_defaults();
    options.minutes = 0.02;
    options.threads = 1;
    gb_train_result result;
    assert_int_equal(gb_train_run(recipe_path, in_home("minutes"), &options, &result), GB_OK);
    assert_true(result.steps > 12 && result.step == result.steps);
}

static void patience_stops_early(void **state)
{
    (void)state;
    char text[sizeof recipe_text];
    snprintf(text, sizeof text, "%s", recipe_text);
    char *rate = strstr(text, "rate: 3e-3"), *every = strstr(text, "every: 8");
    char *patience = strstr(text, "patience: 50");
    assert_true(rate && every && patience);
    memcpy(rate, "rate: 9e-1", 10); /* far too high: validation soon gets worse */
    memcpy(every, "every: 1", 8);
    memcpy(patience, "patience: 1 ", 12);
    write_file("hasty.yaml", text);
    gb_train_result result;
    gb_status status = gb_train_run(in_home("hasty.yaml"), in_home("hasty"), NULL, &result);
    assert_int_equal(status, GB_OK);
    assert_true(result.stopped_early);
    assert_true(result.step < 48);
    assert_true(gb_file_exists(in_home("hasty/model")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loss_falls),
        cmocka_unit_test(a_finished_run_says_so),
        cmocka_unit_test(two_threads_give_the_same_bits),
        cmocka_unit_test(a_stopped_run_saves_and_goes_on),
        cmocka_unit_test(a_killed_run_gives_the_same_bits),
        cmocka_unit_test(a_damaged_checkpoint_is_passed_over),
        cmocka_unit_test(no_whole_checkpoint_is_an_error),
        cmocka_unit_test(another_recipe_seed_or_data_is_refused),
        cmocka_unit_test(two_processes_do_not_share_a_folder),
        cmocka_unit_test(minutes_fix_the_steps),
        cmocka_unit_test(patience_stops_early),
    };
    return cmocka_run_group_tests(tests, make_home, remove_home);
}
