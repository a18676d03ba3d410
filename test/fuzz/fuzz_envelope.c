/* An envelope file from the first bytes (up to a 0), numbers of ticks from the rest: a status or a
 * working envelope, and every command finite and within the limits of the file's own commands. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const gb_plant_stream observations[] = {
    {.spec = {.name = "p", .unit = "m", .rank = 1, .shape = {2}}, .size = 2},
    {.spec = {.name = "d", .unit = "m", .rank = 1, .shape = {1}}, .size = 1, .wrap = 3},
};
static const gb_plant_stream actions[] = {
    {.spec = {.name = "t", .unit = "m", .rank = 1, .shape = {2}}, .size = 2},
    {.spec = {.name = "v", .unit = "m/s", .rank = 1, .shape = {1}}, .size = 1},
};
static const gb_plant_info machine = {
    .name = "m",
    .period_ns = 10000000,
    .tick_ns = 10000000,
    .observation_stream_count = 2,
    .action_stream_count = 2,
    .observation_streams = observations,
    .action_streams = actions,
    .observation_size = 3,
    .action_size = 3,
};

static void run(gb_envelope *envelope, const uint8_t *data, size_t size)
{
    double values[3] = {0}, proposal[3] = {0}, command[3];
    int64_t times[2] = {0}, now = 1000000000;
    gb_observation observation = {0, 0, times, values};
    gb_verdict verdict;
    for (size_t at = 0; at + 9 <= size; at += 9, now += 10000000) {
        double number;
        memcpy(&number, data + at + 1, sizeof number);
        int what = data[at] % 8;
        if (what < 3)
            values[what] = number;
        else if (what < 6)
            proposal[what - 3] = number;
        else
            memcpy(&times[what - 6], data + at + 1, sizeof times[0]);
        observation.sequence++;
        observation.faults = data[at] == 255 ? GB_FAULT_SHAPE : 0;
        if (data[at] & 64)
            times[0] = times[1] = now;
        gb_envelope_input input = {now, data[at] & 32 ? now : 0, &observation, proposal,
                                   0,   data[at] == 254};
        if (data[at] & 128)
            input.proposal = NULL;
        gb_envelope_tick(envelope, &input, command, &verdict);
        for (int i = 0; i < 3; i++)
            if (!(command[i] >= envelope->limits[i].low && command[i] <= envelope->limits[i].high))
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = memchr(data, 0, size);
    size_t text = zero ? (size_t)(zero - data) : size;
    char path[64];
    snprintf(path, sizeof path, "/tmp/genba_fuzz_envelope_%d.yaml", (int)getpid());
    FILE *file = fopen(path, "wb");
    if (!file)
        return 0;
    fwrite(data, 1, text, file);
    fclose(file);
    gb_envelope *envelope = NULL;
    if (gb_envelope_load(path, &machine, machine.tick_ns, &envelope) == GB_OK)
        run(envelope, data + text, size - text);
    gb_envelope_destroy(envelope);
    unlink(path);
    return 0;
}
