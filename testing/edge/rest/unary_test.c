/* One request, one answer: over true sockets, with a core that may take its time. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "testing/edge/rest/client.h"
#include "testing/edge/rest/server.h"

#define CLIENTS 200

static void a_task_is_answered(void **state)
{
	struct server *server = server_start(NULL);
	struct client client;
	struct answer answer;

	(void)state;
	client_open(&client, server->port);
	client_request(&client, "GET", "/v1/tasks/t-42", "", NULL);
	client_read(&client, &answer);
	assert_int_equal(answer.status, 200);
	assert_non_null(strstr(answer.headers, "Content-Type: application/json\r\n"));
	assert_string_equal(answer_text(&answer),
		"{\"task\":{\"id\":\"t-42\",\"spec\":null,\"status\":null},\"revision\":\"7\"}");
	answer_free(&answer);
	client_close(&client);
	server_stop(server, 1000);
}

static void routing_errors_are_those_of_the_gateway(void **state)
{
	static const char not_found[] = "{\"code\":5,\"message\":\"Not Found\",\"details\":[]}";
	static const char other[] =
		"{\"code\":12,\"message\":\"Method Not Allowed\",\"details\":[]}";
	struct server *server = server_start(NULL);

	(void)state;
	client_expect(server->port, "GET", "/nonsense", NULL, 404, not_found);
	client_expect(server->port, "GET", "/v1/tasks/", NULL, 404, not_found);
	client_expect(server->port, "GET", "//v1/tasks", NULL, 404, not_found);
	client_expect(server->port, "PUT", "/v1/tasks", "{}", 501, other);
	client_expect(server->port, "GET", "/v1/tasks/%zz", NULL, 400, "\"code\":3");
	client_expect(server->port, "GET", "/v1/tasks", NULL, 501, "does not serve");
	/* As a proxy would ask. */
	client_expect(server->port, "GET", "http://test/v1/tasks/t-1", NULL, 200, "t-1");
	server_stop(server, 1000);
}

