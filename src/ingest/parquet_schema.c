/* From a Parquet schema's list of elements (a tree, depth first) to its leaves: the columns, what
 * their values mean, how deep they are nested. */
#include "ingest/parquet_meta.h"

#include <string.h>

#define DEPTH_MAX 32
#define PATH_MAX_BYTES 4096

typedef struct walk {
    const gb_parquet_element *elements;
    int64_t count, at; /* the next element */
    gb_parquet *file;
    gb_parquet_column *columns;
    int64_t column_count;
} walk;

/* Where the walk is: what the groups above add up to. */
typedef struct place {
    char path[PATH_MAX_BYTES], name[PATH_MAX_BYTES];
    int def, rep, list_def, depth;
    bool supported;
} place;

static gb_status add_name(const walk *w, char *path, const char *name)
{
    size_t used = strlen(path), size = strlen(name);
    if (used + size + 2 > PATH_MAX_BYTES)
        return gb_fail(GB_ERR_PARSE, "%s: a column's name is longer than %d bytes", w->file->origin,
                       PATH_MAX_BYTES);
    if (used > 0)
        path[used++] = '.';
    memcpy(path + used, name, size + 1);
    return GB_OK;
}

static bool is_list(const gb_parquet_element *e)
{
    return e->logical == GB_PARQUET_LOGICAL_LIST || e->converted == GB_PARQUET_CONVERTED_LIST;
}

static bool is_map(const gb_parquet_element *e)
{
    return e->logical == GB_PARQUET_LOGICAL_MAP || e->converted == GB_PARQUET_CONVERTED_MAP ||
           e->converted == GB_PARQUET_CONVERTED_MAP + 1;
}

static size_t width_of(const gb_parquet_element *e)
{
    static const size_t widths[] = {1, 4, 8, 12, 4, 8, 0};
    return e->type == GB_PARQUET_FIXED ? (size_t)e->type_length : widths[e->type];
}

static void set_integer(const gb_parquet_element *e, gb_parquet_column *c)
{
    c->bits = c->type == GB_PARQUET_INT32 ? 32 : 64;
    int narrow = e->converted - GB_PARQUET_CONVERTED_UINT_8;
    if (e->logical == GB_PARQUET_LOGICAL_INTEGER && e->bits > 0) {
        c->bits = e->bits <= 8 ? 8 : e->bits <= 16 ? 16 : e->bits <= 32 ? 32 : 64;
        c->is_signed = e->is_signed;
    } else if (narrow >= 0 && e->converted <= GB_PARQUET_CONVERTED_INT_64) {
        c->bits = 8 << (narrow % 4);
        c->is_signed = narrow >= 4;
    }
    if (c->bits > (int)c->width * 8)
        c->bits = (int)c->width * 8;
}

static bool is_stamp(const gb_parquet_element *e, gb_parquet_column *c)
{
    if (c->type == GB_PARQUET_INT96)
        c->unit_ns = 1;
    else if (c->type == GB_PARQUET_INT64 && e->logical == GB_PARQUET_LOGICAL_TIMESTAMP)
        c->unit_ns = e->unit_ns;
    else if (c->type == GB_PARQUET_INT64 && e->converted == GB_PARQUET_CONVERTED_TIMESTAMP_MILLIS)
        c->unit_ns = 1000000;
    else if (c->type == GB_PARQUET_INT64 && e->converted == GB_PARQUET_CONVERTED_TIMESTAMP_MICROS)
        c->unit_ns = 1000;
    c->is_utc = e->logical != GB_PARQUET_LOGICAL_TIMESTAMP || e->is_utc;
    return c->unit_ns > 0;
}

