/* control/link_packet.c: writes, checks and orders packets. Where they come from and go to is
 * link_udp.c and link_shm.c. */
#include "control/link_packet.h"

#include "base/crc32.h"

#include <endian.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPAN_NS 5000000000LL /* of the smallest delay: a clock that drifts 100 ppm moves 0.5 ms */
#define OLDEST_NS (INT64_MIN / 2) /* of any packet: far from the ends of int64_t */
enum {
    VERSION = 1,
    SIGNED = 1,
    PATH_BYTES = 4096,
    KEY_FILE_MOST = 256
};
static const unsigned char magic[4] = {'G', 'B', 'L', 'K'};

/* ---- bytes --------------------------------------------------------------------------------------
 */

static void put64(unsigned char *to, uint64_t value)
{
    value = htole64(value);
    memcpy(to, &value, sizeof value);
}

static uint64_t get64(const unsigned char *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return le64toh(value);
}

static void put32(unsigned char *to, uint32_t value)
{
    value = htole32(value);
    memcpy(to, &value, sizeof value);
}

static uint32_t get32(const unsigned char *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return le32toh(value);
}

static void put_value(unsigned char *to, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put64(to, bits);
}

static double get_value(const unsigned char *from)
{
    uint64_t bits = get64(from);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* ---- a packet -----------------------------------------------------------------------------------
 */

static size_t packet_bytes(uint64_t count, bool is_signed)
{
    size_t more = is_signed ? GB_PACKET_CHALLENGE + GB_PACKET_MAC : 0;
    return GB_PACKET_HEADER + (size_t)count * 8 + more + GB_PACKET_CRC;
}

size_t gb_packet_bytes(const gb_packet_form *form)
{
    return packet_bytes(form->count, form->key != NULL);
}

static void sign(const gb_packet_form *form, const unsigned char *bytes, size_t size, void *mac)
{
    crypto_generichash(mac, GB_PACKET_MAC, bytes, size, form->key, GB_PACKET_KEY);
}

void gb_packet_write(const gb_packet_form *form,
                     const gb_packet_header *header,
                     const double *values,
                     unsigned char *out)
{
    memset(out, 0, GB_PACKET_HEADER);
    memcpy(out, magic, sizeof magic);
    out[4] = VERSION;
    out[5] = (unsigned char)form->kind;
    out[6] = form->key ? SIGNED : 0;
    memcpy(out + 8, form->machine, sizeof form->machine);
    put64(out + 16, header->session);
    put64(out + 24, header->sequence);
    put64(out + 32, (uint64_t)header->time_ns);
    put64(out + 40, (uint64_t)header->due_ns);
    put64(out + 48, header->tick);
    put32(out + 56, form->count);
    unsigned char *at = out + GB_PACKET_HEADER;
    for (uint32_t i = 0; i < form->count; i++, at += 8) {
        double value = values ? values[i] : 0;
        put_value(at, form->scale ? (value - form->offset[i]) / form->scale[i] : value);
    }
    if (form->key) {
        put64(at, header->challenge);
        put64(at + 8, header->echo);
        at += GB_PACKET_CHALLENGE;
        sign(form, out, (size_t)(at - out), at);
        at += GB_PACKET_MAC;
    }
    put32(at, gb_crc32(0, out, (size_t)(at - out)));
}

/* The checksum is good and the size is the one that the header says. */
static bool is_sound(const unsigned char *bytes, size_t size)
{
    if (size < packet_bytes(0, false) || memcmp(bytes, magic, sizeof magic) != 0)
        return false;
    if (size != packet_bytes(get32(bytes + 56), (bytes[6] & SIGNED) != 0))
        return false;
    size_t before = size - GB_PACKET_CRC;
    return get32(bytes + before) == gb_crc32(0, bytes, before);
}

/* With a key only what is signed by it is believed. Without one nothing that is signed is: the
 * other side would refuse our commands, while all seems well from what we see. */
static bool is_genuine(const gb_packet_form *form, const unsigned char *bytes, size_t size)
{
    unsigned char mac[GB_PACKET_MAC];
    bool is_signed = (bytes[6] & SIGNED) != 0;
    if (!form->key || !is_signed)
        return !form->key && !is_signed;
    size_t before = size - GB_PACKET_CRC - GB_PACKET_MAC;
    sign(form, bytes, before, mac);
    return sodium_memcmp(mac, bytes + before, sizeof mac) == 0;
}

gb_packet_verdict gb_packet_read(const gb_packet_form *form,
                                 const unsigned char *bytes,
                                 size_t size,
                                 gb_packet_header *out_header,
                                 double *values)
{
    if (!is_sound(bytes, size) || !is_genuine(form, bytes, size))
        return GB_PACKET_CORRUPT;
    if (bytes[4] != VERSION || bytes[5] != form->kind || get32(bytes + 56) != form->count ||
        memcmp(bytes + 8, form->machine, sizeof form->machine) != 0)
        return GB_PACKET_MISSHAPEN;
    *out_header = (gb_packet_header){.kind = bytes[5],
                                     .session = get64(bytes + 16),
                                     .sequence = get64(bytes + 24),
                                     .time_ns = (int64_t)get64(bytes + 32),
                                     .due_ns = (int64_t)get64(bytes + 40),
                                     .tick = get64(bytes + 48),
                                     .count = form->count};
    if (out_header->session == 0 || (out_header->sequence == 0 && !form->key))
        return GB_PACKET_CORRUPT;
    const unsigned char *at = bytes + GB_PACKET_HEADER;
    if (form->key) {
        out_header->challenge = get64(at + (size_t)form->count * 8);
        out_header->echo = get64(at + (size_t)form->count * 8 + 8);
    }
    if (out_header->sequence == 0)
        return GB_PACKET_GREETING;
    for (uint32_t i = 0; values && i < form->count; i++, at += 8)
        values[i] = form->scale ? form->scale[i] * get_value(at) + form->offset[i] : get_value(at);
    return GB_PACKET_NEW;
}

/* ---- order and time -----------------------------------------------------------------------------
 */

static bool was_seen(const gb_packet_order *order, uint64_t sequence)
{
    uint64_t slot = sequence % GB_PACKET_WINDOW;
    return (order->seen[slot / 64] >> slot % 64 & 1) != 0;
}

static void mark(gb_packet_order *order, uint64_t sequence, bool seen)
{
    uint64_t slot = sequence % GB_PACKET_WINDOW, bit = UINT64_C(1) << slot % 64;
    order->seen[slot / 64] = seen ? order->seen[slot / 64] | bit : order->seen[slot / 64] & ~bit;
}

static void advance(gb_packet_order *order, uint64_t sequence)
{
    if (sequence - order->newest >= GB_PACKET_WINDOW)
        memset(order->seen, 0, sizeof order->seen);
    else
        for (uint64_t i = order->newest + 1; i < sequence; i++)
            mark(order, i, false);
    mark(order, sequence, true);
    order->newest = sequence;
}

gb_packet_verdict
gb_packet_arrange(gb_packet_order *order, const gb_packet_header *header, int64_t *out_lost)
{
    *out_lost = 0;
    if (header->session == order->previous_session)
        return GB_PACKET_LATE; /* sent before the sender started anew */
    if (header->session != order->session) {
        *order = (gb_packet_order){.session = header->session,
                                   .previous_session = order->session,
                                   .newest = header->sequence};
        mark(order, header->sequence, true); /* we may have come later than it: nothing is lost */
        return GB_PACKET_NEW;
    }
    if (header->sequence > order->newest) {
        uint64_t skipped = header->sequence - order->newest - 1;
        *out_lost = skipped > INT32_MAX ? INT32_MAX : (int64_t)skipped;
        advance(order, header->sequence);
        return GB_PACKET_NEW;
    }
    if (order->newest - header->sequence >= GB_PACKET_WINDOW)
        return GB_PACKET_LATE;
    if (was_seen(order, header->sequence))
        return GB_PACKET_REPEATED;
    mark(order, header->sequence, true);
    *out_lost = -1;
    return GB_PACKET_LATE;
}

/* Clocks may say anything: differences wrap instead of overflowing. */
static int64_t less(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

int64_t gb_packet_time(gb_packet_order *order, const gb_packet_header *header, int64_t now_ns)
{
    int64_t delay = less(now_ns, header->time_ns);
    bool back = order->has_clock && less(header->time_ns, order->sent_ns) < 0;
    order->sent_ns = header->time_ns;
    if (!order->has_clock || back) { /* a sender whose clock steps back has another clock now */
        order->has_clock = true;
        order->span_began_ns = now_ns;
        order->least[0] = order->least[1] = delay;
    } else if (now_ns - order->span_began_ns >= SPAN_NS) {
        order->span_began_ns = now_ns;
        order->least[1] = order->least[0];
        order->least[0] = delay;
    } else if (delay < order->least[0]) {
        order->least[0] = delay;
    }
    int64_t least = order->least[0] < order->least[1] ? order->least[0] : order->least[1];
    int64_t time_ns = (int64_t)((uint64_t)header->time_ns + (uint64_t)least);
    if (time_ns < OLDEST_NS) /* a clock that leaps about: ages must not overflow */
        time_ns = OLDEST_NS;
    return time_ns < now_ns ? time_ns : now_ns;
}

/* ---- from a map ---------------------------------------------------------------------------------
 */

static gb_status fill_scale(gb_arena *arena,
                            const gb_plant_stream *streams,
                            const gb_link_stream *links,
                            int stream_count,
                            gb_packet_form *form)
{
    bool plain = true;
    for (int i = 0; i < stream_count; i++)
        plain = plain && links[i].scale == 1 && links[i].offset == 0;
    if (plain) /* bits pass as they are, NaN payloads too */
        return GB_OK;
    double *scale = gb_arena_alloc(arena, form->count * sizeof *scale);
    double *offset = gb_arena_alloc(arena, form->count * sizeof *offset);
    if (!scale || !offset)
        return GB_ERR_MEMORY;
    for (int i = 0, at = 0; i < stream_count; i++)
        for (int k = 0; k < streams[i].size; k++, at++) {
            scale[at] = links[i].scale;
            offset[at] = links[i].offset;
        }
    form->scale = scale;
    form->offset = offset;
    return GB_OK;
}

static gb_status bad_key(const gb_link_map *map, const char *path, const char *why)
{
    return gb_fail(GB_ERR_SCHEMA,
                   "%s: key: %s: %s; a key is 32 random bytes or 64 hexadecimal digits, made with "
                   "head -c 32 /dev/urandom > FILE; chmod 600 FILE",
                   map->path, path, why);
}

/* The path is relative to the map. */
static gb_status read_key(gb_link_map *map, const unsigned char **out)
{
    char path[PATH_BYTES], text[KEY_FILE_MOST];
    const char *slash = map->key_path[0] == '/' ? NULL : strrchr(map->path, '/');
    snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash - map->path + 1) : 0, map->path,
             map->key_path);
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat about;
    if (file < 0)
        return gb_fail(GB_ERR_IO, "%s: key: cannot read %s", map->path, path);
    ssize_t size = fstat(file, &about) == 0 ? read(file, text, sizeof text) : -1;
    close(file);
    unsigned char *key = gb_arena_alloc(map->arena, GB_PACKET_KEY);
    size_t got = 0;
    gb_status status = GB_OK;
    if (!key)
        status = GB_ERR_MEMORY;
    else if (size > 0 && (about.st_mode & 077) != 0)
        status = bad_key(map, path, "others than its owner may read it");
    else if (size == GB_PACKET_KEY)
        memcpy(key, text, GB_PACKET_KEY);
    else if (size < 64 || size > 66 ||
             sodium_hex2bin(key, GB_PACKET_KEY, text, 64, NULL, &got, NULL) != 0 ||
             got != GB_PACKET_KEY)
        status = bad_key(map, path, "holds no key");
    sodium_memzero(text, sizeof text);
    if (status == GB_OK)
        *out = key;
    return status;
}

gb_status gb_packet_forms(gb_link_map *map, gb_packet_form *observations, gb_packet_form *commands)
{
    const gb_plant_info *info = &map->info;
    gb_packet_form from = {.kind = GB_PACKET_OBSERVATION,
                           .count = (uint32_t)info->observation_size};
    gb_packet_form to = {.kind = GB_PACKET_COMMAND, .count = (uint32_t)info->action_size};
    memcpy(from.machine, map->hash, sizeof from.machine);
    memcpy(to.machine, map->hash, sizeof to.machine);
    GB_TRY(fill_scale(map->arena, info->observation_streams, map->observations,
                      info->observation_stream_count, &from));
    GB_TRY(
        fill_scale(map->arena, info->action_streams, map->actions, info->action_stream_count, &to));
    if (map->key_path[0]) {
        if (sodium_init() < 0)
            return gb_fail(GB_ERR_UNSUPPORTED, "libsodium cannot start");
        GB_TRY(read_key(map, &from.key));
        to.key = from.key;
    }
    *observations = from;
    *commands = to;
    return GB_OK;
}
