#include "proto/wire/time_text.h"

#include <string.h>
#include <time.h>

#include "proto/wire/number.h"

#define NANOS_MAX INT32_C(999999999)
/* 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z. */
#define TIMESTAMP_MIN INT64_C(-62135596800)
#define TIMESTAMP_MAX INT64_C(253402300799)
/* The range of google/protobuf/duration.proto. */
#define DURATION_MAX INT64_C(315576000000)

/* So many digits of a number that has no more, and what stands behind them, if anything. */
static void print_digits(int number, size_t count, char behind, struct jv_buffer *out)
{
	uint8_t *at = jv_buffer_extend(out, count);
	for (size_t i = count; i > 0; i--) {
		at[i - 1] = (uint8_t)('0' + number % 10);
		number /= 10;
	}
	if (behind != '\0')
		jv_buffer_append_byte(out, (uint8_t)behind);
}

static void print_fraction(int32_t nanos, struct jv_buffer *out)
{
	if (nanos == 0)
		return;
	jv_buffer_append_byte(out, '.');
	if (nanos % 1000000 == 0)
		print_digits(nanos / 1000000, 3, '\0', out);
	else if (nanos % 1000 == 0)
		print_digits(nanos / 1000, 6, '\0', out);
	else
		print_digits(nanos, 9, '\0', out);
}

bool jv_timestamp_print(int64_t seconds, int32_t nanos, struct jv_buffer *out)
{
	if (seconds < TIMESTAMP_MIN || seconds > TIMESTAMP_MAX || nanos < 0 || nanos > NANOS_MAX)
		return false;
	struct tm tm;
	time_t time = (time_t)seconds;
	if (gmtime_r(&time, &tm) == NULL)
		return false;
	print_digits(tm.tm_year + 1900, 4, '-', out);
	print_digits(tm.tm_mon + 1, 2, '-', out);
	print_digits(tm.tm_mday, 2, 'T', out);
	print_digits(tm.tm_hour, 2, ':', out);
	print_digits(tm.tm_min, 2, ':', out);
	print_digits(tm.tm_sec, 2, '\0', out);
	print_fraction(nanos, out);
	jv_buffer_append_byte(out, 'Z');
	return true;
}

/* What is left of a text; every take_… gives false at the first thing amiss. */
struct cursor {
	const uint8_t *at;
	const uint8_t *end;
};

static bool take_byte(struct cursor *cursor, uint8_t byte)
{
	if (cursor->at == cursor->end || *cursor->at != byte)
		return false;
	cursor->at++;
	return true;
}

/* Exactly that many digits, if the value they make is within the range. */
static bool take_digits(struct cursor *cursor, int count, int minimum, int maximum, int *value)
{
	*value = 0;
	for (int i = 0; i < count; i++, cursor->at++) {
		if (cursor->at == cursor->end || *cursor->at < '0' || *cursor->at > '9')
			return false;
		*value = *value * 10 + (*cursor->at - '0');
	}
	return *value >= minimum && *value <= maximum;
}

/* A point and one to nine digits, or nothing. */
static bool take_fraction(struct cursor *cursor, int32_t *nanos)
{
	*nanos = 0;
	if (!take_byte(cursor, '.'))
		return true;
	int digits = 0;
	for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
		if (++digits > 9)
			return false;
		*nanos = *nanos * 10 + (*cursor->at - '0');
	}
	for (int i = digits; i < 9; i++)
		*nanos *= 10;
	return digits > 0;
}

static bool take_date(struct cursor *cursor, struct tm *tm)
{
	if (!take_digits(cursor, 4, 0, 9999, &tm->tm_year) || !take_byte(cursor, '-') ||
		!take_digits(cursor, 2, 1, 12, &tm->tm_mon) || !take_byte(cursor, '-') ||
		!take_digits(cursor, 2, 1, 31, &tm->tm_mday))
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon -= 1;
	return true;
}

static bool take_time(struct cursor *cursor, struct tm *tm)
{
	return take_digits(cursor, 2, 0, 23, &tm->tm_hour) && take_byte(cursor, ':') &&
		take_digits(cursor, 2, 0, 59, &tm->tm_min) && take_byte(cursor, ':') &&
		take_digits(cursor, 2, 0, 59, &tm->tm_sec);
}

static bool take_offset(struct cursor *cursor, int64_t *seconds)
{
	*seconds = 0;
	if (take_byte(cursor, 'Z'))
		return true;
	bool west = take_byte(cursor, '-');
	int hours;
	int minutes;
	if (!west && !take_byte(cursor, '+'))
		return false;
	if (!take_digits(cursor, 2, 0, 23, &hours) || !take_byte(cursor, ':') ||
		!take_digits(cursor, 2, 0, 59, &minutes))
		return false;
	*seconds = (int64_t)hours * 3600 + (int64_t)minutes * 60;
	if (west)
		*seconds = -*seconds;
	return true;
}

bool jv_timestamp_parse(struct jv_bytes text, int64_t *seconds, int32_t *nanos)
{
	struct cursor cursor = {text.data, text.data + text.size};
	struct tm tm;
	int64_t offset;
	memset(&tm, 0, sizeof(tm));
	if (!take_date(&cursor, &tm) || !take_byte(&cursor, 'T') || !take_time(&cursor, &tm) ||
		!take_fraction(&cursor, nanos) || !take_offset(&cursor, &offset) ||
		cursor.at != cursor.end)
		return false;
	/* timegm turns the 30th of February into a day of March. */
	int day = tm.tm_mday;
	*seconds = (int64_t)timegm(&tm) - offset;
	return tm.tm_mday == day && *seconds >= TIMESTAMP_MIN && *seconds <= TIMESTAMP_MAX;
}

bool jv_duration_print(int64_t seconds, int32_t nanos, struct jv_buffer *out)
{
	if (seconds < -DURATION_MAX || seconds > DURATION_MAX || nanos < -NANOS_MAX ||
		nanos > NANOS_MAX || (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0))
		return false;
	if (seconds < 0 || nanos < 0)
		jv_buffer_append_byte(out, '-');
	jv_number_print_signed(seconds < 0 ? -seconds : seconds, out);
	print_fraction(nanos < 0 ? -nanos : nanos, out);
	jv_buffer_append_byte(out, 's');
	return true;
}

static bool take_seconds(struct cursor *cursor, int64_t *seconds)
{
	const uint8_t *start = cursor->at;
	*seconds = 0;
	for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
		*seconds = *seconds * 10 + (*cursor->at - '0');
		if (*seconds > DURATION_MAX)
			return false;
	}
	return cursor->at > start;
}

bool jv_duration_parse(struct jv_bytes text, int64_t *seconds, int32_t *nanos)
{
	struct cursor cursor = {text.data, text.data + text.size};
	bool negative = take_byte(&cursor, '-');
	if (!negative)
		take_byte(&cursor, '+');
	if (!take_seconds(&cursor, seconds) || !take_fraction(&cursor, nanos) ||
		!take_byte(&cursor, 's') || cursor.at != cursor.end)
		return false;
	if (negative) {
		*seconds = -*seconds;
		*nanos = -*nanos;
	}
	return true;
}
