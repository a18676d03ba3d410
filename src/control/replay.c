/* control/replay.c: does a recorded run again: asks a policy what the pilot asked, draws the chunks
 * as the servo did, and compares with what was recorded, bit for bit. Reading and the chain are
 * blackbox_read.c's. */
#include "control/replay.h"

#include "control/blackbox_read.h"
#include "control/chunk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHUNKS_KEPT = 64 /* the servo draws the newest or one of the few before; the rest is room */
};

typedef struct chunk {
    uint64_t id; /* 0: none */
    int64_t start_ns;
    const double *before;
    double *actions; /* [horizon][action_size], then before [action_size] */
} chunk;

typedef struct replay {
    gb_box_reader *reader;
    const gb_box_header *header;
    gb_plant_info machine; /* the recorded one, with the servo's tick */
    gb_policy policy;      /* zeroed: none */
    bool has_policy;
    chunk chunks[CHUNKS_KEPT];
    int next_chunk;
    double *actions;  /* [horizon][action_size] what the policy answers now */
    double *proposal; /* [action_size] */
    gb_replay_result result;
} replay;

/* ---- decisions ---- */

static gb_status check_prefix(const replay *r, const gb_decision *d)
{
    bool fits = d->prefix_count >= 0 && d->prefix_count <= r->header->horizon &&
                d->prefix_frozen >= 0 && d->prefix_frozen <= d->prefix_count &&
                d->prefix_soft >= d->prefix_frozen && d->prefix_soft <= d->prefix_count;
    if (!fits)
        return gb_fail(GB_ERR_SCHEMA,
                       "decision %llu: a prefix of %d rows, %d frozen, %d soft, of a horizon of %d",
                       (unsigned long long)d->chunk, d->prefix_count, d->prefix_frozen,
                       d->prefix_soft, r->header->horizon);
    if (d->prefix_count > 0 && r->has_policy && !r->policy.decide_after)
        return gb_fail(GB_ERR_MISMATCH,
                       "decision %llu continued the chunk before it (real-time chunking), which "
                       "this model cannot",
                       (unsigned long long)d->chunk);
    return GB_OK;
}

/* Answers into r->actions. */
static gb_status
decide_again(replay *r, const gb_decision *d, const double *observations, const double *prefix)
{
    const gb_policy *policy = &r->policy;
    gb_policy_prefix after = {.actions = prefix,
                              .count = d->prefix_count,
                              .frozen = d->prefix_frozen,
                              .soft = d->prefix_soft};
    if (d->prefix_count > 0)
        return policy->decide_after(policy->context, observations, d->seed, d->policy_tick, &after,
                                    r->actions);
    return policy->decide(policy->context, observations, d->seed, d->policy_tick, r->actions);
}

/* Memory is taken when a decision has shown that it is that long, not because the header says so.
 */
static gb_status
keep_chunk(replay *r, const gb_decision *d, const double *actions, const double *before)
{
    chunk *to = &r->chunks[r->next_chunk];
    size_t action = (size_t)r->machine.action_size;
    size_t future = (size_t)r->header->horizon * action;
    if (!to->actions && !(to->actions = calloc(future + action + 1, sizeof(double))))
        return gb_fail(GB_ERR_MEMORY, "replay: no memory for a chunk");
    r->next_chunk = (r->next_chunk + 1) % CHUNKS_KEPT;
    to->id = d->chunk;
    to->start_ns = d->start_ns;
    memcpy(to->actions, actions, future * sizeof *actions);
    memcpy(to->actions + future, before, action * sizeof *before);
    to->before = to->actions + future;
    return GB_OK;
}

static gb_status replay_decision(replay *r, const gb_decision *d)
{
    size_t action = (size_t)r->machine.action_size;
    size_t past = (size_t)r->header->look_back * (size_t)r->machine.observation_size;
    size_t future = (size_t)r->header->horizon * action;
    const double *observations = (const double *)(d + 1);
    const double *prefix = observations + past;
    const double *recorded = prefix + future, *before = recorded + future;
    const double *actions = recorded;
    r->result.decisions++;
    GB_TRY(check_prefix(r, d));
    if (r->has_policy) {
        gb_status status = decide_again(r, d, observations, prefix);
        bool same = (int)status == d->status &&
                    (status != GB_OK || memcmp(r->actions, recorded, future * sizeof(double)) == 0);
        r->result.decisions_checked++;
        r->result.decisions_different += !same;
        if (status == GB_OK)
            actions = r->actions;
    }
    if (d->status == GB_OK && d->chunk != 0)
        return keep_chunk(r, d, actions, before);
    return GB_OK;
}

