/* The log: formats a line and hands it to the program's sink. Without a sink lines are dropped.
 * Not for failures (see status.c) and not for metrics. */
#include <stdio.h>

#include "genba/base.h"

static struct {
    gb_log_sink sink;
    void *context;
} log_state;

void gb_log_set_sink(gb_log_sink sink, void *context)
{
    log_state.sink = sink;
    log_state.context = context;
}

void gb_log(gb_log_level level, const char *format, ...)
{
    if (log_state.sink == NULL)
        return;
    char line[2048];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length >= 0)
        log_state.sink(log_state.context, level, line);
}
