/* The audit log: lines appended, and the chain they form checked. What a line says is audit_line.c.
 *
 * A line's `prev` is the hash of the exact bytes of the line before, so that a changed line no
 * longer fits the next one. A process that is killed while it writes can leave a torn line, which
 * has no end. It is evidence, so it stays: the next append ends it and says in its own line
 * ("torn") how many torn lines stand before it and what their bytes hash to. Torn lines are no
 * part of the chain, have no sequence number, and are only accepted when the next line vouches
 * for them, or at the very end of the file. */
#include "record/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAIL_BYTES (4 * GB_AUDIT_LINE_MAX) /* looked at to find the last whole line */

static gb_status fail_io(const char *what, const char *path)
{
    return gb_fail(GB_ERR_IO, "cannot %s the audit log %s: %s; check its permissions and the disk",
                   what, path, strerror(errno));
}

static bool lock(int fd, int kind)
{
    while (flock(fd, kind) != 0)
        if (errno != EINTR)
            return false;
    return true;
}

/* Reads up to size bytes at `at`; -1: errno says why. */
static ssize_t read_at(int fd, char *to, size_t size, int64_t at)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(fd, to + done, size - done, at + (int64_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

/* ---- appending --------------------------------------------------------------------------------
 */

/* How a log ends. */
typedef struct ending {
    gb_audit_head head; /* its last whole line */
    gb_audit_torn torn; /* what stands behind that */
    bool open;          /* the last byte is no line end */
} ending;

/* tail [size] is the end of the file, and its beginning too when `whole`. Looks backwards for the
 * last line that is one. */
static bool find_ending(const char *tail, size_t size, bool whole, ending *out)
{
    ending end = {.open = size > 0 && tail[size - 1] != '\n'};
    size_t stop = size; /* behind the line looked at, before its line end */
    if (!end.open && stop > 0)
        stop--;
    while (size > 0) {
        const char *line_end = memrchr(tail, '\n', stop);
        if (!line_end && !whole)
            return false;
        size_t start = line_end ? (size_t)(line_end - tail) + 1 : 0;
        gb_audit_line line;
        if (gb_audit_line_parse(tail + start, stop - start, &line)) {
            json_decref(line.json);
            end.head.lines = line.sequence;
            gb_hash(tail + start, stop - start, end.head.hash);
            break;
        }
        end.torn.lines++;
        end.torn.bytes = (int64_t)(size - (end.open ? 0 : 1) - start);
        gb_hash(tail + start, (size_t)end.torn.bytes, end.torn.hash);
        if (!line_end)
            break;
        stop = start - 1;
    }
    *out = end;
    return true;
}

static gb_status read_ending(int fd, const char *path, ending *out, int64_t *out_size)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return fail_io("read", path);
    if (!S_ISREG(info.st_mode))
        return gb_fail(GB_ERR_ARGUMENT, "%s is no plain file and cannot be an audit log", path);
    size_t size = info.st_size < TAIL_BYTES ? (size_t)info.st_size : TAIL_BYTES;
    char *tail = malloc(size + 1);
    if (!tail)
        return gb_fail(GB_ERR_MEMORY, "no memory to read %s", path);
    ssize_t got = read_at(fd, tail, size, (int64_t)info.st_size - (int64_t)size);
    gb_status status = GB_OK;
    if (got != (ssize_t)size)
        status = fail_io("read", path);
    else if (!find_ending(tail, size, size == (size_t)info.st_size, out))
        status = gb_fail(GB_ERR_CORRUPT,
                         "%s: its last %zu bytes hold no whole line of an audit log: it was "
                         "edited; keep it as evidence and see genba audit verify",
                         path, size);
    free(tail);
    *out_size = info.st_size;
    return status;
}

/* All of it or nothing: what a full disk left of a line is taken back, which the lock allows. */
static gb_status write_line(int fd, const char *path, const char *text, size_t size, int64_t at)
{
    size_t done = 0;
    while (done < size) {
        ssize_t put = write(fd, text + done, size - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            break;
        done += (size_t)put;
    }
    if (done == size && fsync(fd) == 0)
        return GB_OK;
    gb_status status = fail_io("write", path);
    if (ftruncate(fd, at) != 0)
        return gb_fail_context(status, "and what was written could not be taken back");
    return status;
}

/* A log that was made just now has its name on disk only when the folder is. */
static gb_status sync_folder_of(const char *path)
{
    char *copy = strdup(path);
    if (!copy)
        return gb_fail(GB_ERR_MEMORY, "no memory for the path %s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    bool good = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL);
    gb_status status = good ? GB_OK : fail_io("write the folder of", path);
    if (fd >= 0)
        close(fd);
    return status;
}

static gb_status append_locked(int fd,
                               const char *path,
                               const char *action,
                               const char *object,
                               const char *details,
                               gb_audit_head *out_head)
{
    ending end;
    int64_t size = 0;
    char *line = NULL;
    GB_TRY(read_ending(fd, path, &end, &size));
    GB_TRY(gb_audit_line_make(&end.head, &end.torn, action, object, details, &line));
    size_t length = strlen(line);
    gb_audit_head head = {.lines = end.head.lines + 1};
    gb_hash(line, length - 1, head.hash);
    char *text = malloc(length + 1);
    gb_status status = GB_OK;
    if (text) {
        text[0] = '\n'; /* ends what a killed process left open */
        memcpy(text + 1, line, length);
        status = write_line(fd, path, end.open ? text : line, length + end.open, size);
    } else {
        status = gb_fail(GB_ERR_MEMORY, "no memory for an audit line");
    }
    free(text);
    free(line);
    if (status == GB_OK && size == 0)
        status = sync_folder_of(path);
    if (status == GB_OK && out_head)
        *out_head = head;
    return status;
}

gb_status gb_audit_append(const char *path,
                          const char *action,
                          const char *object,
                          const char *details,
                          gb_audit_head *out_head)
{
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0640);
    if (fd < 0)
        return fail_io("open", path);
    gb_status status = lock(fd, LOCK_EX)
                           ? append_locked(fd, path, action, object, details, out_head)
                           : fail_io("lock", path);
    close(fd);
    return status;
}

/* ---- reading all of it ------------------------------------------------------------------------
 */

/* Lines that are none: torn, if the next whole line says so, else edited. */
typedef struct doubt {
    int64_t first, lines; /* line number in the file of the first; how many */
    char *bytes;          /* [size] */
    size_t size, room;
} doubt;

typedef struct chain {
    const char *path;
    const gb_audit_head *expected;
    gb_audit_visit visit;
    void *context;
    gb_audit_head head; /* of the lines that fit */
    int64_t head_line;  /* where the last of them stands in the file, from 1 */
    int64_t line;       /* the line looked at */
    bool passed;        /* the expected head lies in the chain so far */
    doubt doubt;
    int64_t misfit; /* a line that does not fit the one before; the next one tells which is wrong */
    unsigned char misfit_hash[GB_HASH_BYTES];
} chain;

#define DOUBT_BYTES_MAX (2 * TAIL_BYTES) /* more than an append looks at cannot be torn lines */

static gb_status fail_line(const chain *log, int64_t line, const char *problem)
{
    return gb_fail(GB_ERR_CORRUPT, "%s:%lld: %s", log->path, (long long)line, problem);
}

static gb_status fail_doubt(const chain *log)
{
    return fail_line(log, log->doubt.first, "was edited: it is no line of an audit log");
}

static gb_status doubt_add(chain *log, const char *text, size_t size)
{
    doubt *of = &log->doubt;
    if (of->lines == 0)
        of->first = log->line;
    if (size > DOUBT_BYTES_MAX - of->size)
        return fail_doubt(log);
    if (of->size + size + 1 > of->room) {
        size_t room = 2 * (of->size + size + 1);
        char *grown = realloc(of->bytes, room);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "no memory to read %s", log->path);
        of->bytes = grown;
        of->room = room;
    }
    if (of->lines > 0)
        of->bytes[of->size++] = '\n';
    memcpy(of->bytes + of->size, text, size);
    of->size += size;
    of->lines++;
    return GB_OK;
}

/* next: the line after the misfit, NULL at the end of the log. */
static gb_status fail_misfit(const chain *log, const gb_audit_line *next)
{
    const gb_audit_head *end = log->expected;
    bool last_known = !next && end && end->lines == log->head.lines + 1;
    const unsigned char *hash = next ? next->before : last_known ? end->hash : NULL;
    if (hash && memcmp(hash, log->misfit_hash, GB_HASH_BYTES) == 0)
        return fail_line(log, log->head_line, "was edited: the next line does not fit it");
    if (hash)
        return fail_line(log, log->misfit, "was edited: neither of its neighbours fits it");
    return fail_line(log, log->head_line,
                     "was edited, or the last line, which does not fit it, was");
}

/* The sequence number of a line, and what it says about torn lines. */
static gb_status check_place(const chain *log, const gb_audit_line *line)
{
    const doubt *of = &log->doubt;
    int64_t due = log->head.lines + 1;
    if (line->sequence != due && of->lines > 0)
        return fail_doubt(log);
    if (line->sequence != due)
        return gb_fail(GB_ERR_CORRUPT, "%s:%lld: holds entry %lld where entry %lld belongs: %s",
                       log->path, (long long)log->line, (long long)line->sequence, (long long)due,
                       line->sequence > due ? "entries were dropped before it, or it was moved"
                                            : "it was repeated or moved");
    if (line->torn.lines == 0 && of->lines == 0)
        return GB_OK;
    unsigned char hash[GB_HASH_BYTES];
    gb_hash(of->bytes, of->size, hash);
    if (line->torn.lines == of->lines && line->torn.bytes == (int64_t)of->size &&
        memcmp(hash, line->torn.hash, GB_HASH_BYTES) == 0)
        return GB_OK;
    return of->lines > 0 ? fail_doubt(log)
                         : fail_line(log, log->line,
                                     "says that unfinished lines stand before it, and none do: "
                                     "they were dropped, or it was edited");
}

static gb_status take_line(chain *log, const gb_audit_line *line, const char *text, size_t size)
{
    log->head.lines++;
    log->head_line = log->line;
    gb_hash(text, size, log->head.hash);
    log->doubt.lines = 0;
    log->doubt.size = 0;
    const gb_audit_head *expected = log->expected;
    if (expected && expected->lines == log->head.lines) {
        if (memcmp(expected->hash, log->head.hash, GB_HASH_BYTES) != 0)
            return fail_line(log, log->line,
                             "was edited, or the log up to it written anew: it is not the line "
                             "that was written");
        log->passed = true;
    }
    return log->visit ? log->visit(log->context, log->line, line->json, text, size) : GB_OK;
}

static gb_status read_parsed(chain *log, const gb_audit_line *line, const char *text, size_t size)
{
    if (log->misfit)
        return fail_misfit(log, line);
    GB_TRY(check_place(log, line));
    if (memcmp(line->before, log->head.hash, GB_HASH_BYTES) == 0)
        return take_line(log, line, text, size);
    if (log->head.lines == 0)
        return fail_line(log, log->line, "was edited: it does not say that it is the first line");
    log->misfit = log->line;
    gb_hash(text, size, log->misfit_hash);
    return GB_OK;
}

static gb_status read_line(chain *log, const char *text, size_t size)
{
    gb_audit_line line;
    log->line++;
    if (!gb_audit_line_parse(text, size, &line))
        return log->misfit ? fail_misfit(log, NULL) : doubt_add(log, text, size);
    gb_status status = read_parsed(log, &line, text, size);
    json_decref(line.json);
    return status;
}

/* torn_end: the last line has no end, which is what a kill leaves. What stands before it without
 * being a line was ended by an append that was killed too. */
static gb_status finish(const chain *log, bool torn_end)
{
    if (log->misfit)
        return fail_misfit(log, NULL);
    if (log->doubt.lines > 0 && !torn_end)
        return fail_doubt(log);
    if (log->expected && log->expected->lines > 0 && !log->passed)
        return gb_fail(GB_ERR_CORRUPT,
                       "%s:%lld: the log ends after entry %lld and %lld were written: the last "
                       "ones were cut off",
                       log->path, (long long)log->line, (long long)log->head.lines,
                       (long long)log->expected->lines);
    return GB_OK;
}

/* Cuts the file into lines; buffer [GB_AUDIT_LINE_MAX]. */
static gb_status read_lines(int fd, chain *log, char *buffer)
{
    size_t held = 0;
    int64_t at = 0;
    bool open = false;
    for (;;) {
        ssize_t got = read_at(fd, buffer + held, GB_AUDIT_LINE_MAX - held, at);
        if (got < 0)
            return fail_io("read", log->path);
        at += got;
        held += (size_t)got;
        if (held == 0)
            break;
        const char *end = memchr(buffer, '\n', held);
        if (!end && held == GB_AUDIT_LINE_MAX)
            return fail_line(log, log->line + 1, "was edited: it is longer than any line of a log");
        open = !end;
        size_t done = 0;
        for (; end; end = memchr(buffer + done, '\n', held - done)) {
            GB_TRY(read_line(log, buffer + done, (size_t)(end - buffer) - done));
            done = (size_t)(end - buffer) + 1;
        }
        if (done == 0) { /* the last line, without an end */
            GB_TRY(read_line(log, buffer, held));
            done = held;
        }
        memmove(buffer, buffer + done, held -= done);
    }
    return finish(log, open);
}

gb_status gb_audit_read(const char *path,
                        const gb_audit_head *expected,
                        gb_audit_visit visit,
                        void *context,
                        gb_audit_head *out_head)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT && expected && expected->lines > 0)
        return gb_fail(GB_ERR_CORRUPT, "%s: the audit log is gone; it had %lld lines", path,
                       (long long)expected->lines);
    if (fd < 0 && errno == ENOENT && expected) {
        if (out_head)
            *out_head = (gb_audit_head){0};
        return GB_OK;
    }
    if (fd < 0)
        return fail_io("read", path);
    chain log = {.path = path, .expected = expected, .visit = visit, .context = context};
    char *buffer = malloc(GB_AUDIT_LINE_MAX);
    gb_status status = GB_OK;
    if (!buffer)
        status = gb_fail(GB_ERR_MEMORY, "no memory to read %s", path);
    else if (!lock(fd, LOCK_SH))
        status = fail_io("lock", path);
    else
        status = read_lines(fd, &log, buffer);
    free(buffer);
    free(log.doubt.bytes);
    close(fd);
    if (status == GB_OK && out_head)
        *out_head = log.head;
    return status;
}

gb_status gb_audit_verify(const char *path, const gb_audit_head *expected, gb_audit_head *out_head)
{
    return gb_audit_read(path, expected, NULL, NULL, out_head);
}
