#include "testing/edge/gateway/service.h"

#include <string.h>

#include "base/assert.h"
#include "gateway.pb-c.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "testing/edge/gateway/gateway_set.h"

#define METADATA_MAX 64

/* Of streams. */
struct stream_state {
	int32_t number;
};

static const Testing__Gateway__Orders no_orders = TESTING__GATEWAY__ORDERS__INIT;

static const Testing__Gateway__Orders *orders_of(const struct jv_rpc *rpc)
{
	const Testing__Gateway__Request *request = (const void *)rpc->request;

	if (rpc->method->input != &testing__gateway__request__descriptor || request->orders == NULL)
		return &no_orders;
	return request->orders;
}

static void set_metadata(struct jv_rpc *rpc)
{
	const Testing__Gateway__Orders *orders = orders_of(rpc);

	for (size_t i = 0; i < orders->n_headers; i++)
		jv_rpc_set_header(
			rpc, orders->headers[i]->key, jv_bytes_of_text(orders->headers[i]->value));
	for (size_t i = 0; i < orders->n_trailers; i++)
		jv_rpc_set_trailer(rpc, orders->trailers[i]->key,
			jv_bytes_of_text(orders->trailers[i]->value));
}

/* True: it was to fail, and has. */
static bool fails(struct jv_rpc *rpc)
{
	const Testing__Gateway__Orders *orders = orders_of(rpc);

	if (orders->fail_code == 0)
		return false;
	jv_rpc_finish(rpc, jv_error((enum jv_code)orders->fail_code, "%s", orders->fail_text));
	return true;
}

static void add_metadata(struct jv_rpc *rpc, Testing__Gateway__Echo *echo)
{
	const struct jv_metadatum *at = rpc->received.first;

	echo->metadata = jv_arena_calloc(&rpc->arena, METADATA_MAX, sizeof(echo->metadata[0]));
	JV_ASSERT(echo->metadata != NULL);
	for (; at != NULL && echo->n_metadata < METADATA_MAX; at = at->next) {
		Testing__Gateway__Metadatum *item = jv_arena_alloc(&rpc->arena, sizeof(*item));
		JV_ASSERT(item != NULL);
		testing__gateway__metadatum__init(item);
		item->key = (char *)(uintptr_t)at->key;
		item->value.data = (uint8_t *)(uintptr_t)at->value.data;
		item->value.len = at->value.size;
		echo->metadata[echo->n_metadata++] = item;
	}
}

/* message: what was asked, of either type, or NULL. */
static void echo(struct jv_rpc *rpc, ProtobufCMessage *message, int32_t number)
{
	Testing__Gateway__Echo echo = TESTING__GATEWAY__ECHO__INIT;
	const struct jv_env *env = rpc->edge->api->env;
	Testing__Gateway__Everything strange = TESTING__GATEWAY__EVERYTHING__INIT;

	echo.method = (char *)(uintptr_t)rpc->method->name;
	if (rpc->method->input == &testing__gateway__request__descriptor)
		echo.request = (Testing__Gateway__Request *)(void *)message;
	else
		echo.all = (Testing__Gateway__Everything *)(void *)message;
	if (orders_of(rpc)->colour_number != 0) {
		strange.colour = (Testing__Gateway__Colour)orders_of(rpc)->colour_number;
		echo.all = &strange;
	}
	echo.number = number;
	if (rpc->deadline_ms > 0)
		echo.left_ms = rpc->deadline_ms - env->monotonic_ms(env);
	add_metadata(rpc, &echo);
	jv_rpc_send(rpc, &echo.base);
}

static void echo_start(struct jv_rpc *rpc)
{
	set_metadata(rpc);
	if (!fails(rpc))
		echo(rpc, rpc->request, 0);
}

static void send_body(struct jv_rpc *rpc)
{
	Google__Api__HttpBody body = GOOGLE__API__HTTP_BODY__INIT;
	const Testing__Gateway__Orders *orders = orders_of(rpc);

	body.content_type = orders->content_type;
	body.data.data = (uint8_t *)orders->content;
	body.data.len = strlen(orders->content);
	jv_rpc_send(rpc, &body.base);
}

static void raw_start(struct jv_rpc *rpc)
{
	set_metadata(rpc);
	if (!fails(rpc))
		send_body(rpc);
}

