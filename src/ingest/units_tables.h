/* Private to ingest: the tables behind units.c. */
#ifndef GENBA_INGEST_UNITS_TABLES_H
#define GENBA_INGEST_UNITS_TABLES_H

#include "genba/base.h"

typedef struct gb_ucum_atom {
    const char *code;
    bool metric;            /* takes prefixes */
    const char *expression; /* what udunits calls it; NULL: a unit of its own */
} gb_ucum_atom;

typedef struct gb_ucum_prefix {
    const char *code;
    double factor;
} gb_ucum_prefix;

/* What people write, after gb_unit_fold, and the UCUM code it stands for. */
typedef struct gb_unit_spelling {
    const char *text, *code;
    const char *note; /* when it has another meaning too: how it is read here; else NULL */
} gb_unit_spelling;

/* A character and its plain letters. */
typedef struct gb_unit_folding {
    const char *text, *plain;
} gb_unit_folding;

#define GB_UCUM_ATOMS_MAX 400
extern const gb_ucum_atom gb_ucum_atoms[];
extern const int gb_ucum_atom_count;
extern const gb_ucum_prefix gb_ucum_prefixes[];
extern const int gb_ucum_prefix_count;
extern const gb_unit_spelling gb_unit_spellings[];
extern const int gb_unit_spelling_count;
extern const gb_unit_folding gb_unit_foldings[];
extern const int gb_unit_folding_count;

/* The row of a text [size], or NULL. any_case: letters match in either case, if one row only does.
 */
const gb_unit_spelling *gb_unit_spelling_find(const char *text, size_t size, bool any_case);

/* Writes text [size] in plain letters: fullwidth and compatibility characters (㎜, ㎥, ℃), raised
 * digits, the two mu, dots and minus signs. Blanks around operators go, others become '.'. false:
 * it does not fit in room. */
bool gb_unit_fold(const char *text, char *out, size_t room);

#endif
