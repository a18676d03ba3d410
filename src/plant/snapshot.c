/* plant/snapshot.c: saving and restoring an episode as its start and its actions. Engines keep
 * state that cannot be read out (contact impulses, search trees); running the actions again
 * rebuilds it to the last bit, which a copy of the visible state would not. */
#include "plant/plant.h"

#include <string.h>

#define SNAPSHOT_MAGIC 0x32746e616c706267ull /* "gbplant2" */

/* `hash` covers every byte after it. The header is followed by the start [observation_size] and the
 * commands of its ticks; what lies beyond the steps taken is zero, so that equal
 * episodes have equal bytes. */
typedef struct snapshot_header {
    unsigned char hash[GB_HASH_BYTES];
    uint64_t magic;
    char name[32];
    uint64_t seed;
    double stop_above;
    int32_t max_steps, ticks, from_state, reserved;
} snapshot_header;

static size_t start_bytes(const gb_plant *plant)
{
    return (size_t)plant->kind->info->observation_size * sizeof(double);
}

static size_t action_bytes(const gb_plant *plant, int ticks)
{
    return (size_t)plant->kind->info->action_size * (size_t)ticks * sizeof(double);
}

static int ticks_max(const gb_plant *plant)
{
    return plant->options.max_steps * plant->ticks_per_step;
}

static int ticks_taken(const gb_plant *plant)
{
    return plant->result.steps * plant->ticks_per_step + plant->ticks;
}

size_t gb_plant_snapshot_bytes(const gb_plant *plant)
{
    return sizeof(snapshot_header) + start_bytes(plant) + action_bytes(plant, ticks_max(plant));
}

static gb_status check_size(const gb_plant *plant, size_t bytes)
{
    if (bytes == gb_plant_snapshot_bytes(plant))
        return GB_OK;
    return gb_fail(GB_ERR_MISMATCH,
                   "plant %s: a snapshot of %zu bytes, expected %zu (gb_plant_snapshot_bytes)",
                   plant->kind->info->name, bytes, gb_plant_snapshot_bytes(plant));
}

static void hash_snapshot(const unsigned char *snapshot, size_t bytes, unsigned char *out)
{
    gb_hash(snapshot + GB_HASH_BYTES, bytes - GB_HASH_BYTES, out);
}

gb_status gb_plant_save(const gb_plant *plant, void *snapshot, size_t bytes)
{
    GB_TRY(check_size(plant, bytes));
    snapshot_header header = {
        .magic = SNAPSHOT_MAGIC,
        .seed = plant->from_state ? 0 : plant->seed,
        .stop_above = plant->options.stop_above,
        .max_steps = plant->options.max_steps,
        .ticks = ticks_taken(plant),
        .from_state = plant->from_state,
    };
    strncpy(header.name, plant->kind->info->name, sizeof header.name - 1);
    unsigned char *to = snapshot;
    memset(to, 0, bytes);
    memcpy(to, &header, sizeof header);
    if (plant->from_state)
        memcpy(to + sizeof header, plant->start, start_bytes(plant));
    memcpy(to + sizeof header + start_bytes(plant), plant->actions,
           action_bytes(plant, ticks_taken(plant)));
    unsigned char hash[GB_HASH_BYTES];
    hash_snapshot(to, bytes, hash);
    memcpy(to, hash, sizeof hash);
    return GB_OK;
}

static gb_status check_header(const gb_plant *plant, const snapshot_header *header)
{
    const char *name = plant->kind->info->name;
    if (header->magic != SNAPSHOT_MAGIC || header->name[sizeof header->name - 1] != 0 ||
        strcmp(header->name, name) != 0)
        return gb_fail(GB_ERR_MISMATCH, "plant %s: this is no snapshot of such a plant", name);
    if (header->max_steps != plant->options.max_steps ||
        header->stop_above != plant->options.stop_above)
        return gb_fail(
            GB_ERR_MISMATCH,
            "plant %s: a snapshot made with max_steps %d and stop_above %g, this plant has "
            "%d and %g; create it with the same options",
            name, header->max_steps, header->stop_above, plant->options.max_steps,
            plant->options.stop_above);
    if (header->ticks < 0 || header->ticks > ticks_max(plant))
        return gb_fail(GB_ERR_CORRUPT, "plant %s: a snapshot of %d ticks, expected 0 to %d", name,
                       header->ticks, ticks_max(plant));
    return GB_OK;
}

gb_status gb_plant_restore(gb_plant *plant, const void *snapshot, size_t bytes)
{
    GB_TRY(check_size(plant, bytes));
    snapshot_header header;
    memcpy(&header, snapshot, sizeof header);
    GB_TRY(check_header(plant, &header));
    unsigned char hash[GB_HASH_BYTES];
    hash_snapshot(snapshot, bytes, hash);
    if (memcmp(hash, header.hash, sizeof hash) != 0)
        return gb_fail(GB_ERR_CORRUPT,
                       "plant %s: a snapshot whose bytes were changed since it was saved",
                       plant->kind->info->name);

    const unsigned char *start = (const unsigned char *)snapshot + sizeof header;
    if (header.from_state) {
        memcpy(plant->scratch, start, start_bytes(plant));
        GB_TRY(gb_plant_set_state(plant, plant->scratch));
    } else {
        GB_TRY(gb_plant_reset(plant, header.seed, NULL));
    }
    /* Each tick writes its command where it reads it from: into the log. */
    memcpy(plant->actions, start + start_bytes(plant), action_bytes(plant, header.ticks));
    const gb_plant_info *info = plant->kind->info;
    for (int i = 0; i < header.ticks; i++)
        GB_TRY(gb_plant_tick(plant, plant->actions + (size_t)i * (size_t)info->action_size, NULL,
                             NULL));
    plant->kind->observe(plant->machine, plant->observation);
    return GB_OK;
}
