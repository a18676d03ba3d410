/* Any bytes as a picture: a status with a message, or pixels of the size the header said; those
 * pixels survive a PNG bit for bit. */
#include "record/picture.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void through_png(const gb_picture *picture)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    gb_picture back = {0};
    if (gb_picture_encode_png(picture, &bytes, &size) != GB_OK ||
        gb_picture_decode(bytes, size, 0, &back) != GB_OK)
        abort();
    size_t count = (size_t)(picture->width * picture->height * picture->channels);
    if (back.width != picture->width || back.height != picture->height ||
        back.channels != picture->channels || memcmp(back.pixels, picture->pixels, count) != 0)
        abort();
    gb_picture_free(&back);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gb_picture_about about;
    gb_picture picture = {0};
    gb_status probed = gb_picture_probe(data, size, &about);
    gb_status decoded = gb_picture_decode(data, size, 1 << 18, &picture);
    if (decoded != GB_OK) {
        if (gb_error_message()[0] == 0 || picture.pixels)
            abort();
        return 0;
    }
    if (probed != GB_OK || about.width != picture.width || about.height != picture.height ||
        about.channels != picture.channels)
        abort();
    through_png(&picture);
    gb_picture_free(&picture);
    return 0;
}
