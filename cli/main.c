/* genba: finds the command and runs it. */
#include "cli.h"

#include "base/words.h"

#include <stdlib.h>
#include <string.h>

static const cli_command *const commands[] = {
#define COMMAND_ROW(name) &command_##name,
    COMMAND_LIST(COMMAND_ROW)
#undef COMMAND_ROW
};
enum {
    COMMANDS = sizeof commands / sizeof commands[0]
};

static void print_help(FILE *to)
{
    fprintf(to, "genba %s: recordings in, one model, control at the edge\n\n", gb_version());
    fputs("usage: genba COMMAND [options]      genba COMMAND --help\n\n", to);
    for (int i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\nexit codes: 0 done, 2 the command line is wrong, 3 what a file, recipe or option says "
          "is wrong,\n"
          "4 a file cannot be read or written, memory is short or a feature is missing,\n"
          "130 stopped (what was done is saved, or printed)\n"
          "example: genba demo\n",
          to);
}

static void print_log(void *context, gb_log_level level, const char *line)
{
    (void)context;
    if (level >= GB_LOG_WARN)
        fprintf(stderr, "genba: %s\n", line);
}

int main(int argc, char **argv)
{
    gb_log_set_sink(print_log, NULL);
    setenv("SVT_LOG", "1", 0); /* the AV1 encoder prints otherwise, and is not taken then */
    if (argc < 2 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0) {
        print_help(argc < 2 ? stderr : stdout);
        return argc < 2 ? EXIT_USAGE : EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("genba %s\n", gb_version());
        return EXIT_DONE;
    }
    gb_cpu_get(); /* asks for AMX before any thread is made */
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i]->name) == 0)
            return commands[i]->run(argc - 1, argv + 1);
    gb_words words = {.written = argv[1]};
    for (int i = 0; i < COMMANDS; i++)
        gb_words_add(&words, commands[i]->name);
    fprintf(stderr, "genba: there is no command %s; %ssee genba help\n", argv[1],
            gb_words_suggest(&words));
    return EXIT_USAGE;
}
