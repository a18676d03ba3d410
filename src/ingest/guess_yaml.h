/* Private to ingest: writing YAML that any text can go into. */
#ifndef GENBA_INGEST_GUESS_YAML_H
#define GENBA_INGEST_GUESS_YAML_H

#include "genba/base.h"

#include <stdio.h>

/* A text being written; memory, not a file. */
typedef struct gb_yaml_out {
    FILE *to;
    char *text;
    size_t size;
} gb_yaml_out;

GB_MUST gb_status gb_yaml_out_open(gb_yaml_out *out);
/* Copies what was written to the arena. Frees the rest, also on failure. */
GB_MUST gb_status gb_yaml_out_finish(gb_yaml_out *out, gb_arena *arena, const char **out_text);
void gb_yaml_out_drop(gb_yaml_out *out);

void gb_yaml_put(gb_yaml_out *out, const char *format, ...) GB_PRINTF(2, 3);
/* A scalar: as it is when YAML cannot take it for anything else, quoted otherwise. */
void gb_yaml_put_text(gb_yaml_out *out, const char *text, size_t size);
/* Inside a comment: what could end the line or is not printable becomes '?'. */
void gb_yaml_put_plain(gb_yaml_out *out, const char *text, size_t size);
/* 1234567 as 1,234,567 */
void gb_yaml_put_count(gb_yaml_out *out, int64_t count);
/* 0.1 s, 10 ms, 1 h, 1.5 d */
void gb_yaml_put_duration(gb_yaml_out *out, int64_t ns);

#endif
