/* A file in memory for tests: what is written stays after close and can be edited and read. */
#ifndef GENBA_TEST_MEMORY_FILE_H
#define GENBA_TEST_MEMORY_FILE_H

#include "genba/mcap.h"

#include <stdlib.h>
#include <string.h>

typedef struct memory_file {
    unsigned char *data; /* [size] */
    size_t size, room;
    bool closed, abandoned;
    size_t limit;     /* a write beyond it fails; 0: none */
    size_t most_read; /* bytes of the largest read */
} memory_file;

typedef struct memory_out {
    gb_bytes_out base;
    memory_file *file;
} memory_out;

static gb_status memory_write(gb_bytes_out *out, const void *data, size_t size)
{
    memory_file *file = ((memory_out *)out)->file;
    if (file->limit && file->size + size > file->limit)
        return gb_fail(GB_ERR_IO, "the disk is full");
    if (file->size + size > file->room) {
        file->room = 2 * (file->size + size);
        file->data = realloc(file->data, file->room);
    }
    memcpy(file->data + file->size, data, size);
    file->size += size;
    return GB_OK;
}

static gb_status memory_close(gb_bytes_out *out)
{
    ((memory_out *)out)->file->closed = true;
    free(out);
    return GB_OK;
}

static void memory_abandon(gb_bytes_out *out)
{
    ((memory_out *)out)->file->abandoned = true;
    free(out);
}

static inline gb_bytes_out *memory_file_write(memory_file *file)
{
    memory_out *out = malloc(sizeof *out);
    *out = (memory_out){{memory_write, memory_close, memory_abandon}, file};
    file->size = 0;
    file->closed = file->abandoned = false;
    return &out->base;
}

typedef struct memory_in {
    gb_bytes_in base;
    memory_file *file;
    unsigned char *last; /* reads are copies, so that sanitizers see a stale one used */
} memory_in;

static gb_status
memory_read(gb_bytes_in *base, uint64_t at, size_t size, const unsigned char **out_data)
{
    memory_in *in = (memory_in *)base;
    if (at > base->size || size > base->size - at)
        return gb_fail(GB_ERR_CORRUPT, "beyond the end");
    free(in->last);
    in->last = malloc(size + 1);
    memcpy(in->last, in->file->data + at, size);
    if (size > in->file->most_read)
        in->file->most_read = size;
    *out_data = in->last;
    return GB_OK;
}

static void memory_in_close(gb_bytes_in *base)
{
    free(((memory_in *)base)->last);
    free(base);
}

static inline gb_bytes_in *memory_file_read(memory_file *file)
{
    memory_in *in = malloc(sizeof *in);
    *in = (memory_in){{file->size, memory_read, memory_in_close, false, "memory"}, file, NULL};
    return &in->base;
}

static inline void memory_file_free(memory_file *file)
{
    free(file->data);
    *file = (memory_file){0};
}

#endif
