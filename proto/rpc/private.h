/*
 * What the files of the client share: the client, a call, and the queue of its writes.
 *
 * Owner thread: that of the completion queue. Only proto/rpc includes this.
 *
 * A call is freed when its status has come and no tag is out (`pending` is 0), which is also when
 * `ended` is called. A unary call is one batch with one tag; a stream has one tag each for what is
 * sent, the headers, what is received, and the status.
 */
#ifndef JV_PROTO_RPC_PRIVATE_H
#define JV_PROTO_RPC_PRIVATE_H

#include <grpc/grpc.h>

#include "base/list.h"
#include "proto/rpc/client.h"

struct jv_client {
	struct jv_cq *cq;
	grpc_channel *channel;
	struct jv_client_options options; /* with all defaults filled in, without its texts */
	grpc_metadata token;              /* "authorization", if has_token */
	bool has_token;
	uint32_t calls;
};

struct jv_call {
	struct jv_client *client;
	const struct jv_method *method;
	const struct jv_call_events *events;
	void *context;
	grpc_call *call;
	struct jv_arena own;
	struct jv_arena *arena; /* of messages: its own, or that of who waits */

	unsigned pending; /* tags that are out */
	struct jv_tag sent;
	struct jv_tag headers;
	struct jv_tag received;
	struct jv_tag ended;

	struct jv_list writes; /* struct jv_write, not yet given to gRPC */
	uint32_t queued;       /* how many those are */
	bool sending;
	bool opened;       /* the headers are sent, or being sent */
	bool refused;      /* jv_call_send has said no; `writable` is owed */
	bool close_wanted; /* no more messages will come from the user */
	bool closed;
	bool dead; /* nothing can be sent any more */

	bool unary;
	bool answered; /* a unary call has had its message */
	bool has_status;
	bool cancelled;
	struct jv_status failure; /* what we found wrong ourselves; before the server's status */
	grpc_byte_buffer *payload;
	grpc_metadata_array initial;
	grpc_metadata_array trailing;
	grpc_status_code code;
	grpc_slice message;
};

/* One packed message on its way out. */
struct jv_write {
	struct jv_list link;
	grpc_byte_buffer *payload;
};

/* As jv_call_start, with messages in the given arena, which keeps them; NULL: in the call's own. */
struct jv_call *jv_call_start_into(struct jv_client *client, const struct jv_method *method,
	const ProtobufCMessage *request, int64_t timeout_ms, struct jv_arena *arena,
	const struct jv_call_events *events, void *context);
/* credentials.c: how the two sides prove who they are, from the options. */
struct jv_status jv_client_credentials(const struct jv_client_options *options,
	grpc_channel_credentials **credentials) JV_MUST_USE;
/* Takes the token of the options into the client; INVALID_ARGUMENT if it must not be sent. */
struct jv_status jv_client_take_token(struct jv_client *client, const char *target,
	const struct jv_client_options *options) JV_MUST_USE;
void jv_client_forget_token(struct jv_client *client);

/* The call's end as the user sees it; lent as long as the call. */
void jv_call_describe_end(const struct jv_call *call, struct jv_call_end *end);

#endif
