/* Recordings and streams in the catalogue: put in, listed, marked, taken out. */
#include "record/store_sql.h"

#include <fnmatch.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* ---- pairs as JSON: [["key", "value"], ...], as keys may come twice ---- */

static gb_status pairs_text(const gb_pair *pairs, int count, char **out)
{
    json_t *array = json_array();
    bool good = array != NULL;
    for (int i = 0; good && i < count; i++)
        good = json_array_append_new(array, json_pack("[ss]", pairs[i].key, pairs[i].value)) == 0;
    char *text = good ? json_dumps(array, JSON_COMPACT) : NULL;
    json_decref(array);
    if (!text)
        return gb_fail(GB_ERR_ARGUMENT, "a recording's facts are not UTF-8, or memory is short");
    *out = text;
    return GB_OK;
}

static gb_status read_pairs(const char *text, gb_arena *arena, gb_recording_info *info)
{
    json_t *array = NULL;
    GB_TRY(gb_json_parse("facts of a recording", text, strlen(text), &array));
    size_t count = json_array_size(array);
    gb_pair *pairs = gb_arena_alloc(arena, count * sizeof *pairs);
    gb_status status = pairs ? GB_OK : GB_ERR_MEMORY;
    for (size_t i = 0; status == GB_OK && i < count; i++) {
        const json_t *item = json_array_get(array, i);
        const char *key = json_string_value(json_array_get(item, 0));
        const char *value = json_string_value(json_array_get(item, 1));
        pairs[i].key = gb_arena_text(arena, key ? key : "");
        pairs[i].value = gb_arena_text(arena, value ? value : "");
        if (!pairs[i].key || !pairs[i].value)
            status = GB_ERR_MEMORY;
    }
    json_decref(array);
    info->pairs = pairs;
    info->pair_count = (int)count;
    return status;
}

/* ---- names and files ---- */

static gb_status has(gb_catalogue *catalogue, const char *sql, const char *text, bool *out)
{
    sqlite3_stmt *statement = NULL;
    GB_TRY(gb_sql_prepare(catalogue, &statement, sql, "t", text));
    gb_status status = gb_sql_step(catalogue, statement, out);
    sqlite3_finalize(statement);
    return status;
}

static gb_status check_name(gb_catalogue *catalogue, const char *name)
{
    bool taken = false;
    GB_TRY(has(catalogue, "SELECT 1 FROM recording WHERE name = ?", name, &taken));
    if (taken)
        return gb_fail(GB_ERR_ARGUMENT,
                       "the store has a recording called %.200s already; remove that one first, or "
                       "ingest under another name",
                       name);
    return GB_OK;
}

gb_status gb_catalogue_claim_name(gb_catalogue *catalogue, const char *name)
{
    sqlite3_stmt *statement = NULL;
    bool taken = false;
    GB_TRY(check_name(catalogue, name));
    GB_TRY(gb_sql_run(catalogue, "CREATE TEMP TABLE IF NOT EXISTS claimed (name TEXT PRIMARY KEY)"
                                 " WITHOUT ROWID"));
    GB_TRY(has(catalogue, "SELECT 1 FROM claimed WHERE name = ?", name, &taken));
    if (taken)
        return gb_fail(
            GB_ERR_ARGUMENT,
            "two recordings are called %.200s; names must differ, so group by what tells "
            "them apart",
            name);
    GB_TRY(gb_sql_prepare(catalogue, &statement, "INSERT INTO claimed VALUES (?)", "t", name));
    return gb_sql_finish(catalogue, statement);
}

void gb_catalogue_free_name(gb_catalogue *catalogue, const char *name)
{
    sqlite3_stmt *statement = NULL;
    gb_status status =
        gb_sql_prepare(catalogue, &statement, "DELETE FROM claimed WHERE name = ?", "t", name);
    if (status == GB_OK)
        status = gb_sql_finish(catalogue, statement);
    (void)status; /* at worst the name stays claimed until the store is closed */
}

