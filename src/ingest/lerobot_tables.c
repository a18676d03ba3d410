/* A LeRobot data set's tasks and episodes: JSON lines in version 2.1, Parquet in version 3. */
#include "ingest/lerobot.h"

#include "base/json.h"
#include "ingest/parquet.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_BYTES_MAX (256 << 20)
#define TASKS_MAX 1000000
#define EPISODES_MAX 1000000
#define PARTS_MAX 100000 /* files of the episodes' table */

/* Lists that grow while a table is read; they end up in the set's arena. */
typedef struct tables {
    gb_lerobot *set;
    const char **tasks;
    size_t task_count, task_room;
    gb_lerobot_episode *episodes;
    size_t episode_count, episode_room;
} tables;

static gb_status grow(void **list, size_t *room, size_t need, size_t size)
{
    if (need <= *room)
        return GB_OK;
    size_t grown_room = *room ? *room : 64;
    while (grown_room < need)
        grown_room *= 2;
    void *grown = realloc(*list, grown_room * size);
    if (!grown)
        return gb_fail(GB_ERR_MEMORY, "no memory for a LeRobot data set's episodes");
    memset((char *)grown + *room * size, 0, (grown_room - *room) * size);
    *list = grown;
    *room = grown_room;
    return GB_OK;
}

static gb_status add_task(tables *t, int64_t index, const char *text, size_t size, const char *file)
{
    if (index < 0 || index >= TASKS_MAX)
        return gb_fail(GB_ERR_SCHEMA, "%s: task_index %lld; expected 0 to %d", file,
                       (long long)index, TASKS_MAX - 1);
    GB_TRY(grow((void **)&t->tasks, &t->task_room, (size_t)index + 1, sizeof *t->tasks));
    t->tasks[index] = gb_arena_format(t->set->arena, "%.*s", (int)size, text);
    if (!t->tasks[index])
        return GB_ERR_MEMORY;
    if ((size_t)index >= t->task_count)
        t->task_count = (size_t)index + 1;
    return GB_OK;
}

static gb_status add_episode(tables *t, const char *file, gb_lerobot_episode **out)
{
    if (t->episode_count == EPISODES_MAX)
        return gb_fail(GB_ERR_SCHEMA, "%s: more than %d episodes", file, EPISODES_MAX);
    GB_TRY(
        grow((void **)&t->episodes, &t->episode_room, t->episode_count + 1, sizeof *t->episodes));
    *out = &t->episodes[t->episode_count++];
    (*out)->first_row = -1;
    return GB_OK;
}

/* ---- JSON lines (v2.1) ------------------------------------------------------------------------
 */

typedef gb_status (*line_fn)(tables *t, const gb_json_at *line);

static gb_status each_line(tables *t, const char *path, line_fn take)
{
    char *text = NULL;
    size_t size = 0;
    GB_TRY(gb_file_read(path, TABLE_BYTES_MAX, t->set->arena, &text, &size));
    int64_t number = 0;
    gb_status status = GB_OK;
    for (char *line = text, *end; status == GB_OK && line < text + size; line = end + 1) {
        end = memchr(line, '\n', (size_t)(text + size - line));
        end = end ? end : text + size;
        number++;
        char name[4200];
        snprintf(name, sizeof name, "%s:%lld", path, (long long)number);
        if (strspn(line, " \t\r") >= (size_t)(end - line))
            continue;
        json_t *document = NULL;
        GB_TRY(gb_json_parse(name, line, (size_t)(end - line), &document));
        gb_json_at at = gb_json_root(name, document);
        status = gb_json_as_object(&at);
        if (status == GB_OK)
            status = take(t, &at);
        json_decref(document);
    }
    return status;
}

static gb_status take_task_line(tables *t, const gb_json_at *line)
{
    int64_t index = 0;
    const char *text = NULL;
    GB_TRY(gb_json_int(line, "task_index", 0, TASKS_MAX - 1, &index));
    GB_TRY(gb_json_text(line, "task", &text));
    return add_task(t, index, text, strlen(text), line->name);
}

