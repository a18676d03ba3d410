/* Progress: a bar with rate, loss and time left on a terminal, plain lines elsewhere, nothing with
 * --json; and Ctrl-C. */
#include "cli.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH 28
#define REDRAW_NS 100000000
#define ESTIMATE_AFTER_S 2.0 /* what is left, once there is something to judge by */

static volatile int stop_requested;

static void on_signal(int number)
{
    stop_requested = 1;
    signal(number, SIG_DFL); /* a second one ends the program */
}

const volatile int *stop_flag(void)
{
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    if (signal(SIGHUP, on_signal) == SIG_IGN) /* the terminal has gone; not under nohup */
        signal(SIGHUP, SIG_IGN);
    return &stop_requested;
}

progress progress_start(bool json)
{
    return (progress){.terminal = isatty(STDERR_FILENO), .quiet = json, .tenths = -1};
}

void progress_close(progress *p)
{
    if (p->open)
        fputc('\n', stderr);
    p->open = false;
    p->tenths = -1;
}

const char *duration_text(double seconds, char *text, size_t size)
{
    if (!(seconds >= 0))
        snprintf(text, size, "?");
    else if (seconds < 60)
        snprintf(text, size, seconds < 10 ? "%.1f s" : "%.0f s", seconds);
    else if (seconds < 3600)
        snprintf(text, size, "%d min %02d s", (int)seconds / 60, (int)seconds % 60);
    else
        snprintf(text, size, "%d h %02d min", (int)seconds / 3600, (int)seconds / 60 % 60);
    return text;
}

/* True when this moment should be drawn; keeps bars and lines from flooding. */
static bool due(progress *p, double fraction)
{
    if (p->quiet)
        return false;
    int64_t now = gb_clock_monotonic_ns();
    if (p->terminal) {
        if (fraction < 1 && now - p->shown_ns < REDRAW_NS)
            return false;
        p->shown_ns = now;
        return true;
    }
    int tenths = (int)(fraction * 10);
    if (tenths == p->tenths)
        return false;
    p->tenths = tenths;
    return true;
}

static void draw(progress *p, const char *what, double fraction, const char *detail)
{
    if (!p->terminal) {
        fprintf(stderr, "%s %3.0f %%  %s\n", what, 100 * fraction, detail);
        return;
    }
    char bar[3 * BAR_WIDTH + 1] = "";
    for (int i = 0; i < BAR_WIDTH; i++)
        strcat(bar, (i + 0.5) / BAR_WIDTH < fraction ? "━" : "─");
    fprintf(stderr, "\r\033[K%s %s %3.0f %%  %s", what, bar, 100 * fraction, detail);
    p->open = true;
}

void progress_work(void *context, const char *what, double fraction)
{
    progress *p = context;
    if (strncmp(p->what, what, sizeof p->what - 1) != 0) {
        progress_close(p);
        snprintf(p->what, sizeof p->what, "%s", what);
        p->since_ns = p->shown_ns = gb_clock_monotonic_ns();
    }
    char detail[64], left[32];
    double seconds = (double)(gb_clock_monotonic_ns() - p->since_ns) * 1e-9;
    snprintf(detail, sizeof detail, "%s left",
             duration_text(fraction > 0 ? seconds * (1 / fraction - 1) : 0, left, sizeof left));
    if (seconds < ESTIMATE_AFTER_S || !(fraction > 0))
        *detail = 0;
    if (p->terminal && due(p, fraction))
        draw(p, what, fraction, fraction < 1 ? detail : "");
    else if (!p->terminal && fraction < 1 && *detail && due(p, fraction))
        draw(p, what, fraction, detail); /* a line for each tenth of what takes long */
    else if (!p->terminal && !p->quiet && fraction >= 1)
        fprintf(stderr, "%s done\n", what);
    if (fraction >= 1)
        progress_close(p);
}

static void say_plan(progress *p, const gb_train_progress *t)
{
    if (p->quiet)
        return;
    progress_close(p);
    fprintf(stderr, "%s: %.2f M parameters, %.2f GFLOP a step, %.0f MiB of memory\n", t->name,
            (double)t->parameters / 1e6, (double)t->memory.step_flops / 1e9,
            (double)t->memory.total_bytes / 1048576.0);
}

void progress_train(void *context, const gb_train_progress *t)
{
    progress *p = context;
    double fraction = t->steps > 0 ? (double)t->step / (double)t->steps : 0;
    char detail[200], left[32], held_out[48] = "";
    switch (t->phase) {
    case GB_TRAIN_PLANNED:
        say_plan(p, t);
        break;
    case GB_TRAIN_RESUMED:
        if (!p->quiet)
            fprintf(stderr, "%s: %s\n", t->name, t->message);
        break;
    case GB_TRAIN_STEPPING:
        if (!due(p, fraction))
            break;
        if (!isnan(t->validation_loss))
            snprintf(held_out, sizeof held_out, ", held out %.4f", t->validation_loss);
        snprintf(detail, sizeof detail, "step %lld/%lld  loss %.4f%s  %.0f examples/s  %s left",
                 (long long)t->step, (long long)t->steps, t->loss, held_out, t->examples_per_s,
                 duration_text(t->seconds_left, left, sizeof left));
        draw(p, t->name, fraction, detail);
        break;
    case GB_TRAIN_FINISHED:
        progress_close(p);
        break;
    default:
        break;
    }
}
