/* eval/report_scores.c: the report's figures: the few that matter first, then all tables, measured
 * beside published. */
#include "eval/html.h"
#include "eval/report.h"

#include <math.h>
#include <string.h>

#define CARDS_MAX 6

void gb_report_put_command(FILE *to, const char *command)
{
    if (!*command)
        return;
    fputs("<div class=\"command\"><code>", to);
    gb_html_text(to, command);
    fputs("</code><button type=\"button\" class=\"copy\">copy</button></div>\n", to);
}

/* ---- headline ---------------------------------------------------------------------------------
 */

static const gb_result_row *model_row(const gb_result_table *table)
{
    for (int r = 0; r < table->row_count; r++) {
        if (table->rows[r].source == GB_RESULT_MODEL)
            return &table->rows[r];
    }
    return NULL;
}

/* The best row of one source in one column, NULL when none reports it. */
static const gb_result_row *
best_row(const gb_result_table *table, gb_result_source source, int column)
{
    const gb_result_row *best = NULL;
    for (int r = 0; r < table->row_count; r++) {
        const gb_result_row *row = &table->rows[r];
        double value = row->scores[column].value;
        if (row->source != source || isnan(value))
            continue;
        double lead = best ? value - best->scores[column].value : 0.0;
        if (!best || lead * (double)table->columns[column].better > 0.0)
            best = row;
    }
    return best;
}

static void put_value(FILE *to, double value, const gb_result_column *column)
{
    fprintf(to, "%.*f", column->digits, value);
    if (*column->unit) {
        fputs("<span class=\"unit\">", to);
        gb_html_text(to, column->unit);
        fputs("</span>", to);
    }
}

static void put_rival(FILE *to, const gb_result_table *table, gb_result_source source, int column)
{
    const gb_result_row *row = best_row(table, source, column);
    if (!row)
        return;
    fputs("<div class=\"rival\"><span>", to);
    gb_html_text(to, row->method);
    fprintf(to, "</span><span class=\"num\">%.*f</span></div>", table->columns[column].digits,
            row->scores[column].value);
}

static void put_card(FILE *to, const gb_result_table *table, const gb_result_row *row, int column)
{
    const gb_result_column *c = &table->columns[column];
    const gb_interval *score = &row->scores[column];
    fputs("<div class=\"card\"><h3>", to);
    gb_html_text(to, table->title);
    fputs(" <span>", to);
    gb_html_text(to, c->name);
    fputs("</span></h3><div class=\"big num\">", to);
    put_value(to, score->value, c);
    fputs("</div>", to);
    if (isfinite(score->low))
        fprintf(to, "<div class=\"range num\">95&#8201;%%: %.*f to %.*f</div>", c->digits,
                score->low, c->digits, score->high);
    put_rival(to, table, GB_RESULT_PUBLISHED, column);
    put_rival(to, table, GB_RESULT_BASELINE, column);
    fputs("</div>\n", to);
}

void gb_report_headline(FILE *to, const gb_report *report)
{
    int cards = 0;
    for (int i = 0; i < report->result_count; i++) {
        const gb_suite_result *result = report->results[i];
        /* a controlled machine deserves its success rate too */
        int columns = result->rollouts ? 2 : 1;
        for (int t = 0; t < result->table_count; t++) {
            const gb_result_table *table = &result->tables[t];
            const gb_result_row *row = model_row(table);
            for (int c = 0; row && c < columns && c < table->column_count; c++) {
                if (isnan(row->scores[c].value) || cards == CARDS_MAX)
                    continue;
                if (cards++ == 0)
                    fputs("<section class=\"cards\">\n", to);
                put_card(to, table, row, c);
            }
        }
    }
    if (cards)
        fputs("</section>\n", to);
}

/* ---- tables -----------------------------------------------------------------------------------
 */

typedef struct span {
    double low, high;
} span;

static void widen(span *s, double value)
{
    if (isfinite(value)) {
        s->low = fmin(s->low, value);
        s->high = fmax(s->high, value);
    }
}

/* What the whiskers of a column show: models and published figures whole, and baselines that lie
 * near them. A floor far away would press all the others together; it is drawn at the edge. */
