/* Covers parts of pictures: black, or blurred. Only still pictures; video is kept or dropped. */
#include "ingest/anonymise.h"

#include "record/picture.h"

#include <stdlib.h>
#include <string.h>

#define BLUR_PARTS 4  /* a blurred box keeps so many cells along its longer side */
#define JPEG_BLOCK 16 /* pixels that one block of JPEG with halved colours reaches */

typedef struct area {
    int64_t left, top, right, bottom; /* [left, right) x [top, bottom) */
} area;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static area area_of(const gb_rule_box *box, int64_t height, int64_t width, int64_t grow)
{
    area found = {box->x / grow * grow, box->y / grow * grow, box->x + box->width,
                  box->y + box->height};
    found.right = least((found.right + grow - 1) / grow * grow, width);
    found.bottom = least((found.bottom + grow - 1) / grow * grow, height);
    return found;
}

/* The mean of each cell of a coarse grid, so that what is left is known: cells x channels numbers.
 * A smooth blur could be sharpened again. */
static void blur(unsigned char *pixels, int64_t width, int64_t channels, area box)
{
    int64_t wide = box.right - box.left, high = box.bottom - box.top;
    int64_t longer = wide > high ? wide : high;
    int64_t cell = (longer + BLUR_PARTS - 1) / BLUR_PARTS;
    for (int64_t top = box.top; top < box.bottom; top += cell)
        for (int64_t left = box.left; left < box.right; left += cell) {
            int64_t bottom = least(top + cell, box.bottom), right = least(left + cell, box.right);
            for (int64_t c = 0; c < channels; c++) {
                uint64_t sum = 0, count = (uint64_t)((bottom - top) * (right - left));
                for (int64_t y = top; y < bottom; y++)
                    for (int64_t x = left; x < right; x++)
                        sum += pixels[(y * width + x) * channels + c];
                for (int64_t y = top; y < bottom; y++)
                    for (int64_t x = left; x < right; x++)
                        pixels[(y * width + x) * channels + c] =
                            (unsigned char)((sum + count / 2) / count);
            }
        }
}

gb_status gb_cover_boxes(const gb_rule *rule,
                         unsigned char *pixels,
                         int64_t height,
                         int64_t width,
                         int64_t channels,
                         int64_t grow)
{
    for (uint32_t i = 0; i < rule->boxes_count; i++) {
        area box = area_of(&rule->boxes[i], height, width, grow);
        if (box.left >= box.right || box.top >= box.bottom)
            return gb_fail(GB_ERR_SCHEMA,
                           "%s: box %u begins at (%lld, %lld), outside a picture of %lld x %lld: "
                           "is it meant for another camera?",
                           rule->match, i, (long long)rule->boxes[i].x, (long long)rule->boxes[i].y,
                           (long long)width, (long long)height);
        if (rule->fill == GB_FILL_BLUR) {
            blur(pixels, width, channels, box);
            continue;
        }
        for (int64_t y = box.top; y < box.bottom; y++)
            memset(pixels + (y * width + box.left) * channels, 0,
                   (size_t)((box.right - box.left) * channels));
    }
    return GB_OK;
}

gb_status gb_cover_picture(const gb_rule *const *rules,
                           int rule_count,
                           const unsigned char *data,
                           size_t size,
                           unsigned char **out_data,
                           size_t *out_size)
{
    gb_picture_about about;
    gb_picture picture = {0};
    GB_TRY(gb_picture_probe(data, size, &about));
    GB_TRY(gb_picture_decode(data, size, 0, &picture));
    gb_status status = GB_OK;
    for (int i = 0; status == GB_OK && i < rule_count; i++)
        if (rules[i]->kind == GB_RULE_BOXES)
            status =
                gb_cover_boxes(rules[i], picture.pixels, picture.height, picture.width,
                               picture.channels, about.kind == GB_PICTURE_JPEG ? JPEG_BLOCK : 1);
    if (status == GB_OK)
        status = gb_picture_encode_png(&picture, out_data, out_size);
    gb_picture_free(&picture);
    return status;
}
