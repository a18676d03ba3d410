/* Private to ingest: units of measure. Texts are UCUM codes or the spellings that machines and
 * people use; conversions are affine. Every function may be called from any thread. */
#ifndef GENBA_INGEST_UNITS_H
#define GENBA_INGEST_UNITS_H

#include "genba/base.h"

#define GB_UNIT_TEXT_MAX 128
#define GB_UNIT_CODE_MAX 128

typedef struct gb_unit {
    char code[GB_UNIT_CODE_MAX];      /* UCUM: "Cel", "kgf/cm2", "MPa{gauge}" */
    char dimension[GB_UNIT_CODE_MAX]; /* "kg.m-1.s-2"; "1" for a pure number */
    const char *note; /* how a spelling with two meanings was read; a constant, NULL: one meaning */
} gb_unit;

/* Reads a unit. A text that is UCUM is its own code; "degC", "℃", "kgf/cm²", "N-m", "回/分" and
 * other spellings (units_spell.c, docs/units.md) get the code they stand for. "" is not a unit.
 * GB_ERR_PARSE says which part is not known. GB_ERR_UNSUPPORTED: udunits' database is missing. */
GB_MUST gb_status gb_unit_parse(const char *text, gb_unit *out);

/* value_to = value_from x scale + offset. GB_ERR_MISMATCH names both units and their dimensions
 * when no such law exists: different dimensions, gauge against absolute pressure, normal against
 * actual litres. Turns: a rate of turns (circ/min, rad/s) and a frequency (Hz, /min) convert by
 * 1 turn = 2 pi rad. */
GB_MUST gb_status gb_unit_convert(const char *from, const char *to, double *scale, double *offset);

#endif
