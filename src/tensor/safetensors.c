/* Files of named tensors in the safetensors format: u64 length of a JSON header, the header {name:
 * {dtype, shape, data_offsets}, "__metadata__": {...}}, then the data, little endian, without gaps
 * (huggingface/safetensors, README, "Format").
 *
 * A header is believed only after every number in it was checked against the file's size. Data is
 * read straight into the tensors and hashed on the way. */
#include "tensor/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "tensors are stored little endian and used as they are"
#endif

#define METADATA "__metadata__"
#define CHECKSUM "blake2b"

enum {
    HEADER_LIMIT = 100 << 20, /* as other readers of the format */
    NAME_LIMIT = 512,
    PIECE = 1 << 20
};

/* ---- writing -------------------------------------------------------------------------------- */

static void hash_all(const gb_tensors *set, char hex[2 * GB_HASH_BYTES + 1])
{
    crypto_generichash_state state;
    unsigned char hash[GB_HASH_BYTES];
    gb_hash(NULL, 0, hash); /* starts libsodium */
    (void)crypto_generichash_init(&state, NULL, 0, GB_HASH_BYTES);
    for (int64_t i = 0; i < gb_tensors_count(set); i++) {
        const gb_tensor *tensor = gb_tensors_at(set, i, NULL);
        (void)crypto_generichash_update(&state, tensor->data, gb_tensor_bytes(tensor));
    }
    (void)crypto_generichash_final(&state, hash, GB_HASH_BYTES);
    gb_hash_hex(hash, hex);
}

static json_t *metadata_json(const gb_tensors *set, const char *const *metadata)
{
    char hex[2 * GB_HASH_BYTES + 1];
    hash_all(set, hex);
    json_t *object = json_object();
    for (; metadata && metadata[0] && metadata[1]; metadata += 2)
        if (json_object_set_new(object, metadata[0], json_string(metadata[1])) != 0)
            goto fail;
    if (json_object_set_new(object, CHECKSUM, json_string(hex)) != 0)
        goto fail;
    return object;
fail:
    json_decref(object);
    return NULL;
}

