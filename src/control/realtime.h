/* control/realtime.h: what is asked of the operating system so that a thread wakes on time. Each
 * request may be refused; the loop then runs without it and says so. Private to the room. */
#ifndef GENBA_CONTROL_REALTIME_H
#define GENBA_CONTROL_REALTIME_H

#include "genba/base.h"

#define GB_REALTIME_NOTE 256 /* bytes of a note */

/* Each returns whether it was granted; if not, note says what was refused, what follows from it and
 * what to do. */
bool gb_realtime_lock_memory(char note[GB_REALTIME_NOTE]); /* the whole process, from now on */
void gb_realtime_unlock_memory(void);
/* The calling thread. who: "servo". */
bool gb_realtime_fifo(const char *who, int priority, char note[GB_REALTIME_NOTE]);
bool gb_realtime_pin(const char *who, int core, char note[GB_REALTIME_NOTE]);
/* Touches as much of the calling thread's stack as the loop may use. */
void gb_realtime_prefault_stack(void);
/* Major page faults of the calling thread so far. */
int64_t gb_realtime_major_faults(void);
/* Sleeps until a time of gb_clock_monotonic_ns; returns at once when it has passed. */
void gb_realtime_sleep_until(int64_t time_ns);

#endif
