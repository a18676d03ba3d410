/* control/link_shm.c: packets through POSIX shared memory: a ring of slots for each direction that
 * is written round and round; a reader takes what it has not seen and what is still there. Nothing
 * waits for the other side, so one that dies leaves nothing locked; half a write has no valid
 * number. Locks of the file only say which sides live, and the kernel releases them. */
#include "control/link_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    VERSION = 1,
    SLOTS = 16,
    SLOTS_OF_LARGE = 4,
    LARGE_BYTES = 65536,
    NAME_MOST = 200,
    TRIES = 500 /* of 1 ms, while the other side opens or closes */
};
static const char magic[8] = "GBLINK1";

/* Bytes of the file that are locked: while opening and closing, and by each living side. */
enum {
    LOCK_OPENING,
    LOCK_CONTROLLER,
    LOCK_MACHINE
};

/* One direction. Message n (1, 2, ...) stands in slot n % slots. A slot's turn is 2n when message n
 * is whole, odd while it is written. All data is in atomic words, because it may change while it is
 * read; that is then seen by the turn. */
typedef struct shm_slot {
    _Atomic uint64_t turn, size;
    _Atomic uint64_t words[];
} shm_slot;

typedef struct shm_way {
    _Alignas(64) _Atomic uint64_t written; /* the newest message's number */
} shm_way;

typedef struct shm_head {
    char magic[8];
    uint64_t version, total_bytes, slots;
    uint64_t packet_bytes[2]; /* of observations, of commands */
    unsigned char machine[GB_HASH_BYTES];
    shm_way ways[2];
} shm_head;

typedef struct shm_layout {
    uint64_t slots, packet_bytes[2];
    size_t stride[2], start[2], total; /* bytes */
} shm_layout;

typedef struct shm_wire {
    gb_wire wire;
    shm_layout layout;
    char name[NAME_MOST + 2];
    int file, in, out; /* in, out: 0 observations, 1 commands */
    int own_lock, other_lock;
    unsigned char *memory;
    uint64_t taken; /* the number of the newest message read or passed over */
} shm_wire;

/* ---- layout -------------------------------------------------------------------------------------
 */

static size_t round_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) / to * to;
}

static shm_layout lay_out(size_t observation_bytes, size_t command_bytes)
{
    shm_layout l = {.packet_bytes = {observation_bytes, command_bytes}, .slots = SLOTS};
    if (observation_bytes > LARGE_BYTES || command_bytes > LARGE_BYTES)
        l.slots = SLOTS_OF_LARGE;
    size_t at = round_up(sizeof(shm_head), 64);
    for (int i = 0; i < 2; i++) {
        l.stride[i] = round_up(sizeof(shm_slot) + round_up((size_t)l.packet_bytes[i], 8), 64);
        l.start[i] = at;
        at += l.stride[i] * (size_t)l.slots;
    }
    l.total = round_up(at, 4096);
    return l;
}

static shm_way *way_of(const shm_wire *s, int way)
{
    return &((shm_head *)(void *)s->memory)->ways[way];
}

static shm_slot *slot_of(const shm_wire *s, int way, uint64_t number)
{
    size_t offset =
        s->layout.start[way] + (size_t)(number % s->layout.slots) * s->layout.stride[way];
    return (shm_slot *)(void *)(s->memory + offset);
}

/* ---- moving packets -----------------------------------------------------------------------------
 */

/* false: it is being overwritten. Acquire and release at each word keep turns and words in order;
 * on x86 they cost nothing. */
static bool read_slot(shm_slot *slot, uint64_t number, void *buffer, size_t room, size_t *out_size)
{
    unsigned char *to = buffer;
    if (atomic_load_explicit(&slot->turn, memory_order_acquire) != 2 * number)
        return false;
    size_t size = (size_t)atomic_load_explicit(&slot->size, memory_order_acquire);
    if (size > room)
        return false;
    for (size_t i = 0; i * 8 < size; i++) {
        uint64_t word = atomic_load_explicit(&slot->words[i], memory_order_acquire);
        memcpy(to + i * 8, &word, size - i * 8 < 8 ? size - i * 8 : 8);
    }
    *out_size = size;
    return atomic_load_explicit(&slot->turn, memory_order_relaxed) == 2 * number;
}

