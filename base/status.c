#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"

/* Takes back a UTF-8 sequence that the end of the buffer has cut in two. */
static void cut_at_character(char *text, size_t size)
{
	size_t start = size;
	while (start > 0 && size - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start == 0)
		return;
	unsigned char lead = (unsigned char)text[start - 1];
	size_t wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
	if (wanted > 1 && size - (start - 1) < wanted)
		text[start - 1] = '\0';
}

/* Prints at `at` in a buffer of `room` bytes; returns the new end. What a peer or a file has sent
 * may be any bytes: a message is UTF-8 all the same. */
static size_t print_at(char *buffer, size_t room, size_t at, const char *format, va_list arguments)
{
	JV_ASSERT(at < room);
	int printed = vsnprintf(buffer + at, room - at, format, arguments);
	if (printed < 0) {
		buffer[at] = '\0';
		return at;
	}
	if ((size_t)printed >= room - at)
		cut_at_character(buffer, room - 1);
	jv_utf8_mend(buffer + at);
	return at + strlen(buffer + at);
}

struct jv_status jv_ok(void)
{
	/* Not the whole struct: half a kilobyte of zeroes a call would show in profiles. */
	struct jv_status status;
	status.code = JV_OK;
	status.field[0] = '\0';
	status.message[0] = '\0';
	return status;
}

struct jv_status jv_error(enum jv_code code, const char *format, ...)
{
	JV_ASSERT(code != JV_OK);
	struct jv_status status = jv_ok();
	status.code = code;
	va_list arguments;
	va_start(arguments, format);
	print_at(status.message, sizeof(status.message), 0, format, arguments);
	va_end(arguments);
	return status;
}

struct jv_status jv_field_error(enum jv_code code, const char *field, const char *format, ...)
{
	JV_ASSERT(code != JV_OK);
	struct jv_status status = jv_ok();
	status.code = code;
	size_t size = strnlen(field, sizeof(status.field));
	if (size == sizeof(status.field))
		size--;
	memcpy(status.field, field, size);
	status.field[size] = '\0';
	if (field[size] != '\0')
		cut_at_character(status.field, size);
	jv_utf8_mend(status.field);
	va_list arguments;
	va_start(arguments, format);
	print_at(status.message, sizeof(status.message), 0, format, arguments);
	va_end(arguments);
	return status;
}

struct jv_status jv_status_context(struct jv_status status, const char *format, ...)
{
	if (status.code == JV_OK)
		return status;
	struct jv_status result = status;
	va_list arguments;
	va_start(arguments, format);
	size_t end = print_at(result.message, sizeof(result.message), 0, format, arguments);
	va_end(arguments);
	int printed = snprintf(
		result.message + end, sizeof(result.message) - end, ": %s", status.message);
	if (printed >= 0 && (size_t)printed >= sizeof(result.message) - end)
		cut_at_character(result.message, sizeof(result.message) - 1);
	return result;
}

const char *jv_code_name(enum jv_code code)
{
	static const char *const names[] = {
		[JV_OK] = "OK",
		[JV_CANCELLED] = "CANCELLED",
		[JV_UNKNOWN] = "UNKNOWN",
		[JV_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
		[JV_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
		[JV_NOT_FOUND] = "NOT_FOUND",
		[JV_ALREADY_EXISTS] = "ALREADY_EXISTS",
		[JV_PERMISSION_DENIED] = "PERMISSION_DENIED",
		[JV_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
		[JV_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
		[JV_ABORTED] = "ABORTED",
		[JV_OUT_OF_RANGE] = "OUT_OF_RANGE",
		[JV_UNIMPLEMENTED] = "UNIMPLEMENTED",
		[JV_INTERNAL] = "INTERNAL",
		[JV_UNAVAILABLE] = "UNAVAILABLE",
		[JV_DATA_LOSS] = "DATA_LOSS",
		[JV_UNAUTHENTICATED] = "UNAUTHENTICATED",
	};
	size_t number = (size_t)code;
	return number < sizeof(names) / sizeof(names[0]) ? names[number] : "UNKNOWN";
}
