/* YAML text for guessed maps: growing, quoting. Knows no format and no stream. */
#include "ingest/guess_text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    FIRST_BYTES = 4096,
    NAME_BYTES = 120
};

static bool make_room(gb_guess_text *text, size_t size)
{
    if (text->failed || size < text->room - text->used)
        return !text->failed;
    size_t room = 2 * text->room + size + FIRST_BYTES;
    char *grown = gb_arena_alloc(text->arena, room);
    text->failed = !grown;
    if (!grown)
        return false;
    if (text->used > 0)
        memcpy(grown, text->text, text->used);
    text->text = grown;
    text->room = room;
    return true;
}

void gb_guess_add(gb_guess_text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    if (length >= 0 && make_room(text, (size_t)length + 1)) {
        vsnprintf(text->text + text->used, (size_t)length + 1, format, again);
        text->used += (size_t)length;
    }
    va_end(again);
    va_end(arguments);
}

static bool is_plain(const char *value)
{
    if (!isalpha((unsigned char)value[0]))
        return false;
    static const char *const words[] = {"true", "false", "yes", "no", "on",
                                        "off",  "null",  "y",   "n"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(value, words[i]) == 0)
            return false;
    for (const char *at = value; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("_./-", *at))
            return false;
    return true;
}

void gb_guess_add_quoted(gb_guess_text *text, const char *value)
{
    if (is_plain(value)) {
        gb_guess_add(text, "%s", value);
        return;
    }
    gb_guess_add(text, "\"");
    for (const char *at = value; *at; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte == '"' || byte == '\\')
            gb_guess_add(text, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f)
            gb_guess_add(text, "\\x%02x", byte);
        else
            gb_guess_add(text, "%c", byte);
    }
    gb_guess_add(text, "\"");
}

void gb_guess_add_head(gb_guess_text *text, const char *path, const char *reader)
{
    char name[NAME_BYTES];
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    size_t begin = size;
    while (begin > 0 && path[begin - 1] != '/')
        begin--;
    snprintf(name, sizeof name, "%.*s",
             (int)(size - begin < NAME_BYTES ? size - begin : NAME_BYTES), path + begin);
    char *dot = strrchr(name, '.');
    gb_guess_add(text, "# Proposed for ");
    gb_guess_add_quoted(text, name);
    gb_guess_add(text, "; see docs/formats.md.\nname: ");
    if (dot && dot > name)
        *dot = 0;
    gb_guess_add_quoted(text, name);
    gb_guess_add(text, "\nreader: %s\nfiles: [", reader);
    if (!dot || dot == name) {
        gb_guess_add_quoted(text, name);
    } else {
        *dot = '.';
        char pattern[NAME_BYTES + 1];
        snprintf(pattern, sizeof pattern, "*%s", dot);
        gb_guess_add_quoted(text, pattern);
    }
    gb_guess_add(text, "]\n");
}

const char *gb_guess_done(gb_guess_text *text)
{
    return text->failed || !text->text ? NULL : text->text;
}
