/* genba key: makes key files. */
#include "cli.h"

#include "genba/store.h"

#include <string.h>

static int run_key(int argc, char **argv)
{
    const char *places[2] = {0};
    int code = options_parse(&command_key, argc, argv, NULL, 0, places, 2, 2);
    if (code >= 0)
        return code;
    if (strcmp(places[0], "new") != 0) {
        fprintf(stderr, "genba key: there is no \"%s\"; genba key new FILE makes a key file\n",
                places[0]);
        return EXIT_USAGE;
    }
    gb_status status = gb_key_create(places[1]);
    if (status != GB_OK)
        return fail_with(status);
    printf("made %s (readable by you only). Keep a copy in a safe place: without it, nothing that\n"
           "is encrypted or anonymised with it can be read or undone again.\n",
           places[1]);
    return EXIT_DONE;
}

const cli_command command_key = {
    "key", "make a key file, for encrypted stores and for anonymising",
    "usage: genba key new FILE\n\n"
    "Writes 32 random bytes, in hexadecimal, to FILE (mode 600). A file that is there already is\n"
    "not replaced. Keep key files outside the store they belong to.\n\n"
    "example: genba key new ~/keys/press.key\n",
    run_key};
