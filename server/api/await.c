#include <inttypes.h>

#include "server/api/edge.h"

/* How long a read waits for the revision that it asks for, and how often it looks. A server that
 * is alone has every revision that it ever told: only one that lags behind another makes anybody
 * wait. */
#define AWAIT_MS_MAX 10000
#define LOOK_MS      20

static int64_t newest(const struct jv_rpc *rpc)
{
	return atomic_load(&rpc->edge->api->durable_revision);
}

/* What the request asks for; 0 if its type has no such field. */
static int64_t wanted(const struct jv_rpc *rpc, const struct jv_handler *handler)
{
	if (handler->min_revision == 0)
		return 0;
	return *(const int64_t *)(const void *)((const char *)rpc->request + handler->min_revision);
}

static void look_again(struct jv_rpc *rpc)
{
	const struct jv_env *env = rpc->edge->api->env;

	jv_rpc_set_timer(rpc, env->monotonic_ms(env) + LOOK_MS);
	/* Suspended: await_timer. */
}

static void await_timer(struct jv_rpc *rpc)
{
	const struct jv_env *env = rpc->edge->api->env;

	if (newest(rpc) >= wanted(rpc, rpc->awaiting)) {
		rpc->handler = rpc->awaiting;
		rpc->handler->start(rpc);
	} else if (env->monotonic_ms(env) < rpc->await_until_ms) {
		look_again(rpc);
	} else {
		jv_rpc_finish(rpc,
			jv_field_error(JV_OUT_OF_RANGE, "min_revision",
				"this server's newest revision is %" PRId64
				", and has not become newer within %d seconds",
				newest(rpc), AWAIT_MS_MAX / 1000));
	}
}

/* Stands for the method's own handler until that can start. */
static const struct jv_handler awaiting = {.timer = await_timer};

void jv_rpc_await(struct jv_rpc *rpc)
{
	const struct jv_env *env = rpc->edge->api->env;
	int64_t revision = wanted(rpc, rpc->handler);

	if (revision < 0) {
		rpc->handler = &awaiting;
		jv_rpc_finish(rpc,
			jv_field_error(
				JV_INVALID_ARGUMENT, "min_revision", "must not be negative"));
		return;
	}
	if (newest(rpc) >= revision) {
		rpc->handler->start(rpc);
		return;
	}
	rpc->awaiting = rpc->handler;
	rpc->handler = &awaiting;
	rpc->await_until_ms = env->monotonic_ms(env) + AWAIT_MS_MAX;
	look_again(rpc);
}
