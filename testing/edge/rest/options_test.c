/* HEAD, OPTIONS and Allow, pages of other sites, gzip both ways, and the access log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "server/rest/gzip.h"
#include "testing/edge/rest/client.h"
#include "testing/edge/rest/server.h"

static void ask(const struct server *server, const char *verb, const char *uri, const char *headers,
	struct answer *answer)
{
	struct client client;

	client_open(&client, server->port);
	client_request(&client, verb, uri, headers, NULL);
	if (strcmp(verb, "GET") == 0 || strcmp(verb, "POST") == 0)
		client_read(&client, answer);
	else
		client_read_head(&client, answer);
	client_close(&client);
}

static void says(const struct answer *answer, const char *line)
{
	if (strcasestr(answer->headers, line) == NULL)
		fail_msg("\"%s\" is not in:\n%s", line, answer->headers);
}

static void says_not(const struct answer *answer, const char *line)
{
	if (strcasestr(answer->headers, line) != NULL)
		fail_msg("\"%s\" is in:\n%s", line, answer->headers);
}

static void the_methods_of_a_path_are_told(void **state)
{
	static const struct {
		const char *uri;
		const char *allow;
	} rows[] = {
		{"/v1/tasks", "Allow: GET, HEAD, POST, OPTIONS\r\n"},
		{"/v1/tasks/t-1", "Allow: GET, HEAD, DELETE, OPTIONS\r\n"},
		{"/v1/tasks:watch", "Allow: GET, HEAD, OPTIONS\r\n"},
		{"*", "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"},
	};
	struct server *server = server_start(NULL);
	struct answer answer;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask(server, "OPTIONS", rows[i].uri, "", &answer);
		assert_int_equal(answer.status, 204);
		says(&answer, rows[i].allow);
		says_not(&answer, "Content-Length");
		says_not(&answer, "Access-Control");
		answer_free(&answer);
	}
	ask(server, "OPTIONS", "/nonsense", "", &answer);
	assert_int_equal(answer.status, 404);
	answer_free(&answer);
	ask(server, "PUT", "/v1/tasks", "", &answer);
	says(&answer, "Allow: GET, HEAD, POST, OPTIONS\r\n");
	answer_free(&answer);
	assert_int_equal(atomic_load(&server_started), 0);
	server_stop(server, 1000);
}

/* But for the body, and for the time. */
static void a_head_is_that_of_a_get(void **state)
{
	static const char *const uris[] = {"/v1/tasks/t-1", "/v1/tasks/big", "/v1/tasks/missing",
		"/metrics", "/nonsense", NULL};
	struct server *server = server_start(NULL);
	struct answer head, get;

	(void)state;
	for (size_t i = 0; uris[i] != NULL; i++) {
		ask(server, "HEAD", uris[i], "Accept-Encoding: gzip\r\nX-Request-Id: r-1\r\n",
			&head);
		ask(server, "GET", uris[i], "Accept-Encoding: gzip\r\nX-Request-Id: r-1\r\n", &get);
		assert_int_equal(head.status, get.status);
		/* Behind the date, which is first. */
		assert_string_equal(strchr(head.headers, '\n'), strchr(get.headers, '\n'));
		answer_free(&head);
		answer_free(&get);
	}
	server_stop(server, 1000);
}

static void other_sites_have_no_say_by_default(void **state)
{
	struct server *server = server_start(NULL);
	struct answer answer;

	(void)state;
	ask(server, "GET", "/v1/tasks/t-1", "Origin: https://ui.example\r\n", &answer);
	assert_int_equal(answer.status, 403);
	says_not(&answer, "Access-Control");
	says_not(&answer, "Vary: Origin");
	answer_free(&answer);
	/* What a browser sends without asking first, as a form would. */
	ask(server, "POST", "/v1/tasks",
		"Origin: https://evil.example\r\nContent-Type: text/plain\r\n", &answer);
	assert_int_equal(answer.status, 403);
	answer_free(&answer);
	/* The server's own pages. */
	ask(server, "GET", "/v1/tasks/t-1", "Origin: http://test\r\n", &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	server_stop(server, 1000);
}

static void sites_that_are_named_may_read(void **state)
{
	static const char *const origins[] = {"https://ui.example", "http://localhost:3000"};
	struct jv_rest_options options = server_options();
	struct server *server;
	struct answer answer;

	(void)state;
	options.cors_origins = origins;
	options.cors_origin_count = 2;
	options.cors_expose = "Grpc-Metadata-X";
	server = server_start(&options);
	ask(server, "GET", "/v1/tasks/t-1", "Origin: http://localhost:3000\r\n", &answer);
	says(&answer, "Access-Control-Allow-Origin: http://localhost:3000\r\n");
	says(&answer, "Access-Control-Expose-Headers: Grpc-Metadata-X\r\n");
	says(&answer, "Vary: Origin\r\n");
	answer_free(&answer);
	/* Errors too, or nobody could say what is wrong. */
	ask(server, "GET", "/v1/tasks/missing", "Origin: https://ui.example\r\n", &answer);
	assert_int_equal(answer.status, 404);
	says(&answer, "Access-Control-Allow-Origin: https://ui.example\r\n");
	answer_free(&answer);
	static const char *const others[] = {"Origin: https://evil.example\r\n",
		"Origin: https://ui.example.evil.example\r\n", "Origin: https://ui.example:444\r\n",
		"Origin: http://ui.example\r\n", "Origin: null\r\n", ""};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		ask(server, "GET", "/v1/tasks/t-1", others[i], &answer);
		assert_int_equal(answer.status, others[i][0] == '\0' ? 200 : 403);
		says_not(&answer, "Access-Control");
		says(&answer, "Vary: Origin\r\n");
		answer_free(&answer);
	}
	server_stop(server, 1000);
}

