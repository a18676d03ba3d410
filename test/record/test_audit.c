/* The audit log: lines hang together, and whatever is done to them is found and named. */
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
#include <jansson.h>

#include "genba/store.h"

#define LINES 6

typedef struct fixture {
    char folder[64], path[96];
    gb_audit_head head; /* of LINES lines */
    char *text;         /* of the whole log */
    size_t size;
    size_t start[LINES + 1]; /* where each line begins; start[LINES] is the size */
    gb_audit_head heads[LINES];
} fixture;

static char *read_text(const char *path, size_t *out_size)
{
    FILE *from = fopen(path, "rb");
    assert_non_null(from);
    char *text = calloc(1, 1 << 20);
    *out_size = fread(text, 1, (1 << 20) - 1, from);
    fclose(from);
    return text;
}

static void write_text(const fixture *f, const char *text, size_t size)
{
    FILE *to = fopen(f->path, "wb");
    assert_non_null(to);
    assert_int_equal(fwrite(text, 1, size, to), size);
    fclose(to);
}

static int make_log(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    strcpy(f->folder, "/tmp/genba_audit_XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/audit.jsonl", f->folder);
    for (int i = 0; i < LINES; i++) {
        char object[32];
        snprintf(object, sizeof object, "press/%d", i);
        assert_int_equal(gb_audit_append(f->path, "open", object,
                                         i % 2 ? "{\"use\":\"train\"}" : NULL, &f->heads[i]),
                         GB_OK);
        assert_int_equal(f->heads[i].lines, i + 1);
    }
    f->head = f->heads[LINES - 1];
    f->text = read_text(f->path, &f->size);
    int line = 1;
    for (size_t i = 0; i < f->size; i++)
        if (f->text[i] == '\n')
            f->start[line++] = i + 1;
    assert_int_equal(line, LINES + 1);
    *state = f;
    return 0;
}

static int drop_log(void **state)
{
    fixture *f = *state;
    unlink(f->path);
    rmdir(f->folder);
    free(f->text);
    free(f);
    return 0;
}

/* Both with and without knowing the head; `line` is what the message must name (0: nothing). */
static void expect(const fixture *f, gb_status known, gb_status unknown, int line)
{
    char where[128];
    snprintf(where, sizeof where, "%s:%d:", f->path, line);
    gb_audit_head head = {.lines = -1};
    assert_int_equal(gb_audit_verify(f->path, &f->head, &head), known);
    if (known != GB_OK && line && !strstr(gb_error_message(), where))
        fail_msg("expected %s in \"%s\"", where, gb_error_message());
    assert_int_equal(gb_audit_verify(f->path, NULL, &head), unknown);
    if (unknown != GB_OK && line && !strstr(gb_error_message(), where))
        fail_msg("expected %s in \"%s\"", where, gb_error_message());
}

/* The log with lines in another order; order ends with -1. */
static void write_order(const fixture *f, const int *order)
{
    char *text = calloc(1, 3 * f->size);
    size_t size = 0;
    for (; *order >= 0; order++) {
        size_t length = f->start[*order + 1] - f->start[*order];
        memcpy(text + size, f->text + f->start[*order], length);
        size += length;
    }
    write_text(f, text, size);
    free(text);
}

static void test_whole(void **state)
{
    fixture *f = *state;
    gb_audit_head head = {0};
    assert_int_equal(gb_audit_verify(f->path, &f->head, &head), GB_OK);
    assert_int_equal(head.lines, LINES);
    assert_memory_equal(head.hash, f->head.hash, GB_HASH_BYTES);
    for (int i = 0; i < LINES; i++) { /* any head seen before lies in the chain */
        unsigned char hash[GB_HASH_BYTES];
        assert_int_equal(gb_audit_verify(f->path, &f->heads[i], NULL), GB_OK);
        gb_hash(f->text + f->start[i], f->start[i + 1] - f->start[i] - 1, hash);
        assert_memory_equal(hash, f->heads[i].hash, GB_HASH_BYTES);
    }
}