static ssize_t shm_receive(gb_wire *wire, void *buffer, size_t room)
{
    shm_wire *s = (shm_wire *)wire;
    uint64_t newest = atomic_load_explicit(&way_of(s, s->in)->written, memory_order_acquire);
    if (room > s->layout.packet_bytes[s->in])
        room = (size_t)s->layout.packet_bytes[s->in];
    if (newest - s->taken > s->layout.slots - 2) /* passed over: sequence numbers tell */
        s->taken = newest - (s->layout.slots - 2);
    while (s->taken != newest) {
        size_t size = 0;
        uint64_t number = ++s->taken;
        if (read_slot(slot_of(s, s->in, number), number, buffer, room, &size))
            return (ssize_t)size;
    }
    return -1;
}

static bool shm_send(gb_wire *wire, const void *bytes, size_t size)
{
    shm_wire *s = (shm_wire *)wire;
    shm_way *way = way_of(s, s->out);
    const unsigned char *from = bytes;
    if (size > s->layout.packet_bytes[s->out])
        return false;
    uint64_t number = atomic_load_explicit(&way->written, memory_order_relaxed) + 1;
    shm_slot *slot = slot_of(s, s->out, number);
    atomic_store_explicit(&slot->turn, 2 * number - 1, memory_order_relaxed);
    atomic_store_explicit(&slot->size, size, memory_order_release);
    for (size_t i = 0; i * 8 < size; i++) {
        uint64_t word = 0;
        memcpy(&word, from + i * 8, size - i * 8 < 8 ? size - i * 8 : 8);
        atomic_store_explicit(&slot->words[i], word, memory_order_release);
    }
    atomic_store_explicit(&slot->turn, 2 * number, memory_order_release);
    atomic_store_explicit(&way->written, number, memory_order_release);
    return true;
}

/* ---- who is there -------------------------------------------------------------------------------
 */

/* Open-file-description locks: they differ between two links of one process, and end with it. */
static bool lock(int file, int which)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = which, .l_len = 1};
    return fcntl(file, F_OFD_SETLK, &l) == 0;
}

static void unlock(int file, int which)
{
    struct flock l = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = which, .l_len = 1};
    (void)fcntl(file, F_OFD_SETLK, &l);
}

static bool is_alone(const shm_wire *s)
{
    struct flock l = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = s->other_lock, .l_len = 1};
    return fcntl(s->file, F_OFD_GETLK, &l) == 0 && l.l_type == F_UNLCK;
}

