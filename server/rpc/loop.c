#include <signal.h>

#include "base/assert.h"
#include "server/rpc/private.h"

/* After so many tags calls and mail get their turn: so many that a flood waits in turns.c, where it
 * can be passed by, and not in gRPC's queue. */
#define TAGS_MAX 256
/* Calls served before gRPC is asked again for those who may have come meanwhile. */
#define TURNS_MAX 16

static void arm_all(struct jv_grpc_thread *thread)
{
	const struct jv_grpc *grpc = thread->grpc;

	for (size_t i = 0; i < grpc->method_count; i++)
		for (uint32_t n = 0; n < grpc->options.slots; n++)
			jv_grpc_call_arm(thread, &grpc->methods[i]);
}

/* Streams have no end of their own: their clients come back to another server, or later. */
static void begin_drain(struct jv_grpc_thread *thread)
{
	struct jv_status status =
		jv_error(JV_UNAVAILABLE, "the server is stopping; try again after a moment");

	thread->draining = true;
	JV_LIST_EACH(node, &thread->edge.calls)
	{
		struct jv_rpc *rpc = JV_CONTAINER_OF(node, struct jv_rpc, calls_link);
		if (rpc->method->server_streaming || rpc->method->client_streaming)
			jv_grpc_finish((struct jv_grpc_call *)(void *)rpc, &status);
	}
}

static void look_at_phase(struct jv_grpc_thread *thread, int phase)
{
	if (phase >= JV_GRPC_DRAINING && !thread->draining)
		begin_drain(thread);
	/* Slots come back once gRPC's server has shut down; rpcs, once the core has replied. */
	if (thread->draining && !thread->told_idle && thread->live == 0 && thread->armed == 0) {
		JV_ASSERT(thread->edge.call_count == 0);
		thread->told_idle = jv_mailbox_post(&thread->grpc->control, &thread->idle);
	}
}

void *jv_grpc_run(void *context)
{
	struct jv_grpc_thread *thread = context;
	int phase;

	arm_all(thread);
	while ((phase = atomic_load(&thread->grpc->phase)) != JV_GRPC_STOPPING) {
		int64_t timer_ms = jv_edge_run(&thread->edge);
		int64_t cut_ms = jv_grpc_cut_lingering(thread);
		look_at_phase(thread, phase);
		if (thread->turns.waiting > 0)
			timer_ms = 0;
		/* Suspended: a tag, mail (by a wake), or the first of the two moments. */
		jv_cq_run_once(&thread->cq, timer_ms < cut_ms ? timer_ms : cut_ms);
		jv_cq_run_ready(&thread->cq, TAGS_MAX);
		jv_grpc_call_serve(thread, TURNS_MAX);
	}
	return NULL;
}
