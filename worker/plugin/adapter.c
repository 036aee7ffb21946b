/*
 * The adapter: the operations of an executor, over the functions of a plugin.
 *
 * What the plugin tells is only noted, whenever that is; it is told on by dispatch, so that the
 * worker hears of nothing before it may.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/assert.h"
#include "worker/plugin/private.h"
#include "worker/shim/files.h"

#define FAILED_EXECUTOR JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXECUTOR

static struct jv_plugin *plugin_of(struct jv_executor *executor)
{
	struct jv_plugin *plugin = (struct jv_plugin *)executor;
	plugin->thread = gettid();
	return plugin;
}

static void key_of(const struct jv_execution_id *id, char key[static JV_PLUGIN_KEY_MAX])
{
	snprintf(key, JV_PLUGIN_KEY_MAX, "%.*s.%d", JV_TASK_ID_MAX, id->task, id->attempt);
}

static struct jarvis_execution_id abi_id(const struct jv_execution_id *id)
{
	struct jarvis_execution_id abi = {.attempt = id->attempt};
	snprintf(abi.task, sizeof(abi.task), "%.*s", JARVIS_TASK_ID_MAX - 1, id->task);
	return abi;
}

static struct jv_plugin_execution *find(struct jv_plugin *plugin, const struct jv_execution_id *id)
{
	char key[JV_PLUGIN_KEY_MAX];
	struct jv_plugin_execution *execution;
	key_of(id, key);
	HASH_FIND_STR(plugin->executions, key, execution);
	return execution;
}

struct jv_plugin_execution *jv_plugin_execution_find(
	struct jv_plugin *plugin, const struct jarvis_execution_id *id)
{
	struct jv_execution_id own = {.attempt = id->attempt};
	if (memchr(id->task, '\0', sizeof(id->task)) == NULL)
		return NULL;
	snprintf(own.task, sizeof(own.task), "%s", id->task);
	return find(plugin, &own);
}

struct jv_plugin_execution *jv_plugin_execution_new(
	struct jv_plugin *plugin, const struct jv_execution_id *id)
{
	struct jv_plugin_execution *execution = jv_calloc(1, sizeof(*execution));
	key_of(id, execution->key);
	execution->id = *id;
	jv_list_init(&execution->dirty);
	HASH_ADD_STR(plugin->executions, key, execution);
	return execution;
}

void jv_plugin_execution_free(struct jv_plugin *plugin, struct jv_plugin_execution *execution)
{
	jv_list_remove(&execution->dirty);
	HASH_DEL(plugin->executions, execution);
	if (execution->recovered != NULL)
		jarvis__v1__task_spec__free_unpacked(execution->recovered, NULL);
	jv_buffer_deinit(&execution->spec);
	free(execution);
}

void jv_plugin_note(struct jv_plugin *plugin, struct jv_plugin_execution *execution)
{
	jv_list_remove(&execution->dirty);
	jv_list_push_back(&plugin->dirty, &execution->dirty);
}

static void end_unstarted(
	struct jv_plugin *plugin, struct jv_plugin_execution *execution, const char *message)
{
	execution->ended = true;
	execution->result = (struct jv_execution_result){
		.failure = FAILED_EXECUTOR, .finish_ms = jv_clock_wall_ms()};
	snprintf(execution->result.message, sizeof(execution->result.message), "%s", message);
	jv_plugin_note(plugin, execution);
}

static void start(struct jv_executor *executor, const struct jv_execution_id *id,
	const Jarvis__V1__TaskSpec *spec)
{
	struct jv_plugin *plugin = plugin_of(executor);
	JV_ASSERT(find(plugin, id) == NULL);
	struct jv_plugin_execution *execution = jv_plugin_execution_new(plugin, id);
	struct jarvis_execution_id abi = abi_id(id);
	struct jarvis_task task;
	struct jv_arena arena;
	uint8_t *packed =
		jv_buffer_extend(&execution->spec, jarvis__v1__task_spec__get_packed_size(spec));
	jarvis__v1__task_spec__pack(spec, packed);
	execution->log_bytes_max = jv_plugin_log_bytes_max(spec);
	struct jv_status status = jv_plugin_record_write(plugin, execution);
	if (!jv_is_ok(&status)) {
		end_unstarted(plugin, execution, status.message);
		return;
	}
	jv_arena_init(&arena, 0, 0);
	jv_plugin_task_of(spec, &arena, &task);
	execution->known = true;
	plugin->plugin->start(plugin->executor, &abi, &task);
	jv_arena_deinit(&arena);
}

static void keep_cause(
	struct jv_plugin *plugin, struct jv_plugin_execution *execution, enum jv_stop_cause cause)
{
	JV_ASSERT(cause != JV_STOP_NONE);
	if (execution->stopped_for != JV_STOP_NONE)
		return;
	execution->stopped_for = cause;
	struct jv_status status = jv_plugin_record_write(plugin, execution);
	(void)status; /* It is still known as long as this process lives. */
}

static void stop(struct jv_executor *executor, const struct jv_execution_id *id, bool kill,
	enum jv_stop_cause cause)
{
	struct jv_plugin *plugin = plugin_of(executor);
	struct jv_plugin_execution *execution = find(plugin, id);
	struct jarvis_execution_id abi = abi_id(id);
	if (execution == NULL || execution->ended)
		return;
	keep_cause(plugin, execution, cause);
	plugin->plugin->stop(plugin->executor, &abi, kill);
}

