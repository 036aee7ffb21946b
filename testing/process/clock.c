/*
 * Clocks that jump and drift, for one program of a test: preloaded, it stands in front of the C
 * library's clock_gettime. The kernel's own waits are not touched.
 *
 * JV_TEST_CLOCK names a file of three numbers, which the test changes while the program runs:
 * milliseconds to add to the wall clock, milliseconds to add to the clocks since boot, and how many
 * millionths the latter run too fast, counted from the program's start.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)

struct shift {
	int64_t wall_ms;
	int64_t boot_ms;
	int64_t boot_ppm;
};

static const volatile struct shift *shift;
static int64_t began_ns;

static int64_t read_ns(clockid_t clock)
{
	struct timespec now;
	syscall(SYS_clock_gettime, clock, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* What the program starts is not to be shifted too. */
__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("JV_TEST_CLOCK");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *mapped = MAP_FAILED;
	unsetenv("LD_PRELOAD");
	if (fd >= 0)
		mapped = mmap(NULL, sizeof(*shift), PROT_READ, MAP_SHARED, fd, 0);
	if (mapped == MAP_FAILED)
		abort();
	close(fd);
	began_ns = read_ns(CLOCK_BOOTTIME);
	shift = mapped;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int64_t ns;
	if (shift == NULL || (clock != CLOCK_REALTIME && clock != CLOCK_BOOTTIME))
		return (int)syscall(SYS_clock_gettime, clock, now);
	ns = read_ns(clock);
	if (clock == CLOCK_REALTIME)
		ns += shift->wall_ms * 1000000;
	else
		ns += shift->boot_ms * 1000000 + (ns - began_ns) / 1000000 * shift->boot_ppm;
	*now = (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
	return 0;
}
