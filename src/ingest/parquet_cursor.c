/* Rows of one column chunk: pages one after another, their levels and values, put together to rows.
 * Encodings are parquet_decode.c, compression parquet_codec.c. */
#include "ingest/parquet_codec.h"
#include "ingest/parquet_encoding.h"
#include "ingest/parquet_meta.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define LEVELS 512 /* looked at once */
#define HEADER_BYTES                                                                               \
    (1u << 20) /* most of a page's header: it may carry the smallest and largest text */
#define ENTRIES_MAX (1 << 27) /* of a batch */
#define BATCH_BYTES (8 << 20) /* aimed at for a batch of all columns */
#define BATCH_ROWS_MAX 8192

struct gb_parquet_cursor {
    const gb_parquet *file;
    const gb_parquet_column *column;
    const gb_parquet_chunk *chunk;
    int group;
    uint64_t at, end;                      /* bytes of the file not read yet */
    int64_t values_left;                   /* of the chunk's pages not begun yet */
    unsigned char *page, *dictionary_page; /* decompressed */
    size_t page_room, dictionary_room;
    gb_parquet_dictionary dictionary;
    uint32_t *dictionary_offset;
    gb_rle def, rep;
    gb_parquet_decoder decoder;
    int64_t page_left; /* levels of the page not in the window yet */
    uint32_t def_levels[LEVELS], rep_levels[LEVELS];
    int window, window_at; /* levels in it, the next */
};

static gb_status fail_at(const gb_parquet_cursor *c, gb_status status)
{
    return gb_fail_context(status, "%s: row group %d, column %s, before byte %llu", c->file->origin,
                           c->group, c->column->name, (unsigned long long)c->at);
}

static gb_status corrupt(const gb_parquet_cursor *c, const char *problem)
{
    return fail_at(c, gb_fail(GB_ERR_CORRUPT, "%s", problem));
}

/* ---- pages ------------------------------------------------------------------------------------
 */

static gb_status read_header(gb_parquet_cursor *c, gb_parquet_page *page)
{
    gb_bytes_in *from = c->file->from;
    uint64_t left = c->end - c->at;
    size_t size = left < HEADER_BYTES ? (size_t)left : HEADER_BYTES;
    const unsigned char *data = NULL;
    GB_TRY(from->read(from, c->at, size, &data));
    gb_thrift header = {data, data, data + size, c->file->origin, c->at};
    GB_TRY(gb_parquet_read_page_header(&header, page));
    c->at += (uint64_t)(header.at - data);
    return (uint64_t)page->compressed_size <= c->end - c->at
               ? GB_OK
               : corrupt(c, "a page longer than its column chunk");
}

/* The page's bytes; levels of a V2 page (the first `plain` bytes) are never compressed. */
static gb_status
read_body(gb_parquet_cursor *c, const gb_parquet_page *page, unsigned char **out, size_t *room)
{
    gb_bytes_in *from = c->file->from;
    const unsigned char *data = NULL;
    size_t size = (size_t)page->compressed_size, full = (size_t)page->size;
    size_t plain = (size_t)(page->def_size + page->rep_size);
    if (plain > size || plain > full)
        return corrupt(c, "levels longer than their page");
    GB_TRY(from->read(from, c->at, size, &data));
    if (page->has_crc && crc32(0, data, (uInt)size) != page->crc)
        return corrupt(c, "the checksum of a page does not match: the file was damaged");
    GB_TRY(gb_parquet_grow((void **)out, room, full + 1, 1));
    if (plain > 0)
        memcpy(*out, data, plain);
    gb_parquet_codec codec = page->compressed ? c->chunk->codec : GB_PARQUET_UNCOMPRESSED;
    gb_status status = GB_OK;
    if (full > plain || size > plain)
        status =
            gb_parquet_decompress(codec, data + plain, size - plain, *out + plain, full - plain);
    c->at += size;
    return status == GB_OK ? GB_OK : fail_at(c, status);
}

