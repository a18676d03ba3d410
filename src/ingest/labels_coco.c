/* COCO: one JSON file with images, annotations (bbox [x, y, width, height]) and categories. Masks
 * and key points are passed over. */
#include "ingest/labels.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#define ID_MAX ((int64_t)1 << 53)
#define PIXELS_MAX 1e9

typedef struct coco_picture {
    const char *file; /* the name without folders; borrowed from the document */
    int64_t id, width, height;
} coco_picture;

typedef struct coco_box {
    int64_t picture;
    gb_box box;
} coco_box;

typedef struct coco_category {
    int64_t id;
    const char *name;
} coco_category;

struct gb_coco {
    json_t *document; /* texts are borrowed from it */
    const char *path; /* of the file, for messages; borrowed from `memory` */
    gb_arena *memory;
    coco_picture *pictures; /* [picture_count], by file name */
    coco_box *boxes;        /* [box_count], by picture, then as they stand */
    coco_category *categories;
    int64_t picture_count, box_count, category_count;
};

static int compare_ids(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_pictures(const void *a, const void *b)
{
    return strcmp(((const coco_picture *)a)->file, ((const coco_picture *)b)->file);
}

static int compare_boxes(const void *a, const void *b)
{
    return compare_ids(((const coco_box *)a)->picture, ((const coco_box *)b)->picture);
}

static int compare_categories(const void *a, const void *b)
{
    return compare_ids(((const coco_category *)a)->id, ((const coco_category *)b)->id);
}

/* A stable sort by merging: qsort may change the order of a picture's boxes. */
static void sort_boxes(coco_box *boxes, coco_box *spare, int64_t count)
{
    for (int64_t width = 1; width < count; width *= 2) {
        for (int64_t from = 0; from < count; from += 2 * width) {
            int64_t middle = from + width < count ? from + width : count;
            int64_t end = from + 2 * width < count ? from + 2 * width : count;
            int64_t a = from, b = middle;
            for (int64_t to = from; to < end; to++) {
                bool first = a < middle && (b == end || compare_boxes(&boxes[a], &boxes[b]) <= 0);
                spare[to] = boxes[first ? a++ : b++];
            }
        }
        memcpy(boxes, spare, (size_t)count * sizeof *boxes);
    }
}

static gb_status read_pictures(gb_coco *coco, const gb_json_at *root)
{
    gb_json_at list;
    GB_TRY(gb_json_array(root, "images", &list));
    size_t count = gb_json_count(&list);
    coco->pictures = gb_arena_alloc(coco->memory, (count + 1) * sizeof *coco->pictures);
    if (!coco->pictures)
        return GB_ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        gb_json_at item = gb_json_item(&list, i);
        coco_picture *to = &coco->pictures[i];
        const char *file;
        GB_TRY(gb_json_as_object(&item));
        GB_TRY(gb_json_text(&item, "file_name", &file));
        GB_TRY(gb_json_int(&item, "id", -ID_MAX, ID_MAX, &to->id));
        if (gb_json_has(&item, "width"))
            GB_TRY(gb_json_int(&item, "width", 0, 1 << 30, &to->width));
        if (gb_json_has(&item, "height"))
            GB_TRY(gb_json_int(&item, "height", 0, 1 << 30, &to->height));
        const char *slash = strrchr(file, '/');
        to->file = slash ? slash + 1 : file;
    }
    coco->picture_count = (int64_t)count;
    qsort(coco->pictures, count, sizeof *coco->pictures, compare_pictures);
    for (size_t i = 1; i < count; i++)
        if (strcmp(coco->pictures[i].file, coco->pictures[i - 1].file) == 0)
            return gb_fail(GB_ERR_SCHEMA, "%s: two images are called %s", coco->path,
                           coco->pictures[i].file);
    return GB_OK;
}

static gb_status read_categories(gb_coco *coco, const gb_json_at *root)
{
    gb_json_at list;
    GB_TRY(gb_json_array(root, "categories", &list));
    size_t count = gb_json_count(&list);
    coco->categories = gb_arena_alloc(coco->memory, (count + 1) * sizeof *coco->categories);
    if (!coco->categories)
        return GB_ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        gb_json_at item = gb_json_item(&list, i);
        GB_TRY(gb_json_as_object(&item));
        GB_TRY(gb_json_int(&item, "id", -ID_MAX, ID_MAX, &coco->categories[i].id));
        GB_TRY(gb_json_text(&item, "name", &coco->categories[i].name));
    }
    coco->category_count = (int64_t)count;
    qsort(coco->categories, count, sizeof *coco->categories, compare_categories);
    return GB_OK;
}

