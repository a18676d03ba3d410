/* Private to ingest: from rows to recordings, once it is decided what the columns mean. */
#ifndef GENBA_INGEST_CSV_H
#define GENBA_INGEST_CSV_H

#include "ingest/layout.h"

typedef struct gb_csv_stream {
    gb_stream_spec spec;
    const int64_t *columns; /* [size], from 0 */
    const float *sentinels; /* [sentinel_count] numbers that stand for missing */
    int sentinel_count;
    float range_min, range_max; /* -INFINITY, INFINITY when not declared */
} gb_csv_stream;

typedef struct gb_csv_plan {
    gb_recording_info info; /* name: of the recording, or what stands before the group's value */
    const gb_layout *layout;
    int64_t time_column; /* -1: none */
    gb_time_format time_format;
    double period_s;
    const int64_t *group_columns; /* [group_count]: one recording for each value */
    int group_count;
    const gb_csv_stream *streams; /* [stream_count] */
    int stream_count;
    const char *const *missing; /* [missing_count] further words for missing */
    int missing_count;
    bool strict;
    int64_t row_limit; /* 0: all */
} gb_csv_plan;

/* Reads all rows into recordings and merges them into the dataset, all or none. The report is added
 * to, and holds what was read up to then on failure too. */
GB_MUST gb_status gb_csv_read(const gb_csv_plan *plan,
                              gb_rows *rows,
                              gb_ingest_report *report,
                              gb_dataset *dataset);

/* CSV by a map from rows that are open already (files, memory). */
struct gb_stream_map;
GB_MUST gb_status gb_csv_read_mapped(const struct gb_stream_map *map,
                                     gb_rows *rows,
                                     const char *name,
                                     const gb_ingest_options *options,
                                     gb_ingest_report *report,
                                     gb_dataset *dataset);

/* Records a wrong cell or row (column -1) and returns GB_OK, or fails when `strict`. */
GB_MUST gb_status gb_csv_problem(bool strict,
                                 const gb_rows *rows,
                                 const gb_layout *layout,
                                 int64_t column,
                                 const gb_field *found,
                                 const char *expected,
                                 gb_ingest_report *report);

/* Writes the layout part of the report. */
void gb_csv_describe(const gb_csv_plan *plan, gb_ingest_report *report);

/* "folder/ETTh1.csv" to "ETTh1"; NULL when the arena is full. */
const char *gb_name_of_file(const char *path, gb_arena *arena);

#endif
