/* The page of an inspection: one HTML file that needs nothing beside it. Texts of files are
 * escaped: a name may hold anything. */
#include "eval/html.h"
#include "eval/inspect.h"
#include "eval/report.h"

#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- data for the script ------------------------------------------------------------------------
 */

static void put_number(FILE *to, double value)
{
    if (isfinite(value))
        fprintf(to, "%.6g", value);
    else
        fputs("null", to);
}

static void put_bounds(FILE *to, const char *name, const float *values, int count)
{
    fprintf(to, "\"%s\":[", name);
    for (int i = 0; i < count; i++) {
        fputs(i ? "," : "", to);
        put_number(to, (double)values[i]);
    }
    fputs("]", to);
}

static void put_bins(FILE *to, const gb_inspect_bins *b)
{
    int first = 0, last = GB_INSPECT_BINS - 1;
    while (first < last && b->counts[first] == 0)
        first++;
    while (last > first && b->counts[last] == 0)
        last--;
    fprintf(to, "\"h0\":%.6g,\"h1\":%.6g,\"h\":[", b->from + b->width * first,
            b->from + b->width * (last + 1));
    for (int i = first; b->width > 0 && i <= last; i++)
        fprintf(to, "%s%lld", i > first ? "," : "", (long long)b->counts[i]);
    fputs("]", to);
}

static int used_buckets(const gb_inspect_stream *s)
{
    int used = GB_INSPECT_BUCKETS;
    while (used > 1 && s->samples[used - 1] == 0)
        used--;
    return used;
}

static void put_stream_data(FILE *to, const gb_inspect_stream *s)
{
    int used = used_buckets(s);
    fprintf(to, "{\"t0\":%.9f,\"dt\":%.9g,\"n\":[", (double)s->from_ns / 1e9,
            (double)s->bucket_ns / 1e9);
    for (int i = 0; i < used; i++)
        fprintf(to, "%s%lld", i ? "," : "", (long long)s->samples[i]);
    fputs("],\"q\":[", to);
    for (int i = 0; i < used; i++)
        fprintf(to, "%s%d", i ? "," : "", s->worst[i]);
    fputs("],\"gaps\":[", to);
    for (int64_t i = 0; i < s->gap_count && i < GB_INSPECT_GAPS; i++)
        fprintf(to, "%s[%.9f,%.9f]", i ? "," : "", (double)s->gaps[i][0] / 1e9,
                (double)s->gaps[i][1] / 1e9);
    fputs("],\"c\":[", to);
    for (int c = 0; c < s->curve_count; c++) {
        fputs(c ? ",{" : "{", to);
        put_bounds(to, "lo", s->curves[c].low, used);
        fputs(",", to);
        put_bounds(to, "hi", s->curves[c].high, used);
        fputs(",", to);
        put_bins(to, &s->curves[c].bins);
        fputs("}", to);
    }
    fputs("]}", to);
}

static void put_recording_data(FILE *to, const gb_inspect_recording *r)
{
    double from = INFINITY, until = -INFINITY;
    bool utc = false;
    for (int i = 0; i < r->stream_count; i++) {
        const gb_inspect_stream *s = r->streams[i];
        if (s->count == 0)
            continue;
        from = fmin(from, (double)s->first_ns / 1e9);
        until = fmax(until, (double)s->last_ns / 1e9);
        utc = utc || (s->spec.time_base == GB_TIME_UTC && s->first_ns > 86400LL * 365 * 1000000000);
    }
    if (!(from < until))
        until = (from = isfinite(from) ? from : 0) + 1;
    fprintf(to, "{\"utc\":%s,\"from\":%.9f,\"to\":%.9f,\"s\":[", utc ? "true" : "false", from,
            until);
    for (int i = 0; i < r->stream_count; i++) {
        fputs(i ? ",\n" : "", to);
        put_stream_data(to, r->streams[i]);
    }
    fputs("]}", to);
}

/* ---- what stands on the page --------------------------------------------------------------------
 */

static void put_judged(FILE *to, const gb_inspect_stream *s)
{
    bool any = s->gap_count > 0 || s->backward > 0;
    for (int q = 1; q <= GB_QUALITY_MISSING; q++)
        any = any || s->qualities[q] > 0;
    if (!any)
        return;
    fputs("<div class=\"judged\">", to);
    for (int q = 1; q <= GB_QUALITY_MISSING; q++)
        if (s->qualities[q] > 0)
            fprintf(to, "<b class=\"q%d\">%lld %s</b> ", q, (long long)s->qualities[q],
                    gb_quality_name((gb_quality)q));
    const char *comma = "(";
    for (int r = GB_REASON_NONE + 1; r < GB_REASON_COUNT; r++)
        if (s->reasons[r] > 0) {
            fprintf(to, "%s%s %lld", comma, gb_reason_name((gb_reason)r), (long long)s->reasons[r]);
            comma = ", ";
        }
    fputs(comma[0] == ',' ? ") " : "", to);
    if (s->gap_count > 0)
        fprintf(to, "%lld gaps ", (long long)s->gap_count);
    if (s->backward > 0)
        fprintf(to, "%lld steps back in time", (long long)s->backward);
    fputs("</div>\n", to);
}

