/* MCAP files: all ways of writing come back the same; files of ROS 2; filters and the order of
 * time; damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "record/mcap_memory.h"

enum {
    MESSAGES = 45,
    CHANNELS = 3
};

/* ---- known contents ---- */

static size_t message_size(int i)
{
    return i == 17 ? 1500 : (size_t)(i * 7 % 90); /* one is longer than a chunk */
}

static void fill_message(int i, unsigned char *data)
{
    for (size_t k = 0; k < message_size(i); k++)
        data[k] = (unsigned char)(i + (int)(k / 8));
}

/* Times step back now and then, as those of real recorders do. */
static uint64_t message_time(int i)
{
    return 1000000 + (uint64_t)(i * 100) - (i % 10 == 9 ? 350 : 0);
}

static gb_mcap_message message_of(int i, unsigned char *data)
{
    fill_message(i, data);
    return (gb_mcap_message){.channel_id = (uint16_t)(i % CHANNELS),
                             .sequence = (uint32_t)i,
                             .log_time_ns = message_time(i),
                             .publish_time_ns = message_time(i) - 5,
                             .data = data,
                             .size = message_size(i)};
}

static void write_definitions(gb_mcap_writer *writer)
{
    gb_mcap_schema schema = {.name = "pose", .encoding = "ros2msg", .data = (const void *)"x y z"};
    schema.size = 5;
    uint16_t schema_id = 0, id = 0;
    assert_int_equal(gb_mcap_write_schema(writer, &schema, &schema_id), GB_OK);
    assert_int_equal(schema_id, 1);
    const gb_pair pairs[] = {{"unit", "rad"}, {"clock", ""}};
    static const char *const topics[CHANNELS] = {"/a", "/b", "/empty schema"};
    for (int i = 0; i < CHANNELS; i++) {
        gb_mcap_channel channel = {.topic = topics[i], .encoding = "cdr", .pairs = pairs};
        channel.pair_count = i;
        channel.schema_id = i < 2 ? 1 : 0;
        assert_int_equal(gb_mcap_write_channel(writer, &channel, &id), GB_OK);
        assert_int_equal(id, i);
    }
}

static const char attached[] = "a drawing of the cell";

static void write_all(gb_mcap_writer *writer)
{
    unsigned char data[4096];
    write_definitions(writer);
    for (int i = 0; i < MESSAGES; i++) {
        gb_mcap_message message = message_of(i, data);
        gb_piece parts[] = {{data, message.size / 3},
                            {data + message.size / 3, message.size - message.size / 3}};
        if (i % 2 == 0)
            assert_int_equal(gb_mcap_write_message(writer, &message), GB_OK);
        else
            assert_int_equal(gb_mcap_write_message_pieces(writer, &message, parts, 2), GB_OK);
        if (i == 20) {
            gb_mcap_attachment attachment = {
                7, 8, "drawing.txt", "text/plain", (const void *)attached, sizeof attached};
            assert_int_equal(gb_mcap_write_attachment(writer, &attachment), GB_OK);
        }
        if (i == 30) {
            const gb_pair pairs[] = {{"owner", "line 3"}, {"lot", "17"}};
            gb_mcap_metadata metadata = {"labels", pairs, 2};
            assert_int_equal(gb_mcap_write_metadata(writer, &metadata), GB_OK);
        }
        if (i == 40)
            assert_int_equal(gb_mcap_writer_flush(writer), GB_OK);
    }
}

static memory_file written(const gb_mcap_writer_options *options)
{
    memory_file file = {0};
    gb_mcap_writer *writer = NULL;
    assert_int_equal(gb_mcap_writer_create(memory_target(&file), options, &writer), GB_OK);
    write_all(writer);
    assert_int_equal(gb_mcap_writer_finish(writer), GB_OK);
    assert_true(file.closed);
    return file;
}

