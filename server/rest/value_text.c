#include "server/rest/value_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What no number looks like. */
static const char no_number[] = "?";

static bool is_integer(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return true;
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_DOUBLE:
	case PROTOBUF_C_TYPE_BOOL:
	case PROTOBUF_C_TYPE_ENUM:
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_MESSAGE:
	default:
		return false;
	}
}

/* The base that the digits say, stepping over what says it. */
static unsigned take_base(const char **digits)
{
	const char *at = *digits;

	if (at[0] != '0' || at[1] == '\0')
		return 10;
	*digits += 2;
	if (at[1] == 'x' || at[1] == 'X')
		return 16;
	if (at[1] == 'b' || at[1] == 'B')
		return 2;
	if (at[1] == 'o' || at[1] == 'O')
		return 8;
	*digits -= 1;
	return 8;
}

static unsigned digit_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return (unsigned)(digit - '0');
	if (digit >= 'a' && digit <= 'f')
		return (unsigned)(digit - 'a') + 10;
	if (digit >= 'A' && digit <= 'F')
		return (unsigned)(digit - 'A') + 10;
	return 99;
}

/* Digits with single underscores between them, or between them and the prefix. */
static bool parse_digits(const char *at, unsigned base, bool prefixed, uint64_t *number)
{
	bool after_digit = prefixed;

	*number = 0;
	if (*at == '\0')
		return false;
	for (; *at != '\0'; at++) {
		unsigned digit = digit_value(*at);
		if (*at == '_' && after_digit && at[1] != '\0') {
			after_digit = false;
			continue;
		}
		if (digit >= base || __builtin_mul_overflow(*number, (uint64_t)base, number) ||
			__builtin_add_overflow(*number, (uint64_t)digit, number))
			return false;
		after_digit = true;
	}
	return after_digit;
}

static const char *integer_text(const char *text, struct jv_arena *arena)
{
	bool negative = text[0] == '-';
	const char *digits = text + (negative || text[0] == '+' ? 1 : 0);
	const char *start = digits;
	unsigned base = take_base(&digits);
	uint64_t number;

	/* By far the most are plain; those too large for 64 bits are refused later, as such. */
	if (base == 10 && strchr(digits, '_') == NULL)
		return text;
	if (!parse_digits(digits, base, digits != start, &number))
		return no_number;
	return jv_arena_printf(arena, "%s%" PRIu64, negative ? "-" : "", number);
}

static const char *special_text(const char *text)
{
	bool negative = text[0] == '-';
	const char *name = text + (negative || text[0] == '+' ? 1 : 0);

	if (strcasecmp(name, "inf") == 0 || strcasecmp(name, "infinity") == 0)
		return negative ? "-Infinity" : "Infinity";
	if (strcasecmp(text, "nan") == 0)
		return "NaN";
	return NULL;
}

static bool is_hexadecimal(const char *text)
{
	text += text[0] == '-' || text[0] == '+' ? 1 : 0;
	return text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
}

/* With a digit on both sides of the point. */
static const char *pointed_text(const char *text, const char *point, struct jv_arena *arena)
{
	bool before = point > text && digit_value(point[-1]) < 10;
	bool after = digit_value(point[1]) < 10;

	if (before == after)
		return text;
	return jv_arena_printf(arena, "%.*s%s.%s%s", (int)(point - text), text, before ? "" : "0",
		after ? "" : "0", point + 1);
}

static const char *floating_text(const char *text, struct jv_arena *arena)
{
	const char *special = special_text(text);
	const char *point = strchr(text, '.');
	char *end;
	double number;

	if (special != NULL)
		return special;
	if (!is_hexadecimal(text))
		return point == NULL ? text : pointed_text(text, point, arena);
	/* Go wants the exponent. */
	if (strpbrk(text, "pP") == NULL)
		return no_number;
	number = strtod(text, &end);
	return *end == '\0' ? jv_arena_printf(arena, "%.17g", number) : no_number;
}

/* Nanoseconds in a unit of Go's durations; 0 for none. */
static int64_t take_unit(const char **at)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {
		{"ns", 1},
		{"us", 1000},
		{"\xc2\xb5s", 1000},
		{"\xce\xbcs", 1000},
		{"ms", 1000000},
		{"s", 1000000000},
		{"m", INT64_C(60000000000)},
		{"h", INT64_C(3600000000000)},
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t size = strlen(units[i].name);
		if (strncmp(*at, units[i].name, size) == 0) {
			*at += size;
			return units[i].ns;
		}
	}
	return 0;
}

/* A number with its unit, such as 1.5h, added in nanoseconds. */
static bool take_part(const char **at, int64_t *total)
{
	const char *digits = *at;
	size_t whole = strspn(digits, "0123456789");
	size_t fraction = digits[whole] == '.' ? strspn(digits + whole + 1, "0123456789") : 0;
	int64_t unit, ns = 0;

	if (whole + fraction == 0)
		return false;
	*at += whole + (digits[whole] == '.' ? 1 + fraction : 0);
	unit = take_unit(at);
	if (unit == 0)
		return false;
	for (size_t i = 0; i < whole; i++)
		if (__builtin_mul_overflow(ns, 10, &ns) ||
			__builtin_add_overflow(ns, digits[i] - '0', &ns))
			return false;
	if (__builtin_mul_overflow(ns, unit, &ns))
		return false;
	for (size_t i = 0; i < fraction && unit > 1; i++) {
		unit /= 10;
		if (__builtin_add_overflow(ns, unit * (digits[whole + 1 + i] - '0'), &ns))
			return false;
	}
	return !__builtin_add_overflow(*total, ns, total);
}

static const char *duration_text(const char *text, struct jv_arena *arena)
{
	bool negative = text[0] == '-';
	const char *at = text + (negative || text[0] == '+' ? 1 : 0);
	int64_t total = 0;

	/* JSON's own form, which reaches further than Go's. */
	if (at[strspn(at, "0123456789.")] == 's' && at == text + (negative ? 1 : 0))
		return text;
	if (strcmp(at, "0") == 0)
		return "0s";
	do
		if (!take_part(&at, &total))
			return text;
	while (*at != '\0');
	return jv_arena_printf(arena, "%s%" PRId64 ".%09" PRId64 "s", negative ? "-" : "",
		total / 1000000000, total % 1000000000);
}

const char *jv_value_text(const ProtobufCFieldDescriptor *field, bool any_base, const char *text,
	struct jv_arena *arena)
{
	if (is_integer(field->type))
		return any_base ? integer_text(text, arena) : text;
	if (field->type == PROTOBUF_C_TYPE_FLOAT || field->type == PROTOBUF_C_TYPE_DOUBLE)
		return floating_text(text, arena);
	if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
		const ProtobufCMessageDescriptor *type = field->descriptor;
		if (strcmp(type->name, "google.protobuf.Duration") == 0)
			return duration_text(text, arena);
		if (strcmp(type->name, "google.protobuf.DoubleValue") == 0 ||
			strcmp(type->name, "google.protobuf.FloatValue") == 0)
			return floating_text(text, arena);
	}
	return text;
}
