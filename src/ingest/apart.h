/* Private to ingest: reading in a process of its own, for formats whose library can be crashed by a
 * file. What the reader hands to its sink there arrives at the source's sink here; when the process
 * dies, that is a status and not the end of the program. */
#ifndef GENBA_INGEST_APART_H
#define GENBA_INGEST_APART_H

#include "ingest/reader.h"

#define GB_APART_MEMORY_BYTES ((size_t)4 << 30) /* what the process may add to this one's */

/* Runs read(source) in a child. Report, rejects, drift and progress arrive here as if it had run
 * here. `library` is named when the child dies. */
GB_MUST gb_status gb_apart_read(const gb_source *source,
                                const char *library,
                                gb_status (*read)(const gb_source *source));

/* The same for a gb_reader.guess. */
GB_MUST gb_status gb_apart_guess(const char *path,
                                 const gb_ingest_options *options,
                                 gb_arena *arena,
                                 const char **out_yaml,
                                 const char *library,
                                 gb_status (*guess)(const char *path,
                                                    const gb_ingest_options *options,
                                                    gb_arena *arena,
                                                    const char **out_yaml));

#endif
