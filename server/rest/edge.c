#include "server/rest/edge.h"

#include <errno.h>
#include <limits.h>
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
		.connections_max = 16384,
		.files_max = INT_MAX,
		.idle_ms = 60000,
		.head_ms = 10000,
		.body_ms = 30000,
		.body_rate_min = 1024,
		.header_bytes_max = (size_t)16 << 10,
		.body_bytes_max = (size_t)4 << 20,
		.bodies_bytes_max = (size_t)256 << 20,
		.gzip = true,
		.cors_headers =
			"Authorization, Content-Type, Grpc-Timeout, Traceparent, X-Request-Id",
		.cors_expose = "",
		.cors_max_age_ms = 600000,
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

static void see_event(struct jv_rest_connection *connection, uint32_t events)
{
	if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		connection->readable = true;
	if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
		connection->writable = true;
	/* The client has closed, or at least its sending side. */
	if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		connection->peer_closed = true;
	/* TLS may want to write to read, and the other way round. */
	if (connection->tls != NULL)
		connection->readable = connection->writable = true;
	jv_rest_connection_ready(connection);
}

/* Waits, and takes note of what has happened. Nothing is closed meanwhile, so all connections in
 * the events are there. */
static void wait_events(struct jv_rest_edge *rest, int timeout_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int count = epoll_wait(rest->epoll_fd, events, EVENTS_MAX, timeout_ms);

	JV_ASSERT(count >= 0 || errno == EINTR);
	for (int i = 0; i < count; i++) {
		if (events[i].data.ptr == &rest->wake_fd)
			take_wake(rest);
		else if (events[i].data.ptr == &rest->listen_fd)
			jv_rest_accept(rest);
		else
			see_event(events[i].data.ptr, events[i].events);
	}
}

/* Each connection that is ready once; what becomes ready meanwhile is for the next round. */
static void run_ready(struct jv_rest_edge *rest)
{
	struct jv_list ready;
	struct jv_list *link;

	jv_list_init(&ready);
	jv_list_splice_back(&ready, &rest->ready);
	while ((link = jv_list_pop_front(&ready)) != NULL)
		jv_rest_connection_run(
			JV_CONTAINER_OF(link, struct jv_rest_connection, ready_link));
}

/* One turn of everything; returns when the next is due at the latest, as a timeout of epoll. */
static int turn(struct jv_rest_edge *rest, int64_t stop_ms)
{
	int64_t next_ms = stop_ms;
	int64_t dues[4], left_ms;

	run_ready(rest);
	dues[0] = jv_rest_run_deadlines(rest);
	dues[1] = jv_edge_run(&rest->edge);
	dues[2] = jv_rest_run_dues(rest);
	dues[3] = jv_rest_accept_tick(rest);
	/* Answers that have just come leave in this turn. */
	jv_rest_run_messages(rest);
	run_ready(rest);
	jv_rest_let_go(rest);
	if (!jv_list_empty(&rest->ready) || !jv_list_empty(&rest->messages))
		return 0;
	for (size_t i = 0; i < 4; i++)
		next_ms = dues[i] < next_ms ? dues[i] : next_ms;
	/* Nothing to wait for but events; the rest fits. */
	if (next_ms == INT64_MAX)
		return -1;
	left_ms = next_ms - jv_rest_now_ms(rest);
	return left_ms <= 0 ? 0 : left_ms > 60000 ? 60000 : (int)left_ms;
}

static void drain_now(struct jv_rest_edge *rest)
{
	if (rest->draining)
		return;
	rest->draining = true;
	jv_rest_accept_stop(rest);
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
	jv_rest_connection_close_all(rest);
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

static struct jv_status open_all(struct jv_rest_edge *rest)
{
	JV_TRY(open_files(rest));
	if (rest->options.tls != NULL)
		JV_TRY(jv_rest_tls_open(rest->options.tls, &rest->tls));
	JV_TRY(jv_rest_listen(rest->options.listen, &rest->listen_fd, &rest->port));
	watch(rest, rest->wake_fd, &rest->wake_fd);
	jv_rest_accept_init(rest);
	return jv_ok();
}

static void free_all(struct jv_rest_edge *rest)
{
	jv_rest_accept_stop(rest);
	jv_rest_tls_close(rest->tls);
	if (rest->wake_fd >= 0)
		close(rest->wake_fd);
	if (rest->epoll_fd >= 0)
		close(rest->epoll_fd);
	jv_heap_deinit(&rest->deadlines);
	jv_heap_deinit(&rest->dues);
	jv_rest_resources_free(rest->resources);
	jv_routes_free(rest->routes);
	free(rest);
}

struct jv_status jv_rest_edge_open(
	const struct jv_rest_options *options, struct jv_api *api, struct jv_rest_edge **opened)
{
	struct jv_rest_edge *rest = jv_calloc(1, sizeof(*rest));
	struct jv_status status;

	JV_ASSERT(options->idle_ms > 0 && options->connections_max > 0);
	JV_ASSERT(options->head_ms > 0 && options->body_ms > 0 && options->body_rate_min > 0);
	rest->options = *options;
	rest->listen_fd = -1;
	rest->api = api;
	jv_list_init(&rest->calls);
	jv_list_init(&rest->spent);
	jv_list_init(&rest->messages);
	jv_heap_init(&rest->deadlines, jv_rest_deadline_before);
	status = open_all(rest);
	if (!jv_is_ok(&status)) {
		free_all(rest);
		return status;
	}
	rest->routes = jv_routes_new(api->schema);
	rest->resources = jv_rest_resources_new(api->schema, rest->routes);
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
