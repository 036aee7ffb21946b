/* A supervisor hears what it is told; without one, or with a wrong address, nothing happens. */
#include "base/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* Bound to a name of the abstract kind, of this process alone. */
static int listen_as_supervisor(char *name, size_t room)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int length = snprintf(name, room, "@jarvis-notify-test-%d", (int)getpid());

	assert_true(fd >= 0);
	memcpy(address.sun_path + 1, name + 1, (size_t)length - 1);
	assert_int_equal(
		bind(fd, (struct sockaddr *)&address,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length)),
		0);
	return fd;
}

static void hears(int fd, const char *expected)
{
	char said[64] = "";
	ssize_t size = recv(fd, said, sizeof(said) - 1, 0);

	assert_int_equal(size, (ssize_t)strlen(expected));
	assert_string_equal(said, expected);
}

static void test_a_supervisor_hears_of_start_and_stop(void **state)
{
	char name[64];
	int fd = listen_as_supervisor(name, sizeof(name));
	struct jv_notify notify;

	(void)state;
	setenv("NOTIFY_SOCKET", name, 1);
	jv_notify_init(&notify);
	jv_notify_tell(&notify, JV_NOTIFY_READY);
	jv_notify_tell(&notify, JV_NOTIFY_STOPPING);
	hears(fd, "READY=1");
	hears(fd, "STOPPING=1");
	assert_null(getenv("NOTIFY_SOCKET"));
	close(fd);
}

static void test_nobody_there_is_no_fault(void **state)
{
	char too_long[300];
	struct jv_notify notify;

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	jv_notify_init(&notify);
	jv_notify_tell(&notify, JV_NOTIFY_READY);
	memset(too_long, '/', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	const char *wrong[] = {"", "@", "relative", "/nowhere/at/all", "vsock:2:1234", too_long};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		setenv("NOTIFY_SOCKET", wrong[i], 1);
		jv_notify_init(&notify);
		jv_notify_tell(&notify, JV_NOTIFY_READY);
	}
}

static void test_a_supervisor_that_does_not_read_holds_nobody_up(void **state)
{
	char name[64];
	int fd = listen_as_supervisor(name, sizeof(name));
	struct jv_notify notify;

	(void)state;
	setenv("NOTIFY_SOCKET", name, 1);
	jv_notify_init(&notify);
	for (int i = 0; i < 10000; i++)
		jv_notify_tell(&notify, JV_NOTIFY_READY);
	hears(fd, "READY=1");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_supervisor_hears_of_start_and_stop),
		cmocka_unit_test(test_nobody_there_is_no_fault),
		cmocka_unit_test(test_a_supervisor_that_does_not_read_holds_nobody_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
