/* Packets of links, hostile: the first byte chooses form, key and whether signature and checksum
 * are made right, so that what lies behind it is reached; a 0xA5 byte ends a packet. Text messages
 * take the same bytes. */
#include "control/link_packet.h"
#include "control/link_text.h"

#include "base/crc32.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    PACKET_MOST = 512
};

static const char map_text[] =
    "name: m\nrate_hz: 100\nobservations:\n"
    "  - {name: a, unit: N, shape: [3], topic: t, field: a, sequence: n}\n"
    "  - {name: b, unit: N, source_unit: kN, topic: t, columns: [x]}\n"
    "  - {name: c, unit: N}\n"
    "actions:\n  - {name: u, unit: N}\n";

/* What a real packet would have in its head. */
static void repair(const gb_packet_form *form, unsigned char *bytes, size_t size)
{
    size_t more = form->key ? GB_PACKET_CHALLENGE + GB_PACKET_MAC : 0;
    if (size < GB_PACKET_HEADER + more + GB_PACKET_CRC)
        return;
    memcpy(bytes, "GBLK\1", 5);
    bytes[5] = (unsigned char)form->kind;
    bytes[6] = form->key != NULL;
    memcpy(bytes + 8, form->machine, 8);
    uint32_t count = (uint32_t)((size - GB_PACKET_HEADER - more - GB_PACKET_CRC) / 8);
    memcpy(bytes + 56, &count, 4);
    unsigned char *mac = bytes + size - GB_PACKET_CRC - GB_PACKET_MAC;
    if (form->key)
        crypto_generichash(mac, GB_PACKET_MAC, bytes, (size_t)(mac - bytes), form->key,
                           GB_PACKET_KEY);
    uint32_t crc = gb_crc32(0, bytes, size - GB_PACKET_CRC);
    memcpy(bytes + size - GB_PACKET_CRC, &crc, 4);
}

static void
one_packet(const gb_packet_form *form, gb_packet_order *order, const uint8_t *data, size_t size)
{
    unsigned char *bytes = malloc(size ? size : 1); /* its own, so that a step beyond is seen */
    gb_packet_header header;
    double values[8];
    int64_t lost = 0;
    if (!bytes)
        return;
    memcpy(bytes, data, size);
    if (size > 0 && data[0] & 2)
        repair(form, bytes, size);
    if (gb_packet_read(form, bytes, size, &header, values) == GB_PACKET_NEW) {
        gb_packet_verdict verdict = gb_packet_arrange(order, &header, &lost);
        if (lost < -1 || (verdict == GB_PACKET_REPEATED && lost != 0))
            abort();
        if (verdict == GB_PACKET_NEW &&
            gb_packet_time(order, &header, (int64_t)header.tick / 2) > (int64_t)header.tick / 2)
            abort();
    }
    free(bytes);
}

static void one_text(const gb_link_text *text, const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1);
    double values[8] = {0};
    uint64_t counted;
    if (!copy)
        return;
    memcpy(copy, data, size);
    for (int topic = 0; topic < gb_link_text_topics(text); topic++)
        (void)gb_link_text_read(text, topic, copy, size, values, &counted);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char key[GB_PACKET_KEY] = {1, 2, 3};
    static gb_link_map *map; /* once: it is not what is tried here */
    static gb_link_text *text;
    static gb_packet_form in, out;
    gb_packet_order order = {0};
    if (!map && (gb_link_map_parse("m.yaml", map_text, strlen(map_text), &map) != GB_OK ||
                 gb_packet_forms(map, &in, &out) != GB_OK ||
                 gb_link_text_create(map, false, false, &text) != GB_OK))
        abort();
    while (size > 0) {
        const uint8_t *end = memchr(data, 0xA5, size);
        size_t packet = end ? (size_t)(end - data) : size;
        packet = packet > PACKET_MOST ? PACKET_MOST : packet;
        in.key = packet > 0 && (data[0] & 1) ? key : NULL;
        one_packet(&in, &order, data, packet);
        one_text(text, data, packet);
        size_t used = packet + (packet < size);
        data += used;
        size -= used;
    }
    return 0;
}
