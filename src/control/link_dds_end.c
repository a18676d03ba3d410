/* control/link_dds_end.c: topics, quality of service and the two threads of a DDS link. What a
 * message holds is link_dds_values.c. */
#ifdef GENBA_WITH_CYCLONEDDS
#include "control/link_dds_end.h"

#include "control/latest.h"
#include "control/link_dds_cdr.h"
#include "control/link_dds_log.h"
#include "control/link_dds_topics.h"
#include "control/realtime.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DOMAIN_MOST = 232,      /* more have no UDP ports (RTPS 2.5, clause 9.6.2) */
    TOPIC_BYTES = 256,      /* of a topic's name */
    TAKE_MOST = 16,         /* messages of a topic at once */
    THREAD_PRIORITY = 40,   /* below any servo */
    TAKES_MOST = 8,         /* in a row, so that a flood on one topic does not starve the others */
    REORDER_NS = 1000000000 /* a stamp further back than this is a clock that was set */
};

/* What goes through the triple buffers. */
typedef struct slot {
    uint64_t sequence;
    int64_t numbers[]; /* times [stream_count], then values [size]; all of 8 bytes */
} slot;

struct gb_dds_end {
    const gb_link_map *map;
    gb_dds_side side;
    dds_entity_t participant, waitset, guard;
    gb_dds_direction in, out;
    gb_latest *inbox, *outbox; /* of slot */
    pthread_t reading, writing;
    bool has_reading, has_writing;
    sem_t to_write;
    bool has_to_write;
    atomic_bool stop;
    atomic_uint faults;
    _Atomic int64_t received, sent, repeated, disordered, corrupt, misshapen, unsent;
    int64_t corrupt_before, corrupt_told; /* as Cyclone counts: at the start, in the last receive */
    uint64_t send_sequence;               /* of the servo */
    uint64_t sequence;                    /* of the reading thread, as all below */
    int64_t *times_ns;                    /* [in.stream_count] */
    double *values, *staged;              /* [in.size] */
};

static gb_status no_memory(const gb_dds_end *end)
{
    return gb_fail(GB_ERR_MEMORY, "link dds: %s: no memory", end->map->path);
}

/* A command must not wait for whatever else the computer does. Where it is refused, the servo's own
 * note has said so. */
static void go_before_others(void)
{
    char note[GB_REALTIME_NOTE];
    (void)gb_realtime_fifo("link", THREAD_PRIORITY, note);
}

/* ---- reading ------------------------------------------------------------------------------------
 */

