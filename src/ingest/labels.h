/* Private to ingest: what people have marked on pictures: classes and boxes. Two formats: PASCAL
 * VOC (an XML file for each picture) and COCO (one JSON file for all). */
#ifndef GENBA_INGEST_LABELS_H
#define GENBA_INGEST_LABELS_H

#include "ingest/map.h"

#define GB_LABELS_BOXES_MAX 100000               /* of a picture */
#define GB_LABELS_FILE_BYTES ((size_t)512 << 20) /* of a COCO file */

/* In pixels as the file counts them: VOC from 1, COCO from 0. */
typedef struct gb_box {
    const char *label;
    double xmin, ymin, xmax, ymax;
    bool difficult; /* VOC: hard to see; COCO: a crowd, not one thing */
} gb_box;

typedef struct gb_picture_labels {
    bool found;            /* somebody looked at this picture, and perhaps marked nothing */
    int64_t width, height; /* that the labels were made for; 0: not said */
    const gb_box *boxes;   /* [count] */
    int64_t count;
} gb_picture_labels;

typedef struct gb_labels gb_labels;

/* Opens what the map names (labels.format and labels.path, relative to `folder`); *out is NULL when
 * it names none. */
GB_MUST gb_status gb_labels_open(const gb_map_labels *map, const char *folder, gb_labels **out);
void gb_labels_close(gb_labels *labels); /* NULL is fine */

/* Labels of one picture by its file's name. Memory comes from the arena; not found is no failure.
 */
GB_MUST gb_status gb_labels_find(const gb_labels *labels,
                                 const char *picture,
                                 gb_arena *arena,
                                 gb_picture_labels *out);

/* One VOC file in memory (labels_voc.c). */
GB_MUST gb_status gb_labels_read_voc(
    const char *data, size_t size, const char *origin, gb_arena *arena, gb_picture_labels *out);

/* A COCO file: an index by picture (labels_coco.c). */
typedef struct gb_coco gb_coco;
GB_MUST gb_status gb_coco_open(const char *path, gb_coco **out);
void gb_coco_close(gb_coco *coco);
GB_MUST gb_status gb_coco_find(const gb_coco *coco,
                               const char *picture,
                               gb_arena *arena,
                               gb_picture_labels *out);

#endif
