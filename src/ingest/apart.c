/* Runs a reader in a child process and hands on what it sends. Why: docs/decisions/015-apart.md. */
#include "ingest/apart.h"

#include "ingest/apart_wire.h"
#include "ingest/run.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PIPE_BYTES = 1 << 20,
    POLL_MS = 500,
    LANES_MAX = 1 << 24 /* streams of a run, in all recordings */
};

/* A recording or a stream by the child's number. */
typedef struct lane {
    int number;          /* in the sink here; -1: ended */
    int recording;       /* of a stream: the child's number */
    size_t sample_bytes; /* of a stream, 0: BYTES */
} lane;

typedef struct lanes {
    lane *list;
    int count, room;
} lanes;

typedef struct parent {
    const gb_source *source; /* NULL: a guess */
    const char *path, *library;
    pid_t child;
    int pipe;
    lanes recordings, streams;
    gb_arena *arena; /* of one message */
    unsigned char *message;
    size_t room;
    int64_t bytes_done, bytes_all; /* the last progress */
    bool done;
    gb_arena *text_arena; /* of a guess */
    const char *text;
} parent;

/* ---- the child --------------------------------------------------------------------------------
 */

/* What a damaged file can make a library allocate is bounded: this much beyond what there is. */
static void limit_memory(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file)
        return;
    int found = fscanf(file, "%lu", &pages);
    fclose(file);
    rlim_t bytes = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + GB_APART_MEMORY_BYTES;
    struct rlimit limit = {bytes, bytes};
    if (found == 1)
        setrlimit(RLIMIT_AS, &limit);
}

static void settle_child(pid_t parent_process)
{
    static const int signals[] = {SIGSEGV, SIGBUS,  SIGFPE,  SIGILL,
                                  SIGABRT, SIGPIPE, SIGTERM, SIGXCPU};
    struct rlimit no_core = {0, 0};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], SIG_DFL);
    signal(SIGINT, SIG_IGN); /* the parent hears it and decides */
    setrlimit(RLIMIT_CORE, &no_core);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent_process)
        _exit(1);
    limit_memory();
    gb_wire_allow_time();
}

typedef struct job {
    const gb_source *source;
    gb_status (*read)(const gb_source *source);
    const char *path;
    const gb_ingest_options *options;
    gb_status (*guess)(const char *, const gb_ingest_options *, gb_arena *, const char **);
} job;

static gb_status read_in_child(const job *work, int pipe)
{
    gb_wire_child child;
    gb_ingest_report *report = calloc(1, sizeof *report);
    if (!report)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for a report", work->path);
    gb_wire_child_start(&child, work->source->watch, pipe);
    gb_source source = *work->source;
    source.sink = &child.sink;
    source.watch = &child.watch;
    source.report = report;
    gb_status status = work->read(&source);
    return gb_wire_send_done(pipe, status, report);
}

static gb_status guess_in_child(const job *work, int pipe)
{
    gb_arena *arena = NULL;
    const char *yaml = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = work->guess(work->path, work->options, arena, &yaml);
    if (status == GB_OK)
        status = gb_wire_send_text(pipe, yaml);
    return gb_wire_send_done(pipe, status, NULL);
}

static gb_status start(parent *p, const job *work)
{
    int ends[2];
    pid_t self = getpid();
    if (pipe2(ends, O_CLOEXEC) != 0)
        return gb_fail(GB_ERR_IO, "%s: no pipe to read it through: %s", p->path, strerror(errno));
    fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
    p->child = fork();
    if (p->child == 0) {
        close(ends[0]);
        settle_child(self);
        gb_status sent =
            work->source ? read_in_child(work, ends[1]) : guess_in_child(work, ends[1]);
        _exit(sent == GB_OK ? 0 : 1);
    }
    close(ends[1]);
    p->pipe = ends[0];
    if (p->child > 0)
        return GB_OK;
    close(ends[0]);
    return gb_fail(GB_ERR_MEMORY, "%s: no process to read it in: %s", p->path, strerror(errno));
}

/* ---- what it sends ----------------------------------------------------------------------------
 */

static gb_status broken(const parent *p)
{
    return gb_fail(GB_ERR_CORRUPT, "%s: the file has broken the process that read it (%s)", p->path,
                   p->library);
}

static gb_status add_lane(parent *p, lanes *to, lane added)
{
    if (to->count == LANES_MAX)
        return broken(p);
    if (to->count == to->room) {
        int room = to->room ? 2 * to->room : 64;
        lane *grown = realloc(to->list, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "%s: no memory for its streams", p->path);
        to->list = grown;
        to->room = room;
    }
    to->list[to->count++] = added;
    return GB_OK;
}