/* ---- ticks ---- */

static const chunk *find_chunk(const replay *r, uint64_t id)
{
    for (int i = 0; i < CHUNKS_KEPT; i++)
        if (r->chunks[i].id == id)
            return &r->chunks[i];
    return NULL;
}

/* A tick that no chunk reached has nothing in the place of its proposal. */
static bool is_empty(const double *proposal, int count)
{
    for (int i = 0; i < count; i++)
        if (!isnan(proposal[i]))
            return false;
    return true;
}

static void compared(gb_replay_result *result, const gb_tick *tick, bool same)
{
    result->proposals_different += !same;
    if (!same && result->first_different_tick == UINT64_MAX)
        result->first_different_tick = tick->tick;
}

static void replay_tick(replay *r, const gb_tick *tick)
{
    gb_replay_result *result = &r->result;
    const double *recorded = (const double *)(tick + 1) + r->machine.observation_size;
    int64_t at_ns = 0;
    result->ticks++;
    if (tick->chunk == 0) {
        compared(result, tick, is_empty(recorded, r->machine.action_size));
        return;
    }
    const chunk *from = find_chunk(r, tick->chunk);
    if (!from || __builtin_sub_overflow(tick->due_ns, from->start_ns, &at_ns)) {
        result->proposals_unchecked++;
        return;
    }
    bool same = gb_chunk_setpoint(&r->machine, from->actions, r->header->horizon, from->before,
                                  at_ns, r->proposal) &&
                memcmp(r->proposal, recorded, (size_t)r->machine.action_size * sizeof(double)) == 0;
    result->proposals_checked++;
    compared(result, tick, same);
}

/* ---- all of it ---- */

static gb_status make_policy(replay *r, gb_policy_make_fn make, const void *context)
{
    const gb_box_header *h = r->header;
    if (!make)
        return GB_OK;
    if (h->horizon == 0)
        return gb_fail(GB_ERR_MISMATCH, "the recording is of a run without a model");
    GB_TRY(make(context, &r->machine, &r->policy));
    r->has_policy = true;
    if (r->policy.look_back != h->look_back || r->policy.horizon != h->horizon)
        return gb_fail(GB_ERR_MISMATCH,
                       "the recording is of a model that looks back %d observations and answers %d "
                       "actions; this one %d and %d",
                       h->look_back, h->horizon, r->policy.look_back, r->policy.horizon);
    if (r->policy.compute != h->compute)
        return gb_fail(
            GB_ERR_MISMATCH,
            "the recording is of a policy that computes in %s, this one does not: make it "
            "in the precision of the recording (gb_blackbox_precision)",
            gb_precision_name(h->compute));
    return GB_OK;
}

static gb_status allocate(replay *r)
{
    size_t action = (size_t)r->machine.action_size;
    size_t future = r->has_policy ? (size_t)r->header->horizon * action : 0;
    r->proposal = calloc(action + 1, sizeof(double));
    r->actions = calloc(future + 1, sizeof(double));
    return r->proposal && r->actions ? GB_OK
                                     : gb_fail(GB_ERR_MEMORY, "replay: no memory for a chunk");
}

static void take_totals(replay *r, const gb_box_record *record)
{
    gb_box_totals totals;
    memcpy(&totals, record->bytes, sizeof totals);
    r->result.ticks_lost = totals.ticks_lost;
    r->result.decisions_lost = totals.decisions_lost;
    r->result.closed = record->kind == GB_BOX_CLOSE;
}

static gb_status replay_records(replay *r)
{
    for (;;) {
        gb_box_record record;
        bool have = false;
        GB_TRY(gb_box_reader_next(r->reader, &record, &have));
        if (!have)
            return GB_OK;
        if (record.kind == GB_BOX_DECISION)
            GB_TRY(replay_decision(r, record.bytes));
        else if (record.kind == GB_BOX_TICK)
            replay_tick(r, record.bytes);
        else if (record.kind == GB_BOX_LOST || record.kind == GB_BOX_CLOSE)
            take_totals(r, &record);
    }
}

