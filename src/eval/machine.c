/* eval/machine.c: where figures were measured: the facts that stand under every report. */
#include "genba/eval.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#define FACTS_MAX 12
#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

typedef struct fact_list {
    gb_arena *arena;
    gb_report_fact *facts;
    int count;
    bool failed;
} fact_list;

static void add(fact_list *list, const char *label, char *value)
{
    if (!value || list->count == FACTS_MAX) {
        list->failed = true;
        return;
    }
    list->facts[list->count++] = (gb_report_fact){label, value};
}

/* The name of the distribution, "" when it does not say. */
static void system_name(gb_arena *arena, char *out, size_t size)
{
    char *text = NULL;
    size_t length = 0;
    out[0] = 0;
    if (!gb_file_exists("/etc/os-release") ||
        gb_file_read("/etc/os-release", 65536, arena, &text, &length) != GB_OK)
        return;
    const char *at = strstr(text, "PRETTY_NAME=\"");
    if (!at)
        return;
    at += strlen("PRETTY_NAME=\"");
    snprintf(out, size, "%.*s", (int)strcspn(at, "\"\n"), at);
}

gb_status
gb_report_machine_facts(gb_arena *arena, int threads, const gb_report_fact **out, int *out_count)
{
    fact_list list = {.arena = arena};
    const gb_cpu *cpu = gb_cpu_get();
    struct utsname name;
    struct rusage usage;
    char system[128];
    list.facts = gb_arena_alloc(arena, FACTS_MAX * sizeof *list.facts);
    if (!list.facts)
        return GB_ERR_MEMORY;
    system_name(arena, system, sizeof system);
    add(&list, "processor", gb_arena_format(arena, "%s, %d cores", cpu->model, cpu->cores));
    add(&list, "instruction set",
        gb_arena_format(arena, "%s%s%s", gb_isa_name(cpu->used), *cpu->note ? ": " : "",
                        cpu->note));
    add(&list, "threads", gb_arena_format(arena, "%d", threads));
    if (uname(&name) == 0)
        add(&list, "system",
            gb_arena_format(arena, "%s, %s %s %s", *system ? system : "unknown", name.sysname,
                            name.release, name.machine));
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        add(&list, "peak memory",
            gb_arena_format(arena, "%.0f MiB", (double)usage.ru_maxrss / 1024.0));
    add(&list, "compiler", gb_arena_text(arena, COMPILER));
    add(&list, "genba", gb_arena_text(arena, gb_version()));
    if (list.failed)
        return gb_fail(GB_ERR_MEMORY, "report: no memory for the machine's facts");
    *out = list.facts;
    *out_count = list.count;
    return GB_OK;
}