/* The open recording that the message begins with. */
static gb_status find_recording(parent *p, gb_wire_in *in, int *out_child, lane **out)
{
    uint64_t number = gb_wire_u64(in);
    if (in->broken || number >= (uint64_t)p->recordings.count ||
        p->recordings.list[number].number < 0)
        return broken(p);
    *out_child = (int)number;
    *out = &p->recordings.list[number];
    return GB_OK;
}

static gb_status on_begin(parent *p, gb_wire_in *in)
{
    gb_recording_info info = gb_wire_info(in, p->arena);
    lane added = {0};
    if (in->broken)
        return broken(p);
    GB_TRY(gb_sink_begin(p->source->sink, &info, &added.number));
    return add_lane(p, &p->recordings, added);
}

static gb_status on_stream(parent *p, gb_wire_in *in)
{
    lane *recording, added = {0};
    GB_TRY(find_recording(p, in, &added.recording, &recording));
    gb_stream_spec spec = gb_wire_spec(in, p->arena);
    if (in->broken)
        return broken(p);
    GB_TRY(gb_sink_stream(p->source->sink, recording->number, &spec, &added.number));
    added.sample_bytes = (size_t)gb_stream_spec_size(&spec) * gb_value_type_bytes(spec.value_type);
    return add_lane(p, &p->streams, added);
}

static gb_status on_append(parent *p, gb_wire_in *in)
{
    lane *recording;
    int child;
    GB_TRY(find_recording(p, in, &child, &recording));
    uint64_t number = gb_wire_u64(in);
    if (in->broken || number >= (uint64_t)p->streams.count ||
        p->streams.list[number].recording != child)
        return broken(p);
    const lane *stream = &p->streams.list[number];
    gb_samples samples = gb_wire_samples(in, stream->sample_bytes, p->arena);
    if (in->broken)
        return broken(p);
    return gb_sink_append(p->source->sink, recording->number, stream->number, &samples);
}

static gb_status on_attach(parent *p, gb_wire_in *in)
{
    lane *recording;
    int child;
    GB_TRY(find_recording(p, in, &child, &recording));
    const char *name = gb_wire_text(in), *type = gb_wire_text(in);
    uint64_t size = gb_wire_u64(in);
    const void *data = gb_wire_bytes(in, size);
    if (in->broken || !name || !type)
        return broken(p);
    return gb_sink_attach(p->source->sink, recording->number, name, type, data, (size_t)size);
}

static gb_status on_end(parent *p, gb_wire_in *in, bool whole)
{
    lane *recording;
    int child;
    GB_TRY(find_recording(p, in, &child, &recording));
    int number = recording->number;
    if (whole)
        GB_TRY(gb_sink_end(p->source->sink, number));
    else
        gb_sink_abandon(p->source->sink, number);
    recording->number = -1;
    return GB_OK;
}

static gb_status on_reject(parent *p, gb_wire_in *in)
{
    const gb_ingest_watch *watch = p->source->watch;
    const char *file = gb_wire_text(in);
    int64_t row = (int64_t)gb_wire_u64(in);
    const char *column = gb_wire_text(in), *reason = gb_wire_text(in);
    uint64_t size = gb_wire_u64(in);
    const char *text = gb_wire_bytes(in, size);
    if (in->broken || !file || !column || !reason)
        return broken(p);
    return watch->reject
               ? watch->reject(watch->context, file, row, column, reason, text, (size_t)size)
               : GB_OK;
}

static gb_status on_drift(parent *p, gb_wire_in *in)
{
    const gb_ingest_watch *watch = p->source->watch;
    const char *file = gb_wire_text(in), *message = gb_wire_text(in);
    if (in->broken || !file || !message)
        return broken(p);
    return watch->drift ? watch->drift(watch->context, file, message) : GB_OK;
}

static gb_status tell_progress(parent *p)
{
    const gb_ingest_watch *watch = p->source ? p->source->watch : NULL;
    int64_t all = p->bytes_all > 0 ? p->bytes_all : 1; /* nothing was said yet */
    return watch && watch->progress ? watch->progress(watch->context, p->bytes_done, all) : GB_OK;
}

static gb_status on_progress(parent *p, gb_wire_in *in)
{
    p->bytes_done = (int64_t)gb_wire_u64(in);
    p->bytes_all = (int64_t)gb_wire_u64(in);
    return in->broken ? broken(p) : tell_progress(p);
}

