#include "server/rpc/fields.h"

#include <stdbool.h>

enum part { FIELD, NAME_SIZE, NAME, VALUE_SIZE, VALUE, NUMBER };

#define SHIFT_MAX 28

static enum part behind(enum part part)
{
	return part == NAME ? VALUE_SIZE : FIELD;
}

/* A number came to its end. */
static void go_on(struct jv_grpc_fields *fields, enum part part)
{
	bool text = part == NAME || part == VALUE;

	fields->next = (uint8_t)(text && fields->left == 0 ? behind(part) : part);
}

/* The first byte of a number, in so many bits. */
static void begin_number(struct jv_grpc_fields *fields, uint8_t byte, unsigned bits, enum part then)
{
	uint32_t most = (1u << bits) - 1;

	fields->left = byte & most;
	fields->shift = 0;
	fields->then = (uint8_t)then;
	if (fields->left == most)
		fields->next = NUMBER;
	else
		go_on(fields, then);
}

static void take_number(struct jv_grpc_fields *fields, uint8_t byte)
{
	uint64_t value = fields->left;

	/* No text is so long: what comes is all of it. */
	if (fields->shift <= SHIFT_MAX)
		value += (uint64_t)(byte & 0x7f) << fields->shift;
	else if ((byte & 0x7f) != 0)
		value = UINT32_MAX;
	fields->left = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
	if (fields->shift <= SHIFT_MAX)
		fields->shift += 7;
	if ((byte & 0x80) == 0)
		go_on(fields, (enum part)fields->then);
}

static void begin_field(struct jv_grpc_fields *fields, uint8_t byte)
{
	unsigned bits = (byte & 0x40) != 0 ? 6 : 4;

	fields->count++;
	if ((byte & 0x80) != 0)
		begin_number(fields, byte, 7, FIELD);
	else if ((byte & 0xe0) == 0x20)
		/* A size of the table, which is work too. */
		begin_number(fields, byte, 5, FIELD);
	else if ((byte & ((1u << bits) - 1)) == 0)
		fields->next = NAME_SIZE;
	else
		begin_number(fields, byte, bits, VALUE_SIZE);
}

/* Of all but a text. */
static void take_byte(struct jv_grpc_fields *fields, uint8_t byte)
{
	if (fields->next == NUMBER)
		take_number(fields, byte);
	else if (fields->next == NAME_SIZE)
		begin_number(fields, byte, 7, NAME);
	else if (fields->next == VALUE_SIZE)
		begin_number(fields, byte, 7, VALUE);
	else
		begin_field(fields, byte);
}

void jv_grpc_fields_take(struct jv_grpc_fields *fields, const void *data, size_t size)
{
	const uint8_t *at = data;

	while (size > 0) {
		bool text = fields->next == NAME || fields->next == VALUE;
		size_t taken = !text ? 1 : fields->left < size ? fields->left : size;
		if (text) {
			fields->left -= (uint32_t)taken;
			go_on(fields, (enum part)fields->next);
		} else {
			take_byte(fields, *at);
		}
		at += taken;
		size -= taken;
	}
}
