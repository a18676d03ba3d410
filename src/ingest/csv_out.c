/* Hands parsed blocks on in the order of the file: numbers rows, counts, tells of rejects, appends
 * each group's rows to its recording, ends recordings where a segment ends. */
#include "ingest/csv_out.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gb_csv_copy_cut(char out[GB_INGEST_TEXT], const char *text, size_t size)
{
    size_t kept = size < GB_INGEST_TEXT - 1 ? size : GB_INGEST_TEXT - 1;
    for (size_t i = 0; i < kept; i++)
        out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7F ? ' ' : text[i];
    /* do not end inside a UTF-8 character */
    while (kept > 0 && kept < size && ((unsigned char)text[kept] & 0xC0) == 0x80)
        kept--;
    out[kept] = 0;
}

void gb_csv_describe(const gb_csv_plan *plan, gb_ingest_report *report)
{
    const gb_layout *layout = plan->layout;
    report->delimiter = layout->delimiter;
    report->decimal_comma = layout->decimal == ',';
    report->header = layout->header;
    report->time_format = plan->time_format;
    memset(report->time_column, 0, sizeof report->time_column);
    if (plan->time_column >= 0) {
        const char *name = layout->columns[plan->time_column].name;
        gb_csv_copy_cut(report->time_column, name, strlen(name));
    }
}

/* ---- problems ---------------------------------------------------------------------------------
 */

static gb_status strict_failure(const gb_csv_out *out, const gb_ingest_example *example)
{
    const char *origin = out->input->origin;
    long long row = example->row;
    if (example->column == 0)
        return gb_fail(GB_ERR_PARSE, "%s, row %lld: %s, expected %s", origin, row, example->text,
                       example->expected);
    return gb_fail(GB_ERR_PARSE, "%s, row %lld, column %lld (%s): found \"%s\", expected %s",
                   origin, row, (long long)example->column, example->name, example->text,
                   example->expected);
}

static gb_status tell_problem(gb_csv_out *out, const gb_block *block, const gb_csv_problem *problem)
{
    const gb_layout *layout = out->plan->layout;
    const char *name = problem->column >= 0 ? layout->columns[problem->column].name : "";
    gb_ingest_example example = {.row = out->line + problem->line + 1,
                                 .column = problem->column + 1,
                                 .expected = problem->expected};
    char text[GB_INGEST_TEXT];
    const char *found = block->text + problem->found.at;
    size_t size = GB_SPAN_SIZE(problem->found);
    if (problem->fields >= 0) {
        snprintf(text, sizeof text, "%d fields instead of %lld", problem->fields,
                 (long long)layout->column_count);
        found = text;
        size = strlen(text);
        example.expected = "as many fields in every row";
    }
    gb_csv_copy_cut(example.name, name, strlen(name));
    gb_csv_copy_cut(example.text, found, size);
    if (out->report->example_count < GB_INGEST_EXAMPLES)
        out->report->examples[out->report->example_count++] = example;
    const gb_ingest_watch *watch = out->source->watch;
    if (watch->reject) { /* a rejected row is kept whole, so that nothing is lost */
        char reason[160];
        snprintf(reason, sizeof reason, "expected %s%s%s", example.expected,
                 problem->fields >= 0 ? ", found " : "", problem->fields >= 0 ? text : "");
        const char *kept = block->text + problem->found.at;
        if (problem->rejects_row) {
            kept = block->text + problem->row_at;
            size = problem->row_size;
        }
        GB_TRY(watch->reject(watch->context, out->input->origin, example.row, name, reason, kept,
                             size));
    }
    return out->plan->strict ? strict_failure(out, &example) : GB_OK;
}

/* ---- samples ----------------------------------------------------------------------------------
 */

/* Rows without a clock are a period apart. */
static void count_times(const gb_csv_out *out, int64_t rows, int64_t *time_ns, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        double ns = (double)(rows + i) * out->plan->period_s * 1e9;
        time_ns[i] = ns < 9e18 ? llround(ns) : INT64_MAX;
    }
}

