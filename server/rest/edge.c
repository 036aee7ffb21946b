#include "server/rest/edge.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "server/rest/listen.h"
#include "server/rest/private.h"

#define EVENTS_MAX 64
/* After the grace, answers that say so get this long to reach their clients. */
#define FLUSH_MS 1000

struct jv_rest_options jv_rest_options_default(void)
{
	return (struct jv_rest_options){
		.listen = "127.0.0.1:7071",
		.connections_max = 4096,
		.idle_ms = 60000,
		.header_bytes_max = (size_t)16 << 10,
		.body_bytes_max = (size_t)4 << 20,
		.bodies_bytes_max = (size_t)256 << 20,
	};
}

static void wake(void *context)
{
	struct jv_rest_edge *rest = context;
	uint64_t one = 1;
	ssize_t written = write(rest->wake_fd, &one, sizeof(one));

	/* The counter is full only after 2^64 wakes that nobody has seen. */
	JV_ASSERT(written == (ssize_t)sizeof(one));
}

static void take_wake(struct jv_rest_edge *rest)
{
	uint64_t count;
	ssize_t size = read(rest->wake_fd, &count, sizeof(count));

	JV_ASSERT(size == (ssize_t)sizeof(count) || errno == EAGAIN);
}

static void watch(struct jv_rest_edge *rest, int fd, void *what)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
	int result = epoll_ctl(rest->epoll_fd, EPOLL_CTL_ADD, fd, &event);

	JV_ASSERT(result == 0);
}

/* The client has closed, or at least its sending side. */
static void see_peer_closed(struct jv_rest_connection *connection)
{
	connection->peer_closed = true;
	if (connection->call != NULL && connection->call->suspended)
		jv_rest_call_cancel(connection->call);
	else
		jv_list_push_back(&connection->rest->nudges, &connection->nudge_link);
}

/* libmicrohttpd takes a short read for the last one, and so misses an end that came together with
 * data. Shutting down what is closed anyway makes the kernel tell it again. True: there was one. */
static bool nudge(struct jv_rest_edge *rest)
{
	struct jv_list *link;
	bool any = false;

	while ((link = jv_list_pop_front(&rest->nudges)) != NULL) {
		shutdown(JV_CONTAINER_OF(link, struct jv_rest_connection, nudge_link)->fd, SHUT_RD);
		any = true;
	}
	return any;
}

/* Waits, and takes what is not libmicrohttpd's. Connections are freed only while libmicrohttpd
 * runs, so those in the events are all there. */
static void wait_events(struct jv_rest_edge *rest, int timeout_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(rest->epoll_fd, events, EVENTS_MAX, timeout_ms);

	JV_ASSERT(count >= 0 || errno == EINTR);
	for (int i = 0; i < count; i++) {
		if (events[i].data.ptr == &rest->wake_fd)
			take_wake(rest);
		else if (events[i].data.ptr != &rest->daemon)
			see_peer_closed(events[i].data.ptr);
	}
}

/* At its limit of connections libmicrohttpd does not listen, and looks whether it may only when it
 * runs: so once more after one was closed. */
static void run_http(struct jv_rest_edge *rest)
{
	do {
		rest->closed_any = false;
		MHD_run(rest->daemon);
	} while (rest->closed_any || nudge(rest));
}

/* One turn of everything; returns when the next is due at the latest, as a timeout of epoll. */
static int turn(struct jv_rest_edge *rest, int64_t stop_ms)
{
	unsigned long long http_ms;
	int64_t next_ms, deadline_ms, left_ms;

	rest->resumed = false;
	run_http(rest);
	deadline_ms = jv_rest_run_deadlines(rest);
	next_ms = jv_edge_run(&rest->edge);
	jv_rest_let_go(rest);
	/* MHD_get_timeout of 0.9.75 knows nothing of connections that were resumed outside of
	 * MHD_run. */
	if (rest->resumed)
		return 0;
	next_ms = next_ms < deadline_ms ? next_ms : deadline_ms;
	next_ms = next_ms < stop_ms ? next_ms : stop_ms;
	left_ms = next_ms == INT64_MAX ? INT64_MAX : next_ms - jv_rest_now_ms(rest);
	if (MHD_get_timeout(rest->daemon, &http_ms) == MHD_YES && http_ms < INT64_MAX &&
		(int64_t)http_ms < left_ms)
		left_ms = (int64_t)http_ms;
	if (left_ms <= 0)
		return 0;
	/* Nothing to wait for but events; the rest fits. */
	return left_ms == INT64_MAX ? -1 : left_ms > 60000 ? 60000 : (int)left_ms;
}

