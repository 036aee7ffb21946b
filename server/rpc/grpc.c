#include "server/rpc/grpc.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "server/rpc/guard.h"
#include "server/rpc/handlers.h"
#include "server/rpc/metrics.h"
#include "server/rpc/private.h"

/* A call's headers as they are sent are hardly longer than the metadata that they mean: up to four
 * times as much, gRPC refuses the call; beyond, the connection ends. */
#define HEADERS_MIN    (64 << 10)
#define HEADERS_FACTOR 4

/* How long gRPC's server may take to shut down after the last call that an edge knows of. */
#define UNSEEN_MS 500

static const struct jv_handler *const own_handlers[] = {
	&jv_health_check,
	&jv_health_list,
	&jv_health_watch,
	&jv_reflection_v1,
	&jv_reflection_v1alpha,
	NULL,
};

static void fill_number(int64_t *value, int64_t fallback)
{
	if (*value == 0)
		*value = fallback;
}

static void fill_count(uint32_t *value, uint32_t fallback)
{
	if (*value == 0)
		*value = fallback;
}

static void fill_options(struct jv_grpc_options *options)
{
	fill_count(&options->edges, 1);
	fill_count(&options->slots, 16);
	fill_count(&options->connections_max, 32768);
	if (options->files_max == 0)
		options->files_max = INT_MAX;
	fill_count(&options->streams_max, 1024);
	fill_number(&options->memory_bytes_max, 256 << 20);
	fill_number(&options->keepalive_ms, 30000);
	fill_number(&options->keepalive_timeout_ms, 10000);
	fill_number(&options->ping_interval_ms_min, 10000);
	fill_number(&options->handshake_timeout_ms, 10000);
	fill_number(&options->metadata_bytes_max, 16 << 10);
	fill_number(&options->compress_bytes_min, 16 << 10);
	fill_number(&options->linger_ms, 10000);
}

static const struct jv_handler *find_handler(const struct jv_api *api, const char *path)
{
	for (size_t i = 0; own_handlers[i] != NULL; i++)
		if (strcmp(own_handlers[i]->path, path) == 0)
			return own_handlers[i];
	return jv_api_handler(api, path);
}

static void add_method(struct jv_grpc *grpc, const struct jv_method *method)
{
	const struct jv_handler *handler = find_handler(grpc->api, method->path);
	struct jv_grpc_method *added = &grpc->methods[grpc->method_count];

	if (handler == NULL)
		return;
	added->method = method;
	added->handler = handler;
	added->payload = !method->client_streaming;
	/* No host: another one than the client's authority would never match. */
	added->registered = grpc_server_register_method(grpc->server, method->path, NULL,
		added->payload ? GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER : GRPC_SRM_PAYLOAD_NONE,
		0);
	JV_ASSERT(added->registered != NULL);
	grpc->method_count++;
}

static void register_methods(struct jv_grpc *grpc)
{
	size_t count;
	const struct jv_method *methods = jv_schema_methods(grpc->api->schema, &count);

	/* The last one stands for all that are unknown. */
	grpc->methods = jv_calloc(count + 1, sizeof(*grpc->methods));
	for (size_t i = 0; i < count; i++)
		add_method(grpc, &methods[i]);
	grpc->method_count++;
}

static void init_thread(struct jv_grpc *grpc, struct jv_grpc_thread *thread)
{
	thread->grpc = grpc;
	jv_cq_open(&thread->cq);
	jv_edge_init(&thread->edge, grpc->api, jv_cq_wake, &thread->cq);
	jv_list_init(&thread->pool);
	jv_grpc_turns_init(&thread->turns);
	jv_list_init(&thread->lingering);
	jv_list_init(&thread->idle.link);
	grpc_server_register_completion_queue(grpc->server, thread->cq.queue, NULL);
}

