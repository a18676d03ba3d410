/* An episode of a LeRobot data set: its grid of rows, its part of the data file. Pictures are
 * lerobot_frames.c, meta/ is lerobot_meta.c. */
#include "ingest/lerobot_write.h"

#include "ingest/parquet_encoding.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX (1 << 26)
#define TASKS_MAX 65536

void gb_lerobot_step(const gb_lerobot_export *e, int64_t *chunk, int64_t *file)
{
    if (++*file == e->options.chunk_files) {
        *file = 0;
        ++*chunk;
    }
}

/* ---- the grid ---------------------------------------------------------------------------------
 */

/* From a stream's first sample to its last, and on as long as a slower stream than the grid holds
 * its value: one step of its own. */
static gb_status find_span(const gb_lerobot_export *e,
                           const gb_taken_stream *s,
                           int64_t *out_first,
                           int64_t *out_last)
{
    int64_t low = INT64_MAX, high = INT64_MIN;
    if (!s->ordered && !gb_lerobot_is_picture(&s->spec)) /* packets of video may stand so */
        return gb_fail(GB_ERR_ARGUMENT, "the times of stream %s step back", s->spec.name);
    if (s->count == 0)
        return gb_fail(GB_ERR_SHAPE, "stream %s has no samples", s->spec.name);
    for (int64_t i = 0; i < s->count; i++) {
        low = s->time_ns[i] < low ? s->time_ns[i] : low;
        high = s->time_ns[i] > high ? s->time_ns[i] : high;
    }
    if (low < -(INT64_MAX / 4) || high > INT64_MAX / 4)
        return gb_fail(GB_ERR_ARGUMENT, "the times of stream %s are too far from 0", s->spec.name);
    double step = s->count > 1 ? (double)(high - low) / (double)(s->count - 1) : 0;
    double hold = step - 1e9 / e->fps;
    *out_first = low;
    *out_last = hold > 0 ? high + (int64_t)hold : high;
    return GB_OK;
}

/* From where all sampled streams have begun to where the first ends. */
static gb_status find_grid(gb_lerobot_export *e, const gb_taken *taken)
{
    int64_t first = INT64_MIN, last = INT64_MAX;
    for (int c = 0; c < e->column_count; c++)
        for (int p = 0; p < e->columns[c].part_count; p++) {
            const gb_taken_stream *s = gb_lerobot_find_taken(taken, e->columns[c].parts[p]);
            int64_t low = 0, high = 0;
            if (s->spec.kind == GB_STREAM_EVENT || s->spec.kind == GB_STREAM_TEXT)
                continue;
            GB_TRY(find_span(e, s, &low, &high));
            first = low > first ? low : first;
            last = high < last ? high : last;
        }
    if (first > last || first == INT64_MIN)
        return gb_fail(GB_ERR_SHAPE, "its streams never have a sample at one time");
    double span = ((double)last - (double)first) * 1e-9 * e->fps;
    if (span > ROWS_MAX)
        return gb_fail(GB_ERR_SHAPE, "%.0f rows at %g Hz; expected at most %d", span, e->fps,
                       ROWS_MAX);
    e->first_ns = first;
    e->rows = (int64_t)floor(span + 0.5) + 1;
    return GB_OK;
}

static int64_t row_ns(const gb_lerobot_export *e, int64_t row)
{
    return e->first_ns + llroundl((long double)row * 1e9L / (long double)e->fps);
}

/* Each row's sample: the last one up to half a period after the row. */
gb_status gb_lerobot_pick(gb_lerobot_export *e, const gb_taken_stream *s)
{
    int64_t half_ns = (int64_t)(0.5e9 / e->fps) - 1, at = -1;
    GB_TRY(gb_parquet_grow((void **)&e->pick, &e->pick_room, (size_t)e->rows, sizeof *e->pick));
    half_ns = half_ns > 0 ? half_ns : 0;
    for (int64_t r = 0; r < e->rows; r++) {
        int64_t until = row_ns(e, r) + half_ns;
        while (at + 1 < s->count && s->time_ns[at + 1] <= until)
            at++;
        e->pick[r] = at;
    }
    return GB_OK;
}

