/* The catalogue's tables, its transactions, and what is written to it. Reading lists of recordings
 * is in store_query.c. */
#include "record/store_sql.h"

#include <stdlib.h>
#include <string.h>

enum {
    VERSION = 1,
    APPLICATION = 0x67656e62, /* "genb" */
    BUSY_MS = 60000
};

static const char schema_sql[] =
    "CREATE TABLE store (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE ingest ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " source TEXT NOT NULL, source_checksum TEXT NOT NULL, source_bytes INTEGER NOT NULL,"
    " map TEXT NOT NULL, map_text TEXT NOT NULL, policy TEXT NOT NULL,"
    " begun_ns INTEGER NOT NULL, changed_ns INTEGER NOT NULL,"
    " rows_read INTEGER NOT NULL DEFAULT 0, rows_stored INTEGER NOT NULL DEFAULT 0,"
    " rows_rejected INTEGER NOT NULL DEFAULT 0, cells_bad INTEGER NOT NULL DEFAULT 0,"
    " cells_missing INTEGER NOT NULL DEFAULT 0,"
    " done_bytes INTEGER NOT NULL DEFAULT 0, rejects_bytes INTEGER NOT NULL DEFAULT 0,"
    " finished INTEGER NOT NULL DEFAULT 0, state BLOB);"
    "CREATE TABLE recording ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " name TEXT NOT NULL UNIQUE, source TEXT NOT NULL, instruction TEXT NOT NULL,"
    " outcome TEXT NOT NULL, residency TEXT NOT NULL, owner TEXT NOT NULL, licence TEXT NOT NULL,"
    " purpose TEXT NOT NULL, pairs TEXT NOT NULL,"
    " first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL,"
    " samples INTEGER NOT NULL, bytes INTEGER NOT NULL,"
    " good INTEGER NOT NULL, uncertain INTEGER NOT NULL, bad INTEGER NOT NULL,"
    " missing INTEGER NOT NULL,"
    " checksum TEXT NOT NULL, file TEXT NOT NULL UNIQUE, split TEXT NOT NULL DEFAULT '',"
    " ingest INTEGER REFERENCES ingest (id), added_ns INTEGER NOT NULL);"
    "CREATE INDEX recording_ingest ON recording (ingest);"
    "CREATE TABLE stream ("
    " recording INTEGER NOT NULL REFERENCES recording (id) ON DELETE CASCADE,"
    " number INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, unit TEXT NOT NULL,"
    " semantic TEXT NOT NULL, value_type TEXT NOT NULL, shape TEXT NOT NULL,"
    " time_base INTEGER NOT NULL, rate_hz REAL NOT NULL, clock TEXT NOT NULL,"
    " frame TEXT NOT NULL, encoding TEXT NOT NULL,"
    " samples INTEGER NOT NULL, first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL,"
    " good INTEGER NOT NULL, uncertain INTEGER NOT NULL, bad INTEGER NOT NULL,"
    " missing INTEGER NOT NULL, PRIMARY KEY (recording, number)) WITHOUT ROWID;"
    "CREATE INDEX stream_name ON stream (name);";

/* ---- the file ---- */

gb_status gb_sql_fail(gb_catalogue *catalogue, int code, const char *what)
{
    const char *said = catalogue->db ? sqlite3_errmsg(catalogue->db) : sqlite3_errstr(code);
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return gb_fail(GB_ERR_MEMORY, "no memory for the catalogue %s", catalogue->path);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return gb_fail(GB_ERR_CORRUPT,
                       "%s is damaged or no catalogue (%s, while %s); restore it from a copy",
                       catalogue->path, said, what);
    case SQLITE_FULL:
        return gb_fail(GB_ERR_IO, "%s: the disk is full while %s; free some space, nothing changed",
                       catalogue->path, what);
    case SQLITE_READONLY:
        return gb_fail(GB_ERR_IO,
                       "%s cannot be written (while %s); check its permissions and its folder's",
                       catalogue->path, what);
    case SQLITE_BUSY:
        return gb_fail(GB_ERR_IO,
                       "%s has been in use by another process for %d seconds (while %s); try again "
                       "when it is done",
                       catalogue->path, BUSY_MS / 1000, what);
    default:
        return gb_fail(GB_ERR_IO, "%s: %s (while %s)", catalogue->path, said, what);
    }
}