static void test_contents(void **state)
{
    fixture *f = *state;
    json_t *line = json_loadb(f->text + f->start[1], f->start[2] - f->start[1], 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(line, "seq")), 2);
    assert_string_equal(json_string_value(json_object_get(line, "action")), "open");
    assert_string_equal(json_string_value(json_object_get(line, "object")), "press/1");
    assert_non_null(strchr(json_string_value(json_object_get(line, "who")), '@'));
    assert_non_null(strstr(json_string_value(json_object_get(line, "program")), "test_record"));
    const char *time = json_string_value(json_object_get(line, "time"));
    assert_int_equal(strlen(time), strlen("2026-01-02T03:04:05.123456Z"));
    const json_t *details = json_object_get(line, "details");
    assert_string_equal(json_string_value(json_object_get(details, "use")), "train");
    json_decref(line);
}

/* ---- what can be done to a log ---- */

static void test_edited(void **state)
{
    fixture *f = *state;
    char *text = malloc(f->size);
    for (int i = 0; i < LINES; i++)
        for (size_t at = f->start[i]; at < f->start[i + 1] - 1; at++) {
            memcpy(text, f->text, f->size);
            text[at] ^= 1;
            if (text[at] == '\n')
                continue;
            write_text(f, text, f->size);
            gb_status status = gb_audit_verify(f->path, &f->head, NULL);
            if (status != GB_ERR_CORRUPT)
                fail_msg("byte %zu of line %d", at - f->start[i], i + 1);
            char where[128];
            snprintf(where, sizeof where, "%s:%d:", f->path, i + 1);
            if (!strstr(gb_error_message(), where))
                fail_msg("line %d, byte %zu: %s", i + 1, at - f->start[i], gb_error_message());
            if (i < LINES - 1) /* without a head the last line cannot be vouched for */
                assert_int_equal(gb_audit_verify(f->path, NULL, NULL), GB_ERR_CORRUPT);
        }
    free(text);
}

static void test_dropped(void **state)
{
    fixture *f = *state;
    for (int dropped = 0; dropped < LINES - 1; dropped++) {
        int order[LINES + 1], count = 0;
        for (int i = 0; i < LINES; i++)
            if (i != dropped)
                order[count++] = i;
        order[count] = -1;
        write_order(f, order);
        expect(f, GB_ERR_CORRUPT, GB_ERR_CORRUPT, dropped + 1);
    }
}

static void test_moved(void **state)
{
    fixture *f = *state;
    for (int a = 0; a < LINES; a++)
        for (int b = a + 1; b < LINES; b++) {
            int order[LINES + 1] = {0, 1, 2, 3, 4, 5, -1};
            order[a] = b;
            order[b] = a;
            write_order(f, order);
            expect(f, GB_ERR_CORRUPT, GB_ERR_CORRUPT, a + 1);
        }
}

static void test_repeated(void **state)
{
    fixture *f = *state;
    for (int repeated = 0; repeated < LINES; repeated++) {
        int order[LINES + 2], count = 0;
        for (int i = 0; i < LINES; i++) {
            order[count++] = i;
            if (i == repeated)
                order[count++] = i;
        }
        order[count] = -1;
        write_order(f, order);
        expect(f, GB_ERR_CORRUPT, GB_ERR_CORRUPT, repeated + 2);
    }
}

static void test_cut(void **state)
{
    fixture *f = *state;
    for (size_t size = 0; size < f->size - 1; size++) {
        write_text(f, f->text, size);
        assert_int_equal(gb_audit_verify(f->path, &f->head, NULL), GB_ERR_CORRUPT);
        assert_non_null(strstr(gb_error_message(), "cut off"));
        assert_int_equal(gb_audit_verify(f->path, NULL, NULL), GB_OK);
    }
    write_text(f, f->text, f->size - 1); /* only the last line's end: all of it is there */
    expect(f, GB_OK, GB_OK, 0);
    unlink(f->path);
    expect(f, GB_ERR_CORRUPT, GB_ERR_IO, 0);
    gb_audit_head none = {0}, head = {.lines = 7};
    assert_int_equal(gb_audit_verify(f->path, &none, &head), GB_OK);
    assert_int_equal(head.lines, 0);
}

/* The chain is made anew behind an edit: only the head tells. */
static void test_written_anew(void **state)
{
    fixture *f = *state;
    unlink(f->path);
    for (int i = 0; i < LINES; i++)
        assert_int_equal(gb_audit_append(f->path, "open", "other", NULL, NULL), GB_OK);
    expect(f, GB_ERR_CORRUPT, GB_OK, LINES);
}

