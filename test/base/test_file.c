/* Files: reading whole files, writing whole or not at all, hashing. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "genba/base.h"

static char folder[64];
static char path[128];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/genba_file_XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/data.bin", folder);
    return 0;
}

static int entries(void)
{
    DIR *listing = opendir(folder);
    int count = 0;
    while (listing != NULL && readdir(listing) != NULL)
        count++;
    if (listing != NULL)
        closedir(listing);
    return count - 2;
}

static int drop_folder(void **state)
{
    (void)state;
    char command[256];
    snprintf(command, sizeof command, "chmod -R u+w %s; rm -rf %s", folder, folder);
    return system(command);
}

static void expect_content(const char *expected)
{
    gb_arena *arena = NULL;
    char *text = NULL;
    size_t size = 99;
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    assert_int_equal(gb_file_read(path, 0, arena, &text, &size), GB_OK);
    assert_int_equal(size, strlen(expected));
    assert_string_equal(text, expected);
    gb_arena_destroy(arena);
}

static void replaced_file_is_read_back(void **state)
{
    (void)state;
    assert_false(gb_file_exists(path));
    assert_int_equal(gb_file_replace(path, "one", 3), GB_OK);
    expect_content("one");
    assert_int_equal(gb_file_replace(path, "second", 6), GB_OK);
    expect_content("second");
    assert_int_equal(gb_file_replace(path, NULL, 0), GB_OK);
    expect_content("");
    assert_true(gb_file_exists(path));
    assert_int_equal(entries(), 1);
}

static void mapped_file_has_its_bytes(void **state)
{
    (void)state;
    enum {
        SIZE = 100000
    };
    static unsigned char bytes[SIZE];
    for (uint64_t i = 0; i < SIZE; i++)
        bytes[i] = (unsigned char)gb_random_u32(1, 2, i);
    assert_int_equal(gb_file_replace(path, bytes, SIZE), GB_OK);
    gb_file_view view = {0};
    assert_int_equal(gb_file_map(path, &view), GB_OK);
    assert_int_equal(view.size, SIZE);
    assert_memory_equal(view.data, bytes, SIZE);
    gb_file_unmap(&view);
    assert_null(view.data);
    gb_file_unmap(&view);
    gb_file_unmap(NULL);
    assert_int_equal(gb_file_replace(path, "", 0), GB_OK);
    assert_int_equal(gb_file_map(path, &view), GB_OK);
    assert_int_equal(view.size, 0);
    gb_file_unmap(&view);
}

static void missing_files_and_folders_are_errors(void **state)
{
    (void)state;
    gb_file_view view = {(const unsigned char *)"x", 1};
    assert_int_equal(gb_file_map("/nowhere/at/all", &view), GB_ERR_IO);
    assert_int_equal(view.size, 1); /* untouched */
    assert_non_null(strstr(gb_error_message(), "/nowhere/at/all"));
    assert_non_null(strstr(gb_error_message(), "No such file"));
    assert_int_equal(gb_file_map(folder, &view), GB_ERR_IO);
    assert_int_equal(gb_file_map("", &view), GB_ERR_ARGUMENT);
    gb_arena *arena = NULL;
    char *text = NULL;
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    assert_int_equal(gb_file_read(folder, 0, arena, &text, NULL), GB_ERR_IO);
    assert_int_equal(gb_file_replace(folder, "x", 1), GB_ERR_IO);
    assert_int_equal(gb_file_replace("/nowhere/file", "x", 1), GB_ERR_IO);
    assert_non_null(strstr(gb_error_message(), "/nowhere/file"));
    gb_arena_destroy(arena);
}

static void read_limit_and_pseudo_files(void **state)
{
    (void)state;
    gb_arena *arena = NULL;
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    assert_int_equal(gb_file_replace(path, "12345", 5), GB_OK);
    assert_int_equal(gb_file_read(path, 4, arena, &text, &size), GB_ERR_ARGUMENT);
    assert_null(text);
    assert_int_equal(gb_file_read(path, 5, arena, &text, &size), GB_OK);
    assert_int_equal(gb_file_read("/proc/meminfo", 0, arena, &text, &size), GB_OK);
    assert_non_null(strstr(text, "MemTotal"));
    assert_int_equal(size, strlen(text));
    assert_int_equal(gb_file_read("/dev/zero", 100000, arena, &text, &size), GB_ERR_ARGUMENT);
    gb_arena_destroy(arena);
    assert_int_equal(gb_arena_create(20000, &arena), GB_OK);
    assert_int_equal(gb_file_read("/dev/zero", 0, arena, &text, &size), GB_ERR_MEMORY);
    gb_arena_destroy(arena);
}

static void abandoned_write_leaves_the_old_file(void **state)
{
    (void)state;
    assert_int_equal(gb_file_replace(path, "old", 3), GB_OK);
    gb_file_writer *writer = NULL;
    assert_int_equal(gb_file_writer_begin(path, &writer), GB_OK);
    assert_int_equal(gb_file_writer_write(writer, "new", 3), GB_OK);
    expect_content("old");
    gb_file_writer_abandon(writer);
    gb_file_writer_abandon(NULL);
    expect_content("old");
    assert_int_equal(entries(), 1);
}

