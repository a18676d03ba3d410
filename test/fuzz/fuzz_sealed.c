/* An encrypted file with bytes changed, cut or added: it opens and reads as it was written, or is
 * refused. */
#include <stdlib.h>
#include <string.h>

#include "genba/store.h"
#include "record/memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    PLAIN = 70000
};

static const gb_key key = {{1}};

static unsigned char pattern(size_t at)
{
    return (unsigned char)(at * 7 + (at >> 9));
}

static void make(memory_file *file)
{
    gb_bytes_out *out = NULL;
    unsigned char *plain = malloc(PLAIN);
    for (size_t i = 0; i < PLAIN; i++)
        plain[i] = pattern(i);
    if (gb_bytes_out_encrypted(memory_file_write(file), &key, &out) != GB_OK ||
        out->write(out, plain, PLAIN) != GB_OK || out->close(out) != GB_OK)
        abort();
    free(plain);
}

/* Each three bytes of the input: where (16 bits of it), and what to change there. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memory_file file = {0};
    gb_bytes_in *in = NULL;
    make(&file);
    for (size_t i = 0; i + 3 < size && i < 300; i += 4) {
        size_t at = ((size_t)data[i] | (size_t)data[i + 1] << 8) * 2 + (data[i + 2] & 1);
        if (data[i + 2] & 2)
            file.size = at < file.size ? at : file.size;
        else if (at < file.size)
            file.data[at] ^= data[i + 3];
    }
    if (gb_bytes_in_encrypted(memory_file_read(&file), &key, &in) == GB_OK) {
        for (size_t i = 0; i + 3 < size; i += 4) {
            uint64_t at = (uint64_t)data[i] * 300 + data[i + 1];
            size_t count = (size_t)data[i + 2] * (data[i + 3] + 1u);
            const unsigned char *got = NULL;
            if (in->read(in, at, count, &got) == GB_OK)
                for (size_t k = 0; k < count; k++)
                    if (got[k] != pattern((size_t)at + k))
                        abort();
        }
        in->close(in);
    }
    memory_file_free(&file);
    return 0;
}
