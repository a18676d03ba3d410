/* control/control_stepped.c: the loop on a virtual clock, in one thread, as fast as it goes: for
 * tests, evaluation and scores. The same seeds give the same bits. */
#include "control/loop.h"

#include <time.h>

#define FIRST_NS INT64_C(1000000000)       /* of the virtual clock */
#define BEHIND_MOST_NS INT64_C(4000000000) /* of the black box, whose ring holds ten seconds */
#define WAITS_MOST 1000

typedef struct thinking {
    bool busy;
    int64_t ready_ns; /* when the chunk arrives */
} thinking;

/* What the pilot does at the instant of a tick. */
static void pilot_at(gb_loop *loop, thinking *t, int64_t now_ns)
{
    if (t->busy && now_ns >= t->ready_ns) {
        gb_pilot_publish(loop->pilot, t->ready_ns);
        t->busy = false;
    }
    if (t->busy || !gb_pilot_due(loop->pilot))
        return;
    gb_pilot_think(loop->pilot, now_ns);
    t->ready_ns = now_ns + loop->options.delay_ns;
    t->busy = loop->options.delay_ns > 0;
    if (!t->busy)
        gb_pilot_publish(loop->pilot, now_ns);
}

/* The black box's writer has a real clock: it is waited for when it falls behind, so that no tick
 * is lost only because the virtual clock is fast. */
static void wait_for_blackbox(const gb_loop *loop)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    gb_blackbox_counts counts = {.status = GB_OK};
    for (int i = 0; loop->options.blackbox && i < WAITS_MOST; i++) {
        gb_blackbox_counts_now(loop->options.blackbox, &counts);
        int64_t behind = loop->servo->tally.ticks - counts.ticks - counts.ticks_lost;
        if (behind < BEHIND_MOST_NS / loop->machine.tick_ns || counts.status != GB_OK)
            return;
        nanosleep(&moment, NULL);
    }
}

static gb_loop_end run_episode(gb_loop *loop, int64_t *now_ns)
{
    thinking t = {0};
    for (;; *now_ns += loop->machine.tick_ns) {
        gb_servo_sense(loop->servo, *now_ns, *now_ns);
        if (loop->pilot)
            pilot_at(loop, &t, *now_ns);
        gb_servo_act(loop->servo);
        wait_for_blackbox(loop);
        gb_loop_end end = gb_loop_after_tick(loop, *now_ns);
        if (end == GB_LOOP_GOES_ON)
            continue;
        if (t.busy) /* the servo drops what belongs to another episode */
            gb_pilot_publish(loop->pilot, t.ready_ns);
        *now_ns += loop->machine.tick_ns;
        return end;
    }
}

gb_status gb_loop_run_stepped(gb_loop *loop)
{
    int64_t now_ns = FIRST_NS;
    for (int episode = 0;; episode++) {
        GB_TRY(gb_loop_begin(loop, episode, now_ns));
        gb_loop_end end = run_episode(loop, &now_ns);
        if (!gb_loop_next(loop, episode, end))
            return GB_OK;
    }
}
