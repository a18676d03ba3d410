/* CSV files never seen before: which column is time, which are numbers. Always tolerant in what it
 * takes and plain about what it leaves out. */
#include "ingest/guess.h"

#include "ingest/clean.h"
#include "ingest/csv.h"
#include "ingest/stamp.h"

#include <string.h>
#include <strings.h>

static bool one_of(const char *name, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(name, words[i]) == 0)
            return true;
    return false;
}

static bool is_time_name(const char *name)
{
    static const char *const words[] = {"time",
                                        "timestamp",
                                        "time_stamp",
                                        "datetime",
                                        "date_time",
                                        "date",
                                        "ts",
                                        "t",
                                        "epoch",
                                        "unix",
                                        "unixtime",
                                        "unix_time",
                                        "time_s",
                                        "t_s",
                                        "time_sec",
                                        "seconds",
                                        "sec",
                                        "elapsed",
                                        "elapsed_s",
                                        "time_ms",
                                        "t_ms",
                                        "time [s]",
                                        "time(s)",
                                        "time (s)",
                                        "time_us",
                                        "time_ns",
                                        "zeit",
                                        "zeitstempel",
                                        "\xE6\x97\xA5\xE6\x99\x82",  /* 日時 */
                                        "\xE6\x99\x82\xE5\x88\xBB",  /* 時刻 */
                                        "\xE6\x97\xA5\xE4\xBB\x98"}; /* 日付 */
    return one_of(name, words, sizeof words / sizeof *words);
}

static int64_t cells_seen(const gb_layout_column *column)
{
    int64_t seen = 0;
    for (int k = 0; k < GB_CELL_KIND_COUNT; k++)
        seen += column->counts[k];
    return seen - column->counts[GB_CELL_MISSING];
}

static bool date_format(const gb_layout_column *column, gb_time_format *format, const char **reason)
{
    bool day = column->day_over_12[0], month = column->day_over_12[1];
    if (2 * column->year_first >= column->counts[GB_CELL_DATETIME])
        *format = GB_TIME_FORMAT_DATETIME;
    else if ((day && !month) || (!day && !month && column->dotted))
        *format = GB_TIME_FORMAT_DAY_FIRST;
    else if (month && !day)
        *format = GB_TIME_FORMAT_MONTH_FIRST;
    else
        *reason = "dates could be day/month or month/day: name the format in a map";
    return (day != month) || column->dotted ||
           2 * column->year_first >= column->counts[GB_CELL_DATETIME];
}

/* By magnitude: seconds since 1970 are 1e8..1e11 between 1973 and 5138. */
static gb_time_format number_format(const gb_layout_column *column, double *period_s)
{
    double last = column->last;
    size_t length = strlen(column->name);
    const char *ending = length > 3 ? column->name + length - 3 : "";
    if (last >= 1e17)
        return GB_TIME_FORMAT_EPOCH_NS;
    if (last >= 1e14)
        return GB_TIME_FORMAT_EPOCH_US;
    if (last >= 1e11)
        return GB_TIME_FORMAT_EPOCH_MS;
    if (last >= 1e8)
        return GB_TIME_FORMAT_EPOCH_S;
    bool ms = strcasecmp(ending, "_ms") == 0, us = strcasecmp(ending, "_us") == 0;
    if (!ms && !us)
        return GB_TIME_FORMAT_SECONDS;
    *period_s = ms ? 1e-3 : 1e-6;
    return GB_TIME_FORMAT_ROW;
}

bool gb_guess_time_format(const gb_layout *layout,
                          int64_t column,
                          gb_time_format *format,
                          double *period_s,
                          const char **reason)
{
    const gb_layout_column *about = &layout->columns[column];
    int64_t seen = cells_seen(about), numbers = gb_layout_numbers(layout, column);
    *reason = "neither dates nor numbers";
    if (seen > 0 && 5 * about->counts[GB_CELL_DATETIME] >= 4 * seen)
        return date_format(about, format, reason);
    if (seen > 0 && 5 * numbers >= 4 * seen) {
        *format = number_format(about, period_s);
        return true;
    }
    return false;
}

/* A counter of rows that tools write beside the data: nothing to forecast. */
static bool is_row_number(const gb_layout *layout, int64_t column)
{
    static const char *const words[] = {"unnamed: 0", "index", "row", "row_number", "#"};
    const gb_layout_column *about = &layout->columns[column];
    bool nameless = layout->header && strcmp(about->name, "column_1") == 0;
    return column == 0 && (nameless || one_of(about->name, words, sizeof words / sizeof *words)) &&
           about->rising && about->last - about->first + 1 == (double)cells_seen(about);
}

typedef struct choice {
    int64_t time_column;
    gb_time_format format;
    double period_s;
} choice;

/* The first column of dates; else the first column of rising numbers called time. */
static choice choose_time(const gb_layout *layout, double period_s)
{
    choice best = {-1, GB_TIME_FORMAT_NONE, period_s};
    for (int pass = 0; pass < 2 && best.time_column < 0; pass++) {
        for (int64_t c = 0; c < layout->column_count && best.time_column < 0; c++) {
            const gb_layout_column *about = &layout->columns[c];
            choice found = {c, GB_TIME_FORMAT_NONE, period_s};
            const char *reason;
            if (!gb_guess_time_format(layout, c, &found.format, &found.period_s, &reason))
                continue;
            bool dates = about->counts[GB_CELL_DATETIME] > 0;
            if (pass == 0 ? dates : (about->rising && is_time_name(about->name)))
                best = found;
        }
    }
    return best;
}

