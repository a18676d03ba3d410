/* What a Parquet writer gathered, as dictionary and data pages. */
#include "ingest/parquet_write_page.h"

#include "ingest/parquet_codec.h"
#include "ingest/parquet_meta.h"
#include "ingest/thrift.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define PAGE_BYTES (1 << 20)       /* of values, before packing */
#define DICTIONARY_BYTES (1 << 20) /* a larger one is not worth it */

/* ---- pages ------------------------------------------------------------------------------------
 */

/* Compresses w->page and writes it behind its header. */
static gb_status write_page(gb_parquet_writer *w,
                            gb_parquet_written *to,
                            int kind,
                            int64_t values,
                            gb_parquet_encoding encoding)
{
    size_t size = 0;
    gb_thrift_out head = {0};
    GB_TRY(gb_parquet_compress(w->page.data, w->page.size, &w->codec, &w->packed, &w->packed_room,
                               &size));
    int32_t crc = (int32_t)crc32(0, w->packed, (uInt)size);
    gb_thrift_put_int(&head, 1, GB_THRIFT_I32, kind);
    gb_thrift_put_int(&head, 2, GB_THRIFT_I32, (int64_t)w->page.size);
    gb_thrift_put_int(&head, 3, GB_THRIFT_I32, (int64_t)size);
    gb_thrift_put_int(&head, 4, GB_THRIFT_I32, crc);
    gb_thrift_begin(&head, kind == GB_PARQUET_PAGE_DICTIONARY ? 7 : 5);
    gb_thrift_put_int(&head, 1, GB_THRIFT_I32, values);
    gb_thrift_put_int(&head, 2, GB_THRIFT_I32, encoding);
    if (kind == GB_PARQUET_PAGE_DATA) {
        gb_thrift_put_int(&head, 3, GB_THRIFT_I32, GB_PARQUET_RLE);
        gb_thrift_put_int(&head, 4, GB_THRIFT_I32, GB_PARQUET_RLE);
    }
    gb_thrift_end(&head);
    gb_thrift_end(&head);
    gb_status status = gb_thrift_finish(&head);
    if (status == GB_OK)
        status = gb_parquet_write_bytes(w, head.data, head.size);
    if (status == GB_OK)
        status = gb_parquet_write_bytes(w, w->packed, size);
    to->bytes += (int64_t)(head.size + size);
    to->uncompressed_bytes += (int64_t)(head.size + w->page.size);
    free(head.data);
    return status;
}

/* A text in PLAIN: its size, then itself. */
static gb_status add_text(gb_parquet_writer *w, const gb_parquet_gathered *c, int64_t value)
{
    uint32_t size = (uint32_t)(c->offset[value + 1] - c->offset[value]);
    GB_TRY(gb_parquet_buffer_add(&w->page, &size, 4));
    return gb_parquet_buffer_add(&w->page, c->data + c->offset[value], size);
}

static gb_status
add_booleans(gb_parquet_writer *w, const gb_parquet_gathered *c, int64_t from, int64_t to)
{
    for (int64_t v = from; v < to; v += 8) {
        unsigned char bits = 0;
        for (int i = 0; i < 8 && v + i < to; i++)
            bits = (unsigned char)(bits | (c->data[v + i] != 0) << i);
        GB_TRY(gb_parquet_buffer_add(&w->page, &bits, 1));
    }
    return GB_OK;
}

static gb_status
add_plain(gb_parquet_writer *w, const gb_parquet_gathered *c, int64_t from, int64_t to)
{
    if (c->type == GB_PARQUET_BOOLEAN)
        return add_booleans(w, c, from, to);
    if (c->width > 0)
        return gb_parquet_buffer_add(&w->page, c->data + (size_t)from * c->width,
                                     (size_t)(to - from) * c->width);
    for (int64_t v = from; v < to; v++)
        GB_TRY(add_text(w, c, v));
    return GB_OK;
}

static int bits_for(uint32_t highest)
{
    int bits = 0;
    for (; highest > 0; highest >>= 1)
        bits++;
    return bits;
}

/* Levels behind their size. Without lists all entries are there: one run. */
static gb_status
add_levels(gb_parquet_writer *w, const uint32_t *levels, int64_t from, int64_t to, int highest)
{
    size_t at = w->page.size;
    uint32_t size = 0;
    GB_TRY(gb_parquet_buffer_add(&w->page, &size, 4));
    if (levels)
        GB_TRY(gb_rle_write(&w->page, levels + from, to - from, bits_for((uint32_t)highest)));
    else {
        unsigned char run[11];
        size_t used = 0;
        uint64_t head = (uint64_t)(to - from) << 1;
        for (; head >= 0x80; head >>= 7)
            run[used++] = (unsigned char)(head | 0x80);
        run[used++] = (unsigned char)head;
        run[used++] = 1;
        GB_TRY(gb_parquet_buffer_add(&w->page, run, used));
    }
    size = (uint32_t)(w->page.size - at - 4);
    memcpy(w->page.data + at, &size, 4);
    return GB_OK;
}

