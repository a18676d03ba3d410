/* Proposes a stream map for a table nobody described: everything that was found out, as YAML that a
 * person edits, with what is doubtful said in comments. Finding out is guess_sample.c,
 * guess_column.c and guess_time.c. */
#include "ingest/guess_map.h"

#include "ingest/csv.h"
#include "ingest/guess_time.h"
#include "ingest/guess_yaml.h"

#include <string.h>
#include <time.h>

/* ---- what a column becomes --------------------------------------------------------------------
 */

typedef enum role {
    ROLE_NUMBER,
    ROLE_CATEGORY,
    ROLE_TEXT,
    ROLE_TIME,
    ROLE_GROUP,
    ROLE_SECOND_TIME,
    ROLE_COUNTER,
    ROLE_EMPTY
} role;

typedef struct proposal {
    gb_table table;
    gb_guess_columns look;
    gb_guess_time time;
    const char *path;
    gb_ingest_report *numbers_only; /* not NULL: other columns are left out, and named there */
    bool lines_of_json; /* the table holds the values of lines of JSON; its columns are their paths
                         */
    role *roles;        /* [columns] */
    const char **refs;  /* [columns] how the map names them */
    gb_yaml_out out;
} proposal;

static bool is_category(const gb_guess_column *about)
{
    return about->other_words == 0 && about->texts == about->seen && about->word_count >= 1 &&
           4 * about->word_count <= 3 * about->seen && about->seen >= 4;
}

static role role_of(const proposal *p, int64_t c)
{
    const gb_guess_column *about = &p->look.columns[c];
    if (c == p->time.column || c == p->time.clock_column)
        return ROLE_TIME;
    if (c == p->time.group)
        return ROLE_GROUP;
    if (about->seen == 0)
        return ROLE_EMPTY;
    if (5 * (about->any_date + about->clocks) >= 4 * about->seen)
        return ROLE_SECOND_TIME;
    bool beside = p->time.column >= 0 || !gb_guess_is_identity(about->name);
    if (c == 0 && beside && gb_guess_counts_rows(&p->look, c))
        return ROLE_COUNTER;
    if (5 * about->numbers >= 4 * about->seen)
        return ROLE_NUMBER;
    return is_category(about) ? ROLE_CATEGORY : ROLE_TEXT;
}

