/* control/view.c: the viewer's life and the thread that empties its ring. The servo copies a tick
 * into the ring and reads one flag; everything else happens here and in the server's thread. */
#include "control/view.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RING_BYTES (INT64_C(16) << 20)
#define RING_TICKS 16384
#define KEPT_BYTES (INT64_C(3) << 20) /* of numbers in a report, about */
#define KEPT_MOST 2000
#define KEPT_LEAST 200
#define DRAIN_AT_ONCE 256
#define PATH_BYTES 4200
#define DRAIN_EVERY_NS INT64_C(15000000)

/* ---- the thread that drains ---------------------------------------------------------------------
 */

static bool starts_bucket(const gb_view_trace *trace, const gb_view_bucket *tick, int64_t length_ns)
{
    if (trace->count == 0)
        return true;
    const gb_view_bucket *last = gb_view_trace_at(trace, trace->count - 1);
    /* Unsigned: a step back in time starts one, too. */
    return (uint64_t)tick->at_ns - (uint64_t)last->at_ns >= (uint64_t)length_ns ||
           tick->episode != last->episode;
}

static void take_tick(gb_view *view, const gb_tick *record)
{
    gb_view_bucket tick;
    gb_view_sums_add(&view->sums, record, view->tick_ns, &tick);
    gb_view_columns_read(&view->columns, record, view->values);
    gb_view_events_add(view->events, &tick);
    gb_view_trace_add(&view->live, &tick, view->values,
                      starts_bucket(&view->live, &tick, view->bucket_ns));
    if (view->kept.capacity > 0) {
        bool fresh = starts_bucket(&view->kept, &tick, view->kept_ns);
        while (fresh && view->kept.count == view->kept.capacity) {
            int before = view->kept.count;
            gb_view_trace_halve(&view->kept);
            if (view->kept.count == before) /* every bucket an episode: the oldest goes */
                break;
            view->kept_ns *= 2;
        }
        gb_view_trace_add(&view->kept, &tick, view->values, fresh);
    }
    memcpy(view->newest, record, gb_view_columns_record_bytes(&view->columns));
}

void gb_view_draw(gb_view *view)
{
    const double *observation = (const double *)(view->newest + 1);
    const double *command =
        observation + view->columns.observation_size + view->columns.action_size;
    if (!view->plant || view->drawn == view->sums.ticks)
        return;
    view->drawn = view->sums.ticks;
    for (int i = 0; i < view->columns.observation_size; i++)
        if (!isfinite(observation[i]))
            return; /* the last good picture stays */
    view->shape_count =
        gb_plant_draw(view->plant, observation, command, view->shapes, GB_PLANT_SHAPES_MAX);
}

/* Takes at most DRAIN_AT_ONCE ticks, so that the server's thread gets its turn. */
static int drain_some(gb_view *view)
{
    int taken = 0;
    const gb_tick *record;
    while (taken < DRAIN_AT_ONCE && (record = gb_ring_front(view->ring)) != NULL) {
        take_tick(view, record);
        gb_ring_pop(view->ring);
        taken++;
    }
    return taken;
}

static void *drain_main(void *context)
{
    gb_view *view = context;
    pthread_mutex_lock(&view->lock);
    for (;;) {
        int taken = drain_some(view);
        if (taken == DRAIN_AT_ONCE) {
            pthread_mutex_unlock(&view->lock);
            pthread_mutex_lock(&view->lock);
            continue;
        }
        if (view->closing)
            break;
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += DRAIN_EVERY_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&view->change, &view->lock, &until);
    }
    pthread_mutex_unlock(&view->lock);
    return NULL;
}

/* ---- life ---------------------------------------------------------------------------------------
 */

static gb_status copy_options(gb_view *view, const gb_view_options *options)
{
    gb_view_options *o = &view->options;
    *o = *options;
    GB_TRY(gb_arena_create(0, &view->arena));
    const char **texts[] = {&o->title,      &o->report_path,    &o->machine_name,
                            &o->model_name, &o->model_hash_hex, &o->envelope_path};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (*texts[i])
            *texts[i] = gb_arena_text(view->arena, *texts[i]);
    }
    unsigned char hash[GB_HASH_BYTES];
    if (o->envelope_path && gb_hash_file(o->envelope_path, hash) == GB_OK)
        gb_hash_hex(hash, view->envelope_hash);
    return GB_OK;
}

/* The plant of the same description, if there is one, only to draw with. */
static void find_plant(gb_view *view)
{
    const gb_plant_info *machine = view->columns.machine;
    for (int i = 0; gb_plant_at(i); i++) {
        const gb_plant_info *info = gb_plant_at(i);
        if (machine->name && strcmp(info->name, machine->name) == 0 &&
            info->observation_size == machine->observation_size &&
            info->action_size == machine->action_size &&
            gb_plant_create(info->name, NULL, &view->plant) != GB_OK)
            view->plant = NULL; /* a view without a picture is a view */
    }
}

static gb_status allocate(gb_view *view)
{
    size_t bytes = gb_view_columns_record_bytes(&view->columns);
    int64_t ticks = RING_BYTES / (int64_t)bytes;
    ticks = ticks > RING_TICKS ? RING_TICKS : ticks < 64 ? 64 : ticks;
    GB_TRY(gb_ring_create(bytes, ticks, &view->ring));
    GB_TRY(gb_view_trace_create(view->columns.count, GB_VIEW_LIVE_BUCKETS, &view->live));
    if (view->options.report_path) {
        int64_t most = KEPT_BYTES / (20 * view->columns.count);
        most = most > KEPT_MOST ? KEPT_MOST : most < KEPT_LEAST ? KEPT_LEAST : most;
        GB_TRY(gb_view_trace_create(view->columns.count, (int)most, &view->kept));
    }
    view->newest = gb_arena_alloc(view->arena, bytes);
    view->values = gb_arena_alloc(view->arena, (size_t)view->columns.count * sizeof(float));
    view->events = gb_arena_alloc(view->arena, sizeof *view->events);
    view->shapes = gb_arena_alloc(view->arena, GB_PLANT_SHAPES_MAX * sizeof *view->shapes);
    return view->newest && view->values && view->events && view->shapes ? GB_OK : GB_ERR_MEMORY;
}

