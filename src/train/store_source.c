/* A recipe's source that is a store: the recordings selected, and the splits the store gave them.
 * Labels are checked, and the use is written into the audit log, by the store itself. */
#include "train/data.h"

#include <stdio.h>
#include <string.h>

typedef struct selection {
    gb_train_data *data;
    gb_data_source *source;
    const char *path; /* of the store */
    /* names of the split being looked for; NULL while noting all */
    gb_split_config *split;
    unsigned room;
} selection;

static gb_status note_entry(void *context, const gb_store_entry *entry)
{
    selection *s = context;
    const char *path = gb_arena_format(s->data->arena, "%s/%s", s->path, entry->info->name);
    if (!path)
        return GB_ERR_MEMORY;
    return gb_train_data_note(s->data, s->source->config->name, path, entry->bytes,
                              entry->checksum);
}

static gb_status add_name(void *context, const gb_store_entry *entry)
{
    selection *s = context;
    gb_split_config *split = s->split;
    if (split->name_count == s->room) {
        s->room = s->room ? 2 * s->room : 64;
        char **grown = gb_arena_alloc(s->data->arena, s->room * sizeof *grown);
        if (!grown)
            return GB_ERR_MEMORY;
        if (split->name_count > 0)
            memcpy(grown, split->names, split->name_count * sizeof *grown);
        split->names = grown;
    }
    split->names[split->name_count] = gb_arena_text(s->data->arena, entry->info->name);
    return split->names[split->name_count++] ? GB_OK : GB_ERR_MEMORY;
}

/* The recordings of a split become the names of whole recordings. */
static gb_status
resolve_split(selection *s, gb_store *store, const gb_store_query *all, gb_split_config *split)
{
    if (!split->split)
        return GB_OK;
    gb_store_query query = *all;
    query.split = split->split;
    s->split = split;
    s->room = 0;
    GB_TRY(gb_store_list(store, &query, add_name, s));
    if (split->name_count == 0)
        return gb_fail(
            GB_ERR_NOT_FOUND,
            "no recording of %s that is selected lies in the split %s; genba store split "
            "makes splits, genba store list shows them",
            s->path, split->split);
    return GB_OK;
}

static gb_status read_open(selection *s, gb_store *store)
{
    gb_store_query query = {.name = s->source->config->select};
    gb_pool *pool;
    GB_TRY(gb_store_list(store, &query, note_entry, s));
    GB_TRY(resolve_split(s, store, &query, &s->source->train));
    if (s->source->config->has_validation)
        GB_TRY(resolve_split(s, store, &query, &s->source->validation));
    GB_TRY(gb_pool_create((int)s->data->recipe->train.threads, &pool));
    gb_status status =
        gb_store_load(store, &query, NULL, 0, GB_USE_TRAIN, pool, &s->source->dataset);
    gb_pool_destroy(pool);
    return status;
}

gb_status gb_train_read_store(gb_train_data *data, int index)
{
    gb_data_source *source = &data->sources[index];
    char key[32], *path;
    snprintf(key, sizeof key, "data[%d].store", index);
    GB_TRY(gb_recipe_resolve(data->recipe, key, source->config->store, data->arena, &path));
    selection s = {.data = data, .source = source, .path = path};
    gb_store *store;
    GB_TRY(gb_store_open(path, NULL, &store));
    gb_status status = read_open(&s, store);
    gb_store_close(store);
    return status;
}
