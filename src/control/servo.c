/* control/servo.c: a tick: observation in, history to the pilot, setpoint of the chunk, envelope,
 * command out, one record. When ticks happen is control_threads.c's and control_stepped.c's
 * business. */
#include "control/servo.h"

#include "control/chunk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- life ---------------------------------------------------------------------------------------
 */

void gb_servo_destroy(gb_servo *servo)
{
    if (!servo)
        return;
    gb_smooth_destroy(servo->smooth);
    gb_histogram_destroy(servo->busy);
    gb_histogram_destroy(servo->wake);
    gb_histogram_destroy(servo->period);
    free(servo->command_before);
    free(servo->rows);
    free(servo->observation.time_ns);
    free(servo->record);
    free(servo);
}

static gb_status allocate(gb_servo *servo)
{
    const gb_plant_info *machine = servo->options.machine;
    size_t observation = (size_t)machine->observation_size, action = (size_t)machine->action_size;
    size_t streams = (size_t)machine->observation_stream_count;
    servo->record = calloc(1, sizeof *servo->record + (observation + 2 * action) * sizeof(double));
    servo->observation.time_ns = calloc(streams, sizeof(int64_t));
    servo->rows = calloc((size_t)servo->options.look_back * observation + 1, sizeof(double));
    servo->command_before = calloc(action, sizeof(double));
    if (!servo->record || !servo->observation.time_ns || !servo->rows || !servo->command_before)
        return gb_fail(GB_ERR_MEMORY, "control: no memory for the servo's buffers");
    servo->observation.values = (double *)(servo->record + 1);
    servo->proposal = servo->observation.values + observation;
    servo->command = servo->proposal + action;
    GB_TRY(gb_histogram_create(&servo->period));
    GB_TRY(gb_histogram_create(&servo->wake));
    GB_TRY(gb_histogram_create(&servo->busy));
    return gb_smooth_create(machine, &servo->smooth);
}

gb_status gb_servo_create(const gb_servo_options *options, gb_servo **out)
{
    gb_servo *servo = calloc(1, sizeof *servo);
    if (!servo)
        return gb_fail(GB_ERR_MEMORY, "control: no memory for the servo");
    servo->options = *options;
    gb_status status = allocate(servo);
    if (status != GB_OK) {
        gb_servo_destroy(servo);
        return status;
    }
    for (int i = 0; i < options->machine->observation_stream_count; i++)
        servo->observation.time_ns[i] = INT64_MIN;
    *out = servo;
    return GB_OK;
}

void gb_servo_begin(gb_servo *servo, uint32_t episode, int64_t start_ns)
{
    servo->episode = episode;
    servo->start_ns = start_ns;
    servo->row = -1;
    servo->chunk = NULL;
    servo->chunk_before = 0;
    servo->woke_ns = INT64_MIN;
    servo->seen = servo->begun = servo->held = servo->handed = false;
    servo->result = (gb_plant_result){0};
    gb_smooth_add(servo->smooth, NULL, false);
    if (servo->options.envelope)
        gb_envelope_reset(servo->options.envelope);
}

/* ---- sensing ------------------------------------------------------------------------------------
 */

/* When the newest of all streams was measured, not later than at_ns. What was never measured is as
 * old as the clock. */
static int64_t observed(const gb_servo *servo, int64_t at_ns)
{
    int64_t newest_ns = 0;
    for (int i = 0; i < servo->options.machine->observation_stream_count; i++)
        if (servo->observation.time_ns[i] > newest_ns)
            newest_ns = servo->observation.time_ns[i];
    return newest_ns < at_ns ? newest_ns : at_ns;
}

/* The ring of rows, oldest first, into the slot. */
static void hand_over(gb_servo *servo)
{
    const gb_plant_info *machine = servo->options.machine;
    size_t size = (size_t)machine->observation_size;
    int look_back = servo->options.look_back;
    gb_history *history = gb_latest_write(servo->options.histories);
    history->sequence = servo->observation.sequence;
    history->time_ns = servo->start_ns + servo->row * machine->period_ns;
    history->observed_ns = observed(servo, history->time_ns);
    history->episode = servo->episode;
    history->begun = servo->begun;
    history->held = servo->held;
    for (int k = 0; k < look_back; k++) {
        int64_t from = (servo->row + 1 + k) % look_back;
        memcpy(history->numbers + (size_t)k * size, servo->rows + (size_t)from * size,
               size * sizeof(double));
    }
    memcpy(history->numbers + (size_t)look_back * size, servo->command,
           (size_t)machine->action_size * sizeof(double));
    gb_latest_publish(servo->options.histories);
    servo->handed = true;
}