static void killed_writer_leaves_the_old_file(void **state)
{
    (void)state;
    assert_int_equal(gb_file_replace(path, "old", 3), GB_OK);
    pid_t child = fork();
    if (child == 0) {
        static char megabyte[1 << 20];
        gb_file_writer *writer = NULL;
        if (gb_file_writer_begin(path, &writer) == GB_OK &&
            gb_file_writer_write(writer, megabyte, sizeof megabyte) == GB_OK)
            raise(SIGKILL);
        _exit(1);
    }
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFSIGNALED(result));
    expect_content("old");
}

static void pieces_add_up(void **state)
{
    (void)state;
    static char expected[400000];
    size_t length = 0;
    gb_file_writer *writer = NULL;
    assert_int_equal(gb_file_writer_begin(path, &writer), GB_OK);
    for (int i = 0; i < 300; i++) {
        char piece[2000];
        int size = snprintf(piece, sizeof piece, "%d:%*d;", i, i * 7 % 1900 + 1, i);
        memcpy(expected + length, piece, (size_t)size);
        length += (size_t)size;
        if (i % 2 == 0)
            assert_int_equal(gb_file_writer_write(writer, piece, (size_t)size), GB_OK);
        else
            assert_int_equal(gb_file_writer_printf(writer, "%s", piece), GB_OK);
    }
    memset(expected + length, 'x', 70000);
    assert_int_equal(gb_file_writer_write(writer, expected + length, 70000), GB_OK);
    assert_int_equal(gb_file_writer_commit(writer), GB_OK);
    assert_true(length > 100000);
    expect_content(expected);
}

static void full_disk_is_an_error(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK) != 0)
        skip();
    /* A file size limit stands in for a full disk: both make write() fail half way. */
    assert_int_equal(gb_file_replace(path, "old", 3), GB_OK);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        static char megabyte[1 << 20];
        char command[128];
        snprintf(command, sizeof command, "prlimit --pid %ld --fsize=100000", (long)getpid());
        if (system(command) != 0)
            _exit(77);
        _exit(gb_file_replace(path, megabyte, sizeof megabyte) == GB_ERR_IO &&
                      strstr(gb_error_message(), path) != NULL
                  ? 0
                  : 1);
    }
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    if (WEXITSTATUS(result) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(result), 0);
    expect_content("old");
    assert_int_equal(entries(), 1);
}

static void unwritable_folder_is_an_error(void **state)
{
    (void)state;
    if (geteuid() == 0) {
        /* Root may write anywhere except where the kernel allows nobody. */
        assert_int_equal(gb_file_replace("/proc/genba", "x", 1), GB_ERR_IO);
        assert_non_null(strstr(gb_error_message(), "/proc/genba"));
        return;
    }
    assert_int_equal(chmod(folder, 0555), 0);
    assert_int_equal(gb_file_replace(path, "x", 1), GB_ERR_IO);
    assert_non_null(strstr(gb_error_message(), path));
    assert_non_null(strstr(gb_error_message(), "Permission denied"));
    assert_non_null(strstr(gb_error_message(), "choose another folder"));
}

static void folders_are_created_with_parents(void **state)
{
    (void)state;
    char deep[256];
    snprintf(deep, sizeof deep, "%s/a/b//c/", folder);
    assert_int_equal(gb_folder_create(deep), GB_OK);
    assert_int_equal(gb_folder_create(deep), GB_OK);
    assert_true(gb_file_exists(deep));
    assert_int_equal(gb_folder_create("/"), GB_OK);
    assert_int_equal(gb_folder_create(""), GB_ERR_ARGUMENT);
    assert_int_equal(gb_file_replace(path, "x", 1), GB_OK);
    assert_int_equal(gb_folder_create(path), GB_ERR_IO);
    snprintf(deep, sizeof deep, "%s/below", path);
    assert_int_equal(gb_folder_create(deep), GB_ERR_IO);
}

/* The answer was made with `b2sum -l 256`. */
static void hashes_have_the_known_answer(void **state)
{
    (void)state;
    unsigned char hash[GB_HASH_BYTES], of_file[GB_HASH_BYTES];
    char hex[2 * GB_HASH_BYTES + 1];
    gb_hash("abc", 3, hash);
    gb_hash_hex(hash, hex);
    assert_string_equal(hex, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    static char bytes[200000];
    memset(bytes, 'g', sizeof bytes);
    gb_hash(bytes, sizeof bytes, hash);
    assert_int_equal(gb_file_replace(path, bytes, sizeof bytes), GB_OK);
    assert_int_equal(gb_hash_file(path, of_file), GB_OK);
    assert_memory_equal(hash, of_file, GB_HASH_BYTES);
    assert_int_equal(gb_hash_file("/nowhere/file", of_file), GB_ERR_IO);
    assert_int_equal(gb_hash_file(folder, of_file), GB_ERR_IO);
    assert_memory_equal(hash, of_file, GB_HASH_BYTES);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, drop_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(replaced_file_is_read_back),
        IN_FOLDER(mapped_file_has_its_bytes),
        IN_FOLDER(missing_files_and_folders_are_errors),
        IN_FOLDER(read_limit_and_pseudo_files),
        IN_FOLDER(abandoned_write_leaves_the_old_file),
        IN_FOLDER(killed_writer_leaves_the_old_file),
        IN_FOLDER(pieces_add_up),
        IN_FOLDER(full_disk_is_an_error),
        IN_FOLDER(unwritable_folder_is_an_error),
        IN_FOLDER(folders_are_created_with_parents),
        IN_FOLDER(hashes_have_the_known_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