static gb_mcap_reader *opened(const memory_file *file)
{
    gb_bytes_in *in = NULL;
    gb_mcap_reader *reader = NULL;
    assert_int_equal(gb_bytes_in_memory(file->data, file->size, "test.mcap", &in), GB_OK);
    if (gb_mcap_reader_create(in, &reader) != GB_OK)
        fail_msg("%s", gb_error_message());
    return reader;
}

static void expect(const gb_mcap_message *message, int i)
{
    unsigned char data[4096];
    gb_mcap_message wanted = message_of(i, data);
    assert_int_equal(message->channel_id, wanted.channel_id);
    assert_int_equal(message->sequence, wanted.sequence);
    assert_true(message->log_time_ns == wanted.log_time_ns);
    assert_true(message->publish_time_ns == wanted.publish_time_ns);
    assert_int_equal(message->size, wanted.size);
    assert_memory_equal(message->data, wanted.data, wanted.size);
}

/* Whether a message is one of those written, whole. */
static bool is_known(const gb_mcap_message *message)
{
    unsigned char data[4096];
    if (message->sequence >= MESSAGES)
        return false;
    gb_mcap_message wanted = message_of((int)message->sequence, data);
    return message->channel_id == wanted.channel_id && message->size == wanted.size &&
           message->log_time_ns == wanted.log_time_ns &&
           message->publish_time_ns == wanted.publish_time_ns &&
           memcmp(message->data, wanted.data, wanted.size) == 0;
}

static void check_definitions(const gb_mcap_reader *reader)
{
    assert_int_equal(gb_mcap_reader_channel_count(reader), CHANNELS);
    for (int i = 0; i < CHANNELS; i++) {
        const gb_mcap_channel *channel = gb_mcap_reader_channel_at(reader, i);
        assert_ptr_equal(channel, gb_mcap_reader_channel(reader, (uint16_t)i));
        assert_string_equal(channel->encoding, "cdr");
        assert_int_equal(channel->pair_count, i);
    }
    const gb_mcap_channel *b = gb_mcap_reader_channel(reader, 1);
    assert_string_equal(b->topic, "/b");
    assert_string_equal(gb_pair_find(b->pairs, b->pair_count, "unit"), "rad");
    assert_null(gb_mcap_reader_channel_at(reader, CHANNELS));
    assert_null(gb_mcap_reader_channel(reader, 999));
    const gb_mcap_schema *schema = gb_mcap_reader_schema(reader, b->schema_id);
    assert_string_equal(schema->name, "pose");
    assert_memory_equal(schema->data, "x y z", 5);
    assert_null(gb_mcap_reader_schema(reader, 0));
}

static void check_extras(gb_mcap_reader *reader)
{
    gb_mcap_attachment attachment;
    gb_mcap_metadata metadata;
    assert_int_equal(gb_mcap_attachment_at(reader, 0, &attachment), GB_OK);
    assert_string_equal(attachment.name, "drawing.txt");
    assert_string_equal(attachment.media_type, "text/plain");
    assert_true(attachment.log_time_ns == 7 && attachment.create_time_ns == 8);
    assert_true(attachment.size == sizeof attached);
    assert_memory_equal(attachment.data, attached, sizeof attached);
    assert_int_equal(gb_mcap_attachment_at(reader, 1, &attachment), GB_ERR_NOT_FOUND);
    assert_int_equal(gb_mcap_attachment_at(reader, -1, &attachment), GB_ERR_NOT_FOUND);
    assert_int_equal(gb_mcap_metadata_at(reader, 0, &metadata), GB_OK);
    assert_string_equal(metadata.name, "labels");
    assert_string_equal(gb_pair_find(metadata.pairs, metadata.pair_count, "lot"), "17");
    assert_int_equal(gb_mcap_metadata_at(reader, 1, &metadata), GB_ERR_NOT_FOUND);
}

