/* Streams of the server as lines of JSON: early, late, failing, slow and cut. */
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "testing/edge/rest/client.h"
#include "testing/edge/rest/server.h"

#define LINE(offset)                                                                   \
	"{\"result\":{\"chunk\":{\"attempt\":0,\"stream\":\"LOG_STREAM_UNSPECIFIED\"," \
	"\"offset\":\"" offset                                                         \
	"\",\"data\":\"\",\"time\":null,\"truncated\":false},\"revision\":\"0\"}}\n"

static void open_stream(
	struct client *client, const struct server *server, const char *uri, const char *headers)
{
	client_open(client, server->port);
	client_request(client, "GET", uri, headers, NULL);
}

static void read_one(const struct server *server, const char *uri, struct answer *answer)
{
	struct client client;

	open_stream(&client, server, uri, "");
	client_read(&client, answer);
	client_close(&client);
}

static void pieces_are_lines(void **state)
{
	struct server *server = server_start(NULL);
	struct answer answer;

	(void)state;
	read_one(server, "/v1/tasks/t/logs?tailLines=3", &answer);
	assert_int_equal(answer.status, 200);
	assert_true(answer.chunked);
	assert_non_null(strstr(answer.headers, "Content-Type: application/json\r\n"));
	assert_string_equal(answer_text(&answer), LINE("0") LINE("1") LINE("2"));
	answer_free(&answer);
	read_one(server, "/v1/tasks/t/logs", &answer);
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer_text(&answer), "");
	answer_free(&answer);
	server_stop(server, 1000);
}

static void an_early_error_is_a_status(void **state)
{
	struct server *server = server_start(NULL);
	struct answer answer;

	(void)state;
	read_one(server, "/v1/tasks/fails/logs", &answer);
	assert_int_equal(answer.status, 500);
	assert_false(answer.chunked);
	assert_non_null(strstr(answer_text(&answer), "{\"code\":15,"));
	answer_free(&answer);
	server_stop(server, 1000);
}

static void a_late_error_is_the_last_line(void **state)
{
	struct server *server = server_start(NULL);
	struct answer answer;

	(void)state;
	read_one(server, "/v1/tasks/fails/logs?tailLines=1", &answer);
	assert_int_equal(answer.status, 200);
	assert_non_null(strstr(answer_text(&answer), LINE("0") "{\"error\":{\"code\":15,"));
	assert_true(answer.body.data[answer.body.size - 1] == '\n');
	answer_free(&answer);
	server_stop(server, 1000);
}

/* A piece each tick, and a chunk each piece; that none waits for the next one is shown by
 * watchers_hear_of_changes. */
