/* Message types to steps, and arrays of structs to JSON. */
#include "ingest/ros_program.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 65536
#define VECTOR_MAX 8         /* fields of a struct that is read as one vector */
#define JSON_MAX (64u << 20) /* bytes of an array as text */
#define JSON_DEPTH_MAX 16

static bool is_time(const gb_ros_type *type)
{
    return gb_ros_type_is(type, "builtin_interfaces/Time") ||
           gb_ros_type_is(type, "builtin_interfaces/Duration");
}

/* Vector3, Point, Quaternion, ColorRGBA and what else is a few floats of one kind. */
static bool is_vector(const gb_ros_type *type)
{
    if (type->field_count < 2 || type->field_count > VECTOR_MAX)
        return false;
    for (int i = 0; i < type->field_count; i++) {
        const gb_ros_field *f = &type->fields[i];
        if (f->many != GB_ROS_ONE || f->kind != type->fields[0].kind ||
            (f->kind != GB_ROS_F32 && f->kind != GB_ROS_F64))
            return false;
    }
    return true;
}

static gb_status add_step(gb_ros_program *p, gb_ros_step step)
{
    if (p->count == p->room)
        return gb_fail(GB_ERR_PARSE, "a message type with more than %d fields in all", STEPS_MAX);
    p->steps[p->count++] = step;
    return GB_OK;
}

static gb_status
compile(gb_ros_program *p, const gb_ros_type *type, const char *prefix, gb_arena *arena);

static gb_status compile_struct(gb_ros_program *p,
                                const gb_ros_type *owner,
                                const gb_ros_field *f,
                                const char *path,
                                gb_arena *arena)
{
    gb_ros_step step = {.path = path, .field = f};
    if (is_time(f->type)) {
        bool header = gb_ros_type_is(owner, "std_msgs/Header") && strcmp(path, "header.stamp") == 0;
        step.kind = header ? GB_ROS_STEP_STAMP : GB_ROS_STEP_TIME;
        return add_step(p, step);
    }
    if (is_vector(f->type)) {
        step.kind = GB_ROS_STEP_NUMBERS;
        step.value = f->type->fields[0].kind;
        step.size = f->type->field_count;
        return add_step(p, step);
    }
    return compile(p, f->type, path, arena);
}

static gb_status compile_field(gb_ros_program *p,
                               const gb_ros_type *owner,
                               const gb_ros_field *f,
                               const char *path,
                               gb_arena *arena)
{
    gb_ros_step step = {.path = path, .field = f, .value = f->kind, .size = 1};
    bool text = f->kind == GB_ROS_STRING || f->kind == GB_ROS_WSTRING;
    if (f->kind == GB_ROS_WSTRING)
        return gb_fail(
            GB_ERR_UNSUPPORTED,
            "the field %s is a wstring, which programs write in different ways: it is not "
            "read, nor is the rest of its message",
            path);
    if (f->kind == GB_ROS_STRUCT && f->many == GB_ROS_ONE)
        return compile_struct(p, owner, f, path, arena);
    if (f->kind == GB_ROS_STRUCT || (text && f->many != GB_ROS_ONE)) {
        step.kind = GB_ROS_STEP_JSON;
    } else if (text) {
        bool frame = strcmp(path, "header.frame_id") == 0;
        step.kind = frame ? GB_ROS_STEP_FRAME : GB_ROS_STEP_TEXT;
    } else if (f->many == GB_ROS_COUNTED) {
        step.kind = f->kind == GB_ROS_U8 ? GB_ROS_STEP_BLOB : GB_ROS_STEP_COUNTED;
    } else {
        step.kind = GB_ROS_STEP_NUMBERS;
        step.size = f->many == GB_ROS_FIXED ? f->length : 1;
    }
    return add_step(p, step);
}

static gb_status
compile(gb_ros_program *p, const gb_ros_type *type, const char *prefix, gb_arena *arena)
{
    if (type->field_count == 0) /* the one byte that an empty struct holds */
        return add_step(
            p,
            (gb_ros_step){.kind = GB_ROS_STEP_NUMBERS, .value = GB_ROS_U8, .size = 1, .path = ""});
    for (int i = 0; i < type->field_count; i++) {
        const gb_ros_field *f = &type->fields[i];
        const char *path = prefix[0] ? gb_arena_format(arena, "%s.%s", prefix, f->name) : f->name;
        if (!path)
            return GB_ERR_MEMORY;
        GB_TRY(compile_field(p, type, f, path, arena));
    }
    return GB_OK;
}

static int64_t count_steps(const gb_ros_type *type)
{
    int64_t count = type->field_count == 0;
    for (int i = 0; i < type->field_count && count <= STEPS_MAX; i++) {
        const gb_ros_field *f = &type->fields[i];
        count += f->type && f->many == GB_ROS_ONE ? count_steps(f->type) : 1;
    }
    return count;
}

gb_status gb_ros_program_compile(const gb_ros_type *type, gb_arena *arena, gb_ros_program *out)
{
    int64_t room = count_steps(type);
    if (room > STEPS_MAX)
        return gb_fail(GB_ERR_PARSE, "%s has more than %d fields in all", type->name, STEPS_MAX);
    gb_ros_program program = {.room = (int)room};
    program.steps = gb_arena_alloc(arena, (size_t)room * sizeof *program.steps);
    if (!program.steps)
        return GB_ERR_MEMORY;
    GB_TRY(compile(&program, type, "", arena));
    *out = program;
    return GB_OK;
}

/* ---- JSON -------------------------------------------------------------------------------------
 */

