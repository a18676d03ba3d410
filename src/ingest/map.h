/* Private to ingest: a stream map as read from YAML. */
#ifndef GENBA_INGEST_MAP_H
#define GENBA_INGEST_MAP_H

#include "ingest/layout.h"

typedef struct gb_map_range {
    double *min, *max; /* NULL: no limit */
} gb_map_range;

/* What cleaning looks for; NULL: what the map's own `clean` says, else off. */
typedef struct gb_map_clean {
    double *gap_s;          /* a longer step is a gap */
    int64_t *stuck_samples; /* so many equal values in a row are stuck */
    double *spike_sigmas;   /* this far from the running median, in robust sigmas */
    int repeated, backward; /* gb_map_rows: of times that repeat or step back */
} gb_map_clean;

typedef enum gb_map_rows {
    GB_MAP_ROWS_FLAG, /* keep them, quality uncertain */
    GB_MAP_ROWS_REJECT
} gb_map_rows;

typedef struct gb_map_stream {
    char *name;
    /* where it comes from: columns of a table ("#3" is the third; in JSON lines "a.b[2]"), or a
     * source with a name of its own: a data set of HDF5, an array of npz, a topic, ... */
    char **columns;
    uint32_t columns_count;
    char *source, *field; /* "obs/image"; of a message: "linear_acceleration" */
    int kind;             /* gb_stream_kind, -1: by what is found */
    int value_type;       /* gb_value_type, -1: f64 for numbers in text, else as in the file */
    char *unit;           /* stored: a UCUM code */
    char *source_unit;    /* in the file, in any spelling of units.h; NULL: the same */
    double *scale,
        *offset; /* stored = scale x (value in unit) + offset: signs, frames; NULL: 1, 0 */
    char *semantic, *clock, *frame;
    double *sentinels;
    uint32_t sentinels_count;
    gb_map_range range; /* in the stored unit */
    char **categories;  /* words that stand for 0, 1, ... */
    uint32_t categories_count;
    gb_map_clean clean;
    bool optional; /* files without it go without the stream */
} gb_map_stream;

typedef struct gb_map_csv {
    int delimiter;          /* a character, 0: found */
    int decimal;            /* a character, 0: found */
    int header;             /* gb_header */
    int header_names_extra; /* 1: ignored */
    int bad_cells;          /* gb_bad_cells */
    int extra_columns;      /* gb_map_extra: columns that the map does not name */
    char *encoding;  /* NULL: found; "utf-8", "utf-16le", "utf-16be", "cp932", "latin1", ... */
    int64_t *widths; /* of fixed-width columns, in characters */
    uint32_t widths_count;
    int64_t skip_rows; /* lines before the header or the first row */
    char **missing;
    uint32_t missing_count;
    char **ignored; /* columns known and not wanted: no drift */
    uint32_t ignored_count;
} gb_map_csv;

typedef enum gb_map_extra {
    GB_MAP_EXTRA_IGNORE,
    GB_MAP_EXTRA_REPORT /* drift: said in the report */
} gb_map_extra;

typedef struct gb_map_time {
    char *column;      /* NULL: none, the row's number counts */
    char *time_column; /* the time of day when `column` is the date alone */
    int format;        /* gb_time_format, -1: found */
    char *zone;        /* "Asia/Tokyo", "+09:00"; NULL: UTC unless the stamp says */
    int ambiguous;     /* 0: the earlier reading of a fold, 1: the later */
    double period_s;   /* of formats none and row; 0: 1 s */
} gb_map_time;

typedef struct gb_map_labels { /* of pictures */
    int format;                /* gb_map_label_format */
    char *path; /* folder of VOC files, or the COCO file; relative to the pictures' */
} gb_map_labels;

typedef enum gb_map_label_format {
    GB_MAP_LABELS_NONE,
    GB_MAP_LABELS_VOC,
    GB_MAP_LABELS_COCO
} gb_map_label_format;

/* Two clocks: the time of `device` samples is corrected to that of `reference`. */
typedef struct gb_map_drift {
    char *device;             /* streams of this clock are moved */
    char *column;             /* the device's own stamp, row by row beside time.column, or */
    char *signal, *reference; /* two streams that saw the same: their lag is followed */
    double *window_s;
} gb_map_drift;

typedef struct gb_map_data {
    char *name, *description, *reader, *instruction, *outcome;
    char *residency, *owner, *licence, *purpose;
    char **files;
    uint32_t files_count;
    gb_map_csv csv;
    gb_map_time time;
    gb_map_clean clean;
    gb_map_drift *drift;
    uint32_t drift_count;
    gb_map_labels labels;
    char **group; /* columns: one recording for each combination of values */
    uint32_t group_count;
    char *episodes;         /* HDF5: groups that are recordings, "data/demo_*" */
    gb_map_stream *streams; /* [streams_count]; none: all that the file describes itself */
    uint32_t streams_count;
} gb_map_data;

struct gb_stream_map {
    gb_map_data *data;
    char *origin; /* the file, for messages */
    char *text;   /* the whole YAML text, kept with what is read by it */
};

#endif
