/* A check of the whole engine by language: a byte-level model trained by genba, and the same model
 * in PyTorch from the same first weights on the same batches, judged on the same held-out windows.
 * The model and the text are examples/language.yaml's; batch, length and steps are small enough for
 * two cores. Prints both curves and the ratio of the last losses. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "bench.h"
#include "train/trainer.h"

enum {
    STEPS = 200,
    QUICK_STEPS = 40,
    EVERY = 20, /* steps between validations */
    BATCH = 8,
    LENGTH = 128,
    HELD_OUT = 64 /* windows */
};
#define FOLDER "build/bench-language"

typedef struct language {
    gb_recipe *recipe;
    gb_train_data *data;
    gb_model *model;
    gb_pool *pool;
    gb_trainer *trainer;
    gb_file_writer *batches;
    int steps, curve_count;
    double curve[STEPS / EVERY + 1];
} language;

static gb_status open_all(language *l)
{
    GB_TRY(gb_folder_create(FOLDER));
    GB_TRY(gb_recipe_load("examples/language.yaml", &l->recipe));
    gb_train_config *config = &l->recipe->train;
    l->recipe->model->codec.look_back = LENGTH;
    l->recipe->model->backbone.dropout = 0.0f;
    config->batch = BATCH;
    config->steps = l->steps;
    config->schedule.warmup_steps = l->steps / 10;
    config->validation_examples = HELD_OUT;
    config->ema = 0.0;
    /* PyTorch emulates bf16, very slowly, where the CPU does not compute in it. */
    config->precision = gb_cpu_get()->avx512_bf16 ? GB_BF16 : GB_F32;
    GB_TRY(gb_train_data_open(l->recipe, &l->data));
    GB_TRY(gb_model_create(l->recipe->model, 1, &l->model));
    GB_TRY(gb_train_data_index(l->data, l->model));
    GB_TRY(gb_pool_create(0, &l->pool));
    gb_train_source source = {.name = "text",
                              .windows = gb_train_data_windows(l->data, 0),
                              .held_out = gb_train_data_held_out(l->data, 0),
                              .weight = 1.0};
    GB_TRY(gb_trainer_create(l->model, config, &source, 1, 1, l->pool, &l->trainer));
    GB_TRY(gb_tensors_save(gb_model_weights(l->model), FOLDER "/initial.safetensors", NULL));
    return gb_file_writer_begin(FOLDER "/batches.i32", &l->batches);
}

/* What the trainer has just read: bytes and targets, [BATCH][LENGTH] each. */
static gb_status keep_batch(language *l, const gb_exec *exec)
{
    gb_tensor bytes = gb_exec_tensor(exec, "bytes"), target = gb_exec_tensor(exec, "target");
    GB_TRY(gb_file_writer_write(l->batches, bytes.data, gb_tensor_bytes(&bytes)));
    return gb_file_writer_write(l->batches, target.data, gb_tensor_bytes(&target));
}

/* The windows gb_trainer_validate reads: spread evenly. */
static gb_status keep_held_out(language *l)
{
    const gb_window_index *index = gb_train_data_held_out(l->data, 0);
    gb_file_writer *writer;
    GB_TRY(gb_file_writer_begin(FOLDER "/held_out.f32", &writer));
    for (int i = 0; i < HELD_OUT; i++) {
        float row[LENGTH + 1];
        double share = (double)i / HELD_OUT;
        gb_window_out out = {.past = row, .future = row + LENGTH};
        int64_t window = (int64_t)(share * (double)gb_window_count(index));
        gb_status status = gb_window_read(index, window, &out);
        if (status == GB_OK)
            status = gb_file_writer_write(writer, row, sizeof row);
        if (status != GB_OK) {
            gb_file_writer_abandon(writer);
            return status;
        }
    }
    return gb_file_writer_commit(writer);
}

static gb_status train(language *l)
{
    gb_train_step step;
    GB_TRY(keep_held_out(l));
    for (int i = 0; i <= l->steps; i++) {
        if (i % EVERY == 0) {
            GB_TRY(gb_trainer_validate(l->trainer, &l->curve[l->curve_count]));
            fprintf(stderr, "step %4d  genba held-out loss %.4f\n", i, l->curve[l->curve_count]);
            l->curve_count++;
        }
        if (i == l->steps)
            break;
        GB_TRY(gb_trainer_step(l->trainer, &step));
        GB_TRY(keep_batch(l, l->trainer->step_machine.exec));
    }
    gb_status status = gb_file_writer_commit(l->batches);
    l->batches = NULL;
    return status;
}

