/* Which files a source names: patterns, the recipe's folder, the user's data folder.
 * Reading them is data.c. */
#include "base/yaml.h"
#include "train/data.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char marker[] = "${GENBA_DATA}";

gb_status gb_recipe_resolve(
    const gb_recipe *recipe, const char *key, const char *path, gb_arena *arena, char **out)
{
    char *resolved;
    if (strncmp(path, marker, sizeof marker - 1) == 0) {
        const char *folder = getenv("GENBA_DATA");
        if (!folder || !folder[0]) {
            (void)gb_yaml_fail_value(recipe->path, key,
                                     "the environment variable GENBA_DATA is not set; set it to "
                                     "the folder where your data lies");
            return gb_fail_context(GB_ERR_NOT_FOUND, "%s", path);
        }
        resolved = gb_arena_format(arena, "%s%s", folder, path + sizeof marker - 1);
    } else if (path[0] == '/') {
        resolved = gb_arena_text(arena, path);
    } else {
        resolved = gb_arena_format(arena, "%s/%s", recipe->folder, path);
    }
    if (!resolved)
        return GB_ERR_MEMORY;
    *out = resolved;
    return GB_OK;
}

static gb_status append_matches(const gb_recipe *recipe,
                                const char *key,
                                const char *pattern,
                                gb_arena *arena,
                                char ***paths,
                                int *count)
{
    glob_t found;
    int code = glob(pattern, 0, NULL, &found);
    if (code == GLOB_NOSPACE)
        return gb_fail(GB_ERR_MEMORY, "no memory to list the files %s", pattern);
    if (code != 0) {
        (void)gb_yaml_fail_value(recipe->path, key,
                                 "no file matches %s; relative paths start from the recipe's "
                                 "folder",
                                 pattern);
        return GB_ERR_NOT_FOUND;
    }
    size_t total = (size_t)*count + found.gl_pathc;
    char **grown = gb_arena_alloc(arena, sizeof(char *) * (total + 1));
    gb_status status = grown ? GB_OK : GB_ERR_MEMORY;
    for (int i = 0; status == GB_OK && i < *count; i++)
        grown[i] = (*paths)[i];
    for (size_t i = 0; status == GB_OK && i < found.gl_pathc; i++)
        if (!(grown[*count + (int)i] = gb_arena_text(arena, found.gl_pathv[i])))
            status = GB_ERR_MEMORY;
    globfree(&found);
    GB_TRY(status);
    *paths = grown;
    *count = (int)total;
    return GB_OK;
}

gb_status
gb_source_paths(const gb_recipe *recipe, int source, gb_arena *arena, char ***out, int *out_count)
{
    const gb_source_config *config = &recipe->sources[source];
    char **paths = NULL;
    int count = 0;
    for (unsigned i = 0; i < config->file_count; i++) {
        char key[64], *pattern;
        snprintf(key, sizeof key, "data[%d].files[%u]", source, i);
        GB_TRY(gb_recipe_resolve(recipe, key, config->files[i], arena, &pattern));
        GB_TRY(append_matches(recipe, key, pattern, arena, &paths, &count));
    }
    *out = paths;
    *out_count = count;
    return GB_OK;
}
