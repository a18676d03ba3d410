/* genba/store.h: a store is a folder of recordings with a catalogue, labels that are enforced, and
 * a record of every access. Room: record.
 *
 *     STORE/catalogue.sqlite   what there is: recordings, streams, ingests, splits
 *     STORE/recordings/        one MCAP file a recording (encrypted when the store is)
 *     STORE/rejects/           one file an ingest that rejected rows
 *     STORE/audit.jsonl        who did what, hash-chained; its head is in the catalogue too
 *
 * Any number of processes may read and write one store at once: the catalogue is the lock. Nothing
 * is in the catalogue before it is whole on disk. A gb_store belongs to one thread at a time. */
#ifndef GENBA_STORE_H
#define GENBA_STORE_H

#include "genba/mcap.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the site: what this machine is, and what it may do ---------------------------------------
 * YAML of GENBA_SITE, else /etc/genba/site.yaml; without either, a machine of no stated place that
 * may do everything with recordings that state no limit, and nothing with those that do.
 *
 *     name: nagoya-line-3
 *     residency: [JP]           # labels of recordings that may be used here
 *     purposes: [inspect, train, export]   # what this machine may do at all; left out: everything
 *     owners: [acme]            # left out: everybody's
 *     licences_refused: [GPL-3.0-only]
 */
typedef struct gb_site gb_site;

GB_API GB_MUST gb_status gb_site_load(const char *path, gb_site **out);
GB_API GB_MUST gb_status gb_site_find(gb_site **out); /* as said above */
GB_API void gb_site_destroy(gb_site *site);           /* NULL is fine */
GB_API const char *gb_site_name(const gb_site *site);
GB_API const char *gb_site_origin(const gb_site *site); /* the file it came from, "" none */

typedef enum gb_use {
    GB_USE_INSPECT, /* open and look: the least one needs to read at all */
    GB_USE_TRAIN,
    GB_USE_EXPORT, /* write a copy outside the store */
    GB_USE_CONTROL /* replay or act on it */
} gb_use;
GB_API const char *gb_use_name(gb_use use);

/* May this machine use a recording so labelled? GB_ERR_REFUSED says which label forbids it, what
 * the site allows and whom to ask. */
GB_API GB_MUST gb_status gb_site_check(const gb_site *site,
                                       const gb_recording_info *info,
                                       gb_use use);

/* ---- encryption at rest ------------------------------------------------------------------------
 * XChaCha20-Poly1305 (libsodium secretstream and friends) in segments, so that a part can be read
 * without the rest; the key is 32 bytes in a file outside the store, in hexadecimal. */
#define GB_KEY_BYTES 32
typedef struct gb_key {
    unsigned char bytes[GB_KEY_BYTES];
} gb_key;
/* Makes a key file (mode 0600); refuses to replace one. */
GB_API GB_MUST gb_status gb_key_create(const char *path);
/* GB_ERR_ARGUMENT: readable by others, or not 64 hexadecimal digits. */
GB_API GB_MUST gb_status gb_key_load(const char *path, gb_key *out);
/* A key derived from it for one use, so that no key serves two ends (BLAKE2b, keyed). */
GB_API void gb_key_derive(const gb_key *key, const char *use, gb_key *out);
/* An encrypted file around a plain one; both take the inner over, also on failure. Wrong key or an
 * edited byte: GB_ERR_CORRUPT. */
GB_API GB_MUST gb_status gb_bytes_out_encrypted(gb_bytes_out *inner,
                                                const gb_key *key,
                                                gb_bytes_out **out);
GB_API GB_MUST gb_status gb_bytes_in_encrypted(gb_bytes_in *inner,
                                               const gb_key *key,
                                               gb_bytes_in **out);

/* ---- audit -------------------------------------------------------------------------------------
 * One JSON object a line: sequence number, time, who (user@host, program), what was done to what,
 * and the BLAKE2b-256 of the line before. Appends are whole lines under a file lock, and fsynced.
 */
typedef struct gb_audit_head {
    int64_t lines;
    unsigned char hash[GB_HASH_BYTES]; /* of the last line; zeros when there is none */
} gb_audit_head;

/* action: "ingest", "open", "train", "export", "refuse", ...; details: JSON object text or NULL. */
GB_API GB_MUST gb_status gb_audit_append(const char *path,
                                         const char *action,
                                         const char *object,
                                         const char *details,
                                         gb_audit_head *out_head);
/* Reads the whole log and checks the chain; expected (NULL: unknown) is a head seen before, which
 * must lie in the chain: so lines cut off the end are found. GB_ERR_CORRUPT names the first line
 * that was edited, dropped or moved. */
GB_API GB_MUST gb_status gb_audit_verify(const char *path,
                                         const gb_audit_head *expected,
                                         gb_audit_head *out_head);

