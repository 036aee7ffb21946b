/* Everything that is too much: bodies, headers, connections, calls, patience; and bad addresses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "testing/edge/rest/client.h"
#include "testing/edge/rest/server.h"

#define BODY_MAX   1000
#define LARGE_BODY 30000

static struct server *small_server(void)
{
	struct jv_rest_options options = server_options();

	options.body_bytes_max = BODY_MAX;
	options.header_bytes_max = 2000;
	return server_start(&options);
}

/* A submission of exactly so many bytes. */
static void make_body(char *body, size_t size)
{
	static const char head[] = "{\"spec\":{\"name\":\"";

	memset(body, 'x', size);
	memcpy(body, head, sizeof(head) - 1);
	memcpy(body + size - 3, "\"}}", 4);
}

static void bodies_have_a_limit(void **state)
{
	struct server *server = small_server();
	char body[2 * BODY_MAX + 1];

	(void)state;
	make_body(body, BODY_MAX);
	client_expect(server->port, "POST", "/v1/tasks", body, 200, "xxxx");
	make_body(body, BODY_MAX + 1);
	client_expect(server->port, "POST", "/v1/tasks", body, 413, "{\"code\":8,");
	make_body(body, 2 * BODY_MAX);
	client_expect(server->port, "POST", "/v1/tasks", body, 413, "limit of 1000 bytes");
	assert_int_equal(atomic_load(&server_started), 1);
	server_stop(server, 1000);
}

