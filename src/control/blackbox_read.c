/* control/blackbox_read.c: reads a black box and follows its chain. Files are hostile: every size
 * is checked before it is used. What records mean for a policy is replay.c's. */
#include "control/blackbox_read.h"

#include "record/recording_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct gb_box_reader {
    char *origin;
    gb_mcap_reader *mcap;
    gb_arena *arena; /* the header's */
    gb_box_header header;
    gb_stream_spec spec; /* of the stream of blocks */
    gb_decoded decoded;
    bool cut, has_header, closed;
    unsigned char hash[GB_HASH_BYTES];
    uint64_t count; /* records so far */

    const unsigned char
        *block; /* records of the present block, up to `end`; valid until the next */
    const unsigned char *end;
    uint32_t left; /* of the block's records */

    void *record; /* [room] the present one, aligned */
    size_t room;
};

/* ---- what is whole of a cut file goes to a nameless one ---- */

typedef struct temporary {
    gb_bytes_out base;
    FILE *file;
    bool closed;
} temporary;

static gb_status temporary_write(gb_bytes_out *out, const void *data, size_t size)
{
    temporary *to = (temporary *)out;
    if (fwrite(data, 1, size, to->file) == size)
        return GB_OK;
    return gb_fail(GB_ERR_IO, "no room for a temporary file; set TMPDIR to a larger disk");
}

static gb_status temporary_close(gb_bytes_out *out)
{
    temporary *to = (temporary *)out;
    to->closed = fflush(to->file) == 0;
    return to->closed ? GB_OK : gb_fail(GB_ERR_IO, "no room for a temporary file");
}

static void temporary_abandon(gb_bytes_out *out)
{
    (void)out; /* the file goes when it is closed */
}

/* bytes: taken over. */
static gb_status salvage(gb_bytes_in *bytes, gb_bytes_in **out)
{
    char path[64];
    gb_mcap_recovery found;
    temporary to = {.base = {temporary_write, temporary_close, temporary_abandon}};
    to.file = tmpfile();
    if (!to.file) {
        bytes->close(bytes);
        return gb_fail(GB_ERR_IO, "no temporary file can be made, to read a file that was cut");
    }
    gb_status status = gb_mcap_recover(bytes, &to.base, &found);
    if (status == GB_OK) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fileno(to.file));
        status = gb_bytes_in_file(path, out); /* a map outlives the file's name and number */
    }
    fclose(to.file);
    return status;
}

/* ---- opening ---- */

static gb_status find_stream(gb_box_reader *r)
{
    int count = gb_mcap_reader_channel_count(r->mcap);
    for (int i = 0; i < count; i++) {
        const gb_mcap_channel *channel = gb_mcap_reader_channel_at(r->mcap, i);
        const gb_mcap_schema *schema = gb_mcap_reader_schema(r->mcap, channel->schema_id);
        if (strcmp(channel->topic, GB_BOX_STREAM) != 0 || !schema ||
            strcmp(schema->name, gb_message_schema_of(GB_MESSAGE_BYTES)->name) != 0)
            continue;
        gb_mcap_filter only = {.channels = &channel->id, .channel_count = 1};
        return gb_mcap_rewind(r->mcap, &only);
    }
    return gb_fail(GB_ERR_MISMATCH,
                   "%s is no black box: it has no stream \"%s\"; genba run --log writes one",
                   r->origin, GB_BOX_STREAM);
}

static gb_status read_header(gb_box_reader *r)
{
    gb_box_record first;
    bool have = false;
    GB_TRY(gb_box_reader_next(r, &first, &have));
    if (!have)
        return gb_fail(GB_ERR_CORRUPT, "%s: no record is in it: it was cut within its first second",
                       r->origin);
    if (first.kind != GB_BOX_HEADER)
        return gb_fail(GB_ERR_CORRUPT, "%s: the black box does not begin with its header",
                       r->origin);
    GB_TRY(gb_box_header_parse(first.bytes, first.size, r->arena, &r->header));
    r->has_header = true;
    return GB_OK;
}

static gb_status open_mcap(gb_box_reader *r, gb_bytes_in *bytes)
{
    gb_bytes_in *again = NULL, *whole = NULL;
    bool is_file = bytes->origin && gb_file_exists(bytes->origin);
    gb_status status = gb_mcap_reader_create(bytes, &r->mcap);
    if (status != GB_ERR_CORRUPT || !is_file)
        return status;
    GB_TRY(gb_bytes_in_file(r->origin, &again));
    GB_TRY(salvage(again, &whole));
    r->cut = true;
    return gb_mcap_reader_create(whole, &r->mcap);
}

