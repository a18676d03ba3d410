/* Reads units as UCUM writes them, or as people do, and finds the law between two of them. What an
 * atom measures comes from units_atoms.c; a unit is put together from atoms here. */
#include "ingest/units.h"

#include "ingest/units_measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NESTING_MAX 8
#define POWER_MAX 64
#define EXPONENT_MAX 30 /* of one atom */

/* UCUM ignores what stands in braces; these make another quantity of the same dimension. */
static const char *const conditions[] = {"gauge", "normal", "standard", "mW", "A", "C"};
#define CONDITION_COUNT (sizeof conditions / sizeof *conditions)

typedef struct parser {
    const gb_measure *atoms;
    const char *at;
    bool relaxed; /* components may be spellings */
    int depth;
    char code[GB_UNIT_CODE_MAX]; /* what was read, in UCUM */
    size_t used;
    const char *note;
    const char *bad; /* where and why reading stopped */
    size_t bad_size;
    const char *why;
} parser;

static bool fail_at(parser *p, const char *at, size_t size, const char *why)
{
    p->bad = at;
    p->bad_size = size;
    p->why = why;
    return false;
}

static bool write_code(parser *p, const char *text, size_t size)
{
    if (p->used + size + 1 > sizeof p->code)
        return fail_at(p, text, size, "is too long");
    memcpy(p->code + p->used, text, size);
    p->used += size;
    p->code[p->used] = 0;
    return true;
}

/* ---- measures ---------------------------------------------------------------------------------
 */

static bool is_number(const gb_measure *m)
{
    for (int i = 0; i < GB_MEASURE_BASES; i++)
        if (m->power[i] != 0)
            return false;
    return m->own == 0;
}

/* a := a x b^power. In a product degrees are intervals: the zero of a temperature scale goes. */
static bool multiply(gb_measure *a, const gb_measure *b, int power)
{
    if (a->own && b->own && a->own != b->own)
        return false; /* international units per decibel: there is no dimension to say that in */
    a->scale *= pow(b->scale, power);
    a->offset = 0;
    for (int i = 0; i < GB_MEASURE_BASES; i++) {
        a->power[i] += b->power[i] * power;
        if (abs(a->power[i]) > POWER_MAX)
            return false;
    }
    a->own = b->own ? b->own : a->own;
    a->own_power += b->own_power * power;
    if (a->own_power == 0)
        a->own = 0;
    if (abs(a->own_power) > POWER_MAX)
        return false;
    a->condition = b->condition ? b->condition : a->condition;
    return a->scale > 0 && isfinite(a->scale);
}

static void write_power(char *out, size_t room, const char *base, int power)
{
    size_t used = strlen(out);
    if (power == 0 || used >= room)
        return;
    if (power == 1)
        snprintf(out + used, room - used, "%s%s", used ? "." : "", base);
    else
        snprintf(out + used, room - used, "%s%s%d", used ? "." : "", base, power);
}

static void write_dimension(const gb_measure *m, char out[GB_UNIT_CODE_MAX])
{
    static const char *const names[GB_MEASURE_BASES] = {GB_MEASURE_BASE_TEXTS};
    out[0] = 0;
    for (int i = 0; i < GB_MEASURE_BASES; i++)
        write_power(out, GB_UNIT_CODE_MAX, names[i], m->power[i]);
    if (m->own)
        write_power(out, GB_UNIT_CODE_MAX, gb_ucum_atoms[m->own - 1].code, m->own_power);
    if (!out[0])
        snprintf(out, GB_UNIT_CODE_MAX, "1");
    size_t used = strlen(out);
    if (m->condition)
        snprintf(out + used, GB_UNIT_CODE_MAX - used, "{%s}", m->condition);
}

/* ---- atoms ------------------------------------------------------------------------------------
 */

static int find_atom(const char *text, size_t size)
{
    for (int i = 0; i < gb_ucum_atom_count; i++)
        if (strlen(gb_ucum_atoms[i].code) == size && memcmp(gb_ucum_atoms[i].code, text, size) == 0)
            return i;
    return -1;
}

