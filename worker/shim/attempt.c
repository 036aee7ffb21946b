#include "worker/shim/attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"

/* The least of each file that is read. */
#define VERSION    1
#define MOUNTS_MAX 64

static void put_text(struct jv_buffer *out, const char *text)
{
	jv_put_bytes(out, jv_bytes_of_text(text));
}

static const char *get_text(struct jv_reader *reader, struct jv_arena *arena)
{
	return jv_arena_copy_bytes(arena, jv_get_bytes(reader));
}

static struct jv_bytes get_bytes(struct jv_reader *reader, struct jv_arena *arena)
{
	struct jv_bytes bytes = jv_get_bytes(reader);
	return jv_bytes_of(jv_arena_copy_bytes(arena, bytes), bytes.size);
}

void jv_attempt_plan_encode(const struct jv_attempt_plan *plan, struct jv_buffer *out)
{
	jv_put_u8(out, JV_ATTEMPT_PLAN_VERSION);
	put_text(out, plan->id);
	put_text(out, plan->runtime);
	put_text(out, plan->lower);
	put_text(out, plan->scratch);
	put_text(out, plan->cgroup_root);
	put_text(out, plan->cgroup_path);
	jv_put_u8(out, plan->init);
	jv_put_u8(out, plan->hide_unified);
	jv_put_signed(out, plan->log_bytes_max);
	jv_put_signed(out, plan->memory_bytes);
	jv_put_signed(out, plan->cpu_quota_us);
	jv_put_signed(out, plan->cpu_period_us);
	jv_put_signed(out, plan->pids);
	jv_put_varint(out, plan->mount_count);
	for (uint32_t i = 0; i < plan->mount_count; i++) {
		put_text(out, plan->mounts[i].allowed);
		put_text(out, plan->mounts[i].relative);
		jv_put_u8(out, plan->mounts[i].writable);
	}
	put_text(out, plan->hostname);
	put_text(out, plan->hosts);
	put_text(out, plan->resolv_conf);
	jv_put_bytes(out, plan->config);
	jv_put_bytes(out, plan->spec);
	put_text(out, plan->lease);
	jv_put_bytes(out, plan->plain);
	jv_put_u32(out, plan->id_base);
	jv_put_signed(out, plan->disk_bytes_max);
	jv_put_signed(out, plan->files_max);
}

static void decode_mounts(
	struct jv_reader *reader, struct jv_arena *arena, struct jv_attempt_plan *plan)
{
	uint64_t count = jv_get_varint(reader);
	if (count > MOUNTS_MAX) {
		reader->failed = true;
		return;
	}
	struct jv_attempt_mount *mounts = jv_arena_calloc(arena, count, sizeof(*mounts));
	for (uint64_t i = 0; i < count; i++) {
		mounts[i].allowed = get_text(reader, arena);
		mounts[i].relative = get_text(reader, arena);
		mounts[i].writable = jv_get_u8(reader) != 0;
	}
	plan->mounts = mounts;
	plan->mount_count = (uint32_t)count;
}

static struct jv_status damaged(const char *name)
{
	return jv_error(JV_DATA_LOSS, "%s of the attempt is damaged", name);
}

struct jv_status jv_attempt_plan_decode(
	struct jv_bytes bytes, struct jv_arena *arena, struct jv_attempt_plan *plan)
{
	struct jv_reader reader = jv_reader_of(bytes);
	uint8_t version = jv_get_u8(&reader);
	*plan = (struct jv_attempt_plan){.id = get_text(&reader, arena)};
	plan->runtime = get_text(&reader, arena);
	plan->lower = get_text(&reader, arena);
	plan->scratch = get_text(&reader, arena);
	plan->cgroup_root = get_text(&reader, arena);
	plan->cgroup_path = get_text(&reader, arena);
	plan->init = jv_get_u8(&reader) != 0;
	plan->hide_unified = jv_get_u8(&reader) != 0;
	plan->log_bytes_max = jv_get_signed(&reader);
	plan->memory_bytes = jv_get_signed(&reader);
	plan->cpu_quota_us = jv_get_signed(&reader);
	plan->cpu_period_us = jv_get_signed(&reader);
	plan->pids = jv_get_signed(&reader);
	decode_mounts(&reader, arena, plan);
	plan->hostname = get_text(&reader, arena);
	plan->hosts = get_text(&reader, arena);
	plan->resolv_conf = get_text(&reader, arena);
	plan->config = get_bytes(&reader, arena);
	plan->spec = get_bytes(&reader, arena);
	plan->lease = get_text(&reader, arena);
	if (version >= 2) {
		plan->plain = get_bytes(&reader, arena);
		plan->id_base = jv_get_u32(&reader);
		plan->disk_bytes_max = jv_get_signed(&reader);
		plan->files_max = jv_get_signed(&reader);
	}
	plan->version = version;
	return reader.failed || version < VERSION ? damaged(JV_ATTEMPT_PLAN) : jv_ok();
}

void jv_attempt_started_encode(const struct jv_attempt_started *started, struct jv_buffer *out)
{
	jv_put_u8(out, VERSION);
	jv_put_signed(out, started->start_ms);
	jv_put_signed(out, started->pid);
}

