/* Private to the catalogue's files: prepared statements with one-line binding. */
#ifndef GENBA_RECORD_STORE_SQL_H
#define GENBA_RECORD_STORE_SQL_H

#include "record/catalogue.h"

#include <sqlite3.h>

struct gb_catalogue {
    sqlite3 *db;
    char *path;
    bool read_only;
};

/* A status and message for what SQLite said. */
gb_status gb_sql_fail(gb_catalogue *catalogue, int code, const char *what);
/* Runs statements without results. */
GB_MUST gb_status gb_sql_run(gb_catalogue *catalogue, const char *sql);

/* A statement and its values in order: t text (NULL: ""), i int64, d double. */
GB_MUST gb_status gb_sql_prepare(
    gb_catalogue *catalogue, sqlite3_stmt **out, const char *sql, const char *types, ...);
/* The next row; *out_row false: no more. */
GB_MUST gb_status gb_sql_step(gb_catalogue *catalogue, sqlite3_stmt *statement, bool *out_row);
/* Runs a statement that gives no rows, and finalizes it. */
GB_MUST gb_status gb_sql_finish(gb_catalogue *catalogue, sqlite3_stmt *statement);
/* A copy of a column's text; NULL only without memory. */
const char *gb_sql_text(sqlite3_stmt *statement, int column, gb_arena *arena);

#endif
