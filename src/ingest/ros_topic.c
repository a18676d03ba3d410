/* Runs a topic's program over its messages and stages samples; a message is taken whole or not at
 * all. Messages that are one thing made of many fields (pictures, clouds, transforms) are
 * ros_known.c. */
#include "ingest/ros_topic.h"

#include "ingest/ros_known.h"

#include <stdlib.h>
#include <string.h>

#define VARIANTS_MAX 256

static bool is_float_vector(const gb_ros_step *step)
{
    return step->field && step->field->kind == GB_ROS_STRUCT && step->kind == GB_ROS_STEP_NUMBERS;
}

static void describe_numbers(const gb_ros_topic *topic,
                             const gb_ros_step *step,
                             int64_t size,
                             const char **labels,
                             gb_stream_spec *spec)
{
    bool one = step->kind == GB_ROS_STEP_NUMBERS && size == 1;
    spec->kind = one ? GB_STREAM_SCALAR : GB_STREAM_VECTOR;
    spec->rank = one ? 0 : 1;
    spec->shape[0] = one ? 0 : size;
    spec->value_type = gb_ros_value_type(step->value);
    if (is_float_vector(step)) {
        for (int64_t i = 0; i < size; i++)
            labels[i] = step->field->type->fields[i].name;
        spec->labels = labels;
    } else if (topic->names.count == size && step->kind == GB_ROS_STEP_COUNTED) {
        spec->labels = topic->names.texts;
    }
}

static gb_stream_spec
describe(const gb_ros_topic *topic, const gb_ros_step *step, int64_t size, const char **labels)
{
    gb_stream_spec spec = gb_stream_spec_defaults("");
    spec.frame = topic->frame;
    switch (step->kind) {
    case GB_ROS_STEP_TIME:
        spec.value_type = GB_VALUE_I64;
        spec.unit = "ns";
        break;
    case GB_ROS_STEP_TEXT:
    case GB_ROS_STEP_JSON:
    case GB_ROS_STEP_BLOB:
        spec.kind = GB_STREAM_TEXT;
        spec.value_type = GB_VALUE_BYTES;
        spec.encoding = step->kind == GB_ROS_STEP_TEXT   ? "utf-8"
                        : step->kind == GB_ROS_STEP_JSON ? "json"
                                                         : "bytes";
        if (step->kind == GB_ROS_STEP_BLOB)
            spec.kind = GB_STREAM_EVENT;
        break;
    default:
        describe_numbers(topic, step, size, labels, &spec);
    }
    return spec;
}

gb_ros_stream *gb_ros_topic_find(gb_ros_step *step, uint64_t key)
{
    for (int i = 0; i < step->stream_count; i++)
        if (step->streams[i].key == key)
            return &step->streams[i];
    return NULL;
}

gb_status gb_ros_topic_variant(gb_ros_step *step,
                               uint64_t key,
                               const gb_ros_target *target,
                               const gb_stream_spec *spec,
                               gb_ros_stream **out)
{
    gb_ros_stream *found = gb_ros_topic_find(step, key);
    if (found) {
        *out = found;
        return GB_OK;
    }
    if (step->stream_count == VARIANTS_MAX)
        return gb_fail(GB_ERR_SHAPE, "%s has arrays of more than %d different kinds", step->path,
                       VARIANTS_MAX);
    if (!step->streams) {
        step->streams = calloc(VARIANTS_MAX, sizeof *step->streams);
        if (!step->streams)
            return gb_fail(GB_ERR_MEMORY, "no memory for streams of %s", step->path);
    }
    gb_ros_stream *stream = &step->streams[step->stream_count];
    GB_TRY(gb_ros_stream_init(target, step->map, spec, key, stream));
    step->stream_count++;
    *out = stream;
    return GB_OK;
}

/* The stream for a sample of so many values; later lengths are streams of their own. */
static gb_status
stage(gb_ros_topic *topic, gb_ros_step *step, int64_t size, size_t bytes, unsigned char **out)
{
    const char *labels[8];
    bool counted = step->kind == GB_ROS_STEP_COUNTED;
    uint64_t key = 0;
    if (counted)
        key = topic->names.count == size ? topic->names.hash : (uint64_t)size;
    if (counted && (step->first_key == 0 || step->first_key == key)) {
        step->first_key = key;
        key = 0; /* the first kind has the plain name */
    }
    gb_stream_spec spec = describe(topic, step, size, labels);
    GB_TRY(gb_ros_topic_variant(step, key, &step->target, &spec, &step->staged));
    step->staged_bytes = bytes;
    return gb_ros_stream_stage(step->staged, bytes, out);
}

