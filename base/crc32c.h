/*
 * The two ways to compute CRC-32C, for jv_crc32c to choose from and for tests to compare.
 *
 * Any thread. Others use jv_crc32c of base/bytes.h. The value is the same on every machine.
 */
#ifndef JV_BASE_CRC32C_H
#define JV_BASE_CRC32C_H

#include "base/bytes.h"

/* Plain C, a small table. */
uint32_t jv_crc32c_portable(uint32_t start, struct jv_bytes bytes);
/* The instruction of SSE 4.2; to be called only if jv_crc32c_has_hardware says so. */
uint32_t jv_crc32c_hardware(uint32_t start, struct jv_bytes bytes);
bool jv_crc32c_has_hardware(void);

#endif