struct jv_status jv_attempt_started_decode(
	struct jv_bytes bytes, struct jv_attempt_started *started)
{
	struct jv_reader reader = jv_reader_of(bytes);
	uint8_t version = jv_get_u8(&reader);
	started->start_ms = jv_get_signed(&reader);
	started->pid = jv_get_signed(&reader);
	return reader.failed || version < VERSION ? damaged(JV_ATTEMPT_STARTED) : jv_ok();
}

void jv_attempt_result_encode(const struct jv_attempt_result *result, struct jv_buffer *out)
{
	jv_put_u8(out, VERSION);
	jv_put_signed(out, result->failure);
	jv_put_signed(out, result->exit_code);
	jv_put_signed(out, result->signal);
	jv_put_signed(out, result->start_ms);
	jv_put_signed(out, result->finish_ms);
	jv_put_signed(out, result->log_bytes);
	jv_put_signed(out, result->cpu_micros);
	jv_put_signed(out, result->memory_peak_bytes);
	jv_put_signed(out, result->throttled_periods);
	jv_put_signed(out, result->oom_kills);
	put_text(out, result->message);
	jv_put_signed(out, result->stopped_for);
}

struct jv_status jv_attempt_result_decode(struct jv_bytes bytes, struct jv_attempt_result *result)
{
	struct jv_reader reader = jv_reader_of(bytes);
	uint8_t version = jv_get_u8(&reader);
	*result = (struct jv_attempt_result){
		.failure = (enum jv_attempt_failure)jv_get_signed(&reader),
	};
	result->exit_code = (int32_t)jv_get_signed(&reader);
	result->signal = (int32_t)jv_get_signed(&reader);
	result->start_ms = jv_get_signed(&reader);
	result->finish_ms = jv_get_signed(&reader);
	result->log_bytes = jv_get_signed(&reader);
	result->cpu_micros = jv_get_signed(&reader);
	result->memory_peak_bytes = jv_get_signed(&reader);
	result->throttled_periods = jv_get_signed(&reader);
	result->oom_kills = jv_get_signed(&reader);
	struct jv_bytes message = jv_get_bytes(&reader);
	snprintf(result->message, sizeof(result->message), "%.*s", (int)message.size,
		(const char *)message.data);
	result->stopped_for = (enum jv_attempt_cause)jv_get_signed(&reader);
	return reader.failed || version < VERSION ? damaged(JV_ATTEMPT_RESULT) : jv_ok();
}

void jv_attempt_stop_encode(enum jv_attempt_cause cause, struct jv_buffer *out)
{
	jv_put_u8(out, VERSION);
	jv_put_signed(out, cause);
}

struct jv_status jv_attempt_stop_decode(struct jv_bytes bytes, enum jv_attempt_cause *cause)
{
	struct jv_reader reader = jv_reader_of(bytes);
	uint8_t version = jv_get_u8(&reader);
	*cause = (enum jv_attempt_cause)jv_get_signed(&reader);
	return reader.failed || version < VERSION ? damaged(JV_ATTEMPT_STOP) : jv_ok();
}

struct jv_status jv_attempt_keeper_create(int directory, int *fd)
{
	*fd = openat(directory, JV_ATTEMPT_KEEPER, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*fd < 0)
		return jv_error(JV_INTERNAL, "create %s: %s", JV_ATTEMPT_KEEPER, strerror(errno));
	if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
		return jv_ok();
	close(*fd);
	return jv_error(JV_INTERNAL, "lock %s: %s", JV_ATTEMPT_KEEPER, strerror(errno));
}

struct jv_status jv_attempt_keeper_claim(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETLK, &lock) != 0)
		return jv_error(JV_INTERNAL, "claim %s: %s", JV_ATTEMPT_KEEPER, strerror(errno));
	return jv_ok();
}

bool jv_attempt_keeper_gone(int directory)
{
	int fd = openat(directory, JV_ATTEMPT_KEEPER, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return true;
	bool gone = flock(fd, LOCK_EX | LOCK_NB) == 0;
	close(fd);
	return gone;
}

static pid_t claimed_by(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK)
		return 0;
	return lock.l_pid;
}

/* The pidfd of the process that holds the claim; the claim is looked at again, so that the pid
 * cannot have passed to another process in between. */
static int keeper_pidfd(int fd)
{
	pid_t pid = claimed_by(fd);
	if (pid <= 0)
		return -1;
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd >= 0 && claimed_by(fd) != pid) {
		close(pidfd);
		pidfd = -1;
	}
	return pidfd;
}

int jv_attempt_keeper_find(int directory)
{
	int fd = openat(directory, JV_ATTEMPT_KEEPER, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	int pidfd = -1;
	/* Locked but not claimed: it has been spawned and is about to say who it is. */
	for (int i = 0; i < 100 && pidfd < 0 && flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
		pidfd = keeper_pidfd(fd);
		if (pidfd < 0)
			nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	close(fd);
	return pidfd;
}
