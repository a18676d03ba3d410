/* A folder of recording files as a sink: folder/NAME.mcap. A store keeps its files otherwise
 * (store_ingest.c). */
#include "record/recording_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    COMPONENT_MOST = 200, /* bytes of a file's or folder's name; longer ones are cut and hashed */
    HASH_DIGITS = 16
};

typedef struct folder_target {
    gb_recording_target target;
    char folder[];
} folder_target;

/* Bytes that a file name should not have become %XX; so does what would be hidden or a way up. */
static size_t escape_component(const char *from, size_t size, char *to)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)from[i];
        bool plain = c >= 0x20 && c != 0x7f && !strchr("%\\:*?\"<>|", c) && !(i == 0 && c == '.');
        if (plain) {
            to[used++] = (char)c;
            continue;
        }
        to[used++] = '%';
        to[used++] = digits[c >> 4];
        to[used++] = digits[c & 15];
    }
    if (size == 0)
        to[used++] = '%';
    return used;
}

static size_t shorten(const char *from, size_t size, char *to, size_t used)
{
    unsigned char hash[GB_HASH_BYTES];
    char hex[2 * GB_HASH_BYTES + 1];
    if (used <= COMPONENT_MOST)
        return used;
    gb_hash(from, size, hash);
    gb_hash_hex(hash, hex);
    used = COMPONENT_MOST - HASH_DIGITS - 1;
    while (used > 0 && ((unsigned char)to[used] & 0xc0) == 0x80)
        used--; /* not inside a character of UTF-8 */
    to[used++] = '~';
    memcpy(to + used, hex, HASH_DIGITS);
    return used + HASH_DIGITS;
}

char *gb_recording_path(const char *folder, const char *name)
{
    size_t length = strlen(folder);
    char *path = malloc(length + 4 * strlen(name) + sizeof ".mcap" + 8);
    if (!path) {
        (void)gb_fail(GB_ERR_MEMORY, "no memory for recording %.200s", name);
        return NULL;
    }
    memcpy(path, folder, length);
    for (const char *at = name;; at++) {
        size_t size = strcspn(at, "/");
        path[length++] = '/';
        size_t used = escape_component(at, size, path + length);
        length += shorten(at, size, path + length, used);
        at += size;
        if (!*at)
            break;
    }
    strcpy(path + length, ".mcap");
    return path;
}

static gb_status
folder_begin(gb_recording_target *target, const gb_recording_info *info, void **mark)
{
    char *path = gb_recording_path(((folder_target *)target)->folder, info->name);
    if (!path)
        return GB_ERR_MEMORY;
    if (gb_file_exists(path)) {
        gb_status status = gb_fail(GB_ERR_ARGUMENT,
                                   "recording %.200s: %s is there already; remove it or choose "
                                   "another folder",
                                   info->name, path);
        free(path);
        return status;
    }
    *mark = path;
    return GB_OK;
}

static gb_status folder_open(gb_recording_target *target, void *mark, gb_bytes_out **out)
{
    char *path = mark, *slash = strrchr(path, '/');
    (void)target;
    *slash = 0;
    gb_status status = gb_folder_create(path[0] ? path : "/");
    *slash = '/';
    GB_TRY(status);
    return gb_bytes_out_file(path, out);
}

static gb_status
folder_done(gb_recording_target *target, void *mark, const gb_recording_writer *writer)
{
    (void)target;
    (void)writer;
    free(mark);
    return GB_OK;
}

static void folder_drop(gb_recording_target *target, void *mark)
{
    (void)target;
    free(mark);
}

static void folder_destroy(gb_recording_target *target)
{
    free(target);
}

gb_status gb_recording_folder_sink_create(const char *folder,
                                          const gb_recording_file_options *options,
                                          gb_sink **out)
{
    GB_TRY(gb_folder_create(folder));
    size_t length = strlen(folder);
    folder_target *target = malloc(sizeof *target + length + 1);
    if (!target)
        return gb_fail(GB_ERR_MEMORY, "no memory for a sink");
    target->target = (gb_recording_target){folder_begin, folder_open,    folder_done,
                                           folder_drop,  folder_destroy, target->folder};
    memcpy(target->folder, folder, length + 1);
    while (length > 1 && target->folder[length - 1] == '/')
        target->folder[--length] = 0;
    gb_status status = gb_recording_sink_create(&target->target, options, out);
    if (status != GB_OK)
        free(target);
    return status;
}

gb_status
gb_recording_file_emit(const char *path, const char *const *names, int name_count, gb_sink *sink)
{
    gb_bytes_in *from = NULL;
    GB_TRY(gb_bytes_in_file(path, &from));
    return gb_recording_emit_bytes(from, names, name_count, sink);
}

gb_status gb_recording_file_load(const char *path, gb_recording **out)
{
    gb_bytes_in *from = NULL;
    GB_TRY(gb_bytes_in_file(path, &from));
    return gb_recording_load_bytes(from, NULL, 0, out);
}
