#include "proto/rpc/cq.h"

#include <grpc/grpc.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/env.h"
#include "base/log.h"

static pthread_once_t prepared = PTHREAD_ONCE_INIT;

/* What gRPC says belongs into our log. Its errors are mostly those of peers (a failed handshake, a
 * refused connection), which come to us as a status too: none is worth more than a warning. */
static void log_line(gpr_log_func_args *args)
{
	enum jv_log_level level = JV_LOG_DEBUG;

	if (args->severity == GPR_LOG_SEVERITY_ERROR)
		level = JV_LOG_WARN;
	if (jv_log_enabled(level))
		JV_LOG(level, "grpc.message", JV_KV("text", args->message),
			JV_KV("file", args->file), JV_KI("line", args->line));
}

static void prepare(void)
{
	/* Its handlers are for fork without exec, and have deadlocked programs that spawn. */
	int failed = setenv("GRPC_ENABLE_FORK_SUPPORT", "0", 1);

	JV_ASSERT(!failed);
	gpr_set_log_function(log_line);
}

static void kicked(struct jv_tag *tag, bool ok)
{
	/* To return from the wait is all that it is for. */
	(void)tag;
	(void)ok;
}

void jv_cq_open(struct jv_cq *cq)
{
	pthread_once(&prepared, prepare);
	grpc_init();
	cq->kick_tag.fired = kicked;
	cq->queue = grpc_completion_queue_create_for_next(NULL);
	JV_ASSERT(cq->queue != NULL);
	/* The C core has no alarms and no wake-up; an empty batch on a call that can never be made
	 * is the supported substitute. */
	cq->lame = grpc_lame_client_channel_create("kick", GRPC_STATUS_UNAVAILABLE, "");
	cq->kick = grpc_channel_create_call(cq->lame, NULL, 0, cq->queue,
		grpc_slice_from_static_string("/kick"), NULL, gpr_inf_future(GPR_CLOCK_MONOTONIC),
		NULL);
	JV_ASSERT(cq->kick != NULL);
}

void jv_cq_wake(void *context)
{
	struct jv_cq *cq = context;
	grpc_call_error error = grpc_call_start_batch(cq->kick, NULL, 0, &cq->kick_tag, NULL);

	JV_ASSERT(error == GRPC_CALL_OK);
}

static gpr_timespec deadline_of(int64_t deadline_ms)
{
	gpr_timespec deadline;

	if (deadline_ms == INT64_MAX)
		return gpr_inf_future(GPR_CLOCK_MONOTONIC);
	if (deadline_ms > 0)
		deadline_ms = jv_env_system_wait_ms(deadline_ms);
	deadline.tv_sec = deadline_ms / 1000;
	deadline.tv_nsec = (int32_t)(deadline_ms % 1000 * 1000000);
	deadline.clock_type = GPR_CLOCK_MONOTONIC;
	return deadline;
}

/* False if there was nothing to fire in time, or if there never will be again. */
static bool fire_next(struct jv_cq *cq, gpr_timespec deadline, bool *shut_down)
{
	grpc_event event = grpc_completion_queue_next(cq->queue, deadline, NULL);
	struct jv_tag *tag = event.tag;

	*shut_down = event.type == GRPC_QUEUE_SHUTDOWN;
	if (event.type != GRPC_OP_COMPLETE)
		return false;
	tag->fired(tag, event.success != 0);
	return true;
}

bool jv_cq_run_once(struct jv_cq *cq, int64_t deadline_ms)
{
	bool shut_down;
	bool fired = fire_next(cq, deadline_of(deadline_ms), &shut_down);

	JV_ASSERT(!shut_down);
	return fired;
}

unsigned jv_cq_run_ready(struct jv_cq *cq, unsigned max)
{
	unsigned count = 0;

	while (count < max && jv_cq_run_once(cq, 0))
		count++;
	return count;
}

void jv_cq_close(struct jv_cq *cq)
{
	bool shut_down = false;

	grpc_call_unref(cq->kick);
	grpc_completion_queue_shutdown(cq->queue);
	while (!shut_down)
		fire_next(cq, gpr_inf_future(GPR_CLOCK_MONOTONIC), &shut_down);
	grpc_completion_queue_destroy(cq->queue);
	grpc_channel_destroy(cq->lame);
	grpc_shutdown();
}
