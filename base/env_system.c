#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/assert.h"
#include "base/env.h"

static int64_t clock_ms(clockid_t clock)
{
	struct timespec now;
	if (clock_gettime(clock, &now) != 0)
		jv_fatal("the machine has no working clock: %s", strerror(errno));
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_monotonic_ms(const struct jv_env *env)
{
	(void)env;
	return clock_ms(CLOCK_MONOTONIC);
}

static int64_t system_wall_ms(const struct jv_env *env)
{
	(void)env;
	return clock_ms(CLOCK_REALTIME);
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