gb_status gb_catalogue_has_file(gb_catalogue *catalogue, const char *file, bool *out)
{
    return has(catalogue, "SELECT 1 FROM recording WHERE file = ?", file, out);
}

/* ---- adding ---- */

gb_status
gb_catalogue_add_recording(gb_catalogue *catalogue, const gb_store_entry *entry, int64_t *out_id)
{
    const gb_recording_info *info = entry->info;
    sqlite3_stmt *statement = NULL;
    char *pairs = NULL;
    GB_TRY(check_name(catalogue, info->name));
    GB_TRY(pairs_text(info->pairs, info->pair_count, &pairs));
    gb_status status = gb_sql_prepare(
        catalogue, &statement,
        "INSERT INTO recording (name, source, instruction, outcome, residency, owner, licence,"
        " purpose, pairs, first_ns, last_ns, samples, bytes, good, uncertain, bad, missing,"
        " checksum, file, added_ns, ingest)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, nullif(?, 0))",
        "tttttttttiiiiiiiittii", info->name, info->source, info->instruction, info->outcome,
        info->residency, info->owner, info->licence, info->purpose, pairs, entry->first_ns,
        entry->last_ns, entry->samples, entry->bytes, entry->good, entry->uncertain, entry->bad,
        entry->missing, entry->checksum, entry->file, gb_clock_wall_ns(), entry->ingest);
    if (status == GB_OK)
        status = gb_sql_finish(catalogue, statement);
    free(pairs);
    if (status == GB_OK)
        *out_id = sqlite3_last_insert_rowid(catalogue->db);
    return status;
}

gb_status gb_catalogue_add_stream(gb_catalogue *catalogue,
                                  int64_t recording,
                                  int number,
                                  const gb_stream_spec *spec,
                                  const gb_stream_tally *tally)
{
    sqlite3_stmt *statement = NULL;
    char shape[96] = "";
    for (int i = 0, used = 0; i < spec->rank; i++)
        used += snprintf(shape + used, sizeof shape - (size_t)used, "%s%lld", i ? "," : "",
                         (long long)spec->shape[i]);
    const int64_t *of = tally->of_quality;
    GB_TRY(gb_sql_prepare(
        catalogue, &statement,
        "INSERT INTO stream VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "iittttttidtttiiiiiii", recording, (int64_t)number, spec->name,
        gb_stream_kind_name(spec->kind), spec->unit, spec->semantic,
        gb_value_type_name(spec->value_type), shape, (int64_t)spec->time_base, spec->rate_hz,
        spec->clock, spec->frame, spec->encoding, tally->samples, tally->first_ns, tally->last_ns,
        of[GB_QUALITY_GOOD], of[GB_QUALITY_UNCERTAIN], of[GB_QUALITY_BAD], of[GB_QUALITY_MISSING]));
    return gb_sql_finish(catalogue, statement);
}

/* ---- listing ---- */

#define ENTRY_COLUMNS                                                                              \
    "id, name, source, instruction, outcome, residency, owner, licence, purpose, pairs, "          \
    "first_ns, last_ns, samples, bytes, good, uncertain, bad, missing, checksum, split, file, "    \
    "coalesce(ingest, 0)"

static gb_status read_entry(sqlite3_stmt *row, gb_arena *arena, gb_store_entry *to)
{
    gb_recording_info *info = gb_arena_alloc(arena, sizeof *info);
    if (!info)
        return GB_ERR_MEMORY;
    const char **texts[] = {&info->name,      &info->source, &info->instruction, &info->outcome,
                            &info->residency, &info->owner,  &info->licence,     &info->purpose};
    for (int i = 0; i < 8; i++) {
        *texts[i] = gb_sql_text(row, 1 + i, arena);
        if (!*texts[i])
            return GB_ERR_MEMORY;
    }
    const char *pairs = (const char *)sqlite3_column_text(row, 9);
    GB_TRY(read_pairs(pairs ? pairs : "[]", arena, info));
    int64_t *numbers[] = {&to->first_ns, &to->last_ns,   &to->samples, &to->bytes,
                          &to->good,     &to->uncertain, &to->bad,     &to->missing};
    for (int i = 0; i < 8; i++)
        *numbers[i] = sqlite3_column_int64(row, 10 + i);
    to->id = sqlite3_column_int64(row, 0);
    to->info = info;
    to->checksum = gb_sql_text(row, 18, arena);
    to->split = gb_sql_text(row, 19, arena);
    to->file = gb_sql_text(row, 20, arena);
    to->ingest = sqlite3_column_int64(row, 21);
    return to->checksum && to->split && to->file ? GB_OK : GB_ERR_MEMORY;
}

