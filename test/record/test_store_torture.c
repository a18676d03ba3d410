/* Stores under kill -9, several writers, a full disk and a folder that cannot be written: what was
 * reported committed is there, and verify passes. */
#include "store_test.h"

#include <errno.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define KILLS 200
#define WRITERS 3
#define INGESTS 12

/* One ingest of two recordings called PREFIX-NUMBER-a and -b. */
static gb_status ingest_pair(gb_store *store, const char *prefix, int number, int64_t samples)
{
    char source[64], first[64], second[64];
    const char *names[] = {first, second};
    snprintf(source, sizeof source, "%s-%d.csv", prefix, number);
    snprintf(first, sizeof first, "%s-%d-a", prefix, number);
    snprintf(second, sizeof second, "%s-%d-b", prefix, number);
    return ingest_names(store, source, names, 2, samples);
}

static void takes_several_writers(void **state)
{
    (void)state;
    pid_t writers[WRITERS];
    gb_store_close(open_store());
    for (int w = 0; w < WRITERS; w++) {
        writers[w] = fork();
        assert_true(writers[w] >= 0);
        if (writers[w] > 0)
            continue;
        char prefix[16];
        gb_store *store = NULL;
        snprintf(prefix, sizeof prefix, "w%d", w);
        gb_status status = gb_store_open(store_path, NULL, &store);
        for (int i = 0; status == GB_OK && i < INGESTS; i++)
            status = ingest_pair(store, prefix, i, 20);
        gb_store_report report;
        if (status == GB_OK)
            status = gb_store_gc(store, &report); /* spares the others' files */
        gb_store_close(store);
        if (status != GB_OK)
            fprintf(stderr, "writer %d: %s\n", w, gb_error_message());
        _exit(status);
    }
    for (int w = 0; w < WRITERS; w++) {
        int status = -1;
        assert_int_equal(waitpid(writers[w], &status, 0), writers[w]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), GB_OK);
    }
    gb_store *store = open_store();
    assert_int_equal(count_recordings(store), WRITERS * INGESTS * 2);
    assert_int_equal(expect_whole(store).leftovers, 0);
    gb_store_close(store);
}

/* Ingests until it is killed, and says the number of each ingest once it is committed. */
static void ingest_forever(int round, int report_fd)
{
    gb_store *store = NULL;
    char prefix[32];
    snprintf(prefix, sizeof prefix, "k%d", round);
    if (gb_store_open(store_path, NULL, &store) != GB_OK)
        _exit(1);
    for (int i = 0;; i++) {
        if (ingest_pair(store, prefix, i, 30) != GB_OK)
            _exit(2);
        if (write(report_fd, &i, sizeof i) != (ssize_t)sizeof i)
            _exit(3);
        gb_store_report report;
        if (i % 5 == 4 && gb_store_gc(store, &report) != GB_OK)
            _exit(4);
    }
}

/* The number of ingests that were reported before the kill. */
static int run_and_kill(int round)
{
    int ends[2], last = -1, number = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        ingest_forever(round, ends[1]);
    }
    close(ends[1]);
    struct timespec moment = {0, (long)gb_random_below(11, 0, (uint64_t)round, 120000000)};
    nanosleep(&moment, NULL);
    assert_int_equal(kill(child, SIGKILL), 0);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status)); /* it had not failed by itself */
    while (read(ends[0], &number, sizeof number) == (ssize_t)sizeof number)
        last = number;
    close(ends[0]);
    return last + 1;
}

static gb_status next_expected(void *context, const gb_store_entry *entry)
{
    int *seen = context;
    int round = 0, number = 0;
    assert_int_equal(sscanf(entry->info->name, "k%d-%d", &round, &number), 2);
    if (number < seen[1 + 2 * (round % 20)])
        seen[0]++;
    return GB_OK;
}

static void survives_kills(void **state)
{
    (void)state;
    int reported[41] = {0}, expected = 0, committed = 0;
    for (int round = 0; round < KILLS; round++) {
        if (round % 20 == 0) { /* a new store, so that verifying all of it stays quick */
            snprintf(store_path, sizeof store_path, "%s/store%d", folder, round);
            gb_store_close(open_store());
            memset(reported, 0, sizeof reported);
            expected = 0;
        }
        int count = run_and_kill(round);
        reported[1 + 2 * (round % 20)] = count;
        expected += 2 * count;
        committed += count;
        gb_store *store = open_store();
        expect_whole(store);
        reported[0] = 0;
        expect_ok(gb_store_list(store, NULL, next_expected, reported));
        assert_int_equal(reported[0], expected);
        if (round % 20 == 19) {
            gb_store_report report;
            expect_ok(gb_store_gc(store, &report));
            assert_int_equal(expect_whole(store).leftovers, 0);
        }
        gb_store_close(store);
    }
    print_message("%d ingests were committed before %d kills\n", committed, KILLS);
    assert_true(committed > 0);
}

