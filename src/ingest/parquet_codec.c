/* Parquet's compressions through their own libraries: snappy, gzip, zstd, LZ4. */
#include "ingest/parquet_codec.h"

#include "ingest/parquet_encoding.h"

#include <limits.h>
#include <lz4.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#ifdef GENBA_WITH_SNAPPY
#include <snappy-c.h>
#endif

const char *gb_parquet_codec_name(gb_parquet_codec codec)
{
    static const char *const names[] = {"none",   "snappy",       "gzip", "lzo",
                                        "brotli", "lz4 (hadoop)", "zstd", "lz4"};
    return codec >= 0 && codec < GB_PARQUET_CODEC_COUNT ? names[codec] : "?";
}

static bool inflate_gzip(const unsigned char *data, size_t size, unsigned char *out, size_t room)
{
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)data,
                       .avail_in = (uInt)size,
                       .next_out = out,
                       .avail_out = (uInt)room};
    if (inflateInit2(&stream, 15 + 32) != Z_OK) /* 32: gzip or zlib, by the header */
        return false;
    int result = inflate(&stream, Z_FINISH);
    inflateEnd(&stream);
    return result == Z_STREAM_END && stream.total_out == room;
}

static bool
decompress_snappy(const unsigned char *data, size_t size, unsigned char *out, size_t room)
{
#ifdef GENBA_WITH_SNAPPY
    size_t length = 0;
    return snappy_uncompressed_length((const char *)data, size, &length) == SNAPPY_OK &&
           length == room &&
           snappy_uncompress((const char *)data, size, (char *)out, &length) == SNAPPY_OK;
#else
    (void)data, (void)size, (void)out, (void)room;
    return false;
#endif
}

static gb_status check_support(gb_parquet_codec codec)
{
#ifndef GENBA_WITH_SNAPPY
    if (codec == GB_PARQUET_SNAPPY)
        return gb_fail(GB_ERR_UNSUPPORTED, "this build cannot read snappy: install libsnappy-dev "
                                           "and build again");
#endif
    switch (codec) {
    case GB_PARQUET_UNCOMPRESSED:
    case GB_PARQUET_SNAPPY:
    case GB_PARQUET_GZIP:
    case GB_PARQUET_ZSTD:
    case GB_PARQUET_LZ4_RAW:
        return GB_OK;
    default:
        return gb_fail(GB_ERR_UNSUPPORTED,
                       "compression %s is not read; write the file anew with snappy, zstd, gzip, "
                       "lz4 (raw) or none",
                       gb_parquet_codec_name(codec));
    }
}

gb_status gb_parquet_decompress(gb_parquet_codec codec,
                                const unsigned char *data,
                                size_t size,
                                unsigned char *out,
                                size_t out_size)
{
    GB_TRY(check_support(codec));
    bool done = false;
    if (size > INT_MAX || out_size > INT_MAX)
        return gb_fail(GB_ERR_CORRUPT, "a page of more than 2 GiB");
    switch (codec) {
    case GB_PARQUET_UNCOMPRESSED:
        done = size == out_size;
        if (done && size > 0)
            memcpy(out, data, size);
        break;
    case GB_PARQUET_SNAPPY:
        done = decompress_snappy(data, size, out, out_size);
        break;
    case GB_PARQUET_GZIP:
        done = inflate_gzip(data, size, out, out_size);
        break;
    case GB_PARQUET_ZSTD:
        done = ZSTD_decompress(out, out_size, data, size) == out_size;
        break;
    default:
        done = LZ4_decompress_safe((const char *)data, (char *)out, (int)size, (int)out_size) ==
               (int)out_size;
        break;
    }
    return done ? GB_OK
                : gb_fail(GB_ERR_CORRUPT, "%zu bytes of %s do not become the %zu they should", size,
                          gb_parquet_codec_name(codec), out_size);
}

gb_status gb_parquet_compress(const unsigned char *data,
                              size_t size,
                              gb_parquet_codec *codec,
                              unsigned char **out,
                              size_t *room,
                              size_t *out_size)
{
#ifdef GENBA_WITH_SNAPPY
    size_t length = snappy_max_compressed_length(size);
    GB_TRY(gb_parquet_grow((void **)out, room, length, 1));
    if (snappy_compress((const char *)data, size, (char *)*out, &length) != SNAPPY_OK)
        return gb_fail(GB_ERR_ARGUMENT, "snappy does not compress %zu bytes", size);
    *codec = GB_PARQUET_SNAPPY;
    *out_size = length;
#else
    GB_TRY(gb_parquet_grow((void **)out, room, size, 1));
    if (size > 0)
        memcpy(*out, data, size);
    *codec = GB_PARQUET_UNCOMPRESSED;
    *out_size = size;
#endif
    return GB_OK;
}
