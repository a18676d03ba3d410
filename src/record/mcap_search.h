/* mcap_search.h: telling records of an MCAP file from other bytes, where the chain of records is
 * broken or ends. */
#ifndef GENBA_RECORD_MCAP_SEARCH_H
#define GENBA_RECORD_MCAP_SEARCH_H

#include "record/mcap_format.h"

/* Whether a record begins at `at`, ends inside the file and has fields that fit its length. A
 * chunk whose record is longer than its fields say ends where those end. */
bool gb_mcap_plausible(gb_bytes_in *in, uint64_t at, gb_mcap_record *out);
/* Whether a record may end at `end`: another one follows, or the file is over or cut there. */
bool gb_mcap_followed(gb_bytes_in *in, uint64_t end);
/* Whether a chunk begins at `at` that the end of the file cuts off; *out: its fields. */
bool gb_mcap_cut_chunk(gb_bytes_in *in, uint64_t at, gb_mcap_chunk *out);
/* The first place from `from` on where a chunk begins, or, when `loose`, a run of records that
 * stand outside chunks; in->size when there is none. */
uint64_t gb_mcap_search(gb_bytes_in *in, uint64_t from, bool loose);

#endif
