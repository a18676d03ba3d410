/* Writes the anonymising report: as text, as JSON, as one page. Computes nothing. */
#include "genba/anonymise.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the rows of the report, for text and page ---- */

typedef struct row {
    char what[80], before[40], after[40], note[160];
} row;

#define ROWS_MAX (12 + GB_ANONYMISE_UNITS)

static row *add(row *rows, int *count, const char *what)
{
    row *made = &rows[(*count)++];
    memset(made, 0, sizeof *made);
    snprintf(made->what, sizeof made->what, "%s", what);
    return made;
}

static void
add_pair(row *rows, int *count, const char *what, int64_t a, int64_t b, const char *note)
{
    row *made = add(rows, count, what);
    snprintf(made->before, sizeof made->before, "%lld", (long long)a);
    snprintf(made->after, sizeof made->after, "%lld", (long long)b);
    snprintf(made->note, sizeof made->note, "%s", note);
}

static void add_linkage(
    row *rows, int *count, const char *what, const gb_linkage *before, const gb_linkage *after)
{
    row *made = add(rows, count, what);
    snprintf(made->before, sizeof made->before, "%.1f %%", 100 * before->rate);
    snprintf(made->after, sizeof made->after, "%.1f %%", 100 * after->rate);
    snprintf(made->note, sizeof made->note, "chance %.1f %%; %lld tries", 100 * after->chance,
             (long long)after->queries);
}

static int make_rows(const gb_anonymise_report *r, row *rows)
{
    int count = 0;
    const gb_anonymity *a = &r->anonymity_before, *b = &r->anonymity_after;
    if (r->quasi_identifiers == 0) {
        row *none = add(rows, &count, "k-anonymity");
        snprintf(none->note, sizeof none->note, "the policy declares no quasi-identifiers");
    } else {
        add_pair(rows, &count, "k-anonymity (smallest class)", a->k, b->k,
                 "of the quasi-identifiers");
        add_pair(rows, &count, "recordings alone in their class", a->unique, b->unique, "");
    }
    if (r->quasi_identifiers > 0 && (a->l || b->l))
        add_pair(rows, &count, "l-diversity", a->l, b->l, "different sensitive values in a class");
    add_linkage(rows, &count, "traced by other segments", &r->held_out_before, &r->held_out_after);
    add_linkage(rows, &count, "traced by the very segments", &r->same_before, &r->same_after);
    row *cost = add(rows, &count, "forecast error, tested on its own kind");
    snprintf(cost->before, sizeof cost->before, "%.4f", r->cost.original);
    snprintf(cost->after, sizeof cost->after, "%.4f", r->cost.released);
    snprintf(cost->note, sizeof cost->note,
             "RMSE in sigmas; ridge, 16 back, 4 ahead; %lld columns, %lld lost",
             (long long)r->cost.columns, (long long)r->cost.columns_lost);
    cost = add(rows, &count, "forecast error, tested on originals");
    snprintf(cost->before, sizeof cost->before, "%.4f", r->cost.original);
    snprintf(cost->after, sizeof cost->after, "%.4f", r->cost.transferred);
    snprintf(cost->note, sizeof cost->note, "trained on what was released");
    for (int i = 0; i < r->spent_count; i++) {
        char what[80];
        const gb_privacy_spent *s = &r->spent[i];
        snprintf(what, sizeof what, "epsilon of one %s", s->unit);
        row *spent = add(rows, &count, what);
        snprintf(spent->before, sizeof spent->before, "none");
        snprintf(spent->after, sizeof spent->after, "%.4g", s->epsilon);
        snprintf(spent->note, sizeof spent->note,
                 "at delta %g, all %lld noisy streams together (mu %.4g); %lld of them seen",
                 s->delta, (long long)s->releases, s->mu, (long long)s->units);
    }
    return count;
}

/* ---- text ---- */

typedef struct growing {
    char *text;
    size_t size, room;
    bool failed;
} growing;

