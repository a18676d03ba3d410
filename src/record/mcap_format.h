/* mcap_format.h: the parts every reader and writer of MCAP shares: opcodes, limits, little-endian
 * fields in and out with every read checked, records, and the table of schemas and channels.
 * The format: https://mcap.dev/spec. */
#ifndef GENBA_RECORD_MCAP_FORMAT_H
#define GENBA_RECORD_MCAP_FORMAT_H

#include "genba/mcap.h"

typedef enum gb_mcap_op {
    GB_MCAP_HEADER = 0x01,
    GB_MCAP_FOOTER = 0x02,
    GB_MCAP_SCHEMA = 0x03,
    GB_MCAP_CHANNEL = 0x04,
    GB_MCAP_MESSAGE = 0x05,
    GB_MCAP_CHUNK = 0x06,
    GB_MCAP_MESSAGE_INDEX = 0x07,
    GB_MCAP_CHUNK_INDEX = 0x08,
    GB_MCAP_ATTACHMENT = 0x09,
    GB_MCAP_ATTACHMENT_INDEX = 0x0a,
    GB_MCAP_STATISTICS = 0x0b,
    GB_MCAP_METADATA = 0x0c,
    GB_MCAP_METADATA_INDEX = 0x0d,
    GB_MCAP_SUMMARY_OFFSET = 0x0e,
    GB_MCAP_DATA_END = 0x0f
} gb_mcap_op;

enum {
    GB_MCAP_MAGIC_BYTES = 8,
    GB_MCAP_HEAD_BYTES = 9,         /* opcode and length, before a record's body */
    GB_MCAP_MESSAGE_BYTES = 22,     /* of a message's body before its data */
    GB_MCAP_FOOTER_BYTES = 20,      /* of the footer's body */
    GB_MCAP_CHUNK_LIMIT = 1 << 30,  /* of a chunk's records, and so of a message */
    GB_MCAP_TABLE_LIMIT = 256 << 20 /* of all schemas and channels of a file */
};
extern const unsigned char gb_mcap_magic[GB_MCAP_MAGIC_BYTES];

/* ---- fields in --------------------------------------------------------------------------------
 * A read beyond the end sets `over` and gives zeros; callers look at `over` once, at the end. */
typedef struct gb_mcap_cursor {
    const unsigned char *data; /* [size] */
    size_t size, at;
    bool over;
} gb_mcap_cursor;

typedef struct gb_mcap_text { /* not ended by a zero */
    const unsigned char *data;
    size_t size;
} gb_mcap_text;

gb_mcap_cursor gb_mcap_cursor_over(const void *data, size_t size);
uint8_t gb_mcap_get_u8(gb_mcap_cursor *from);
uint16_t gb_mcap_get_u16(gb_mcap_cursor *from);
uint32_t gb_mcap_get_u32(gb_mcap_cursor *from);
uint64_t gb_mcap_get_u64(gb_mcap_cursor *from);
/* size bytes in place; a valid pointer to nothing when there are fewer. */
const unsigned char *gb_mcap_get_bytes(gb_mcap_cursor *from, uint64_t size);
gb_mcap_text gb_mcap_get_text(gb_mcap_cursor *from); /* u32 length, bytes */
/* A cursor over a field that its u32 length of bytes precedes: a map, an array. */
gb_mcap_cursor gb_mcap_get_block(gb_mcap_cursor *from);
bool gb_mcap_text_is(gb_mcap_text text, const char *wanted);

/* ---- fields out: a growing buffer; running out of memory sets `failed` ---- */
typedef struct gb_mcap_buffer {
    unsigned char *data;
    size_t size, capacity;
    bool failed;
} gb_mcap_buffer;

/* Room for `more` bytes behind the end; false (and `failed`) when there is no memory. */
bool gb_mcap_buffer_reserve(gb_mcap_buffer *buffer, size_t more);
void gb_mcap_buffer_free(gb_mcap_buffer *buffer);
void gb_mcap_put_u8(gb_mcap_buffer *to, uint8_t value);
void gb_mcap_put_u16(gb_mcap_buffer *to, uint16_t value);
void gb_mcap_put_u32(gb_mcap_buffer *to, uint32_t value);
void gb_mcap_put_u64(gb_mcap_buffer *to, uint64_t value);
void gb_mcap_put_bytes(gb_mcap_buffer *to, const void *data, size_t size);
void gb_mcap_put_text(gb_mcap_buffer *to, const char *text);
void gb_mcap_put_pairs(gb_mcap_buffer *to, const gb_pair *pairs, int count);
/* Opcode and a length of 0; returns where, for gb_mcap_put_end, which fills the length in. */
size_t gb_mcap_put_begin(gb_mcap_buffer *to, gb_mcap_op op);
void gb_mcap_put_end(gb_mcap_buffer *to, size_t begin);
/* The 31 bytes before a message's data. */
void gb_mcap_put_message_head(gb_mcap_buffer *to, const gb_mcap_message *message, size_t size);

