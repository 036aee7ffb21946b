/*
 * A status on the wire: struct jv_status as google.rpc.Status and back.
 *
 * A status with a field carries a google.rpc.BadRequest that names it; any other a
 * google.rpc.ErrorInfo with the name of the code as its reason and the domain "jarvis". Servers put
 * the packed bytes into grpc-status-details-bin and the JSON into REST's answers. Any thread.
 */
#ifndef JV_PROTO_WIRE_STATUS_H
#define JV_PROTO_WIRE_STATUS_H

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"

/* Appends what people read, also those who see no details: "field: message", or the message if
 * there is no field or the message starts with it. Use it for grpc-message. */
void jv_status_text(const struct jv_status *status, struct jv_buffer *out);

/* A Google__Rpc__Status in the arena, for jv_json_write; NULL only past the arena's limit. */
ProtobufCMessage *jv_status_message(const struct jv_status *status, struct jv_arena *arena);

/* Appends the packed google.rpc.Status. */
void jv_status_pack(const struct jv_status *status, struct jv_buffer *out);

/* The status of the packed bytes of anybody's google.rpc.Status: the first field violation, if
 * there is one, gives the field and the message. False, and status untouched, if the bytes are no
 * google.rpc.Status; numbers that are no code become UNKNOWN. */
bool jv_status_unpack(struct jv_bytes bytes, struct jv_status *status);

#endif
