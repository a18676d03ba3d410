/* Private to record: what the parts of a store share. store.c opens and closes it and keeps the
 * rules (labels, audit), store_part.c writes its files, store_ingest.c puts recordings in,
 * store_read.c gives them out, store_split.c marks and removes, store_verify.c checks and cleans.
 */
#ifndef GENBA_RECORD_STORE_PRIVATE_H
#define GENBA_RECORD_STORE_PRIVATE_H

#include "record/catalogue.h"

#include <jansson.h>

#define GB_STORE_RECORDINGS "recordings"
#define GB_STORE_REJECTS "rejects"
#define GB_STORE_INGEST_PREFIX ".ingest-"

struct gb_store {
    char *path;
    gb_catalogue *catalogue;
    gb_site *found_site; /* owned, or NULL */
    const gb_site *site;
    gb_pool *pool; /* borrowed, or NULL */
    bool read_only, encrypted, has_key;
    gb_key key;         /* of recordings */
    gb_audit_head head; /* the last this process wrote */
    bool head_moved;    /* and the catalogue does not know yet */
};

/* "STORE/a/b" with b NULL or a name; the caller frees it. NULL and a message without memory. */
char *gb_store_join(const gb_store *store, const char *a, const char *b);
/* GB_ERR_ARGUMENT when the store was opened to be read only. */
GB_MUST gb_status gb_store_writable(const gb_store *store, const char *what);
/* Adds a line to the audit log; takes details over (NULL: none). Nothing for a read-only store. */
GB_MUST gb_status gb_store_audit(gb_store *store,
                                 const char *action,
                                 const char *object,
                                 json_t *details);
/* The same for many recordings: lines that name every one, as many as they need. */
GB_MUST gb_status gb_store_audit_names(gb_store *store,
                                       const char *action,
                                       const char *object,
                                       const gb_store_entry *entries,
                                       int64_t count);
/* Puts the log's head into the catalogue; in a transaction. */
GB_MUST gb_status gb_store_keep_head(gb_store *store);
/* May the recording be used so here? A refusal goes to the audit log. */
GB_MUST gb_status gb_store_allow(gb_store *store, const gb_recording_info *info, gb_use use);
/* A recording's file, decrypted. Any number of threads at once. */
GB_MUST gb_status gb_store_open_recording(const gb_store *store,
                                          const char *file,
                                          gb_bytes_in **out);
/* As gb_store_list, all at once and in the arena; the catalogue is free meanwhile. */
GB_MUST gb_status gb_store_find_all(gb_store *store,
                                    const gb_store_query *query,
                                    gb_arena *arena,
                                    gb_store_entry **out,
                                    int64_t *out_count);

/* What was written to a part, once it is closed. */
typedef struct gb_store_part {
    int64_t bytes;
    char checksum[2 * GB_HASH_BYTES + 1];
} gb_store_part;
/* A file as it is written: hashed on the way, on disk only after gb_store_sync_parts. `part` is
 * filled at close and must live until then. Abandoning deletes the file. */
GB_MUST gb_status gb_store_part_create(const char *path, gb_store_part *part, gb_bytes_out **out);
/* The files paths [count], of one file system, are on disk when this returns; or the folder is:
 * which files it has, not what is in them. */
GB_MUST gb_status gb_store_sync_files(const char *const *paths, int64_t count);
GB_MUST gb_status gb_store_sync_folder(const char *folder);

#endif
