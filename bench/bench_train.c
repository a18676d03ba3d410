/* Training the 10.8 M-parameter language model (6 layers, width 384, 6 heads, batch 16 x 256 bytes)
 * on two threads: tokens a second, arithmetic by 6 N D, its share of the measured peak, memory, and
 * where the time goes; beside PyTorch on the same model and batch (bench/peer/torch_gpt.py, run as
 * a child process right after). */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench.h"
#include "genba/train.h"
#include "peak.h"

enum {
    THREADS = 2,
    BATCH = 16,
    LENGTH = 256,
    LAYERS = 6,
    TEXT_BYTES = 1 << 18,
    STEPS_MAX = 200
};

typedef struct peer_result {
    double tokens_per_s, peak_mib; /* 0: not measured */
} peer_result;

typedef struct setting {
    const char *name;
    gb_dtype precision;
} setting;

static void need(gb_status status)
{
    if (status == GB_OK)
        return;
    fprintf(stderr, "genba-bench: %s\n", gb_error_message());
    exit(1);
}

/* ---- data and model ---------------------------------------------------------------------------
 */
static gb_dataset *make_text(void)
{
    gb_recording_info info = {.name = "random bytes"};
    gb_stream_spec spec = gb_stream_spec_defaults("text");
    gb_recording_builder *builder;
    gb_recording *recording;
    gb_dataset *dataset;
    int stream;
    int64_t *time_ns = calloc(TEXT_BYTES, sizeof *time_ns);
    float *values = calloc(TEXT_BYTES, sizeof *values);
    if (!time_ns || !values)
        exit(1);
    for (int i = 0; i < TEXT_BYTES; i++) {
        time_ns[i] = i;
        values[i] = (float)gb_random_below(1, 1, (uint64_t)i, 256);
    }
    spec.kind = GB_STREAM_TEXT;
    need(gb_recording_builder_create(&info, &builder));
    need(gb_recording_builder_stream(builder, &spec, &stream));
    need(gb_recording_builder_append(builder, stream, TEXT_BYTES, time_ns, values, NULL));
    need(gb_recording_builder_finish(builder, &recording));
    need(gb_dataset_create(&dataset));
    need(gb_dataset_add(dataset, recording));
    free(time_ns);
    free(values);
    return dataset;
}

static gb_model *make_model(void)
{
    static gb_block_kind blocks[LAYERS];
    for (int i = 0; i < LAYERS; i++)
        blocks[i] = GB_BLOCK_ATTENTION;
    gb_model_config config = {
        .name = (char *)(uintptr_t) "gpt",
        .codec = {.kind = GB_CODEC_BYTES, .look_back = LENGTH},
        .backbone = {.width = 384,
                     .blocks = blocks,
                     .block_count = LAYERS,
                     .heads = 6,
                     .ffn = 1024,
                     .rope_theta = 1e4f},
        .head = {.kind = GB_HEAD_TOKEN},
    };
    gb_model *model;
    need(gb_model_create(&config, 1, &model));
    return model;
}

/* ---- measuring --------------------------------------------------------------------------------
 */
static double peak_mib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024.0;
}

/* The median seconds of a step. */
static double time_steps(gb_trainer *trainer, double seconds)
{
    double times[STEPS_MAX];
    size_t count = 0;
    gb_train_step step;
    need(gb_trainer_step(trainer, &step));
    need(gb_trainer_step(trainer, &step));
    int64_t begin = gb_clock_monotonic_ns();
    while (count < STEPS_MAX &&
           (count < 3 || (double)(gb_clock_monotonic_ns() - begin) / 1e9 < seconds)) {
        int64_t at = gb_clock_monotonic_ns();
        need(gb_trainer_step(trainer, &step));
        times[count++] = (double)(gb_clock_monotonic_ns() - at) / 1e9;
    }
    return bench_median(times, count);
}

/* A machine without bf16 instructions emulates them in PyTorch: a peer that needs minutes a step is
 * given up on, and its column stays empty. */
static peer_result run_peer(const char *precision, const char *form, double seconds)
{
    char command[4096], line[1024] = "";
    snprintf(command, sizeof command,
             "timeout -s KILL %d /usr/bin/python3 %s/bench/peer/torch_gpt.py --threads %d "
             "--precision %s --form %s --seconds %g 2>/dev/null",
             (int)(60.0 + 6.0 * seconds), GENBA_SOURCE_DIR, THREADS, precision, form, seconds);
    peer_result result = {0};
    FILE *child = popen(command, "r");
    if (!child)
        return result;
    if (!fgets(line, sizeof line, child))
        line[0] = 0;
    pclose(child);
    json_t *object = json_loads(line, 0, NULL);
    result.tokens_per_s = json_number_value(json_object_get(object, "tokens_per_s"));
    result.peak_mib = json_number_value(json_object_get(object, "peak_mib"));
    json_decref(object);
    return result;
}