static void nothing_start(struct jv_rpc *rpc)
{
	Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;

	set_metadata(rpc);
	if (!fails(rpc))
		jv_rpc_send(rpc, &empty.base);
}

/* As many as ordered, then the failure or the end. */
static void count_pump(struct jv_rpc *rpc)
{
	struct stream_state *state = rpc->state;

	while (state->number < orders_of(rpc)->count && jv_rpc_writable(rpc)) {
		state->number++;
		if (rpc->method->output == &google__api__http_body__descriptor)
			send_body(rpc);
		else
			echo(rpc, NULL, state->number);
	}
	if (state->number == orders_of(rpc)->count && !rpc->ended && !fails(rpc))
		jv_rpc_finish(rpc, jv_ok());
}

static void count_start(struct jv_rpc *rpc)
{
	set_metadata(rpc);
	count_pump(rpc);
}

static void collect_message(struct jv_rpc *rpc, ProtobufCMessage *message)
{
	struct stream_state *state = rpc->state;

	if (message == NULL) {
		echo(rpc, NULL, state->number);
		return;
	}
	state->number++;
	jv_rpc_receive(rpc);
}

static void talk_message(struct jv_rpc *rpc, ProtobufCMessage *message)
{
	struct stream_state *state = rpc->state;

	if (message == NULL)
		jv_rpc_finish(rpc, jv_ok());
	else
		echo(rpc, message, ++state->number);
	/* The next is asked for when this one has gone out. */
}

#define HANDLER(name, ...)                                             \
	&(const struct jv_handler)                                     \
	{                                                              \
		.path = "/testing.gateway.Gateway/" #name, __VA_ARGS__ \
	}
#define UNARY(name)       HANDLER(name, .start = echo_start)
#define STREAM(name, ...) HANDLER(name, .state_size = sizeof(struct stream_state), __VA_ARGS__)

static const struct jv_handler *const handlers[] = {
	UNARY(Literal),
	UNARY(Typed),
	UNARY(Shelf),
	UNARY(Deep),
	UNARY(Tail),
	UNARY(Star),
	UNARY(One),
	UNARY(OneVerb),
	UNARY(ListVerb),
	UNARY(Custom),
	UNARY(Create),
	UNARY(Remove),
	UNARY(Whole),
	UNARY(BodyNone),
	UNARY(BodyMessage),
	UNARY(BodyScalar),
	UNARY(BodyList),
	UNARY(Update),
	UNARY(ResponseMessage),
	UNARY(ResponseList),
	UNARY(Obey),
	UNARY(Hidden),
	HANDLER(Raw, .start = raw_start),
	HANDLER(Nothing, .start = nothing_start),
	STREAM(Count, .start = count_start, .writable = count_pump),
	STREAM(RawCount, .start = count_start, .writable = count_pump),
	STREAM(Collect, .start = jv_rpc_receive, .message = collect_message),
	STREAM(Talk, .start = jv_rpc_receive, .message = talk_message, .writable = jv_rpc_receive),
	NULL,
};

static const ProtobufCServiceDescriptor *const services[] = {
	&testing__gateway__gateway__descriptor, NULL};

/* Known by their names: what errors have as details. */
static const ProtobufCMessageDescriptor *const messages[] = {
	&google__rpc__status__descriptor,
	&google__rpc__bad_request__descriptor,
	&google__rpc__error_info__descriptor,
	NULL,
};

/* There is no core, and nobody asks it. */
static bool post(void *context, struct jv_event *event, bool past_limit)
{
	(void)context;
	(void)event;
	(void)past_limit;
	return false;
}

static const struct jv_limits limits = {.message_bytes_max = 4 << 20};
static struct jv_api api;

struct jv_api *gateway_api(void)
{
	api.schema = jv_schema_new(jv_bytes_of(gateway_set, gateway_set_size), services, messages);
	api.env = &jv_env_system;
	api.post = post;
	api.handlers = handlers;
	api.limits = &limits;
	atomic_store(&api.serving, 1);
	return &api;
}

void gateway_api_free(void)
{
	jv_schema_free((struct jv_schema *)(uintptr_t)api.schema);
	api.schema = NULL;
}
