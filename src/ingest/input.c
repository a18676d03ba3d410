/* Opening text files and reading their bytes. What a row is, rows.c and blocks.c know. */
#include "ingest/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

gb_status gb_input_read(const gb_input *input, int64_t at, void *to, size_t size)
{
    if (input->file < 0) {
        memcpy(to, input->memory + at, size);
        return GB_OK;
    }
    char *next = to;
    while (size > 0) {
        ssize_t got = pread(input->file, next, size, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return gb_fail(GB_ERR_IO, "%s: reading failed: %s", input->origin, strerror(errno));
        if (got == 0)
            return gb_fail(GB_ERR_IO, "%s: became shorter while it was read", input->origin);
        next += got;
        at += got;
        size -= (size_t)got;
    }
    return GB_OK;
}

/* Settles the encoding and skips the byte order mark. */
static gb_status start(gb_input *input, const char *encoding)
{
    if (input->size == 0)
        return gb_fail(GB_ERR_PARSE, "%s is empty", input->origin);
    size_t sample = (size_t)input->size < GB_ENCODING_SAMPLE_BYTES ? (size_t)input->size
                                                                   : GB_ENCODING_SAMPLE_BYTES;
    char *bytes = malloc(sample);
    if (!bytes)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to look at it", input->origin);
    gb_encoding_guess found = {0};
    gb_status status = gb_input_read(input, 0, bytes, sample);
    if (status == GB_OK)
        status = gb_encoding_find(bytes, sample, sample == (size_t)input->size, &found);
    free(bytes);
    if (status == GB_OK && encoding)
        status = gb_encoding_parse(encoding, &input->encoding);
    else if (status == GB_OK)
        input->encoding = found.name;
    if (status != GB_OK)
        return status;
    input->plain = strcmp(input->encoding, "utf-8") == 0;
    input->first = (int64_t)found.mark_bytes;
    if (encoding && strcmp(found.name, input->encoding) != 0)
        input->first = 0; /* what looks like a mark of another encoding is text of this one */
    if (input->first == input->size)
        return gb_fail(GB_ERR_PARSE, "%s is empty but for a byte order mark", input->origin);
    return GB_OK;
}

gb_status gb_input_open_memory(
    const void *data, size_t size, const char *origin, const char *encoding, gb_input *out)
{
    gb_input input = {.origin = origin, .file = -1, .memory = data, .size = (int64_t)size};
    GB_TRY(start(&input, encoding));
    *out = input;
    return GB_OK;
}

gb_status gb_input_open_file(const char *path, const char *encoding, gb_input *out)
{
    gb_input input = {.origin = path};
    /* O_NONBLOCK: opening a pipe must not wait for a writer before it is refused. */
    input.file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (input.file < 0)
        return gb_fail(GB_ERR_IO, "cannot open %s: %s", path, strerror(errno));
    struct stat about;
    gb_status status = GB_OK;
    if (fstat(input.file, &about) != 0)
        status = gb_fail(GB_ERR_IO, "cannot read %s: %s", path, strerror(errno));
    else if (!S_ISREG(about.st_mode))
        status = gb_fail(GB_ERR_IO, "%s is %s, expected a regular file", path,
                         S_ISDIR(about.st_mode) ? "a folder" : "a device or pipe");
    else
        input.size = about.st_size;
    if (status == GB_OK)
        status = start(&input, encoding);
    if (status != GB_OK) {
        gb_input_close(&input);
        return status;
    }
    *out = input;
    return GB_OK;
}

void gb_input_close(gb_input *input)
{
    if (input->file >= 0)
        close(input->file);
    input->file = -1;
}

/* ---- as UTF-8 ---------------------------------------------------------------------------------
 */

#define RAW_BYTES ((size_t)1 << 16)

gb_status gb_decoder_open(const gb_input *input, gb_decoder *out)
{
    gb_decoder decoder = {.at = input->first};
    if (!input->plain) {
        GB_TRY(gb_transcoder_create(input->encoding, &decoder.transcoder));
        gb_transcoder_reset(decoder.transcoder, input->first);
        decoder.raw = malloc(RAW_BYTES);
        if (!decoder.raw) {
            gb_transcoder_destroy(decoder.transcoder);
            return gb_fail(GB_ERR_MEMORY, "%s: no memory to decode it", input->origin);
        }
    }
    *out = decoder;
    return GB_OK;
}

void gb_decoder_close(gb_decoder *decoder)
{
    gb_transcoder_destroy(decoder->transcoder);
    free(decoder->raw);
    memset(decoder, 0, sizeof *decoder);
}

gb_status
gb_decoder_read(gb_decoder *decoder, const gb_input *input, size_t size, char *to, size_t *out_size)
{
    if (!decoder->transcoder) {
        GB_TRY(gb_input_read(input, decoder->at, to, size));
        decoder->at += (int64_t)size;
        *out_size = size;
        return GB_OK;
    }
    size_t room = size * GB_DECODER_GROWTH + GB_DECODER_EXTRA, written = 0, used, more;
    for (size_t left = size; left > 0; left -= used) {
        size_t piece = left < RAW_BYTES ? left : RAW_BYTES;
        GB_TRY(gb_input_read(input, decoder->at, decoder->raw, piece));
        GB_TRY(gb_transcoder_feed(decoder->transcoder, decoder->raw, piece, &used, to + written,
                                  room - written, &more));
        written += more;
        decoder->at += (int64_t)used;
        if (used == 0)
            return gb_fail(GB_ERR_PARSE, "%s, byte %lld: cannot be decoded as %s", input->origin,
                           (long long)decoder->at, input->encoding);
    }
    if (decoder->at == input->size) {
        GB_TRY(gb_transcoder_finish(decoder->transcoder, to + written, room - written, &more));
        written += more;
    }
    *out_size = written;
    return GB_OK;
}
