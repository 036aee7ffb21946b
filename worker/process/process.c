#include "worker/process/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "worker/keep/keep.h"
#include "worker/runc/user.h"
#include "worker/shim/plain.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#define PROBE_TIMEOUT_MS 2000

struct jv_process {
	struct jv_keep keep; /* first */
	char description[64];
};

static struct jv_status refuse(const char *field, const char *why)
{
	return jv_field_error(JV_PERMISSION_DENIED, field, "%s %s", field, why);
}

/* What only a container can give is refused, not left out. */
static struct jv_status check(const Jarvis__V1__TaskSpec *spec)
{
	if (spec->image[0] != '\0')
		return refuse("spec.image",
			"cannot be had: the process executor runs no images; leave it empty");
	if (spec->n_mounts > 0)
		return refuse("spec.mounts",
			"cannot be had: a process sees the host's files where they are");
	if (spec->network != JARVIS__V1__NETWORK_MODE__NETWORK_MODE_HOST)
		return refuse("spec.network",
			"must be NETWORK_MODE_HOST: a process cannot be kept from the host's "
			"network");
	if (spec->read_only_rootfs)
		return refuse("spec.read_only_rootfs",
			"cannot be had: a process writes wherever its user may");
	return jv_ok();
}

static void admit(struct jv_execution *execution, const Jarvis__V1__TaskSpec *spec)
{
	struct jv_status status = check(spec);
	if (jv_is_ok(&status))
		jv_execution_ready(execution);
	else
		jv_execution_fail(execution, JARVIS__V1__FAILURE_REASON__FAILURE_REASON_REJECTED,
			status.message);
}

static struct jv_status add_user(struct jv_launch *launch, struct jv_plain *plain)
{
	const char *user = launch->spec->user;
	if (user[0] == '\0')
		return jv_ok();
	launch->failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_COMMAND;
	JV_TRY(jv_user_resolve("/", user, &plain->uid, &plain->gid));
	plain->set_user = geteuid() == 0;
	launch->failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_REJECTED;
	if (!plain->set_user && (plain->uid != geteuid() || plain->gid != getegid()))
		return refuse("spec.user",
			"must be the worker's own: a worker that is not root cannot change it");
	launch->failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_EXECUTOR;
	return jv_ok();
}

static void add_command(struct jv_launch *launch, struct jv_plain *plain)
{
	const Jarvis__V1__TaskSpec *spec = launch->spec;
	size_t count = 0;
	plain->arguments =
		jv_arena_calloc(&launch->arena, spec->n_command + spec->n_args + 1, sizeof(char *));
	for (size_t i = 0; i < spec->n_command; i++)
		plain->arguments[count++] = spec->command[i];
	for (size_t i = 0; i < spec->n_args; i++)
		plain->arguments[count++] = spec->args[i];
}

/* Nothing of the worker's own environment: it may hold what tasks must not see. */
static void add_environment(struct jv_launch *launch, struct jv_plain *plain)
{
	static char path[] = DEFAULT_PATH;
	const Jarvis__V1__TaskSpec *spec = launch->spec;
	size_t count = 0;
	bool has_path = false;
	bool has_trace = spec->trace_parent[0] == '\0';
	plain->environment = jv_arena_calloc(&launch->arena, spec->n_env + 4, sizeof(char *));
	plain->environment[count++] =
		jv_arena_printf(&launch->arena, JV_PLAIN_MARK "=%s", launch->plan.cgroup_path);
	for (size_t i = 0; i < spec->n_env; i++) {
		has_path = has_path || strcmp(spec->env[i]->key, "PATH") == 0;
		has_trace = has_trace || strcmp(spec->env[i]->key, "TRACEPARENT") == 0;
		if (strcmp(spec->env[i]->key, JV_PLAIN_MARK) != 0)
			plain->environment[count++] = jv_arena_printf(
				&launch->arena, "%s=%s", spec->env[i]->key, spec->env[i]->value);
	}
	if (!has_path)
		plain->environment[count++] = path;
	if (!has_trace)
		plain->environment[count++] =
			jv_arena_printf(&launch->arena, "TRACEPARENT=%s", spec->trace_parent);
}