static json_t *tensor_json(const gb_tensor *tensor, uint64_t begin)
{
    json_t *shape = json_array();
    for (int i = 0; i < tensor->shape.rank; i++)
        json_array_append_new(shape, json_integer(tensor->shape.dim[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", gb_dtype_name(tensor->dtype), "shape", shape,
                     "data_offsets", (json_int_t)begin,
                     (json_int_t)(begin + gb_tensor_bytes(tensor)));
}

/* The header's text, to be freed; NULL when memory is short or a name is not UTF-8. */
static char *header_text(const gb_tensors *set, const char *const *metadata)
{
    json_t *header = json_object();
    uint64_t begin = 0;
    int failed = json_object_set_new(header, METADATA, metadata_json(set, metadata));
    for (int64_t i = 0; i < gb_tensors_count(set); i++) {
        const char *name;
        const gb_tensor *tensor = gb_tensors_at(set, i, &name);
        failed |= json_object_set_new(header, name, tensor_json(tensor, begin));
        begin += gb_tensor_bytes(tensor);
    }
    char *text = failed ? NULL : json_dumps(header, JSON_COMPACT);
    json_decref(header);
    return text;
}

static gb_status write_all(gb_file_writer *writer, const gb_tensors *set, const char *header)
{
    static const char spaces[] = "        ";
    uint64_t used = strlen(header), length = (used + 7) / 8 * 8;
    GB_TRY(gb_file_writer_write(writer, &length, sizeof length));
    GB_TRY(gb_file_writer_write(writer, header, used));
    GB_TRY(gb_file_writer_write(writer, spaces, length - used));
    for (int64_t i = 0; i < gb_tensors_count(set); i++) {
        const gb_tensor *tensor = gb_tensors_at(set, i, NULL);
        GB_TRY(gb_file_writer_write(writer, tensor->data, gb_tensor_bytes(tensor)));
    }
    return GB_OK;
}

gb_status gb_tensors_save(const gb_tensors *set, const char *path, const char *const *metadata)
{
    char *header = header_text(set, metadata);
    if (!header)
        return gb_fail(GB_ERR_ARGUMENT,
                       "%s: the header cannot be written: a name is not UTF-8, or no memory", path);
    gb_file_writer *writer = NULL;
    gb_status status = gb_file_writer_begin(path, &writer);
    if (status == GB_OK) {
        status = write_all(writer, set, header);
        if (status == GB_OK)
            status = gb_file_writer_commit(writer);
        else
            gb_file_writer_abandon(writer);
    }
    free(header);
    return status;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* One tensor as the header describes it, checked. */
typedef struct described {
    const char *name; /* in the header */
    gb_dtype dtype;
    gb_shape shape;
    uint64_t begin, end;
} described;

typedef struct reading {
    FILE *file;
    const char *name;
    uint64_t data_bytes;
    json_t *header;
    described *tensors; /* [count] by rising begin */
    size_t count;
    const char *checksum; /* in the header, or NULL */
} reading;

static gb_status fail_cut(const char *name, uint64_t size)
{
    return gb_fail(
        GB_ERR_CORRUPT,
        "%s: the file ends after %llu bytes, before its header says so: it was cut; copy "
        "or save it again",
        name, (unsigned long long)size);
}

static gb_status read_header(reading *r, uint64_t size)
{
    uint64_t length = 0;
    if (size < sizeof length || fread(&length, sizeof length, 1, r->file) != 1)
        return fail_cut(r->name, size);
    if (length > HEADER_LIMIT)
        return gb_fail(GB_ERR_PARSE,
                       "%s: not a safetensors file: its first 8 bytes say a header of %llu bytes",
                       r->name, (unsigned long long)length);
    if (length > size - sizeof length)
        return fail_cut(r->name, size);
    char *text = malloc(length + 1);
    if (!text)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for its header of %llu bytes", r->name,
                       (unsigned long long)length);
    gb_status status = GB_OK;
    if (fread(text, 1, length, r->file) != length)
        status = fail_cut(r->name, size);
    else
        status = gb_json_parse(r->name, text, length, &r->header);
    free(text);
    r->data_bytes = size - sizeof length - length;
    return status;
}

static gb_status read_dtype(const gb_json_at *at, gb_dtype *out)
{
    const char *text = NULL;
    GB_TRY(gb_json_text(at, "dtype", &text));
    for (int d = 0; d < GB_DTYPE_COUNT; d++)
        if (strcmp(text, gb_dtype_name((gb_dtype)d)) == 0) {
            *out = (gb_dtype)d;
            return GB_OK;
        }
    return gb_json_fail(at, GB_ERR_UNSUPPORTED, "dtype",
                        "is \"%s\"; this program reads F32, BF16, I8 and I32", text);
}

/* Fills one row of an array of whole numbers. */
static gb_status read_numbers(const gb_json_at *at,
                              const char *key,
                              int64_t low,
                              size_t most,
                              int64_t *out,
                              size_t *out_count)
{
    gb_json_at list;
    GB_TRY(gb_json_array(at, key, &list));
    *out_count = gb_json_count(&list);
    if (*out_count > most)
        return gb_json_fail(at, GB_ERR_UNSUPPORTED, key, "has %zu numbers, expected at most %zu",
                            *out_count, most);
    for (size_t i = 0; i < *out_count; i++) {
        gb_json_at item = gb_json_item(&list, i);
        if (!json_is_integer(item.value) || json_integer_value(item.value) < low)
            return gb_json_fail(at, GB_ERR_SCHEMA, key, "expected whole numbers from %lld on",
                                (long long)low);
        out[i] = json_integer_value(item.value);
    }
    return GB_OK;
}

static gb_status describe(const gb_json_at *at, uint64_t data_bytes, described *out)
{
    static const char *const allowed[] = {"dtype", "shape", "data_offsets", NULL};
    int64_t dims[GB_RANK_MAX], offsets[2];
    size_t rank = 0, count = 0;
    if (strlen(out->name) > NAME_LIMIT)
        return gb_json_fail(at, GB_ERR_UNSUPPORTED, NULL, "the name is longer than %d bytes",
                            NAME_LIMIT);
    GB_TRY(gb_json_keys(at, allowed));
    GB_TRY(read_dtype(at, &out->dtype));
    GB_TRY(read_numbers(at, "shape", 1, GB_RANK_MAX, dims, &rank));
    GB_TRY(read_numbers(at, "data_offsets", 0, 2, offsets, &count));
    uint64_t bytes = gb_dtype_bytes(out->dtype);
    for (size_t i = 0; i < rank; i++)
        if (__builtin_mul_overflow(bytes, (uint64_t)dims[i], &bytes))
            return gb_json_fail(at, GB_ERR_SCHEMA, "shape", "has more bytes than a file can hold");
    if (count != 2 || offsets[1] < offsets[0] || (uint64_t)offsets[1] > data_bytes)
        return gb_json_fail(at, GB_ERR_CORRUPT, "data_offsets",
                            "expected two rising numbers up to %llu, the bytes of data here; the "
                            "file was cut or edited",
                            (unsigned long long)data_bytes);
    if ((uint64_t)(offsets[1] - offsets[0]) != bytes)
        return gb_json_fail(at, GB_ERR_SCHEMA, "data_offsets",
                            "span %lld bytes, the shape needs %llu",
                            (long long)(offsets[1] - offsets[0]), (unsigned long long)bytes);
    out->shape = gb_shape_make((int32_t)rank, dims);
    out->begin = (uint64_t)offsets[0];
    out->end = (uint64_t)offsets[1];
    return GB_OK;
}

static int by_begin(const void *a, const void *b)
{
    const described *x = a, *y = b;
    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* Metadata is string to string; the checksum is borrowed from it. */
static gb_status read_metadata(reading *r, const gb_json_at *root)
{
    gb_json_at metadata;
    if (!gb_json_has(root, METADATA))
        return GB_OK;
    GB_TRY(gb_json_object(root, METADATA, &metadata));
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)metadata.value, key,
                        value) if (!json_is_string(value)) return gb_json_fail(&metadata,
                                                                               GB_ERR_SCHEMA, key,
                                                                               "expected a text");
    if (gb_json_has(&metadata, CHECKSUM))
        GB_TRY(gb_json_text(&metadata, CHECKSUM, &r->checksum));
    return GB_OK;
}

static gb_status read_descriptions(reading *r)
{
    gb_json_at root = gb_json_root(r->name, r->header), at;
    if (!json_is_object(r->header))
        return gb_json_fail(&root, GB_ERR_SCHEMA, NULL, "expected an object of tensors");
    GB_TRY(read_metadata(r, &root));
    r->tensors = calloc(json_object_size(r->header) + 1, sizeof *r->tensors);
    if (!r->tensors)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for its table of tensors", r->name);
    const char *name;
    json_t *value;
    json_object_foreach(r->header, name, value)
    {
        if (strcmp(name, METADATA) == 0)
            continue;
        described *next = &r->tensors[r->count++];
        next->name = name;
        GB_TRY(gb_json_object(&root, name, &at));
        GB_TRY(describe(&at, r->data_bytes, next));
    }
    qsort(r->tensors, r->count, sizeof *r->tensors, by_begin);
    uint64_t end = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (r->tensors[i].begin != end)
            return gb_fail(GB_ERR_CORRUPT,
                           "%s: tensor %s begins at byte %llu of the data, expected "
                           "%llu: tensors overlap or leave a gap",
                           r->name, r->tensors[i].name, (unsigned long long)r->tensors[i].begin,
                           (unsigned long long)end);
        end = r->tensors[i].end;
    }
    if (end != r->data_bytes)
        return gb_fail(GB_ERR_CORRUPT, "%s: %llu bytes of data, the header describes %llu", r->name,
                       (unsigned long long)r->data_bytes, (unsigned long long)end);
    return GB_OK;
}

