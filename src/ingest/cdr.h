/* Private to ingest: reading a message in CDR (OMG DDS-XTypes 1.3, clause 7.4: PLAIN_CDR and
 * PLAIN_CDR2, either byte order). */
#ifndef GENBA_INGEST_CDR_H
#define GENBA_INGEST_CDR_H

#include "genba/base.h"

typedef struct gb_cdr {
    const unsigned char *data; /* behind the four bytes that say how it is written */
    size_t size, at;
    size_t align_most; /* 8, or 4 in CDR2 */
    bool swap;         /* the other byte order than this machine's */
} gb_cdr;

/* Reads the encapsulation header. GB_ERR_PARSE: none that is known. */
GB_MUST gb_status gb_cdr_open(const void *message, size_t size, gb_cdr *out);
/* `count` values of `bytes` (1, 2, 4, 8) each, aligned, into `to` (NULL: passed over) in this
 * machine's byte order. GB_ERR_PARSE: the message ends before. */
GB_MUST gb_status gb_cdr_values(gb_cdr *cdr, size_t bytes, uint64_t count, void *to);
GB_MUST gb_status gb_cdr_u32(gb_cdr *cdr, uint32_t *out);
/* A string: borrowed from the message, not terminated, without the 0 it ends with. */
GB_MUST gb_status gb_cdr_text(gb_cdr *cdr, const char **out, size_t *out_size);
/* `count` bytes as they lie there, borrowed. */
GB_MUST gb_status gb_cdr_bytes(gb_cdr *cdr, uint64_t count, const unsigned char **out);

#endif
