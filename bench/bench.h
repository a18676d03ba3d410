/* What the benchmarks share: one row of results, its two ways of printing, and medians. */
#ifndef GENBA_BENCH_H
#define GENBA_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "genba/base.h"

typedef struct bench_options {
    bool json;          /* one JSON object a line, else a table */
    bool quick;         /* fewer repetitions */
    bool step_clock;    /* faults: may set this computer's clock a minute ahead and back */
    int64_t bytes;      /* of the input, where a benchmark makes it; 0: its own choice */
    int64_t seconds;    /* how long to run, where that can be chosen; 0: its own choice */
    const char *folder; /* --folder: where files go; NULL: chosen by the benchmark */
    const char *write;  /* --write: put example files there instead of measuring; NULL: measure */
} bench_options;

/* ratio > 1 means that genba is better, whatever the unit. peer "" means no peer. */
typedef struct bench_row {
    const char *bench, *name;
    double value;
    const char *unit, *peer;
    double peer_value, ratio;
    int threads;
    const char *isa;
} bench_row;

void bench_print(const bench_options *options, const bench_row *row);
/* Sorts values. */
double bench_median(double *values, size_t count);

int bench_gemm(const bench_options *options);
int bench_language(const bench_options *options);
int bench_attention(const bench_options *options);
int bench_blackbox(const bench_options *options);
int bench_clean(const bench_options *options);
int bench_control(const bench_options *options);
int bench_csv(const bench_options *options);
int bench_faults(const bench_options *options);
int bench_mcap(const bench_options *options);
int bench_safety(const bench_options *options);
int bench_pilot(const bench_options *options);
int bench_servo(const bench_options *options);
int bench_plant(const bench_options *options);
int bench_train(const bench_options *options);
int bench_window(const bench_options *options);

#endif
