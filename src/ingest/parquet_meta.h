/* Private to ingest: a Parquet file's description, as Thrift structs (parquet.thrift). */
#ifndef GENBA_INGEST_PARQUET_META_H
#define GENBA_INGEST_PARQUET_META_H

#include "ingest/parquet.h"
#include "ingest/thrift.h"

/* parquet.thrift, enum ConvertedType; none is -1 */
enum {
    GB_PARQUET_CONVERTED_UTF8 = 0,
    GB_PARQUET_CONVERTED_MAP = 1,
    GB_PARQUET_CONVERTED_LIST = 3,
    GB_PARQUET_CONVERTED_ENUM = 4,
    GB_PARQUET_CONVERTED_DECIMAL = 5,
    GB_PARQUET_CONVERTED_DATE = 6,
    GB_PARQUET_CONVERTED_TIMESTAMP_MILLIS = 9,
    GB_PARQUET_CONVERTED_TIMESTAMP_MICROS = 10,
    GB_PARQUET_CONVERTED_UINT_8 = 11, /* then 16, 32, 64, INT_8, ... */
    GB_PARQUET_CONVERTED_INT_64 = 18,
    GB_PARQUET_CONVERTED_JSON = 19
};

/* parquet.thrift, union LogicalType: the number of the field that is set; none is 0 */
enum {
    GB_PARQUET_LOGICAL_STRING = 1,
    GB_PARQUET_LOGICAL_MAP = 2,
    GB_PARQUET_LOGICAL_LIST = 3,
    GB_PARQUET_LOGICAL_ENUM = 4,
    GB_PARQUET_LOGICAL_DECIMAL = 5,
    GB_PARQUET_LOGICAL_DATE = 6,
    GB_PARQUET_LOGICAL_TIMESTAMP = 8,
    GB_PARQUET_LOGICAL_INTEGER = 10,
    GB_PARQUET_LOGICAL_JSON = 12,
    GB_PARQUET_LOGICAL_FLOAT16 = 15
};

typedef struct gb_parquet_element { /* SchemaElement */
    const char *name;
    int type; /* gb_parquet_type; -1: a group */
    int64_t type_length;
    int repetition; /* 0 required, 1 optional, 2 repeated */
    int64_t children;
    int converted, logical;
    int64_t scale;
    int bits; /* LogicalType INTEGER */
    bool is_signed, is_utc;
    int64_t unit_ns; /* LogicalType TIMESTAMP */
} gb_parquet_element;

/* Reads FileMetaData into the file: groups, pairs, rows; *out_schema is in the file's arena. */
GB_MUST gb_status gb_parquet_read_meta(gb_thrift *from,
                                       gb_parquet *file,
                                       gb_parquet_element **out_schema,
                                       int64_t *out_count);
/* The leaves of the schema: file->columns. */
GB_MUST gb_status gb_parquet_read_schema(const gb_parquet_element *schema,
                                         int64_t count,
                                         gb_parquet *file);

enum { /* PageType */
    GB_PARQUET_PAGE_DATA = 0,
    GB_PARQUET_PAGE_INDEX = 1,
    GB_PARQUET_PAGE_DICTIONARY = 2,
    GB_PARQUET_PAGE_DATA_V2 = 3
};

typedef struct gb_parquet_page { /* PageHeader and the one of its kind */
    int type;
    int64_t size, compressed_size;
    bool has_crc;
    uint32_t crc;
    int64_t values;
    gb_parquet_encoding encoding, def_encoding, rep_encoding;
    int64_t def_size, rep_size; /* bytes of the levels of a DATA_V2 page */
    bool compressed;            /* DATA_V2: the values are */
} gb_parquet_page;

GB_MUST gb_status gb_parquet_read_page_header(gb_thrift *from, gb_parquet_page *out);

#endif
