/* Which format a column of times is in, for maps that do not say; and CSV files read without a map:
 * by the one that would be proposed. */
#include "ingest/guess.h"

#include "ingest/clean.h"
#include "ingest/csv.h"
#include "ingest/guess_map.h"
#include "ingest/stamp.h"

#include <string.h>
#include <strings.h>

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

/* The beginning of what the rows come from. */
static gb_status take_sample(const gb_rows *rows, gb_arena *arena, gb_sample *out)
{
    const gb_input *input = &rows->input;
    bool whole = input->size <= (int64_t)GB_GUESS_SAMPLE_BYTES;
    size_t size = whole ? (size_t)input->size : GB_GUESS_SAMPLE_BYTES;
    char *bytes = gb_arena_alloc(arena, size);
    if (!bytes)
        return GB_ERR_MEMORY;
    GB_TRY(gb_input_read(input, 0, bytes, size));
    return gb_sample_decode(bytes, size, whole, rows->origin, arena, out);
}

static gb_status
guess_map_of(gb_rows *rows, gb_source *source, gb_arena *arena, gb_stream_map **out)
{
    gb_sample sample;
    const char *yaml = NULL;
    source->name = gb_name_of_file(rows->origin, arena);
    if (!source->name)
        return GB_ERR_MEMORY;
    GB_TRY(take_sample(rows, arena, &sample));
    GB_TRY(gb_guess_table(&sample, rows->origin, source->options, source->report, arena, &yaml));
    return gb_stream_map_parse(yaml, strlen(yaml), "the proposed map", out);
}

/* A guess is a map: the one that would be proposed is read with. */
static gb_status guess_and_read(gb_rows *rows, gb_source *source, gb_sink *target, gb_arena *arena)
{
    gb_stream_map *map = NULL;
    gb_sink *clean = NULL;
    GB_TRY(guess_map_of(rows, source, arena, &map));
    source->map = map;
    gb_status status =
        gb_clean_create(map, source->watch, source->report, rows->origin, target, &clean);
    source->sink = clean;
    if (status == GB_OK)
        status = gb_csv_read_mapped(source, rows);
    gb_sink_destroy(clean);
    gb_stream_map_destroy(map);
    return status;
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
    gb_source source = {
        .path = rows->origin, .options = options, .report = report, .watch = &nobody};
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = gb_dataset_create(&dataset);
    if (status == GB_OK)
        status = gb_dataset_sink_create(dataset, &sink);
    if (status == GB_OK)
        status = guess_and_read(rows, &source, sink, arena);
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