static bool read_output(struct jv_executor *executor, const struct jv_execution_id *id,
	int64_t offset, struct jv_output_chunk *chunk)
{
	struct jv_plugin *plugin = plugin_of(executor);
	struct jv_plugin_execution *execution = find(plugin, id);
	struct jarvis_execution_id abi = abi_id(id);
	struct jarvis_output output = {.size = sizeof(output)};
	/* Past what it has told of there is nothing to ask for. */
	if (execution == NULL || !execution->known || offset < 0 ||
		offset >= execution->log_bytes ||
		!plugin->plugin->read_output(plugin->executor, &abi, offset, &output))
		return false;
	const char *wrong = jv_plugin_output_wrong(execution, offset, &output);
	if (wrong != NULL) {
		jv_plugin_fault(plugin, execution, wrong);
		return false;
	}
	*chunk = (struct jv_output_chunk){
		.stream = (Jarvis__V1__LogStream)output.stream,
		.offset = offset,
		.time_ms = jv_plugin_plausible(output.time_ms),
		.truncated = output.truncated,
		.data = jv_bytes_of(output.data, output.data_size),
	};
	return true;
}

static void remove_execution(struct jv_executor *executor, const struct jv_execution_id *id)
{
	struct jv_plugin *plugin = plugin_of(executor);
	struct jv_plugin_execution *execution = find(plugin, id);
	struct jarvis_execution_id abi = abi_id(id);
	if (execution == NULL || execution->removed)
		return;
	if (execution->known)
		plugin->plugin->remove(plugin->executor, &abi);
	jv_plugin_record_remove(plugin, execution);
	if (execution == plugin->telling)
		execution->removed = true;
	else
		jv_plugin_execution_free(plugin, execution);
}

/* False for a file, which is always readable. */
static bool can_be_polled(int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	bool can = epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
	if (epoll >= 0)
		close(epoll);
	return can;
}

static int descriptor(struct jv_executor *executor)
{
	struct jv_plugin *plugin = plugin_of(executor);
	int own = plugin->plugin->descriptor != NULL ? plugin->plugin->descriptor(plugin->executor)
						     : -1;
	if (own < 0 || plugin->descriptor >= 0)
		return plugin->descriptor;
	if (can_be_polled(own))
		plugin->descriptor = fcntl(own, F_DUPFD_CLOEXEC, 0);
	if (plugin->descriptor < 0)
		jv_plugin_fault(plugin, NULL, "has a descriptor that cannot be waited for");
	return plugin->descriptor;
}

static void tell(struct jv_plugin *plugin, struct jv_plugin_execution *execution)
{
	const struct jv_executor_sink *sink = &plugin->base.sink;
	if (execution->progressed && !execution->started && !execution->ended) {
		execution->progressed = false;
		sink->progress(sink->context, &execution->id, execution->progress);
	}
	if (!execution->removed && execution->started && !execution->told_started) {
		execution->told_started = true;
		sink->started(sink->context, &execution->id, execution->start_ms);
	}
	if (!execution->removed && execution->log_bytes > execution->told_bytes) {
		execution->told_bytes = execution->log_bytes;
		sink->output(sink->context, &execution->id, execution->told_bytes);
	}
	if (!execution->removed && execution->ended && !execution->told_finished) {
		execution->told_finished = true;
		execution->result.stopped_for = execution->stopped_for;
		sink->finished(sink->context, &execution->id, &execution->result);
	}
}

static int64_t dispatch(struct jv_executor *executor, int64_t now_ms)
{
	struct jv_plugin *plugin = plugin_of(executor);
	int64_t due_ms = plugin->plugin->dispatch(plugin->executor, now_ms);
	struct jv_list *node;
	while ((node = jv_list_pop_front(&plugin->dirty)) != NULL) {
		struct jv_plugin_execution *execution =
			JV_CONTAINER_OF(node, struct jv_plugin_execution, dirty);
		plugin->telling = execution;
		tell(plugin, execution);
		plugin->telling = NULL;
		if (execution->removed)
			jv_plugin_execution_free(plugin, execution);
	}
	return due_ms > now_ms ? due_ms : now_ms + 1;
}

static void close_executor(struct jv_executor *executor)
{
	struct jv_plugin *plugin = plugin_of(executor);
	struct jv_plugin_execution *execution;
	struct jv_plugin_execution *next;
	if (plugin->executor != NULL)
		plugin->plugin->close(plugin->executor);
	HASH_ITER (hh, plugin->executions, execution, next)
		jv_plugin_execution_free(plugin, execution);
	if (plugin->records_fd >= 0)
		close(plugin->records_fd);
	if (plugin->descriptor >= 0)
		close(plugin->descriptor);
	jv_buffer_deinit(&plugin->strays);
	free(plugin->name);
	free(plugin->path);
	free(plugin->records);
	free(plugin);
}

const struct jv_executor_operations jv_plugin_operations = {
	.abi_version = JV_EXECUTOR_ABI_VERSION,
	.start = start,
	.stop = stop,
	.read_output = read_output,
	.remove = remove_execution,
	.recover = jv_plugin_recover,
	.descriptor = descriptor,
	.dispatch = dispatch,
	.close = close_executor,
};
