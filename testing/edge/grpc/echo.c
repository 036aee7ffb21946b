#include "testing/edge/grpc/echo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "grpc/health/v1/health.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "grpc/reflection/v1alpha/reflection.pb-c.h"
#include "testing/edge/grpc/echo_set.h"

#define DATA_MAX     (4 << 20)
#define GIVE_UP_MS   10000
#define REQUEST(rpc) ((const Testing__Echo__Request *)(const void *)(rpc)->request)

_Atomic uint32_t jv_echo_started;
_Atomic uint32_t jv_echo_ended;
_Atomic uint32_t jv_echo_sent;

static uint8_t zeros[DATA_MAX];

/* Of every handler here. */
struct echo_state {
	int32_t number;
};

static void answer(struct jv_rpc *rpc, const Testing__Echo__Request *request, int32_t number)
{
	Testing__Echo__Response response = TESTING__ECHO__RESPONSE__INIT;
	const struct jv_env *env = rpc->edge->api->env;

	response.text = request->text;
	response.data.data = request->size > 0 ? zeros : request->data.data;
	response.data.len = request->size > 0 ? (size_t)request->size : request->data.len;
	response.number = number;
	if (rpc->deadline_ms > 0)
		response.left_ms = rpc->deadline_ms - env->monotonic_ms(env);
	jv_rpc_send(rpc, &response.base);
}

static void refuse(struct jv_rpc *rpc, const Testing__Echo__Request *request)
{
	if (request->field[0] != 0)
		jv_rpc_finish(rpc,
			jv_field_error(
				(enum jv_code)request->code, request->field, "%s", request->text));
	else
		jv_rpc_finish(rpc, jv_error((enum jv_code)request->code, "%s", request->text));
}

static void say_now(struct jv_rpc *rpc)
{
	if (REQUEST(rpc)->code != 0)
		refuse(rpc, REQUEST(rpc));
	else
		answer(rpc, REQUEST(rpc), 1);
}

static void say_start(struct jv_rpc *rpc)
{
	const struct jv_env *env = rpc->edge->api->env;

	atomic_fetch_add(&jv_echo_started, 1);
	if (REQUEST(rpc)->ask_core)
		jv_rpc_post(rpc);
	else if (REQUEST(rpc)->delay_ms > 0)
		jv_rpc_set_timer(rpc, env->monotonic_ms(env) + REQUEST(rpc)->delay_ms);
	else
		say_now(rpc);
}

static void say_replied(struct jv_rpc *rpc, struct jv_event *event)
{
	(void)event;
	say_now(rpc);
}

static void count_end(struct jv_rpc *rpc)
{
	(void)rpc;
	atomic_fetch_add(&jv_echo_ended, 1);
}

static const struct jv_handler say = {
	.path = "/testing.echo.Echo/Say",
	.start = say_start,
	.replied = say_replied,
	.timer = say_now,
	.ended = count_end,
};

/* The stream has had its time, whether the client reads or not. */
static void count_late(struct jv_rpc *rpc)
{
	if (REQUEST(rpc)->code != 0)
		refuse(rpc, REQUEST(rpc));
	else
		jv_rpc_finish(rpc, jv_ok());
}

static void count_pump(struct jv_rpc *rpc)
{
	struct echo_state *state = rpc->state;

	while (state->number < REQUEST(rpc)->count && jv_rpc_writable(rpc)) {
		atomic_fetch_add(&jv_echo_sent, 1);
		answer(rpc, REQUEST(rpc), ++state->number);
	}
	if (state->number < REQUEST(rpc)->count || REQUEST(rpc)->delay_ms > 0)
		return;
	count_late(rpc);
}

static void count_start(struct jv_rpc *rpc)
{
	const struct jv_env *env = rpc->edge->api->env;

	atomic_fetch_add(&jv_echo_started, 1);
	if (REQUEST(rpc)->delay_ms > 0)
		jv_rpc_set_timer(rpc, env->monotonic_ms(env) + REQUEST(rpc)->delay_ms);
	count_pump(rpc);
}

static const struct jv_handler count = {
	.path = "/testing.echo.Echo/Count",
	.start = count_start,
	.writable = count_pump,
	.timer = count_late,
	.ended = count_end,
	.state_size = sizeof(struct echo_state),
};

static void receive_start(struct jv_rpc *rpc)
{
	atomic_fetch_add(&jv_echo_started, 1);
	jv_rpc_receive(rpc);
}

