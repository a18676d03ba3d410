/* Private to ingest: parsed blocks of a table to a sink, in order: recordings, counts, rejects,
 * segments. */
#ifndef GENBA_INGEST_CSV_OUT_H
#define GENBA_INGEST_CSV_OUT_H

#include "ingest/csv_parse.h"
#include "ingest/steps.h"

/* A recording in the making: one for each group. */
typedef struct gb_csv_recording {
    char *key;
    size_t key_size;
    int64_t rows, last_ns; /* since the beginning of the file, over all segments */
    int number;            /* in the sink; -1: none is open */
    int *streams;          /* [stream_count] numbers in the sink */
} gb_csv_recording;

typedef struct gb_csv_out {
    const gb_csv_plan *plan;
    const gb_input *input;
    const gb_source *source;
    gb_ingest_report *report, before;
    int64_t line;      /* newlines handed on */
    int64_t source_to; /* bytes of the source handed on */
    int64_t resume_at;
    int64_t segment_from;         /* where in the text this segment began */
    int64_t segment_rows_stored;  /* what the report said then */
    int64_t part;                 /* number of this segment's recordings */
    bool in_parts;                /* recordings are NAME/0000, NAME/0001, ... */
    gb_csv_recording *recordings; /* [recording_count] */
    int64_t recording_count, recording_room;
    int64_t *table; /* [table_size] hashed: recording + 1 */
    int64_t table_size;
    gb_steps steps;
} gb_csv_out;

/* Reads source->resume_state when there is one. */
GB_MUST gb_status gb_csv_out_open(gb_csv_out *out,
                                  const gb_csv_plan *plan,
                                  const gb_input *input,
                                  const gb_source *source);
GB_MUST gb_status gb_csv_out_part(gb_csv_out *out, const gb_block *block, gb_csv_part *part);
/* Ends all recordings and says so to the watch. */
GB_MUST gb_status gb_csv_out_segment(gb_csv_out *out, const gb_block *block);
/* Tells the watch how far reading is; when it interrupts, ends a segment here. */
GB_MUST gb_status gb_csv_out_progress(gb_csv_out *out, const gb_block *block);
/* Ends the last recordings when all went well, and completes the report; returns the status of it
 * all. Always to be called once. */
GB_MUST gb_status gb_csv_out_close(gb_csv_out *out, gb_status status);

/* ---- in csv_recordings.c ----------------------------------------------------------------------
 */

/* The recording of a group; GB_ERR_PARSE: too many. */
GB_MUST gb_status gb_csv_out_find(gb_csv_out *out,
                                  const char *key,
                                  size_t size,
                                  gb_csv_recording **found);
/* Opens it in the sink when it is not. */
GB_MUST gb_status gb_csv_out_begin(gb_csv_out *out, gb_csv_recording *recording);
GB_MUST gb_status gb_csv_out_end_all(gb_csv_out *out);
void gb_csv_out_free(gb_csv_out *out);
/* What going on later needs, as text; read back by gb_csv_out_restore. */
GB_MUST gb_status
gb_csv_out_save(const gb_csv_out *out, int64_t text_to, gb_arena *arena, char **text, size_t *size);
GB_MUST gb_status gb_csv_out_restore(gb_csv_out *out, const char *text, size_t size);

#endif
