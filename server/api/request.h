/*
 * Idempotency keys: the request_id of a call that changes something.
 *
 * On an edge's thread. The core decides by the key whether a call was answered before; the answer
 * of one that cannot be made again from the request alone is read from the request's record.
 */
#ifndef JV_SERVER_API_REQUEST_H
#define JV_SERVER_API_REQUEST_H

#include "server/api/read.h"

/* The key of a call with that request_id ("": none) and that body, as the client sent it, but for
 * the order of its maps. */
struct jv_request_key jv_request_key(const char *id, const ProtobufCMessage *body);
uint64_t jv_request_body_hash(const ProtobufCMessage *body);
/* The task as the first answer told it, in the arena, and the revision of that answer. NOT_FOUND if
 * the request has no record, as it changed nothing. A task that was removed since has no spec. */
struct jv_status jv_request_answer(struct jv_rpc *rpc, const struct jv_request_key *key,
	Jarvis__V1__Task **task, int64_t *revision) JV_MUST_USE;

#endif
