/* The directory of a zip archive. Its files' bytes are zip_stream.c. */
#include "ingest/zip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY_BYTES_MAX ((int64_t)256 << 20)

enum {
    END_BYTES = 22,      /* end of central directory */
    COMMENT_MAX = 65535, /* after it */
    LOCATOR_BYTES = 20,
    END64_BYTES = 56,
    CENTRAL_BYTES = 46,
    LOCAL_BYTES = 30,
    EXTRA_ZIP64 = 1,
    FLAG_ENCRYPTED = 1
};

static uint32_t u16_at(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

static uint32_t u32_at(const unsigned char *at)
{
    return u16_at(at) | u16_at(at + 2) << 16;
}

static uint64_t u64_at(const unsigned char *at)
{
    return (uint64_t)u32_at(at) | (uint64_t)u32_at(at + 4) << 32;
}

gb_status gb_zip_file_open(const char *path, gb_zip_file *out)
{
    struct stat about;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) {
        gb_status status =
            gb_fail(GB_ERR_IO, "cannot read %s: %s", path,
                    file < 0 || errno != 0 ? strerror(errno) : "it is no regular file");
        if (file >= 0)
            close(file);
        return status;
    }
    *out = (gb_zip_file){file, (int64_t)about.st_size, path};
    return GB_OK;
}

void gb_zip_file_close(gb_zip_file *file)
{
    close(file->file);
}

