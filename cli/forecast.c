/* genba forecast: reads a CSV file nobody described and says what comes next, as CSV or JSON. */
#include "cli.h"

#include "genba/ingest.h"
#include "genba/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct request {
    const char *model_folder, *file, *columns;
    int64_t horizon, threads;
    bool json;
} request;

/* Everything one forecast needs; freed by close_work. */
typedef struct work {
    gb_model *model;
    gb_dataset *dataset;
    gb_session *session;
    gb_pool *pool;
    float *past;                   /* [count][look_back] */
    float *quantiles;              /* [count][horizon][levels] */
    const gb_stream_view **series; /* [count] */
    int count;
    int64_t look_back, horizon;
    int levels;
    gb_ingest_report report;
} work;

static void close_work(work *w)
{
    gb_session_destroy(w->session);
    gb_model_destroy(w->model);
    gb_dataset_destroy(w->dataset);
    gb_pool_destroy(w->pool);
    free(w->past);
    free(w->quantiles);
    free(w->series);
}

/* name is one of the comma-separated words of list; NULL: every name is. */
static bool listed(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; at && *at;) {
        const char *comma = strchr(at, ',');
        size_t word = comma ? (size_t)(comma - at) : strlen(at);
        if (word == length && strncmp(at, name, length) == 0)
            return true;
        at = comma ? comma + 1 : NULL;
    }
    return list == NULL;
}

static gb_status choose_series(work *w, const request *r)
{
    const gb_recording *recording = gb_dataset_get(w->dataset, 0);
    int streams = recording ? gb_recording_stream_count(recording) : 0;
    w->series = calloc((size_t)streams + 1, sizeof *w->series);
    if (!w->series)
        return gb_fail(GB_ERR_MEMORY, "forecast: no memory for %d series", streams);
    for (int i = 0; i < streams; i++) {
        const gb_stream_view *view = gb_recording_stream(recording, i);
        if (view->size == 1 && view->count > 0 && listed(r->columns, view->spec->name))
            w->series[w->count++] = view;
    }
    if (w->count == 0)
        return gb_fail(
            GB_ERR_NOT_FOUND,
            "%s: no column of numbers%s%s to forecast; genba inspect shows what was read", r->file,
            r->columns ? " called " : "", r->columns ? r->columns : "");
    return GB_OK;
}

/* The last look_back rows of every series; missing where the file is shorter. */
static gb_status fill_past(work *w)
{
    size_t count = (size_t)w->count;
    w->past = malloc(sizeof(float) * count * (size_t)w->look_back);
    w->quantiles = malloc(sizeof(float) * count * (size_t)(w->horizon * w->levels));
    if (!w->past || !w->quantiles)
        return gb_fail(GB_ERR_MEMORY, "forecast: no memory for %d series", w->count);
    for (int s = 0; s < w->count; s++) {
        const gb_stream_view *view = w->series[s];
        for (int64_t i = 0; i < w->look_back; i++) {
            int64_t row = view->count - w->look_back + i;
            w->past[s * w->look_back + i] = row < 0 ? NAN : view->values[row];
        }
    }
    return GB_OK;
}

static gb_status compute(work *w, const request *r)
{
    char place[PLACE_MAX];
    GB_TRY(model_place(r->model_folder, place, sizeof place));
    GB_TRY(gb_model_load(place, &w->model));
    const gb_model_config *config = gb_model_get_config(w->model);
    if (config->head.kind != GB_HEAD_QUANTILE)
        return gb_fail(GB_ERR_MISMATCH, "%s does not forecast: its head is not quantile",
                       r->model_folder);
    GB_TRY(gb_ingest_csv_guess(r->file, NULL, &w->report, &w->dataset));
    w->look_back = config->codec.look_back;
    w->levels = (int)config->head.quantile_count;
    w->horizon = r->horizon ? r->horizon : config->head.horizon;
    GB_TRY(choose_series(w, r));
    GB_TRY(fill_past(w));
    GB_TRY(pool_for(r->threads, &w->pool));
    gb_session_options options = gb_session_defaults();
    options.pool = w->pool;
    GB_TRY(gb_session_create(w->model, options, &w->session));
    return gb_session_forecast(w->session, w->past, w->count, w->horizon, w->quantiles);
}

/* The time of forecast row `ahead` (0 = first) as ISO 8601, seconds or a row number. */
static void print_time(const gb_stream_view *view, int64_t period_ns, int64_t ahead)
{
    int64_t t = view->time_ns[view->count - 1] + (ahead + 1) * period_ns;
    if (view->spec->time_base == GB_TIME_UTC) {
        time_t seconds = (time_t)(t / 1000000000);
        struct tm parts;
        char text[32];
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &parts));
        printf("%s", text);
        if (period_ns % 1000000000)
            printf(".%03lld", (long long)(t % 1000000000 / 1000000));
    } else if (view->spec->time_base == GB_TIME_START) {
        printf("%.9g", (double)t / 1e9);
    } else {
        printf("%lld", (long long)(view->count + ahead));
    }
}

