/* The rows of one LeRobot data file, batch by batch, to recordings: one an episode. Rows of an
 * episode stand together; times are frame_index / fps, which the float32 column timestamp rounds.
 */
#include "ingest/lerobot_read.h"

#include "ingest/parquet.h"
#include "ingest/parquet_encoding.h"
#include "ingest/steps.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How far timestamp may be from frame_index / fps: LeRobot's own tolerance, and float32's. */
#define TIME_TOLERANCE_S 1e-4
#define TIME_TOLERANCE 1e-6

/* A column that is read: of a stream, or bookkeeping. */
typedef struct column {
    const char *name;
    int number; /* of the file's columns; -1: not there */
    const gb_parquet_column *about;
    gb_lerobot_stream *stream; /* NULL: bookkeeping */
    gb_parquet_cursor *cursor;
    gb_parquet_batch batch;
    void *values;               /* converted: [entries]; BYTES: NULL */
    uint8_t *quality, *reason;  /* [rows], when some are missing */
    const unsigned char **runs; /* BYTES: [rows] */
    size_t *run_sizes;
    size_t value_room, quality_room, reason_room, run_room, run_size_room;
    bool has_missing;
} column;

enum {
    TIMESTAMP,
    FRAME,
    EPISODE,
    INDEX,
    TASK,
    BOOKS
};

typedef struct rows {
    gb_lerobot_reading *reading;
    gb_parquet *file;
    const char *path;
    column *columns; /* [column_count]; the first BOOKS are bookkeeping */
    int column_count;
    int64_t *time_ns, *row; /* [rows]; row: of the file, from 1 */
    size_t time_room, row_room;
    uint8_t *wrong; /* [rows] a row that cannot be taken */
    size_t wrong_room;
    int64_t done_rows; /* of the file, before this batch */
    gb_steps *steps;
    /* the open recording */
    bool open;
    int recording, task_stream;
    const gb_lerobot_episode *episode;
    int64_t episode_rows, last_ns, task_now, times_off;
} rows;

/* ---- columns ----------------------------------------------------------------------------------
 */

static gb_status wrong_type(const rows *r, const column *c, const char *expected)
{
    return gb_fail(GB_ERR_SCHEMA,
                   "%s: column %s holds something else than %s, which its feature is", r->path,
                   c->name, expected);
}

/* The file's column of a stream: of pictures the field "bytes" of a struct. */
static int find_column(const rows *r, const gb_lerobot_feature *feature)
{
    char name[GB_STREAM_NAME_MAX + 8];
    snprintf(name, sizeof name, "%s%s", feature->name, feature->is_image ? ".bytes" : "");
    return gb_parquet_find(r->file, name);
}

static gb_status check_column(const rows *r, const column *c)
{
    const gb_lerobot_feature *feature = c->stream->feature;
    gb_value_type type = gb_parquet_value_type(c->about);
    bool runs = feature->is_image || strcmp(feature->dtype, "string") == 0;
    if (!c->about->supported)
        return wrong_type(r, c, "a number, a text or a list of numbers");
    if (runs != (type == GB_VALUE_BYTES) || (runs && c->about->max_rep > 0))
        return wrong_type(r, c, feature->dtype);
    return GB_OK;
}

static gb_status check_book(const rows *r, const column *c, int book)
{
    gb_value_type type = gb_parquet_value_type(c->about);
    bool fits = book == TIMESTAMP ? type == GB_VALUE_F32 || type == GB_VALUE_F64
                                  : type == GB_VALUE_I64 && c->about->unit_ns == 0;
    return fits && c->about->max_rep == 0
               ? GB_OK
               : wrong_type(r, c, book == TIMESTAMP ? "a float" : "a 64-bit whole number");
}