static void drain_now(struct jv_rest_edge *rest)
{
	MHD_socket listener;

	if (rest->draining)
		return;
	rest->draining = true;
	listener = MHD_quiesce_daemon(rest->daemon);
	JV_ASSERT(listener != MHD_INVALID_SOCKET);
	close(listener);
	JV_INFO("rest.draining", JV_KI("port", rest->port), JV_KI("calls", rest->edge.call_count));
}

/* Ends all that is in flight; the answers still have to go out. */
static void cut_all(struct jv_rest_edge *rest)
{
	const struct jv_status status = jv_error(JV_UNAVAILABLE, "the server is stopping");

	JV_LIST_EACH(link, &rest->calls)
	{
		struct jv_rest_call *call = JV_CONTAINER_OF(link, struct jv_rest_call, calls_link);
		/* What is still being received has no one to answer to. */
		if (call->phase == JV_REST_RUNNING)
			jv_rest_call_fail(call, 0, &status);
	}
}

/* What whoever stops the edge wants of this turn. True: the time for calls in flight is over. */
static bool see_wanted(struct jv_rest_edge *rest, int wanted, int64_t *stop_ms, bool *was_cut)
{
	int64_t now_ms = jv_rest_now_ms(rest);

	if (wanted != JV_REST_RUN)
		drain_now(rest);
	if (wanted == JV_REST_STOP && *stop_ms == INT64_MAX)
		*stop_ms = now_ms + atomic_load(&rest->grace_ms);
	if (now_ms < *stop_ms)
		return false;
	if (*was_cut)
		return true;
	*was_cut = true;
	*stop_ms = now_ms + FLUSH_MS;
	cut_all(rest);
	return false;
}

/* Serves until it is to stop and no request is in flight, or the time for that is over. */
static void serve(struct jv_rest_edge *rest)
{
	int64_t stop_ms = INT64_MAX;
	bool was_cut = false;

	for (;;) {
		int wanted = atomic_load(&rest->wanted);
		if (see_wanted(rest, wanted, &stop_ms, &was_cut))
			return;
		int timeout_ms = turn(rest, stop_ms);
		if (wanted == JV_REST_STOP && jv_list_empty(&rest->calls))
			return;
		wait_events(rest, timeout_ms);
	}
}

/* Calls that the core still holds, though their clients are answered. */
static void await_replies(struct jv_rest_edge *rest)
{
	for (;;) {
		jv_edge_run(&rest->edge);
		jv_rest_let_go(rest);
		if (rest->edge.call_count == 0)
			return;
		wait_events(rest, -1);
	}
}

static void *run(void *context)
{
	struct jv_rest_edge *rest = context;

	serve(rest);
	MHD_stop_daemon(rest->daemon);
	rest->daemon = NULL;
	JV_ASSERT(jv_list_empty(&rest->calls));
	JV_ASSERT(rest->bodies_bytes == 0);
	await_replies(rest);
	return NULL;
}

static struct jv_status open_files(struct jv_rest_edge *rest)
{
	rest->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	rest->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (rest->epoll_fd >= 0 && rest->wake_fd >= 0)
		return jv_ok();
	return jv_error(JV_RESOURCE_EXHAUSTED,
		"no file descriptor is left for the REST edge; raise the limit (ulimit -n)");
}

