/* The images reader: a folder of pictures becomes one recording. Pictures keep the bytes of their
 * files; beside each stand its file's name and what people marked on it. */
#include "ingest/images_load.h"
#include "ingest/reader.h"
#include "ingest/stamp.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a folder gives: map streams name these by `source` (or by their own names). */
#define LANES(X)                                                                                   \
    X(LANE_JPEG, "image")                                                                          \
    X(LANE_PNG, "image")                                                                           \
    X(LANE_FILE, "file")                                                                           \
    X(LANE_LABEL, "label")                                                                         \
    X(LANE_BOXES, "boxes")                                                                         \
    X(LANE_SAME_AS, "same_as") /* the first picture of the same bytes, where there is one */

typedef enum lane_number {
#define LANE_ENUM(name, source) name,
    LANES(LANE_ENUM)
#undef LANE_ENUM
    LANE_COUNT
} lane_number;

static const char *const lane_sources[] = {
#define LANE_SOURCE(name, source) source,
    LANES(LANE_SOURCE)
#undef LANE_SOURCE
};

/* A stream and the batch of it being put together. */
typedef struct lane {
    bool wanted;
    const gb_map_stream *from; /* NULL: not in the map */
    int number;
    bool numbers; /* label by categories: numbers, not words */
    int64_t count;
    int64_t time_ns[GB_IMAGES_BATCH], row[GB_IMAGES_BATCH];
    const unsigned char *runs[GB_IMAGES_BATCH];
    size_t run_sizes[GB_IMAGES_BATCH];
    int32_t values[GB_IMAGES_BATCH];
    uint8_t quality[GB_IMAGES_BATCH], reason[GB_IMAGES_BATCH];
} lane;

typedef struct images {
    const gb_source *source;
    gb_labels *labels;
    gb_images_seen seen;
    gb_arena *arena; /* of one batch */
    gb_arena *memory;
    double period_s;
    int recording;
    bool size_told;
    lane lanes[LANE_COUNT];
    gb_image_file files[GB_IMAGES_BATCH];
} images;

/* ---- streams ----------------------------------------------------------------------------------
 */

/* Which compressions there are: by the first bytes, as names are often wrong. */
static void find_kinds(images *m)
{
    for (int64_t i = 0; i < m->source->part_count; i++) {
        unsigned char head[4] = {0};
        FILE *file = fopen(m->source->parts[i].path, "rb");
        size_t got = file ? fread(head, 1, sizeof head, file) : 0;
        if (file)
            fclose(file);
        m->lanes[LANE_JPEG].wanted |= got >= 3 && memcmp(head, "\xff\xd8\xff", 3) == 0;
        m->lanes[LANE_PNG].wanted |= got == 4 && memcmp(head, "\x89PNG", 4) == 0;
        if (m->lanes[LANE_JPEG].wanted && m->lanes[LANE_PNG].wanted)
            return;
    }
}

static const gb_map_stream *find_mapped(const gb_map_data *data, const char *source)
{
    for (uint32_t s = 0; s < data->streams_count; s++) {
        const gb_map_stream *stream = &data->streams[s];
        if (strcmp(stream->source ? stream->source : stream->name, source) == 0)
            return stream;
    }
    return NULL;
}

static gb_status check_sources(const images *m)
{
    const gb_map_data *data = m->source->map->data;
    for (uint32_t s = 0; s < data->streams_count; s++) {
        const char *source =
            data->streams[s].source ? data->streams[s].source : data->streams[s].name;
        bool known = false;
        for (int i = 0; i < LANE_COUNT; i++)
            known = known || strcmp(lane_sources[i], source) == 0;
        if (!known)
            return gb_fail(GB_ERR_SCHEMA,
                           "%s: stream %s: a folder of pictures has no \"%s\"; its sources are "
                           "image, file, label, boxes and same_as",
                           m->source->map->origin, data->streams[s].name, source);
    }
    return GB_OK;
}

/* The words that numbers stand for, as the table readers say it. */
static gb_status add_categories(images *m, const lane *l, gb_stream_spec *spec)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list && i < l->from->categories_count; i++)
        json_array_append_new(list, json_string(l->from->categories[i]));
    char *text = list ? json_dumps(list, JSON_COMPACT) : NULL;
    gb_pair *pair = gb_arena_alloc(m->memory, sizeof *pair);
    json_decref(list);
    if (text && pair)
        *pair = (gb_pair){"categories", gb_arena_text(m->memory, text)};
    free(text);
    if (!pair || !pair->value)
        return gb_fail(GB_ERR_MEMORY, "no memory for the categories of %s", l->from->name);
    spec->pairs = pair;
    spec->pair_count = 1;
    return GB_OK;
}