static gb_status find_books(rows *r)
{
    static const char *const names[BOOKS] = {"timestamp", "frame_index", "episode_index", "index",
                                             "task_index"};
    for (int b = 0; b < BOOKS; b++) {
        column *c = &r->columns[b];
        c->name = names[b];
        c->number = gb_parquet_find(r->file, names[b]);
        if (c->number < 0)
            continue;
        c->about = &r->file->columns[c->number];
        GB_TRY(check_book(r, c, b));
    }
    if (r->columns[EPISODE].number < 0)
        return gb_fail(GB_ERR_SCHEMA, "%s: no column episode_index; LeRobot's data files have one",
                       r->path);
    r->column_count = BOOKS;
    return GB_OK;
}

static gb_status find_streams(rows *r)
{
    gb_lerobot_reading *reading = r->reading;
    for (int s = 0; s < reading->stream_count; s++) {
        gb_lerobot_stream *stream = &reading->streams[s];
        stream->number = -1;
        if (stream->feature->is_video)
            continue;
        column *c = &r->columns[r->column_count];
        c->name = stream->feature->name;
        c->number = find_column(r, stream->feature);
        c->stream = stream;
        if (c->number < 0 && !stream->optional)
            GB_TRY(gb_lerobot_drift(reading, r->path, "column %s of meta/info.json is missing",
                                    c->name));
        if (c->number < 0)
            continue;
        c->about = &r->file->columns[c->number];
        GB_TRY(check_column(r, c));
        gb_value_type type = gb_parquet_value_type(c->about);
        stream->spec.value_type = type;
        if (type == GB_VALUE_BYTES && stream->spec.kind == GB_STREAM_TEXT)
            stream->spec.encoding = "utf-8";
        if (type == GB_VALUE_BYTES && stream->spec.kind == GB_STREAM_TEXT)
            stream->spec.rank = 0;
        r->column_count++;
    }
    return GB_OK;
}

/* Columns that no feature describes are drift; the fields of a picture are its feature's. */
static gb_status find_strangers(rows *r)
{
    const gb_lerobot *set = &r->reading->set;
    for (int c = 0; c < r->file->column_count; c++) {
        const char *name = r->file->columns[c].name;
        bool known = false;
        for (int f = 0; f < set->feature_count && !known; f++) {
            size_t size = strlen(set->features[f].name);
            known = strncmp(name, set->features[f].name, size) == 0 &&
                    (name[size] == 0 || name[size] == '.');
        }
        if (!known)
            GB_TRY(gb_lerobot_drift(r->reading, r->path,
                                    "column %s is not a feature of meta/info.json; left out",
                                    name));
    }
    return GB_OK;
}

static gb_status find_columns(rows *r)
{
    size_t room = BOOKS + (size_t)r->reading->stream_count;
    r->columns = calloc(room, sizeof *r->columns);
    r->steps = calloc(1, sizeof *r->steps);
    if (!r->columns || !r->steps)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for its columns", r->path);
    GB_TRY(find_books(r));
    GB_TRY(find_streams(r));
    return find_strangers(r);
}

/* ---- a batch ----------------------------------------------------------------------------------
 */

static gb_status convert_runs(column *c)
{
    size_t entries = (size_t)c->batch.entries;
    GB_TRY(gb_parquet_grow((void **)&c->runs, &c->run_room, entries + 1, sizeof *c->runs));
    GB_TRY(gb_parquet_grow((void **)&c->run_sizes, &c->run_size_room, entries + 1,
                           sizeof *c->run_sizes));
    for (size_t i = 0; i < entries; i++) {
        c->runs[i] =
            c->batch.bytes ? c->batch.bytes + c->batch.offset[i] : (const unsigned char *)"";
        c->run_sizes[i] = (size_t)(c->batch.offset[i + 1] - c->batch.offset[i]);
    }
    return GB_OK;
}

