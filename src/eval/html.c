/* eval/html.c: escaping. Everything that a user, a file or a model named goes through here. */
#include "eval/html.h"

#include <math.h>
#include <string.h>

void gb_html_text(FILE *to, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '&':
            fputs("&amp;", to);
            break;
        case '"':
            fputs("&quot;", to);
            break;
        case '\'':
            fputs("&#39;", to);
            break;
        default:
            fputc(*text, to);
        }
    }
}

void gb_html_json_text(FILE *to, const char *text)
{
    fputc('"', to);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c == '\'')
            fprintf(to, "\\u%04x", c);
        else
            fputc(c, to);
    }
    fputc('"', to);
}

void gb_html_json_number(FILE *to, double value, int digits)
{
    char text[64];
    if (!isfinite(value)) {
        fputs("null", to);
        return;
    }
    snprintf(text, sizeof text, "%.*f", digits, value);
    if (strchr(text, '.')) {
        size_t size = strlen(text);
        while (text[size - 1] == '0')
            text[--size] = 0;
        if (text[size - 1] == '.')
            text[--size] = 0;
    }
    fputs(strcmp(text, "-0") == 0 ? "0" : text, to);
}
