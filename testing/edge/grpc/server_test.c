#include "testing/edge/grpc/echo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "grpc/health/v1/health.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "grpc/reflection/v1alpha/reflection.pb-c.h"

#define SERVING     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING

#define ASK(name)     GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##name
#define ANSWERS(name) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##name

struct drain {
	struct jv_grpc *grpc;
	int64_t grace_ms;
	_Atomic uint32_t done;
};

static void *run_drain(void *context)
{
	struct drain *drain = context;

	jv_grpc_drain(drain->grpc, drain->grace_ms);
	atomic_store(&drain->done, 1);
	return NULL;
}

static pthread_t begin_drain(struct echo *echo, struct drain *drain, int64_t grace_ms)
{
	pthread_t thread;

	drain->grpc = echo->grpc;
	drain->grace_ms = grace_ms;
	atomic_store(&drain->done, 0);
	assert_int_equal(pthread_create(&thread, NULL, run_drain, drain), 0);
	return thread;
}

static void a_drain_lets_calls_finish_and_ends_streams(void **state)
{
	struct echo *echo = jv_echo_start(NULL, NULL);
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct echo_call slow, held, stream, talk, late;
	struct drain drain;
	pthread_t thread;

	(void)state;
	request.delay_ms = 300;
	jv_echo_begin(echo, &slow, jv_echo_say(echo), &request, 0);
	request.ask_core = true;
	jv_echo_begin(echo, &held, jv_echo_say(echo), &request, 0);
	request.delay_ms = 60000;
	request.count = 1;
	jv_echo_begin(echo, &stream, jv_echo_count(echo), &request, 0);
	jv_echo_begin(echo, &talk, jv_echo_talk(echo), NULL, 0);
	jv_echo_run_until(echo, &jv_echo_started, 4);
	thread = begin_drain(echo, &drain, 5000);
	jv_echo_run_until(echo, &stream.ended, 1);
	jv_echo_run_until(echo, &talk.ended, 1);
	assert_int_equal(stream.status.code, JV_UNAVAILABLE);
	assert_non_null(strstr(stream.status.message, "stopping"));
	assert_int_equal(talk.status.code, JV_UNAVAILABLE);
	assert_int_equal(slow.ended, 0);
	jv_echo_begin(echo, &late, jv_echo_say(echo), &request, 0);
	jv_echo_run_until(echo, &slow.ended, 1);
	assert_true(jv_is_ok(&slow.status));
	assert_int_equal(drain.done, 0);
	jv_echo_core_answer(echo);
	jv_echo_run_until(echo, &held.ended, 1);
	assert_true(jv_is_ok(&held.status));
	jv_echo_run_until(echo, &drain.done, 1);
	/* It may have come when nobody took calls any more, and then ends last. */
	jv_echo_run_until(echo, &late.ended, 1);
	if (late.status.code != JV_UNAVAILABLE)
		fail_msg("%s %s", jv_code_name(late.status.code), late.status.message);
	pthread_join(thread, NULL);
	jv_echo_stop(echo);
}

static void after_the_grace_calls_are_cancelled(void **state)
{
	struct echo *echo = jv_echo_start(NULL, NULL);
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	int64_t start_ms = jv_echo_now_ms();
	struct echo_call call;
	struct drain drain;
	pthread_t thread;

	(void)state;
	request.delay_ms = 60000;
	jv_echo_begin(echo, &call, jv_echo_say(echo), &request, 0);
	jv_echo_run_until(echo, &jv_echo_started, 1);
	thread = begin_drain(echo, &drain, 200);
	jv_echo_run_until(echo, &call.ended, 1);
	assert_int_equal(call.status.code, JV_UNAVAILABLE);
	jv_echo_run_until(echo, &drain.done, 1);
	assert_in_range(jv_echo_now_ms() - start_ms, 200, 3000);
	pthread_join(thread, NULL);
	jv_echo_stop(echo);
}

