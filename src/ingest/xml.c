/* A pull parser for small XML files. What is not well-formed is an error at its line; what is rare
 * and dangerous (document types) is refused. */
#include "ingest/xml.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static gb_status wrong(const gb_xml *xml, const char *expected)
{
    int line = 1, column = 1;
    for (size_t i = 0; i < xml->at && i < xml->size; i++) {
        column = xml->data[i] == '\n' ? 1 : column + 1;
        line += xml->data[i] == '\n';
    }
    return gb_fail(GB_ERR_PARSE, "%s:%d:%d: expected %s", xml->origin, line, column, expected);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' ||
           (unsigned char)c >= 0x80;
}

static bool is_name(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

static bool starts(const gb_xml *xml, const char *text)
{
    size_t size = strlen(text);
    return xml->size - xml->at >= size && memcmp(xml->data + xml->at, text, size) == 0;
}

static void skip_blanks(gb_xml *xml)
{
    while (xml->at < xml->size && is_blank(xml->data[xml->at]))
        xml->at++;
}

/* Goes behind the next `end`. */
static gb_status skip_to(gb_xml *xml, const char *end)
{
    size_t from = xml->at;
    for (; xml->at < xml->size; xml->at++)
        if (starts(xml, end)) {
            xml->at += strlen(end);
            return GB_OK;
        }
    xml->at = from;
    return wrong(xml, end);
}

static const char *keep(gb_xml *xml, const char *text, size_t size)
{
    char *kept = gb_arena_alloc(xml->arena, size + 1);
    if (kept)
        memcpy(kept, text, size);
    return kept;
}

static gb_status take_name(gb_xml *xml, const char **out)
{
    size_t from = xml->at;
    if (from == xml->size || !is_name_start(xml->data[from]))
        return wrong(xml, "a name");
    while (xml->at < xml->size && is_name(xml->data[xml->at]))
        xml->at++;
    if (xml->at - from > GB_XML_NAME_MAX)
        return wrong(xml, "a name of at most 127 bytes");
    *out = keep(xml, xml->data + from, xml->at - from);
    return *out ? GB_OK : GB_ERR_MEMORY;
}

/* ---- characters -------------------------------------------------------------------------------
 */

/* Characters that XML allows; no NUL, no control characters, no halves of pairs. */
static bool is_character(uint32_t c)
{
    return c == 9 || c == 10 || c == 13 || (c >= 0x20 && c < 0xd800) ||
           (c >= 0xe000 && c < 0xfffe) || (c >= 0x10000 && c <= 0x10ffff);
}

static size_t put_utf8(uint32_t c, char *to)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    to[0] = (char)(lead[more] | c >> (6 * more));
    for (int i = 1; i <= more; i++)
        to[i] = (char)(0x80 | (c >> (6 * (more - i)) & 0x3f));
    return (size_t)more + 1;
}

