/* The bare echo server: gRPC C core as its own examples use it, one registered method, one
 * completion queue, one thread. It is what a call costs before Jarvis does anything. */
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testing/bench/bench.h"

/* Debian's gRPC looks through all outstanding tags at each event, so no more are armed than are
 * needed: one is armed anew as soon as one is used. */
#define SLOTS 64

struct slot {
	grpc_call *call;
	gpr_timespec deadline;
	grpc_metadata_array metadata;
	grpc_byte_buffer *request;
	int cancelled;
	bool answered;
};

struct server {
	grpc_completion_queue *queue;
	grpc_server *server;
	void *method;
};

static void arm(struct server *server)
{
	struct slot *slot = calloc(1, sizeof(*slot));

	grpc_metadata_array_init(&slot->metadata);
	grpc_server_request_registered_call(server->server, server->method, &slot->call,
		&slot->deadline, &slot->metadata, &slot->request, server->queue, server->queue,
		slot);
}

static void answer(struct slot *slot)
{
	/* A SubmitTaskResponse whose task has an id of 46 bytes. */
	static const char text[] = "\x0a\x30\x0a\x2e"
				   "0123456789012345678901234567890123456789012345";
	grpc_slice slice = grpc_slice_from_static_buffer(text, sizeof(text) - 1);
	grpc_byte_buffer *reply = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_op ops[4];

	memset(ops, 0, sizeof(ops));
	ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
	ops[1].op = GRPC_OP_SEND_MESSAGE;
	ops[1].data.send_message.send_message = reply;
	ops[2].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
	ops[2].data.send_status_from_server.status = GRPC_STATUS_OK;
	ops[3].op = GRPC_OP_RECV_CLOSE_ON_SERVER;
	ops[3].data.recv_close_on_server.cancelled = &slot->cancelled;
	slot->answered = true;
	grpc_call_start_batch(slot->call, ops, 4, slot, NULL);
	grpc_byte_buffer_destroy(reply);
}

static void finish(struct slot *slot)
{
	grpc_metadata_array_destroy(&slot->metadata);
	grpc_byte_buffer_destroy(slot->request);
	grpc_call_unref(slot->call);
	free(slot);
}

int bench_echo_server(void)
{
	struct server server;
	grpc_server_credentials *credentials;
	int port;

	grpc_init();
	server.queue = grpc_completion_queue_create_for_next(NULL);
	server.server = grpc_server_create(NULL, NULL);
	grpc_server_register_completion_queue(server.server, server.queue, NULL);
	server.method =
		grpc_server_register_method(server.server, "/jarvis.v1.Scheduler/SubmitTask", NULL,
			GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
	credentials = grpc_insecure_server_credentials_create();
	port = grpc_server_add_http2_port(server.server, "127.0.0.1:0", credentials);
	grpc_server_start(server.server);
	for (int i = 0; i < SLOTS; i++)
		arm(&server);
	printf("ready grpc_port=%d\n", port);
	fflush(stdout);
	for (;;) {
		grpc_event event = grpc_completion_queue_next(
			server.queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
		struct slot *slot = event.tag;
		if (event.type != GRPC_OP_COMPLETE)
			continue;
		if (slot->answered) {
			finish(slot);
		} else if (event.success) {
			arm(&server);
			answer(slot);
		}
	}
}