static void a_stop_under_load_is_clean(void **state)
{
	enum { CALLS = 300 };
	struct jv_grpc_options options = {.edges = 2};
	struct echo *echo = jv_echo_start(&options, NULL);
	struct echo_call *calls = calloc(CALLS, sizeof(*calls));
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct drain drain;
	pthread_t thread;

	(void)state;
	for (int i = 0; i < CALLS; i++) {
		request.delay_ms = i % 7;
		request.ask_core = i % 3 == 0;
		request.count = i % 50;
		request.size = 10000;
		if (i % 4 == 0)
			jv_echo_begin(echo, &calls[i], jv_echo_talk(echo), NULL, 0);
		else
			jv_echo_begin(echo, &calls[i],
				i % 4 == 1 ? jv_echo_count(echo) : jv_echo_say(echo), &request, 0);
	}
	jv_echo_run_until(echo, &jv_echo_started, CALLS / 3);
	thread = begin_drain(echo, &drain, 50);
	while (drain.done == 0) {
		jv_cq_run_once(&echo->cq, jv_echo_now_ms() + 1);
		jv_echo_core_answer(echo);
	}
	for (int i = 0; i < CALLS; i++)
		jv_echo_run_until(echo, &calls[i].ended, 1);
	pthread_join(thread, NULL);
	free(calls);
	jv_echo_stop(echo);
}

static void more_calls_than_the_limit_are_refused(void **state)
{
	struct jv_limits limits = {.message_bytes_max = 1 << 20, .calls_max = 3};
	struct echo *echo = jv_echo_start(NULL, &limits);
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct echo_call calls[3], one_more;

	(void)state;
	request.delay_ms = 500;
	for (int i = 0; i < 3; i++)
		jv_echo_begin(echo, &calls[i], jv_echo_say(echo), &request, 0);
	jv_echo_run_until(echo, &jv_echo_started, 3);
	jv_echo_begin(echo, &one_more, jv_echo_say(echo), &request, 0);
	jv_echo_run_until(echo, &one_more.ended, 1);
	assert_int_equal(one_more.status.code, JV_RESOURCE_EXHAUSTED);
	for (int i = 0; i < 3; i++) {
		jv_echo_run_until(echo, &calls[i].ended, 1);
		assert_true(jv_is_ok(&calls[i].status));
	}
	jv_echo_stop(echo);
}

static void cannot_listen(
	struct echo *echo, const char *address, enum jv_code code, const char *why)
{
	const char *const listen[] = {address, NULL};
	struct jv_grpc_options options = {.listen = listen};
	struct jv_grpc *second;
	struct jv_status status = jv_grpc_open(&options, &echo->api, &second);

	assert_int_equal(status.code, code);
	assert_null(second);
	if (strstr(status.message, why) == NULL || strstr(status.message, address) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", status.message, why);
}

static void an_address_that_cannot_be_used_is_explained(void **state)
{
	struct echo *echo = jv_echo_start(NULL, NULL);

	(void)state;
	cannot_listen(echo, echo->target, JV_FAILED_PRECONDITION, "in use; stop");
	cannot_listen(echo, "192.0.2.1:0", JV_FAILED_PRECONDITION, "use 0.0.0.0");
	cannot_listen(echo, "nonsense", JV_INVALID_ARGUMENT, "host:port");
	cannot_listen(echo, "127.0.0.1:port", JV_INVALID_ARGUMENT, "cannot listen");
	cannot_listen(echo, "unix:", JV_INVALID_ARGUMENT, "the path");
	cannot_listen(echo, "unix:/nowhere/at/all", JV_FAILED_PRECONDITION, "cannot listen");
	jv_echo_stop(echo);
}

static void a_unix_socket_serves_too(void **state)
{
	char address[128];
	const char *const listen[] = {address, NULL};
	struct jv_grpc_options options = {.listen = listen};
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct echo_call call;
	struct echo *echo;

	(void)state;
	snprintf(address, sizeof(address), "unix:/tmp/jarvis-grpc-test-%ld", (long)getpid());
	echo = jv_echo_start(&options, NULL);
	jv_echo_begin(echo, &call, jv_echo_say(echo), &request, 5000);
	jv_echo_run_until(echo, &call.ended, 1);
	assert_true(jv_is_ok(&call.status));
	/* A second server does not take it away from the first. */
	cannot_listen(echo, address, JV_FAILED_PRECONDITION, "in use");
	jv_echo_stop(echo);
	unlink(address + 5);
}

static void a_client_without_a_server_is_told(void **state)
{
	struct echo *echo = jv_echo_start(NULL, NULL);
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct jv_client *client;
	ProtobufCMessage *response;
	struct jv_arena arena;
	struct jv_status status;

	(void)state;
	jv_arena_init(&arena, 0, 0);
	status = jv_client_open(&echo->cq, "nonsense", NULL, &client);
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	assert_null(client);
	status = jv_client_open(&echo->cq, "127.0.0.1:1", NULL, &client);
	assert_true(jv_is_ok(&status));
	status = jv_client_call(
		client, jv_echo_say(echo), &request.base, 5000, NULL, &arena, &response);
	assert_int_equal(status.code, JV_UNAVAILABLE);
	if (strstr(status.message, "127.0.0.1:1") == NULL)
		fail_msg("\"%s\" does not name the address", status.message);
	jv_client_close(client);
	jv_arena_deinit(&arena);
	jv_echo_stop(echo);
}

static Grpc__Health__V1__HealthCheckResponse__ServingStatus check(
	struct echo *echo, const char *service, struct jv_status *status)
{
	Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
	Grpc__Health__V1__HealthCheckResponse__ServingStatus found = 0;
	ProtobufCMessage *response;
	struct jv_arena arena;