static void check_messages(gb_mcap_reader *reader)
{
    gb_mcap_message message;
    bool have = false;
    for (int i = 0; i < MESSAGES; i++) {
        if (gb_mcap_next(reader, &message, &have) != GB_OK)
            fail_msg("message %d: %s", i, gb_error_message());
        assert_true(have);
        expect(&message, i);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(gb_mcap_next(reader, &message, &have), GB_OK);
        assert_false(have);
    }
}

/* Every combination of options; a number in [0, COMBINATIONS). */
enum {
    COMBINATIONS = 2 * 3 * 2 * 2
};

static gb_mcap_writer_options combination(int number)
{
    gb_mcap_writer_options options = gb_mcap_writer_options_defaults();
    options.chunked = number % 2 == 0;
    options.compression = (gb_compression)(number / 2 % 3);
    options.indexes = number / 6 % 2 == 0;
    options.crcs = number / 12 == 0;
    options.chunk_bytes = 1024;
    options.profile = "ros2";
    return options;
}

/* ---- tests ---- */

static void all_ways_come_back_the_same(void **state)
{
    (void)state;
    for (int c = 0; c < COMBINATIONS; c++) {
        gb_mcap_writer_options options = combination(c);
        memory_file file = written(&options);
        gb_mcap_reader *reader = opened(&file);
        assert_string_equal(gb_mcap_reader_profile(reader), "ros2");
        assert_memory_equal(gb_mcap_reader_library(reader), "genba ", 6);
        gb_mcap_statistics s;
        assert_int_equal(gb_mcap_reader_statistics(reader, &s), GB_OK);
        assert_true(s.message_count == MESSAGES && s.schema_count == 1);
        assert_true(s.channel_count == CHANNELS && s.attachment_count == 1);
        assert_true(s.metadata_count == 1 && s.from_file == options.indexes);
        assert_true(options.chunked ? s.chunk_count > 4 : s.chunk_count == 0);
        assert_true(s.first_time_ns == 1000000 && s.last_time_ns == message_time(MESSAGES - 1));
        check_definitions(reader);
        check_messages(reader);
        check_extras(reader);
        if (gb_mcap_verify(reader) != GB_OK)
            fail_msg("combination %d: %s", c, gb_error_message());
        assert_int_equal(gb_mcap_rewind(reader, NULL), GB_OK);
        check_messages(reader);
        gb_mcap_reader_destroy(reader);
        free(file.data);
    }
}

static void filters_and_the_order_of_time(void **state)
{
    (void)state;
    for (int c = 0; c < COMBINATIONS; c++) {
        gb_mcap_writer_options options = combination(c);
        memory_file file = written(&options);
        gb_mcap_reader *reader = opened(&file);
        const uint16_t channels[] = {2, 0};
        for (int by_time = 0; by_time < 2; by_time++)
            for (int some = 0; some < 2; some++)
                for (uint64_t first = 999000; first < 1006000; first += 1700) {
                    gb_mcap_filter filter = {.first_ns = first, .end_ns = first + 3000};
                    filter.by_time = by_time == 1;
                    filter.channels = some == 1 ? channels : NULL;
                    filter.channel_count = some == 1 ? 2 : 0;
                    int wanted = 0, found = 0;
                    for (int i = 0; i < MESSAGES; i++)
                        wanted += message_time(i) >= first && message_time(i) < first + 3000 &&
                                  (some == 0 || i % CHANNELS != 1);
                    assert_int_equal(gb_mcap_rewind(reader, &filter), GB_OK);
                    gb_mcap_message message, last = {0};
                    for (bool have = true; have; found += have) {
                        assert_int_equal(gb_mcap_next(reader, &message, &have), GB_OK);
                        if (!have)
                            break;
                        assert_true(is_known(&message));
                        assert_true(message.log_time_ns >= first);
                        assert_true(message.log_time_ns < first + 3000);
                        assert_true(some == 0 || message.channel_id != 1);
                        assert_true(by_time == 0 || message.log_time_ns >= last.log_time_ns);
                        last = message;
                    }
                    assert_int_equal(found, wanted);
                }
        gb_mcap_reader_destroy(reader);
        free(file.data);
    }
}

