/* Reads values of a CDR message: alignment, byte order, bounds. What they mean is ros_decode.c. */
#include "ingest/cdr.h"

#include <string.h>

static gb_status too_short(const gb_cdr *cdr, uint64_t need)
{
    return gb_fail(GB_ERR_PARSE,
                   "the message ends at byte %zu; %llu more bytes expected at byte %zu",
                   cdr->size + 4, (unsigned long long)need, cdr->at + 4);
}

gb_status gb_cdr_open(const void *message, size_t size, gb_cdr *out)
{
    const unsigned char *header = message;
    /* the second byte: 0 and 1 are CDR, 6 and 7 CDR2; odd ones little-endian */
    unsigned kind = size >= 4 ? header[1] : 255u;
    if (size < 4 || header[0] != 0 || !(kind <= 1 || kind == 6 || kind == 7))
        return gb_fail(GB_ERR_PARSE,
                       "the message does not begin like CDR (00 00, 00 01, 00 06 or 00 07 and two "
                       "bytes of options)");
    uint16_t one = 1;
    bool machine_little = *(unsigned char *)&one == 1, little = kind & 1u;
    *out = (gb_cdr){.data = header + 4,
                    .size = size - 4,
                    .align_most = kind >= 6 ? 4 : 8,
                    .swap = machine_little != little};
    return GB_OK;
}

static void reverse(unsigned char *values, size_t bytes, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++, values += bytes)
        for (size_t a = 0, b = bytes - 1; a < b; a++, b--) {
            unsigned char kept = values[a];
            values[a] = values[b];
            values[b] = kept;
        }
}

gb_status gb_cdr_values(gb_cdr *cdr, size_t bytes, uint64_t count, void *to)
{
    if (count == 0)
        return GB_OK;
    size_t align = bytes < cdr->align_most ? bytes : cdr->align_most;
    size_t at = (cdr->at + align - 1) / align * align;
    if (at > cdr->size || count > (cdr->size - at) / bytes)
        return too_short(cdr, count * bytes);
    if (to) {
        memcpy(to, cdr->data + at, (size_t)count * bytes);
        if (cdr->swap)
            reverse(to, bytes, count);
    }
    cdr->at = at + (size_t)count * bytes;
    return GB_OK;
}

gb_status gb_cdr_u32(gb_cdr *cdr, uint32_t *out)
{
    return gb_cdr_values(cdr, 4, 1, out);
}

gb_status gb_cdr_bytes(gb_cdr *cdr, uint64_t count, const unsigned char **out)
{
    if (count > cdr->size - cdr->at)
        return too_short(cdr, count);
    *out = cdr->data + cdr->at;
    cdr->at += (size_t)count;
    return GB_OK;
}

gb_status gb_cdr_text(gb_cdr *cdr, const char **out, size_t *out_size)
{
    uint32_t size = 0;
    const unsigned char *text = NULL;
    GB_TRY(gb_cdr_u32(cdr, &size));
    GB_TRY(gb_cdr_bytes(cdr, size, &text));
    *out = (const char *)text;
    *out_size = size > 0 && text[size - 1] == 0 ? size - 1 : size;
    return GB_OK;
}