static void test_no_log(void **state)
{
    fixture *f = *state;
    static const char *const texts[] = {
        "hello\n",   "{}\n",          "\n",
        "[1]\n{}\n", "{\"seq\":1}\n", "{\"seq\":2,\"action\":\"x\",\"prev\":\"00\"}\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_text(f, texts[i], strlen(texts[i]));
        expect(f, GB_ERR_CORRUPT, GB_ERR_CORRUPT, 1);
    }
    char *text = malloc(300000); /* a line longer than any */
    memset(text, 'x', 300000);
    write_text(f, text, 300000);
    expect(f, GB_ERR_CORRUPT, GB_ERR_CORRUPT, 1);
    assert_int_equal(gb_audit_append(f->path, "open", "x", NULL, NULL), GB_ERR_CORRUPT);
    free(text);
    assert_int_equal(gb_audit_append(f->folder, "open", "x", NULL, NULL), GB_ERR_IO);
}

/* ---- torn lines ---- */

/* Killed at every byte of the last line: the next append goes on and loses nothing. */
static void test_torn(void **state)
{
    fixture *f = *state;
    gb_audit_head before = f->heads[LINES - 2], head;
    for (size_t size = f->start[LINES - 1] + 1; size < f->size - 1; size++) {
        write_text(f, f->text, size);
        assert_int_equal(gb_audit_verify(f->path, &before, NULL), GB_OK);
        assert_int_equal(gb_audit_append(f->path, "open", "after", NULL, &head), GB_OK);
        assert_int_equal(head.lines, LINES);
        assert_int_equal(gb_audit_verify(f->path, &head, NULL), GB_OK);
        assert_int_equal(gb_audit_verify(f->path, &before, NULL), GB_OK);
        size_t now = 0;
        char *text = read_text(f->path, &now);
        assert_memory_equal(text, f->text, size); /* the torn bytes are still there */
        assert_non_null(strstr(text, "\"torn\":{\"lines\":1,"));
        free(text);
    }
}

static void test_torn_twice(void **state)
{
    fixture *f = *state;
    write_text(f, f->text, f->start[5] + 30);
    assert_int_equal(gb_audit_append(f->path, "open", "after", NULL, NULL), GB_OK);
    size_t size = 0;
    char *text = read_text(f->path, &size);
    gb_audit_head head;
    for (size_t cut = f->start[5] + 32; cut < size - 1; cut += 7) {
        write_text(f, text, cut);
        assert_int_equal(gb_audit_verify(f->path, NULL, NULL), GB_OK);
        assert_int_equal(gb_audit_append(f->path, "open", "again", NULL, &head), GB_OK);
        assert_int_equal(head.lines, LINES);
        assert_int_equal(gb_audit_append(f->path, "open", "again", NULL, &head), GB_OK);
        assert_int_equal(gb_audit_verify(f->path, &head, NULL), GB_OK);
    }
    free(text);
}

/* The whole line without its end is a line. */
static void test_end_missing(void **state)
{
    fixture *f = *state;
    write_text(f, f->text, f->size - 1);
    gb_audit_head head;
    assert_int_equal(gb_audit_append(f->path, "open", "after", NULL, &head), GB_OK);
    assert_int_equal(head.lines, LINES + 1);
    f->head = head;
    expect(f, GB_OK, GB_OK, 0);
}

/* Torn lines are vouched for: they cannot be edited or dropped either, and none can be added. */
static void test_torn_edited(void **state)
{
    fixture *f = *state;
    write_text(f, f->text, f->start[5] + 30);
    assert_int_equal(gb_audit_append(f->path, "open", "after", NULL, NULL), GB_OK);
    size_t size = 0;
    char *text = read_text(f->path, &size);
    for (size_t at = f->start[5]; at < f->start[5] + 30; at++) {
        text[at] ^= 1;
        write_text(f, text, size);
        assert_int_equal(gb_audit_verify(f->path, NULL, NULL), GB_ERR_CORRUPT);
        assert_non_null(strstr(gb_error_message(), "jsonl:6:"));
        text[at] ^= 1;
    }
    memmove(text + f->start[5], text + f->start[5] + 31, size - f->start[5] - 31);
    write_text(f, text, size - 31);
    assert_int_equal(gb_audit_verify(f->path, NULL, NULL), GB_ERR_CORRUPT);
    assert_non_null(strstr(gb_error_message(), "jsonl:6:"));
    free(text);
    text = malloc(f->size + 5);
    memcpy(text, f->text, f->start[3]);
    memcpy(text + f->start[3], "torn\n", 5);
    memcpy(text + f->start[3] + 5, f->text + f->start[3], f->size - f->start[3]);
    write_text(f, text, f->size + 5);
    expect(f, GB_ERR_CORRUPT, GB_ERR_CORRUPT, 4);
    free(text);
}

