/* Folders written whole or not at all: filled under a hidden name, synced, renamed. Single files
 * are gb_file_replace's business. */
#define _POSIX_C_SOURCE 200809L
#include "train/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PATH_BYTES = 4096
};

static gb_status fail_io(const char *what, const char *path)
{
    return gb_fail(GB_ERR_IO, "cannot %s %s: %s; check the disk and the folder's permissions", what,
                   path, strerror(errno));
}

/* "<folder>/.<name>.<suffix>" for path "<folder>/<name>". */
static gb_status beside(const char *path, const char *suffix, char *out, size_t size)
{
    const char *slash = strrchr(path, '/');
    int lead = slash ? (int)(slash - path) + 1 : 0;
    int length = snprintf(out, size, "%.*s.%s.%s", lead, path, path + lead, suffix);
    if (length < 0 || (size_t)length >= size)
        return gb_fail(GB_ERR_ARGUMENT, "the path %s is too long", path);
    return GB_OK;
}

static gb_status sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        gb_status status = fail_io("sync", path);
        if (fd >= 0)
            close(fd);
        return status;
    }
    close(fd);
    return GB_OK;
}

static void remove_tree(const char *path, int depth)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        char inner[PATH_BYTES];
        struct stat info;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) >= (int)sizeof inner)
            continue;
        if (lstat(inner, &info) == 0 && S_ISDIR(info.st_mode) && depth < 8)
            remove_tree(inner, depth + 1);
        else
            unlink(inner);
    }
    if (folder)
        closedir(folder);
    rmdir(path);
}

gb_status gb_folder_begin(const char *path, char *partial, size_t size)
{
    GB_TRY(beside(path, "partial", partial, size));
    remove_tree(partial, 0);
    return gb_folder_create(partial);
}

gb_status gb_folder_commit(const char *partial, const char *path)
{
    char parent[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    snprintf(parent, sizeof parent, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    GB_TRY(sync_folder(partial));
    gb_folder_remove(path);
    if (rename(partial, path) != 0)
        return fail_io("create", path);
    return sync_folder(parent);
}

void gb_folder_remove(const char *path)
{
    char old[PATH_BYTES];
    gb_status status = beside(path, "old", old, sizeof old);
    if (status != GB_OK)
        return;
    remove_tree(old, 0);
    if (rename(path, old) == 0)
        remove_tree(old, 0);
}

void gb_folder_sweep(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        char inner[PATH_BYTES];
        size_t length = strlen(entry->d_name);
        bool partial = length > 8 && strcmp(entry->d_name + length - 8, ".partial") == 0;
        bool old = length > 4 && strcmp(entry->d_name + length - 4, ".old") == 0;
        if (entry->d_name[0] != '.' || (!partial && !old))
            continue;
        if (snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) < (int)sizeof inner)
            remove_tree(inner, 0);
    }
    if (folder)
        closedir(folder);
}