static gb_status write_setting(const language *l)
{
    const gb_train_config *c = &l->recipe->train;
    const gb_backbone_config *b = &l->recipe->model->backbone;
    gb_file_writer *writer;
    GB_TRY(gb_file_writer_begin(FOLDER "/setting.json", &writer));
    gb_status status = gb_file_writer_printf(
        writer,
        "{\"steps\": %d, \"every\": %d, \"batch\": %d, \"length\": %d, \"held_out\": %d, "
        "\"blocks\": %u, \"width\": %d, \"heads\": %d, \"kv_heads\": %d, \"theta\": %g, "
        "\"rate\": %g, \"beta1\": %g, \"beta2\": %g, \"epsilon\": %g, \"decay\": %g, "
        "\"clip\": %g, \"bf16\": %s, \"threads\": %d, \"factors\": [",
        l->steps, EVERY, BATCH, LENGTH, HELD_OUT, b->block_count, b->width, b->heads, b->kv_heads,
        (double)b->rope_theta, c->optimizer.rate, c->optimizer.beta1, c->optimizer.beta2,
        c->optimizer.epsilon, c->optimizer.weight_decay, c->clip,
        c->precision == GB_BF16 ? "true" : "false", gb_pool_threads(l->pool));
    for (int i = 0; i < l->steps && status == GB_OK; i++)
        status = gb_file_writer_printf(writer, "%s%.9g", i ? ", " : "",
                                       gb_schedule_factor(&c->schedule, i, l->steps));
    if (status == GB_OK)
        status = gb_file_writer_printf(writer, "]}\n");
    if (status != GB_OK) {
        gb_file_writer_abandon(writer);
        return status;
    }
    return gb_file_writer_commit(writer);
}

/* Reads "step loss" lines; false if PyTorch is not there. */
static bool run_peer(double *curve, int count)
{
    FILE *peer = popen("/usr/bin/python3 bench/peer/torch_language.py " FOLDER, "r");
    int step, got = 0;
    double loss;
    while (peer && got < count && fscanf(peer, "%d %lf", &step, &loss) == 2) {
        fprintf(stderr, "step %4d  PyTorch held-out loss %.4f\n", step, loss);
        curve[got++] = loss;
    }
    int code = peer ? pclose(peer) : -1;
    return got == count && code == 0;
}

static void print_curves(const bench_options *options, const language *l, const double *peer)
{
    for (int i = 0; i < l->curve_count; i++) {
        char name[64];
        snprintf(name, sizeof name, "held-out loss, step %d", i * EVERY);
        bench_print(options, &(bench_row){.bench = "language",
                                          .name = name,
                                          .value = l->curve[i],
                                          .unit = "nats/byte",
                                          .peer = peer ? "pytorch" : "",
                                          .peer_value = peer ? peer[i] : 0,
                                          .ratio = peer ? peer[i] / l->curve[i] : 0,
                                          .threads = gb_pool_threads(l->pool),
                                          .isa = gb_isa_name(gb_cpu_get()->used)});
    }
}

int bench_language(const bench_options *options)
{
    language l = {.steps = options->quick ? QUICK_STEPS : STEPS};
    double peer[STEPS / EVERY + 1];
    gb_status status = open_all(&l);
    if (status == GB_OK)
        status = train(&l);
    if (status == GB_OK)
        status = write_setting(&l);
    if (status == GB_OK) {
        bool there = run_peer(peer, l.curve_count);
        if (!there)
            fprintf(stderr, "PyTorch could not be run: install python3-torch for the comparison\n");
        print_curves(options, &l, there ? peer : NULL);
    } else {
        fprintf(stderr, "genba-bench language: %s\n", gb_error_message());
    }
    gb_file_writer_abandon(l.batches);
    gb_trainer_destroy(l.trainer);
    gb_pool_destroy(l.pool);
    gb_model_destroy(l.model);
    gb_train_data_destroy(l.data);
    gb_recipe_free(l.recipe);
    return status == GB_OK ? 0 : 1;
}
