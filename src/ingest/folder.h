/* Private to ingest: the files under a folder that a stream map asks for. */
#ifndef GENBA_INGEST_FOLDER_H
#define GENBA_INGEST_FOLDER_H

#include "ingest/map.h"

typedef struct gb_folder_file {
    char *path; /* to open */
    char *name; /* relative to the folder, without its ending */
    int64_t bytes;
    /* A folder that is read as one source (pictures): the files in it that the map asks for, in
     * natural order, their names with endings. NULL: `path` is a file. */
    struct gb_folder_file *parts; /* [part_count] */
    int64_t part_count;
} gb_folder_file;

typedef struct gb_folder_files {
    gb_folder_file *files; /* [count], in the order of their paths */
    int64_t count, room;
    int64_t bytes; /* of all */
} gb_folder_files;

/* `path` may be a file: then that one, whatever its name. When the map's reader takes folders, the
 * files are gathered by the folder they lie in. GB_ERR_NOT_FOUND: no file matches. */
GB_MUST gb_status gb_folder_list(const gb_stream_map *map, const char *path, gb_folder_files *out);
void gb_folder_free(gb_folder_files *files);

/* Gathers files by their folders (folder_group.c); all of them, or none on failure. */
GB_MUST gb_status gb_folder_group(const gb_stream_map *map,
                                  const char *root,
                                  gb_folder_files *files);
/* What tells whether a gathered folder is the one that was read before: names, sizes, times and,
 * up to `whole_bytes` of them, contents. */
GB_MUST gb_status gb_folder_identify(const gb_stream_map *map,
                                     const gb_folder_file *folder,
                                     int64_t whole_bytes,
                                     unsigned char out[GB_HASH_BYTES]);

#endif