gb_status gb_box_reader_open(gb_bytes_in *bytes, gb_box_reader **out)
{
    gb_box_reader *r = calloc(1, sizeof *r);
    char *origin = strdup(bytes->origin ? bytes->origin : "memory");
    if (!r || !origin) {
        bytes->close(bytes);
        free(origin);
        free(r);
        return gb_fail(GB_ERR_MEMORY, "no memory to read a black box");
    }
    r->origin = origin;
    r->spec = gb_stream_spec_defaults(GB_BOX_STREAM);
    r->spec.value_type = GB_VALUE_BYTES;
    gb_status status = open_mcap(r, bytes);
    if (status == GB_OK)
        status = gb_arena_create(0, &r->arena);
    if (status == GB_OK)
        status = find_stream(r);
    if (status == GB_OK)
        status = read_header(r);
    if (status != GB_OK) {
        if (!strstr(gb_error_message(), r->origin))
            status = gb_fail_context(status, "%s", r->origin);
        gb_box_reader_destroy(r);
        return status;
    }
    *out = r;
    return GB_OK;
}

void gb_box_reader_destroy(gb_box_reader *r)
{
    if (!r)
        return;
    gb_decoded_free(&r->decoded);
    gb_mcap_reader_destroy(r->mcap);
    gb_arena_destroy(r->arena);
    gb_aligned_free(r->record);
    free(r->origin);
    free(r);
}

const gb_box_header *gb_box_reader_header(const gb_box_reader *r)
{
    return &r->header;
}

bool gb_box_reader_cut(const gb_box_reader *r)
{
    return r->cut;
}

uint64_t gb_box_reader_count(const gb_box_reader *r)
{
    return r->count;
}

const unsigned char *gb_box_reader_hash(const gb_box_reader *r)
{
    return r->hash;
}

/* ---- blocks ---- */

static gb_status fail_block(const gb_box_reader *r, const char *what)
{
    return gb_fail(GB_ERR_CORRUPT, "%s: the block behind record %lld: %s", r->origin,
                   (long long)r->count - 1, what);
}

static gb_status fail_missing(const gb_box_reader *r, uint64_t first)
{
    if (first > r->count)
        return gb_fail(GB_ERR_CORRUPT, "%s: the chain is broken: records %llu to %llu are missing",
                       r->origin, (unsigned long long)r->count, (unsigned long long)first - 1);
    return gb_fail(GB_ERR_CORRUPT,
                   "%s: the chain is broken: record %llu comes a second time, where %llu belongs",
                   r->origin, (unsigned long long)first, (unsigned long long)r->count);
}

static gb_status take_block(gb_box_reader *r, const unsigned char *data, size_t size)
{
    uint32_t version, bytes;
    uint64_t first;
    if (size < GB_BOX_BLOCK_BYTES || memcmp(data, GB_BOX_MAGIC, 4) != 0)
        return fail_block(r, "it is none");
    memcpy(&version, data + 4, 4);
    memcpy(&first, data + 8, 8);
    memcpy(&r->left, data + 48, 4);
    memcpy(&bytes, data + 52, 4);
    if (version != GB_BOX_VERSION)
        return gb_fail(GB_ERR_UNSUPPORTED, "%s: black box version %lu; this genba reads %d",
                       r->origin, (unsigned long)version, GB_BOX_VERSION);
    if (bytes != size - GB_BOX_BLOCK_BYTES || r->left == 0)
        return fail_block(r, "its length is wrong");
    if (first != r->count)
        return fail_missing(r, first);
    if (memcmp(data + 16, r->hash, GB_HASH_BYTES) != 0)
        return gb_fail(GB_ERR_CORRUPT,
                       "%s: the chain is broken before record %llu: what stands before it is not "
                       "what was recorded",
                       r->origin, (unsigned long long)first);
    r->block = data + GB_BOX_BLOCK_BYTES;
    r->end = data + size;
    return GB_OK;
}

static gb_status next_block(gb_box_reader *r, bool *have)
{
    gb_mcap_message message;
    GB_TRY(gb_mcap_next(r->mcap, &message, have));
    if (!*have)
        return GB_OK;
    gb_status status =
        gb_decode_message(GB_MESSAGE_BYTES, &r->spec, message.data, message.size, &r->decoded);
    if (status != GB_OK)
        return gb_fail_context(status, "%s", r->origin);
    if (r->closed)
        return gb_fail(GB_ERR_CORRUPT, "%s: records follow the one that closed the black box",
                       r->origin);
    return take_block(r, r->decoded.samples.runs[0], r->decoded.samples.run_sizes[0]);
}

/* ---- records ---- */

