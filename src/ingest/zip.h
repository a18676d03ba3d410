/* Private to ingest: the files inside a zip archive (PKWARE APPNOTE 6.3), stored or deflated, zip64
 * too. Nothing is unpacked to disk; each is read from front to back, or anywhere when stored. */
#ifndef GENBA_INGEST_ZIP_H
#define GENBA_INGEST_ZIP_H

#include "genba/base.h"

#define GB_ZIP_ENTRIES_MAX 65536
#define GB_ZIP_NAME_MAX 1023

typedef struct gb_zip_entry {
    const char *name;
    int64_t at, packed, size; /* where its bytes begin, how many, and how many they become */
    uint32_t crc;
    bool deflated, has_crc;
} gb_zip_entry;

/* A file open for reading at any place. */
typedef struct gb_zip_file {
    int file;
    int64_t bytes;
    const char *origin; /* for messages; borrowed */
} gb_zip_file;

/* A regular file; GB_ERR_IO otherwise. */
GB_MUST gb_status gb_zip_file_open(const char *path, gb_zip_file *out);
void gb_zip_file_close(gb_zip_file *file);
/* Exactly `size` bytes at `at`; GB_ERR_CORRUPT when the file ends before. */
GB_MUST gb_status gb_zip_file_read(const gb_zip_file *file, int64_t at, void *to, size_t size);

/* The archive's directory, in its order. GB_ERR_CORRUPT: cut, or the directory and the files do not
 * agree; GB_ERR_UNSUPPORTED: encrypted, in several parts, another compression. */
GB_MUST gb_status gb_zip_list(const gb_zip_file *file,
                              gb_arena *arena,
                              gb_zip_entry **out,
                              int *out_count);

/* The bytes of one entry. */
typedef struct gb_zip_stream gb_zip_stream;
GB_MUST gb_status gb_zip_stream_open(const gb_zip_file *file,
                                     const gb_zip_entry *entry,
                                     gb_zip_stream **out);
void gb_zip_stream_close(gb_zip_stream *stream); /* NULL is fine */
/* Bytes [at, at + size) of what is inside. Going back in a deflated entry starts it over. */
GB_MUST gb_status gb_zip_stream_read(gb_zip_stream *stream, int64_t at, void *to, size_t size);
/* Reads what is left and compares the checksum. */
GB_MUST gb_status gb_zip_stream_finish(gb_zip_stream *stream);

#endif