static gb_status make_token(gb_view *view)
{
    unsigned char bytes[GB_VIEW_TOKEN_BYTES];
    if (getentropy(bytes, sizeof bytes) != 0)
        return gb_fail(GB_ERR_IO, "view: the system gives no random bytes: %s", strerror(errno));
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(view->token + 2 * i, 3, "%02x", (unsigned)bytes[i]);
    return GB_OK;
}

static void init_locks(gb_view *view)
{
    pthread_condattr_t monotonic;
    pthread_mutex_init(&view->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&view->change, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static gb_status start_drain(gb_view *view)
{
    int error = pthread_create(&view->drain, NULL, drain_main, view);
    if (error)
        return gb_fail(GB_ERR_MEMORY, "view: cannot start its thread: %s", strerror(error));
    view->draining = true;
    return GB_OK;
}

/* Stops both threads; what is in the ring has been read then. */
static void stop_threads(gb_view *view)
{
    gb_view_server_stop(view->server);
    view->server = NULL;
    if (!view->draining)
        return;
    pthread_mutex_lock(&view->lock);
    view->closing = true;
    pthread_cond_signal(&view->change);
    pthread_mutex_unlock(&view->lock);
    pthread_join(view->drain, NULL);
    view->draining = false;
}

static void destroy(gb_view *view)
{
    stop_threads(view);
    pthread_cond_destroy(&view->change);
    pthread_mutex_destroy(&view->lock);
    gb_plant_destroy(view->plant);
    gb_ring_destroy(view->ring);
    gb_view_trace_free(&view->live);
    gb_view_trace_free(&view->kept);
    gb_view_columns_free(&view->columns);
    gb_arena_destroy(view->arena);
    free(view);
}

/* Empty, or the beginning of the page. */
static bool is_report(const char *path)
{
    char found[sizeof "<!DOCTYPE html" - 1];
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(found, 1, sizeof found, file) : 0;
    if (file)
        fclose(file);
    return size == 0 || (size == sizeof found && memcmp(found, "<!DOCTYPE html", size) == 0);
}

/* A report is written when the run is over: too late to learn that it has no place, or that it
 * takes that of something else. */
static gb_status check_report_path(const char *path)
{
    char part[PATH_BYTES];
    if (!path)
        return GB_OK;
    int length = snprintf(part, sizeof part, "%s.part", path);
    if (length < (int)sizeof part && gb_file_exists(part))
        return gb_fail(GB_ERR_ARGUMENT,
                       "report of the run: %s is the name of a black box that is being written, or "
                       "was cut; choose another name",
                       path);
    if (!is_report(path))
        return gb_fail(GB_ERR_ARGUMENT,
                       "report of the run: %s is there and is no report; choose another name",
                       path);
    if (access(path, W_OK) == 0)
        return GB_OK;
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return gb_fail(GB_ERR_IO, "report of the run: cannot write %s: %s; check the path", path,
                       strerror(errno == EEXIST ? EACCES : errno));
    close(file);
    unlink(path);
    return GB_OK;
}

gb_status gb_view_open(const gb_view_options *options, gb_view **out)
{
    gb_status status;
    if (!options || !options->machine || options->tick_ns < 1 || options->port < -1 ||
        options->port > 65535)
        return gb_fail(GB_ERR_ARGUMENT, "view: expected a machine, a period above 0 and a port "
                                        "from 0 to 65535 (-1: a report alone)");
    GB_TRY(check_report_path(options->report_path));
    gb_view *view = calloc(1, sizeof *view);
    if (!view)
        return gb_fail(GB_ERR_MEMORY, "view: no memory");
    init_locks(view);
    view->tick_ns = options->tick_ns;
    view->bucket_ns = options->tick_ns > GB_VIEW_BUCKET_NS ? options->tick_ns : GB_VIEW_BUCKET_NS;
    view->kept_ns = options->tick_ns;
    view->port = -1;
    gb_view_sums_start(&view->sums);
    GB_TRY_OR(failed, copy_options(view, options));
    GB_TRY_OR(failed, gb_view_columns_create(options->machine, &view->columns));
    GB_TRY_OR(failed, allocate(view));
    GB_TRY_OR(failed, make_token(view));
    find_plant(view);
    if (options->port >= 0)
        GB_TRY_OR(failed, gb_view_server_start(view, options->port, &view->server, &view->port));
    GB_TRY_OR(failed, start_drain(view));
    *out = view;
    return GB_OK;
failed:
    destroy(view);
    return status;
}

int gb_view_port(const gb_view *view)
{
    return view->port;
}

void gb_view_tick(gb_view *view, const gb_tick *record)
{
    (void)gb_ring_push(view->ring, record); /* full: the ring counts it */
}

bool gb_view_emergency_stop(const gb_view *view)
{
    return atomic_load_explicit(&view->emergency_stop, memory_order_relaxed);
}

gb_status gb_view_close(gb_view *view)
{
    gb_status status = GB_OK;
    if (!view)
        return GB_OK;
    stop_threads(view);
    if (view->options.report_path)
        status = gb_view_report(view, view->options.report_path);
    destroy(view);
    return status;
}