/* ---- what lines may hold ---- */

static void test_texts(void **state)
{
    fixture *f = *state;
    gb_audit_head head;
    assert_int_equal(gb_audit_append(f->path, "a\nb", "\x8f\xe9 \"\\\x01", "{\"a\":\n1}", &head),
                     GB_OK);
    assert_int_equal(head.lines, LINES + 1);
    assert_int_equal(gb_audit_append(f->path, "open", NULL, NULL, &head), GB_OK);
    assert_int_equal(gb_audit_verify(f->path, &head, NULL), GB_OK);
    assert_int_equal(gb_audit_append(f->path, "open", "x", "[1]", &head), GB_ERR_ARGUMENT);
    assert_int_equal(gb_audit_append(f->path, "open", "x", "{", &head), GB_ERR_ARGUMENT);
    char *object = calloc(1, 70001);
    memset(object, 'x', 70000);
    assert_int_equal(gb_audit_append(f->path, "open", object, NULL, &head), GB_ERR_ARGUMENT);
    assert_int_equal(head.lines, LINES + 2);
    object[60000] = 0; /* the longest lines still find their end again */
    for (int i = 0; i < 3; i++)
        assert_int_equal(gb_audit_append(f->path, "open", object, NULL, &head), GB_OK);
    assert_int_equal(head.lines, LINES + 5);
    assert_int_equal(gb_audit_verify(f->path, &head, NULL), GB_OK);
    free(object);
}

/* ---- many at once ---- */

static void test_processes(void **state)
{
    fixture *f = *state;
    enum {
        PROCESSES = 4,
        EACH = 50
    };
    pid_t children[PROCESSES];
    for (int p = 0; p < PROCESSES; p++) {
        children[p] = fork();
        if (children[p] == 0) {
            gb_status status = GB_OK;
            for (int i = 0; i < EACH && status == GB_OK; i++)
                status = gb_audit_append(f->path, "open", p % 2 ? "odd" : "even", NULL, NULL);
            _exit(status == GB_OK ? 0 : 1);
        }
    }
    for (int i = 0; i < 5; i++) /* reading meanwhile sees a whole chain */
        assert_int_equal(gb_audit_verify(f->path, &f->head, NULL), GB_OK);
    for (int p = 0; p < PROCESSES; p++) {
        int code = -1;
        assert_int_equal(waitpid(children[p], &code, 0), children[p]);
        assert_true(WIFEXITED(code) && WEXITSTATUS(code) == 0);
    }
    gb_audit_head head;
    assert_int_equal(gb_audit_verify(f->path, &f->head, &head), GB_OK);
    assert_int_equal(head.lines, LINES + PROCESSES * EACH);
}

static gb_status
count_lines(void *context, int64_t line, const void *json, const char *text, size_t size)
{
    int64_t *count = context;
    assert_int_equal(line, ++*count);
    assert_int_equal(json_integer_value(json_object_get(json, "seq")), line);
    assert_true(text[0] == '{' && text[size - 1] == '}');
    return *count == 4 ? GB_ERR_INTERRUPTED : GB_OK;
}

static void test_visit(void **state)
{
    fixture *f = *state;
    int64_t count = 0;
    assert_int_equal(gb_audit_read(f->path, NULL, count_lines, &count, NULL), GB_ERR_INTERRUPTED);
    assert_int_equal(count, 4);
}

#define EACH_WITH_LOG(test) cmocka_unit_test_setup_teardown(test, make_log, drop_log)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH_WITH_LOG(test_whole),       EACH_WITH_LOG(test_contents),
        EACH_WITH_LOG(test_edited),      EACH_WITH_LOG(test_dropped),
        EACH_WITH_LOG(test_moved),       EACH_WITH_LOG(test_repeated),
        EACH_WITH_LOG(test_cut),         EACH_WITH_LOG(test_written_anew),
        EACH_WITH_LOG(test_no_log),      EACH_WITH_LOG(test_torn),
        EACH_WITH_LOG(test_torn_twice),  EACH_WITH_LOG(test_end_missing),
        EACH_WITH_LOG(test_torn_edited), EACH_WITH_LOG(test_texts),
        EACH_WITH_LOG(test_processes),   EACH_WITH_LOG(test_visit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
