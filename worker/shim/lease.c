#include "worker/shim/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/bytes.h"
#include "worker/shim/files.h"

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_MAX  64
#define HEX_SIZE     ((size_t)2 * JV_BOOT_ID_SIZE)

/* The first lease is looked for again after a second, then ever more rarely. */
#define PAUSE_MIN_MS 1000
#define PAUSE_MAX_MS 60000

struct jv_status jv_boot_id_read(uint8_t boot_id[JV_BOOT_ID_SIZE])
{
	struct jv_buffer text = {0};
	char hex[HEX_SIZE + 1];
	size_t count = 0;
	struct jv_status status = jv_file_read(AT_FDCWD, BOOT_ID_PATH, BOOT_ID_MAX, &text);

	for (const char *at = jv_buffer_text(&text); *at != '\0' && count < HEX_SIZE; at++)
		if (*at != '-' && *at != '\n')
			hex[count++] = *at;
	hex[count] = '\0';
	jv_buffer_deinit(&text);
	if (!jv_is_ok(&status) || !jv_hex_decode(hex, boot_id, JV_BOOT_ID_SIZE))
		return jv_error(JV_INTERNAL, "%s cannot be read; is /proc mounted?", BOOT_ID_PATH);
	return jv_ok();
}

struct jv_status jv_alarm_open(int *fd)
{
	*fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (*fd < 0)
		return jv_error(JV_INTERNAL, "open a timer: %s", strerror(errno));
	return jv_ok();
}

void jv_alarm_set(int fd, int64_t at_ms)
{
	struct itimerspec when = {0};

	/* All zero means never; what is in the past is due now. */
	if (at_ms <= 0)
		when.it_value.tv_nsec = 1;
	else if (at_ms != INT64_MAX)
		when.it_value = (struct timespec){
			.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000};
	int failed = timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL);
	JV_ASSERT(failed == 0);
}

void jv_alarm_clear(int fd)
{
	uint64_t count;

	(void)!read(fd, &count, sizeof(count));
}

/* The end is stored while this reads, perhaps: what comes out twice in a row is no mixture. */
static bool read_twice(int fd, struct jv_lease *lease)
{
	struct jv_lease again;

	if (pread(fd, lease, sizeof(*lease), 0) != (ssize_t)sizeof(*lease))
		return false;
	for (;;) {
		if (pread(fd, &again, sizeof(again), 0) != (ssize_t)sizeof(again))
			return false;
		if (memcmp(lease, &again, sizeof(again)) == 0)
			return true;
		memcpy(lease, &again, sizeof(again));
	}
}

bool jv_lease_read(const char *path, const uint8_t boot_id[JV_BOOT_ID_SIZE], int64_t *until_ms)
{
	struct jv_lease lease;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool found;

	if (fd < 0)
		return false;
	found = read_twice(fd, &lease);
	close(fd);
	if (!found || memcmp(lease.boot_id, boot_id, JV_BOOT_ID_SIZE) != 0)
		return false;
	*until_ms = atomic_load(&lease.until_ms);
	return *until_ms > 0;
}

struct jv_status jv_lease_watch_init(struct jv_lease_watch *watch, const char *path)
{
	*watch = (struct jv_lease_watch){.path = path, .due_ms = INT64_MAX};
	if (path[0] == '\0')
		return jv_ok();
	watch->due_ms = 0;
	return jv_boot_id_read(watch->boot_id);
}

bool jv_lease_watch_step(struct jv_lease_watch *watch, int64_t now_ms, bool found, int64_t until_ms)
{
	if (found) {
		watch->known = true;
		watch->due_ms = until_ms;
		return now_ms >= until_ms && !JV_BUG(KEEPER_BLIND);
	}
	if (watch->known)
		return true;
	watch->pause_ms = watch->pause_ms == 0 ? PAUSE_MIN_MS : 2 * watch->pause_ms;
	if (watch->pause_ms > PAUSE_MAX_MS)
		watch->pause_ms = PAUSE_MAX_MS;
	watch->due_ms = now_ms + watch->pause_ms;
	return false;
}

bool jv_lease_watch_over(struct jv_lease_watch *watch, int64_t now_ms)
{
	int64_t until_ms = 0;
	bool found;

	if (now_ms < watch->due_ms)
		return false;
	found = jv_lease_read(watch->path, watch->boot_id, &until_ms);
	return jv_lease_watch_step(watch, now_ms, found, until_ms);
}
