/*
 * Sample records of every kind, for golden files, round trips and damage.
 *
 * For tests only. Each sample is encoded, and decoded and compared field by field, without the
 * caller knowing its type. Includes cmocka and what cmocka needs.
 */
#ifndef JV_TESTING_UNIT_STORAGE_SAMPLES_H
#define JV_TESTING_UNIT_STORAGE_SAMPLES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "storage/record.h"

enum jv_variant {
	JV_VARIANT_TYPICAL, /* every field has a value of its own */
	JV_VARIANT_LEAST,   /* zeroes, empty texts, the least of each number */
	JV_VARIANT_MOST,    /* the greatest of each number */
	JV_VARIANT_COUNT,
};

struct jv_sample {
	const char *name;
	void (*encode)(enum jv_variant variant, struct jv_buffer *key, struct jv_buffer *value);
	struct jv_status (*decode)(struct jv_bytes key, struct jv_bytes value);
	/* Decodes, and fails the test unless every field is as it was encoded. */
	void (*compare)(enum jv_variant variant, struct jv_bytes key, struct jv_bytes value);
};

#define JV_SAMPLES_COUNT 15

extern const struct jv_sample jv_samples[JV_SAMPLES_COUNT];
extern const char *const jv_variant_names[JV_VARIANT_COUNT];

/* Fails the test unless the status is success. */
void jv_expect_ok(struct jv_status status);
void jv_expect_code(struct jv_status status, enum jv_code code);
void jv_expect_bytes(struct jv_bytes got, struct jv_bytes wanted);

#endif
