/* What the processor can do, found once, and which level of kernels to use.
 * Not for tile configuration: that is per thread and belongs to the AMX kernels. */
#include <cpuid.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "genba/base.h"

enum {
    ARCH_GET_PERMISSION = 0x1022,
    ARCH_REQUEST_PERMISSION = 0x1023,
    TILE_DATA = 18
};

static struct {
    pthread_once_t once;
    gb_cpu cpu;
    char note[160];
} found = {.once = PTHREAD_ONCE_INIT};

static const char *const isa_names[GB_ISA_COUNT] = {"ref", "avx2", "avx512", "amx"};

const char *gb_isa_name(gb_isa isa)
{
    return (unsigned)isa < GB_ISA_COUNT ? isa_names[isa] : "unknown";
}

static uint64_t enabled_states(void)
{
    uint32_t low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* AMX registers may be used only after the kernel was asked; the answer is per process. */
static bool request_amx(void)
{
    uint64_t granted = 0;
    if (syscall(SYS_arch_prctl, ARCH_GET_PERMISSION, &granted) == 0 && (granted >> TILE_DATA & 1))
        return true;
    if (syscall(SYS_arch_prctl, ARCH_REQUEST_PERMISSION, TILE_DATA) != 0)
        return false;
    granted = 0;
    return syscall(SYS_arch_prctl, ARCH_GET_PERMISSION, &granted) == 0 &&
           (granted >> TILE_DATA & 1);
}

static bool all(uint32_t word, uint32_t mask)
{
    return (word & mask) == mask;
}

/* Bits: Intel's Software Developer's Manual, volume 2A, CPUID, and volume 1, chapter 13 (XCR0). */
static void find_features(gb_cpu *cpu)
{
    uint32_t a = 0, b = 0, c = 0, d = 0, c1 = 0, unused = 0;
    if (!__get_cpuid(1, &a, &b, &c1, &d))
        return;
    cpu->carry_less = all(c1, 1u << 1 | 1u << 19); /* 1.ECX: PCLMULQDQ 1, SSE4.1 19 */
    if (!(c1 >> 27 & 1))                           /* OSXSAVE */
        return;
    uint64_t states = enabled_states();
    bool ymm = (states & 0x6) == 0x6, zmm = (states & 0xE6) == 0xE6;
    bool tiles = (states >> 17 & 3) == 3;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return;
    uint32_t leaf7_count = a, leaf7_ebx = b, leaf7_edx = d;
    uint32_t a1 = 0;
    if (leaf7_count >= 1)
        (void)__get_cpuid_count(7, 1, &a1, &unused, &unused, &unused);
    /* 1.ECX: FMA 12, F16C 29; 7.EBX: AVX2 5, AVX512 F 16, DQ 17, BW 30, VL 31 */
    cpu->avx2 = ymm && all(c1, 1u << 12 | 1u << 29) && all(leaf7_ebx, 1u << 5);
    cpu->avx512 = cpu->avx2 && zmm && all(leaf7_ebx, 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31);
    cpu->avx512_bf16 = cpu->avx512 && all(a1, 1u << 5);
    /* 7.EDX: AMX BF16 22, TILE 24, INT8 25 */
    cpu->amx = cpu->avx512_bf16 && tiles && all(leaf7_edx, 1u << 22 | 1u << 24 | 1u << 25) &&
               request_amx();
}

static void find_model(char model[64])
{
    uint32_t words[13] = {0};
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t *w = words + 4 * i;
        if (!__get_cpuid(0x80000002u + i, w, w + 1, w + 2, w + 3)) {
            snprintf(model, 64, "unknown");
            return;
        }
    }
    const char *text = (const char *)words;
    text += strspn(text, " ");
    snprintf(model, 64, "%.48s", text);
    for (size_t end = strlen(model); end > 0 && model[end - 1] == ' '; end--)
        model[end - 1] = 0;
}

/* Cores in the affinity mask, or fewer when the control group grants less processor time. */
static int find_cores(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    long count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                             : sysconf(_SC_NPROCESSORS_ONLN);
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (file != NULL) {
        long long quota = 0, period = 0;
        if (fscanf(file, "%lld %lld", &quota, &period) == 2 && quota > 0 && period > 0) {
            long granted = (long)((quota + period - 1) / period);
            count = granted < count ? granted : count;
        }
        fclose(file);
    }
    return count < 1 ? 1 : (int)count;
}

static bool runs(const gb_cpu *cpu, gb_isa isa)
{
    switch (isa) {
    case GB_ISA_REF:
        return true;
#ifdef GENBA_BUILT_AVX2
    case GB_ISA_AVX2:
        return cpu->avx2;
#endif
#ifdef GENBA_BUILT_AVX512
    case GB_ISA_AVX512:
        return cpu->avx512;
#endif
#ifdef GENBA_BUILT_AMX
    case GB_ISA_AMX:
        return cpu->amx;
#endif
    default:
        (void)cpu;
        return false;
    }
}

static void choose(gb_cpu *cpu)
{
    cpu->best = GB_ISA_REF;
    for (int isa = GB_ISA_REF; isa < GB_ISA_COUNT; isa++)
        if (runs(cpu, (gb_isa)isa))
            cpu->best = (gb_isa)isa;
    cpu->used = cpu->best;
    const char *asked = getenv("GENBA_ISA");
    if (asked == NULL || asked[0] == 0)
        return;
    for (int isa = GB_ISA_REF; isa < GB_ISA_COUNT; isa++) {
        if (strcmp(asked, isa_names[isa]) != 0)
            continue;
        if (runs(cpu, (gb_isa)isa))
            cpu->used = (gb_isa)isa;
        else
            snprintf(found.note, sizeof found.note,
                     "GENBA_ISA=%s: this machine or this build lacks it; using %s", asked,
                     isa_names[cpu->best]);
        return;
    }
    snprintf(found.note, sizeof found.note,
             "GENBA_ISA=%.32s is not known (ref, avx2, avx512, amx); using %s", asked,
             isa_names[cpu->best]);
}

static void find_cpu(void)
{
    find_model(found.cpu.model);
    find_features(&found.cpu);
    found.cpu.cores = find_cores();
    choose(&found.cpu);
    found.cpu.note = found.note;
}

const gb_cpu *gb_cpu_get(void)
{
    pthread_once(&found.once, find_cpu);
    return &found.cpu;
}
