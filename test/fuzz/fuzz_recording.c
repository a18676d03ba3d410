/* Any bytes as a message of a recording, as the metadata of a stream, and as a whole recording
 * file: a status with a message or samples that hold together, never a crash. */
#include "record/recording_file.h"
#include "record/stream.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool what)
{
    if (!what)
        abort();
}

/* What was decoded can be touched, is in range, and is the same once encoded and decoded again. */
static void check_samples(gb_message_kind kind, const gb_stream_spec *spec, const gb_decoded *got)
{
    const gb_samples *samples = &got->samples;
    bool bytes = spec->value_type == GB_VALUE_BYTES;
    size_t each = (size_t)gb_stream_spec_size(spec) * gb_value_type_bytes(spec->value_type);
    gb_encoded encoded;
    gb_decoded again = {0};
    need(samples->count >= 1);
    for (int64_t i = 0; i < samples->count; i++) {
        need(!samples->quality || samples->quality[i] <= GB_QUALITY_MISSING);
        need(!samples->reason || samples->reason[i] < GB_REASON_COUNT);
    }
    if (kind == GB_MESSAGE_SAMPLES)
        gb_encode_samples(spec, samples, &encoded);
    else
        gb_encode_one(kind, spec, samples->time_ns[0], bytes ? samples->runs[0] : samples->values,
                      bytes ? samples->run_sizes[0] : each,
                      samples->quality ? *samples->quality : 0,
                      samples->reason ? *samples->reason : 0, &encoded);
    unsigned char *whole = malloc(encoded.size + 1);
    size_t used = 0;
    need(whole != NULL);
    for (int i = 0; i < encoded.count; i++) {
        memcpy(whole + used, encoded.pieces[i].data, encoded.pieces[i].size);
        used += encoded.pieces[i].size;
    }
    need(used == encoded.size);
    need(gb_decode_message(kind, spec, whole, used, &again) == GB_OK);
    need(again.samples.count == samples->count);
    need(memcmp(again.samples.time_ns, samples->time_ns, (size_t)samples->count * 8) == 0);
    if (!bytes)
        need(memcmp(again.samples.values, samples->values, (size_t)samples->count * each) == 0);
    else
        need(again.samples.run_sizes[0] == samples->run_sizes[0] &&
             memcmp(again.samples.runs[0], samples->runs[0], samples->run_sizes[0]) == 0);
    gb_decoded_free(&again);
    free(whole);
}

static void as_message(unsigned choice, const uint8_t *data, size_t size)
{
    gb_stream_spec spec = gb_stream_spec_defaults("x");
    gb_message_kind kind = (gb_message_kind)(choice % GB_MESSAGE_KIND_COUNT);
    spec.encoding = kind == GB_MESSAGE_COMPRESSED_IMAGE ? "jpeg" : "av1";
    spec.value_type = (gb_value_type)(choice / 8 % GB_VALUE_BYTES);
    spec.rank = 1;
    spec.shape[0] = 1 + choice % 3;
    if (kind == GB_MESSAGE_RAW_IMAGE) {
        spec.kind = GB_STREAM_IMAGE;
        spec.value_type = GB_VALUE_U8;
        spec.rank = 2;
        spec.shape[1] = 2;
    } else if (kind != GB_MESSAGE_SAMPLES) {
        spec.value_type = GB_VALUE_BYTES;
        spec.rank = 0;
    }
    gb_decoded decoded = {0};
    if (gb_decode_message(kind, &spec, data, size, &decoded) == GB_OK)
        check_samples(kind, &spec, &decoded);
    else
        need(gb_error_message()[0] != 0);
    gb_decoded_free(&decoded);
}

/* Lines of "key=value". */
static void as_metadata(const uint8_t *data, size_t size)
{
    gb_arena *arena = NULL;
    gb_pair pairs[32];
    const gb_pair *written = NULL;
    int count = 0, written_count = 0;
    char *text = malloc(size + 1);
    need(text && gb_arena_create(0, &arena) == GB_OK);
    memcpy(text, data, size);
    text[size] = 0;
    for (char *line = text, *next = NULL; line && count < 32; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        char *equals = strchr(line, '=');
        pairs[count].key = line;
        pairs[count++].value = equals ? equals + 1 : "";
        if (equals)
            *equals = 0;
    }
    gb_stream_spec spec;
    gb_recording_info info;
    if (gb_stream_spec_from_pairs("topic", pairs, count, arena, &spec) == GB_OK) {
        need(gb_stream_spec_check(&spec) == GB_OK);
        gb_status status = gb_stream_spec_to_pairs(&spec, arena, &written, &written_count);
        need(status == GB_OK || status == GB_ERR_ARGUMENT); /* not UTF-8 */
    }
    if (gb_recording_info_from_pairs(pairs, count, arena, &info) == GB_OK)
        need(info.name[0] != 0);
    gb_arena_destroy(arena);
    free(text);
}

static void as_file(const uint8_t *data, size_t size)
{
    gb_bytes_in *from = NULL;
    gb_recording *recording = NULL;
    need(gb_bytes_in_memory(data, size, "fuzz.mcap", &from) == GB_OK);
    if (gb_recording_load_bytes(from, NULL, 0, &recording) != GB_OK)
        need(gb_error_message()[0] != 0 && !recording);
    gb_recording_destroy(recording);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if (data[0] == 0x89) /* how an MCAP file begins */
        as_file(data, size);
    else if (data[0] % 8 == 0)
        as_metadata(data + 1, size - 1);
    else
        as_message(data[1], data + 2, size - 2);
    return 0;
}
