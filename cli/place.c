/* Where a model is: every command that wants one takes the model's folder or the run folder that
 * genba train made around it. */
#include "cli.h"

#include <string.h>

bool is_run(const char *folder)
{
    char path[PLACE_MAX];
    snprintf(path, sizeof path, "%s/run.json", folder);
    return gb_file_exists(path);
}

gb_status model_place(const char *given, char *out, size_t size)
{
    bool run = is_run(given);
    size_t length = strlen(given);
    while (run && length > 1 && given[length - 1] == '/')
        length--;
    int used = snprintf(out, size, "%.*s%s", (int)length, given, run ? "/model" : "");
    if (used < 0 || (size_t)used >= size)
        return gb_fail(GB_ERR_ARGUMENT, "the name of the model's folder is longer than %zu bytes",
                       size - 1);
    if (run && !gb_file_exists(out))
        return gb_fail(GB_ERR_NOT_FOUND,
                       "%s is a run without a model yet: its training did not come to its end; the "
                       "same genba train goes on with it",
                       given);
    char inside[PLACE_MAX + 16];
    snprintf(inside, sizeof inside, "%s/config.json", out);
    if (gb_file_exists(inside))
        return GB_OK;
    if (!gb_file_exists(given))
        return gb_fail(GB_ERR_IO, "there is no folder %s; give a model's folder or its run's",
                       given);
    return gb_fail(GB_ERR_NOT_FOUND,
                   "%s is neither a model's folder (it would hold config.json) nor the folder of a "
                   "run (run.json)",
                   given);
}
