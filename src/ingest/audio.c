/* The audio reader: WAV, FLAC and their relatives through libsndfile. A file is one array, a row a
 * frame, a value a channel; samples keep the file's own numbers. */
#include "ingest/reader.h"

#ifdef GENBA_WITH_SNDFILE
#include "ingest/apart.h"
#include "ingest/arrays.h"
#include "ingest/zip.h"

#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHANNELS_MAX = 256,
    FACTS_MAX = 16,
    RIFF_CHUNKS_MAX = 10000
};

typedef struct audio_file {
    const char *path;
    gb_array array;
    gb_arrays arrays;
    int bits; /* of a whole number in the file; 0: floats */
    int64_t bytes;
    gb_pair facts[FACTS_MAX];
    int fact_count;
} audio_file;

static uint64_t little(const unsigned char *at, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

/* ---- a file's length --------------------------------------------------------------------------
 * libsndfile takes a cut WAV file for a shorter one, so the chunks are walked here first. */

static gb_status cut(const gb_zip_file *file, uint64_t says, int64_t has)
{
    return gb_fail(GB_ERR_CORRUPT,
                   "%s: its data chunk says %llu bytes, %lld are there: the recording was cut; "
                   "`csv: {bad_cells: tolerant}` in the map takes what is there",
                   file->origin, (unsigned long long)says, (long long)has);
}

static gb_status check_riff(const gb_zip_file *file)
{
    int64_t at = 12;
    for (int i = 0; i < RIFF_CHUNKS_MAX && file->bytes - at >= 8; i++) {
        unsigned char head[8];
        GB_TRY(gb_zip_file_read(file, at, head, sizeof head));
        uint64_t size = little(head + 4, 4);
        int64_t left = file->bytes - at - 8;
        if (memcmp(head, "data", 4) == 0)
            return size <= (uint64_t)left ? GB_OK : cut(file, size, left);
        if (size > (uint64_t)left)
            break;
        at += 8 + (int64_t)size + (int64_t)(size & 1);
    }
    return gb_fail(GB_ERR_CORRUPT, "%s: no data chunk: it is cut or damaged", file->origin);
}

static gb_status check_length(const char *path, bool tolerant, int64_t *out_bytes)
{
    gb_zip_file file;
    unsigned char magic[12] = {0};
    GB_TRY(gb_zip_file_open(path, &file));
    size_t size = file.bytes < 12 ? (size_t)file.bytes : sizeof magic;
    gb_status status = gb_zip_file_read(&file, 0, magic, size);
    bool riff = memcmp(magic, "RIFF", 4) == 0 && memcmp(magic + 8, "WAVE", 4) == 0;
    bool other = memcmp(magic, "fLaC", 4) == 0 || memcmp(magic, "FORM", 4) == 0 ||
                 memcmp(magic, "RF64", 4) == 0 || memcmp(magic, "riff", 4) == 0;
    if (status == GB_OK && !riff && !other)
        status =
            gb_fail(GB_ERR_PARSE, "%s is neither WAV (RIFF, RF64, W64) nor FLAC nor AIFF", path);
    if (status == GB_OK && riff && !tolerant)
        status = check_riff(&file);
    *out_bytes = file.bytes;
    gb_zip_file_close(&file);
    return status;
}

/* ---- what a file holds ------------------------------------------------------------------------
 */

static gb_status open_sound(const char *path, SNDFILE **out, SF_INFO *info)
{
    memset(info, 0, sizeof *info);
    SNDFILE *sound = sf_open(path, SFM_READ, info);
    if (!sound)
        return gb_fail(GB_ERR_CORRUPT, "%s: libsndfile cannot read it: %s", path,
                       sf_strerror(NULL));
    *out = sound;
    return GB_OK;
}

/* The type that holds the file's numbers exactly, and how many bits they have. */
static bool find_type(int format, gb_value_type *out, int *out_bits)
{
    static const struct {
        int format, bits;
        gb_value_type type;
    } rows[] = {{SF_FORMAT_PCM_S8, 8, GB_VALUE_I8},    {SF_FORMAT_PCM_U8, 8, GB_VALUE_I8},
                {SF_FORMAT_PCM_16, 16, GB_VALUE_I16},  {SF_FORMAT_PCM_24, 24, GB_VALUE_I32},
                {SF_FORMAT_PCM_32, 32, GB_VALUE_I32},  {SF_FORMAT_FLOAT, 0, GB_VALUE_F32},
                {SF_FORMAT_DOUBLE, 0, GB_VALUE_F64},   {SF_FORMAT_ULAW, 16, GB_VALUE_I16},
                {SF_FORMAT_ALAW, 16, GB_VALUE_I16},    {SF_FORMAT_IMA_ADPCM, 16, GB_VALUE_I16},
                {SF_FORMAT_MS_ADPCM, 16, GB_VALUE_I16}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].format != (format & SF_FORMAT_SUBMASK))
            continue;
        *out = rows[i].type;
        *out_bits = rows[i].bits;
        return true;
    }
    return false;
}

