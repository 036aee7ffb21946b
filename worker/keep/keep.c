#include "worker/keep/keep.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"

#define CLEAN_INTERVAL_MS 10
#define LEAVE_INTERVAL_MS 50
#define EVENTS_MAX        64

static struct jv_keep *keep_of(struct jv_executor *executor)
{
	return (struct jv_keep *)executor;
}

void jv_execution_ready(struct jv_execution *execution)
{
	JV_ASSERT(execution->phase == JV_EXECUTION_WAITING);
	jv_list_push_back(&execution->keep->ready, &execution->link);
	jv_execution_note(execution, 0);
}

void jv_keep_start(struct jv_executor *executor, const struct jv_execution_id *id,
	const Jarvis__V1__TaskSpec *spec)
{
	struct jv_keep *keep = keep_of(executor);
	JV_ASSERT(jv_execution_find(keep, id) == NULL);
	struct jv_execution *execution = jv_execution_new(keep, id);
	uint8_t *packed =
		jv_buffer_extend(&execution->spec, jarvis__v1__task_spec__get_packed_size(spec));
	jarvis__v1__task_spec__pack(spec, packed);
	keep->variant->admit(execution, spec);
}

static void signal_keeper(struct jv_execution *execution, int number)
{
	if (execution->keeper.fd >= 0)
		syscall(SYS_pidfd_send_signal, execution->keeper.fd, number, NULL, 0);
}

/* A keeper that somebody has stopped goes on with it. One that has not ended its task by the next
 * time does so by its own end, and leaves the rest to clean.c. */
static void kill_by_keeper(struct jv_execution *execution)
{
	signal_keeper(execution, execution->killed ? SIGKILL : SIGUSR1);
	signal_keeper(execution, SIGCONT);
	execution->killed = true;
}

void jv_keep_stop(struct jv_executor *executor, const struct jv_execution_id *id, bool kill,
	enum jv_stop_cause cause)
{
	struct jv_execution *execution = jv_execution_find(keep_of(executor), id);
	if (execution == NULL)
		return;
	jv_execution_write_stop(execution, cause);
	if (execution->phase == JV_EXECUTION_WAITING)
		jv_execution_fail(execution, JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXECUTOR,
			"stopped before it had started");
	else if (kill)
		kill_by_keeper(execution);
	else
		signal_keeper(execution, SIGTERM);
}

bool jv_keep_read_output(struct jv_executor *executor, const struct jv_execution_id *id,
	int64_t offset, struct jv_output_chunk *chunk)
{
	struct jv_keep *keep = keep_of(executor);
	struct jv_execution *execution = jv_execution_find(keep, id);
	if (execution == NULL || execution->output_fd < 0)
		return false;
	struct jv_output_piece piece;
	if (!jv_output_read(execution->output_fd, &execution->cursor, offset, keep->chunk, &piece))
		return false;
	*chunk = (struct jv_output_chunk){
		.stream = (Jarvis__V1__LogStream)piece.stream,
		.offset = piece.offset,
		.time_ms = piece.time_ms,
		.truncated = piece.truncated,
		.data = piece.data,
	};
	return true;
}

void jv_keep_remove(struct jv_executor *executor, const struct jv_execution_id *id)
{
	struct jv_execution *execution = jv_execution_find(keep_of(executor), id);
	if (execution == NULL)
		return;
	execution->removed = true;
	if (execution->phase == JV_EXECUTION_WAITING)
		jv_list_remove(&execution->link);
	else if (execution->phase == JV_EXECUTION_KEPT)
		kill_by_keeper(execution);
	jv_execution_note(execution, 0);
}

int jv_keep_descriptor(struct jv_executor *executor)
{
	return keep_of(executor)->epoll;
}

static void take_events(struct jv_keep *keep)
{
	struct epoll_event events[EVENTS_MAX];
	int count;
	do {
		count = epoll_wait(keep->epoll, events, EVENTS_MAX, 0);
		for (int i = 0; i < count; i++) {
			struct jv_source *source = events[i].data.ptr;
			source->ready(source);
		}
	} while (count == EVENTS_MAX);
}

static void start_ready(struct jv_keep *keep)
{
	struct jv_list *node;
	while (keep->starting < keep->starting_max &&
		(node = jv_list_pop_front(&keep->ready)) != NULL)
		jv_execution_launch(JV_CONTAINER_OF(node, struct jv_execution, link));
}

static bool is_gone(const struct jv_execution *execution)
{
	return execution->removed && execution->keeper.fd < 0 &&
		(execution->phase == JV_EXECUTION_FINISHED ||
			execution->phase == JV_EXECUTION_WAITING);
}

