/* Any bytes as two units: a status with a message, or a code that reads as itself; and laws that
 * turn back. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/units.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char from[256], to[256];
    size_t cut = size / 2 < 255 ? size / 2 : 255, rest = size - cut < 255 ? size - cut : 255;
    if (size > 0)
        memcpy(from, data, cut);
    if (size > 0)
        memcpy(to, data + cut, rest);
    from[cut] = to[rest] = 0;
    gb_unit unit, again;
    gb_status status = gb_unit_parse(to, &unit);
    if (status != GB_OK && !gb_error_message()[0])
        abort();
    if (status == GB_OK) {
        if (gb_unit_parse(unit.code, &again) != GB_OK || strcmp(unit.code, again.code) != 0 ||
            strcmp(unit.dimension, again.dimension) != 0)
            abort();
    }
    double scale, offset, back_scale, back_offset;
    if (gb_unit_convert(from, to, &scale, &offset) == GB_OK) {
        if (!(scale > 0) || !isfinite(scale) || !isfinite(offset))
            abort();
        if (gb_unit_convert(to, from, &back_scale, &back_offset) == GB_OK &&
            !(fabs(scale * back_scale - 1) < 1e-9))
            abort();
    }
    return 0;
}
