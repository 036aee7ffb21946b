#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/config.h"

#define EXCERPT_MAX     40
#define FRACTION_DIGITS 6
#define KIB             INT64_C(1024)
#define SECOND_MS       INT64_C(1000)

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit duration_units[] = {
	{"ms", 1},
	{"s", SECOND_MS},
	{"m", 60 * SECOND_MS},
	{"h", 3600 * SECOND_MS},
	{"d", 86400 * SECOND_MS},
	{NULL, 0},
};

static const struct unit byte_units[] = {
	{"", 1},
	{"B", 1},
	{"KiB", KIB},
	{"MiB", KIB *KIB},
	{"GiB", KIB *KIB *KIB},
	{"TiB", KIB *KIB *KIB *KIB},
	{"K", KIB},
	{"M", KIB *KIB},
	{"G", KIB *KIB *KIB},
	{"T", KIB *KIB *KIB *KIB},
	{NULL, 0},
};

/* How much of a wrong value to repeat: at most EXCERPT_MAX bytes of whole characters. */
static int excerpt_size(const char *text)
{
	size_t size = strnlen(text, EXCERPT_MAX);
	while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
		size--;
	return (int)size;
}

static struct jv_status expected(const char *what, const char *text)
{
	int size = excerpt_size(text);
	const char *rest = text[size] != '\0' ? "…" : "";
	return jv_error(JV_INVALID_ARGUMENT, "expected %s, got \"%.*s%s\"", what, size, text, rest);
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

/* Digits without needless zeroes; moves *at behind them. */
static bool read_whole(const char **at, int64_t *number)
{
	const char *digit = *at;
	if (!is_digit(digit[0]) || (digit[0] == '0' && is_digit(digit[1])))
		return false;
	*number = 0;
	for (; is_digit(*digit); digit++) {
		if (__builtin_mul_overflow(*number, 10, number) ||
			__builtin_add_overflow(*number, *digit - '0', number))
			return false;
	}
	*at = digit;
	return true;
}

/* "", or a point and digits, as millionths; moves *at behind them. */
static bool read_fraction(const char **at, int64_t *millionths)
{
	*millionths = 0;
	if (**at != '.')
		return true;
	const char *digit = *at + 1;
	int64_t place = 100000;
	if (!is_digit(*digit))
		return false;
	for (unsigned count = 0; is_digit(*digit); digit++, count++) {
		if (count == FRACTION_DIGITS)
			return false;
		*millionths += place * (*digit - '0');
		place /= 10;
	}
	*at = digit;
	return true;
}

/* A number that is a whole multiple of 1 in its unit: 1.5KiB is one, 1.5B is not. */
static bool parse_scaled(const char *text, const struct unit *units, int64_t *value)
{
	int64_t whole;
	int64_t millionths;
	if (!read_whole(&text, &whole) || !read_fraction(&text, &millionths))
		return false;
	if (text[0] == ' ' && text[1] != '\0')
		text++;
	while (units->name != NULL && strcmp(units->name, text) != 0)
		units++;
	if (units->name == NULL)
		return false;
	/* At most 10^6 * 2^40, which 63 bits hold. */
	int64_t part = millionths * units->factor;
	return part % 1000000 == 0 && !__builtin_mul_overflow(whole, units->factor, value) &&
		!__builtin_add_overflow(*value, part / 1000000, value);
}

struct jv_status jv_parse_duration_ms(const char *text, int64_t *ms)
{
	int64_t value = 0;
	/* Zero is the same in every unit. */
	if (strcmp(text, "0") != 0 && !parse_scaled(text, duration_units, &value))
		return expected("a duration such as 500ms, 30s, 5m, 2h or 7d", text);
	*ms = value;
	return jv_ok();
}

struct jv_status jv_parse_bytes(const char *text, int64_t *bytes)
{
	int64_t value = 0;
	if (!parse_scaled(text, byte_units, &value))
		return expected("a number of bytes such as 4096, 64KiB, 512MiB or 2GiB", text);
	*bytes = value;
	return jv_ok();
}

static bool parse_whole(const char *text, int64_t *value)
{
	bool negative = text[0] == '-';
	const char *at = text + negative;
	/* Its digits do not fit before the sign is there. */
	if (strcmp(text, "-9223372036854775808") == 0) {
		*value = INT64_MIN;
		return true;
	}
	if (!read_whole(&at, value) || *at != '\0')
		return false;
	if (negative)
		*value = -*value;
	return true;
}

struct jv_status jv_parse_int(const char *text, int64_t minimum, int64_t maximum, int64_t *value)
{
	JV_ASSERT(minimum <= maximum);
	int64_t number = 0;
	if (parse_whole(text, &number) && number >= minimum && number <= maximum) {
		*value = number;
		return jv_ok();
	}
	if (minimum == INT64_MIN && maximum == INT64_MAX)
		return expected("a whole number", text);
	int size = excerpt_size(text);
	return jv_error(JV_INVALID_ARGUMENT,
		"expected a whole number from %" PRId64 " to %" PRId64 ", got \"%.*s%s\"", minimum,
		maximum, size, text, text[size] != '\0' ? "…" : "");
}
