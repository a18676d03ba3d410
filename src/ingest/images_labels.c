/* Labels of pictures as what streams hold: words, JSON, numbers. */
#include "ingest/images_load.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CLASSES_MAX 64 /* different ones on a picture */

static int find_classes(const gb_picture_labels *labels, const char *out[CLASSES_MAX])
{
    int count = 0;
    for (int64_t i = 0; i < labels->count && count < CLASSES_MAX; i++) {
        int k = 0;
        while (k < count && strcmp(out[k], labels->boxes[i].label) != 0)
            k++;
        if (k == count)
            out[count++] = labels->boxes[i].label;
    }
    return count;
}

const char *gb_labels_classes(const gb_picture_labels *labels, gb_arena *arena)
{
    const char *classes[CLASSES_MAX], *text = "";
    int count = find_classes(labels, classes);
    for (int i = 0; i < count && text; i++)
        text = i == 0 ? classes[0] : gb_arena_format(arena, "%s,%s", text, classes[i]);
    return text;
}

/* Whole pixels as whole numbers. */
static json_t *pixels(double value)
{
    return value == floor(value) && fabs(value) < 1e15 ? json_integer((json_int_t)value)
                                                       : json_real(value);
}

const char *gb_labels_json(const gb_picture_labels *labels, gb_arena *arena)
{
    json_t *list = json_array();
    bool whole = list != NULL;
    for (int64_t i = 0; i < labels->count && whole; i++) {
        const gb_box *box = &labels->boxes[i];
        json_t *item = json_object();
        whole = json_array_append_new(list, item) == 0 &&
                json_object_set_new(item, "label", json_string(box->label)) == 0 &&
                json_object_set_new(item, "xmin", pixels(box->xmin)) == 0 &&
                json_object_set_new(item, "ymin", pixels(box->ymin)) == 0 &&
                json_object_set_new(item, "xmax", pixels(box->xmax)) == 0 &&
                json_object_set_new(item, "ymax", pixels(box->ymax)) == 0 &&
                (!box->difficult || json_object_set_new(item, "difficult", json_true()) == 0);
    }
    char *text = whole ? json_dumps(list, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    const char *kept = text ? gb_arena_text(arena, text) : NULL;
    json_decref(list);
    free(text);
    return kept;
}

int64_t gb_labels_outside(const gb_picture_labels *labels, int64_t width, int64_t height)
{
    int64_t outside = 0;
    for (int64_t i = 0; i < labels->count; i++) {
        const gb_box *box = &labels->boxes[i];
        outside += box->xmin < 0 || box->ymin < 0 || box->xmax > (double)width ||
                   box->ymax > (double)height;
    }
    return outside;
}

int32_t gb_labels_category(const gb_picture_labels *labels, const gb_map_stream *stream)
{
    const char *classes[CLASSES_MAX];
    if (find_classes(labels, classes) != 1)
        return -1;
    for (uint32_t i = 0; i < stream->categories_count; i++)
        if (strcmp(stream->categories[i], classes[0]) == 0)
            return (int32_t)i;
    return -1;
}
