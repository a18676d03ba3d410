/* The whole loop, and a disk that is full: the machine goes on, and people are told. */
#include "genba/control.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/scripted.h"

typedef struct heard {
    int notes;
    char last[512];
} heard;

static void note(void *context, const char *line)
{
    heard *h = context;
    h->notes++;
    snprintf(h->last, sizeof h->last, "%s", line);
}

/* A disk that is full is told while the run goes on, once. In a process of its own: the limit is
 * the process's. */
static int fill_the_disk(const char *path)
{
    script s = {0};
    heard h = {0};
    gb_link *link = NULL;
    gb_policy policy = {0};
    gb_blackbox *box = NULL;
    gb_control_result result;
    char part[80];
    if (gb_link_plant("pusht", NULL, &link) != GB_OK)
        return 5;
    gb_blackbox_options log = {.path = path,
                               .machine = link->machine,
                               .policy = &policy,
                               .tick_ns = link->machine->tick_ns};
    signal(SIGXFSZ, SIG_IGN);
    if (script_make(&s, link->machine, &policy) != GB_OK || gb_blackbox_open(&log, &box) != GB_OK)
        return 1;
    struct stat about;
    snprintf(part, sizeof part, "%s.part", path);
    if (stat(part, &about) != 0)
        return 6;
    rlim_t most = (rlim_t)about.st_size + 5000; /* a second's worth, not four */
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){most, most});
    gb_control_options o = gb_control_options_defaults();
    o.link = link;
    o.make = script_make;
    o.make_context = &s;
    o.switching = GB_SWITCH_PLAIN;
    o.note = note;
    o.context = &h;
    o.priority = 0;
    o.seconds = 4;
    o.blackbox = box;
    if (gb_control_run(&o, &result) != GB_OK)
        return 2;
    if (gb_blackbox_close(box, NULL) != GB_ERR_IO)
        return 3;
    gb_link_close(link);
    return h.notes == 1 && strstr(h.last, "black box cannot write") ? 0 : 4;
}

static void a_full_disk_is_told_at_once(void **state)
{
    (void)state;
    char folder[] = "/tmp/genba-full-XXXXXX", path[64], command[64];
    int status = -1;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/run.mcap", folder);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(fill_the_disk(path));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_is_told_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
