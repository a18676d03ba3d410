/* Lists the files that a stream map's patterns match. Opens none of them. */
#include "ingest/folder.h"

#include "ingest/reader.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_MAX 10000000
#define FOLDER_DEPTH_MAX 16
#define PATH_BYTES 4096

typedef struct listing {
    const gb_stream_map *map;
    const char *root;
    gb_folder_files *out;
} listing;

/* A pattern without '/' matches a file's name in any folder, one with '/' the path from the root.
 */
static bool is_wanted(const gb_stream_map *map, const char *relative)
{
    const char *slash = strrchr(relative, '/');
    const char *name = slash ? slash + 1 : relative;
    for (uint32_t i = 0; i < map->data->files_count; i++) {
        const char *pattern = map->data->files[i];
        const char *text = strchr(pattern, '/') ? relative : name;
        if (fnmatch(pattern, text, FNM_PATHNAME | FNM_PERIOD) == 0)
            return true;
    }
    return false;
}

static gb_status no_memory(const listing *l)
{
    return gb_fail(GB_ERR_MEMORY, "%s: no memory for its list of files", l->root);
}

static char *without_ending(const char *relative)
{
    char *name = strdup(relative);
    if (!name)
        return NULL;
    char *dot = strrchr(name, '.'), *slash = strrchr(name, '/');
    if (dot && dot > (slash ? slash + 1 : name))
        *dot = 0;
    return name;
}

static gb_status add(listing *l, const char *path, const char *relative, int64_t bytes)
{
    gb_folder_files *to = l->out;
    if (to->count == FILES_MAX)
        return gb_fail(GB_ERR_ARGUMENT, "%s: more than %d files match", l->root, FILES_MAX);
    if (to->count == to->room) {
        int64_t room = to->room ? 2 * to->room : 64;
        gb_folder_file *grown = realloc(to->files, (size_t)room * sizeof *grown);
        if (!grown)
            return no_memory(l);
        to->files = grown;
        to->room = room;
    }
    gb_folder_file *file = &to->files[to->count];
    *file = (gb_folder_file){strdup(path), without_ending(relative), bytes, NULL, 0};
    to->count++;
    to->bytes += bytes;
    return file->path && file->name ? GB_OK : no_memory(l);
}

static gb_status walk(listing *l, const char *relative, int depth);

static gb_status visit(listing *l, const char *relative, int depth)
{
    char path[PATH_BYTES];
    struct stat about;
    int length = snprintf(path, sizeof path, "%s/%s", l->root, relative);
    if (length < 0 || length >= (int)sizeof path || lstat(path, &about) != 0)
        return GB_OK; /* vanished while listing, or too deep to name */
    if (S_ISDIR(about.st_mode))
        return depth < FOLDER_DEPTH_MAX ? walk(l, relative, depth + 1) : GB_OK;
    /* A link to a file is followed, one to a folder is not: it could lead back. */
    if (S_ISLNK(about.st_mode) && stat(path, &about) != 0)
        return GB_OK;
    return S_ISREG(about.st_mode) && is_wanted(l->map, relative)
               ? add(l, path, relative, (int64_t)about.st_size)
               : GB_OK;
}

static gb_status walk(listing *l, const char *relative, int depth)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, relative[0] ? "%s/%s" : "%s", l->root, relative);
    DIR *folder = opendir(path);
    if (!folder)
        return gb_fail(GB_ERR_IO, "cannot list %s: %s", path, strerror(errno));
    gb_status status = GB_OK;
    const struct dirent *entry;
    while (status == GB_OK && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        char inner[PATH_BYTES];
        int length =
            snprintf(inner, sizeof inner, relative[0] ? "%s/%s" : "%s%s", relative, entry->d_name);
        if (length > 0 && length < (int)sizeof inner)
            status = visit(l, inner, depth);
    }
    closedir(folder);
    return status;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const gb_folder_file *)a)->path, ((const gb_folder_file *)b)->path);
}

static gb_status list_folder(listing *l)
{
    GB_TRY(walk(l, "", 0));
    if (l->out->count == 0)
        return gb_fail(GB_ERR_NOT_FOUND,
                       "no file under %s matches the patterns of %s (the first is %s)", l->root,
                       l->map->origin, l->map->data->files[0]);
    qsort(l->out->files, (size_t)l->out->count, sizeof *l->out->files, compare_paths);
    return GB_OK;
}

gb_status gb_folder_list(const gb_stream_map *map, const char *path, gb_folder_files *out)
{
    gb_folder_files found = {0};
    listing l = {.map = map, .root = path, .out = &found};
    struct stat about;
    if (stat(path, &about) != 0)
        return gb_fail(GB_ERR_IO, "cannot open %s: %s", path, strerror(errno));
    const char *slash = strrchr(path, '/');
    gb_status status = S_ISDIR(about.st_mode)
                           ? list_folder(&l)
                           : add(&l, path, slash ? slash + 1 : path, (int64_t)about.st_size);
    if (status == GB_OK && map->data->reader &&
        gb_reader_takes_folders(gb_reader_find(map->data->reader)))
        status = gb_folder_group(map, path, &found);
    if (status != GB_OK) {
        gb_folder_free(&found);
        return status;
    }
    *out = found;
    return GB_OK;
}

void gb_folder_free(gb_folder_files *files)
{
    for (int64_t i = 0; i < files->count; i++) {
        gb_folder_file *file = &files->files[i];
        for (int64_t p = 0; p < file->part_count; p++) {
            free(file->parts[p].path);
            free(file->parts[p].name);
        }
        free(file->parts);
        free(file->path);
        free(file->name);
    }
    free(files->files);
    *files = (gb_folder_files){0};
}
