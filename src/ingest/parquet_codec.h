/* Private to ingest: how Parquet's pages are compressed. */
#ifndef GENBA_INGEST_PARQUET_CODEC_H
#define GENBA_INGEST_PARQUET_CODEC_H

#include "ingest/parquet.h"

const char *gb_parquet_codec_name(gb_parquet_codec codec); /* "snappy" */
/* Decompresses to exactly out_size bytes. GB_ERR_CORRUPT: it does not become that;
 * GB_ERR_UNSUPPORTED says which package this build lacks. */
GB_MUST gb_status gb_parquet_decompress(gb_parquet_codec codec,
                                        const unsigned char *data,
                                        size_t size,
                                        unsigned char *out,
                                        size_t out_size);
/* Into *out, which grows ([*room] bytes); *out_size bytes of it are used. Snappy, or uncompressed
 * where this build lacks it: *codec says which. */
GB_MUST gb_status gb_parquet_compress(const unsigned char *data,
                                      size_t size,
                                      gb_parquet_codec *codec,
                                      unsigned char **out,
                                      size_t *room,
                                      size_t *out_size);

#endif