static void talk_message(struct jv_rpc *rpc, ProtobufCMessage *message)
{
	const Testing__Echo__Request *request = (const void *)message;
	struct echo_state *state = rpc->state;

	if (request == NULL)
		jv_rpc_finish(rpc, jv_ok());
	else if (request->code != 0)
		refuse(rpc, request);
	else
		answer(rpc, request, ++state->number);
	/* Suspended: the next is asked for when this one has gone out. */
}

static const struct jv_handler talk = {
	.path = "/testing.echo.Echo/Talk",
	.start = receive_start,
	.message = talk_message,
	.writable = jv_rpc_receive,
	.ended = count_end,
	.state_size = sizeof(struct echo_state),
};

static void collect_message(struct jv_rpc *rpc, ProtobufCMessage *message)
{
	static const Testing__Echo__Request all = TESTING__ECHO__REQUEST__INIT;
	struct echo_state *state = rpc->state;

	if (message == NULL) {
		answer(rpc, &all, state->number);
		return;
	}
	state->number++;
	jv_rpc_receive(rpc);
}

static const struct jv_handler collect = {
	.path = "/testing.echo.Echo/Collect",
	.start = receive_start,
	.message = collect_message,
	.ended = count_end,
	.state_size = sizeof(struct echo_state),
};

static const struct jv_handler *const handlers[] = {&say, &count, &talk, &collect, NULL};

static const ProtobufCServiceDescriptor *const services[] = {
	&testing__echo__echo__descriptor,
	&grpc__health__v1__health__descriptor,
	&grpc__reflection__v1__server_reflection__descriptor,
	&grpc__reflection__v1alpha__server_reflection__descriptor,
	NULL,
};

static bool post(void *context, struct jv_event *event, bool past_limit)
{
	struct echo *echo = context;

	(void)past_limit;
	if (echo->core_full)
		return false;
	pthread_mutex_lock(&echo->lock);
	jv_list_push_back(&echo->held, &event->link);
	pthread_mutex_unlock(&echo->lock);
	atomic_fetch_add(&echo->held_count, 1);
	return true;
}

void jv_echo_core_answer(struct echo *echo)
{
	struct jv_list answered;
	struct jv_list *link;

	jv_list_init(&answered);
	pthread_mutex_lock(&echo->lock);
	jv_list_splice_back(&answered, &echo->held);
	pthread_mutex_unlock(&echo->lock);
	while ((link = jv_list_pop_front(&answered)) != NULL) {
		struct jv_event *event = JV_CONTAINER_OF(link, struct jv_event, link);
		struct jv_rpc *rpc = event->origin;
		atomic_fetch_sub(&echo->held_count, 1);
		jv_edge_mail_reply(rpc->edge, event);
		jv_edge_mail_send(rpc->edge);
	}
}

struct echo *jv_echo_new(const struct jv_limits *limits)
{
	static const ProtobufCMessageDescriptor *const none[] = {NULL};
	struct echo *echo = jv_calloc(1, sizeof(*echo));

	echo->schema = jv_schema_new(jv_bytes_of(echo_set, echo_set_size), services, none);
	echo->limits.message_bytes_max = 1 << 20;
	if (limits != NULL)
		echo->limits = *limits;
	echo->api.schema = echo->schema;
	echo->api.env = &jv_env_system;
	echo->api.post = post;
	echo->api.post_context = echo;
	echo->api.handlers = handlers;
	echo->api.limits = &echo->limits;
	atomic_store(&echo->api.serving, 1);
	pthread_mutex_init(&echo->lock, NULL);
	jv_list_init(&echo->held);
	atomic_store(&jv_echo_started, 0);
	atomic_store(&jv_echo_ended, 0);
	atomic_store(&jv_echo_sent, 0);
	return echo;
}

void jv_echo_free(struct echo *echo)
{
	pthread_mutex_destroy(&echo->lock);
	jv_schema_free(echo->schema);
	free(echo);
}

struct echo *jv_echo_start(const struct jv_grpc_options *options, const struct jv_limits *limits)
{
	static const char *const listen[] = {"127.0.0.1:0", NULL};
	struct jv_client_options client_options = {.message_bytes_max = 16 << 20};
	struct jv_grpc_options with_address = {0};
	struct echo *echo = jv_echo_new(limits);
	struct jv_status status;

