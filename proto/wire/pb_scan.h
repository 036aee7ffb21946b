/*
 * The walk over wire bytes before protobuf-c may see them.
 *
 * protobuf-c recurses without a limit, takes any bytes for a string, and says only "no" to what it
 * refuses. The walk finds all of that first and names the field. Any thread; allocates nothing.
 */
#ifndef JV_PROTO_WIRE_PB_SCAN_H
#define JV_PROTO_WIRE_PB_SCAN_H

#include <protobuf-c/protobuf-c.h>

#include "base/bytes.h"
#include "base/status.h"

/* INVALID_ARGUMENT with the path of the field at fault if the bytes are not a well-formed message:
 * truncated, wrong wire type, groups, field number 0, strings that are not UTF-8 or hold a NUL, or
 * nested deeper than JV_PB_DEPTH_MAX. is_split: some single message stands there more than once, in
 * pieces (pb_join.h). */
struct jv_status jv_pb_scan(const ProtobufCMessageDescriptor *descriptor, struct jv_bytes bytes,
	bool *is_split) JV_MUST_USE;
/* Takes one field of bytes that have been walked; content is that of a length-delimited one. */
bool jv_pb_take(struct jv_reader *reader, uint32_t *number, struct jv_bytes *content);

#endif
