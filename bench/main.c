/* genba-bench NAME [--json] [--quick] [--bytes N] [--seconds N]: runs one benchmark from the table
 * below. To add one, write bench_<name>.c and add a row. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static const struct {
    const char *name, *what;
    int (*run)(const bench_options *options);
} benches[] = {
    {"gemm", "matrix products against oneDNN, and the share of the machine's peak", bench_gemm},
    {"attention", "attention alone, forward and backward, in the shapes of models",
     bench_attention},
    {"control", "one action chunk at batch 1 on one core: latency and allocations", bench_control},
    {"safety", "a million adversarial ticks through the envelope of each plant", bench_safety},
    {"servo", "the control loop at 1 kHz beside a loop that only sleeps (--seconds N)",
     bench_servo},
    {"pilot", "one decision through the pilot, batch 1, one core", bench_pilot},
    {"blackbox", "what every tick on record costs the servo, a core and the disk", bench_blackbox},
    {"faults", "the servo while links, disk and viewer fail around it (--seconds N each)",
     bench_faults},
    {"window", "512 rows x 8 channels at random places of a store, on one core", bench_window},
    {"train", "a 10.8 M-parameter language model against PyTorch", bench_train},
    {"csv", "a table of numbers in text into a store, against DuckDB writing Parquet", bench_csv},
    {"plant", "simulated machines against real time, and a picture of their cameras", bench_plant},
    {"mcap", "recording files: write and read of numeric streams", bench_mcap},
    {"clean", "units, ranges, times and spikes between a reader and a sink", bench_clean},
    {"language", "a byte-level model and its twin in PyTorch on the same batches", bench_language},
};
enum {
    BENCHES = sizeof benches / sizeof *benches
};

void bench_print(const bench_options *options, const bench_row *row)
{
    if (options->json) {
        printf("{\"bench\":\"%s\",\"case\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",", row->bench,
               row->name, row->value, row->unit);
        if (row->peer[0] == '\0')
            printf("\"peer\":null,\"peer_value\":null,\"ratio\":null,");
        else
            printf("\"peer\":\"%s\",\"peer_value\":%.6g,\"ratio\":%.4g,", row->peer,
                   row->peer_value, row->ratio);
        printf("\"threads\":%d,\"isa\":\"%s\"}\n", row->threads, row->isa);
    } else {
        printf("%-34s %d thread%s %-7s %10.4g %-8s", row->name, row->threads,
               row->threads == 1 ? " " : "s", row->isa, row->value, row->unit);
        if (row->peer[0] != '\0')
            printf(" %8.4g %s, ratio %.3f", row->peer_value, row->peer, row->ratio);
        printf("\n");
    }
    fflush(stdout);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, ascending);
    return count % 2 != 0 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
}

static int usage(FILE *out)
{
    fprintf(out, "usage: genba-bench NAME|all [--json] [--quick] [--bytes N] [--seconds N] "
                 "[--folder DIR] "
                 "[--write DIR] [--step-clock]\n");
    for (int i = 0; i < BENCHES; i++)
        fprintf(out, "  %-10s %s\n", benches[i].name, benches[i].what);
    return out == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
    bench_options options = {0};
    int chosen = -1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            options.json = true;
        else if (strcmp(argv[i], "--quick") == 0)
            options.quick = true;
        else if (strcmp(argv[i], "--step-clock") == 0)
            options.step_clock = true;
        else if (strcmp(argv[i], "--bytes") == 0 && i + 1 < argc)
            options.bytes = strtoll(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
            options.seconds = strtoll(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--folder") == 0 && i + 1 < argc)
            options.folder = argv[++i];
        else if (strcmp(argv[i], "--write") == 0 && i + 1 < argc)
            options.write = argv[++i];
        else if (strcmp(argv[i], "--help") == 0)
            return usage(stdout);
        else if (strcmp(argv[i], "all") == 0)
            chosen = BENCHES;
        else
            for (int b = 0; b < BENCHES; b++)
                if (strcmp(argv[i], benches[b].name) == 0)
                    chosen = b;
    }
    if (chosen < 0)
        return usage(stderr);
    if (chosen < BENCHES)
        return benches[chosen].run(&options);
    int code = 0;
    for (int b = 0; b < BENCHES; b++)
        code |= benches[b].run(&options);
    return code;
}