/* ---- tasks ------------------------------------------------------------------------------------
 */

static gb_status number_of_task(gb_lerobot_export *e, const char *text, size_t size, int64_t *out)
{
    for (size_t i = 0; i < e->task_count; i++)
        if (strlen(e->tasks[i]) == size && memcmp(e->tasks[i], text, size) == 0) {
            *out = (int64_t)i;
            return GB_OK;
        }
    if (e->task_count == TASKS_MAX)
        return gb_fail(GB_ERR_UNSUPPORTED, "more than %d different instructions", TASKS_MAX);
    GB_TRY(gb_parquet_grow((void **)&e->tasks, &e->task_room, e->task_count + 1, sizeof *e->tasks));
    e->tasks[e->task_count] = gb_arena_format(e->arena, "%.*s", (int)size, text);
    if (!e->tasks[e->task_count])
        return GB_ERR_MEMORY;
    *out = (int64_t)e->task_count++;
    return GB_OK;
}

/* task_index of each row: the recording's instruction, or what its stream of instructions says. */
static gb_status find_tasks(gb_lerobot_export *e, const gb_taken *taken)
{
    const gb_taken_stream *said = gb_lerobot_find_taken(taken, "task");
    const char *text = taken->info.instruction ? taken->info.instruction : "";
    int64_t task = -1, last = -1;
    GB_TRY(gb_parquet_grow((void **)&e->task_of, &e->task_of_room, (size_t)e->rows,
                           sizeof *e->task_of));
    if (said && (!gb_lerobot_is_task(&said->spec) || said->count == 0 || !said->offset))
        said = NULL;
    if (said)
        GB_TRY(gb_lerobot_pick(e, said));
    for (int64_t r = 0; r < e->rows; r++) {
        int64_t sample = said ? e->pick[r] : -1;
        if (task < 0 || sample != last) {
            size_t size = strlen(text);
            const char *from = text;
            if (sample >= 0) {
                from = (const char *)said->values + said->offset[sample];
                size = (size_t)(said->offset[sample + 1] - said->offset[sample]);
            }
            GB_TRY(number_of_task(e, from, size, &task));
            last = sample;
        }
        e->task_of[r] = task;
    }
    return GB_OK;
}

/* The different ones of the episode, in the order in which they come. */
static gb_status list_tasks(const gb_lerobot_export *e, int64_t **out, int64_t *out_count)
{
    int64_t *list = malloc(((size_t)e->task_count + 1) * sizeof *list), count = 0;
    if (!list)
        return gb_fail(GB_ERR_MEMORY, "no memory for an episode's tasks");
    for (int64_t r = 0; r < e->rows; r++) {
        int64_t i = 0;
        if (r > 0 && e->task_of[r] == e->task_of[r - 1])
            continue;
        while (i < count && list[i] != e->task_of[r])
            i++;
        if (i == count)
            list[count++] = e->task_of[r];
    }
    *out = list;
    *out_count = count;
    return GB_OK;
}

/* ---- the data file ----------------------------------------------------------------------------
 */

static gb_status open_data(gb_lerobot_export *e)
{
    char path[4200];
    gb_bytes_out *to = NULL;
    const char *features = NULL;
    gb_parquet_field *fields = gb_arena_alloc(e->arena, (size_t)e->column_count * sizeof *fields);
    if (!fields)
        return GB_ERR_MEMORY;
    int count = 0;
    for (int i = 0; i < e->column_count; i++) {
        const gb_lerobot_column *c = &e->columns[i];
        if (c->is_video)
            continue;
        gb_parquet_field *f = &fields[count++];
        *f = (gb_parquet_field){.name = c->name, .type = c->type, .is_bool = c->is_bool};
        f->lists = c->size == 1 && c->rank == 1 ? 0 : c->rank;
        for (int d = 0; d < f->lists; d++)
            f->extent[d] = c->shape[d];
    }
    snprintf(path, sizeof path, "%s/data/chunk-%03lld", e->folder, (long long)e->data_chunk);
    GB_TRY(gb_folder_create(path));
    snprintf(path, sizeof path, "%s/data/chunk-%03lld/file-%03lld.parquet", e->folder,
             (long long)e->data_chunk, (long long)e->data_file);
    GB_TRY(gb_lerobot_hugging_face(e, &features));
    gb_pair pair = {"huggingface", features};
    GB_TRY(gb_bytes_out_file(path, &to));
    return gb_parquet_writer_create(to, fields, count, &pair, 1, &e->data);
}

