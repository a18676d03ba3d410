/* Any bytes as Thrift's compact protocol: passing over a struct ends at a status or inside the
 * bytes; what was written is read back. */
#include "ingest/thrift.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void pass_over(const uint8_t *data, size_t size)
{
    gb_thrift from = {data, data, data + size, "fuzz", 0};
    gb_thrift_field field = {GB_THRIFT_STOP, 0};
    while (gb_thrift_next(&from, &field) == GB_OK && field.type != GB_THRIFT_STOP) {
        if (gb_thrift_skip(&from, &field) != GB_OK)
            break;
        if (from.at > from.end || field.id < 1)
            abort();
    }
    if (from.at < from.start || from.at > from.end)
        abort();
}

/* One field of each kind, its value taken from the bytes. */
static void there_and_back(const uint8_t *data, size_t size)
{
    int64_t number = 0, found = 0;
    memcpy(&number, data, size < 8 ? size : 8);
    int id = 1 + (int)((uint64_t)number % 30000);
    gb_thrift_out out = {0};
    gb_thrift_put_int(&out, id, GB_THRIFT_I64, number);
    gb_thrift_put_binary(&out, id + 1, data, size);
    gb_thrift_put_bool(&out, id + 2, number & 1);
    gb_thrift_end(&out);
    if (gb_thrift_finish(&out) != GB_OK)
        abort();
    gb_thrift from = {out.data, out.data, out.data + out.size, "fuzz", 0};
    gb_thrift_field field = {GB_THRIFT_STOP, 0};
    const unsigned char *run = NULL;
    size_t run_size = 0;
    bool truth = false;
    if (gb_thrift_next(&from, &field) != GB_OK || field.id != id ||
        gb_thrift_int(&from, &field, INT64_MIN, INT64_MAX, &found) != GB_OK || found != number)
        abort();
    if (gb_thrift_next(&from, &field) != GB_OK || field.id != id + 1 ||
        gb_thrift_binary(&from, &field, &run, &run_size) != GB_OK || run_size != size ||
        memcmp(run, data, size) != 0)
        abort();
    if (gb_thrift_next(&from, &field) != GB_OK || gb_thrift_bool(&from, &field, &truth) != GB_OK ||
        truth != (number & 1))
        abort();
    free(out.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pass_over(data, size);
    if (size > 0)
        there_and_back(data, size);
    return 0;
}
