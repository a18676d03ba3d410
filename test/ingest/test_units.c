/* Units: every code of UCUM's own list against its own definitions, what people write, laws between
 * units, and what is refused. */
#include "ingest/units.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_near(double found, double expected)
{
    if (fabs(found - expected) > 1e-12 * fmax(1, fabs(expected)))
        fail_msg("found %.17g, expected %.17g", found, expected);
}

/* ---- spellings --------------------------------------------------------------------------------
 */

typedef struct reading {
    const char *text, *code, *dimension;
    bool noted;
} reading;

static const reading readings[] = {
    {"Cel", "Cel", "K", false},
    {"[degF]", "[degF]", "K", false},
    {"kg/m3", "kg/m3", "kg.m-3", false},
    {"m.s-2", "m.s-2", "m.s-2", false},
    {"{px}", "{px}", "1", false},
    {"1", "1", "1", false},
    {"%", "%", "1", false},
    {"10*-3.m", "10*-3.m", "m", false},
    {"10^3", "10^3", "1", false},
    {"/min", "/min", "s-1", false},
    {"kg/(m.s2)", "kg/(m.s2)", "kg.m-1.s-2", false},
    {"degC", "Cel", "K", false},
    {"°C", "Cel", "K", false},
    {"℃", "Cel", "K", false},
    {"deg C", "Cel", "K", false},
    {"℉", "[degF]", "K", false},
    {"℃/min", "Cel/min", "s-1.K", false},
    {"kgf/cm2", "kgf/cm2", "kg.m-1.s-2", false},
    {"kgf/cm²", "kgf/cm2", "kg.m-1.s-2", false},
    {"kgf/cm^2", "kgf/cm2", "kg.m-1.s-2", false},
    {"kg/cm2", "kgf/cm2", "kg.m-1.s-2", true},
    {"kg/cm2G", "kgf/cm2{gauge}", "kg.m-1.s-2{gauge}", false},
    {"MPaG", "MPa{gauge}", "kg.m-1.s-2{gauge}", false},
    {"MPa(G)", "MPa{gauge}", "kg.m-1.s-2{gauge}", false},
    {"kPa abs", "kPa", "kg.m-1.s-2", false},
    {"mmH2O", "mm[H2O]", "kg.m-1.s-2", false},
    {"mmAq", "mm[H2O]", "kg.m-1.s-2", false},
    {"mmHg", "mm[Hg]", "kg.m-1.s-2", false},
    {"inHg", "[in_i'Hg]", "kg.m-1.s-2", false},
    {"psi", "[psi]", "kg.m-1.s-2", false},
    {"rpm", "circ/min", "s-1.rad", false},
    {"RPM", "circ/min", "s-1.rad", false},
    {"r/min", "circ/min", "s-1.rad", false},
    {"rpm/s", "(circ/min)/s", "s-2.rad", false},
    {"min-1", "min-1", "s-1", false},
    {"min⁻¹", "min-1", "s-1", false},
    {"L/min", "L/min", "m3.s-1", false},
    {"l/min", "l/min", "m3.s-1", false},
    {"ℓ/min", "l/min", "m3.s-1", false},
    {"Nl/min", "L{normal}/min", "m3.s-1{normal}", false},
    {"Nm3/h", "m3{normal}/h", "m3.s-1{normal}", true},
    {"m³/h", "m3/h", "m3.s-1", false},
    {"㎥/h", "m3/h", "m3.s-1", false},
    {"N·m", "N.m", "kg.m2.s-2", false},
    {"N-m", "N.m", "kg.m2.s-2", false},
    {"N m", "N.m", "kg.m2.s-2", false},
    {"Nm", "N.m", "kg.m2.s-2", false},
    {"N*m", "N.m", "kg.m2.s-2", false},
    {"N・m", "N.m", "kg.m2.s-2", false},
    {"kN·m", "kN.m", "kg.m2.s-2", false},
    {"Nm/deg", "(N.m)/deg", "kg.m2.s-2.rad-1", false},
    {"mm/s", "mm/s", "m.s-1", false},
    {"mm/s2", "mm/s2", "m.s-2", false},
    {"m/s**2", "m/s2", "m.s-2", false},
    {"gal", "Gal", "m.s-2", true},
    {"G", "[g]", "m.s-2", true},
    {"g", "g", "kg", false},
    {"oz", "[oz_av]", "kg", true},
    {"dB", "dB", "B", false},
    {"dBm", "dB{mW}", "B{mW}", false},
    {"Hz", "Hz", "s-1", false},
    {"kWh", "kW.h", "kg.m2.s-2", false},
    {"KWH", "kW.h", "kg.m2.s-2", false},
    {"VA", "V.A", "kg.m2.s-3", false},
    {"var", "V.A{reactive}", "kg.m2.s-3", false},
    {"ppm", "[ppm]", "1", false},
    {"%RH", "%{RH}", "1", false},
    {"pH", "[pH]", "[pH]", true},
    {"µm", "um", "m", false},
    {"μm", "um", "m", false},
    {"Ω", "Ohm", "kg.m2.s-3.A-2", false},
    {"kΩ", "kOhm", "kg.m2.s-3.A-2", false},
    {"ohm", "Ohm", "kg.m2.s-3.A-2", false},
    {"deg", "deg", "rad", false},
    {"°", "deg", "rad", false},
    {"rad/s", "rad/s", "s-1.rad", false},
    {"deg/s", "deg/s", "s-1.rad", false},
    {"°/sec", "deg/s", "s-1.rad", false},
    {"pcs", "{pcs}", "1", false},
    {"㎜", "mm", "m", false},
    {"㎏", "kg", "kg", false},
    {"㎝", "cm", "m", false},
    {"㎡", "m2", "m2", false},
    {"㏄", "cm3", "m3", false},
    {"ｍｍ", "mm", "m", false},
    {"ＭＰａ", "MPa", "kg.m-1.s-2", false},
    {"回/分", "{count}/min", "s-1", true},
    {"回転/分", "circ/min", "s-1.rad", false},
    {"度", "deg", "rad", true},
    {"個/時", "{count}/h", "s-1", false},
    {"in/s", "[in_i]/s", "m.s-1", false},
    {"lbf/in2", "[lbf_av]/[in_i]2", "kg.m-1.s-2", false},
    {"  mm  ", "mm", "m", false},
    {"m / s", "m/s", "m.s-1", false},
    {"ft", "[ft_i]", "m", true},
    {"PS", "75.m.kgf/s", "kg.m2.s-3", true},
    {"kpa", "kPa", "kg.m-1.s-2", false},
    {"-", "1", "1", false},
};

