/* The anonymising filter: recordings come in, and go on as the policy says. What becomes of a
 * stream is anonymise_stream.c, of its samples anonymise_values.c. */
#include "ingest/anonymise_filter.h"

#include <fnmatch.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_MAX 65536       /* recordings open at once */
#define CACHE_ROOM (1 << 16) /* pseudonyms remembered; a power of two */
#define NAME_DOMAIN "recording name"

/* ---- pseudonyms that were made before ---- */

struct gb_pseudonym_cache {
    struct {
        unsigned char of[GB_HASH_BYTES]; /* the hash of domain and text */
        char pseudonym[GB_PSEUDONYM_BYTES];
    } places[CACHE_ROOM];
};

void gb_pseudonym_cache_destroy(gb_pseudonym_cache *cache)
{
    free(cache);
}

gb_status gb_filter_pseudonym(gb_filter *filter,
                              const char *domain,
                              const char *text,
                              size_t size,
                              char out[GB_PSEUDONYM_BYTES])
{
    unsigned char hash[GB_HASH_BYTES];
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, NULL, 0, sizeof hash);
    (void)crypto_generichash_update(&state, (const unsigned char *)domain, strlen(domain) + 1);
    (void)crypto_generichash_update(&state, (const unsigned char *)text, size);
    (void)crypto_generichash_final(&state, hash, sizeof hash);
    size_t place = ((size_t)hash[0] | (size_t)hash[1] << 8) & (CACHE_ROOM - 1);
    if (!filter->cache && !(filter->cache = calloc(1, sizeof *filter->cache)))
        return gb_fail(GB_ERR_MEMORY, "no memory for pseudonyms");
    char *kept = filter->cache->places[place].pseudonym;
    if (!kept[0] || memcmp(filter->cache->places[place].of, hash, sizeof hash) != 0) {
        GB_TRY(gb_pseudonym(filter->key, domain, text, size, kept));
        memcpy(filter->cache->places[place].of, hash, sizeof hash);
    }
    memcpy(out, kept, GB_PSEUDONYM_BYTES);
    return GB_OK;
}

/* ---- texts of a recording ---- */

char *gb_filter_scrubbed(const gb_anonymise_policy *policy, const char *text, gb_arena *arena)
{
    char *made = NULL, *kept = NULL;
    size_t size = 0;
    bool changed;
    if (!text || policy->scrub_compiled == 0)
        return gb_arena_text(arena, text ? text : "");
    if (gb_scrub_text(policy, text, strlen(text), false, &made, &size, &changed) == GB_OK)
        kept = gb_arena_text(arena, made);
    free(made);
    return kept;
}

gb_status gb_filter_value_of(const gb_filter *filter,
                             const gb_recording_work *recording,
                             const char *key,
                             const char *user,
                             const char **out_value)
{
    if (strcmp(key, "recording") == 0 || strcmp(key, "all") == 0) {
        *out_value = strcmp(key, "all") == 0 ? "" : recording->name;
        return GB_OK;
    }
    const char *value = gb_pair_find(recording->pairs, recording->pair_count, key);
    if (!value)
        return gb_fail(GB_ERR_SCHEMA,
                       "%s: recording %s does not say its %s, which %s needs: give it a pair %s "
                       "when it is ingested, or use recording or all",
                       filter->policy->origin, recording->name, key, user, key);
    *out_value = value;
    return GB_OK;
}

/* What a text becomes, in the arena; "" when it is dropped. */
static gb_status make_text(gb_filter *filter,
                           int kind,
                           const char *domain,
                           const char *text,
                           gb_arena *arena,
                           const char **out)
{
    char pseudonym[GB_PSEUDONYM_BYTES];
    const char *made = "";
    if (!text || !text[0] || kind == GB_RULE_DROP) {
        *out = "";
        return GB_OK;
    }
    if (kind == GB_RULE_PSEUDONYM) {
        GB_TRY(gb_filter_pseudonym(filter, domain, text, strlen(text), pseudonym));
        made = gb_arena_text(arena, pseudonym);
    } else {
        made = gb_filter_scrubbed(filter->policy, text, arena);
    }
    if (!made)
        return GB_ERR_MEMORY;
    *out = made;
    return GB_OK;
}