static const char *name_of(const images *m, lane_number number)
{
    const lane *l = &m->lanes[number];
    bool second = number == LANE_PNG && m->lanes[LANE_JPEG].wanted;
    if (!l->from)
        return second ? "image.png" : lane_sources[number];
    return second ? gb_arena_format(m->memory, "%s.png", l->from->name) : l->from->name;
}

static gb_status begin_lane(images *m, lane_number number)
{
    static const gb_stream_kind kinds[] = {GB_STREAM_IMAGE, GB_STREAM_IMAGE, GB_STREAM_TEXT,
                                           GB_STREAM_EVENT, GB_STREAM_EVENT, GB_STREAM_EVENT};
    static const char *const encodings[] = {"jpeg", "png", "utf-8", "utf-8", "json", "utf-8"};
    static const char *const meanings[] = {"camera", "camera", "", "label", "boxes", ""};
    static const gb_pair boxes_pairs[] = {{"pixels_from", "1"}, {"pixels_from", "0"}};
    lane *l = &m->lanes[number];
    const gb_map_data *data = m->source->map->data;
    if (!l->wanted)
        return GB_OK;
    const char *name = name_of(m, number);
    if (!name)
        return GB_ERR_MEMORY;
    gb_stream_spec spec = gb_stream_spec_defaults(name);
    spec.kind = l->from && l->from->kind >= 0 ? (gb_stream_kind)l->from->kind : kinds[number];
    spec.value_type = GB_VALUE_BYTES;
    spec.encoding = encodings[number];
    spec.semantic = l->from && l->from->semantic ? l->from->semantic : meanings[number];
    spec.clock = l->from && l->from->clock ? l->from->clock : "";
    spec.frame = l->from && l->from->frame ? l->from->frame : "";
    spec.time_base = gb_stamp_base(GB_TIME_FORMAT_NONE);
    spec.rate_hz = data->time.period_s > 0 && number != LANE_SAME_AS ? 1 / data->time.period_s : 0;
    l->numbers = number == LANE_LABEL && l->from && l->from->categories_count > 0;
    if (l->numbers) {
        spec.value_type = GB_VALUE_I32;
        spec.encoding = "";
        GB_TRY(add_categories(m, l, &spec));
    }
    if (number == LANE_BOXES) {
        spec.pairs = &boxes_pairs[data->labels.format == GB_MAP_LABELS_COCO];
        spec.pair_count = 1;
    }
    return gb_sink_stream(m->source->sink, m->recording, &spec, &l->number);
}

static gb_status begin(images *m)
{
    const gb_map_data *data = m->source->map->data;
    gb_recording_info info = gb_map_info(m->source->map, m->source->name, m->source->path);
    GB_TRY(check_sources(m));
    find_kinds(m);
    if (!m->lanes[LANE_JPEG].wanted && !m->lanes[LANE_PNG].wanted)
        return gb_fail(GB_ERR_PARSE, "%s: none of its %lld files is a JPEG or a PNG",
                       m->source->path, (long long)m->source->part_count);
    m->lanes[LANE_FILE].wanted = m->lanes[LANE_SAME_AS].wanted = true;
    m->lanes[LANE_LABEL].wanted = m->lanes[LANE_BOXES].wanted = m->labels != NULL;
    for (int i = 0; i < LANE_COUNT; i++) {
        m->lanes[i].from = find_mapped(data, lane_sources[i]);
        m->lanes[i].wanted &= data->streams_count == 0 || m->lanes[i].from != NULL;
    }
    GB_TRY(gb_sink_begin(m->source->sink, &info, &m->recording));
    for (int i = 0; i < LANE_COUNT; i++)
        GB_TRY(begin_lane(m, (lane_number)i));
    return GB_OK;
}

/* ---- samples ----------------------------------------------------------------------------------
 */

static void
put(images *m, lane_number number, int64_t row, const void *data, size_t size, gb_reason reason)
{
    lane *l = &m->lanes[number];
    if (!l->wanted)
        return;
    int64_t at = l->count++;
    l->time_ns[at] = llround((double)(row - 1) * m->period_s * 1e9);
    l->row[at] = row;
    l->runs[at] = data;
    l->run_sizes[at] = size;
    l->reason[at] = (uint8_t)reason;
    l->quality[at] = (uint8_t)gb_reason_quality(reason);
}