/* At the first tick of a period its row is taken; periods that were slept through, and those before
 * the first observation, get the same one. */
static void take_row(gb_servo *servo, int64_t row, bool first)
{
    size_t size = (size_t)servo->options.machine->observation_size;
    int look_back = servo->options.look_back;
    int64_t from = first || row - servo->row > look_back ? row - look_back : servo->row;
    for (int64_t k = from + 1; k <= row; k++) {
        size_t slot = (size_t)((k + look_back) % look_back);
        memcpy(servo->rows + slot * size, servo->observation.values, size * sizeof(double));
    }
}

void gb_servo_sense(gb_servo *servo, int64_t due_ns, int64_t woke_ns)
{
    const gb_plant_info *machine = servo->options.machine;
    gb_tick *record = servo->record;
    gb_link *link = servo->options.link;
    uint64_t before = servo->observation.sequence;
    record->due_ns = due_ns;
    record->woke_ns = woke_ns;
    servo->handed = false;
    link->ops->receive(link, &servo->observation);
    if (servo->options.stepped_time && servo->row < 0 && servo->observation.sequence != before)
        for (int i = 0; i < machine->observation_stream_count; i++)
            servo->observation.time_ns[i] = due_ns; /* a reset happens at no virtual time */
    int64_t row = (due_ns - servo->start_ns) / machine->period_ns;
    if (row == servo->row || servo->observation.sequence == 0 || !servo->options.histories) {
        servo->row = row;
        return;
    }
    take_row(servo, row, !servo->seen);
    servo->seen = true;
    servo->row = row;
    hand_over(servo);
}

/* ---- acting -------------------------------------------------------------------------------------
 */

/* Puts the setpoint of this instant in servo->proposal; false: no chunk reaches to it. */
static bool propose(gb_servo *servo)
{
    const gb_plant_info *machine = servo->options.machine;
    const gb_chunk *newest = servo->options.chunks ? gb_latest_read(servo->options.chunks) : NULL;
    if (newest) /* what the slot before held is the pilot's again */
        servo->chunk = newest->episode == servo->episode ? newest : NULL;
    if (!servo->chunk || servo->coming_to_rest)
        return false;
    const double *actions = servo->chunk->numbers;
    return gb_chunk_setpoint(machine, actions, servo->options.horizon,
                             actions + servo->options.horizon * machine->action_size,
                             servo->record->due_ns - servo->chunk->start_ns, servo->proposal);
}