static gb_status stage_bytes(gb_ros_topic *topic, gb_ros_step *step, const void *bytes, size_t size)
{
    unsigned char *to;
    if (!step->wanted)
        return GB_OK;
    GB_TRY(stage(topic, step, 1, size, &to));
    if (size > 0)
        memcpy(to, bytes, size);
    return GB_OK;
}

static gb_status read_numbers(gb_ros_topic *topic, gb_ros_step *step, gb_cdr *cdr)
{
    size_t bytes = gb_ros_kind_bytes(step->value);
    uint32_t counted = 0;
    if (step->kind == GB_ROS_STEP_COUNTED)
        GB_TRY(gb_cdr_u32(cdr, &counted));
    int64_t count = step->kind == GB_ROS_STEP_COUNTED ? (int64_t)counted : step->size;
    size_t at = cdr->at;
    GB_TRY(gb_cdr_values(cdr, bytes, (uint64_t)count, NULL)); /* is it all there? */
    if (count == 0)
        return GB_OK;
    unsigned char one[8] = {0}, *to = one;
    if (step->wanted)
        GB_TRY(stage(topic, step, count, bytes * (size_t)count, &to));
    else if (count > 1)
        return GB_OK;
    cdr->at = at;
    GB_TRY(gb_cdr_values(cdr, bytes, (uint64_t)count, to));
    if (count == 1)
        step->number = gb_ros_number(step->value, to);
    return GB_OK;
}

static gb_status read_time(gb_cdr *cdr, int64_t *out_ns)
{
    int32_t seconds = 0;
    uint32_t ns = 0;
    GB_TRY(gb_cdr_values(cdr, 4, 1, &seconds));
    GB_TRY(gb_cdr_values(cdr, 4, 1, &ns));
    *out_ns = (int64_t)seconds * 1000000000 + ns;
    return GB_OK;
}

static gb_status keep_frame(gb_ros_topic *topic, const char *text, size_t size)
{
    if (topic->frame[0] || size == 0)
        return GB_OK;
    char *copy = gb_arena_alloc(topic->arena, size + 1);
    if (!copy)
        return GB_ERR_MEMORY;
    memcpy(copy, text, size);
    topic->frame = copy;
    return GB_OK;
}

static gb_status read_json(gb_ros_topic *topic, gb_ros_step *step, gb_cdr *cdr)
{
    step->json_at = topic->json.size;
    size_t cdr_at = cdr->at;
    GB_TRY(gb_ros_read_json(step->field, cdr, &topic->json));
    step->byte_count = topic->json.size - step->json_at;
    if (step->field->kind == GB_ROS_STRING && strcmp(step->path, "name") == 0) {
        gb_cdr again = *cdr;
        again.at = cdr_at;
        GB_TRY(gb_ros_read_names(topic, &again, step->field));
    }
    return stage_bytes(topic, step, topic->json.text + step->json_at, step->byte_count);
}

static gb_status run_step(gb_ros_topic *topic, gb_ros_step *step, gb_cdr *cdr)
{
    int64_t time_ns = 0;
    uint32_t count = 0;
    const char *text = NULL;
    switch (step->kind) {
    case GB_ROS_STEP_STAMP:
        return read_time(cdr, &topic->stamp_ns);
    case GB_ROS_STEP_TIME:
        GB_TRY(read_time(cdr, &time_ns));
        return stage_bytes(topic, step, &time_ns, sizeof time_ns);
    case GB_ROS_STEP_FRAME:
        GB_TRY(gb_cdr_text(cdr, &text, &step->byte_count));
        return keep_frame(topic, text, step->byte_count);
    case GB_ROS_STEP_TEXT:
        GB_TRY(gb_cdr_text(cdr, &text, &step->byte_count));
        step->bytes = (const unsigned char *)text;
        return stage_bytes(topic, step, text, step->byte_count);
    case GB_ROS_STEP_BLOB:
        GB_TRY(gb_cdr_u32(cdr, &count));
        step->byte_count = count;
        GB_TRY(gb_cdr_bytes(cdr, count, &step->bytes));
        return stage_bytes(topic, step, step->bytes, step->byte_count);
    case GB_ROS_STEP_JSON:
        return read_json(topic, step, cdr);
    default:
        return read_numbers(topic, step, cdr);
    }
}

