/*
 * What all fuzz targets share: the entry point, and an input that is taken apart piece by piece.
 *
 * A target is one function, called with one input after another in one process: by libFuzzer
 * (--config=fuzz), or by replay.c, which runs the kept corpus and fixed mutations of it. It must
 * leave nothing behind and never end the process unless it has found something. Single-threaded.
 */
#ifndef JV_TESTING_FUZZ_FUZZ_H
#define JV_TESTING_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

/* The target; returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_input {
	const uint8_t *at;
	size_t size; /* bytes left */
};

/* The next byte; 0 at the end. */
uint8_t fuzz_u8(struct fuzz_input *input);
/* The next two bytes, little endian. */
uint16_t fuzz_u16(struct fuzz_input *input);
/* A piece with its length in two bytes in front, or what is left. */
struct jv_bytes fuzz_piece(struct fuzz_input *input);
/* All that is left. */
struct jv_bytes fuzz_rest(struct fuzz_input *input);

/* A refusal must say why, in valid UTF-8. */
void fuzz_check_status(const struct jv_status *status);

#endif