static void print_row(const bench_options *options,
                      const char *name,
                      double value,
                      const char *unit,
                      const char *peer,
                      double peer_value,
                      bool less_is_better)
{
    double ratio = less_is_better ? peer_value / value : value / peer_value;
    bench_row row = {"train",
                     name,
                     value,
                     unit,
                     peer_value > 0.0 ? peer : "",
                     peer_value,
                     peer_value > 0.0 ? ratio : 0.0,
                     THREADS,
                     gb_isa_name(gb_cpu_get()->used)};
    bench_print(options, &row);
}

static void report(const bench_options *options,
                   const setting *s,
                   const gb_model *model,
                   double seconds_a_step,
                   double memory_mib)
{
    char name[64];
    double tokens = BATCH * LENGTH / seconds_a_step, time = options->quick ? 4.0 : 20.0;
    double gflops = 6.0 * (double)gb_model_parameter_count(model) * tokens / 1e9;
    gb_isa isa = gb_cpu_get()->used;
    bool tiles = s->precision == GB_BF16 && isa == GB_ISA_AMX;
    double peak = THREADS * (tiles ? bench_peak_amx_gflops() : bench_peak_fma_gflops(isa));
    peer_result same = run_peer(s->name, "same", time), plain = run_peer(s->name, "gpt2", time);
    snprintf(name, sizeof name, "gpt 10.8M %s", s->name);
    print_row(options, name, tokens, "tokens/s", "PyTorch", same.tokens_per_s, false);
    snprintf(name, sizeof name, "gpt 10.8M %s, peer GPT-2 form", s->name);
    print_row(options, name, tokens, "tokens/s", "PyTorch", plain.tokens_per_s, false);
    snprintf(name, sizeof name, "gpt 10.8M %s, 6ND", s->name);
    print_row(options, name, gflops, "GFLOP/s", "", 0.0, false);
    snprintf(name, sizeof name, "gpt 10.8M %s, share of %s peak", s->name, tiles ? "AMX" : "FMA");
    print_row(options, name, peak > 0.0 ? 100.0 * gflops / peak : 0.0, "%", "", 0.0, false);
    snprintf(name, sizeof name, "gpt 10.8M %s, peak memory", s->name);
    print_row(options, name, memory_mib, "MiB", "PyTorch", same.peak_mib, true);
}

static void measure(const bench_options *options, const setting *s, const gb_dataset *dataset)
{
    gb_model *model = make_model();
    gb_window_spec spec;
    gb_window_index *windows;
    gb_pool *pool;
    gb_trainer *trainer;
    static char profile[8192];
    need(gb_model_window_spec(model, dataset, &spec));
    need(gb_window_index_create(dataset, &spec, NULL, 0, &windows));
    need(gb_pool_create(THREADS, &pool));
    gb_train_config config = gb_train_config_defaults();
    config.batch = BATCH;
    config.steps = 100000;
    config.ema = 0.0;
    config.precision = s->precision;
    gb_train_source source = {"text", windows, NULL, 1.0};
    need(gb_trainer_create(model, &config, &source, 1, 1, pool, &trainer));
    double seconds = time_steps(trainer, options->quick ? 4.0 : 20.0), memory = peak_mib();
    report(options, s, model, seconds, memory);
    if (!options->json) {
        gb_train_step step;
        (void)gb_trainer_profile(trainer, profile, sizeof profile);
        for (int i = 0; i < 3; i++)
            need(gb_trainer_step(trainer, &step));
        printf("where the time of 3 steps goes (%s):\n%s", s->name,
               gb_trainer_profile(trainer, profile, sizeof profile));
    }
    gb_trainer_destroy(trainer);
    gb_pool_destroy(pool);
    gb_window_index_destroy(windows);
    gb_model_destroy(model);
}

int bench_train(const bench_options *options)
{
    static const setting settings[] = {{"bf16", GB_BF16}, {"f32", GB_F32}};
    gb_dataset *dataset = make_text();
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        measure(options, &settings[i], dataset);
    gb_dataset_destroy(dataset);
    return 0;
}
