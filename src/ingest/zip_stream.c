/* The bytes of one file inside a zip archive, with its checksum. */
#include "ingest/zip.h"

#include "base/crc32.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    PIECE_BYTES = 1 << 16
};

struct gb_zip_stream {
    const gb_zip_file *file;
    gb_zip_entry entry;
    int64_t crc_at; /* the checksum covers everything before */
    uint32_t crc;
    /* of deflated entries */
    z_stream inflater;
    bool inflating, ended;
    int64_t at, packed_at; /* next byte out, next byte in */
    unsigned char in[PIECE_BYTES], out[PIECE_BYTES];
};

static gb_status damaged(const gb_zip_stream *stream, const char *what)
{
    return gb_fail(GB_ERR_CORRUPT, "%s: %s: %s: the archive is cut or damaged",
                   stream->file->origin, stream->entry.name, what);
}

static gb_status start_over(gb_zip_stream *stream)
{
    stream->at = stream->packed_at = 0;
    stream->ended = false;
    stream->inflater.avail_in = 0;
    if (stream->inflating)
        return inflateReset(&stream->inflater) == Z_OK ? GB_OK : damaged(stream, "zlib");
    if (inflateInit2(&stream->inflater, -MAX_WBITS) != Z_OK)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to inflate %s", stream->file->origin,
                       stream->entry.name);
    stream->inflating = true;
    return GB_OK;
}

gb_status
gb_zip_stream_open(const gb_zip_file *file, const gb_zip_entry *entry, gb_zip_stream **out)
{
    gb_zip_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to read %s", file->origin, entry->name);
    stream->file = file;
    stream->entry = *entry;
    gb_status status = entry->deflated ? start_over(stream) : GB_OK;
    if (status != GB_OK) {
        gb_zip_stream_close(stream);
        return status;
    }
    *out = stream;
    return GB_OK;
}

void gb_zip_stream_close(gb_zip_stream *stream)
{
    if (!stream)
        return;
    if (stream->inflating)
        inflateEnd(&stream->inflater);
    free(stream);
}

static gb_status refill(gb_zip_stream *stream)
{
    int64_t left = stream->entry.packed - stream->packed_at;
    size_t size = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
    if (size == 0)
        return damaged(stream, "its compressed bytes end early");
    GB_TRY(gb_zip_file_read(stream->file, stream->entry.at + stream->packed_at, stream->in, size));
    stream->packed_at += (int64_t)size;
    stream->inflater.next_in = stream->in;
    stream->inflater.avail_in = (uInt)size;
    return GB_OK;
}

/* The next `size` bytes, at most PIECE_BYTES. */
static gb_status inflate_piece(gb_zip_stream *stream, unsigned char *to, size_t size)
{
    stream->inflater.next_out = to;
    stream->inflater.avail_out = (uInt)size;
    while (stream->inflater.avail_out > 0) {
        if (stream->ended)
            return damaged(stream, "fewer bytes than its directory says");
        if (stream->inflater.avail_in == 0)
            GB_TRY(refill(stream));
        int result = inflate(&stream->inflater, Z_NO_FLUSH);
        if (result != Z_OK && result != Z_STREAM_END)
            return damaged(stream, stream->inflater.msg ? stream->inflater.msg : "no deflate data");
        stream->ended = result == Z_STREAM_END;
    }
    stream->at += (int64_t)size;
    return GB_OK;
}

static void add_to_crc(gb_zip_stream *stream, int64_t at, const unsigned char *data, size_t size)
{
    int64_t end = at + (int64_t)size;
    if (at > stream->crc_at || end <= stream->crc_at)
        return;
    size_t known = (size_t)(stream->crc_at - at);
    stream->crc = gb_crc32(stream->crc, data + known, size - known);
    stream->crc_at = end;
}

static gb_status read_piece(gb_zip_stream *stream, int64_t at, unsigned char *to, size_t size)
{
    if (!stream->entry.deflated) {
        GB_TRY(gb_zip_file_read(stream->file, stream->entry.at + at, to, size));
    } else {
        if (at < stream->at)
            GB_TRY(start_over(stream));
        while (stream->at < at) {
            int64_t skip = at - stream->at, from = stream->at;
            size_t piece = skip < PIECE_BYTES ? (size_t)skip : PIECE_BYTES;
            GB_TRY(inflate_piece(stream, stream->out, piece));
            add_to_crc(stream, from, stream->out, piece);
        }
        GB_TRY(inflate_piece(stream, to, size));
    }
    add_to_crc(stream, at, to, size);
    return GB_OK;
}

gb_status gb_zip_stream_read(gb_zip_stream *stream, int64_t at, void *to, size_t size)
{
    unsigned char *next = to;
    if (at < 0 || at > stream->entry.size || (int64_t)size > stream->entry.size - at)
        return damaged(stream, "fewer bytes than its contents say");
    for (size_t done = 0; done < size;) {
        size_t piece = size - done < PIECE_BYTES ? size - done : PIECE_BYTES;
        GB_TRY(read_piece(stream, at + (int64_t)done, next + done, piece));
        done += piece;
    }
    return GB_OK;
}

/* A deflate stream that goes on behind its last byte is not the one that was written. */
static gb_status check_end(gb_zip_stream *stream)
{
    if (!stream->entry.deflated)
        return GB_OK;
    while (!stream->ended) {
        stream->inflater.next_out = stream->out;
        stream->inflater.avail_out = 1;
        if (stream->inflater.avail_in == 0)
            GB_TRY(refill(stream));
        int result = inflate(&stream->inflater, Z_NO_FLUSH);
        if (result == Z_STREAM_END)
            stream->ended = true;
        if ((result != Z_OK && result != Z_STREAM_END) || stream->inflater.avail_out == 0)
            return damaged(stream, "more bytes than its directory says");
    }
    if (stream->inflater.avail_in > 0 || stream->packed_at != stream->entry.packed)
        return damaged(stream, "bytes behind its compressed end");
    return GB_OK;
}

gb_status gb_zip_stream_finish(gb_zip_stream *stream)
{
    if (!stream->entry.has_crc)
        return GB_OK;
    while (stream->crc_at < stream->entry.size) {
        int64_t left = stream->entry.size - stream->crc_at;
        size_t piece = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
        unsigned char bytes[PIECE_BYTES];
        GB_TRY(read_piece(stream, stream->crc_at, bytes, piece));
    }
    if (stream->crc != stream->entry.crc)
        return damaged(stream, "its checksum does not match");
    return check_end(stream);
}