static void test_spellings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof readings / sizeof *readings; i++) {
        const reading *expected = &readings[i];
        gb_unit unit;
        if (gb_unit_parse(expected->text, &unit) != GB_OK)
            fail_msg("%s: %s", expected->text, gb_error_message());
        if (strcmp(unit.code, expected->code) != 0 ||
            strcmp(unit.dimension, expected->dimension) != 0 ||
            (unit.note != NULL) != expected->noted)
            fail_msg("%s: %s (%s) %s", expected->text, unit.code, unit.dimension,
                     unit.note ? unit.note : "without a note");
        /* the code is UCUM, and its own code but where a spelling has the better right to it */
        gb_unit again;
        assert_int_equal(gb_unit_parse(unit.code, &again), GB_OK);
        assert_string_equal(again.code, unit.code);
        assert_string_equal(again.dimension, unit.dimension);
        double scale, offset;
        assert_int_equal(gb_unit_convert(expected->text, unit.code, &scale, &offset), GB_OK);
        assert_near(scale, 1);
        assert_near(offset, 0);
    }
}

/* ---- laws -------------------------------------------------------------------------------------
 */

typedef struct law {
    const char *from, *to;
    double scale, offset;
} law;

static const law laws[] = {
    {"degF", "Cel", 5.0 / 9, -160.0 / 9},
    {"Cel", "K", 1, 273.15},
    {"K", "℃", 1, -273.15},
    {"℃", "degF", 1.8, 32},
    {"[degRe]", "Cel", 1.25, 0},
    {"℃/min", "K/s", 1.0 / 60, 0},
    {"℉/min", "K/min", 5.0 / 9, 0},
    {"mm", "m", 0.001, 0},
    {"bar", "kPa", 100, 0},
    {"kgf/cm2", "kPa", 98.0665, 0},
    {"kg/cm2", "MPa", 0.0980665, 0},
    {"mmH2O", "Pa", 9.80665, 0},
    {"MPaG", "kPaG", 1000, 0},
    {"rpm", "rad/s", 3.14159265358979323846 / 30, 0},
    {"rpm", "Hz", 1.0 / 60, 0},
    {"Hz", "rad/s", 6.283185307179586, 0},
    {"min-1", "rpm", 1, 0},
    {"deg/s", "rad/s", 3.14159265358979323846 / 180, 0},
    {"deg", "rad", 3.14159265358979323846 / 180, 0},
    {"km/h", "m/s", 1 / 3.6, 0},
    {"G", "m/s2", 9.80665, 0},
    {"gal", "G", 0.01 / 9.80665, 0},
    {"kWh", "MJ", 3.6, 0},
    {"L/min", "m3/h", 0.06, 0},
    {"Nl/min", "Nm3/h", 0.06, 0},
    {"ppm", "%", 1e-4, 0},
    {"dB", "B", 0.1, 0},
    {"in", "mm", 25.4, 0},
    {"hp", "W", 745.69987158227022, 0},
    {"PS", "W", 735.49875, 0},
    {"N·m", "J", 1, 0},
    {"Ah", "C", 3600, 0},
    {"lx", "lm/m2", 1, 0},
    {"mol", "mmol", 1000, 0},
    {"umol/min", "kat", 1e-6 / 60, 0},
    {"{px}", "1", 1, 0},
    {"kat", "U", 6e7, 0},
};

