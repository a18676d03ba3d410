/* Judges times: stamps that repeat, step back or come after a gap; and counts the rows that are
 * rejected for it, once for all streams sampled together. */
#include "ingest/clean_stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

bool gb_clean_times_are_plain(const gb_clean_stream *stream, const gb_samples *samples)
{
    const int64_t *time_ns = samples->time_ns;
    uint64_t gap = (uint64_t)stream->rules.gap_ns, odd = 0;
    /* step - 1 >= gap holds for a repeated stamp, for a step back (both wrap) and for a gap */
    if (stream->time.begun)
        odd = (uint64_t)time_ns[0] - (uint64_t)stream->time.last_ns - 1 >= gap;
    for (int64_t i = 1; i < samples->count; i++)
        odd |= (uint64_t)time_ns[i] - (uint64_t)time_ns[i - 1] - 1 >= gap;
    return odd == 0;
}

/* ---- streams sampled together -----------------------------------------------------------------
 */

gb_status gb_clean_join(gb_clean_recording *recording, int stream, const gb_samples *samples)
{
    gb_clean_stream *joining = recording->streams[stream];
    bool by_row = samples->row != NULL;
    int64_t first = by_row ? samples->row[0] : samples->time_ns[0];
    for (int i = 0; i < recording->group_count; i++) {
        const gb_clean_group *group = &recording->groups[i];
        const char *clock = recording->streams[group->leader]->clock;
        if (group->by_row == by_row && group->first == first &&
            (by_row || strcmp(clock, joining->clock) == 0)) {
            joining->time.group = i;
            return GB_OK;
        }
    }
    if (recording->group_count == recording->group_room) {
        int room = recording->group_room ? 2 * recording->group_room : 4;
        gb_clean_group *grown = realloc(recording->groups, (size_t)room * sizeof *grown);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "cleaning: no memory for %d groups of streams", room);
        recording->groups = grown;
        recording->group_room = room;
    }
    joining->time.group = recording->group_count;
    recording->groups[recording->group_count++] =
        (gb_clean_group){.by_row = by_row, .first = first, .leader = stream};
    return GB_OK;
}

/* ---- repeated rows ----------------------------------------------------------------------------
 */

/* Where sample i begins as it came, and its bytes. */
static const void *
sample_at(const gb_clean_stream *stream, const gb_samples *samples, int64_t i, size_t *out_size)
{
    if (stream->rules.in == GB_VALUE_BYTES) {
        *out_size = samples->run_sizes[i];
        return samples->runs[i];
    }
    *out_size = (size_t)stream->rules.size * gb_value_type_bytes(stream->rules.in);
    return (const unsigned char *)samples->values + (size_t)i * *out_size;
}

static void
remember_sample(gb_clean_stream *stream, const gb_samples *samples, int64_t i, int64_t time_ns)
{
    gb_clean_time *time = &stream->time;
    size_t size;
    const void *sample = sample_at(stream, samples, i, &size);
    time->begun = true;
    time->last_ns = time_ns;
    time->before_known = size <= GB_CLEAN_COMPARED_BYTES;
    time->before_size = size;
    if (time->before_known && size > 0)
        memcpy(time->before, sample, size);
}

void gb_clean_remember(gb_clean_stream *stream, const gb_samples *samples)
{
    int64_t last = samples->count - 1;
    remember_sample(stream, samples, last, samples->time_ns[last]);
    stream->time.seen += samples->count;
}

static bool repeats_before(const gb_clean_stream *stream, const gb_samples *samples, int64_t i)
{
    size_t size;
    const void *sample = sample_at(stream, samples, i, &size);
    return stream->time.before_known && stream->time.before_size == size &&
           (size == 0 || memcmp(stream->time.before, sample, size) == 0);
}

/* Repeated stamp number `index` of the group: does this stream's value differ from the one before?
 */
static gb_status note_repeated(gb_clean_group *group, int64_t index, bool same)
{
    if (index / 8 >= group->differ_bytes) {
        int64_t bytes = group->differ_bytes ? 2 * group->differ_bytes : 64;
        uint8_t *grown = realloc(group->differ, (size_t)bytes);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "cleaning: no memory to note %" PRId64 " repeated rows",
                           8 * bytes);
        memset(grown + group->differ_bytes, 0, (size_t)(bytes - group->differ_bytes));
        group->differ = grown;
        group->differ_bytes = bytes;
    }
    if (!same)
        group->differ[index / 8] |= (uint8_t)(1U << (index % 8));
    return GB_OK;
}

void gb_clean_count_duplicates(const gb_clean_recording *recording, gb_ingest_report *report)
{
    for (int g = 0; g < recording->group_count; g++) {
        const gb_clean_group *group = &recording->groups[g];
        for (int64_t i = 0; i < group->repeated; i++)
            report->rows_duplicated += !(group->differ[i / 8] >> (i % 8) & 1);
    }
}

