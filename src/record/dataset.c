/* Datasets (ordered lists of recordings) and the splits that cut them. No samples are touched. */
#include "genba/record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct gb_dataset {
    gb_recording **recordings;
    int64_t count, room;
};

gb_status gb_dataset_create(gb_dataset **out)
{
    gb_dataset *dataset = calloc(1, sizeof *dataset);
    if (!dataset)
        return gb_fail(GB_ERR_MEMORY, "no memory for a dataset");
    *out = dataset;
    return GB_OK;
}

void gb_dataset_destroy(gb_dataset *dataset)
{
    if (!dataset)
        return;
    for (int64_t i = 0; i < dataset->count; i++)
        gb_recording_destroy(dataset->recordings[i]);
    free(dataset->recordings);
    free(dataset);
}

static gb_status reserve(gb_dataset *dataset, int64_t need)
{
    if (need <= dataset->room)
        return GB_OK;
    int64_t room = need > 2 * dataset->room ? need : 2 * dataset->room;
    gb_recording **grown = realloc(dataset->recordings, (size_t)room * sizeof *grown);
    if (!grown)
        return gb_fail(GB_ERR_MEMORY, "no memory for more than %lld recordings",
                       (long long)dataset->count);
    dataset->recordings = grown;
    dataset->room = room;
    return GB_OK;
}

gb_status gb_dataset_add(gb_dataset *dataset, gb_recording *recording)
{
    if (!recording)
        return gb_fail(GB_ERR_ARGUMENT, "gb_dataset_add: the recording is NULL");
    GB_TRY(reserve(dataset, dataset->count + 1));
    dataset->recordings[dataset->count++] = recording;
    return GB_OK;
}

gb_status gb_dataset_merge(gb_dataset *dataset, gb_dataset *from)
{
    if (dataset == from)
        return gb_fail(GB_ERR_ARGUMENT, "gb_dataset_merge: a dataset cannot be merged into itself");
    GB_TRY(reserve(dataset, dataset->count + from->count));
    for (int64_t i = 0; i < from->count; i++)
        dataset->recordings[dataset->count++] = from->recordings[i];
    from->count = 0;
    return GB_OK;
}

int64_t gb_dataset_count(const gb_dataset *dataset)
{
    return dataset->count;
}

const gb_recording *gb_dataset_get(const gb_dataset *dataset, int64_t index)
{
    if (index < 0 || index >= dataset->count)
        return NULL;
    return dataset->recordings[index];
}

int64_t gb_dataset_find(const gb_dataset *dataset, const char *name)
{
    for (int64_t i = 0; i < dataset->count; i++)
        if (strcmp(gb_recording_get_info(dataset->recordings[i])->name, name) == 0)
            return i;
    return -1;
}

gb_status gb_split_rows(const gb_dataset *dataset,
                        int64_t first_row,
                        int64_t last_row,
                        bool reach_back,
                        gb_row_range *out)
{
    if (first_row < 0 || last_row < first_row)
        return gb_fail(GB_ERR_ARGUMENT, "rows [%lld, %lld): expected 0 <= first <= last",
                       (long long)first_row, (long long)last_row);
    for (int64_t i = 0; i < dataset->count; i++)
        out[i] = (gb_row_range){i, first_row, last_row, reach_back};
    return GB_OK;
}

gb_status gb_split_names(const gb_dataset *dataset,
                         const char *const *names,
                         int64_t count,
                         gb_row_range *out)
{
    for (int64_t i = 0; i < count; i++) {
        if (gb_dataset_find(dataset, names[i]) < 0)
            return gb_fail(GB_ERR_NOT_FOUND, "the dataset of %lld recordings has none called %s",
                           (long long)dataset->count, names[i]);
    }
    for (int64_t i = 0; i < count; i++)
        out[i] = (gb_row_range){gb_dataset_find(dataset, names[i]), 0, GB_ROWS_ALL, false};
    return GB_OK;
}

/* Fisher-Yates with the counter-based generator: the order depends on the seed alone. */
static void shuffle(int64_t *order, int64_t count, uint64_t seed)
{
    for (int64_t i = count - 1; i > 0; i--) {
        int64_t j = (int64_t)gb_random_below(seed, 0, (uint64_t)i, (uint64_t)i + 1);
        int64_t swapped = order[i];
        order[i] = order[j];
        order[j] = swapped;
    }
}

gb_status gb_split_fraction(const gb_dataset *dataset,
                            double from,
                            double to,
                            uint64_t seed,
                            gb_row_range *out,
                            int64_t *out_count)
{
    if (!(from >= 0 && from <= to && to <= 1))
        return gb_fail(GB_ERR_ARGUMENT, "fraction [%g, %g): expected 0 <= from <= to <= 1", from,
                       to);
    int64_t count = dataset->count;
    int64_t *order = malloc((size_t)(count + 1) * sizeof *order);
    if (!order)
        return gb_fail(GB_ERR_MEMORY, "no memory to split %lld recordings", (long long)count);
    for (int64_t i = 0; i < count; i++)
        order[i] = i;
    if (seed != 0)
        shuffle(order, count, seed);
    int64_t first = llround(from * (double)count), last = llround(to * (double)count);
    for (int64_t i = first; i < last; i++)
        out[i - first] = (gb_row_range){order[i], 0, GB_ROWS_ALL, false};
    *out_count = last - first;
    free(order);
    return GB_OK;
}