/* Rows with an absent value, and rows whose list has another length than the feature's. */
static gb_status judge_rows(rows *r, column *c)
{
    int64_t size = c->stream ? c->stream->feature->size : 1;
    if (c->stream && gb_parquet_value_type(c->about) == GB_VALUE_BYTES)
        size = 1;
    size_t count = (size_t)c->batch.rows;
    c->has_missing = false;
    GB_TRY(gb_parquet_grow((void **)&c->quality, &c->quality_room, count + 1, 1));
    GB_TRY(gb_parquet_grow((void **)&c->reason, &c->reason_room, count + 1, 1));
    for (int64_t row = 0; row < c->batch.rows; row++) {
        int64_t from = c->batch.row_start[row], to = c->batch.row_start[row + 1];
        bool missing = false;
        if (to - from != size)
            r->wrong[row] = 1;
        for (int64_t i = from; i < to; i++)
            missing |= !c->batch.present[i];
        if (missing && !c->stream)
            r->wrong[row] = 1;
        c->quality[row] = missing ? GB_QUALITY_MISSING : GB_QUALITY_GOOD;
        c->reason[row] = missing ? GB_REASON_ABSENT : GB_REASON_NONE;
        c->has_missing |= missing;
    }
    return GB_OK;
}

static gb_status read_batch(rows *r, int64_t count)
{
    GB_TRY(gb_parquet_grow((void **)&r->wrong, &r->wrong_room, (size_t)count + 1, 1));
    GB_TRY(gb_parquet_grow((void **)&r->time_ns, &r->time_room, (size_t)count + 1,
                           sizeof *r->time_ns));
    GB_TRY(gb_parquet_grow((void **)&r->row, &r->row_room, (size_t)count + 1, sizeof *r->row));
    memset(r->wrong, 0, (size_t)count);
    for (int64_t i = 0; i < count; i++)
        r->row[i] = r->done_rows + i + 1;
    for (int i = 0; i < r->column_count; i++) {
        column *c = &r->columns[i];
        if (c->number < 0)
            continue;
        GB_TRY(gb_parquet_read(c->cursor, count, &c->batch));
        GB_TRY(judge_rows(r, c));
        gb_value_type type = gb_parquet_value_type(c->about);
        if (type == GB_VALUE_BYTES) {
            GB_TRY(convert_runs(c));
            continue;
        }
        size_t bytes = ((size_t)c->batch.entries + 1) * gb_value_type_bytes(type);
        GB_TRY(gb_parquet_grow(&c->values, &c->value_room, bytes, 1));
        GB_TRY(gb_parquet_convert(r->file, c->about, &c->batch, c->values));
    }
    return GB_OK;
}

static int64_t book(const rows *r, int which, int64_t row)
{
    const column *c = &r->columns[which];
    return ((const int64_t *)c->values)[c->batch.row_start[row]];
}

static double timestamp(const rows *r, int64_t row)
{
    const column *c = &r->columns[TIMESTAMP];
    int64_t entry = c->batch.row_start[row];
    return c->about->type == GB_PARQUET_DOUBLE ? ((const double *)c->values)[entry]
                                               : (double)((const float *)c->values)[entry];
}

/* frame_index / fps; the timestamp itself where the two do not agree. */
static int64_t time_of(rows *r, int64_t row)
{
    bool has_frame = r->columns[FRAME].number >= 0, has_time = r->columns[TIMESTAMP].number >= 0;
    int64_t frame = has_frame ? book(r, FRAME, row) : r->episode_rows;
    bool sane = frame >= 0 && frame < INT64_C(1) << 40;
    int64_t exact_ns = gb_lerobot_frame_ns(&r->reading->set, sane ? frame : r->episode_rows);
    if (!has_time)
        return exact_ns;
    double time_s = timestamp(r, row), exact_s = (double)exact_ns * 1e-9;
    if (sane && fabs(time_s - exact_s) <= TIME_TOLERANCE_S + TIME_TOLERANCE * exact_s)
        return exact_ns;
    r->times_off++;
    return fabs(time_s) < 9e9 ? llround(time_s * 1e9) : exact_ns;
}

/* ---- recordings -------------------------------------------------------------------------------
 */

