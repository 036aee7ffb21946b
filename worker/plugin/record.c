/*
 * What the adapter remembers for plugins over a restart: a file for each execution, with its spec
 * and the cause of its stop; and recovery, which brings these and what the plugin finds together.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "worker/plugin/private.h"
#include "worker/shim/files.h"

#define VERSION    1
#define RECORD_MAX (8 << 20)

struct jv_status jv_plugin_record_write(
	struct jv_plugin *plugin, const struct jv_plugin_execution *execution)
{
	struct jv_buffer content = {0};
	jv_put_u8(&content, VERSION);
	jv_put_signed(&content, execution->stopped_for);
	jv_put_bytes(&content, jv_buffer_bytes(&execution->spec));
	struct jv_status status = jv_file_publish(
		plugin->records_fd, execution->key, jv_buffer_bytes(&content), 0600);
	jv_buffer_deinit(&content);
	if (!jv_is_ok(&status))
		JV_WARN("plugin.record_lost", JV_KV("attempt", execution->key),
			JV_KV("error", status.message));
	return status;
}

void jv_plugin_record_remove(struct jv_plugin *plugin, const struct jv_plugin_execution *execution)
{
	if (unlinkat(plugin->records_fd, execution->key, 0) != 0 && errno != ENOENT)
		JV_WARN("plugin.record_left", JV_KV("attempt", execution->key),
			JV_KV("error", strerror(errno)));
}

/* "t-42.1": the attempt's number is behind the last dot. */
static bool parse_key(const char *name, struct jv_execution_id *id)
{
	const char *dot = strrchr(name, '.');
	if (name[0] == '.' || dot == NULL || dot == name || dot - name >= JV_TASK_ID_MAX)
		return false;
	char *end;
	errno = 0;
	long attempt = strtol(dot + 1, &end, 10);
	if (end == dot + 1 || *end != '\0' || errno != 0 || attempt < 0 || attempt > INT32_MAX)
		return false;
	memset(id, 0, sizeof(*id));
	memcpy(id->task, name, (size_t)(dot - name));
	id->attempt = (int32_t)attempt;
	return true;
}

static bool read_record(struct jv_plugin *plugin, struct jv_plugin_execution *execution)
{
	struct jv_buffer content = {0};
	struct jv_status status =
		jv_file_read(plugin->records_fd, execution->key, RECORD_MAX, &content);
	struct jv_reader reader = jv_reader_of(jv_buffer_bytes(&content));
	uint8_t version = jv_get_u8(&reader);
	execution->stopped_for = (enum jv_stop_cause)jv_get_signed(&reader);
	struct jv_bytes spec = jv_get_bytes(&reader);
	bool good = jv_is_ok(&status) && version >= VERSION && !reader.failed;
	if (good)
		execution->recovered = jarvis__v1__task_spec__unpack(NULL, spec.size, spec.data);
	if (execution->recovered != NULL) {
		jv_buffer_append(&execution->spec, spec.data, spec.size);
		execution->log_bytes_max = jv_plugin_log_bytes_max(execution->recovered);
	}
	jv_buffer_deinit(&content);
	return execution->recovered != NULL;
}

static void load_record(struct jv_plugin *plugin, const char *name)
{
	struct jv_execution_id id;
	if (!parse_key(name, &id)) {
		/* Half of a file that was being published. */
		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			unlinkat(plugin->records_fd, name, 0);
		return;
	}
	struct jv_plugin_execution *execution = jv_plugin_execution_new(plugin, &id);
	if (read_record(plugin, execution))
		return;
	JV_ERROR("attempt.spec_lost", JV_KV("attempt", execution->key));
	jv_plugin_record_remove(plugin, execution);
	jv_plugin_execution_free(plugin, execution);
}

static void load_records(struct jv_plugin *plugin)
{
	struct dirent **names = NULL;
	int count = scandir(plugin->records, &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		load_record(plugin, names[i]->d_name);
		free(names[i]);
	}
	free(names);
}

static void take_found(void *context, const struct jarvis_found *found)
{
	struct jv_plugin *plugin = context;
	if (found == NULL || found->size < sizeof(*found)) {
		jv_plugin_fault(plugin, NULL, "finds an execution without saying which");
		return;
	}
	struct jv_plugin_execution *execution = jv_plugin_execution_find(plugin, &found->id);
	if (execution == NULL) {
		jv_plugin_fault(plugin, NULL, "finds an execution that was never its own");
		if (memchr(found->id.task, '\0', sizeof(found->id.task)) != NULL)
			jv_buffer_append(&plugin->strays, &found->id, sizeof(found->id));
		return;
	}
	if (execution->known) {
		jv_plugin_fault(plugin, execution, "finds an execution twice");
		return;
	}
	execution->known = true;
	execution->started = found->running || found->start_ms > 0;
	if (execution->started) {
		execution->start_ms = jv_plugin_plausible(found->start_ms);
		if (found->log_bytes > 0 && found->log_bytes <= execution->log_bytes_max)
			execution->log_bytes = found->log_bytes;
	}
	execution->told_started = execution->started;
	if (found->result != NULL)
		jv_plugin_take_result(plugin, execution, found->result);
}

static void tell_found(struct jv_plugin_execution *execution,
	void (*found)(void *context, const struct jv_execution_found *execution), void *context)
{
	const struct jv_execution_found told = {
		.id = execution->id,
		.spec = execution->recovered,
		.running = execution->started && !execution->ended,
		.start_ms = execution->start_ms,
		.log_bytes = execution->log_bytes,
		.stopped_for = execution->stopped_for,
		.result = execution->ended ? &execution->result : NULL,
	};
	execution->told_bytes = execution->log_bytes;
	execution->told_finished = execution->ended;
	execution->result.stopped_for = execution->stopped_for;
	found(context, &told);
}

/* It ended with the worker that ran it. Its number is used up: the server may not have heard of it
 * yet, and would have it started again. */
static void lose(struct jv_plugin_execution *execution)
{
	execution->ended = true;
	execution->result = (struct jv_execution_result){
		.failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_NODE_LOST,
		.finish_ms = jv_clock_wall_ms(),
		.message = "the worker was started anew, and its executor has not kept the task",
	};
}

/* One that nobody asked for must not go on. */
static void remove_strays(struct jv_plugin *plugin)
{
	struct jarvis_execution_id id;
	for (size_t at = 0; at + sizeof(id) <= plugin->strays.size; at += sizeof(id)) {
		memcpy(&id, plugin->strays.data + at, sizeof(id));
		plugin->plugin->remove(plugin->executor, &id);
	}
	jv_buffer_deinit(&plugin->strays);
}

void jv_plugin_recover(struct jv_executor *executor,
	void (*found)(void *context, const struct jv_execution_found *execution), void *context)
{
	struct jv_plugin *plugin = (struct jv_plugin *)executor;
	struct jv_plugin_execution *execution;
	struct jv_plugin_execution *next;
	plugin->thread = gettid();
	load_records(plugin);
	if (plugin->plugin->recover != NULL)
		plugin->plugin->recover(plugin->executor, take_found, plugin);
	remove_strays(plugin);
	HASH_ITER (hh, plugin->executions, execution, next) {
		plugin->telling = execution;
		if (!execution->known)
			lose(execution);
		tell_found(execution, found, context);
		plugin->telling = NULL;
		jarvis__v1__task_spec__free_unpacked(execution->recovered, NULL);
		execution->recovered = NULL;
		if (execution->removed)
			jv_plugin_execution_free(plugin, execution);
	}
}
