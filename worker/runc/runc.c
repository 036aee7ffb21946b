#include "worker/runc/runc.h"

#include "base/assert.h"
#include "worker/runc/private.h"

JV_STATIC_ASSERT(JV_PROGRESS_MAX >= 256, "what images tell fits");

static Jarvis__V1__FailureReason image_failure(const struct jv_status *status)
{
	return status->code == JV_PERMISSION_DENIED
		? JARVIS__V1__FAILURE_REASON__FAILURE_REASON_REJECTED
		: JARVIS__V1__FAILURE_REASON__FAILURE_REASON_IMAGE;
}

static void admit(struct jv_execution *execution, const Jarvis__V1__TaskSpec *spec)
{
	jv_images_use(jv_runc_of(execution->keep)->images, spec->image,
		&jv_runc_execution_of(execution)->use);
}

static struct jv_execution *execution_of(struct jv_image_use *use)
{
	return &JV_CONTAINER_OF(use, struct jv_runc_execution, use)->base;
}

static void image_ready(void *context, struct jv_image_use *use)
{
	struct jv_execution *execution = execution_of(use);
	(void)context;
	if (execution->phase == JV_EXECUTION_WAITING && !execution->removed)
		jv_execution_ready(execution);
}

static void image_failed(void *context, struct jv_image_use *use, const struct jv_status *status)
{
	struct jv_execution *execution = execution_of(use);
	(void)context;
	if (execution->phase == JV_EXECUTION_WAITING)
		jv_execution_fail(execution, image_failure(status), status->message);
}

static void image_progress(void *context, struct jv_image_use *use, const char *text)
{
	struct jv_runc *runc = context;
	struct jv_execution *execution = execution_of(use);
	const struct jv_executor_sink *sink = &runc->keep.base.sink;
	if (execution->phase == JV_EXECUTION_WAITING && !execution->removed)
		sink->progress(sink->context, &execution->id, text);
}

struct jv_status jv_runc_open_images(struct jv_runc *runc)
{
	const struct jv_images_events events = {.ready = image_ready,
		.failed = image_failed,
		.progress = image_progress,
		.context = runc};
	runc->image_options.epoll = runc->keep.epoll;
	return jv_images_open(&runc->image_options, &events, &runc->images);
}

static void found(struct jv_execution *execution, const struct jv_attempt_plan *plan)
{
	jv_runc_claim_ids(execution, plan);
	if (execution->phase == JV_EXECUTION_FINISHED)
		return;
	jv_images_hold(jv_runc_of(execution->keep)->images, plan->lower,
		&jv_runc_execution_of(execution)->use);
}

static void release(struct jv_execution *execution)
{
	jv_images_release(
		jv_runc_of(execution->keep)->images, &jv_runc_execution_of(execution)->use);
}

static void forget(struct jv_execution *execution)
{
	release(execution);
	jv_runc_release_ids(execution);
}

static int64_t dispatch(struct jv_keep *keep)
{
	return jv_images_dispatch(jv_runc_of(keep)->images);
}

const struct jv_keep_variant jv_runc_variant = {
	.operations = JV_KEEP_OPERATIONS("runc"),
	.execution_size = sizeof(struct jv_runc_execution),
	.own_pids = true,
	.admit = admit,
	.plan = jv_runc_plan,
	.fill = jv_runc_fill,
	.found = found,
	.release = release,
	.dispatch = dispatch,
	.forget = forget,
	.free = jv_runc_free,
};
