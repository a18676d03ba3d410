/* Private to ingest: the bytes of one text file, from disk or from memory, as UTF-8. */
#ifndef GENBA_INGEST_INPUT_H
#define GENBA_INGEST_INPUT_H

#include "ingest/encoding.h"

typedef struct gb_input {
    const char *origin; /* file name for messages, borrowed */
    int file;           /* -1: from memory */
    const char *memory;
    int64_t size;         /* bytes */
    int64_t first;        /* where text begins: behind the byte order mark */
    const char *encoding; /* a constant of encoding.h */
    bool plain;           /* UTF-8: bytes can be used as they are, from any place */
} gb_input;

/* Opens a regular file, or memory that stays valid. encoding NULL: found from the first bytes.
 * Nothing at all is GB_ERR_PARSE. */
GB_MUST gb_status gb_input_open_file(const char *path, const char *encoding, gb_input *out);
GB_MUST gb_status gb_input_open_memory(
    const void *data, size_t size, const char *origin, const char *encoding, gb_input *out);
void gb_input_close(gb_input *input);

/* Bytes [at, at + size) of the source, which must be there. Any number of threads at once. */
GB_MUST gb_status gb_input_read(const gb_input *input, int64_t at, void *to, size_t size);

/* The text from its beginning, piece by piece; one thread at a time. */
typedef struct gb_decoder {
    gb_transcoder *transcoder; /* NULL: plain */
    unsigned char *raw;        /* of sources that are not plain */
    int64_t at;                /* the source's next byte */
} gb_decoder;

#define GB_DECODER_GROWTH 4  /* most bytes of UTF-8 for one byte of the source */
#define GB_DECODER_EXTRA 128 /* for a character cut at the end */

GB_MUST gb_status gb_decoder_open(const gb_input *input, gb_decoder *out);
/* Decodes `size` bytes of the source (no more than are left) into `to`, which has room for
 * size * GB_DECODER_GROWTH + GB_DECODER_EXTRA bytes. *out_size may be 0 before the end. */
GB_MUST gb_status gb_decoder_read(
    gb_decoder *decoder, const gb_input *input, size_t size, char *to, size_t *out_size);
void gb_decoder_close(gb_decoder *decoder);

#endif