static span column_span(const gb_result_table *table, int column)
{
    span s = {INFINITY, -INFINITY};
    for (int r = 0; r < table->row_count; r++) {
        const gb_interval *score = &table->rows[r].scores[column];
        if (table->rows[r].source == GB_RESULT_BASELINE)
            continue;
        widen(&s, score->value);
        widen(&s, score->low);
        widen(&s, score->high);
    }
    double reach = s.low < s.high ? s.high - s.low : INFINITY;
    span core = s;
    for (int r = 0; r < table->row_count; r++) {
        const gb_interval *score = &table->rows[r].scores[column];
        if (score->value < core.low - reach || score->value > core.high + reach)
            continue;
        widen(&s, score->value);
        widen(&s, score->low);
        widen(&s, score->high);
    }
    if (!(s.low < s.high)) {
        s.low = isfinite(s.low) ? s.low - 0.5 : 0.0;
        s.high = s.low + 1.0;
    }
    return s;
}

#define WHISKER_WIDTH 116.0
#define WHISKER_MARGIN 6.0

static double whisker_x(span s, double value)
{
    double part = fmin(fmax((value - s.low) / (s.high - s.low), 0.0), 1.0);
    return WHISKER_MARGIN + (WHISKER_WIDTH - 2.0 * WHISKER_MARGIN) * part;
}

/* A dot on its interval; an arrow head when it lies beyond the edge. */
static void put_whisker(FILE *to, const gb_interval *score, span s)
{
    fputs("<td class=\"whisker\">", to);
    if (isfinite(score->value)) {
        double at = whisker_x(s, score->value);
        fprintf(to,
                "<svg viewBox=\"0 0 %.0f 18\" width=\"%.0f\" height=\"18\" aria-hidden=\"true\">"
                "<line class=\"rail\" x1=\"%.0f\" x2=\"%.0f\" y1=\"9\" y2=\"9\"/>",
                WHISKER_WIDTH, WHISKER_WIDTH, WHISKER_MARGIN, WHISKER_WIDTH - WHISKER_MARGIN);
        if (score->value > s.high || score->value < s.low) {
            int way = score->value > s.high ? 1 : -1;
            fprintf(to, "<path class=\"beyond\" d=\"M%.1f 4l%d 5l%d 5\"/></svg>", at - 3.0 * way,
                    5 * way, -5 * way);
        } else {
            if (isfinite(score->low))
                fprintf(to, "<line class=\"span\" x1=\"%.1f\" x2=\"%.1f\" y1=\"9\" y2=\"9\"/>",
                        whisker_x(s, score->low), whisker_x(s, score->high));
            fprintf(to, "<circle cx=\"%.1f\" cy=\"9\" r=\"4\"/></svg>", at);
        }
    }
    fputs("</td>", to);
}

static void put_cell(FILE *to, const gb_result_table *table, const gb_result_row *row, int column)
{
    const gb_result_column *c = &table->columns[column];
    const gb_interval *score = &row->scores[column];
    if (isnan(score->value)) {
        fputs("<td class=\"num none\">&#8211;</td>", to);
        return;
    }
    double best = INFINITY * -(double)c->better;
    for (int r = 0; r < table->row_count; r++) {
        double value = table->rows[r].scores[column].value;
        if (isfinite(value))
            best = c->better > 0 ? fmax(best, value) : fmin(best, value);
    }
    fprintf(to, "<td class=\"num%s\">%.*f", c->better && score->value == best ? " best" : "",
            c->digits, score->value);
    if (isfinite(score->low))
        fprintf(to, "<small>%.*f&#8201;&#8211;&#8201;%.*f</small>", c->digits, score->low,
                c->digits, score->high);
    fputs("</td>", to);
}

/* The number of the footnote that names a published row's source: rows of the same source share
 * one. 0: none. */