/* The usual step between rows, for the report. */
static void
note_steps(gb_csv_out *out, const gb_csv_recording *to, const int64_t *time_ns, int64_t count)
{
    int64_t before = to->rows > 0 ? to->last_ns : time_ns[0];
    for (int64_t i = to->rows == 0; i < count; i++) {
        uint64_t step = (uint64_t)time_ns[i] - (uint64_t)before;
        if (time_ns[i] >= before)
            gb_steps_add(&out->steps, step > INT64_MAX ? INT64_MAX : (int64_t)step);
        before = time_ns[i];
    }
}

static gb_status append(gb_csv_out *out,
                        const gb_csv_recording *recording,
                        const gb_csv_part *part,
                        int64_t first,
                        int64_t count,
                        uint8_t *quality,
                        const int64_t *row)
{
    for (int s = 0; s < out->plan->stream_count; s++) {
        const gb_csv_stream *stream = &out->plan->streams[s];
        const gb_csv_column *column = &part->columns[s];
        gb_samples samples = {.count = count, .time_ns = part->time_ns + first, .row = row};
        if (stream->cells == GB_CSV_TEXT) {
            samples.runs = column->runs + first;
            samples.run_sizes = column->run_sizes + first;
        } else {
            size_t size = (size_t)gb_stream_spec_size(&stream->spec) *
                          gb_value_type_bytes(stream->spec.value_type);
            samples.values = (const unsigned char *)column->values + (size_t)first * size;
        }
        if (column->flagged) {
            for (int64_t i = 0; i < count; i++)
                quality[i] = (uint8_t)gb_reason_quality((gb_reason)column->reason[first + i]);
            samples.quality = quality;
            samples.reason = column->reason + first;
        }
        GB_TRY(
            gb_sink_append(out->source->sink, recording->number, recording->streams[s], &samples));
    }
    return GB_OK;
}

static gb_status append_groups(gb_csv_out *out, gb_csv_part *part, uint8_t *quality, int64_t *row)
{
    for (int64_t i = 0; i < part->count; i++)
        row[i] = out->line + part->line_of[i] + 1;
    for (int g = 0; g < part->group_count; g++) {
        const gb_csv_group *group = &part->groups[g];
        if (group->count == 0)
            continue;
        gb_csv_recording *recording = NULL;
        GB_TRY(gb_csv_out_find(out, group->key, group->key_size, &recording));
        GB_TRY(gb_csv_out_begin(out, recording));
        if (out->plan->time_column < 0)
            count_times(out, recording->rows, part->time_ns + group->first, group->count);
        note_steps(out, recording, part->time_ns + group->first, group->count);
        out->report->rows_stored += group->count; /* before: what cleans may take some back */
        GB_TRY(
            append(out, recording, part, group->first, group->count, quality, row + group->first));
        recording->rows += group->count;
        recording->last_ns = part->time_ns[group->first + group->count - 1];
    }
    return GB_OK;
}

gb_status gb_csv_out_part(gb_csv_out *out, const gb_block *block, gb_csv_part *part)
{
    gb_ingest_report *report = out->report;
    out->source_to = block->source_to;
    report->rows_read += part->rows_read;
    report->rows_rejected += part->rows_rejected;
    report->cells_bad += part->cells_bad;
    report->cells_missing += part->cells_missing;
    for (int64_t i = 0; i < part->problem_count; i++)
        GB_TRY(tell_problem(out, block, &part->problems[i]));
    if (part->status != GB_OK) /* its message stayed with the thread that parsed */
        return gb_fail(part->status, "%s: no memory to read the block that ends at byte %lld",
                       out->input->origin, (long long)block->text_to);
    uint8_t *quality = malloc((size_t)part->count + 1);
    int64_t *row = malloc((size_t)(part->count + 1) * sizeof *row);
    gb_status status = GB_OK;
    if (quality && row)
        status = append_groups(out, part, quality, row);
    else
        status = gb_fail(GB_ERR_MEMORY, "%s: no memory for %lld rows", out->input->origin,
                         (long long)part->count);
    free(quality);
    free(row);
    if (status == GB_OK && part->long_row >= 0)
        status = gb_fail(GB_ERR_PARSE, "%s, row %lld: longer than the limit of %zu bytes",
                         out->input->origin, (long long)(out->line + part->long_row + 1),
                         part->row_limit_bytes);
    out->line += part->lines;
    return status;
}

