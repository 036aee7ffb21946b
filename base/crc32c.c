#include "base/crc32c.h"

#include <string.h>

#include "base/assert.h"

/* The remainders of the 16 half-bytes by the reflected polynomial 0x82f63b78. */
static const uint32_t remainders[16] = {
	0x00000000,
	0x105ec76f,
	0x20bd8ede,
	0x30e349b1,
	0x417b1dbc,
	0x5125dad3,
	0x61c69362,
	0x7198540d,
	0x82f63b78,
	0x92a8fc17,
	0xa24bb5a6,
	0xb21572c9,
	0xc38d26c4,
	0xd3d3e1ab,
	0xe330a81a,
	0xf36e6f75,
};

uint32_t jv_crc32c_portable(uint32_t start, struct jv_bytes bytes)
{
	uint32_t crc = ~start;
	for (size_t i = 0; i < bytes.size; i++) {
		crc ^= bytes.data[i];
		crc = crc >> 4 ^ remainders[crc & 15];
		crc = crc >> 4 ^ remainders[crc & 15];
	}
	return ~crc;
}

#if defined(__x86_64__)

bool jv_crc32c_has_hardware(void)
{
	return __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) uint32_t jv_crc32c_hardware(uint32_t start, struct jv_bytes bytes)
{
	uint64_t crc = ~start;
	size_t i = 0;
	uint64_t word;
	for (; bytes.size - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, bytes.data + i, sizeof(word));
		crc = __builtin_ia32_crc32di(crc, word);
	}
	uint32_t rest = (uint32_t)crc;
	for (; i < bytes.size; i++)
		rest = __builtin_ia32_crc32qi(rest, bytes.data[i]);
	return ~rest;
}

#else

bool jv_crc32c_has_hardware(void)
{
	return false;
}

uint32_t jv_crc32c_hardware(uint32_t start, struct jv_bytes bytes)
{
	(void)start;
	(void)bytes;
	JV_UNREACHABLE();
}

#endif

uint32_t jv_crc32c(uint32_t start, struct jv_bytes bytes)
{
	if (jv_crc32c_has_hardware())
		return jv_crc32c_hardware(start, bytes);
	return jv_crc32c_portable(start, bytes);
}