/* Texts of a file are printed beside what was found out about it: what moves a terminal's cursor is
 * a question mark (C1 controls are two bytes, 0xc2 before them). */
static void copy_text(char *to, size_t room, const char *from)
{
    snprintf(to, room, "%s", from);
    for (unsigned char *c = (unsigned char *)to; *c; c++) {
        if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
            c[0] = c[1] = '?';
        if (*c < 0x20 || *c == 0x7f)
            *c = '?';
    }
}

static void describe(replay *r, const char *model_hash_hex)
{
    gb_replay_result *result = &r->result;
    const gb_box_header *h = r->header;
    copy_text(result->model_name, sizeof result->model_name, h->model_name);
    copy_text(result->model_hash, sizeof result->model_hash, h->model_hash);
    copy_text(result->machine_name, sizeof result->machine_name, h->machine_name);
    result->compute = h->compute;
    result->same_model =
        model_hash_hex && model_hash_hex[0] && strcmp(model_hash_hex, h->model_hash) == 0;
}

static gb_status
run(replay *r, gb_policy_make_fn make, const void *context, const char *model_hash_hex)
{
    r->header = gb_box_reader_header(r->reader);
    r->machine = *r->header->machine;
    r->machine.tick_ns = r->header->tick_ns;
    describe(r, model_hash_hex);
    GB_TRY(make_policy(r, make, context));
    GB_TRY(allocate(r));
    gb_status status = replay_records(r);
    if (status == GB_OK)
        status = gb_box_reader_check_envelope(r->reader);
    r->result.chain_whole = status != GB_ERR_CORRUPT;
    return status;
}

gb_status gb_replay_bytes(gb_bytes_in *bytes,
                          gb_policy_make_fn make,
                          const void *make_context,
                          const char *model_hash_hex,
                          gb_replay_result *out)
{
    replay r = {.result = {.first_different_tick = UINT64_MAX}};
    gb_status status = gb_box_reader_open(bytes, &r.reader);
    if (status != GB_OK)
        return status;
    status = run(&r, make, make_context, model_hash_hex);
    r.result.records = gb_box_reader_count(r.reader);
    r.result.file_cut = gb_box_reader_cut(r.reader);
    gb_hash_hex(gb_box_reader_hash(r.reader), r.result.last_hash);
    if (status == GB_OK || status == GB_ERR_CORRUPT)
        *out = r.result;
    if (r.has_policy)
        gb_policy_destroy(&r.policy);
    for (int i = 0; i < CHUNKS_KEPT; i++)
        free(r.chunks[i].actions);
    free(r.actions);
    free(r.proposal);
    gb_box_reader_destroy(r.reader);
    return status;
}

gb_status gb_replay(const char *path,
                    gb_policy_make_fn make,
                    const void *make_context,
                    const char *model_hash_hex,
                    gb_replay_result *out)
{
    gb_bytes_in *bytes = NULL;
    GB_TRY(gb_bytes_in_file(path, &bytes));
    return gb_replay_bytes(bytes, make, make_context, model_hash_hex, out);
}

gb_status gb_blackbox_precision(const char *path, gb_dtype *out)
{
    gb_bytes_in *bytes = NULL;
    gb_box_reader *reader = NULL;
    GB_TRY(gb_bytes_in_file(path, &bytes));
    GB_TRY(gb_box_reader_open(bytes, &reader));
    *out = gb_box_reader_header(reader)->compute;
    gb_box_reader_destroy(reader);
    return GB_OK;
}

gb_status gb_model_folder_hash(const char *folder, char out[2 * GB_HASH_BYTES + 1])
{
    unsigned char hash[GB_HASH_BYTES];
    gb_arena *arena = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    const char *path = gb_arena_format(arena, "%s/weights.safetensors", folder);
    gb_status status = path ? gb_hash_file(path, hash) : GB_ERR_MEMORY;
    gb_arena_destroy(arena);
    if (status == GB_OK)
        gb_hash_hex(hash, out);
    return status;
}
