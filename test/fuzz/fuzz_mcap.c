/* Any bytes as an MCAP file: opened, read in both orders, checked, recovered. A status with a
 * message or all of it; what was recovered is whole. */
#include "../record/mcap_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gb_bytes_in *source(const void *data, size_t size)
{
    gb_bytes_in *in = NULL;
    if (gb_bytes_in_memory(data, size, "fuzz.mcap", &in) != GB_OK)
        abort();
    return in;
}

static void must_say_why(gb_status status)
{
    if (status != GB_OK && gb_error_message()[0] == 0)
        abort();
}

static uint64_t read_messages(gb_mcap_reader *reader, bool by_time, gb_status *out_status)
{
    const uint16_t channels[] = {1, 2};
    gb_mcap_filter filter = {.by_time = by_time, .end_ns = by_time ? 0 : UINT64_MAX};
    gb_mcap_message message;
    bool have = true;
    uint64_t count = 0, sum = 0, last = 0;
    filter.channels = by_time ? NULL : channels;
    filter.channel_count = 2;
    gb_status status = gb_mcap_rewind(reader, &filter);
    while (status == GB_OK && have) {
        status = gb_mcap_next(reader, &message, &have);
        if (status != GB_OK || !have)
            break;
        if (gb_mcap_reader_channel(reader, message.channel_id) == NULL ||
            (by_time && message.log_time_ns < last))
            abort();
        last = message.log_time_ns;
        for (size_t i = 0; i < message.size; i++)
            sum += message.data[i]; /* touch every byte that is handed out */
        count++;
    }
    must_say_why(status);
    *out_status = status;
    return count + (sum == UINT64_MAX);
}

static void read_all(const uint8_t *data, size_t size, bool must_be_whole)
{
    gb_mcap_reader *reader = NULL;
    gb_mcap_attachment attachment;
    gb_mcap_metadata metadata;
    gb_status status = gb_mcap_reader_create(source(data, size), &reader), order;
    must_say_why(status);
    if (status != GB_OK && must_be_whole)
        abort();
    if (status != GB_OK)
        return;
    for (int i = 0; gb_mcap_attachment_at(reader, i, &attachment) != GB_ERR_NOT_FOUND; i++)
        ;
    for (int i = 0; gb_mcap_metadata_at(reader, i, &metadata) != GB_ERR_NOT_FOUND; i++)
        ;
    (void)read_messages(reader, false, &status);
    uint64_t count = read_messages(reader, true, &order);
    gb_mcap_statistics statistics;
    status = gb_mcap_reader_statistics(reader, &statistics);
    bool whole = gb_mcap_verify(reader) == GB_OK;
    if (must_be_whole && (status != GB_OK || order != GB_OK || !whole))
        abort();
    if (whole && order == GB_OK && count != statistics.message_count)
        abort();
    gb_mcap_reader_destroy(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_all(data, size, false);
    memory_file saved = {0};
    gb_mcap_recovery recovery = {0};
    gb_status status = gb_mcap_recover(source(data, size), memory_target(&saved), &recovery);
    must_say_why(status);
    if (status == GB_OK)
        read_all(saved.data, saved.size, true);
    free(saved.data);
    return 0;
}