/* Where the runs of a PLAIN dictionary begin and end. */
static gb_status index_dictionary(gb_parquet_cursor *c, int64_t count, size_t size)
{
    free(c->dictionary_offset);
    c->dictionary_offset = malloc((size_t)count * 2 * sizeof *c->dictionary_offset + 1);
    if (!c->dictionary_offset)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for a dictionary", c->file->origin);
    size_t at = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t length = 0;
        if (size - at < 4)
            return corrupt(c, "its dictionary ends early");
        memcpy(&length, c->dictionary_page + at, 4);
        at += 4;
        if (length > size - at)
            return corrupt(c, "its dictionary ends early");
        c->dictionary_offset[2 * i] = (uint32_t)at;
        at += length;
        c->dictionary_offset[2 * i + 1] = (uint32_t)at;
    }
    return GB_OK;
}

static gb_status take_dictionary(gb_parquet_cursor *c, const gb_parquet_page *page)
{
    if (page->encoding != GB_PARQUET_PLAIN && page->encoding != GB_PARQUET_PLAIN_DICTIONARY)
        return corrupt(c, "a dictionary that is not plain");
    if (c->dictionary.count >= 0 || c->column->type == GB_PARQUET_BOOLEAN)
        return corrupt(c, "a second dictionary, or one of booleans");
    GB_TRY(read_body(c, page, &c->dictionary_page, &c->dictionary_room));
    size_t size = (size_t)page->size, least = c->column->width ? c->column->width : 4;
    if ((uint64_t)page->values > size / least)
        return corrupt(c, "its dictionary ends early");
    if (c->column->width == 0)
        GB_TRY(index_dictionary(c, page->values, size));
    c->dictionary = (gb_parquet_dictionary){page->values, c->dictionary_page, c->dictionary_offset};
    return GB_OK;
}

static int bits_of(int level)
{
    int bits = 0;
    for (; level > 0; level >>= 1)
        bits++;
    return bits;
}

/* Levels of a V1 page: a hybrid behind its size; *at moves behind them. */
static gb_status begin_levels(gb_parquet_cursor *c,
                              gb_parquet_encoding encoding,
                              int max,
                              size_t size,
                              size_t *at,
                              gb_rle *rle)
{
    uint32_t length = 0;
    gb_rle_begin(rle, c->page, 0, bits_of(max));
    if (max == 0)
        return GB_OK;
    if (encoding != GB_PARQUET_RLE)
        return fail_at(
            c, gb_fail(GB_ERR_UNSUPPORTED, "levels in encoding %d; RLE is read", (int)encoding));
    if (size - *at < 4)
        return corrupt(c, "its levels end early");
    memcpy(&length, c->page + *at, 4);
    *at += 4;
    if (length > size - *at)
        return corrupt(c, "its levels end early");
    gb_rle_begin(rle, c->page + *at, length, bits_of(max));
    *at += length;
    return GB_OK;
}

static gb_status take_data(gb_parquet_cursor *c, const gb_parquet_page *page)
{
    if (page->values > c->values_left)
        return corrupt(c, "its pages have more values than the column chunk");
    GB_TRY(read_body(c, page, &c->page, &c->page_room));
    size_t size = (size_t)page->size, at = 0;
    if (page->type == GB_PARQUET_PAGE_DATA) {
        GB_TRY(begin_levels(c, page->rep_encoding, c->column->max_rep, size, &at, &c->rep));
        GB_TRY(begin_levels(c, page->def_encoding, c->column->max_def, size, &at, &c->def));
    } else {
        size_t rep = (size_t)page->rep_size, def = (size_t)page->def_size;
        gb_rle_begin(&c->rep, c->page, rep, bits_of(c->column->max_rep));
        gb_rle_begin(&c->def, c->page + rep, def, bits_of(c->column->max_def));
        at = rep + def;
    }
    gb_status status = gb_parquet_decoder_begin(&c->decoder, page->encoding, c->column,
                                                c->page + at, size - at, &c->dictionary);
    c->values_left -= page->values;
    c->page_left = page->values;
    return status == GB_OK ? GB_OK : fail_at(c, status);
}

