/* NumPy headers: a Python dictionary of three known keys, read as such and never evaluated. */
#include "ingest/npy_header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUES_MAX (INT64_MAX / 64)

enum {
    MAGIC_BYTES = 6,
    WORD_BYTES = 64,
    KEY_DESCR = 1,
    KEY_ORDER = 2,
    KEY_SHAPE = 4
};

typedef struct scanner {
    const char *at, *end, *origin;
    const char *begin;
} scanner;

static gb_status wrong(const scanner *s, const char *expected)
{
    return gb_fail(GB_ERR_PARSE, "%s: NumPy header, character %lld: expected %s", s->origin,
                   (long long)(s->at - s->begin) + 1, expected);
}

static void skip_blanks(scanner *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
}

static bool take(scanner *s, char sign)
{
    skip_blanks(s);
    if (s->at == s->end || *s->at != sign)
        return false;
    s->at++;
    return true;
}

/* 'text' or "text" without escapes. */
static gb_status take_text(scanner *s, char *out)
{
    skip_blanks(s);
    char quote = s->at < s->end ? *s->at : 0;
    if (quote != '\'' && quote != '"')
        return wrong(s, "a text in quotes");
    const char *from = ++s->at;
    while (s->at < s->end && *s->at != quote)
        s->at++;
    size_t size = (size_t)(s->at - from);
    if (s->at == s->end || size >= WORD_BYTES || memchr(from, '\\', size) || memchr(from, 0, size))
        return wrong(s, "the end of a short text");
    memcpy(out, from, size);
    out[size] = 0;
    s->at++;
    return GB_OK;
}

static gb_status take_order(scanner *s, gb_npy_header *out)
{
    skip_blanks(s);
    size_t left = (size_t)(s->end - s->at);
    bool yes = left >= 4 && memcmp(s->at, "True", 4) == 0;
    bool no = left >= 5 && memcmp(s->at, "False", 5) == 0;
    if (!yes && !no)
        return wrong(s, "True or False");
    s->at += yes ? 4 : 5;
    out->fortran = yes;
    return GB_OK;
}

static gb_status take_dimension(scanner *s, gb_npy_header *out)
{
    int64_t value = 0;
    skip_blanks(s);
    const char *from = s->at;
    for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++) {
        value = 10 * value + (*s->at - '0');
        if (value > VALUES_MAX)
            return wrong(s, "a dimension that fits the file");
    }
    if (s->at == from || out->rank == GB_NPY_RANK_MAX)
        return wrong(s, "at most 32 whole numbers");
    if (s->at < s->end && *s->at == 'L') /* Python 2 */
        s->at++;
    if (value > 0 && out->values > VALUES_MAX / value)
        return wrong(s, "fewer values");
    out->shape[out->rank++] = value;
    out->values *= value;
    return GB_OK;
}

static gb_status take_shape(scanner *s, gb_npy_header *out)
{
    if (!take(s, '('))
        return wrong(s, "(");
    out->values = 1;
    while (!take(s, ')')) {
        GB_TRY(take_dimension(s, out));
        if (!take(s, ',')) {
            if (!take(s, ')'))
                return wrong(s, ", or )");
            return GB_OK;
        }
    }
    return GB_OK;
}

/* ---- types ------------------------------------------------------------------------------------
 */

static const char *numbers_type(gb_npy_header *out)
{
    static const gb_value_type with_sign[] = {GB_VALUE_I8, GB_VALUE_I16, GB_VALUE_I32,
                                              GB_VALUE_I64};
    static const gb_value_type without[] = {GB_VALUE_U8, GB_VALUE_U16, GB_VALUE_U32, GB_VALUE_U64};
    int bytes = out->value_bytes;
    int power = bytes == 1 ? 0 : bytes == 2 ? 1 : bytes == 4 ? 2 : bytes == 8 ? 3 : -1;
    if (out->kind == 'f') {
        out->type = bytes == 8 ? GB_VALUE_F64 : GB_VALUE_F32;
        return power >= 1 ? NULL : "floats that are not of 16, 32 or 64 bits";
    }
    if (power < 0 || (out->kind == 'b' && bytes != 1) ||
        ((out->kind == 'M' || out->kind == 'm') && bytes != 8))
        return "values of an unknown size";
    out->type = out->kind == 'u' || out->kind == 'b' ? without[power] : with_sign[power];
    return NULL;
}

/* "<M8[ns]" */
static const char *time_type(const char *unit, gb_npy_header *out)
{
    static const struct {
        const char *text;
        gb_time_format format;
    } units[] = {{"[s]", GB_TIME_FORMAT_EPOCH_S},
                 {"[ms]", GB_TIME_FORMAT_EPOCH_MS},
                 {"[us]", GB_TIME_FORMAT_EPOCH_US},
                 {"[ns]", GB_TIME_FORMAT_EPOCH_NS}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(unit, units[i].text) != 0)
            continue;
        out->time_format = out->kind == 'M' ? (int)units[i].format : -1;
        return numbers_type(out);
    }
    return "times that are not of s, ms, us or ns";
}

