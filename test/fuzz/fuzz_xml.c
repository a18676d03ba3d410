/* Any bytes as XML and as labels of a picture: events that nest, or a message. */
#include "ingest/labels.h"
#include "ingest/xml.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_events(const char *data, size_t size, gb_arena *arena)
{
    gb_xml xml;
    gb_xml_event event = GB_XML_OPEN;
    int depth = 0;
    gb_status status = gb_xml_begin(data, size, "fuzz.xml", arena, &xml);
    while (status == GB_OK && event != GB_XML_END) {
        status = gb_xml_next(&xml, &event);
        if (status != GB_OK)
            break;
        depth += event == GB_XML_OPEN;
        depth -= event == GB_XML_CLOSE;
        if (depth != xml.depth || (event == GB_XML_TEXT && strlen(xml.text) != xml.text_size))
            abort();
    }
    if (status == GB_OK && depth != 0)
        abort();
    if (status != GB_OK && gb_error_message()[0] == 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gb_arena *arena = NULL;
    gb_picture_labels labels = {0};
    if (gb_arena_create(64 << 20, &arena) != GB_OK)
        abort();
    read_events((const char *)data, size, arena);
    if (gb_labels_read_voc((const char *)data, size, "fuzz.xml", arena, &labels) == GB_OK)
        for (int64_t i = 0; i < labels.count; i++)
            if (!labels.boxes[i].label[0] || labels.boxes[i].xmin > labels.boxes[i].xmax)
                abort();
    gb_arena_destroy(arena);
    return 0;
}
