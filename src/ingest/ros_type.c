/* Parses ros2msg schemas (the .msg format of rosidl: "type name [default]", "type NAME=value",
 * '#' comments). Defaults and constants are skipped: a message holds every value. */
#include "ingest/ros_type.h"

#include <stdlib.h>
#include <string.h>

#define TYPES_MAX 1024
#define FIELDS_MAX 4096
#define DEPTH_MAX 16
#define LENGTH_MAX (1LL << 28)
#define NAME_MAX_BYTES 255

typedef struct text_part {
    const char *at;
    size_t size;
} text_part;

typedef struct parser {
    const char *name; /* of the schema, for messages */
    gb_arena *arena;
    text_part names[TYPES_MAX]; /* "pkg/Type" */
    text_part bodies[TYPES_MAX];
    const gb_ros_type *types[TYPES_MAX]; /* NULL: not parsed yet */
    bool busy[TYPES_MAX];                /* being parsed: meeting it again is a circle */
    int count;
} parser;

typedef struct plain_kind {
    const char *word;
    gb_ros_kind kind;
} plain_kind;

static const plain_kind plain_kinds[] = {
    {"bool", GB_ROS_BOOL},   {"byte", GB_ROS_U8},       {"char", GB_ROS_U8},
    {"int8", GB_ROS_I8},     {"uint8", GB_ROS_U8},      {"int16", GB_ROS_I16},
    {"uint16", GB_ROS_U16},  {"int32", GB_ROS_I32},     {"uint32", GB_ROS_U32},
    {"int64", GB_ROS_I64},   {"uint64", GB_ROS_U64},    {"float32", GB_ROS_F32},
    {"float64", GB_ROS_F64}, {"string", GB_ROS_STRING}, {"wstring", GB_ROS_WSTRING},
};

typedef struct kind_row {
    gb_value_type type;
    size_t bytes;
} kind_row;

static const kind_row kind_rows[] = {
    [GB_ROS_BOOL] = {GB_VALUE_U8, 1},       [GB_ROS_I8] = {GB_VALUE_I8, 1},
    [GB_ROS_U8] = {GB_VALUE_U8, 1},         [GB_ROS_I16] = {GB_VALUE_I16, 2},
    [GB_ROS_U16] = {GB_VALUE_U16, 2},       [GB_ROS_I32] = {GB_VALUE_I32, 4},
    [GB_ROS_U32] = {GB_VALUE_U32, 4},       [GB_ROS_I64] = {GB_VALUE_I64, 8},
    [GB_ROS_U64] = {GB_VALUE_U64, 8},       [GB_ROS_F32] = {GB_VALUE_F32, 4},
    [GB_ROS_F64] = {GB_VALUE_F64, 8},       [GB_ROS_STRING] = {GB_VALUE_BYTES, 0},
    [GB_ROS_WSTRING] = {GB_VALUE_BYTES, 0}, [GB_ROS_STRUCT] = {GB_VALUE_BYTES, 0},
};

gb_value_type gb_ros_value_type(gb_ros_kind kind)
{
    return kind_rows[kind].type;
}

size_t gb_ros_kind_bytes(gb_ros_kind kind)
{
    return kind_rows[kind].bytes;
}

/* "pkg/msg/Type" and "pkg/Type" name the same. */
static bool same_name(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t i = 0, j = 0;
    while (i < a_size && j < b_size) {
        if (a_size - i >= 5 && memcmp(a + i, "/msg/", 5) == 0)
            i += 4;
        if (b_size - j >= 5 && memcmp(b + j, "/msg/", 5) == 0)
            j += 4;
        if (a[i++] != b[j++])
            return false;
    }
    return i == a_size && j == b_size;
}

bool gb_ros_type_is(const gb_ros_type *type, const char *name)
{
    return same_name(type->name, strlen(type->name), name, strlen(name));
}

static text_part next_line(text_part *rest)
{
    const char *end = memchr(rest->at, '\n', rest->size);
    size_t size = end ? (size_t)(end - rest->at) : rest->size;
    text_part line = {rest->at, size};
    size_t used = end ? size + 1 : size;
    rest->at += used;
    rest->size -= used;
    if (line.size > 0 && line.at[line.size - 1] == '\r')
        line.size--;
    return line;
}

static text_part trim(text_part part)
{
    while (part.size > 0 && (part.at[0] == ' ' || part.at[0] == '\t')) {
        part.at++;
        part.size--;
    }
    while (part.size > 0 && (part.at[part.size - 1] == ' ' || part.at[part.size - 1] == '\t'))
        part.size--;
    return part;
}

