/* YAML text to a tree of nodes with line numbers, through libyaml's events.
 * Knows no schema: see yaml_check.c for what a tree must look like. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/yaml.h"

enum {
    DEPTH_LIMIT = 64
};

typedef struct tree_builder {
    const char *name;
    const char *text; /* [size] */
    size_t size;
    gb_arena *arena;
    yaml_parser_t parser;
    gb_yaml_node *root;
    gb_yaml_node *open[DEPTH_LIMIT]; /* the sequence or mapping of each level */
    int depth;
    int documents;
    const char *key; /* waiting for its value, in the innermost mapping */
    int key_line;
} tree_builder;

/* libyaml gives bytes, not lines, for text that is not UTF-8. */
static int line_of_byte(const tree_builder *builder, size_t offset)
{
    int line = 1;
    for (size_t i = 0; i < offset && i < builder->size; i++)
        line += builder->text[i] == '\n';
    return line;
}

static bool line_has_tab(const tree_builder *builder, int line)
{
    size_t i = 0;
    for (int at = 1; i < builder->size && at < line; i++)
        at += builder->text[i] == '\n';
    for (; i < builder->size && builder->text[i] != '\n'; i++)
        if (builder->text[i] == '\t')
            return true;
    return false;
}

static gb_status fail_parser(const tree_builder *builder)
{
    const yaml_parser_t *parser = &builder->parser;
    const char *problem = parser->problem != NULL ? parser->problem : "the text ends too early";
    if (parser->error == YAML_MEMORY_ERROR)
        return gb_fail(GB_ERR_MEMORY, "%s: not enough memory to read it", builder->name);
    if (parser->error == YAML_READER_ERROR)
        return gb_fail(GB_ERR_PARSE,
                       "%s:%d: byte %zu is not text in UTF-8 (%s); save the file as UTF-8",
                       builder->name, line_of_byte(builder, parser->problem_offset),
                       parser->problem_offset, problem);
    int line = (int)parser->problem_mark.line + 1;
    char context[160] = "";
    if (parser->context != NULL)
        snprintf(context, sizeof context, ", %s that starts in line %d", parser->context,
                 (int)parser->context_mark.line + 1);
    return gb_fail(GB_ERR_PARSE, "%s:%d: not YAML at column %d: %s%s; %s", builder->name, line,
                   (int)parser->problem_mark.column + 1, problem, context,
                   line_has_tab(builder, line)
                       ? "the line contains a tab: indent with spaces"
                       : "check indentation, quotes and \"key: value\" around this line");
}

static gb_status fail_at(const tree_builder *builder, const yaml_event_t *event, const char *text)
{
    return gb_fail(GB_ERR_PARSE, "%s:%d: %s", builder->name, (int)event->start_mark.line + 1, text);
}

static gb_status add_node(tree_builder *builder, const yaml_event_t *event, gb_yaml_kind kind)
{
    gb_yaml_node *node = gb_arena_alloc(builder->arena, sizeof *node);
    if (node == NULL)
        return GB_ERR_MEMORY;
    node->kind = kind;
    node->line = (int)event->start_mark.line + 1;
    node->key_line = node->line;
    if (builder->depth == 0) {
        builder->root = node;
    } else {
        gb_yaml_node *parent = builder->open[builder->depth - 1];
        if (parent->kind == GB_YAML_MAPPING) {
            node->key = builder->key;
            node->key_line = builder->key_line;
            builder->key = NULL;
        }
        if (parent->last == NULL)
            parent->first = node;
        else
            parent->last->next = node;
        parent->last = node;
        parent->count++;
    }
    if (kind == GB_YAML_SCALAR) {
        node->text = gb_arena_text(builder->arena, (const char *)event->data.scalar.value);
        node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        return node->text != NULL ? GB_OK : GB_ERR_MEMORY;
    }
    if (builder->depth == DEPTH_LIMIT)
        return fail_at(builder, event, "nested deeper than 64 levels; flatten it");
    builder->open[builder->depth++] = node;
    return GB_OK;
}

static bool wants_key(const tree_builder *builder)
{
    return builder->depth > 0 && builder->key == NULL &&
           builder->open[builder->depth - 1]->kind == GB_YAML_MAPPING;
}

static gb_status add_scalar(tree_builder *builder, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    if (memchr(value, 0, event->data.scalar.length) != NULL)
        return fail_at(builder, event, "a text contains a 0 byte; remove it");
    if (!wants_key(builder))
        return add_node(builder, event, GB_YAML_SCALAR);
    builder->key = gb_arena_text(builder->arena, value);
    builder->key_line = (int)event->start_mark.line + 1;
    return builder->key != NULL ? GB_OK : GB_ERR_MEMORY;
}

static gb_status add_event(tree_builder *builder, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++builder->documents > 1)
            return fail_at(builder, event,
                           "a second document starts here (---); one file holds one");
        return GB_OK;
    case YAML_ALIAS_EVENT:
        return fail_at(builder, event,
                       "aliases (*name) are not supported; write the value out here");
    case YAML_SCALAR_EVENT:
        return add_scalar(builder, event);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        if (wants_key(builder))
            return fail_at(builder, event, "a key must be a word, not a list or a mapping");
        return add_node(builder, event,
                        event->type == YAML_MAPPING_START_EVENT ? GB_YAML_MAPPING
                                                                : GB_YAML_SEQUENCE);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        builder->depth--;
        return GB_OK;
    default:
        return GB_OK;
    }
}

gb_status
gb_yaml_tree(const char *name, const char *text, size_t size, gb_arena *arena, gb_yaml_node **out)
{
    tree_builder builder = {.name = name, .text = text, .size = size, .arena = arena};
    if (!yaml_parser_initialize(&builder.parser))
        return gb_fail(GB_ERR_MEMORY, "%s: not enough memory to read it", name);
    /* libyaml drops a byte order mark only when it may guess the encoding, and a guess of UTF-16
     * is not wanted. */
    size_t mark = size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    yaml_parser_set_input_string(&builder.parser, (const unsigned char *)text + mark, size - mark);
    yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
    gb_status status = GB_OK;
    for (bool more = true; more && status == GB_OK;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&builder.parser, &event)) {
            status = fail_parser(&builder);
            break;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        status = add_event(&builder, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&builder.parser);
    if (status == GB_OK)
        *out = builder.root;
    return status;
}

/* One step of a path: "name", ".name" or "[3]". NULL when there is no such child. */
static const gb_yaml_node *step(const gb_yaml_node *node, const char **path)
{
    const char *at = *path + (**path == '.');
    const gb_yaml_node *child = node->first;
    if (*at == '[') {
        char *end = NULL;
        long index = strtol(at + 1, &end, 10);
        if (node->kind != GB_YAML_SEQUENCE || end == at + 1 || *end != ']' || index < 0)
            return NULL;
        while (child != NULL && index-- > 0)
            child = child->next;
        *path = end + 1;
        return child;
    }
    size_t length = strcspn(at, ".[");
    if (node->kind != GB_YAML_MAPPING || length == 0)
        return NULL;
    while (child != NULL && (strncmp(child->key, at, length) != 0 || child->key[length] != 0))
        child = child->next;
    *path = at + length;
    return child;
}

const gb_yaml_node *gb_yaml_find(const gb_yaml_node *root, const char *value_path, bool *out_exact)
{
    const gb_yaml_node *node = root;
    *out_exact = true;
    while (*out_exact && *value_path != 0) {
        const gb_yaml_node *child = step(node, &value_path);
        if (child != NULL)
            node = child;
        else
            *out_exact = false;
    }
    return node;
}