static bool is_finite(const double *values, int count)
{
    for (int i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

/* Without an envelope the proposal is the command, and without a proposal the command before is
 * repeated. */
static void command_unguarded(gb_servo *servo, bool proposed, gb_verdict *verdict)
{
    int size = servo->options.machine->action_size;
    *verdict =
        (gb_verdict){.mode = GB_MODE_PASS, .margin = 1.0, .margin_limit = -1, .margin_index = -1};
    if (proposed && is_finite(servo->proposal, size)) {
        memcpy(servo->command, servo->proposal, (size_t)size * sizeof(double));
        servo->begun = true;
        return;
    }
    verdict->mode = GB_MODE_BACKUP;
    verdict->reasons = 1u << GB_LIMIT_PROPOSAL;
    verdict->blind = !servo->begun; /* nothing is sent yet */
}

static void decide_command(gb_servo *servo, bool proposed)
{
    gb_tick *record = servo->record;
    const gb_view *view = servo->options.view;
    bool emergency_stop = view && gb_view_emergency_stop(view);
    if (!servo->options.envelope) {
        command_unguarded(servo, proposed && !emergency_stop, &record->verdict);
        if (emergency_stop) {
            record->verdict.mode = GB_MODE_STOPPED;
            record->verdict.reasons = 1u << GB_LIMIT_EMERGENCY_STOP;
        }
        return;
    }
    gb_envelope_input input = {
        .now_ns = record->woke_ns,
        .late_ns = record->woke_ns - record->due_ns,
        .observation = &servo->observation,
        .proposal = proposed ? servo->proposal : NULL,
        .proposal_age_ns = proposed ? record->due_ns - servo->chunk->observed_ns : 0,
        .emergency_stop = emergency_stop,
    };
    gb_envelope_tick(servo->options.envelope, &input, servo->command, &record->verdict);
    servo->begun = servo->begun || !record->verdict.blind;
}

static int64_t oldest(const gb_servo *servo)
{
    int64_t time_ns = INT64_MAX;
    for (int i = 0; i < servo->options.machine->observation_stream_count; i++)
        if (servo->observation.time_ns[i] < time_ns)
            time_ns = servo->observation.time_ns[i];
    return time_ns == INT64_MAX ? INT64_MIN : time_ns;
}

static void fill_record(gb_servo *servo, bool proposed)
{
    gb_tick *record = servo->record;
    int64_t at_ns = proposed ? record->due_ns - servo->chunk->start_ns : 0;
    record->tick = (uint64_t)servo->tally.ticks;
    record->episode = servo->episode;
    record->wall_ns = record->due_ns + servo->options.wall_offset_ns;
    record->observation_sequence = servo->observation.sequence;
    record->observation_ns = oldest(servo);
    record->faults = servo->observation.faults;
    record->chunk = proposed ? servo->chunk->id : 0;
    record->chunk_at_ns = at_ns;
    for (int i = 0; !proposed && i < servo->options.machine->action_size; i++)
        servo->proposal[i] = NAN;
}

static void count(gb_servo *servo, bool proposed)
{
    const gb_tick *record = servo->record;
    gb_control_result *tally = &servo->tally;
    bool switched = servo->chunk_before != 0 && record->chunk != servo->chunk_before;
    tally->ticks++;
    tally->late += record->late;
    tally->without_chunk += !proposed;
    tally->modes[record->verdict.mode]++;
    for (int i = 0; i < GB_LIMIT_COUNT; i++)
        tally->reasons[i] += record->verdict.reasons >> i & 1u;
    size_t bytes = (size_t)servo->options.machine->action_size * sizeof(double);
    bool still = memcmp(servo->command, servo->command_before, bytes) == 0;
    servo->still_ticks = still ? servo->still_ticks + 1 : 0;
    memcpy(servo->command_before, servo->command, bytes);
    gb_smooth_add(servo->smooth, proposed ? servo->proposal : NULL, switched);
    servo->chunk_before = record->chunk;
    if (servo->woke_ns != INT64_MIN)
        gb_histogram_add(servo->period, record->woke_ns - servo->woke_ns);
    gb_histogram_add(servo->wake, record->woke_ns - record->due_ns);
    gb_histogram_add(servo->busy, record->done_ns - record->woke_ns);
    servo->woke_ns = record->woke_ns;
}

void gb_servo_act(gb_servo *servo)
{
    gb_tick *record = servo->record;
    gb_link *link = servo->options.link;
    bool proposed = propose(servo);
    decide_command(servo, proposed);
    servo->held = proposed && record->verdict.mode >= GB_MODE_BACKUP;
    if (servo->begun && !record->verdict.blind) /* else nobody knows yet what is safe to send */
        link->ops->send(link, servo->command, (uint64_t)servo->tally.ticks, record->due_ns);
    record->done_ns = servo->options.stepped_time ? record->woke_ns : gb_clock_monotonic_ns();
    record->late = record->done_ns > record->due_ns + servo->options.machine->tick_ns;
    if (link->ops->result)
        link->ops->result(link, &servo->result);
    fill_record(servo, proposed);
    if (servo->options.blackbox)
        gb_blackbox_tick(servo->options.blackbox, record);
    if (servo->options.view)
        gb_view_tick(servo->options.view, record);
    count(servo, proposed);
}

void gb_servo_tally(const gb_servo *servo, gb_control_result *out)
{
    *out = servo->tally;
    gb_histogram_read(servo->period, &out->period);
    gb_histogram_read(servo->wake, &out->wake);
    gb_histogram_read(servo->busy, &out->busy);
    gb_smooth_read(servo->smooth, &out->jerk_rms, &out->jerk_max, &out->switch_jump_rms);
}