static gb_status take_episode_line(tables *t, const gb_json_at *line)
{
    gb_lerobot_episode *episode = NULL;
    gb_json_at tasks;
    GB_TRY(add_episode(t, line->name, &episode));
    GB_TRY(gb_json_int(line, "episode_index", 0, EPISODES_MAX, &episode->index));
    GB_TRY(gb_json_int(line, "length", 0, INT64_C(1) << 40, &episode->length));
    episode->chunk = episode->index / t->set->chunk_size;
    if (!gb_json_has(line, "tasks"))
        return GB_OK;
    GB_TRY(gb_json_array(line, "tasks", &tasks));
    episode->tasks = (int64_t)gb_json_count(&tasks);
    if (episode->tasks == 0)
        return GB_OK;
    gb_json_at first = gb_json_item(&tasks, 0);
    const char *text = NULL;
    GB_TRY(gb_json_as_text(&first, &text));
    episode->task = gb_arena_text(t->set->arena, text);
    return episode->task ? GB_OK : GB_ERR_MEMORY;
}

static gb_status read_lines(tables *t)
{
    const char *tasks = gb_arena_format(t->set->arena, "%s/meta/tasks.jsonl", t->set->root);
    const char *episodes = gb_arena_format(t->set->arena, "%s/meta/episodes.jsonl", t->set->root);
    if (!tasks || !episodes)
        return GB_ERR_MEMORY;
    if (gb_file_exists(tasks))
        GB_TRY(each_line(t, tasks, take_task_line));
    return each_line(t, episodes, take_episode_line);
}

/* ---- Parquet (v3) -----------------------------------------------------------------------------
 */

/* All rows of one column of a row group, which a table this small has in memory at once. */
static gb_status read_whole(const gb_parquet *file, int group, int column, gb_parquet_batch *batch)
{
    gb_parquet_cursor *cursor = NULL;
    GB_TRY(gb_parquet_cursor_open(file, group, column, &cursor));
    gb_status status = gb_parquet_read(cursor, file->groups[group].rows, batch);
    gb_parquet_cursor_close(cursor);
    return status;
}

static gb_status wrong_column(const gb_parquet *file, const char *name, const char *expected)
{
    return gb_fail(GB_ERR_SCHEMA, "%s: column %s: expected %s", file->origin, name, expected);
}

/* A column of one number a row: as doubles, which hold whole numbers up to 2^53. */
static gb_status read_numbers(const gb_parquet *file, int group, const char *name, double *out)
{
    int column = gb_parquet_find(file, name);
    if (column < 0)
        return wrong_column(file, name, "it to be there");
    const gb_parquet_column *about = &file->columns[column];
    gb_value_type type = gb_parquet_value_type(about);
    if (about->max_rep > 0 || (type != GB_VALUE_I64 && type != GB_VALUE_F64))
        return wrong_column(file, name, "64-bit numbers");
    gb_parquet_batch batch = {0};
    gb_status status = read_whole(file, group, column, &batch);
    for (int64_t r = 0; status == GB_OK && r < batch.rows; r++) {
        int64_t whole = 0;
        if (!batch.present[r])
            status = wrong_column(file, name, "no empty rows");
        if (type == GB_VALUE_I64) {
            memcpy(&whole, batch.values + 8 * r, 8);
            out[r] = (double)whole;
        } else
            memcpy(&out[r], batch.values + 8 * r, 8);
        if (!(fabs(out[r]) < 9e15))
            status = wrong_column(file, name, "numbers of a possible size");
    }
    gb_parquet_batch_free(&batch);
    return status;
}

/* The text column of tasks.parquet is pandas' index; newer writers may call it "task". */
static int task_column(const gb_parquet *file)
{
    int column = gb_parquet_find(file, "__index_level_0__");
    if (column < 0)
        column = gb_parquet_find(file, "task");
    return column >= 0 && file->columns[column].max_rep == 0 &&
                   file->columns[column].type == GB_PARQUET_BYTE_ARRAY
               ? column
               : -1;
}

static gb_status read_task_group(tables *t, const gb_parquet *file, int group)
{
    int column = task_column(file);
    int64_t rows = file->groups[group].rows;
    if (column < 0)
        return wrong_column(file, "__index_level_0__", "the tasks' texts");
    if (rows > TASKS_MAX)
        return wrong_column(file, "task_index", "at most 1,000,000 tasks");
    double *index = calloc((size_t)rows + 1, sizeof *index);
    gb_parquet_batch batch = {0};
    gb_status status =
        index ? GB_OK : gb_fail(GB_ERR_MEMORY, "%s: no memory for its tasks", file->origin);
    if (status == GB_OK)
        status = read_numbers(file, group, "task_index", index);
    if (status == GB_OK)
        status = read_whole(file, group, column, &batch);
    for (int64_t r = 0; status == GB_OK && r < rows; r++)
        status = add_task(t, (int64_t)index[r], (const char *)batch.bytes + batch.offset[r],
                          (size_t)(batch.offset[r + 1] - batch.offset[r]), file->origin);
    gb_parquet_batch_free(&batch);
    free(index);
    return status;
}

