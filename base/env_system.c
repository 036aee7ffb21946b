#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/assert.h"
#include "base/env.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;
	if (clock_gettime(clock, &now) != 0)
		jv_fatal("the machine has no working clock: %s", strerror(errno));
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int64_t system_monotonic_ms(const struct jv_env *env)
{
	(void)env;
	return clock_ns(CLOCK_BOOTTIME) / NS_PER_MS;
}

static int64_t system_wall_ms(const struct jv_env *env)
{
	(void)env;
	return clock_ns(CLOCK_REALTIME) / NS_PER_MS;
}

int64_t jv_env_system_wait_ms(int64_t until_ms)
{
	/* Read in this order: what passes in between makes the wait longer. */
	int64_t boot_ns = clock_ns(CLOCK_BOOTTIME);
	int64_t left_ns = until_ms * NS_PER_MS - boot_ns;
	return (clock_ns(CLOCK_MONOTONIC) + left_ns + NS_PER_MS - 1) / NS_PER_MS;
}

static void system_random(const struct jv_env *env, void *out, size_t size)
{
	(void)env;
	unsigned char *at = out;
	while (size > 0) {
		ssize_t got = getrandom(at, size, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			jv_fatal("getrandom: %s; the kernel must offer it", strerror(errno));
		at += got;
		size -= (size_t)got;
	}
}

const struct jv_env jv_env_system = {
	.monotonic_ms = system_monotonic_ms,
	.wall_ms = system_wall_ms,
	.random = system_random,
};
