/* Private to record: one line of an audit log. */
#ifndef GENBA_RECORD_AUDIT_H
#define GENBA_RECORD_AUDIT_H

#include "genba/store.h"

#include <jansson.h>

#define GB_AUDIT_LINE_MAX (64 << 10) /* bytes of a line, its end included */

/* Lines that a stop in the middle of a write left unfinished, as the next whole line tells it. */
typedef struct gb_audit_torn {
    int64_t lines, bytes;
    unsigned char hash[GB_HASH_BYTES]; /* of their exact bytes, line ends between them included */
} gb_audit_torn;

typedef struct gb_audit_line {
    json_t *json; /* owned: json_decref */
    int64_t sequence;
    unsigned char before[GB_HASH_BYTES];
    gb_audit_torn torn; /* lines 0: none */
} gb_audit_line;

/* Reads one line without its end; false: it is no line of an audit log. */
bool gb_audit_line_parse(const char *text, size_t size, gb_audit_line *out);
/* Makes the text of a line, its end included; free() it. */
GB_MUST gb_status gb_audit_line_make(const gb_audit_head *before,
                                     const gb_audit_torn *torn,
                                     const char *action,
                                     const char *object,
                                     const char *details,
                                     char **out_text);

#endif
