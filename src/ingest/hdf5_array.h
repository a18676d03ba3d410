/* Private to ingest: data sets of an HDF5 file as arrays. */
#ifndef GENBA_INGEST_HDF5_ARRAY_H
#define GENBA_INGEST_HDF5_ARRAY_H

#include "ingest/hdf5_file.h"

typedef enum gb_hdf5_form {
    GB_HDF5_NUMBERS,
    GB_HDF5_FIXED_TEXT,
    GB_HDF5_VARIABLE_TEXT,
    GB_HDF5_VARIABLE_BYTES,
    GB_HDF5_PADDED_PICTURES /* [n, longest] bytes: each row a picture, then zeros */
} gb_hdf5_form;

/* How a data set is read: what its gb_array does not say. */
typedef struct gb_hdf5_set {
    const char *path;
    gb_hdf5_form form;
    size_t text_bytes;  /* of a row of FIXED_TEXT and PADDED_PICTURES */
    size_t chunk_bytes; /* 0: not in chunks */
} gb_hdf5_set;

typedef struct gb_hdf5_context {
    const gb_hdf5 *hdf5;
    gb_hdf5_set *sets; /* one for each array of the list */
    hid_t group;       /* where paths start */
} gb_hdf5_context;

extern const gb_array_ops gb_hdf5_array_ops; /* hdf5_rows.c */

/* Every data set below `group`, in natural order, paths relative to it. The
 * group must stay open while the arrays are used. */
GB_MUST gb_status gb_hdf5_arrays(const gb_hdf5 *hdf5, hid_t group, gb_arena *arena, gb_arrays *out);

/* Those of `paths` that are there: relative to the group, or from the root with a leading '/'.
 * Paths may repeat, and may end in "#3" (a value of a sample). */
GB_MUST gb_status gb_hdf5_arrays_named(const gb_hdf5 *hdf5,
                                       hid_t group,
                                       const char *const *paths,
                                       int count,
                                       gb_arena *arena,
                                       gb_arrays *out);

#endif
