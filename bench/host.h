/* host.h: what the machine under a benchmark does to it: on a virtual machine the host takes the
 * cores away at times, and no program on it can do anything about that. */
#ifndef GENBA_BENCH_HOST_H
#define GENBA_BENCH_HOST_H

/* Seconds, of all cores, in which something here could have run and the host ran something else
 * (field "steal" of /proc/stat, proc(5)); 0 where it is not counted. */
double host_stolen_s(void);

#endif