/* The same, and calls back for each line that fits, in order: its number in the file (from 1), the
 * object as jansson parsed it (json_t *, borrowed) and its exact text. A status other than GB_OK
 * ends the reading and is returned. */
typedef gb_status (*gb_audit_visit)(
    void *context, int64_t line, const void *json, const char *text, size_t size);
GB_API GB_MUST gb_status gb_audit_read(const char *path,
                                       const gb_audit_head *expected,
                                       gb_audit_visit visit,
                                       void *context,
                                       gb_audit_head *out_head);

/* ---- stores ------------------------------------------------------------------------------------
 */
typedef struct gb_store gb_store;

typedef struct gb_store_options {
    const char *key_path; /* of an encrypted store; NULL: GENBA_KEY names it */
    const gb_site *site;  /* NULL: found; borrowed, must outlive the store */
    bool read_only;
    gb_pool *pool; /* recordings are compressed with it as they are ingested; NULL: on the caller */
} gb_store_options;

/* Makes an empty store; encrypt asks for options->key_path. GB_ERR_ARGUMENT: the folder is there
 * and not empty. */
GB_API GB_MUST gb_status gb_store_init(const char *path,
                                       bool encrypt,
                                       const gb_store_options *options);
GB_API GB_MUST gb_status gb_store_open(const char *path,
                                       const gb_store_options *options,
                                       gb_store **out);
GB_API void gb_store_close(gb_store *store); /* NULL is fine */
/* Takes back a closed store that was made for work of which nothing came: removes what
 * gb_store_init put there, also when it failed half-way, and the empty folders above it up to
 * `first`, which gb_folder_missing named before ("": it was there before, nothing is done). True:
 * it is gone. A store that holds a recording, rejects or any file of another's stays whole: false.
 */
GB_API bool gb_store_unmake(const char *path, const char *first);
GB_API bool gb_store_is(const char *path); /* is there a store at this path? */
GB_API const char *gb_store_path(const gb_store *store);
/* The head of its audit log as the catalogue knows it, which may be a few lines old. */
GB_API GB_MUST gb_status gb_store_audit_head(gb_store *store, gb_audit_head *out);

/* -- ingests: everything of one source file is in the catalogue at once, or not at all -- */
typedef struct gb_store_source {
    const char *path;     /* the file read, as the user wrote it */
    const char *checksum; /* hexadecimal BLAKE2b-256 of it, or "" */
    int64_t bytes;
    const char *map, *map_text; /* the stream map's name and its whole text */
    const char *policy;         /* of anonymising; "" none */
} gb_store_source;

typedef struct gb_store_counts {
    int64_t rows_read, rows_stored, rows_rejected, cells_bad, cells_missing;
    int64_t source_from, source_to; /* bytes of the source these rows are */
} gb_store_counts;

typedef struct gb_store_ingest gb_store_ingest;

/* *out_done is how far (bytes) an earlier ingest of the very same source by the same map came: 0
 * none, `bytes` all of it. Continue there, or leave it. */
GB_API GB_MUST gb_status gb_store_ingest_begin(gb_store *store,
                                               const gb_store_source *source,
                                               gb_store_ingest **out,
                                               int64_t *out_done);
/* Where recordings go; belongs to the ingest. Their names must be new in the store
 * (GB_ERR_ARGUMENT otherwise). A recording that ends is whole on disk but not yet in the catalogue.
 */
GB_API gb_sink *gb_store_ingest_sink(gb_store_ingest *ingest);
/* Appends to the ingest's rejects file (CSV: file,row,column,reason,text). */
GB_API GB_MUST gb_status gb_store_ingest_reject(gb_store_ingest *ingest,
                                                const char *file,
                                                int64_t row,
                                                const char *column,
                                                const char *reason,
                                                const char *text,
                                                size_t text_size);
/* Puts everything that ended since the last commit into the catalogue, with its counts, in one
 * transaction; a long source commits after each segment. state: what the reader needs to go on
 * later (state_size bytes, kept as they are; gb_store_ingest_state gives them back), or NULL. */
GB_API GB_MUST gb_status gb_store_ingest_commit(gb_store_ingest *ingest,
                                                const gb_store_counts *counts,
                                                const void *state,
                                                size_t state_size);
GB_API GB_MUST gb_status gb_store_ingest_state(gb_store_ingest *ingest,
                                               gb_arena *arena,
                                               const void **out_state,
                                               size_t *out_size);
/* Closes; what was not committed is gone. finished: the source was read to its end. */
GB_API GB_MUST gb_status gb_store_ingest_end(gb_store_ingest *ingest, bool finished);