static struct jv_status open_daemon(struct jv_rest_edge *rest)
{
	const union MHD_DaemonInfo *info;
	int listener;

	JV_TRY(jv_rest_listen(rest->options.listen, &listener, &rest->port));
	rest->daemon = jv_rest_daemon_start(rest, listener);
	if (rest->daemon == NULL) {
		close(listener);
		return jv_error(JV_INTERNAL, "libmicrohttpd does not start: %s", strerror(errno));
	}
	info = MHD_get_daemon_info(rest->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	JV_ASSERT(info != NULL && info->epoll_fd >= 0);
	watch(rest, rest->wake_fd, &rest->wake_fd);
	watch(rest, info->epoll_fd, &rest->daemon);
	return jv_ok();
}

static void free_all(struct jv_rest_edge *rest)
{
	if (rest->daemon != NULL)
		MHD_stop_daemon(rest->daemon);
	if (rest->wake_fd >= 0)
		close(rest->wake_fd);
	if (rest->epoll_fd >= 0)
		close(rest->epoll_fd);
	jv_heap_deinit(&rest->deadlines);
	jv_routes_free(rest->routes);
	free(rest);
}

struct jv_status jv_rest_edge_open(
	const struct jv_rest_options *options, struct jv_api *api, struct jv_rest_edge **opened)
{
	struct jv_rest_edge *rest = jv_calloc(1, sizeof(*rest));
	struct jv_status status;

	JV_ASSERT(options->idle_ms > 0 && options->connections_max > 0);
	rest->options = *options;
	rest->api = api;
	jv_list_init(&rest->calls);
	jv_list_init(&rest->spent);
	jv_list_init(&rest->nudges);
	jv_heap_init(&rest->deadlines, jv_rest_deadline_before);
	status = open_files(rest);
	if (jv_is_ok(&status))
		status = open_daemon(rest);
	if (!jv_is_ok(&status)) {
		free_all(rest);
		return status;
	}
	rest->routes = jv_routes_new(api->schema);
	jv_edge_init(&rest->edge, api, wake, rest);
	jv_rest_metrics_register();
	*opened = rest;
	return jv_ok();
}

void jv_rest_edge_start(struct jv_rest_edge *rest)
{
	sigset_t all, before;
	int result;

	JV_ASSERT(!rest->started);
	/* Signals are the main thread's; SIGPIPE would be ours. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = pthread_create(&rest->thread, NULL, run, rest);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (result != 0)
		jv_fatal("no thread can be started for the REST edge: %s", strerror(result));
	pthread_setname_np(rest->thread, "rest");
	rest->started = true;
	JV_INFO("rest.started", JV_KV("listen", rest->options.listen), JV_KI("port", rest->port));
}

uint16_t jv_rest_edge_port(const struct jv_rest_edge *rest)
{
	return rest->port;
}

struct jv_edge *jv_rest_edge_edge(struct jv_rest_edge *rest)
{
	return &rest->edge;
}

void jv_rest_edge_drain(struct jv_rest_edge *rest)
{
	int run_state = JV_REST_RUN;

	if (atomic_compare_exchange_strong(&rest->wanted, &run_state, JV_REST_DRAIN))
		wake(rest);
}

void jv_rest_edge_stop(struct jv_rest_edge *rest, int64_t grace_ms)
{
	if (!rest->started)
		return;
	atomic_store(&rest->grace_ms, grace_ms);
	atomic_store(&rest->wanted, JV_REST_STOP);
	wake(rest);
	pthread_join(rest->thread, NULL);
	rest->started = false;
	JV_INFO("rest.stopped", JV_KI("port", rest->port));
}

void jv_rest_edge_close(struct jv_rest_edge *rest)
{
	if (rest == NULL)
		return;
	JV_ASSERT(!rest->started);
	/* Publications that were on their way to watchers that have gone. */
	jv_edge_run(&rest->edge);
	jv_mailbox_close(&rest->edge.inbox);
	jv_edge_deinit(&rest->edge);
	free_all(rest);
}
