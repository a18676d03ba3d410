/* Thrift's PageHeader. Pages themselves are parquet_cursor.c. */
#include "ingest/parquet_meta.h"

#define PAGE_BYTES_MAX (256 << 20)

static gb_status
read_encoding(gb_thrift *from, const gb_thrift_field *field, gb_parquet_encoding *out)
{
    int64_t encoding = 0;
    GB_TRY(gb_thrift_int(from, field, 0, 255, &encoding));
    *out = (gb_parquet_encoding)encoding;
    return GB_OK;
}

/* DataPageHeader (1 values, 2 encoding, 3 and 4 of levels) and DictionaryPageHeader (1, 2). */
static gb_status read_v1(gb_thrift *from, gb_parquet_page *out)
{
    gb_thrift_field field = {GB_THRIFT_STOP, 0};
    for (;;) {
        GB_TRY(gb_thrift_next(from, &field));
        if (field.type == GB_THRIFT_STOP)
            return GB_OK;
        if (field.id == 1)
            GB_TRY(gb_thrift_int(from, &field, 0, INT32_MAX, &out->values));
        else if (field.id == 2)
            GB_TRY(read_encoding(from, &field, &out->encoding));
        else if (field.id == 3 && out->type == GB_PARQUET_PAGE_DATA)
            GB_TRY(read_encoding(from, &field, &out->def_encoding));
        else if (field.id == 4 && out->type == GB_PARQUET_PAGE_DATA)
            GB_TRY(read_encoding(from, &field, &out->rep_encoding));
        else
            GB_TRY(gb_thrift_skip(from, &field));
    }
}

static gb_status read_v2(gb_thrift *from, gb_parquet_page *out)
{
    gb_thrift_field field = {GB_THRIFT_STOP, 0};
    for (;;) {
        GB_TRY(gb_thrift_next(from, &field));
        if (field.type == GB_THRIFT_STOP)
            return GB_OK;
        switch (field.id) {
        case 1:
            GB_TRY(gb_thrift_int(from, &field, 0, INT32_MAX, &out->values));
            break;
        case 4:
            GB_TRY(read_encoding(from, &field, &out->encoding));
            break;
        case 5:
            GB_TRY(gb_thrift_int(from, &field, 0, PAGE_BYTES_MAX, &out->def_size));
            break;
        case 6:
            GB_TRY(gb_thrift_int(from, &field, 0, PAGE_BYTES_MAX, &out->rep_size));
            break;
        case 7:
            GB_TRY(gb_thrift_bool(from, &field, &out->compressed));
            break;
        default:
            GB_TRY(gb_thrift_skip(from, &field));
        }
    }
}

static gb_status read_field(gb_thrift *from, const gb_thrift_field *field, gb_parquet_page *page)
{
    int64_t value = 0;
    switch (field->id) {
    case 1:
        GB_TRY(gb_thrift_int(from, field, 0, 255, &value));
        page->type = (int)value;
        return GB_OK;
    case 2:
        return gb_thrift_int(from, field, 0, PAGE_BYTES_MAX, &page->size);
    case 3:
        return gb_thrift_int(from, field, 0, PAGE_BYTES_MAX, &page->compressed_size);
    case 4:
        GB_TRY(gb_thrift_int(from, field, INT32_MIN, INT32_MAX, &value));
        page->crc = (uint32_t)value;
        page->has_crc = true;
        return GB_OK;
    case 5:
    case 7:
        GB_TRY(gb_thrift_struct(from, field));
        return read_v1(from, page);
    case 8:
        GB_TRY(gb_thrift_struct(from, field));
        return read_v2(from, page);
    default:
        return gb_thrift_skip(from, field);
    }
}

gb_status gb_parquet_read_page_header(gb_thrift *from, gb_parquet_page *out)
{
    gb_parquet_page page = {.type = -1,
                            .size = -1,
                            .compressed_size = -1,
                            .values = -1,
                            .def_encoding = GB_PARQUET_RLE,
                            .rep_encoding = GB_PARQUET_RLE,
                            .compressed = true};
    gb_thrift_field field = {GB_THRIFT_STOP, 0};
    for (;;) {
        GB_TRY(gb_thrift_next(from, &field));
        if (field.type == GB_THRIFT_STOP)
            break;
        GB_TRY(read_field(from, &field, &page));
    }
    if (page.type < 0 || page.size < 0 || page.compressed_size < 0)
        return gb_thrift_fail(from, "a page that does not say its kind and size");
    if (page.values < 0 && page.type != GB_PARQUET_PAGE_INDEX)
        return gb_thrift_fail(from, "a page that does not say how many values it has");
    *out = page;
    return GB_OK;
}
