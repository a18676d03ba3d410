/* Marking recordings as train, test, ...; and taking them out. Which split a recording falls into
 * depends on its name (or group) and the seed alone, so later recordings never move earlier ones.
 */
#include "record/store_private.h"

#include <stdlib.h>
#include <string.h>

/* Uniform in [0, 1), a pure function of seed and text. */
static double draw(const char *text, uint64_t seed)
{
    unsigned char hash[GB_HASH_BYTES], seeded[GB_HASH_BYTES + sizeof seed];
    uint64_t number = 0;
    gb_hash(text, strlen(text), seeded);
    memcpy(seeded + GB_HASH_BYTES, &seed, sizeof seed);
    gb_hash(seeded, sizeof seeded, hash);
    memcpy(&number, hash, sizeof number);
    return (double)(number >> 11) * 0x1p-53;
}

static gb_status check_shares(const char *const *names, const double *fractions, int count)
{
    double sum = 0;
    if (count < 1)
        return gb_fail(GB_ERR_ARGUMENT, "a split needs at least one name and its share");
    for (int i = 0; i < count; i++) {
        if (!names[i] || !names[i][0])
            return gb_fail(GB_ERR_ARGUMENT, "split %d has no name", i);
        if (!(fractions[i] >= 0 && fractions[i] <= 1))
            return gb_fail(GB_ERR_ARGUMENT, "split %s: a share of %g is not in 0..1", names[i],
                           fractions[i]);
        sum += fractions[i];
    }
    if (sum > 1 + 1e-9)
        return gb_fail(GB_ERR_ARGUMENT, "the shares sum to %g, expected at most 1", sum);
    return GB_OK;
}

static const char *choose(
    const char *text, uint64_t seed, const char *const *names, const double *fractions, int count)
{
    double at = draw(text, seed), end = 0;
    for (int i = 0; i < count; i++) {
        end += fractions[i];
        /* Shares that sum to one in decimal may end a little below it in binary. */
        if (at < end || (i == count - 1 && end > 1 - 1e-9))
            return names[i];
    }
    return "";
}

/* A change of matching recordings in one transaction, with a line in the audit log. */
typedef gb_status (*change_fn)(gb_store *store, const gb_store_entry *entry, void *context);

static gb_status change_all(gb_store *store,
                            const gb_store_query *query,
                            change_fn change,
                            void *context,
                            const char *action,
                            int64_t *out_count)
{
    gb_arena *arena = NULL;
    gb_store_entry *entries = NULL;
    int64_t count = 0;
    GB_TRY(gb_store_writable(store, action));
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = gb_catalogue_begin(store->catalogue);
    if (status == GB_OK)
        status = gb_store_find_all(store, query, arena, &entries, &count);
    if (status == GB_OK && count == 0)
        status = gb_store_none(store, query);
    for (int64_t i = 0; status == GB_OK && i < count; i++)
        status = change(store, &entries[i], context);
    if (status == GB_OK)
        status = gb_store_audit_names(store, action, store->path, entries, count);
    if (status == GB_OK)
        status = gb_store_keep_head(store);
    if (status == GB_OK)
        status = gb_catalogue_commit(store->catalogue);
    if (status == GB_OK) {
        store->head_moved = false;
        *out_count = count;
    } else {
        gb_catalogue_rollback(store->catalogue);
    }
    gb_arena_destroy(arena);
    return status;
}

typedef struct shares {
    const char *const *names;
    const double *fractions;
    int count;
    const char *group;
    uint64_t seed;
} shares;

static gb_status mark(gb_store *store, const gb_store_entry *entry, void *context)
{
    const shares *by = context;
    const gb_recording_info *info = entry->info;
    const char *text =
        by->group ? gb_pair_find(info->pairs, info->pair_count, by->group) : info->name;
    if (!text)
        return gb_fail(GB_ERR_NOT_FOUND, "recording %.200s has no \"%.60s\" to group by",
                       info->name, by->group);
    return gb_catalogue_set_split(store->catalogue, entry->id,
                                  choose(text, by->seed, by->names, by->fractions, by->count));
}

gb_status gb_store_split(gb_store *store,
                         const gb_store_query *query,
                         const char *const *names,
                         const double *fractions,
                         int count,
                         const char *group,
                         uint64_t seed)
{
    shares by = {names, fractions, count, group, seed};
    int64_t marked = 0;
    GB_TRY(check_shares(names, fractions, count));
    return change_all(store, query, mark, &by, "split", &marked);
}

static gb_status take_out(gb_store *store, const gb_store_entry *entry, void *context)
{
    (void)context;
    return gb_catalogue_remove(store->catalogue, entry->id);
}

gb_status gb_store_remove(gb_store *store, const gb_store_query *query, int64_t *out_count)
{
    return change_all(store, query, take_out, NULL, "remove", out_count);
}
