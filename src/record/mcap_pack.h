/* mcap_pack.h: the records of chunks, compressed and back. One thread at a time each. */
#ifndef GENBA_RECORD_MCAP_PACK_H
#define GENBA_RECORD_MCAP_PACK_H

#include "record/mcap_format.h"

const char *gb_mcap_compression_name(gb_compression compression); /* "", "lz4", "zstd" */

typedef struct gb_mcap_packer {
    void *zstd; /* made at the first use */
} gb_mcap_packer;

/* Replaces what `to` holds. *why says what went wrong; no message is recorded, since this runs on
 * the threads of a pool. */
gb_status gb_mcap_pack(gb_mcap_packer *packer,
                       gb_compression compression,
                       int level,
                       const gb_mcap_buffer *records,
                       gb_mcap_buffer *to,
                       const char **why);
void gb_mcap_packer_free(gb_mcap_packer *packer);

typedef struct gb_mcap_unpacker {
    void *zstd, *lz4;
} gb_mcap_unpacker;

/* Replaces what `to` holds by the chunk's records, decompressed. Memory grows with what comes out,
 * whatever the chunk says its size is. GB_ERR_CORRUPT and *why when the data is damaged or cut or
 * its size is another; `to` holds then what came out before. No message is recorded. */
gb_status gb_mcap_unpack(gb_mcap_unpacker *unpacker,
                         const gb_mcap_chunk *chunk,
                         gb_mcap_buffer *to,
                         const char **why);
void gb_mcap_unpacker_free(gb_mcap_unpacker *unpacker);

#endif
