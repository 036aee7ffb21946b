/* The server opened and closed, and each step of opening failing: nothing may be left behind, which
 * ASan sees, and the status says what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "server/app/app.h"

#define FLAGS_MAX 8

/* Opens with these keys beside a directory of its own and free ports; closes if that went well. */
static struct jv_status open_and_close(const char *directory, const char *const *keys)
{
	const char *flags[FLAGS_MAX + 4] = {
		"grpc.listen=127.0.0.1:0", "rest.listen=127.0.0.1:0", "stop.grace=0s"};
	struct jv_config_source source = {.prefix = "JARVIS_", .flags = flags};
	struct jv_server_config config = {0};
	struct jv_app *app = NULL;
	struct jv_status status;
	char path[256];

	snprintf(path, sizeof(path), "storage.path=%s/data", directory);
	flags[3] = path;
	for (size_t i = 0; keys[i] != NULL; i++)
		flags[4 + i] = keys[i];
	status = jv_config_load(jv_server_config_schema(), &source, &config);
	if (!jv_is_ok(&status))
		fail_msg("%s", status.message);
	status = jv_app_open(&config, &app);
	if (jv_is_ok(&status)) {
		assert_true(jv_app_grpc_port(app) > 0);
		jv_app_close(app);
	}
	jv_config_deinit(jv_server_config_schema(), &config);
	return status;
}

static int make_directory(void **state)
{
	char path[256];
	const char *parent = getenv("TEST_TMPDIR");

	snprintf(path, sizeof(path), "%s/app.XXXXXX", parent == NULL ? "." : parent);
	assert_non_null(mkdtemp(path));
	*state = jv_strdup(path);
	return 0;
}

static int forget_directory(void **state)
{
	free(*state);
	return 0;
}

static void opened_and_closed_again(void **state)
{
	static const char *const none[] = {NULL};
	static const char *const no_rest[] = {"rest.listen=", "grpc.edges=3", NULL};

	for (int i = 0; i < 2; i++) {
		assert_int_equal(open_and_close(*state, none).code, JV_OK);
		assert_int_equal(open_and_close(*state, no_rest).code, JV_OK);
	}
}

static void expect_refusal(void **state, const char *key, const char *said)
{
	const char *const keys[] = {key, NULL};
	struct jv_status status = open_and_close(*state, keys);

	assert_int_not_equal(status.code, JV_OK);
	if (strstr(status.message, said) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", status.message, said);
}

static void each_step_may_fail(void **state)
{
	static const char *const none[] = {NULL};

	expect_refusal(state, "storage.path=/dev/null/data", "/dev/null");
	expect_refusal(state, "grpc.listen=203.0.113.7:0", "203.0.113.7");
	expect_refusal(state, "rest.listen=203.0.113.7:0", "203.0.113.7");
	assert_int_equal(open_and_close(*state, none).code, JV_OK);
}

/* The worker comes last: then all the rest runs already. */
static void the_embedded_worker_may_fail(void **state)
{
	static const char *const keys[] = {
		"worker.enabled=true", "worker.state.path=/dev/null/worker", NULL};
	struct jv_status status = open_and_close(*state, keys);

	assert_int_not_equal(status.code, JV_OK);
	assert_non_null(strstr(status.message, "embedded worker"));
}

static void ports_in_use(void **state)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char key[64];

	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	snprintf(key, sizeof(key), "grpc.listen=127.0.0.1:%d", ntohs(address.sin_port));
	expect_refusal(state, key, "in use");
	snprintf(key, sizeof(key), "rest.listen=127.0.0.1:%d", ntohs(address.sin_port));
	expect_refusal(state, key, "in use");
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, forget_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(opened_and_closed_again),
		TEST(each_step_may_fail),
		TEST(the_embedded_worker_may_fail),
		TEST(ports_in_use),
	};

	jv_log_open(2, JV_LOG_ERROR, JV_LOG_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