/* ---- records of a file ---- */
typedef struct gb_mcap_record {
    uint8_t op;
    uint64_t at;   /* of the opcode */
    uint64_t size; /* of the body */
    uint64_t end;  /* the byte behind it */
} gb_mcap_record;

/* The record at `at`, which must end at or before `limit` (<= in->size); the body is not read. */
gb_status gb_mcap_record_at(gb_bytes_in *in, uint64_t at, uint64_t limit, gb_mcap_record *out);
/* Its body; borrowed as gb_bytes_in.read says. */
gb_status gb_mcap_record_body(gb_bytes_in *in, const gb_mcap_record *record, gb_mcap_cursor *out);
/* Continues *crc over the bytes [from, to) of the file, in pieces. */
gb_status gb_mcap_crc_range(gb_bytes_in *in, uint64_t from, uint64_t to, uint32_t *crc);
/* GB_ERR_CORRUPT: "ORIGIN: byte AT: WHAT; genba recover ORIGIN saves what is whole". */
gb_status gb_mcap_damaged(const gb_bytes_in *in, uint64_t at, const char *what, ...)
    GB_PRINTF(3, 4);
const char *gb_mcap_op_name(uint8_t op);

/* The next record among those of a chunk. False at the end, and, with `over` set, when what is left
 * is no whole record. */
bool gb_mcap_inner_record(gb_mcap_cursor *records, uint8_t *out_op, gb_mcap_cursor *out_body);

typedef struct gb_mcap_chunk {
    uint64_t first_ns, last_ns; /* log times of its messages */
    uint64_t size;              /* of its records, decompressed */
    uint32_t crc;               /* of the same; 0: none */
    gb_compression compression;
    const unsigned char *packed; /* [packed_size] the records as stored */
    size_t packed_size;
    bool cut; /* packed ends before its length says */
} gb_mcap_chunk;

/* Reads the fields of a chunk's body. A chunk whose body is cut is fine as long as its fields are
 * there: `cut` says so. GB_ERR_UNSUPPORTED: a compression unknown here. */
gb_status
gb_mcap_chunk_parse(const gb_bytes_in *in, uint64_t at, gb_mcap_cursor body, gb_mcap_chunk *out);

/* What lies at the front of a message record. out->data points into the body. False: too short. */
bool gb_mcap_message_parse(gb_mcap_cursor body, gb_mcap_message *out);

/* A copy that ends with a zero; a text with a zero inside is GB_ERR_CORRUPT. */
gb_status gb_mcap_copy_text(
    const gb_bytes_in *in, uint64_t at, gb_mcap_text text, gb_arena *arena, const char **out);
/* An attachment's body; CRC checked when it has one. Texts are copied into the arena. */
gb_status gb_mcap_attachment_parse(const gb_bytes_in *in,
                                   uint64_t at,
                                   gb_mcap_cursor body,
                                   gb_arena *arena,
                                   gb_mcap_attachment *out);
gb_status gb_mcap_metadata_parse(const gb_bytes_in *in,
                                 uint64_t at,
                                 gb_mcap_cursor body,
                                 gb_arena *arena,
                                 gb_mcap_metadata *out);

/* ---- schemas and channels of a file, by id ---- */
enum {
    GB_MCAP_PAGES = 256 /* of 256 ids each */
};
typedef struct gb_mcap_table {
    gb_arena *arena;
    gb_mcap_schema **schemas[GB_MCAP_PAGES];
    gb_mcap_channel **channels[GB_MCAP_PAGES];
    gb_mcap_channel **order; /* [channel_count] as met first */
    int channel_count, schema_count, order_capacity;
} gb_mcap_table;

gb_status gb_mcap_table_init(gb_mcap_table *table);
void gb_mcap_table_free(gb_mcap_table *table);
gb_mcap_schema *gb_mcap_table_schema(const gb_mcap_table *table, uint16_t id);
gb_mcap_channel *gb_mcap_table_channel(const gb_mcap_table *table, uint16_t id);
/* Adds what a Schema or Channel record says; one whose id is known already must say the same. */
gb_status gb_mcap_table_add(
    gb_mcap_table *table, const gb_bytes_in *in, uint64_t at, uint8_t op, gb_mcap_cursor body);

#endif