static gb_status describe(audio_file *audio, const SF_INFO *info)
{
    gb_array *array = &audio->array;
    if (!find_type(info->format, &array->type, &audio->bits))
        return gb_fail(GB_ERR_UNSUPPORTED,
                       "%s: sound coded as 0x%x; PCM, floats, mu-law, A-law and ADPCM are read",
                       audio->path, (unsigned)info->format);
    if (info->channels < 1 || info->channels > CHANNELS_MAX || info->samplerate < 1 ||
        info->frames < 0 || info->frames > INT64_MAX / 1024)
        return gb_fail(GB_ERR_CORRUPT, "%s: %d channels, %d Hz, %lld frames", audio->path,
                       info->channels, info->samplerate, (long long)info->frames);
    array->path = "audio";
    array->encoding = "";
    array->kind = GB_STREAM_AUDIO;
    array->time_format = -1;
    array->rows = info->frames;
    array->rank = 1;
    array->shape[0] = info->channels;
    audio->arrays.rate_hz = info->samplerate;
    return GB_OK;
}

/* Titles, dates and comments, and the depth of whole numbers. */
static gb_status collect_facts(audio_file *audio, SNDFILE *sound, gb_arena *arena)
{
    static const struct {
        int what;
        const char *key;
    } texts[] = {{SF_STR_TITLE, "title"},
                 {SF_STR_COMMENT, "comment"},
                 {SF_STR_DATE, "date"},
                 {SF_STR_ARTIST, "artist"},
                 {SF_STR_SOFTWARE, "software"}};
    if (audio->bits > 0)
        audio->facts[audio->fact_count++] =
            (gb_pair){"bits", gb_arena_format(arena, "%d", audio->bits)};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *text = sf_get_string(sound, texts[i].what);
        if (text && text[0])
            audio->facts[audio->fact_count++] = (gb_pair){texts[i].key, gb_arena_text(arena, text)};
    }
    for (int i = 0; i < audio->fact_count; i++)
        if (!audio->facts[i].value)
            return GB_ERR_MEMORY;
    return GB_OK;
}

/* ---- reading rows -----------------------------------------------------------------------------
 */

typedef struct audio_cursor {
    const audio_file *audio;
    SNDFILE *sound;
    int64_t at;
} audio_cursor;

static gb_status cursor_open(const gb_arrays *arrays, const gb_array *array, void **out)
{
    const audio_file *audio = arrays->context;
    SF_INFO info;
    (void)array;
    audio_cursor *cursor = calloc(1, sizeof *cursor);
    if (!cursor)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to read it", audio->path);
    cursor->audio = audio;
    gb_status status = open_sound(audio->path, &cursor->sound, &info);
    if (status != GB_OK) {
        free(cursor);
        return status;
    }
    *out = cursor;
    return GB_OK;
}

static void cursor_close(void *at)
{
    audio_cursor *cursor = at;
    sf_close(cursor->sound);
    free(cursor);
}

/* libsndfile hands out 8 and 24 bits in the upper end of 16 and 32: back to their own numbers. */
static void settle_bits(const audio_file *audio, void *values, int64_t count)
{
    if (audio->bits == 24)
        for (int64_t i = 0; i < count; i++)
            ((int32_t *)values)[i] >>= 8;
    if (audio->bits == 8)
        for (int64_t i = 0; i < count; i++)
            ((int8_t *)values)[i] = (int8_t)(((int16_t *)values)[i] >> 8);
}

static sf_count_t read_frames(audio_cursor *cursor, int64_t count, void *values)
{
    switch (cursor->audio->array.type) {
    case GB_VALUE_F32:
        return sf_readf_float(cursor->sound, values, count);
    case GB_VALUE_F64:
        return sf_readf_double(cursor->sound, values, count);
    case GB_VALUE_I32:
        return sf_readf_int(cursor->sound, values, count);
    default:
        return sf_readf_short(cursor->sound, values, count);
    }
}

static gb_status read_wide(audio_cursor *cursor, int64_t count, void *values)
{
    sf_count_t got = read_frames(cursor, count, values);
    if (got == count && sf_error(cursor->sound) == SF_ERR_NO_ERROR) {
        settle_bits(cursor->audio, values, count * cursor->audio->array.shape[0]);
        cursor->at += count;
        return GB_OK;
    }
    return gb_fail(GB_ERR_CORRUPT,
                   "%s: frame %lld of %lld cannot be decoded (%s): it is cut or damaged",
                   cursor->audio->path, (long long)(cursor->at + (got > 0 ? got : 0) + 1),
                   (long long)cursor->audio->array.rows, sf_strerror(cursor->sound));
}