gb_status gb_sql_run(gb_catalogue *catalogue, const char *sql)
{
    int code = sqlite3_exec(catalogue->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? GB_OK : gb_sql_fail(catalogue, code, "changing it");
}

gb_status
gb_sql_prepare(gb_catalogue *catalogue, sqlite3_stmt **out, const char *sql, const char *types, ...)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(catalogue->db, sql, -1, &statement, NULL);
    va_list args;
    va_start(args, types);
    for (int i = 0; code == SQLITE_OK && types[i]; i++) {
        if (types[i] == 'i') {
            code = sqlite3_bind_int64(statement, i + 1, va_arg(args, int64_t));
        } else if (types[i] == 'd') {
            code = sqlite3_bind_double(statement, i + 1, va_arg(args, double));
        } else {
            const char *text = va_arg(args, const char *);
            code = sqlite3_bind_text(statement, i + 1, text ? text : "", -1, SQLITE_STATIC);
        }
    }
    va_end(args);
    if (code != SQLITE_OK) {
        gb_status status = gb_sql_fail(catalogue, code, "asking it");
        sqlite3_finalize(statement);
        return status;
    }
    *out = statement;
    return GB_OK;
}

gb_status gb_sql_step(gb_catalogue *catalogue, sqlite3_stmt *statement, bool *out_row)
{
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return gb_sql_fail(catalogue, code, "reading or changing it");
    *out_row = code == SQLITE_ROW;
    return GB_OK;
}

gb_status gb_sql_finish(gb_catalogue *catalogue, sqlite3_stmt *statement)
{
    bool row = false;
    gb_status status = gb_sql_step(catalogue, statement, &row);
    sqlite3_finalize(statement);
    return status;
}

const char *gb_sql_text(sqlite3_stmt *statement, int column, gb_arena *arena)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    return gb_arena_text(arena, text ? text : "");
}

void gb_catalogue_close(gb_catalogue *catalogue)
{
    if (!catalogue)
        return;
    sqlite3_close_v2(catalogue->db);
    free(catalogue->path);
    free(catalogue);
}

