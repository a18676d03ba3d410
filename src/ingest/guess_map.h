/* Private to ingest: stream maps proposed for tables nobody described. */
#ifndef GENBA_INGEST_GUESS_MAP_H
#define GENBA_INGEST_GUESS_MAP_H

#include "ingest/guess_sample.h"

#include "genba/ingest.h"

/* The csv reader's guess: YAML in the arena that gb_stream_map_parse reads. */
GB_MUST gb_status gb_csv_guess(const char *path,
                               const gb_ingest_options *options,
                               gb_arena *arena,
                               const char **out_yaml);
/* The same from a sample; path: for the file's name and for messages. numbers_only (or NULL): a
 * report that takes the names of all columns but those of numbers, which alone become streams, and
 * in one recording. */
GB_MUST gb_status gb_guess_table(const gb_sample *sample,
                                 const char *path,
                                 const gb_ingest_options *options,
                                 gb_ingest_report *numbers_only,
                                 gb_arena *arena,
                                 const char **out_yaml);

/* The same for lines of JSON whose values were written as a table (guess_json.c). */
GB_MUST gb_status gb_guess_json_table(const gb_sample *table,
                                      const char *path,
                                      const gb_ingest_options *options,
                                      gb_arena *arena,
                                      const char **out_yaml);
/* The jsonl reader's guess, from a file and from a sample. */
GB_MUST gb_status gb_jsonl_guess(const char *path,
                                 const gb_ingest_options *options,
                                 gb_arena *arena,
                                 const char **out_yaml);
GB_MUST gb_status gb_guess_json(const gb_sample *sample,
                                const char *path,
                                const gb_ingest_options *options,
                                gb_arena *arena,
                                const char **out_yaml);

#endif