static gb_status
make_pair(gb_filter *filter, const gb_pair *pair, gb_arena *arena, gb_pair *out, bool *out_keep)
{
    const gb_rule_recording *rules = &filter->policy->data->recording;
    const gb_rule_pair *rule = NULL;
    for (uint32_t i = 0; !rule && i < rules->pairs_count; i++)
        if (fnmatch(rules->pairs[i].key, pair->key, 0) == 0)
            rule = &rules->pairs[i];
    *out_keep = rule && rule->kind != GB_RULE_DROP;
    if (!*out_keep)
        return GB_OK;
    out->key = pair->key;
    if (rule->kind == GB_RULE_GENERALISE) {
        char coarse[128];
        gb_generalise_text(filter->policy->data, &rule->general, pair->value, strlen(pair->value),
                           coarse, sizeof coarse);
        out->value = gb_arena_text(arena, coarse);
        return out->value ? GB_OK : GB_ERR_MEMORY;
    }
    return make_text(filter, rule->kind, rule->domain ? rule->domain : pair->key, pair->value,
                     arena, &out->value);
}

static gb_status
make_pairs(gb_filter *filter, const gb_recording_work *work, gb_recording_info *info)
{
    gb_pair *pairs = gb_arena_alloc(work->arena, (size_t)(work->pair_count + 2) * sizeof *pairs);
    int count = 0;
    if (!pairs)
        return GB_ERR_MEMORY;
    for (int i = 0; i < work->pair_count; i++) {
        bool keep = false;
        GB_TRY(make_pair(filter, &work->pairs[i], work->arena, &pairs[count], &keep));
        count += keep;
    }
    pairs[count++] = (gb_pair){GB_PAIR_POLICY, filter->policy->id};
    pairs[count++] = (gb_pair){GB_PAIR_KEY, filter->secrets->id};
    info->pairs = pairs;
    info->pair_count = count;
    return GB_OK;
}

/* Owner, licence, residency and purpose stay: they bind whoever gets the recording. */
static gb_status
make_info(gb_filter *filter, const gb_recording_work *work, gb_recording_info *info)
{
    const gb_rule_recording *rules = &filter->policy->data->recording;
    gb_arena *arena = work->arena;
    GB_TRY(make_text(filter, rules->name, NAME_DOMAIN, info->name, arena, &info->name));
    GB_TRY(make_text(filter, rules->source, "source", info->source, arena, &info->source));
    GB_TRY(make_text(filter, rules->instruction, "instruction", info->instruction, arena,
                     &info->instruction));
    GB_TRY(make_text(filter, rules->outcome, "outcome", info->outcome, arena, &info->outcome));
    return make_pairs(filter, work, info);
}

/* ---- the sink ---- */

static void close_recording(gb_recording_work *work)
{
    gb_arena_destroy(work->arena);
    free(work->streams);
    *work = (gb_recording_work){0};
}

static gb_status find(gb_filter *filter, int recording, gb_recording_work **out)
{
    if (recording < 0 || recording >= filter->room || !filter->recordings[recording].open)
        return gb_fail(GB_ERR_ARGUMENT, "no recording %d is open in this filter", recording);
    *out = &filter->recordings[recording];
    return GB_OK;
}

static gb_status free_place(gb_filter *filter, int *out)
{
    int place = 0;
    while (place < filter->room && filter->recordings[place].open)
        place++;
    if (place == OPEN_MAX)
        return gb_fail(GB_ERR_ARGUMENT, "more than %d recordings are open at once", OPEN_MAX);
    if (place == filter->room) {
        int room = filter->room ? 2 * filter->room : 8;
        gb_recording_work *grown = realloc(filter->recordings, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "no memory for a recording");
        memset(grown + filter->room, 0, (size_t)(room - filter->room) * sizeof *grown);
        filter->recordings = grown;
        filter->room = room;
    }
    *out = place;
    return GB_OK;
}