static void test_laws(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof laws / sizeof *laws; i++) {
        double scale, offset, back_scale, back_offset;
        if (gb_unit_convert(laws[i].from, laws[i].to, &scale, &offset) != GB_OK)
            fail_msg("%s", gb_error_message());
        assert_near(scale / laws[i].scale, 1);
        assert_near(offset, laws[i].offset);
        assert_int_equal(gb_unit_convert(laws[i].to, laws[i].from, &back_scale, &back_offset),
                         GB_OK);
        assert_near(back_scale * scale, 1);
        assert_near(back_scale * offset + back_offset, 0);
    }
}

/* ---- what is refused --------------------------------------------------------------------------
 */

static void test_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",      " ",     "m/",     "m..s", "furlongs", "(m",      "m)",      "{px",   "m}",
        "[foo]", "m-",    "10*999", "0.m",  "0.1.m",    "m/(s",    "kkg",     "m9999", "\xff",
        "rpm2",  "[in_i", "/",      ".",    "()",       "mm2 km3", "m{a{b}}", "B.[iU]"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        gb_unit unit = {.code = "untouched"};
        gb_status status = gb_unit_parse(wrong[i], &unit);
        if (strcmp(wrong[i], "mm2 km3") == 0) { /* a product, odd as it is */
            assert_int_equal(status, GB_OK);
            continue;
        }
        if (status != GB_ERR_PARSE)
            fail_msg("\"%s\": status %d, code %s", wrong[i], (int)status, unit.code);
        assert_string_equal(unit.code, "untouched");
    }
    char longest[4096], deep[64];
    memset(longest, 'm', sizeof longest);
    longest[sizeof longest - 1] = 0;
    memset(deep, '(', sizeof deep);
    deep[sizeof deep - 1] = 0;
    gb_unit unit;
    assert_int_equal(gb_unit_parse(longest, &unit), GB_ERR_PARSE);
    assert_int_equal(gb_unit_parse(deep, &unit), GB_ERR_PARSE);

    double scale = 7, offset = 7;
    assert_int_equal(gb_unit_convert("MPa", "Cel", &scale, &offset), GB_ERR_MISMATCH);
    assert_non_null(strstr(gb_error_message(), "MPa (kg.m-1.s-2)"));
    assert_non_null(strstr(gb_error_message(), "Cel (K)"));
    assert_int_equal(gb_unit_convert("MPaG", "MPa", &scale, &offset), GB_ERR_MISMATCH);
    assert_non_null(strstr(gb_error_message(), "{gauge}"));
    assert_int_equal(gb_unit_convert("Nl/min", "L/min", &scale, &offset), GB_ERR_MISMATCH);
    assert_int_equal(gb_unit_convert("rad", "1", &scale, &offset), GB_ERR_MISMATCH);
    assert_int_equal(gb_unit_convert("s", "Hz", &scale, &offset), GB_ERR_MISMATCH);
    assert_int_equal(gb_unit_convert("rad/s2", "Hz/s", &scale, &offset), GB_ERR_MISMATCH);
    assert_int_equal(gb_unit_convert("[pH]", "mol/L", &scale, &offset), GB_ERR_MISMATCH);
    assert_int_equal(gb_unit_convert("[iU]", "1", &scale, &offset), GB_ERR_MISMATCH);
    assert_int_equal(gb_unit_convert("dBm", "dB", &scale, &offset), GB_ERR_MISMATCH);
    assert_true(scale == 7 && offset == 7);
}

/* ---- UCUM's own list --------------------------------------------------------------------------
 */