typedef struct entry_list {
    gb_store_entry *entries;
    size_t count, room;
} entry_list;

static gb_status grow(entry_list *list)
{
    if (list->count < list->room)
        return GB_OK;
    size_t room = list->room ? 2 * list->room : 64;
    gb_store_entry *grown = realloc(list->entries, room * sizeof *grown);
    if (!grown)
        return gb_fail(GB_ERR_MEMORY, "no memory for a list of %zu recordings", room);
    list->entries = grown;
    list->room = room;
    return GB_OK;
}

static gb_status read_entries(gb_catalogue *catalogue,
                              sqlite3_stmt *rows,
                              const char *name,
                              gb_arena *arena,
                              entry_list *list)
{
    bool row = true;
    for (;;) {
        GB_TRY(gb_sql_step(catalogue, rows, &row));
        if (!row)
            return GB_OK;
        const char *found = (const char *)sqlite3_column_text(rows, 1);
        if (name && name[0] && fnmatch(name, found ? found : "", 0) != 0)
            continue;
        GB_TRY(grow(list));
        memset(&list->entries[list->count], 0, sizeof *list->entries);
        GB_TRY(read_entry(rows, arena, &list->entries[list->count]));
        list->count++;
    }
}

gb_status gb_catalogue_list(gb_catalogue *catalogue,
                            const gb_store_query *query,
                            gb_arena *arena,
                            gb_store_entry **out,
                            int64_t *out_count)
{
    static const gb_store_query everything = {0};
    sqlite3_stmt *statement = NULL;
    entry_list list = {0};
    if (!query)
        query = &everything;
    bool any_time = query->first_ns == 0 && query->end_ns == 0;
    GB_TRY(gb_sql_prepare(
        catalogue, &statement,
        "SELECT " ENTRY_COLUMNS " FROM recording WHERE (?1 = '' OR split = ?1)"
        " AND (?2 = '' OR owner = ?2) AND (?3 = '' OR residency = ?3)"
        " AND (?4 = '' OR EXISTS (SELECT 1 FROM stream WHERE stream.recording = recording.id"
        " AND stream.name = ?4))"
        " AND (?5 OR (samples > 0 AND last_ns >= ?6 AND first_ns < ?7)) ORDER BY name",
        "ttttiii", query->split, query->owner, query->residency, query->stream, (int64_t)any_time,
        query->first_ns, query->end_ns));
    gb_status status = read_entries(catalogue, statement, query->name, arena, &list);
    sqlite3_finalize(statement);
    gb_store_entry *entries = NULL;
    if (status == GB_OK) {
        entries = gb_arena_alloc(arena, list.count * sizeof *entries);
        status = entries ? GB_OK : GB_ERR_MEMORY;
    }
    if (status == GB_OK) {
        if (list.count > 0)
            memcpy(entries, list.entries, list.count * sizeof *entries);
        *out = entries;
        *out_count = (int64_t)list.count;
    }
    free(list.entries);
    return status;
}

gb_status
gb_catalogue_find(gb_catalogue *catalogue, const char *name, gb_arena *arena, gb_store_entry *out)
{
    sqlite3_stmt *statement = NULL;
    bool row = false;
    gb_store_entry entry = {0};
    GB_TRY(gb_sql_prepare(catalogue, &statement,
                          "SELECT " ENTRY_COLUMNS " FROM recording WHERE name = ?", "t", name));
    gb_status status = gb_sql_step(catalogue, statement, &row);
    if (status == GB_OK && !row)
        status = gb_fail(GB_ERR_NOT_FOUND, "the store has no recording called \"%.200s\"", name);
    if (status == GB_OK)
        status = read_entry(statement, arena, &entry);
    sqlite3_finalize(statement);
    if (status == GB_OK)
        *out = entry;
    return status;
}

