/* Finds a spelling's row and writes a unit's text in plain letters. The rows are in units_words.c,
 * what a unit is in units.c. */
#include "ingest/units_tables.h"

#include <string.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

static bool same(const char *row, const char *text, size_t size, bool any_case)
{
    if (strlen(row) != size)
        return false;
    for (size_t i = 0; i < size; i++)
        if (row[i] != text[i] && !(any_case && lower(row[i]) == lower(text[i])))
            return false;
    return true;
}

const gb_unit_spelling *gb_unit_spelling_find(const char *text, size_t size, bool any_case)
{
    const gb_unit_spelling *found = NULL;
    for (int i = 0; i < gb_unit_spelling_count; i++) {
        if (!same(gb_unit_spellings[i].text, text, size, any_case))
            continue;
        if (found && strcmp(found->code, gb_unit_spellings[i].code) != 0)
            return NULL; /* kW or KW is one thing, mW and MW are two */
        found = &gb_unit_spellings[i];
        if (!any_case)
            break;
    }
    return found;
}

/* ---- plain letters ----------------------------------------------------------------------------
 */

/* The plain form of the character at text, and its bytes; NULL: it stays as it is. */
static const char *plain_of(const char *text, size_t *out_bytes)
{
    for (int i = 0; i < gb_unit_folding_count; i++) {
        size_t size = strlen(gb_unit_foldings[i].text);
        if (strncmp(text, gb_unit_foldings[i].text, size) == 0) {
            *out_bytes = size;
            return gb_unit_foldings[i].plain;
        }
    }
    return NULL;
}

/* Fullwidth forms U+FF01..U+FF5E are EF BC 81..BF and EF BD 80..9E; 0 when it is none. */
static char narrow_of(const char *text)
{
    const unsigned char *byte = (const unsigned char *)text;
    if (byte[0] != 0xEF || (byte[1] != 0xBC && byte[1] != 0xBD) || (byte[2] & 0xC0) != 0x80)
        return 0;
    unsigned int code = (unsigned int)(byte[1] & 3) << 6 | (byte[2] & 0x3F);
    return code >= 1 && code <= 0x5E ? (char)(code + 0x20) : 0;
}

static bool letters(const char *text, char *out, size_t room)
{
    size_t used = 0;
    while (*text) {
        size_t bytes = 1;
        char one[2] = {narrow_of(text), 0};
        const char *plain = plain_of(text, &bytes);
        if (one[0]) {
            plain = one;
            bytes = 3;
        } else if (!plain) {
            one[0] = *text == '\t' ? ' ' : *text;
            plain = one;
        }
        size_t size = strlen(plain);
        if (used + size + 1 > room)
            return false;
        memcpy(out + used, plain, size);
        used += size;
        text += bytes;
    }
    out[used] = 0;
    return true;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Is the mark at text[at] the power sign of UCUM's 10*3 and 10^3? */
static bool is_power_of_ten(const char *text, size_t at)
{
    char next = text[at + 1];
    return at >= 2 && text[at - 1] == '0' && text[at - 2] == '1' &&
           !(at >= 3 && is_digit(text[at - 3])) &&
           (is_digit(next) || !next || strchr("+-./)", next));
}

/* N*m, N-m and N m are N.m; m^2 and m**2 are m2. In place: nothing grows. Braces and brackets are
 * left alone. */
static void operators(char *text)
{
    size_t used = 0, depth = 0;
    for (size_t i = 0; text[i]; i++) {
        char c = text[i], before = used ? text[used - 1] : 0, next = text[i + 1];
        depth += c == '{' || c == '[';
        depth -= (c == '}' || c == ']') && depth > 0;
        if (depth == 0) {
            if ((c == '^' || c == '*') && is_power_of_ten(text, i))
                ;
            else if (c == '^')
                continue;
            else if (c == '*' && next == '*') {
                i++;
                continue;
            } else if (c == '*')
                c = '.';
            else if (c == '-' && is_letter(before) && is_letter(next))
                c = '.';
            else if (c == ' ') {
                if (!before || strchr("./( ", before) || !next || strchr("./) *", next))
                    continue;
                c = '.';
            }
        }
        text[used++] = c;
    }
    text[used] = 0;
}

bool gb_unit_fold(const char *text, char *out, size_t room)
{
    while (*text == ' ' || *text == '\t')
        text++;
    if (!letters(text, out, room))
        return false;
    size_t size = strlen(out);
    while (size > 0 && out[size - 1] == ' ')
        out[--size] = 0;
    operators(out);
    return true;
}
