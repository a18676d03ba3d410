/* kernel/rows.c: picks the table of row kernels for this machine. The kernels themselves: ref/, and
 * rows_impl.h compiled once for each instruction set. */
#include "tensor/kernel/kernel.h"

const gb_kernels *gb_kernels_of(gb_isa isa)
{
    const gb_kernels *const tables[GB_ISA_COUNT] = {
        [GB_ISA_REF] = &gb_kernels_ref,
        [GB_ISA_AVX2] = &gb_kernels_avx2,
        [GB_ISA_AVX512] = &gb_kernels_avx512,
        [GB_ISA_AMX] = &gb_kernels_avx512,
    };
    if (isa < GB_ISA_REF || isa >= GB_ISA_COUNT || isa > gb_cpu_get()->best)
        return NULL;
    return tables[isa];
}

const gb_kernels *gb_kernels_get(void)
{
    return gb_kernels_of(gb_cpu_get()->used);
}
