#include "cli/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "cli/interrupt.h"
#include "proto/wire/pb.h"

#define STEP_MS      50
#define PAUSE_MS     250
#define PAUSE_MS_MAX 4000
#define TRIES        3  /* without a server that has ever answered */
#define TRIES_LIMIT  40 /* against a server at a limit */

/* One of the calls. */
struct jv_batch_call {
	struct jv_batch *batch;
	size_t index;
	struct jv_call *call;
	int64_t again_at_ms; /* 0: not waiting */
	int tries;
	enum jv_batch_verdict verdict;
	bool over;
};

static void call_message(struct jv_call *call, const ProtobufCMessage *answer)
{
	struct jv_batch_call *one = jv_call_context(call);
	struct jv_batch *batch = one->batch;

	batch->heard_ms = jv_remote_now_ms();
	one->verdict = batch->events->answered(batch, one->index, answer);
}

static bool is_worth_another(const struct jv_batch_call *one, const struct jv_status *status)
{
	const struct jv_batch *batch = one->batch;

	if (batch->stopped && jv_interrupts() > 0)
		return false;
	if (status->code == JV_RESOURCE_EXHAUSTED)
		return one->tries < TRIES_LIMIT;
	if (status->code != JV_UNAVAILABLE)
		return false;
	if (batch->heard_ms == 0 || batch->patience_ms == 0)
		return one->tries < TRIES;
	return jv_remote_now_ms() - batch->heard_ms < batch->patience_ms;
}

static void end(struct jv_batch_call *one, bool failed)
{
	struct jv_batch *batch = one->batch;

	one->over = true;
	batch->over++;
	if (!failed)
		batch->progress.done++;
	else if (!batch->cut)
		batch->progress.failed++;
}

static void wait_until(struct jv_batch_call *one, int64_t ms)
{
	one->again_at_ms = ms;
	one->batch->waiting++;
}

static void call_ended(struct jv_call *call, const struct jv_call_end *call_end)
{
	struct jv_batch_call *one = jv_call_context(call);
	struct jv_batch *batch = one->batch;
	int64_t pause_ms = (int64_t)PAUSE_MS * (one->tries + 1);

	one->call = NULL;
	batch->under_way--;
	if (batch->cut) {
		end(one, !jv_is_ok(&call_end->status) || one->verdict != JV_BATCH_DONE);
		return;
	}
	if (jv_is_ok(&call_end->status)) {
		if (one->verdict == JV_BATCH_AGAIN && !(batch->stopped && jv_interrupts() > 0))
			wait_until(one, jv_remote_now_ms());
		else
			end(one, one->verdict != JV_BATCH_DONE);
	} else if (is_worth_another(one, &call_end->status)) {
		one->tries++;
		wait_until(one,
			jv_remote_now_ms() + (pause_ms > PAUSE_MS_MAX ? PAUSE_MS_MAX : pause_ms));
	} else {
		end(one, true);
		jv_progress_hide(&batch->progress);
		if (!batch->events->failed(batch, one->index, &call_end->status))
			batch->stopped = true;
	}
}

static const struct jv_call_events call_events = {.message = call_message, .ended = call_ended};

static void start(struct jv_batch_call *one)
{
	struct jv_batch *batch = one->batch;
	struct jv_remote *remote = &batch->invocation->remote;

	if (one->again_at_ms != 0)
		batch->waiting--;
	one->again_at_ms = 0;
	one->verdict = JV_BATCH_FAILED;
	batch->under_way++;
	one->call = jv_call_start(remote->client, jv_remote_method(remote, batch->method),
		batch->events->request(batch, one->index), batch->timeout_ms, &call_events, one);
}

/* Those whose pause is over come first, then new ones. */
static void start_some(struct jv_batch *batch)
{
	int64_t now_ms = jv_remote_now_ms();

	for (size_t i = 0;
		i < batch->next && batch->waiting > 0 && batch->under_way < batch->window; i++) {
		struct jv_batch_call *one = &batch->calls[i];
		if (one->again_at_ms != 0 && one->again_at_ms <= now_ms)
			start(one);
	}
	/* What waits has its place: a server that is away is not asked by ever more. */
	while (!batch->stopped && batch->next < batch->count &&
		batch->under_way + batch->waiting < batch->window)
		start(&batch->calls[batch->next++]);
}

/* What waits will not be made again; what is under way is cancelled, or has its time to end. */
static void stop(struct jv_batch *batch, bool cut)
{
	batch->stopped = true;
	batch->cut = cut;
	for (size_t i = 0; i < batch->next; i++) {
		struct jv_batch_call *one = &batch->calls[i];
		if (one->call != NULL && cut)
			jv_call_cancel(one->call);
		else if (one->call == NULL && !one->over)
			end(one, true), batch->waiting--;
	}
}

/* True as long as calls are under way, or are to be. */
static bool goes_on(const struct jv_batch *batch)
{
	size_t last = batch->stopped ? batch->next : batch->count;

	return batch->over < last;
}

struct jv_status jv_batch_run(struct jv_batch *batch)
{
	struct jv_status status = jv_ok();

	JV_ASSERT(batch->invocation->connected && batch->window > 0);
	batch->calls = jv_realloc(NULL, (batch->count + 1) * sizeof(batch->calls[0]));
	memset(batch->calls, 0, batch->count * sizeof(batch->calls[0]));
	for (size_t i = 0; i < batch->count; i++) {
		batch->calls[i].batch = batch;
		batch->calls[i].index = i;
	}
	while (goes_on(batch)) {
		bool late = batch->deadline_ms != 0 && jv_remote_now_ms() >= batch->deadline_ms;
		if (jv_is_ok(&status) && (late || jv_interrupts() > 0)) {
			status = late ? jv_error(JV_DEADLINE_EXCEEDED, "the time was over")
				      : jv_error(JV_CANCELLED, "interrupted");
			stop(batch, late || batch->cut_when_interrupted);
		}
		if (jv_is_ok(&status))
			start_some(batch);
		jv_remote_step(&batch->invocation->remote, STEP_MS);
		jv_progress_show(&batch->progress);
	}
	free(batch->calls);
	batch->calls = NULL;
	return status;
}

ProtobufCMessage *jv_batch_keep(struct jv_batch *batch, const ProtobufCMessage *message)
{
	struct jv_buffer packed = {0};
	ProtobufCMessage *copy = NULL;

	jv_pb_pack(message, &packed);
	struct jv_status status = jv_pb_unpack(
		message->descriptor, jv_buffer_bytes(&packed), &batch->invocation->arena, &copy);
	/* It was unpacked just now. */
	JV_ASSERT(jv_is_ok(&status));
	jv_buffer_deinit(&packed);
	return copy;
}
