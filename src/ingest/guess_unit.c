/* Units in column names: in brackets at the end, or behind the last underscore. What a spelling
 * means is units.h's to say; here is only where to look. */
#include "ingest/guess_unit.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- in brackets ------------------------------------------------------------------------------
 */

static const char *const brackets[][2] = {{"[", "]"},   {"(", ")"},   {"［", "］"}, {"（", "）"},
                                          {"【", "】"}, {"〔", "〕"}, {"<", ">"}};

/* The last place of `find` in the first `size` bytes, or NULL. */
static const char *find_last(const char *text, size_t size, const char *find)
{
    size_t length = strlen(find);
    for (size_t at = size; at-- > 0;)
        if (at + length <= size && memcmp(text + at, find, length) == 0)
            return text + at;
    return NULL;
}

static size_t without_blanks(const char *text, size_t size)
{
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
        size--;
    return size;
}

static void copy(char *out, size_t room, const char *text, size_t size)
{
    while (size > 0 && *text == ' ') {
        text++;
        size--;
    }
    size = without_blanks(text, size);
    if (size >= room)
        size = 0;
    memcpy(out, text, size);
    out[size] = 0;
}

/* Splits "label [unit]"; false when the name does not end in a bracket. */
static bool split_brackets(const char *name, gb_guess_unit *out)
{
    size_t size = without_blanks(name, strlen(name));
    for (size_t b = 0; b < sizeof brackets / sizeof *brackets; b++) {
        size_t open = strlen(brackets[b][0]), close = strlen(brackets[b][1]);
        if (size <= open + close || memcmp(name + size - close, brackets[b][1], close) != 0)
            continue;
        const char *begin = find_last(name, size - close, brackets[b][0]);
        if (!begin)
            continue;
        const char *inside = begin + open;
        copy(out->written, sizeof out->written, inside, (size_t)(name + size - close - inside));
        copy(out->label, sizeof out->label, name, (size_t)(begin - name));
        return out->written[0] != 0;
    }
    return false;
}

/* ---- behind an underscore ---------------------------------------------------------------------
 */

/* Endings that are units. One or two letters can be anything else as well ("phase_a", "flag_s"), so
 * those count only in names that speak of such a quantity. */
static const struct ending {
    const char *text, *unit, *quantities; /* quantities: words between blanks; NULL: any name */
    bool exact;                           /* upper and lower case matter */
} endings[] = {
    {"degc", "degC", NULL, false},
    {"celsius", "degC", NULL, false},
    {"degf", "degF", NULL, false},
    {"fahrenheit", "degF", NULL, false},
    {"kelvin", "K", NULL, false},
    {"rpm", "rpm", NULL, false},
    {"hz", "Hz", NULL, false},
    {"khz", "kHz", NULL, false},
    {"bar", "bar", NULL, false},
    {"mbar", "mbar", NULL, false},
    {"pa", "Pa", NULL, false},
    {"hpa", "hPa", NULL, false},
    {"kpa", "kPa", NULL, false},
    {"MPa", "MPa", NULL, true},
    {"mpa", "MPa", NULL, true},
    {"psi", "psi", NULL, false},
    {"rad", "rad", NULL, false},
    {"deg", "deg", NULL, false},
    {"percent", "%", NULL, false},
    {"pct", "%", NULL, false},
    {"ppm", "ppm", NULL, false},
    {"mm", "mm", NULL, false},
    {"cm", "cm", NULL, false},
    {"um", "um", NULL, false},
    {"km", "km", NULL, false},
    {"kg", "kg", NULL, false},
    {"kw", "kW", NULL, false},
    {"kwh", "kWh", NULL, false},
    {"kv", "kV", NULL, false},
    {"kn", "kN", NULL, false},
    {"ms", "ms", NULL, true},
    {"us", "us", NULL, true},
    {"ns", "ns", NULL, true},
    {"sec", "s", NULL, false},
    {"px", "{px}", NULL, true},
    {"mv", "mV", " volt voltage u signal ", false},
    {"ma", "mA", " current ampere i loop ", false},
    {"nm", "N.m", " torque moment tau effort ", false},
    {"c", "degC", " temp temperature t ", false},
    {"k", "K", " temp temperature t ", false},
    {"f", "degF", " temp temperature ", false},
    {"v", "V", " volt voltage u supply battery ", false},
    {"a", "A", " current ampere i amps ", false},
    {"w", "W", " power p watt ", false},
    {"n", "N", " force f load thrust ", false},
    {"m", "m", " position pos x y z height distance length depth range level altitude ", true},
    {"s", "s", " time t duration elapsed dt period ", true},
    {"h", "h", " time duration elapsed ", true},
    {"l", "L", " volume ", false},
    {"g", "[g]", " acc accel acceleration vibration ", false},
};

/* Is one of the words of a name (between anything but letters) among those of the list? */
static bool speaks_of(const char *name, size_t size, const char *quantities)
{
    char word[34];
    for (size_t at = 0, used = 0; at <= size; at++) {
        char c = at < size ? name[at] : ' ';
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (letter && used < 30) {
            word[++used] = c >= 'a' ? c : (char)(c - 'A' + 'a');
            continue;
        }
        word[0] = ' ';
        word[used + 1] = ' ';
        word[used + 2] = 0;
        if (used > 0 && strstr(quantities, word))
            return true;
        used = 0;
    }
    return false;
}

static const char *unit_of_ending(const char *name)
{
    const char *last = strrchr(name, '_');
    if (!last || last == name)
        return NULL;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const struct ending *e = &endings[i];
        if ((e->exact ? strcmp : strcasecmp)(last + 1, e->text) != 0)
            continue;
        if (!e->quantities || speaks_of(name, (size_t)(last - name), e->quantities))
            return e->unit;
    }
    return NULL;
}

/* ---- both -------------------------------------------------------------------------------------
 */

/* Numbers are units for arithmetic, but in a name they are numbers. */
static bool parse(const char *text, gb_unit *unit)
{
    if (strspn(text, "0123456789.,+-eE") == strlen(text) && strlen(text) > 1)
        return false;
    if (*text >= '2' && *text <= '9' && !text[1])
        return false;
    if (strcmp(text, "-") == 0 || strcmp(text, "–") == 0 || strcmp(text, "無次元") == 0)
        text = "1"; /* no unit */
    return gb_unit_parse(text, unit) == GB_OK;
}

bool gb_guess_unit_known(const char *text)
{
    gb_unit unit;
    return parse(text, &unit);
}

void gb_guess_unit_of_name(const char *name, gb_guess_unit *out)
{
    gb_unit unit;
    gb_guess_unit guess = {.note = NULL};
    bool bracketed = split_brackets(name, &guess);
    const char *ending = bracketed ? NULL : unit_of_ending(name);
    if (ending)
        snprintf(guess.written, sizeof guess.written, "%s", ending);
    if (guess.written[0] && parse(guess.written, &unit)) {
        memcpy(guess.code, unit.code, sizeof guess.code);
        guess.note = unit.note;
    }
    /* brackets that hold no unit are part of the name */
    if (!bracketed || guess.code[0] == 0 || guess.label[0] == 0)
        snprintf(guess.label, sizeof guess.label, "%s", name);
    *out = guess;
}
