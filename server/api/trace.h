/*
 * Who asked: the request id of a call and the trace that it belongs to.
 *
 * A client may send an id of its own (x-request-id; X-Request-Id over REST) and a W3C trace context
 * (traceparent). The id, the client's or one that is made here, goes back with the answer and into
 * the log; a submission hands both on to the task, and so to its worker. On an edge's thread.
 */
#ifndef JV_SERVER_API_TRACE_H
#define JV_SERVER_API_TRACE_H

#include "server/api/edge.h"

/* For transports, before the start: takes what the client has sent, NULL for nothing. What is not
 * sane (an id of more than 128 bytes or with spaces, a trace of another form) counts as not sent.
 */
void jv_rpc_identify(struct jv_rpc *rpc, const char *request_id, const char *trace_parent);

/* True for 1 to 128 printable characters other than spaces. */
bool jv_request_id_is_sane(const char *id);
/* True for version-trace-parent-flags of https://www.w3.org/TR/trace-context/, 55 bytes. */
bool jv_trace_parent_is_sane(const char *text);

#endif
