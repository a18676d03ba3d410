/* A report as lines of text, for whoever prints. */
#include "genba/ingest.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct teller {
    gb_status (*visit)(void *context, const char *line);
    void *context;
} teller;

static GB_PRINTF(2, 3) gb_status tell(const teller *t, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    return t->visit(t->context, line);
}

static gb_status tell_count(const teller *t, const char *what, int64_t count, const char *how)
{
    return count == 0 ? GB_OK : tell(t, "%-22s %12" PRId64 "  %s", what, count, how);
}

static gb_status tell_cleaning(const teller *t, const gb_ingest_report *r)
{
    GB_TRY(tell_count(t, "cells missing", r->cells_missing, "empty, a word for it or a sentinel"));
    GB_TRY(tell_count(t, "cells wrong", r->cells_bad, "stored as missing"));
    GB_TRY(tell_count(t, "cells out of range", r->cells_out_of_range, "kept, quality bad"));
    GB_TRY(tell_count(t, "times repeated", r->time_repeated, "rows with the stamp before"));
    GB_TRY(tell_count(t, "rows duplicated", r->rows_duplicated, "of these: every value repeats"));
    GB_TRY(tell_count(t, "times stepping back", r->time_backwards, "rows before the row before"));
    if (r->gaps > 0)
        GB_TRY(tell(t, "%-22s %12" PRId64 "  the longest %.6g s", "gaps", r->gaps,
                    (double)r->longest_gap_ns * 1e-9));
    if (r->stuck_runs > 0)
        GB_TRY(tell(t, "%-22s %12" PRId64 "  the longest %" PRId64 " samples", "stuck runs",
                    r->stuck_runs, r->longest_stuck));
    return GB_OK;
}

static gb_status tell_clocks(const teller *t, const gb_ingest_report *r)
{
    int kept = r->clock_count < GB_INGEST_CLOCKS ? r->clock_count : GB_INGEST_CLOCKS;
    for (int i = 0; i < kept; i++) {
        const gb_ingest_clock *clock = &r->clocks[i];
        GB_TRY(tell(t,
                    "clock %s: offset %.9g s, rate %.4g ppm, residual %.3g s, %" PRId64
                    " windows, %" PRId64 " restarts",
                    clock->device, clock->offset_s, clock->rate * 1e6, clock->residual_s,
                    clock->windows, clock->resets));
    }
    return GB_OK;
}

gb_status gb_ingest_report_lines(const gb_ingest_report *report,
                                 gb_status (*visit)(void *context, const char *line),
                                 void *context)
{
    teller t = {visit, context};
    GB_TRY(tell(&t, "%-22s %12" PRId64 "  = %" PRId64 " stored + %" PRId64 " rejected", "rows read",
                report->rows_read, report->rows_stored, report->rows_rejected));
    GB_TRY(tell_cleaning(&t, report));
    for (int r = GB_REASON_NONE + 1; r < GB_REASON_COUNT; r++)
        if (report->reasons[r] > 0)
            GB_TRY(tell(&t, "samples %-14s %12" PRId64 "  quality %s", gb_reason_name((gb_reason)r),
                        report->reasons[r], gb_quality_name(gb_reason_quality((gb_reason)r))));
    return tell_clocks(&t, report);
}
