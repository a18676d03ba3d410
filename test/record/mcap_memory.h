/* mcap_memory.h: a target of bytes in memory, for tests and fuzzing. */
#ifndef GENBA_TEST_MCAP_MEMORY_H
#define GENBA_TEST_MCAP_MEMORY_H

#include "genba/mcap.h"

#include <stdlib.h>
#include <string.h>

typedef struct memory_file {
    unsigned char *data;
    size_t size, capacity;
    bool closed;
} memory_file;

typedef struct memory_out {
    gb_bytes_out base;
    memory_file *file;
} memory_out;

static gb_status memory_write(gb_bytes_out *out, const void *data, size_t size)
{
    memory_file *file = ((memory_out *)out)->file;
    if (size > file->capacity - file->size) {
        size_t capacity = 2 * file->capacity + size;
        unsigned char *larger = realloc(file->data, capacity);
        if (larger == NULL)
            return gb_fail(GB_ERR_MEMORY, "no memory for a file in memory");
        file->data = larger;
        file->capacity = capacity;
    }
    if (size > 0)
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
    free(out);
}

/* What is written goes to *file, which must be zero at first; free file->data. */
static gb_bytes_out *memory_target(memory_file *file)
{
    memory_out *out = malloc(sizeof *out);
    if (out == NULL)
        abort();
    *out = (memory_out){{memory_write, memory_close, memory_abandon}, file};
    return &out->base;
}

#endif
