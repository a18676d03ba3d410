/* Pictures in memory: which kind they are, and JPEG through libturbojpeg. PNG is picture_png.c. */
#include "record/picture_png.h"

#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

const char *gb_picture_kind_name(gb_picture_kind kind)
{
    return kind == GB_PICTURE_JPEG ? "jpeg" : "png";
}

static bool is_jpeg(const void *data, size_t size)
{
    return size >= 3 && memcmp(data, "\xff\xd8\xff", 3) == 0;
}

static gb_status jpeg_header(tjhandle reader, const void *data, size_t size, gb_picture_about *out)
{
    int width = 0, height = 0, subsampling = 0, colours = 0;
    if (tjDecompressHeader3(reader, data, (unsigned long)size, &width, &height, &subsampling,
                            &colours) != 0)
        return gb_fail(GB_ERR_PARSE, "no sound JPEG header: %s", tjGetErrorStr2(reader));
    if (width < 1 || height < 1)
        return gb_fail(GB_ERR_PARSE, "a JPEG of %d x %d pixels", width, height);
    if (colours == TJCS_CMYK || colours == TJCS_YCCK)
        return gb_fail(GB_ERR_UNSUPPORTED,
                       "a JPEG of four inks (CMYK); expected grey or colour: convert it to RGB");
    *out = (gb_picture_about){.kind = GB_PICTURE_JPEG,
                              .width = width,
                              .height = height,
                              .channels = colours == TJCS_GRAY ? 1 : 3,
                              .bits = 8};
    return GB_OK;
}

static gb_status open_jpeg(tjhandle *out)
{
    *out = tjInitDecompress();
    return *out ? GB_OK : gb_fail(GB_ERR_MEMORY, "no memory for a JPEG decoder");
}

static gb_status probe_jpeg(const void *data, size_t size, gb_picture_about *out)
{
    tjhandle reader;
    GB_TRY(open_jpeg(&reader));
    gb_status status = jpeg_header(reader, data, size, out);
    tjDestroy(reader);
    return status;
}

/* A cut file is only a warning to the decoder, which greys the rest: an error here. */
static gb_status
decode_jpeg(const void *data, size_t size, const gb_picture_about *about, unsigned char *pixels)
{
    tjhandle reader;
    GB_TRY(open_jpeg(&reader));
    gb_status status = GB_OK;
    int format = about->channels == 1 ? TJPF_GRAY : TJPF_RGB;
    /* LIMITSCANS: a small progressive file may otherwise ask for hours of work. */
    if (tjDecompress2(reader, data, (unsigned long)size, pixels, (int)about->width, 0,
                      (int)about->height, format, TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS) != 0)
        status = gb_fail(GB_ERR_CORRUPT, "a JPEG of %lld x %lld pixels is cut or damaged: %s",
                         (long long)about->width, (long long)about->height, tjGetErrorStr2(reader));
    tjDestroy(reader);
    return status;
}

gb_status gb_picture_probe(const void *data, size_t size, gb_picture_about *out)
{
    gb_picture_about about = {0};
    if (is_jpeg(data, size))
        GB_TRY(probe_jpeg(data, size, &about));
    else if (gb_picture_is_png(data, size))
        GB_TRY(gb_picture_probe_png(data, size, &about));
    else
        return gb_fail(GB_ERR_PARSE, "%zu bytes that begin like neither a JPEG nor a PNG", size);
    *out = about;
    return GB_OK;
}

gb_status gb_picture_decode(const void *data, size_t size, int64_t max_pixels, gb_picture *out)
{
    gb_picture_about about;
    GB_TRY(gb_picture_probe(data, size, &about));
    int64_t limit = max_pixels > 0 ? max_pixels : GB_PICTURE_PIXELS_MAX;
    if (about.width > limit / about.height)
        return gb_fail(GB_ERR_ARGUMENT,
                       "a picture of %lld x %lld pixels; the limit is %lld pixels in all",
                       (long long)about.width, (long long)about.height, (long long)limit);
    size_t bytes = (size_t)about.width * (size_t)about.height * (size_t)about.channels;
    unsigned char *pixels = malloc(bytes);
    if (!pixels)
        return gb_fail(GB_ERR_MEMORY, "no memory for the %zu bytes of a picture", bytes);
    gb_status status = about.kind == GB_PICTURE_JPEG
                           ? decode_jpeg(data, size, &about, pixels)
                           : gb_picture_decode_png(data, size, &about, pixels);
    if (status != GB_OK) {
        free(pixels);
        return status;
    }
    *out = (gb_picture){about.width, about.height, about.channels, pixels};
    return GB_OK;
}

void gb_picture_free(gb_picture *picture)
{
    if (!picture)
        return;
    free(picture->pixels);
    picture->pixels = NULL;
}
