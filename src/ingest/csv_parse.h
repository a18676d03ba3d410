/* Private to ingest: one block of a table parsed into columns; any number of blocks side by side.
 */
#ifndef GENBA_INGEST_CSV_PARSE_H
#define GENBA_INGEST_CSV_PARSE_H

#include "ingest/blocks.h"
#include "ingest/csv.h"
#include "ingest/zone.h"

#define GB_CSV_KEY_MAX 200 /* bytes of a group's name */

/* One wrong cell, or one row that cannot be taken. */
typedef struct gb_csv_problem {
    int64_t order; /* among those of the block, as they were found */
    uint32_t line; /* newlines before its row in the block */
    uint32_t row_at, row_size;
    int32_t column;   /* -1: the whole row */
    int32_t fields;   /* of a row with too few or too many, else -1 */
    bool rejects_row; /* else the one cell is missing */
    gb_span found;
    const char *expected; /* a constant */
} gb_csv_problem;

typedef struct gb_csv_column {
    void *values;               /* [rows x size] of the stream's value type */
    const unsigned char **runs; /* of text: [rows] */
    size_t *run_sizes;
    uint8_t *reason; /* [rows] */
    bool flagged;    /* some reason is not GB_REASON_NONE */
} gb_csv_column;

typedef struct gb_csv_group {
    const char *key;
    size_t key_size;
    int64_t first, count; /* its rows, once sorted */
} gb_csv_group;

/* What a block holds; the memory is used again for later blocks. */
typedef struct gb_csv_part {
    int64_t count;          /* rows taken, those of a group together, in the order of the file */
    int64_t *time_ns;       /* [count]; unset when the plan has no time column */
    uint32_t *line_of;      /* [count] newlines before each row in the block */
    gb_csv_column *columns; /* [stream_count] */
    gb_csv_group *groups;   /* [group_count] in the order they begin in the block */
    int group_count;
    int64_t lines; /* newlines in the block */
    int64_t rows_read, rows_rejected, cells_bad, cells_missing;
    gb_csv_problem *problems; /* [problem_count] in the order of the file; the first, or all */
    int64_t problem_count;
    int64_t long_row; /* line of a row over the limit, -1 */
    gb_status status;

    /* the parser's own */
    const gb_csv_plan *plan;
    const gb_block *block;
    gb_arena *arena;
    gb_zone *zone;
    bool keep_problems; /* all of them, not only the first few */
    size_t row_limit_bytes;
    int64_t room, problem_room;
    int32_t *group_of; /* [room] */
    int group_room, table_size;
    int32_t last_group;
    int32_t *group_table;
    int64_t batch_rows;
    gb_cut_row *rows; /* [batch_rows] */
    gb_span *spans;   /* [batch_rows x columns] */
    int32_t *taken;   /* [batch_rows] the rows that are taken */
    int64_t taken_count;
    bool missing_first[256]; /* may a word for missing begin with this byte? */
    bool stopped;            /* strict, and a problem was found */
} gb_csv_part;

GB_MUST gb_status gb_csv_part_create(const gb_csv_plan *plan,
                                     size_t row_limit_bytes,
                                     int64_t source_bytes,
                                     bool keep_problems,
                                     gb_csv_part *out);
void gb_csv_part_destroy(gb_csv_part *part);
/* Parses a block; most_rows 0: all. What fails is in part->status. */
void gb_csv_part_parse(gb_csv_part *part, const gb_block *block, int64_t most_rows);

/* ---- among csv_part.c, csv_parse.c and csv_cells.c --------------------------------------------
 */

/* Forgets what the block before held. */
void gb_csv_part_forget(gb_csv_part *part);
/* Room for so many rows in all columns. */
GB_MUST gb_status gb_csv_part_room(gb_csv_part *part, int64_t rows);
/* The number of the group of that key in this block. */
GB_MUST gb_status gb_csv_part_group(gb_csv_part *part, const char *key, size_t size, int32_t *out);
/* Notes a problem; those of a batch come column by column, and are put into the file's order by
 * gb_csv_part_settle: from the first of the batch, which had `rows` rows. */
void gb_csv_part_problem(gb_csv_part *part, const gb_csv_problem *problem);
void gb_csv_part_settle(gb_csv_part *part, int64_t from, int64_t rows);
/* Brings the rows of a group together. */
GB_MUST gb_status gb_csv_part_sort(gb_csv_part *part);
/* A reason for one sample; the worst quality stays, the first found of those. */
void gb_csv_flag(gb_csv_column *column, int64_t row, gb_reason reason);
/* Reads the columns of one stream for the rows taken of the batch. */
void gb_csv_read_column(gb_csv_part *part, int stream);

#endif