static bool lock_patiently(int file, int which)
{
    for (int i = 0; i < TRIES; i++) {
        if (lock(file, which))
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

/* The last to leave takes the memory away. */
static void leave(shm_wire *s)
{
    if (s->memory)
        munmap(s->memory, s->layout.total);
    if (s->file >= 0) {
        if (lock_patiently(s->file, LOCK_OPENING) && is_alone(s))
            shm_unlink(s->name);
        close(s->file); /* releases the locks */
    }
    free(s);
}

static void shm_close(gb_wire *wire)
{
    leave((shm_wire *)wire);
}

static const gb_wire_ops shm_ops = {shm_receive, shm_send, shm_close};

/* ---- opening ------------------------------------------------------------------------------------
 */

static gb_status fail_shm(const shm_wire *s, gb_status status, const char *what)
{
    return gb_fail(status, "link \"shm:/%s\": %s", s->name, what);
}

/* The file under the name, locked for opening; not one that was just taken away. */
static gb_status open_file(shm_wire *s, struct stat *about)
{
    for (int i = 0; i < TRIES; i++) {
        s->file = shm_open(s->name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (s->file < 0)
            return fail_shm(s, GB_ERR_IO, strerror(errno));
        if (fstat(s->file, about) != 0)
            return fail_shm(s, GB_ERR_IO, strerror(errno));
        if (about->st_uid != geteuid() || (about->st_mode & 0177) != 0)
            return fail_shm(s, GB_ERR_REFUSED,
                            "the shared memory of that name belongs to another user or is open to "
                            "others; use another name");
        if (!lock_patiently(s->file, LOCK_OPENING))
            return fail_shm(s, GB_ERR_IO, "another program is opening it and does not finish");
        if (fstat(s->file, about) == 0 && about->st_nlink > 0)
            return GB_OK;
        close(s->file);
        s->file = -1;
    }
    return fail_shm(s, GB_ERR_IO, "another program keeps taking it away");
}

static gb_status map_memory(shm_wire *s)
{
    void *memory =
        mmap(NULL, s->layout.total, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, s->file, 0);
    if (memory == MAP_FAILED)
        return fail_shm(s, GB_ERR_MEMORY, strerror(errno));
    s->memory = memory;
    return GB_OK;
}

/* Nobody else is there: what the memory holds is left from before, or another program's. */
static gb_status make(shm_wire *s, const gb_link_map *map, const struct stat *about)
{
    char found[sizeof magic] = "";
    if (about->st_size > 0 && (pread(s->file, found, sizeof found, 0) != sizeof found ||
                               memcmp(found, magic, sizeof found) != 0))
        return fail_shm(s, GB_ERR_MISMATCH,
                        "shared memory of that name is there and is no link; use another name");
    if (ftruncate(s->file, 0) != 0 || posix_fallocate(s->file, 0, (off_t)s->layout.total) != 0)
        return fail_shm(s, GB_ERR_MEMORY, "no room in /dev/shm");
    GB_TRY(map_memory(s));
    shm_head *head = (shm_head *)(void *)s->memory;
    memcpy(head->magic, magic, sizeof magic);
    head->version = VERSION;
    head->total_bytes = s->layout.total;
    head->slots = s->layout.slots;
    memcpy(head->packet_bytes, s->layout.packet_bytes, sizeof head->packet_bytes);
    memcpy(head->machine, map->hash, sizeof head->machine);
    return GB_OK;
}

static gb_status join(shm_wire *s, const gb_link_map *map, const struct stat *about)
{
    shm_head head;
    if (about->st_size < (off_t)sizeof head ||
        pread(s->file, &head, sizeof head, 0) != (ssize_t)sizeof head ||
        memcmp(head.magic, magic, sizeof magic) != 0 || head.version != VERSION)
        return fail_shm(s, GB_ERR_MISMATCH, "the other side is no link of this version");
    if (memcmp(head.machine, map->hash, sizeof head.machine) != 0)
        return fail_shm(s, GB_ERR_MISMATCH,
                        "the other side has another map: streams, units, sizes, scales or rates "
                        "differ");
    if (head.total_bytes != s->layout.total || (size_t)about->st_size != s->layout.total ||
        head.slots != s->layout.slots ||
        memcmp(head.packet_bytes, s->layout.packet_bytes, sizeof head.packet_bytes) != 0)
        return fail_shm(s, GB_ERR_MISMATCH,
                        "the other side signs its packets and this one does not, or the other way "
                        "round; see key: in the map");
    GB_TRY(map_memory(s));
    /* What was sent before is old. */
    s->taken = atomic_load_explicit(&way_of(s, s->in)->written, memory_order_acquire);
    return GB_OK;
}

static gb_status enter(shm_wire *s, const gb_link_map *map)
{
    struct stat about;
    GB_TRY(open_file(s, &about));
    if (!lock(s->file, s->own_lock))
        return fail_shm(s, GB_ERR_REFUSED,
                        "another program is this side of it already; end it or use another name");
    gb_status status = is_alone(s) ? make(s, map, &about) : join(s, map, &about);
    if (status == GB_OK)
        unlock(s->file, LOCK_OPENING);
    return status;
}

static gb_status set_name(const char *address, char out[NAME_MOST + 2])
{
    size_t length = strlen(address);
    bool good = length > 0 && length <= NAME_MOST && address[0] != '.';
    for (size_t i = 0; good && i < length; i++)
        good = (address[i] >= 'a' && address[i] <= 'z') ||
               (address[i] >= 'A' && address[i] <= 'Z') ||
               (address[i] >= '0' && address[i] <= '9') || strchr("._-", address[i]);
    if (!good)
        return gb_fail(GB_ERR_ARGUMENT,
                       "link \"shm://%.200s\": expected shm://NAME of letters, digits, - and _",
                       address);
    snprintf(out, NAME_MOST + 2, "/%s", address);
    return GB_OK;
}

gb_status gb_wire_open_shm(const char *address,
                           const gb_link_map *map,
                           gb_wire_side side,
                           size_t observation_bytes,
                           size_t command_bytes,
                           gb_wire **out)
{
    shm_wire *s = calloc(1, sizeof *s);
    if (!s)
        return gb_fail(GB_ERR_MEMORY, "link \"shm://%s\": no memory", address);
    bool machine = side == GB_WIRE_MACHINE;
    s->wire.ops = &shm_ops;
    s->file = -1;
    s->in = machine ? 1 : 0;
    s->out = machine ? 0 : 1;
    s->own_lock = machine ? LOCK_MACHINE : LOCK_CONTROLLER;
    s->other_lock = machine ? LOCK_CONTROLLER : LOCK_MACHINE;
    s->layout = lay_out(observation_bytes, command_bytes);
    gb_status status = set_name(address, s->name);
    if (status == GB_OK)
        status = enter(s, map);
    if (status != GB_OK) {
        if (s->memory)
            munmap(s->memory, s->layout.total);
        if (s->file >= 0)
            close(s->file);
        free(s);
        return status;
    }
    *out = &s->wire;
    return GB_OK;
}
