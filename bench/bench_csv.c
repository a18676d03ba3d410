/* A table of numbers in text into a store, beside DuckDB writing Parquet
 * (bench/peer/duckdb_csv.py): MB of text a second on two threads, peak memory, and what each stage
 * adds. Every run is a process of its own, so that its peak memory is its own. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "genba/store.h"
#include "ingest/run.h"

enum {
    THREADS = 2,
    SENSORS = 15,
    ROUNDS = 5
};

static void need(gb_status status)
{
    if (status == GB_OK)
        return;
    fprintf(stderr, "genba-bench: %s\n", gb_error_message());
    exit(1);
}

/* ---- the file ---------------------------------------------------------------------------------
 */

/* value / 10^places; returns behind it. */
static char *write_decimal(char *at, int64_t value, int places)
{
    char digits[24];
    int count = 0;
    if (value < 0)
        *at++ = '-';
    uint64_t left = value < 0 ? (uint64_t)-value : (uint64_t)value;
    do {
        digits[count++] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0 || count <= places);
    while (count > 0) {
        if (count-- == places)
            *at++ = '.';
        *at++ = digits[count];
    }
    return at;
}

static char *write_two(char *at, int64_t value)
{
    *at++ = (char)('0' + value / 10);
    *at++ = (char)('0' + value % 10);
    return at;
}

/* Ten rows a second from 2024-01-01 on; one month after the other has 28 days. */
static char *write_time(char *at, int64_t row)
{
    int64_t second = row / 10, day = second / 86400;
    at += sprintf(at, "%04d-", (int)(2024 + day / 336));
    at = write_two(at, 1 + day / 28 % 12);
    *at++ = '-';
    at = write_two(at, 1 + day % 28);
    *at++ = ' ';
    at = write_two(at, second / 3600 % 24);
    *at++ = ':';
    at = write_two(at, second / 60 % 60);
    *at++ = ':';
    at = write_two(at, second % 60);
    *at++ = '.';
    *at++ = (char)('0' + row % 10);
    return at;
}

/* Sensors that wander about a level of their own, with 1 to 4 places behind the point. */
static void make_table(const char *path, int64_t bytes)
{
    int64_t level[SENSORS], done = 0;
    char *line = malloc(1 << 16);
    gb_file_writer *file;
    need(line ? GB_OK : GB_ERR_MEMORY);
    need(gb_file_writer_begin(path, &file));
    char *at = line + sprintf(line, "time");
    for (int c = 0; c < SENSORS; c++) {
        level[c] = (int64_t)gb_random_below(1, 0, (uint64_t)c, 4000000) - 1000000;
        at += sprintf(at, ",sensor_%d", c + 1);
    }
    for (int64_t row = 0; done < bytes; row++) {
        *at++ = '\n';
        at = write_time(at, row);
        for (int c = 0; c < SENSORS; c++) {
            level[c] += (int64_t)gb_random_below(2, (uint64_t)c, (uint64_t)row, 201) - 100;
            *at++ = ',';
            at = write_decimal(at, level[c], 1 + c % 4);
        }
        if (at - line > 1 << 15) {
            need(gb_file_writer_write(file, line, (size_t)(at - line)));
            done += at - line;
            at = line;
        }
    }
    *at++ = '\n';
    need(gb_file_writer_write(file, line, (size_t)(at - line)));
    need(gb_file_writer_commit(file));
    free(line);
}

static gb_stream_map *make_map(void)
{
    char text[4096], *at = text;
    gb_stream_map *map = NULL;
    at += sprintf(at, "name: bench\nreader: csv\nfiles: ['*.csv']\n"
                      "time: {column: time, format: datetime}\nstreams:\n");
    for (int c = 1; c <= SENSORS; c++)
        at += sprintf(at, "  - {name: sensor_%d, columns: [sensor_%d]}\n", c, c);
    need(gb_stream_map_parse(text, strlen(text), "bench.yaml", &map));
    return map;
}

/* ---- stages -----------------------------------------------------------------------------------
 */

static gb_status null_begin(gb_sink *sink, const gb_recording_info *info, int *out)
{
    (void)sink, (void)info;
    *out = 0;
    return GB_OK;
}

static gb_status null_stream(gb_sink *sink, int recording, const gb_stream_spec *spec, int *out)
{
    (void)sink, (void)recording, (void)spec;
    *out = 0;
    return GB_OK;
}

static gb_status null_append(gb_sink *sink, int recording, int stream, const gb_samples *samples)
{
    (void)sink, (void)recording, (void)stream, (void)samples;
    return GB_OK;
}

static gb_status null_attach(gb_sink *sink,
                             int recording,
                             const char *name,
                             const char *media_type,
                             const void *data,
                             size_t size)
{
    (void)sink, (void)recording, (void)name, (void)media_type, (void)data, (void)size;
    return GB_OK;
}

static gb_status null_end(gb_sink *sink, int recording)
{
    (void)sink, (void)recording;
    return GB_OK;
}

static void null_abandon(gb_sink *sink, int recording)
{
    (void)sink, (void)recording;
}

static void null_destroy(gb_sink *sink)
{
    (void)sink;
}