/* The client sees the answer though it has sent everything first; the connection is in step. */
static void a_body_without_a_length_has_a_limit(void **state)
{
	struct server *server = small_server();
	struct client client;
	struct answer answer;
	char piece[BODY_MAX + 1];

	(void)state;
	memset(piece, 'x', BODY_MAX);
	piece[BODY_MAX] = '\0';
	client_open(&client, server->port);
	client_request(&client, "POST", "/v1/tasks", "Transfer-Encoding: chunked\r\n", NULL);
	for (int i = 0; i < 5; i++) {
		client_send(&client, "3e8\r\n");
		client_send(&client, piece);
		client_send(&client, "\r\n");
	}
	client_send(&client, "0\r\n\r\n");
	client_read(&client, &answer);
	assert_int_equal(answer.status, 413);
	answer_free(&answer);
	client_request(&client, "GET", "/v1/tasks/t-1", "", NULL);
	client_read(&client, &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	client_close(&client);
	server_stop(server, 1000);
}

/* A client that asks first is told before it sends. */
static void a_polite_client_need_not_send(void **state)
{
	struct server *server = small_server();
	struct client client;
	struct answer answer;

	(void)state;
	client_open(&client, server->port);
	client_send(&client,
		"POST /v1/tasks HTTP/1.1\r\nHost: test\r\nContent-Length: 5000\r\n"
		"Expect: 100-continue\r\n\r\n");
	client_read(&client, &answer);
	assert_int_equal(answer.status, 413);
	answer_free(&answer);
	client_close(&client);
	client_open(&client, server->port);
	client_send(&client,
		"POST /v1/tasks HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n"
		"Expect: 100-continue\r\n\r\n");
	client_send(&client, "{}");
	client_read(&client, &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	client_close(&client);
	server_stop(server, 1000);
}

static void all_bodies_together_have_a_limit(void **state)
{
	struct jv_rest_options options = server_options();
	struct server *server;
	struct client holder;
	struct answer answer;
	static char body[LARGE_BODY + 1], small[BODY_MAX + 1];

	(void)state;
	options.body_bytes_max = LARGE_BODY;
	options.bodies_bytes_max = LARGE_BODY;
	/* Nobody is slow here. */
	options.body_ms = 600000;
	server = server_start(&options);
	make_body(body, LARGE_BODY);
	make_body(small, BODY_MAX);
	/* All but the last byte. */
	client_open(&holder, server->port);
	client_send(
		&holder, "POST /v1/tasks HTTP/1.1\r\nHost: test\r\nContent-Length: 30000\r\n\r\n");
	client_send_bytes(&holder, body, LARGE_BODY - 1);
	client_expect(server->port, "GET", "/v1/tasks/t-1", NULL, 200, "t-1");
	client_expect(server->port, "POST", "/v1/tasks", body, 429, "too many large requests");
	/* Small ones go on. */
	client_expect(server->port, "POST", "/v1/tasks", small, 200, "xxxx");
	client_send_bytes(&holder, body + LARGE_BODY - 1, 1);
	client_read(&holder, &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	client_close(&holder);
	client_expect(server->port, "POST", "/v1/tasks", body, 200, "xxxx");
	server_stop(server, 1000);
}

/* Whoever begins bodies and does not end them takes room from himself in the end. */
static void slow_bodies_of_one_address_leave_room_for_others(void **state)
{
	struct jv_rest_options options = server_options();
	struct server *server;
	struct client slow[20];
	struct answer answer;
	static char body[LARGE_BODY + 1];
	int taken = 0;

	(void)state;
	options.bodies_bytes_max = (size_t)4 * LARGE_BODY;
	options.body_ms = 600000;
	server = server_start(&options);
	make_body(body, LARGE_BODY);
	for (int i = 0; i < 20; i++) {
		client_open_from(&slow[i], server->port, "127.0.0.2");
		client_send(&slow[i],
			"POST /v1/tasks HTTP/1.1\r\nHost: test\r\nContent-Length: 30000\r\n\r\n");
		client_send_bytes(&slow[i], body, LARGE_BODY - 1);
		/* The edge has looked at it when it answers another. */
		client_expect(server->port, "GET", "/v1/tasks/t-1", NULL, 200, "t-1");
	}
	client_expect(server->port, "POST", "/v1/tasks", body, 200, "xxxx");
	for (int i = 0; i < 20; i++) {
		client_send_bytes(&slow[i], body + LARGE_BODY - 1, 1);
		client_read(&slow[i], &answer);
		assert_true(answer.status == 200 || answer.status == 429);
		taken += answer.status == 200;
		answer_free(&answer);
		client_close(&slow[i]);
	}
	/* Of 120,000 bytes half, in bodies of which 16 KiB are free. */
	assert_int_equal(taken, 4);
	server_stop(server, 1000);
}

/* Also behind a proxy, where all have one address: who holds room and does not go on loses it to
 * who comes. */
static void slow_bodies_lose_their_room(void **state)
{
	struct jv_rest_options options = server_options();
	struct server *server;
	struct client slow[4];
	struct answer answer;
	static char body[LARGE_BODY + 1];
	int lost = 0;

	(void)state;
	options.bodies_bytes_max = (size_t)4 * LARGE_BODY;
	options.body_ms = 10000;
	server = server_start(&options);
	make_body(body, LARGE_BODY);
	for (int i = 0; i < 4; i++) {
		client_open(&slow[i], server->port);
		client_send(&slow[i],
			"POST /v1/tasks HTTP/1.1\r\nHost: test\r\nContent-Length: 30000\r\n\r\n");
		client_send_bytes(&slow[i], body, LARGE_BODY - 10 - (size_t)i);
	}
	nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 200000000}, NULL);
	client_expect(server->port, "POST", "/v1/tasks", body, 200, "xxxx");
	for (int i = 0; i < 4; i++) {
		client_send_bytes(&slow[i], body + LARGE_BODY - 10 - (size_t)i, 10 + (size_t)i);
		client_read(&slow[i], &answer);
		assert_true(answer.status == 200 || answer.status == 429);
		if (answer.status == 429) {
			assert_non_null(strstr(answer_text(&answer), "too slowly"));
			lost++;
		}
		answer_free(&answer);
		client_close(&slow[i]);
	}
	assert_int_equal(lost, 1);
	server_stop(server, 1000);
}

/* How much of a processor this program has used, in ms. */
static int64_t used_ms(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
		(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

/* Who is there is served, who comes waits, and nobody spins. */
static void files_that_are_out_come_back(void **state)
{
	struct server *server = server_start(NULL);
	struct client there, coming[10];
	struct answer answer;
	struct rlimit before, none;
	int64_t used;

	(void)state;
	client_open(&there, server->port);
	client_request(&there, "GET", "/v1/tasks/t-1", "", NULL);
	client_read(&there, &answer);
	answer_free(&answer);
	for (int i = 0; i < 10; i++)
		client_init(&coming[i]);
	/* The lowest that is free is what would be given out. */
	int next = dup(there.fd);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (int i = 0; i < 10; i++) {
		client_connect(&coming[i], server->port);
		client_request(&coming[i], "GET", "/v1/tasks/t-1", "", NULL);
	}
	client_request(&there, "GET", "/v1/tasks/t-1", "", NULL);
	client_read(&there, &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	used = used_ms();
	nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
	assert_in_range(used_ms() - used, 0, 250);
	assert_int_equal(atomic_load(&server_started), 2);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	for (int i = 0; i < 10; i++) {
		client_read(&coming[i], &answer);
		assert_int_equal(answer.status, 200);
		answer_free(&answer);
		client_close(&coming[i]);
	}
	client_close(&there);
	server_stop(server, 1000);
}

static void send_headers(const struct server *server, size_t size, int status)
{
	struct client client;
	struct answer answer;
	char *headers = jv_malloc(size + 8);

	memset(headers, 'x', size);
	memcpy(headers, "X: ", 3);
	memcpy(headers + size, "\r\n", 3);
	client_open(&client, server->port);
	client_request(&client, "GET", "/v1/tasks/t-1", headers, NULL);
	client_read(&client, &answer);
	assert_int_equal(answer.status, status);
	if (status != 200 && size < 5000)
		assert_non_null(strstr(answer_text(&answer), "{\"code\":8,"));
	answer_free(&answer);
	client_close(&client);
	free(headers);
}

static void headers_have_a_limit(void **state)
{
	struct server *server = small_server();

	(void)state;
	send_headers(server, 1000, 200);
	send_headers(server, 3000, 431);
	/* Far past it, and past what is read at once. */
	send_headers(server, 100000, 431);
	assert_int_equal(atomic_load(&server_started), 1);
	server_stop(server, 1000);
}

/* Whole, cut off, and one behind the other. */
static void a_thousand_parameters_harm_nobody(void **state)
{
	struct server *server = server_start(NULL);
	struct jv_buffer request = {0};
	struct client client;

	(void)state;
	jv_buffer_append_text(&request, "GET /v1/tasks?");
	for (int i = 0; i < 1000; i++)
		jv_buffer_printf(&request, "filter.labels[%d]=x&", i);
	jv_buffer_append_text(&request, "z=1 HTTP/1.1\r\nHost: x\r\n\r\n");
	for (size_t size = request.size; size > 100; size /= 2) {
		client_open(&client, server->port);
		client_send_bytes(&client, request.data, size);
		client_send_bytes(&client, request.data, size);
		client_close(&client);
	}
	jv_buffer_deinit(&request);
	client_expect(server->port, "GET", "/v1/tasks/t-1", NULL, 200, "t-1");
	server_stop(server, 1000);
}

static void calls_have_a_limit(void **state)
{
	struct server *server = server_start(NULL);
	struct client client;
	struct answer answer;

	(void)state;
	server->limits.calls_max = 1;
	client_open(&client, server->port);
	client_request(&client, "GET", "/v1/tasks/core", "", NULL);
	server_wait_until(&server->held_count, 1);
	client_expect(server->port, "GET", "/v1/tasks/t-1", NULL, 429, "too many calls");
	server_core_answer(server);
	client_read(&client, &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	client_close(&client);
	client_expect(server->port, "GET", "/v1/tasks/t-1", NULL, 200, "t-1");
	server_stop(server, 1000);
}

/* The third is served when one of the first two has gone. */
static void connections_have_a_limit(void **state)
{
	struct jv_rest_options options = server_options();
	struct client clients[3];
	struct answer answer;
	struct server *server;

	(void)state;
	options.connections_max = 2;
	server = server_start(&options);
	for (int i = 0; i < 2; i++) {
		client_open(&clients[i], server->port);
		client_request(&clients[i], "GET", "/v1/tasks/t-1", "", NULL);
		client_read(&clients[i], &answer);
		answer_free(&answer);
	}
	client_open(&clients[2], server->port);
	client_request(&clients[2], "GET", "/v1/tasks/t-1", "", NULL);
	client_request(&clients[0], "GET", "/v1/tasks/t-1", "", NULL);
	client_read(&clients[0], &answer);
	answer_free(&answer);
	assert_int_equal(atomic_load(&server_started), 3);
	client_close(&clients[0]);
	client_read(&clients[2], &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	client_close(&clients[1]);
	client_close(&clients[2]);
	server_stop(server, 1000);
}

static void idle_connections_are_closed(void **state)
{
	struct jv_rest_options options = server_options();
	struct client idle, slow, waiting;
	struct answer answer;
	struct server *server;

	(void)state;
	options.idle_ms = 500;
	server = server_start(&options);
	client_open(&idle, server->port);
	client_open(&slow, server->port);
	client_send(&slow, "POST /v1/tasks HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n{");
	client_open(&waiting, server->port);
	client_request(&waiting, "GET", "/v1/tasks/core", "", NULL);
	assert_true(client_sees_end(&idle));
	client_read(&slow, &answer);
	assert_int_equal(answer.status, 408);
	assert_true(answer.closes);
	answer_free(&answer);
	assert_true(client_sees_end(&slow));
	/* One that waits for us is not idle. */
	assert_int_equal(atomic_load(&server_ended), 0);
	server_core_answer(server);
	client_read(&waiting, &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	client_close(&idle);
	client_close(&slow);
	client_close(&waiting);
	server_stop(server, 1000);
}

static void expect_no_open(
	struct server *server, const char *listen, enum jv_code code, const char *says)
{
	struct jv_rest_options options = server_options();
	struct jv_rest_edge *rest = NULL;
	struct jv_status status;

	options.listen = listen;
	status = jv_rest_edge_open(&options, &server->api, &rest);
	if (status.code != code || strstr(status.message, says) == NULL)
		fail_msg("%s: %s: %s", listen, jv_code_name(status.code), status.message);
}

static void bad_addresses_are_explained(void **state)
{
	struct server *server = server_start(NULL);
	char taken[32];

	(void)state;
	snprintf(taken, sizeof(taken), "127.0.0.1:%u", (unsigned)server->port);
	expect_no_open(server, taken, JV_FAILED_PRECONDITION, "is in use; stop the process");
	expect_no_open(server, taken, JV_FAILED_PRECONDITION, taken);
	expect_no_open(server, "192.0.2.1:0", JV_INVALID_ARGUMENT, "none of this machine's");
	expect_no_open(server, "127.0.0.1", JV_INVALID_ARGUMENT, "malformed");
	expect_no_open(server, "127.0.0.1:", JV_INVALID_ARGUMENT, "malformed");
	expect_no_open(server, "127.0.0.1:http", JV_INVALID_ARGUMENT, "malformed");
	expect_no_open(server, "::1:80", JV_INVALID_ARGUMENT, "malformed");
	expect_no_open(server, "127.0.0.1:99999", JV_INVALID_ARGUMENT, "");
	server_stop(server, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_have_a_limit),
		cmocka_unit_test(a_body_without_a_length_has_a_limit),
		cmocka_unit_test(a_polite_client_need_not_send),
		cmocka_unit_test(all_bodies_together_have_a_limit),
		cmocka_unit_test(slow_bodies_of_one_address_leave_room_for_others),
		cmocka_unit_test(slow_bodies_lose_their_room),
		cmocka_unit_test(files_that_are_out_come_back),
		cmocka_unit_test(headers_have_a_limit),
		cmocka_unit_test(a_thousand_parameters_harm_nobody),
		cmocka_unit_test(calls_have_a_limit),
		cmocka_unit_test(connections_have_a_limit),
		cmocka_unit_test(idle_connections_are_closed),
		cmocka_unit_test(bad_addresses_are_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
