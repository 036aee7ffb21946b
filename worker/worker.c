#include "worker/worker.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/version.h"
#include "proto/rpc/cq.h"
#include "proto/wire/jarvis.h"
#include "worker/agent.h"
#include "worker/executors.h"
#include "worker/inventory.h"
#include "worker/link.h"
#include "worker/shim/lease.h"
#include "worker/state.h"
#include "worker/watch.h"

#define SESSION_METHOD "/jarvis.v1.Worker/Session"
/* Tags handled between two looks at everything else. */
#define TAGS_MAX 256

struct jv_worker {
	const struct jv_worker_config *config;
	const struct jv_env *env;
	struct jv_arena arena; /* of node and inventory */
	const char *node;
	struct jv_state state;
	struct jv_executors executors;
	struct jv_schema *schema;
	struct jv_cq cq;
	struct jv_link *link;
	struct jv_agent *agent;
	struct jv_watch *watch;
	int alarm; /* timerfd at the end of the lease, which a suspended machine does not miss */
	pthread_t thread;
	atomic_bool stopping;
	int64_t stop_due_ms; /* set before stopping */
};

static struct jv_agent_now now(const struct jv_worker *worker)
{
	return (struct jv_agent_now){
		.monotonic_ms = worker->env->monotonic_ms(worker->env),
		.wall_ms = worker->env->wall_ms(worker->env),
	};
}

/* What the link tells. */

static void link_up(void *context)
{
	struct jv_worker *worker = context;

	jv_agent_connected(worker->agent, now(worker));
}

static void link_down(void *context)
{
	struct jv_worker *worker = context;

	jv_agent_disconnected(worker->agent, now(worker));
}

static void link_message(void *context, const Jarvis__V1__SessionResponse *message)
{
	struct jv_worker *worker = context;

	jv_agent_receive(worker->agent, message, now(worker));
}

/* What the agent wants. */

static bool agent_send(void *context, const Jarvis__V1__SessionRequest *message)
{
	struct jv_worker *worker = context;

	return jv_link_send(worker->link, message);
}

static void agent_drop(void *context, const struct jv_status *why)
{
	struct jv_worker *worker = context;

	jv_link_drop(worker->link, why);
}

static void agent_leased(void *context, int64_t until_ms)
{
	struct jv_worker *worker = context;

	jv_state_lease_set(&worker->state, until_ms);
	jv_alarm_set(worker->alarm, until_ms);
}

static void agent_joined(void *context, const uint8_t cluster_id[JV_AGENT_ID_SIZE])
{
	struct jv_worker *worker = context;
	struct jv_status status = jv_state_join(&worker->state, cluster_id);

	/* After a restart the server would take what runs here for strangers. */
	if (!jv_is_ok(&status))
		JV_ERROR("worker.cluster_not_remembered", JV_KV("error", status.message));
}

static void agent_note(void *context, const struct jv_agent_note *note)
{
	/* Attempts come and go by the thousand; somebody follows those with a trace. */
	bool followed = note->trace_parent != NULL || note->request_id != NULL;
	enum jv_log_level level = note->id != NULL && !followed ? JV_LOG_DEBUG : JV_LOG_INFO;

	(void)context;
	if (note->warning)
		level = JV_LOG_WARN;
	if (!jv_log_enabled(level))
		return;
	if (followed)
		JV_LOG(level, note->event, JV_KV("task", note->id->task),
			JV_KI("attempt", note->id->attempt), JV_KV("text", note->text),
			JV_KV("request_id", note->request_id == NULL ? "" : note->request_id),
			JV_KV("trace_parent",
				note->trace_parent == NULL ? "" : note->trace_parent));
	else if (note->id != NULL)
		JV_LOG(level, note->event, JV_KV("task", note->id->task),
			JV_KI("attempt", note->id->attempt), JV_KV("text", note->text));
	else
		JV_LOG(level, note->event, JV_KV("text", note->text));
}

/* The thread. */

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void step(struct jv_worker *worker)
{
	int64_t due_ms = jv_link_tick(worker->link);

	jv_alarm_clear(worker->alarm);
	jv_agent_tick(worker->agent, now(worker));
	jv_watch_rearm(worker->watch);
	due_ms = earlier(due_ms, jv_agent_deadline_ms(worker->agent));
	jv_cq_run_once(&worker->cq, due_ms);
	jv_cq_run_ready(&worker->cq, TAGS_MAX);
}

/* What was said is still sent, if the server takes it in time. */
static void finish(struct jv_worker *worker)
{
	bool finished = jv_link_finish(worker->link);

	while (!finished && now(worker).monotonic_ms < worker->stop_due_ms) {
		jv_cq_run_once(&worker->cq, worker->stop_due_ms);
		finished = jv_link_finish(worker->link);
	}
	jv_link_cancel(worker->link);
	while (!jv_link_finish(worker->link))
		jv_cq_run_once(&worker->cq, INT64_MAX);
}

static void *run(void *context)
{
	struct jv_worker *worker = context;

	while (!atomic_load(&worker->stopping))
		step(worker);
	finish(worker);
	return NULL;
}

/* Signals are for the main thread, which is not to be woken for each child of this one. */
static int start_thread(struct jv_worker *worker)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	sigdelset(&all, SIGCHLD);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&worker->thread, NULL, run, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

/* Opening, from the inside out. */

/* Not for the embedded worker: it comes by a way of its own. */
static void secure_link(const struct jv_worker_config *config, struct jv_link_options *options)
{
	options->client = (struct jv_client_options){
		.tls = config->server_tls,
		.ca_file = config->server_ca,
		.cert_file = config->server_cert,
		.key_file = config->server_key,
		.server_name = config->server_name,
		.token_in_clear = config->server_token_in_clear,
	};
	options->token_file = config->server_token_file;
}

