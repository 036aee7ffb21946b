#include "base/log.h"
#include "server/rpc/private.h"

/* How it ended as the client sees it. */
static enum jv_code code_of(const struct jv_grpc_call *call, int64_t now_ms)
{
	if (call->answered)
		return call->status.code;
	if (call->has_rpc && call->rpc.deadline_ms > 0 && now_ms >= call->rpc.deadline_ms)
		return JV_DEADLINE_EXCEEDED;
	return JV_CANCELLED;
}

void jv_grpc_log_call(struct jv_grpc_call *call)
{
	const struct jv_env *env = call->thread->edge.api->env;
	int64_t now_ms = env->monotonic_ms(env);

	if (call->logged)
		return;
	call->logged = true;
	if (!call->thread->grpc->options.access_log)
		return;
	JV_INFO("grpc.access", JV_KV("peer", call->peer->name),
		JV_KV("method", call->method->method == NULL ? "" : call->method->method->path),
		JV_KV("code", jv_code_name(code_of(call, now_ms))),
		JV_KI("ms", now_ms - call->begun_ms),
		JV_KV("request_id", call->has_rpc ? call->rpc.request_id : ""),
		JV_KV("trace_parent", call->has_rpc ? call->rpc.trace_parent : ""));
}
