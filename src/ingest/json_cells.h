/* Private to ingest: the values of one line of JSON at given paths, without copying any. */
#ifndef GENBA_INGEST_JSON_CELLS_H
#define GENBA_INGEST_JSON_CELLS_H

#include "ingest/fields.h"

#define GB_JSON_DEPTH_MAX 64

/* Paths made ready. "a.b[2]": key a, in it key b, its third item; "." the whole line's value;
 * ["a.b"]: a key with a dot in it. */
typedef struct gb_json_paths gb_json_paths;

/* Memory comes from the arena. GB_ERR_SCHEMA: not a path, or twice the same. */
GB_MUST gb_status gb_json_paths_create(const char *const *paths,
                                       int64_t count,
                                       gb_arena *arena,
                                       gb_json_paths **out);
int64_t gb_json_paths_count(const gb_json_paths *paths);

/* Reads text[begin, end), one JSON value; cells [count]: of strings what stands between the quotes
 * (GB_SPAN_ESCAPED when there are backslashes in it), null and absent values have size 0, objects
 * and arrays are their own text. false when it is not JSON (RFC 8259), is
 * nested deeper than GB_JSON_DEPTH_MAX, or names a wanted value twice; *out_at is where. Reads no
 * byte outside. Any number of threads at once. */
bool gb_json_cut(const gb_json_paths *paths,
                 const char *text,
                 uint32_t begin,
                 uint32_t end,
                 gb_span *cells,
                 uint32_t *out_at);

/* Writes a string's text with its escapes resolved; never longer than `size`. Half a surrogate pair
 * and a NUL become U+FFFD. */
size_t gb_json_unescape(const char *text, size_t size, char *to);

/* ---- for guesses: all values of a line, by the paths to them ----------------------------------
 */
typedef enum gb_json_type {
    GB_JSON_NULL,
    GB_JSON_BOOL,
    GB_JSON_NUMBER,
    GB_JSON_STRING,
    GB_JSON_EMPTY /* an object or array with nothing in it */
} gb_json_type;

/* Calls back for each value that holds no others, with its path (terminated, at most 500 bytes;
 * longer ones are passed over). false as of gb_json_cut, or as the visit said. */
typedef bool (*gb_json_visit)(
    void *context, const char *path, gb_json_type type, const char *text, size_t size);
bool gb_json_walk(
    const char *text, uint32_t begin, uint32_t end, gb_json_visit visit, void *context);

#endif