/* An atom, or a metric atom behind a prefix. */
static bool read_atom(const parser *p, const char *text, size_t size, gb_measure *out)
{
    int atom = find_atom(text, size);
    if (atom >= 0) {
        *out = p->atoms[atom];
        return true;
    }
    for (int i = 0; i < gb_ucum_prefix_count; i++) {
        size_t skip = strlen(gb_ucum_prefixes[i].code);
        if (size <= skip || memcmp(text, gb_ucum_prefixes[i].code, skip) != 0)
            continue;
        atom = find_atom(text + skip, size - skip);
        if (atom >= 0 && gb_ucum_atoms[atom].metric) {
            *out = p->atoms[atom];
            out->scale *= gb_ucum_prefixes[i].factor;
            return true;
        }
    }
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Bytes of the component at text: to the next operator outside of square brackets. */
static size_t component_size(const char *text)
{
    size_t size = 0, depth = 0;
    for (; text[size]; size++) {
        depth += text[size] == '[';
        if (depth == 0 && strchr("./(){}", text[size]))
            break;
        depth -= text[size] == ']' && depth > 0;
    }
    return size;
}

/* Cuts the exponent off "s-1": what stays, and -1. false: larger than anyone means. */
static bool cut_exponent(const char *text, size_t *size, int *out)
{
    size_t end = *size, digits = 0;
    while (end > 0 && is_digit(text[end - 1])) {
        end--;
        digits++;
    }
    *out = 1;
    if (digits == 0 || end == 0)
        return true;
    int value = 0;
    for (size_t i = end; i < *size; i++) {
        value = 10 * value + (text[i] - '0');
        if (value > EXPONENT_MAX)
            return false;
    }
    bool sign = end > 1 && (text[end - 1] == '-' || text[end - 1] == '+');
    *out = sign && text[end - 1] == '-' ? -value : value;
    *size = end - sign;
    return true;
}

static bool read_term(parser *p, gb_measure *out);

/* A spelling inside a compound: "rpm" in "rpm/s". Its code is read as a unit of its own. */
static bool read_spelling(parser *p, const char *text, size_t size, int exponent, gb_measure *out)
{
    const gb_unit_spelling *row = gb_unit_spelling_find(text, size, false);
    if (!row)
        row = gb_unit_spelling_find(text, size, true);
    if (!row)
        return false;
    parser inner = {.atoms = p->atoms, .at = row->code, .depth = p->depth};
    if (!read_term(&inner, out) || *inner.at)
        return false;
    bool compound = strpbrk(row->code, "./") != NULL;
    size_t head = component_size(row->code);
    if (exponent != 1 && (compound || head == 0 || is_digit(row->code[head - 1])))
        return false; /* UCUM has no power of a product, of a power, of a number */
    p->note = row->note ? row->note : p->note;
    bool written = compound ? write_code(p, "(", 1) : true;
    const char *rest = row->code + head;
    written = written && write_code(p, row->code, head);
    if (written && compound)
        return write_code(p, rest, strlen(rest)) && write_code(p, ")", 1);
    if (written && exponent != 1) {
        char digits[8];
        int count = snprintf(digits, sizeof digits, "%d", exponent);
        written = write_code(p, digits, (size_t)count);
    }
    return written && write_code(p, rest, strlen(rest));
}

static bool read_factor(parser *p, const char *text, size_t size, gb_measure *out)
{
    if (size > 12)
        return fail_at(p, text, size, "is too large a number");
    int64_t factor = 0;
    for (size_t i = 0; i < size; i++)
        factor = 10 * factor + (text[i] - '0');
    *out = (gb_measure){.scale = (double)factor};
    if (factor == 0)
        return fail_at(p, text, size,
                       "makes everything nothing; UCUM has no decimal fractions, a dot multiplies");
    return write_code(p, text, size);
}

static bool read_simple(parser *p, gb_measure *out)
{
    const char *text = p->at;
    size_t size = component_size(text), digits = 0;
    p->at += size;
    while (digits < size && is_digit(text[digits]))
        digits++;
    if (size > 0 && digits == size)
        return read_factor(p, text, size, out);
    size_t stem = size;
    int exponent = 1;
    if (!cut_exponent(text, &stem, &exponent))
        return fail_at(p, text, size, "has too large an exponent");
    gb_measure atom;
    if (size > 0 && read_atom(p, text, stem, &atom)) {
        *out = atom;
        if (exponent != 1) {
            *out = (gb_measure){.scale = 1};
            if (!multiply(out, &atom, exponent))
                return fail_at(p, text, size, "has too large an exponent");
        }
        return write_code(p, text, size);
    }
    if (p->relaxed && size > 0) {
        if (read_spelling(p, text, size, 1, out))
            return true;
        if (stem < size && read_spelling(p, text, stem, exponent, &atom)) {
            *out = (gb_measure){.scale = 1};
            if (!multiply(out, &atom, exponent))
                return fail_at(p, text, size, "has too large an exponent");
            return true;
        }
    }
    return fail_at(p, text, size, size > 0 ? "is not a unit" : "a unit is missing");
}

/* ---- the grammar of UCUM ----------------------------------------------------------------------
 */

/* {anything}: remembered when it sets the quantity apart. */
static bool read_annotation(parser *p, gb_measure *unit)
{
    const char *end = strpbrk(p->at + 1, "{}");
    if (!end || *end == '{')
        return fail_at(p, p->at, strlen(p->at), "is an annotation without an end");
    size_t size = (size_t)(end - p->at) - 1;
    for (size_t i = 0; i < CONDITION_COUNT; i++)
        if (strlen(conditions[i]) == size && memcmp(conditions[i], p->at + 1, size) == 0)
            unit->condition = conditions[i];
    bool written = write_code(p, p->at, size + 2);
    p->at = end + 1;
    return written;
}

static bool read_component(parser *p, gb_measure *out)
{
    if (*p->at == '(') {
        if (++p->depth > NESTING_MAX)
            return fail_at(p, p->at, 1, "opens too many parentheses");
        p->at++;
        if (!write_code(p, "(", 1) || !read_term(p, out))
            return false;
        if (*p->at != ')')
            return fail_at(p, p->at, *p->at != 0, "stands where a ) belongs");
        p->at++;
        p->depth--;
        if (!write_code(p, ")", 1))
            return false;
    } else if (*p->at == '{') {
        *out = (gb_measure){.scale = 1};
    } else if (!read_simple(p, out)) {
        return false;
    }
    return *p->at == '{' ? read_annotation(p, out) : true;
}

static bool read_term(parser *p, gb_measure *out)
{
    *out = (gb_measure){.scale = 1};
    bool first = *p->at != '/';
    while (first || *p->at == '.' || *p->at == '/') {
        int power = *p->at == '/' ? -1 : 1;
        if (!first && !write_code(p, p->at++, 1))
            return false;
        const char *at = p->at;
        gb_measure component;
        if (!read_component(p, &component))
            return false;
        if (first)
            *out = component; /* alone it keeps its zero: Cel */
        else if (!multiply(out, &component, power))
            return fail_at(p, at, (size_t)(p->at - at), "cannot be combined with what is before");
        first = false;
    }
    return true;
}

static bool read_unit(parser *p, gb_measure *out)
{
    if (!read_term(p, out))
        return false;
    return *p->at ? fail_at(p, p->at, strlen(p->at), "stands behind the unit") : true;
}

/* ---- from the outside -------------------------------------------------------------------------
 */

static gb_status refuse(const char *text, const parser *p)
{
    if (p->bad_size > 0)
        return gb_fail(GB_ERR_PARSE,
                       "unit \"%s\": \"%.*s\" %s; expected a UCUM code such as Cel, kg/m3 or mm/s, "
                       "or a spelling of docs/units.md",
                       text, p->bad_size > 64 ? 64 : (int)p->bad_size, p->bad, p->why);
    return gb_fail(
        GB_ERR_PARSE,
        "unit \"%s\": %s; expected a UCUM code such as Cel, kg/m3 or mm/s, or a spelling "
        "of docs/units.md",
        text, p->why);
}

static bool try_reading(const char *text, const parser *start, parser *out, gb_measure *measure)
{
    *out = *start;
    out->at = text;
    return read_unit(out, measure);
}

/* A row for the whole text, then UCUM as it is, then a row in any case, then compounds of
 * spellings. */
static gb_status resolve(const char *text, gb_unit *out, gb_measure *measure)
{
    const gb_measure *atoms;
    GB_TRY(gb_measures_get(&atoms));
    char folded[GB_UNIT_TEXT_MAX];
    if (!gb_unit_fold(text, folded, sizeof folded))
        return gb_fail(GB_ERR_PARSE, "unit \"%.40s...\": longer than %d bytes", text,
                       GB_UNIT_TEXT_MAX - 1);
    size_t size = strlen(folded);
    const gb_unit_spelling *row = gb_unit_spelling_find(folded, size, false);
    const parser strict = {.atoms = atoms}, relaxed = {.atoms = atoms, .relaxed = true};
    parser used;
    bool read = try_reading(row ? row->code : folded, &strict, &used, measure);
    if (!read) {
        row = gb_unit_spelling_find(folded, size, true);
        read = row && try_reading(row->code, &strict, &used, measure);
    }
    if (!read)
        read = try_reading(folded, &relaxed, &used, measure);
    if (!read)
        return refuse(text, &used);
    gb_unit unit = {.note = row && row->note ? row->note : used.note};
    memcpy(unit.code, used.code, sizeof unit.code);
    write_dimension(measure, unit.dimension);
    *out = unit;
    return GB_OK;
}

gb_status gb_unit_parse(const char *text, gb_unit *out)
{
    gb_measure measure;
    return resolve(text, out, &measure);
}

/* Is a a rate of turns and b a frequency? Then 1/s is one turn a second, 2 pi rad/s. */
static bool is_turning(const gb_measure *a, const gb_measure *b)
{
    gb_measure turn = *a, rate = *b;
    if (turn.power[GB_MEASURE_ANGLE] != 1 || turn.power[GB_MEASURE_SECOND] != -1 ||
        rate.power[GB_MEASURE_SECOND] != -1)
        return false;
    turn.power[GB_MEASURE_ANGLE] = turn.power[GB_MEASURE_SECOND] = 0;
    rate.power[GB_MEASURE_SECOND] = 0;
    return is_number(&turn) && is_number(&rate);
}

static bool is_same_quantity(const gb_measure *a, const gb_measure *b)
{
    return memcmp(a->power, b->power, sizeof a->power) == 0 && a->own == b->own &&
           a->own_power == b->own_power;
}

static gb_status no_law(const gb_unit *from, const gb_unit *to, bool condition)
{
    return gb_fail(GB_ERR_MISMATCH, "unit %s (%s) does not convert to %s (%s): %s", from->code,
                   from->dimension, to->code, to->dimension,
                   condition ? "the same dimension under another condition (gauge, normal or "
                               "standard); give the same condition on both sides and the law "
                               "between them as scale and offset of the stream"
                             : "expected units of one dimension; check the stream's source_unit "
                               "and unit");
}

gb_status gb_unit_convert(const char *from, const char *to, double *scale, double *offset)
{
    gb_unit unit_from, unit_to;
    gb_measure a, b;
    GB_TRY(resolve(from, &unit_from, &a));
    GB_TRY(resolve(to, &unit_to, &b));
    if (is_turning(&a, &b))
        b.scale *= 2 * 3.14159265358979323846;
    else if (is_turning(&b, &a))
        a.scale *= 2 * 3.14159265358979323846;
    else if (!is_same_quantity(&a, &b))
        return no_law(&unit_from, &unit_to, false);
    if (a.condition != b.condition)
        return no_law(&unit_from, &unit_to, true);
    double factor = a.scale / b.scale, shift = (a.offset - b.offset) / b.scale;
    if (!(factor > 0) || !isfinite(factor) || !isfinite(shift))
        return gb_fail(GB_ERR_NUMERIC, "unit %s to %s: the factor is beyond what a double holds",
                       unit_from.code, unit_to.code);
    *scale = factor;
    *offset = shift;
    return GB_OK;
}