static bool is_parting(text_part line)
{
    if (line.size < 3)
        return false;
    for (size_t i = 0; i < line.size; i++)
        if (line.at[i] != '=')
            return false;
    return true;
}

static gb_status add_definition(parser *p, text_part name, text_part body)
{
    if (p->count == TYPES_MAX)
        return gb_fail(GB_ERR_PARSE, "schema %s: more than %d types", p->name, TYPES_MAX);
    p->names[p->count] = name;
    p->bodies[p->count] = body;
    p->count++;
    return GB_OK;
}

/* Parts the text into definitions; the first is the main type's. */
static gb_status part_definitions(parser *p, const char *text, size_t size)
{
    text_part rest = {text, size}, name = {p->name, strlen(p->name)};
    const char *body = text;
    while (rest.size > 0) {
        const char *line_start = rest.at;
        if (!is_parting(trim(next_line(&rest))))
            continue;
        GB_TRY(add_definition(p, name, (text_part){body, (size_t)(line_start - body)}));
        text_part line = trim(next_line(&rest));
        if (line.size < 6 || memcmp(line.at, "MSG: ", 5) != 0)
            return gb_fail(GB_ERR_PARSE,
                           "schema %s: \"MSG: package/Type\" expected after a line of '=', found "
                           "\"%.*s\"",
                           p->name, (int)(line.size < 60 ? line.size : 60), line.at);
        name = (text_part){line.at + 5, line.size - 5};
        body = rest.at;
    }
    return add_definition(p, name, (text_part){body, (size_t)(text + size - body)});
}

static gb_status parse_type(parser *p, int number, int depth, const gb_ros_type **out);

/* A type written without its package is of the package that uses it, or std_msgs' Header. */
static int find_definition(const parser *p, text_part word, text_part owner)
{
    for (int i = 0; i < p->count; i++)
        if (same_name(p->names[i].at, p->names[i].size, word.at, word.size))
            return i;
    if (memchr(word.at, '/', word.size))
        return -1;
    const char *slash = memchr(owner.at, '/', owner.size);
    size_t package = slash ? (size_t)(slash - owner.at) : 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < p->count; i++) {
            text_part name = p->names[i];
            if (name.size <= word.size + 1 || name.at[name.size - word.size - 1] != '/' ||
                memcmp(name.at + name.size - word.size, word.at, word.size) != 0)
                continue;
            bool own = package > 0 && name.size > package && name.at[package] == '/' &&
                       memcmp(name.at, owner.at, package) == 0;
            if (pass == 1 || own)
                return i;
        }
    }
    return -1;
}

/* "[3]", "[]", "[<=5]" behind the type, and "<=10" of a bounded string. */
static gb_status parse_many(const parser *p, text_part word, text_part *out_base, gb_ros_field *out)
{
    const char *bracket = memchr(word.at, '[', word.size);
    text_part base = word;
    if (bracket) {
        base.size = (size_t)(bracket - word.at);
        const char *inner = bracket + 1;
        size_t size = word.size - base.size - 1;
        if (size == 0 || inner[size - 1] != ']' || size > 20)
            return gb_fail(GB_ERR_PARSE, "schema %s: \"%.*s\" is no array type", p->name,
                           (int)(word.size < 60 ? word.size : 60), word.at);
        out->many = GB_ROS_COUNTED;
        if (size > 1 && inner[0] != '<') {
            char digits[24] = {0};
            memcpy(digits, inner, size - 1);
            char *end = NULL;
            long long length = strtoll(digits, &end, 10);
            if (*end || length < 0 || length > LENGTH_MAX)
                return gb_fail(GB_ERR_PARSE, "schema %s: [%s] is no length of an array", p->name,
                               digits);
            out->many = GB_ROS_FIXED;
            out->length = length;
        }
    }
    const char *bound = memchr(base.at, '<', base.size);
    if (bound)
        base.size = (size_t)(bound - base.at);
    *out_base = base;
    return GB_OK;
}

