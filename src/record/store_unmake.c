/* Takes a store back that was made for work of which nothing came. It removes only what making one
 * puts there; removing recordings is gb_store_remove's. */
#include "genba/store.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In the order in which they go: without its catalogue a folder is no store any more. */
static const char *const made_files[] = {"catalogue.sqlite-wal", "catalogue.sqlite-shm",
                                         "catalogue.sqlite-journal", "catalogue.sqlite",
                                         "audit.jsonl"};
static const char *const made_folders[] = {"recordings", "rejects"};
#define FILES (sizeof made_files / sizeof *made_files)
#define FOLDERS (sizeof made_folders / sizeof *made_folders)

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool is_made(const char *name)
{
    bool is = is_dot(name);
    for (size_t i = 0; i < FILES; i++)
        is |= strcmp(name, made_files[i]) == 0;
    for (size_t i = 0; i < FOLDERS; i++)
        is |= strcmp(name, made_folders[i]) == 0;
    return is;
}

/* Whether every entry of a folder is one of those that `known` knows; false when it cannot be read.
 */
static bool holds_only(const char *path, bool (*known)(const char *name))
{
    DIR *folder = opendir(path);
    bool only = folder != NULL;
    for (const struct dirent *item; only && (item = readdir(folder));)
        only = known(item->d_name);
    if (folder)
        closedir(folder);
    return only;
}

static void join(const char *path, const char *name, char *out, size_t size)
{
    snprintf(out, size, "%s/%s", path, name);
}

/* Up from a folder to `first`, as far as they are empty: rmdir takes no other. */
static void remove_upwards(char *path, const char *first)
{
    size_t least = strlen(first);
    while (strlen(path) >= least && strncmp(path, first, least) == 0 && rmdir(path) == 0) {
        char *slash = strrchr(path, '/');
        if (!slash || slash == path)
            return;
        while (slash > path && slash[-1] == '/')
            slash--;
        *slash = 0;
    }
}

bool gb_store_unmake(const char *path, const char *first)
{
    size_t size = strlen(path) + 64;
    char *at = malloc(size);
    if (!at || !*first)
        goto stays;
    for (size_t i = 0; i < FOLDERS; i++) { /* one may be missing when making it failed */
        join(path, made_folders[i], at, size);
        if (access(at, F_OK) == 0 && !holds_only(at, is_dot))
            goto stays;
    }
    if (access(path, F_OK) == 0 && !holds_only(path, is_made))
        goto stays;
    for (size_t i = 0; i < FILES; i++) {
        join(path, made_files[i], at, size);
        unlink(at);
    }
    for (size_t i = 0; i < FOLDERS; i++) {
        join(path, made_folders[i], at, size);
        rmdir(at);
    }
    snprintf(at, size, "%s", path);
    for (size_t length = strlen(at); length > 1 && at[length - 1] == '/'; length--)
        at[length - 1] = 0;
    remove_upwards(at, first);
    free(at);
    return access(path, F_OK) != 0;
stays:
    free(at);
    return false;
}
