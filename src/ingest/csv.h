/* Private to ingest: from a table in text to recordings, once it is decided what the columns mean.
 *
 * csv_map.c or guess.c makes a plan; csv.c takes the file in blocks (blocks.h), has them parsed
 * side by side (csv_parse.h) and hands the columns on in order. */
#ifndef GENBA_INGEST_CSV_H
#define GENBA_INGEST_CSV_H

#include "ingest/layout.h"
#include "ingest/reader.h"

typedef enum gb_csv_cells {
    GB_CSV_NUMBERS,
    GB_CSV_CATEGORIES, /* words that stand for 0, 1, 2, ... */
    GB_CSV_TEXT        /* runs of bytes */
} gb_csv_cells;

typedef struct gb_csv_stream {
    gb_stream_spec spec;    /* value_type is what is handed over */
    const int64_t *columns; /* [size], from 0 */
    gb_csv_cells cells;
    const char *const *categories; /* [category_count] */
    const int32_t *category_table; /* [table_size] hashed: category + 1, 0 free */
    int category_count, table_size;
} gb_csv_stream;

typedef struct gb_csv_plan {
    gb_recording_info info; /* name: of the recording, or what stands before the group's value */
    const gb_layout *layout;
    gb_cutting cutting;
    int64_t skip_rows;
    int64_t lines_before; /* of the file, before this text */
    int64_t time_column;  /* -1: none */
    int64_t clock_column; /* the time of day, when time_column is the date alone; else -1 */
    gb_time_format time_format;
    double period_s;
    const char *zone;             /* of stamps that do not say; NULL: UTC */
    bool later;                   /* the later reading of a fold */
    const int64_t *group_columns; /* [group_count]: one recording for each value */
    int group_count;
    const gb_csv_stream *streams; /* [stream_count] */
    int stream_count;
    const char *const *missing; /* [missing_count] further words for missing */
    int missing_count;
    bool strict;
    int64_t row_limit; /* 0: all */
} gb_csv_plan;

/* Reads the rest of the input into source->sink. Uses of the source: name, options, report, watch,
 * sink and where to resume. The report is added to, and holds what was read up to then on failure
 * too. */
GB_MUST gb_status gb_csv_read(const gb_csv_plan *plan,
                              const gb_input *input,
                              const gb_source *source);

/* A table whose layout is known already. */
typedef struct gb_csv_table {
    const gb_input *input;
    const gb_layout *layout;
    gb_cutting cutting;
    int64_t skip_rows;
    int64_t lines_before; /* of the file, before this text: for the numbers of rows */
    const char *outcome;  /* of the recordings, where the map has none; or NULL */
} gb_csv_table;

/* Reads it by source->map. */
GB_MUST gb_status gb_csv_read_table(const gb_source *source, const gb_csv_table *table);

/* CSV by source->map from rows that are open already (files, memory). */
GB_MUST gb_status gb_csv_read_mapped(const gb_source *source, gb_rows *rows);

/* After a failure: what was stored since `before` is thrown away, and counts as rejected. */
void gb_csv_take_back(const gb_ingest_report *before, gb_ingest_report *report);
/* Writes the layout part of the report. */
void gb_csv_describe(const gb_csv_plan *plan, gb_ingest_report *report);
/* Copies a text so that it can be printed: cut to fit, without control characters. */
void gb_csv_copy_cut(char out[GB_INGEST_TEXT], const char *text, size_t size);

/* The slot of a word in an open-addressing table of `size` (a power of two). */
uint64_t gb_csv_hash(const char *text, size_t size);

/* "folder/ETTh1.csv" to "ETTh1"; NULL when the arena is full. */
const char *gb_name_of_file(const char *path, gb_arena *arena);

#endif
