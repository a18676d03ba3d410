/* The NumPy reader: .npy and .npz files as arrays. Python objects are never read: they are pickles,
 * and a pickle is a program. */
#include "ingest/arrays.h"
#include "ingest/npy_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FACTS_MAX = 64 /* single numbers of an archive that the recording takes along */
};

typedef struct npy_file {
    gb_zip_file file;
    gb_arrays arrays;
    gb_npy_set *sets;
    gb_pair facts[FACTS_MAX];
    int fact_count;
} npy_file;

/* ---- what a file holds ------------------------------------------------------------------------
 */

/* Shape without the first dimension. */
static void describe(const gb_npy_header *header, gb_array *to)
{
    to->type = header->type;
    to->encoding = "";
    to->kind = -1;
    to->time_format = header->time_format;
    to->unreadable = header->unreadable;
    if (header->rank > 0)
        to->rows = header->shape[0];
    if (to->unreadable)
        return;
    if (header->rank == 0)
        to->unreadable = "a single value, not a series";
    else if (header->rank > GB_STREAM_RANK_MAX + 1)
        to->unreadable = "more than four dimensions";
    else if (header->values == 0)
        to->unreadable = "empty";
    else if (header->values / to->rows > GB_STREAM_SIZE_MAX)
        to->unreadable = "samples that are too large";
    if (to->unreadable)
        return;
    to->rank = header->rank - 1;
    for (int i = 0; i < to->rank; i++)
        to->shape[i] = header->shape[i + 1];
}

/* The header's size and text come from the stream; what is left must be the values, all of them. */
static gb_status read_header(const gb_zip_file *file, gb_npy_set *set)
{
    unsigned char prefix[GB_NPY_PREFIX_MAX];
    gb_zip_stream *stream = NULL;
    unsigned char *text = NULL;
    int64_t size = set->entry.size;
    size_t first = size < GB_NPY_PREFIX_MAX ? (size_t)size : GB_NPY_PREFIX_MAX;
    gb_status status = gb_zip_stream_open(file, &set->entry, &stream);
    if (status == GB_OK)
        status = gb_zip_stream_read(stream, 0, prefix, first);
    if (status == GB_OK)
        status = gb_npy_header_size(prefix, first, file->origin, &set->header_bytes);
    if (status == GB_OK && !(text = malloc(set->header_bytes)))
        status = gb_fail(GB_ERR_MEMORY, "%s: no memory for a header", file->origin);
    if (status == GB_OK)
        status = gb_zip_stream_read(stream, 0, text, set->header_bytes);
    if (status == GB_OK)
        status = gb_npy_header_read(text, set->header_bytes, file->origin, &set->header);
    int64_t bytes = set->header.values * set->header.value_bytes;
    if (status == GB_OK && !set->header.unreadable && bytes != size - (int64_t)set->header_bytes)
        status =
            gb_fail(GB_ERR_CORRUPT,
                    "%s holds %lld bytes of values, its header says %lld: it is cut, or "
                    "something was written behind it",
                    file->origin, (long long)(size - (int64_t)set->header_bytes), (long long)bytes);
    if (status == GB_OK && set->header.unreadable) /* by intent, or by damage? */
        status = gb_zip_stream_finish(stream);
    free(text);
    gb_zip_stream_close(stream);
    return status;
}

/* A single number is a fact of the recording: the speed of a motor, a sampling rate. */
static gb_status add_fact(npy_file *npy, gb_arena *arena, const gb_array *array, gb_npy_set *set)
{
    void *cursor = NULL;
    unsigned char value[8];
    if (set->header.unreadable || set->header.values != 1 || npy->fact_count == FACTS_MAX)
        return GB_OK;
    gb_array one = *array;
    one.rank = 0;
    one.rows = 1;
    GB_TRY(gb_npy_cursor_open(&npy->file, set, &one, &cursor));
    gb_status status = gb_npy_array_ops.read(cursor, 0, 1, value);
    gb_npy_array_ops.close(cursor);
    GB_TRY(status);
    const char *text = gb_arena_format(arena, "%.17g", gb_values_get(set->header.type, value, 0));
    if (!text)
        return GB_ERR_MEMORY;
    npy->facts[npy->fact_count++] = (gb_pair){array->path, text};
    return GB_OK;
}

static gb_status add_array(npy_file *npy, gb_arena *arena, const gb_zip_entry *entry)
{
    int number = npy->arrays.count;
    gb_npy_set *set = &npy->sets[number];
    gb_array *array = (gb_array *)&npy->arrays.list[number];
    char *name = gb_arena_text(arena, entry->name);
    if (!name)
        return GB_ERR_MEMORY;
    size_t size = strlen(name);
    if (size > 4 && strcmp(name + size - 4, ".npy") == 0)
        name[size - 4] = 0;
    *set = (gb_npy_set){.entry = *entry};
    *array = (gb_array){.path = name};
    gb_status status = read_header(&npy->file, set);
    if (status != GB_OK)
        return gb_fail_context(status, "%s", entry->name);
    describe(&set->header, array);
    npy->arrays.count++;
    return array->unreadable && set->header.rank == 0 ? add_fact(npy, arena, array, set) : GB_OK;
}

