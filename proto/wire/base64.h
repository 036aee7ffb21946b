/*
 * Base64 (RFC 4648): written in the standard alphabet with padding, read in either alphabet with or
 * without. Any thread.
 */
#ifndef JV_PROTO_WIRE_BASE64_H
#define JV_PROTO_WIRE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Appends the text of the bytes. */
void jv_base64_encode(struct jv_bytes bytes, struct jv_buffer *out);

/* Room that decode needs at most for a text of that size. */
size_t jv_base64_room(size_t size);
/* Decodes into out; false if the text is not base64. */
bool jv_base64_decode(struct jv_bytes text, uint8_t *out, size_t *size);

#endif
