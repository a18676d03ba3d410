/* Any bytes as a zoneinfo file: a zone that answers every time, or a status. The first byte chooses
 * between the bytes as they are and a header that fits them, so that rules are reached. */
#include "ingest/zone.h"
#include "ingest/zone_rule.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(gb_zone *zone, int64_t local_ns)
{
    int64_t earlier, later;
    gb_zone_kind kind, again;
    gb_status status = gb_zone_to_utc(zone, local_ns, false, &earlier, &kind);
    if (gb_zone_to_utc(zone, local_ns, true, &later, &again) != status)
        return; /* at the end of time one reading may fit and the other not */
    if (status != GB_OK)
        return;
    if (kind != again || (kind != GB_ZONE_FOLD && earlier != later))
        abort();
    int64_t back_ns = earlier + gb_zone_offset_s(zone, earlier) * 1000000000;
    if (kind != GB_ZONE_GAP && llabs(earlier) < INT64_MAX / 2 && back_ns != local_ns)
        abort();
}

static void check(gb_zone *zone)
{
    static const int64_t limits[] = {INT64_MIN, INT64_MAX, 0, -1, 1};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        ask(zone, limits[i]);
    for (uint64_t i = 0; i < 200; i++)
        ask(zone, (int64_t)gb_random_u64(1, 2, i));
    (void)gb_zone_changes(zone, INT64_MIN, INT64_MAX);
    gb_zone_destroy(zone);
}

/* A version 2 file without transitions whose footer is the bytes. */
static void as_rule(const uint8_t *data, size_t size)
{
    static const uint8_t type[] = {0, 0, 0x0E, 0x10, 0, 0, 'C', 0};
    uint8_t file[512] = "TZif2";
    size_t at = 0;
    if (size > 300)
        return;
    for (int block = 0; block < 2; block++) {
        memcpy(file + at, "TZif2", 5);
        file[at + 39] = 1; /* one type of two characters */
        file[at + 43] = 2;
        memcpy(file + at + 44, type, sizeof type);
        at += 44 + sizeof type;
    }
    file[at++] = '\n';
    memcpy(file + at, data, size);
    file[at + size] = '\n';
    gb_zone *zone = NULL;
    if (gb_zone_parse(file, at + size + 1, "fuzz", &zone) == GB_OK)
        check(zone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    if (data[0] == 'R') {
        as_rule(data + 1, size - 1);
        return 0;
    }
    gb_zone *zone = NULL;
    gb_status status = gb_zone_parse(data, size, "fuzz", &zone);
    if (status == GB_OK)
        check(zone);
    else if (zone || !gb_error_message()[0])
        abort();
    char name[80] = "";
    size_t length = size < 79 ? size : 79;
    memcpy(name, data, length);
    if (strchr(name, '.') && gb_zone_load(name, &zone) == GB_OK)
        abort(); /* no dot leads to a zone */
    return 0;
}