	if (options != NULL)
		with_address = *options;
	if (with_address.listen == NULL)
		with_address.listen = listen;
	status = jv_grpc_open(&with_address, &echo->api, &echo->grpc);
	assert_string_equal(status.message, "");
	snprintf(echo->target, sizeof(echo->target), "127.0.0.1:%d", jv_grpc_port(echo->grpc, 0));
	if (strncmp(with_address.listen[0], "unix:", 5) == 0)
		snprintf(echo->target, sizeof(echo->target), "%s", with_address.listen[0]);
	jv_grpc_start(echo->grpc);
	jv_cq_open(&echo->cq);
	status = jv_client_open(&echo->cq, echo->target, &client_options, &echo->client);
	assert_true(jv_is_ok(&status));
	return echo;
}

static void *close_grpc(void *context)
{
	jv_grpc_close(context);
	return NULL;
}

void jv_echo_stop(struct echo *echo)
{
	pthread_t closer;

	jv_client_close(echo->client);
	jv_cq_close(&echo->cq);
	/* What the core holds, it must give back, or the drain would wait for ever. */
	pthread_create(&closer, NULL, close_grpc, echo->grpc);
	while (pthread_tryjoin_np(closer, NULL) != 0) {
		jv_echo_core_answer(echo);
		usleep(1000);
	}
	assert_int_equal(jv_echo_started, jv_echo_ended);
	jv_echo_free(echo);
}

const struct jv_method *jv_echo_method(const struct echo *echo, const char *path)
{
	const struct jv_method *method = jv_schema_method(echo->schema, path);

	assert_non_null(method);
	return method;
}

const struct jv_method *jv_echo_say(const struct echo *echo)
{
	return jv_echo_method(echo, say.path);
}

const struct jv_method *jv_echo_count(const struct echo *echo)
{
	return jv_echo_method(echo, count.path);
}

const struct jv_method *jv_echo_talk(const struct echo *echo)
{
	return jv_echo_method(echo, talk.path);
}

int64_t jv_echo_now_ms(void)
{
	return jv_env_system.monotonic_ms(&jv_env_system);
}

void jv_echo_run_for(struct echo *echo, int64_t ms)
{
	int64_t until_ms = jv_echo_now_ms() + ms;

	while (jv_echo_now_ms() < until_ms)
		jv_cq_run_once(&echo->cq, until_ms);
}

void jv_echo_run_until(struct echo *echo, const _Atomic uint32_t *counter, uint32_t value)
{
	int64_t until_ms = jv_echo_now_ms() + GIVE_UP_MS;

	while (atomic_load(counter) < value) {
		assert_true(jv_echo_now_ms() < until_ms);
		jv_cq_run_once(&echo->cq, jv_echo_now_ms() + 5);
	}
}

void jv_echo_wait_until(const _Atomic uint32_t *counter, uint32_t value)
{
	int64_t until_ms = jv_echo_now_ms() + GIVE_UP_MS;

	while (atomic_load(counter) < value) {
		assert_true(jv_echo_now_ms() < until_ms);
		usleep(1000);
	}
}

static void call_message(struct jv_call *call, const ProtobufCMessage *message)
{
	struct echo_call *mine = jv_call_context(call);
	const Testing__Echo__Response *response = (const void *)message;

	atomic_fetch_add(&mine->messages, 1);
	if (response->number != mine->last_number + 1)
		mine->in_order = false;
	mine->last_number = response->number;
}

static void call_writable(struct jv_call *call)
{
	struct echo_call *mine = jv_call_context(call);

	atomic_fetch_add(&mine->writables, 1);
}

static void call_ended(struct jv_call *call, const struct jv_call_end *end)
{
	struct echo_call *mine = jv_call_context(call);

	mine->status = end->status;
	mine->details_size = end->details.size;
	mine->call = NULL;
	atomic_fetch_add(&mine->ended, 1);
}

static const struct jv_call_events call_events = {
	.message = call_message,
	.writable = call_writable,
	.ended = call_ended,
};

void jv_echo_begin(struct echo *echo, struct echo_call *call, const struct jv_method *method,
	const Testing__Echo__Request *request, int64_t timeout_ms)
{
	memset(call, 0, sizeof(*call));
	call->in_order = true;
	call->call = jv_call_start(echo->client, method, request == NULL ? NULL : &request->base,
		timeout_ms, &call_events, call);
}
