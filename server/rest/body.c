#include "server/rest/body.h"

#include "base/assert.h"

#define DIGITS_MAX     15
#define IDLE_BYTES_MAX 4096

void jv_body_init(struct jv_body *body, bool chunked, uint64_t length)
{
	*body = (struct jv_body){.left = length};
	body->state = chunked ? JV_BODY_SIZE : length > 0 ? JV_BODY_LENGTH : JV_BODY_DONE;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum jv_body_state take_size(struct jv_body *body, char c)
{
	int digit = digit_of(c);

	if (digit >= 0 && body->digits < DIGITS_MAX) {
		body->left = body->left * 16 + (uint64_t)digit;
		body->digits++;
		return JV_BODY_SIZE;
	}
	if (body->digits == 0 || digit >= 0)
		return JV_BODY_BAD;
	if (c == '\r')
		return JV_BODY_SIZE_END;
	return c == ';' || c == ' ' || c == '\t' ? JV_BODY_EXTENSION : JV_BODY_BAD;
}

/* A byte that means nothing, but may not come for ever. */
static enum jv_body_state take_idle(struct jv_body *body, char c, enum jv_body_state end)
{
	if (c == '\n' || c == '\0' || ++body->idle_bytes > IDLE_BYTES_MAX)
		return JV_BODY_BAD;
	return c == '\r' ? end : body->state;
}

/* One byte of framing. */
static enum jv_body_state take_byte(struct jv_body *body, char c)
{
	switch (body->state) {
	case JV_BODY_SIZE:
		return take_size(body, c);
	case JV_BODY_EXTENSION:
		return take_idle(body, c, JV_BODY_SIZE_END);
	case JV_BODY_SIZE_END:
		if (c != '\n')
			return JV_BODY_BAD;
		return body->left > 0 ? JV_BODY_CHUNK : JV_BODY_TRAILER_LINE;
	case JV_BODY_CHUNK_RETURN:
		return c == '\r' ? JV_BODY_CHUNK_END : JV_BODY_BAD;
	case JV_BODY_CHUNK_END:
		body->digits = 0;
		return c == '\n' ? JV_BODY_SIZE : JV_BODY_BAD;
	case JV_BODY_TRAILER_LINE:
		if (c == '\r')
			return JV_BODY_LAST_END;
		body->state = JV_BODY_TRAILER;
		return take_idle(body, c, JV_BODY_TRAILER_END);
	case JV_BODY_TRAILER:
		return take_idle(body, c, JV_BODY_TRAILER_END);
	case JV_BODY_TRAILER_END:
		return c == '\n' ? JV_BODY_TRAILER_LINE : JV_BODY_BAD;
	case JV_BODY_LAST_END:
		return c == '\n' ? JV_BODY_DONE : JV_BODY_BAD;
	case JV_BODY_LENGTH:
	case JV_BODY_CHUNK:
	case JV_BODY_DONE:
	case JV_BODY_BAD:
	default:
		JV_UNREACHABLE();
	}
}

static size_t take_content(struct jv_body *body, size_t size)
{
	size_t taken = body->left < size ? (size_t)body->left : size;

	body->left -= taken;
	if (body->left == 0)
		body->state = body->state == JV_BODY_LENGTH ? JV_BODY_DONE : JV_BODY_CHUNK_RETURN;
	return taken;
}

size_t jv_body_take(struct jv_body *body, const char *data, size_t size, const char **content,
	size_t *content_size)
{
	size_t at = 0;

	*content = NULL;
	*content_size = 0;
	while (at < size && body->state != JV_BODY_DONE && body->state != JV_BODY_BAD) {
		if (body->state == JV_BODY_LENGTH || body->state == JV_BODY_CHUNK) {
			*content = data + at;
			*content_size = take_content(body, size - at);
			return at + *content_size;
		}
		body->state = take_byte(body, data[at++]);
	}
	return at;
}
