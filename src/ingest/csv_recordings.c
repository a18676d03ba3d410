/* The recordings of a table: which group is which, opening and ending them in the sink, and what
 * must be known of them to go on later. */
#include "ingest/csv_out.h"

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 65536

static void place(gb_csv_out *out, int64_t number)
{
    const gb_csv_recording *recording = &out->recordings[number];
    uint64_t mask = (uint64_t)out->table_size - 1;
    uint64_t slot = gb_csv_hash(recording->key, recording->key_size);
    while (out->table[slot & mask] != 0)
        slot++;
    out->table[slot & mask] = number + 1;
}

static gb_status grow(gb_csv_out *out)
{
    int64_t room = out->recording_room ? 2 * out->recording_room : 16;
    gb_csv_recording *grown = realloc(out->recordings, (size_t)room * sizeof *grown);
    if (grown)
        out->recordings = grown;
    int64_t *table = calloc((size_t)(2 * room), sizeof *table);
    if (!grown || !table) {
        free(table);
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for %lld groups", out->input->origin,
                       (long long)room);
    }
    free(out->table);
    out->table = table;
    out->table_size = 2 * room;
    out->recording_room = room;
    for (int64_t i = 0; i < out->recording_count; i++)
        place(out, i);
    return GB_OK;
}

static gb_status add(gb_csv_out *out, const char *key, size_t size)
{
    if (out->recording_count == GROUPS_MAX)
        return gb_fail(GB_ERR_PARSE,
                       "%s, near row %lld: more than %d groups; is the group column an identifier "
                       "of recordings?",
                       out->input->origin, (long long)out->line + 1, GROUPS_MAX);
    if (out->recording_count == out->recording_room)
        GB_TRY(grow(out));
    gb_csv_recording *added = &out->recordings[out->recording_count];
    *added = (gb_csv_recording){.key_size = size, .number = -1};
    added->key = malloc(size + 1);
    added->streams = calloc((size_t)out->plan->stream_count, sizeof *added->streams);
    if (!added->key || !added->streams) {
        free(added->key);
        free(added->streams);
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for a group", out->input->origin);
    }
    memcpy(added->key, key, size);
    added->key[size] = 0;
    place(out, out->recording_count++);
    return GB_OK;
}

gb_status gb_csv_out_find(gb_csv_out *out, const char *key, size_t size, gb_csv_recording **found)
{
    uint64_t mask = (uint64_t)out->table_size - 1;
    for (uint64_t slot = gb_csv_hash(key, size);
         out->table_size > 0 && out->table[slot & mask] != 0; slot++) {
        gb_csv_recording *recording = &out->recordings[out->table[slot & mask] - 1];
        if (recording->key_size == size && memcmp(recording->key, key, size) == 0) {
            *found = recording;
            return GB_OK;
        }
    }
    GB_TRY(add(out, key, size));
    *found = &out->recordings[out->recording_count - 1];
    return GB_OK;
}

/* NAME, NAME/GROUP, NAME/0000 or NAME/GROUP/0000. */
static void recording_name(const gb_csv_out *out, const gb_csv_recording *recording, char name[800])
{
    int used = snprintf(name, 800, "%.500s%s%s", out->plan->info.name,
                        recording->key_size > 0 ? "/" : "", recording->key);
    if (out->in_parts || out->part > 0)
        snprintf(name + used, 800 - (size_t)used, "/%04lld", (long long)out->part);
}

gb_status gb_csv_out_begin(gb_csv_out *out, gb_csv_recording *recording)
{
    if (recording->number >= 0)
        return GB_OK;
    gb_sink *sink = out->source->sink;
    gb_recording_info info = out->plan->info;
    char name[800];
    int number;
    recording_name(out, recording, name);
    info.name = name;
    GB_TRY(gb_sink_begin(sink, &info, &number));
    recording->number = number;
    for (int s = 0; s < out->plan->stream_count; s++)
        GB_TRY(gb_sink_stream(sink, number, &out->plan->streams[s].spec, &recording->streams[s]));
    return GB_OK;
}