static gb_status choose_roles(proposal *p, gb_arena *arena)
{
    size_t count = (size_t)p->look.count;
    p->roles = gb_arena_alloc(arena, count * sizeof *p->roles);
    p->refs = gb_arena_alloc(arena, count * sizeof *p->refs);
    if (!p->roles || !p->refs)
        return GB_ERR_MEMORY;
    for (int64_t c = 0; c < p->look.count; c++) {
        const char *name = p->look.columns[c].name;
        bool by_number = p->table.names_apart || !p->table.layout.header || name[0] == '#';
        by_number = by_number && !p->lines_of_json;
        p->roles[c] = role_of(p, c);
        p->refs[c] = by_number ? gb_arena_format(arena, "#%lld", (long long)c + 1) : name;
        if (!p->refs[c])
            return GB_ERR_MEMORY;
    }
    return GB_OK;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static void put_text(proposal *p, const char *text)
{
    gb_yaml_put_text(&p->out, text, strlen(text));
}

static void put_plain(proposal *p, const char *text)
{
    gb_yaml_put_plain(&p->out, text, strlen(text));
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* A file's name as a pattern that matches it alone. */
static void put_pattern(proposal *p, const char *name)
{
    char pattern[512];
    size_t used = 0;
    for (; *name && used + 2 < sizeof pattern; name++) {
        if (strchr("*?[]\\", *name))
            pattern[used++] = '\\';
        pattern[used++] = *name;
    }
    gb_yaml_put_text(&p->out, pattern, used);
}

static void put_head(proposal *p)
{
    const char *name = file_name(p->path), *dot = strrchr(name, '.');
    size_t stem = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    gb_yaml_put(&p->out, "# Proposed from %s", p->table.sample.whole ? "all " : "the first ");
    gb_yaml_put_count(&p->out, p->look.rows);
    gb_yaml_put(&p->out, " rows of ");
    put_plain(p, name);
    gb_yaml_put(&p->out, ". Read it, correct it, then ingest with it.\nname: ");
    gb_yaml_put_text(&p->out, name, stem < GB_STREAM_NAME_MAX ? stem : GB_STREAM_NAME_MAX);
    gb_yaml_put(&p->out, "\nreader: %s\nfiles: [", p->lines_of_json ? "jsonl" : "csv");
    put_pattern(p, name);
    gb_yaml_put(&p->out, "]\n");
    if (p->look.rows_odd > 0 && !p->lines_of_json) {
        gb_yaml_put(&p->out, "# rows with another number of fields, which will be rejected: ");
        gb_yaml_put_count(&p->out, p->look.rows_odd);
        gb_yaml_put(&p->out, "\n");
    }
}

static const char *delimiter_word(char delimiter)
{
    switch (delimiter) {
    case ';':
        return "semicolon";
    case '\t':
        return "tab";
    case '|':
        return "pipe";
    case ' ':
        return "space";
    default:
        return "comma";
    }
}

/* Texts that stand where numbers belong, more than once: words for "no value". */
static int missing_words(const proposal *p, const gb_field *out[16])
{
    int count = 0;
    for (int64_t c = 0; c < p->look.count; c++) {
        const gb_guess_column *about = &p->look.columns[c];
        for (int w = 0; p->roles[c] == ROLE_NUMBER && w < about->word_count && count < 16; w++) {
            const gb_field *text = &about->words[w].text;
            bool known = about->words[w].count < 2 || text->size > 64;
            for (int i = 0; i < count && !known; i++)
                known =
                    out[i]->size == text->size && memcmp(out[i]->text, text->text, text->size) == 0;
            if (!known)
                out[count++] = text;
        }
    }
    return count;
}

static void put_missing(proposal *p)
{
    const gb_field *words[16];
    int count = missing_words(p, words);
    if (count == 0)
        return;
    gb_yaml_put(&p->out, "  missing: [");
    for (int i = 0; i < count; i++) {
        gb_yaml_put(&p->out, "%s", i > 0 ? ", " : "");
        gb_yaml_put_text(&p->out, words[i]->text, words[i]->size);
    }
    gb_yaml_put(&p->out, "] # stood where numbers belong, more than once\n");
}

static void put_encoding(proposal *p)
{
    const gb_encoding_guess *e = &p->table.sample.encoding;
    gb_yaml_put(&p->out, "  encoding: %s", e->name);
    if (e->mark_bytes > 0)
        gb_yaml_put(&p->out, " # the file says so with a byte order mark");
    else if (e->also)
        gb_yaml_put(&p->out, " # likely; %s is nearly as likely: look at the names below", e->also);
    else if (e->only_ascii)
        gb_yaml_put(&p->out, " # nothing but ASCII was seen");
    if (e->invalid > 0)
        gb_yaml_put(&p->out, " # bytes that are wrong in it: %lld", (long long)e->invalid);
    gb_yaml_put(&p->out, "\n");
}

static void put_layout(proposal *p)
{
    const gb_table *table = &p->table;
    const gb_field *words[16];
    if (p->lines_of_json) {
        bool plain = strcmp(table->sample.encoding.name, "utf-8") == 0;
        if (plain && missing_words(p, words) == 0)
            return;
        gb_yaml_put(&p->out, "csv:\n");
        put_encoding(p);
        put_missing(p);
        return;
    }
    bool absent = table->names_apart || !table->layout.header;
    int64_t skipped = table->skip_rows;
    if (table->names_apart)
        skipped += table->layout.header + table->units_row;
    gb_yaml_put(&p->out, "csv:\n  delimiter: %s%s\n", delimiter_word(table->layout.delimiter),
                table->layout.delimiter == ' ' ? " # runs of blanks" : "");
    put_encoding(p);
    if (table->layout.decimal == ',')
        gb_yaml_put(&p->out, "  decimal: comma\n");
    if (skipped > 0)
        gb_yaml_put(&p->out, "  skip_rows: %lld # lines above the %s\n", (long long)skipped,
                    absent ? "first row" : "header");
    gb_yaml_put(&p->out, "  header: %s", absent ? "absent" : "present");
    if (table->names_apart)
        gb_yaml_put(&p->out, " # names and units are skipped: columns go by number");
    gb_yaml_put(&p->out, "\n");
    if (table->layout.names_extra > 0)
        gb_yaml_put(&p->out,
                    "  header_names_extra: ignore # names at its end without a column: %lld\n",
                    (long long)table->layout.names_extra);
    put_missing(p);
}

/* ---- time -------------------------------------------------------------------------------------
 */

static void put_shifts(proposal *p)
{
    const gb_guess_time *time = &p->time;
    for (int i = 0; i < time->shift_count; i++) {
        time_t at = (time_t)(time->shifts[i].local_ns / 1000000000);
        struct tm tm;
        char text[32];
        if (!gmtime_r(&at, &tm) || strftime(text, sizeof text, "%Y-%m-%d %H:%M", &tm) == 0)
            continue;
        gb_yaml_put(&p->out, "  # clock change? at %s the stamps jump one hour %s\n", text,
                    time->shifts[i].forward ? "ahead" : "back");
    }
    if (time->shift_count > 0 && time->shift_zone)
        gb_yaml_put(&p->out, "  # as clocks do in %s and zones that change with it\n",
                    time->shift_zone);
}

static void put_zone(proposal *p)
{
    bool stamps = p->time.format <= GB_TIME_FORMAT_MONTH_FIRST;
    if (!stamps || p->time.zoned)
        return;
    bool japanese = strcmp(p->table.sample.encoding.name, "cp932") == 0 ||
                    strcmp(p->table.sample.encoding.name, "euc-jp") == 0;
    for (int64_t c = 0; c < p->look.count; c++)
        japanese = japanese || p->look.columns[c].japanese ||
                   strstr(p->look.columns[c].name, "\xE6\x97\xA5") != NULL; /* 日 */
    const char *example = p->time.shift_zone ? p->time.shift_zone
                          : japanese         ? "Asia/Tokyo"
                                             : "Europe/Berlin";
    gb_yaml_put(&p->out,
                "  # zone: %s # the stamps say none and are read as UTC: say where the clock "
                "stood\n",
                example);
    put_shifts(p);
}

static void put_steps(proposal *p)
{
    const gb_guess_time *time = &p->time;
    if (time->steps == 0 || time->period_ns == 0)
        return;
    gb_yaml_put(&p->out, "  # steps: ");
    if (time->format == GB_TIME_FORMAT_ROW && time->period_s == 0) {
        gb_yaml_put(&p->out, "%.6g counts", (double)time->period_ns / 1e9);
    } else {
        gb_yaml_put_duration(&p->out, time->period_ns);
        gb_yaml_put(&p->out, " (%.6g Hz), jitter ", 1e9 / (double)time->period_ns);
        gb_yaml_put_duration(&p->out, time->jitter_ns);
        gb_yaml_put(&p->out, ", longest ");
        gb_yaml_put_duration(&p->out, time->longest_ns);
    }
    if (time->uneven > 0) {
        gb_yaml_put(&p->out, "; more than 1 %% off: ");
        gb_yaml_put_count(&p->out, time->uneven);
        gb_yaml_put(&p->out, " of ");
        gb_yaml_put_count(&p->out, time->steps);
    }
    gb_yaml_put(&p->out, "\n");
    if (time->repeated > 0 || time->backward > 0) {
        gb_yaml_put(&p->out, "  # stamps that repeat: ");
        gb_yaml_put_count(&p->out, time->repeated);
        gb_yaml_put(&p->out, ", that step back: ");
        gb_yaml_put_count(&p->out, time->backward);
        gb_yaml_put(&p->out, " (kept, quality uncertain)\n");
    }
}

static void put_time(proposal *p)
{
    const gb_guess_time *time = &p->time;
    if (time->column < 0) {
        gb_yaml_put(&p->out, "# No column tells the time: rows are taken to be evenly spaced.\n");
        if (!p->numbers_only)
            gb_yaml_put(&p->out, "time: {period_s: 1} # the step between rows: set it\n");
        return;
    }
    gb_yaml_put(&p->out, "time:\n  column: ");
    put_text(p, p->refs[time->column]);
    if (time->clock_column >= 0) {
        gb_yaml_put(&p->out, "\n  time_column: ");
        put_text(p, p->refs[time->clock_column]);
    }
    if (time->format_open)
        gb_yaml_put(&p->out,
                    "\n  # format: day_first # or month_first: no day is above 12, choose one\n");
    else
        gb_yaml_put(&p->out, "\n  format: %s\n", gb_time_format_name(time->format));
    if (time->format == GB_TIME_FORMAT_ROW && (time->period_s > 0 || !p->numbers_only))
        gb_yaml_put(&p->out, "  period_s: %.9g%s\n", time->period_s > 0 ? time->period_s : 1.0,
                    time->period_s > 0 ? "" : " # of one count: set it");
    if (time->format == GB_TIME_FORMAT_SECONDS && time->uneven == 0 &&
        time->period_ns == 1000000000 && !p->look.columns[time->column].unit.code[0])
        gb_yaml_put(&p->out,
                    "  # counts in ones: if these are no seconds, format: row and period_s\n");
    put_zone(p);
    put_steps(p);
}

static void put_group(proposal *p)
{
    if (p->time.group < 0)
        return;
    gb_yaml_put(&p->out, "group: [");
    put_text(p, p->refs[p->time.group]);
    gb_yaml_put(&p->out, "] # one recording for each: time rises within them\n");
}

/* ---- streams ----------------------------------------------------------------------------------
 */

/* Names of streams are unique: the unit stays in the name where two would be the same without. */
static void put_stream_name(proposal *p, int64_t c)
{
    const gb_guess_column *about = &p->look.columns[c];
    put_text(p, about->label_taken ? about->name : about->unit.label);
}

static void put_unit(proposal *p, int64_t c)
{
    const gb_guess_unit *unit = &p->look.columns[c].unit;
    const char *below = p->table.units ? p->table.units[c] : NULL;
    gb_unit parsed;
    if (unit->code[0]) {
        gb_yaml_put(&p->out, ", unit: ");
        put_text(p, unit->code);
    } else if (below && gb_unit_parse(below, &parsed) == GB_OK) {
        gb_yaml_put(&p->out, ", unit: ");
        put_text(p, parsed.code);
    } else {
        gb_yaml_put(&p->out, ", unit: \"\"");
    }
}

static void put_sentinels(proposal *p, const gb_guess_column *about)
{
    double values[16];
    const char *texts[16];
    int count = gb_guess_sentinels(about, values, texts);
    for (int i = 0; i < count; i++)
        gb_yaml_put(&p->out, "%s%s", i == 0 ? ", sentinels: [" : ", ", texts[i]);
    gb_yaml_put(&p->out, "%s", count > 0 ? "]" : "");
}

/* What a person should know about a column of numbers, behind its line. */
static void put_number_notes(proposal *p, const gb_guess_column *about)
{
    const gb_guess_unit *unit = &about->unit;
    int notes = 0;
    if (about->constant && about->seen > 1) {
        gb_yaml_put(&p->out, " # always ");
        gb_yaml_put_plain(&p->out, about->first_cell.text,
                          about->first_cell.size < 40 ? about->first_cell.size : 40);
        notes++;
    }
    if (unit->written[0] && !unit->code[0]) {
        gb_yaml_put(&p->out, "%s\"", notes++ ? "; " : " # ");
        put_plain(p, unit->written);
        gb_yaml_put(&p->out, "\" is no unit that is known");
    }
    if (unit->note)
        gb_yaml_put(&p->out, "%s%s", notes++ ? "; " : " # ", unit->note);
    int64_t wrong = about->seen - about->numbers;
    if (wrong > 0)
        gb_yaml_put(&p->out, "%s%lld cells are no numbers", notes ? "; " : " # ", (long long)wrong);
}

static void put_number(proposal *p, int64_t c)
{
    const gb_guess_column *about = &p->look.columns[c];
    gb_yaml_put(&p->out, "  - {name: ");
    put_stream_name(p, c);
    gb_yaml_put(&p->out, ", columns: [");
    put_text(p, p->refs[c]);
    gb_yaml_put(&p->out, "]");
    put_unit(p, c);
    if (p->numbers_only) /* what a dataset in memory keeps */
        gb_yaml_put(&p->out, ", value_type: f32");
    put_sentinels(p, about);
    gb_yaml_put(&p->out, "}");
    put_number_notes(p, about);
    gb_yaml_put(&p->out, "\n");
}

static void put_words(proposal *p, const gb_guess_column *about)
{
    int order[GB_GUESS_WORDS];
    for (int i = 0; i < about->word_count; i++) { /* in the order of their bytes */
        int at = i;
        for (; at > 0; at--) {
            const gb_field *a = &about->words[order[at - 1]].text, *b = &about->words[i].text;
            size_t least = a->size < b->size ? a->size : b->size;
            int way = memcmp(a->text, b->text, least);
            if (way < 0 || (way == 0 && a->size <= b->size))
                break;
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    gb_yaml_put(&p->out, ", categories: [");
    for (int i = 0; i < about->word_count; i++) {
        const gb_field *word = &about->words[order[i]].text;
        gb_yaml_put(&p->out, "%s", i > 0 ? ", " : "");
        gb_yaml_put_text(&p->out, word->text, word->size);
    }
    gb_yaml_put(&p->out, "]");
}

/* Words: a state when rows come steadily, an event when they come as things happen. */
static void put_words_column(proposal *p, int64_t c)
{
    const gb_guess_column *about = &p->look.columns[c];
    bool steady = p->time.column < 0 || 4 * p->time.uneven < p->time.steps;
    bool category = p->roles[c] == ROLE_CATEGORY;
    gb_yaml_put(&p->out, "  - {name: ");
    put_stream_name(p, c);
    gb_yaml_put(&p->out, ", columns: [");
    put_text(p, p->refs[c]);
    gb_yaml_put(&p->out, "]");
    if (!category || !steady)
        gb_yaml_put(&p->out, ", kind: event");
    if (category)
        put_words(p, about);
    gb_yaml_put(&p->out, "}");
    if (!category && about->other_words > 0 && about->word_count == GB_GUESS_WORDS &&
        about->words[0].count == 1)
        gb_yaml_put(&p->out, " # text; nearly every row differs");
    else if (!category)
        gb_yaml_put(&p->out, " # text");
    else if (about->constant)
        gb_yaml_put(&p->out, " # always the same");
    gb_yaml_put(&p->out, "\n");
}

/* NULL when the column becomes a stream. */
static const char *why_not(const proposal *p, role of)
{
    switch (of) {
    case ROLE_CATEGORY:
    case ROLE_TEXT:
        return p->numbers_only ? "text, not numbers" : NULL;
    case ROLE_SECOND_TIME:
        return "a second column of times";
    case ROLE_COUNTER:
        return "counts the rows";
    case ROLE_EMPTY:
        return "no values";
    default:
        return NULL;
    }
}

static void leave_out(gb_ingest_report *report, const char *name, const char *reason)
{
    if (report->left_out_count < GB_INGEST_LEFT_OUT) {
        gb_ingest_left_out *kept = &report->left_out[report->left_out_count];
        gb_csv_copy_cut(kept->name, name, strlen(name));
        kept->reason = reason;
    }
    report->left_out_count++;
}

static gb_status put_streams(proposal *p)
{
    int64_t streams = 0;
    gb_yaml_put(&p->out, "streams:\n");
    for (int64_t c = 0; c < p->look.count; c++) {
        const char *reason = why_not(p, p->roles[c]);
        if (p->roles[c] == ROLE_TIME || p->roles[c] == ROLE_GROUP)
            continue;
        if (!reason && streams == GB_STREAMS_MAX)
            reason = "more columns than a recording has streams; gather them in vectors";
        if (reason && p->numbers_only)
            leave_out(p->numbers_only, p->look.columns[c].name, reason);
        if (reason) {
            gb_yaml_put(&p->out, "  # left out: ");
            put_plain(p, p->look.columns[c].name);
            gb_yaml_put(&p->out, " (%s)\n", reason);
            continue;
        }
        streams++;
        if (p->roles[c] == ROLE_NUMBER)
            put_number(p, c);
        else
            put_words_column(p, c);
    }
    if (streams == 0)
        return gb_fail(GB_ERR_PARSE,
                       "%s: none of its %lld columns holds numbers%s (delimiter %s); expected one "
                       "or more columns of %s",
                       p->path, (long long)p->look.count, p->numbers_only ? "" : " or words",
                       delimiter_word(p->table.layout.delimiter),
                       p->numbers_only ? "numbers" : "numbers or words");
    return GB_OK;
}

/* ---- all of it --------------------------------------------------------------------------------
 */

static gb_status propose(proposal *p, gb_arena *arena, const char **out_yaml)
{
    GB_TRY(gb_guess_look(&p->table, arena, &p->look));
    if (p->look.rows == p->look.rows_odd)
        return gb_fail(GB_ERR_PARSE, "%s: no row has as many fields as most (%lld)", p->path,
                       (long long)p->look.count);
    GB_TRY(gb_guess_find_time(&p->table, &p->look, !p->numbers_only, &p->time));
    GB_TRY(choose_roles(p, arena));
    GB_TRY(gb_yaml_out_open(&p->out));
    put_head(p);
    put_layout(p);
    put_time(p);
    put_group(p);
    gb_status status = put_streams(p);
    if (status != GB_OK) {
        gb_yaml_out_drop(&p->out);
        return status;
    }
    return gb_yaml_out_finish(&p->out, arena, out_yaml);
}

gb_status gb_guess_table(const gb_sample *sample,
                         const char *path,
                         const gb_ingest_options *options,
                         gb_ingest_report *numbers_only,
                         gb_arena *arena,
                         const char **out_yaml)
{
    proposal p = {.path = path, .numbers_only = numbers_only};
    GB_TRY(gb_table_open(sample, path, options->line_limit_bytes, arena, &p.table));
    gb_status status = propose(&p, arena, out_yaml);
    gb_table_close(&p.table);
    return status;
}

gb_status gb_guess_json_table(const gb_sample *table,
                              const char *path,
                              const gb_ingest_options *options,
                              gb_arena *arena,
                              const char **out_yaml)
{
    proposal p = {.path = path, .lines_of_json = true};
    /* quotes and commas make a line a little longer than it was */
    size_t limit = 2 * options->line_limit_bytes + 65536;
    GB_TRY(gb_table_open_known(table, path, limit, arena, &p.table));
    gb_status status = propose(&p, arena, out_yaml);
    gb_table_close(&p.table);
    return status;
}

gb_status gb_csv_guess(const char *path,
                       const gb_ingest_options *options,
                       gb_arena *arena,
                       const char **out_yaml)
{
    gb_sample sample;
    GB_TRY(gb_sample_read(path, arena, &sample));
    return gb_guess_table(&sample, path, options, NULL, arena, out_yaml);
}