static void a_head_has_no_body(void **state)
{
	struct server *server = server_start(NULL);
	struct client client;
	struct answer answer;

	(void)state;
	client_open(&client, server->port);
	client_request(&client, "HEAD", "/v1/tasks/t-1", "", NULL);
	client_read_head(&client, &answer);
	assert_int_equal(answer.status, 200);
	assert_non_null(strstr(answer.headers, "Content-Type: application/json\r\n"));
	assert_non_null(strstr(answer.headers, "Content-Length: 62\r\n"));
	answer_free(&answer);
	client_request(&client, "HEAD", "/v1/tasks/missing", "", NULL);
	client_read_head(&client, &answer);
	assert_int_equal(answer.status, 404);
	answer_free(&answer);
	/* Of a stream nothing but its head; the stream itself is ended. */
	client_request(&client, "HEAD", "/v1/tasks/flood/logs", "", NULL);
	client_read_head(&client, &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	/* The connection is in step. */
	client_request(&client, "GET", "/v1/tasks/t-1", "", NULL);
	client_read(&client, &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	client_close(&client);
	server_stop(server, 1000);
}

static void errors_of_handlers_have_their_status_and_details(void **state)
{
	struct server *server = server_start(NULL);
	struct client client;
	struct answer answer;

	(void)state;
	client_expect(server->port, "GET", "/v1/tasks/missing", NULL, 404,
		"\"@type\":\"type.googleapis.com/google.rpc.BadRequest\"");
	client_open(&client, server->port);
	client_request(&client, "GET", "/v1/tasks/secret", "", NULL);
	client_read(&client, &answer);
	assert_int_equal(answer.status, 401);
	assert_non_null(strstr(answer.headers, "WWW-Authenticate: who are you?\r\n"));
	answer_free(&answer);
	client_close(&client);
	server_stop(server, 1000);
}

static void bad_bodies_name_the_field(void **state)
{
	struct server *server = server_start(NULL);
	char deep[3000] = "{\"spec\":";

	(void)state;
	client_expect(server->port, "POST", "/v1/tasks", "{\"spec\":{\"image\":\"busybox\"}}", 200,
		"\"image\":\"busybox\"");
	client_expect(server->port, "POST", "/v1/tasks", "", 200, "\"spec\":null");
	/* What is not known is ignored, as by grpc-gateway. */
	client_expect(server->port, "POST", "/v1/tasks", "{\"spec\":{\"imagee\":\"x\"}}", 200,
		"\"image\":\"\"");
	client_expect(server->port, "POST", "/v1/tasks", "{\"spec\":{\"image\":5}}", 400,
		"\"field\":\"spec.image\"");
	client_expect(server->port, "POST", "/v1/tasks",
		"{\"spec\":{\"resources\":{\"cpuMillis\":\"many\"}}}", 400,
		"\"field\":\"spec.resources.cpu_millis\"");
	client_expect(server->port, "POST", "/v1/tasks", "{\"spec\":", 400, "\"code\":3");
	client_expect(server->port, "POST", "/v1/tasks", "{\"spec\":{\"name\":\"\xff\"}}", 400,
		"\"code\":3");
	memset(deep + strlen(deep), '[', sizeof(deep) - strlen(deep) - 1);
	client_expect(server->port, "POST", "/v1/tasks", deep, 400, "\"code\":3");
	client_expect(server->port, "GET", "/v1/tasks/%ff", NULL, 400, "\"field\":\"id\"");
	client_expect(server->port, "GET", "/v1/tasks/t-1?nonsense=1", NULL, 200, "t-1");
	assert_int_equal(atomic_load(&server_started), 4);
	server_stop(server, 1000);
}

static void metrics_are_raw(void **state)
{
	struct server *server = server_start(NULL);
	struct client client;
	struct answer answer;

	(void)state;
	client_open(&client, server->port);
	client_request(&client, "GET", "/metrics", "", NULL);
	client_read(&client, &answer);
	assert_int_equal(answer.status, 200);
	assert_non_null(strstr(answer.headers, "Content-Type: text/plain; version=0.0.4\r\n"));
	assert_string_equal(answer_text(&answer), "jarvis_up 1\n");
	answer_free(&answer);
	client_close(&client);
	server_stop(server, 1000);
}

/* Three at once on one connection; one of them waits for the core. */
static void pipelined_requests_are_answered_in_order(void **state)
{
	static const char *const ids[] = {"\"t-1\"", "\"core\"", "\"t-3\""};
	struct server *server = server_start(NULL);
	struct client client;
	struct answer answer;

	(void)state;
	client_open(&client, server->port);
	client_send(&client,
		"GET /v1/tasks/t-1 HTTP/1.1\r\nHost: test\r\n\r\n"
		"GET /v1/tasks/core HTTP/1.1\r\nHost: test\r\n\r\n"
		"GET /v1/tasks/t-3 HTTP/1.1\r\nHost: test\r\n\r\n");
	server_wait_until(&server->held_count, 1);
	assert_int_equal(atomic_load(&server_started), 2);
	server_core_answer(server);
	for (size_t i = 0; i < 3; i++) {
		client_read(&client, &answer);
		assert_int_equal(answer.status, 200);
		assert_non_null(strstr(answer_text(&answer), ids[i]));
		answer_free(&answer);
	}
	client_close(&client);
	server_stop(server, 1000);
}

static void large_answers_come_whole(void **state)
{
	struct server *server = server_start(NULL);
	struct client client;
	struct answer answer;

	(void)state;
	client_open(&client, server->port);
	for (int i = 0; i < 3; i++) {
		client_request(&client, "GET", "/v1/tasks/big", "", NULL);
		client_read(&client, &answer);
		assert_int_equal(answer.status, 200);
		assert_true(answer.body.size > (size_t)1 << 20);
		answer_free(&answer);
	}
	client_close(&client);
	server_stop(server, 1000);
}

static void a_full_core_says_so(void **state)
{
	struct server *server = server_start(NULL);

	(void)state;
	atomic_store(&server->core_full, true);
	client_expect(server->port, "GET", "/v1/tasks/core", NULL, 429, "\"code\":8");
	atomic_store(&server->core_full, false);
	server_stop(server, 1000);
}

static void deadlines_are_kept(void **state)
{
	struct server *server = server_start(NULL);
	struct client client;
	struct answer answer;
	int64_t start_ms = server_now_ms();

	(void)state;
	client_open(&client, server->port);
	client_request(&client, "GET", "/v1/tasks/core", "Grpc-Timeout: 100m\r\n", NULL);
	client_read(&client, &answer);
	assert_int_equal(answer.status, 504);
	assert_non_null(strstr(answer_text(&answer), "\"code\":4"));
	assert_in_range(server_now_ms() - start_ms, 100, 5000);
	answer_free(&answer);
	/* What the core says later is of no interest; the connection goes on. */
	server_core_answer(server);
	client_request(&client, "GET", "/v1/tasks/t-1", "Grpc-Timeout: 10S\r\n", NULL);
	client_read(&client, &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	client_request(&client, "GET", "/v1/tasks/t-1", "Grpc-Timeout: 0S\r\n", NULL);
	client_read(&client, &answer);
	assert_int_equal(answer.status, 504);
	answer_free(&answer);
	client_request(&client, "GET", "/v1/tasks/t-1", "Grpc-Timeout: soon\r\n", NULL);
	client_read(&client, &answer);
	assert_int_equal(answer.status, 400);
	answer_free(&answer);
	client_close(&client);
	server_stop(server, 1000);
}

/* Also one that only closes its sending side. */
static void a_client_that_goes_has_cancelled(void **state)
{
	struct server *server = server_start(NULL);
	struct client first, second;

	(void)state;
	client_open(&first, server->port);
	client_request(&first, "GET", "/v1/tasks/core", "", NULL);
	client_open(&second, server->port);
	client_request(&second, "GET", "/v1/tasks/core", "", NULL);
	server_wait_until(&server->held_count, 2);
	assert_int_equal(atomic_load(&server_ended), 0);
	client_close(&first);
	server_wait_until(&server_ended, 1);
	shutdown(second.fd, SHUT_WR);
	server_wait_until(&server_ended, 2);
	assert_true(client_sees_end(&second));
	client_close(&second);
	server_core_answer(server);
	client_expect(server->port, "GET", "/v1/tasks/t-1", NULL, 200, "t-1");
	server_stop(server, 1000);
}

static void many_clients_are_served_at_once(void **state)
{
	struct server *server = server_start(NULL);
	static struct client clients[CLIENTS];
	struct answer answer;

	(void)state;
	for (int i = 0; i < CLIENTS; i++)
		client_open(&clients[i], server->port);
	for (uint32_t round = 1; round <= 3; round++) {
		for (int i = 0; i < CLIENTS; i++)
			client_request(&clients[i], "GET", "/v1/tasks/core", "", NULL);
		server_wait_until(&server->held_count, CLIENTS);
		server_core_answer(server);
		for (int i = 0; i < CLIENTS; i++) {
			client_read(&clients[i], &answer);
			assert_int_equal(answer.status, 200);
			answer_free(&answer);
		}
		assert_int_equal(atomic_load(&server_ended), round * CLIENTS);
	}
	for (int i = 0; i < CLIENTS; i++)
		client_close(&clients[i]);
	server_stop(server, 1000);
}

/* Sends, closes the sending side, and reads to the end; the status of the answer, 0 if none. */
static int exchange(const struct server *server, const char *request)
{
	struct client client;
	char text[4096];
	size_t size = 0;
	ssize_t read;
	int status = 0;

	client_open(&client, server->port);
	client_send(&client, request);
	shutdown(client.fd, SHUT_WR);
	while ((read = recv(client.fd, text + size, sizeof(text) - size - 1, 0)) > 0)
		size += (size_t)read;
	text[size] = '\0';
	if (sscanf(text, "HTTP/1.%*d %d", &status) != 1)
		status = 0;
	client_close(&client);
	return status;
}

static void malformed_http_is_refused(void **state)
{
	static const struct {
		const char *request;
		int status; /* 0: the connection is just closed */
	} rows[] = {
		{"GET /v1/tasks/t-1 HTTP/1.1\r\n\r\n", 400},
		{"GET\r\n\r\n", 400},
		{"GET /v1/tasks/t-1 HTTP/1.1\r\nHost: test\r\nContent-Length: x\r\n\r\n", 400},
		{"POST /v1/tasks HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n"
		 "\r\nzz\r\n",
			400},
		{"POST /v1/tasks HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n"
		 "Content-Length: 5\r\n\r\n0\r\n\r\n",
			400},
		{"POST /v1/tasks HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: gzip\r\n\r\nx", 501},
		{"\x16\x03\x01\x02", 400},
		{"GET /v1/tasks/t-1 HTTP/1.1\r\nHost: test\r\nX", 0},
		{"POST /v1/tasks HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\n{", 0},
	};
	struct server *server = server_start(NULL);
	int64_t start_ms = server_now_ms();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(exchange(server, rows[i].request), rows[i].status);
	/* Half a request and an end, at once: not seen only when the connection has been idle. */
	for (int i = 0; i < 100; i++)
		assert_int_equal(exchange(server, "GET /v1/tas"), 0);
	assert_in_range(server_now_ms() - start_ms, 0, 5000);
	assert_int_equal(atomic_load(&server_started), 0);
	client_expect(server->port, "GET", "/v1/tasks/t-1", NULL, 200, "t-1");
	server_stop(server, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_task_is_answered),
		cmocka_unit_test(routing_errors_are_those_of_the_gateway),
		cmocka_unit_test(a_head_has_no_body),
		cmocka_unit_test(errors_of_handlers_have_their_status_and_details),
		cmocka_unit_test(bad_bodies_name_the_field),
		cmocka_unit_test(metrics_are_raw),
		cmocka_unit_test(pipelined_requests_are_answered_in_order),
		cmocka_unit_test(large_answers_come_whole),
		cmocka_unit_test(a_full_core_says_so),
		cmocka_unit_test(deadlines_are_kept),
		cmocka_unit_test(a_client_that_goes_has_cancelled),
		cmocka_unit_test(many_clients_are_served_at_once),
		cmocka_unit_test(malformed_http_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
