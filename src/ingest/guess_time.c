/* Chooses the time column by what its cells and its name say, then follows the steps between rows:
 * they tell groups of rows apart, and clocks that are changed twice a year. */
#include "ingest/guess_time.h"

#include "ingest/stamp.h"
#include "ingest/steps.h"
#include "ingest/zone.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECOND_NS 1000000000LL
#define HOUR_NS (3600 * SECOND_NS)
#define DAY_NS (24 * HOUR_NS)
#define GROUP_CANDIDATES 8
#define GROUPS_MAX 65536

/* ---- names ------------------------------------------------------------------------------------
 */

static bool one_of(const char *name, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(name, words[i]) == 0)
            return true;
    return false;
}

static bool is_time_name(const gb_guess_column *about)
{
    static const char *const words[] = {
        "time",    "timestamp", "time_stamp", "datetime",  "date_time",   "date",     "ts",
        "t",       "epoch",     "unix",       "unixtime",  "unix_time",   "time_s",   "t_s",
        "seconds", "sec",       "elapsed",    "elapsed_s", "time_sec",    "time_ms",  "t_ms",
        "time_us", "time_ns",   "stamp",      "zeit",      "zeitstempel", "uhrzeit",  "temps",
        "tiempo",  "日時",      "時刻",       "時間",      "日付",        "経過時間", "測定時刻"};
    return one_of(about->unit.label, words, sizeof words / sizeof *words);
}

static bool is_counter_name(const char *name)
{
    static const char *const words[] = {"cycle", "cycles",   "frame",     "frame_index", "step",
                                        "tick",  "sample",   "sample_no", "row",         "index",
                                        "no",    "no.",      "#",         "unnamed: 0",  "番号",
                                        "seq",   "sequence", "count",     "row_number",  "n"};
    return one_of(name, words, sizeof words / sizeof *words);
}

/* Does the name hold such a word? "machineID", "unit_number" and "robot 3" do, "humidity" and
 * "runtime" do not. */
bool gb_guess_is_identity(const char *name)
{
    static const char *const words[] = {"id",    "unit",   "machine", "episode", "run",    "lot",
                                        "batch", "robot",  "device",  "serial",  "asset",  "trial",
                                        "part",  "engine", "line",    "vehicle", "battery"};
    static const char *const parts[] = {"号機", "設備", "ロット"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(name, parts[i]))
            return true;
    char word[32];
    size_t used = 0;
    for (const char *at = name;; at++) {
        bool upper = *at >= 'A' && *at <= 'Z', lower = *at >= 'a' && *at <= 'z';
        bool after_lower = at > name && at[-1] >= 'a' && at[-1] <= 'z';
        if (used > 0 && ((!upper && !lower) || (upper && after_lower))) {
            word[used] = 0;
            used = 0;
            if (one_of(word, words, sizeof words / sizeof *words))
                return true;
        }
        if ((upper || lower) && used < sizeof word - 1)
            word[used++] = *at;
        if (*at == 0)
            return false;
    }
}

bool gb_guess_counts_rows(const gb_guess_columns *columns, int64_t column)
{
    const gb_guess_column *about = &columns->columns[column];
    /* a few rows may count up by chance, unless the name says that they count */
    bool enough =
        about->seen >= 64 || is_counter_name(about->name) || strcmp(about->name, "column_1") == 0;
    return columns->count > 1 && enough && about->seen > 2 && about->integers == about->seen &&
           about->steps_of_one == about->seen - 1;
}

/* ---- which column -----------------------------------------------------------------------------
 */

static bool mostly(int64_t part, const gb_guess_column *of)
{
    return of->seen > 0 && 5 * part >= 4 * of->seen;
}

static void date_format(const gb_guess_column *about, gb_guess_time *time)
{
    bool only_day = about->dates[1] > about->dates[2],
         only_month = about->dates[2] > about->dates[1];
    time->format = GB_TIME_FORMAT_DATETIME;
    if (2 * about->dates[0] >= about->any_date)
        return;
    time->format = only_month ? GB_TIME_FORMAT_MONTH_FIRST : GB_TIME_FORMAT_DAY_FIRST;
    /* with dots, as in 31.12.2016, the day always comes first */
    bool dotted = memchr(about->first_cell.text, '.',
                         about->first_cell.size < 6 ? about->first_cell.size : 6);
    time->format_open = !only_day && !only_month && !dotted;
}

/* By magnitude: seconds since 1970 are 1e8..1e11 between 1973 and 5138. Less than that counts from
 * the start, in the unit of the name. */