static void bytes_do_not_depend_on_the_pool(void **state)
{
    (void)state;
    gb_pool *pool = NULL;
    assert_int_equal(gb_pool_create(3, &pool), GB_OK);
    for (int c = 0; c < COMBINATIONS; c++) {
        gb_mcap_writer_options options = combination(c);
        memory_file alone = written(&options);
        options.pool = pool;
        memory_file together = written(&options);
        assert_int_equal(alone.size, together.size);
        assert_memory_equal(alone.data, together.data, alone.size);
        free(alone.data);
        free(together.data);
    }
    gb_pool_destroy(pool);
}

static void wrong_arguments(void **state)
{
    (void)state;
    gb_mcap_writer_options options = gb_mcap_writer_options_defaults();
    memory_file file = {0};
    gb_mcap_writer *writer = NULL;
    options.chunk_bytes = 3;
    assert_int_equal(gb_mcap_writer_create(memory_target(&file), &options, &writer),
                     GB_ERR_ARGUMENT);
    options.chunk_bytes = 1024;
    options.level = 77;
    assert_int_equal(gb_mcap_writer_create(memory_target(&file), &options, &writer),
                     GB_ERR_ARGUMENT);
    assert_null(writer);
    assert_int_equal(gb_mcap_writer_create(memory_target(&file), NULL, &writer), GB_OK);
    gb_mcap_message message = {.channel_id = 0};
    assert_int_equal(gb_mcap_write_message(writer, &message), GB_ERR_ARGUMENT);
    gb_mcap_channel channel = {.topic = "/x", .encoding = "cdr", .schema_id = 4};
    uint16_t id = 9;
    assert_int_equal(gb_mcap_write_channel(writer, &channel, &id), GB_ERR_ARGUMENT);
    assert_int_equal(id, 9);
    gb_mcap_writer_abandon(writer);
    gb_mcap_writer_abandon(NULL);
    gb_mcap_reader_destroy(NULL);
    free(file.data);

    gb_bytes_in *in = NULL;
    gb_mcap_reader *reader = NULL;
    assert_int_equal(gb_bytes_in_memory("time,value\n1,2\n", 15, "a.csv", &in), GB_OK);
    assert_int_equal(gb_mcap_reader_create(in, &reader), GB_ERR_PARSE);
    assert_non_null(strstr(gb_error_message(), "a.csv is no MCAP file"));
}

/* ---- a disk that is full after some bytes ---- */

typedef struct full_out {
    gb_bytes_out base;
    size_t left;
    int *abandoned;
} full_out;

static gb_status full_write(gb_bytes_out *out, const void *data, size_t size)
{
    full_out *full = (full_out *)out;
    (void)data;
    if (size > full->left)
        return gb_fail(GB_ERR_IO, "the disk is full");
    full->left -= size;
    return GB_OK;
}

static gb_status full_close(gb_bytes_out *out)
{
    free(out);
    return GB_OK;
}

static void full_abandon(gb_bytes_out *out)
{
    *((full_out *)out)->abandoned += 1;
    free(out);
}

/* Writes as long as it goes; what fails once must go on failing, and end in nothing. */
static gb_status write_until_full(size_t room, int *out_abandoned)
{
    full_out *out = malloc(sizeof *out);
    assert_non_null(out);
    *out = (full_out){{full_write, full_close, full_abandon}, room, out_abandoned};
    gb_mcap_writer_options options = combination(0);
    gb_mcap_writer *writer = NULL;
    gb_mcap_channel channel = {.topic = "/a", .encoding = "cdr"};
    uint16_t id = 0;
    unsigned char data[4096];
    GB_TRY(gb_mcap_writer_create(&out->base, &options, &writer));
    gb_status status = GB_OK, last = GB_OK;
    for (int i = 0; i < CHANNELS; i++)
        last = gb_mcap_write_channel(writer, &channel, &id);
    for (int i = 0; i < MESSAGES; i++) {
        gb_mcap_message message = message_of(i, data);
        status = gb_mcap_write_message(writer, &message);
        assert_true(last == GB_OK || status == last);
        last = status;
    }
    gb_status finish = gb_mcap_writer_finish(writer);
    assert_true(last == GB_OK || finish == last);
    return finish;
}