static void put_words(FILE *to, const gb_inspect_stream *s)
{
    if (s->word_count == 0)
        return;
    fputs("<div class=\"words\">", to);
    for (int i = 0; i < s->word_count && i < 24; i++) {
        fputs("<span><b>", to);
        gb_html_text(to, s->words[i]);
        fprintf(to, "</b> %lld</span>", (long long)s->word_counts[i]);
    }
    if (s->word_count > 24 || s->words_other > 0)
        fputs("<span>and others</span>", to);
    fputs("</div>\n", to);
}

static gb_status put_thumbs(FILE *to, const gb_inspect_stream *s)
{
    if (s->thumb_count == 0)
        return GB_OK;
    fputs("<div class=\"thumbs\">", to);
    for (int i = 0; i < s->thumb_count; i++) {
        const gb_inspect_thumb *thumb = &s->thumbs[i];
        size_t room = sodium_base64_encoded_len(thumb->size, sodium_base64_VARIANT_ORIGINAL);
        char *text = malloc(room);
        if (!text)
            return gb_fail(GB_ERR_MEMORY, "no memory for a thumbnail");
        sodium_bin2base64(text, room, thumb->png, thumb->size, sodium_base64_VARIANT_ORIGINAL);
        fprintf(to,
                "<figure><img alt=\"\" src=\"data:image/png;base64,%s\"><figcaption>%.3f "
                "s</figcaption></figure>",
                text, (double)(thumb->time_ns - s->first_ns) / 1e9);
        free(text);
    }
    fputs("</div>\n", to);
    return GB_OK;
}

static void put_stream_head(FILE *to, const gb_inspect_stream *s)
{
    const gb_stream_spec *spec = &s->spec;
    fputs("<h4>", to);
    gb_html_text(to, spec->name);
    fprintf(to, "<span>%s, ", gb_stream_kind_name(spec->kind));
    gb_html_text(to, spec->value_type == GB_VALUE_BYTES ? spec->encoding
                                                        : gb_value_type_name(spec->value_type));
    for (int i = 0; i < spec->rank; i++)
        fprintf(to, "%s%lld", i ? "&times;" : " ", (long long)spec->shape[i]);
    fputs("</span>", to);
    if (spec->unit[0]) {
        fputs("<span>unit ", to);
        gb_html_text(to, spec->unit);
        fputs("</span>", to);
    }
    if (spec->semantic[0]) {
        fputs("<span>", to);
        gb_html_text(to, spec->semantic);
        fputs("</span>", to);
    }
    fprintf(to, "<span class=\"num\">%lld samples", (long long)s->count);
    if (s->mean_step_ns > 0 && s->mean_step_ns <= 2e9)
        fprintf(to, ", %.4g Hz", 1e9 / s->mean_step_ns);
    else if (s->mean_step_ns > 0)
        fprintf(to, ", every %.4g s", s->mean_step_ns / 1e9);
    fputs("</span></h4>\n", to);
}

/* The curves' names, in their colours, with mean and range. */
static void put_legend(FILE *to, const gb_inspect_stream *s)
{
    static const char *const colours[] = {"#0f8a8f", "#d0632a", "#5b6ee1", "#7a9a01",
                                          "#b0488f", "#8a6d3b", "#2f8f5b", "#9b59b6"};
    fputs("<div class=\"words\">", to);
    for (int c = 0; c < s->curve_count; c++) {
        const gb_inspect_curve *k = &s->curves[c];
        fprintf(to, "<span><b style=\"color:%s\">", colours[c % 8]);
        if (s->spec.labels)
            gb_html_text(to, s->spec.labels[c]);
        else if (s->size > 1)
            fprintf(to, "[%d]", c);
        fprintf(to, "</b> ");
        if (k->count > 0)
            fprintf(to, "%.5g to %.5g, mean %.5g", k->least, k->most, k->sum / (double)k->count);
        fputs("</span>", to);
    }
    if (s->size > s->curve_count)
        fprintf(to, "<span>and %lld values more</span>", (long long)(s->size - s->curve_count));
    fputs("</div>\n", to);
}

static gb_status put_stream(FILE *to, const gb_inspect_stream *s, int number)
{
    fputs("<div class=\"stream\">\n", to);
    put_stream_head(to, s);
    fprintf(to, "<div class=\"row\"><canvas class=\"plot\" data-s=\"%d\"></canvas>", number);
    if (s->curve_count > 0)
        fprintf(to, "<canvas class=\"histogram\" data-s=\"%d\"></canvas>", number);
    fputs("</div>\n", to);
    if (s->curve_count > 0)
        put_legend(to, s);
    put_words(to, s);
    GB_TRY(put_thumbs(to, s));
    put_judged(to, s);
    fputs("</div>\n", to);
    return GB_OK;
}

