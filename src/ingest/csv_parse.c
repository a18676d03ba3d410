/* One block of a table into columns: rows are cut, groups and times found row by row, then each
 * column is read in one loop (csv_cells.c). Says nothing of files, sinks and order: csv.c does. */
#include "ingest/csv_parse.h"

#include "ingest/stamp.h"

#include <string.h>

static void reject(
    gb_csv_part *part, const gb_cut_row *row, int64_t column, gb_span found, const char *expected)
{
    gb_csv_problem problem = {.line = row->line,
                              .row_at = row->begin,
                              .row_size = row->end - row->begin,
                              .column = (int32_t)column,
                              .fields = expected ? -1 : row->fields,
                              .rejects_row = true,
                              .found = found,
                              .expected = expected};
    part->rows_rejected++;
    gb_csv_part_problem(part, &problem);
}

/* ---- rows as rows -----------------------------------------------------------------------------
 */

static void reject_nul(gb_csv_part *part, const gb_cut_row *row, const gb_span *spans)
{
    int64_t columns = part->plan->layout->column_count;
    int64_t known = row->fields < columns ? row->fields : columns;
    const gb_span whole = {row->begin, row->end - row->begin};
    for (int64_t c = 0; c < known; c++) {
        if (memchr(part->block->text + spans[c].at, 0, GB_SPAN_SIZE(spans[c]))) {
            reject(part, row, c, spans[c], "text without NUL bytes");
            return;
        }
    }
    reject(part, row, -1, whole, "text without NUL bytes");
}

/* false: the row is rejected. */
static bool is_whole(gb_csv_part *part, const gb_cut_row *row, const gb_span *spans)
{
    const gb_span whole = {row->begin, row->end - row->begin};
    if (row->fault == GB_ROW_WHOLE && row->fields == part->plan->layout->column_count)
        return true;
    if (row->fault == GB_ROW_NUL)
        reject_nul(part, row, spans);
    else if (row->fault == GB_ROW_AFTER_QUOTE)
        reject(part, row, -1, whole, "a delimiter behind a closing quote");
    else if (row->fault == GB_ROW_NOT_JSON)
        reject(part, row, -1, whole, "one JSON value on the line");
    else if (row->fault == GB_ROW_TOO_WIDE)
        reject(part, row, -1, whole, "nothing behind the last of the widths");
    else
        reject(part, row, -1, whole, NULL);
    return false;
}

/* ---- groups -----------------------------------------------------------------------------------
 */

/* The values of the group columns joined by '/'; the column at fault when it cannot be, else -1. */
static int64_t
join_key(const gb_csv_part *part, const gb_span *spans, char key[GB_CSV_KEY_MAX + 1], size_t *size)
{
    const gb_csv_plan *plan = part->plan;
    size_t used = 0;
    for (int g = 0; g < plan->group_count; g++) {
        gb_span span = spans[plan->group_columns[g]];
        size_t length = GB_SPAN_SIZE(span);
        if (length == 0 || used + length + 1 > GB_CSV_KEY_MAX)
            return plan->group_columns[g];
        if (g > 0)
            key[used++] = '/';
        used += gb_span_copy(part->block->text, span, key + used);
    }
    *size = used;
    return gb_text_is_utf8(key, used) ? -1 : plan->group_columns[0];
}

static bool
read_group(gb_csv_part *part, const gb_cut_row *row, const gb_span *spans, int32_t *out_group)
{
    char key[GB_CSV_KEY_MAX + 1];
    size_t size = 0;
    int64_t wrong = join_key(part, spans, key, &size);
    if (wrong >= 0) {
        reject(part, row, wrong, spans[wrong], "a group name of 1 to 200 bytes of UTF-8");
        return false;
    }
    gb_status status = gb_csv_part_group(part, key, size, out_group);
    if (status != GB_OK)
        part->status = status;
    return status == GB_OK;
}

/* ---- times ------------------------------------------------------------------------------------
 */

/* Date and time of day in two columns, as one stamp. */
static size_t join_clock(const gb_csv_part *part, const gb_span *spans, char stamp[128])
{
    gb_span date = spans[part->plan->time_column], clock = spans[part->plan->clock_column];
    if ((date.size | clock.size) > 60)
        return 0;
    memcpy(stamp, part->block->text + date.at, date.size);
    stamp[date.size] = ' ';
    memcpy(stamp + date.size + 1, part->block->text + clock.at, clock.size);
    return date.size + 1 + clock.size;
}

