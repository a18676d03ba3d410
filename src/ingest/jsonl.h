/* Private to ingest: lines of JSON and JSON documents that are in memory or open already. */
#ifndef GENBA_INGEST_JSONL_H
#define GENBA_INGEST_JSONL_H

#include "ingest/input.h"
#include "ingest/reader.h"

#include "base/json.h"

/* Lines of JSON by source->map. */
GB_MUST gb_status gb_jsonl_read(const gb_source *source, const gb_input *input);
/* The rows of a document by source->map, whose `episodes` leads to them. */
GB_MUST gb_status gb_json_read_rows(const gb_source *source, const json_t *root);

#endif