static void print_csv(const work *w)
{
    const gb_head_config *head = &gb_model_get_config(w->model)->head;
    printf("time,series");
    for (int q = 0; q < w->levels; q++)
        printf(",q%g", (double)head->quantiles[q]);
    for (int s = 0; s < w->count; s++)
        for (int64_t h = 0; h < w->horizon; h++) {
            putchar('\n');
            print_time(w->series[s], w->report.period_ns, h);
            printf(",%s", w->series[s]->spec->name);
            for (int q = 0; q < w->levels; q++)
                printf(",%.6g", (double)w->quantiles[(s * w->horizon + h) * w->levels + q]);
        }
    putchar('\n');
}

static void print_json(const work *w)
{
    const gb_head_config *head = &gb_model_get_config(w->model)->head;
    printf("{\"horizon\": %lld, \"period_s\": %.9g, \"levels\": [", (long long)w->horizon,
           (double)w->report.period_ns / 1e9);
    for (int q = 0; q < w->levels; q++)
        printf("%s%g", q ? ", " : "", (double)head->quantiles[q]);
    printf("], \"series\": [");
    for (int s = 0; s < w->count; s++) {
        printf("%s{\"name\": \"", s ? ", " : "");
        for (const char *c = w->series[s]->spec->name; *c; c++)
            if (*c == '"' || *c == '\\')
                printf("\\%c", *c);
            else if ((unsigned char)*c >= 0x20)
                putchar(*c);
        printf("\", \"quantiles\": [");
        for (int64_t h = 0; h < w->horizon; h++) {
            printf("%s[", h ? ", " : "");
            for (int q = 0; q < w->levels; q++)
                printf("%s%.6g", q ? ", " : "",
                       (double)w->quantiles[(s * w->horizon + h) * w->levels + q]);
            printf("]");
        }
        printf("]}");
    }
    printf("]}\n");
}

static void say_what_was_read(const work *w, const char *file)
{
    fprintf(stderr, "%s: %lld rows, %d series, one row every %.6g s", file,
            (long long)w->report.rows_stored, w->count, (double)w->report.period_ns / 1e9);
    if (w->report.rows_rejected || w->report.cells_bad)
        fprintf(stderr, ", %lld rows rejected, %lld cells not numbers",
                (long long)w->report.rows_rejected, (long long)w->report.cells_bad);
    for (int i = 0; i < w->report.left_out_count && i < GB_INGEST_LEFT_OUT; i++)
        fprintf(stderr, "%s%s (%s)", i ? ", " : "; left out: ", w->report.left_out[i].name,
                w->report.left_out[i].reason);
    if (w->series[0]->count < w->look_back)
        fprintf(stderr, "; the model looks back %lld rows, the file has fewer",
                (long long)w->look_back);
    fputc('\n', stderr);
}

static int run_forecast(int argc, char **argv)
{
    const char *places[2];
    request r = {0};
    const option_spec options[] = {
        {"horizon", OPTION_COUNT, &r.horizon, 1, 100000},
        {"columns", OPTION_TEXT, &r.columns, 0, 0},
        {"threads", OPTION_COUNT, &r.threads, 0, 256},
        {"json", OPTION_FLAG, &r.json, 0, 0},
    };
    int code = options_parse(&command_forecast, argc, argv, options,
                             sizeof options / sizeof *options, places, 2, 2);
    if (code >= 0)
        return code;
    r.model_folder = places[0];
    r.file = places[1];
    work w = {0};
    gb_status status = compute(&w, &r);
    if (status == GB_OK) {
        if (!r.json)
            say_what_was_read(&w, r.file);
        (r.json ? print_json : print_csv)(&w);
    }
    code = status == GB_OK ? EXIT_DONE : fail_with(status);
    close_work(&w);
    return code;
}

const cli_command command_forecast = {
    "forecast", "say what comes next in a CSV file, with quantiles",
    "usage: genba forecast MODEL FILE.csv [options]\n\n"
    "  --horizon N      rows ahead (default: the model's)\n"
    "  --columns A,B    these columns only (default: every column of numbers)\n"
    "  --threads N      default: all cores\n"
    "  --json           one JSON object instead of CSV\n\n"
    "The file's delimiter, header, time column and period are found by looking; what was found is\n"
    "said on stderr, the forecast goes to stdout.\n\n"
    "example: genba forecast runs/ett/model data/ett/ETTh1.csv --horizon 96 --columns OT\n",
    run_forecast};