GB_PRINTF(2, 3)
static void put(growing *to, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    size_t size = length < 0 ? 0 : (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;
    if (to->failed)
        return;
    if (to->size + size + 1 > to->room) {
        size_t room = 2 * (to->size + size + 1);
        char *grown = realloc(to->text, room);
        if (!grown) {
            to->failed = true;
            return;
        }
        to->text = grown;
        to->room = room;
    }
    memcpy(to->text + to->size, line, size);
    to->size += size;
    to->text[to->size] = 0;
}

static gb_status take(growing *made, char **out_text)
{
    if (made->failed || !made->text) {
        free(made->text);
        return gb_fail(GB_ERR_MEMORY, "no memory for the report");
    }
    *out_text = made->text;
    return GB_OK;
}

gb_status gb_anonymise_report_text(const gb_anonymise_report *report, char **out_text)
{
    row rows[ROWS_MAX];
    int count = make_rows(report, rows);
    growing made = {0};
    put(&made, "policy %s, key %s, %lld recordings\n\n", report->policy, report->key,
        (long long)report->recordings);
    put(&made, "%-40s %12s %12s\n", "", "before", "after");
    for (int i = 0; i < count; i++)
        put(&made, "%-40s %12s %12s  %s\n", rows[i].what, rows[i].before, rows[i].after,
            rows[i].note);
    return take(&made, out_text);
}

/* ---- JSON ---- */

static json_t *anonymity_value(const gb_anonymity *a)
{
    return json_pack("{sI sI sI sI sI}", "rows", (json_int_t)a->rows, "classes",
                     (json_int_t)a->classes, "unique", (json_int_t)a->unique, "k", (json_int_t)a->k,
                     "l", (json_int_t)a->l);
}

static json_t *linkage_value(const gb_linkage *l)
{
    return json_pack("{sI sI sI sf sf}", "queries", (json_int_t)l->queries, "hits",
                     (json_int_t)l->hits, "recordings", (json_int_t)l->recordings, "rate", l->rate,
                     "chance", l->chance);
}

static json_t *spent_value(const gb_privacy_spent *s)
{
    return json_pack("{ss sI sI sf sf sf}", "unit", s->unit, "units", (json_int_t)s->units,
                     "releases", (json_int_t)s->releases, "mu", s->mu, "epsilon", s->epsilon,
                     "delta", s->delta);
}

gb_status gb_anonymise_report_json(const gb_anonymise_report *r, char **out_text)
{
    json_t *spent = json_array();
    for (int i = 0; i < r->spent_count; i++)
        json_array_append_new(spent, spent_value(&r->spent[i]));
    json_t *made = json_pack(
        "{ss ss sI si s{so so} s{so so} s{so so} s{sI sI sI sf sf sf} so}", "policy", r->policy,
        "key", r->key, "recordings", (json_int_t)r->recordings, "quasi_identifiers",
        r->quasi_identifiers, "anonymity", "before", anonymity_value(&r->anonymity_before), "after",
        anonymity_value(&r->anonymity_after), "linkage_held_out", "before",
        linkage_value(&r->held_out_before), "after", linkage_value(&r->held_out_after),
        "linkage_same", "before", linkage_value(&r->same_before), "after",
        linkage_value(&r->same_after), "forecast", "columns", (json_int_t)r->cost.columns,
        "columns_lost", (json_int_t)r->cost.columns_lost, "windows", (json_int_t)r->cost.windows,
        "original", r->cost.original, "released", r->cost.released, "transferred",
        r->cost.transferred, "privacy", spent);
    char *text = made ? json_dumps(made, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(made);
    if (!text)
        return gb_fail(GB_ERR_MEMORY, "no memory for the report");
    *out_text = text;
    return GB_OK;
}

/* ---- the page ---- */

static const char *escape(const char *text, char *out, size_t size)
{
    size_t used = 0;
    out[0] = 0;
    for (; *text && used + 7 < size; text++) {
        const char *as = *text == '<' ? "&lt;" : *text == '&' ? "&amp;" : NULL;
        used += (size_t)snprintf(out + used, size - used, as ? "%s" : "%.1s", as ? as : text);
    }
    return out;
}

static gb_status page(const gb_anonymise_report *report, char **out_text)
{
    row rows[ROWS_MAX];
    int count = make_rows(report, rows);
    char a[512], b[512];
    growing made = {0};
    put(&made, "<!doctype html><meta charset=\"utf-8\"><title>Anonymising: %s</title>\n",
        escape(report->policy, a, sizeof a));
    put(&made, "<style>body{font:15px system-ui,sans-serif;margin:2em auto;max-width:60em}"
               "td,th{padding:.4em .8em;text-align:left;border-bottom:1px solid #ddd}"
               "td:nth-child(2),td:nth-child(3){text-align:right;font-variant-numeric:"
               "tabular-nums}small{color:#666}</style>\n");
    put(&made,
        "<h1>What is left to find, and what it cost</h1>\n<p>Policy %s, key %s, %lld "
        "recordings.</p>\n<table><tr><th></th><th>before</th><th>after</th><th></th></tr>\n",
        escape(report->policy, a, sizeof a), report->key, (long long)report->recordings);
    for (int i = 0; i < count; i++)
        put(&made, "<tr><td>%s</td><td>%s</td><td>%s</td><td><small>%s</small></td></tr>\n",
            escape(rows[i].what, a, sizeof a), rows[i].before, rows[i].after,
            escape(rows[i].note, b, sizeof b));
    put(&made, "</table>\n");
    return take(&made, out_text);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

gb_status gb_anonymise_report_write(const gb_anonymise_report *report, const char *path)
{
    char *text = NULL;
    if (ends_with(path, ".json"))
        GB_TRY(gb_anonymise_report_json(report, &text));
    else if (ends_with(path, ".html"))
        GB_TRY(page(report, &text));
    else
        GB_TRY(gb_anonymise_report_text(report, &text));
    gb_status status = gb_file_replace(path, text, strlen(text));
    free(text);
    return status;
}
