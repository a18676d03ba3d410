/* control/link.c: finds the kind of link that a URL names. */
#include "control/link.h"

#include <string.h>

static const gb_link_kind *const kinds[] = {
    &gb_link_kind_udp,
    &gb_link_kind_shm,
    &gb_link_kind_mqtt,
    &gb_link_kind_dds,
};

static gb_status no_such_link(const char *url)
{
    char schemes[128] = "plant:";
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        strncat(schemes, ", ", sizeof schemes - strlen(schemes) - 1);
        strncat(schemes, kinds[i]->scheme, sizeof schemes - strlen(schemes) - 1);
        strncat(schemes, "://", sizeof schemes - strlen(schemes) - 1);
    }
    return gb_fail(
        GB_ERR_UNSUPPORTED,
        "link \"%s\": this build has no such link; it has: %s (genba doctor says what is "
        "missing)",
        url, schemes);
}

gb_status gb_link_open(const char *url, const char *map_path, gb_link **out)
{
    if (strncmp(url, "plant:", 6) == 0 && map_path)
        return gb_fail(GB_ERR_ARGUMENT,
                       "link \"%s\": a plant in this process has no messages for %s to describe; "
                       "leave the map out",
                       url, map_path);
    if (strncmp(url, "plant:", 6) == 0)
        return gb_link_plant(url + 6, NULL, out);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t length = strlen(kinds[i]->scheme);
        if (strncmp(url, kinds[i]->scheme, length) != 0 || strncmp(url + length, "://", 3) != 0)
            continue;
        if (!map_path)
            return gb_fail(
                GB_ERR_ARGUMENT,
                "link \"%s\": needs a map of the machine's streams (--map, docs/link.md)", url);
        gb_link_map *map = NULL;
        GB_TRY(gb_link_map_load(map_path, &map));
        gb_status status = kinds[i]->open(url + length + 3, map, out);
        if (status != GB_OK)
            gb_link_map_destroy(map);
        return status;
    }
    return no_such_link(url);
}

void gb_link_close(gb_link *link)
{
    if (link)
        link->ops->close(link);
}