static gb_status check_size(const gb_box_reader *r, gb_box_kind kind, size_t size)
{
    size_t expected = 0;
    bool begins = r->count == 0;
    switch (kind) {
    case GB_BOX_HEADER:
        expected = begins && size <= GB_BOX_HEADER_LIMIT ? size : 0;
        break;
    case GB_BOX_TICK:
        expected = r->has_header ? gb_tick_bytes(r->header.machine) : 0;
        break;
    case GB_BOX_DECISION:
        expected =
            r->has_header && r->header.horizon > 0
                ? gb_box_decision_bytes(r->header.machine, r->header.look_back, r->header.horizon)
                : 0;
        break;
    case GB_BOX_LOST:
    case GB_BOX_CLOSE:
        expected = r->has_header ? sizeof(gb_box_totals) : 0;
        break;
    }
    if (expected == size && size > 0)
        return GB_OK;
    return gb_fail(GB_ERR_CORRUPT, "%s: record %llu of kind %d has %zu bytes, not %zu", r->origin,
                   (unsigned long long)r->count, (int)kind, size, expected);
}

static gb_status keep_record(gb_box_reader *r, const unsigned char *bytes, size_t size)
{
    if (size > r->room) {
        gb_aligned_free(r->record);
        r->room = 0;
        r->record = gb_aligned_alloc(size);
        if (!r->record)
            return GB_ERR_MEMORY;
        r->room = size;
    }
    memcpy(r->record, bytes, size);
    return GB_OK;
}

static gb_status fail_record(const gb_box_reader *r, gb_box_kind kind)
{
    char which[64] = "";
    if (kind == GB_BOX_TICK)
        snprintf(which, sizeof which, " (tick %llu)",
                 (unsigned long long)((const gb_tick *)r->record)->tick);
    else if (kind == GB_BOX_DECISION)
        snprintf(which, sizeof which, " (decision %llu)",
                 (unsigned long long)((const gb_decision *)r->record)->chunk);
    return gb_fail(GB_ERR_CORRUPT,
                   "%s: the chain is broken at record %llu%s: its hash does not follow from what "
                   "stands there; it was changed",
                   r->origin, (unsigned long long)r->count, which);
}

static gb_status take_record(gb_box_reader *r, gb_box_record *out)
{
    uint32_t head[2];
    size_t left = (size_t)(r->end - r->block);
    if (left < GB_BOX_RECORD_BYTES)
        return fail_block(r, "it ends within a record");
    memcpy(head, r->block, sizeof head);
    gb_box_kind kind = (gb_box_kind)head[0];
    size_t size = head[1];
    if (size > left - GB_BOX_RECORD_BYTES)
        return fail_block(r, "it ends within a record");
    GB_TRY(check_size(r, kind, size));
    GB_TRY(keep_record(r, r->block + GB_BOX_RECORD_BYTES, size));
    unsigned char hash[GB_HASH_BYTES];
    memcpy(hash, r->hash, sizeof hash);
    gb_box_hash(hash, kind, r->record, size);
    if (memcmp(hash, r->block + 8, GB_BOX_CHECK_BYTES) != 0)
        return fail_record(r, kind);
    memcpy(r->hash, hash, sizeof hash);
    *out = (gb_box_record){kind, r->count++, r->record, size};
    r->block += GB_BOX_RECORD_BYTES + size;
    r->left--;
    r->closed = kind == GB_BOX_CLOSE;
    if (r->left == 0 && r->block != r->end)
        return fail_block(r, "bytes are left behind its records");
    if (r->closed && r->left > 0)
        return fail_block(r, "records follow the one that closed the black box");
    return GB_OK;
}

gb_status gb_box_reader_next(gb_box_reader *r, gb_box_record *out, bool *have)
{
    bool more = true;
    if (r->left == 0)
        GB_TRY(next_block(r, &more));
    if (more)
        GB_TRY(take_record(r, out));
    *have = more;
    return GB_OK;
}

/* ---- the envelope ---- */

/* Other programs may show any attachment of that name, so each must be the one. */
gb_status gb_box_reader_check_envelope(gb_box_reader *r)
{
    gb_mcap_attachment attachment;
    unsigned char hash[GB_HASH_BYTES];
    char hex[2 * GB_HASH_BYTES + 1];
    bool used = r->header.envelope_hash[0] != 0, found = false;
    for (int i = 0;; i++) {
        gb_status status = gb_mcap_attachment_at(r->mcap, i, &attachment);
        if (status == GB_ERR_NOT_FOUND)
            break;
        GB_TRY(status);
        if (strcmp(attachment.name, GB_BOX_ENVELOPE) != 0)
            continue;
        found = true;
        gb_hash(attachment.data, (size_t)attachment.size, hash);
        gb_hash_hex(hash, hex);
        if (strcmp(hex, r->header.envelope_hash) != 0)
            return gb_fail(GB_ERR_CORRUPT, "%s: %s", r->origin,
                           used ? "the attached envelope is not the one that was used"
                                : "an envelope is attached, and none was used");
    }
    if (used && !found)
        return gb_fail(GB_ERR_CORRUPT, "%s: the envelope that was used is not attached", r->origin);
    return GB_OK;
}
