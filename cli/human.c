#include "cli/human.h"

#include <inttypes.h>
#include <time.h>

#include "base/assert.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* A number of thousandths without needless zeroes. */
static void print_thousandths(int64_t value, struct jv_buffer *out)
{
	int rest = (int)(value % 1000);

	jv_buffer_printf(out, "%" PRId64, value / 1000);
	if (rest == 0)
		return;
	if (rest % 100 == 0)
		jv_buffer_printf(out, ".%d", rest / 100);
	else if (rest % 10 == 0)
		jv_buffer_printf(out, ".%02d", rest / 10);
	else
		jv_buffer_printf(out, ".%03d", rest);
}

static void print_two(int64_t ms, int64_t unit, const char *name, int64_t part,
	const char *part_name, struct jv_buffer *out)
{
	jv_buffer_printf(out, "%" PRId64 "%s", ms / unit, name);
	if (ms % unit / part > 0)
		jv_buffer_printf(out, "%" PRId64 "%s", ms % unit / part, part_name);
}

void jv_human_duration(int64_t ms, struct jv_buffer *out)
{
	if (ms < 0)
		ms = 0;
	if (ms < 10 * SECOND) {
		/* Thousandths below a second, tenths above. */
		print_thousandths(ms < SECOND ? ms : ms / 100 * 100, out);
		jv_buffer_append_text(out, "s");
	} else if (ms < MINUTE) {
		jv_buffer_printf(out, "%" PRId64 "s", ms / SECOND);
	} else if (ms < HOUR) {
		print_two(ms, MINUTE, "m", SECOND, "s", out);
	} else if (ms < DAY) {
		print_two(ms, HOUR, "h", MINUTE, "m", out);
	} else {
		print_two(ms, DAY, "d", HOUR, "h", out);
	}
}

void jv_human_age(int64_t ms, struct jv_buffer *out)
{
	if (ms < 0)
		ms = 0;
	if (ms < 2 * MINUTE)
		jv_buffer_printf(out, "%" PRId64 "s", ms / SECOND);
	else if (ms < 2 * HOUR)
		jv_buffer_printf(out, "%" PRId64 "m", ms / MINUTE);
	else if (ms < 2 * DAY)
		jv_buffer_printf(out, "%" PRId64 "h", ms / HOUR);
	else
		jv_buffer_printf(out, "%" PRId64 "d", ms / DAY);
}

void jv_human_bytes(int64_t bytes, struct jv_buffer *out)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	int64_t unit = 1024;
	size_t i = 0;

	if (bytes < 1024) {
		jv_buffer_printf(out, "%" PRId64 " B", bytes);
		return;
	}
	while (bytes / unit >= 1024) {
		unit *= 1024;
		i++;
	}
	JV_ASSERT(i < sizeof(units) / sizeof(units[0]));
	int64_t tenths = bytes % unit / (unit / 1024) * 10 / 1024;
	jv_buffer_printf(out, "%" PRId64, bytes / unit);
	if (tenths > 0)
		jv_buffer_printf(out, ".%" PRId64, tenths);
	jv_buffer_printf(out, " %s", units[i]);
}

void jv_human_cpu(int64_t millis, struct jv_buffer *out)
{
	print_thousandths(millis < 0 ? 0 : millis, out);
}

int64_t jv_human_time_ms(const Google__Protobuf__Timestamp *time)
{
	if (time == NULL || time->seconds < 0 || time->seconds > INT64_MAX / 2000)
		return 0;
	return time->seconds * 1000 + time->nanos / 1000000;
}

void jv_human_time(int64_t ms, struct jv_buffer *out)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm parts;
	char text[64];

	if (ms == 0 || localtime_r(&seconds, &parts) == NULL ||
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &parts) == 0) {
		jv_buffer_append_text(out, "-");
		return;
	}
	jv_buffer_append_text(out, text);
}

void jv_human_iso(int64_t ms, struct jv_buffer *out)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm parts;
	char text[64];

	if (ms == 0 || gmtime_r(&seconds, &parts) == NULL ||
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
		jv_buffer_append_text(out, "-");
		return;
	}
	jv_buffer_printf(out, "%s.%03dZ", text, (int)(ms % 1000));
}

void jv_human_moment(int64_t ms, int64_t now_ms, enum jv_human_style style, struct jv_buffer *out)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm parts;
	char text[64];

	if (ms == 0)
		return;
	if (style == JV_HUMAN_RELATIVE)
		jv_human_age(now_ms - ms, out);
	else if (style == JV_HUMAN_ISO)
		jv_human_iso(ms, out);
	else if (localtime_r(&seconds, &parts) != NULL &&
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts) > 0)
		jv_buffer_append_text(out, text);
}