static bool read_time(gb_csv_part *part,
                      const gb_cut_row *row,
                      const gb_span *spans,
                      int64_t *out_ns,
                      gb_reason *out_reason)
{
    const gb_csv_plan *plan = part->plan;
    char joined[128];
    gb_span span = spans[plan->time_column];
    const char *text = part->block->text + span.at;
    size_t size = span.size;
    bool has_zone = true;
    if (plan->clock_column >= 0) {
        text = joined;
        size = join_clock(part, spans, joined);
    }
    *out_reason = GB_REASON_NONE;
    if (!gb_stamp_read(text, size, plan->time_format, plan->layout->decimal, plan->period_s, out_ns,
                       &has_zone)) {
        reject(part, row, plan->time_column, span, gb_stamp_expected(plan->time_format));
        return false;
    }
    if (has_zone || !part->zone)
        return true;
    gb_zone_kind kind;
    if (gb_zone_to_utc(part->zone, *out_ns, plan->later, out_ns, &kind) != GB_OK) {
        reject(part, row, plan->time_column, span, "a time that 64 bits of nanoseconds hold");
        return false;
    }
    if (kind != GB_ZONE_PLAIN)
        *out_reason = GB_REASON_AMBIGUOUS_TIME;
    return true;
}

/* ---- batches ----------------------------------------------------------------------------------
 */

/* Which rows are taken, with their groups and times. */
static void take_rows(gb_csv_part *part, int64_t count)
{
    const gb_csv_plan *plan = part->plan;
    int64_t columns = plan->layout->column_count, taken = 0;
    int32_t group = 0;
    for (int64_t r = 0; r < count && part->status == GB_OK; r++) {
        const gb_cut_row *row = &part->rows[r];
        const gb_span *spans = part->spans + r * columns;
        int64_t at = part->count + taken;
        gb_reason reason = GB_REASON_NONE;
        if (row->end - row->begin > part->row_limit_bytes) {
            part->long_row = row->line;
            break;
        }
        part->rows_read++;
        if (!is_whole(part, row, spans) ||
            (plan->group_count > 0 && !read_group(part, row, spans, &group)) ||
            (plan->time_column >= 0 && !read_time(part, row, spans, &part->time_ns[at], &reason)))
            continue;
        part->group_of[at] = group;
        part->line_of[at] = row->line;
        part->taken[taken++] = (int32_t)r;
        for (int s = 0; reason != GB_REASON_NONE && s < plan->stream_count; s++)
            gb_csv_flag(&part->columns[s], at, reason);
    }
    part->taken_count = taken;
}

static void parse_batch(gb_csv_part *part, int64_t count)
{
    int64_t problems = part->problem_count;
    part->status = gb_csv_part_room(part, part->count + count);
    if (part->status != GB_OK)
        return;
    take_rows(part, count);
    for (int s = 0; s < part->plan->stream_count; s++)
        gb_csv_read_column(part, s);
    part->count += part->taken_count;
    gb_csv_part_settle(part, problems, count);
}

void gb_csv_part_parse(gb_csv_part *part, const gb_block *block, int64_t most_rows)
{
    const gb_csv_plan *plan = part->plan;
    gb_csv_part_forget(part);
    part->block = block;
    gb_cutter cutter = {.cutting = plan->cutting,
                        .text = block->text,
                        .size = block->size,
                        .columns = plan->layout->column_count};
    int32_t everything = 0;
    if (plan->group_count == 0)
        part->status = gb_csv_part_group(part, "", 0, &everything);
    while (part->status == GB_OK && !part->stopped && part->long_row < 0) {
        int64_t most = part->batch_rows;
        if (most_rows > 0 && most_rows - part->rows_read < most)
            most = most_rows - part->rows_read;
        int64_t count = most > 0 ? gb_cutter_next(&cutter, part->rows, part->spans, most) : 0;
        if (count == 0)
            break;
        parse_batch(part, count);
    }
    part->lines = cutter.line;
    if (part->status == GB_OK)
        part->status = gb_csv_part_sort(part);
}