static gb_status list_arrays(npy_file *npy, gb_arena *arena)
{
    unsigned char magic[2] = {0, 0};
    gb_zip_entry whole = {.name = "data", .packed = npy->file.bytes, .size = npy->file.bytes};
    gb_zip_entry *entries = &whole;
    int count = 1;
    GB_TRY(gb_zip_file_read(&npy->file, 0, magic, npy->file.bytes < 2 ? 1 : 2));
    if (memcmp(magic, "PK", 2) == 0)
        GB_TRY(gb_zip_list(&npy->file, arena, &entries, &count));
    npy->sets = gb_arena_alloc(arena, ((size_t)count + 1) * sizeof *npy->sets);
    npy->arrays = (gb_arrays){.ops = &gb_npy_array_ops, .context = npy};
    npy->arrays.list = gb_arena_alloc(arena, ((size_t)count + 1) * sizeof *npy->arrays.list);
    if (!npy->sets || !npy->arrays.list)
        return GB_ERR_MEMORY;
    for (int i = 0; i < count; i++)
        if (entries[i].name[strlen(entries[i].name) - 1] != '/') /* a folder's own entry */
            GB_TRY(add_array(npy, arena, &entries[i]));
    return GB_OK;
}

gb_status gb_npy_array_open(const gb_arrays *arrays, const gb_array *array, void **out)
{
    const npy_file *npy = arrays->context;
    return gb_npy_cursor_open(&npy->file, &npy->sets[array - arrays->list], array, out);
}

/* ---- reading and guessing ---------------------------------------------------------------------
 */

static gb_status read_open(const gb_source *source, npy_file *npy, gb_arena *arena)
{
    gb_array_plan plan;
    GB_TRY(list_arrays(npy, arena));
    GB_TRY(gb_arrays_plan(source, &npy->arrays, arena, &plan));
    gb_recording_info info = gb_map_info(source->map, source->name, source->path);
    info.pairs = npy->facts;
    info.pair_count = npy->fact_count;
    gb_array_progress progress = {0, npy->file.bytes, npy->file.bytes};
    GB_TRY(
        gb_arrays_emit(source, &npy->arrays, &plan, &info, source->options->row_limit, &progress));
    source->report->bytes += npy->file.bytes;
    return GB_OK;
}

static gb_status read_npy(const gb_source *source)
{
    npy_file npy = {0};
    gb_arena *arena = NULL;
    GB_TRY(gb_zip_file_open(source->path, &npy.file));
    gb_status status = gb_arena_create(0, &arena);
    if (status == GB_OK)
        status = read_open(source, &npy, arena);
    gb_arena_destroy(arena);
    gb_zip_file_close(&npy.file);
    return status;
}

static gb_status put_guess(npy_file *npy, gb_arena *arena, gb_yaml_out *out)
{
    GB_TRY(list_arrays(npy, arena));
    int64_t rows = gb_arrays_common_rows(&npy->arrays);
    if (rows == 0)
        return gb_fail(GB_ERR_NOT_FOUND, "%s holds no array that could become a stream%s%s",
                       npy->file.origin, npy->arrays.count > 0 ? ": " : "",
                       npy->arrays.count > 0 ? npy->arrays.list[0].unreadable : "");
    gb_guess_put_head(out, npy->file.origin, "npy", NULL);
    const char *clock = NULL;
    for (int i = 0; i < npy->arrays.count && !clock; i++)
        if (npy->arrays.list[i].time_format >= 0 && npy->arrays.list[i].rows == rows &&
            !npy->arrays.list[i].unreadable)
            clock = npy->arrays.list[i].path;
    gb_arrays_put_time(out, clock ? clock : gb_arrays_guess_time(&npy->arrays, rows));
    gb_arrays_put_guess(out, &npy->arrays, rows);
    return GB_OK;
}

static gb_status guess_npy(const char *path,
                           const gb_ingest_options *options,
                           gb_arena *arena,
                           const char **out_yaml)
{
    (void)options;
    npy_file npy = {0};
    gb_yaml_out out;
    GB_TRY(gb_zip_file_open(path, &npy.file));
    gb_status status = gb_yaml_out_open(&out);
    if (status == GB_OK) {
        status = put_guess(&npy, arena, &out);
        if (status == GB_OK)
            status = gb_yaml_out_finish(&out, arena, out_yaml);
        else
            gb_yaml_out_drop(&out);
    }
    gb_zip_file_close(&npy.file);
    return status;
}

static const char *const ends[] = {".npy", ".npz", NULL};

extern const gb_reader gb_reader_npy;
const gb_reader gb_reader_npy = {"npy", false, ends, read_npy, guess_npy};