/* ---- rejected rows ----------------------------------------------------------------------------
 */

static void write_time(int64_t time_ns, gb_time_base base, char *out, size_t room)
{
    int64_t seconds = time_ns / 1000000000, rest = time_ns % 1000000000;
    if (rest < 0) {
        seconds--;
        rest += 1000000000;
    }
    time_t stamp = (time_t)seconds;
    struct tm parts;
    if (base == GB_TIME_UTC && gmtime_r(&stamp, &parts))
        snprintf(out, room, "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", parts.tm_year + 1900,
                 parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                 (int)rest);
    else
        snprintf(out, room, "%" PRId64 " ns", time_ns);
}

static gb_status reject_row(
    gb_clean *clean, const gb_clean_stream *stream, int64_t row, int64_t time_ns, gb_reason reason)
{
    gb_ingest_report *report = clean->report;
    char text[GB_INGEST_TEXT] = "";
    write_time(time_ns, stream->time_base, text, sizeof text);
    report->rows_stored--;
    report->rows_rejected++;
    if (report->example_count < GB_INGEST_EXAMPLES) {
        gb_ingest_example *example = &report->examples[report->example_count++];
        *example = (gb_ingest_example){.row = row, .expected = "a time later than the row before"};
        memcpy(example->text, text, sizeof text);
    }
    if (!clean->watch->reject)
        return GB_OK;
    return clean->watch->reject(clean->watch->context, clean->origin, row, "",
                                gb_reason_name(reason), text, strlen(text));
}

/* ---- the judgement ----------------------------------------------------------------------------
 */

typedef struct bench {
    gb_clean *clean;
    gb_clean_group *group;
    gb_clean_stream *stream;
    const gb_samples *samples;
    bool leads;
} bench;

/* A later time: is it after a gap? */
static void judge_step(const bench *b, int64_t i)
{
    uint64_t step = (uint64_t)b->samples->time_ns[i] - (uint64_t)b->stream->time.last_ns;
    if (step <= (uint64_t)b->stream->rules.gap_ns)
        return;
    gb_clean_mark(&b->clean->desk, b->clean->desk.tail + i, GB_REASON_AFTER_GAP);
    if (!b->leads)
        return;
    gb_ingest_report *report = b->clean->report;
    int64_t length = step > INT64_MAX ? INT64_MAX : (int64_t)step;
    report->gaps++;
    report->longest_gap_ns = length > report->longest_gap_ns ? length : report->longest_gap_ns;
}

/* *out_keep: does sample i stay? */
static gb_status judge_time(const bench *b, int64_t i, bool *out_keep)
{
    gb_clean_time *time = &b->stream->time;
    gb_ingest_report *report = b->clean->report;
    int64_t now = b->samples->time_ns[i];
    *out_keep = true;
    if (!time->begun)
        return GB_OK;
    if (now > time->last_ns) {
        judge_step(b, i);
        return GB_OK;
    }
    bool repeats = now == time->last_ns;
    gb_reason reason = repeats ? GB_REASON_REPEATED_TIME : GB_REASON_BACKWARD_TIME;
    if (repeats) {
        GB_TRY(note_repeated(b->group, time->repeated, repeats_before(b->stream, b->samples, i)));
        time->repeated++;
    }
    if (b->leads) {
        b->group->repeated += repeats;
        report->time_repeated += repeats;
        report->time_backwards += !repeats;
    }
    const gb_clean_rules *rules = &b->stream->rules;
    *out_keep = !(repeats ? rules->reject_repeated : rules->reject_backward);
    if (*out_keep)
        gb_clean_mark(&b->clean->desk, b->clean->desk.tail + i, reason);
    else if (b->leads)
        return reject_row(b->clean, b->stream,
                          b->samples->row ? b->samples->row[i] : time->seen + 1, now, reason);
    return GB_OK;
}

gb_status gb_clean_judge_times(gb_clean *clean,
                               gb_clean_recording *recording,
                               int stream,
                               const gb_samples *samples)
{
    gb_clean_stream *judged = recording->streams[stream];
    gb_clean_group *group = &recording->groups[judged->time.group];
    bench b = {clean, group, judged, samples, group->leader == stream};
    gb_clean_desk *desk = &clean->desk;
    desk->kept = 0;
    for (int64_t i = 0; i < samples->count; i++) {
        bool keep;
        GB_TRY(judge_time(&b, i, &keep));
        judged->time.seen++;
        if (!keep)
            continue;
        desk->keep[desk->kept++] = i;
        remember_sample(judged, samples, i, samples->time_ns[i]);
    }
    return GB_OK;
}