static void number_format(const gb_guess_column *about, gb_guess_time *time)
{
    static const struct since_start {
        const char *code;
        double period_s;
    } units[] = {{"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}, {"min", 60}, {"h", 3600}, {"d", 86400}};
    time->format = about->last >= 1e17   ? GB_TIME_FORMAT_EPOCH_NS
                   : about->last >= 1e14 ? GB_TIME_FORMAT_EPOCH_US
                   : about->last >= 1e11 ? GB_TIME_FORMAT_EPOCH_MS
                   : about->last >= 1e8  ? GB_TIME_FORMAT_EPOCH_S
                                         : GB_TIME_FORMAT_SECONDS;
    for (size_t i = 0; time->format == GB_TIME_FORMAT_SECONDS && i < sizeof units / sizeof *units;
         i++) {
        if (strcmp(about->unit.code, units[i].code) == 0) {
            time->format = GB_TIME_FORMAT_ROW;
            time->period_s = units[i].period_s;
        }
    }
}

static int64_t find_clock(const gb_guess_columns *columns, int64_t date)
{
    for (int64_t c = 0; c < columns->count; c++)
        if (c != date && mostly(columns->columns[c].clocks, &columns->columns[c]))
            return c;
    return -1;
}

static bool choose_dates(const gb_guess_columns *columns, gb_guess_time *time)
{
    int64_t found = -1;
    for (int64_t c = 0; c < columns->count; c++) {
        const gb_guess_column *about = &columns->columns[c];
        if (!mostly(about->any_date, about))
            continue;
        /* the first with a time of day, else the first */
        if (found >= 0 && about->without_clock == about->any_date)
            continue;
        bool has_clock = about->without_clock < about->any_date;
        if (found < 0 || has_clock)
            found = c;
        if (has_clock)
            break;
    }
    if (found < 0)
        return false;
    const gb_guess_column *about = &columns->columns[found];
    time->column = found;
    time->zoned = 2 * about->zoned > about->any_date;
    if (about->without_clock == about->any_date)
        time->clock_column = find_clock(columns, found);
    date_format(about, time);
    return true;
}

/* Numbers called time; then counters called cycle or frame. Whether they rise is seen by steps. */
static bool choose_numbers(const gb_guess_columns *columns, bool counters, gb_guess_time *time)
{
    for (int64_t c = 0; c < columns->count; c++) {
        const gb_guess_column *about = &columns->columns[c];
        bool named = counters ? is_counter_name(about->name) : is_time_name(about);
        if (!named || !mostly(about->numbers, about) || about->constant)
            continue;
        if (counters && about->integers != about->numbers)
            continue;
        time->column = c;
        if (counters)
            time->format = GB_TIME_FORMAT_ROW;
        else
            number_format(about, time);
        return true;
    }
    return false;
}

/* ---- steps between rows -----------------------------------------------------------------------
 */

typedef struct group {
    uint64_t hash;
    int64_t last_ns;
    bool used;
} group;

/* What following the rows found, told apart by one column's values or not at all. */
typedef struct walk {
    const gb_guess_time *time;
    int64_t group_column;
    char decimal;
    group *groups; /* [table_size] open addressing */
    size_t table_size;
    int64_t group_count, blocks;
    uint64_t current;
    bool too_many;
    int64_t repeated, backward, steps, uneven;
    int64_t period_ns; /* 0 in the first walk */
    gb_steps *kept;
    gb_guess_time *shifts; /* where steps of an hour are noted, or NULL */
} walk;

static uint64_t hash_field(const gb_field *field) /* FNV-1a */
{
    uint64_t hash = 14695981039346656037ULL;
    for (size_t i = 0; i < field->size; i++)
        hash = (hash ^ (unsigned char)field->text[i]) * 1099511628211ULL;
    return hash;
}

static group *find_group(walk *w, const gb_field *fields)
{
    uint64_t hash = w->group_column >= 0 ? hash_field(&fields[w->group_column]) : 1;
    w->blocks += w->group_count == 0 || hash != w->current;
    w->current = hash;
    uint64_t mask = w->table_size - 1, slot = hash & mask;
    while (w->groups[slot].used && w->groups[slot].hash != hash)
        slot = (slot + 1) & mask;
    if (!w->groups[slot].used) {
        if (w->group_count == GROUPS_MAX) {
            w->too_many = true;
            return NULL;
        }
        w->groups[slot] = (group){.hash = hash, .last_ns = INT64_MIN, .used = true};
        w->group_count++;
    }
    return &w->groups[slot];
}

static bool read_clock(const gb_field *cell, int64_t *ns)
{
    char text[64];
    if (cell->size > 40)
        return false;
    memcpy(text, "2000-01-01 ", 11);
    memcpy(text + 11, cell->text, cell->size);
    if (!gb_stamp_parse(text, 11 + cell->size, GB_TIME_FORMAT_DATETIME, '.', 1, ns))
        return false;
    *ns -= 946684800 * SECOND_NS;
    return true;
}

static bool read_stamp(const walk *w, const gb_field *fields, int64_t *out_ns)
{
    const gb_guess_time *time = w->time;
    const gb_field *cell = &fields[time->column];
    double period_s = time->period_s > 0 ? time->period_s : 1;
    if (!gb_stamp_parse(cell->text, cell->size, time->format, w->decimal, period_s, out_ns))
        return false;
    int64_t clock_ns = 0;
    if (time->clock_column >= 0 && !read_clock(&fields[time->clock_column], &clock_ns))
        return false;
    return !__builtin_add_overflow(*out_ns, clock_ns, out_ns);
}

/* 1..12 of a local time in nanoseconds. */
static int month_of(int64_t ns)
{
    int64_t days = ns / DAY_NS - (ns % DAY_NS < 0) + 719468;
    int64_t in_era = days - (days >= 0 ? days : days - 146096) / 146097 * 146097;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
    int64_t from_march = (5 * in_year + 2) / 153;
    return (int)(from_march < 10 ? from_march + 3 : from_march - 9);
}

/* Clocks are changed in the small hours of Sundays in March, April, September to November. */
static void note_shift(walk *w, int64_t now_ns, int64_t step_ns)
{
    int64_t off;
    if (__builtin_sub_overflow(step_ns, w->period_ns, &off) || off == INT64_MIN)
        return;
    int64_t from_hour = llabs(off) - HOUR_NS;
    int64_t day = now_ns / DAY_NS - (now_ns % DAY_NS < 0), hour = now_ns / HOUR_NS - day * 24;
    int month = month_of(now_ns);
    bool season = month == 3 || month == 4 || (month >= 9 && month <= 11);
    bool sunday = ((day + 4) % 7 + 7) % 7 == 0;
    if (llabs(from_hour) > 2 * SECOND_NS || !season || !sunday || hour > 5)
        return;
    gb_guess_time *to = w->shifts;
    if (to->shift_count < GB_GUESS_SHIFTS)
        to->shifts[to->shift_count++] = (gb_guess_shift){now_ns, off > 0};
}

static void note_step(walk *w, int64_t last_ns, int64_t now_ns)
{
    int64_t step;
    if (__builtin_sub_overflow(now_ns, last_ns, &step))
        return;
    w->steps++;
    w->repeated += step == 0;
    w->backward += step < 0;
    if (w->kept && step >= 0)
        gb_steps_add(w->kept, step);
    int64_t margin = w->period_ns / 100;
    if (w->period_ns > 0 && (step < w->period_ns - margin || step - margin > w->period_ns))
        w->uneven++;
    if (w->shifts && w->period_ns > 0 && w->period_ns <= 2 * HOUR_NS)
        note_shift(w, now_ns, step);
}

static gb_status follow(gb_table *table, walk *w)
{
    memset(w->groups, 0, w->table_size * sizeof *w->groups);
    GB_TRY(gb_table_start(table));
    for (bool have = true; !w->too_many;) {
        GB_TRY(gb_rows_next(&table->rows, &have));
        if (!have)
            break;
        const gb_rows *rows = &table->rows;
        int64_t now_ns;
        if (rows->fault != GB_ROW_WHOLE || rows->field_count != table->layout.column_count ||
            !read_stamp(w, rows->fields, &now_ns))
            continue;
        group *in = find_group(w, rows->fields);
        if (in && in->last_ns != INT64_MIN)
            note_step(w, in->last_ns, now_ns);
        if (in)
            in->last_ns = now_ns;
    }
    return GB_OK;
}

/* ---- groups -----------------------------------------------------------------------------------
 */

static bool may_group(const gb_guess_columns *columns, const gb_guess_time *time, int64_t c)
{
    const gb_guess_column *about = &columns->columns[c];
    bool identities = about->integers == about->seen || about->texts == about->seen;
    bool all_differ = gb_guess_counts_rows(columns, c);
    return c != time->column && c != time->clock_column && identities && !about->constant &&
           !all_differ && about->missing == 0 && about->seen > 2;
}

/* A column parts the rows well when time no longer steps back (or repeats) within its values, and
 * its values either come in blocks or are named as identities are. */
static bool parts_well(const walk *all, const walk *parted, const char *name)
{
    bool blocks = parted->blocks == parted->group_count;
    bool few = 2 * parted->group_count <= parted->steps + parted->group_count;
    if (parted->too_many || parted->group_count < 2 || !few)
        return false;
    if (!blocks && !gb_guess_is_identity(name))
        return false;
    if (all->backward > 0 && 10 * all->backward >= parted->group_count)
        return 20 * parted->backward <= all->backward && all->backward > parted->backward;
    return 4 * all->repeated > all->steps && 20 * parted->repeated <= all->repeated;
}

static gb_status
find_groups(gb_table *table, const gb_guess_columns *columns, walk *w, gb_guess_time *time)
{
    walk all = *w;
    all.group_column = -1;
    GB_TRY(follow(table, &all));
    bool parting_helps = all.backward > 0 || 4 * all.repeated > all.steps;
    int tried = 0;
    for (int named = 1; parting_helps && named >= 0 && time->group < 0; named--) {
        for (int64_t c = 0; c < columns->count && tried < GROUP_CANDIDATES; c++) {
            const char *name = columns->columns[c].name;
            if (gb_guess_is_identity(name) != (named == 1) || !may_group(columns, time, c))
                continue;
            walk parted = *w;
            parted.group_column = c;
            tried++;
            GB_TRY(follow(table, &parted));
            if (!parts_well(&all, &parted, name))
                continue;
            time->group = c;
            break;
        }
    }
    return GB_OK;
}

/* ---- all together -----------------------------------------------------------------------------
 */

/* The first of some zones whose clocks were changed at the shifts. */
static const char *zone_of_shifts(const gb_guess_time *time)
{
    static const char *const names[] = {"Europe/Berlin", "Europe/London", "America/New_York",
                                        "Europe/Helsinki", "Australia/Sydney"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        gb_zone *zone = NULL;
        if (gb_zone_load(names[i], &zone) != GB_OK)
            continue;
        bool fits = true;
        for (int s = 0; fits && s < time->shift_count; s++) {
            /* ahead of the jump stood the gap; behind the step back lies the fold */
            int64_t at_ns = time->shifts[s].local_ns - (time->shifts[s].forward ? HOUR_NS / 2 : 0);
            int64_t utc_ns;
            gb_zone_kind kind = GB_ZONE_PLAIN;
            fits = gb_zone_to_utc(zone, at_ns, false, &utc_ns, &kind) == GB_OK &&
                   kind == (time->shifts[s].forward ? GB_ZONE_GAP : GB_ZONE_FOLD);
        }
        gb_zone_destroy(zone);
        if (fits)
            return names[i];
    }
    return NULL;
}

static gb_status measure(gb_table *table, walk *w, gb_guess_time *time)
{
    gb_ingest_report report = {0};
    w->group_column = time->group;
    gb_steps kept = {0};
    w->kept = &kept;
    walk second = *w;
    gb_status status = follow(table, w);
    gb_steps_report(&kept, &report);
    gb_steps_free(&kept);
    w->kept = NULL;
    if (status != GB_OK)
        return status;
    time->steps = w->steps;
    time->repeated = w->repeated;
    time->backward = w->backward;
    time->period_ns = report.period_ns;
    time->jitter_ns = report.jitter_ns;
    time->longest_ns = report.longest_step_ns;
    second.kept = NULL;
    second.period_ns = report.period_ns;
    bool local = gb_stamp_base(time->format) == GB_TIME_UTC && !time->zoned &&
                 time->format <= GB_TIME_FORMAT_MONTH_FIRST;
    second.shifts = local ? time : NULL;
    GB_TRY(follow(table, &second));
    time->uneven = second.uneven;
    if (time->shift_count > 0)
        time->shift_zone = zone_of_shifts(time);
    return GB_OK;
}

gb_status gb_guess_find_time(gb_table *table,
                             const gb_guess_columns *columns,
                             bool groups,
                             gb_guess_time *out)
{
    gb_guess_time time = {.column = -1, .clock_column = -1, .group = -1};
    if (!choose_dates(columns, &time) && !choose_numbers(columns, false, &time) &&
        !choose_numbers(columns, true, &time)) {
        *out = time;
        return GB_OK;
    }
    walk w = {.time = &time, .group_column = -1, .decimal = table->layout.decimal};
    for (w.table_size = 4;
         w.table_size < 2 * GROUPS_MAX && w.table_size < 2 * (size_t)columns->rows;)
        w.table_size *= 2;
    w.groups = malloc(w.table_size * sizeof *w.groups);
    if (!w.groups)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory to follow its steps", table->rows.origin);
    gb_status status = groups ? find_groups(table, columns, &w, &time) : GB_OK;
    if (status == GB_OK)
        status = measure(table, &w, &time);
    free(w.groups);
    /* numbers that mostly fall are no clock, whatever their name */
    bool numeric = time.format > GB_TIME_FORMAT_MONTH_FIRST;
    if (numeric && 4 * time.backward > (groups ? time.steps : 0))
        time = (gb_guess_time){.column = -1, .clock_column = -1, .group = -1};
    if (status == GB_OK)
        *out = time;
    return status;
}