/* The character at `at`, or 0 where the bytes are no UTF-8. */
static uint32_t take_utf8(const gb_xml *xml, size_t at, size_t *out_size)
{
    const unsigned char *bytes = (const unsigned char *)xml->data + at;
    size_t left = xml->size - at;
    int more = bytes[0] < 0x80 ? 0 : bytes[0] >= 0xf0 ? 3 : bytes[0] >= 0xe0 ? 2 : 1;
    if (more > 0 && (bytes[0] < 0xc2 || bytes[0] > 0xf4 || (size_t)more >= left))
        return 0;
    uint32_t c = more == 0 ? bytes[0] : bytes[0] & (0x3fu >> more);
    for (int i = 1; i <= more; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (bytes[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    *out_size = (size_t)more + 1;
    return c >= least[more] ? c : 0;
}

/* &#65; or &#x41; without the "&#" */
static bool number_of(const char *text, size_t size, uint32_t *out)
{
    bool hexadecimal = size > 0 && text[0] == 'x';
    uint32_t value = 0;
    for (size_t i = hexadecimal; i < size; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9'                  ? c - '0'
                    : hexadecimal && c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : hexadecimal && c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                          : -1;
        if (digit < 0 || value > 0x10ffff)
            return false;
        value = value * (hexadecimal ? 16 : 10) + (uint32_t)digit;
    }
    *out = value;
    return size > (size_t)hexadecimal;
}

static gb_status take_entity(gb_xml *xml, char *to, size_t *used)
{
    static const struct {
        const char *name;
        char character;
    } entities[] = {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
    const char *name = xml->data + xml->at + 1;
    size_t left = xml->size - xml->at - 1, size = 0;
    while (size < left && size < 12 && name[size] != ';')
        size++;
    if (size == left || size == 12)
        return wrong(xml, "an entity (&lt; &gt; &amp; &quot; &apos; or &#number;)");
    uint32_t c = 0;
    if (size > 1 && name[0] == '#' && !number_of(name + 1, size - 1, &c))
        return wrong(xml, "a character's number");
    for (size_t i = 0; i < sizeof entities / sizeof *entities && c == 0; i++)
        if (strlen(entities[i].name) == size && memcmp(entities[i].name, name, size) == 0)
            c = (unsigned char)entities[i].character;
    if (!is_character(c))
        return wrong(xml, "an entity (&lt; &gt; &amp; &quot; &apos; or &#number;)");
    *used += put_utf8(c, to + *used);
    xml->at += size + 2;
    return GB_OK;
}

/* Text up to a character that ends it, entities replaced: never longer than it is written. */
static gb_status take_text(gb_xml *xml, const char *ends, const char **out, size_t *out_size)
{
    size_t length = 0, used = 0;
    while (xml->at + length < xml->size && !strchr(ends, xml->data[xml->at + length]) &&
           xml->data[xml->at + length])
        length++;
    char *text = gb_arena_alloc(xml->arena, length + 1);
    if (!text)
        return GB_ERR_MEMORY;
    for (size_t end = xml->at + length; xml->at < end;) {
        size_t size = 0;
        if (xml->data[xml->at] == '&') {
            GB_TRY(take_entity(xml, text, &used));
            continue;
        }
        if (!is_character(take_utf8(xml, xml->at, &size)))
            return wrong(xml, "UTF-8 without control characters");
        memcpy(text + used, xml->data + xml->at, size);
        used += size;
        xml->at += size;
    }
    text[used] = 0;
    *out = text;
    *out_size = used;
    return GB_OK;
}

/* ---- markup -----------------------------------------------------------------------------------
 */

static gb_status take_attribute(gb_xml *xml)
{
    size_t size;
    gb_xml_attribute *to = &xml->attributes[xml->attribute_count];
    if (xml->attribute_count == GB_XML_ATTRIBUTES_MAX)
        return wrong(xml, "at most 64 attributes");
    GB_TRY(take_name(xml, &to->name));
    for (int i = 0; i < xml->attribute_count; i++)
        if (strcmp(xml->attributes[i].name, to->name) == 0)
            return wrong(xml, "each attribute once");
    skip_blanks(xml);
    if (!starts(xml, "="))
        return wrong(xml, "=");
    xml->at++;
    skip_blanks(xml);
    if (!starts(xml, "\"") && !starts(xml, "'"))
        return wrong(xml, "a value in quotes");
    char ends[] = {xml->data[xml->at++], '<', 0};
    GB_TRY(take_text(xml, ends, &to->value, &size));
    if (xml->at == xml->size || xml->data[xml->at] != ends[0])
        return wrong(xml, "the closing quote");
    xml->at++;
    xml->attribute_count++;
    return GB_OK;
}

static gb_status take_open(gb_xml *xml, gb_xml_event *out)
{
    xml->at++;
    xml->attribute_count = 0;
    if (xml->depth == 0 && xml->rooted)
        return wrong(xml, "one outermost element");
    if (xml->depth == GB_XML_DEPTH_MAX)
        return wrong(xml, "elements at most 64 deep");
    GB_TRY(take_name(xml, &xml->name));
    for (;;) {
        bool blank = xml->at < xml->size && is_blank(xml->data[xml->at]);
        skip_blanks(xml);
        xml->closing = starts(xml, "/>");
        if (xml->closing || starts(xml, ">"))
            break;
        if (!blank)
            return wrong(xml, "a blank before an attribute");
        GB_TRY(take_attribute(xml));
    }
    xml->at += xml->closing ? 2 : 1;
    xml->open[xml->depth++] = xml->name;
    xml->rooted = true;
    *out = GB_XML_OPEN;
    return GB_OK;
}

static gb_status take_close(gb_xml *xml, gb_xml_event *out)
{
    if (!xml->closing) {
        xml->at += 2;
        GB_TRY(take_name(xml, &xml->name));
        skip_blanks(xml);
        if (!starts(xml, ">"))
            return wrong(xml, ">");
        xml->at++;
    }
    if (xml->depth == 0 || strcmp(xml->open[xml->depth - 1], xml->name) != 0)
        return wrong(xml, xml->depth == 0 ? "no closing tag" : "the innermost element to close");
    xml->closing = false;
    xml->depth--;
    *out = GB_XML_CLOSE;
    return GB_OK;
}

static gb_status take_cdata(gb_xml *xml, gb_xml_event *out)
{
    xml->at += strlen("<![CDATA[");
    size_t from = xml->at;
    GB_TRY(skip_to(xml, "]]>"));
    size_t end = xml->at - 3;
    for (size_t at = from, size = 0; at < end; at += size)
        if (!is_character(take_utf8(xml, at, &size)))
            return wrong(xml, "UTF-8 without control characters");
    xml->text_size = end - from;
    xml->text = keep(xml, xml->data + from, xml->text_size);
    *out = GB_XML_TEXT;
    return xml->text ? GB_OK : GB_ERR_MEMORY;
}

/* Comments and instructions are passed over; *out_took: an event was found. */
static gb_status take_markup(gb_xml *xml, gb_xml_event *out, bool *out_took)
{
    *out_took = true;
    if (starts(xml, "</"))
        return take_close(xml, out);
    if (starts(xml, "<![CDATA[") && xml->depth > 0) {
        GB_TRY(take_cdata(xml, out));
        *out_took = xml->text_size > 0;
        return GB_OK;
    }
    if (starts(xml, "<!--") || starts(xml, "<?")) {
        *out_took = false;
        const char *end = starts(xml, "<?") ? "?>" : "-->";
        xml->at += starts(xml, "<?") ? 2 : 4;
        return skip_to(xml, end);
    }
    if (starts(xml, "<!"))
        return wrong(xml, "no document type declaration: it is not read, as it can pull in files "
                          "and grow without end");
    return take_open(xml, out);
}

gb_status gb_xml_next(gb_xml *xml, gb_xml_event *out)
{
    if (xml->closing)
        return take_close(xml, out);
    while (xml->at < xml->size) {
        bool took = false;
        if (xml->data[xml->at] == '<') {
            GB_TRY(take_markup(xml, out, &took));
        } else if (xml->depth > 0) {
            GB_TRY(take_text(xml, "<", &xml->text, &xml->text_size));
            if (xml->at < xml->size && xml->data[xml->at] != '<')
                return wrong(xml, "text without 0 bytes");
            *out = GB_XML_TEXT;
            took = true;
        } else if (is_blank(xml->data[xml->at])) {
            skip_blanks(xml);
        } else {
            return wrong(xml, "an element");
        }
        if (took)
            return GB_OK;
    }
    if (xml->depth > 0 || !xml->rooted)
        return wrong(xml, xml->depth > 0 ? "all elements closed at the end" : "an element");
    *out = GB_XML_END;
    return GB_OK;
}

/* <?xml version="1.0" encoding="..."?>: other encodings would be read as something else. */
static gb_status check_encoding(const gb_xml *xml)
{
    if (!starts(xml, "<?xml"))
        return GB_OK;
    const char *from = xml->data + xml->at;
    const char *end = memchr(from, '>', xml->size - xml->at);
    size_t size = end ? (size_t)(end - from) : 0;
    for (size_t i = 0; i + 10 < size; i++) {
        if (memcmp(from + i, "encoding=", 9) != 0)
            continue;
        const char *name = from + i + 10;
        size_t left = size - i - 10;
        bool ours = (left >= 5 && strncasecmp(name, "utf-8", 5) == 0) ||
                    (left >= 8 && strncasecmp(name, "us-ascii", 8) == 0) ||
                    (left >= 5 && strncasecmp(name, "ascii", 5) == 0);
        if (!ours)
            return gb_fail(GB_ERR_UNSUPPORTED, "%s: its encoding is not UTF-8: convert it (iconv)",
                           xml->origin);
    }
    return GB_OK;
}

gb_status
gb_xml_begin(const char *data, size_t size, const char *origin, gb_arena *arena, gb_xml *out)
{
    if (size > GB_XML_BYTES_MAX)
        return gb_fail(GB_ERR_UNSUPPORTED, "%s has %zu bytes; XML of up to %zu is read", origin,
                       size, GB_XML_BYTES_MAX);
    memset(out, 0, sizeof *out);
    out->origin = origin;
    out->data = data;
    out->size = size;
    out->arena = arena;
    if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
        out->at = 3;
    return check_encoding(out);
}

bool gb_xml_is_at(const gb_xml *xml, const char *path)
{
    for (int i = 0; i < xml->depth; i++) {
        size_t size = strcspn(path, "/");
        if (strlen(xml->open[i]) != size || memcmp(xml->open[i], path, size) != 0)
            return false;
        path += size + (path[size] == '/' && i + 1 < xml->depth);
    }
    return *path == 0;
}
