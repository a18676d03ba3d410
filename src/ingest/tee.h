/* Private to ingest: a sink that hands everything to two others. */
#ifndef GENBA_INGEST_TEE_H
#define GENBA_INGEST_TEE_H

#include "genba/sink.h"

/* Both are borrowed and must outlive it. */
GB_MUST gb_status gb_tee_create(gb_sink *a, gb_sink *b, gb_sink **out);

#endif
