/* Private to ingest: what a reader of one file format is. Adding a format is one file with one of
 * these and one line in the table of reader.c. */
#ifndef GENBA_INGEST_READER_H
#define GENBA_INGEST_READER_H

#include "ingest/folder.h"
#include "ingest/map.h"

#include "genba/sink.h"

/* Where rejected rows and drift go, and who is told how far reading is. */
typedef struct gb_ingest_watch {
    void *context;
    /* One rejected row or sample; column "" is the whole row. Counted in the report by the reader.
     * NULL: nobody keeps them. */
    gb_status (*reject)(void *context,
                        const char *file,
                        int64_t row,
                        const char *column,
                        const char *reason,
                        const char *text,
                        size_t text_size);
    /* The file has no longer what the map says: a column renamed, missing, extra, another unit. */
    gb_status (*drift)(void *context, const char *file, const char *message);
    /* Called now and then with the bytes read so far. GB_ERR_INTERRUPTED stops the reader at the
     * next row: it ends the open recordings properly and returns GB_ERR_INTERRUPTED. */
    gb_status (*progress)(void *context, int64_t bytes_done, int64_t bytes_all);
    /* Long sources: all recordings begun have ended, and everything before byte `source_to` of the
     * file is handed over; `state` is what resuming there needs. NULL: nobody resumes. */
    gb_status (*segment)(void *context, int64_t source_to, const void *state, size_t state_size);
} gb_ingest_watch;

/* One file to be read, or one folder. Everything is borrowed; nothing here is NULL but watch's
 * functions and parts. */
typedef struct gb_source {
    const gb_stream_map *map;
    const char *path, *name; /* the file; the recording's name, or the beginning of it */
    const gb_folder_file
        *parts; /* [part_count] files of a folder (gb_reader_takes_folders), NULL */
    int64_t part_count;
    const gb_ingest_options *options;
    gb_ingest_report *report;
    const gb_ingest_watch *watch;
    gb_sink *sink;
    int64_t resume_at; /* byte to go on at, with the state of that segment; 0: the beginning */
    const void *resume_state;
    size_t resume_state_size;
} gb_source;

typedef struct gb_reader {
    const char *name;
    bool resumes;            /* calls watch->segment and can go on at resume_at */
    const char *const *ends; /* file names it is guessed for, ".csv", ends with NULL */
    /* Reads one file by a map: begins, fills and ends recordings of the sink. Whoever calls
     * abandons what is open after a failure. Adds to the report also when it fails. */
    gb_status (*read)(const gb_source *source);
    /* Writes a stream map (YAML text in the arena) for a file nobody described; NULL: not guessed.
     */
    gb_status (*guess)(const char *path,
                       const gb_ingest_options *options,
                       gb_arena *arena,
                       const char **out_yaml);
} gb_reader;

/* The reader of that name, or NULL. */
const gb_reader *gb_reader_find(const char *name);
/* The reader for a file's name or first bytes, or NULL. */
const gb_reader *gb_reader_for_file(const char *path);
/* Reads all files of a folder into one recording; never a file alone: then parts is that file. */
bool gb_reader_takes_folders(const gb_reader *reader);

/* The texts of a recording as the map has them. */
gb_recording_info gb_map_info(const gb_stream_map *map, const char *name, const char *source);

#endif
