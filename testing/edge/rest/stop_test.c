/* The end of a server: idle, with calls in flight, with clients that do not go. */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "testing/edge/rest/client.h"
#include "testing/edge/rest/server.h"

static void a_server_that_was_never_started_closes(void **state)
{
	struct server *server = server_start(NULL);
	struct jv_rest_options options = server_options();
	struct jv_rest_edge *other = NULL;
	struct jv_status status = jv_rest_edge_open(&options, &server->api, &other);

	(void)state;
	assert_int_equal(status.code, JV_OK);
	jv_rest_edge_stop(other, 0);
	jv_rest_edge_close(other);
	jv_rest_edge_close(NULL);
	server_stop(server, 1000);
}

static void idle_connections_do_not_hold_it(void **state)
{
	struct server *server = server_start(NULL);
	struct client idle, used, half;
	struct answer answer;
	int64_t start_ms = server_now_ms();

	(void)state;
	client_open(&idle, server->port);
	client_open(&used, server->port);
	client_request(&used, "GET", "/v1/tasks/t-1", "", NULL);
	client_read(&used, &answer);
	answer_free(&answer);
	client_open(&half, server->port);
	client_send(&half, "GET /v1/tas");
	server_stop(server, 10000);
	assert_true(server_now_ms() - start_ms < 5000);
	assert_true(client_sees_end(&idle));
	assert_true(client_sees_end(&used));
	assert_true(client_sees_end(&half));
	client_close(&idle);
	client_close(&used);
	client_close(&half);
}

/* The core answers within the grace: so does the server. */
static void calls_in_flight_are_finished(void **state)
{
	struct server *server = server_start(NULL);
	struct client client;
	struct answer answer;

	(void)state;
	client_open(&client, server->port);
	client_request(&client, "GET", "/v1/tasks/core", "", NULL);
	server_wait_until(&server->held_count, 1);
	server_stop(server, 10000);
	client_read(&client, &answer);
	assert_int_equal(answer.status, 200);
	assert_true(answer.closes);
	answer_free(&answer);
	assert_true(client_sees_end(&client));
	client_close(&client);
}

/* Streams without an end, one of which nobody reads, and half a body: none may hold the server. */
static void what_does_not_end_is_cut(void **state)
{
	struct server *server = server_start(NULL);
	struct client ticks, watch, flood, half;
	struct answer answer;
	int64_t start_ms;

	(void)state;
	client_open(&ticks, server->port);
	client_request(&ticks, "GET", "/v1/tasks/ticks/logs?tailLines=1000000", "", NULL);
	client_open(&watch, server->port);
	client_request(&watch, "GET", "/v1/tasks:watch", "", NULL);
	client_open(&flood, server->port);
	client_request(&flood, "GET", "/v1/tasks/flood/logs", "", NULL);
	client_open(&half, server->port);
	client_send(&half, "POST /v1/tasks HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\n{");
	server_wait_until(&server_started, 3);
	start_ms = server_now_ms();
	server_stop(server, 200);
	assert_in_range(server_now_ms() - start_ms, 200, 5000);
	client_read(&ticks, &answer);
	assert_int_equal(answer.status, 200);
	assert_non_null(strstr(answer_text(&answer), "{\"error\":{\"code\":14,"));
	answer_free(&answer);
	/* Nothing was sent to this one yet. */
	client_read(&watch, &answer);
	assert_int_equal(answer.status, 503);
	answer_free(&answer);
	client_close(&ticks);
	client_close(&watch);
	client_close(&flood);
	client_close(&half);
}

/* The client has its answer, but the core still holds the event: the edge waits for it. */
static void replies_of_the_core_are_awaited(void **state)
{
	struct server *server = server_start(NULL);
	struct client client;

	(void)state;
	client_open(&client, server->port);
	client_request(&client, "GET", "/v1/tasks/core", "", NULL);
	server_wait_until(&server->held_count, 1);
	client_close(&client);
	server_wait_until(&server_ended, 1);
	server_stop(server, 0);
}

static bool can_connect(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bool connected = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
	close(fd);
	return connected;
}

static void draining_refuses_what_is_new(void **state)
{
	struct server *server = server_start(NULL);
	struct client old, kept;
	struct answer answer;
	int64_t deadline_ms = server_now_ms() + 5000;

	(void)state;
	client_open(&old, server->port);
	client_request(&old, "GET", "/v1/tasks/core", "", NULL);
	client_open(&kept, server->port);
	client_request(&kept, "GET", "/v1/tasks/t-1", "", NULL);
	client_read(&kept, &answer);
	answer_free(&answer);
	server_wait_until(&server->held_count, 1);
	jv_rest_edge_drain(server->rest);
	jv_rest_edge_drain(server->rest);
	while (can_connect(server->port))
		assert_true(server_now_ms() < deadline_ms);
	client_request(&kept, "GET", "/v1/tasks/t-1", "", NULL);
	client_read(&kept, &answer);
	assert_int_equal(answer.status, 503);
	assert_true(answer.closes);
	assert_non_null(strstr(answer_text(&answer), "the server is stopping"));
	answer_free(&answer);
	server_core_answer(server);
	client_read(&old, &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	client_close(&old);
	client_close(&kept);
	server_stop(server, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_that_was_never_started_closes),
		cmocka_unit_test(idle_connections_do_not_hold_it),
		cmocka_unit_test(calls_in_flight_are_finished),
		cmocka_unit_test(what_does_not_end_is_cut),
		cmocka_unit_test(replies_of_the_core_are_awaited),
		cmocka_unit_test(draining_refuses_what_is_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
