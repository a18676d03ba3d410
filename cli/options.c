/* Command-line options by table, and exit codes of failures. */
#include "cli.h"

#include "base/words.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int
usage_mistake(const cli_command *command, const char *format, const char *a, const char *b)
{
    fprintf(stderr, "genba %s: ", command->name);
    fprintf(stderr, format, a, b);
    fprintf(stderr, "\nsee genba %s --help\n", command->name);
    return EXIT_USAGE;
}

static int
unknown_option(const cli_command *command, const char *name, const option_spec *specs, int count)
{
    gb_words words = {.written = name};
    for (int i = 0; i < count; i++)
        gb_words_add(&words, specs[i].name);
    const char *near = gb_words_suggest(&words);
    return usage_mistake(
        command, *near ? "there is no option --%s; %s" : "there is no option --%s%s", name, near);
}

static int set_value(const cli_command *command, const option_spec *spec, const char *text)
{
    if (spec->kind == OPTION_TEXT) {
        *(const char **)spec->value = text;
        return -1;
    }
    char *end, expected[128];
    errno = 0;
    double number = strtod(text, &end);
    bool whole = spec->kind != OPTION_COUNT || number == floor(number);
    if (*text == 0 || *end != 0 || errno || !whole || !(number >= spec->least) ||
        !(number <= spec->most)) {
        snprintf(expected, sizeof expected, "--%s must be a %snumber from %.16g to %.16g, not ",
                 spec->name, spec->kind == OPTION_COUNT ? "whole " : "", spec->least, spec->most);
        return usage_mistake(command, "%s%s", expected, text);
    }
    if (spec->kind == OPTION_COUNT)
        *(int64_t *)spec->value = (int64_t)number;
    else
        *(double *)spec->value = number;
    return -1;
}

static const option_spec *
find_option(const char *word, size_t length, const option_spec *specs, int count)
{
    for (int i = 0; i < count; i++)
        if (strlen(specs[i].name) == length && strncmp(specs[i].name, word, length) == 0)
            return &specs[i];
    return NULL;
}

/* argv[*at] is "--name", "--name=value" or "--name" "value". */
static int parse_option(
    const cli_command *command, int argc, char **argv, int *at, const option_spec *specs, int count)
{
    const char *word = argv[*at] + 2;
    const char *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);
    const option_spec *spec = find_option(word, length, specs, count);
    if (!spec)
        return unknown_option(command, word, specs, count);
    if (spec->kind == OPTION_FLAG) {
        if (equals)
            return usage_mistake(command, "--%s takes no value%s", spec->name, "");
        *(bool *)spec->value = true;
        return -1;
    }
    if (!equals && *at + 1 >= argc)
        return usage_mistake(command, "--%s needs a value%s", spec->name, "");
    return set_value(command, spec, equals ? equals + 1 : argv[++*at]);
}

int options_parse(const cli_command *command,
                  int argc,
                  char **argv,
                  const option_spec *specs,
                  int count,
                  const char **places,
                  int places_least,
                  int places_most)
{
    int found = 0;
    bool only_places = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (!only_places && (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)) {
            fputs(command->help, stdout);
            return EXIT_DONE;
        }
        if (!only_places && strcmp(word, "--") == 0) {
            only_places = true;
        } else if (!only_places && strncmp(word, "--", 2) == 0) {
            int code = parse_option(command, argc, argv, &i, specs, count);
            if (code >= 0)
                return code;
        } else if (found < places_most) {
            places[found++] = word;
        } else {
            return usage_mistake(command, "%s is one word too many%s", word, "");
        }
    }
    if (found < places_least) {
        const char *usage_ends = strstr(command->help, "\n\n");
        fprintf(stderr, "genba %s: something is missing\n%.*s\nsee genba %s --help\n",
                command->name, usage_ends ? (int)(usage_ends - command->help) : 0, command->help,
                command->name);
        return EXIT_USAGE;
    }
    return -1;
}

int fail_with(gb_status status)
{
    const char *message = gb_error_message();
    fprintf(stderr, "genba: %s\n", *message ? message : gb_status_text(status));
    switch (status) {
    case GB_ERR_MEMORY:
    case GB_ERR_IO:
    case GB_ERR_UNSUPPORTED:
        return EXIT_MACHINE;
    case GB_ERR_INTERRUPTED:
        return EXIT_STOPPED;
    default:
        return EXIT_INPUT;
    }
}

gb_status pool_for(int64_t threads, gb_pool **out)
{
    if (threads == 1) {
        *out = NULL;
        return GB_OK;
    }
    return gb_pool_create((int)threads, out);
}