static void put_fact(FILE *to, const char *label, const char *value)
{
    if (!value[0])
        return;
    fputs("<div><dt>", to);
    gb_html_text(to, label);
    fputs("</dt><dd>", to);
    gb_html_text(to, value);
    fputs("</dd></div>\n", to);
}

static gb_status put_recording(FILE *to, const gb_inspect_recording *r, int number)
{
    static const char zoom[] =
        "<div class=\"zoom\"><button type=\"button\" data-do=\"in\">zoom in</button>"
        "<button type=\"button\" data-do=\"out\">out</button>"
        "<button type=\"button\" data-do=\"left\">&#8592;</button>"
        "<button type=\"button\" data-do=\"right\">&#8594;</button>"
        "<button type=\"button\" data-do=\"all\">all</button>"
        "<span>drag to move, double-click or Ctrl + wheel to zoom</span></div>\n";
    fprintf(to, "<details class=\"recording\" data-n=\"%d\"%s><summary>", number,
            number == 0 ? " open" : "");
    gb_html_text(to, r->info.name);
    fprintf(to, "<small>%d stream%s</small></summary>\n<dl class=\"facts\">", r->stream_count,
            r->stream_count == 1 ? "" : "s");
    put_fact(to, "instruction", r->info.instruction);
    put_fact(to, "outcome", r->info.outcome);
    put_fact(to, "from", r->info.source);
    put_fact(to, "owner", r->info.owner);
    put_fact(to, "licence", r->info.licence);
    put_fact(to, "residency", r->info.residency);
    put_fact(to, "purpose", r->info.purpose);
    fputs("</dl>\n", to);
    fputs(zoom, to);
    for (int i = 0; i < r->stream_count; i++)
        GB_TRY(put_stream(to, r->streams[i], i));
    fputs("</details>\n", to);
    return GB_OK;
}

static void put_head(FILE *to, const char *title)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
          to);
    gb_html_text(to, title);
    fputs("</title>\n<style>\n", to);
    for (const char *const *line = gb_report_css; *line; line++)
        fputs(*line, to);
    for (const char *const *line = gb_inspect_css; *line; line++)
        fputs(*line, to);
    fputs("</style>\n</head>\n<body>\n<header><div class=\"bar\"><span class=\"mark\">genba</span>"
          "<nav><a href=\"#recordings\">recordings</a><a href=\"#files\">files</a></nav>"
          "<button type=\"button\" id=\"theme\" aria-label=\"light or "
          "dark\">&#9680;</button></div><h1>",
          to);
    gb_html_text(to, title);
    fputs("</h1></header>\n<main>\n", to);
}

static void
put_facts(FILE *to, const char *id, const char *title, const gb_report_fact *facts, int count)
{
    if (count == 0)
        return;
    fprintf(to, "<section id=\"%s\"><h2>%s</h2><dl class=\"facts\">\n", id, title);
    for (int i = 0; i < count; i++)
        put_fact(to, facts[i].label, facts[i].value);
    fputs("</dl></section>\n", to);
}

static gb_status put_page(FILE *to,
                          const gb_inspection *in,
                          const char *title,
                          const gb_report_fact *facts,
                          int fact_count,
                          const gb_report_fact *files,
                          int file_count)
{
    put_head(to, title);
    put_facts(to, "facts", "What there is", facts, fact_count);
    fputs("<section id=\"recordings\"><h2>Recordings</h2>\n", to);
    int number = 0;
    for (int i = 0; i < in->count && i < in->most; i++)
        if (in->recordings[i])
            GB_TRY(put_recording(to, in->recordings[i], number++));
    if (in->beyond > 0)
        fprintf(to, "<p>%lld recordings more are not shown.</p>\n", (long long)in->beyond);
    fputs("</section>\n", to);
    put_facts(to, "files", "Which file became what", files, file_count);
    fprintf(
        to,
        "</main>\n<footer>Written by genba %s. This page loads nothing from anywhere.</footer>\n"
        "<script>\nconst data=[",
        gb_version());
    const char *comma = "";
    for (int i = 0; i < in->count && i < in->most; i++) {
        if (!in->recordings[i])
            continue;
        fputs(comma, to);
        put_recording_data(to, in->recordings[i]);
        comma = ",\n";
    }
    fputs("];\n", to);
    for (const char *const *line = gb_inspect_js; *line; line++)
        fputs(*line, to);
    fputs("</script>\n</body>\n</html>\n", to);
    return GB_OK;
}

gb_status gb_inspection_write(const gb_inspection *in,
                              const char *title,
                              const gb_report_fact *facts,
                              int fact_count,
                              const gb_report_fact *files,
                              int file_count,
                              const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (!to)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for the page", path);
    gb_status status = put_page(to, in, title, facts, fact_count, files, file_count);
    bool whole = !ferror(to);
    whole = fclose(to) == 0 && whole;
    if (status == GB_OK && !whole)
        status = gb_fail(GB_ERR_MEMORY, "%s: no memory for the page", path);
    if (status == GB_OK)
        status = gb_file_replace(path, text, size);
    free(text);
    return status;
}
