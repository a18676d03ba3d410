/* Private to ingest: a Parquet file as arrays with a row for each of its rows (arrays.h): what the
 * reader "parquet" hands over. */
#ifndef GENBA_INGEST_PARQUET_TABLE_H
#define GENBA_INGEST_PARQUET_TABLE_H

#include "ingest/arrays.h"
#include "ingest/parquet.h"

/* A column of the file, or one value of a column of lists. */
typedef struct gb_parquet_table_part {
    int column;
    int64_t item;  /* -1: all of them */
    int64_t count; /* values it gives a row */
    int64_t list;  /* values the column has a row */
} gb_parquet_table_part;

/* One array: a column, or several side by side. */
typedef struct gb_parquet_table_array {
    gb_parquet_table_part *parts; /* [part_count] */
    int part_count;
    int64_t size;
    gb_value_type type;
} gb_parquet_table_array;

typedef struct gb_parquet_table_cursor gb_parquet_table_cursor;

typedef struct gb_parquet_table {
    const gb_parquet *file;
    const char *path;
    gb_arena *arena;
    gb_array *list;                 /* [count], room for `room` */
    gb_parquet_table_array *arrays; /* [count], what is behind each of the list */
    int count, room;
    int64_t base; /* the row of the file that is row 0 of the recording at hand */
    gb_parquet_table_cursor
        *cursors; /* kept from recording to recording: groups follow each other */
} gb_parquet_table;

/* Columns as arrays; extra: how many more may be added. */
GB_MUST gb_status gb_parquet_table_open(
    const gb_parquet *file, const char *path, gb_arena *arena, int extra, gb_parquet_table *out);
/* Adds an array called `name` of columns given by name, "name#2" (the second of a list) or "#3".
 * GB_ERR_NOT_FOUND names the columns there are; *out_absent: optional, and not there. */
GB_MUST gb_status gb_parquet_table_join(gb_parquet_table *table,
                                        const char *name,
                                        char *const *columns,
                                        uint32_t column_count,
                                        bool optional,
                                        bool *out_absent);
/* What gb_arrays_plan and gb_arrays_emit take. */
gb_arrays gb_parquet_table_as_arrays(const gb_parquet_table *table);
void gb_parquet_table_close(gb_parquet_table *table);

/* parquet_rows.c: the cursors. */
extern const gb_array_ops gb_parquet_table_ops;
void gb_parquet_table_cursors_free(gb_parquet_table_cursor *first);

#endif