static void a_full_disk_is_reported(void **state)
{
    (void)state;
    bool fitted = false;
    for (size_t room = 0; !fitted; room += 97) {
        int abandoned = 0;
        gb_status status = write_until_full(room, &abandoned);
        fitted = status == GB_OK;
        assert_true(fitted || status == GB_ERR_IO);
        assert_int_equal(abandoned, fitted ? 0 : 1);
    }
}

static void an_empty_file_is_whole(void **state)
{
    (void)state;
    memory_file file = {0};
    gb_mcap_writer *writer = NULL;
    assert_int_equal(gb_mcap_writer_create(memory_target(&file), NULL, &writer), GB_OK);
    assert_int_equal(gb_mcap_writer_finish(writer), GB_OK);
    gb_mcap_reader *reader = opened(&file);
    gb_mcap_message message;
    bool have = true;
    assert_int_equal(gb_mcap_next(reader, &message, &have), GB_OK);
    assert_false(have);
    assert_int_equal(gb_mcap_verify(reader), GB_OK);
    gb_mcap_reader_destroy(reader);
    free(file.data);
}

static void definitions_fill_chunks_too(void **state)
{
    (void)state;
    enum {
        MANY = 300
    };
    static unsigned char text[500];
    memset(text, 'x', sizeof text);
    gb_mcap_writer_options options = combination(2); /* lz4 */
    memory_file file = {0};
    gb_mcap_writer *writer = NULL;
    assert_int_equal(gb_mcap_writer_create(memory_target(&file), &options, &writer), GB_OK);
    for (int i = 0; i < MANY; i++) {
        char topic[32];
        snprintf(topic, sizeof topic, "/joint/%d", i);
        gb_mcap_schema schema = {0, topic, "text", text, sizeof text};
        gb_mcap_channel channel = {.topic = topic, .encoding = "json"};
        uint16_t id = 0;
        assert_int_equal(gb_mcap_write_schema(writer, &schema, &channel.schema_id), GB_OK);
        assert_int_equal(gb_mcap_write_channel(writer, &channel, &id), GB_OK);
        gb_mcap_message message = {.channel_id = id, .data = text, .size = (size_t)(i % 7)};
        assert_int_equal(gb_mcap_write_message(writer, &message), GB_OK);
    }
    assert_int_equal(gb_mcap_writer_finish(writer), GB_OK);
    gb_mcap_reader *reader = opened(&file);
    assert_int_equal(gb_mcap_reader_channel_count(reader), MANY);
    assert_string_equal(gb_mcap_reader_channel(reader, 299)->topic, "/joint/299");
    if (gb_mcap_verify(reader) != GB_OK)
        fail_msg("%s", gb_error_message());
    gb_mcap_reader_destroy(reader);
    free(file.data);
}

/* ---- sources whose bytes move: what is borrowed must still be right ---- */

typedef struct moving_in {
    gb_bytes_in base;
    const memory_file *file;
    unsigned char *last;
} moving_in;

static gb_status
moving_read(gb_bytes_in *in, uint64_t at, size_t size, const unsigned char **out_data)
{
    moving_in *moving = (moving_in *)in;
    if (at > in->size || size > in->size - at)
        return gb_fail(GB_ERR_CORRUPT, "beyond the end");
    unsigned char *fresh = malloc(size + 1);
    assert_non_null(fresh);
    memcpy(fresh, moving->file->data + at, size);
    free(moving->last);
    moving->last = fresh;
    *out_data = fresh;
    return GB_OK;
}

