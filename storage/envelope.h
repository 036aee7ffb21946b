/*
 * The envelope around every stored value, and the fields that payloads are made of. Private to
 * storage.
 *
 * Encoding: begin, put the payload, seal. Decoding: open, get ids and payload, close; every error
 * is sticky in the readers, so that only open and close can fail. Pure functions, any thread.
 */
#ifndef JV_STORAGE_ENVELOPE_H
#define JV_STORAGE_ENVELOPE_H

#include "storage/batch.h"
#include "storage/record.h"

/* Kind, version and CRC. */
#define JV_ENVELOPE_SIZE 6

struct jv_envelope {
	struct jv_bytes key;
	uint8_t version;
	struct jv_reader ids;     /* the key behind its letter */
	struct jv_reader payload; /* what lies between version and CRC */
};

/* Writes kind and version to the empty value. key holds the whole key already. */
void jv_envelope_begin(const struct jv_buffer *key, struct jv_buffer *value, uint8_t version);
void jv_envelope_seal(const struct jv_buffer *key, struct jv_buffer *value);

/* Checks CRC, kind and version, in this order: a record that passes is one that some Jarvis wrote.
 * newest is the newest version that the caller reads. */
struct jv_status jv_envelope_open(struct jv_bytes key, struct jv_bytes value,
	enum jv_record_kind kind, uint8_t newest, struct jv_envelope *envelope) JV_MUST_USE;
/* DATA_LOSS unless both readers were read to their ends without an error. */
struct jv_status jv_envelope_close(const struct jv_envelope *envelope) JV_MUST_USE;

/* Fields with a range: the reader has failed if the number is outside. */
void jv_record_fail(struct jv_reader *reader);
uint32_t jv_record_u32(struct jv_reader *reader);
int32_t jv_record_i32(struct jv_reader *reader);
bool jv_record_bool(struct jv_reader *reader);
/* One byte, first..last; first after an error. */
uint8_t jv_record_enum(struct jv_reader *reader, unsigned first, unsigned last);
/* 0..limit. */
uint32_t jv_record_count(struct jv_reader *reader, uint32_t limit);
/* Exactly size bytes, no length in front; zeroes after an error. */
void jv_record_raw(struct jv_reader *reader, uint8_t *out, size_t size);
/* A number of a key that is never negative. */
int64_t jv_record_key_i64(struct jv_reader *reader);

/* The resources of a shape or a node. */
void jv_resources_put(struct jv_buffer *payload, const struct jv_resources *resources);
void jv_resources_get(struct jv_reader *payload, struct jv_resources *resources);

#endif
