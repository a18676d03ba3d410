/* Pictures from disk: read whole, decoded to see that they can be, hashed to find duplicates. */
#include "ingest/images_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static gb_status read_whole(gb_image_file *image)
{
    const char *path = image->part->path;
    struct stat about;
    FILE *file = fopen(path, "rb");
    if (!file || fstat(fileno(file), &about) != 0 || !S_ISREG(about.st_mode)) {
        if (file)
            fclose(file);
        return gb_fail(GB_ERR_IO, "%s cannot be opened", path);
    }
    gb_status status = GB_OK;
    if (about.st_size < 1 || about.st_size > GB_IMAGES_FILE_BYTES)
        status = gb_fail(GB_ERR_PARSE, "%s has %lld bytes, expected 1 to %lld", path,
                         (long long)about.st_size, (long long)GB_IMAGES_FILE_BYTES);
    image->data = status == GB_OK ? malloc((size_t)about.st_size) : NULL;
    if (status == GB_OK && !image->data)
        status = gb_fail(GB_ERR_MEMORY, "%s: no memory for it", path);
    if (status == GB_OK &&
        fread(image->data, 1, (size_t)about.st_size, file) != (size_t)about.st_size)
        status = gb_fail(GB_ERR_IO, "%s cannot be read to its end", path);
    image->size = status == GB_OK ? (size_t)about.st_size : 0;
    fclose(file);
    return status;
}

static gb_status load(gb_image_file *image)
{
    gb_picture picture = {0};
    GB_TRY(read_whole(image));
    GB_TRY(gb_picture_probe(image->data, image->size, &image->about));
    GB_TRY(gb_picture_decode(image->data, image->size, 0, &picture));
    gb_picture_free(&picture);
    gb_hash(image->data, image->size, image->hash);
    return GB_OK;
}

static void load_part(void *context, int64_t part, int thread)
{
    (void)thread;
    gb_image_file *image = (gb_image_file *)context + part;
    image->status = load(image);
    if (image->status != GB_OK)
        snprintf(image->message, sizeof image->message, "%s", gb_error_message());
}

void gb_images_load(gb_image_file *images, int64_t count, gb_pool *pool)
{
    gb_pool_run(pool, load_part, images, count);
}

void gb_images_unload(gb_image_file *images, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        free(images[i].data);
}

/* ---- duplicates -------------------------------------------------------------------------------
 */

typedef struct gb_images_seen_slot {
    uint64_t
        hash;    /* 64 bits of it: two different pictures share them once in 10^12 pairs of 10^7 */
    int64_t row; /* 0: free */
} gb_images_seen_slot;

static gb_images_seen_slot *find_slot(const gb_images_seen *seen, uint64_t hash)
{
    uint64_t mask = (uint64_t)seen->room - 1, at = hash & mask;
    while (seen->slots[at].row != 0 && seen->slots[at].hash != hash)
        at = (at + 1) & mask;
    return &seen->slots[at];
}

static gb_status grow(gb_images_seen *seen)
{
    gb_images_seen wider = {.room = seen->room > 0 ? 2 * seen->room : 1024, .count = seen->count};
    wider.slots = calloc((size_t)wider.room, sizeof *wider.slots);
    if (!wider.slots)
        return gb_fail(GB_ERR_MEMORY, "no memory to know pictures again");
    for (int64_t i = 0; i < seen->room; i++)
        if (seen->slots[i].row != 0)
            *find_slot(&wider, seen->slots[i].hash) = seen->slots[i];
    free(seen->slots);
    *seen = wider;
    return GB_OK;
}

gb_status gb_images_see(gb_images_seen *seen,
                        const unsigned char hash[GB_HASH_BYTES],
                        int64_t row,
                        int64_t *out_first)
{
    uint64_t key;
    memcpy(&key, hash, sizeof key);
    if (2 * (seen->count + 1) > seen->room)
        GB_TRY(grow(seen));
    gb_images_seen_slot *slot = find_slot(seen, key);
    if (slot->row == 0) {
        *slot = (gb_images_seen_slot){key, row};
        seen->count++;
    }
    *out_first = slot->row;
    return GB_OK;
}

void gb_images_seen_free(gb_images_seen *seen)
{
    free(seen->slots);
    *seen = (gb_images_seen){0};
}
