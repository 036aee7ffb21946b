#include <string.h>

#include "base/assert.h"
#include "grpc/health/v1/health.pb-c.h"
#include "proto/wire/pb.h"
#include "server/api/edge.h"
#include "server/rpc/handlers.h"

/* How soon a watcher hears of a change; the state itself is one atomic of all threads. */
#define LOOK_MS 500

struct watch_state {
	Grpc__Health__V1__HealthCheckResponse__ServingStatus told;
	bool begun;
};

static bool is_service(const struct jv_api *api, const char *name)
{
	const char *const *services = jv_schema_services(api->schema);

	for (size_t i = 0; services[i] != NULL; i++)
		if (strcmp(services[i], name) == 0)
			return true;
	return false;
}

/* The services rise and fall together; "" is the server as a whole. */
static Grpc__Health__V1__HealthCheckResponse__ServingStatus look(
	const struct jv_api *api, const char *service)
{
	if (service[0] != 0 && !is_service(api, service))
		return GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN;
	if (atomic_load(&api->serving) != 1)
		return GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
	return GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
}

static void check_start(struct jv_rpc *rpc)
{
	const Grpc__Health__V1__HealthCheckRequest *request = (const void *)rpc->request;
	Grpc__Health__V1__HealthCheckResponse response =
		GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

	response.status = look(rpc->edge->api, request->service);
	if (response.status ==
		GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN)
		jv_rpc_finish(rpc,
			jv_field_error(JV_NOT_FOUND, "service", "this server has no service \"%s\"",
				request->service));
	else
		jv_rpc_send(rpc, &response.base);
}

const struct jv_handler jv_health_check = {
	.path = "/grpc.health.v1.Health/Check",
	.start = check_start,
};

static Grpc__Health__V1__HealthListResponse__StatusesEntry *list_entry(
	const struct jv_api *api, const char *service, struct jv_arena *arena)
{
	Grpc__Health__V1__HealthListResponse__StatusesEntry *entry = (void *)jv_pb_new(
		&grpc__health__v1__health_list_response__statuses_entry__descriptor, arena);
	Grpc__Health__V1__HealthCheckResponse *value =
		(void *)jv_pb_new(&grpc__health__v1__health_check_response__descriptor, arena);

	JV_ASSERT(entry != NULL && value != NULL);
	value->status = look(api, service);
	entry->key = jv_arena_copy_text(arena, service);
	entry->value = value;
	return entry;
}

static void list_start(struct jv_rpc *rpc)
{
	Grpc__Health__V1__HealthListResponse response =
		GRPC__HEALTH__V1__HEALTH_LIST_RESPONSE__INIT;
	const struct jv_api *api = rpc->edge->api;
	const char *const *services = jv_schema_services(api->schema);
	size_t count = 0;

	while (services[count] != NULL)
		count++;
	response.statuses = jv_arena_calloc(&rpc->arena, count + 1, sizeof(*response.statuses));
	JV_ASSERT(response.statuses != NULL);
	response.n_statuses = count + 1;
	response.statuses[0] = list_entry(api, "", &rpc->arena);
	for (size_t i = 0; i < count; i++)
		response.statuses[i + 1] = list_entry(api, services[i], &rpc->arena);
	jv_rpc_send(rpc, &response.base);
}

const struct jv_handler jv_health_list = {
	.path = "/grpc.health.v1.Health/List",
	.start = list_start,
};

/* Tells the state if it is news and if the client can take it. */
static void watch_tell(struct jv_rpc *rpc)
{
	const Grpc__Health__V1__HealthCheckRequest *request = (const void *)rpc->request;
	Grpc__Health__V1__HealthCheckResponse response =
		GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
	struct watch_state *state = rpc->state;

	response.status = look(rpc->edge->api, request->service);
	if ((state->begun && state->told == response.status) || !jv_rpc_writable(rpc))
		return;
	state->begun = true;
	state->told = response.status;
	jv_rpc_send(rpc, &response.base);
}

static void watch_timer(struct jv_rpc *rpc)
{
	const struct jv_env *env = rpc->edge->api->env;

	watch_tell(rpc);
	jv_rpc_set_timer(rpc, env->monotonic_ms(env) + LOOK_MS);
}

const struct jv_handler jv_health_watch = {
	.path = "/grpc.health.v1.Health/Watch",
	.start = watch_timer,
	.writable = watch_tell,
	.timer = watch_timer,
	.state_size = sizeof(struct watch_state),
};