/* All calls have ended, and all slots have come back or are about to. */
static void shut_down_fired(struct jv_tag *tag, bool ok)
{
	struct jv_grpc *grpc = JV_CONTAINER_OF(tag, struct jv_grpc, shut_down);
	bool posted = jv_mailbox_post(&grpc->control, &grpc->has_shut_down);

	JV_ASSERT(ok && posted);
}

static void open_guard(const struct jv_grpc_options *options)
{
	int64_t headers_max = options->metadata_bytes_max * HEADERS_FACTOR;
	const struct jv_grpc_bounds bounds = {
		.headers_max = (uint32_t)(headers_max > HEADERS_MIN ? headers_max : HEADERS_MIN),
		.streams_max = options->streams_max,
	};

	jv_grpc_guard_open(options->connections_max, options->files_max, &bounds);
}

static struct jv_grpc *create(const struct jv_grpc_options *options, struct jv_api *api)
{
	struct jv_grpc *grpc = jv_calloc(1, sizeof(*grpc));

	grpc_init();
	grpc->options = *options;
	fill_options(&grpc->options);
	grpc->api = api;
	grpc->thread_count = grpc->options.edges;
	grpc->threads = jv_calloc(grpc->thread_count, sizeof(*grpc->threads));
	jv_mailbox_init(&grpc->control, 0, NULL, NULL);
	grpc->shut_down.fired = shut_down_fired;
	jv_list_init(&grpc->has_shut_down.link);
	jv_grpc_metrics_register();
	open_guard(&grpc->options);
	grpc->server = jv_grpc_create_server(&grpc->options, api->limits->message_bytes_max);
	register_methods(grpc);
	for (uint32_t i = 0; i < grpc->thread_count; i++)
		init_thread(grpc, &grpc->threads[i]);
	return grpc;
}

struct jv_status jv_grpc_open(
	const struct jv_grpc_options *options, struct jv_api *api, struct jv_grpc **grpc)
{
	struct jv_grpc *opened = create(options, api);
	struct jv_status status = jv_grpc_listen(opened);

	*grpc = NULL;
	/* The addresses are the caller's. */
	opened->options.listen = NULL;
	if (jv_is_ok(&status))
		*grpc = opened;
	else
		jv_grpc_close(opened);
	return status;
}