gb_status gb_zip_file_read(const gb_zip_file *file, int64_t at, void *to, size_t size)
{
    unsigned char *next = to;
    while (size > 0) {
        ssize_t got = pread(file->file, next, size, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return gb_fail(GB_ERR_IO, "%s, byte %lld: %s", file->origin, (long long)at,
                           strerror(errno));
        if (got == 0)
            return gb_fail(GB_ERR_CORRUPT, "%s ends at byte %lld, %zu bytes too early",
                           file->origin, (long long)at, size);
        next += got;
        at += got;
        size -= (size_t)got;
    }
    return GB_OK;
}

/* ---- the directory ----------------------------------------------------------------------------
 */

typedef struct directory {
    int64_t at, size;
    uint64_t count;
} directory;

static gb_status wrong(const gb_zip_file *file, const char *what)
{
    return gb_fail(GB_ERR_CORRUPT, "%s: %s: the zip archive is cut or damaged", file->origin, what);
}

/* The end record stands at the end, before a comment that is hardly ever there. */
static gb_status find_end(const gb_zip_file *file, unsigned char *end, int64_t *out_at)
{
    int64_t window = file->bytes < END_BYTES + COMMENT_MAX ? file->bytes : END_BYTES + COMMENT_MAX;
    if (window < END_BYTES)
        return wrong(file, "too short");
    unsigned char *tail = malloc((size_t)window);
    if (!tail)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for its directory", file->origin);
    gb_status status = gb_zip_file_read(file, file->bytes - window, tail, (size_t)window);
    int64_t found = -1;
    for (int64_t i = window - END_BYTES; i >= 0 && found < 0 && status == GB_OK; i--)
        if (memcmp(tail + i, "PK\5\6", 4) == 0 && u16_at(tail + i + 20) == window - END_BYTES - i)
            found = i;
    if (found >= 0)
        memcpy(end, tail + found, END_BYTES);
    free(tail);
    *out_at = file->bytes - window + found;
    return status == GB_OK && found < 0 ? wrong(file, "no directory at its end") : status;
}

/* Numbers that do not fit the end record are in another one before it. */
static gb_status read_end64(const gb_zip_file *file, int64_t end_at, directory *to, bool *out_there)
{
    unsigned char locator[LOCATOR_BYTES], end[END64_BYTES];
    *out_there = false;
    if (end_at < LOCATOR_BYTES)
        return GB_OK;
    GB_TRY(gb_zip_file_read(file, end_at - LOCATOR_BYTES, locator, sizeof locator));
    if (memcmp(locator, "PK\6\7", 4) != 0)
        return GB_OK;
    uint64_t at = u64_at(locator + 8);
    if (at > (uint64_t)(end_at - LOCATOR_BYTES) ||
        (uint64_t)(end_at - LOCATOR_BYTES) - at < END64_BYTES)
        return wrong(file, "a directory outside the file");
    GB_TRY(gb_zip_file_read(file, (int64_t)at, end, sizeof end));
    if (memcmp(end, "PK\6\6", 4) != 0)
        return wrong(file, "no zip64 directory where it should be");
    to->count = u64_at(end + 32);
    uint64_t size = u64_at(end + 40), from = u64_at(end + 48);
    if (size > at || from > at - size)
        return wrong(file, "a directory outside the file");
    to->size = (int64_t)size;
    to->at = (int64_t)from;
    *out_there = true;
    return GB_OK;
}

static gb_status find_directory(const gb_zip_file *file, directory *out)
{
    unsigned char end[END_BYTES];
    int64_t end_at;
    bool is_64 = false;
    GB_TRY(find_end(file, end, &end_at));
    GB_TRY(read_end64(file, end_at, out, &is_64));
    if (!is_64) {
        if (u16_at(end + 4) != 0 || u16_at(end + 6) != 0 || u16_at(end + 8) != u16_at(end + 10))
            return gb_fail(GB_ERR_UNSUPPORTED, "%s: a zip archive in several parts", file->origin);
        *out = (directory){u32_at(end + 16), u32_at(end + 12), u16_at(end + 10)};
        if (out->size > end_at || out->at > end_at - out->size)
            return wrong(file, "a directory outside the file");
    }
    if (out->count > GB_ZIP_ENTRIES_MAX || out->size > DIRECTORY_BYTES_MAX)
        return gb_fail(GB_ERR_UNSUPPORTED, "%s: %llu files in a zip archive; the limit is %d",
                       file->origin, (unsigned long long)out->count, GB_ZIP_ENTRIES_MAX);
    return GB_OK;
}

/* ---- its entries ------------------------------------------------------------------------------
 */

/* Sizes and place of 0xffffffff stand in the zip64 extra field, in this order. */
static bool read_extra(const unsigned char *extra, size_t size, uint64_t *values[3])
{
    for (size_t at = 0; at + 4 <= size;) {
        size_t length = u16_at(extra + at + 2), next = at + 4;
        if (length > size - next)
            return false;
        for (int i = 0; i < 3 && u16_at(extra + at) == EXTRA_ZIP64; i++) {
            if (*values[i] != UINT32_MAX)
                continue;
            if (length < 8)
                return false;
            *values[i] = u64_at(extra + next);
            next += 8;
            length -= 8;
        }
        at = next + length;
    }
    return true;
}

/* What stands before the file's bytes must say the same as the directory. */
static gb_status find_bytes(const gb_zip_file *file, const directory *in, gb_zip_entry *entry)
{
    unsigned char local[LOCAL_BYTES];
    char name[GB_ZIP_NAME_MAX + 1];
    size_t name_size = strlen(entry->name);
    if (entry->at > in->at - LOCAL_BYTES - (int64_t)name_size)
        return wrong(file, entry->name);
    GB_TRY(gb_zip_file_read(file, entry->at, local, sizeof local));
    if (memcmp(local, "PK\3\4", 4) != 0 || u16_at(local + 26) != name_size ||
        u16_at(local + 8) != (entry->deflated ? 8 : 0))
        return wrong(file, entry->name);
    GB_TRY(gb_zip_file_read(file, entry->at + LOCAL_BYTES, name, name_size));
    if (memcmp(name, entry->name, name_size) != 0)
        return wrong(file, entry->name);
    entry->at += LOCAL_BYTES + (int64_t)name_size + (int64_t)u16_at(local + 28);
    if (entry->at > in->at || entry->packed > in->at - entry->at)
        return wrong(file, entry->name);
    return GB_OK;
}

static gb_status read_entry(const gb_zip_file *file,
                            const directory *in,
                            const unsigned char *central,
                            gb_arena *arena,
                            gb_zip_entry *out)
{
    size_t name_size = u16_at(central + 28), extra_size = u16_at(central + 30);
    uint32_t method = u16_at(central + 10);
    uint64_t packed = u32_at(central + 20), size = u32_at(central + 24), at = u32_at(central + 42);
    char *name = gb_arena_alloc(arena, name_size + 1);
    if (!name)
        return GB_ERR_MEMORY;
    memcpy(name, central + CENTRAL_BYTES, name_size);
    if (name_size == 0 || name_size > GB_ZIP_NAME_MAX || strlen(name) != name_size)
        return wrong(file, "a file without a sound name");
    if (u16_at(central + 8) & FLAG_ENCRYPTED)
        return gb_fail(GB_ERR_UNSUPPORTED, "%s: %s is encrypted", file->origin, name);
    if (method != 0 && method != 8)
        return gb_fail(GB_ERR_UNSUPPORTED,
                       "%s: %s is compressed by method %u; stored and deflated ones are read",
                       file->origin, name, method);
    uint64_t *values[3] = {&size, &packed, &at};
    if (!read_extra(central + CENTRAL_BYTES + name_size, extra_size, values) ||
        size > INT64_MAX / 2 || packed > (uint64_t)file->bytes || at > (uint64_t)in->at ||
        (method == 0 && size != packed))
        return wrong(file, name);
    *out = (gb_zip_entry){
        name, (int64_t)at, (int64_t)packed, (int64_t)size, u32_at(central + 16), method == 8, true};
    return find_bytes(file, in, out);
}

static gb_status read_entries(const gb_zip_file *file,
                              const directory *in,
                              const unsigned char *bytes,
                              gb_arena *arena,
                              gb_zip_entry *entries)
{
    size_t at = 0, size = (size_t)in->size;
    for (uint64_t i = 0; i < in->count; i++) {
        const unsigned char *central = bytes + at;
        if (size - at < CENTRAL_BYTES || memcmp(central, "PK\1\2", 4) != 0)
            return wrong(file, "its directory");
        size_t length = CENTRAL_BYTES + (size_t)u16_at(central + 28) + u16_at(central + 30) +
                        u16_at(central + 32);
        if (length > size - at)
            return wrong(file, "its directory");
        GB_TRY(read_entry(file, in, central, arena, &entries[i]));
        at += length;
    }
    return at == size ? GB_OK : wrong(file, "its directory");
}

gb_status gb_zip_list(const gb_zip_file *file, gb_arena *arena, gb_zip_entry **out, int *out_count)
{
    directory in = {0};
    GB_TRY(find_directory(file, &in));
    gb_zip_entry *entries = gb_arena_alloc(arena, ((size_t)in.count + 1) * sizeof *entries);
    unsigned char *bytes = malloc((size_t)in.size + 1);
    gb_status status =
        entries && bytes ? GB_OK
                         : gb_fail(GB_ERR_MEMORY, "%s: no memory for its directory", file->origin);
    if (status == GB_OK)
        status = gb_zip_file_read(file, in.at, bytes, (size_t)in.size);
    if (status == GB_OK)
        status = read_entries(file, &in, bytes, arena, entries);
    free(bytes);
    if (status != GB_OK)
        return status;
    *out = entries;
    *out_count = (int)in.count;
    return GB_OK;
}