static gb_status end_data(gb_lerobot_export *e)
{
    gb_parquet_writer *data = e->data;
    e->data = NULL;
    gb_lerobot_step(e, &e->data_chunk, &e->data_file);
    return gb_parquet_writer_finish(data);
}

/* NaN where there is no sample: not for whole numbers, which are zero then. */
static void fill_missing(gb_value_type type, unsigned char *to, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (type == GB_VALUE_F32)
            ((float *)(void *)to)[i] = NAN;
        else if (type == GB_VALUE_F64)
            ((double *)(void *)to)[i] = NAN;
        else
            memset(to + i * (int64_t)gb_value_type_bytes(type), 0, gb_value_type_bytes(type));
}

static float as_float(gb_value_type type, const unsigned char *from)
{
    double f64 = 0;
    int64_t i64 = 0;
    float f32 = 0;
    size_t bytes = gb_value_type_bytes(type);
    bool is_signed = type == GB_VALUE_I8 || type == GB_VALUE_I16 || type == GB_VALUE_I32;
    if (type == GB_VALUE_F32) {
        memcpy(&f32, from, 4);
        return f32;
    }
    if (type == GB_VALUE_F64) {
        memcpy(&f64, from, 8);
        return (float)f64;
    }
    memcpy(&i64, from, bytes);
    if (is_signed) /* the sign of the narrower number */
        i64 = (int64_t)((uint64_t)i64 << (64 - 8 * bytes)) >> (64 - 8 * bytes);
    return type == GB_VALUE_U64 ? (float)(uint64_t)i64 : (float)i64;
}

/* A part's values into its place in each row of e->side. */
static void
copy_part(gb_lerobot_export *e, const gb_lerobot_column *c, const gb_taken_stream *s, int64_t place)
{
    size_t to_bytes = gb_value_type_bytes(c->type), bytes = gb_value_type_bytes(s->spec.value_type);
    for (int64_t r = 0; r < e->rows; r++) {
        unsigned char *to = e->side + (size_t)(r * c->size + place) * to_bytes;
        const unsigned char *from = s->values + (size_t)(e->pick[r] * s->size) * bytes;
        if (e->pick[r] < 0)
            fill_missing(c->type, to, s->size);
        else if (s->spec.value_type == c->type)
            memcpy(to, from, (size_t)s->size * bytes);
        else
            for (int64_t i = 0; i < s->size; i++) {
                float value = as_float(s->spec.value_type, from + (size_t)i * bytes);
                memcpy(to + 4 * i, &value, 4);
            }
    }
}

static gb_status write_numbers(gb_lerobot_export *e, gb_lerobot_column *c)
{
    size_t bytes = (size_t)(e->rows * c->size) * gb_value_type_bytes(c->type);
    int64_t place = 0;
    GB_TRY(gb_parquet_grow((void **)&e->side, &e->side_room, bytes, 1));
    for (int p = 0; p < c->part_count; p++) {
        const gb_taken_stream *s = gb_lerobot_find_taken(e->taken, c->parts[p]);
        GB_TRY(gb_lerobot_pick(e, s));
        copy_part(e, c, s, place);
        place += s->size;
    }
    GB_TRY(gb_lerobot_measure(c, c->type, e->side, e->rows));
    return gb_parquet_put(e->data, c->field, e->side, e->rows);
}

static gb_status write_texts(gb_lerobot_export *e, gb_lerobot_column *c)
{
    const gb_taken_stream *s = gb_lerobot_find_taken(e->taken, c->parts[0]);
    GB_TRY(gb_lerobot_pick(e, s));
    for (int64_t r = 0; r < e->rows; r++) {
        int64_t i = e->pick[r];
        const char *text = i < 0 ? "" : (const char *)s->values + s->offset[i];
        size_t size = i < 0 ? 0 : (size_t)(s->offset[i + 1] - s->offset[i]);
        GB_TRY(gb_parquet_put_texts(e->data, c->field, &text, &size, 1));
    }
    return GB_OK;
}

