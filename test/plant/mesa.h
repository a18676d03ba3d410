/* Include once in a test program that draws pictures. Debian's OSMesa keeps a few hundred bytes of
 * each context that was destroyed (Mesa 22.3: OSMesaDestroyContext frees the context, not its
 * buffer); the leak checker is told, so that it goes on finding ours. */
#ifndef GENBA_TEST_MESA_H
#define GENBA_TEST_MESA_H

#include "genba/base.h"

GB_API const char *__lsan_default_suppressions(void); /* found by the checker at run time */
const char *__lsan_default_suppressions(void)
{
    return "leak:libOSMesa\n";
}

#endif
