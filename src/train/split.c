/* From a recipe's split to row ranges. */
#include "train/data.h"

#include <math.h>
#include <stdlib.h>

/* Rows of a recording: the longest of its streams. */
static int64_t row_count(const gb_recording *recording)
{
    int64_t most = 0;
    for (int i = 0; i < gb_recording_stream_count(recording); i++) {
        int64_t count = gb_recording_stream(recording, i)->count;
        most = count > most ? count : most;
    }
    return most;
}

static int64_t
by_time(const gb_split_config *split, const gb_dataset *dataset, int64_t count, gb_row_range *out)
{
    for (int64_t i = 0; i < count; i++) {
        double rows = (double)row_count(gb_dataset_get(dataset, i));
        out[i] = (gb_row_range){i, (int64_t)floor(split->time[0] * rows + 0.5),
                                (int64_t)floor(split->time[1] * rows + 0.5), split->reach_back};
    }
    return count;
}

/* Only the first `limit` recordings count; the rest are dropped from what a split gave. */
static int64_t drop_beyond(gb_row_range *ranges, int64_t count, int64_t limit)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++)
        if (ranges[i].recording < limit)
            ranges[kept++] = ranges[i];
    return kept;
}

gb_status gb_source_ranges(const gb_source_config *config,
                           const gb_split_config *split,
                           const gb_dataset *dataset,
                           gb_arena *arena,
                           gb_row_range **out,
                           int64_t *out_count)
{
    int64_t all = gb_dataset_count(dataset);
    int64_t limit = config->limit > 0 && config->limit < all ? config->limit : all;
    int64_t room = all > (int64_t)split->name_count ? all : (int64_t)split->name_count;
    gb_row_range *ranges = gb_arena_alloc(arena, sizeof *ranges * (size_t)(room + 1));
    if (!ranges)
        return GB_ERR_MEMORY;
    int64_t count = all;
    if (split->name_count > 0) {
        count = (int64_t)split->name_count;
        GB_TRY(gb_split_names(dataset, (const char *const *)split->names, count, ranges));
    } else if (split->recordings[1] > 0.0) {
        GB_TRY(gb_split_fraction(dataset, split->recordings[0], split->recordings[1],
                                 config->split_seed, ranges, &count));
    } else if (split->time[1] > 0.0) {
        count = by_time(split, dataset, all, ranges);
    } else {
        GB_TRY(gb_split_rows(dataset, split->rows[0], split->rows[1] ? split->rows[1] : GB_ROWS_ALL,
                             split->reach_back, ranges));
    }
    *out_count = drop_beyond(ranges, count, limit);
    *out = ranges;
    return GB_OK;
}
