/* Chunks through zstd and lz4's frame format. Not for checksums of chunks nor for their records. */
#include <string.h>

#include <lz4frame.h>
#include <zstd.h>

#include "record/mcap_pack.h"

const char *gb_mcap_compression_name(gb_compression compression)
{
    switch (compression) {
    case GB_COMPRESSION_LZ4:
        return "lz4";
    case GB_COMPRESSION_ZSTD:
        return "zstd";
    default:
        return "";
    }
}

/* ---- compressing ---- */

static gb_status fail(gb_status status, const char *text, const char **why)
{
    *why = text;
    return status;
}

static gb_status pack_zstd(gb_mcap_packer *packer,
                           int level,
                           const gb_mcap_buffer *records,
                           gb_mcap_buffer *to,
                           const char **why)
{
    if (packer->zstd == NULL)
        packer->zstd = ZSTD_createCCtx();
    if (packer->zstd == NULL || !gb_mcap_buffer_reserve(to, ZSTD_compressBound(records->size)))
        return fail(GB_ERR_MEMORY, "no memory to compress a chunk", why);
    size_t size = ZSTD_compressCCtx(packer->zstd, to->data, to->capacity, records->data,
                                    records->size, level);
    if (ZSTD_isError(size))
        return fail(GB_ERR_MEMORY, ZSTD_getErrorName(size), why);
    to->size = size;
    return GB_OK;
}

static gb_status pack_lz4(const gb_mcap_buffer *records, gb_mcap_buffer *to, const char **why)
{
    LZ4F_preferences_t how = LZ4F_INIT_PREFERENCES;
    how.frameInfo.blockSizeID = LZ4F_max4MB;
    how.frameInfo.contentSize = records->size;
    if (!gb_mcap_buffer_reserve(to, LZ4F_compressFrameBound(records->size, &how)))
        return fail(GB_ERR_MEMORY, "no memory to compress a chunk", why);
    size_t size = LZ4F_compressFrame(to->data, to->capacity, records->data, records->size, &how);
    if (LZ4F_isError(size))
        return fail(GB_ERR_MEMORY, LZ4F_getErrorName(size), why);
    to->size = size;
    return GB_OK;
}

gb_status gb_mcap_pack(gb_mcap_packer *packer,
                       gb_compression compression,
                       int level,
                       const gb_mcap_buffer *records,
                       gb_mcap_buffer *to,
                       const char **why)
{
    to->size = 0;
    if (compression == GB_COMPRESSION_ZSTD)
        return pack_zstd(packer, level, records, to, why);
    return pack_lz4(records, to, why);
}

void gb_mcap_packer_free(gb_mcap_packer *packer)
{
    ZSTD_freeCCtx(packer->zstd);
    *packer = (gb_mcap_packer){0};
}

/* ---- decompressing ---- */

/* One step of a library: consumes from `in`, adds to `to` (room up to its capacity); *done when a
 * frame has just ended. */
typedef gb_status (*unpack_step)(gb_mcap_unpacker *unpacker,
                                 gb_mcap_cursor *in,
                                 gb_mcap_buffer *to,
                                 bool whole,
                                 bool *done,
                                 const char **why);

static gb_status step_zstd(gb_mcap_unpacker *unpacker,
                           gb_mcap_cursor *in,
                           gb_mcap_buffer *to,
                           bool whole,
                           bool *done,
                           const char **why)
{
    (void)whole;
    ZSTD_inBuffer input = {in->data, in->size, in->at};
    ZSTD_outBuffer output = {to->data, to->capacity, to->size};
    size_t left = ZSTD_decompressStream(unpacker->zstd, &output, &input);
    in->at = input.pos;
    to->size = output.pos;
    if (ZSTD_isError(left))
        return fail(GB_ERR_CORRUPT, ZSTD_getErrorName(left), why);
    *done = left == 0;
    return GB_OK;
}

