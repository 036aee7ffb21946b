/*
 * Times, sizes and amounts as people read them in tables.
 *
 * All append to a buffer. Pure.
 */
#ifndef JV_CLI_HUMAN_H
#define JV_CLI_HUMAN_H

#include <stdint.h>

#include "base/bytes.h"
#include "google/protobuf/timestamp.pb-c.h"

/* Two units at most: "0.250s", "1.5s", "42s", "3m12s", "5h4m", "12d3h". Negative counts as 0. */
void jv_human_duration(int64_t ms, struct jv_buffer *out);
/* One unit, for ages in a column: "0s", "42s", "3m", "5h", "12d". */
void jv_human_age(int64_t ms, struct jv_buffer *out);
/* "512 B", "1.5 KiB", "64 MiB". */
void jv_human_bytes(int64_t bytes, struct jv_buffer *out);
/* CPUs of thousandths: "2", "1.5", "0.1". */
void jv_human_cpu(int64_t millis, struct jv_buffer *out);
/* Milliseconds since 1970; 0 for NULL. */
int64_t jv_human_time_ms(const Google__Protobuf__Timestamp *time);
/* How moments are shown. */
enum jv_human_style {
	JV_HUMAN_RELATIVE, /* 3m */
	JV_HUMAN_ABSOLUTE, /* local time */
	JV_HUMAN_ISO,      /* UTC, RFC 3339 */
};

/* "2024-05-01T10:00:00.000Z", or "-" for 0. */
void jv_human_iso(int64_t ms, struct jv_buffer *out);
/* A moment in a table: an age, "2024-05-01 12:00:00", or as jv_human_iso. Nothing for 0. */
void jv_human_moment(int64_t ms, int64_t now_ms, enum jv_human_style style, struct jv_buffer *out);
/* Local time with its offset, "2024-05-01 12:00:00 +02:00", or "-" for 0. */
void jv_human_time(int64_t ms, struct jv_buffer *out);

#endif
