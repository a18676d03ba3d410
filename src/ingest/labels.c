/* Where the labels of a picture are. What stands in them is labels_voc.c and labels_coco.c. */
#include "ingest/labels.h"

#include "ingest/xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_BYTES 4096

struct gb_labels {
    char path[PATH_BYTES]; /* VOC: the folder */
    gb_coco *coco;         /* NULL: VOC */
};

static gb_status find_path(const gb_map_labels *map, const char *folder, char *out)
{
    const char *path = map->path ? map->path : ".";
    int length = path[0] == '/' ? snprintf(out, PATH_BYTES, "%s", path)
                                : snprintf(out, PATH_BYTES, "%s/%s", folder, path);
    if (length < 0 || length >= PATH_BYTES)
        return gb_fail(GB_ERR_SCHEMA, "labels.path %.80s...: too long", path);
    return GB_OK;
}

gb_status gb_labels_open(const gb_map_labels *map, const char *folder, gb_labels **out)
{
    struct stat about;
    *out = NULL;
    if (map->format == GB_MAP_LABELS_NONE)
        return GB_OK;
    gb_labels *labels = calloc(1, sizeof *labels);
    if (!labels)
        return gb_fail(GB_ERR_MEMORY, "no memory for labels");
    gb_status status = find_path(map, folder, labels->path);
    bool voc = map->format == GB_MAP_LABELS_VOC;
    if (status == GB_OK && (stat(labels->path, &about) != 0 || voc != S_ISDIR(about.st_mode)))
        status = gb_fail(GB_ERR_NOT_FOUND,
                         "there is no %s %s; labels.path is relative to the folder of the pictures",
                         voc ? "folder" : "file", labels->path);
    if (status == GB_OK && !voc)
        status = gb_coco_open(labels->path, &labels->coco);
    if (status != GB_OK) {
        gb_labels_close(labels);
        return status;
    }
    *out = labels;
    return GB_OK;
}

void gb_labels_close(gb_labels *labels)
{
    if (!labels)
        return;
    gb_coco_close(labels->coco);
    free(labels);
}

/* "crazing_1.jpg" has its labels in crazing_1.xml. */
static gb_status
find_voc(const gb_labels *labels, const char *picture, gb_arena *arena, gb_picture_labels *out)
{
    char *text = NULL;
    size_t size = 0;
    const char *dot = strrchr(picture, '.');
    int stem = dot ? (int)(dot - picture) : (int)strlen(picture);
    const char *path = gb_arena_format(arena, "%s/%.*s.xml", labels->path, stem, picture);
    if (!path)
        return GB_ERR_MEMORY;
    *out = (gb_picture_labels){0};
    if (!gb_file_exists(path))
        return GB_OK;
    GB_TRY(gb_file_read(path, GB_XML_BYTES_MAX, arena, &text, &size));
    return gb_labels_read_voc(text, size, path, arena, out);
}

gb_status gb_labels_find(const gb_labels *labels,
                         const char *picture,
                         gb_arena *arena,
                         gb_picture_labels *out)
{
    return labels->coco ? gb_coco_find(labels->coco, picture, arena, out)
                        : find_voc(labels, picture, arena, out);
}