static gb_status step_lz4(gb_mcap_unpacker *unpacker,
                          gb_mcap_cursor *in,
                          gb_mcap_buffer *to,
                          bool whole,
                          bool *done,
                          const char **why)
{
    /* A buffer that never moves need not be copied for later references into it. */
    LZ4F_decompressOptions_t how = {.stableDst = whole};
    size_t produced = to->capacity - to->size, consumed = in->size - in->at;
    size_t left = LZ4F_decompress(unpacker->lz4, to->data + to->size, &produced, in->data + in->at,
                                  &consumed, &how);
    if (LZ4F_isError(left))
        return fail(GB_ERR_CORRUPT, LZ4F_getErrorName(left), why);
    in->at += consumed;
    to->size += produced;
    *done = left == 0;
    return GB_OK;
}

static bool prepare(gb_mcap_unpacker *unpacker, gb_compression compression)
{
    if (compression == GB_COMPRESSION_ZSTD) {
        if (unpacker->zstd == NULL)
            unpacker->zstd = ZSTD_createDCtx();
        return unpacker->zstd != NULL &&
               !ZSTD_isError(ZSTD_DCtx_reset(unpacker->zstd, ZSTD_reset_session_only));
    }
    LZ4F_dctx *lz4 = unpacker->lz4;
    if (lz4 == NULL && LZ4F_isError(LZ4F_createDecompressionContext(&lz4, LZ4F_VERSION)))
        return false;
    unpacker->lz4 = lz4;
    LZ4F_resetDecompressionContext(lz4);
    return true;
}

/* What is asked for at first: all of it, when the compressed size makes that likely. */
static size_t first_capacity(const gb_mcap_chunk *chunk)
{
    enum {
        USUAL_RATIO = 64,
        SMALL = 1 << 20
    };
    size_t likely = chunk->packed_size < GB_MCAP_CHUNK_LIMIT / USUAL_RATIO
                        ? chunk->packed_size * USUAL_RATIO
                        : GB_MCAP_CHUNK_LIMIT;
    likely = likely < SMALL ? SMALL : likely;
    return chunk->size < likely ? (size_t)chunk->size : likely;
}

/* Room for more output, at most the size the chunk says and one byte to find that it lies. */
static bool grow(gb_mcap_buffer *to, size_t most)
{
    size_t capacity = 2 * to->capacity < most ? 2 * to->capacity : most;
    return capacity > to->size && gb_mcap_buffer_reserve(to, capacity - to->size);
}

static gb_status
unpack(gb_mcap_unpacker *unpacker, const gb_mcap_chunk *chunk, gb_mcap_buffer *to, const char **why)
{
    unpack_step step = chunk->compression == GB_COMPRESSION_ZSTD ? step_zstd : step_lz4;
    gb_mcap_cursor in = gb_mcap_cursor_over(chunk->packed, chunk->packed_size);
    size_t most = (size_t)chunk->size + 1;
    bool whole = to->capacity >= most, done = chunk->size == 0;
    while (in.at < in.size || !done) {
        size_t was_in = in.at, was_out = to->size;
        GB_TRY(step(unpacker, &in, to, whole, &done, why));
        if (to->size > chunk->size)
            return fail(GB_ERR_CORRUPT, "more comes out than it says", why);
        if (in.at != was_in || to->size != was_out)
            continue;
        if (to->size == to->capacity && to->capacity < most) {
            if (!grow(to, most))
                return fail(GB_ERR_MEMORY, "no memory to decompress a chunk", why);
            continue;
        }
        if (!done || in.at < in.size)
            return fail(GB_ERR_CORRUPT, "its compressed data ends too early", why);
    }
    if (to->size != chunk->size)
        return fail(GB_ERR_CORRUPT, "less comes out than it says", why);
    return GB_OK;
}

gb_status gb_mcap_unpack(gb_mcap_unpacker *unpacker,
                         const gb_mcap_chunk *chunk,
                         gb_mcap_buffer *to,
                         const char **why)
{
    to->size = 0;
    to->failed = false;
    if (!prepare(unpacker, chunk->compression) ||
        !gb_mcap_buffer_reserve(to, first_capacity(chunk) + 1))
        return fail(GB_ERR_MEMORY, "no memory to decompress a chunk", why);
    return unpack(unpacker, chunk, to, why);
}

void gb_mcap_unpacker_free(gb_mcap_unpacker *unpacker)
{
    ZSTD_freeDCtx(unpacker->zstd);
    LZ4F_freeDecompressionContext(unpacker->lz4);
    *unpacker = (gb_mcap_unpacker){0};
}