/* A name that was made to point here, by whoever has it: to browsers its pages are of our origin.
 */
static void a_server_answers_to_its_own_names(void **state)
{
	static const char *const hosts[] = {"jarvis.example.com"};
	static const struct {
		const char *host;
		int status;
	} cases[] = {
		{"localhost:7071", 200},
		{"127.0.0.1:7071", 200},
		{"[::1]:7071", 200},
		{"node7", 200},
		{"Jarvis.Example.Com", 200},
		{"jarvis.example.com:7071", 200},
		{"evil.example:7071", 403},
		{"jarvis.example.com.evil.example", 403},
		{"127.0.0.1.evil.example", 403},
		{"localhost.", 403},
	};
	struct jv_rest_options options = server_options();
	struct server *server;
	struct answer answer;
	struct client client;
	struct jv_buffer request = {0};

	(void)state;
	options.hosts_checked = true;
	options.hosts = hosts;
	options.host_count = 1;
	server = server_start(&options);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		jv_buffer_clear(&request);
		jv_buffer_printf(&request,
			"GET /v1/tasks/t-1 HTTP/1.1\r\nHost: %s\r\nOrigin: http://%s\r\n\r\n",
			cases[i].host, cases[i].host);
		client_open(&client, server->port);
		client_send(&client, jv_buffer_text(&request));
		client_read(&client, &answer);
		assert_int_equal(answer.status, cases[i].status);
		if (answer.status == 403)
			assert_non_null(strstr(answer_text(&answer), "rest.hosts"));
		answer_free(&answer);
		client_close(&client);
	}
	jv_buffer_deinit(&request);
	server_stop(server, 1000);
}

static void a_browser_may_ask_first(void **state)
{
	static const char *const origins[] = {"*"};
	struct jv_rest_options options = server_options();
	struct server *server;
	struct answer answer;

	(void)state;
	options.cors_origins = origins;
	options.cors_origin_count = 1;
	options.cors_max_age_ms = 90000;
	server = server_start(&options);
	ask(server, "OPTIONS", "/v1/tasks",
		"Origin: https://any.example\r\nAccess-Control-Request-Method: POST\r\n"
		"Access-Control-Request-Headers: content-type\r\n",
		&answer);
	assert_int_equal(answer.status, 204);
	says(&answer, "Access-Control-Allow-Origin: *\r\n");
	says(&answer, "Access-Control-Allow-Methods: GET, HEAD, POST, OPTIONS\r\n");
	says(&answer, "Access-Control-Allow-Headers: Authorization, Content-Type,");
	says(&answer, "Access-Control-Max-Age: 90\r\n");
	says_not(&answer, "Vary: Origin");
	answer_free(&answer);
	/* That is no such question. */
	ask(server, "OPTIONS", "/v1/tasks", "Origin: https://any.example\r\n", &answer);
	says_not(&answer, "Access-Control-Allow-Methods");
	answer_free(&answer);
	server_stop(server, 1000);
}

/* The body as it was before it was compressed. */
static struct jv_buffer inflate(const struct answer *answer)
{
	struct jv_gunzip *gunzip = jv_gunzip_new();
	struct jv_buffer out = {0};

	assert_int_equal(
		jv_gunzip_add(gunzip, jv_buffer_bytes(&answer->body), (size_t)8 << 20, &out),
		JV_GUNZIP_DONE);
	jv_gunzip_free(gunzip);
	return out;
}

