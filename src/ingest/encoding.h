/* Private to ingest: which encoding a text file is in, and from any encoding to UTF-8 in pieces.
 *
 * An encoding is named by the word that maps use: "utf-8", "utf-16le", "utf-16be", "cp932",
 * "euc-jp", "iso-2022-jp", "cp1252", "latin1", ... */
#ifndef GENBA_INGEST_ENCODING_H
#define GENBA_INGEST_ENCODING_H

#include "genba/base.h"

/* The word for any usual spelling: "Shift_JIS", "sjis" and "windows-31j" are all "cp932", which is
 * what plants mean by them. A constant. GB_ERR_NOT_FOUND names the nearest and all others. */
GB_MUST gb_status gb_encoding_parse(const char *written, const char **out_name);

/* ---- finding out ------------------------------------------------------------------------------
 */

#define GB_ENCODING_SAMPLE_BYTES ((size_t)1 << 18) /* of the file's beginning are enough */

typedef struct gb_encoding_guess {
    const char *name;       /* a constant */
    size_t mark_bytes;      /* of the byte order mark at the start; 0: none */
    bool only_ascii;        /* nothing seen that would tell encodings apart: called "utf-8" */
    const char *also;       /* another encoding nearly as likely, or NULL */
    int64_t invalid;        /* bytes of the sample that are wrong in this encoding */
    int64_t characters_not; /* characters of the sample beyond ASCII */
} gb_encoding_guess;

/* From the first bytes of a file; `whole`: they are all of it, so that a character cut at the end
 * is wrong. Any bytes have an answer: whether they are text at all is not judged here. */
GB_MUST gb_status gb_encoding_find(const void *bytes,
                                   size_t size,
                                   bool whole,
                                   gb_encoding_guess *out);

/* ---- transcoding ------------------------------------------------------------------------------
 * What a piece ends with may be half a character: it is kept until the next feed. Bytes that are
 * wrong become U+FFFD each, and are counted. A byte order mark at the start is dropped. */
#define GB_TRANSCODER_ROOM 16 /* least room for output */

typedef struct gb_transcoder gb_transcoder;

GB_MUST gb_status gb_transcoder_create(const char *encoding, gb_transcoder **out);
void gb_transcoder_destroy(gb_transcoder *transcoder); /* NULL is fine */
/* Takes *out_used bytes of `in` and writes *out_written bytes of UTF-8; less than in_size is used
 * only when the room is full. out_room: at least GB_TRANSCODER_ROOM. */
GB_MUST gb_status gb_transcoder_feed(gb_transcoder *transcoder,
                                     const void *in,
                                     size_t in_size,
                                     size_t *out_used,
                                     char *out,
                                     size_t out_room,
                                     size_t *out_written);
/* After the last byte: half a character that was kept becomes U+FFFD. */
GB_MUST gb_status gb_transcoder_finish(gb_transcoder *transcoder,
                                       char *out,
                                       size_t out_room,
                                       size_t *out_written);
/* Forgets what it saw, to begin again at byte `offset` of the file (0: its start). */
void gb_transcoder_reset(gb_transcoder *transcoder, int64_t offset);
/* Wrong bytes so far, and the offset in the file of the first (-1: none). */
int64_t gb_transcoder_invalid(const gb_transcoder *transcoder, int64_t *out_first);

#endif
