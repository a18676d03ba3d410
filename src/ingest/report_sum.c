/* Adding up what was read from several files. Filling a report is the readers' and filters' work,
 * telling it report.c's. */
#include "ingest/run.h"

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void add_texts(gb_ingest_report *sum, const gb_ingest_report *one)
{
    for (int i = 0; i < one->example_count && sum->example_count < GB_INGEST_EXAMPLES; i++)
        sum->examples[sum->example_count++] = one->examples[i];
    int kept = one->left_out_count < GB_INGEST_LEFT_OUT ? one->left_out_count : GB_INGEST_LEFT_OUT;
    for (int i = 0; i < kept && sum->left_out_count + i < GB_INGEST_LEFT_OUT; i++)
        sum->left_out[sum->left_out_count + i] = one->left_out[i];
    sum->left_out_count += one->left_out_count;
}

void gb_ingest_report_add(gb_ingest_report *sum, const gb_ingest_report *one)
{
    sum->bytes += one->bytes;
    sum->rows_read += one->rows_read;
    sum->rows_stored += one->rows_stored;
    sum->rows_rejected += one->rows_rejected;
    sum->cells_bad += one->cells_bad;
    sum->cells_missing += one->cells_missing;
    sum->cells_out_of_range += one->cells_out_of_range;
    sum->time_repeated += one->time_repeated;
    sum->time_backwards += one->time_backwards;
    sum->rows_duplicated += one->rows_duplicated;
    sum->gaps += one->gaps;
    sum->longest_gap_ns = larger(sum->longest_gap_ns, one->longest_gap_ns);
    sum->stuck_runs += one->stuck_runs;
    sum->longest_stuck = larger(sum->longest_stuck, one->longest_stuck);
    for (int r = 0; r < GB_REASON_COUNT; r++)
        sum->reasons[r] += one->reasons[r];
    for (int i = 0; i < one->clock_count && i < GB_INGEST_CLOCKS; i++)
        if (sum->clock_count + i < GB_INGEST_CLOCKS)
            sum->clocks[sum->clock_count + i] = one->clocks[i];
    sum->clock_count += one->clock_count;
    sum->longest_step_ns = larger(sum->longest_step_ns, one->longest_step_ns);
    sum->period_ns = one->period_ns;
    sum->jitter_ns = one->jitter_ns;
    sum->delimiter = one->delimiter;
    sum->decimal_comma = one->decimal_comma;
    sum->header = one->header;
    sum->byte_order_mark = one->byte_order_mark;
    sum->time_format = one->time_format;
    for (int i = 0; i < GB_INGEST_TEXT; i++)
        sum->time_column[i] = one->time_column[i];
    add_texts(sum, one);
}
