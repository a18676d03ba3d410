/* Private to ingest: a strict reader of small XML files (XML 1.0), as labels of pictures are. It
 * knows elements, attributes, text, CDATA, comments, processing instructions, the five entities and
 * numbered characters, in UTF-8. It refuses document type declarations, and with them entities that
 * grow, and never opens anything. */
#ifndef GENBA_INGEST_XML_H
#define GENBA_INGEST_XML_H

#include "genba/base.h"

#define GB_XML_DEPTH_MAX 64
#define GB_XML_NAME_MAX 127
#define GB_XML_ATTRIBUTES_MAX 64
#define GB_XML_BYTES_MAX ((size_t)16 << 20)

typedef enum gb_xml_event {
    GB_XML_OPEN,  /* name and attributes */
    GB_XML_TEXT,  /* text; never empty, may come in several pieces */
    GB_XML_CLOSE, /* name */
    GB_XML_END
} gb_xml_event;

typedef struct gb_xml_attribute {
    const char *name, *value;
} gb_xml_attribute;

typedef struct gb_xml {
    const char *origin;
    const char *data;
    size_t size, at;
    gb_arena *arena;
    const char *open[GB_XML_DEPTH_MAX]; /* [depth] names of the elements around */
    int depth;
    bool rooted, closing; /* closing: of an element without content, CLOSE is next */
    /* of the event */
    const char *name, *text; /* terminated; in the arena */
    size_t text_size;
    gb_xml_attribute attributes[GB_XML_ATTRIBUTES_MAX];
    int attribute_count;
} gb_xml;

/* Everything is borrowed while it is read. GB_ERR_PARSE from here on names line and column. */
GB_MUST gb_status
gb_xml_begin(const char *data, size_t size, const char *origin, gb_arena *arena, gb_xml *out);
GB_MUST gb_status gb_xml_next(gb_xml *xml, gb_xml_event *out);
/* Do the open elements have these names, from the root on? "annotation/object/name" */
bool gb_xml_is_at(const gb_xml *xml, const char *path);

#endif