static gb_status on_text(parent *p, gb_wire_in *in)
{
    const char *text = gb_wire_text(in);
    if (in->broken || !text || !p->text_arena)
        return broken(p);
    p->text = gb_arena_text(p->text_arena, text);
    return p->text ? GB_OK : GB_ERR_MEMORY;
}

/* A constant there is the same constant here: one program. The pointer of a broken process could
 * lead anywhere, so it must at least lead into something loaded. */
static bool is_constant(const char *text)
{
    Dl_info about;
    return !text || dladdr(text, &about) != 0;
}

static bool is_sound(gb_ingest_report *report)
{
    bool sound = report->example_count >= 0 && report->example_count <= GB_INGEST_EXAMPLES &&
                 report->left_out_count >= 0 && report->left_out_count <= 1 << 24 &&
                 report->time_format < GB_TIME_FORMAT_COUNT;
    for (int i = 0; i < GB_INGEST_EXAMPLES && sound; i++) {
        gb_ingest_example *example = &report->examples[i];
        example->name[GB_INGEST_TEXT - 1] = example->text[GB_INGEST_TEXT - 1] = 0;
        sound = is_constant(example->expected);
    }
    for (int i = 0; i < GB_INGEST_LEFT_OUT && sound; i++) {
        report->left_out[i].name[GB_INGEST_TEXT - 1] = 0;
        sound = is_constant(report->left_out[i].reason);
    }
    report->time_column[GB_INGEST_TEXT - 1] = 0;
    return sound;
}

static gb_status on_done(parent *p, gb_wire_in *in)
{
    uint64_t code = gb_wire_u64(in);
    const char *message = gb_wire_text(in);
    uint64_t size = gb_wire_u64(in);
    const void *report = gb_wire_bytes(in, size);
    if (in->broken || code > GB_ERR_REFUSED || size != (p->source ? sizeof(gb_ingest_report) : 0))
        return broken(p);
    if (p->source) {
        gb_ingest_report told;
        memcpy(&told, report, sizeof told);
        if (!is_sound(&told))
            return broken(p);
        /* It began at zero; the filters behind the sink have been counting here. */
        gb_ingest_report_add(p->source->report, &told);
    }
    p->done = true;
    return code == GB_OK ? GB_OK : gb_fail((gb_status)code, "%s", message ? message : "");
}

static gb_status on_message(parent *p, uint64_t kind, gb_wire_in *in)
{
    if (!p->source && kind != GB_WIRE_TEXT && kind != GB_WIRE_DONE)
        return broken(p);
    switch (kind) {
    case GB_WIRE_BEGIN:
        return on_begin(p, in);
    case GB_WIRE_STREAM:
        return on_stream(p, in);
    case GB_WIRE_APPEND:
        return on_append(p, in);
    case GB_WIRE_ATTACH:
        return on_attach(p, in);
    case GB_WIRE_END:
        return on_end(p, in, true);
    case GB_WIRE_ABANDON:
        return on_end(p, in, false);
    case GB_WIRE_REJECT:
        return on_reject(p, in);
    case GB_WIRE_DRIFT:
        return on_drift(p, in);
    case GB_WIRE_PROGRESS:
        return on_progress(p, in);
    case GB_WIRE_TEXT:
        return on_text(p, in);
    case GB_WIRE_DONE:
        return on_done(p, in);
    default:
        return broken(p);
    }
}

/* ---- receiving --------------------------------------------------------------------------------
 */

/* Has the child ended? It stays to be waited for. */
static bool has_ended(const parent *p)
{
    siginfo_t about = {0};
    return waitid(P_PID, (id_t)p->child, &about, WEXITED | WNOWAIT | WNOHANG) == 0 &&
           about.si_pid == p->child;
}

/* While the child thinks, whoever watches is still asked. The end of the pipe may stay hidden when
 * another thread has forked meanwhile, so a child that ended without a word is looked for too. */
static gb_status wait_for_bytes(parent *p, bool *out_gone)
{
    for (;;) {
        struct pollfd at = {.fd = p->pipe, .events = POLLIN};
        int ready = poll(&at, 1, 0);
        if (ready > 0)
            return GB_OK;
        bool ended = has_ended(p);
        ready = poll(&at, 1, ended ? 0 : POLL_MS);
        if (ready > 0)
            return GB_OK;
        if (ready < 0 && errno != EINTR)
            return gb_fail(GB_ERR_IO, "%s: %s", p->path, strerror(errno));
        *out_gone = ended && ready == 0;
        if (*out_gone)
            return GB_OK;
        GB_TRY(tell_progress(p));
    }
}