/* Keeps what entities and units are looked up in later. */
static gb_status keep_facts(const gb_recording_info *info, gb_recording_work *work)
{
    work->name = gb_arena_text(work->arena, info->name);
    work->pairs = gb_arena_alloc(work->arena, (size_t)(info->pair_count + 1) * sizeof *work->pairs);
    if (!work->name || !work->pairs)
        return GB_ERR_MEMORY;
    for (int i = 0; i < info->pair_count; i++) {
        if (strncmp(info->pairs[i].key, GB_PAIR_PREFIX, strlen(GB_PAIR_PREFIX)) == 0)
            return gb_fail(GB_ERR_REFUSED,
                           "recording %s was anonymised before: start from the original, so that "
                           "what it can be undone and accounted by is not lost",
                           info->name);
        work->pairs[i].key = gb_arena_text(work->arena, info->pairs[i].key);
        work->pairs[i].value = gb_arena_text(work->arena, info->pairs[i].value);
        if (!work->pairs[i].key || !work->pairs[i].value)
            return GB_ERR_MEMORY;
    }
    work->pair_count = info->pair_count;
    return GB_OK;
}

static gb_status
begin_recording(gb_filter *filter, const gb_recording_info *info, gb_recording_work *work)
{
    const gb_rule_time_shift *shift = filter->policy->data->time_shift;
    const char *entity = NULL;
    gb_recording_info made = *info;
    GB_TRY(gb_arena_create(0, &work->arena));
    GB_TRY(keep_facts(info, work));
    if (shift) {
        GB_TRY(gb_filter_value_of(filter, work, shift->entity, "time_shift", &entity));
        work->offset_ns = gb_secret_offset_ns(filter->secrets, shift, entity);
    }
    GB_TRY(make_info(filter, work, &made));
    return gb_sink_begin(filter->next, &made, &work->next);
}

static gb_status filter_begin(gb_sink *sink, const gb_recording_info *info, int *out_recording)
{
    gb_filter *filter = (gb_filter *)sink;
    int place = 0;
    GB_TRY(free_place(filter, &place));
    gb_status status = begin_recording(filter, info, &filter->recordings[place]);
    if (status != GB_OK) {
        close_recording(&filter->recordings[place]);
        return status;
    }
    filter->recordings[place].open = true;
    *out_recording = place;
    return GB_OK;
}

static gb_status
filter_stream(gb_sink *sink, int recording, const gb_stream_spec *spec, int *out_stream)
{
    gb_filter *filter = (gb_filter *)sink;
    gb_recording_work *work = NULL;
    GB_TRY(find(filter, recording, &work));
    if (work->stream_count == work->stream_room) {
        int room = work->stream_room ? 2 * work->stream_room : 8;
        gb_stream_work **grown = realloc(work->streams, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "no memory for stream %s", spec->name);
        work->streams = grown;
        work->stream_room = room;
    }
    gb_stream_work *stream = gb_arena_alloc(work->arena, sizeof *stream);
    gb_stream_spec made;
    if (!stream)
        return GB_ERR_MEMORY;
    GB_TRY(gb_filter_plan_stream(filter, work, spec, stream, &made));
    if (stream->size > 0)
        GB_TRY(gb_sink_stream(filter->next, work->next, &made, &stream->next));
    work->streams[work->stream_count] = stream;
    *out_stream = work->stream_count++;
    return GB_OK;
}

static gb_status filter_append(gb_sink *sink, int recording, int stream, const gb_samples *samples)
{
    gb_filter *filter = (gb_filter *)sink;
    gb_recording_work *work = NULL;
    gb_samples made;
    GB_TRY(find(filter, recording, &work));
    if (stream < 0 || stream >= work->stream_count)
        return gb_fail(GB_ERR_ARGUMENT, "recording %s has no stream %d", work->name, stream);
    gb_stream_work *to = work->streams[stream];
    if (to->size == 0)
        return GB_OK;
    GB_TRY(gb_filter_apply(filter, work, to, samples, &made));
    return gb_sink_append(filter->next, work->next, to->next, &made);
}

static bool is_text_type(const char *media_type)
{
    return media_type && (strncmp(media_type, "text/", 5) == 0 || strstr(media_type, "json") ||
                          strstr(media_type, "yaml") || strstr(media_type, "xml"));
}