static gb_status read_message(gb_ros_topic *topic, const void *message, size_t size)
{
    gb_cdr cdr;
    GB_TRY(gb_cdr_open(message, size, &cdr));
    topic->stamp_ns = 0;
    topic->json.size = 0;
    topic->names.count = 0;
    for (int i = 0; i < topic->program.count; i++) {
        gb_ros_step *step = &topic->program.steps[i];
        step->staged = NULL;
        gb_status status = run_step(topic, step, &cdr);
        if (status != GB_OK)
            return gb_fail_context(status, "%s, field %s", topic->base.topic, step->path);
    }
    return GB_OK;
}

gb_status
gb_ros_topic_take(gb_ros_topic *topic, const void *message, size_t size, uint64_t log_time_ns)
{
    GB_TRY(read_message(topic, message, size));
    int64_t log_ns = log_time_ns > INT64_MAX ? INT64_MAX : (int64_t)log_time_ns;
    int64_t time_ns = topic->stamp_ns > 0 && !topic->by_log_time ? topic->stamp_ns : log_ns;
    if (topic->known)
        return topic->known_wanted ? topic->known->take(topic, time_ns) : GB_OK;
    for (int i = 0; i < topic->program.count; i++) {
        gb_ros_step *step = &topic->program.steps[i];
        if (step->staged)
            GB_TRY(gb_ros_stream_commit(step->staged, step->staged_bytes, time_ns));
    }
    return GB_OK;
}

gb_status gb_ros_topic_flush(gb_ros_topic *topic)
{
    for (int i = 0; i < topic->program.count; i++)
        for (int s = 0; s < topic->program.steps[i].stream_count; s++)
            GB_TRY(gb_ros_stream_flush(&topic->program.steps[i].streams[s]));
    return GB_OK;
}

bool gb_ros_topic_fed(const gb_ros_topic *topic, const gb_map_stream *stream)
{
    for (int i = 0; i < topic->program.count; i++)
        if (topic->program.steps[i].map == stream && topic->program.steps[i].stream_count > 0)
            return true;
    return false;
}

/* Finds which steps are wanted; a known message is wanted as one. */
static void choose(gb_ros_topic *topic)
{
    const gb_source *source = topic->base.source;
    for (int i = 0; i < topic->program.count; i++) {
        gb_ros_step *step = &topic->program.steps[i];
        step->target = topic->base;
        step->target.field = step->path;
        if (!topic->known)
            step->map = gb_ros_find_map(source, topic->base.topic, step->path, &step->wanted);
    }
    if (topic->known && topic->program.count > 0) {
        gb_ros_step *first = &topic->program.steps[0];
        first->target.field = "";
        first->map = gb_ros_find_map(source, topic->base.topic, "", &topic->known_wanted);
    }
}

gb_status gb_ros_topic_create(const gb_source *source,
                              int recording,
                              const char *name,
                              const gb_ros_type *type,
                              gb_ros_topic **out)
{
    gb_ros_topic *topic = calloc(1, sizeof *topic);
    if (!topic)
        return gb_fail(GB_ERR_MEMORY, "no memory for topic %s", name);
    gb_status status = gb_arena_create(0, &topic->arena);
    if (status == GB_OK)
        status = gb_ros_program_compile(type, topic->arena, &topic->program);
    const char *kept = status == GB_OK ? gb_arena_text(topic->arena, name) : NULL;
    if (status == GB_OK && !kept)
        status = GB_ERR_MEMORY;
    if (status != GB_OK) {
        gb_ros_topic_destroy(topic);
        return gb_fail_context(status, "topic %s", name);
    }
    topic->base = (gb_ros_target){
        .source = source, .recording = recording, .topic = kept, .type = type->name, .field = ""};
    topic->frame = "";
    const char *column = source->map->data->time.column;
    topic->by_log_time = column && strcmp(column, "log_time") == 0;
    topic->known = gb_ros_known_find(type);
    choose(topic);
    *out = topic;
    return GB_OK;
}

void gb_ros_topic_destroy(gb_ros_topic *topic)
{
    if (!topic)
        return;
    for (int i = 0; i < topic->program.count; i++) {
        gb_ros_step *step = &topic->program.steps[i];
        for (int s = 0; s < step->stream_count; s++)
            gb_ros_stream_free(&step->streams[s]);
        free(step->streams);
    }
    free(topic->json.text);
    free(topic->names.texts);
    gb_arena_destroy(topic->names.arena);
    gb_arena_destroy(topic->arena);
    free(topic);
}
