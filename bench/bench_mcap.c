/* Recording files: megabytes of numeric messages written and read a second, on two threads, in
 * memory (/dev/shm) and on a disk; by the clock, and by processor time (a core), which other
 * programs on the machine do not change. --write DIR instead writes one file of each kind with
 * known contents, for other programs to read (bench/judge/mcap_judge.py knows them too). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"
#include "genba/mcap.h"

enum {
    BATCH_BYTES = 64 << 10, /* of a message */
    COLUMNS = 8,
    BATCHES = 512, /* distinct ones, 32 MiB; then they repeat */
    ROUNDS_MAX = 5,
    THREADS = 2
};

static const char *const kinds[] = {"none", "lz4", "zstd"};

static void check(gb_status status)
{
    if (status == GB_OK)
        return;
    fprintf(stderr, "genba-bench: %s\n", gb_error_message());
    exit(1);
}

/* What machines record: times 1 ms apart, then rows of eight slow waves with noise, read by a
 * converter of 16 bits. */
static unsigned char *make_batches(void)
{
    unsigned char *batches = gb_aligned_alloc((size_t)BATCHES * BATCH_BYTES);
    if (batches == NULL)
        check(GB_ERR_MEMORY);
    int64_t rows = BATCH_BYTES / (8 + 4 * COLUMNS), row = 0;
    for (int b = 0; b < BATCHES; b++) {
        unsigned char *at = batches + (size_t)b * BATCH_BYTES;
        for (int64_t i = 0; i < rows; i++, row++) {
            int64_t time_ns = row * 1000000 + gb_random_u32(1, 0, (uint64_t)row) % 2000;
            memcpy(at + 8 * i, &time_ns, 8);
            for (int c = 0; c < COLUMNS; c++) {
                double wave = sin((double)row * 1e-3 * (c + 1)) * 0.4;
                double noise = 3e-4 * (double)gb_random_normal(2, (uint64_t)c, (uint64_t)row);
                float value = (float)(round((wave + noise) * 32768.0) / 32768.0 * 10.0);
                memcpy(at + 8 * rows + 4 * (i * COLUMNS + c), &value, 4);
            }
        }
    }
    return batches;
}

/* Seconds by the clock and of processor time, of all threads and the kernel for them. */
typedef struct span {
    double wall, processor;
} span;

static span now(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const struct timeval *user = &usage.ru_utime, *kernel = &usage.ru_stime;
    return (span){(double)gb_clock_monotonic_ns() * 1e-9,
                  (double)(user->tv_sec + kernel->tv_sec) +
                      (double)(user->tv_usec + kernel->tv_usec) * 1e-6};
}

static span since(span start)
{
    span end = now();
    return (span){end.wall - start.wall, end.processor - start.processor};
}

static span write_file(const char *path,
                       gb_compression compression,
                       const unsigned char *batches,
                       int messages,
                       gb_pool *pool)
{
    gb_mcap_writer_options options = gb_mcap_writer_options_defaults();
    options.compression = compression;
    options.pool = pool;
    span start = now();
    gb_bytes_out *to = NULL;
    gb_mcap_writer *writer = NULL;
    check(gb_bytes_out_file(path, &to));
    check(gb_mcap_writer_create(to, &options, &writer));
    gb_mcap_channel channel = {.topic = "/machine/spindle", .encoding = "raw"};
    gb_mcap_message message = {.size = BATCH_BYTES};
    check(gb_mcap_write_channel(writer, &channel, &message.channel_id));
    for (int i = 0; i < messages; i++) {
        message.sequence = (uint32_t)i;
        message.log_time_ns = message.publish_time_ns = (uint64_t)i * 1000000;
        message.data = batches + (size_t)(i % BATCHES) * BATCH_BYTES;
        check(gb_mcap_write_message(writer, &message));
    }
    check(gb_mcap_writer_finish(writer));
    return since(start);
}

/* All checksums are checked on the way. */
static span read_file(const char *path, int messages, uint64_t *out_file_bytes)
{
    span start = now();
    gb_bytes_in *in = NULL;
    gb_mcap_reader *reader = NULL;
    check(gb_bytes_in_file(path, &in));
    *out_file_bytes = in->size;
    check(gb_mcap_reader_create(in, &reader));
    int count = 0;
    for (bool have = true; have; count += have) {
        gb_mcap_message message;
        check(gb_mcap_next(reader, &message, &have));
    }
    gb_mcap_reader_destroy(reader);
    if (count != messages)
        check(gb_fail(GB_ERR_CORRUPT, "%s: %d messages came back of %d", path, count, messages));
    return since(start);
}

static void print(const bench_options *options,
                  const char *what,
                  const char *kind,
                  const char *folder,
                  double value,
                  const char *unit,
                  int threads)
{
    char name[256];
    snprintf(name, sizeof name, "%s %s %s", what, kind, folder);
    bench_row row = {.bench = "mcap", .name = name, .value = value, .unit = unit, .peer = ""};
    row.threads = threads;
    row.isa = gb_isa_name(gb_cpu_get()->used);
    bench_print(options, &row);
}

typedef struct series {
    double wall[ROUNDS_MAX], processor[ROUNDS_MAX]; /* MB/s */
} series;

static void note(series *to, int round, double megabytes, span took)
{
    to->wall[round] = megabytes / took.wall;
    to->processor[round] = megabytes / took.processor;
}

