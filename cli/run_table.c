/* What `genba run` prints at the end: scores, times, modes and reasons. */
#include "run_table.h"

#include "genba/eval.h"

#include <jansson.h>
#include <stdlib.h>

static double ms(double ns)
{
    return ns * 1e-6;
}

/* ---- JSON ---------------------------------------------------------------------------------------
 */

static json_t *timing_json(const gb_timing *t)
{
    return json_pack("{s:I, s:f, s:f, s:f, s:f}", "count", (json_int_t)t->count, "p50_ms",
                     ms(t->p50_ns), "p99_ms", ms(t->p99_ns), "p99_9_ms", ms(t->p999_ns), "max_ms",
                     ms(t->max_ns));
}

static json_t *reasons_json(const gb_control_result *c)
{
    json_t *reasons = json_object();
    for (int i = 0; i < GB_LIMIT_COUNT; i++)
        if (c->reasons[i] > 0)
            json_object_set_new(reasons, gb_limit_name((gb_limit)i), json_integer(c->reasons[i]));
    return reasons;
}

static json_t *modes_json(const gb_control_result *c)
{
    json_t *modes = json_object();
    for (int i = 0; i <= GB_MODE_STOPPED; i++)
        json_object_set_new(modes, gb_envelope_mode_name((gb_envelope_mode)i),
                            json_integer(c->modes[i]));
    return modes;
}

static void print_json(const run_outcome *o, const gb_interval *score)
{
    const gb_control_result *c = &o->control;
    const gb_timing *t = &c->inference;
    json_t *all = json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f}", "plant",
                            o->machine, "episodes", o->episodes, "decisions",
                            (json_int_t)c->decisions, "failures", (json_int_t)c->failures, "ticks",
                            (json_int_t)c->ticks, "late", (json_int_t)c->late, "without_chunk",
                            (json_int_t)c->without_chunk, "p50_ms", ms(t->p50_ns), "p99_ms",
                            ms(t->p99_ns), "p99_9_ms", ms(t->p999_ns), "max_ms", ms(t->max_ns));
    if (!all)
        return;
    if (o->episodes > 0) {
        json_object_set_new(all, "score", json_real(score->value));
        json_object_set_new(all, "score_low", json_real(score->low));
        json_object_set_new(all, "score_high", json_real(score->high));
        json_object_set_new(all, "success", json_real((double)o->successes / o->episodes));
    }
    json_object_set_new(all, "precision", json_string(o->precision));
    json_object_set_new(all, "period", timing_json(&c->period));
    json_object_set_new(all, "wake", timing_json(&c->wake));
    json_object_set_new(all, "busy", timing_json(&c->busy));
    json_object_set_new(all, "modes", modes_json(c));
    json_object_set_new(all, "reasons", reasons_json(c));
    json_object_set_new(all, "stepped", json_boolean(o->stepped));
    if (o->stepped) /* p50_ms ... are of this computer, this is of the virtual clock */
        json_object_set_new(all, "delay_ms", json_real(o->delay_ms));
    json_object_set_new(all, "jerk_rms", json_real(c->jerk_rms));
    json_object_set_new(all, "jerk_max", json_real(c->jerk_max));
    json_object_set_new(all, "switch_jump_rms", json_real(c->switch_jump_rms));
    json_object_set_new(all, "major_faults", json_integer(c->major_faults));
    json_object_set_new(all, "fifo", json_boolean(c->fifo));
    json_object_set_new(all, "memory_locked", json_boolean(c->memory_locked));
    json_object_set_new(all, "ticks_logged", json_integer(o->logged.ticks));
    json_object_set_new(all, "ticks_lost", json_integer(o->logged.ticks_lost));
    char *text = json_dumps(all, JSON_REAL_PRECISION(6));
    puts(text ? text : "{}");
    free(text);
    json_decref(all);
}

/* ---- text ---------------------------------------------------------------------------------------
 */

static void print_timing(const char *name, const gb_timing *t)
{
    if (t->count > 0)
        printf("%-12s p50 %9.4f   p99 %9.4f   p99.9 %9.4f   longest %9.4f ms\n", name,
               ms(t->p50_ns), ms(t->p99_ns), ms(t->p999_ns), ms(t->max_ns));
}