static int footnote(const gb_result_table *table, int row)
{
    int number = 0;
    if (table->rows[row].source != GB_RESULT_PUBLISHED || !*table->rows[row].note)
        return 0;
    for (int r = 0; r <= row; r++) {
        const gb_result_row *other = &table->rows[r];
        bool seen = other->source != GB_RESULT_PUBLISHED || !*other->note;
        for (int k = 0; k < r && !seen; k++)
            seen = table->rows[k].source == GB_RESULT_PUBLISHED &&
                   strcmp(table->rows[k].note, other->note) == 0;
        number += !seen;
        if (strcmp(other->note, table->rows[row].note) == 0 && other->source == GB_RESULT_PUBLISHED)
            break;
    }
    return number;
}

static void put_row(FILE *to, const gb_result_table *table, int r, span first)
{
    static const char *const classes[] = {"model", "baseline", "published"};
    static const char *const tags[] = {"genba", "baseline", "published"};
    const gb_result_row *row = &table->rows[r];
    int note = footnote(table, r);
    fprintf(to, "<tr class=\"%s\"><th scope=\"row\">", classes[row->source]);
    gb_html_text(to, row->method);
    if (note)
        fprintf(to, "<sup>%d</sup>", note);
    else
        fprintf(to, " <span class=\"tag\">%s</span>", tags[row->source]);
    if (*row->note && !note) {
        fputs("<small>", to);
        gb_html_text(to, row->note);
        fputs("</small>", to);
    }
    fputs("</th>", to);
    put_whisker(to, &row->scores[0], first);
    for (int c = 0; c < table->column_count; c++)
        put_cell(to, table, row, c);
    fputs("</tr>\n", to);
}

static void put_footnotes(FILE *to, const gb_result_table *table)
{
    int last = 0;
    for (int r = 0; r < table->row_count; r++) {
        int note = footnote(table, r);
        if (note <= last)
            continue;
        fprintf(to, "%s<sup>%d</sup> ",
                last ? " " : "<p class=\"caption notes\">Published: ", note);
        gb_html_text(to, table->rows[r].note);
        fputc('.', to);
        last = note;
    }
    if (last)
        fputs("</p>\n", to);
}

static void put_table(FILE *to, const gb_result_table *table)
{
    fputs("<h3>", to);
    gb_html_text(to, table->title);
    fputs("</h3><p class=\"caption\">", to);
    gb_html_text(to, table->caption);
    fputs("</p>\n<div class=\"scroll\"><table><thead><tr><th scope=\"col\">method</th>"
          "<th scope=\"col\" class=\"whisker\">",
          to);
    gb_html_text(to, table->columns[0].name);
    fputs(", 95&#8201;% interval</th>", to);
    for (int c = 0; c < table->column_count; c++) {
        fputs("<th scope=\"col\" class=\"num\">", to);
        gb_html_text(to, table->columns[c].name);
        if (*table->columns[c].unit) {
            fputs("<small>", to);
            gb_html_text(to, table->columns[c].unit);
            fputs("</small>", to);
        }
        fputs("</th>", to);
    }
    fputs("</tr></thead><tbody>\n", to);
    span first = column_span(table, 0);
    for (int r = 0; r < table->row_count; r++)
        put_row(to, table, r, first);
    fputs("</tbody></table></div>\n", to);
    put_footnotes(to, table);
}

void gb_report_scores(FILE *to, const gb_report *report)
{
    if (report->result_count == 0)
        return;
    fputs("<section id=\"scores\"><h2>Scores</h2><p>What was measured here stands beside what "
          "needs no training and what others published. Bold is the best of a column.</p>\n",
          to);
    for (int i = 0; i < report->result_count; i++) {
        const gb_suite_result *result = report->results[i];
        for (int t = 0; t < result->table_count; t++)
            put_table(to, &result->tables[t]);
        if (*result->skipped) {
            fputs("<p class=\"caption\">Left out: ", to);
            gb_html_text(to, result->skipped);
            fputs(".</p>", to);
        }
        if (*result->stopped) {
            fputs("<p class=\"caption\">NOT COMPLETE: stopped ", to);
            gb_html_text(to, result->stopped);
            fputs(".</p>", to);
        }
        gb_report_put_command(to, result->command);
    }
    fputs("</section>\n", to);
}
