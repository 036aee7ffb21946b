/*
 * Executors from shared objects: loads a plugin of worker/executor_abi.h and makes an executor of
 * it.
 *
 * The adapter stands between the two: it turns specs into plain structs, remembers for the plugin
 * what was started and why it was stopped (a small file for each execution), and checks whatever
 * the plugin says before the worker hears of it. What is wrong is logged as `plugin.fault` and
 * fails that execution at most. Worker's thread only.
 */
#ifndef JV_WORKER_PLUGIN_PLUGIN_H
#define JV_WORKER_PLUGIN_PLUGIN_H

#include "base/status.h"
#include "worker/executor.h"
#include "worker/executor_abi.h"

/* Everything is borrowed during open only. */
struct jv_plugin_options {
	const char *name;            /* of the executor */
	const char *path;            /* of the shared object, absolute */
	const char *state_directory; /* absolute; made if missing; this executor's alone */
	const char *lease;           /* path of the worker's lease file */
	const struct jarvis_pair *options;
	size_t option_count;
};

/* Loads and opens it; the caller sets executor->sink before it calls anything else, and ends with
 * operations->close. FAILED_PRECONDITION says what is wrong with the file, its version, or what the
 * plugin itself says. Never unloads: code of a plugin may be on other threads' stacks. */
struct jv_status jv_plugin_open(
	const struct jv_plugin_options *options, struct jv_executor **executor) JV_MUST_USE;

/* The same for one that is linked in: for tests. `path` is only named in messages. */
struct jv_status jv_plugin_open_linked(const struct jarvis_plugin *plugin,
	const struct jv_plugin_options *options, struct jv_executor **executor) JV_MUST_USE;

/* Faults seen so far. */
uint64_t jv_plugin_faults(const struct jv_executor *executor);

#endif
