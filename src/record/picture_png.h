/* Private to record: the PNG half of picture.c. */
#ifndef GENBA_RECORD_PICTURE_PNG_H
#define GENBA_RECORD_PICTURE_PNG_H

#include "record/picture.h"

bool gb_picture_is_png(const void *data, size_t size);
GB_MUST gb_status gb_picture_probe_png(const void *data, size_t size, gb_picture_about *out);
/* pixels [about->height x about->width x about->channels], of what the probe said. */
GB_MUST gb_status gb_picture_decode_png(const void *data,
                                        size_t size,
                                        const gb_picture_about *about,
                                        unsigned char *pixels);

#endif
