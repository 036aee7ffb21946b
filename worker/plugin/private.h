/*
 * Inside of the adapter for plugins: its structs, and the functions that its files share. Worker's
 * thread only.
 */
#ifndef JV_WORKER_PLUGIN_PRIVATE_H
#define JV_WORKER_PLUGIN_PRIVATE_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "worker/plugin/plugin.h"

#define JV_PLUGIN_KEY_MAX (JV_TASK_ID_MAX + 16)

/* One attempt, from start (or recover) until remove. */
struct jv_plugin_execution {
	char key[JV_PLUGIN_KEY_MAX]; /* task.attempt: its file */
	struct jv_execution_id id;
	struct jv_list dirty; /* in plugin->dirty: something is to be told */
	bool known;           /* the plugin was asked to start it, or has found it */
	bool started;
	bool ended;      /* result is set */
	bool progressed; /* progress is to be told */
	bool told_started;
	bool told_finished;
	bool removed; /* by the sink, while it is being told */
	int64_t start_ms;
	int64_t log_bytes;
	int64_t log_bytes_max; /* what the plugin may tell of at most */
	int64_t told_bytes;
	enum jv_stop_cause stopped_for;
	struct jv_execution_result result;
	char progress[JV_PROGRESS_MAX];
	struct jv_buffer spec;           /* packed */
	Jarvis__V1__TaskSpec *recovered; /* during recover only */
	UT_hash_handle hh;
};

struct jv_plugin {
	struct jv_executor base;                  /* first */
	struct jv_executor_operations operations; /* under the name of the configuration */
	const struct jarvis_plugin *plugin;
	struct jarvis_executor *executor; /* the plugin's own */
	struct jarvis_host host;
	char *name;
	char *path;
	char *records; /* directory of the executions' files */
	int records_fd;
	int descriptor; /* a copy of the plugin's, which it may close; or -1 */
	pid_t thread;   /* that last called in */
	uint64_t faults;
	struct jv_plugin_execution *executions;
	struct jv_plugin_execution *telling; /* the sink is being called about it */
	struct jv_list dirty;
	struct jv_buffer strays; /* struct jarvis_execution_id: found, but nobody's */
};

/* adapter.c */
extern const struct jv_executor_operations jv_plugin_operations;
struct jv_plugin_execution *jv_plugin_execution_new(
	struct jv_plugin *plugin, const struct jv_execution_id *id);
void jv_plugin_execution_free(struct jv_plugin *plugin, struct jv_plugin_execution *execution);
/* By what a plugin says; NULL if it is nothing that could be an id, or not there. */
struct jv_plugin_execution *jv_plugin_execution_find(
	struct jv_plugin *plugin, const struct jarvis_execution_id *id);
/* Has it told by the next dispatch. */
void jv_plugin_note(struct jv_plugin *plugin, struct jv_plugin_execution *execution);
/* check.c: what a plugin says, checked. */
/* Logs a fault of the plugin. what is a whole sentence's predicate. */
void jv_plugin_fault(
	struct jv_plugin *plugin, const struct jv_plugin_execution *execution, const char *what);
/* The functions of struct jarvis_host. */
void jv_plugin_host_init(struct jv_plugin *plugin);
/* Takes an end. */
void jv_plugin_take_result(struct jv_plugin *plugin, struct jv_plugin_execution *execution,
	const struct jarvis_result *result);
/* NULL, or what is wrong with a piece that was read at an offset. */
const char *jv_plugin_output_wrong(const struct jv_plugin_execution *execution, int64_t offset,
	const struct jarvis_output *output);

/* The time, or now if it cannot be one of this task. */
int64_t jv_plugin_plausible(int64_t time_ms);
/* The most that an execution with this spec may print: its limit, and the line that says so. */
int64_t jv_plugin_log_bytes_max(const Jarvis__V1__TaskSpec *spec);

/* task.c */
/* A spec as plugins see it; lives in the arena and as long as the spec. */
void jv_plugin_task_of(
	const Jarvis__V1__TaskSpec *spec, struct jv_arena *arena, struct jarvis_task *task);

/* record.c */
/* The execution's file, with its spec and the cause of its stop. */
struct jv_status jv_plugin_record_write(
	struct jv_plugin *plugin, const struct jv_plugin_execution *execution) JV_MUST_USE;
void jv_plugin_record_remove(struct jv_plugin *plugin, const struct jv_plugin_execution *execution);
void jv_plugin_recover(struct jv_executor *executor,
	void (*found)(void *context, const struct jv_execution_found *execution), void *context);

#endif
