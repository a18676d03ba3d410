/* The XML reader: what is well-formed comes out as events, everything else is an error with line
 * and column; nothing grows and nothing is opened. */
#include "ingest/xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* All events as one text: <a k="v"> text </a>. */
static gb_status tell(const char *data, size_t size, char *out, size_t room)
{
    gb_arena *arena = NULL;
    gb_xml xml;
    gb_xml_event event = GB_XML_OPEN;
    size_t used = 0;
    assert_int_equal(gb_arena_create(1 << 22, &arena), GB_OK);
    out[0] = 0;
    gb_status status = gb_xml_begin(data, size, "t.xml", arena, &xml);
    while (status == GB_OK && event != GB_XML_END) {
        status = gb_xml_next(&xml, &event);
        if (status != GB_OK || used + 300 > room)
            break;
        if (event == GB_XML_OPEN) {
            used += (size_t)snprintf(out + used, room - used, "<%s", xml.name);
            for (int i = 0; i < xml.attribute_count; i++)
                used += (size_t)snprintf(out + used, room - used, " %s=[%s]",
                                         xml.attributes[i].name, xml.attributes[i].value);
            used += (size_t)snprintf(out + used, room - used, ">");
        } else if (event == GB_XML_TEXT) {
            used += (size_t)snprintf(out + used, room - used, "%.200s", xml.text);
        } else if (event == GB_XML_CLOSE) {
            used += (size_t)snprintf(out + used, room - used, "</%s>", xml.name);
        }
    }
    gb_arena_destroy(arena);
    return status;
}

static void reads(const char *data, const char *expected)
{
    char out[4096];
    if (tell(data, strlen(data), out, sizeof out) != GB_OK)
        fail_msg("%s: %s", data, gb_error_message());
    assert_string_equal(out, expected);
}

static void refuses(const char *data, const char *words)
{
    char out[4096];
    gb_status status = tell(data, strlen(data), out, sizeof out);
    if (status == GB_OK || !strstr(gb_error_message(), words))
        fail_msg("%s: %s \"%s\" lacks \"%s\"", data, gb_status_name(status), gb_error_message(),
                 words);
}

static void well_formed(void **state)
{
    (void)state;
    reads("<a/>", "<a></a>");
    reads("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- hi --><a>x</a>\n<!-- -->", "<a>x</a>");
    reads("\xef\xbb\xbf<a>1<b c='2' d = \"3\" />4</a >", "<a>1<b c=[2] d=[3]></b>4</a>");
    reads("<a>&lt;&amp;&gt;&quot;&apos;&#65;&#x3B1;</a>", "<a><&>\"'A\xce\xb1</a>");
    reads("<a><![CDATA[<b>&amp;]]></a>", "<a><b>&amp;</a>");
    reads("<a>\xe5\x82\xb7<b>\xf0\x9f\x94\xa7</b></a>",
          "<a>\xe5\x82\xb7<b>\xf0\x9f\x94\xa7</b></a>");
}

static void ill_formed(void **state)
{
    (void)state;
    refuses("", "an element");
    refuses("text", "an element");
    refuses("<a>", "closed");
    refuses("<a></b>", "innermost");
    refuses("<a></a></a>", "no closing tag");
    refuses("<a/><b/>", "one outermost");
    refuses("<a b=1/>", "quotes");
    refuses("<a b='1' b='2'/>", "once");
    refuses("<a b='1'c='2'/>", "blank");
    refuses("<a b='1/>", "closing quote");
    refuses("<a>&nbsp;</a>", "entity");
    refuses("<a>&#0;</a>", "entity");
    refuses("<a>&#xD800;</a>", "entity");
    refuses("<a>& b</a>", "entity");
    refuses("<a>\xff</a>", "UTF-8");
    refuses("<a>\xc0\x80</a>", "UTF-8");
    refuses("<a>\x01</a>", "control");
    refuses("<a><!-- </a>", "-->");
    refuses("<1/>", "name");
    refuses("<a>\n <b>\n</a>", "t.xml:3:5");
    refuses("<?xml version='1.0' encoding='Shift_JIS'?><a/>", "UTF-8");
    char zero[] = "<a>x\0y</a>", out[4096];
    assert_int_equal(tell(zero, sizeof zero - 1, out, sizeof out), GB_ERR_PARSE);
}

/* The attacks XML is known for. */
static void document_types(void **state)
{
    (void)state;
    refuses("<!DOCTYPE a [<!ENTITY b 'bbbb'><!ENTITY c '&b;&b;'>]><a>&c;</a>", "document type");
    refuses("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "document type");
}

static void limits(void **state)
{
    (void)state;
    char *deep = malloc(10000), out[4096];
    assert_non_null(deep);
    for (int i = 0; i < 1000; i++)
        memcpy(deep + 3 * i, "<a>", 3);
    assert_int_equal(tell(deep, 3000, out, sizeof out), GB_ERR_PARSE);
    assert_non_null(strstr(gb_error_message(), "64 deep"));
    int used = snprintf(deep, 10000, "<a");
    for (int i = 0; i < 100; i++)
        used += snprintf(deep + used, 10000 - (size_t)used, " b%d=''", i);
    snprintf(deep + used, 10000 - (size_t)used, "/>");
    assert_int_equal(tell(deep, strlen(deep), out, sizeof out), GB_ERR_PARSE);
    free(deep);
}

/* Every cut is an error; no byte flipped crashes. */
static void torture(void **state)
{
    (void)state;
    static const char whole[] = "<?xml version='1.0'?><a b='&lt;1'><c>x &#65; y</c><!-- n --><d/>"
                                "<![CDATA[z]]></a>";
    char out[4096];
    for (size_t at = 0; at < sizeof whole - 1; at++) {
        char *cut = malloc(at + 1);
        assert_non_null(cut);
        memcpy(cut, whole, at);
        assert_int_not_equal(tell(cut, at, out, sizeof out), GB_OK);
        free(cut);
        for (int bit = 0; bit < 8; bit++) {
            char *flipped = malloc(sizeof whole - 1);
            assert_non_null(flipped);
            memcpy(flipped, whole, sizeof whole - 1);
            flipped[at] = (char)(flipped[at] ^ 1 << bit);
            if (tell(flipped, sizeof whole - 1, out, sizeof out) != GB_OK)
                assert_true(strlen(gb_error_message()) > 0);
            free(flipped);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed),    cmocka_unit_test(ill_formed),
        cmocka_unit_test(document_types), cmocka_unit_test(limits),
        cmocka_unit_test(torture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
