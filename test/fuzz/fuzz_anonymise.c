/* A policy from the first bytes, texts and numbers from the rest: anything may be wrong, nothing
 * may crash, and what a pattern finds is gone. */
#include <string.h>

#include "genba/anonymise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const gb_key key = {{3}};

static void feed(gb_sink *filter, const uint8_t *data, size_t size)
{
    gb_pair pair = {"lot", "L1"};
    gb_recording_info info = {.name = "r", .instruction = "do x", .pairs = &pair, .pair_count = 1};
    int recording, stream;
    if (gb_sink_begin(filter, &info, &recording) != GB_OK)
        return;
    static const char *const encodings[] = {"utf-8", "json", "png", "jpeg", ""};
    for (int form = 0; form < 7; form++) {
        gb_stream_spec spec = gb_stream_spec_defaults(form % 2 ? "a" : "b");
        char name[8] = {(char)('a' + form), 0};
        spec.name = name;
        size_t each = 1;
        if (form < 5) {
            spec.value_type = GB_VALUE_BYTES;
            spec.encoding = encodings[form];
        } else {
            spec.value_type = form == 5 ? GB_VALUE_F64 : GB_VALUE_I16;
            each = form == 5 ? 8 : 2;
        }
        if (gb_sink_stream(filter, recording, &spec, &stream) != GB_OK)
            continue;
        int64_t times[64] = {0};
        double values[64] = {0};
        memcpy(values, data, size < sizeof values ? size : sizeof values);
        memcpy(times, data, size < sizeof times ? size : sizeof times);
        gb_samples samples = {.count = form < 5 ? 1 : (int64_t)(size / each) % 64,
                              .time_ns = times,
                              .values = values,
                              .runs = &data,
                              .run_sizes = &size};
        if (gb_sink_append(filter, recording, stream, &samples) != GB_OK) {
            gb_sink_abandon(filter, recording);
            return;
        }
    }
    (void)!gb_sink_attach(filter, recording, "a.json", "application/json", data, size);
    if (gb_sink_end(filter, recording) != GB_OK)
        gb_sink_abandon(filter, recording);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = memchr(data, 0, size);
    size_t text = zero ? (size_t)(zero - data) : size;
    gb_anonymise_policy *policy = NULL;
    if (gb_anonymise_policy_parse((const char *)data, text, "fuzz", &policy) != GB_OK)
        return 0;
    gb_dataset *dataset = NULL;
    gb_sink *target = NULL, *filter = NULL;
    if (gb_dataset_create(&dataset) == GB_OK && gb_dataset_sink_create(dataset, &target) == GB_OK &&
        gb_anonymise_create(policy, &key, target, &filter) == GB_OK)
        feed(filter, data + text, size - text);
    gb_sink_destroy(filter);
    gb_sink_destroy(target);
    gb_dataset_destroy(dataset);
    gb_anonymise_policy_destroy(policy);
    return 0;
}
