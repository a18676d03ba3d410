/* Private to ingest: Thrift's compact protocol, as far as Parquet uses it
 * (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md). Values are
 * read one by one from memory that nobody trusts; there is no tree of them. */
#ifndef GENBA_INGEST_THRIFT_H
#define GENBA_INGEST_THRIFT_H

#include "genba/base.h"

typedef enum gb_thrift_type {
    GB_THRIFT_STOP = 0, /* no more fields */
    GB_THRIFT_TRUE = 1, /* a field's type and value at once */
    GB_THRIFT_FALSE = 2,
    GB_THRIFT_BYTE = 3,
    GB_THRIFT_I16 = 4,
    GB_THRIFT_I32 = 5,
    GB_THRIFT_I64 = 6,
    GB_THRIFT_DOUBLE = 7,
    GB_THRIFT_BINARY = 8,
    GB_THRIFT_LIST = 9,
    GB_THRIFT_SET = 10,
    GB_THRIFT_MAP = 11,
    GB_THRIFT_STRUCT = 12
} gb_thrift_type;

/* ---- reading ---- */

typedef struct gb_thrift {
    const unsigned char *start, *at, *end;
    const char *origin; /* the file, for messages */
    uint64_t origin_at; /* where `start` lies in it */
} gb_thrift;

typedef struct gb_thrift_field {
    gb_thrift_type type;
    int id; /* start a struct's first field from 0: the next one's is told from the last one's */
} gb_thrift_field;

/* Fails at the byte reached: "FILE: byte N: problem". */
gb_status gb_thrift_fail(const gb_thrift *from, const char *problem);
/* The next field of a struct; type STOP behind the last. */
GB_MUST gb_status gb_thrift_next(gb_thrift *from, gb_thrift_field *field);
/* The value of the field just read; GB_ERR_PARSE when it is of another type or out of range. */
GB_MUST gb_status gb_thrift_int(
    gb_thrift *from, const gb_thrift_field *field, int64_t low, int64_t high, int64_t *out);
GB_MUST gb_status gb_thrift_bool(gb_thrift *from, const gb_thrift_field *field, bool *out);
/* Borrowed from the memory read. */
GB_MUST gb_status gb_thrift_binary(gb_thrift *from,
                                   const gb_thrift_field *field,
                                   const unsigned char **out_data,
                                   size_t *out_size);
/* The head of a list; *out_count is at most the bytes left, as an item has one at least. */
GB_MUST gb_status gb_thrift_list(gb_thrift *from,
                                 const gb_thrift_field *field,
                                 gb_thrift_type item,
                                 int64_t *out_count);
/* Items of a list of integers, binaries. */
GB_MUST gb_status gb_thrift_item_int(gb_thrift *from, int64_t *out);
GB_MUST gb_status gb_thrift_item_binary(gb_thrift *from,
                                        const unsigned char **out_data,
                                        size_t *out_size);
/* GB_ERR_PARSE unless the field is a struct: its fields follow. */
GB_MUST gb_status gb_thrift_struct(gb_thrift *from, const gb_thrift_field *field);
/* Passes over the field just read, whatever it is; nesting is limited. */
GB_MUST gb_status gb_thrift_skip(gb_thrift *from, const gb_thrift_field *field);

/* ---- writing ---- */

typedef struct gb_thrift_out {
    unsigned char *data;
    size_t size, room;
    int last[16]; /* the last field's number of each open struct */
    int depth;
    bool failed; /* out of memory: everything later is ignored, finish says so */
} gb_thrift_out;

/* A zeroed gb_thrift_out begins a struct. Field 0 means an item of a list: no head is written. */
void gb_thrift_put_int(gb_thrift_out *out, int field, gb_thrift_type type, int64_t value);
void gb_thrift_put_bool(gb_thrift_out *out, int field, bool value);
void gb_thrift_put_binary(gb_thrift_out *out, int field, const void *data, size_t size);
void gb_thrift_put_text(gb_thrift_out *out, int field, const char *text);
void gb_thrift_put_list(gb_thrift_out *out, int field, gb_thrift_type item, int64_t count);
void gb_thrift_begin(gb_thrift_out *out, int field); /* a struct */
void gb_thrift_end(gb_thrift_out *out);              /* also of the outermost */
/* GB_ERR_MEMORY when something did not fit. Free data in any case. */
GB_MUST gb_status gb_thrift_finish(const gb_thrift_out *out);

#endif
