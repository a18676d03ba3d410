/* eval/html.h: text that goes into pages. Private to eval. */
#ifndef GENBA_EVAL_HTML_H
#define GENBA_EVAL_HTML_H

#include <stdio.h>

/* Writes text so that it can stand between tags and in quoted attributes. */
void gb_html_text(FILE *to, const char *text);
/* Writes text as a JSON string, quotes included, that can stand inside a script element. */
void gb_html_json_text(FILE *to, const char *text);
/* "1.5" or "null": a number as JSON, `digits` behind the point, zeros at the end left out. */
void gb_html_json_number(FILE *to, double value, int digits);

#endif
