/* What each atom of UCUM measures, asked of udunits' database once. Nothing of udunits is kept: its
 * library has one error state for all threads, so it is used under pthread_once and never again. */
#include "ingest/units_measure.h"

#include <pthread.h>
#include <string.h>
#include <udunits2.h>

static const char *const base_symbols[GB_MEASURE_BASES] = {GB_MEASURE_BASE_TEXTS};

static struct {
    gb_measure measures[GB_UCUM_ATOMS_MAX];
    int broken; /* the first atom that udunits did not understand, -1: none */
    bool no_database;
} atoms;

static ut_status visit_basic(const ut_unit *unit, void *arg)
{
    gb_measure *out = arg;
    const char *symbol = ut_get_symbol(unit, UT_ASCII);
    for (int i = 0; symbol && i < GB_MEASURE_BASES; i++) {
        if (strcmp(symbol, base_symbols[i]) == 0) {
            out->power[i] += 1;
            return UT_SUCCESS;
        }
    }
    return UT_VISIT_ERROR;
}

static ut_status visit_product(
    const ut_unit *unit, int count, const ut_unit *const *basics, const int *powers, void *arg)
{
    (void)unit;
    gb_measure *out = arg;
    for (int i = 0; i < count; i++) {
        gb_measure one = {0};
        if (visit_basic(basics[i], &one) != UT_SUCCESS)
            return UT_VISIT_ERROR;
        for (int b = 0; b < GB_MEASURE_BASES; b++)
            out->power[b] += one.power[b] * powers[i];
    }
    return UT_SUCCESS;
}

/* underlying = scale x (value + origin) */
static ut_status visit_galilean(
    const ut_unit *unit, double scale, const ut_unit *underlying, double origin, void *arg);

static ut_status
visit_timestamp(const ut_unit *unit, const ut_unit *underlying, double origin, void *arg)
{
    (void)unit, (void)underlying, (void)origin, (void)arg;
    return UT_VISIT_ERROR;
}

static ut_status
visit_logarithmic(const ut_unit *unit, double base, const ut_unit *reference, void *arg)
{
    (void)unit, (void)base, (void)reference, (void)arg;
    return UT_VISIT_ERROR;
}

static const ut_visitor visitor = {visit_basic, visit_product, visit_galilean, visit_timestamp,
                                   visit_logarithmic};

static ut_status visit_galilean(
    const ut_unit *unit, double scale, const ut_unit *underlying, double origin, void *arg)
{
    (void)unit;
    gb_measure *out = arg;
    ut_status status = ut_accept_visitor(underlying, &visitor, out);
    out->offset += out->scale * scale * origin;
    out->scale *= scale;
    return status;
}

static bool ask(ut_system *system, int atom)
{
    gb_measure *out = &atoms.measures[atom];
    *out = (gb_measure){.scale = 1};
    if (!gb_ucum_atoms[atom].expression) {
        out->own = atom + 1;
        out->own_power = 1;
        return true;
    }
    ut_unit *unit = ut_parse(system, gb_ucum_atoms[atom].expression, UT_ASCII);
    bool good = unit && ut_accept_visitor(unit, &visitor, out) == UT_SUCCESS;
    ut_free(unit);
    return good;
}

static void ask_all(void)
{
    ut_set_error_message_handler(ut_ignore); /* it prints otherwise */
    atoms.broken = -1;
    ut_system *system = ut_read_xml(NULL);
    atoms.no_database = !system;
    for (int i = 0; system && i < gb_ucum_atom_count; i++)
        if (!ask(system, i) && atoms.broken < 0)
            atoms.broken = i;
    ut_free_system(system);
}

gb_status gb_measures_get(const gb_measure **out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, ask_all);
    if (atoms.no_database)
        return gb_fail(GB_ERR_UNSUPPORTED,
                       "units: the udunits database was not found; install it with  apt install "
                       "libudunits2-data  or set UDUNITS2_XML_PATH to its udunits2.xml");
    if (atoms.broken >= 0)
        return gb_fail(GB_ERR_UNSUPPORTED,
                       "units: the udunits database at UDUNITS2_XML_PATH does not know \"%s\"; "
                       "expected the one of libudunits2-data 2.2",
                       gb_ucum_atoms[atoms.broken].expression);
    *out = atoms.measures;
    return GB_OK;
}