typedef enum stage {
    STAGE_PARSE,
    STAGE_CLEAN,
    STAGE_ENCODE,
    STAGE_COMPRESS,
    STAGE_STORE,
    STAGE_COUNT
} stage;

static const char *const stage_names[] = {"parse", "parse, clean", "... and encode",
                                          "... and compress", "csv to store"};

typedef struct run_result {
    double seconds, cpu_seconds, peak_mib, written_mib;
} run_result;

typedef struct run_input {
    const char *path, *folder;
    int threads;
} run_input;

/* Into a new store under the folder. */
static void run_into_store(const run_input *in, gb_source *source, gb_pool *pool)
{
    char path[4096];
    gb_store *store;
    gb_store_ingest *ingest;
    gb_site *site;
    int64_t done;
    snprintf(path, sizeof path, "%s/store", in->folder);
    need(gb_site_find(&site));
    gb_store_options options = {.site = site, .pool = pool};
    need(gb_store_init(path, false, &options));
    need(gb_store_open(path, &options, &store));
    gb_store_source from = {
        .path = in->path, .checksum = "", .map = "bench", .map_text = "", .policy = ""};
    need(gb_store_ingest_begin(store, &from, &ingest, &done));
    source->sink = gb_store_ingest_sink(ingest);
    need(gb_ingest_run(source));
    gb_store_counts counts = {.rows_read = source->report->rows_read,
                              .rows_stored = source->report->rows_stored,
                              .rows_rejected = source->report->rows_rejected};
    need(gb_store_ingest_commit(ingest, &counts, NULL, 0));
    need(gb_store_ingest_end(ingest, true));
    gb_store_close(store);
    gb_site_destroy(site);
}

static void run_stage(stage which, const run_input *in)
{
    static const gb_sink_ops ops = {null_begin, null_stream,  null_append, null_attach,
                                    null_end,   null_abandon, null_destroy};
    gb_sink nowhere = {&ops};
    gb_ingest_options options = gb_ingest_options_defaults();
    gb_ingest_report report;
    gb_ingest_watch nobody;
    gb_stream_map *map = make_map();
    memset(&report, 0, sizeof report);
    memset(&nobody, 0, sizeof nobody);
    need(gb_pool_create(in->threads, &options.pool));
    need(gb_ingest_settle(&options, &options));
    gb_source source = {.map = map,
                        .path = in->path,
                        .name = "table",
                        .options = &options,
                        .report = &report,
                        .watch = &nobody,
                        .sink = &nowhere};
    const gb_reader *reader = gb_reader_find("csv");
    if (which == STAGE_PARSE) {
        need(reader->read(&source));
    } else if (which == STAGE_CLEAN) {
        need(gb_ingest_run(&source));
    } else if (which == STAGE_STORE) {
        run_into_store(in, &source, options.pool);
    } else {
        gb_recording_file_options file = gb_recording_file_options_defaults();
        file.pool = options.pool;
        file.compression = which == STAGE_ENCODE ? GB_COMPRESSION_NONE : GB_COMPRESSION_ZSTD;
        need(gb_recording_folder_sink_create(in->folder, &file, &source.sink));
        need(gb_ingest_run(&source));
        gb_sink_destroy(source.sink);
    }
    if (report.rows_read != report.rows_stored || report.rows_read == 0)
        need(gb_fail(GB_ERR_NUMERIC, "%lld rows of %lld are stored", (long long)report.rows_stored,
                     (long long)report.rows_read));
    gb_pool_destroy(options.pool);
    gb_stream_map_destroy(map);
}

/* ---- runs -------------------------------------------------------------------------------------
 */

static double folder_mib(const char *folder)
{
    char command[4200];
    double kib = 0;
    snprintf(command, sizeof command, "du -sk '%s' 2>/dev/null", folder);
    FILE *child = popen(command, "r");
    if (child) {
        if (fscanf(child, "%lf", &kib) != 1)
            kib = 0;
        pclose(child);
    }
    return kib / 1024;
}

static void remove_folder(const char *folder)
{
    char command[4200];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0)
        fprintf(stderr, "genba-bench: cannot remove %s\n", folder);
}

static run_result run_genba(stage which, const run_input *in)
{
    run_result result = {0};
    struct rusage usage;
    int code = 0;
    remove_folder(in->folder);
    need(gb_folder_create(in->folder));
    int64_t begin = gb_clock_monotonic_ns();
    pid_t child = fork();
    if (child == 0) {
        run_stage(which, in);
        _exit(0);
    }
    if (child < 0 || wait4(child, &code, 0, &usage) != child || code != 0)
        need(gb_fail(GB_ERR_IO, "a run did not end well"));
    result.seconds = (double)(gb_clock_monotonic_ns() - begin) / 1e9;
    result.cpu_seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    result.peak_mib = (double)usage.ru_maxrss / 1024;
    result.written_mib = folder_mib(in->folder);
    remove_folder(in->folder);
    return result;
}

