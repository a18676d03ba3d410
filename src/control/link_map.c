/* control/link_map.c: the description of a machine behind a link, from a YAML map. */
#include "control/link.h"

gb_status gb_link_map_load(const char *path, gb_link_map **out)
{
    (void)out;
    return gb_fail(GB_ERR_UNSUPPORTED, "%s: maps of links are not read yet", path);
}

void gb_link_map_destroy(gb_link_map *map)
{
    if (map)
        gb_arena_destroy(map->arena);
}