static struct jv_status open_link(struct jv_worker *worker, const char *server)
{
	struct jv_link_options options = {
		.server = server != NULL ? server : worker->config->server_address,
		.method = jv_schema_method(worker->schema, SESSION_METHOD),
		.env = worker->env,
		.events = {link_up, link_down, link_message, worker},
	};

	if (server == NULL)
		secure_link(worker->config, &options);
	worker->env->random(worker->env, &options.seed, sizeof(options.seed));
	return jv_status_context(jv_link_open(&worker->cq, &options, &worker->link), "server");
}

static void open_agent(struct jv_worker *worker)
{
	struct jv_agent_sink sink = {
		.send = agent_send,
		.drop = agent_drop,
		.leased = agent_leased,
		.joined = agent_joined,
		.note = agent_note,
		.context = worker,
	};
	struct jv_agent_options options = {
		.node = worker->node,
		.has_cluster = worker->state.has_cluster,
		.life = worker->state.life,
		.lease_until_ms = jv_state_lease_get(&worker->state),
		.inventory = jv_inventory_new(worker->config, worker->executors.names,
			worker->executors.count, worker->executors.runtime, &worker->arena),
		.executors = worker->executors.open,
		.limits = {.attempts_max = (uint32_t)worker->config->attempts_max},
	};

	memcpy(options.worker_id, worker->state.worker_id, JV_AGENT_ID_SIZE);
	memcpy(options.boot_id, worker->state.boot_id, JV_AGENT_ID_SIZE);
	memcpy(options.cluster_id, worker->state.cluster_id, JV_AGENT_ID_SIZE);
	worker->agent = jv_agent_new(&options, &sink, now(worker));
}

static struct jv_status open_watch(struct jv_worker *worker)
{
	int fds[JV_EXECUTORS_OPEN_MAX + 1];
	size_t count = 0;

	fds[count++] = worker->alarm;
	for (size_t i = 0; i < worker->executors.count; i++) {
		struct jv_executor *executor = worker->executors.open[i];
		int fd = executor->operations->descriptor(executor);
		if (fd >= 0)
			fds[count++] = fd;
	}
	return jv_watch_open(fds, count, jv_cq_wake, &worker->cq, &worker->watch);
}

static void close_all(struct jv_worker *worker)
{
	jv_watch_close(worker->watch);
	jv_agent_free(worker->agent);
	jv_link_close(worker->link);
	if (worker->schema != NULL)
		jv_cq_close(&worker->cq);
	jv_schema_free(worker->schema);
	jv_executors_close(&worker->executors);
	if (worker->alarm >= 0)
		close(worker->alarm);
	jv_state_close(&worker->state);
	jv_arena_deinit(&worker->arena);
	free(worker);
}

static struct jv_worker *make(const struct jv_worker_config *config)
{
	struct jv_worker *worker = jv_calloc(1, sizeof(*worker));

	worker->config = config;
	worker->env = &jv_env_system;
	worker->state.directory = -1;
	worker->state.lock = -1;
	worker->alarm = -1;
	jv_arena_init(&worker->arena, 0, 0);
	return worker;
}

static struct jv_status open_connection(struct jv_worker *worker, const char *server)
{
	jv_cq_open(&worker->cq);
	worker->schema = jv_schema_new_jarvis();
	return open_link(worker, server);
}

struct jv_status jv_worker_check(const struct jv_worker_config *config)
{
	struct jv_worker *worker = make(config);
	struct jv_status status = jv_worker_config_check(config);

	if (jv_is_ok(&status))
		status = open_connection(worker, NULL);
	close_all(worker);
	return status;
}

static struct jv_status open_all(struct jv_worker *worker, const char *server)
{
	int error;

	JV_TRY(jv_worker_config_check(worker->config));
	JV_TRY(jv_state_open(worker->config->state_path, worker->env, &worker->state));
	JV_TRY(jv_alarm_open(&worker->alarm));
	jv_alarm_set(worker->alarm, jv_state_lease_get(&worker->state));
	JV_TRY(jv_executors_open(worker->config, worker->env, &worker->executors));
	worker->node = jv_inventory_node_name(worker->config, &worker->arena);
	JV_TRY(open_connection(worker, server));
	open_agent(worker);
	JV_TRY(open_watch(worker));
	error = start_thread(worker);
	if (error != 0)
		return jv_error(JV_INTERNAL, "start the worker's thread: %s", strerror(error));
	return jv_ok();
}

struct jv_status jv_worker_start(
	const struct jv_worker_options *options, struct jv_worker **started)
{
	struct jv_worker *worker = make(options->config);
	struct jv_status status = open_all(worker, options->server);

	if (!jv_is_ok(&status)) {
		close_all(worker);
		return status;
	}
	JV_INFO("worker.started", JV_KV("node", worker->node), JV_KV("version", JV_VERSION),
		JV_KV("state", worker->config->state_path),
		JV_KV("runtime", worker->executors.runtime));
	*started = worker;
	return status;
}

void jv_worker_stop(struct jv_worker *worker, int64_t grace_ms)
{
	if (worker == NULL)
		return;
	worker->stop_due_ms = now(worker).monotonic_ms + grace_ms;
	atomic_store(&worker->stopping, true);
	jv_cq_wake(&worker->cq);
	pthread_join(worker->thread, NULL);
	JV_INFO("worker.stopped", JV_KV("node", worker->node));
	close_all(worker);
}

const char *jv_worker_node(const struct jv_worker *worker)
{
	return worker->node;
}
