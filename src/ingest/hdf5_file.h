/* Private to ingest: an HDF5 file opened so that it can do little harm, and its library kept quiet.
 * libhdf5 has global state, is not thread-safe and crashes on some files, so all of this runs in a
 * process of its own (apart.h). */
#ifndef GENBA_INGEST_HDF5_FILE_H
#define GENBA_INGEST_HDF5_FILE_H

#include "ingest/arrays.h"

#include <hdf5.h>

#define GB_HDF5_DEPTH_MAX 16
#define GB_HDF5_PATH_MAX 1024

typedef struct gb_hdf5 {
    const char *path;                     /* borrowed */
    int64_t bytes;                        /* of the file */
    hid_t file, link_access, data_access; /* the accesses do not leave the file */
    H5E_auto2_t report;                   /* what the program had set, put back on closing */
    void *report_context;
} gb_hdf5;

GB_MUST gb_status gb_hdf5_open(const char *path, gb_hdf5 *out);
void gb_hdf5_close(gb_hdf5 *hdf5);

/* "path, object: what libhdf5 said" as GB_ERR_CORRUPT; clears its error stack. */
gb_status gb_hdf5_fail(const gb_hdf5 *hdf5, const char *object);

/* Is there an object at this path, without leaving the file? */
bool gb_hdf5_exists(const gb_hdf5 *hdf5, hid_t from, const char *path);
GB_MUST gb_status gb_hdf5_group(const gb_hdf5 *hdf5, hid_t from, const char *path, hid_t *out);

/* The names of the objects in a group, without links that lead elsewhere, in natural order
 * (demo_2 before demo_10). */
typedef struct gb_hdf5_name {
    const char *text;
    bool is_group, is_dataset;
} gb_hdf5_name;
GB_MUST gb_status gb_hdf5_list(
    const gb_hdf5 *hdf5, hid_t group, gb_arena *arena, gb_hdf5_name **out, int64_t *out_count);

/* Attributes that are one text or number, as pairs "prefix" + name; others are passed over. Adds
 * behind pairs[*count], up to `room` of them. */
GB_MUST gb_status gb_hdf5_attributes(const gb_hdf5 *hdf5,
                                     hid_t object,
                                     const char *prefix,
                                     gb_arena *arena,
                                     gb_pair *pairs,
                                     int room,
                                     int *count);

#endif
