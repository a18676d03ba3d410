/* Folders as sources: the files of a listing, gathered by the folder they lie in. */
#include "ingest/folder.h"
#include "ingest/natural.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_BYTES 4096

static size_t folder_size(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* By folder, then by name as people count. */
static int compare_places(const void *a, const void *b)
{
    const char *x = ((const gb_folder_file *)a)->path, *y = ((const gb_folder_file *)b)->path;
    size_t size_x = folder_size(x), size_y = folder_size(y);
    int order = memcmp(x, y, size_x < size_y ? size_x : size_y);
    if (order == 0 && size_x != size_y)
        order = size_x < size_y ? -1 : 1;
    return order != 0 ? order : gb_natural_compare(file_name(x), file_name(y));
}

static bool same_folder(const gb_folder_file *a, const gb_folder_file *b)
{
    size_t size = folder_size(a->path);
    return size == folder_size(b->path) && memcmp(a->path, b->path, size) == 0;
}

/* What a folder is called: the way to it from the root, or the root's own name. */
static char *name_of(const gb_stream_map *map, const char *root, const gb_folder_file *first)
{
    const char *slash = strrchr(first->name, '/');
    if (slash)
        return strndup(first->name, (size_t)(slash - first->name));
    if (strcmp(root, first->path) == 0)
        return strdup(first->name); /* a file alone */
    size_t size = strlen(root);
    while (size > 1 && root[size - 1] == '/')
        size--;
    size_t begin = size;
    while (begin > 0 && root[begin - 1] != '/')
        begin--;
    if (size == begin || root[begin] == '.' || root[begin] == '/')
        return strdup(map->data->name);
    return strndup(root + begin, size - begin);
}

static gb_status gather(const gb_stream_map *map,
                        const char *root,
                        gb_folder_file *from,
                        int64_t count,
                        gb_folder_file *to)
{
    bool alone = strcmp(root, from->path) == 0;
    size_t size = folder_size(from->path);
    to->path = alone ? strdup(root) : strndup(from->path, size > 0 ? size : 1);
    to->name = name_of(map, root, from);
    to->parts = malloc((size_t)count * sizeof *to->parts);
    if (!to->path || !to->name || !to->parts)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for its list of files", root);
    for (int64_t i = 0; i < count; i++) {
        char *name = strdup(file_name(from[i].path));
        if (!name)
            return gb_fail(GB_ERR_MEMORY, "%s: no memory for its list of files", root);
        free(from[i].name);
        from[i].name = name;
        to->parts[i] = from[i];
        to->part_count++;
        to->bytes += from[i].bytes;
        from[i] = (gb_folder_file){0}; /* it has moved */
    }
    return GB_OK;
}

gb_status gb_folder_group(const gb_stream_map *map, const char *root, gb_folder_files *files)
{
    int64_t folders = 0, at = 0;
    qsort(files->files, (size_t)files->count, sizeof *files->files, compare_places);
    for (int64_t i = 0; i < files->count; i++)
        folders += i == 0 || !same_folder(&files->files[i - 1], &files->files[i]);
    gb_folder_files grouped = {.room = folders, .bytes = files->bytes};
    grouped.files = calloc((size_t)folders + 1, sizeof *grouped.files);
    if (!grouped.files)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for its list of files", root);
    gb_status status = GB_OK;
    while (at < files->count && status == GB_OK) {
        int64_t end = at + 1;
        while (end < files->count && same_folder(&files->files[at], &files->files[end]))
            end++;
        status = gather(map, root, &files->files[at], end - at, &grouped.files[grouped.count++]);
        at = end;
    }
    if (status != GB_OK) {
        gb_folder_free(&grouped);
        return status;
    }
    gb_folder_free(files);
    *files = grouped;
    return GB_OK;
}

/* ---- knowing a folder again -------------------------------------------------------------------
 */

/* Adds to a sum that does not depend on the order. */
static void mix(unsigned char sum[GB_HASH_BYTES], const void *data, size_t size)
{
    unsigned char hash[GB_HASH_BYTES];
    gb_hash(data, size, hash);
    for (int i = 0; i < GB_HASH_BYTES; i++)
        sum[i] ^= hash[i];
}

static void mix_file(unsigned char sum[GB_HASH_BYTES], const char *path)
{
    char text[PATH_BYTES + 128];
    struct stat about;
    if (stat(path, &about) != 0)
        return;
    int length = snprintf(text, sizeof text, "%lld %lld.%09ld %s", (long long)about.st_size,
                          (long long)about.st_mtim.tv_sec, about.st_mtim.tv_nsec, path);
    mix(sum, text, length < (int)sizeof text ? (size_t)length : sizeof text - 1);
}

/* Labels are part of what is read: a file, or all files of a folder. */
static void
mix_labels(unsigned char sum[GB_HASH_BYTES], const gb_map_labels *labels, const char *folder)
{
    char path[PATH_BYTES], inner[2 * PATH_BYTES];
    if (labels->format == GB_MAP_LABELS_NONE)
        return;
    const char *given = labels->path ? labels->path : ".";
    snprintf(path, sizeof path, given[0] == '/' ? "%s%s" : "%s/%s", given[0] == '/' ? "" : folder,
             given);
    mix_file(sum, path);
    DIR *listed = opendir(path);
    const struct dirent *entry;
    while (listed && (entry = readdir(listed)) != NULL) {
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            mix_file(sum, inner);
    }
    if (listed)
        closedir(listed);
}

gb_status gb_folder_identify(const gb_stream_map *map,
                             const gb_folder_file *folder,
                             int64_t whole_bytes,
                             unsigned char out[GB_HASH_BYTES])
{
    unsigned char sum[GB_HASH_BYTES] = {0};
    for (int64_t i = 0; i < folder->part_count; i++) {
        const gb_folder_file *part = &folder->parts[i];
        unsigned char hash[GB_HASH_BYTES];
        if (folder->bytes > whole_bytes) {
            mix_file(sum, part->path);
            continue;
        }
        GB_TRY(gb_hash_file(part->path, hash));
        mix(hash, part->name, strlen(part->name));
        mix(sum, hash, sizeof hash);
    }
    size_t size = folder_size(folder->parts[0].path);
    char *place = size > 0 ? strndup(folder->parts[0].path, size) : strdup(".");
    if (!place)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to identify it", folder->path);
    mix_labels(sum, &map->data->labels, place);
    free(place);
    memcpy(out, sum, sizeof sum);
    return GB_OK;
}