static gb_status put(gb_ros_text *out, const char *text, size_t size)
{
    if (out->size + size > JSON_MAX)
        return gb_fail(GB_ERR_SHAPE, "an array of more than %u MiB as text", JSON_MAX >> 20);
    if (out->size + size > out->room || !out->text) {
        size_t room = 2 * (out->size + size) + 256;
        char *grown = realloc(out->text, room);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "no memory for %zu bytes of text", room);
        out->text = grown;
        out->room = room;
    }
    memcpy(out->text + out->size, text, size);
    out->size += size;
    return GB_OK;
}

static gb_status put_string(gb_ros_text *out, const char *text, size_t size)
{
    GB_TRY(put(out, "\"", 1));
    for (size_t i = 0; i < size; i++) {
        char escaped[8];
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            snprintf(escaped, sizeof escaped, "\\%c", c);
        else if (c < 0x20)
            snprintf(escaped, sizeof escaped, "\\u%04x", c);
        else
            snprintf(escaped, sizeof escaped, "%c", c);
        GB_TRY(put(out, escaped, strlen(escaped)));
    }
    return put(out, "\"", 1);
}

static gb_status put_number(gb_ros_text *out, gb_ros_kind kind, const unsigned char *value)
{
    char text[40];
    union {
        int8_t i8;
        uint8_t u8;
        int16_t i16;
        uint16_t u16;
        int32_t i32;
        uint32_t u32;
        int64_t i64;
        uint64_t u64;
        float f32;
        double f64;
    } v;
    memcpy(&v, value, sizeof v < 8 ? sizeof v : 8);
    double real = kind == GB_ROS_F32 ? (double)v.f32 : v.f64;
    switch (kind) {
    case GB_ROS_BOOL:
        snprintf(text, sizeof text, "%s", v.u8 ? "true" : "false");
        break;
    case GB_ROS_I8:
        snprintf(text, sizeof text, "%d", v.i8);
        break;
    case GB_ROS_U8:
        snprintf(text, sizeof text, "%u", v.u8);
        break;
    case GB_ROS_I16:
        snprintf(text, sizeof text, "%d", v.i16);
        break;
    case GB_ROS_U16:
        snprintf(text, sizeof text, "%u", v.u16);
        break;
    case GB_ROS_I32:
        snprintf(text, sizeof text, "%" PRId32, v.i32);
        break;
    case GB_ROS_U32:
        snprintf(text, sizeof text, "%" PRIu32, v.u32);
        break;
    case GB_ROS_I64:
        snprintf(text, sizeof text, "%" PRId64, v.i64);
        break;
    case GB_ROS_U64:
        snprintf(text, sizeof text, "%" PRIu64, v.u64);
        break;
    default: /* JSON has no NaN */
        snprintf(text, sizeof text,
                 isfinite(real) ? (kind == GB_ROS_F32 ? "%.9g" : "%.17g") : "null", real);
    }
    return put(out, text, strlen(text));
}

static gb_status json_struct(const gb_ros_type *type, gb_cdr *cdr, gb_ros_text *out, int depth);

static gb_status json_one(const gb_ros_field *f, gb_cdr *cdr, gb_ros_text *out, int depth)
{
    unsigned char value[8] = {0};
    const char *text = NULL;
    size_t size = 0;
    if (f->kind == GB_ROS_STRUCT)
        return json_struct(f->type, cdr, out, depth + 1);
    if (f->kind == GB_ROS_STRING) {
        GB_TRY(gb_cdr_text(cdr, &text, &size));
        return put_string(out, text, size);
    }
    if (f->kind == GB_ROS_WSTRING)
        return gb_fail(GB_ERR_UNSUPPORTED, "the field %s is a wstring, which is not read", f->name);
    GB_TRY(gb_cdr_values(cdr, gb_ros_kind_bytes(f->kind), 1, value));
    return put_number(out, f->kind, value);
}

static gb_status json_field(const gb_ros_field *f, gb_cdr *cdr, gb_ros_text *out, int depth)
{
    if (f->many == GB_ROS_ONE)
        return json_one(f, cdr, out, depth);
    uint32_t count = (uint32_t)f->length;
    if (f->many == GB_ROS_COUNTED)
        GB_TRY(gb_cdr_u32(cdr, &count));
    GB_TRY(put(out, "[", 1));
    for (uint32_t i = 0; i < count; i++) { /* every element takes a byte of the message at least */
        if (i > 0)
            GB_TRY(put(out, ",", 1));
        GB_TRY(json_one(f, cdr, out, depth));
    }
    return put(out, "]", 1);
}

static gb_status json_struct(const gb_ros_type *type, gb_cdr *cdr, gb_ros_text *out, int depth)
{
    if (depth > JSON_DEPTH_MAX)
        return gb_fail(GB_ERR_PARSE, "structs more than %d deep", JSON_DEPTH_MAX);
    GB_TRY(put(out, "{", 1));
    if (type->field_count == 0)
        GB_TRY(gb_cdr_values(cdr, 1, 1, NULL));
    for (int i = 0; i < type->field_count; i++) {
        const gb_ros_field *f = &type->fields[i];
        if (i > 0)
            GB_TRY(put(out, ",", 1));
        GB_TRY(put_string(out, f->name, strlen(f->name)));
        GB_TRY(put(out, ":", 1));
        GB_TRY(json_field(f, cdr, out, depth));
    }
    return put(out, "}", 1);
}

gb_status gb_ros_read_json(const gb_ros_field *field, gb_cdr *cdr, gb_ros_text *out)
{
    return json_field(field, cdr, out, 0);
}
