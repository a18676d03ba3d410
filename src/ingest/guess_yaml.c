/* Writes YAML scalars and comments so that any bytes come back as they were or do no harm. */
#include "ingest/guess_yaml.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

gb_status gb_yaml_out_open(gb_yaml_out *out)
{
    *out = (gb_yaml_out){0};
    out->to = open_memstream(&out->text, &out->size);
    return out->to ? GB_OK : gb_fail(GB_ERR_MEMORY, "no memory to write a stream map");
}

void gb_yaml_out_drop(gb_yaml_out *out)
{
    if (out->to)
        fclose(out->to);
    free(out->text);
    *out = (gb_yaml_out){0};
}

gb_status gb_yaml_out_finish(gb_yaml_out *out, gb_arena *arena, const char **out_text)
{
    bool whole = fflush(out->to) == 0 && !ferror(out->to);
    char *text = whole ? gb_arena_text(arena, out->text) : NULL;
    gb_yaml_out_drop(out);
    if (!text)
        return gb_fail(GB_ERR_MEMORY, "no memory to write a stream map");
    *out_text = text;
    return GB_OK;
}

void gb_yaml_put(gb_yaml_out *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(out->to, format, args);
    va_end(args);
}

/* One character of UTF-8; *size is its length, 1 for a byte that is none. */
static uint32_t decode(const unsigned char *at, size_t left, size_t *size)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t need = at[0] < 0x80 ? 1 : at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    *size = 1;
    if (need == 1)
        return at[0];
    if (at[0] < 0xC2 || at[0] > 0xF4 || need > left)
        return 0xFFFD;
    uint32_t code = at[0] & (0xFFU >> (need + 1));
    for (size_t i = 1; i < need; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0xFFFD;
        code = code << 6 | (at[i] & 0x3FU);
    }
    if (code < least[need] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return 0xFFFD;
    *size = need;
    return code;
}

/* YAML 1.1 takes these only escaped, and the line separators end a comment. */
static bool is_printable(uint32_t code)
{
    return code >= 0x20 && code != 0x7F && (code < 0x80 || code >= 0xA0) && code != 0x2028 &&
           code != 0x2029 && code != 0xFEFF && code != 0xFFFE && code != 0xFFFF;
}

static bool is_simple(const char *text, size_t size)
{
    static const char *const words[] = {"y",  "n",   "yes",  "no",  "true", "false",
                                        "on", "off", "null", "nan", "inf"};
    if (size == 0 || size > 200)
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '.')))
            return false;
    }
    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
        if (strlen(words[w]) == size && strncasecmp(words[w], text, size) == 0)
            return false;
    return true;
}

void gb_yaml_put_text(gb_yaml_out *out, const char *text, size_t size)
{
    if (is_simple(text, size)) {
        fwrite(text, 1, size, out->to);
        return;
    }
    fputc('"', out->to);
    for (size_t at = 0, length; at < size; at += length) {
        uint32_t code = decode((const unsigned char *)text + at, size - at, &length);
        if (code == '"' || code == '\\')
            fprintf(out->to, "\\%c", (char)code);
        else if (!is_printable(code))
            fprintf(out->to, code < 0x100 ? "\\x%02X" : "\\u%04X", code);
        else if (code == 0xFFFD)
            fputs("\xEF\xBF\xBD", out->to);
        else
            fwrite(text + at, 1, length, out->to);
    }
    fputc('"', out->to);
}

void gb_yaml_put_plain(gb_yaml_out *out, const char *text, size_t size)
{
    for (size_t at = 0, length; at < size; at += length) {
        uint32_t code = decode((const unsigned char *)text + at, size - at, &length);
        if (!is_printable(code) || code == 0xFFFD)
            fputc('?', out->to);
        else
            fwrite(text + at, 1, length, out->to);
    }
}

void gb_yaml_put_count(gb_yaml_out *out, int64_t count)
{
    char digits[32];
    int size = snprintf(digits, sizeof digits, "%lld", (long long)count);
    for (int i = 0; i < size; i++) {
        fputc(digits[i], out->to);
        int left = size - 1 - i;
        if (left > 0 && left % 3 == 0 && digits[i] != '-')
            fputc(',', out->to);
    }
}

void gb_yaml_put_duration(gb_yaml_out *out, int64_t ns)
{
    static const struct scale {
        const char *unit;
        double ns;
    } scales[] = {{"d", 86400e9}, {"h", 3600e9}, {"min", 60e9},
                  {"s", 1e9},     {"ms", 1e6},   {"us", 1e3}};
    double value = (double)ns;
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        if (fabs(value) >= scales[i].ns) {
            fprintf(out->to, "%.6g %s", value / scales[i].ns, scales[i].unit);
            return;
        }
    }
    fprintf(out->to, ns == 0 ? "0 s" : "%lld ns", (long long)ns);
}
