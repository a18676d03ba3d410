/* Numbers of any value type to doubles and back. */
#include "ingest/numbers.h"

#include <string.h>

/* ---- to and from doubles ----------------------------------------------------------------------
 */

#define LOAD(type)                                                                                 \
    do {                                                                                           \
        const type *from = in;                                                                     \
        for (size_t i = 0; i < count; i++)                                                         \
            out[i] = (double)from[i];                                                              \
    } while (0)

void gb_numbers_load(gb_value_type type, const void *in, double *out, size_t count)
{
    switch (type) {
    case GB_VALUE_F32:
        LOAD(float);
        break;
    case GB_VALUE_F64:
        memcpy(out, in, count * sizeof *out);
        break;
    case GB_VALUE_I8:
        LOAD(int8_t);
        break;
    case GB_VALUE_U8:
        LOAD(uint8_t);
        break;
    case GB_VALUE_I16:
        LOAD(int16_t);
        break;
    case GB_VALUE_U16:
        LOAD(uint16_t);
        break;
    case GB_VALUE_I32:
        LOAD(int32_t);
        break;
    case GB_VALUE_U32:
        LOAD(uint32_t);
        break;
    case GB_VALUE_I64:
        LOAD(int64_t);
        break;
    case GB_VALUE_U64:
        LOAD(uint64_t);
        break;
    case GB_VALUE_BYTES:
    case GB_VALUE_TYPE_COUNT:
        break;
    }
}

void gb_numbers_store(gb_value_type type, const double *in, void *out, size_t count)
{
    if (type == GB_VALUE_F64) {
        memcpy(out, in, count * sizeof *in);
        return;
    }
    float *to = out;
    for (size_t i = 0; i < count; i++)
        to[i] = (float)in[i];
}