static void answers_are_compressed_for_who_takes_that(void **state)
{
	struct server *server = server_start(NULL);
	struct answer plain, small, answer;
	struct jv_buffer again;

	(void)state;
	ask(server, "GET", "/v1/tasks/big", "", &plain);
	says_not(&plain, "Content-Encoding");
	says(&plain, "Vary: Accept-Encoding\r\n");
	ask(server, "GET", "/v1/tasks/big", "Accept-Encoding: br, gzip;q=0.5\r\n", &small);
	says(&small, "Content-Encoding: gzip\r\n");
	says(&small, "Vary: Accept-Encoding\r\n");
	assert_true(small.body.size < plain.body.size / 10);
	again = inflate(&small);
	assert_true(jv_bytes_equal(jv_buffer_bytes(&again), jv_buffer_bytes(&plain.body)));
	jv_buffer_deinit(&again);
	answer_free(&plain);
	answer_free(&small);
	ask(server, "GET", "/v1/tasks/big", "Accept-Encoding: gzip;q=0\r\n", &answer);
	says_not(&answer, "Content-Encoding");
	answer_free(&answer);
	/* So little gains nothing. */
	ask(server, "GET", "/v1/tasks/t-1", "Accept-Encoding: gzip\r\n", &answer);
	says_not(&answer, "Content-Encoding");
	assert_non_null(strstr(answer_text(&answer), "t-1"));
	answer_free(&answer);
	server_stop(server, 1000);
}

static void each_line_of_a_compressed_stream_comes_at_once(void **state)
{
	struct server *server = server_start(NULL);
	struct jv_gunzip *gunzip = jv_gunzip_new();
	struct jv_buffer out = {0};
	struct client client;
	struct answer answer;

	(void)state;
	client_open(&client, server->port);
	client_request(&client, "GET", "/v1/tasks:watch", "Accept-Encoding: gzip\r\n", NULL);
	server_wait_until(&server_started, 1);
	for (int64_t revision = 1; revision < 20; revision++) {
		char line[32];
		server_publish(server, revision);
		if (revision == 1) {
			client_read_head(&client, &answer);
			says(&answer, "Content-Encoding: gzip\r\n");
		}
		jv_buffer_clear(&answer.body);
		jv_buffer_clear(&out);
		assert_true(client_read_chunk(&client, &answer));
		assert_int_equal(jv_gunzip_add(gunzip, jv_buffer_bytes(&answer.body), 10000, &out),
			JV_GUNZIP_MORE);
		snprintf(line, sizeof(line), "\"revision\":\"%d\"", (int)revision);
		assert_non_null(strstr(jv_buffer_text(&out), line));
	}
	answer_free(&answer);
	client_close(&client);
	/* One that ends, ends well. */
	ask(server, "GET", "/v1/tasks/t/logs?tailLines=50", "Accept-Encoding: gzip\r\n", &answer);
	jv_buffer_deinit(&out);
	out = inflate(&answer);
	assert_non_null(strstr(jv_buffer_text(&out), "\"offset\":\"49\""));
	answer_free(&answer);
	jv_buffer_deinit(&out);
	jv_gunzip_free(gunzip);
	server_stop(server, 1000);
}

/* Sends a body of the coding; the answer's status. */
static int send_coded(const struct server *server, const char *coding, struct jv_bytes body)
{
	struct client client;
	struct answer answer;
	struct jv_buffer head = {0};
	int status;

	client_open(&client, server->port);
	jv_buffer_printf(&head,
		"POST /v1/tasks HTTP/1.1\r\nHost: test\r\nContent-Encoding: %s\r\n"
		"Content-Length: %zu\r\n\r\n",
		coding, body.size);
	jv_buffer_append(&head, body.data, body.size);
	client_send_bytes(&client, head.data, head.size);
	client_read(&client, &answer);
	status = answer.status;
	if (status == 415)
		says(&answer, "Accept-Encoding: gzip\r\n");
	answer_free(&answer);
	/* It is in step. */
	client_request(&client, "GET", "/v1/tasks/t-1", "", NULL);
	client_read(&client, &answer);
	assert_int_equal(answer.status, 200);
	answer_free(&answer);
	client_close(&client);
	jv_buffer_deinit(&head);
	return status;
}

static struct jv_buffer compress(const void *data, size_t size)
{
	struct jv_gzip *gzip = jv_gzip_new();
	struct jv_buffer out = {0};

	jv_gzip_add(gzip, jv_bytes_of(data, size), true, &out);
	jv_gzip_free(gzip);
	return out;
}

