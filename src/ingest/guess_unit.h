/* Private to ingest: the unit that a column's name carries. */
#ifndef GENBA_INGEST_GUESS_UNIT_H
#define GENBA_INGEST_GUESS_UNIT_H

#include "ingest/units.h"

#define GB_GUESS_UNIT_TEXT 64

typedef struct gb_guess_unit {
    char label[GB_UNIT_TEXT_MAX];     /* the name without the unit in brackets */
    char written[GB_GUESS_UNIT_TEXT]; /* the unit as it stands in the name; "" none */
    char code[GB_UNIT_CODE_MAX];      /* UCUM; "" not understood or none */
    const char *note;                 /* how a spelling with two meanings was read, or NULL */
} gb_guess_unit;

/* "Air temperature [K]", "流量(L/min)", "Pressure (kgf/cm2)", "temp_degC", "speed_rpm". */
void gb_guess_unit_of_name(const char *name, gb_guess_unit *out);
/* Is this text a unit? */
bool gb_guess_unit_known(const char *text);

#endif
