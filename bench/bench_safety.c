/* The safety bar: adversarial ticks through the envelope of each plant, judged by code that shares
 * nothing with the limiter (test/control/envelope_attack.h). Exit code 1 when anything was applied
 * that must not have been. */
#include "bench.h"

#include "../test/control/envelope_attack.h"

static void row(const bench_options *options,
                const char *plant,
                const char *what,
                double value,
                const char *unit)
{
    char name[64];
    snprintf(name, sizeof name, "%s %s", plant, what);
    bench_row r = {"safety", name, value, unit, "", 0, 0, 1, gb_isa_name(gb_cpu_get()->used)};
    bench_print(options, &r);
}

int bench_safety(const bench_options *options)
{
    int64_t ticks = options->quick ? 20000 : 1000000;
    int bad = 0;
    for (int i = 0; gb_plant_at(i); i++) {
        const char *plant = gb_plant_at(i)->name;
        char path[512];
        snprintf(path, sizeof path, "%s/examples/envelopes/%s.yaml", GENBA_SOURCE_DIR, plant);
        attack_report report;
        if (attack_run(plant, path, ticks, 1, &report) != GB_OK) {
            fprintf(stderr, "%s\n", gb_error_message());
            return 3;
        }
        row(options, plant, "ticks", (double)report.ticks, "");
        row(options, plant, "violations", (double)report.violations, "");
        row(options, plant, "separation, avoidable", (double)report.avoidable, "");
        row(options, plant, "separation, unavoidable",
            (double)(report.separation - report.avoidable), "");
        for (int m = 0; m <= GB_MODE_STOPPED; m++)
            row(options, plant, gb_envelope_mode_name((gb_envelope_mode)m), (double)report.modes[m],
                "ticks");
        row(options, plant, "envelope", report.tick_ns, "ns/tick");
        if (report.violations > 0)
            fprintf(stderr, "%s: %s\n", plant, report.first);
        bad += report.violations > 0 || report.avoidable > 0;
    }
    return bad > 0;
}
