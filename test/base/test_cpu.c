/* The processor table and the GENBA_ISA override. The table is found once a process, so every
 * question is asked in a child. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "genba/base.h"

static int ask(const char *isa, int (*question)(const gb_cpu *cpu))
{
    pid_t child = fork();
    if (child == 0) {
        if (isa == NULL)
            unsetenv("GENBA_ISA");
        else
            setenv("GENBA_ISA", isa, 1);
        _exit(question(gb_cpu_get()));
    }
    int result = 0;
    return waitpid(child, &result, 0) == child && WIFEXITED(result) ? WEXITSTATUS(result) : -1;
}

static int is_plausible(const gb_cpu *cpu)
{
    bool ordered = (!cpu->avx512 || cpu->avx2) && (!cpu->avx512_bf16 || cpu->avx512) &&
                   (!cpu->amx || cpu->avx512_bf16);
    return cpu->cores >= 1 && cpu->model[0] != 0 && ordered && cpu->used == cpu->best &&
           cpu->note[0] == 0 && cpu == gb_cpu_get();
}

static int uses_ref(const gb_cpu *cpu)
{
    return cpu->used == GB_ISA_REF && cpu->note[0] == 0;
}

static int keeps_best_and_says_why(const gb_cpu *cpu)
{
    return cpu->used == cpu->best && strstr(cpu->note, "GENBA_ISA=") != NULL;
}

static int amx_or_note(const gb_cpu *cpu)
{
    return cpu->best == GB_ISA_AMX ? cpu->used == GB_ISA_AMX && cpu->note[0] == 0
                                   : keeps_best_and_says_why(cpu);
}

static void table_is_plausible(void **state)
{
    (void)state;
    assert_int_equal(ask(NULL, is_plausible), 1);
    assert_int_equal(ask("", is_plausible), 1);
}

static void environment_lowers_the_level(void **state)
{
    (void)state;
    assert_int_equal(ask("ref", uses_ref), 1);
    assert_int_equal(ask("sse9", keeps_best_and_says_why), 1);
    assert_int_equal(ask("amx", amx_or_note), 1);
}

static void levels_have_names(void **state)
{
    (void)state;
    assert_string_equal(gb_isa_name(GB_ISA_REF), "ref");
    assert_string_equal(gb_isa_name(GB_ISA_AMX), "amx");
    assert_string_equal(gb_isa_name((gb_isa)77), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_plausible),
        cmocka_unit_test(environment_lowers_the_level),
        cmocka_unit_test(levels_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