static void print_modes(const gb_control_result *c)
{
    printf("%-12s", "modes");
    for (int i = 0; i <= GB_MODE_STOPPED; i++)
        if (c->modes[i] > 0)
            printf(" %s %lld (%.2f %%)", gb_envelope_mode_name((gb_envelope_mode)i),
                   (long long)c->modes[i], 100.0 * (double)c->modes[i] / (double)c->ticks);
    printf("\n%-12s", "reasons");
    bool any = false;
    for (int i = 0; i < GB_LIMIT_COUNT; i++) {
        if (c->reasons[i] > 0)
            printf(" %s %lld", gb_limit_name((gb_limit)i), (long long)c->reasons[i]);
        any = any || c->reasons[i] > 0;
    }
    printf("%s\n", any ? "" : " none");
}

static void print_text(const run_outcome *o, const gb_interval *score)
{
    const gb_control_result *c = &o->control;
    if (o->episodes > 0)
        printf("%s, %d episode%s: mean score %.3f (95 %%: %.3f to %.3f), success %.2f (%d of %d)\n",
               o->machine, o->episodes, o->episodes == 1 ? "" : "s", score->value, score->low,
               score->high, (double)o->successes / o->episodes, o->successes, o->episodes);
    else
        printf("%s: %s\n", o->machine,
               o->behind_link ? "behind a link, which does not tell how the task went"
                              : "no episode came to its end");
    printf("%lld ticks, %lld late, %lld without a chunk; %lld decisions in %s, %lld failed%s\n",
           (long long)c->ticks, (long long)c->late, (long long)c->without_chunk,
           (long long)c->decisions, o->precision, (long long)c->failures,
           o->stepped ? " (stepped time)" : "");
    if (!o->stepped) {
        print_timing("tick", &c->period);
        print_timing("wake", &c->wake);
        print_timing("busy", &c->busy);
    }
    print_timing(o->stepped ? "inference" : "decision", &c->inference);
    if (o->stepped && c->decisions > 0)
        printf("%-12s on this computer; on the virtual clock a decision took %.4g ms (--delay)\n",
               "", o->delay_ms);
    print_modes(c);
    printf("%-12s jerk %.3g rms, %.3g at most; %.3g rms where chunks change (parts of the range)\n",
           "smoothness", c->jerk_rms, c->jerk_max, c->switch_jump_rms);
    if (!o->stepped)
        printf("%-12s %s, memory %s, %lld major page faults\n", "real time",
               c->fifo ? "SCHED_FIFO" : "normal priority",
               c->memory_locked ? "locked" : "not locked", (long long)c->major_faults);
    const gb_link_counts *l = &o->link;
    printf("%-12s %lld received, %lld sent; %lld lost, %lld repeated, %lld disordered, %lld "
           "corrupt, %lld misshapen, %lld unsent\n",
           "link", (long long)l->received, (long long)l->sent, (long long)l->lost,
           (long long)l->repeated, (long long)l->disordered, (long long)l->corrupt,
           (long long)l->misshapen, (long long)l->unsent);
    if (l->received == 0)
        printf("%-12s nothing that could be used came from the machine: %s\n", "",
               l->misshapen > 0 ? "what came has another map (genba machine --map FILE --layout)"
               : l->corrupt > 0
                   ? "what came was damaged, or only one side has the key, or another one"
                   : "is it on, and is its address the one of --link?");
    if (o->log)
        printf("%-12s %s: %lld ticks, %lld decisions; %lld and %lld lost\n", "black box", o->log,
               (long long)o->logged.ticks, (long long)o->logged.decisions,
               (long long)o->logged.ticks_lost, (long long)o->logged.decisions_lost);
    if (o->report)
        printf("%-12s %s\n", "report", o->report);
    if (!o->guarded)
        printf("It ran without an envelope: nothing here says that its commands are safe.\n");
}

gb_status run_table_print(const run_outcome *o, bool json)
{
    gb_interval score = {0};
    if (o->episodes > 0)
        GB_TRY(gb_bootstrap_mean(o->scores, o->episodes, 1, 1000, 1, &score));
    if (json)
        print_json(o, &score);
    else
        print_text(o, &score);
    return GB_OK;
}