static gb_status read_task_table(tables *t)
{
    const char *path = gb_arena_format(t->set->arena, "%s/meta/tasks.parquet", t->set->root);
    gb_parquet *file = NULL;
    if (!path)
        return GB_ERR_MEMORY;
    if (!gb_file_exists(path))
        return GB_OK;
    GB_TRY(gb_parquet_open_file(path, &file));
    gb_status status = GB_OK;
    for (int g = 0; status == GB_OK && g < file->group_count; g++)
        status = read_task_group(t, file, g);
    gb_parquet_close(file);
    return status;
}

/* The first text of each row's list of tasks. */
static gb_status
read_episode_tasks(tables *t, const gb_parquet *file, int group, gb_lerobot_episode *episodes)
{
    int column = gb_parquet_find(file, "tasks");
    if (column < 0 || file->columns[column].type != GB_PARQUET_BYTE_ARRAY)
        return GB_OK;
    gb_parquet_batch batch = {0};
    gb_status status = read_whole(file, group, column, &batch);
    for (int64_t r = 0; status == GB_OK && r < batch.rows; r++) {
        int64_t first = batch.row_start[r], count = batch.row_start[r + 1] - first;
        episodes[r].tasks = count;
        if (count == 0)
            continue;
        episodes[r].task = gb_arena_format(t->set->arena, "%.*s",
                                           (int)(batch.offset[first + 1] - batch.offset[first]),
                                           (const char *)batch.bytes + batch.offset[first]);
        if (!episodes[r].task)
            status = GB_ERR_MEMORY;
    }
    gb_parquet_batch_free(&batch);
    return status;
}

static gb_status read_clips(tables *t,
                            const gb_parquet *file,
                            int group,
                            int feature,
                            double *numbers,
                            gb_lerobot_episode *episodes)
{
    static const char *const fields[] = {"chunk_index", "file_index", "from_timestamp",
                                         "to_timestamp"};
    for (int f = 0; f < 4; f++) {
        char name[256];
        snprintf(name, sizeof name, "videos/%s/%s", t->set->features[feature].name, fields[f]);
        GB_TRY(read_numbers(file, group, name, numbers));
        for (int64_t r = 0; r < file->groups[group].rows; r++) {
            if (fabs(numbers[r]) > 1e9)
                return wrong_column(file, name, "a possible number of seconds or files");
            gb_lerobot_clip *clip = &episodes[r].clips[feature];
            if (f == 0)
                clip->chunk = (int64_t)numbers[r];
            else if (f == 1)
                clip->file = (int64_t)numbers[r];
            else
                *(f == 2 ? &clip->from_s : &clip->to_s) = numbers[r];
        }
    }
    return GB_OK;
}

/* One number a row, to a field of the episodes. */
static gb_status read_field(const gb_parquet *file,
                            int group,
                            const char *name,
                            double *numbers,
                            gb_lerobot_episode *episodes,
                            size_t field)
{
    GB_TRY(read_numbers(file, group, name, numbers));
    for (int64_t r = 0; r < file->groups[group].rows; r++) {
        int64_t whole = (int64_t)numbers[r];
        if (whole < 0)
            return wrong_column(file, name, "numbers from 0 on");
        memcpy((char *)&episodes[r] + field, &whole, sizeof whole);
    }
    return GB_OK;
}

static gb_status read_episode_columns(
    tables *t, const gb_parquet *file, int group, double *numbers, gb_lerobot_episode *to)
{
    const gb_lerobot *set = t->set;
    GB_TRY(
        read_field(file, group, "episode_index", numbers, to, offsetof(gb_lerobot_episode, index)));
    GB_TRY(read_field(file, group, "length", numbers, to, offsetof(gb_lerobot_episode, length)));
    GB_TRY(read_field(file, group, "data/chunk_index", numbers, to,
                      offsetof(gb_lerobot_episode, chunk)));
    GB_TRY(read_field(file, group, "data/file_index", numbers, to,
                      offsetof(gb_lerobot_episode, file)));
    GB_TRY(read_field(file, group, "dataset_from_index", numbers, to,
                      offsetof(gb_lerobot_episode, first_row)));
    GB_TRY(read_episode_tasks(t, file, group, to));
    for (int f = 0; f < set->feature_count; f++)
        if (set->features[f].is_video)
            GB_TRY(read_clips(t, file, group, f, numbers, to));
    return GB_OK;
}

