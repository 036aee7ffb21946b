/*
 * Values of a variant's fields, and the samples that stand in files of their own.
 *
 * For samples*.c only. Pure functions.
 */
#ifndef JV_TESTING_UNIT_STORAGE_SAMPLES_PICK_H
#define JV_TESTING_UNIT_STORAGE_SAMPLES_PICK_H

#include <string.h>

#include "testing/unit/storage/samples.h"

#define TEXT(text) jv_bytes_of_text(text)

/* A number for the variant, where typical is the caller's. */
static inline int64_t pick(enum jv_variant variant, int64_t typical)
{
	if (variant == JV_VARIANT_TYPICAL)
		return typical;
	return variant == JV_VARIANT_LEAST ? INT64_MIN : INT64_MAX;
}

static inline uint64_t pick_u64(enum jv_variant variant, uint64_t typical)
{
	if (variant == JV_VARIANT_TYPICAL)
		return typical;
	return variant == JV_VARIANT_LEAST ? 0 : UINT64_MAX;
}

static inline uint32_t pick_u32(enum jv_variant variant, uint32_t typical)
{
	return (uint32_t)pick_u64(variant, typical);
}

static inline int32_t pick_i32(enum jv_variant variant, int32_t typical)
{
	if (variant == JV_VARIANT_TYPICAL)
		return typical;
	return variant == JV_VARIANT_LEAST ? INT32_MIN : INT32_MAX;
}

/* A number of a key, never negative. */
static inline int64_t pick_key(enum jv_variant variant, int64_t typical)
{
	return variant == JV_VARIANT_LEAST ? 0 : pick(variant, typical);
}

static inline struct jv_bytes pick_text(enum jv_variant variant, const char *typical)
{
	if (variant == JV_VARIANT_TYPICAL)
		return TEXT(typical);
	/* Bytes that a text routine would trip over. */
	return variant == JV_VARIANT_LEAST ? TEXT("") : jv_bytes_of("\0\xff\n\xc3\xa9", 5);
}

static inline void pick_id(enum jv_variant variant, uint8_t *id, size_t size, uint8_t typical)
{
	memset(id, variant == JV_VARIANT_LEAST ? 0 : 0xff, size);
	for (size_t i = 0; i < size && variant == JV_VARIANT_TYPICAL; i++)
		id[i] = (uint8_t)(typical + i);
}

/* samples_queue.c: queues, expiries, entries, placed tasks, changes of nodes. */
void jv_sample_queue_encode(
	enum jv_variant variant, struct jv_buffer *key, struct jv_buffer *value);
struct jv_status jv_sample_queue_decode(struct jv_bytes key, struct jv_bytes value);
void jv_sample_queue_compare(enum jv_variant variant, struct jv_bytes key, struct jv_bytes value);
void jv_sample_expiry_encode(
	enum jv_variant variant, struct jv_buffer *key, struct jv_buffer *value);
struct jv_status jv_sample_expiry_decode(struct jv_bytes key, struct jv_bytes value);
void jv_sample_expiry_compare(enum jv_variant variant, struct jv_bytes key, struct jv_bytes value);
void jv_sample_node_event_encode(
	enum jv_variant variant, struct jv_buffer *key, struct jv_buffer *value);
struct jv_status jv_sample_node_event_decode(struct jv_bytes key, struct jv_bytes value);
void jv_sample_node_event_compare(
	enum jv_variant variant, struct jv_bytes key, struct jv_bytes value);
void jv_sample_entry_encode(
	enum jv_variant variant, struct jv_buffer *key, struct jv_buffer *value);
struct jv_status jv_sample_entry_decode(struct jv_bytes key, struct jv_bytes value);
void jv_sample_entry_compare(enum jv_variant variant, struct jv_bytes key, struct jv_bytes value);
void jv_sample_placed_encode(
	enum jv_variant variant, struct jv_buffer *key, struct jv_buffer *value);
struct jv_status jv_sample_placed_decode(struct jv_bytes key, struct jv_bytes value);
void jv_sample_placed_compare(enum jv_variant variant, struct jv_bytes key, struct jv_bytes value);

#endif