static void print_series(const bench_options *options,
                         const char *what,
                         const char *kind,
                         const char *folder,
                         series *of,
                         int rounds,
                         int threads)
{
    char name[128];
    double wall = bench_median(of->wall, (size_t)rounds);
    double processor = bench_median(of->processor, (size_t)rounds);
    print(options, what, kind, folder, wall, "MB/s", threads);
    snprintf(name, sizeof name, "%s (processor time)", what);
    print(options, name, kind, folder, processor, "MB/s", 1);
}

static void run_folder(const bench_options *options,
                       const char *folder,
                       const unsigned char *batches,
                       gb_pool *pool)
{
    int messages = options->quick ? 2048 : 8192; /* 128 MiB, 512 MiB */
    int rounds = options->quick ? 3 : ROUNDS_MAX;
    double megabytes = (double)messages * BATCH_BYTES * 1e-6;
    char path[4096];
    snprintf(path, sizeof path, "%s/genba-bench-%ld.mcap", folder, (long)getpid());
    for (int kind = 0; kind < 3; kind++) {
        series writes, reads;
        uint64_t file_bytes = 0;
        for (int r = 0; r < rounds; r++) {
            span took = write_file(path, (gb_compression)kind, batches, messages, pool);
            note(&writes, r, megabytes, took);
            note(&reads, r, megabytes, read_file(path, messages, &file_bytes));
            unlink(path);
        }
        print_series(options, "write", kinds[kind], folder, &writes, rounds, THREADS);
        print_series(options, "read", kinds[kind], folder, &reads, rounds, 1);
        print(options, "file size over messages", kinds[kind], folder,
              (double)file_bytes * 1e-6 / megabytes, "1", THREADS);
    }
}

/* ---- files of known contents ---- */

/* Byte k of message i is (i * 31 + k * 7 + k / 256) % 256; its length (i * 97) % 5000. */
static void write_known_message(gb_mcap_writer *writer, int i, const uint16_t *channels)
{
    unsigned char data[5000];
    gb_mcap_message message = {
        .channel_id = channels[i % 3],
        .sequence = (uint32_t)i,
        .log_time_ns = (uint64_t)(1700000000000000000 + i * 1000 - (i % 7 == 6 ? 2500 : 0)),
        .publish_time_ns = (uint64_t)(1700000000000000000 + i * 1000 - 10),
        .data = data,
        .size = (size_t)(i * 97 % 5000)};
    for (size_t k = 0; k < message.size; k++)
        data[k] = (unsigned char)((size_t)i * 31 + k * 7 + k / 256);
    check(gb_mcap_write_message(writer, &message));
}

static void write_known_file(const char *path, const gb_mcap_writer_options *options)
{
    enum {
        MESSAGES = 500
    };
    gb_bytes_out *to = NULL;
    gb_mcap_writer *writer = NULL;
    check(gb_bytes_out_file(path, &to));
    check(gb_mcap_writer_create(to, options, &writer));
    const char text[] = "float64 x\nfloat64 y";
    gb_mcap_schema schema = {0, "lab/Point", "ros2msg", (const void *)text, sizeof text - 1};
    uint16_t schema_id = 0, channels[3];
    check(gb_mcap_write_schema(writer, &schema, &schema_id));
    const gb_pair pairs[] = {{"unit", "m"}, {"場所", "三号機"}};
    static const char *const topics[] = {"/point", "/plain", "/温度"};
    for (int i = 0; i < 3; i++) {
        gb_mcap_channel channel = {.topic = topics[i], .encoding = i == 0 ? "cdr" : "raw"};
        channel.schema_id = i == 0 ? schema_id : 0;
        channel.pairs = pairs;
        channel.pair_count = i;
        check(gb_mcap_write_channel(writer, &channel, &channels[i]));
    }
    for (int i = 0; i < MESSAGES; i++) {
        write_known_message(writer, i, channels);
        if (i == 123) {
            gb_mcap_attachment attachment = {
                11, 12, "notes.txt", "text/plain", (const void *)"tightened the belt", 18};
            check(gb_mcap_write_attachment(writer, &attachment));
        }
        if (i == 200) {
            gb_mcap_metadata metadata = {"labels", pairs, 2};
            check(gb_mcap_write_metadata(writer, &metadata));
        }
    }
    check(gb_mcap_writer_finish(writer));
}

static int write_known_files(const char *folder)
{
    gb_pool *pool = NULL;
    check(gb_folder_create(folder));
    check(gb_pool_create(THREADS, &pool));
    for (int number = 0; number < 24; number++) {
        gb_mcap_writer_options options = gb_mcap_writer_options_defaults();
        options.chunked = number % 2 == 0;
        options.compression = (gb_compression)(number / 2 % 3);
        options.indexes = number / 6 % 2 == 0;
        options.crcs = number / 12 == 0;
        options.chunk_bytes = 100000;
        options.pool = pool;
        options.profile = "genba";
        char path[4096];
        snprintf(path, sizeof path, "%s/%s-%s-%s-%s.mcap", folder,
                 options.chunked ? "chunks" : "loose", kinds[options.compression],
                 options.indexes ? "indexed" : "plain", options.crcs ? "crc" : "nocrc");
        write_known_file(path, &options);
    }
    gb_pool_destroy(pool);
    return 0;
}

int bench_mcap(const bench_options *options)
{
    if (options->write != NULL)
        return write_known_files(options->write);
    gb_pool *pool = NULL;
    check(gb_pool_create(THREADS, &pool));
    unsigned char *batches = make_batches();
    run_folder(options, "/dev/shm", batches, pool);
    run_folder(options, options->folder == NULL ? "/tmp" : options->folder, batches, pool);
    gb_aligned_free(batches);
    gb_pool_destroy(pool);
    return 0;
}
