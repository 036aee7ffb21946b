#include "worker/runc/runc.h"

#include "worker/runc/private.h"

static Jarvis__V1__FailureReason image_failure(const struct jv_status *status)
{
	return status->code == JV_PERMISSION_DENIED
		? JARVIS__V1__FAILURE_REASON__FAILURE_REASON_REJECTED
		: JARVIS__V1__FAILURE_REASON__FAILURE_REASON_IMAGE;
}

static void admit(struct jv_execution *execution, const Jarvis__V1__TaskSpec *spec)
{
	struct jv_images *images = &jv_runc_of(execution->keep)->images;
	struct jv_image **image = &jv_runc_execution_of(execution)->image;
	struct jv_status status = jv_images_find(images, spec->image, image);
	if (!jv_is_ok(&status))
		jv_execution_fail(execution, image_failure(&status), status.message);
	else if ((*image)->state == JV_IMAGE_UNPACKING)
		jv_list_push_back(&(*image)->waiters, &execution->link);
	else
		jv_execution_ready(execution);
}

/* Everyone who waited for an image goes on, or fails with it. */
static void image_unpacked(void *context, struct jv_image *image)
{
	(void)context;
	struct jv_list *node;
	while ((node = jv_list_pop_front(&image->waiters)) != NULL) {
		struct jv_execution *execution = JV_CONTAINER_OF(node, struct jv_execution, link);
		if (image->state == JV_IMAGE_READY)
			jv_execution_ready(execution);
		else
			jv_execution_fail(
				execution, image_failure(&image->status), image->status.message);
	}
}

struct jv_status jv_runc_open_images(struct jv_runc *runc)
{
	runc->images.epoll = runc->keep.epoll;
	runc->images.unpacked = image_unpacked;
	runc->images.context = runc;
	return jv_images_open(&runc->images);
}

const struct jv_keep_variant jv_runc_variant = {
	.operations = JV_KEEP_OPERATIONS("runc"),
	.execution_size = sizeof(struct jv_runc_execution),
	.own_pids = true,
	.admit = admit,
	.plan = jv_runc_plan,
	.fill = jv_runc_fill,
	.found = jv_runc_claim_ids,
	.forget = jv_runc_release_ids,
	.free = jv_runc_free,
};
