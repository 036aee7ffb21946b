/*
 * Numbers as JSON has them: integers without loss, floating point as short as it comes back.
 *
 * Texts are borrowed and need no NUL. Any thread; no locale other than C is ever set.
 */
#ifndef JV_PROTO_WIRE_NUMBER_H
#define JV_PROTO_WIRE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum jv_number_result {
	JV_NUMBER_OK,
	JV_NUMBER_MALFORMED,  /* not a number of JSON's grammar */
	JV_NUMBER_FRACTIONAL, /* a number, but no integer */
	JV_NUMBER_RANGE,      /* does not fit */
};

/* How many bytes at the start of the text are a JSON number (RFC 8259, section 6); 0: none. */
size_t jv_number_size(struct jv_bytes text);

/* The text as an integer, exactly: 12, 12.0 and 1.2e1 are 12; never by way of a double. */
enum jv_number_result jv_number_signed(
	struct jv_bytes text, int64_t minimum, int64_t maximum, int64_t *value);
enum jv_number_result jv_number_unsigned(struct jv_bytes text, uint64_t maximum, uint64_t *value);

/* The nearest double, or float. Overflow is JV_NUMBER_RANGE, underflow is 0. */
enum jv_number_result jv_number_double(struct jv_bytes text, double *value);
enum jv_number_result jv_number_float(struct jv_bytes text, float *value);

/* Appends an integer. */
void jv_number_print_signed(int64_t value, struct jv_buffer *out);
void jv_number_print_unsigned(uint64_t value, struct jv_buffer *out);

/* Appends the shortest text that reads back as the same finite value, as ECMAScript prints it. */
void jv_number_print_double(double value, struct jv_buffer *out);
void jv_number_print_float(float value, struct jv_buffer *out);

#endif