/* *out_size is less than `size` when the child is gone. */
static gb_status receive(parent *p, void *to, size_t size, size_t *out_size)
{
    size_t have = 0;
    bool gone = false;
    while (have < size) {
        GB_TRY(wait_for_bytes(p, &gone));
        if (gone)
            break;
        ssize_t got = read(p->pipe, (unsigned char *)to + have, size - have);
        if (got < 0 && errno != EINTR)
            return gb_fail(GB_ERR_IO, "%s: %s", p->path, strerror(errno));
        if (got == 0)
            break;
        have += got > 0 ? (size_t)got : 0;
    }
    *out_size = have;
    return GB_OK;
}

static gb_status reserve(parent *p, size_t size)
{
    if (size <= p->room)
        return GB_OK;
    unsigned char *grown = realloc(p->message, size);
    if (!grown)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for %zu bytes of it", p->path, size);
    p->message = grown;
    p->room = size;
    return GB_OK;
}

static gb_status how_it_died(const parent *p)
{
    siginfo_t about = {0};
    if (waitid(P_PID, (id_t)p->child, &about, WEXITED | WNOWAIT) == 0 &&
        about.si_code != CLD_EXITED && about.si_status == SIGXCPU)
        return gb_fail(GB_ERR_CORRUPT,
                       "%s: %s came to no end with it: the file is damaged or made to do harm",
                       p->path, p->library);
    if (about.si_code != CLD_EXITED)
        return gb_fail(GB_ERR_CORRUPT,
                       "%s: %s crashed on it (signal %d): the file is damaged or made to do harm",
                       p->path, p->library, about.si_status);
    return broken(p);
}

/* One message; *out_gone: there is none any more. */
static gb_status receive_one(parent *p, bool *out_gone)
{
    gb_wire_head head;
    size_t have = 0;
    GB_TRY(receive(p, &head, sizeof head, &have));
    *out_gone = have < sizeof head;
    if (*out_gone)
        return GB_OK;
    if (head.size > GB_WIRE_BYTES_MAX)
        return broken(p);
    GB_TRY(reserve(p, (size_t)head.size + 8));
    GB_TRY(receive(p, p->message, (size_t)head.size, &have));
    *out_gone = have < head.size;
    if (*out_gone)
        return GB_OK;
    gb_wire_in in = {.data = p->message, .size = (size_t)head.size};
    gb_arena_reset(p->arena);
    return on_message(p, head.kind, &in);
}

/* Stopped on request: what is open is whole as far as it goes. */
static gb_status end_open(parent *p, gb_status status)
{
    char message[256];
    snprintf(message, sizeof message, "%s", gb_error_message());
    for (int i = 0; i < p->recordings.count; i++)
        if (p->recordings.list[i].number >= 0)
            GB_TRY(gb_sink_end(p->source->sink, p->recordings.list[i].number));
    return gb_fail(status, "%s", message);
}

static gb_status finish(parent *p, gb_status status)
{
    int how = 0;
    if (!p->done)
        kill(p->child, SIGKILL);
    while (waitpid(p->child, &how, 0) < 0 && errno == EINTR)
        continue;
    close(p->pipe);
    if (status == GB_ERR_INTERRUPTED && !p->done && p->source)
        status = end_open(p, status);
    free(p->recordings.list);
    free(p->streams.list);
    free(p->message);
    gb_arena_destroy(p->arena);
    return status;
}

static gb_status run(parent *p, const job *work)
{
    bool gone = false;
    GB_TRY(gb_arena_create(0, &p->arena));
    gb_status status = start(p, work);
    if (status != GB_OK) {
        gb_arena_destroy(p->arena);
        return status;
    }
    while (status == GB_OK && !p->done && !gone)
        status = receive_one(p, &gone);
    if (status == GB_OK && gone)
        status = how_it_died(p);
    return finish(p, status);
}

gb_status gb_apart_read(const gb_source *source,
                        const char *library,
                        gb_status (*read)(const gb_source *source))
{
    parent p = {.source = source, .path = source->path, .library = library};
    job work = {.source = source, .read = read, .path = source->path};
    return run(&p, &work);
}

gb_status gb_apart_guess(const char *path,
                         const gb_ingest_options *options,
                         gb_arena *arena,
                         const char **out_yaml,
                         const char *library,
                         gb_status (*guess)(const char *path,
                                            const gb_ingest_options *options,
                                            gb_arena *arena,
                                            const char **out_yaml))
{
    parent p = {.path = path, .library = library, .text_arena = arena};
    job work = {.path = path, .options = options, .guess = guess};
    GB_TRY(run(&p, &work));
    if (!p.text)
        return broken(&p);
    *out_yaml = p.text;
    return GB_OK;
}