static gb_status open_file(const char *path, int flags, gb_catalogue **out)
{
    gb_catalogue *catalogue = calloc(1, sizeof *catalogue);
    if (catalogue)
        catalogue->path = strdup(path);
    if (!catalogue || !catalogue->path) {
        free(catalogue);
        return gb_fail(GB_ERR_MEMORY, "no memory to open %s", path);
    }
    catalogue->read_only = (flags & SQLITE_OPEN_READONLY) != 0;
    int code = sqlite3_open_v2(path, &catalogue->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    gb_status status = code == SQLITE_OK ? GB_OK : gb_sql_fail(catalogue, code, "opening it");
    if (status == GB_OK) {
        sqlite3_extended_result_codes(catalogue->db, 1);
        sqlite3_busy_timeout(catalogue->db, BUSY_MS);
        status = gb_sql_run(catalogue, "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL;"
                                       "PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;");
    }
    if (status != GB_OK) {
        gb_catalogue_close(catalogue);
        return status;
    }
    *out = catalogue;
    return GB_OK;
}

gb_status gb_catalogue_create(const char *path)
{
    gb_catalogue *catalogue = NULL;
    char pragma[96];
    if (gb_file_exists(path))
        return gb_fail(GB_ERR_ARGUMENT, "%s is there already", path);
    GB_TRY(open_file(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &catalogue));
    sqlite3_snprintf(sizeof pragma, pragma, "PRAGMA application_id = %d; PRAGMA user_version = %d;",
                     APPLICATION, VERSION);
    gb_status status = gb_sql_run(catalogue, "PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE;");
    if (status == GB_OK)
        status = gb_sql_run(catalogue, schema_sql);
    if (status == GB_OK)
        status = gb_sql_run(catalogue, pragma);
    if (status == GB_OK)
        status = gb_sql_run(catalogue, "COMMIT");
    gb_catalogue_close(catalogue);
    return status;
}

static gb_status read_number(gb_catalogue *catalogue, const char *sql, int64_t *out)
{
    sqlite3_stmt *statement = NULL;
    bool row = false;
    GB_TRY(gb_sql_prepare(catalogue, &statement, sql, ""));
    gb_status status = gb_sql_step(catalogue, statement, &row);
    if (status == GB_OK)
        *out = row ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return status;
}

gb_status gb_catalogue_open(const char *path, bool read_only, gb_catalogue **out)
{
    gb_catalogue *catalogue = NULL;
    int64_t application = 0, version = 0;
    if (!gb_file_exists(path))
        return gb_fail(GB_ERR_NOT_FOUND, "%s is not there; genba store init makes a store", path);
    GB_TRY(open_file(path, read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE, &catalogue));
    gb_status status = read_number(catalogue, "PRAGMA application_id", &application);
    if (status == GB_OK)
        status = read_number(catalogue, "PRAGMA user_version", &version);
    if (status == GB_OK && (application != APPLICATION || version != VERSION))
        status = gb_fail(GB_ERR_MISMATCH,
                         "%s is no catalogue of genba, or of version %lld; this genba knows "
                         "version %d",
                         path, (long long)version, VERSION);
    if (status == GB_OK && !read_only && sqlite3_db_readonly(catalogue->db, "main") == 1)
        status = gb_fail(GB_ERR_IO, "%s cannot be written; check its permissions, or only read it",
                         path);
    if (status != GB_OK) {
        gb_catalogue_close(catalogue);
        return status;
    }
    *out = catalogue;
    return GB_OK;
}

gb_status gb_catalogue_begin(gb_catalogue *catalogue)
{
    return gb_sql_run(catalogue, "BEGIN IMMEDIATE");
}

gb_status gb_catalogue_commit(gb_catalogue *catalogue)
{
    return gb_sql_run(catalogue, "COMMIT");
}

void gb_catalogue_rollback(gb_catalogue *catalogue)
{
    if (!sqlite3_get_autocommit(catalogue->db))
        sqlite3_exec(catalogue->db, "ROLLBACK", NULL, NULL, NULL);
}

gb_status gb_catalogue_set(gb_catalogue *catalogue, const char *key, const char *value)
{
    sqlite3_stmt *statement = NULL;
    GB_TRY(gb_sql_prepare(catalogue, &statement, "REPLACE INTO store VALUES (?, ?)", "tt", key,
                          value));
    return gb_sql_finish(catalogue, statement);
}

gb_status
gb_catalogue_get(gb_catalogue *catalogue, const char *key, gb_arena *arena, const char **out)
{
    sqlite3_stmt *statement = NULL;
    bool row = false;
    GB_TRY(
        gb_sql_prepare(catalogue, &statement, "SELECT value FROM store WHERE key = ?", "t", key));
    gb_status status = gb_sql_step(catalogue, statement, &row);
    const char *text = "";
    if (status == GB_OK && row && !(text = gb_sql_text(statement, 0, arena)))
        status = GB_ERR_MEMORY;
    sqlite3_finalize(statement);
    if (status == GB_OK)
        *out = text;
    return status;
}

gb_status gb_catalogue_check(gb_catalogue *catalogue)
{
    sqlite3_stmt *statement = NULL;
    bool row = false;
    GB_TRY(gb_sql_prepare(catalogue, &statement, "PRAGMA integrity_check(1)", ""));
    gb_status status = gb_sql_step(catalogue, statement, &row);
    const char *said = row ? (const char *)sqlite3_column_text(statement, 0) : "";
    if (status == GB_OK && said && strcmp(said, "ok") != 0)
        status = gb_fail(GB_ERR_CORRUPT, "%s: %s; restore it from a copy", catalogue->path, said);
    sqlite3_finalize(statement);
    GB_TRY(status);
    GB_TRY(gb_sql_prepare(catalogue, &statement, "PRAGMA foreign_key_check", ""));
    status = gb_sql_step(catalogue, statement, &row);
    sqlite3_finalize(statement);
    if (status == GB_OK && row)
        return gb_fail(GB_ERR_CORRUPT, "%s: a recording or stream belongs to nothing",
                       catalogue->path);
    return status;
}

/* ---- ingests ---- */

static void read_ingest(sqlite3_stmt *row, gb_catalogue_ingest *to)
{
    to->id = sqlite3_column_int64(row, 0);
    to->counts.rows_read = sqlite3_column_int64(row, 1);
    to->counts.rows_stored = sqlite3_column_int64(row, 2);
    to->counts.rows_rejected = sqlite3_column_int64(row, 3);
    to->counts.cells_bad = sqlite3_column_int64(row, 4);
    to->counts.cells_missing = sqlite3_column_int64(row, 5);
    to->done_bytes = sqlite3_column_int64(row, 6);
    to->rejects_bytes = sqlite3_column_int64(row, 7);
    to->finished = sqlite3_column_int(row, 8) != 0;
}
#define INGEST_COLUMNS                                                                             \
    "id, rows_read, rows_stored, rows_rejected, cells_bad, cells_missing, done_bytes, "            \
    "rejects_bytes, finished"

gb_status gb_catalogue_find_ingest(gb_catalogue *catalogue,
                                   const gb_store_source *source,
                                   gb_catalogue_ingest *out)
{
    sqlite3_stmt *statement = NULL;
    bool row = false;
    GB_TRY(gb_sql_prepare(catalogue, &statement,
                          "SELECT " INGEST_COLUMNS " FROM ingest WHERE source_checksum = ?1"
                          " AND source_bytes = ?2 AND map_text = ?3 AND policy = ?4"
                          " AND (?1 != '' OR source = ?5) ORDER BY id DESC LIMIT 1",
                          "tittt", source->checksum, source->bytes, source->map_text,
                          source->policy, source->path));
    gb_status status = gb_sql_step(catalogue, statement, &row);
    if (status == GB_OK) {
        memset(out, 0, sizeof *out);
        if (row)
            read_ingest(statement, out);
    }
    sqlite3_finalize(statement);
    return status;
}

gb_status
gb_catalogue_add_ingest(gb_catalogue *catalogue, const gb_store_source *source, int64_t *out_id)
{
    sqlite3_stmt *statement = NULL;
    GB_TRY(gb_sql_prepare(catalogue, &statement,
                          "INSERT INTO ingest (source, source_checksum, source_bytes, map,"
                          " map_text, policy, begun_ns, changed_ns)"
                          " VALUES (?, ?, ?, ?, ?, ?, ?7, ?7)",
                          "ttittti", source->path, source->checksum, source->bytes, source->map,
                          source->map_text, source->policy, gb_clock_wall_ns()));
    GB_TRY(gb_sql_finish(catalogue, statement));
    *out_id = sqlite3_last_insert_rowid(catalogue->db);
    return GB_OK;
}

gb_status gb_catalogue_set_ingest(gb_catalogue *catalogue,
                                  const gb_catalogue_ingest *ingest,
                                  const void *state,
                                  size_t state_size)
{
    sqlite3_stmt *statement = NULL;
    const gb_store_counts *counts = &ingest->counts;
    GB_TRY(gb_sql_prepare(
        catalogue, &statement,
        "UPDATE ingest SET rows_read = ?, rows_stored = ?, rows_rejected = ?, cells_bad = ?,"
        " cells_missing = ?, done_bytes = ?, rejects_bytes = ?, finished = ?, changed_ns = ?,"
        " state = coalesce(?11, state) WHERE id = ?10",
        "iiiiiiiiii", counts->rows_read, counts->rows_stored, counts->rows_rejected,
        counts->cells_bad, counts->cells_missing, ingest->done_bytes, ingest->rejects_bytes,
        (int64_t)ingest->finished, gb_clock_wall_ns(), ingest->id));
    int code = state ? sqlite3_bind_blob64(statement, 11, state, state_size, SQLITE_STATIC)
                     : sqlite3_bind_null(statement, 11);
    if (code != SQLITE_OK) {
        sqlite3_finalize(statement);
        return gb_sql_fail(catalogue, code, "keeping an ingest's state");
    }
    return gb_sql_finish(catalogue, statement);
}

gb_status gb_catalogue_ingest_state(
    gb_catalogue *catalogue, int64_t id, gb_arena *arena, const void **out, size_t *out_size)
{
    sqlite3_stmt *statement = NULL;
    bool row = false;
    GB_TRY(gb_sql_prepare(catalogue, &statement, "SELECT state FROM ingest WHERE id = ?", "i", id));
    gb_status status = gb_sql_step(catalogue, statement, &row);
    const void *state = status == GB_OK && row ? sqlite3_column_blob(statement, 0) : NULL;
    size_t size = state ? (size_t)sqlite3_column_bytes(statement, 0) : 0;
    void *copy = size ? gb_arena_alloc(arena, size) : NULL;
    if (status == GB_OK && size && !copy)
        status = GB_ERR_MEMORY;
    if (status == GB_OK && size)
        memcpy(copy, state, size);
    sqlite3_finalize(statement);
    if (status == GB_OK) {
        *out = copy;
        *out_size = size;
    }
    return status;
}

gb_status gb_catalogue_has_rejects(gb_catalogue *catalogue, int64_t id, bool *out)
{
    sqlite3_stmt *statement = NULL;
    GB_TRY(gb_sql_prepare(catalogue, &statement,
                          "SELECT 1 FROM ingest WHERE id = ? AND rejects_bytes > 0", "i", id));
    gb_status status = gb_sql_step(catalogue, statement, out);
    sqlite3_finalize(statement);
    return status;
}

gb_status
gb_catalogue_each_ingest(gb_catalogue *catalogue, gb_catalogue_visit_ingest visit, void *context)
{
    sqlite3_stmt *statement = NULL;
    bool row = true;
    GB_TRY(gb_sql_prepare(catalogue, &statement,
                          "SELECT " INGEST_COLUMNS " FROM ingest ORDER BY id", ""));
    gb_status status = gb_sql_step(catalogue, statement, &row);
    while (status == GB_OK && row) {
        gb_catalogue_ingest ingest;
        read_ingest(statement, &ingest);
        status = visit(context, &ingest);
        if (status == GB_OK)
            status = gb_sql_step(catalogue, statement, &row);
    }
    sqlite3_finalize(statement);
    return status;
}