static struct jv_status plan(struct jv_launch *launch)
{
	const struct jv_keep *keep = launch->execution->keep;
	const Jarvis__V1__TaskSpec *spec = launch->spec;
	struct jv_plain plain = {
		.directory = spec->working_directory[0] != '\0' ? spec->working_directory : "/",
	};
	JV_TRY(add_user(launch, &plain));
	add_command(launch, &plain);
	add_environment(launch, &plain);
	if (plain.arguments[0] == NULL) {
		launch->failure = JARVIS__V1__FAILURE_REASON__FAILURE_REASON_COMMAND;
		return jv_error(JV_INVALID_ARGUMENT, "the task has no command: set spec.command");
	}
	if (keep->cgroup_root[0] == '\0') {
		plain.data_bytes = launch->plan.memory_bytes;
		plain.processes = launch->plan.pids;
	}
	jv_plain_encode(&plain, &launch->config);
	launch->plan.plain = jv_buffer_bytes(&launch->config);
	return jv_ok();
}

static uint32_t kill_left(struct jv_execution *execution)
{
	char mark[512];
	snprintf(mark, sizeof(mark), "%s/%s", execution->keep->cgroup_parent, execution->key);
	return jv_plain_kill_marked(mark);
}

static void free_process(struct jv_keep *keep)
{
	jv_keep_deinit(keep);
	free(keep);
}

static const struct jv_keep_variant variant = {
	.operations = JV_KEEP_OPERATIONS(JV_PROCESS_NAME),
	.execution_size = sizeof(struct jv_execution),
	.admit = admit,
	.plan = plan,
	.kill_left = kill_left,
	.free = free_process,
};

static const char *or_default(const char *text, const char *otherwise)
{
	return text != NULL && text[0] != '\0' ? text : otherwise;
}

/* Whether groups can be made and limited here, found out by making one. */
static struct jv_status probe(const char *root, const char *parent, struct jv_cgroup *cgroup)
{
	const struct jv_cgroup_limits limits = {.memory_bytes = 64 << 20,
		.cpu_quota_us = 100000,
		.cpu_period_us = 100000,
		.pids = 16};
	struct jv_buffer path = {0};
	jv_buffer_printf(&path, "%s/probe.%d", parent, (int)getpid());
	struct jv_status status = jv_cgroup_open(cgroup, root, jv_buffer_text(&path));
	jv_buffer_deinit(&path);
	JV_TRY(status);
	status = jv_cgroup_make(cgroup, &limits);
	jv_cgroup_destroy(cgroup, PROBE_TIMEOUT_MS);
	jv_cgroup_prune(cgroup);
	return status;
}

struct jv_status jv_process_open(
	const struct jv_process_options *options, struct jv_executor **executor)
{
	struct jv_process *process = jv_calloc(1, sizeof(*process));
	const char *root = or_default(options->cgroup_root, JV_CGROUP_ROOT);
	const char *parent = or_default(options->cgroup_parent, JV_KEEP_DEFAULT_CGROUP_PARENT);
	struct jv_cgroup cgroup;
	struct jv_status groups = probe(root, parent, &cgroup);
	const struct jv_keep_options keep = {
		.state_directory = options->state_directory,
		.shim = options->shim,
		.cgroup_root = jv_is_ok(&groups) ? root : NULL,
		.cgroup_parent = parent,
		.lease = options->lease,
		.starting_max = options->starting_max,
	};
	if (jv_is_ok(&groups)) {
		snprintf(process->description, sizeof(process->description), "control groups %s",
			jv_cgroup_layout_name(cgroup.layout));
	} else {
		snprintf(
			process->description, sizeof(process->description), "resource limits only");
		JV_WARN("process.no_cgroups", JV_KV("cause", groups.message),
			JV_KV("effect",
				"memory and processes are limited for each process, CPU is not"));
	}
	jv_keep_init(&process->keep, &variant);
	struct jv_status status = jv_keep_open(&process->keep, &keep);
	if (!jv_is_ok(&status)) {
		free_process(&process->keep);
		return status;
	}
	*executor = &process->keep.base;
	return status;
}

const char *jv_process_describe(const struct jv_executor *executor)
{
	JV_ASSERT(executor->operations == &variant.operations);
	return ((const struct jv_process *)executor)->description;
}
