/* Private to npy.c: rows of one NumPy array. */
#ifndef GENBA_INGEST_NPY_ROWS_H
#define GENBA_INGEST_NPY_ROWS_H

#include "ingest/array_values.h"
#include "ingest/arrays.h"
#include "ingest/npy_header.h"
#include "ingest/zip.h"

/* An array in a file: where its bytes are, and what they mean. */
typedef struct gb_npy_set {
    gb_zip_entry entry;
    gb_npy_header header;
    size_t header_bytes;
} gb_npy_set;

GB_MUST gb_status gb_npy_cursor_open(const gb_zip_file *file,
                                     const gb_npy_set *set,
                                     const gb_array *array,
                                     void **out);
/* Of a file's arrays (npy.c). */
GB_MUST gb_status gb_npy_array_open(const gb_arrays *arrays, const gb_array *array, void **out);

extern const gb_array_ops gb_npy_array_ops;

#endif