static const char *find_type(const char *descr, gb_npy_header *out)
{
    const char *at = descr;
    char order = strchr("<>|=", *at) && *at ? *at++ : '|';
    out->kind = *at;
    char *end = NULL;
    long bytes = *at ? strtol(at + 1, &end, 10) : 0;
    bool sized = *at && end != at + 1 && bytes >= 0 && bytes <= 1 << 20;
    out->value_bytes = sized ? (int)bytes : 0;
    out->swapped = order == '>';
    switch (out->kind) {
    case 'O':
        return "Python objects: those are pickles, which can run programs and are never read";
    case 'V':
        return "records of several fields: save each field as an array of its own";
    case 'S':
    case 'a':
    case 'U':
        return "text";
    case 'c':
        return "complex numbers: save real and imaginary parts as arrays of their own";
    case 'M':
    case 'm':
        return sized ? time_type(end, out) : "times without a unit";
    case 'f':
    case 'i':
    case 'u':
    case 'b':
        return sized && *end == 0 ? numbers_type(out) : "values of an unknown type";
    default:
        return "values of an unknown type";
    }
}

/* A list describes records: skipped to its end, in brackets. */
static gb_status take_descr(scanner *s, gb_npy_header *out)
{
    char descr[WORD_BYTES];
    skip_blanks(s);
    if (s->at == s->end || *s->at != '[') {
        GB_TRY(take_text(s, descr));
        out->unreadable = find_type(descr, out);
        return GB_OK;
    }
    out->kind = 'V';
    out->unreadable = find_type("V", out);
    int depth = 0;
    do {
        depth += *s->at == '[' || *s->at == '(';
        depth -= *s->at == ']' || *s->at == ')';
        s->at++;
    } while (depth > 0 && s->at < s->end);
    return depth == 0 ? GB_OK : wrong(s, "]");
}

/* ---- the whole --------------------------------------------------------------------------------
 */

gb_status
gb_npy_header_size(const unsigned char *data, size_t size, const char *origin, size_t *out)
{
    if (size >= 2 && data[0] == 0x80 && data[1] <= 5)
        return gb_fail(GB_ERR_UNSUPPORTED,
                       "%s is a pickle, which can run programs and is never read: save arrays with "
                       "numpy.save or numpy.savez",
                       origin);
    if (size < GB_NPY_PREFIX_MAX || memcmp(data, "\x93NUMPY", MAGIC_BYTES) != 0)
        return gb_fail(GB_ERR_PARSE, "%s is no NumPy array file", origin);
    int version = data[6];
    size_t prefix = version == 1 ? 10 : 12;
    size_t text = (size_t)data[8] | (size_t)data[9] << 8;
    if (version > 1)
        text |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
    if (version < 1 || version > 3 || data[7] != 0)
        return gb_fail(GB_ERR_UNSUPPORTED, "%s: NumPy format %d.%d; versions 1 to 3 are read",
                       origin, version, data[7]);
    if (text < 2 || text > GB_NPY_HEADER_MAX)
        return gb_fail(GB_ERR_PARSE, "%s: a NumPy header of %zu bytes; expected 2 to %d", origin,
                       text, GB_NPY_HEADER_MAX);
    *out = prefix + text;
    return GB_OK;
}

static gb_status take_value(scanner *s, const char *key, gb_npy_header *out, int *out_key)
{
    if (strcmp(key, "descr") == 0) {
        *out_key = KEY_DESCR;
        return take_descr(s, out);
    }
    if (strcmp(key, "fortran_order") == 0) {
        *out_key = KEY_ORDER;
        return take_order(s, out);
    }
    *out_key = KEY_SHAPE;
    return strcmp(key, "shape") == 0 ? take_shape(s, out)
                                     : wrong(s, "descr, fortran_order and shape");
}

gb_status
gb_npy_header_read(const unsigned char *data, size_t size, const char *origin, gb_npy_header *out)
{
    size_t prefix = size > MAGIC_BYTES && data[6] == 1 ? 10 : 12;
    gb_npy_header header = {.time_format = -1};
    int found = 0;
    if (size < prefix)
        return gb_fail(GB_ERR_PARSE, "%s: no NumPy header", origin);
    const char *text = (const char *)data + prefix;
    scanner s = {text, (const char *)data + size, origin, text};
    if (!take(&s, '{'))
        return wrong(&s, "{");
    while (!take(&s, '}')) {
        char key[WORD_BYTES];
        int which = 0;
        GB_TRY(take_text(&s, key));
        if (!take(&s, ':'))
            return wrong(&s, ":");
        GB_TRY(take_value(&s, key, &header, &which));
        if (found & which)
            return wrong(&s, "each key once");
        found |= which;
        if (!take(&s, ',')) {
            if (!take(&s, '}'))
                return wrong(&s, ", or }");
            break;
        }
    }
    skip_blanks(&s);
    if (found != (KEY_DESCR | KEY_ORDER | KEY_SHAPE) || s.at != s.end)
        return wrong(&s, "descr, fortran_order and shape, and nothing behind them");
    *out = header;
    return GB_OK;
}