static gb_status cursor_read(void *at, int64_t first, int64_t count, void *values)
{
    audio_cursor *cursor = at;
    if (first != cursor->at && sf_seek(cursor->sound, first, SEEK_SET) != first)
        return gb_fail(GB_ERR_CORRUPT, "%s: no way to frame %lld", cursor->audio->path,
                       (long long)first);
    cursor->at = first;
    if (cursor->audio->array.type != GB_VALUE_I8)
        return read_wide(cursor, count, values);
    size_t size = (size_t)(count * cursor->audio->array.shape[0]);
    int16_t *wide = malloc(size * sizeof *wide); /* 8 bits come as 16 */
    if (!wide)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for its frames", cursor->audio->path);
    gb_status status = read_wide(cursor, count, wide);
    if (status == GB_OK)
        memcpy(values, wide, size);
    free(wide);
    return status;
}

static gb_status
cursor_read_runs(void *at, int64_t first, int64_t count, const unsigned char **runs, size_t *sizes)
{
    (void)first;
    (void)count;
    (void)runs;
    (void)sizes;
    return gb_fail(GB_ERR_UNSUPPORTED, "%s holds numbers", ((audio_cursor *)at)->audio->path);
}

static gb_status cursor_finish(void *at)
{
    (void)at;
    return GB_OK;
}

static const gb_array_ops audio_ops = {cursor_open, cursor_read, cursor_read_runs, cursor_finish,
                                       cursor_close};

/* ---- reading and guessing ---------------------------------------------------------------------
 */

static gb_status open_audio(audio_file *audio, const char *path, bool tolerant, gb_arena *arena)
{
    SNDFILE *sound = NULL;
    SF_INFO info;
    *audio = (audio_file){.path = path};
    GB_TRY(check_length(path, tolerant, &audio->bytes));
    GB_TRY(open_sound(path, &sound, &info));
    gb_status status = describe(audio, &info);
    if (status == GB_OK)
        status = collect_facts(audio, sound, arena);
    sf_close(sound);
    double rate = audio->arrays.rate_hz;
    audio->arrays = (gb_arrays){&audio_ops, audio, &audio->array, 1, rate};
    audio->array.pairs = audio->facts;
    audio->array.pair_count = audio->bits > 0 ? 1 : 0;
    return status;
}

static gb_status read_open(const gb_source *source, gb_arena *arena)
{
    audio_file audio;
    gb_array_plan plan;
    bool strict = source->options->bad_cells == GB_BAD_CELLS_STRICT;
    bool tolerant = source->options->bad_cells == GB_BAD_CELLS_TOLERANT ||
                    source->map->data->csv.bad_cells == GB_BAD_CELLS_TOLERANT;
    GB_TRY(open_audio(&audio, source->path, tolerant && !strict, arena));
    GB_TRY(gb_arrays_plan(source, &audio.arrays, arena, &plan));
    gb_recording_info info = gb_map_info(source->map, source->name, source->path);
    info.pairs = audio.facts;
    info.pair_count = audio.fact_count;
    gb_array_progress progress = {0, audio.bytes, audio.bytes};
    GB_TRY(
        gb_arrays_emit(source, &audio.arrays, &plan, &info, source->options->row_limit, &progress));
    source->report->bytes += audio.bytes;
    return GB_OK;
}

static gb_status read_here(const gb_source *source)
{
    gb_arena *arena = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = read_open(source, arena);
    gb_arena_destroy(arena);
    return status;
}

static gb_status read_audio(const gb_source *source)
{
    return gb_apart_read(source, "libsndfile", read_here);
}

static gb_status guess_here(const char *path,
                            const gb_ingest_options *options,
                            gb_arena *arena,
                            const char **out_yaml)
{
    audio_file audio;
    gb_yaml_out out;
    (void)options;
    GB_TRY(open_audio(&audio, path, true, arena));
    GB_TRY(gb_yaml_out_open(&out));
    gb_guess_put_head(&out, path, "audio", NULL);
    gb_yaml_put(&out, "# time: the file's own %g Hz\n", audio.arrays.rate_hz);
    gb_arrays_put_guess(&out, &audio.arrays, audio.array.rows);
    return gb_yaml_out_finish(&out, arena, out_yaml);
}

static gb_status guess_audio(const char *path,
                             const gb_ingest_options *options,
                             gb_arena *arena,
                             const char **out_yaml)
{
    return gb_apart_guess(path, options, arena, out_yaml, "libsndfile", guess_here);
}
#else
static gb_status not_built(const char *path)
{
    return gb_fail(GB_ERR_UNSUPPORTED,
                   "%s: this build reads no audio: install libsndfile1-dev and build again", path);
}

static gb_status read_audio(const gb_source *source)
{
    return not_built(source->path);
}

static gb_status guess_audio(const char *path,
                             const gb_ingest_options *options,
                             gb_arena *arena,
                             const char **out_yaml)
{
    (void)options;
    (void)arena;
    (void)out_yaml;
    return not_built(path);
}
#endif

static const char *const ends[] = {".wav", ".flac", ".WAV", ".FLAC", ".aiff", ".aif", NULL};

extern const gb_reader gb_reader_audio;
const gb_reader gb_reader_audio = {"audio", false, ends, read_audio, guess_audio};
