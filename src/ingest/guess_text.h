/* Private to ingest: YAML text that grows, for maps written by guesses. Failures are remembered and
 * said once, by gb_guess_done. */
#ifndef GENBA_INGEST_GUESS_TEXT_H
#define GENBA_INGEST_GUESS_TEXT_H

#include "genba/base.h"

typedef struct gb_guess_text {
    gb_arena *arena; /* set; everything else starts as 0 */
    char *text;
    size_t used, room;
    bool failed;
} gb_guess_text;

void gb_guess_add(gb_guess_text *text, const char *format, ...) GB_PRINTF(2, 3);
/* As a YAML scalar: plain where that is safe, else in double quotes with escapes. */
void gb_guess_add_quoted(gb_guess_text *text, const char *value);
/* The beginning every map shares: name (of the file), reader, files (all of its ending). */
void gb_guess_add_head(gb_guess_text *text, const char *path, const char *reader);
/* The text, or NULL when the arena was full. */
const char *gb_guess_done(gb_guess_text *text);

#endif