static const char *picture_encoding(const column *c, int64_t row)
{
    static const unsigned char png[4] = {0x89, 'P', 'N', 'G'};
    const unsigned char *data = c->runs[c->batch.row_start[row]];
    size_t size = c->run_sizes[c->batch.row_start[row]];
    if (size >= 4 && memcmp(data, png, 4) == 0)
        return "png";
    return size >= 2 && data[0] == 0xff && data[1] == 0xd8 ? "jpeg" : "png";
}

static const char *task_text(const rows *r, int64_t task)
{
    const gb_lerobot *set = &r->reading->set;
    return task >= 0 && task < set->task_count ? set->tasks[task] : NULL;
}

static gb_status declare_streams(rows *r, int64_t row)
{
    const gb_source *source = r->reading->source;
    for (int i = BOOKS; i < r->column_count; i++) {
        column *c = &r->columns[i];
        gb_stream_spec spec = c->stream->spec;
        if (spec.value_type == GB_VALUE_BYTES && spec.kind == GB_STREAM_IMAGE)
            spec.encoding = picture_encoding(c, row);
        GB_TRY(gb_sink_stream(source->sink, r->recording, &spec, &c->stream->number));
    }
    r->task_stream = -1;
    r->task_now = -1;
    if (r->episode && r->episode->tasks > 1 && r->columns[TASK].number >= 0) {
        gb_stream_spec spec = gb_stream_spec_defaults("task");
        spec.kind = GB_STREAM_TEXT;
        spec.value_type = GB_VALUE_BYTES;
        spec.encoding = "utf-8";
        spec.semantic = "instruction";
        spec.time_base = GB_TIME_START;
        GB_TRY(gb_sink_stream(source->sink, r->recording, &spec, &r->task_stream));
    }
    return GB_OK;
}

static gb_status begin(rows *r, int64_t row)
{
    const gb_source *source = r->reading->source;
    const gb_lerobot *set = &r->reading->set;
    int64_t index = book(r, EPISODE, row);
    char name[GB_STREAM_NAME_MAX + 32], number[32], fps[32], first[32];
    snprintf(name, sizeof name, "%s/episode_%06lld", gb_stream_map_name(source->map),
             (long long)index);
    snprintf(number, sizeof number, "%lld", (long long)index);
    snprintf(fps, sizeof fps, "%.9g", set->fps);
    gb_pair pairs[5] = {{"lerobot.version", set->codebase},
                        {"lerobot.robot_type", set->robot_type},
                        {"lerobot.fps", fps},
                        {"lerobot.episode_index", number}};
    int pair_count = 4;
    if (r->columns[INDEX].number >= 0) {
        snprintf(first, sizeof first, "%lld", (long long)book(r, INDEX, row));
        pairs[pair_count++] = (gb_pair){"lerobot.first_index", first};
    }
    gb_recording_info info = gb_map_info(source->map, name, r->path);
    r->episode = gb_lerobot_find_episode(set, index);
    const char *task = r->episode ? r->episode->task : NULL;
    if (!task && r->columns[TASK].number >= 0)
        task = task_text(r, book(r, TASK, row));
    if (!info.instruction || !info.instruction[0])
        info.instruction = task;
    info.pairs = pairs;
    info.pair_count = pair_count;
    if (!r->episode)
        return gb_fail(GB_ERR_SCHEMA,
                       "%s: holds episode %lld, which meta/episodes does not describe", r->path,
                       (long long)index);
    if (index <= r->reading->last_episode)
        return gb_fail(
            GB_ERR_SCHEMA,
            "%s: episode %lld comes after episode %lld; expected the rows of each episode "
            "together, and episodes in order",
            r->path, (long long)index, (long long)r->reading->last_episode);
    r->reading->last_episode = index;
    GB_TRY(gb_sink_begin(source->sink, &info, &r->recording));
    r->open = true;
    r->episode_rows = r->times_off = 0;
    GB_TRY(declare_streams(r, row));
    return gb_lerobot_videos_declare(r->reading, r->episode, r->recording);
}

