/* Any bytes as a map of a link: a status that names the file, or a machine whose numbers agree. */
#include "control/link.h"
#include "control/link_packet.h"
#include "control/link_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_side(const gb_plant_stream *streams, const gb_link_stream *links, int count, int size)
{
    int sum = 0;
    for (int i = 0; i < count; i++) {
        sum += streams[i].size;
        if (streams[i].size != gb_stream_spec_size(&streams[i].spec) || !links[i].topic ||
            !isfinite(1 / links[i].scale) || !isfinite(links[i].offset) ||
            (!streams[i].low != !streams[i].high))
            abort();
    }
    if (sum != size || size < 1)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gb_link_map *map = NULL;
    if (gb_link_map_parse("m.yaml", (const char *)data, size, &map) != GB_OK) {
        if (map || !strstr(gb_error_message(), "m.yaml"))
            abort();
        return 0;
    }
    const gb_plant_info *info = &map->info;
    check_side(info->observation_streams, map->observations, info->observation_stream_count,
               info->observation_size);
    check_side(info->action_streams, map->actions, info->action_stream_count, info->action_size);
    if (info->tick_ns < 1 || info->period_ns % info->tick_ns != 0)
        abort();
    gb_link_text *text = NULL;
    gb_packet_form in, out;
    map->key_path = ""; /* no files are read here */
    (void)!gb_link_text_create(map, false, false, &text);
    (void)!gb_link_text_create(map, true, true, &text);
    if (gb_packet_forms(map, &in, &out) == GB_OK && in.count != (uint32_t)info->observation_size)
        abort();
    gb_link_map_destroy(map);
    return 0;
}
