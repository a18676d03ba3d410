/* train/data.h: the files behind a recipe's sources. Inside the room only. */
#ifndef GENBA_TRAIN_DATA_H
#define GENBA_TRAIN_DATA_H

#include "genba/store.h"
#include "genba/train.h"

typedef struct gb_data_file {
    const char *source; /* name in the recipe */
    const char *path;
    int64_t bytes;
    char hash[2 * GB_HASH_BYTES + 1]; /* BLAKE2b-256 of the contents */
} gb_data_file;

typedef struct gb_data_source {
    const gb_source_config *config;
    gb_split_config train, validation; /* of config; a store's splits are names here */
    gb_dataset *dataset;
    gb_window_index *windows, *held_out;
} gb_data_source;

struct gb_train_data {
    gb_arena *arena;
    const gb_recipe *recipe; /* borrowed */
    gb_data_source *sources; /* [source_count] */
    int source_count;
    gb_data_file *files; /* [file_count] in the order they were read */
    int file_count, file_capacity;
};

/* Remembers what was read, for the run's folder; path and hash are copied. */
GB_MUST gb_status gb_train_data_note(
    gb_train_data *data, const char *source, const char *path, int64_t bytes, const char *hash_hex);
/* Reads a source that is a store (store_source.c). */
GB_MUST gb_status gb_train_read_store(gb_train_data *data, int source);

/* Paths of a source's files: patterns resolved, sorted within each pattern. */
GB_MUST gb_status
gb_source_paths(const gb_recipe *recipe, int source, gb_arena *arena, char ***out, int *out_count);
/* "path" seen from the recipe's folder, ${GENBA_DATA} replaced. key: for messages. */
GB_MUST gb_status gb_recipe_resolve(
    const gb_recipe *recipe, const char *key, const char *path, gb_arena *arena, char **out);
/* Row ranges of a split over the source's recordings: at most gb_dataset_count of them. */
GB_MUST gb_status gb_source_ranges(const gb_source_config *config,
                                   const gb_split_config *split,
                                   const gb_dataset *dataset,
                                   gb_arena *arena,
                                   gb_row_range **out,
                                   int64_t *out_count);

#endif
