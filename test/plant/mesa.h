/* Include once in a test program that draws pictures. Debian's OSMesa keeps a few hundred bytes of
 * each context that was destroyed (Mesa 22.3: OSMesaDestroyContext frees the context, not its
 * buffer), and locks among its own threads in ways that the thread sanitizer, which does not see
 * its atomics, takes for races; both are told, so that they go on finding ours. */
#ifndef GENBA_TEST_MESA_H
#define GENBA_TEST_MESA_H

#include "genba/base.h"

GB_API const char *__lsan_default_suppressions(void); /* found by the checker at run time */
const char *__lsan_default_suppressions(void)
{
    return "leak:libOSMesa\n";
}

GB_API const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:libOSMesa\ncalled_from_lib:libOSMesa\n";
}

#endif