/* Entries [from, to) with values [value, value_end); index NULL: PLAIN. */
typedef struct piece {
    int64_t from, to, value, value_end;
} piece;

static gb_status write_data_page(gb_parquet_writer *w,
                                 const gb_parquet_gathered *c,
                                 const piece *p,
                                 const uint32_t *index,
                                 int width,
                                 gb_parquet_written *to)
{
    w->page.size = 0;
    if (c->field.lists > 0)
        GB_TRY(add_levels(w, c->rep, p->from, p->to, c->field.lists));
    GB_TRY(add_levels(w, c->def, p->from, p->to, 2 * c->field.lists + 1));
    if (index) {
        unsigned char bits = (unsigned char)width;
        GB_TRY(gb_parquet_buffer_add(&w->page, &bits, 1));
        GB_TRY(gb_rle_write(&w->page, index + p->value, p->value_end - p->value, width));
    } else
        GB_TRY(add_plain(w, c, p->value, p->value_end));
    return write_page(w, to, GB_PARQUET_PAGE_DATA, p->to - p->from,
                      index ? GB_PARQUET_RLE_DICTIONARY : GB_PARQUET_PLAIN);
}

/* The next page: rows until their values fill it. */
static piece next_piece(const gb_parquet_gathered *c, const piece *last)
{
    piece p = {
        .from = last->to, .to = last->to, .value = last->value_end, .value_end = last->value_end};
    int64_t bytes = 0;
    while (p.to < c->entries) {
        bool row = c->field.lists == 0 || c->rep[p.to] == 0;
        bool has_value = c->field.lists == 0 || c->def[p.to] == (uint32_t)(2 * c->field.lists + 1);
        if (row && bytes >= PAGE_BYTES)
            break;
        if (has_value) {
            bytes += c->width ? (int64_t)c->width
                              : 4 + c->offset[p.value_end + 1] - c->offset[p.value_end];
            p.value_end++;
        }
        p.to++;
    }
    return p;
}

static gb_status write_dictionary(gb_parquet_writer *w,
                                  const gb_parquet_gathered *c,
                                  const int64_t *first,
                                  int64_t count,
                                  gb_parquet_written *to)
{
    w->page.size = 0;
    for (int64_t i = 0; i < count; i++)
        GB_TRY(add_plain(w, c, first[i], first[i] + 1));
    to->dictionary = true;
    to->dictionary_at = w->at;
    return write_page(w, to, GB_PARQUET_PAGE_DICTIONARY, count, GB_PARQUET_PLAIN);
}

static gb_status write_pages(gb_parquet_writer *w,
                             const gb_parquet_gathered *c,
                             uint32_t *index,
                             int64_t *first,
                             gb_parquet_written *to)
{
    int64_t distinct = 0;
    int width = 0;
    gb_status status = GB_OK;
    bool numbered =
        c->type != GB_PARQUET_BOOLEAN && c->values > 0 &&
        gb_parquet_number_values(c->data, c->width ? NULL : c->offset, c->width, c->values,
                                 DICTIONARY_BYTES, index, first, &distinct, &status);
    GB_TRY(status);
    if (numbered) {
        width = distinct > 1 ? bits_for((uint32_t)distinct - 1) : 1;
        GB_TRY(write_dictionary(w, c, first, distinct, to));
    }
    to->data_at = w->at;
    piece p = {0};
    while (p.to < c->entries) {
        p = next_piece(c, &p);
        GB_TRY(write_data_page(w, c, &p, numbered ? index : NULL, width, to));
    }
    return GB_OK;
}

gb_status
gb_parquet_write_chunk(gb_parquet_writer *w, gb_parquet_gathered *c, gb_parquet_written *to)
{
    uint32_t *index = malloc((size_t)c->values * sizeof *index + 1);
    int64_t *first = malloc((size_t)c->values * sizeof *first + 1);
    gb_status status = index && first
                           ? GB_OK
                           : gb_fail(GB_ERR_MEMORY, "no memory to write column %s", c->field.name);
    *to = (gb_parquet_written){.values = c->entries};
    if (status == GB_OK)
        status = write_pages(w, c, index, first, to);
    free(index);
    free(first);
    c->rows = c->entries = c->values = 0;
    c->data_size = 0;
    return status;
}
