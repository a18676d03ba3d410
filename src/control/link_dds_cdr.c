/* control/link_dds_cdr.c: messages to bytes and back, by Cyclone's own coder of CDR streams (0.10;
 * later releases moved it to another header). */
#ifdef GENBA_WITH_CYCLONEDDS
#include "control/link_dds_cdr.h"

#define asm __asm__ /* that header is GNU C */
#include <dds/ddsi/ddsi_cdrstream.h>

#include <stdlib.h>
#include <string.h>

enum {
    ENCAPSULATION = 4, /* 0, then 0: CDR big endian, 1: little; two bytes of options */
    MESSAGE_MOST = 64 << 20
};

gb_status gb_dds_cdr_write(const gb_dds_type *type,
                           const void *message,
                           unsigned char **out_bytes,
                           size_t *out_size)
{
    dds_ostreamLE_t stream;
    dds_ostreamLE_init(&stream, 0, DDS_DATA_REPRESENTATION_XCDR1);
    bool whole = dds_stream_writeLE(&stream, message, type->descriptor->m_ops) != NULL;
    unsigned char *bytes = whole ? malloc(ENCAPSULATION + (size_t)stream.x.m_index) : NULL;
    if (bytes) {
        memcpy(bytes, "\0\1\0\0", ENCAPSULATION);
        if (stream.x.m_index > 0)
            memcpy(bytes + ENCAPSULATION, stream.x.m_buffer, stream.x.m_index);
        *out_bytes = bytes;
        *out_size = ENCAPSULATION + (size_t)stream.x.m_index;
    }
    dds_ostreamLE_fini(&stream);
    return bytes ? GB_OK : gb_fail(GB_ERR_MEMORY, "%s: no memory for its bytes", type->name);
}

static gb_status corrupt(const gb_dds_type *type, size_t at)
{
    return gb_fail(GB_ERR_CORRUPT, "at byte %zu: these bytes are no %s in CDR", at, type->name);
}

gb_status gb_dds_cdr_read(const gb_dds_type *type,
                          const unsigned char *bytes,
                          size_t size,
                          void **out_message)
{
    if (size < ENCAPSULATION || size > MESSAGE_MOST || bytes[0] != 0 || bytes[1] > 1)
        return corrupt(type, 0);
    uint32_t length = (uint32_t)(size - ENCAPSULATION), end = 0;
    char *copy = malloc((size_t)length + 8); /* it is put into this machine's byte order in place */
    void *message = calloc(1, type->bytes);
    if (!copy || !message) {
        free(copy);
        free(message);
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for a message", type->name);
    }
    memcpy(copy, bytes + ENCAPSULATION, length);
    const uint32_t *ops = type->descriptor->m_ops;
    bool sound = dds_stream_normalize_data(copy, &end, length, bytes[1] == 0,
                                           DDS_DATA_REPRESENTATION_XCDR1, ops) != NULL;
    if (sound) {
        dds_istream_t stream;
        dds_istream_init(&stream, end, copy, DDS_DATA_REPRESENTATION_XCDR1);
        (void)dds_stream_read(&stream, message, ops);
        *out_message = message;
    } else
        free(message);
    free(copy);
    return sound ? GB_OK : corrupt(type, end);
}

void gb_dds_cdr_free(const gb_dds_type *type, void *message)
{
    if (!message)
        return;
    dds_stream_free_sample(message, type->descriptor->m_ops);
    free(message);
}
#else
typedef int gb_dds_cdr_off; /* a file may not be empty */
#endif
