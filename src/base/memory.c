/* Aligned, zeroed memory for large arrays, and how much of it this process could still get.
 * Not for small objects with one life: those belong into an arena. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "genba/base.h"

enum {
    ALIGNMENT = 64,
    HUGE_PAGE = 2 << 20,
    HUGE_FROM = 4 << 20
};

/* Lies in the 64 bytes before the pointer handed out. mapped_bytes 0 means malloc'ed. */
typedef struct memory_header {
    void *start;
    size_t mapped_bytes;
} memory_header;

_Static_assert(sizeof(memory_header) <= ALIGNMENT, "the header fits before the memory");

static void *take(unsigned char *memory, void *start, size_t mapped_bytes)
{
    memory_header *header = (memory_header *)(void *)(memory - ALIGNMENT);
    header->start = start;
    header->mapped_bytes = mapped_bytes;
    return memory;
}

/* The pages before and after the wanted range are given back, except the one with the header. */
static void *alloc_huge(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t payload = (bytes + page - 1) / page * page;
    size_t total = payload + HUGE_PAGE + page;
    unsigned char *start =
        mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        return NULL;
    uintptr_t wanted = ((uintptr_t)start + page + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    unsigned char *memory = start + (wanted - (uintptr_t)start);
    unsigned char *kept = memory - page;
    if (kept > start)
        munmap(start, (size_t)(kept - start));
    unsigned char *end = memory + payload;
    if (end < start + total)
        munmap(end, (size_t)(start + total - end));
    madvise(memory, payload, MADV_HUGEPAGE); /* a hint: refusal changes speed only */
    return take(memory, kept, payload + page);
}

void *gb_aligned_alloc(size_t bytes)
{
    void *memory = NULL;
    if (bytes <= SIZE_MAX / 4) {
        if (bytes >= HUGE_FROM) {
            memory = alloc_huge(bytes);
        } else {
            size_t total = ALIGNMENT + (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
            total += bytes == 0 ? ALIGNMENT : 0;
            unsigned char *start = aligned_alloc(ALIGNMENT, total);
            if (start != NULL) {
                memset(start, 0, total);
                memory = take(start + ALIGNMENT, start, 0);
            }
        }
    }
    if (memory == NULL)
        (void)gb_fail(GB_ERR_MEMORY,
                      "cannot get %zu bytes of memory: about %llu are free; use a smaller batch, "
                      "model or window, or a machine with more memory",
                      bytes, (unsigned long long)gb_memory_available_bytes());
    return memory;
}

void gb_aligned_free(void *memory)
{
    if (memory == NULL)
        return;
    memory_header *header = (memory_header *)(void *)((unsigned char *)memory - ALIGNMENT);
    if (header->mapped_bytes > 0)
        munmap(header->start, header->mapped_bytes);
    else
        free(header->start);
}

/* Finds "key   123 ..." in a small text file of the kernel; false when file or key is missing.
 * An empty key reads the number the file starts with. */
static bool read_number(const char *path, const char *key, uint64_t *out)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    char line[256];
    size_t key_length = strlen(key);
    bool found = false;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, key_length) != 0)
            continue;
        char *end = NULL;
        unsigned long long value = strtoull(line + key_length, &end, 10);
        if (end != line + key_length) {
            *out = value;
            found = true;
        }
    }
    fclose(file);
    return found;
}

/* What a control group of version 2 at `folder` leaves; page cache can be dropped and counts free.
 * UINT64_MAX when it sets no limit. */
static uint64_t group_available(const char *folder)
{
    char path[1024];
    uint64_t limit = 0, used = 0, cache = 0;
    snprintf(path, sizeof path, "%s/memory.max", folder);
    if (!read_number(path, "", &limit))
        return UINT64_MAX;
    snprintf(path, sizeof path, "%s/memory.current", folder);
    if (!read_number(path, "", &used))
        return UINT64_MAX;
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    (void)read_number(path, "inactive_file ", &cache);
    used = used > cache ? used - cache : 0;
    return limit > used ? limit - used : 0;
}

static uint64_t group_limit(void)
{
    uint64_t least = group_available("/sys/fs/cgroup");
    uint64_t limit = 0, used = 0;
    if (read_number("/sys/fs/cgroup/memory/memory.limit_in_bytes", "", &limit) &&
        read_number("/sys/fs/cgroup/memory/memory.usage_in_bytes", "", &used)) {
        uint64_t rest = limit > used ? limit - used : 0;
        least = rest < least ? rest : least;
    }
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (file == NULL)
        return least;
    char line[512];
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "0::/", 4) != 0)
            continue;
        line[strcspn(line, "\n")] = 0;
        char folder[640];
        snprintf(folder, sizeof folder, "/sys/fs/cgroup%s", line + 3);
        uint64_t rest = group_available(folder);
        least = rest < least ? rest : least;
    }
    fclose(file);
    return least;
}

uint64_t gb_memory_available_bytes(void)
{
    uint64_t kibibytes = 0, machine = 0;
    if (read_number("/proc/meminfo", "MemAvailable:", &kibibytes))
        machine = kibibytes * 1024;
    else
        machine = (uint64_t)sysconf(_SC_AVPHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t group = group_limit();
    return group < machine ? group : machine;
}
