/* control/link_faults.c: a line that drops, delays, copies, reorders and corrupts what passes, by
 * seed. It knows nothing of what the messages mean. */
#include "control/link_peer.h"

#include <stdlib.h>
#include <string.h>

/* One stream of random numbers for each decision, indexed by the message. */
enum {
    DRAW_DROP,
    DRAW_DUPLICATE,
    DRAW_REORDER,
    DRAW_CORRUPT,
    DRAW_JITTER,
    DRAW_BIT
};

typedef struct waiting {
    struct waiting *next;
    int64_t due_ns;
    int channel;
    size_t size;
    unsigned char bytes[];
} waiting;

struct gb_fault_line {
    gb_link_faults faults;
    bool text;
    gb_link_transmit_fn transmit;
    void *context;
    waiting *queue; /* by due_ns, then as they came */
    waiting *held;  /* lets one message overtake it */
    uint64_t number;
    gb_link_fault_counts counts;
};

gb_status gb_fault_line_create(const gb_link_faults *faults,
                               bool text,
                               gb_link_transmit_fn transmit,
                               void *context,
                               gb_fault_line **out)
{
    const double chances[] = {faults->drop, faults->duplicate, faults->reorder, faults->corrupt};
    for (size_t i = 0; i < sizeof chances / sizeof *chances; i++)
        if (!(chances[i] >= 0 && chances[i] <= 1))
            return gb_fail(GB_ERR_ARGUMENT, "faults: a chance of %g; expected 0 to 1", chances[i]);
    if (faults->delay_ns < 0 || faults->jitter_ns < 0 || faults->cut_from_ns < 0 ||
        faults->cut_ns < 0)
        return gb_fail(GB_ERR_ARGUMENT, "faults: a time below 0");
    gb_fault_line *line = calloc(1, sizeof *line);
    if (!line)
        return gb_fail(GB_ERR_MEMORY, "faults: no memory");
    line->faults = *faults;
    line->text = text;
    line->transmit = transmit;
    line->context = context;
    *out = line;
    return GB_OK;
}

void gb_fault_line_destroy(gb_fault_line *line)
{
    if (!line)
        return;
    while (line->queue) {
        waiting *next = line->queue->next;
        free(line->queue);
        line->queue = next;
    }
    free(line->held);
    free(line);
}

bool gb_fault_line_is_cut(const gb_fault_line *line, int64_t now_ns)
{
    return now_ns >= line->faults.cut_from_ns &&
           now_ns - line->faults.cut_from_ns < line->faults.cut_ns;
}

static bool happens(const gb_fault_line *line, int draw, double chance)
{
    return chance > 0 &&
           (double)gb_random_uniform(line->faults.seed, (uint64_t)draw, line->number) < chance;
}

/* Any one bit; in text a byte that no text has. */
static void corrupt(const gb_fault_line *line, unsigned char *bytes, size_t size)
{
    if (size == 0)
        return;
    uint64_t bit = gb_random_below(line->faults.seed, DRAW_BIT, line->number, size * 8);
    if (line->text)
        bytes[bit / 8] = 0xff;
    else
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
}

static waiting *
copy_of(const gb_fault_line *line, int channel, const void *bytes, size_t size, bool harmed)
{
    waiting *message = malloc(sizeof *message + size);
    if (!message)
        return NULL;
    *message = (waiting){.channel = channel, .size = size};
    memcpy(message->bytes, bytes, size);
    if (harmed)
        corrupt(line, message->bytes, size);
    return message;
}

static void enqueue(gb_fault_line *line, waiting *message, int64_t due_ns)
{
    waiting **at = &line->queue;
    message->due_ns = due_ns;
    while (*at && (*at)->due_ns <= due_ns)
        at = &(*at)->next;
    message->next = *at;
    *at = message;
}

void gb_fault_line_send(
    gb_fault_line *line, int64_t now_ns, int channel, const void *bytes, size_t size)
{
    const gb_link_faults *faults = &line->faults;
    line->number++;
    line->counts.messages++;
    if (gb_fault_line_is_cut(line, now_ns)) {
        line->counts.cut++;
        return;
    }
    if (happens(line, DRAW_DROP, faults->drop)) {
        line->counts.dropped++;
        return;
    }
    bool harmed = happens(line, DRAW_CORRUPT, faults->corrupt);
    waiting *message = copy_of(line, channel, bytes, size, harmed);
    if (!message) { /* no memory: as good as lost */
        line->counts.dropped++;
        return;
    }
    line->counts.corrupted += harmed;
    if (!line->held && happens(line, DRAW_REORDER, faults->reorder)) {
        line->counts.reordered++;
        line->held = message;
        return;
    }
    double jitter = gb_random_uniform(faults->seed, DRAW_JITTER, line->number);
    int64_t due_ns = now_ns + faults->delay_ns + (int64_t)(jitter * (double)faults->jitter_ns);
    waiting *copy = happens(line, DRAW_DUPLICATE, faults->duplicate)
                        ? copy_of(line, channel, message->bytes, size, false)
                        : NULL;
    enqueue(line, message, due_ns);
    if (copy) {
        line->counts.duplicated++;
        line->counts.corrupted += harmed;
        enqueue(line, copy, due_ns);
    }
    if (line->held) {
        enqueue(line, line->held, due_ns);
        line->held = NULL;
    }
}

int64_t gb_fault_line_flush(gb_fault_line *line, int64_t now_ns)
{
    while (line->queue && line->queue->due_ns <= now_ns) {
        waiting *message = line->queue;
        line->queue = message->next;
        if (gb_fault_line_is_cut(line, now_ns)) {
            line->counts.cut++;
        } else {
            line->transmit(line->context, message->channel, message->bytes, message->size);
            line->counts.passed++;
        }
        free(message);
    }
    return line->queue ? line->queue->due_ns : INT64_MAX;
}

gb_link_fault_counts gb_fault_line_counts(const gb_fault_line *line)
{
    return line->counts;
}
