#include "proto/wire/number.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

/* Exponents are cut here: far beyond every range, far from overflow. */
#define EXPONENT_MAX 100000000

/* Of UINT64_MAX. */
#define DIGITS_MAX 20

/* What is long goes to the heap. */
#define TEXT_MAX 128

static bool is_digit(uint8_t byte)
{
	return byte >= '0' && byte <= '9';
}

static size_t digits_from(struct jv_bytes text, size_t at)
{
	while (at < text.size && is_digit(text.data[at]))
		at++;
	return at;
}

/* Past the exponent if there is one at `at`, or 0 if it is malformed. */
static size_t exponent_from(struct jv_bytes text, size_t at)
{
	if (at == text.size || (text.data[at] | 0x20) != 'e')
		return at;
	at++;
	if (at < text.size && (text.data[at] == '+' || text.data[at] == '-'))
		at++;
	size_t end = digits_from(text, at);
	return end > at ? end : 0;
}

size_t jv_number_size(struct jv_bytes text)
{
	size_t start = text.size > 0 && text.data[0] == '-' ? 1 : 0;
	size_t at = digits_from(text, start);
	if (at == start || (text.data[start] == '0' && at > start + 1))
		return 0;
	if (at < text.size && text.data[at] == '.') {
		size_t fraction = at + 1;
		at = digits_from(text, fraction);
		if (at == fraction)
			return 0;
	}
	return exponent_from(text, at);
}

/* A number as sign, digits and the power of ten behind the last of them. */
struct decimal {
	bool negative;
	const uint8_t *digits; /* may hold one point among them */
	size_t size;
	int64_t exponent;
};

static int64_t read_exponent(const uint8_t *at, const uint8_t *end)
{
	bool negative = *at == '-';
	if (*at == '-' || *at == '+')
		at++;
	int64_t value = 0;
	for (; at < end && value < EXPONENT_MAX; at++)
		value = value * 10 + (*at - '0');
	return negative ? -value : value;
}

/* Takes the number apart and drops zeroes at its end, so that the exponent tells if it is whole. */
static struct decimal take_apart(struct jv_bytes text)
{
	struct decimal decimal = {.negative = text.data[0] == '-'};
	decimal.digits = text.data + decimal.negative;
	const uint8_t *end = text.data + text.size;
	const uint8_t *at = decimal.digits;
	const uint8_t *point = NULL;
	for (; at < end && (*at | 0x20) != 'e'; at++) {
		if (*at == '.')
			point = at;
	}
	if (at < end)
		decimal.exponent = read_exponent(at + 1, end);
	decimal.size = (size_t)(at - decimal.digits);
	if (point != NULL)
		decimal.exponent -= at - point - 1;
	while (decimal.size > 0) {
		uint8_t last = decimal.digits[decimal.size - 1];
		if (last != '0' && last != '.')
			break;
		decimal.exponent += last == '0';
		decimal.size--;
	}
	return decimal;
}

static bool append_digit(uint64_t *value, unsigned digit)
{
	return !__builtin_mul_overflow(*value, 10, value) &&
		!__builtin_add_overflow(*value, digit, value);
}

static enum jv_number_result magnitude(const struct decimal *decimal, uint64_t *value)
{
	*value = 0;
	if (decimal->size == 0)
		return JV_NUMBER_OK;
	if (decimal->exponent < 0)
		return JV_NUMBER_FRACTIONAL;
	for (size_t i = 0; i < decimal->size; i++) {
		uint8_t digit = decimal->digits[i];
		if (digit != '.' && !append_digit(value, digit - '0'))
			return JV_NUMBER_RANGE;
	}
	for (int64_t i = 0; i < decimal->exponent; i++) {
		if (!append_digit(value, 0))
			return JV_NUMBER_RANGE;
	}
	return JV_NUMBER_OK;
}

static enum jv_number_result parse_integer(struct jv_bytes text, bool *negative, uint64_t *value)
{
	if (text.size == 0 || jv_number_size(text) != text.size)
		return JV_NUMBER_MALFORMED;
	struct decimal decimal = take_apart(text);
	*negative = decimal.negative;
	return magnitude(&decimal, value);
}

enum jv_number_result jv_number_signed(
	struct jv_bytes text, int64_t minimum, int64_t maximum, int64_t *value)
{
	bool negative;
	uint64_t size;
	enum jv_number_result result = parse_integer(text, &negative, &size);
	if (result != JV_NUMBER_OK)
		return result;
	if (size > (uint64_t)INT64_MAX + negative)
		return JV_NUMBER_RANGE;
	*value = negative ? (int64_t)(0 - size) : (int64_t)size;
	return *value >= minimum && *value <= maximum ? JV_NUMBER_OK : JV_NUMBER_RANGE;
}

