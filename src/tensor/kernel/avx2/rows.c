/* kernel/avx2/rows.c: the row kernels with 8 lanes. Compiled with avx2 instructions; nothing here
 * may be called before gb_kernels_of has said that the machine has them. */
#define GB_LANES 8
#define GB_ROWS_TABLE gb_kernels_avx2
#define GB_ROWS_NAME "avx2"
#include "tensor/kernel/rows_impl.h"