/* Nothing that it was given is needed any more. */
static bool is_over(const struct jv_execution *execution)
{
	return execution->phase == JV_EXECUTION_FINISHED ||
		(execution->removed && execution->phase == JV_EXECUTION_WAITING);
}

/* The only place that frees executions: whatever a sink removes meanwhile comes up here later. */
static void look_at_dirty(struct jv_keep *keep)
{
	struct jv_list *node;
	while ((node = jv_list_pop_front(&keep->dirty)) != NULL) {
		struct jv_execution *execution = JV_CONTAINER_OF(node, struct jv_execution, dirty);
		jv_execution_look(execution);
		if (is_over(execution) && keep->variant->release != NULL)
			keep->variant->release(execution);
		if (is_gone(execution))
			jv_execution_free(execution);
	}
}

int64_t jv_keep_dispatch(struct jv_executor *executor, int64_t now_ms)
{
	struct jv_keep *keep = keep_of(executor);
	int64_t due_ms = INT64_MAX;
	take_events(keep);
	if (keep->variant->dispatch != NULL)
		due_ms = keep->variant->dispatch(keep);
	JV_LIST_EACH(node, &keep->cleaning)
	jv_execution_clean_more(JV_CONTAINER_OF(node, struct jv_execution, link));
	jv_keep_reap(keep);
	do {
		start_ready(keep);
		look_at_dirty(keep);
	} while (keep->starting < keep->starting_max && !jv_list_empty(&keep->ready));
	if (!jv_list_empty(&keep->cleaning) && now_ms + CLEAN_INTERVAL_MS < due_ms)
		due_ms = now_ms + CLEAN_INTERVAL_MS;
	if (!jv_list_empty(&keep->leaving) && now_ms + LEAVE_INTERVAL_MS < due_ms)
		due_ms = now_ms + LEAVE_INTERVAL_MS;
	return due_ms;
}

static unsigned news_of(const struct inotify_event *event)
{
	if (event->len == 0)
		return 0;
	if (strcmp(event->name, JV_ATTEMPT_OUTPUT) == 0)
		return JV_NEWS_OUTPUT;
	if (strncmp(event->name, JV_OUTPUT_TAIL, strlen(JV_OUTPUT_TAIL)) == 0)
		return JV_NEWS_TAIL;
	if ((event->mask & IN_MOVED_TO) == 0)
		return 0;
	return strcmp(event->name, JV_ATTEMPT_STARTED) == 0   ? JV_NEWS_STARTED
		: strcmp(event->name, JV_ATTEMPT_RESULT) == 0 ? JV_NEWS_RESULT
							      : 0;
}

static void take_news(struct jv_keep *keep, const struct inotify_event *event)
{
	struct jv_execution *execution;
	struct jv_execution *next;
	if ((event->mask & IN_Q_OVERFLOW) != 0) {
		HASH_ITER (hh, keep->by_key, execution, next)
			jv_execution_note(execution, JV_NEWS_ALL);
		return;
	}
	unsigned news = news_of(event);
	HASH_FIND(hh_watch, keep->by_watch, &event->wd, sizeof(event->wd), execution);
	if (execution != NULL && news != 0)
		jv_execution_note(execution, news);
}

static void inotify_ready(struct jv_source *source)
{
	struct jv_keep *keep = JV_CONTAINER_OF(source, struct jv_keep, inotify);
	_Alignas(struct inotify_event) char events[16384];
	ssize_t got = read(source->fd, events, sizeof(events));
	for (ssize_t at = 0; at < got;) {
		const struct inotify_event *event =
			(const struct inotify_event *)(const void *)(events + at);
		take_news(keep, event);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
}

void jv_keep_close(struct jv_executor *executor)
{
	struct jv_keep *keep = keep_of(executor);
	struct jv_execution *execution;
	struct jv_execution *next;
	HASH_ITER (hh, keep->by_key, execution, next) {
		/* What runs goes on; what is finished and unwanted is gone for good. */
		if (!is_gone(execution))
			execution->removed = false;
		jv_execution_free(execution);
	}
	keep->variant->free(keep);
}

static struct jv_status open_source(struct jv_keep *keep, struct jv_source *source, int fd,
	void (*ready)(struct jv_source *source))
{
	if (fd < 0)
		return jv_error(JV_RESOURCE_EXHAUSTED,
			"open a descriptor: %s; raise fs.inotify.max_user_instances or the limit of "
			"open files",
			strerror(errno));
	return jv_source_open(keep->epoll, source, fd, ready);
}

struct jv_status jv_keep_open_events(struct jv_keep *keep)
{
	keep->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (keep->epoll < 0)
		return jv_error(JV_RESOURCE_EXHAUSTED, "epoll: %s", strerror(errno));
	return open_source(
		keep, &keep->inotify, inotify_init1(IN_CLOEXEC | IN_NONBLOCK), inotify_ready);
}