/* The store in a file system of its own; false when this user may not make one. */
static bool mount_small(const char *options)
{
    snprintf(store_path, sizeof store_path, "%s/disk", folder);
    expect_ok(gb_folder_create(store_path));
    if (geteuid() != 0 || mount("tmpfs", store_path, "tmpfs", 0, options) != 0)
        return false;
    snprintf(store_path, sizeof store_path, "%s/disk/store", folder);
    return true;
}

static int unmount_and_remove(void **state)
{
    char disk[96];
    snprintf(disk, sizeof disk, "%s/disk", folder);
    (void)umount(disk); /* EINVAL: this test mounted none */
    return remove_folder(state);
}

static void says_that_the_disk_is_full(void **state)
{
    (void)state;
    if (!mount_small("size=600k")) {
        print_message("skipped: only root may mount a small disk\n");
        skip();
    }
    gb_store *store = open_store();
    int number = 0;
    gb_status status = GB_OK;
    while ((status = ingest_pair(store, "f", number, 300)) == GB_OK)
        number++;
    assert_int_equal(status, GB_ERR_IO);
    assert_non_null(strstr(gb_error_message(), "space"));
    assert_true(number > 0);
    assert_int_equal(count_recordings(store), 2 * number);
    expect_whole(store);
    gb_store_query query = {.name = "f-*"};
    int64_t removed = 0;
    gb_store_report report;
    gb_status freed = gb_store_remove(store, &query, &removed);
    if (freed == GB_OK) /* a disk without one free page may refuse even that */
        freed = gb_store_gc(store, &report);
    if (freed == GB_OK)
        expect_ok(ingest_pair(store, "g", 0, 10));
    expect_whole(store);
    gb_store_close(store);
}

/* The same for everyone: files may not grow beyond a limit. */
static void says_that_a_file_cannot_grow(void **state)
{
    (void)state;
    gb_store *store = open_store();
    expect_ok(ingest_pair(store, "before", 0, 10));
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    struct rlimit whole, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &whole), 0);
    for (rlim_t limit = 0; limit < 60000; limit += 1500) {
        small = (struct rlimit){limit, whole.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        gb_status status = ingest_pair(store, "limited", (int)limit, 2000);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &whole), 0);
        assert_true(status == GB_OK || status == GB_ERR_IO);
        expect_whole(store);
    }
    signal(SIGXFSZ, handler);
    expect_ok(ingest_pair(store, "after", 0, 10));
    expect_whole(store);
    gb_store_close(store);
}

static void reads_a_folder_that_cannot_be_written(void **state)
{
    (void)state;
    bool mounted = mount_small("size=4m");
    if (!mounted)
        snprintf(store_path, sizeof store_path, "%s/store", folder);
    gb_store *store = open_store();
    expect_ok(ingest_pair(store, "r", 0, 10));
    gb_store_close(store);
    char disk[96], file[160];
    snprintf(disk, sizeof disk, "%s/disk", folder);
    snprintf(file, sizeof file, "%s/catalogue.sqlite", store_path);
    if (mounted)
        assert_int_equal(mount("tmpfs", disk, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
    else
        assert_int_equal(chmod(file, 0444) | chmod(store_path, 0555), 0);
    if (mounted || geteuid() != 0) { /* root may write wherever the disk may be written */
        assert_int_equal(gb_store_open(store_path, NULL, &store), GB_ERR_IO);
        assert_non_null(strstr(gb_error_message(), "cannot be written"));
    }
    gb_store_options options = {.read_only = true};
    expect_ok(gb_store_open(store_path, &options, &store));
    assert_int_equal(count_recordings(store), 2);
    expect_whole(store);
    gb_dataset *dataset = NULL;
    expect_ok(gb_store_load(store, NULL, NULL, 0, GB_USE_TRAIN, NULL, &dataset));
    gb_dataset_destroy(dataset);
    int64_t removed = 0;
    assert_int_equal(ingest_pair(store, "r", 1, 10), GB_ERR_ARGUMENT);
    assert_int_equal(gb_store_remove(store, NULL, &removed), GB_ERR_ARGUMENT);
    gb_store_close(store);
    if (!mounted)
        assert_int_equal(chmod(store_path, 0755), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, unmount_and_remove)
    const struct CMUnitTest tests[] = {
        TEST(takes_several_writers),
        TEST(survives_kills),
        TEST(says_that_the_disk_is_full),
        TEST(says_that_a_file_cannot_grow),
        TEST(reads_a_folder_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