/* NULL when the column becomes a stream. */
static const char *why_left_out(const gb_layout *layout, int64_t column)
{
    const gb_layout_column *about = &layout->columns[column];
    int64_t seen = cells_seen(about), numbers = gb_layout_numbers(layout, column);
    gb_time_format format;
    double period_s;
    const char *reason;
    if (seen == 0)
        return "no values in the first rows";
    if (is_row_number(layout, column))
        return "row numbers";
    if (5 * numbers >= 4 * seen)
        return NULL;
    if (5 * about->counts[GB_CELL_DATETIME] >= 4 * seen)
        return gb_guess_time_format(layout, column, &format, &period_s, &reason)
                   ? "a second column of times"
                   : reason;
    return "text, not numbers";
}

static void leave_out(gb_ingest_report *report, const char *name, const char *reason)
{
    if (report->left_out_count < GB_INGEST_LEFT_OUT) {
        gb_ingest_left_out *kept = &report->left_out[report->left_out_count];
        strncpy(kept->name, name, GB_INGEST_TEXT - 1);
        kept->reason = reason;
    }
    report->left_out_count++;
}

static gb_status plan_streams(const gb_rows *rows,
                              const gb_layout *layout,
                              gb_arena *arena,
                              gb_ingest_report *report,
                              gb_csv_plan *plan)
{
    size_t room =
        (size_t)(layout->column_count < GB_STREAMS_MAX ? layout->column_count : GB_STREAMS_MAX);
    gb_csv_stream *streams = gb_arena_alloc(arena, room * sizeof *streams);
    int64_t *columns = gb_arena_alloc(arena, room * sizeof *columns);
    if (!streams || !columns)
        return GB_ERR_MEMORY;
    for (int64_t c = 0; c < layout->column_count; c++) {
        if (c == plan->time_column)
            continue;
        const char *reason = why_left_out(layout, c);
        if (!reason && plan->stream_count == GB_STREAMS_MAX)
            reason = "more columns than a recording has streams";
        if (reason) {
            leave_out(report, layout->columns[c].name, reason);
            continue;
        }
        int at = plan->stream_count++;
        columns[at] = c;
        streams[at].spec = gb_stream_spec_defaults(layout->columns[c].name);
        streams[at].spec.value_type = GB_VALUE_F32; /* what a dataset in memory keeps */
        streams[at].spec.time_base = gb_stamp_base(plan->time_format);
        streams[at].columns = &columns[at];
    }
    plan->streams = streams;
    if (plan->stream_count == 0)
        return gb_fail(GB_ERR_PARSE,
                       "%s: none of its %lld columns holds numbers (delimiter %s); expected one or "
                       "more columns of numbers",
                       rows->origin, (long long)layout->column_count,
                       layout->delimiter == '\t' ? "tab" : (char[]){layout->delimiter, 0});
    return GB_OK;
}

static gb_status guess_and_read(gb_rows *rows, const gb_source *source, gb_arena *arena)
{
    const gb_ingest_options *options = source->options;
    gb_layout_hints hints = {.names_extra_ignored = true};
    gb_layout layout;
    GB_TRY(gb_layout_find(rows, &hints, arena, &layout));
    choice time = choose_time(&layout, options->period_s);
    gb_csv_plan plan = {
        .info = {.name = gb_name_of_file(rows->origin, arena), .source = rows->origin},
        .layout = &layout,
        .cutting = {.delimiter = layout.delimiter},
        .time_column = time.time_column,
        .clock_column = -1,
        .time_format = time.format,
        .period_s = time.period_s,
        .strict = options->bad_cells == GB_BAD_CELLS_STRICT,
        .row_limit = options->row_limit};
    if (!plan.info.name)
        return GB_ERR_MEMORY;
    gb_csv_describe(&plan, source->report);
    GB_TRY(plan_streams(rows, &layout, arena, source->report, &plan));
    return gb_csv_read(&plan, &rows->input, source);
}

gb_status gb_guess_rows(gb_rows *rows,
                        const gb_ingest_options *options,
                        gb_ingest_report *report,
                        gb_dataset **out)
{
    gb_arena *arena = NULL;
    gb_dataset *dataset = NULL;
    gb_sink *sink = NULL;
    gb_ingest_watch nobody = {0};
    gb_map_data nothing = {0}; /* no streams: only times are judged */
    gb_stream_map map = {.data = &nothing, .origin = NULL, .text = NULL};
    gb_source source = {
        .path = rows->origin, .options = options, .report = report, .watch = &nobody};
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = gb_dataset_create(&dataset);
    if (status == GB_OK)
        status = gb_dataset_sink_create(dataset, &sink);
    if (status == GB_OK)
        status = gb_clean_create(&map, &nobody, report, rows->origin, sink, &source.sink);
    if (status == GB_OK)
        status = guess_and_read(rows, &source, arena);
    gb_sink_destroy(source.sink);
    gb_sink_destroy(sink);
    gb_arena_destroy(arena);
    if (status != GB_OK) {
        gb_dataset_destroy(dataset);
        return status;
    }
    *out = dataset;
    return GB_OK;
}

const char *gb_name_of_file(const char *path, gb_arena *arena)
{
    const char *slash = strrchr(path, '/');
    char *name = gb_arena_text(arena, slash ? slash + 1 : path);
    char *dot = name ? strrchr(name, '.') : NULL;
    if (dot && dot > name)
        *dot = 0;
    return name;
}