static gb_status read_episode_group(tables *t, const gb_parquet *file, int group)
{
    int64_t rows = file->groups[group].rows;
    size_t first = t->episode_count, features = (size_t)t->set->feature_count;
    for (int64_t r = 0; r < rows; r++) {
        gb_lerobot_episode *episode = NULL;
        GB_TRY(add_episode(t, file->origin, &episode));
        episode->clips = gb_arena_alloc(t->set->arena, features * sizeof *episode->clips);
        if (!episode->clips)
            return GB_ERR_MEMORY;
    }
    double *numbers = calloc((size_t)rows + 1, sizeof *numbers);
    if (!numbers)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for its episodes", file->origin);
    gb_status status = read_episode_columns(t, file, group, numbers, t->episodes + first);
    free(numbers);
    return status;
}

static gb_status read_episode_file(tables *t, const char *path)
{
    gb_parquet *file = NULL;
    GB_TRY(gb_parquet_open_file(path, &file));
    gb_status status = GB_OK;
    for (int g = 0; status == GB_OK && g < file->group_count; g++)
        status = read_episode_group(t, file, g);
    gb_parquet_close(file);
    return status;
}

/* meta/episodes/chunk-NNN/file-NNN.parquet, in order, until there are no more. */
static gb_status read_episode_tables(tables *t)
{
    int parts = 0;
    for (int chunk = 0; chunk < 1000 && parts < PARTS_MAX; chunk++) {
        int file = 0;
        for (; file < 1000; file++, parts++) {
            const char *path =
                gb_arena_format(t->set->arena, "%s/meta/episodes/chunk-%03d/file-%03d.parquet",
                                t->set->root, chunk, file);
            if (!path)
                return GB_ERR_MEMORY;
            if (!gb_file_exists(path))
                break;
            GB_TRY(read_episode_file(t, path));
        }
        if (file == 0)
            break;
    }
    if (parts == 0)
        return gb_fail(GB_ERR_NOT_FOUND,
                       "%s: meta/episodes/chunk-000/file-000.parquet is not there; version 3 "
                       "describes its episodes in it",
                       t->set->root);
    return GB_OK;
}

/* ---- both -------------------------------------------------------------------------------------
 */

static int by_index(const void *a, const void *b)
{
    int64_t left = ((const gb_lerobot_episode *)a)->index;
    int64_t right = ((const gb_lerobot_episode *)b)->index;
    return (left > right) - (left < right);
}

static gb_status keep(tables *t)
{
    gb_lerobot *set = t->set;
    gb_lerobot_episode *episodes = gb_arena_alloc(set->arena, t->episode_count * sizeof *episodes);
    const char **tasks = gb_arena_alloc(set->arena, t->task_count * sizeof *tasks);
    if (!episodes || !tasks)
        return GB_ERR_MEMORY;
    if (t->episode_count > 0) {
        qsort(t->episodes, t->episode_count, sizeof *episodes, by_index);
        memcpy(episodes, t->episodes, t->episode_count * sizeof *episodes);
    }
    if (t->task_count > 0)
        memcpy(tasks, t->tasks, t->task_count * sizeof *tasks);
    for (size_t i = 1; i < t->episode_count; i++)
        if (episodes[i].index == episodes[i - 1].index)
            return gb_fail(GB_ERR_SCHEMA, "%s/meta: episode %lld is described twice", set->root,
                           (long long)episodes[i].index);
    set->episodes = episodes;
    set->episode_count = (int64_t)t->episode_count;
    set->tasks = tasks;
    set->task_count = (int64_t)t->task_count;
    return GB_OK;
}

gb_status gb_lerobot_read_tables(gb_lerobot *set)
{
    tables t = {.set = set};
    gb_status status = GB_OK;
    if (set->version == 30) {
        status = read_task_table(&t);
        if (status == GB_OK)
            status = read_episode_tables(&t);
    } else
        status = read_lines(&t);
    if (status == GB_OK)
        status = keep(&t);
    free(t.tasks);
    free(t.episodes);
    return status;
}
