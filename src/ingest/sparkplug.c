/* Decodes Sparkplug B payloads. The few protobuf fields that carry values are read directly;
 * unknown fields (data sets, templates, metadata) are passed over. */
#include "ingest/sparkplug.h"

#include <string.h>

#define METRICS_MAX 1000000

/* ---- protobuf, the wire ------------------------------------------------------------------------
 */

typedef struct wire {
    const unsigned char *at, *end;
} wire;

typedef struct wire_field {
    uint32_t number;
    int type;       /* 0 varint, 1 eight bytes, 2 bytes, 5 four bytes */
    uint64_t value; /* varint and fixed */
    const unsigned char *bytes;
    size_t size;
} wire_field;

static gb_status wrong(void)
{
    return gb_fail(GB_ERR_PARSE,
                   "the payload is no Sparkplug B payload: its protobuf is cut or wrong");
}

static gb_status read_varint(wire *w, uint64_t *out)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && w->at < w->end; shift += 7) {
        unsigned char byte = *w->at++;
        value |= (uint64_t)(byte & 0x7fu) << shift;
        if (!(byte & 0x80u)) {
            *out = value;
            return GB_OK;
        }
    }
    return wrong();
}

static gb_status read_fixed(wire *w, size_t bytes, uint64_t *out)
{
    if ((size_t)(w->end - w->at) < bytes)
        return wrong();
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)w->at[i] << (8 * i);
    w->at += bytes;
    *out = value;
    return GB_OK;
}

static gb_status read_field(wire *w, wire_field *out)
{
    uint64_t key = 0, size = 0;
    GB_TRY(read_varint(w, &key));
    *out = (wire_field){.number = (uint32_t)(key >> 3), .type = (int)(key & 7u)};
    switch (out->type) {
    case 0:
        return read_varint(w, &out->value);
    case 1:
        return read_fixed(w, 8, &out->value);
    case 5:
        return read_fixed(w, 4, &out->value);
    case 2:
        GB_TRY(read_varint(w, &size));
        if (size > (uint64_t)(w->end - w->at))
            return wrong();
        out->bytes = w->at;
        out->size = (size_t)size;
        w->at += size;
        return GB_OK;
    default:
        return wrong();
    }
}

/* ---- metrics ------------------------------------------------------------------------------------
 */

/* PropertyValue: type = 1, is_null = 2, ..., string_value = 8 */
static gb_status read_property(const wire_field *value, gb_sparkplug_metric *to)
{
    wire w = {value->bytes, value->bytes + value->size};
    wire_field f;
    while (w.at < w.end) {
        GB_TRY(read_field(&w, &f));
        if (f.number == 8 && f.type == 2) {
            to->unit = (const char *)f.bytes;
            to->unit_size = f.size;
        }
    }
    return GB_OK;
}

/* PropertySet: keys = 1, values = 2, in the same order. Only the unit is looked for. */
static gb_status read_properties(const wire_field *set, gb_sparkplug_metric *to)
{
    static const char *const wanted[] = {"engUnit", "Engineering Units", "unit"};
    wire w = {set->bytes, set->bytes + set->size};
    wire_field f;
    int keys = 0, values = 0, unit_at = -1;
    while (w.at < w.end) {
        GB_TRY(read_field(&w, &f));
        if (f.number == 1 && f.type == 2) {
            for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
                if (f.size == strlen(wanted[i]) && memcmp(f.bytes, wanted[i], f.size) == 0)
                    unit_at = keys;
            keys++;
        }
    }
    w.at = set->bytes;
    while (w.at < w.end && unit_at >= 0) {
        GB_TRY(read_field(&w, &f));
        if (f.number == 2 && f.type == 2 && values++ == unit_at)
            return read_property(&f, to);
    }
    return GB_OK;
}

static double float_of(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, sizeof value);
    return (double)value;
}

static gb_status take_field(const wire_field *f, gb_sparkplug_metric *m)
{
    bool varint = f->type == 0, bytes = f->type == 2;
    if (f->number == 1 && bytes) {
        m->name = (const char *)f->bytes;
        m->name_size = f->size;
    } else if (f->number == 2 && varint) {
        m->alias = f->value;
        m->has_alias = true;
    } else if (f->number == 3 && varint) {
        m->time_ms = (int64_t)f->value;
    } else if (f->number == 4 && varint) {
        m->type = (int)(f->value & 0xffffu);
    } else if (f->number == 7 && varint) {
        m->is_null = f->value != 0;
    } else if (f->number == 9 && bytes) {
        return read_properties(f, m);
    } else if ((f->number == 10 || f->number == 11) && varint) {
        m->bits = f->value;
        m->has_bits = true;
    } else if (f->number == 12 && f->type == 5) {
        m->number = float_of(f->value);
        m->has_number = true;
    } else if (f->number == 13 && f->type == 1) {
        memcpy(&m->number, &f->value, sizeof m->number);
        m->has_number = true;
    } else if (f->number == 14 && varint) {
        m->number = f->value != 0;
        m->has_number = true;
    } else if (f->number == 15 && bytes) {
        m->text = (const char *)f->bytes;
        m->text_size = f->size;
        m->has_text = true;
    }
    return GB_OK;
}