static void requests_may_be_compressed(void **state)
{
	struct jv_rest_options options = server_options();
	struct server *server;
	static char blank[(size_t)8 << 20];
	struct jv_buffer body;

	(void)state;
	options.body_bytes_max = 100000;
	server = server_start(&options);
	body = compress("{\"spec\":{}}", 11);
	assert_int_equal(send_coded(server, "gzip", jv_buffer_bytes(&body)), 200);
	assert_int_equal(send_coded(server, "X-GZIP", jv_buffer_bytes(&body)), 200);
	assert_int_equal(send_coded(server, "br", jv_buffer_bytes(&body)), 415);
	assert_int_equal(send_coded(server, "identity", jv_bytes_of_text("{}")), 200);
	/* Cut off, and with something behind it. */
	body.size--;
	assert_int_equal(send_coded(server, "gzip", jv_buffer_bytes(&body)), 400);
	body.size++;
	jv_buffer_append_byte(&body, 0);
	assert_int_equal(send_coded(server, "gzip", jv_buffer_bytes(&body)), 400);
	assert_int_equal(send_coded(server, "gzip", jv_bytes_of_text("{}")), 400);
	jv_buffer_deinit(&body);
	/* 8 MiB of blanks in 8 KiB. */
	memset(blank, ' ', sizeof(blank));
	body = compress(blank, sizeof(blank));
	assert_true(body.size < options.body_bytes_max);
	assert_int_equal(send_coded(server, "gzip", jv_buffer_bytes(&body)), 413);
	jv_buffer_deinit(&body);
	/* Right at the limit. */
	memcpy(blank, "{}", 2);
	body = compress(blank, options.body_bytes_max);
	assert_int_equal(send_coded(server, "gzip", jv_buffer_bytes(&body)), 200);
	jv_buffer_deinit(&body);
	body = compress(blank, options.body_bytes_max + 1);
	assert_int_equal(send_coded(server, "gzip", jv_buffer_bytes(&body)), 413);
	jv_buffer_deinit(&body);
	server_stop(server, 1000);
}

static void an_old_client_may_keep_its_connection(void **state)
{
	struct server *server = server_start(NULL);
	struct client client;
	struct answer answer;

	(void)state;
	client_open(&client, server->port);
	for (int i = 0; i < 3; i++) {
		client_send(
			&client, "GET /v1/tasks/t-1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
		client_read(&client, &answer);
		assert_int_equal(answer.status, 200);
		says(&answer, "Connection: keep-alive\r\n");
		answer_free(&answer);
	}
	client_send(&client, "GET /v1/tasks/t-1 HTTP/1.0\r\n\r\n");
	client_read(&client, &answer);
	assert_true(answer.closes);
	answer_free(&answer);
	assert_true(client_sees_end(&client));
	client_close(&client);
	server_stop(server, 1000);
}

/* What the server writes into its log from here on, until the line is there. */
static void read_log(int fd, char *text, size_t size, const char *line)
{
	size_t end = 0;

	do {
		ssize_t got = read(fd, text + end, size - 1 - end);
		assert_true(got > 0);
		end += (size_t)got;
		text[end] = '\0';
	} while (strstr(text, line) == NULL);
}

static void each_request_is_a_line_of_the_access_log(void **state)
{
	struct jv_rest_options options = server_options();
	struct server *server;
	struct client client;
	struct answer answer;
	static char text[65536];
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	jv_log_open(ends[1], JV_LOG_INFO, JV_LOG_TEXT);
	options.access_log = true;
	server = server_start(&options);
	client_open(&client, server->port);
	client_request(&client, "GET", "/v1/tasks/t-1?token=secret-word",
		"User-Agent: tester/1 (a \"quote\")\r\nX-Request-Id: abc-1\r\n"
		"Authorization: Bearer secret-word\r\n",
		NULL);
	client_read(&client, &answer);
	answer_free(&answer);
	client_send(&client, "GET /x HTTP/3.0\r\n\r\n");
	client_read(&client, &answer);
	answer_free(&answer);
	client_close(&client);
	read_log(ends[0], text, sizeof(text), "status=505");
	assert_non_null(strstr(text, "rest.access peer=127.0.0.1:"));
	assert_non_null(strstr(text, " method=GET path=/v1/tasks/t-1 query=1 status=200 bytes="));
	assert_non_null(strstr(text, " request_id=abc-1 agent=\"tester/1 (a \\\"quote\\\")\"\n"));
	assert_null(strstr(text, "secret-word"));
	server_stop(server, 1000);
	jv_log_open(STDERR_FILENO, JV_LOG_INFO, JV_LOG_TEXT);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_methods_of_a_path_are_told),
		cmocka_unit_test(a_head_is_that_of_a_get),
		cmocka_unit_test(other_sites_have_no_say_by_default),
		cmocka_unit_test(sites_that_are_named_may_read),
		cmocka_unit_test(a_server_answers_to_its_own_names),
		cmocka_unit_test(a_browser_may_ask_first),
		cmocka_unit_test(answers_are_compressed_for_who_takes_that),
		cmocka_unit_test(each_line_of_a_compressed_stream_comes_at_once),
		cmocka_unit_test(requests_may_be_compressed),
		cmocka_unit_test(an_old_client_may_keep_its_connection),
		cmocka_unit_test(each_request_is_a_line_of_the_access_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
