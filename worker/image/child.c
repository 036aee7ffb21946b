/*
 * The processes that do what takes time.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "worker/image/failure.h"
#include "worker/image/private.h"
#include "worker/shim/files.h"

#define LOG_MAX        (1 << 20)
#define ARGUMENTS_MAX  (JV_IMAGE_LAYERS_MAX + 16)
#define KILL_WAIT_MS   5000
#define BACKOFF_MS     1000
#define BACKOFF_MS_MAX 30000

static void process_ended(struct jv_source *source)
{
	struct jv_image_child *child = JV_CONTAINER_OF(source, struct jv_image_child, process);
	int wait_status = jv_spawn_reap(source->fd);
	jv_source_close(child->images->options.epoll, source);
	jv_list_remove(&child->link);
	child->ended(child, wait_status);
}

bool jv_image_child_runs(const struct jv_image_child *child)
{
	return child->images != NULL && child->process.fd >= 0;
}

struct jv_status jv_image_child_start(struct jv_images *images, struct jv_image_child *child,
	const char *const *arguments, const char *log, int64_t timeout_ms)
{
	const char *all[ARGUMENTS_MAX] = {images->options.unpack};
	char parent[24];
	size_t count = 2;
	pid_t pid;
	int pidfd;
	JV_ASSERT(!jv_image_child_runs(child));
	snprintf(parent, sizeof(parent), "%d", (int)getpid());
	all[1] = parent;
	for (; *arguments != NULL; arguments++) {
		JV_ASSERT(count + 1 < ARGUMENTS_MAX);
		all[count++] = *arguments;
	}
	const struct jv_spawn spawn = {.arguments = all, .output = log, .inherit = -1};
	if (log != NULL)
		unlink(log);
	child->images = images;
	child->process.fd = -1;
	child->late = false;
	child->excessive = false;
	jv_list_init(&child->link);
	JV_TRY(jv_spawn_start(&spawn, &pid, &pidfd));
	child->deadline_ms = jv_clock_monotonic_ms() + timeout_ms;
	jv_list_push_back(&images->children, &child->link);
	return jv_source_open(images->options.epoll, &child->process, pidfd, process_ended);
}

static void send_kill(const struct jv_image_child *child)
{
	syscall(SYS_pidfd_send_signal, child->process.fd, SIGKILL, NULL, 0);
}

/* A process that was killed and is not reaped yet; its child is somebody else's by then. */
struct corpse {
	struct jv_source process;
	struct jv_images *images;
	struct jv_list link;
};

static void bury(struct jv_source *source)
{
	struct corpse *corpse = JV_CONTAINER_OF(source, struct corpse, process);
	jv_spawn_reap(source->fd);
	jv_source_close(corpse->images->options.epoll, source);
	jv_list_remove(&corpse->link);
	free(corpse);
}

/* The loop waits for nobody: a process in the middle of a system call may take a while to die. */
void jv_image_child_end(struct jv_image_child *child)
{
	if (!jv_image_child_runs(child))
		return;
	struct jv_images *images = child->images;
	struct corpse *corpse = jv_calloc(1, sizeof(*corpse));
	send_kill(child);
	const int fd = fcntl(child->process.fd, F_DUPFD_CLOEXEC, 3);
	jv_source_close(images->options.epoll, &child->process);
	jv_list_remove(&child->link);
	corpse->images = images;
	jv_list_push_back(&images->corpses, &corpse->link);
	struct jv_status status = fd < 0
		? jv_error(JV_RESOURCE_EXHAUSTED, "open a descriptor: %s", strerror(errno))
		: jv_source_open(images->options.epoll, &corpse->process, fd, bury);
	if (!jv_is_ok(&status)) {
		/* It stays a zombie as long as the worker lives. */
		JV_WARN("image.leftover", JV_KV("error", status.message));
		jv_list_remove(&corpse->link);
		free(corpse);
	}
}

void jv_image_children_wait(struct jv_images *images)
{
	while (!jv_list_empty(&images->corpses)) {
		struct corpse *corpse = JV_CONTAINER_OF(images->corpses.next, struct corpse, link);
		poll(&(struct pollfd){.fd = corpse->process.fd, .events = POLLIN}, 1, KILL_WAIT_MS);
		bury(&corpse->process);
	}
}

int64_t jv_image_children_check(struct jv_images *images)
{
	const int64_t now_ms = jv_clock_monotonic_ms();
	int64_t due_ms = INT64_MAX;
	JV_LIST_EACH(node, &images->children)
	{
		struct jv_image_child *child = JV_CONTAINER_OF(node, struct jv_image_child, link);
		if (child->late)
			continue;
		child->late = child->excessive || now_ms >= child->deadline_ms;
		if (child->late)
			send_kill(child);
		else if (child->deadline_ms < due_ms)
			due_ms = child->deadline_ms;
	}
	return due_ms;
}

struct jv_status jv_image_child_status(
	const struct jv_image_child *child, int wait_status, const char *log, const char *host)
{
	struct jv_buffer content = {0};
	char said[256];
	if (wait_status == 0)
		return jv_ok();
	if (child->excessive)
		return jv_error(JV_DATA_LOSS, "the registry sends more than the manifest says");
	if (child->late)
		return jv_error(JV_UNAVAILABLE, "it took longer than images.pull_timeout, %lld s",
			(long long)(child->images->options.pull_timeout_ms / 1000));
	struct jv_status status = jv_file_read(AT_FDCWD, log, LOG_MAX, &content);
	if (!jv_is_ok(&status))
		jv_buffer_clear(&content);
	jv_image_last_line(jv_buffer_bytes(&content), said, sizeof(said));
	/* Skopeo exits with 1, or 2 if it breaks down; other codes are jarvis-unpack's own. */
	const bool own = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) > 2;
	if (host != NULL && !own) {
		status = jv_image_failure_of(jv_buffer_bytes(&content), host);
	} else if (WIFEXITED(wait_status) && said[0] != '\0') {
		status = jv_error((enum jv_code)WEXITSTATUS(wait_status), "%s", said);
	} else {
		jv_spawn_describe(wait_status, said, sizeof(said));
		status = jv_error(JV_INTERNAL, "jarvis-unpack %s", said);
	}
	jv_buffer_deinit(&content);
	return status;
}

bool jv_image_try_again(
	const struct jv_images *images, struct jv_image_tries *tries, struct jv_status *status)
{
	JV_ASSERT(!jv_is_ok(status) && tries->count > 0);
	if (!jv_image_failure_may_pass(status))
		return false;
	if (tries->count >= images->options.pull_attempts) {
		if (tries->count > 1)
			*status = jv_error(status->code, "%s; tried %d times", status->message,
				(int)tries->count);
		return false;
	}
	int64_t wait_ms = BACKOFF_MS << (tries->count < 10 ? tries->count - 1 : 9);
	if (wait_ms > BACKOFF_MS_MAX)
		wait_ms = BACKOFF_MS_MAX;
	tries->due_ms = jv_clock_monotonic_ms() + wait_ms;
	snprintf(tries->last, sizeof(tries->last), "%.*s", (int)sizeof(tries->last) - 1,
		status->message);
	return true;
}
