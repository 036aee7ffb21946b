#include "worker/watch.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"

/* The event of the descriptor that ends the thread. */
#define STOP JV_WATCH_MAX

struct jv_watch {
	int epoll;
	int stop;
	int fds[JV_WATCH_MAX];
	size_t count;
	atomic_bool fired[JV_WATCH_MAX];
	void (*wake)(void *context);
	void *context;
	pthread_t thread;
};

/* Marks what has fired. False: stop. */
static bool take(struct jv_watch *watch, const struct epoll_event *events, int count)
{
	for (int i = 0; i < count; i++) {
		if (events[i].data.u32 == STOP)
			return false;
		atomic_store(&watch->fired[events[i].data.u32], true);
	}
	return true;
}

static void *run(void *context)
{
	struct jv_watch *watch = context;
	struct epoll_event events[JV_WATCH_MAX + 1];

	for (;;) {
		int count = epoll_wait(watch->epoll, events, JV_WATCH_MAX + 1, -1);
		JV_ASSERT(count >= 0 || errno == EINTR);
		if (!take(watch, events, count))
			return NULL;
		if (count > 0)
			watch->wake(watch->context);
	}
}

static bool control(struct jv_watch *watch, int operation, int fd, uint32_t events, uint32_t number)
{
	struct epoll_event event = {.events = events, .data = {.u32 = number}};

	return epoll_ctl(watch->epoll, operation, fd, &event) == 0;
}

static bool add_all(struct jv_watch *watch)
{
	if (watch->epoll < 0 || watch->stop < 0 ||
		!control(watch, EPOLL_CTL_ADD, watch->stop, EPOLLIN, STOP))
		return false;
	for (size_t i = 0; i < watch->count; i++)
		if (!control(watch, EPOLL_CTL_ADD, watch->fds[i], EPOLLIN | EPOLLONESHOT,
			    (uint32_t)i))
			return false;
	return true;
}

/* Signals are for the main thread. */
static int start(struct jv_watch *watch)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&watch->thread, NULL, run, watch);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

static void free_watch(struct jv_watch *watch)
{
	if (watch->epoll >= 0)
		close(watch->epoll);
	if (watch->stop >= 0)
		close(watch->stop);
	free(watch);
}

struct jv_status jv_watch_open(const int *fds, size_t count, void (*wake)(void *context),
	void *context, struct jv_watch **opened)
{
	struct jv_watch *watch = jv_calloc(1, sizeof(*watch));
	int error;

	JV_ASSERT(count <= JV_WATCH_MAX);
	for (size_t i = 0; i < count; i++)
		watch->fds[i] = fds[i];
	watch->count = count;
	watch->wake = wake;
	watch->context = context;
	watch->epoll = epoll_create1(EPOLL_CLOEXEC);
	watch->stop = eventfd(0, EFD_CLOEXEC);
	error = add_all(watch) ? start(watch) : errno;
	if (error != 0) {
		free_watch(watch);
		return jv_error(JV_INTERNAL, "watch the executors: %s", strerror(error));
	}
	*opened = watch;
	return jv_ok();
}

void jv_watch_rearm(struct jv_watch *watch)
{
	for (size_t i = 0; i < watch->count; i++) {
		bool done = true;
		if (atomic_exchange(&watch->fired[i], false))
			done = control(watch, EPOLL_CTL_MOD, watch->fds[i], EPOLLIN | EPOLLONESHOT,
				(uint32_t)i);
		JV_ASSERT(done);
	}
}

void jv_watch_close(struct jv_watch *watch)
{
	uint64_t one = 1;
	ssize_t size;

	if (watch == NULL)
		return;
	size = write(watch->stop, &one, sizeof(one));
	JV_ASSERT(size == (ssize_t)sizeof(one));
	pthread_join(watch->thread, NULL);
	free_watch(watch);
}
