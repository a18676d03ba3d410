/* PASCAL VOC: annotation/object with name and bndbox. Parts of objects, poses and segments are
 * passed over. */
#include "ingest/labels.h"

#include "ingest/number.h"
#include "ingest/xml.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    HAS_NAME = 1,
    HAS_XMIN = 2,
    HAS_YMIN = 4,
    HAS_XMAX = 8,
    HAS_YMAX = 16,
    HAS_ALL = 31,
    NUMBER_BYTES_MAX = 64,
    TEXT_BYTES_MAX = 4096 /* of a name, a number, a path */
};

typedef struct voc {
    gb_xml xml;
    gb_arena *arena;
    gb_box *boxes;
    int64_t count, room;
    int has; /* of the object being read */
    gb_picture_labels labels;
    const char *text; /* since the last tag, without blanks around it; NULL: none */
    size_t text_size;
} voc;

static gb_status wrong(const voc *v, const char *what)
{
    return gb_fail(GB_ERR_SCHEMA, "%s: object %lld: %s", v->xml.origin, (long long)v->count, what);
}

static gb_status begin_box(voc *v)
{
    if (v->count == GB_LABELS_BOXES_MAX)
        return wrong(v, "more than 100,000 objects");
    if (v->count == v->room) {
        int64_t room = v->room ? 2 * v->room : 16;
        gb_box *grown = gb_arena_alloc(v->arena, (size_t)room * sizeof *grown);
        if (!grown)
            return GB_ERR_MEMORY;
        if (v->count > 0)
            memcpy(grown, v->boxes, (size_t)v->count * sizeof *grown);
        v->boxes = grown;
        v->room = room;
    }
    v->boxes[v->count++] = (gb_box){.label = ""};
    v->has = 0;
    return GB_OK;
}

static gb_status take_number(const voc *v, double *out)
{
    if (!v->text || v->text_size > NUMBER_BYTES_MAX ||
        gb_number_double(v->text, v->text_size, '.', out) != GB_NUMBER_OK)
        return gb_fail(GB_ERR_SCHEMA, "%s: object %lld: %s is \"%.20s\", expected a number",
                       v->xml.origin, (long long)v->count, v->xml.name, v->text ? v->text : "");
    return GB_OK;
}

static gb_status take_size(const voc *v, int64_t *out)
{
    double number;
    GB_TRY(take_number(v, &number));
    if (!(number >= 0 && number <= 1e9) || number != floor(number))
        return gb_fail(GB_ERR_SCHEMA, "%s: %s is %g, expected whole pixels", v->xml.origin,
                       v->xml.name, number);
    *out = (int64_t)number;
    return GB_OK;
}

/* A side of the box; each stands once. */
static gb_status take_side(voc *v, int which, double *to)
{
    if (v->has & which)
        return wrong(v, "two boxes");
    v->has |= which;
    return take_number(v, to);
}

static gb_status end_of_object(voc *v)
{
    const gb_box *box = &v->boxes[v->count - 1];
    if (v->has != HAS_ALL)
        return wrong(v, "needs a name and a bndbox of xmin, ymin, xmax and ymax");
    if (box->xmin > box->xmax || box->ymin > box->ymax)
        return wrong(v, "its box ends before it begins");
    return GB_OK;
}

/* An element ends here: its text is in v->text. */
static gb_status on_close(voc *v)
{
    const gb_xml *xml = &v->xml;
    gb_box *box = v->count > 0 ? &v->boxes[v->count - 1] : NULL;
    const char *name = xml->name;
    if (gb_xml_is_at(xml, "annotation") && strcmp(name, "object") == 0)
        return end_of_object(v);
    if (gb_xml_is_at(xml, "annotation/size")) {
        if (strcmp(name, "width") == 0)
            return take_size(v, &v->labels.width);
        return strcmp(name, "height") == 0 ? take_size(v, &v->labels.height) : GB_OK;
    }
    if (gb_xml_is_at(xml, "annotation/object")) {
        if (strcmp(name, "name") == 0) {
            if (v->has & HAS_NAME)
                return wrong(v, "two names");
            v->has |= v->text ? HAS_NAME : 0;
            box->label = v->text ? v->text : "";
        }
        if (strcmp(name, "difficult") == 0)
            box->difficult = v->text && v->text_size == 1 && v->text[0] == '1';
        return GB_OK;
    }
    if (!gb_xml_is_at(xml, "annotation/object/bndbox"))
        return GB_OK;
    if (strcmp(name, "xmin") == 0)
        return take_side(v, HAS_XMIN, &box->xmin);
    if (strcmp(name, "ymin") == 0)
        return take_side(v, HAS_YMIN, &box->ymin);
    if (strcmp(name, "xmax") == 0)
        return take_side(v, HAS_XMAX, &box->xmax);
    return strcmp(name, "ymax") == 0 ? take_side(v, HAS_YMAX, &box->ymax) : GB_OK;
}

static gb_status on_text(voc *v)
{
    const char *from = v->xml.text, *end = from + v->xml.text_size;
    while (from < end && strchr(" \t\r\n", *from))
        from++;
    while (end > from && strchr(" \t\r\n", end[-1]))
        end--;
    if (from == end)
        return GB_OK;
    if (v->text_size * (v->text != NULL) + (size_t)(end - from) > TEXT_BYTES_MAX)
        return gb_fail(GB_ERR_SCHEMA, "%s: a text of more than %d bytes", v->xml.origin,
                       TEXT_BYTES_MAX);
    const char *before = v->text ? v->text : "";
    v->text = gb_arena_format(v->arena, "%s%.*s", before, (int)(end - from), from);
    v->text_size = v->text ? strlen(v->text) : 0;
    return v->text ? GB_OK : GB_ERR_MEMORY;
}

static gb_status on_open(voc *v)
{
    v->text = NULL;
    if (v->xml.depth == 1 && strcmp(v->xml.name, "annotation") != 0)
        return gb_fail(GB_ERR_SCHEMA, "%s: the outermost element is %s, of VOC it is annotation",
                       v->xml.origin, v->xml.name);
    return gb_xml_is_at(&v->xml, "annotation/object") ? begin_box(v) : GB_OK;
}

gb_status gb_labels_read_voc(
    const char *data, size_t size, const char *origin, gb_arena *arena, gb_picture_labels *out)
{
    voc *v = gb_arena_alloc(arena, sizeof *v);
    if (!v)
        return GB_ERR_MEMORY;
    v->arena = arena;
    GB_TRY(gb_xml_begin(data, size, origin, arena, &v->xml));
    for (gb_xml_event event = GB_XML_OPEN; event != GB_XML_END;) {
        GB_TRY(gb_xml_next(&v->xml, &event));
        if (event == GB_XML_OPEN)
            GB_TRY(on_open(v));
        else if (event == GB_XML_TEXT)
            GB_TRY(on_text(v));
        else if (event == GB_XML_CLOSE) {
            GB_TRY(on_close(v));
            v->text = NULL;
        }
    }
    v->labels.found = true;
    v->labels.boxes = v->boxes;
    v->labels.count = v->count;
    *out = v->labels;
    return GB_OK;
}
