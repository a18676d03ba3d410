/* Which message a stream's samples become, and the schemas that say so in the file. The schemas are
 * the .proto files in src/record/schema/; their compiled form is descriptors.h there. */
#include "record/recording_file.h"

#include "record/schema/descriptors.h"

#include <string.h>

static const gb_message_schema schemas[] = {
    [GB_MESSAGE_SAMPLES] = {"genba.Samples", descriptor_samples, sizeof descriptor_samples},
    [GB_MESSAGE_TEXT] = {"genba.Text", descriptor_text, sizeof descriptor_text},
    [GB_MESSAGE_BYTES] = {"genba.Bytes", descriptor_bytes, sizeof descriptor_bytes},
    [GB_MESSAGE_COMPRESSED_IMAGE] = {"foxglove.CompressedImage", descriptor_compressed_image,
                                     sizeof descriptor_compressed_image},
    [GB_MESSAGE_RAW_IMAGE] = {"foxglove.RawImage", descriptor_raw_image,
                              sizeof descriptor_raw_image},
    [GB_MESSAGE_COMPRESSED_VIDEO] = {"foxglove.CompressedVideo", descriptor_compressed_video,
                                     sizeof descriptor_compressed_video},
};

const gb_message_schema *gb_message_schema_of(gb_message_kind kind)
{
    return &schemas[kind];
}

gb_status gb_message_kind_parse(const char *name, gb_message_kind *out)
{
    for (int i = 0; i < GB_MESSAGE_KIND_COUNT; i++) {
        if (strcmp(name, schemas[i].name) == 0) {
            *out = (gb_message_kind)i;
            return GB_OK;
        }
    }
    return gb_fail(GB_ERR_PARSE, "schema \"%.80s\" is none of a recording file's", name);
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

const char *gb_pixel_layout(const gb_stream_spec *spec)
{
    if (spec->kind != GB_STREAM_IMAGE || spec->rank < 2)
        return NULL;
    int64_t channels = spec->rank == 3 ? spec->shape[2] : 1;
    const char *encoding = spec->encoding ? spec->encoding : "";
    if (spec->value_type == GB_VALUE_U8 && channels == 1)
        return "mono8";
    if (spec->value_type == GB_VALUE_U8 && channels == 3)
        return strcmp(encoding, "bgr8") == 0 ? "bgr8" : "rgb8";
    if (spec->value_type == GB_VALUE_U8 && channels == 4)
        return strcmp(encoding, "bgra8") == 0 ? "bgra8" : "rgba8";
    if (spec->value_type == GB_VALUE_U16 && channels == 1)
        return "mono16";
    if (spec->value_type == GB_VALUE_F32 && channels == 1)
        return "32FC1";
    return NULL;
}

gb_message_kind gb_message_kind_of(const gb_stream_spec *spec)
{
    static const char *const pictures[] = {"jpeg", "jpg", "png", "webp", "avif", NULL};
    static const char *const videos[] = {"h264", "h265", "vp9", "av1", NULL};
    static const char *const texts[] = {"utf-8", "json", "yaml", "xml", "csv", NULL};
    if (spec->value_type != GB_VALUE_BYTES)
        return gb_pixel_layout(spec) ? GB_MESSAGE_RAW_IMAGE : GB_MESSAGE_SAMPLES;
    const char *encoding = spec->encoding ? spec->encoding : "";
    if (is_one_of(encoding, pictures))
        return GB_MESSAGE_COMPRESSED_IMAGE;
    if (is_one_of(encoding, videos))
        return GB_MESSAGE_COMPRESSED_VIDEO;
    bool words = spec->kind == GB_STREAM_TEXT || spec->kind == GB_STREAM_EVENT;
    if (is_one_of(encoding, texts) || (words && !encoding[0]))
        return GB_MESSAGE_TEXT;
    return GB_MESSAGE_BYTES;
}
