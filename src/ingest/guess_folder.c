/* The public way to a proposed stream map: of one file, or of a folder, whose files are told apart
 * by the columns they have. What stands in the map is each reader's guess. */
#include "ingest/folder.h"
#include "ingest/guess_map.h"
#include "ingest/guess_yaml.h"
#include "ingest/reader.h"
#include "ingest/run.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_BYTES ((size_t)1 << 16) /* of a file, to see its columns */
#define FILES_LOOKED_AT 2000
#define PATTERN_BYTES 512
#define FILES_IN_MAP 1024

/* ---- one file ---------------------------------------------------------------------------------
 */

static gb_status guess_file(const char *path,
                            const gb_ingest_options *options,
                            gb_arena *arena,
                            const char **out_yaml)
{
    const gb_reader *reader = gb_reader_for_file(path);
    reader = reader ? reader : gb_reader_find("csv"); /* any text may be a table */
    if (!reader->guess)
        return gb_fail(GB_ERR_UNSUPPORTED,
                       "%s: files of the reader %s are not guessed; write a map with reader: %s "
                       "(examples/maps/ has some)",
                       path, reader->name, reader->name);
    return reader->guess(path, options, arena, out_yaml);
}

/* ---- the files of a folder, by what they have in common ----------------------------------------
 */

typedef struct kind {
    uint64_t signature;
    int64_t count, bytes, largest; /* largest: the number of that file */
} kind;

typedef struct folder {
    const char *path;
    gb_folder_files files;
    uint64_t *signatures; /* [files.count]; 0: not looked at */
    kind *kinds;          /* [kind_count] */
    int64_t kind_count;
} folder;

static uint64_t mix(uint64_t hash, const void *data, size_t size) /* FNV-1a */
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 1099511628211ULL;
    return hash;
}

static size_t read_head(const char *path, char *bytes, size_t room)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    size_t size = 0;
    while (file >= 0 && size < room) {
        ssize_t got = read(file, bytes + size, room - size);
        if (got == 0 || (got < 0 && errno != EINTR))
            break;
        size += got > 0 ? (size_t)got : 0;
    }
    if (file >= 0)
        close(file);
    return size;
}

/* The columns of a table go into its signature; of other formats the reader alone. */
static uint64_t
sign(const char *path, const gb_ingest_options *options, char *head, gb_arena *arena)
{
    const gb_reader *reader = gb_reader_for_file(path);
    if (!reader || !reader->guess)
        return 0;
    uint64_t hash = mix(14695981039346656037ULL, reader->name, strlen(reader->name));
    if (strcmp(reader->name, "csv") != 0)
        return hash;
    gb_sample sample;
    gb_table table;
    size_t size = read_head(path, head, HEAD_BYTES);
    if (gb_sample_decode(head, size, size < HEAD_BYTES, path, arena, &sample) != GB_OK ||
        gb_table_open(&sample, path, options->line_limit_bytes, arena, &table) != GB_OK)
        return 0;
    hash = mix(hash, &table.layout.delimiter, 1);
    hash = mix(hash, sample.encoding.name, strlen(sample.encoding.name));
    for (int64_t c = 0; c < table.layout.column_count; c++)
        hash = mix(hash, table.layout.columns[c].name, strlen(table.layout.columns[c].name) + 1);
    gb_table_close(&table);
    return hash | 1;
}

static void count_kind(folder *f, int64_t file)
{
    uint64_t signature = f->signatures[file];
    int64_t k = 0;
    while (k < f->kind_count && f->kinds[k].signature != signature)
        k++;
    if (k == f->kind_count)
        f->kinds[f->kind_count++] = (kind){.signature = signature, .largest = file};
    kind *found = &f->kinds[k];
    found->count++;
    found->bytes += f->files.files[file].bytes;
    if (f->files.files[file].bytes > f->files.files[found->largest].bytes)
        found->largest = file;
}

static gb_status look_at_files(folder *f, const gb_ingest_options *options)
{
    size_t count = (size_t)f->files.count;
    f->signatures = calloc(count, sizeof *f->signatures);
    f->kinds = calloc(count < FILES_LOOKED_AT ? count : FILES_LOOKED_AT, sizeof *f->kinds);
    char *head = malloc(HEAD_BYTES);
    gb_arena *arena = NULL;
    gb_status status = gb_arena_create(0, &arena);
    if (status == GB_OK && (!f->signatures || !f->kinds || !head))
        status = gb_fail(GB_ERR_MEMORY, "%s: no memory for its list of files", f->path);
    for (int64_t i = 0; status == GB_OK && i < f->files.count && i < FILES_LOOKED_AT; i++) {
        gb_arena_reset(arena);
        f->signatures[i] = sign(f->files.files[i].path, options, head, arena);
        if (f->signatures[i] != 0)
            count_kind(f, i);
    }
    gb_arena_destroy(arena);
    free(head);
    return status;
}

