/*
 * HTTP requests into request messages and answers into HTTP bodies, by google.api.http.
 *
 * Path variables, query and body fill the request's message by the proto3 JSON mapping; answers and
 * errors are written the way grpc-gateway does. Knows nothing of sockets and nothing of tasks. Any
 * thread; all memory comes from the arena of the request or goes into a buffer of the caller.
 */
#ifndef JV_SERVER_REST_TRANSCODE_H
#define JV_SERVER_REST_TRANSCODE_H

#include "server/rest/route.h"

struct jv_transcode_options {
	/* Unknown fields of a body and unknown query parameters are INVALID_ARGUMENT, naming them.
	 * False: ignored, as grpc-gateway does. */
	bool strict;
};

/* What of an HTTP request makes its message; lent during the call. */
struct jv_transcode_input {
	const struct jv_route_match *match;
	struct jv_bytes query; /* raw, without the question mark */
	struct jv_bytes body;
	bool form; /* the body is a form: of a route without a body, its fields are parameters */
};

/* Makes the request message of the matched method in the arena. The body goes first (of a PATCH it
 * fills the field mask too, if there is one), then the query (but for the fields that path and body
 * bind), then the path. INVALID_ARGUMENT with the field at fault; RESOURCE_EXHAUSTED past the
 * arena's limit. */
struct jv_status jv_transcode_request(const struct jv_schema *schema,
	const struct jv_transcode_options *options, const struct jv_transcode_input *input,
	struct jv_arena *arena, ProtobufCMessage **message) JV_MUST_USE;

/* The next message of a client stream, whose body is JSON values one after another: cuts its value
 * off body. *message is NULL at the end of the body. Query and path do not matter. */
struct jv_status jv_transcode_next(const struct jv_schema *schema,
	const struct jv_transcode_options *options, const struct jv_route *route,
	struct jv_bytes *body, struct jv_arena *arena, ProtobufCMessage **message) JV_MUST_USE;

/* Appends the body of an answer: JSON with every field, the field of response_body, or the raw data
 * of a google.api.HttpBody. *content_type is lent by the message or static. */
struct jv_status jv_transcode_answer(const struct jv_schema *schema, const struct jv_route *route,
	const ProtobufCMessage *message, struct jv_buffer *out,
	const char **content_type) JV_MUST_USE;

/* The content type alone, lent as above: of a stream that of its first message. */
const char *jv_transcode_content_type(const struct jv_schema *schema, const struct jv_route *route,
	const ProtobufCMessage *message);

/* Appends one message of a stream: {"result":...}, or the data of a google.api.HttpBody, and a
 * newline. On an error nothing is appended. */
struct jv_status jv_transcode_piece(const struct jv_schema *schema, const struct jv_route *route,
	const ProtobufCMessage *message, struct jv_buffer *out) JV_MUST_USE;

/* Appends {"code","message","details"}. */
void jv_transcode_error(
	const struct jv_schema *schema, const struct jv_status *status, struct jv_buffer *out);
/* The same without details: what routing has to say. */
void jv_transcode_plain_error(const struct jv_schema *schema, enum jv_code code,
	const char *message, struct jv_buffer *out);
/* Appends the last line of a stream that failed late: {"error":{...}} and a newline. */
void jv_transcode_late_error(
	const struct jv_schema *schema, const struct jv_status *status, struct jv_buffer *out);

/* The HTTP status of a code. */
unsigned jv_transcode_http_status(enum jv_code code);

/* The time of a Grpc-Timeout header, such as "250m", in milliseconds, rounded up; what does not fit
 * is INT64_MAX. INVALID_ARGUMENT if it is malformed. */
struct jv_status jv_transcode_timeout(const char *text, int64_t *timeout_ms) JV_MUST_USE;

#endif
