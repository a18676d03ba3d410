/* Opening a Parquet file: its magic, its footer, and whether what the footer says fits the file.
 * Reading values is parquet_cursor.c. */
#include "ingest/parquet.h"

#include "ingest/parquet_meta.h"

#include <stdlib.h>
#include <string.h>

#define FOOTER_MAX (64u << 20)
#define TAIL_BYTES 8 /* size of the footer, magic */
/* A footer's numbers become structures of about this many times its size at most. */
#define FOOTER_GROWTH 160
/* Rows that a byte of file may stand for; constant columns pack well, but not endlessly. */
#define ROWS_A_BYTE 4096

static gb_status read_tail(gb_parquet *file, uint32_t *out_size)
{
    const unsigned char *data = NULL;
    gb_bytes_in *from = file->from;
    if (from->size < 4 + TAIL_BYTES)
        return gb_fail(GB_ERR_PARSE, "%s: %llu bytes are no Parquet file", file->origin,
                       (unsigned long long)from->size);
    GB_TRY(from->read(from, 0, 4, &data));
    bool begins = memcmp(data, "PAR1", 4) == 0;
    bool encrypted = memcmp(data, "PARE", 4) == 0;
    GB_TRY(from->read(from, from->size - TAIL_BYTES, TAIL_BYTES, &data));
    if (encrypted)
        return gb_fail(GB_ERR_UNSUPPORTED, "%s is an encrypted Parquet file; decrypt it first",
                       file->origin);
    if (!begins || memcmp(data + 4, "PAR1", 4) != 0)
        return gb_fail(GB_ERR_PARSE,
                       "%s: no Parquet file, or cut: it should begin and end with PAR1",
                       file->origin);
    uint32_t size = 0;
    memcpy(&size, data, 4);
    if (size > from->size - 4 - TAIL_BYTES || size > FOOTER_MAX)
        return gb_fail(GB_ERR_PARSE, "%s: its footer would be %u bytes; the file was cut or edited",
                       file->origin, size);
    *out_size = size;
    return GB_OK;
}

static gb_status check_chunk(const gb_parquet *file, int group, int column)
{
    const gb_parquet_chunk *chunk = &file->groups[group].chunks[column];
    int64_t begin = chunk->data_at, end = (int64_t)file->data_end;
    if (chunk->dictionary_at > 0 && chunk->dictionary_at < begin)
        begin = chunk->dictionary_at;
    if (begin < 4 || begin > end || chunk->bytes > end - begin)
        return gb_fail(GB_ERR_PARSE,
                       "%s: row group %d, column %s lies at bytes %lld to %lld + %lld, outside the "
                       "file's data (4 to %lld)",
                       file->origin, group, file->columns[column].name, (long long)begin,
                       (long long)begin, (long long)chunk->bytes, (long long)end);
    if (chunk->type != file->columns[column].type)
        return gb_fail(GB_ERR_PARSE,
                       "%s: row group %d, column %s is of type %d; its schema says %d",
                       file->origin, group, file->columns[column].name, (int)chunk->type,
                       (int)file->columns[column].type);
    return GB_OK;
}

static gb_status check_groups(const gb_parquet *file)
{
    int64_t rows = 0, most = (int64_t)(file->from->size * ROWS_A_BYTE);
    for (int g = 0; g < file->group_count; g++) {
        if (file->groups[g].rows > most - rows)
            return gb_fail(GB_ERR_PARSE, "%s: more rows than its %llu bytes can hold", file->origin,
                           (unsigned long long)file->from->size);
        rows += file->groups[g].rows;
        for (int c = 0; c < file->column_count; c++)
            GB_TRY(check_chunk(file, g, c));
    }
    if (rows != file->rows)
        return gb_fail(GB_ERR_PARSE, "%s: its row groups have %lld rows, its footer says %lld",
                       file->origin, (long long)rows, (long long)file->rows);
    return GB_OK;
}

static gb_status read_footer(gb_parquet *file)
{
    uint32_t size = 0;
    const unsigned char *data = NULL;
    GB_TRY(read_tail(file, &size));
    GB_TRY(gb_arena_create(((size_t)size + 4096) * FOOTER_GROWTH, &file->arena));
    file->data_end = file->from->size - TAIL_BYTES - size;
    GB_TRY(file->from->read(file->from, file->data_end, size, &data));
    gb_thrift from = {data, data, data + size, file->origin, file->data_end};
    gb_parquet_element *schema = NULL;
    int64_t count = 0;
    file->created_by = "";
    GB_TRY(gb_parquet_read_meta(&from, file, &schema, &count));
    GB_TRY(gb_parquet_read_schema(schema, count, file));
    return check_groups(file);
}

gb_status gb_parquet_open(gb_bytes_in *from, gb_parquet **out)
{
    gb_parquet *file = calloc(1, sizeof *file);
    if (!file) {
        from->close(from);
        return gb_fail(GB_ERR_MEMORY, "no memory to open a Parquet file");
    }
    file->from = from;
    file->origin = from->origin;
    gb_status status = read_footer(file);
    if (status != GB_OK) {
        gb_parquet_close(file);
        return status;
    }
    *out = file;
    return GB_OK;
}

gb_status gb_parquet_open_file(const char *path, gb_parquet **out)
{
    gb_bytes_in *from = NULL;
    GB_TRY(gb_bytes_in_file(path, &from));
    return gb_parquet_open(from, out);
}

void gb_parquet_close(gb_parquet *file)
{
    if (!file)
        return;
    gb_arena_destroy(file->arena);
    file->from->close(file->from);
    free(file);
}

int gb_parquet_find(const gb_parquet *file, const char *name)
{
    for (int c = 0; c < file->column_count; c++)
        if (strcmp(file->columns[c].name, name) == 0)
            return c;
    for (int c = 0; c < file->column_count; c++)
        if (strcmp(file->columns[c].path, name) == 0)
            return c;
    return -1;
}