static gb_status read_box(const gb_coco *coco, const gb_json_at *item, coco_box *to)
{
    gb_json_at sides;
    double side[4];
    coco_category wanted = {0};
    GB_TRY(gb_json_as_object(item));
    GB_TRY(gb_json_int(item, "image_id", -ID_MAX, ID_MAX, &to->picture));
    GB_TRY(gb_json_int(item, "category_id", -ID_MAX, ID_MAX, &wanted.id));
    const coco_category *category = bsearch(&wanted, coco->categories, (size_t)coco->category_count,
                                            sizeof *coco->categories, compare_categories);
    if (!category)
        return gb_json_fail(item, GB_ERR_SCHEMA, "category_id", "no category has the id %lld",
                            (long long)wanted.id);
    GB_TRY(gb_json_array(item, "bbox", &sides));
    if (gb_json_count(&sides) != 4)
        return gb_json_fail(item, GB_ERR_SCHEMA, "bbox", "expected [x, y, width, height]");
    for (size_t i = 0; i < 4; i++) {
        gb_json_at number = gb_json_item(&sides, i);
        GB_TRY(gb_json_as_number(&number, i < 2 ? -PIXELS_MAX : 0, PIXELS_MAX, &side[i]));
    }
    const json_t *crowd = json_object_get(item->value, "iscrowd");
    to->box = (gb_box){category->name,    side[0],
                       side[1],           side[0] + side[2],
                       side[1] + side[3], json_is_true(crowd) || json_integer_value(crowd) == 1};
    return GB_OK;
}

static gb_status read_boxes(gb_coco *coco, const gb_json_at *root)
{
    gb_json_at list;
    GB_TRY(gb_json_array(root, "annotations", &list));
    size_t count = gb_json_count(&list);
    coco->boxes = gb_arena_alloc(coco->memory, (count + 1) * sizeof *coco->boxes);
    coco_box *spare = malloc((count + 1) * sizeof *spare);
    gb_status status =
        coco->boxes && spare ? GB_OK : gb_fail(GB_ERR_MEMORY, "%s: no memory", coco->path);
    for (size_t i = 0; i < count && status == GB_OK; i++) {
        gb_json_at item = gb_json_item(&list, i);
        status = read_box(coco, &item, &coco->boxes[i]);
    }
    coco->box_count = (int64_t)count;
    if (status == GB_OK)
        sort_boxes(coco->boxes, spare, coco->box_count);
    free(spare);
    return status;
}

gb_status gb_coco_open(const char *path, gb_coco **out)
{
    gb_coco *coco = calloc(1, sizeof *coco);
    if (!coco)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory", path);
    gb_status status = gb_arena_create(0, &coco->memory);
    if (status == GB_OK && !(coco->path = gb_arena_text(coco->memory, path)))
        status = GB_ERR_MEMORY;
    if (status == GB_OK)
        status = gb_json_open(path, GB_LABELS_FILE_BYTES, &coco->document);
    if (status == GB_OK) {
        gb_json_at root = gb_json_root(coco->path, coco->document);
        status = gb_json_as_object(&root);
        if (status == GB_OK)
            status = read_pictures(coco, &root);
        if (status == GB_OK)
            status = read_categories(coco, &root);
        if (status == GB_OK)
            status = read_boxes(coco, &root);
    }
    if (status != GB_OK) {
        gb_coco_close(coco);
        return status;
    }
    *out = coco;
    return GB_OK;
}

void gb_coco_close(gb_coco *coco)
{
    if (!coco)
        return;
    json_decref(coco->document);
    gb_arena_destroy(coco->memory);
    free(coco);
}

/* The first box of the picture, or box_count. */
static int64_t first_box(const gb_coco *coco, int64_t picture)
{
    int64_t low = 0, high = coco->box_count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (coco->boxes[middle].picture < picture)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

gb_status
gb_coco_find(const gb_coco *coco, const char *picture, gb_arena *arena, gb_picture_labels *out)
{
    coco_picture wanted = {.file = picture};
    const coco_picture *found = bsearch(&wanted, coco->pictures, (size_t)coco->picture_count,
                                        sizeof wanted, compare_pictures);
    *out = (gb_picture_labels){0};
    if (!found)
        return GB_OK;
    int64_t first = first_box(coco, found->id), end = first;
    while (end < coco->box_count && coco->boxes[end].picture == found->id)
        end++;
    if (end - first > GB_LABELS_BOXES_MAX)
        return gb_fail(GB_ERR_SCHEMA, "%s: %s has more than %d boxes", coco->path, picture,
                       GB_LABELS_BOXES_MAX);
    gb_box *boxes = gb_arena_alloc(arena, (size_t)(end - first + 1) * sizeof *boxes);
    if (!boxes)
        return GB_ERR_MEMORY;
    for (int64_t i = first; i < end; i++)
        boxes[i - first] = coco->boxes[i].box;
    *out = (gb_picture_labels){true, found->width, found->height, boxes, end - first};
    return GB_OK;
}