/* Goes on to the next page that has values; page_left stays 0 at the end of the chunk. */
static gb_status next_page(gb_parquet_cursor *c)
{
    while (c->page_left == 0 && c->values_left > 0) {
        gb_parquet_page page = {0};
        if (c->at >= c->end)
            return corrupt(c, "its pages have fewer values than the column chunk");
        GB_TRY(read_header(c, &page));
        switch (page.type) {
        case GB_PARQUET_PAGE_DICTIONARY:
            GB_TRY(take_dictionary(c, &page));
            break;
        case GB_PARQUET_PAGE_DATA:
        case GB_PARQUET_PAGE_DATA_V2:
            GB_TRY(take_data(c, &page));
            break;
        default: /* an index, or a kind that came later: not needed */
            c->at += (uint64_t)page.compressed_size;
        }
    }
    return GB_OK;
}

/* ---- levels -----------------------------------------------------------------------------------
 */

/* Makes sure that the window has a level; it stays empty at the end of the chunk. All levels of a
 * window belong to one page. */
static gb_status fill_window(gb_parquet_cursor *c)
{
    if (c->window_at < c->window)
        return GB_OK;
    c->window = c->window_at = 0;
    GB_TRY(next_page(c));
    int take = c->page_left < LEVELS ? (int)c->page_left : LEVELS;
    if (!gb_rle_read(&c->rep, take, c->rep_levels) || !gb_rle_read(&c->def, take, c->def_levels))
        return corrupt(c, "its levels end early or make no sense");
    for (int i = 0; i < take; i++)
        if (c->rep_levels[i] > (uint32_t)c->column->max_rep ||
            c->def_levels[i] > (uint32_t)c->column->max_def)
            return corrupt(c, "its levels make no sense");
    c->page_left -= take;
    c->window = take;
    return GB_OK;
}

/* ---- batches ----------------------------------------------------------------------------------
 */

void gb_parquet_batch_free(gb_parquet_batch *batch)
{
    free(batch->row_start);
    free(batch->present);
    free(batch->values);
    free(batch->offset);
    free(batch->bytes);
    memset(batch, 0, sizeof *batch);
}

static gb_status make_room(const gb_parquet_cursor *c, gb_parquet_batch *b, int64_t more)
{
    size_t need = (size_t)(b->entries + more), width = c->column->width;
    if (need > ENTRIES_MAX)
        return corrupt(c, "a few rows hold more than 134 million values");
    GB_TRY(gb_parquet_grow((void **)&b->present, &b->entry_room, need, 1));
    if (width > 0)
        return gb_parquet_grow((void **)&b->values, &b->value_room, need * width, 1);
    GB_TRY(gb_parquet_grow((void **)&b->offset, &b->offset_room, need + 1, sizeof *b->offset));
    if (b->entries == 0)
        b->offset[0] = 0;
    return GB_OK;
}

/* Values were decoded without gaps: moves them to where `present` has them, from the last on. */
static void spread(const gb_parquet_cursor *c, gb_parquet_batch *b, int64_t values, int64_t entries)
{
    size_t width = c->column->width;
    unsigned char *data = width ? b->values + (size_t)b->entries * width : NULL;
    const uint8_t *present = b->present + b->entries;
    int64_t *offset = width ? NULL : b->offset + b->entries;
    int64_t value = values;
    for (int64_t e = entries - 1; e >= 0 && value <= e; e--) {
        if (!width)
            offset[e + 1] = offset[value];
        if (present[e]) {
            value--;
            if (width)
                memcpy(data + (size_t)e * width, data + (size_t)value * width, width);
        } else if (width)
            memset(data + (size_t)e * width, 0, width);
    }
}

static gb_status decode(gb_parquet_cursor *c, gb_parquet_batch *b, int64_t values, int64_t entries)
{
    size_t width = c->column->width;
    if (width == 0) {
        gb_status status = gb_parquet_decode_runs(&c->decoder, values, b->entries, b);
        if (status != GB_OK)
            return fail_at(c, status);
    } else if (!gb_parquet_decode_fixed(&c->decoder, values,
                                        b->values + (size_t)b->entries * width))
        return corrupt(c, "its values end early or make no sense");
    if (values < entries)
        spread(c, b, values, entries);
    b->entries += entries;
    return GB_OK;
}