static void count(_Atomic int64_t *counter, int64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static void fault(gb_dds_end *end, uint32_t bits)
{
    atomic_fetch_or_explicit(&end->faults, bits, memory_order_relaxed);
}

/* DDS keeps the order of each writer; a stamp that goes back is the machine's own disorder. */
static bool
in_order(gb_dds_end *end, gb_dds_topic *t, const dds_sample_info_t *info, int64_t stamp_ns)
{
    bool same_writer = t->writer == info->publication_handle;
    int64_t older_ns = t->stamp_ns - stamp_ns;
    if (same_writer && stamp_ns != 0 && older_ns > 0 && older_ns < REORDER_NS) {
        fault(end, GB_FAULT_ORDER);
        count(&end->disordered, 1);
        return false;
    }
    return true;
}

/* The same stamp and the same values: sent twice. Machines with coarse clocks repeat stamps only.
 */
static bool is_repeated(const gb_dds_end *end, const gb_dds_topic *t, int64_t stamp_ns)
{
    if (stamp_ns == 0 || stamp_ns != t->stamp_ns)
        return false;
    for (int i = 0; i < t->stream_count; i++) {
        const gb_dds_binding *b = &end->in.streams[t->streams[i]];
        if (memcmp(end->staged + b->at, end->values + b->at, (size_t)b->size * sizeof(double)) != 0)
            return false;
    }
    return true;
}

/* All of a topic's streams, or none of it. */
static bool decode(gb_dds_end *end, const gb_dds_topic *t, const void *message)
{
    uint32_t faults = 0;
    for (int i = 0; i < t->stream_count && !faults; i++)
        faults = gb_dds_decode(&end->in.streams[t->streams[i]], message, end->staged);
    if (faults & GB_FAULT_SHAPE)
        count(&end->misshapen, 1);
    if (faults & GB_FAULT_CORRUPT)
        count(&end->corrupt, 1);
    fault(end, faults & (GB_FAULT_SHAPE | GB_FAULT_CORRUPT));
    return faults == 0;
}

/* When it was measured: as its header says, where the map says that its clock is ours, else when it
 * came. A stamp that is ahead by much says that the clock is not ours, and one that was not set
 * says nothing: neither may pass for young, so what is ahead counts as that old. */
static int64_t
measured_ns(const gb_dds_end *end, const gb_dds_type *type, int64_t stamp_ns, int64_t now_ns)
{
    if (!end->map->shared_clock || type->header == GB_DDS_NONE)
        return now_ns;
    int64_t age_ns = gb_clock_wall_ns() - stamp_ns;
    return age_ns > 0 ? now_ns - age_ns : now_ns + age_ns;
}

static bool
take_message(gb_dds_end *end, gb_dds_topic *t, const void *message, const dds_sample_info_t *info)
{
    int64_t stamp_ns = gb_dds_stamp(t->type, message);
    if (!in_order(end, t, info, stamp_ns) || !decode(end, t, message))
        return false;
    if (t->writer == info->publication_handle && is_repeated(end, t, stamp_ns)) {
        fault(end, GB_FAULT_ORDER);
        count(&end->repeated, 1);
        return false;
    }
    int64_t time_ns = measured_ns(end, t->type, stamp_ns, gb_clock_monotonic_ns());
    t->writer = info->publication_handle;
    t->stamp_ns = stamp_ns;
    for (int i = 0; i < t->stream_count; i++) {
        const gb_dds_binding *b = &end->in.streams[t->streams[i]];
        memcpy(end->values + b->at, end->staged + b->at, (size_t)b->size * sizeof(double));
        end->times_ns[t->streams[i]] = time_ns;
    }
    count(&end->received, 1);
    return true;
}

/* True: there was something new. */
static bool take_topic(gb_dds_end *end, gb_dds_topic *t)
{
    bool news = false;
    dds_return_t taken = TAKE_MOST;
    for (int turn = 0; taken == TAKE_MOST && turn < TAKES_MOST; turn++) {
        void *messages[TAKE_MOST] = {NULL}; /* NULL: Cyclone lends them */
        dds_sample_info_t infos[TAKE_MOST];
        taken = dds_take(t->entity, messages, infos, TAKE_MOST, TAKE_MOST);
        for (dds_return_t i = 0; i < taken; i++)
            if (infos[i].valid_data)
                news |= take_message(end, t, messages[i], &infos[i]);
        if (taken > 0)
            (void)dds_return_loan(t->entity, messages, taken);
    }
    return news;
}

/* The servo sees nothing before every stream has been seen once. */
static void publish(gb_dds_end *end)
{
    const gb_dds_direction *in = &end->in;
    for (int i = 0; i < in->stream_count; i++)
        if (end->times_ns[i] == INT64_MIN)
            return;
    slot *s = gb_latest_write(end->inbox);
    s->sequence = ++end->sequence;
    memcpy(s->numbers, end->times_ns, (size_t)in->stream_count * sizeof(int64_t));
    memcpy(s->numbers + in->stream_count, end->values, (size_t)in->size * sizeof(double));
    gb_latest_publish(end->inbox);
}

static void *read_loop(void *context)
{
    gb_dds_end *end = context;
    go_before_others();
    while (!atomic_load(&end->stop)) {
        if (dds_waitset_wait(end->waitset, NULL, 0, DDS_INFINITY) < 0)
            break;
        bool news = false;
        for (int i = 0; i < end->in.topic_count; i++)
            news |= take_topic(end, &end->in.topics[i]);
        if (news)
            publish(end);
    }
    return NULL;
}

bool gb_dds_end_receive(
    gb_dds_end *end, double *values, int64_t *times_ns, uint64_t *sequence, uint32_t *faults)
{
    *faults = atomic_exchange_explicit(&end->faults, 0, memory_order_relaxed);
    int64_t corrupt = gb_dds_log_corrupt();
    if (corrupt != end->corrupt_told)
        *faults |= GB_FAULT_CORRUPT;
    end->corrupt_told = corrupt;
    const slot *s = gb_latest_read(end->inbox);
    if (!s)
        return false;
    const gb_dds_direction *in = &end->in;
    *sequence = s->sequence;
    memcpy(times_ns, s->numbers, (size_t)in->stream_count * sizeof(int64_t));
    memcpy(values, s->numbers + in->stream_count, (size_t)in->size * sizeof(double));
    return true;
}

/* ---- writing ------------------------------------------------------------------------------------
 */

/* Fills a topic's message. */
static void encode(const gb_dds_end *end, gb_dds_topic *t, const double *values, int64_t stamp_ns)
{
    for (int i = 0; i < t->stream_count; i++)
        gb_dds_encode(&end->out.streams[t->streams[i]], values, t->message);
    /* A trajectory with stamp 0 begins when it arrives; any other might be over by then. */
    gb_dds_set_stamp(t->type, t->message, t->type->points == GB_DDS_NONE ? stamp_ns : 0);
}

/* *at: the topic that failed. */
static dds_return_t write_all(gb_dds_end *end, const double *values, int64_t stamp_ns, int *at)
{
    dds_return_t worst = DDS_RETCODE_OK;
    for (int i = 0; i < end->out.topic_count; i++) {
        gb_dds_topic *t = &end->out.topics[i];
        encode(end, t, values, stamp_ns);
        dds_return_t code = dds_write(t->entity, t->message);
        if (code == DDS_RETCODE_OK)
            continue;
        worst = code;
        *at = i;
    }
    count(worst == DDS_RETCODE_OK ? &end->sent : &end->unsent, 1);
    return worst;
}

gb_status gb_dds_end_write(gb_dds_end *end, const double *values, int64_t stamp_ns)
{
    int at = 0;
    dds_return_t code = write_all(end, values, stamp_ns, &at);
    return code == DDS_RETCODE_OK ? GB_OK : gb_dds_failed(end->map, end->out.topics[at].name, code);
}

gb_status gb_dds_end_encode(gb_dds_end *end,
                            const double *values,
                            int64_t stamp_ns,
                            void (*emit)(void *context, int topic, const void *bytes, size_t size),
                            void *context)
{
    for (int i = 0; i < end->out.topic_count; i++) {
        gb_dds_topic *t = &end->out.topics[i];
        unsigned char *bytes = NULL;
        size_t size = 0;
        encode(end, t, values, stamp_ns);
        GB_TRY(gb_dds_cdr_write(t->type, t->message, &bytes, &size));
        emit(context, i, bytes, size);
        free(bytes);
    }
    return GB_OK;
}

gb_status gb_dds_end_write_bytes(gb_dds_end *end, int topic, const void *bytes, size_t size)
{
    const gb_dds_topic *t = &end->out.topics[topic];
    void *message = NULL;
    gb_status status = gb_dds_cdr_read(t->type, bytes, size, &message);
    if (status == GB_OK) {
        dds_return_t code = dds_write(t->entity, message);
        status = code == DDS_RETCODE_OK ? GB_OK : gb_dds_failed(end->map, t->name, code);
        gb_dds_cdr_free(t->type, message);
    }
    count(status == GB_OK ? &end->sent : &end->unsent, 1);
    return status;
}

static void *write_loop(void *context)
{
    gb_dds_end *end = context;
    uint64_t written = 0;
    go_before_others();
    for (;;) {
        while (sem_wait(&end->to_write) != 0)
            ; /* a signal */
        while (sem_trywait(&end->to_write) == 0)
            ; /* one look serves all */
        if (atomic_load(&end->stop))
            return NULL;
        const slot *s = gb_latest_read(end->outbox);
        if (!s)
            continue;
        count(&end->unsent, (int64_t)(s->sequence - written - 1)); /* replaced meanwhile */
        written = s->sequence;
        int at;
        (void)write_all(end, (const double *)(const void *)s->numbers, gb_clock_wall_ns(), &at);
    }
}

void gb_dds_end_send(gb_dds_end *end, const double *values)
{
    slot *s = gb_latest_write(end->outbox);
    s->sequence = ++end->send_sequence;
    memcpy(s->numbers, values, (size_t)end->out.size * sizeof(double));
    gb_latest_publish(end->outbox);
    (void)sem_post(&end->to_write); /* an atomic add, and a futex wake; it never waits */
}

/* ---- opening ------------------------------------------------------------------------------------
 */

static gb_status open_readers(gb_dds_end *end)
{
    end->waitset = dds_create_waitset(end->participant);
    end->guard = dds_create_guardcondition(end->participant);
    if (end->waitset < 0 || end->guard < 0)
        return gb_dds_failed(end->map, "wait set", end->waitset < 0 ? end->waitset : end->guard);
    dds_return_t code = dds_waitset_attach(end->waitset, end->guard, 0);
    for (int i = 0; i < end->in.topic_count && code == DDS_RETCODE_OK; i++) {
        GB_TRY(gb_dds_open_reader(end->map, end->participant, &end->in.topics[i]));
        dds_entity_t condition = dds_create_readcondition(end->in.topics[i].entity, DDS_ANY_STATE);
        code = condition < 0 ? condition : dds_waitset_attach(end->waitset, condition, 0);
    }
    return code == DDS_RETCODE_OK ? GB_OK : gb_dds_failed(end->map, "wait set", code);
}

static gb_status open_writers(gb_dds_end *end)
{
    for (int i = 0; i < end->out.topic_count; i++)
        GB_TRY(gb_dds_open_writer(end->map, end->participant, &end->out, &end->out.topics[i]));
    return GB_OK;
}

static gb_status open_buffers(gb_dds_end *end)
{
    gb_arena *arena = end->map->arena;
    size_t in_bytes = (size_t)end->in.size * sizeof(double);
    size_t time_bytes = (size_t)end->in.stream_count * sizeof(int64_t);
    end->times_ns = gb_arena_alloc(arena, time_bytes);
    end->values = gb_arena_alloc(arena, in_bytes);
    end->staged = gb_arena_alloc(arena, in_bytes);
    if (!end->times_ns || !end->values || !end->staged)
        return no_memory(end);
    for (int i = 0; i < end->in.stream_count; i++)
        end->times_ns[i] = INT64_MIN;
    GB_TRY(gb_latest_create(sizeof(slot) + time_bytes + in_bytes, &end->inbox));
    return gb_latest_create(sizeof(slot) + (size_t)end->out.size * sizeof(double), &end->outbox);
}

static gb_status open_threads(gb_dds_end *end)
{
    if (sem_init(&end->to_write, 0, 0) != 0)
        return gb_fail(GB_ERR_IO, "link dds: no semaphore");
    end->has_to_write = true;
    end->has_reading = pthread_create(&end->reading, NULL, read_loop, end) == 0;
    end->has_writing = pthread_create(&end->writing, NULL, write_loop, end) == 0;
    if (!end->has_reading || !end->has_writing)
        return gb_fail(GB_ERR_IO, "link dds: cannot start a thread");
    return GB_OK;
}

static gb_status open_end(gb_dds_end *end, dds_domainid_t domain)
{
    const gb_plant_info *info = &end->map->info;
    bool machine = end->side == GB_DDS_MACHINE;
    GB_TRY(gb_link_map_without_key(end->map, "dds"));
    GB_TRY(gb_dds_direction_bind(end->map, info->observation_streams, end->map->observations,
                                 info->observation_stream_count, machine ? &end->out : &end->in));
    GB_TRY(gb_dds_direction_bind(end->map, info->action_streams, end->map->actions,
                                 info->action_stream_count, machine ? &end->in : &end->out));
    GB_TRY(open_buffers(end));
    gb_dds_log_begin();
    end->corrupt_before = end->corrupt_told = gb_dds_log_corrupt();
    end->participant = dds_create_participant(domain, NULL, NULL);
    if (end->participant < 0)
        return gb_dds_failed(end->map, "participant", end->participant);
    GB_TRY(open_writers(end));
    GB_TRY(open_readers(end));
    return open_threads(end);
}

gb_status
gb_dds_end_open(const char *address, const gb_link_map *map, gb_dds_side side, gb_dds_end **out)
{
    char *rest = NULL;
    errno = 0;
    long domain = strtol(address, &rest, 10);
    if (*address < '0' || *address > '9' || *rest || errno || domain > DOMAIN_MOST)
        return gb_fail(GB_ERR_ARGUMENT,
                       "link \"dds://%.200s\": expected dds://DOMAIN with a number from 0 to %d "
                       "(ROS_DOMAIN_ID; 0 unless it was set)",
                       address, DOMAIN_MOST);
    gb_dds_end *end = calloc(1, sizeof *end);
    if (!end)
        return gb_fail(GB_ERR_MEMORY, "link dds: no memory");
    end->map = map;
    end->side = side;
    gb_status status = open_end(end, (dds_domainid_t)domain);
    if (status != GB_OK) {
        gb_dds_end_close(end);
        return status;
    }
    *out = end;
    return GB_OK;
}

void gb_dds_end_close(gb_dds_end *end)
{
    if (!end)
        return;
    atomic_store(&end->stop, true);
    if (end->has_reading) {
        (void)dds_set_guardcondition(end->guard, true);
        pthread_join(end->reading, NULL);
    }
    if (end->has_writing) {
        (void)sem_post(&end->to_write);
        pthread_join(end->writing, NULL);
    }
    if (end->participant > 0)
        (void)dds_delete(end->participant); /* and all that it made */
    if (end->has_to_write)
        sem_destroy(&end->to_write);
    gb_latest_destroy(end->inbox);
    gb_latest_destroy(end->outbox);
    free(end);
}

void gb_dds_end_counts(const gb_dds_end *end, gb_link_counts *out)
{
    *out = (gb_link_counts){
        .received = atomic_load(&end->received),
        .sent = atomic_load(&end->sent),
        .repeated = atomic_load(&end->repeated),
        .disordered = atomic_load(&end->disordered),
        .corrupt = atomic_load(&end->corrupt) + gb_dds_log_corrupt() - end->corrupt_before,
        .misshapen = atomic_load(&end->misshapen),
        .unsent = atomic_load(&end->unsent),
    };
}

int gb_dds_end_peers(const gb_dds_end *end)
{
    int peers = 0;
    for (int i = 0; i < end->in.topic_count; i++) {
        dds_subscription_matched_status_t status;
        if (dds_get_subscription_matched_status(end->in.topics[i].entity, &status) == 0)
            peers += (int)status.current_count;
    }
    for (int i = 0; i < end->out.topic_count; i++) {
        dds_publication_matched_status_t status;
        if (dds_get_publication_matched_status(end->out.topics[i].entity, &status) == 0)
            peers += (int)status.current_count;
    }
    return peers;
}
#else
typedef int gb_dds_end_off; /* a file may not be empty */
#endif