static gb_status flush(images *m)
{
    for (int i = 0; i < LANE_COUNT; i++) {
        lane *l = &m->lanes[i];
        gb_samples samples = {.count = l->count,
                              .time_ns = l->time_ns,
                              .row = l->row,
                              .values = l->numbers ? l->values : NULL,
                              .runs = l->numbers ? NULL : l->runs,
                              .run_sizes = l->numbers ? NULL : l->run_sizes,
                              .quality = l->quality,
                              .reason = l->reason};
        if (l->wanted)
            GB_TRY(gb_sink_append(m->source->sink, m->recording, l->number, &samples));
        l->count = 0;
    }
    return GB_OK;
}

static gb_status note(const images *m, const char *file, const char *message)
{
    const gb_ingest_watch *watch = m->source->watch;
    return watch->drift ? watch->drift(watch->context, file, message) : GB_OK;
}

static void add_example(const images *m, const gb_image_file *file, const char *expected)
{
    gb_ingest_report *report = m->source->report;
    if (report->example_count == GB_INGEST_EXAMPLES)
        return;
    gb_ingest_example *example = &report->examples[report->example_count++];
    *example = (gb_ingest_example){.row = file->row, .expected = expected};
    snprintf(example->text, sizeof example->text, "%s", file->part->name);
}

static bool is_strict(const images *m)
{
    return m->source->options->bad_cells == GB_BAD_CELLS_STRICT;
}

static gb_status reject(images *m, const gb_image_file *file)
{
    static const char expected[] = "a whole JPEG or PNG";
    const gb_ingest_watch *watch = m->source->watch;
    m->source->report->rows_rejected++;
    if (is_strict(m) || file->status == GB_ERR_MEMORY)
        return gb_fail(file->status, "%s: %s", file->part->path, file->message);
    add_example(m, file, expected);
    if (!watch->reject)
        return GB_OK;
    return watch->reject(watch->context, file->part->path, file->row, "image", expected,
                         file->message, strlen(file->message));
}

/* How far the labels of a picture can be believed. */
static gb_status
judge(images *m, const gb_image_file *file, const gb_picture_labels *labels, gb_reason *out)
{
    gb_ingest_report *report = m->source->report;
    int64_t width = file->about.width, height = file->about.height;
    int64_t outside = gb_labels_outside(labels, width, height);
    bool other = (labels->width > 0 && labels->width != width) ||
                 (labels->height > 0 && labels->height != height);
    *out = !labels->found ? GB_REASON_ABSENT
           : outside > 0  ? GB_REASON_OUT_OF_RANGE
           : other        ? GB_REASON_SOURCE_BAD
                          : GB_REASON_NONE;
    report->cells_missing += !labels->found;
    report->cells_out_of_range += outside;
    if (outside > 0)
        add_example(m, file, "boxes within the picture");
    if (!other || m->size_told)
        return GB_OK;
    m->size_told = true;
    char message[256];
    snprintf(message, sizeof message,
             "its labels were made for %lld x %lld pixels, it has %lld x %lld (the first such "
             "picture)",
             (long long)labels->width, (long long)labels->height, (long long)width,
             (long long)height);
    return note(m, file->part->path, message);
}

/* Labels that cannot be read are missing; the picture is kept. */
static gb_status
find_labels(images *m, const gb_image_file *file, gb_picture_labels *out, gb_reason *reason)
{
    *out = (gb_picture_labels){0};
    gb_status status = gb_labels_find(m->labels, file->part->name, m->arena, out);
    if (status == GB_OK)
        return judge(m, file, out, reason);
    if (is_strict(m) || status == GB_ERR_MEMORY)
        return status;
    *out = (gb_picture_labels){0};
    *reason = GB_REASON_NOT_A_VALUE;
    m->source->report->cells_bad++;
    add_example(m, file, "labels that can be read");
    return note(m, file->part->path, gb_error_message());
}

static gb_status put_labels(images *m, const gb_image_file *file)
{
    gb_picture_labels labels;
    gb_reason reason;
    GB_TRY(find_labels(m, file, &labels, &reason));
    const char *classes = gb_labels_classes(&labels, m->arena);
    const char *boxes = gb_labels_json(&labels, m->arena);
    if (!classes || !boxes)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for its labels", file->part->path);
    put(m, LANE_BOXES, file->row, boxes, strlen(boxes), reason);
    lane *l = &m->lanes[LANE_LABEL];
    gb_reason of_label = reason == GB_REASON_OUT_OF_RANGE ? GB_REASON_NONE : reason;
    if (l->numbers) {
        int32_t category = gb_labels_category(&labels, l->from);
        l->values[l->count] = category;
        if (category < 0 && of_label == GB_REASON_NONE)
            of_label = GB_REASON_NOT_A_VALUE;
    }
    put(m, LANE_LABEL, file->row, classes, strlen(classes), of_label);
    return GB_OK;
}

