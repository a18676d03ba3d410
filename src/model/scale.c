/* The scale of series: mean and sigma of every column of every recording a model was fitted on,
 * found again by the recording's name. They say what "a usual spread" is, in which losses and the
 * floor of the instance normalisation are meant.
 *
 * Kept as "stats.scale" [recordings, columns, 2] (mean, sigma) and "stats.scale.recordings"
 * [recordings, 2] i32, the halves of a hash of the name, rising. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"

static uint64_t hash_text(uint64_t hash, const char *text) /* FNV-1a */
{
    for (; text && *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return hash;
}

#define HASH_START 14695981039346656037u

int32_t gb_stream_identity(const gb_stream_spec *spec)
{
    bool known = (spec->semantic && spec->semantic[0]) || (spec->unit && spec->unit[0]);
    uint64_t hash = hash_text(hash_text(HASH_START, spec->semantic), "/");
    hash = hash_text(hash, spec->unit);
    return known ? (int32_t)(1 + hash % (GB_STREAM_IDENTITIES - 1)) : 0;
}

void gb_scale_of(const float *values, int64_t count, float *center, float *scale)
{
    double sum = 0.0, squares = 0.0;
    int64_t present = 0;
    for (int64_t i = 0; i < count; i++)
        if (isfinite(values[i])) {
            sum += values[i];
            present++;
        }
    double mean = present ? sum / (double)present : 0.0;
    for (int64_t i = 0; i < count; i++)
        if (isfinite(values[i]))
            squares += (values[i] - mean) * (values[i] - mean);
    double sigma = present ? sqrt(squares / (double)present) : 0.0;
    *center = (float)mean;
    *scale = sigma > 1e-6 * fabs(mean) && sigma > 1e-30 ? (float)sigma : 1.0f;
}

/* ---- fitting -------------------------------------------------------------------------------- */

typedef struct running {
    double mean, squares; /* Welford 1962 */
    int64_t count;
} running;

typedef struct entry {
    uint64_t hash;
    running *columns; /* [column_count] */
} entry;

typedef struct fitting {
    gb_arena *arena;
    entry **entries;
    int64_t count, capacity, column_count;
    float *rows; /* [look_back + horizon] */
} fitting;

static void add_value(running *r, float value)
{
    if (!isfinite(value))
        return;
    double before = value - r->mean;
    r->mean += before / (double)++r->count;
    r->squares += before * (value - r->mean);
}

static entry *entry_of(fitting *fit, const gb_window_index *index, int64_t recording)
{
    const gb_recording *r = gb_dataset_get(gb_window_index_dataset(index), recording);
    uint64_t hash = hash_text(HASH_START, gb_recording_get_info(r)->name);
    for (int64_t i = fit->count - 1; i >= 0; i--)
        if (fit->entries[i]->hash == hash)
            return fit->entries[i];
    if (fit->count == fit->capacity) {
        int64_t capacity = fit->capacity ? 2 * fit->capacity : 64;
        entry **grown = gb_arena_alloc(fit->arena, (size_t)capacity * sizeof *grown);
        if (!grown)
            return NULL;
        if (fit->count > 0)
            memcpy(grown, fit->entries, (size_t)fit->count * sizeof *grown);
        fit->entries = grown;
        fit->capacity = capacity;
    }
    entry *added = gb_arena_alloc(fit->arena, sizeof *added);
    if (!added)
        return NULL;
    added->hash = hash;
    added->columns = gb_arena_alloc(fit->arena, (size_t)fit->column_count * sizeof(running));
    if (!added->columns)
        return NULL;
    fit->entries[fit->count++] = added;
    return added;
}

/* Adds rows (covered, now + horizon] of one window to every column. */
static gb_status
add_rows(fitting *fit, const gb_window_index *index, int64_t window, int64_t fresh, entry *to)
{
    const gb_window_spec *spec = gb_window_index_spec(index);
    int64_t column = 0;
    for (int s = 0; s < spec->stream_count; s++) {
        const gb_window_stream *w = &spec->streams[s];
        int64_t rows = w->look_back + w->horizon;
        for (int64_t c = 0; c < gb_window_stream_size(index, s); c++, column++) {
            GB_TRY(gb_window_read_column(index, window, s, c, fit->rows, fit->rows + w->look_back));
            for (int64_t i = rows > fresh ? rows - fresh : 0; i < rows; i++)
                add_value(&to->columns[column], fit->rows[i]);
        }
    }
    return GB_OK;
}

/* Every row that any window shows counts once: a window is read only when the next one does not
 * reach back to the first row not counted yet. */
static gb_status add_source(fitting *fit, const gb_window_index *index)
{
    const gb_window_stream *w = &gb_window_index_spec(index)->streams[0];
    int64_t count = gb_window_count(index), recording = -1, covered = 0;
    for (int64_t i = 0; i < count; i++) {
        gb_window_place place, next = {.recording = -1};
        GB_TRY(gb_window_place_of(index, i, &place));
        if (i + 1 < count)
            GB_TRY(gb_window_place_of(index, i + 1, &next));
        if (place.recording != recording || place.now_row - w->look_back > covered)
            covered = place.now_row - w->look_back;
        recording = place.recording;
        if (next.recording == recording && next.now_row > place.now_row &&
            next.now_row - w->look_back <= covered)
            continue;
        entry *to = entry_of(fit, index, recording);
        if (!to)
            return GB_ERR_MEMORY;
        GB_TRY(add_rows(fit, index, i, place.now_row + w->horizon - covered, to));
        covered = place.now_row + w->horizon;
    }
    return GB_OK;
}

static int by_hash(const void *a, const void *b)
{
    uint64_t x = (*(entry *const *)a)->hash, y = (*(entry *const *)b)->hash;
    return x < y ? -1 : x > y;
}

static gb_status store(gb_model *model, fitting *fit)
{
    gb_tensor *scale = NULL, *names = NULL;
    if (fit->count == 0)
        return gb_fail(GB_ERR_ARGUMENT, "statistics: the sources hold no window; are the "
                                        "recordings shorter than look_back + horizon?");
    if (gb_tensors_find(model->weights, "stats.scale"))
        return gb_fail(GB_ERR_ARGUMENT, "statistics: this model has them already");
    qsort(fit->entries, (size_t)fit->count, sizeof(entry *), by_hash);
    GB_TRY(gb_tensors_add(model->weights, "stats.scale", GB_F32,
                          GB_SHAPE(fit->count, fit->column_count, 2), &scale));
    GB_TRY(gb_tensors_add(model->weights, "stats.scale.recordings", GB_I32, GB_SHAPE(fit->count, 2),
                          &names));
    for (int64_t i = 0; i < fit->count; i++) {
        float *to = (float *)scale->data + i * fit->column_count * 2;
        for (int64_t c = 0; c < fit->column_count; c++) {
            const running *r = &fit->entries[i]->columns[c];
            double sigma = r->count ? sqrt(r->squares / (double)r->count) : 0.0;
            to[2 * c] = (float)r->mean;
            to[2 * c + 1] = sigma > 1e-6 * fabs(r->mean) && sigma > 1e-30 ? (float)sigma : 1.0f;
        }
        ((uint32_t *)names->data)[2 * i] = (uint32_t)(fit->entries[i]->hash >> 32);
        ((uint32_t *)names->data)[2 * i + 1] = (uint32_t)fit->entries[i]->hash;
    }
    return GB_OK;
}

gb_status gb_scale_fit(gb_model *model, gb_window_index *const *sources, int source_count)
{
    fitting fit = {0};
    const gb_model_config *config = model->config;
    for (int i = 0; i < source_count; i++) {
        int64_t columns = gb_model_examples_per_window(model, sources[i]);
        fit.column_count = columns > fit.column_count ? columns : fit.column_count;
    }
    GB_TRY(gb_arena_create(0, &fit.arena));
    size_t rows = (size_t)config->codec.look_back + (size_t)config->head.horizon;
    fit.rows = gb_arena_alloc(fit.arena, rows * sizeof(float));
    gb_status status = fit.rows ? GB_OK : GB_ERR_MEMORY;
    for (int i = 0; i < source_count && status == GB_OK; i++)
        status = add_source(&fit, sources[i]);
    if (status == GB_OK)
        status = store(model, &fit);
    gb_arena_destroy(fit.arena);
    return status;
}

/* ---- looking up ----------------------------------------------------------------------------- */

bool gb_scale_find(
    const gb_model *model, const char *recording, int64_t column, float *center, float *scale)
{
    const gb_tensor *table = gb_tensors_find(model->weights, "stats.scale");
    const gb_tensor *names = gb_tensors_find(model->weights, "stats.scale.recordings");
    if (!table || !names || column >= table->shape.dim[1])
        return false;
    uint64_t wanted = hash_text(HASH_START, recording);
    const uint32_t *halves = names->data;
    int64_t low = 0, high = names->shape.dim[0];
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        uint64_t hash = (uint64_t)halves[2 * middle] << 32 | halves[2 * middle + 1];
        if (hash == wanted) {
            const float *pair =
                (const float *)table->data + (middle * table->shape.dim[1] + column) * 2;
            *center = pair[0];
            *scale = pair[1];
            return true;
        }
        if (hash < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}