static gb_status finish(rows *r)
{
    if (!r->open)
        return GB_OK;
    const gb_lerobot_episode *episode = r->episode;
    GB_TRY(gb_lerobot_videos_emit(r->reading, episode, r->recording, r->episode_rows));
    bool cut_short = r->reading->source->options->row_limit > 0;
    if (r->episode_rows != episode->length && !cut_short)
        GB_TRY(gb_lerobot_drift(
            r->reading, r->path, "episode %lld has %lld rows; meta/episodes says %lld",
            (long long)episode->index, (long long)r->episode_rows, (long long)episode->length));
    if (r->times_off > 0)
        GB_TRY(gb_lerobot_drift(r->reading, r->path,
                                "episode %lld: the timestamps of %lld rows are not frame_index / "
                                "fps; they are taken as they are",
                                (long long)episode->index, (long long)r->times_off));
    r->open = false;
    return gb_sink_end(r->reading->source->sink, r->recording);
}

/* A change of task_index within an episode of several tasks. */
static gb_status append_tasks(rows *r, int64_t from, int64_t to)
{
    for (int64_t row = from; row < to && r->task_stream >= 0; row++) {
        int64_t task = book(r, TASK, row);
        const char *text = task_text(r, task);
        if (task == r->task_now || !text)
            continue;
        const unsigned char *run = (const unsigned char *)text;
        size_t size = strlen(text);
        gb_samples samples = {
            .count = 1, .time_ns = &r->time_ns[row], .runs = &run, .run_sizes = &size};
        GB_TRY(gb_sink_append(r->reading->source->sink, r->recording, r->task_stream, &samples));
        r->task_now = task;
    }
    return GB_OK;
}

/* Rows [from, to) of the batch: all of the open recording, none of them wrong. */
static gb_status append(rows *r, int64_t from, int64_t to)
{
    for (int64_t row = from; row < to; row++) {
        r->time_ns[row] = time_of(r, row);
        if (r->episode_rows > 0)
            gb_steps_add(r->steps, r->time_ns[row] - r->last_ns);
        r->last_ns = r->time_ns[row];
        r->episode_rows++;
    }
    for (int i = BOOKS; i < r->column_count; i++) {
        const column *c = &r->columns[i];
        int64_t entry = c->batch.row_start[from];
        size_t bytes = gb_value_type_bytes(gb_parquet_value_type(c->about));
        gb_samples samples = {
            .count = to - from, .time_ns = r->time_ns + from, .row = r->row + from};
        if (bytes == 0) {
            samples.runs = c->runs + entry;
            samples.run_sizes = c->run_sizes + entry;
        } else
            samples.values = (const char *)c->values + (size_t)entry * bytes;
        if (c->has_missing) {
            samples.quality = c->quality + from;
            samples.reason = c->reason + from;
        }
        GB_TRY(gb_sink_append(r->reading->source->sink, r->recording, c->stream->number, &samples));
    }
    r->reading->source->report->rows_stored += to - from;
    return append_tasks(r, from, to);
}

static gb_status reject(rows *r, int64_t row)
{
    static const char reason[] = "a list of another length than its feature, or no episode_index";
    const gb_source *source = r->reading->source;
    gb_ingest_report *report = source->report;
    int64_t number = r->done_rows + row + 1;
    const gb_map_csv *csv = &source->map->data->csv;
    gb_bad_cells policy = source->options->bad_cells == GB_BAD_CELLS_AS_MAPPED
                              ? (gb_bad_cells)csv->bad_cells
                              : source->options->bad_cells;
    if (policy == GB_BAD_CELLS_STRICT)
        return gb_fail(GB_ERR_PARSE, "%s: row %lld: %s", r->path, (long long)number, reason);
    report->rows_rejected++;
    if (report->example_count < GB_INGEST_EXAMPLES)
        report->examples[report->example_count++] =
            (gb_ingest_example){.row = number, .expected = "lists as long as meta/info.json says"};
    return source->watch->reject
               ? source->watch->reject(source->watch->context, r->path, number, "", reason, "", 0)
               : GB_OK;
}