static gb_status write_books(gb_lerobot_export *e)
{
    gb_lerobot_column *books = &e->columns[e->column_count - GB_LEROBOT_BOOKS];
    GB_TRY(gb_parquet_grow((void **)&e->side, &e->side_room, (size_t)e->rows * 8, 1));
    float *seconds = (float *)(void *)e->side;
    int64_t *numbers = (int64_t *)(void *)e->side;
    for (int64_t r = 0; r < e->rows; r++)
        seconds[r] = (float)((double)r / e->fps);
    GB_TRY(gb_lerobot_measure(&books[0], GB_VALUE_F32, seconds, e->rows));
    GB_TRY(gb_parquet_put(e->data, books[0].field, seconds, e->rows));
    for (int b = GB_LEROBOT_FRAME; b < GB_LEROBOT_BOOKS; b++) {
        for (int64_t r = 0; r < e->rows; r++)
            numbers[r] = b == GB_LEROBOT_FRAME     ? r
                         : b == GB_LEROBOT_EPISODE ? e->episode_count
                         : b == GB_LEROBOT_INDEX   ? e->frame_count + r
                                                   : e->task_of[r];
        GB_TRY(gb_lerobot_measure(&books[b], GB_VALUE_I64, numbers, e->rows));
        GB_TRY(gb_parquet_put(e->data, books[b].field, numbers, e->rows));
    }
    return GB_OK;
}

static gb_status write_columns(gb_lerobot_export *e)
{
    for (int i = 0; i < e->column_count - GB_LEROBOT_BOOKS; i++) {
        gb_lerobot_column *c = &e->columns[i];
        const gb_taken_stream *s = gb_lerobot_find_taken(e->taken, c->parts[0]);
        if (c->is_video)
            GB_TRY(gb_lerobot_write_frames(e, c, s));
        else if (c->is_text)
            GB_TRY(write_texts(e, c));
        else
            GB_TRY(write_numbers(e, c));
    }
    GB_TRY(write_books(e));
    return gb_parquet_writer_group(e->data);
}

/* ---- the episode ------------------------------------------------------------------------------
 */

static gb_status keep_robot(gb_lerobot_export *e, const gb_taken *taken)
{
    const char *robot =
        gb_pair_find(taken->info.pairs, taken->info.pair_count, "lerobot.robot_type");
    if (e->robot_type)
        return GB_OK;
    e->robot_type = strdup(robot && robot[0] ? robot : "unknown");
    return e->robot_type ? GB_OK : gb_fail(GB_ERR_MEMORY, "no memory for an export");
}

static gb_status write_files(gb_lerobot_export *e)
{
    int64_t *tasks = NULL, task_count = 0;
    if (e->data && gb_parquet_writer_bytes(e->data) >= e->options.data_file_bytes)
        GB_TRY(end_data(e));
    if (!e->data)
        GB_TRY(open_data(e));
    GB_TRY(write_columns(e));
    GB_TRY(list_tasks(e, &tasks, &task_count));
    gb_status status = gb_lerobot_put_episode(e, e->data_chunk, e->data_file, tasks, task_count);
    free(tasks);
    return status;
}

gb_status gb_lerobot_write_episode(gb_lerobot_export *e, const gb_taken *taken)
{
    if (e->broken)
        return gb_fail(GB_ERR_ARGUMENT, "an earlier episode could not be written");
    if (!e->planned) {
        GB_TRY(keep_robot(e, taken));
        GB_TRY(gb_lerobot_plan_columns(e, taken));
    }
    GB_TRY(gb_lerobot_check_columns(e, taken));
    GB_TRY(find_grid(e, taken));
    GB_TRY(find_tasks(e, taken));
    e->taken = taken;
    gb_status status = write_files(e);
    if (status != GB_OK) {
        e->broken = true;
        return status;
    }
    for (int i = 0; i < e->column_count; i++)
        gb_lerobot_add_stats(&e->columns[i]);
    e->episode_count++;
    e->frame_count += e->rows;
    return GB_OK;
}