void jv_grpc_start(struct jv_grpc *grpc)
{
	sigset_t all, before;

	JV_ASSERT(atomic_load(&grpc->phase) == JV_GRPC_OPENED);
	atomic_store(&grpc->phase, JV_GRPC_RUNNING);
	/* Signals are for the main thread; gRPC's threads inherit the mask too. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	grpc_server_start(grpc->server);
	for (uint32_t i = 0; i < grpc->thread_count; i++) {
		char name[16];
		struct jv_grpc_thread *thread = &grpc->threads[i];
		if (pthread_create(&thread->thread, NULL, jv_grpc_run, thread) != 0)
			jv_fatal("cannot start a thread; raise the limit of processes (ulimit -u)");
		snprintf(name, sizeof(name), "grpc-%u", i % 1000);
		pthread_setname_np(thread->thread, name);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void enter(struct jv_grpc *grpc, enum jv_grpc_phase phase)
{
	atomic_store(&grpc->phase, phase);
	for (uint32_t i = 0; i < grpc->thread_count; i++)
		jv_cq_wake(&grpc->threads[i].cq);
}

/* Takes what the threads have to tell; waits until the deadline if there is nothing. */
static void listen_to_threads(struct jv_grpc *grpc, int64_t deadline_ms)
{
	struct jv_list mails;
	struct jv_list *link;

	jv_list_init(&mails);
	jv_mailbox_take(&grpc->control, &mails, deadline_ms);
	while ((link = jv_list_pop_front(&mails)) != NULL) {
		if (link == &grpc->has_shut_down.link)
			grpc->is_shut_down = true;
		else
			grpc->idle_count++;
	}
}

/* False if the time is over before no thread has a call. */
static bool await_idle(struct jv_grpc *grpc, int64_t deadline_ms)
{
	const struct jv_env *env = grpc->api->env;

	while (grpc->idle_count < grpc->thread_count && env->monotonic_ms(env) < deadline_ms)
		listen_to_threads(grpc, deadline_ms);
	return grpc->idle_count == grpc->thread_count;
}

static bool await_shut_down(struct jv_grpc *grpc, int64_t deadline_ms)
{
	const struct jv_env *env = grpc->api->env;

	while (!grpc->is_shut_down && env->monotonic_ms(env) < deadline_ms)
		listen_to_threads(grpc, deadline_ms);
	return grpc->is_shut_down;
}

void jv_grpc_drain(struct jv_grpc *grpc, int64_t grace_ms)
{
	const struct jv_env *env = grpc->api->env;

	if (atomic_load(&grpc->phase) != JV_GRPC_RUNNING)
		return;
	enter(grpc, JV_GRPC_DRAINING);
	grpc_server_shutdown_and_notify(grpc->server, grpc->threads[0].cq.queue, &grpc->shut_down);
	if (!await_idle(grpc, env->monotonic_ms(env) + grace_ms)) {
		if (grace_ms > 0)
			JV_WARN("grpc.grace_over", JV_KI("grace_ms", grace_ms));
		grpc_server_cancel_all_calls(grpc->server);
		await_idle(grpc, INT64_MAX);
	}
	/* A call that comes just when the server shuts down may be given to nobody, and would keep
	 * it for ever. */
	if (!await_shut_down(grpc, env->monotonic_ms(env) + UNSEEN_MS)) {
		grpc_server_cancel_all_calls(grpc->server);
		await_shut_down(grpc, INT64_MAX);
	}
}

/* A server that was never started must be shut down all the same. */
static void shut_down_unstarted(struct jv_grpc *grpc)
{
	grpc_server_shutdown_and_notify(grpc->server, grpc->threads[0].cq.queue, &grpc->shut_down);
	while (!grpc->is_shut_down) {
		jv_cq_run_once(&grpc->threads[0].cq, INT64_MAX);
		listen_to_threads(grpc, 0);
	}
}

static void close_thread(struct jv_grpc_thread *thread)
{
	/* From here no wake can come; what is there still (publications) is freed. */
	jv_mailbox_close(&thread->edge.inbox);
	jv_edge_run(&thread->edge);
	JV_ASSERT(thread->live == 0 && thread->armed == 0);
	JV_ASSERT(thread->turns.peers == NULL && thread->turns.waiting == 0);
	jv_edge_deinit(&thread->edge);
	jv_grpc_call_free_pool(thread);
	jv_cq_close(&thread->cq);
}

void jv_grpc_close(struct jv_grpc *grpc)
{
	bool started;

	if (grpc == NULL)
		return;
	jv_grpc_drain(grpc, 0);
	started = atomic_load(&grpc->phase) != JV_GRPC_OPENED;
	if (started)
		enter(grpc, JV_GRPC_STOPPING);
	else
		shut_down_unstarted(grpc);
	/* All threads, before any queue: their last wakes are done then. */
	for (uint32_t i = 0; started && i < grpc->thread_count; i++)
		pthread_join(grpc->threads[i].thread, NULL);
	for (uint32_t i = 0; i < grpc->thread_count; i++)
		close_thread(&grpc->threads[i]);
	grpc_server_destroy(grpc->server);
	jv_mailbox_close(&grpc->control);
	jv_mailbox_deinit(&grpc->control);
	free(grpc->threads);
	free(grpc->methods);
	free(grpc);
	grpc_shutdown();
}

int jv_grpc_port(const struct jv_grpc *grpc, size_t n)
{
	JV_ASSERT(n < JV_GRPC_LISTEN_MAX);
	return grpc->listeners[n].port;
}

uint32_t jv_grpc_edge_count(const struct jv_grpc *grpc)
{
	return grpc->thread_count;
}

struct jv_edge *jv_grpc_edge(struct jv_grpc *grpc, uint32_t n)
{
	JV_ASSERT(n < grpc->thread_count);
	return &grpc->threads[n].edge;
}