/* -- looking and reading -- */
typedef struct gb_store_entry {
    int64_t id;
    const gb_recording_info *info;
    int64_t first_ns, last_ns;             /* of all samples */
    int64_t samples, bytes;                /* samples of all streams; bytes of the file */
    int64_t good, uncertain, bad, missing; /* samples of each quality */
    const char *checksum;                  /* hexadecimal BLAKE2b-256 of the file */
    const char *split;                     /* "train", ...; "" none */
    const char *file;                      /* relative to the store */
    int64_t ingest;                        /* the ingest it came by; 0: added as a file */
} gb_store_entry;

/* Which recordings: NULL or "" for all. A name is a pattern of fnmatch ("pusht/[0-9]*"). */
typedef struct gb_store_query {
    const char *name, *split, *owner, *residency, *stream;
    int64_t first_ns, end_ns; /* overlapping [first, end); both 0: any time */
} gb_store_query;

/* Calls back for each match in the order of names; texts are borrowed for the call. A status other
 * than GB_OK ends the listing and is returned. query NULL: all. */
typedef gb_status (*gb_store_visit)(void *context, const gb_store_entry *entry);
GB_API GB_MUST gb_status gb_store_list(gb_store *store,
                                       const gb_store_query *query,
                                       gb_store_visit visit,
                                       void *context);
GB_API GB_MUST gb_status gb_store_count(gb_store *store,
                                        const gb_store_query *query,
                                        int64_t *out_count);
/* GB_ERR_NOT_FOUND, for a query that found nothing: what was asked, and the first names there are.
 */
GB_API GB_MUST gb_status gb_store_none(gb_store *store, const gb_store_query *query);
/* What the catalogue knows of one stream; labels and pairs are in the recording only. */
typedef struct gb_store_stream {
    gb_stream_spec spec;
    int64_t samples, first_ns, last_ns;
    int64_t good, uncertain, bad, missing;
} gb_store_stream;
/* Calls back for each stream of the recording gb_store_entry.id, in their order. */
typedef gb_status (*gb_store_visit_stream)(void *context, const gb_store_stream *stream);
GB_API GB_MUST gb_status gb_store_streams(gb_store *store,
                                          int64_t recording,
                                          gb_store_visit_stream visit,
                                          void *context);
/* Hands a recording to a sink; checks its labels against the site for `use` and writes the audit
 * log. streams NULL: all of them. */
GB_API GB_MUST gb_status gb_store_emit(gb_store *store,
                                       const char *name,
                                       const char *const *streams,
                                       int stream_count,
                                       gb_use use,
                                       gb_sink *sink);
/* All matching recordings into memory, in the order of names, several at a time with a pool;
 * GB_ERR_MEMORY says how much they need. GB_ERR_NOT_FOUND: none matches. */
GB_API GB_MUST gb_status gb_store_load(gb_store *store,
                                       const gb_store_query *query,
                                       const char *const *streams,
                                       int stream_count,
                                       gb_use use,
                                       gb_pool *pool,
                                       gb_dataset **out);
/* Adds a recording file that is there already (one that genba wrote), under the name in it. */
GB_API GB_MUST gb_status gb_store_add(gb_store *store, const char *path);
/* Gives a share of the matching recordings to each split, drawn by seed: names and fractions
 * [count], which sum to at most 1; the same recording of the same seed always falls the same way.
 * Recordings of the same `group` pair fall together when group is not NULL. */
GB_API GB_MUST gb_status gb_store_split(gb_store *store,
                                        const gb_store_query *query,
                                        const char *const *names,
                                        const double *fractions,
                                        int count,
                                        const char *group,
                                        uint64_t seed);
/* Copies matching recordings out as plain MCAP files (checks GB_USE_EXPORT for each, all or none).
 */
GB_API GB_MUST gb_status gb_store_export(gb_store *store,
                                         const gb_store_query *query,
                                         const char *folder);
/* Takes matching recordings out of the catalogue; gc frees their files. */
GB_API GB_MUST gb_status gb_store_remove(gb_store *store,
                                         const gb_store_query *query,
                                         int64_t *out_count);

typedef struct gb_store_report {
    int64_t recordings, samples, bytes;
    int64_t leftovers, leftover_bytes; /* files that belong to no recording (stopped ingests) */
    int64_t wrong;                     /* recordings missing, cut or edited */
} gb_store_report;
/* Every recording's file is there, holds its checksum, reads to its end and has the samples the
 * catalogue says; the audit chain holds; counts add up. GB_ERR_CORRUPT names the first that does
 * not and how many; problem (NULL is fine) is told each. Leftovers are no error. */
typedef void (*gb_store_problem)(void *context, const char *message);
GB_API GB_MUST gb_status gb_store_verify(gb_store *store,
                                         gb_store_problem problem,
                                         void *context,
                                         gb_store_report *out);
/* Deletes leftovers that no running ingest owns. */
GB_API GB_MUST gb_status gb_store_gc(gb_store *store, gb_store_report *out);

#ifdef __cplusplus
}
#endif
#endif
