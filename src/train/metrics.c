/* metrics.jsonl: appending lines, and cutting it back to a checkpoint. */
#define _POSIX_C_SOURCE 200809L
#include "train/metrics.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LINE_BYTES = 2048
};

struct gb_metrics {
    int fd;
    char *path;
};

static gb_status fail_io(const char *what, const char *path)
{
    return gb_fail(GB_ERR_IO, "cannot %s %s: %s; check the disk and the folder's permissions", what,
                   path, strerror(errno));
}

/* The step of a line, or -1 when it is not one of ours. */
static int64_t step_of(const char *line, size_t length)
{
    json_t *object = json_loadb(line, length, 0, NULL);
    const json_t *step = json_object_get(object, "step");
    int64_t value = json_is_integer(step) ? (int64_t)json_integer_value(step) : -1;
    json_decref(object);
    return value;
}

/* Bytes of the leading lines that belong to steps up to `step`. */
static size_t keep_bytes(const gb_file_view *file, int64_t step)
{
    size_t kept = 0;
    while (kept < file->size) {
        const char *line = (const char *)file->data + kept;
        const char *end = memchr(line, '\n', file->size - kept);
        int64_t found = end ? step_of(line, (size_t)(end - line)) : -1;
        if (found < 0 || found > step)
            break;
        kept += (size_t)(end - line) + 1;
    }
    return kept;
}

static gb_status cut(const char *path, int64_t step)
{
    gb_file_view file;
    GB_TRY(gb_file_map(path, &file));
    size_t kept = keep_bytes(&file, step), size = file.size;
    gb_file_unmap(&file);
    if (kept < size && truncate(path, (off_t)kept) != 0)
        return fail_io("cut", path);
    return GB_OK;
}

gb_status gb_metrics_open(const char *path, int64_t step, gb_metrics **out)
{
    if (gb_file_exists(path))
        GB_TRY(cut(path, step));
    gb_metrics *metrics = calloc(1, sizeof *metrics);
    if (!metrics || !(metrics->path = strdup(path))) {
        free(metrics);
        return gb_fail(GB_ERR_MEMORY, "metrics: no memory");
    }
    metrics->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (metrics->fd < 0) {
        gb_status status = fail_io("write", path);
        gb_metrics_close(metrics);
        return status;
    }
    *out = metrics;
    return GB_OK;
}

gb_status
gb_metrics_write(gb_metrics *metrics, int64_t step, const char *const *names, const double *values)
{
    char line[LINE_BYTES];
    int used = snprintf(line, sizeof line, "{\"step\":%lld", (long long)step);
    for (int i = 0; names[i] && used < LINE_BYTES - 64; i++) {
        if (isfinite(values[i]))
            used += snprintf(line + used, sizeof line - (size_t)used, ",\"%.32s\":%.9g", names[i],
                             values[i]);
        else
            used += snprintf(line + used, sizeof line - (size_t)used, ",\"%.32s\":null", names[i]);
    }
    used += snprintf(line + used, sizeof line - (size_t)used, "}\n");
    for (int done = 0; done < used;) {
        ssize_t wrote = write(metrics->fd, line + done, (size_t)(used - done));
        if (wrote < 0 && errno != EINTR)
            return fail_io("write", metrics->path);
        done += wrote > 0 ? (int)wrote : 0;
    }
    return GB_OK;
}

gb_status gb_metrics_sync(gb_metrics *metrics)
{
    return fsync(metrics->fd) == 0 ? GB_OK : fail_io("sync", metrics->path);
}

void gb_metrics_close(gb_metrics *metrics)
{
    if (!metrics)
        return;
    if (metrics->fd >= 0)
        close(metrics->fd);
    free(metrics->path);
    free(metrics);
}