static gb_status read_data(reading *r, void *to, uint64_t bytes, crypto_generichash_state *state)
{
    unsigned char *at = to;
    while (bytes > 0) {
        size_t piece = bytes < PIECE ? (size_t)bytes : PIECE;
        if (fread(at, 1, piece, r->file) != piece)
            return gb_fail(GB_ERR_IO, "%s: cannot be read to its end", r->name);
        (void)crypto_generichash_update(state, at, piece);
        at += piece;
        bytes -= piece;
    }
    return GB_OK;
}

static gb_status read_tensors(reading *r, gb_tensors *set)
{
    crypto_generichash_state state;
    unsigned char hash[GB_HASH_BYTES];
    char hex[2 * GB_HASH_BYTES + 1];
    gb_hash(NULL, 0, hash); /* starts libsodium */
    (void)crypto_generichash_init(&state, NULL, 0, GB_HASH_BYTES);
    for (size_t i = 0; i < r->count; i++) {
        const described *d = &r->tensors[i];
        gb_tensor *tensor;
        GB_TRY(gb_tensors_add(set, d->name, d->dtype, d->shape, &tensor));
        GB_TRY(read_data(r, tensor->data, d->end - d->begin, &state));
    }
    (void)crypto_generichash_final(&state, hash, GB_HASH_BYTES);
    gb_hash_hex(hash, hex);
    if (r->checksum && strcmp(r->checksum, hex) != 0)
        return gb_fail(
            GB_ERR_CORRUPT,
            "%s: the checksum of the data is %.12s..., its header says %.12s...: the file "
            "was edited or damaged",
            r->name, hex, r->checksum);
    return GB_OK;
}

gb_status gb_tensors_read(FILE *file, const char *name, uint64_t size, gb_tensors **out)
{
    reading r = {.file = file, .name = name};
    gb_tensors *set = NULL;
    gb_status status = read_header(&r, size);
    if (status == GB_OK)
        status = read_descriptions(&r);
    if (status == GB_OK)
        status = gb_tensors_create(&set);
    if (status == GB_OK)
        status = read_tensors(&r, set);
    json_decref(r.header);
    free(r.tensors);
    if (status != GB_OK) {
        gb_tensors_destroy(set);
        return status;
    }
    *out = set;
    return GB_OK;
}

gb_status gb_tensors_load(const char *path, gb_tensors **out)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        gb_status status = gb_fail(GB_ERR_IO, "cannot read %s: %s; check the path", path,
                                   fd < 0 ? strerror(errno) : "it is not a regular file");
        if (fd >= 0)
            close(fd);
        return status;
    }
    FILE *file = fdopen(fd, "rb");
    if (!file) {
        close(fd);
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to read it", path);
    }
    gb_status status = gb_tensors_read(file, path, (uint64_t)info.st_size, out);
    fclose(file);
    return status;
}