/* ---- streams ---- */

static gb_status read_stream(sqlite3_stmt *row, gb_arena *arena, gb_catalogue_stream *to)
{
    gb_stream_spec *spec = &to->spec;
    const char **texts[] = {&spec->name,  &spec->unit,  &spec->semantic,
                            &spec->clock, &spec->frame, &spec->encoding};
    static const int text_columns[] = {0, 2, 3, 8, 9, 10};
    for (int i = 0; i < 6; i++) {
        *texts[i] = gb_sql_text(row, text_columns[i], arena);
        if (!*texts[i])
            return GB_ERR_MEMORY;
    }
    GB_TRY(gb_stream_kind_parse((const char *)sqlite3_column_text(row, 1), &spec->kind));
    GB_TRY(gb_value_type_parse((const char *)sqlite3_column_text(row, 4), &spec->value_type));
    const char *shape = (const char *)sqlite3_column_text(row, 5);
    while (shape && *shape && spec->rank < GB_STREAM_RANK_MAX) {
        char *end = NULL;
        spec->shape[spec->rank++] = strtoll(shape, &end, 10);
        shape = *end ? end + 1 : end;
    }
    spec->time_base = (gb_time_base)sqlite3_column_int(row, 6);
    spec->rate_hz = sqlite3_column_double(row, 7);
    to->tally.samples = sqlite3_column_int64(row, 11);
    to->tally.first_ns = sqlite3_column_int64(row, 12);
    to->tally.last_ns = sqlite3_column_int64(row, 13);
    for (int i = 0; i <= GB_QUALITY_MISSING; i++)
        to->tally.of_quality[i] = sqlite3_column_int64(row, 14 + i);
    return GB_OK;
}

gb_status gb_catalogue_streams(gb_catalogue *catalogue,
                               int64_t recording,
                               gb_arena *arena,
                               gb_catalogue_stream **out,
                               int *out_count)
{
    sqlite3_stmt *statement = NULL;
    bool row = false;
    GB_TRY(gb_sql_prepare(catalogue, &statement,
                          "SELECT name, kind, unit, semantic, value_type, shape, time_base,"
                          " rate_hz, clock, frame, encoding, samples, first_ns, last_ns, good,"
                          " uncertain, bad, missing, count(*) OVER ()"
                          " FROM stream WHERE recording = ? ORDER BY number",
                          "i", recording));
    gb_catalogue_stream *streams = NULL;
    int count = 0, total = 0;
    gb_status status = gb_sql_step(catalogue, statement, &row);
    while (status == GB_OK && row && (count == 0 || count < total)) {
        if (!streams) {
            total = sqlite3_column_int(statement, 18);
            streams = gb_arena_alloc(arena, (size_t)total * sizeof *streams);
        }
        status = streams ? read_stream(statement, arena, &streams[count++]) : GB_ERR_MEMORY;
        if (status == GB_OK)
            status = gb_sql_step(catalogue, statement, &row);
    }
    sqlite3_finalize(statement);
    if (status == GB_OK) {
        *out = streams;
        *out_count = count;
    }
    return status;
}

/* ---- marking and taking out ---- */

gb_status gb_catalogue_set_split(gb_catalogue *catalogue, int64_t id, const char *split)
{
    sqlite3_stmt *statement = NULL;
    GB_TRY(gb_sql_prepare(catalogue, &statement, "UPDATE recording SET split = ? WHERE id = ?",
                          "ti", split, id));
    return gb_sql_finish(catalogue, statement);
}

gb_status gb_catalogue_remove(gb_catalogue *catalogue, int64_t id)
{
    sqlite3_stmt *statement = NULL;
    GB_TRY(gb_sql_prepare(catalogue, &statement, "DELETE FROM recording WHERE id = ?", "i", id));
    return gb_sql_finish(catalogue, statement);
}
