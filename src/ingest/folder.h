/* Private to ingest: the files under a folder that a stream map asks for. */
#ifndef GENBA_INGEST_FOLDER_H
#define GENBA_INGEST_FOLDER_H

#include "ingest/map.h"

typedef struct gb_folder_file {
    char *path; /* to open */
    char *name; /* relative to the folder, without its ending */
    int64_t bytes;
} gb_folder_file;

typedef struct gb_folder_files {
    gb_folder_file *files; /* [count], in the order of their paths */
    int64_t count, room;
    int64_t bytes; /* of all */
} gb_folder_files;

/* `path` may be a file: then that one, whatever its name. GB_ERR_NOT_FOUND: no file matches. */
GB_MUST gb_status gb_folder_list(const gb_stream_map *map, const char *path, gb_folder_files *out);
void gb_folder_free(gb_folder_files *files);

#endif