/* ---- segments ---------------------------------------------------------------------------------
 */

static gb_status tell_segment(gb_csv_out *out, const gb_block *block)
{
    const gb_ingest_watch *watch = out->source->watch;
    if (!watch->segment)
        return GB_OK;
    gb_arena *arena = NULL;
    char *state = NULL;
    size_t size = 0;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = gb_csv_out_save(out, block->text_to, arena, &state, &size);
    if (status == GB_OK)
        status = watch->segment(watch->context, block->source_to, state, size);
    gb_arena_destroy(arena);
    return status;
}

gb_status gb_csv_out_segment(gb_csv_out *out, const gb_block *block)
{
    if (block->text_to == out->segment_from)
        return GB_OK; /* no row ends in it */
    GB_TRY(gb_csv_out_end_all(out));
    out->part++;
    out->segment_from = block->text_to;
    out->segment_rows_stored = out->report->rows_stored;
    return tell_segment(out, block);
}

gb_status gb_csv_out_progress(gb_csv_out *out, const gb_block *block)
{
    const gb_ingest_watch *watch = out->source->watch;
    if (!watch->progress)
        return GB_OK;
    gb_status status = watch->progress(watch->context, block->source_to, out->input->size);
    if (status != GB_ERR_INTERRUPTED)
        return status;
    char message[512];
    snprintf(message, sizeof message, "%s", gb_error_message());
    GB_TRY(gb_csv_out_segment(out, block));
    return gb_fail(GB_ERR_INTERRUPTED, "%s", message);
}

/* ---- begin and end ----------------------------------------------------------------------------
 */

gb_status gb_csv_out_open(gb_csv_out *out,
                          const gb_csv_plan *plan,
                          const gb_input *input,
                          const gb_source *source)
{
    out->plan = plan;
    out->input = input;
    out->source = source;
    out->report = source->report;
    out->before = *source->report;
    out->source_to = source->resume_at;
    out->line = plan->lines_before;
    out->segment_rows_stored = source->report->rows_stored;
    out->in_parts = input->size > source->options->segment_bytes;
    out->segment_from = input->plain ? input->first : 0;
    if (source->resume_at > 0)
        return gb_csv_out_restore(out, source->resume_state, source->resume_state_size);
    return GB_OK;
}

static gb_status no_rows(const gb_csv_out *out)
{
    const gb_ingest_report *report = out->report;
    int first = out->before.example_count;
    if (report->example_count == first)
        return gb_fail(GB_ERR_PARSE, "%s: a header and no rows below it", out->input->origin);
    const gb_ingest_example *example = &report->examples[first];
    return gb_fail(GB_ERR_PARSE,
                   "%s: no row could be used; the first, row %lld, column %lld: found \"%s\", "
                   "expected %s",
                   out->input->origin, (long long)example->row, (long long)example->column,
                   example->text, example->expected);
}

void gb_csv_take_back(const gb_ingest_report *before, gb_ingest_report *report)
{
    report->rows_stored = before->rows_stored;
    report->rows_rejected = before->rows_rejected + report->rows_read - before->rows_read;
}

gb_status gb_csv_out_close(gb_csv_out *out, gb_status status)
{
    gb_ingest_report *report = out->report;
    if (!report)
        return status;
    bool anything = report->rows_stored > out->before.rows_stored || out->resume_at > 0;
    if (status == GB_OK && !anything)
        status = no_rows(out);
    if (status == GB_OK)
        status = gb_csv_out_end_all(out);
    gb_steps_report(&out->steps, report);
    if (status != GB_OK) { /* what was read since the last segment is thrown away */
        report->rows_stored = out->segment_rows_stored;
        report->rows_rejected = out->before.rows_rejected +
                                (report->rows_read - out->before.rows_read) -
                                (report->rows_stored - out->before.rows_stored);
    }
    report->bytes += out->source_to - out->source->resume_at;
    gb_csv_out_free(out);
    return status;
}
