#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"

/* What a pipe takes in one piece (PIPE_BUF): lines of many threads and processes never mix. */
#define LINE_MAX_SIZE 4096
#define VALUE_MAX     1024
/* Room kept for what ends a line. */
#define TAIL_TEXT " truncated=1\n"
#define TAIL_JSON ",\"truncated\":1}\n"

/* Set before threads start, only read after. */
static struct {
	int fd;
	enum jv_log_level level;
	enum jv_log_format format;
} output = {STDERR_FILENO, JV_LOG_INFO, JV_LOG_TEXT};

static const char *const level_names[] = {
	[JV_LOG_DEBUG] = "debug",
	[JV_LOG_INFO] = "info",
	[JV_LOG_WARN] = "warn",
	[JV_LOG_ERROR] = "error",
	[JV_LOG_OFF] = "off",
};

/* A line being built; what does not fit any more marks it full. */
struct line {
	char text[LINE_MAX_SIZE];
	size_t size;
	bool full;
};

static void add(struct line *line, const char *text, size_t size)
{
	const size_t room = sizeof(line->text) - sizeof(TAIL_JSON) - line->size;
	if (line->full || size > room) {
		line->full = true;
		return;
	}
	memcpy(line->text + line->size, text, size);
	line->size += size;
}

static void add_text(struct line *line, const char *text)
{
	add(line, text, strlen(text));
}

static void add_escape(struct line *line, const char *format, unsigned value)
{
	char escape[8];
	int size = snprintf(escape, sizeof(escape), format, value);
	add(line, escape, (size_t)size);
}

/* The size of the UTF-8 sequence at `at`, 0 if it is malformed. */
static size_t character_size(const char *at, size_t left)
{
	size_t most = left < 4 ? left : 4;
	for (size_t size = 1; size <= most; size++) {
		if (jv_utf8_valid(jv_bytes_of(at, size)))
			return size;
	}
	return 0;
}

static void add_special(struct line *line, unsigned char byte, bool json)
{
	switch (byte) {
	case '"':
		add_text(line, "\\\"");
		break;
	case '\\':
		add_text(line, "\\\\");
		break;
	case '\n':
		add_text(line, "\\n");
		break;
	case '\r':
		add_text(line, "\\r");
		break;
	case '\t':
		add_text(line, "\\t");
		break;
	default:
		if (!json)
			add_escape(line, "\\x%02x", byte);
		else if (byte >= 0x80)
			add_text(line, "\\ufffd"); /* JSON is UTF-8: the byte has no other form */
		else
			add_escape(line, "\\u%04x", byte);
	}
}

static bool is_special(unsigned char byte)
{
	return byte < 0x20 || byte == '"' || byte == '\\' || byte == 0x7f;
}

/* A control of C1, in UTF-8: some terminals obey it as they do ESC and what follows. */
static bool is_control(const char *at)
{
	unsigned char next = (unsigned char)at[1];
	return (unsigned char)at[0] == 0xc2 && next >= 0x80 && next < 0xa0;
}

/* In quotes. Text longer than VALUE_MAX ends in an ellipsis. */
static void add_quoted(struct line *line, const char *text, bool json)
{
	size_t size = strnlen(text, VALUE_MAX + 1);
	size_t i = 0;
	add_text(line, "\"");
	while (i < size && i < VALUE_MAX) {
		size_t step = character_size(text + i, strnlen(text + i, 4));
		if (step == 0 || is_special((unsigned char)text[i]))
			add_special(line, (unsigned char)text[i], json);
		else if (is_control(text + i))
			add_escape(line, "\\u%04x", (unsigned char)text[i + 1]);
		else
			add(line, text + i, step);
		i += step == 0 ? 1 : step;
	}
	if (text[i] != '\0')
		add_text(line, "…");
	add_text(line, "\"");
}

static bool needs_quotes(const char *text)
{
	size_t size = strnlen(text, VALUE_MAX + 1);
	if (size == 0 || size > VALUE_MAX)
		return true;
	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)text[i];
		if (is_special(byte) || byte == ' ' || byte == '=' || is_control(text + i))
			return true;
	}
	return !jv_utf8_valid(jv_bytes_of(text, size));
}

static void add_value(struct line *line, const struct jv_log_field *field)
{
	bool json = output.format == JV_LOG_JSON;
	if (field->kind == JV_LOG_VALUE_INT) {
		char number[24];
		int size = snprintf(number, sizeof(number), "%" PRId64, field->number);
		add(line, number, (size_t)size);
	} else if (field->text == NULL) {
		add_text(line, json ? "null" : "-");
	} else if (json || needs_quotes(field->text)) {
		add_quoted(line, field->text, json);
	} else {
		add_text(line, field->text);
	}
}

/* A field goes in whole or not at all. */
static void add_field(struct line *line, const struct jv_log_field *field)
{
	bool json = output.format == JV_LOG_JSON;
	size_t before = line->size;
	if (json) {
		add_text(line, ",");
		add_quoted(line, field->key, true);
		add_text(line, ":");
	} else {
		add_text(line, " ");
		add_text(line, field->key);
		add_text(line, "=");
	}
	add_value(line, field);
	if (line->full)
		line->size = before;
}

static void add_head(struct line *line, enum jv_log_level level, const char *event)
{
	struct timespec now = {0};
	struct tm calendar = {0};
	char date[64];
	char head[128];
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &calendar);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &calendar);
	const char *format = output.format == JV_LOG_JSON
		? "{\"time\":\"%s.%03dZ\",\"level\":\"%s\",\"event\":"
		: "%s.%03dZ %-5s ";
	int size = snprintf(
		head, sizeof(head), format, date, (int)(now.tv_nsec / 1000000), level_names[level]);
	add(line, head, (size_t)size);
	if (output.format == JV_LOG_JSON)
		add_quoted(line, event, true);
	else
		add_text(line, event);
}

static void end(struct line *line)
{
	const char *tail = "\n";
	if (output.format == JV_LOG_JSON)
		tail = line->full ? TAIL_JSON : "}\n";
	else if (line->full)
		tail = TAIL_TEXT;
	size_t size = strlen(tail);
	memcpy(line->text + line->size, tail, size);
	line->size += size;
}

/* A log that cannot be written must not stop what it tells of: the line is lost. */
static void send(const struct line *line)
{
	size_t sent = 0;
	while (sent < line->size) {
		ssize_t written = write(output.fd, line->text + sent, line->size - sent);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return;
		sent += (size_t)written;
	}
}

void jv_log_open(int fd, enum jv_log_level level, enum jv_log_format format)
{
	output.fd = fd;
	output.level = level;
	output.format = format;
}

bool jv_log_enabled(enum jv_log_level level)
{
	return level >= output.level && level < JV_LOG_OFF;
}

void jv_log_write(enum jv_log_level level, const char *event, const struct jv_log_field *fields)
{
	if (!jv_log_enabled(level))
		return;
	int error = errno; /* callers log first and look at errno after */
	struct line line;
	line.size = 0;
	line.full = false;
	add_head(&line, level, event);
	for (; fields->key != NULL; fields++)
		add_field(&line, fields);
	end(&line);
	send(&line);
	errno = error;
}

struct jv_status jv_log_level_parse(const char *name, enum jv_log_level *level)
{
	for (unsigned i = 0; i <= JV_LOG_OFF; i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*level = (enum jv_log_level)i;
			return jv_ok();
		}
	}
	return jv_error(JV_INVALID_ARGUMENT,
		"\"%s\" is no log level: expected debug, info, warn, error or off", name);
}