static void moving_close(gb_bytes_in *in)
{
    free(((moving_in *)in)->last);
    free(in);
}

static gb_bytes_in *moving_source(const memory_file *file)
{
    moving_in *in = calloc(1, sizeof *in);
    assert_non_null(in);
    in->base = (gb_bytes_in){file->size, moving_read, moving_close, false, "moving.mcap"};
    in->file = file;
    return &in->base;
}

static void sources_that_move_their_bytes(void **state)
{
    (void)state;
    for (int c = 0; c < COMBINATIONS; c++) {
        gb_mcap_writer_options options = combination(c);
        memory_file file = written(&options), copy = {0};
        gb_mcap_reader *reader = NULL;
        assert_int_equal(gb_mcap_reader_create(moving_source(&file), &reader), GB_OK);
        check_messages(reader);
        check_extras(reader);
        assert_int_equal(gb_mcap_verify(reader), GB_OK);
        gb_mcap_filter filter = {.by_time = true};
        gb_mcap_message message;
        bool have = true;
        int found = 0;
        assert_int_equal(gb_mcap_rewind(reader, &filter), GB_OK);
        for (; have; found += have) {
            assert_int_equal(gb_mcap_next(reader, &message, &have), GB_OK);
            assert_true(!have || is_known(&message));
        }
        assert_int_equal(found, MESSAGES);
        gb_mcap_reader_destroy(reader);
        gb_mcap_recovery recovery;
        assert_int_equal(gb_mcap_recover(moving_source(&file), memory_target(&copy), &recovery),
                         GB_OK);
        assert_true(recovery.was_whole && recovery.messages == MESSAGES);
        free(file.data);
        free(copy.data);
    }
}

/* ---- files of ROS 2 ---- */

static void read_sample(const char *folder, const char *name, uint64_t messages, int channels)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/mcap_samples/%s", folder, name);
    gb_bytes_in *in = NULL;
    gb_mcap_reader *reader = NULL;
    assert_int_equal(gb_bytes_in_file(path, &in), GB_OK);
    if (gb_mcap_reader_create(in, &reader) != GB_OK)
        fail_msg("%s", gb_error_message());
    assert_string_equal(gb_mcap_reader_profile(reader), "ros2");
    assert_int_equal(gb_mcap_reader_channel_count(reader), channels);
    gb_mcap_statistics s;
    assert_int_equal(gb_mcap_reader_statistics(reader, &s), GB_OK);
    assert_true(s.message_count == messages && s.from_file);
    for (int by_time = 0; by_time < 2; by_time++) {
        gb_mcap_filter filter = {.by_time = by_time == 1};
        assert_int_equal(gb_mcap_rewind(reader, &filter), GB_OK);
        uint64_t count = 0, last = 0;
        bool have = true;
        for (; have; count += have) {
            gb_mcap_message message;
            assert_int_equal(gb_mcap_next(reader, &message, &have), GB_OK);
            if (!have)
                break;
            const gb_mcap_channel *channel = gb_mcap_reader_channel(reader, message.channel_id);
            assert_string_equal(channel->encoding, "cdr");
            assert_string_equal(gb_mcap_reader_schema(reader, channel->schema_id)->encoding,
                                "ros2msg");
            assert_true(by_time == 0 || message.log_time_ns >= last);
            last = message.log_time_ns;
        }
        assert_true(count == messages);
    }
    if (gb_mcap_verify(reader) != GB_OK)
        fail_msg("%s", gb_error_message());
    gb_mcap_reader_destroy(reader);
}

static void files_of_ros2(void **state)
{
    (void)state;
    const char *folder = getenv("GENBA_DATA");
    if (folder == NULL) {
        print_message("GENBA_DATA is not set: files of ROS 2 are not read\n");
        skip();
    }
    read_sample(folder, "cdr_test_0.mcap", 7, 2);
    read_sample(folder, "talker.mcap", 20, 3);
    read_sample(folder, "test_bag_for_seek_0.mcap", 5, 1);
}

