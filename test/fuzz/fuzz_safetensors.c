/* Any bytes as a safetensors file: a status with a message or tensors that fit in it. */
#include <stdlib.h>

#include "tensor/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FILE *file = size > 0 ? fmemopen((void *)(uintptr_t)data, size, "rb") : NULL;
    gb_tensors *set = NULL;
    if (!file)
        return 0;
    gb_status status = gb_tensors_read(file, "fuzz", size, &set);
    fclose(file);
    size_t bytes = 0;
    for (int64_t i = 0; status == GB_OK && i < gb_tensors_count(set); i++)
        bytes += gb_tensor_bytes(gb_tensors_at(set, i, NULL));
    if (bytes > size || (status != GB_OK && (set || gb_error_message()[0] == 0)))
        abort();
    gb_tensors_destroy(set);
    return 0;
}
