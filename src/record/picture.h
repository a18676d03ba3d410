/* record/picture.h: JPEG and PNG pictures as bytes in memory: what they are, their pixels, and
 * pixels as a PNG. For rooms only. Pictures of recordings stay compressed as they came; pixels are
 * made only where somebody needs to look at them.
 *
 * What decoding gives is 8 bits a channel, grey or RGB, and nothing else:
 *   16 bits      the 8 upper ones, rounded (the file's own bytes keep the rest)
 *   1, 2, 4 bits spread over 0..255
 *   palette      RGB
 *   alpha        dropped, not blended; a transparent colour is an ordinary one
 *   gamma, colour profiles, EXIF orientation: not applied
 * A picture that is cut or damaged is GB_ERR_CORRUPT, also when half of it could be shown.
 *
 * Functions may run in several threads at once. */
#ifndef GENBA_RECORD_PICTURE_H
#define GENBA_RECORD_PICTURE_H

#include "genba/base.h"

#define GB_PICTURE_PIXELS_MAX (1LL << 27) /* what a limit of 0 means: 134 million */

typedef enum gb_picture_kind {
    GB_PICTURE_JPEG,
    GB_PICTURE_PNG
} gb_picture_kind;

typedef struct gb_picture_about {
    gb_picture_kind kind;
    int64_t width, height; /* >= 1 */
    int channels;          /* that decoding gives: 1 grey, 3 RGB */
    int bits;              /* of a channel in the file: 8 or 16; JPEG 8 */
} gb_picture_about;

typedef struct gb_picture {
    int64_t width, height;
    int channels;          /* 1 or 3 */
    unsigned char *pixels; /* [height x width x channels]; free with gb_picture_free */
} gb_picture;

/* The name of a kind as stream encodings have it: "jpeg", "png". */
const char *gb_picture_kind_name(gb_picture_kind kind);

/* Reads the beginning of a picture. GB_ERR_PARSE: neither JPEG nor PNG, or no sound header;
 * GB_ERR_UNSUPPORTED: a JPEG of CMYK. */
GB_MUST gb_status gb_picture_probe(const void *data, size_t size, gb_picture_about *out);

/* Decodes a whole picture. max_pixels: width x height may not be more, 0: GB_PICTURE_PIXELS_MAX;
 * GB_ERR_ARGUMENT when it is, before anything is allocated. */
GB_MUST gb_status gb_picture_decode(const void *data,
                                    size_t size,
                                    int64_t max_pixels,
                                    gb_picture *out);
void gb_picture_free(gb_picture *picture); /* NULL, or one of zeros, is fine */

/* Pixels as a PNG, without loss. *out_data is freed with free(). */
GB_MUST gb_status gb_picture_encode_png(const gb_picture *picture,
                                        unsigned char **out_data,
                                        size_t *out_size);

#endif
