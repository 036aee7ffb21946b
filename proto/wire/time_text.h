/*
 * Timestamps and durations as JSON has them: RFC 3339 in UTC, and seconds with an "s".
 *
 * Fractions have 0, 3, 6 or 9 digits. Any thread.
 */
#ifndef JV_PROTO_WIRE_TIME_TEXT_H
#define JV_PROTO_WIRE_TIME_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* Appends a google.protobuf.Timestamp; false if it is out of range (years 1 to 9999). */
bool jv_timestamp_print(int64_t seconds, int32_t nanos, struct jv_buffer *out);
/* Any offset is taken. False if the text is no RFC 3339 time with at most nine digits of fraction
 * in the years 1 to 9999. */
bool jv_timestamp_parse(struct jv_bytes text, int64_t *seconds, int32_t *nanos);

/* Appends a google.protobuf.Duration; false if it is out of range (10,000 years) or its parts
 * differ in sign. */
bool jv_duration_print(int64_t seconds, int32_t nanos, struct jv_buffer *out);
/* False if the text is no duration such as "-1.5s", or is out of range. */
bool jv_duration_parse(struct jv_bytes text, int64_t *seconds, int32_t *nanos);

#endif
