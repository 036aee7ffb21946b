/*
 * Structured log: one line an event, with a name and key/values.
 *
 * Any thread. Lines go to standard error (or where jv_log_open says) in one write(2) each, as
 * `2026-01-02T03:04:05.678Z info  task.finished task=t-42 node=n1 exit_code=0`, or as JSON. Values
 * with spaces, quotes or control characters are quoted and escaped; a line is cut at 4 KiB, so that
 * the lines of several threads and processes never mix. Never log environment values or tokens.
 */
#ifndef JV_BASE_LOG_H
#define JV_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum jv_log_level { JV_LOG_DEBUG, JV_LOG_INFO, JV_LOG_WARN, JV_LOG_ERROR, JV_LOG_OFF };
enum jv_log_format { JV_LOG_TEXT, JV_LOG_JSON };

struct jv_log_field {
	const char *key;
	enum { JV_LOG_VALUE_TEXT, JV_LOG_VALUE_INT } kind;
	const char *text;
	int64_t number;
};

#define JV_KV(name, value) \
	((struct jv_log_field){.key = (name), .kind = JV_LOG_VALUE_TEXT, .text = (value)})
#define JV_KI(name, value) \
	((struct jv_log_field){.key = (name), .kind = JV_LOG_VALUE_INT, .number = (int64_t)(value)})

/* Sets where lines go (a descriptor, borrowed), which and how. To be called before threads
 * start. */
void jv_log_open(int fd, enum jv_log_level level, enum jv_log_format format);
bool jv_log_enabled(enum jv_log_level level);
/* Ends at a field whose key is NULL; use the macros. */
void jv_log_write(enum jv_log_level level, const char *event, const struct jv_log_field *fields);
struct jv_status jv_log_level_parse(const char *name, enum jv_log_level *level) JV_MUST_USE;

/* JV_INFO("task.finished", JV_KV("task", id), JV_KI("exit_code", code)) */
#define JV_LOG(level, ...) JV_LOG_ENDED(level, __VA_ARGS__, {.key = NULL})
#define JV_LOG_ENDED(level, event, ...) \
	jv_log_write(level, event, (const struct jv_log_field[]){__VA_ARGS__})
#define JV_DEBUG(...) JV_LOG(JV_LOG_DEBUG, __VA_ARGS__)
#define JV_INFO(...)  JV_LOG(JV_LOG_INFO, __VA_ARGS__)
#define JV_WARN(...)  JV_LOG(JV_LOG_WARN, __VA_ARGS__)
#define JV_ERROR(...) JV_LOG(JV_LOG_ERROR, __VA_ARGS__)

#endif