static void late_pieces_come_at_once(void **state)
{
	struct server *server = server_start(NULL);
	struct client client;
	struct answer answer;
	int pieces = 0;
	int64_t start_ms = server_now_ms();

	(void)state;
	open_stream(&client, server, "/v1/tasks/ticks/logs?tailLines=4", "");
	client_read_head(&client, &answer);
	while (client_read_chunk(&client, &answer)) {
		assert_true(answer.body.data[answer.body.size - 1] == '\n');
		pieces++;
	}
	assert_in_range(server_now_ms() - start_ms, 150, 5000);
	assert_in_range(pieces, 1, 4);
	answer_free(&answer);
	/* The connection can be used again. */
	client_request(&client, "GET", "/v1/tasks/t-1", "", NULL);
	client_read(&client, &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	client_close(&client);
	server_stop(server, 1000);
}

static void watchers_hear_of_changes(void **state)
{
	struct server *server = server_start(NULL);
	struct client client;
	struct answer answer;

	(void)state;
	open_stream(&client, server, "/v1/tasks:watch", "");
	server_wait_until(&server_started, 1);
	server_publish(server, 11);
	client_read_head(&client, &answer);
	assert_true(client_read_chunk(&client, &answer));
	assert_string_equal(answer_text(&answer),
		"{\"result\":{\"task\":null,\"revision\":\"11\",\"changes\":[]}}\n");
	jv_buffer_clear(&answer.body);
	for (int64_t revision = 12; revision < 20; revision++) {
		server_publish(server, revision);
		assert_true(client_read_chunk(&client, &answer));
	}
	assert_non_null(strstr(answer_text(&answer), "\"revision\":\"19\""));
	answer_free(&answer);
	assert_int_equal(atomic_load(&server_ended), 0);
	client_close(&client);
	server_wait_until(&server_ended, 1);
	server_stop(server, 1000);
}

/* What is not read stays with the handler: the kernel's buffers fill, and then nothing is sent. */
static void a_slow_reader_takes_no_memory(void **state)
{
	struct server *server = server_start(NULL);
	struct client client;
	struct answer answer;
	uint64_t before, after;

	(void)state;
	open_stream(&client, server, "/v1/tasks/flood/logs", "");
	server_wait_until(&server_started, 1);
	do {
		before = atomic_load(&server_streamed);
		nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
		after = atomic_load(&server_streamed);
	} while (after != before);
	/* Loopback buffers some megabytes; the edge only kilobytes. */
	assert_in_range(after, 1, (uint64_t)32 << 20);
	client_read_head(&client, &answer);
	for (int i = 0; i < 1000; i++)
		assert_true(client_read_chunk(&client, &answer));
	answer_free(&answer);
	client_close(&client);
	server_wait_until(&server_ended, 1);
	server_stop(server, 1000);
}

/* There is always something to send to it, and it takes it all, or nothing. */
static void a_stream_ends_when_its_client_closes_its_side(void **state)
{
	struct server *server = server_start(NULL);
	struct client reads, sleeps;
	char data[65536];
	ssize_t got;

	(void)state;
	open_stream(&reads, server, "/v1/tasks/flood/logs", "");
	open_stream(&sleeps, server, "/v1/tasks/flood/logs", "");
	server_wait_until(&server_started, 2);
	assert_true(recv(reads.fd, data, sizeof(data), 0) > 0);
	shutdown(reads.fd, SHUT_WR);
	shutdown(sleeps.fd, SHUT_WR);
	do
		got = recv(reads.fd, data, sizeof(data), 0);
	while (got > 0);
	assert_int_equal(got, 0);
	server_wait_until(&server_ended, 2);
	client_close(&reads);
	client_close(&sleeps);
	server_stop(server, 1000);
}

static void a_deadline_ends_a_stream(void **state)
{
	struct server *server = server_start(NULL);
	struct client client;
	struct answer answer;

	(void)state;
	open_stream(&client, server, "/v1/tasks/ticks/logs?tailLines=1000000",
		"Grpc-Timeout: 120m\r\n");
	client_read(&client, &answer);
	assert_int_equal(answer.status, 200);
	assert_non_null(strstr(answer_text(&answer), "{\"error\":{\"code\":4,"));
	answer_free(&answer);
	client_close(&client);
	server_stop(server, 1000);
}

static void an_old_client_reads_to_the_end(void **state)
{
	struct server *server = server_start(NULL);
	struct client client;
	struct answer answer;

	(void)state;
	client_open(&client, server->port);
	client_send(&client, "GET /v1/tasks/t/logs?tailLines=2 HTTP/1.0\r\n\r\n");
	client_read(&client, &answer);
	assert_int_equal(answer.status, 200);
	assert_false(answer.chunked);
	assert_string_equal(answer_text(&answer), LINE("0") LINE("1"));
	answer_free(&answer);
	client_close(&client);
	server_stop(server, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_lines),
		cmocka_unit_test(an_early_error_is_a_status),
		cmocka_unit_test(a_late_error_is_the_last_line),
		cmocka_unit_test(late_pieces_come_at_once),
		cmocka_unit_test(watchers_hear_of_changes),
		cmocka_unit_test(a_slow_reader_takes_no_memory),
		cmocka_unit_test(a_stream_ends_when_its_client_closes_its_side),
		cmocka_unit_test(a_deadline_ends_a_stream),
		cmocka_unit_test(an_old_client_reads_to_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