static run_result run_duckdb(const run_input *in)
{
    char command[8192], line[1024] = "";
    run_result result = {0};
    remove_folder(in->folder);
    need(gb_folder_create(in->folder));
    snprintf(command, sizeof command,
             "%s/build/peer/bin/python %s/bench/peer/duckdb_csv.py --threads %d '%s' "
             "'%s/table.parquet' 2>/dev/null",
             GENBA_SOURCE_DIR, GENBA_SOURCE_DIR, in->threads, in->path, in->folder);
    FILE *child = popen(command, "r");
    if (!child)
        return result;
    if (!fgets(line, sizeof line, child))
        line[0] = 0;
    pclose(child);
    json_t *object = json_loads(line, 0, NULL);
    result.seconds = json_number_value(json_object_get(object, "seconds"));
    result.cpu_seconds = json_number_value(json_object_get(object, "cpu_seconds"));
    result.peak_mib = json_number_value(json_object_get(object, "peak_mib"));
    result.written_mib = json_number_value(json_object_get(object, "bytes")) / (1 << 20);
    json_decref(object);
    remove_folder(in->folder);
    return result;
}

static void print_row(const bench_options *options,
                      const char *name,
                      double value,
                      const char *unit,
                      double peer,
                      bool less_is_better,
                      int threads)
{
    bench_row row = {.bench = "csv",
                     .name = name,
                     .value = value,
                     .unit = unit,
                     .peer = peer > 0 ? "DuckDB" : "",
                     .peer_value = peer,
                     .ratio = peer > 0 ? (less_is_better ? peer / value : value / peer) : 0,
                     .threads = threads,
                     .isa = gb_isa_name(gb_cpu_get()->used)};
    bench_print(options, &row);
}

/* The store and DuckDB in turn, so that both see the same machine. */
static void compare(const bench_options *options, const run_input *in, double megabytes, int rounds)
{
    double ours[ROUNDS], theirs[ROUNDS], our_peak = 0, their_peak = 0, our_size = 0, their_size = 0;
    double cpu[ROUNDS], their_cpu[ROUNDS];
    for (int i = 0; i < rounds; i++) {
        run_result a = run_genba(STAGE_STORE, in), b = run_duckdb(in);
        ours[i] = a.seconds;
        theirs[i] = b.seconds;
        cpu[i] = a.cpu_seconds;
        their_cpu[i] = b.cpu_seconds;
        our_peak = a.peak_mib > our_peak ? a.peak_mib : our_peak;
        their_peak = b.peak_mib > their_peak ? b.peak_mib : their_peak;
        our_size = a.written_mib;
        their_size = b.written_mib;
    }
    double own = bench_median(ours, (size_t)rounds), peer = bench_median(theirs, (size_t)rounds);
    print_row(options, stage_names[STAGE_STORE], megabytes / own, "MB/s",
              peer > 0 ? megabytes / peer : 0, false, in->threads);
    print_row(options, "csv to store, CPU time", bench_median(cpu, (size_t)rounds), "s",
              bench_median(their_cpu, (size_t)rounds), true, in->threads);
    print_row(options, "csv to store, peak memory", our_peak, "MiB", their_peak, true, in->threads);
    print_row(options, "csv to store, written", our_size, "MiB", their_size, true, in->threads);
}

static void print_stage(
    const bench_options *options, stage which, const run_input *in, double megabytes, int rounds)
{
    double seconds[ROUNDS], cpu[ROUNDS];
    char name[64];
    for (int i = 0; i < rounds; i++) {
        run_result result = run_genba(which, in);
        seconds[i] = result.seconds;
        cpu[i] = result.cpu_seconds;
    }
    print_row(options, stage_names[which], megabytes / bench_median(seconds, (size_t)rounds),
              "MB/s", 0, false, in->threads);
    snprintf(name, sizeof name, "%s, a CPU second", stage_names[which]);
    print_row(options, name, megabytes / bench_median(cpu, (size_t)rounds), "MB", 0, false,
              in->threads);
}

int bench_csv(const bench_options *options)
{
    int64_t bytes = options->bytes > 0 ? options->bytes : options->quick ? 200000000 : 1000000000;
    const char *root = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    char path[4096], folder[4096];
    struct stat about;
    int rounds = options->quick ? 3 : ROUNDS;
    snprintf(folder, sizeof folder, "%s/genba-bench", root);
    need(gb_folder_create(folder));
    snprintf(path, sizeof path, "%s/genba-bench/table-%lld.csv", root, (long long)bytes);
    snprintf(folder, sizeof folder, "%s/genba-bench/csv-%d", root, (int)getpid());
    if (stat(path, &about) != 0)
        make_table(path, bytes);
    need(stat(path, &about) == 0 ? GB_OK : GB_ERR_IO);
    double megabytes = (double)about.st_size / 1e6;
    run_input one = {path, folder, 1}, two = {path, folder, THREADS};
    (void)run_genba(STAGE_PARSE, &two); /* the file is in memory from here on */
    print_stage(options, STAGE_PARSE, &one, megabytes, rounds);
    for (int s = STAGE_PARSE; s < STAGE_STORE; s++)
        print_stage(options, (stage)s, &two, megabytes, rounds);
    compare(options, &two, megabytes, rounds);
    return 0;
}
