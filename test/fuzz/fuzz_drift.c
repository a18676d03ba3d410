/* Any stamps beside any rows, and any two streams: laws that are numbers, or a status; and applying
 * them never overflows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/drift_stamps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const gb_drift_law *law)
{
    static const int64_t times[] = {INT64_MIN, -1, 0, 1000000000, INT64_MAX};
    if (!isfinite(law->rate) || !isfinite(law->residual_s) || law->windows < 0 ||
        law->windows > GB_DRIFT_POINTS)
        abort();
    for (int i = 0; i < 5; i++)
        gb_drift_apply(law, times[i]);
}

static void by_stamps(const uint8_t *data, size_t size)
{
    gb_drift_stamps *stamps;
    gb_drift_law *laws;
    int count;
    int64_t row = 0, stamp = 0;
    if (gb_drift_stamps_create(0.01 + data[0], &stamps) != GB_OK)
        return;
    gb_status status = GB_OK;
    for (size_t i = 1; status == GB_OK && i + 3 <= size; i += 3) {
        row += (int64_t)data[i] * 1000000;
        stamp += (int64_t)(int8_t)data[i + 1] * 1000000;
        if (data[i + 2] == 255)
            memcpy(&stamp, data + i - 1, 3);
        else if (data[i + 2] == 254)
            stamp = (int64_t)((uint64_t)stamp << (data[i] & 31));
        else if (data[i + 2] == 253)
            row = (int64_t)((uint64_t)row << 20);
        if (data[i + 2] == 252)
            gb_drift_stamps_skip(stamps);
        else
            status = gb_drift_stamps_add(stamps, row, stamp);
        row = row > INT64_MAX / 2 ? 0 : row; /* the sums of this test only */
        stamp = stamp > INT64_MAX / 2 || stamp < -INT64_MAX / 2 ? 0 : stamp;
    }
    if (status == GB_OK && gb_drift_stamps_laws(stamps, &laws, &count) == GB_OK) {
        for (int i = 0; i < count; i++)
            check(&laws[i]);
        free(laws);
    }
    gb_drift_stamps_destroy(stamps);
}

static void by_signals(const uint8_t *data, size_t size)
{
    gb_drift_pair *pair;
    gb_drift_law law;
    int64_t times[2] = {0, 0};
    if (gb_drift_pair_create(0.5 + data[0] / 16.0, &pair) != GB_OK)
        return;
    for (size_t i = 1; i + 3 <= size; i += 3) {
        int which = data[i] & 1;
        times[which] += data[i] == 255 ? INT64_MAX / 8 : (int64_t)(data[i] >> 1) * 1000000;
        if (times[which] > INT64_MAX / 2)
            times[which] = 0;
        double value = data[i + 2] == 255 ? (double)NAN : (int8_t)data[i + 1];
        if (gb_drift_pair_add(pair, which, times[which], value) != GB_OK)
            abort();
    }
    if (gb_drift_pair_law(pair, &law) == GB_OK)
        check(&law);
    gb_drift_pair_destroy(pair);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 8)
        return 0;
    if (data[1] & 1)
        by_stamps(data, size);
    else
        by_signals(data, size);
    return 0;
}
