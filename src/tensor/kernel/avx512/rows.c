/* kernel/avx512/rows.c: the row kernels with 16 lanes. Compiled with avx512 instructions; nothing
 * here may be called before gb_kernels_of has said that the machine has them. */
#define GB_LANES 16
#define GB_ROWS_TABLE gb_kernels_avx512
#define GB_ROWS_NAME "avx512"
#include "tensor/kernel/rows_impl.h"
