/* store_text.h: how `genba store` writes what a store holds. Texts go into `text` and are returned.
 */
#ifndef GENBA_CLI_STORE_TEXT_H
#define GENBA_CLI_STORE_TEXT_H

#include "cli.h"

#include "genba/store.h"

#include <jansson.h>

const char *size_text(int64_t bytes, char *text, size_t size);
/* A date for stamps since 1970, seconds for clocks that began with the recording. */
const char *time_text(int64_t time_ns, char *text, size_t size);
/* Cut to `width` bytes with "..", never inside a character. */
const char *cut_text(const char *from, size_t width, char *text, size_t size);
const char *shape_text(const gb_stream_spec *spec, char *text, size_t size);

json_t *entry_json(const gb_store_entry *entry);
json_t *stream_json(const gb_store_stream *stream);
void print_json(json_t *value); /* and releases it */

#endif