/* Codes whose definition in the list is not what genba says, and why. */
static const struct {
    const char *code, *why;
} differing[] = {
    {"G", "read as standard gravity; gauss is Gauss"},
    {"mol", "UCUM counts particles; here the mole is a dimension"},
    {"pc", "UCUM has 7 digits, udunits 10"},
    {"ph", "UCUM prints 1e-4 lx where it is 1e4"},
};

static bool is_differing(const char *code)
{
    for (size_t i = 0; i < sizeof differing / sizeof *differing; i++)
        if (strcmp(code, differing[i].code) == 0)
            return true;
    return false;
}

/* The value of an attribute between `from` and `to`, entities undone. */
static bool attribute(const char *from, const char *to, const char *name, char out[128])
{
    char key[32];
    snprintf(key, sizeof key, " %s=\"", name);
    const char *at = strstr(from, key);
    if (!at || at >= to)
        return false;
    size_t used = 0;
    for (at += strlen(key); *at != '"' && used < 127; at++) {
        if (strncmp(at, "&#39;", 5) == 0 || strncmp(at, "&apos;", 6) == 0) {
            out[used++] = '\'';
            at = strchr(at, ';');
        } else {
            out[used++] = *at;
        }
    }
    out[used] = 0;
    return true;
}

/* A definition says: 1 code is value x unit. */
static bool agrees(const char *code, const char *value, const char *unit)
{
    double scale, offset;
    if (gb_unit_convert(code, unit, &scale, &offset) != GB_OK)
        return false;
    return fabs(scale / strtod(value, NULL) - 1) < 1e-9 && offset == 0;
}

static void test_ucum_list(void **state)
{
    (void)state;
    const char *folder = getenv("GENBA_DATA");
    if (!folder) {
        print_message("GENBA_DATA is unset: UCUM's list is not there\n");
        skip();
    }
    char path[4096];
    snprintf(path, sizeof path, "%s/ucum/ucum-essence.xml", folder);
    gb_arena *arena;
    char *text;
    size_t size;
    assert_int_equal(gb_arena_create(0, &arena), GB_OK);
    assert_int_equal(gb_file_read(path, 0, arena, &text, &size), GB_OK);
    int units = 0, parsed = 0, checked = 0, agreed = 0;
    for (const char *at = text; (at = strstr(at, "unit "));) {
        bool is_unit = at > text + 6 && (at[-1] == '<' || strncmp(at - 6, "<base-", 6) == 0);
        const char *from = at + 4;
        at += 5;
        char code[128], unit[128], value[128];
        const char *head_end = is_unit ? strchr(from, '>') : NULL;
        if (!head_end || !attribute(from, head_end, "Code", code))
            continue;
        units++;
        gb_unit found;
        bool good = gb_unit_parse(code, &found) == GB_OK;
        if (!good)
            print_message("not read: %s: %s\n", code, gb_error_message());
        parsed += good;
        const char *end = strstr(head_end, "</unit>");
        const char *definition = strstr(head_end, "<value ");
        if (!end || !definition || definition > end || strstr(definition, "<function ") != NULL)
            if (end && definition && definition < end && strstr(definition, "<function ") < end)
                continue; /* a temperature scale or a level: no factor in the list */
        if (at[-10] == 'b' || !end || !definition || definition > end ||
            !attribute(definition, end, "Unit", unit) ||
            !attribute(definition, end, "value", value))
            continue;
        char head[256];
        snprintf(head, sizeof head, "%.*s", (int)(head_end - from), from);
        if (strstr(head, "isArbitrary=\"yes\""))
            continue;
        checked++;
        bool same = agrees(code, value, unit);
        agreed += same;
        if (same == is_differing(code))
            fail_msg("%s = %s %s: %s", code, value, unit, same ? "agrees" : "differs");
    }
    print_message("UCUM: %d units, %d read; %d have a factor, %d agree with it\n", units, parsed,
                  checked, agreed);
    assert_true(units >= 300);
    assert_int_equal(parsed, units);
    assert_int_equal(checked - agreed, (int)(sizeof differing / sizeof *differing));
    gb_arena_destroy(arena);
}

/* ---- threads ----------------------------------------------------------------------------------
 */

static void *convert_often(void *argument)
{
    int *wrong = argument;
    for (int i = 0; i < 200; i++) {
        double scale, offset;
        const law *l = &laws[i % (int)(sizeof laws / sizeof *laws)];
        *wrong += gb_unit_convert(l->from, l->to, &scale, &offset) != GB_OK ||
                  fabs(scale / l->scale - 1) > 1e-12;
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    int wrong[4] = {0};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, convert_often, &wrong[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(wrong[i], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),   cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_laws),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_ucum_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