/* ---- patterns ---------------------------------------------------------------------------------
 */

static const char *relative(const folder *f, int64_t file)
{
    return f->files.files[file].path + strlen(f->path) + 1;
}

static const char *base_name(const folder *f, int64_t file)
{
    const char *slash = strrchr(f->files.files[file].path, '/');
    return slash + 1;
}

static size_t escape(char *out, size_t used, const char *text, size_t size)
{
    for (size_t i = 0; i < size && used + 2 < PATTERN_BYTES; i++) {
        if (strchr("*?[]\\", text[i]))
            out[used++] = '\\';
        out[used++] = text[i];
    }
    out[used] = 0;
    return used;
}

/* What all names of a kind begin and end with, and a star between; digits: whether what the star
 * stands for always begins with a digit. false when there is one name only. */
static bool
common_parts(const folder *f, const kind *k, size_t *out_prefix, size_t *out_suffix, bool *digits)
{
    const char *first = base_name(f, k->largest);
    size_t prefix = strlen(first), suffix = prefix, least = prefix;
    for (int64_t i = 0; i < f->files.count; i++) {
        if (f->signatures[i] != k->signature)
            continue;
        const char *name = base_name(f, i);
        size_t size = strlen(name), at = 0;
        while (at < prefix && name[at] == first[at])
            at++;
        prefix = at;
        size_t first_size = strlen(first);
        for (at = 0; at < suffix && at < size && name[size - 1 - at] == first[first_size - 1 - at];)
            at++;
        suffix = at;
        least = size < least ? size : least;
    }
    while (prefix > 0 && first[prefix - 1] >= '0' && first[prefix - 1] <= '9')
        prefix--; /* numbers are not cut in two */
    while (prefix > 0 && ((unsigned char)first[prefix] & 0xC0) == 0x80)
        prefix--; /* nor characters */
    suffix = prefix + suffix > least ? least - prefix : suffix;
    while (suffix > 0 && ((unsigned char)first[strlen(first) - suffix] & 0xC0) == 0x80)
        suffix--;
    *digits = true;
    for (int64_t i = 0; i < f->files.count; i++)
        if (f->signatures[i] == k->signature)
            *digits = *digits && base_name(f, i)[prefix] >= '0' && base_name(f, i)[prefix] <= '9';
    *out_prefix = prefix;
    *out_suffix = suffix;
    return k->count > 1;
}

/* Does the pattern match all files of the kind and no other? */
static bool separates(const folder *f, const kind *k, const char *pattern)
{
    for (int64_t i = 0; i < f->files.count && i < FILES_LOOKED_AT; i++) {
        bool matches = fnmatch(pattern, base_name(f, i), FNM_PATHNAME | FNM_PERIOD) == 0;
        if (matches != (f->signatures[i] == k->signature))
            return false;
    }
    return true;
}

static bool one_pattern(const folder *f, const kind *k, char pattern[PATTERN_BYTES])
{
    size_t prefix, suffix;
    bool digits;
    if (!common_parts(f, k, &prefix, &suffix, &digits))
        return false;
    const char *name = base_name(f, k->largest);
    for (int narrow = 0; narrow < 1 + digits; narrow++) {
        size_t used = escape(pattern, 0, name, prefix);
        if (used + 16 + 2 * suffix > PATTERN_BYTES)
            return false;
        memcpy(pattern + used, narrow ? "[0-9]*" : "*", narrow ? 7 : 2);
        escape(pattern, used + (narrow ? 6 : 1), name + strlen(name) - suffix, suffix);
        if (separates(f, k, pattern))
            return true;
    }
    return false;
}

static void put_files(gb_yaml_out *out, const folder *f, const kind *k)
{
    char pattern[PATTERN_BYTES];
    gb_yaml_put(out, "files: [");
    if (one_pattern(f, k, pattern)) {
        gb_yaml_put_text(out, pattern, strlen(pattern));
    } else {
        int64_t put = 0;
        for (int64_t i = 0; i < f->files.count && put < FILES_IN_MAP; i++) {
            if (f->signatures[i] != k->signature)
                continue;
            size_t size = escape(pattern, 0, relative(f, i), strlen(relative(f, i)));
            gb_yaml_put(out, "%s", put++ > 0 ? ", " : "");
            gb_yaml_put_text(out, pattern, size);
        }
    }
    gb_yaml_put(out, "]");
}