enum jv_number_result jv_number_unsigned(struct jv_bytes text, uint64_t maximum, uint64_t *value)
{
	bool negative;
	enum jv_number_result result = parse_integer(text, &negative, value);
	if (result != JV_NUMBER_OK)
		return result;
	return *value <= maximum && (!negative || *value == 0) ? JV_NUMBER_OK : JV_NUMBER_RANGE;
}

/* strtod and strtof want a NUL behind the text. */
static const char *terminate(struct jv_bytes text, char small[TEXT_MAX])
{
	char *copy = text.size < TEXT_MAX ? small : jv_malloc(text.size + 1);
	memcpy(copy, text.data, text.size);
	copy[text.size] = '\0';
	return copy;
}

static void release(const char *copy, const char small[TEXT_MAX])
{
	if (copy != small)
		free((void *)(uintptr_t)copy);
}

enum jv_number_result jv_number_double(struct jv_bytes text, double *value)
{
	if (text.size == 0 || jv_number_size(text) != text.size)
		return JV_NUMBER_MALFORMED;
	char small[TEXT_MAX];
	const char *copy = terminate(text, small);
	*value = strtod(copy, NULL);
	release(copy, small);
	return isfinite(*value) ? JV_NUMBER_OK : JV_NUMBER_RANGE;
}

enum jv_number_result jv_number_float(struct jv_bytes text, float *value)
{
	if (text.size == 0 || jv_number_size(text) != text.size)
		return JV_NUMBER_MALFORMED;
	char small[TEXT_MAX];
	const char *copy = terminate(text, small);
	*value = strtof(copy, NULL);
	release(copy, small);
	return isfinite(*value) ? JV_NUMBER_OK : JV_NUMBER_RANGE;
}

void jv_number_print_unsigned(uint64_t value, struct jv_buffer *out)
{
	uint8_t digits[DIGITS_MAX];
	size_t at = sizeof(digits);
	do {
		digits[--at] = (uint8_t)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	jv_buffer_append(out, digits + at, sizeof(digits) - at);
}

void jv_number_print_signed(int64_t value, struct jv_buffer *out)
{
	if (value < 0)
		jv_buffer_append_byte(out, '-');
	jv_number_print_unsigned(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, out);
}

/* Prints digits and their exponent (d.ddde±x) as ECMAScript does: plain between 1e-6 and 1e21. */
static void print_digits(const char *scientific, struct jv_buffer *out)
{
	char digits[32];
	size_t count = 0;
	const char *at = scientific;
	if (*at == '-')
		jv_buffer_append_byte(out, (uint8_t)*at++);
	for (; *at != 'e'; at++) {
		if (*at != '.')
			digits[count++] = *at;
	}
	while (count > 1 && digits[count - 1] == '0')
		count--;
	int exponent = (int)strtol(at + 1, NULL, 10);
	if (exponent < -6 || exponent >= 21) {
		jv_buffer_append(out, digits, 1);
		if (count > 1)
			jv_buffer_printf(out, ".%.*s", (int)count - 1, digits + 1);
		jv_buffer_printf(out, "e%+d", exponent);
	} else if (exponent < 0) {
		jv_buffer_printf(out, "0.%.*s%.*s", -exponent - 1, "000000", (int)count, digits);
	} else {
		for (int i = 0; i <= exponent; i++)
			jv_buffer_append_byte(out, (uint8_t)((size_t)i < count ? digits[i] : '0'));
		if (count > (size_t)exponent + 1)
			jv_buffer_printf(
				out, ".%.*s", (int)count - exponent - 1, digits + exponent + 1);
	}
}

/* The precision that all decimals of that many digits survive is tried first; with fewer digits
 * nothing shorter is missed, but for subnormal numbers, which have less. */
void jv_number_print_double(double value, struct jv_buffer *out)
{
	JV_ASSERT(isfinite(value));
	char text[40];
	int digits = fabs(value) < DBL_MIN ? 1 : DBL_DIG;
	for (; digits <= DBL_DECIMAL_DIG; digits++) {
		snprintf(text, sizeof(text), "%.*e", digits - 1, value);
		if (strtod(text, NULL) == value)
			break;
	}
	print_digits(text, out);
}

void jv_number_print_float(float value, struct jv_buffer *out)
{
	JV_ASSERT(isfinite(value));
	char text[40];
	int digits = fabsf(value) < FLT_MIN ? 1 : FLT_DIG;
	for (; digits <= FLT_DECIMAL_DIG; digits++) {
		snprintf(text, sizeof(text), "%.*e", digits - 1, (double)value);
		if (strtof(text, NULL) == value)
			break;
	}
	print_digits(text, out);
}
