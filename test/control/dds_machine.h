/* A small arm on the other end of a DDS link, in a process of its own: it goes where it is told at
 * once and says so 200 times a second. What it does wrong is told by a word. */
#ifndef GENBA_TEST_DDS_MACHINE_H
#define GENBA_TEST_DDS_MACHINE_H

#include "control/link_dds_end.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Discovery and data over loopback only, without multicast: needs no network and meets nobody. */
#define DDS_LOOPBACK                                                                               \
    "<CycloneDDS><Domain Id=\"any\"><General><Interfaces><NetworkInterface "                       \
    "address=\"127.0.0.1\"/>"                                                                      \
    "</Interfaces><AllowMulticast>false</AllowMulticast></General><Discovery>"                     \
    "<ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>40"                         \
    "</MaxAutoParticipantIndex><SPDPInterval>200ms</SPDPInterval>"                                 \
    "<LeaseDuration>2s</LeaseDuration><Peers><Peer Address=\"127.0.0.1\"/></Peers></Discovery>"
static const char dds_loopback[] = DDS_LOOPBACK "</Domain></CycloneDDS>";
/* One packet in five does not leave. */
static const char dds_lossy[] = DDS_LOOPBACK "<Internal><Test><XmitLossiness>200</XmitLossiness>"
                                             "</Test></Internal></Domain></CycloneDDS>";

/* Topics hold the tag, so that runs side by side do not meet. */
static const char dds_arm[] = "name: arm\n"
                              "rate_hz: 200\n"
                              "simulated: true\n"
                              "shared_clock: true\n"
                              "observations:\n"
                              "  - name: angle\n"
                              "    unit: rad\n"
                              "    topic: /%s/joint_states\n"
                              "    type: JointState\n"
                              "    field: position\n"
                              "    columns: [%s]\n"
                              "  - name: speed\n"
                              "    unit: deg/s\n"
                              "    source_unit: rad/s\n"
                              "    topic: /%s/joint_states\n"
                              "    type: JointState\n"
                              "    field: velocity\n"
                              "    columns: [%s]\n"
                              "actions:\n"
                              "  - name: target\n"
                              "    unit: rad\n"
                              "    topic: /%s/joint_trajectory\n"
                              "    type: JointTrajectory\n"
                              "    field: positions\n"
                              "    columns: [%s]\n";

static inline gb_link_map *dds_arm_map(const char *tag, const char *joints, const char *targets)
{
    char text[2048];
    snprintf(text, sizeof text, dds_arm, tag, joints, tag, joints, tag, targets);
    gb_link_map *map = NULL;
    if (gb_link_map_parse("arm.yaml", text, strlen(text), &map) != GB_OK)
        fprintf(stderr, "%s\n", gb_error_message());
    return map;
}

static inline void dds_sleep_ms(int milliseconds)
{
    struct timespec t = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* What the machine publishes in step n: angle = target, speed = deg/s of n rad/s. */
static inline void dds_machine_step(double *o, const double *target, int64_t n, const char *fault)
{
    for (int i = 0; i < 3; i++) {
        o[i] = target[i];
        o[3 + i] = 180 / 3.141592653589793 * (double)n;
    }
    if (strcmp(fault, "corrupt") == 0 && n % 2)
        o[1] = 0.0 / 0.0;
}

static inline gb_status
dds_machine_write(gb_dds_end *end, const double *o, int64_t n, const char *fault)
{
    int64_t now_ns = gb_clock_wall_ns();
    if (strcmp(fault, "drop") == 0 && n % 3)
        return GB_OK;
    if (strcmp(fault, "silent") == 0 && n >= 40 && n < 240) /* 1 s */
        return GB_OK;
    if (strcmp(fault, "reorder") == 0 && n % 2)
        now_ns -= 20000000;
    if (strcmp(fault, "delay") == 0)
        now_ns -= 50000000;
    if (strcmp(fault, "ahead") == 0)
        now_ns += 3600000000000;
    if (strcmp(fault, "unstamped") == 0)
        now_ns = 0;
    GB_TRY(gb_dds_end_write(end, o, now_ns));
    if (strcmp(fault, "duplicate") == 0)
        return gb_dds_end_write(end, o, now_ns);
    return GB_OK;
}

/* The process: runs until it is killed, 60 s at most. argv: --machine DOMAIN TAG JOINTS FAULT */
static inline int dds_machine_main(char **argv)
{
    const char *fault = argv[5];
    setenv("CYCLONEDDS_URI", strcmp(fault, "lossy") == 0 ? dds_lossy : dds_loopback, 1);
    gb_link_map *map = dds_arm_map(argv[3], argv[4], "b, a, c");
    gb_dds_end *end = NULL;
    if (!map || gb_dds_end_open(argv[2], map, GB_DDS_MACHINE, &end) != GB_OK) {
        fprintf(stderr, "machine: %s\n", gb_error_message());
        return 1;
    }
    double target[3] = {0}, received[8], o[6];
    int64_t times_ns[4];
    uint64_t sequence;
    uint32_t faults;
    for (int64_t n = 0; n < 12000; n++) {
        if (gb_dds_end_receive(end, received, times_ns, &sequence, &faults)) {
            target[0] = received[1]; /* commands say b, a, c */
            target[1] = received[0];
            target[2] = received[2];
        }
        dds_machine_step(o, target, n, fault);
        if (dds_machine_write(end, o, n, fault) != GB_OK)
            fprintf(stderr, "machine: %s\n", gb_error_message());
        dds_sleep_ms(5);
    }
    gb_dds_end_close(end);
    gb_link_map_destroy(map);
    return 0;
}

static inline pid_t
dds_machine_start(const char *domain, const char *tag, const char *joints, const char *fault)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "machine", "--machine", domain, tag, joints, fault, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static inline void dds_machine_stop(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

#endif
