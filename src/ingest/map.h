/* Private to ingest: a stream map as read from YAML. */
#ifndef GENBA_INGEST_MAP_H
#define GENBA_INGEST_MAP_H

#include "ingest/layout.h"

typedef struct gb_map_range {
    double *min, *max; /* NULL: no limit */
} gb_map_range;

typedef struct gb_map_stream {
    char *name;
    char **columns; /* names, or "#3" for the third */
    uint32_t columns_count;
    int kind; /* gb_stream_kind, -1: scalar or vector by the number of columns */
    char *unit, *semantic;
    double *sentinels;
    uint32_t sentinels_count;
    gb_map_range range;
    bool optional; /* files without the columns go without the stream */
} gb_map_stream;

typedef struct gb_map_csv {
    int delimiter;          /* a character, 0: found */
    int decimal;            /* a character, 0: found */
    int header;             /* gb_header */
    int header_names_extra; /* 1: ignored */
    int bad_cells;          /* gb_bad_cells */
    char **missing;
    uint32_t missing_count;
} gb_map_csv;

typedef struct gb_map_time {
    char *column;    /* NULL: none, the row's number counts */
    int format;      /* gb_time_format, -1: found */
    double period_s; /* of formats none and row; 0: 1 s */
} gb_map_time;

typedef struct gb_map_data {
    char *name, *description, *reader, *instruction, *residency;
    char **files;
    uint32_t files_count;
    gb_map_csv csv;
    gb_map_time time;
    char **group;
    uint32_t group_count;
    gb_map_stream *streams;
    uint32_t streams_count;
} gb_map_data;

struct gb_stream_map {
    gb_map_data *data;
    char *origin; /* the file, for messages */
};

#endif
