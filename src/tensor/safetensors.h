/* tensor/safetensors.h: reading from any seekable stream, for files and for tests. */
#ifndef GENBA_TENSOR_SAFETENSORS_H
#define GENBA_TENSOR_SAFETENSORS_H

#include <stdio.h>

#include "genba/tensor.h"

/* `name` stands for the file in messages; size: bytes in the stream, read from its start. */
GB_MUST gb_status gb_tensors_read(FILE *file, const char *name, uint64_t size, gb_tensors **out);

#endif