static gb_status put_picture(images *m, const gb_image_file *file)
{
    gb_ingest_report *report = m->source->report;
    int64_t first;
    put(m, file->about.kind == GB_PICTURE_JPEG ? LANE_JPEG : LANE_PNG, file->row, file->data,
        file->size, GB_REASON_NONE);
    put(m, LANE_FILE, file->row, file->part->name, strlen(file->part->name), GB_REASON_NONE);
    if (m->labels)
        GB_TRY(put_labels(m, file));
    GB_TRY(gb_images_see(&m->seen, file->hash, file->row, &first));
    if (first != file->row) {
        const char *name = m->source->parts[first - 1].name;
        char message[512];
        report->rows_duplicated++;
        put(m, LANE_SAME_AS, file->row, name, strlen(name), GB_REASON_NONE);
        snprintf(message, sizeof message, "is the same picture as %s", name);
        GB_TRY(note(m, file->part->path, message));
    }
    report->rows_stored++;
    return GB_OK;
}

/* ---- the folder -------------------------------------------------------------------------------
 */

/* Pictures of one batch from number `first` on. */
static int64_t fill_batch(images *m, int64_t first, int64_t end)
{
    int64_t count = 0, bytes = 0;
    while (count < GB_IMAGES_BATCH && first + count < end) {
        const gb_folder_file *part = &m->source->parts[first + count];
        bytes += part->bytes;
        if (count > 0 && bytes > GB_IMAGES_BATCH_BYTES)
            break;
        m->files[count] = (gb_image_file){.part = part, .row = first + count + 1};
        count++;
    }
    gb_images_load(m->files, count, m->source->options->pool);
    return count;
}

static gb_status put_batch(images *m, int64_t count)
{
    gb_arena_reset(m->arena);
    for (int64_t i = 0; i < count; i++) {
        const gb_image_file *file = &m->files[i];
        m->source->report->rows_read++;
        m->source->report->bytes += file->part->bytes;
        GB_TRY(file->status == GB_OK ? put_picture(m, file) : reject(m, file));
    }
    return flush(m);
}

static gb_status read_all(images *m)
{
    const gb_source *source = m->source;
    int64_t limit = source->options->row_limit, end = source->part_count, done = 0, all = 0;
    if (limit > 0 && limit < end)
        end = limit;
    for (int64_t i = 0; i < source->part_count; i++)
        all += source->parts[i].bytes;
    for (int64_t at = 0; at < end;) {
        int64_t count = fill_batch(m, at, end);
        gb_status status = put_batch(m, count);
        for (int64_t i = 0; i < count; i++)
            done += m->files[i].part->bytes;
        gb_images_unload(m->files, count);
        at += count;
        if (status == GB_OK && source->watch->progress)
            status = source->watch->progress(source->watch->context, done, all);
        if (status == GB_ERR_INTERRUPTED)
            GB_TRY(gb_sink_end(source->sink, m->recording));
        GB_TRY(status);
    }
    return gb_sink_end(source->sink, m->recording);
}

static gb_status open_labels(images *m)
{
    const char *path = m->source->parts[0].path, *slash = strrchr(path, '/');
    const char *folder =
        slash ? gb_arena_format(m->memory, "%.*s", (int)(slash - path), path) : ".";
    return folder ? gb_labels_open(&m->source->map->data->labels, folder, &m->labels)
                  : GB_ERR_MEMORY;
}

static gb_status read_folder(images *m)
{
    const gb_map_data *data = m->source->map->data;
    m->period_s = data->time.period_s > 0 ? data->time.period_s : m->source->options->period_s;
    if (data->time.column)
        return gb_fail(GB_ERR_SCHEMA, "%s: pictures have no time.column; give time.period_s",
                       m->source->map->origin);
    if (m->source->part_count < 1)
        return gb_fail(GB_ERR_NOT_FOUND, "%s holds no pictures", m->source->path);
    GB_TRY(open_labels(m));
    GB_TRY(begin(m));
    return read_all(m);
}

static gb_status read_images(const gb_source *source)
{
    images *m = calloc(1, sizeof *m);
    if (!m)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to read it", source->path);
    m->source = source;
    gb_status status = gb_arena_create(0, &m->arena);
    if (status == GB_OK)
        status = gb_arena_create(0, &m->memory);
    if (status == GB_OK)
        status = read_folder(m);
    gb_labels_close(m->labels);
    gb_images_seen_free(&m->seen);
    gb_arena_destroy(m->arena);
    gb_arena_destroy(m->memory);
    free(m);
    return status;
}

static const char *const ends[] = {".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG", NULL};

extern const gb_reader gb_reader_images;
const gb_reader gb_reader_images = {"images", false, ends, read_images, gb_images_guess};
