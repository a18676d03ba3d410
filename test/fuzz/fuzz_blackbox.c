/* Any bytes as a black box: as blocks of the chain, as its header, and as a whole file. A status or
 * a replay of what is there, never a crash. */
#include "control/blackbox_format.h"
#include "control/replay.h"
#include "record/recording_file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Records are framed and chained as a writer would, so that what they say is reached: each piece of
 * the input is a record, its first byte the kind and the next two its size. */
typedef struct block {
    unsigned char *bytes;
    size_t size;
    uint32_t records;
    unsigned char hash[GB_HASH_BYTES];
} block;

static void put(block *b, uint32_t kind, const void *bytes, uint32_t size)
{
    unsigned char *to = b->bytes + b->size;
    uint32_t head[2] = {kind, size};
    gb_box_hash(b->hash, (gb_box_kind)kind, bytes, size);
    memcpy(to, head, sizeof head);
    memcpy(to + 8, b->hash, GB_BOX_CHECK_BYTES);
    memcpy(to + GB_BOX_RECORD_BYTES, bytes, size);
    b->size += GB_BOX_RECORD_BYTES + size;
    b->records++;
}

static gb_status end_block(block *b, gb_recording_writer *writer, int stream)
{
    uint32_t version = GB_BOX_VERSION, bytes = (uint32_t)(b->size - GB_BOX_BLOCK_BYTES);
    memset(b->bytes, 0, GB_BOX_BLOCK_BYTES);
    memcpy(b->bytes, GB_BOX_MAGIC, 4);
    memcpy(b->bytes + 4, &version, 4);
    memcpy(b->bytes + 48, &b->records, 4);
    memcpy(b->bytes + 52, &bytes, 4);
    int64_t time_ns = 0;
    const unsigned char *run = b->bytes;
    gb_samples one = {.count = 1, .time_ns = &time_ns, .runs = &run, .run_sizes = &b->size};
    return gb_recording_writer_append(writer, stream, &one);
}

/* ---- memory as a file ---- */

typedef struct memory {
    gb_bytes_out base;
    unsigned char *bytes;
    size_t size, room;
} memory;

static gb_status memory_write(gb_bytes_out *out, const void *data, size_t size)
{
    memory *m = (memory *)out;
    if (m->size + size > m->room) {
        m->room = 2 * (m->size + size);
        m->bytes = realloc(m->bytes, m->room);
        if (!m->bytes)
            abort();
    }
    memcpy(m->bytes + m->size, data, size);
    m->size += size;
    return GB_OK;
}

static gb_status memory_close(gb_bytes_out *out)
{
    (void)out;
    return GB_OK;
}

static void memory_abandon(gb_bytes_out *out)
{
    (void)out;
}

/* ---- a policy of any size ---- */

static gb_status
decide(void *context, const double *observations, uint64_t seed, uint64_t tick, double *actions)
{
    (void)context;
    (void)tick;
    actions[0] = observations[0] + (double)seed;
    return GB_OK;
}

static gb_status decide_after(void *context,
                              const double *observations,
                              uint64_t seed,
                              uint64_t tick,
                              const gb_policy_prefix *prefix,
                              double *actions)
{
    if (prefix->count < 1 || prefix->frozen > prefix->count || prefix->soft > prefix->count)
        abort();
    actions[0] = prefix->actions[0];
    return decide(context, observations, seed, tick, actions);
}

static gb_status make(const void *context, const gb_plant_info *plant, gb_policy *out)
{
    (void)context;
    if (plant->observation_size < 1 || plant->action_size < 1)
        return gb_fail(GB_ERR_MISMATCH, "nothing to do");
    *out = (gb_policy){
        .look_back = 1, .horizon = 4, .execute = 2, .decide = decide, .decide_after = decide_after};
    return GB_OK;
}

static void replay(const void *data, size_t size)
{
    gb_bytes_in *bytes = NULL;
    gb_replay_result result;
    if (gb_bytes_in_memory(data, size, "fuzz", &bytes) == GB_OK)
        (void)gb_replay_bytes(bytes, size % 2 ? make : NULL, NULL, "00", &result);
}

static const char header[] =
    "{\"format\":\"genba.blackbox\",\"version\":1,\"nonce\":\"\",\"started_wall_ns\":0,"
    "\"link\":\"plant:x\",\"tick_ns\":1000000,\"model\":{\"name\":\"m\",\"hash\":\"00\","
    "\"look_back\":1,\"horizon\":4,\"execute\":2},\"envelope_hash\":\"\",\"machine\":{\"name\":"
    "\"x\",\"period_ns\":4000000,\"tick_ns\":1000000,\"observations\":[{\"name\":\"o\",\"kind\":"
    "\"scalar\",\"unit\":\"1\",\"semantic\":\"\",\"shape\":[1],\"wrap\":0,\"hold\":false,\"low\":"
    "[null],\"high\":null}],\"actions\":[{\"name\":\"a\",\"kind\":\"action\",\"unit\":\"1\","
    "\"semantic\":\"\",\"shape\":[1],\"wrap\":0,\"hold\":false,\"low\":null,\"high\":[1.5]}]}}";

static void as_records(const uint8_t *data, size_t size, bool own_header)
{
    block b = {.bytes = malloc(GB_BOX_BLOCK_BYTES + sizeof header + 20 * size + 4096)};
    memory out = {.base = {memory_write, memory_close, memory_abandon}};
    gb_recording_host host = {0};
    gb_recording_writer *writer = NULL;
    gb_recording_info info = {.name = "fuzz"};
    gb_recording_file_options options = gb_recording_file_options_defaults();
    gb_stream_spec spec = gb_stream_spec_defaults(GB_BOX_STREAM);
    int stream = 0;
    if (!b.bytes)
        abort();
    b.size = GB_BOX_BLOCK_BYTES;
    spec.value_type = GB_VALUE_BYTES;
    if (!own_header)
        put(&b, GB_BOX_HEADER, header, sizeof header - 1);
    while (size >= 3) {
        uint32_t kind = data[0] % 7, length = data[1] + 256u * (data[2] & 7u);
        static const uint32_t exact[] = {0, 0, 120 + 24, 72 + 80, 32, 32, 0};
        length = exact[kind] && data[2] & 8 ? exact[kind] : length;
        data += 3;
        size -= 3;
        length = length < size ? length : (uint32_t)size;
        put(&b, kind, data, length);
        data += length;
        size -= length;
    }
    if (gb_recording_writer_create(&host, &info, NULL, &writer) != GB_OK ||
        gb_recording_writer_open(writer, &out.base, &options) != GB_OK ||
        gb_recording_writer_stream(writer, &spec, &stream) != GB_OK ||
        end_block(&b, writer, stream) != GB_OK || gb_recording_writer_finish(writer) != GB_OK)
        abort();
    replay(out.bytes, out.size);
    gb_recording_writer_destroy(writer);
    free(out.bytes);
    free(b.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 4 == 0)
        replay(data + 1, size - 1);
    else
        as_records(data + 1, size - 1, data[0] % 4 == 1);
    return 0;
}