/* ---- the folder's map -------------------------------------------------------------------------
 */

static void put_others(gb_yaml_out *out, const folder *f, const kind *k)
{
    int64_t others = 0;
    for (int64_t i = 0; i < f->files.count && i < FILES_LOOKED_AT; i++) {
        if (f->signatures[i] == k->signature)
            continue;
        if (others < 8) {
            gb_yaml_put(out, "# not by this map: ");
            gb_yaml_put_plain(out, relative(f, i), strlen(relative(f, i)));
            gb_yaml_put(out, "\n");
        }
        others++;
    }
    if (others > 8)
        gb_yaml_put(out, "# and %lld more files that are laid out otherwise\n",
                    (long long)(others - 8));
    if (f->files.count > FILES_LOOKED_AT)
        gb_yaml_put(out, "# only the first %d of %lld files were looked at\n", FILES_LOOKED_AT,
                    (long long)f->files.count);
}

/* Replaces the lines that name one file by those that name the folder's. */
static gb_status
widen(const folder *f, const kind *k, const char *yaml, gb_arena *arena, const char **out_yaml)
{
    gb_yaml_out out;
    GB_TRY(gb_yaml_out_open(&out));
    size_t end = strlen(f->path);
    while (end > 1 && f->path[end - 1] == '/')
        end--;
    size_t begin = end;
    while (begin > 0 && f->path[begin - 1] != '/')
        begin--;
    put_others(&out, f, k);
    for (const char *line = yaml; *line;) {
        size_t size = strcspn(line, "\n");
        if (strncmp(line, "name: ", 6) == 0) {
            gb_yaml_put(&out, "name: ");
            gb_yaml_put_text(&out, f->path + begin, end - begin < 100 ? end - begin : 100);
        } else if (strncmp(line, "files: ", 7) == 0) {
            put_files(&out, f, k);
        } else {
            fwrite(line, 1, size, out.to);
        }
        gb_yaml_put(&out, "\n");
        line += size + (line[size] == '\n');
    }
    return gb_yaml_out_finish(&out, arena, out_yaml);
}

static gb_status
guess_listed(folder *f, const gb_ingest_options *options, gb_arena *arena, const char **out_yaml)
{
    GB_TRY(look_at_files(f, options));
    const kind *best = NULL;
    for (int64_t k = 0; k < f->kind_count; k++)
        if (!best || f->kinds[k].bytes > best->bytes)
            best = &f->kinds[k];
    if (!best)
        return gb_fail(GB_ERR_NOT_FOUND,
                       "%s: none of its %lld files is a table that can be guessed; give one file, "
                       "or write a map (examples/maps/ has some)",
                       f->path, (long long)f->files.count);
    const char *yaml = NULL;
    GB_TRY(guess_file(f->files.files[best->largest].path, options, arena, &yaml));
    return widen(f, best, yaml, arena, out_yaml);
}

static gb_status guess_folder(const char *path,
                              const gb_ingest_options *options,
                              gb_arena *arena,
                              const char **out_yaml)
{
    char inside[4096], *anything[] = {"*"};
    int length = snprintf(inside, sizeof inside, "%s/meta/info.json", path);
    const gb_reader *lerobot = gb_reader_find("lerobot");
    if (length > 0 && length < (int)sizeof inside && gb_file_exists(inside) && lerobot->guess)
        return lerobot->guess(inside, options, arena, out_yaml);
    gb_map_data data = {.files = anything, .files_count = 1};
    gb_stream_map all = {.data = &data, .origin = "all files"};
    folder f = {.path = path};
    GB_TRY(gb_folder_list(&all, path, &f.files));
    gb_status status = guess_listed(&f, options, arena, out_yaml);
    gb_folder_free(&f.files);
    free(f.signatures);
    free(f.kinds);
    return status;
}

gb_status gb_ingest_guess(const char *path,
                          const gb_ingest_options *options,
                          gb_arena *arena,
                          const char **out_yaml)
{
    gb_ingest_options settled;
    struct stat about;
    GB_TRY(gb_ingest_settle(options, &settled));
    if (stat(path, &about) != 0)
        return gb_fail(GB_ERR_IO, "cannot open %s: %s", path, strerror(errno));
    return S_ISDIR(about.st_mode) ? guess_folder(path, &settled, arena, out_yaml)
                                  : guess_file(path, &settled, arena, out_yaml);
}