	jv_arena_init(&arena, 0, 0);
	request.service = (char *)(uintptr_t)service;
	*status = jv_client_call(echo->client, jv_echo_method(echo, "/grpc.health.v1.Health/Check"),
		&request.base, 5000, NULL, &arena, &response);
	if (jv_is_ok(status))
		found = ((Grpc__Health__V1__HealthCheckResponse *)(void *)response)->status;
	jv_arena_deinit(&arena);
	return found;
}

static void health_is_what_the_server_says(void **state)
{
	struct echo *echo = jv_echo_start(NULL, NULL);
	Grpc__Health__V1__HealthListRequest request = GRPC__HEALTH__V1__HEALTH_LIST_REQUEST__INIT;
	ProtobufCMessage *response;
	struct jv_status status;
	struct jv_arena arena;

	(void)state;
	assert_int_equal(check(echo, "", &status), SERVING);
	assert_int_equal(check(echo, "testing.echo.Echo", &status), SERVING);
	check(echo, "no.such.Service", &status);
	assert_int_equal(status.code, JV_NOT_FOUND);
	atomic_store(&echo->api.serving, 0);
	assert_int_equal(check(echo, "testing.echo.Echo", &status), NOT_SERVING);
	jv_arena_init(&arena, 0, 0);
	status = jv_client_call(echo->client, jv_echo_method(echo, "/grpc.health.v1.Health/List"),
		&request.base, 5000, NULL, &arena, &response);
	assert_true(jv_is_ok(&status));
	assert_int_equal(((Grpc__Health__V1__HealthListResponse *)(void *)response)->n_statuses, 5);
	jv_arena_deinit(&arena);
	jv_echo_stop(echo);
}

struct watched {
	struct echo *echo;
	int count;
	int32_t statuses[3];
};

static bool health_changed(void *context, const ProtobufCMessage *message)
{
	struct watched *watched = context;
	const Grpc__Health__V1__HealthCheckResponse *response = (const void *)message;

	watched->statuses[watched->count++] = (int32_t)response->status;
	atomic_store(&watched->echo->api.serving, watched->count == 1 ? 2 : 1);
	return watched->count < 3;
}

static void a_watcher_hears_of_every_change(void **state)
{
	struct echo *echo = jv_echo_start(NULL, NULL);
	Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
	struct watched watched = {.echo = echo};
	struct jv_status status;

	(void)state;
	status =
		jv_client_stream(echo->client, jv_echo_method(echo, "/grpc.health.v1.Health/Watch"),
			&request.base, 10000, NULL, health_changed, &watched);
	assert_true(jv_is_ok(&status));
	assert_int_equal(watched.statuses[0], SERVING);
	assert_int_equal(watched.statuses[1], NOT_SERVING);
	assert_int_equal(watched.statuses[2], SERVING);
	jv_echo_stop(echo);
}

/* What reflection has said. */
struct mirror {
	_Atomic uint32_t answers;
	_Atomic uint32_t ended;
	struct jv_status status;
	size_t services;
	size_t files;
	int32_t error;
};

static void reflected(struct jv_call *call, const ProtobufCMessage *message)
{
	struct mirror *mirror = jv_call_context(call);
	const Grpc__Reflection__V1__ServerReflectionResponse *response = (const void *)message;

	mirror->services = mirror->files = 0;
	mirror->error = 0;
	if (response->message_response_case == ANSWERS(LIST_SERVICES_RESPONSE))
		mirror->services = response->list_services_response->n_service;
	else if (response->message_response_case == ANSWERS(FILE_DESCRIPTOR_RESPONSE))
		mirror->files = response->file_descriptor_response->n_file_descriptor_proto;
	else if (response->message_response_case == ANSWERS(ERROR_RESPONSE))
		mirror->error = response->error_response->error_code;
	atomic_fetch_add(&mirror->answers, 1);
}

static void mirror_ended(struct jv_call *call, const struct jv_call_end *end)
{
	struct mirror *mirror = jv_call_context(call);

	mirror->status = end->status;
	atomic_fetch_add(&mirror->ended, 1);
}

static const struct jv_call_events mirror_events = {.message = reflected, .ended = mirror_ended};

static void ask(struct echo *echo, struct jv_call *call, struct mirror *mirror,
	Grpc__Reflection__V1__ServerReflectionRequest__MessageRequestCase what, const char *text)
{
	Grpc__Reflection__V1__ServerReflectionRequest request =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
	uint32_t answers = mirror->answers;

	request.message_request_case = what;
	request.list_services = (char *)(uintptr_t)text;
	assert_true(jv_call_send(call, &request.base));
	jv_echo_run_until(echo, &mirror->answers, answers + 1);
}

static void look_into(struct echo *echo, const struct jv_method *method)
{
	struct mirror mirror = {0};
	struct jv_call *call =
		jv_call_start(echo->client, method, NULL, 10000, &mirror_events, &mirror);

	ask(echo, call, &mirror, ASK(LIST_SERVICES), "");
	assert_int_equal(mirror.services, 4);
	ask(echo, call, &mirror, ASK(FILE_BY_FILENAME), "echo.proto");
	assert_int_equal(mirror.files, 1);
	ask(echo, call, &mirror, ASK(FILE_CONTAINING_SYMBOL), "testing.echo.Echo.Say");
	assert_int_equal(mirror.files, 1);
	ask(echo, call, &mirror, ASK(FILE_CONTAINING_SYMBOL), "grpc.health.v1.Health");
	assert_int_equal(mirror.files, 1);
	ask(echo, call, &mirror, ASK(FILE_CONTAINING_SYMBOL), "no.such.Symbol");
	assert_int_equal(mirror.error, JV_NOT_FOUND);
	ask(echo, call, &mirror, ASK(ALL_EXTENSION_NUMBERS_OF_TYPE), "testing.echo.Request");
	assert_int_equal(mirror.error, 0);
	ask(echo, call, &mirror, ASK(_NOT_SET), "");
	assert_int_equal(mirror.error, JV_INVALID_ARGUMENT);
	jv_call_close_send(call);
	jv_echo_run_until(echo, &mirror.ended, 1);
	assert_true(jv_is_ok(&mirror.status));
}

static void both_reflections_show_the_schema(void **state)
{
	struct echo *echo = jv_echo_start(NULL, NULL);
	struct jv_method alpha = *jv_echo_method(
		echo, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");

	(void)state;
	look_into(echo,
		jv_echo_method(echo, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"));
	/* Asked with the messages of v1, which are the same bytes. */
	alpha.input = &grpc__reflection__v1__server_reflection_request__descriptor;
	alpha.output = &grpc__reflection__v1__server_reflection_response__descriptor;
	look_into(echo, &alpha);
	jv_echo_stop(echo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_drain_lets_calls_finish_and_ends_streams),
		cmocka_unit_test(after_the_grace_calls_are_cancelled),
		cmocka_unit_test(a_stop_under_load_is_clean),
		cmocka_unit_test(more_calls_than_the_limit_are_refused),
		cmocka_unit_test(an_address_that_cannot_be_used_is_explained),
		cmocka_unit_test(a_unix_socket_serves_too),
		cmocka_unit_test(a_client_without_a_server_is_told),
		cmocka_unit_test(health_is_what_the_server_says),
		cmocka_unit_test(a_watcher_hears_of_every_change),
		cmocka_unit_test(both_reflections_show_the_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
