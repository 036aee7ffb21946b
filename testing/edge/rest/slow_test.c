/* Clients that are slow on purpose: a byte now and then does not hold a connection for ever. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "testing/edge/rest/client.h"
#include "testing/edge/rest/server.h"

#define SHORT_MS 300

/* What the kernel still takes of what the server sends; negative: all. */
static _Atomic long room = -1;
static _Atomic uint32_t turned_away;

/* In front of the C library's: a buffer that is full when the test says so. */
ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct iovec *first = &message->msg_iov[0];
	long left = atomic_load(&room);
	ssize_t sent;

	if (left < 0)
		return syscall(SYS_sendmsg, fd, message, flags);
	if (left == 0) {
		atomic_fetch_add(&turned_away, 1);
		errno = EAGAIN;
		return -1;
	}
	sent = send(fd, first->iov_base,
		first->iov_len < (size_t)left ? first->iov_len : (size_t)left, flags);
	atomic_store(&room, left - sent);
	return sent;
}

static struct jv_rest_options impatient(void)
{
	struct jv_rest_options options = server_options();

	options.head_ms = SHORT_MS;
	options.body_ms = SHORT_MS;
	return options;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* Sends the text again and again, one piece each 20 ms, until an answer is there. Returns for how
 * long. */
static int64_t trickle(struct client *client, const char *text)
{
	int64_t start_ms = server_now_ms();
	char byte;

	while (recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0) {
		assert_true(errno == EAGAIN || errno == EWOULDBLOCK);
		assert_true(server_now_ms() - start_ms < 10000);
		assert_true(send(client->fd, text, strlen(text), MSG_NOSIGNAL) > 0);
		pause_ms(20);
	}
	return server_now_ms() - start_ms;
}

static void expect_408(struct client *client, const char *says)
{
	struct answer answer;

	client_read(client, &answer);
	assert_int_equal(answer.status, 408);
	assert_true(answer.closes);
	if (strstr(answer_text(&answer), says) == NULL)
		fail_msg("%s", answer_text(&answer));
	answer_free(&answer);
}

static void a_slow_head_is_ended(void **state)
{
	struct jv_rest_options options = impatient();
	struct server *server = server_start(&options);
	struct client client;

	(void)state;
	client_open(&client, server->port);
	client_send(&client, "GET /v1/tasks/t-1 HTTP/1.1\r\nHost: test\r\nX: ");
	assert_true(trickle(&client, "x") >= SHORT_MS);
	expect_408(&client, "headers");
	client_close(&client);
	/* Whole lines are no better. */
	client_open(&client, server->port);
	client_send(&client, "GET /v1/tasks/t-1 HTTP/1.1\r\nHost: test\r\n");
	assert_true(trickle(&client, "X: y\r\n") >= SHORT_MS);
	expect_408(&client, "headers");
	client_close(&client);
	server_stop(server, 1000);
}

static void also_of_a_second_request(void **state)
{
	struct jv_rest_options options = impatient();
	struct server *server = server_start(&options);
	struct client client;
	struct answer answer;

	(void)state;
	client_open(&client, server->port);
	client_request(&client, "GET", "/v1/tasks/t-1", "", NULL);
	client_read(&client, &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	/* Between two requests there is time. */
	pause_ms(2 * SHORT_MS);
	client_request(&client, "GET", "/v1/tasks/t-1", "", NULL);
	client_read(&client, &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	client_send(&client, "GET /v1/tasks/t-1 HTTP/1.1\r\nX: ");
	assert_true(trickle(&client, "x") >= SHORT_MS);
	expect_408(&client, "headers");
	client_close(&client);
	server_stop(server, 1000);
}

static void a_slow_body_is_ended(void **state)
{
	struct jv_rest_options options = impatient();
	struct server *server = server_start(&options);
	struct client client;

	(void)state;
	client_open(&client, server->port);
	client_send(
		&client, "POST /v1/tasks HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n");
	assert_true(trickle(&client, " ") >= SHORT_MS);
	expect_408(&client, "body");
	client_close(&client);
	client_open(&client, server->port);
	client_send(&client,
		"POST /v1/tasks HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n");
	assert_true(trickle(&client, "1\r\n \r\n") >= SHORT_MS);
	expect_408(&client, "body");
	client_close(&client);
	assert_int_equal(atomic_load(&server_started), 0);
	server_stop(server, 1000);
}

/* What comes in good time may take longer than a slow one would be given. */
static void a_long_body_is_not_a_slow_one(void **state)
{
	struct jv_rest_options options = impatient();
	struct server *server;
	struct client client;
	struct answer answer;
	char blank[1000];
	int64_t start_ms;

	(void)state;
	options.body_rate_min = 1000;
	server = server_start(&options);
	memset(blank, ' ', sizeof(blank));
	client_open(&client, server->port);
	client_send(
		&client, "POST /v1/tasks HTTP/1.1\r\nHost: test\r\nContent-Length: 20002\r\n\r\n{");
	start_ms = server_now_ms();
	for (int i = 0; i < 20; i++) {
		client_send_bytes(&client, blank, sizeof(blank));
		pause_ms(50);
	}
	assert_true(server_now_ms() - start_ms > 2 * SHORT_MS);
	client_send(&client, "}");
	client_read(&client, &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	client_close(&client);
	server_stop(server, 1000);
}

/* The client does not read yet: that it may go on waits its turn, whole and in front of the answer.
 */
static void a_client_with_a_full_buffer_may_go_on_later(void **state)
{
	static const char expected[] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n";
	struct server *server = server_start(NULL);
	struct client client;
	struct answer answer;

	(void)state;
	client_open(&client, server->port);
	atomic_store(&turned_away, 0);
	atomic_store(&room, 10);
	client_send(&client,
		"POST /v1/tasks HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n"
		"Expect: 100-continue\r\n\r\n");
	server_wait_until(&turned_away, 1);
	atomic_store(&room, -1);
	client_send(&client, "{}");
	client_read(&client, &answer);
	assert_int_equal(answer.status, 200);
	assert_memory_equal(client.in.data, expected, sizeof(expected) - 1);
	answer_free(&answer);
	client_close(&client);
	server_stop(server, 1000);
}

/* An answer, or a stream, that nobody reads. */
static void a_client_that_does_not_read_is_left(void **state)
{
	struct jv_rest_options options = server_options();
	struct server *server;
	struct client whole, stream;

	(void)state;
	options.idle_ms = SHORT_MS;
	server = server_start(&options);
	client_open(&stream, server->port);
	client_request(&stream, "GET", "/v1/tasks/flood/logs", "", NULL);
	server_wait_until(&server_ended, 1);
	client_open(&whole, server->port);
	for (int i = 0; i < 10; i++)
		client_request(&whole, "GET", "/v1/tasks/big", "", NULL);
	for (int64_t start_ms = server_now_ms(); server_now_ms() - start_ms < 2 * SHORT_MS;)
		client_expect(server->port, "GET", "/v1/tasks/t-1", NULL, 200, "t-1");
	client_close(&whole);
	client_close(&stream);
	server_stop(server, 1000);
}

/* A stream without news is no idle connection. */
static void a_quiet_stream_lasts(void **state)
{
	struct jv_rest_options options = server_options();
	struct server *server;
	struct client client;
	struct answer answer;

	(void)state;
	options.idle_ms = SHORT_MS;
	server = server_start(&options);
	client_open(&client, server->port);
	client_request(&client, "GET", "/v1/tasks:watch", "", NULL);
	server_wait_until(&server_started, 1);
	server_publish(server, 1);
	client_read_head(&client, &answer);
	assert_true(client_read_chunk(&client, &answer));
	pause_ms(3 * SHORT_MS);
	server_publish(server, 2);
	assert_true(client_read_chunk(&client, &answer));
	assert_non_null(strstr(answer_text(&answer), "\"revision\":\"2\""));
	answer_free(&answer);
	client_close(&client);
	server_stop(server, 1000);
}

/* A hundred of them at once, while another works. */
static void slow_clients_hold_up_nobody(void **state)
{
	struct jv_rest_options options = impatient();
	struct server *server = server_start(&options);
	struct client slow[100];

	(void)state;
	for (int i = 0; i < 100; i++) {
		client_open(&slow[i], server->port);
		client_send(&slow[i], "GET / HTTP/1.1\r\n");
	}
	for (int i = 0; i < 50; i++)
		client_expect(server->port, "GET", "/v1/tasks/t-1", NULL, 200, "t-1");
	for (int i = 0; i < 100; i++) {
		expect_408(&slow[i], "headers");
		client_close(&slow[i]);
	}
	server_stop(server, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slow_head_is_ended),
		cmocka_unit_test(also_of_a_second_request),
		cmocka_unit_test(a_slow_body_is_ended),
		cmocka_unit_test(a_long_body_is_not_a_slow_one),
		cmocka_unit_test(a_client_with_a_full_buffer_may_go_on_later),
		cmocka_unit_test(a_client_that_does_not_read_is_left),
		cmocka_unit_test(a_quiet_stream_lasts),
		cmocka_unit_test(slow_clients_hold_up_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
