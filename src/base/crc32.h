/* crc32.h: the CRC-32 of zlib, PNG and MCAP (polynomial 0x04c11db7, reflected, inverted at both
 * ends). Thread-safe. */
#ifndef GENBA_BASE_CRC32_H
#define GENBA_BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 at the start) over `size` more bytes. */
uint32_t gb_crc32(uint32_t crc, const void *data, size_t size);
/* The same without instructions that a machine may lack; what the fast way is tested against. */
uint32_t gb_crc32_portable(uint32_t crc, const void *data, size_t size);

#endif
