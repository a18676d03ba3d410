/* Any bytes as a file nobody described: its encoding, the same text whatever the pieces, and a
 * proposal that is a map or a status with a message. */
#include "ingest/guess_map.h"
#include "ingest/map.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *decode(const char *name,
                    const uint8_t *data,
                    size_t size,
                    size_t piece,
                    size_t room,
                    size_t *out_size,
                    int64_t *invalid)
{
    gb_transcoder *transcoder = NULL;
    char *text = malloc(3 * size + 64);
    if (!text || gb_transcoder_create(name, &transcoder) != GB_OK)
        abort();
    size_t end = 0, used, written;
    for (size_t at = 0; at < size; at += used) {
        size_t given = piece < size - at ? piece : size - at;
        if (gb_transcoder_feed(transcoder, data + at, given, &used, text + end, room, &written) !=
            GB_OK)
            abort();
        if (used > given || written > room || used + written == 0)
            abort();
        end += written;
        if (end > 3 * size)
            abort();
    }
    char last[48];
    if (gb_transcoder_finish(transcoder, last, sizeof last, &written) != GB_OK || written > 3)
        abort();
    memcpy(text + end, last, written);
    *out_size = end + written;
    *invalid = gb_transcoder_invalid(transcoder, NULL);
    gb_transcoder_destroy(transcoder);
    return text;
}

static void same_in_pieces(const char *name, const uint8_t *data, size_t size)
{
    size_t whole_size, cut_size;
    int64_t whole_invalid, cut_invalid;
    char *whole = decode(name, data, size, size + 1, 3 * size + 16, &whole_size, &whole_invalid);
    size_t piece = 1 + data[0] % 7;
    char *cut = decode(name, data, size, piece, GB_TRANSCODER_ROOM, &cut_size, &cut_invalid);
    if (whole_size != cut_size || whole_invalid != cut_invalid ||
        memcmp(whole, cut, whole_size) != 0)
        abort();
    free(whole);
    free(cut);
}

static void propose(const gb_sample *sample, gb_arena *arena)
{
    gb_ingest_options options = gb_ingest_options_defaults();
    options.line_limit_bytes = 2048;
    const char *yaml = NULL;
    if (gb_guess_table(sample, "fuzz.csv", &options, NULL, arena, &yaml) != GB_OK) {
        if (yaml || !gb_error_message()[0])
            abort();
        return;
    }
    gb_stream_map *map = NULL;
    if (gb_stream_map_parse(yaml, strlen(yaml), "proposal", &map) != GB_OK)
        abort();
    gb_stream_map_destroy(map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"utf-8",  "cp932",       "euc-jp",  "utf-16le", "utf-16be",
                                        "cp1252", "iso-2022-jp", "gb18030", "utf-32le"};
    gb_arena *arena = NULL;
    gb_sample sample;
    if (size == 0 || size > 1 << 16)
        return 0;
    same_in_pieces(names[size % (sizeof names / sizeof *names)], data, size);
    if (gb_arena_create(0, &arena) != GB_OK)
        abort();
    if (gb_sample_decode(data, size, true, "fuzz.csv", arena, &sample) == GB_OK)
        propose(&sample, arena);
    gb_arena_destroy(arena);
    return 0;
}