/* ---- damage ---- */

/* Reads all there is: GB_OK only if it ends well; *out_changed counts messages never written. */
static gb_status
read_all(const memory_file *file, bool by_time, int *out_messages, int *out_changed)
{
    gb_bytes_in *in = NULL;
    gb_mcap_reader *reader = NULL;
    assert_int_equal(gb_bytes_in_memory(file->data, file->size, "damaged.mcap", &in), GB_OK);
    GB_TRY(gb_mcap_reader_create(in, &reader));
    gb_mcap_filter filter = {.by_time = by_time};
    gb_mcap_message message;
    bool have = true;
    gb_status status = gb_mcap_rewind(reader, &filter);
    while (status == GB_OK && have) {
        status = gb_mcap_next(reader, &message, &have);
        if (status == GB_OK && have) {
            *out_messages += 1;
            *out_changed += !is_known(&message);
        }
    }
    gb_mcap_reader_destroy(reader);
    return status;
}

/* Recovers and counts; what was recovered must be a whole file. */
static gb_status
recover(const memory_file *file, gb_mcap_recovery *out, int *out_messages, int *out_changed)
{
    gb_bytes_in *in = NULL;
    memory_file saved = {0};
    assert_int_equal(gb_bytes_in_memory(file->data, file->size, "damaged.mcap", &in), GB_OK);
    gb_status status = gb_mcap_recover(in, memory_target(&saved), out);
    if (status == GB_OK) {
        assert_true(saved.closed);
        assert_int_equal(read_all(&saved, false, out_messages, out_changed), GB_OK);
        assert_true((uint64_t)*out_messages == out->messages);
        gb_mcap_reader *reader = opened(&saved);
        if (gb_mcap_verify(reader) != GB_OK)
            fail_msg("%s", gb_error_message());
        gb_mcap_reader_destroy(reader);
    } else {
        assert_false(saved.closed);
        assert_true(gb_error_message()[0] != 0);
    }
    free(saved.data);
    return status;
}

/* How many messages lie whole in the chunks or records that end before `size`. */
static int whole_before(const memory_file *file, size_t size)
{
    memory_file cut = *file;
    cut.size = size;
    gb_mcap_recovery recovery;
    int messages = 0, changed = 0;
    (void)recover(&cut, &recovery, &messages, &changed);
    return messages;
}

static void a_file_cut_anywhere_is_recovered(void **state)
{
    (void)state;
    for (int c = 0; c < COMBINATIONS; c++) {
        gb_mcap_writer_options options = combination(c);
        if (!options.chunked && options.compression != GB_COMPRESSION_NONE)
            continue; /* the same file again */
        memory_file file = written(&options);
        int last = 0;
        for (size_t size = 0; size < file.size; size += c < 6 ? 1 : 13) {
            memory_file cut = {0};
            cut.data = malloc(size + 1); /* its own memory, so that a read behind it is seen */
            assert_non_null(cut.data);
            memcpy(cut.data, file.data, size);
            cut.size = size;
            int messages = 0, changed = 0;
            gb_status status = read_all(&cut, false, &messages, &changed);
            assert_int_equal(status, size < 8 ? GB_ERR_PARSE : GB_ERR_CORRUPT);
            gb_mcap_recovery recovery = {0};
            messages = changed = 0;
            status = recover(&cut, &recovery, &messages, &changed);
            assert_true(status == (size < 8 ? GB_ERR_PARSE : GB_ERR_CORRUPT) || status == GB_OK);
            assert_int_equal(changed, 0);
            if (status == GB_OK)
                assert_false(recovery.was_whole);
            assert_true(messages >= last); /* a longer piece never gives less */
            last = messages;
            free(cut.data);
        }
        assert_int_equal(last, MESSAGES);
        assert_int_equal(whole_before(&file, file.size), MESSAGES);
        free(file.data);
    }
}

