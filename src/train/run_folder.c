/* A run folder's papers: run.json, the lock, the list of checkpoints. The run itself is run.c. */
#define _DEFAULT_SOURCE /* flock */
#include "train/run_folder.h"
#include "base/json.h"
#include "train/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define RUN_LIMIT_BYTES (64u << 20)

gb_status gb_run_path(const char *folder, const char *name, char path[GB_RUN_PATH_BYTES])
{
    if (snprintf(path, GB_RUN_PATH_BYTES, "%s/%s", folder, name) >= GB_RUN_PATH_BYTES)
        return gb_fail(GB_ERR_ARGUMENT, "the path %.64s.../%s is too long", folder, name);
    return GB_OK;
}

gb_status gb_run_lock(const char *folder, int *out_fd)
{
    char path[GB_RUN_PATH_BYTES];
    GB_TRY(gb_run_path(folder, ".lock", path));
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return gb_fail(GB_ERR_IO, "cannot write %s: %s; check the folder's permissions", path,
                       strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return gb_fail(GB_ERR_IO,
                       "another process is training in %s: wait for it, or choose "
                       "another run folder",
                       folder);
    }
    *out_fd = fd;
    return GB_OK;
}

/* ---- run.json ---------------------------------------------------------------------------------
 */
gb_status gb_run_read(const char *folder, json_t **out)
{
    char path[GB_RUN_PATH_BYTES];
    GB_TRY(gb_run_path(folder, "run.json", path));
    if (!gb_file_exists(path)) {
        *out = NULL;
        return GB_OK;
    }
    return gb_json_open(path, RUN_LIMIT_BYTES, out);
}

gb_status gb_run_write(const char *folder, const json_t *document)
{
    char path[GB_RUN_PATH_BYTES];
    GB_TRY(gb_run_path(folder, "run.json", path));
    char *text = json_dumps(document, JSON_INDENT(2));
    gb_status status = text ? gb_file_replace(path, text, strlen(text))
                            : gb_fail(GB_ERR_MEMORY, "run.json: no memory");
    free(text);
    return status;
}

static void hash_text(const char *text, char hex[GB_RUN_HEX_BYTES])
{
    unsigned char hash[GB_HASH_BYTES];
    gb_hash(text, strlen(text), hash);
    gb_hash_hex(hash, hex);
}

json_t *gb_run_describe(const gb_recipe *recipe, const gb_train_data *data)
{
    char hex[GB_RUN_HEX_BYTES], seed[32];
    hash_text(recipe->text, hex);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)recipe->seed);
    json_t *files = json_array();
    for (int i = 0; data && i < data->file_count; i++) {
        const gb_data_file *file = &data->files[i];
        json_array_append_new(files, json_pack("{s:s, s:s, s:I, s:s}", "source", file->source,
                                               "path", file->path, "bytes", (json_int_t)file->bytes,
                                               "blake2b", file->hash));
    }
    return json_pack("{s:s, s:s, s:s, s:I, s:f, s:o}", "name", recipe->name, "recipe", hex, "seed",
                     seed, "steps", (json_int_t)recipe->train.steps, "minutes",
                     recipe->train.minutes, "data", files);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static gb_status compare_data(const char *folder, const json_t *a, const json_t *b)
{
    if (json_array_size(a) != json_array_size(b))
        return gb_fail(GB_ERR_MISMATCH,
                       "%s was trained on %zu files, the recipe now finds %zu: restore the data, "
                       "or start a new run folder",
                       folder, json_array_size(a), json_array_size(b));
    for (size_t i = 0; i < json_array_size(a); i++) {
        const json_t *x = json_array_get(a, i), *y = json_array_get(b, i);
        if (strcmp(text_of(x, "blake2b"), text_of(y, "blake2b")) != 0)
            return gb_fail(GB_ERR_MISMATCH,
                           "%s was trained on other data: %s has changed since; restore it, or "
                           "start a new run folder",
                           folder, text_of(y, "path"));
    }
    return GB_OK;
}

gb_status gb_run_compare(const char *folder, const json_t *found, const json_t *expected, bool data)
{
    if (strcmp(text_of(found, "recipe"), text_of(expected, "recipe")) != 0)
        return gb_fail(GB_ERR_MISMATCH,
                       "%s belongs to another recipe (%s, or the same one before an edit): start a "
                       "new run folder",
                       folder, text_of(found, "name"));
    if (strcmp(text_of(found, "seed"), text_of(expected, "seed")) != 0)
        return gb_fail(GB_ERR_MISMATCH,
                       "%s was started with seed %s, not %s: start a new run "
                       "folder",
                       folder, text_of(found, "seed"), text_of(expected, "seed"));
    if (!json_equal(json_object_get(found, "steps"), json_object_get(expected, "steps")) ||
        json_number_value(json_object_get(found, "minutes")) !=
            json_number_value(json_object_get(expected, "minutes")))
        return gb_fail(GB_ERR_MISMATCH,
                       "%s was started with another number of steps or minutes: "
                       "start a new run folder",
                       folder);
    if (!data)
        return GB_OK;
    return compare_data(folder, json_object_get(found, "data"), json_object_get(expected, "data"));
}

gb_status gb_run_identity(const json_t *description, char hex[GB_RUN_HEX_BYTES])
{
    json_t *copy = json_deep_copy(description);
    json_t *files = json_object_get(copy, "data");
    for (size_t i = 0; i < json_array_size(files); i++)
        json_object_del(json_array_get(files, i), "path");
    char *text = copy ? json_dumps(copy, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(copy);
    if (!text)
        return gb_fail(GB_ERR_MEMORY, "run: no memory for its description");
    hash_text(text, hex);
    free(text);
    return GB_OK;
}

/* ---- checkpoints ------------------------------------------------------------------------------
 */
gb_status gb_run_checkpoint_path(const char *folder, int64_t step, char path[GB_RUN_PATH_BYTES])
{
    if (snprintf(path, GB_RUN_PATH_BYTES, "%s/checkpoints/step-%09lld", folder, (long long)step) >=
        GB_RUN_PATH_BYTES)
        return gb_fail(GB_ERR_ARGUMENT, "the path of the run folder is too long");
    return GB_OK;
}

static int newest_first(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

int gb_run_checkpoints(const char *folder, int64_t steps[GB_RUN_CHECKPOINTS_MAX])
{
    char path[GB_RUN_PATH_BYTES];
    int count = 0;
    if (gb_run_path(folder, "checkpoints", path) != GB_OK)
        return 0;
    DIR *list = opendir(path);
    struct dirent *entry;
    while (list && count < GB_RUN_CHECKPOINTS_MAX && (entry = readdir(list))) {
        char *end = NULL;
        if (strncmp(entry->d_name, "step-", 5) != 0)
            continue;
        long long step = strtoll(entry->d_name + 5, &end, 10);
        if (end != entry->d_name + 5 && *end == 0 && step >= 0)
            steps[count++] = step;
    }
    if (list)
        closedir(list);
    qsort(steps, (size_t)count, sizeof *steps, newest_first);
    return count;
}

void gb_run_prune(const char *folder, int keep)
{
    int64_t steps[GB_RUN_CHECKPOINTS_MAX];
    char path[GB_RUN_PATH_BYTES];
    int count = gb_run_checkpoints(folder, steps);
    for (int i = keep; i < count; i++)
        if (gb_run_checkpoint_path(folder, steps[i], path) == GB_OK)
            gb_folder_remove(path);
}