static gb_status read_metric(const wire_field *field, gb_sparkplug_metric *out)
{
    wire w = {field->bytes, field->bytes + field->size};
    wire_field f;
    *out = (gb_sparkplug_metric){0};
    while (w.at < w.end) {
        GB_TRY(read_field(&w, &f));
        GB_TRY(take_field(&f, out));
    }
    return GB_OK;
}

bool gb_sparkplug_number(const gb_sparkplug_metric *m, int type, double *out)
{
    if (m->is_null || m->has_text || !(m->has_number || m->has_bits))
        return false;
    if (m->has_number) {
        *out = m->number;
        return true;
    }
    switch (type) {
    case GB_SPARKPLUG_INT8:
        *out = (double)(int8_t)m->bits;
        break;
    case GB_SPARKPLUG_INT8 + 1:
        *out = (double)(int16_t)m->bits;
        break;
    case GB_SPARKPLUG_INT8 + 2:
        *out = (double)(int32_t)m->bits;
        break;
    case GB_SPARKPLUG_INT8 + 3:
        *out = (double)(int64_t)m->bits;
        break;
    default:
        *out = (double)m->bits;
    }
    return true;
}

gb_status gb_sparkplug_read(const void *data,
                            size_t size,
                            gb_sparkplug_visit visit,
                            void *context,
                            gb_sparkplug_payload *out)
{
    const unsigned char *bytes = data;
    gb_sparkplug_payload payload = {.sequence = -1};
    wire_field f;
    wire w = {bytes, bytes + size};
    while (w.at < w.end) { /* what stands once first: it may stand behind the metrics */
        GB_TRY(read_field(&w, &f));
        if (f.number == 1 && f.type == 0)
            payload.time_ms = (int64_t)f.value;
        else if (f.number == 3 && f.type == 0)
            payload.sequence = (int)(f.value & 255u);
    }
    w.at = bytes;
    int64_t count = 0;
    while (w.at < w.end) {
        gb_sparkplug_metric metric;
        GB_TRY(read_field(&w, &f));
        if (f.number != 2 || f.type != 2)
            continue;
        count++;
        if (count > METRICS_MAX)
            return gb_fail(GB_ERR_PARSE, "a payload of more than %d metrics", METRICS_MAX);
        GB_TRY(read_metric(&f, &metric));
        GB_TRY(visit(context, &payload, &metric));
    }
    *out = payload;
    return GB_OK;
}

/* ---- topics -------------------------------------------------------------------------------------
 */

static const struct {
    const char *word;
    gb_sparkplug_message message;
} words[] = {
    {"NBIRTH", GB_SPARKPLUG_NBIRTH}, {"NDEATH", GB_SPARKPLUG_NDEATH},
    {"DBIRTH", GB_SPARKPLUG_DBIRTH}, {"DDEATH", GB_SPARKPLUG_DDEATH},
    {"NDATA", GB_SPARKPLUG_NDATA},   {"DDATA", GB_SPARKPLUG_DDATA},
};

gb_sparkplug_topic gb_sparkplug_topic_parse(const char *topic)
{
    gb_sparkplug_topic out = {.message = GB_SPARKPLUG_NONE, .group = "", .node = "", .device = ""};
    const char *parts[5] = {NULL};
    size_t sizes[5] = {0};
    int count = 0;
    for (const char *at = topic; count < 5;) {
        const char *slash = strchr(at, '/');
        parts[count] = at;
        sizes[count] = slash ? (size_t)(slash - at) : strlen(at);
        count++;
        if (!slash)
            break;
        at = slash + 1;
    }
    if (count < 1 || sizes[0] != 7 || memcmp(parts[0], "spBv1.0", 7) != 0)
        return out;
    out.message = GB_SPARKPLUG_OTHER;
    for (size_t i = 0; count >= 4 && i < sizeof words / sizeof *words; i++)
        if (sizes[2] == strlen(words[i].word) && memcmp(parts[2], words[i].word, sizes[2]) == 0)
            out.message = words[i].message;
    if (out.message == GB_SPARKPLUG_OTHER)
        return out;
    out.group = parts[1];
    out.group_size = sizes[1];
    out.node = parts[3];
    out.node_size = sizes[3];
    if (count == 5) {
        out.device = parts[4];
        out.device_size = sizes[4];
    }
    return out;
}
