/* eval/report.c: the report as a whole: one HTML file that needs nothing beside it. Its sections
 * are in report_*.c, its looks in report_style.c. */
#include "eval/report.h"
#include "eval/html.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static void put_lines(FILE *to, const char *const *lines)
{
    for (; *lines; lines++)
        fputs(*lines, to);
}

static void put_head(FILE *to, const gb_report *report)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
          to);
    gb_html_text(to, report->title);
    fputs("</title>\n<style>\n", to);
    put_lines(to, gb_report_css);
    fputs("</style>\n</head>\n<body>\n<header><div class=\"bar\"><span class=\"mark\">genba</span>"
          "<nav>",
          to);
    bool replay = false, examples = false;
    for (int i = 0; i < report->result_count; i++) {
        replay = replay || report->results[i]->rollouts;
        examples = examples || report->results[i]->example_count > 0;
    }
    if (replay)
        fputs("<a href=\"#control\">control</a>", to);
    if (examples)
        fputs("<a href=\"#forecasts\">forecasts</a>", to);
    if (report->result_count)
        fputs("<a href=\"#scores\">scores</a>", to);
    if (report->run_count)
        fputs("<a href=\"#training\">training</a>", to);
    fputs("<a href=\"#repeat\">repeat it</a></nav>"
          "<button type=\"button\" id=\"theme\" aria-label=\"light or dark\">&#9680;</button>"
          "</div><h1>",
          to);
    gb_html_text(to, report->title);
    fputs("</h1><p class=\"lede\">", to);
    gb_html_text(to, report->summary);
    fputs("</p></header>\n<main>\n", to);
}

static void put_repeat(FILE *to, const gb_report *report)
{
    fputs("<section id=\"repeat\"><h2>How to repeat it</h2>\n", to);
    for (int i = 0; i < report->command_count; i++) {
        fputs("<div class=\"step\">", to);
        gb_report_put_command(to, report->commands[i].command);
        fputs("<p class=\"caption\">", to);
        gb_html_text(to, report->commands[i].effect);
        fputs("</p></div>\n", to);
    }
    if (report->fact_count) {
        fputs("<h3>Where these figures come from</h3><dl class=\"facts\">\n", to);
        for (int i = 0; i < report->fact_count; i++) {
            fputs("<div><dt>", to);
            gb_html_text(to, report->facts[i].label);
            fputs("</dt><dd>", to);
            gb_html_text(to, report->facts[i].value);
            fputs("</dd></div>\n", to);
        }
        fputs("</dl>\n", to);
    }
    fputs("</section>\n", to);
}

static void put_foot(FILE *to)
{
    char date[64] = "";
    time_t now = (time_t)(gb_clock_wall_ns() / 1000000000);
    struct tm parts;
    if (gmtime_r(&now, &parts))
        strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", &parts);
    fprintf(to,
            "</main>\n<footer>Written by genba %s on %s. This page loads nothing from "
            "anywhere.</footer>\n<script>\n",
            gb_version(), date);
    put_lines(to, gb_report_js);
    fputs("</script>\n</body>\n</html>\n", to);
}

static gb_status put_page(FILE *to, const gb_report *report)
{
    put_head(to, report);
    gb_report_headline(to, report);
    GB_TRY(gb_report_replay(to, report));
    GB_TRY(gb_report_forecasts(to, report));
    gb_report_scores(to, report);
    GB_TRY(gb_report_training(to, report));
    put_repeat(to, report);
    put_foot(to);
    return GB_OK;
}

gb_status gb_report_write(const gb_report *report, const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (!to)
        return gb_fail(GB_ERR_MEMORY, "%s: no memory for the report", path);
    gb_status status = put_page(to, report);
    bool whole = !ferror(to);
    whole = fclose(to) == 0 && whole;
    if (status == GB_OK && !whole)
        status = gb_fail(GB_ERR_MEMORY, "%s: no memory for the report", path);
    if (status == GB_OK)
        status = gb_file_replace(path, text, size);
    free(text);
    return status;
}
