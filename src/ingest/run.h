/* Private to ingest: running a reader, with the filters that stand behind every reader. */
#ifndef GENBA_INGEST_RUN_H
#define GENBA_INGEST_RUN_H

#include "ingest/reader.h"

/* NULLs and zeros become the defaults. */
GB_MUST gb_status gb_ingest_settle(const gb_ingest_options *given, gb_ingest_options *out);

/* Reads one file: reader, cleaning, then source->sink. */
GB_MUST gb_status gb_ingest_run(const gb_source *source);

/* sum += one: counts, the first examples, the last file's layout; not the counts of a whole folder.
 */
void gb_ingest_report_add(gb_ingest_report *sum, const gb_ingest_report *one);

#endif
