/* Private to record: the catalogue of a store, an SQLite file. All SQL of genba is in
 * store_catalogue.c and store_query.c; a store's rules (files, labels, audit) are elsewhere.
 *
 * The journal is SQLite's rollback journal with full syncs: what a transaction said is on disk when
 * it returns, a kill at any moment leaves the state before or after it, and nothing stays beside
 * the file. Writers wait for one another up to a minute. */
#ifndef GENBA_RECORD_CATALOGUE_H
#define GENBA_RECORD_CATALOGUE_H

#include "genba/store.h"
#include "record/recording_file.h"

typedef struct gb_catalogue gb_catalogue;

/* GB_ERR_ARGUMENT: the file is there. */
GB_MUST gb_status gb_catalogue_create(const char *path);
/* GB_ERR_MISMATCH: no catalogue of genba, or of another version. */
GB_MUST gb_status gb_catalogue_open(const char *path, bool read_only, gb_catalogue **out);
void gb_catalogue_close(gb_catalogue *catalogue); /* NULL is fine */

/* From begin to commit this process alone writes; rollback undoes. Not nested. */
GB_MUST gb_status gb_catalogue_begin(gb_catalogue *catalogue);
GB_MUST gb_status gb_catalogue_commit(gb_catalogue *catalogue);
void gb_catalogue_rollback(gb_catalogue *catalogue);

/* Facts about the store itself. A key that is absent reads as "". */
GB_MUST gb_status gb_catalogue_set(gb_catalogue *catalogue, const char *key, const char *value);
GB_MUST gb_status gb_catalogue_get(gb_catalogue *catalogue,
                                   const char *key,
                                   gb_arena *arena,
                                   const char **out);

/* ---- ingests ---- */
typedef struct gb_catalogue_ingest {
    int64_t id; /* 0: not in the catalogue yet */
    gb_store_counts counts;
    int64_t done_bytes;    /* of the source */
    int64_t rejects_bytes; /* of the rejects file that count */
    bool finished;
} gb_catalogue_ingest;

/* The ingest of the very same source by the same map and policy; id 0: none. */
GB_MUST gb_status gb_catalogue_find_ingest(gb_catalogue *catalogue,
                                           const gb_store_source *source,
                                           gb_catalogue_ingest *out);
GB_MUST gb_status gb_catalogue_add_ingest(gb_catalogue *catalogue,
                                          const gb_store_source *source,
                                          int64_t *out_id);
/* state NULL leaves the state that is there. */
GB_MUST gb_status gb_catalogue_set_ingest(gb_catalogue *catalogue,
                                          const gb_catalogue_ingest *ingest,
                                          const void *state,
                                          size_t state_size);
GB_MUST gb_status gb_catalogue_ingest_state(
    gb_catalogue *catalogue, int64_t id, gb_arena *arena, const void **out, size_t *out_size);
/* Is there an ingest of that number with a rejects file? */
GB_MUST gb_status gb_catalogue_has_rejects(gb_catalogue *catalogue, int64_t id, bool *out);
typedef gb_status (*gb_catalogue_visit_ingest)(void *context, const gb_catalogue_ingest *ingest);
GB_MUST gb_status gb_catalogue_each_ingest(gb_catalogue *catalogue,
                                           gb_catalogue_visit_ingest visit,
                                           void *context);

/* ---- recordings ---- */
/* GB_ERR_ARGUMENT: the name is taken. entry: all but id and split. */
GB_MUST gb_status gb_catalogue_add_recording(gb_catalogue *catalogue,
                                             const gb_store_entry *entry,
                                             int64_t *out_id);
GB_MUST gb_status gb_catalogue_add_stream(gb_catalogue *catalogue,
                                          int64_t recording,
                                          int number,
                                          const gb_stream_spec *spec,
                                          const gb_stream_tally *tally);
/* Names of recordings on their way, known to this connection only. GB_ERR_ARGUMENT: it is taken, by
 * one of those or in the catalogue. */
GB_MUST gb_status gb_catalogue_claim_name(gb_catalogue *catalogue, const char *name);
void gb_catalogue_free_name(gb_catalogue *catalogue, const char *name);
GB_MUST gb_status gb_catalogue_has_file(gb_catalogue *catalogue, const char *file, bool *out);
/* In the order of names; everything in the arena. */
GB_MUST gb_status gb_catalogue_list(gb_catalogue *catalogue,
                                    const gb_store_query *query,
                                    gb_arena *arena,
                                    gb_store_entry **out,
                                    int64_t *out_count);
/* The one recording of exactly that name; GB_ERR_NOT_FOUND. */
GB_MUST gb_status gb_catalogue_find(gb_catalogue *catalogue,
                                    const char *name,
                                    gb_arena *arena,
                                    gb_store_entry *out);

typedef struct gb_catalogue_stream {
    gb_stream_spec spec; /* without labels and pairs */
    gb_stream_tally tally;
} gb_catalogue_stream;
GB_MUST gb_status gb_catalogue_streams(gb_catalogue *catalogue,
                                       int64_t recording,
                                       gb_arena *arena,
                                       gb_catalogue_stream **out,
                                       int *out_count);
GB_MUST gb_status gb_catalogue_set_split(gb_catalogue *catalogue, int64_t id, const char *split);
GB_MUST gb_status gb_catalogue_remove(gb_catalogue *catalogue, int64_t id);
/* SQLite's own check of the file. */
GB_MUST gb_status gb_catalogue_check(gb_catalogue *catalogue);

#endif