/* Takes levels of the window up to the end of row number `rows`. */
static gb_status
take_window(gb_parquet_cursor *c, int64_t rows, gb_parquet_batch *b, bool *out_done)
{
    const gb_parquet_column *column = c->column;
    int64_t entries = 0, values = 0;
    GB_TRY(make_room(c, b, c->window - c->window_at));
    for (; c->window_at < c->window; c->window_at++) {
        if (c->rep_levels[c->window_at] == 0) {
            if (b->rows == rows) {
                *out_done = true;
                break;
            }
            b->row_start[b->rows++] = b->entries + entries;
        } else if (b->rows == 0)
            return corrupt(c, "its first row begins in the middle");
        int def = (int)c->def_levels[c->window_at];
        if (def < column->list_def) /* no list, or an empty one */
            continue;
        bool present = def == column->max_def;
        b->present[b->entries + entries++] = present;
        values += present;
    }
    return decode(c, b, values, entries);
}

gb_status gb_parquet_read(gb_parquet_cursor *c, int64_t rows, gb_parquet_batch *b)
{
    b->rows = b->entries = 0;
    GB_TRY(gb_parquet_grow((void **)&b->row_start, &b->row_room, (size_t)rows + 1,
                           sizeof *b->row_start));
    GB_TRY(make_room(c, b, 0));
    bool done = rows == 0;
    while (!done) {
        GB_TRY(fill_window(c));
        if (c->window == 0)
            break;
        GB_TRY(take_window(c, rows, b, &done));
    }
    if (b->rows < rows)
        return corrupt(c, "it has fewer rows than its row group");
    b->row_start[rows] = b->entries;
    return GB_OK;
}

gb_status gb_parquet_cursor_end(gb_parquet_cursor *c)
{
    GB_TRY(fill_window(c));
    return c->window == 0 ? GB_OK : corrupt(c, "it has more rows than its row group");
}

/* ---- cursors ----------------------------------------------------------------------------------
 */

gb_status
gb_parquet_cursor_open(const gb_parquet *file, int group, int column, gb_parquet_cursor **out)
{
    const gb_parquet_column *about = &file->columns[column];
    const gb_parquet_chunk *chunk = &file->groups[group].chunks[column];
    if (about->max_def > 255 || about->max_rep > 255)
        return gb_fail(GB_ERR_UNSUPPORTED, "%s: column %s is nested too deep", file->origin,
                       about->name);
    gb_parquet_cursor *c = calloc(1, sizeof *c);
    if (!c)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to read column %s", file->origin, about->name);
    c->file = file;
    c->column = about;
    c->chunk = chunk;
    c->group = group;
    bool dictionary = chunk->dictionary_at > 0 && chunk->dictionary_at < chunk->data_at;
    c->at = (uint64_t)(dictionary ? chunk->dictionary_at : chunk->data_at);
    c->end = c->at + (uint64_t)chunk->bytes;
    c->values_left = chunk->values;
    c->dictionary.count = -1;
    *out = c;
    return GB_OK;
}

void gb_parquet_cursor_close(gb_parquet_cursor *c)
{
    if (!c)
        return;
    free(c->page);
    free(c->dictionary_page);
    free(c->dictionary_offset);
    free(c->decoder.last);
    free(c);
}

int64_t gb_parquet_batch_rows(const gb_parquet *file, int group, const int *columns, int count)
{
    const gb_parquet_group *about = &file->groups[group];
    double bytes = 0;
    for (int i = 0; i < count; i++) {
        const gb_parquet_chunk *chunk = &about->chunks[columns[i]];
        double plain = (double)chunk->values * (double)file->columns[columns[i]].width;
        double said = (double)chunk->uncompressed_bytes;
        bytes += plain > said ? plain : said;
    }
    double rows = bytes > 0 ? (double)about->rows * BATCH_BYTES / bytes : BATCH_ROWS_MAX;
    return rows < 1 ? 1 : rows > BATCH_ROWS_MAX ? BATCH_ROWS_MAX : (int64_t)rows;
}
