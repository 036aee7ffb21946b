#include "testing/fuzz/fuzz.h"

#include <string.h>

#include "base/assert.h"

uint8_t fuzz_u8(struct fuzz_input *input)
{
	if (input->size == 0)
		return 0;
	input->size--;
	return *input->at++;
}

uint16_t fuzz_u16(struct fuzz_input *input)
{
	uint8_t low = fuzz_u8(input);

	return (uint16_t)(low | fuzz_u8(input) << 8);
}

struct jv_bytes fuzz_piece(struct fuzz_input *input)
{
	size_t size = fuzz_u16(input);
	struct jv_bytes piece = {input->at, size < input->size ? size : input->size};

	input->at += piece.size;
	input->size -= piece.size;
	return piece;
}

struct jv_bytes fuzz_rest(struct fuzz_input *input)
{
	struct jv_bytes rest = {input->at, input->size};

	input->at += input->size;
	input->size = 0;
	return rest;
}

void fuzz_check_status(const struct jv_status *status)
{
	if (jv_is_ok(status))
		return;
	JV_ASSERT(status->message[0] != '\0');
	JV_ASSERT(jv_utf8_valid(jv_bytes_of_text(status->message)));
}
