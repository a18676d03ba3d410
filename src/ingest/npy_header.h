/* Private to ingest: the header of a NumPy array file (NEP 1, format versions 1 to 3). */
#ifndef GENBA_INGEST_NPY_HEADER_H
#define GENBA_INGEST_NPY_HEADER_H

#include "genba/ingest.h"

#define GB_NPY_RANK_MAX 32
#define GB_NPY_PREFIX_MAX 12        /* bytes that say how long the header is */
#define GB_NPY_HEADER_MAX (1 << 20) /* bytes of the header's text */

typedef struct gb_npy_header {
    gb_value_type type; /* as it is handed over: f16 as f32, bool as u8 */
    int value_bytes;    /* of one value in the file */
    char kind;          /* of NumPy: 'f', 'i', 'u', 'b', 'M', 'm', ... */
    bool swapped;       /* not this machine's byte order */
    bool fortran;       /* the first index varies fastest */
    int time_format;    /* of datetime64; -1: no time */
    int rank;
    int64_t shape[GB_NPY_RANK_MAX];
    int64_t values;         /* product of the shape */
    const char *unreadable; /* a constant: why its values are not read; NULL: they are */
} gb_npy_header;

/* How many bytes the whole header has, data behind it: from the first GB_NPY_PREFIX_MAX bytes (or
 * as many as there are). GB_ERR_PARSE: no NumPy file. */
GB_MUST gb_status gb_npy_header_size(const unsigned char *data,
                                     size_t size,
                                     const char *origin,
                                     size_t *out);
/* Reads the text of a whole header [size]. */
GB_MUST gb_status gb_npy_header_read(const unsigned char *data,
                                     size_t size,
                                     const char *origin,
                                     gb_npy_header *out);

#endif