static void no_flipped_byte_passes(void **state)
{
    (void)state;
    for (int c = 0; c < 6; c++) { /* those with checksums and indexes */
        gb_mcap_writer_options options = combination(c);
        if (!options.chunked && options.compression != GB_COMPRESSION_NONE)
            continue; /* the same file again */
        memory_file file = written(&options);
        for (size_t at = 0; at < file.size; at++) {
            unsigned char was = file.data[at];
            file.data[at] ^= (unsigned char)(1u << at % 8);
            for (int by_time = 0; by_time < 2; by_time++) {
                int messages = 0, changed = 0;
                gb_status status = read_all(&file, by_time == 1, &messages, &changed);
                /* Without chunks, the order of time does not see every byte. */
                if (status == GB_OK && (options.chunked || by_time == 0)) {
                    assert_int_equal(changed, 0);
                    assert_int_equal(messages, MESSAGES);
                }
            }
            gb_mcap_recovery recovery = {0};
            int messages = 0, changed = 0;
            gb_status status = recover(&file, &recovery, &messages, &changed);
            if (status == GB_OK)
                assert_false(recovery.was_whole);
            else
                assert_true(at < 8 && status == GB_ERR_PARSE);
            if (options.chunked) {
                assert_int_equal(changed, 0);
                /* At most one chunk is lost, and the largest holds that many. */
                assert_true(status != GB_OK || messages >= MESSAGES - 25);
            }
            file.data[at] = was;
        }
        free(file.data);
    }
}

static void recovery_of_a_whole_file_is_a_copy(void **state)
{
    (void)state;
    for (int c = 0; c < COMBINATIONS; c++) {
        gb_mcap_writer_options options = combination(c);
        memory_file file = written(&options);
        gb_mcap_recovery recovery = {0};
        int messages = 0, changed = 0;
        assert_int_equal(recover(&file, &recovery, &messages, &changed), GB_OK);
        assert_true(recovery.was_whole && recovery.messages == MESSAGES);
        assert_true(recovery.attachments == 1 && recovery.metadata == 1);
        assert_true(recovery.bytes_whole == file.size && recovery.bytes_read == file.size);
        assert_int_equal(changed, 0);
        free(file.data);
    }
}

/* A small file must not make us ask for much memory, whatever it says. */
static void sizes_that_lie(void **state)
{
    (void)state;
    gb_mcap_writer_options options = combination(4); /* zstd */
    memory_file file = written(&options);
    /* The first chunk follows magic and header: 06, length, times, uncompressed size. */
    size_t chunk = 8;
    while (file.data[chunk] != 0x06)
        chunk += 9 + file.data[chunk + 1];
    for (int i = 0; i < 8; i++)
        file.data[chunk + 9 + 16 + (size_t)i] = i < 4 ? 0xff : 0;
    int messages = 0, changed = 0;
    assert_int_equal(read_all(&file, false, &messages, &changed), GB_ERR_CORRUPT);
    file.data[chunk + 9 + 16 + 3] = 0x3f; /* within the limit */
    assert_int_equal(read_all(&file, false, &messages, &changed), GB_ERR_CORRUPT);
    assert_int_equal(messages, 0);
    free(file.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_ways_come_back_the_same),
        cmocka_unit_test(filters_and_the_order_of_time),
        cmocka_unit_test(bytes_do_not_depend_on_the_pool),
        cmocka_unit_test(wrong_arguments),
        cmocka_unit_test(a_full_disk_is_reported),
        cmocka_unit_test(an_empty_file_is_whole),
        cmocka_unit_test(definitions_fill_chunks_too),
        cmocka_unit_test(sources_that_move_their_bytes),
        cmocka_unit_test(files_of_ros2),
        cmocka_unit_test(a_file_cut_anywhere_is_recovered),
        cmocka_unit_test(no_flipped_byte_passes),
        cmocka_unit_test(recovery_of_a_whole_file_is_a_copy),
        cmocka_unit_test(sizes_that_lie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