gb_status gb_csv_out_end_all(gb_csv_out *out)
{
    for (int64_t i = 0; i < out->recording_count; i++) {
        gb_csv_recording *recording = &out->recordings[i];
        if (recording->number < 0)
            continue;
        GB_TRY(gb_sink_end(out->source->sink, recording->number));
        recording->number = -1;
    }
    return GB_OK;
}

void gb_csv_out_free(gb_csv_out *out)
{
    for (int64_t i = 0; i < out->recording_count; i++) {
        free(out->recordings[i].key);
        free(out->recordings[i].streams);
    }
    free(out->recordings);
    free(out->table);
    gb_steps_free(&out->steps);
    memset(out, 0, sizeof *out);
}

/* ---- going on later ---------------------------------------------------------------------------
 * JSON: {"reader": "csv", "text": where the text goes on, "line", "part", "groups": [[key, rows,
 * time of the last], ...]}. */

gb_status
gb_csv_out_save(const gb_csv_out *out, int64_t text_to, gb_arena *arena, char **text, size_t *size)
{
    json_t *groups = json_array();
    for (int64_t i = 0; i < out->recording_count; i++) {
        const gb_csv_recording *r = &out->recordings[i];
        json_array_append_new(groups, json_pack("[s%,I,I]", r->key, r->key_size,
                                                (json_int_t)r->rows, (json_int_t)r->last_ns));
    }
    json_t *state =
        json_pack("{s:s,s:I,s:I,s:I,s:I,s:o}", "reader", "csv", "bytes",
                  (json_int_t)out->input->size, "text", (json_int_t)text_to, "line",
                  (json_int_t)out->line, "part", (json_int_t)out->part, "groups", groups);
    bool whole = json_array_size(groups) == (size_t)out->recording_count;
    char *dumped = state && whole ? json_dumps(state, JSON_COMPACT) : NULL;
    json_decref(state);
    if (!dumped)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to say where reading stopped",
                       out->input->origin);
    *size = strlen(dumped);
    *text = gb_arena_text(arena, dumped);
    free(dumped);
    return *text ? GB_OK : GB_ERR_MEMORY;
}

static gb_status restore_groups(gb_csv_out *out, const json_t *groups)
{
    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *group = json_array_get(groups, i);
        const json_t *key = json_array_get(group, 0);
        gb_csv_recording *recording = NULL;
        if (!json_is_string(key) || json_string_length(key) > GB_CSV_KEY_MAX)
            return gb_fail(GB_ERR_CORRUPT, "%s: the saved state has a wrong group",
                           out->input->origin);
        GB_TRY(gb_csv_out_find(out, json_string_value(key), json_string_length(key), &recording));
        recording->rows = json_integer_value(json_array_get(group, 1));
        recording->last_ns = json_integer_value(json_array_get(group, 2));
    }
    return GB_OK;
}

gb_status gb_csv_out_restore(gb_csv_out *out, const char *text, size_t size)
{
    json_t *state = NULL;
    GB_TRY(gb_json_parse(out->input->origin, text, size, &state));
    gb_json_at root = gb_json_root(out->input->origin, state);
    int64_t bytes = 0, text_to = 0, line = 0, part = 0;
    gb_status status = gb_json_int(&root, "bytes", 0, INT64_MAX, &bytes);
    if (status == GB_OK)
        status = gb_json_int(&root, "text", 1, INT64_MAX, &text_to);
    if (status == GB_OK)
        status = gb_json_int(&root, "line", 0, INT64_MAX, &line);
    if (status == GB_OK)
        status = gb_json_int(&root, "part", 0, 1000000000, &part);
    bool same = bytes == out->input->size && (!out->input->plain || text_to <= bytes);
    if (status == GB_OK && !same)
        status = gb_fail(GB_ERR_MISMATCH, "%s has %lld bytes, but had %lld when reading stopped",
                         out->input->origin, (long long)out->input->size, (long long)bytes);
    if (status == GB_OK) {
        out->resume_at = out->segment_from = text_to;
        out->line = line;
        out->part = part;
        status = restore_groups(out, json_object_get(state, "groups"));
    }
    json_decref(state);
    return status;
}