static gb_status
parse_field(parser *p, text_part word, text_part owner, int depth, gb_ros_field *out)
{
    text_part base;
    GB_TRY(parse_many(p, word, &base, out));
    for (size_t i = 0; i < sizeof plain_kinds / sizeof *plain_kinds; i++) {
        if (strlen(plain_kinds[i].word) == base.size &&
            memcmp(plain_kinds[i].word, base.at, base.size) == 0) {
            out->kind = plain_kinds[i].kind;
            return GB_OK;
        }
    }
    int number = find_definition(p, base, owner);
    if (number < 0)
        return gb_fail(GB_ERR_PARSE, "schema %s: the type %.*s is used but not defined in it",
                       p->name, (int)(base.size < 100 ? base.size : 100), base.at);
    out->kind = GB_ROS_STRUCT;
    return parse_type(p, number, depth + 1, &out->type);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* "type name", with what follows; false for blank lines, comments and constants. */
static bool part_line(text_part line, text_part *out_type, text_part *out_name)
{
    line = trim(line);
    if (line.size == 0 || line.at[0] == '#' || is_parting(line))
        return false;
    size_t at = 0;
    while (at < line.size && !is_blank(line.at[at]))
        at++;
    *out_type = (text_part){line.at, at};
    while (at < line.size && is_blank(line.at[at]))
        at++;
    size_t begin = at;
    while (at < line.size && !is_blank(line.at[at]) && line.at[at] != '=' && line.at[at] != '#')
        at++;
    *out_name = (text_part){line.at + begin, at - begin};
    while (at < line.size && is_blank(line.at[at]))
        at++;
    return !(at < line.size && line.at[at] == '=') && out_name->size > 0;
}

static const char *keep_text(gb_arena *arena, text_part part)
{
    char *copy = gb_arena_alloc(arena, part.size + 1);
    if (copy)
        memcpy(copy, part.at, part.size);
    return copy;
}

static gb_status
add_field(parser *p, gb_ros_type *type, text_part word, text_part name, text_part owner, int depth)
{
    if (type->field_count == FIELDS_MAX || name.size > NAME_MAX_BYTES)
        return gb_fail(GB_ERR_PARSE, "schema %s: more than %d fields, or a name over %d bytes",
                       p->name, FIELDS_MAX, NAME_MAX_BYTES);
    gb_ros_field *field = &type->fields[type->field_count];
    *field = (gb_ros_field){.name = keep_text(p->arena, name)};
    if (!field->name)
        return GB_ERR_MEMORY;
    GB_TRY(parse_field(p, word, owner, depth, field));
    if (field->type && field->type->depth + 1 > type->depth)
        type->depth = field->type->depth + 1;
    type->field_count++;
    return GB_OK;
}

static int64_t count_lines(text_part body)
{
    int64_t lines = 1;
    for (size_t i = 0; i < body.size; i++)
        lines += body.at[i] == '\n';
    return lines;
}

static gb_status parse_type(parser *p, int number, int depth, const gb_ros_type **out)
{
    if (p->types[number]) {
        *out = p->types[number];
        return GB_OK;
    }
    text_part owner = p->names[number], rest = p->bodies[number], word, name;
    if (p->busy[number] || depth > DEPTH_MAX)
        return gb_fail(GB_ERR_PARSE, "schema %s: the type %.*s contains itself, or is over %d deep",
                       p->name, (int)(owner.size < 100 ? owner.size : 100), owner.at, DEPTH_MAX);
    p->busy[number] = true;
    int64_t lines = count_lines(rest);
    if (lines > FIELDS_MAX)
        lines = FIELDS_MAX;
    gb_ros_type *type = gb_arena_alloc(p->arena, sizeof *type);
    if (!type)
        return GB_ERR_MEMORY;
    type->name = keep_text(p->arena, owner);
    type->fields = gb_arena_alloc(p->arena, (size_t)lines * sizeof *type->fields);
    if (!type->name || !type->fields)
        return GB_ERR_MEMORY;
    while (rest.size > 0)
        if (part_line(next_line(&rest), &word, &name)) {
            if (type->field_count == lines)
                return gb_fail(GB_ERR_PARSE, "schema %s: more than %d fields", p->name, FIELDS_MAX);
            GB_TRY(add_field(p, type, word, name, owner, depth));
        }
    p->busy[number] = false;
    p->types[number] = type;
    *out = type;
    return GB_OK;
}

gb_status gb_ros_type_parse(
    const char *name, const char *text, size_t size, gb_arena *arena, const gb_ros_type **out)
{
    parser *p = gb_arena_alloc(arena, sizeof *p);
    if (!p)
        return GB_ERR_MEMORY;
    p->name = name;
    p->arena = arena;
    GB_TRY(part_definitions(p, text, size));
    return parse_type(p, 0, 0, out);
}
