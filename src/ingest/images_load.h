/* Private to the images reader: pictures from disk, checked, and known again when they repeat. */
#ifndef GENBA_INGEST_IMAGES_LOAD_H
#define GENBA_INGEST_IMAGES_LOAD_H

#include "ingest/folder.h"
#include "ingest/labels.h"

#include "record/picture.h"

#define GB_IMAGES_BATCH 64                        /* pictures in memory at once, */
#define GB_IMAGES_BATCH_BYTES ((int64_t)64 << 20) /* or so many bytes, or a single one */
#define GB_IMAGES_FILE_BYTES ((int64_t)256 << 20)
#define GB_IMAGES_MESSAGE 256

/* One picture's file. */
typedef struct gb_image_file {
    const gb_folder_file *part;
    int64_t row;         /* 1: the first of the folder */
    unsigned char *data; /* [size], malloc */
    size_t size;
    gb_picture_about about;
    unsigned char hash[GB_HASH_BYTES];
    gb_status status; /* of reading and decoding it */
    char message[GB_IMAGES_MESSAGE];
} gb_image_file;

/* Reads, decodes and hashes `count` pictures side by side (pool may be NULL): `part`, set before,
 * says which; everything else is filled. */
void gb_images_load(gb_image_file *images, int64_t count, gb_pool *pool);
void gb_images_unload(gb_image_file *images, int64_t count);

/* Pictures seen so far, by the hash of their bytes: 16 bytes each. */
typedef struct gb_images_seen {
    struct gb_images_seen_slot *slots; /* [room], a power of two */
    int64_t count, room;
} gb_images_seen;

/* *out_first: the row where the same bytes were seen first; `row` itself when they are new. */
GB_MUST gb_status gb_images_see(gb_images_seen *seen,
                                const unsigned char hash[GB_HASH_BYTES],
                                int64_t row,
                                int64_t *out_first);
void gb_images_seen_free(gb_images_seen *seen);

/* Labels as what streams hold; texts in the arena. */
/* The classes on a picture, each once, in the order they stand: "crazing,patches". */
const char *gb_labels_classes(const gb_picture_labels *labels, gb_arena *arena);
/* [{"label":"crazing","xmin":2,"ymin":2,"xmax":193,"ymax":194}, ...]; "difficult":true where it is.
 */
const char *gb_labels_json(const gb_picture_labels *labels, gb_arena *arena);
/* Boxes that reach out of a picture of this size. */
int64_t gb_labels_outside(const gb_picture_labels *labels, int64_t width, int64_t height);
/* The number of the one class on the picture among the map's, -1: none or several, or not there. */
int32_t gb_labels_category(const gb_picture_labels *labels, const gb_map_stream *stream);

/* images_guess.c */
GB_MUST gb_status gb_images_guess(const char *path,
                                  const gb_ingest_options *options,
                                  gb_arena *arena,
                                  const char **out_yaml);

#endif
