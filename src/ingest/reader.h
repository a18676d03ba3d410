/* Private to ingest: what a reader of one file format is. Adding a format is one file with one of
 * these and one line in the table of reader.c. */
#ifndef GENBA_INGEST_READER_H
#define GENBA_INGEST_READER_H

#include "ingest/map.h"

typedef struct gb_reader {
    const char *name;
    /* Reads one file by a map, appends to the dataset all or none. `name` is the recording's, or
     * the beginning of it. */
    gb_status (*read_file)(const gb_stream_map *map,
                           const char *path,
                           const char *name,
                           const gb_ingest_options *options,
                           gb_ingest_report *report,
                           gb_dataset *dataset);
} gb_reader;

extern const gb_reader gb_reader_csv; /* csv_map.c */

/* CSV by a map from rows that are open already (files, memory). */
GB_MUST gb_status gb_csv_read_mapped(const gb_stream_map *map,
                                     gb_rows *rows,
                                     const char *name,
                                     const gb_ingest_options *options,
                                     gb_ingest_report *report,
                                     gb_dataset *dataset);

/* The reader of that name, or NULL. */
const gb_reader *gb_reader_find(const char *name);

#endif
