/* Clients that mean harm, or fail in every way: an error to the one, nothing to the others, and the
 * memory comes back. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "testing/edge/rest/client.h"
#include "testing/edge/rest/server.h"

#define SMUGGLED "GET /v1/tasks/smuggled HTTP/1.1\r\nHost: test\r\n\r\n"

/* Sends all of it, and reads to the end of the connection: how many answers there were, and the
 * status of the first. */
static int answers_to(const struct server *server, const char *request, int *status)
{
	struct client client;
	char text[16384];
	size_t size = 0;
	ssize_t got;
	int count = 0;

	client_open(&client, server->port);
	client_send(&client, request);
	while (size < sizeof(text) - 1 &&
		(got = recv(client.fd, text + size, sizeof(text) - 1 - size, 0)) > 0)
		size += (size_t)got;
	text[size] = '\0';
	*status = 0;
	sscanf(text, "HTTP/1.1 %d", status);
	for (const char *at = text; (at = strstr(at, "HTTP/1.1 ")) != NULL; at++)
		count++;
	client_close(&client);
	return count;
}

#define POST "POST /v1/tasks HTTP/1.1\r\nHost: test\r\n"

/* Each has a second request hidden in it, which a proxy would not have seen. */
static void nothing_is_smuggled(void **state)
{
	static const struct {
		const char *request;
		int status;
	} rows[] = {
		{POST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED,
			400},
		{POST "Transfer-Encoding: chunked\r\nContent-Length: 49\r\n\r\n0\r\n\r\n" SMUGGLED,
			400},
		{POST "Content-Length: 0\r\nContent-Length: 49\r\n\r\n" SMUGGLED, 400},
		{POST "Content-Length: 49\r\nContent-Length: 0\r\n\r\n" SMUGGLED, 400},
		{POST "Content-Length: 0,49\r\n\r\n" SMUGGLED, 400},
		{POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" SMUGGLED, 501},
		{POST "Transfer-Encoding: \x0b"
		      "chunked\r\n\r\n0\r\n\r\n" SMUGGLED,
			400},
		{POST "X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED, 400},
		{POST "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED, 400},
		{POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" SMUGGLED, 400},
		{POST "Transfer-Encoding: chunked\r\n\r\n0\n\n" SMUGGLED, 400},
		{POST "Transfer-Encoding: chunked\r\n\r\n1\r\nZZ\r\n0\r\n\r\n" SMUGGLED, 400},
		{POST "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" SMUGGLED, 400},
		{POST "Transfer-Encoding: chunked\r\n\r\n-1\r\n" SMUGGLED, 400},
		{POST "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" SMUGGLED, 400},
		{"GET / HTTP/1.1\nHost: test\n\n" SMUGGLED, 400},
		{"GET / HTTP/1.1\r\nHost: test\r\n\n" SMUGGLED, 400},
		{"GET / HTTP/1.1\r\nHost: test\r\nHost: other\r\n\r\n" SMUGGLED, 400},
		{"GET / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n 0\r\n\r\n" SMUGGLED, 400},
	};
	struct server *server = server_start(NULL);
	int status;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int count = answers_to(server, rows[i].request, &status);
		if (count != 1 || status != rows[i].status)
			fail_msg("%d answers, %d: %s", count, status, rows[i].request);
	}
	assert_int_equal(atomic_load(&server_started), 0);
	client_expect(server->port, "GET", "/v1/tasks/t-1", NULL, 200, "t-1");
	server_stop(server, 1000);
}

/* A request that was refused for its size is read to its end, so what is behind it is a request. */
static void requests_behind_one_another_stay_in_step(void **state)
{
	static const char line[] =
		"GET /v1/tasks/t-1 HTTP/1.1\r\nHost: test\r\n\r\n"
		"\r\n" POST "Content-Length: 2\r\n\r\n{}" POST
		"Transfer-Encoding: chunked\r\n\r\n1;a=b\r\n{\r\n1\r\n}\r\n0\r\nX: y\r\n\r\n"
		"GET http://other.example/v1/tasks/t-2?a#b HTTP/1.1\r\nHost: test\r\n\r\n";
	static const int statuses[] = {200, 200, 200, 400};
	struct server *server = server_start(NULL);
	struct client client;
	struct answer answer;

	(void)state;
	client_open(&client, server->port);
	client_send(&client, line);
	for (size_t i = 0; i < 4; i++) {
		client_read(&client, &answer);
		assert_int_equal(answer.status, statuses[i]);
		answer_free(&answer);
	}
	assert_true(client_sees_end(&client));
	client_close(&client);
	server_stop(server, 1000);
}

/* Byte by byte it is the same request. */
static void pieces_make_no_difference(void **state)
{
	static const char request[] = POST "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
	struct server *server = server_start(NULL);
	struct client client;
	struct answer answer;

	(void)state;
	client_open(&client, server->port);
	for (size_t i = 0; i < sizeof(request) - 1; i++)
		client_send_bytes(&client, request + i, 1);
	client_read(&client, &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	client_close(&client);
	server_stop(server, 1000);
}

/* A client that is refused while it sends still gets its answer. */
static void an_answer_survives_what_comes_behind_it(void **state)
{
	struct server *server = server_start(NULL);
	struct client client;
	struct answer answer;
	static char junk[1 << 20];

	(void)state;
	memset(junk, 'x', sizeof(junk));
	client_open(&client, server->port);
	client_send(&client, "GET / HTTP/1.1\r\nHost: test\r\nContent-Length: x\r\n\r\n");
	client_send_bytes(&client, junk, sizeof(junk));
	client_read(&client, &answer);
	assert_int_equal(answer.status, 400);
	assert_true(answer.closes);
	answer_free(&answer);
	client_close(&client);
	server_stop(server, 1000);
}

/* What a client may do before it is gone without a word. */
static const char *const mischief[] = {
	"",
	"G",
	"GET /v1/tasks/t-1 HTTP/1.1\r\nHost: test\r\nX",
	"GET /v1/tasks/t-1 HTTP/1.1\r\nHost: test\r\n\r\n",
	"GET /v1/tasks/core HTTP/1.1\r\nHost: test\r\n\r\n",
	"GET /v1/tasks/flood/logs HTTP/1.1\r\nHost: test\r\n\r\n",
	"GET /v1/tasks/flood/logs HTTP/1.1\r\nHost: test\r\nAccept-Encoding: gzip\r\n\r\n",
	"GET /v1/tasks:watch HTTP/1.1\r\nHost: test\r\n\r\n",
	"GET /v1/tasks/big HTTP/1.1\r\nHost: test\r\n\r\n",
	POST "Content-Length: 1000000\r\n\r\n{\"spec\"",
	POST "Content-Length: 5000000\r\n\r\n{\"spec\"",
	POST "Content-Encoding: gzip\r\nContent-Length: 50\r\n\r\n\x1f\x8b\x08",
	POST "Transfer-Encoding: chunked\r\n\r\n5\r\n{",
	POST "Transfer-Encoding: chunked\r\n\r\nzz",
	"\x16\x03\x01\x02\x01",
	"GET / HTTP/1.1\nHost: test\n\n",
};

static void leave(struct client *client, int way)
{
	const struct linger reset = {.l_onoff = 1};

	if (way == 1)
		setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	else if (way == 2)
		shutdown(client->fd, SHUT_WR);
	client_close(client);
}

/* Each way to begin, with each way to end: closed, reset, half closed. */
static void misbehave(struct server *server, int rounds)
{
	for (int round = 0; round < rounds; round++)
		for (size_t i = 0; i < sizeof(mischief) / sizeof(mischief[0]); i++) {
			struct client client;
			client_open(&client, server->port);
			client_send(&client, mischief[i]);
			leave(&client, round % 3);
		}
}

/* Until all calls have ended, and what they held has been freed. */
static void settle(struct server *server)
{
	int64_t deadline_ms = server_now_ms() + 10000;

	client_expect(server->port, "GET", "/v1/tasks/t-1", NULL, 200, "t-1");
	for (;;) {
		server_core_answer(server);
		if (atomic_load(&server_started) == atomic_load(&server_ended))
			break;
		assert_true(server_now_ms() < deadline_ms);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
}

static void memory_comes_back(void **state)
{
	struct server *server = server_start(NULL);
	size_t before, after;

	(void)state;
	misbehave(server, 3);
	settle(server);
	before = mallinfo2().uordblks;
	misbehave(server, 30);
	settle(server);
	after = mallinfo2().uordblks;
	if (after > before + 65536)
		fail_msg("%zu bytes before, %zu after", before, after);
	server_stop(server, 1000);
}

/* Clients that ask and ask and do not read hold only themselves. */
static void a_flood_does_not_hold_up_others(void **state)
{
	struct server *server = server_start(NULL);
	struct client floods[6];
	char line[] = "GET /v1/tasks/t-1 HTTP/1.1\r\nHost: test\r\n\r\n";
	int64_t start_ms;
	int small = 16384;

	(void)state;
	for (int i = 0; i < 6; i++) {
		client_open(&floods[i], server->port);
		/* Or megabytes of answers would have to be made first. */
		setsockopt(floods[i].fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
		while (send(floods[i].fd, line, sizeof(line) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) ==
			sizeof(line) - 1)
			continue;
	}
	start_ms = server_now_ms();
	for (int i = 0; i < 50; i++)
		client_expect(server->port, "GET", "/v1/tasks/t-2", NULL, 200, "t-2");
	assert_true(server_now_ms() - start_ms < 8000);
	for (int i = 0; i < 6; i++)
		client_close(&floods[i]);
	server_stop(server, 1000);
}

/* One address has its share of connections, and gets it back. */
static void an_address_has_a_limit(void **state)
{
	struct jv_rest_options options = server_options();
	struct client clients[4];
	struct answer answer;
	struct server *server;

	(void)state;
	options.connections_per_address_max = 3;
	server = server_start(&options);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 3; i++) {
			client_open(&clients[i], server->port);
			client_request(&clients[i], "GET", "/v1/tasks/t-1", "", NULL);
			client_read(&clients[i], &answer);
			assert_int_equal(answer.status, 200);
			answer_free(&answer);
		}
		client_open(&clients[3], server->port);
		assert_true(client_sees_end(&clients[3]));
		for (int i = 0; i < 4; i++)
			client_close(&clients[i]);
		/* The ends are seen in their order, so that of one more is behind them. */
		nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
	}
	server_stop(server, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_smuggled),
		cmocka_unit_test(requests_behind_one_another_stay_in_step),
		cmocka_unit_test(pieces_make_no_difference),
		cmocka_unit_test(an_answer_survives_what_comes_behind_it),
		cmocka_unit_test(memory_comes_back),
		cmocka_unit_test(a_flood_does_not_hold_up_others),
		cmocka_unit_test(an_address_has_a_limit),
	};

	/* mallinfo2 tells of the first arena only. */
	mallopt(M_ARENA_MAX, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