/* Parts a batch at wrong rows and where another episode begins. */
static gb_status part(rows *r, int64_t count)
{
    for (int64_t row = 0; row < count;) {
        r->reading->source->report->rows_read++;
        if (r->wrong[row]) {
            GB_TRY(reject(r, row++));
            continue;
        }
        int64_t index = book(r, EPISODE, row), end = row + 1;
        if (r->open && r->episode->index != index)
            GB_TRY(finish(r));
        if (!r->open)
            GB_TRY(begin(r, row));
        while (end < count && !r->wrong[end] && book(r, EPISODE, end) == index)
            end++;
        r->reading->source->report->rows_read += end - row - 1;
        GB_TRY(append(r, row, end));
        row = end;
    }
    r->done_rows += count;
    return GB_OK;
}

/* ---- the file ---------------------------------------------------------------------------------
 */

static gb_status open_cursors(rows *r, int group)
{
    for (int i = 0; i < r->column_count; i++)
        if (r->columns[i].number >= 0)
            GB_TRY(gb_parquet_cursor_open(r->file, group, r->columns[i].number,
                                          &r->columns[i].cursor));
    return GB_OK;
}

static gb_status close_cursors(rows *r, bool check)
{
    gb_status status = GB_OK;
    for (int i = 0; i < r->column_count; i++) {
        if (check && status == GB_OK && r->columns[i].cursor)
            status = gb_parquet_cursor_end(r->columns[i].cursor);
        gb_parquet_cursor_close(r->columns[i].cursor);
        r->columns[i].cursor = NULL;
    }
    return status;
}

static int64_t limited(const rows *r, int64_t rows_left)
{
    int64_t limit = r->reading->source->options->row_limit;
    int64_t more = limit - r->reading->source->report->rows_read;
    return limit > 0 && more < rows_left ? (more > 0 ? more : 0) : rows_left;
}

static gb_status read_group(rows *r, int group)
{
    int count = 0;
    int64_t all = r->file->groups[group].rows, left = limited(r, all);
    bool whole = left == all;
    int *used = calloc((size_t)r->column_count + 1, sizeof *used);
    if (!used)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for its columns", r->path);
    for (int i = 0; i < r->column_count; i++)
        if (r->columns[i].number >= 0)
            used[count++] = r->columns[i].number;
    int64_t most = gb_parquet_batch_rows(r->file, group, used, count);
    free(used);
    GB_TRY(open_cursors(r, group));
    for (; left > 0; left -= most < left ? most : left) {
        int64_t take = most < left ? most : left;
        GB_TRY(read_batch(r, take));
        GB_TRY(part(r, take));
    }
    return close_cursors(r, whole);
}

static void release(rows *r)
{
    for (int i = 0; r->columns && i < r->column_count; i++) {
        column *c = &r->columns[i];
        gb_parquet_cursor_close(c->cursor);
        gb_parquet_batch_free(&c->batch);
        free(c->values);
        free(c->quality);
        free(c->reason);
        free(c->runs);
        free(c->run_sizes);
    }
    gb_parquet_close(r->file);
    free(r->columns);
    free(r->time_ns);
    free(r->row);
    free(r->wrong);
    if (r->steps)
        gb_steps_free(r->steps);
    free(r->steps);
}

gb_status gb_lerobot_read_rows(gb_lerobot_reading *reading, const char *path)
{
    rows r = {.reading = reading, .path = path};
    GB_TRY(gb_parquet_open_file(path, &r.file));
    gb_status status = find_columns(&r);
    for (int g = 0; status == GB_OK && g < r.file->group_count; g++)
        status = read_group(&r, g);
    if (status == GB_OK)
        status = finish(&r);
    if (r.steps)
        gb_steps_report(r.steps, reading->source->report);
    release(&r);
    return status;
}