static gb_parquet_meaning meaning_of(const gb_parquet_element *e, gb_parquet_column *c)
{
    bool runs = c->type == GB_PARQUET_BYTE_ARRAY;
    if (runs &&
        (e->logical == GB_PARQUET_LOGICAL_STRING || e->logical == GB_PARQUET_LOGICAL_ENUM ||
         e->logical == GB_PARQUET_LOGICAL_JSON || e->converted == GB_PARQUET_CONVERTED_UTF8 ||
         e->converted == GB_PARQUET_CONVERTED_ENUM || e->converted == GB_PARQUET_CONVERTED_JSON))
        return GB_PARQUET_TEXT;
    if (is_stamp(e, c))
        return GB_PARQUET_TIME;
    bool whole = c->type == GB_PARQUET_INT32 || c->type == GB_PARQUET_INT64;
    if (e->logical == GB_PARQUET_LOGICAL_DECIMAL || e->converted == GB_PARQUET_CONVERTED_DECIMAL) {
        c->scale = (int)e->scale;
        bool fits = whole || (c->type == GB_PARQUET_FIXED && c->width >= 1 && c->width <= 16);
        return fits ? GB_PARQUET_DECIMAL : GB_PARQUET_BINARY;
    }
    if (c->type == GB_PARQUET_FIXED)
        return e->logical == GB_PARQUET_LOGICAL_FLOAT16 && c->width == 2 ? GB_PARQUET_FLOAT16
                                                                         : GB_PARQUET_BINARY;
    if (runs)
        return GB_PARQUET_BINARY;
    if (c->type == GB_PARQUET_INT32 &&
        (e->logical == GB_PARQUET_LOGICAL_DATE || e->converted == GB_PARQUET_CONVERTED_DATE))
        return GB_PARQUET_DATE;
    if (whole)
        set_integer(e, c);
    return GB_PARQUET_NUMBER;
}

static gb_status add_leaf(walk *w, const gb_parquet_element *e, const place *at)
{
    gb_parquet_column *c = &w->columns[w->column_count++];
    c->path = gb_arena_text(w->file->arena, at->path);
    c->name = gb_arena_text(w->file->arena, at->name[0] ? at->name : at->path);
    if (!c->path || !c->name)
        return GB_ERR_MEMORY;
    c->type = (gb_parquet_type)e->type;
    c->width = width_of(e);
    c->is_signed = true;
    c->max_def = at->def;
    c->max_rep = at->rep;
    c->list_def = at->list_def;
    c->supported = at->supported;
    if (c->type == GB_PARQUET_FIXED && c->width == 0)
        return gb_fail(GB_ERR_PARSE, "%s: column %s has values of no bytes", w->file->origin,
                       c->name);
    c->meaning = meaning_of(e, c);
    return GB_OK;
}

/* The element at hand and all below it. `parent` is above it; in_list: it is one of the two levels
 * that a list puts between its name and its items, which say nothing to a reader. */
static gb_status visit(walk *w, const place *parent, const gb_parquet_element *above, bool in_list)
{
    if (w->at == w->count || parent->depth == DEPTH_MAX)
        return gb_fail(GB_ERR_PARSE, "%s: its schema is cut, or nested more than %d deep",
                       w->file->origin, DEPTH_MAX);
    const gb_parquet_element *e = &w->elements[w->at++];
    place here = *parent;
    here.depth++;
    GB_TRY(add_name(w, here.path, e->name));
    if (!in_list)
        GB_TRY(add_name(w, here.name, e->name));
    here.def += e->repetition != 0;
    if (e->repetition == 2) {
        here.rep++;
        here.list_def = here.def;
    }
    here.supported = here.supported && !is_map(e);
    if (e->type >= 0)
        return e->children == 0 ? add_leaf(w, e, &here)
                                : gb_fail(GB_ERR_PARSE, "%s: column %s has columns inside",
                                          w->file->origin, here.path);
    bool wrapper = in_list && above && is_list(above); /* "list" of "x.list.element" */
    for (int64_t i = 0; i < e->children; i++)
        GB_TRY(visit(w, &here, e, is_list(e) || wrapper));
    return GB_OK;
}

gb_status gb_parquet_read_schema(const gb_parquet_element *schema, int64_t count, gb_parquet *file)
{
    walk w = {.elements = schema, .count = count, .at = 1, .file = file};
    w.columns = gb_arena_alloc(file->arena, (size_t)count * sizeof *w.columns);
    if (!w.columns)
        return GB_ERR_MEMORY;
    place root = {.supported = true};
    for (int64_t i = 0; i < schema[0].children; i++)
        GB_TRY(visit(&w, &root, NULL, false));
    if (w.at != count)
        return gb_fail(GB_ERR_PARSE, "%s: its schema has %lld elements and uses %lld", file->origin,
                       (long long)count, (long long)w.at);
    if (file->group_count > 0 && w.column_count != file->column_count)
        return gb_fail(GB_ERR_PARSE, "%s: its schema has %lld columns, its row groups have %d",
                       file->origin, (long long)w.column_count, file->column_count);
    file->columns = w.columns;
    file->column_count = (int)w.column_count;
    return GB_OK;
}