/* Kept when named; texts are scrubbed, others go on as they are. */
static gb_status filter_attach(gb_sink *sink,
                               int recording,
                               const char *name,
                               const char *media_type,
                               const void *data,
                               size_t size)
{
    gb_filter *filter = (gb_filter *)sink;
    const gb_policy_data *policy = filter->policy->data;
    gb_recording_work *work = NULL;
    GB_TRY(find(filter, recording, &work));
    bool keep = false;
    for (uint32_t i = 0; i < policy->attachments_count; i++)
        keep |= fnmatch(policy->attachments[i], name, 0) == 0;
    if (!keep)
        return GB_OK;
    const char *clean_name = gb_filter_scrubbed(filter->policy, name, work->arena);
    char *clean = NULL;
    size_t clean_size = size;
    bool changed, json = media_type && strstr(media_type, "json");
    if (!clean_name)
        return GB_ERR_MEMORY;
    if (is_text_type(media_type))
        GB_TRY(gb_scrub_text(filter->policy, data, size, json, &clean, &clean_size, &changed));
    gb_status status = gb_sink_attach(filter->next, work->next, clean_name, media_type,
                                      clean ? clean : data, clean_size);
    free(clean);
    return status;
}

static gb_status filter_end(gb_sink *sink, int recording)
{
    gb_filter *filter = (gb_filter *)sink;
    gb_recording_work *work = NULL;
    GB_TRY(find(filter, recording, &work));
    GB_TRY(gb_sink_end(filter->next, work->next));
    close_recording(work);
    return GB_OK;
}

static void filter_abandon(gb_sink *sink, int recording)
{
    gb_filter *filter = (gb_filter *)sink;
    if (recording < 0 || recording >= filter->room || !filter->recordings[recording].open)
        return;
    gb_sink_abandon(filter->next, filter->recordings[recording].next);
    close_recording(&filter->recordings[recording]);
}

static void filter_destroy(gb_sink *sink)
{
    gb_filter *filter = (gb_filter *)sink;
    for (int i = 0; i < filter->room; i++)
        filter_abandon(sink, i);
    gb_batch_free(&filter->batch);
    gb_pseudonym_cache_destroy(filter->cache);
    gb_ledger_destroy(filter->ledger);
    gb_secrets_destroy(filter->secrets);
    sodium_free(filter->key);
    free(filter->recordings);
    free(filter);
}

static const gb_sink_ops filter_ops = {filter_begin, filter_stream,  filter_append, filter_attach,
                                       filter_end,   filter_abandon, filter_destroy};

gb_status gb_anonymise_create(const gb_anonymise_policy *policy,
                              const gb_key *key,
                              gb_sink *next,
                              gb_sink **out)
{
    gb_filter *filter = calloc(1, sizeof *filter);
    if (!filter)
        return gb_fail(GB_ERR_MEMORY, "no memory for the anonymising filter");
    filter->sink.ops = &filter_ops;
    filter->next = next;
    filter->policy = policy;
    gb_status status = gb_secrets_create(key, &filter->secrets);
    if (status == GB_OK)
        status = gb_ledger_create(policy, &filter->ledger);
    if (status == GB_OK && !(filter->key = sodium_malloc(sizeof *filter->key)))
        status = gb_fail(GB_ERR_MEMORY, "no memory for the anonymising filter");
    if (status != GB_OK) {
        filter_destroy(&filter->sink);
        return status;
    }
    *filter->key = *key;
    *out = &filter->sink;
    return GB_OK;
}

int gb_anonymise_spent(const gb_sink *sink, gb_privacy_spent *out, int room)
{
    return gb_ledger_spent(((const gb_filter *)sink)->ledger, out, room);
}

gb_status gb_anonymise_recording_name(const gb_anonymise_policy *policy,
                                      const gb_key *key,
                                      const char *name,
                                      char **out_text)
{
    char pseudonym[GB_PSEUDONYM_BYTES];
    size_t size = 0;
    bool changed;
    if (policy->data->recording.name != GB_RULE_PSEUDONYM)
        return gb_scrub_text(policy, name, strlen(name), false, out_text, &size, &changed);
    GB_TRY(gb_pseudonym(key, NAME_DOMAIN, name, strlen(name), pseudonym));
    *out_text = strdup(pseudonym);
    return *out_text ? GB_OK : gb_fail(GB_ERR_MEMORY, "no memory for a name");
}
