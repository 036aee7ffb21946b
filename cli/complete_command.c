#include <string.h>

#include "base/assert.h"
#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/invocation.h"
#include "cli/view.h"
#include "jarvis/v1/scheduler.pb-c.h"
#include "jarvis/v1/worker.pb-c.h"

/* Who presses a key waits no longer for a server. */
#define TIMEOUT_MS 1500
#define TASKS_MAX  200
#define NODES_MAX  200

/* A shell puts candidates into the command line: what a server calls its things must be no more
 * than a name there. */
static bool is_harmless(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	return name[0] != '\0' && name[0] != '-' && name[strspn(name, letters)] == '\0';
}

static void add_tasks(
	struct jv_invocation *invocation, bool live, const char *prefix, struct jv_buffer *out)
{
	Jarvis__V1__ListTasksRequest request = JARVIS__V1__LIST_TASKS_REQUEST__INIT;
	struct jv_buffer help = {0};
	ProtobufCMessage *response = NULL;

	request.page_size = TASKS_MAX;
	struct jv_status status =
		jv_invocation_call(invocation, "Scheduler/ListTasks", &request.base, &response);
	const Jarvis__V1__ListTasksResponse *page = (const void *)response;
	for (size_t i = 0; jv_is_ok(&status) && i < page->n_tasks; i++) {
		const Jarvis__V1__Task *task = page->tasks[i];
		if (live && jv_view_is_final(jv_view_status(task)->state))
			continue;
		jv_buffer_clear(&help);
		jv_view_state(jv_view_status(task), &help);
		jv_buffer_append_byte(&help, ' ');
		jv_table_clean(jv_view_spec(task)->name, &help);
		if (is_harmless(task->id))
			jv_complete_add(task->id, prefix, jv_buffer_text(&help), out);
	}
	jv_buffer_deinit(&help);
}

static void add_nodes(struct jv_invocation *invocation, const char *prefix, struct jv_buffer *out)
{
	Jarvis__V1__ListNodesRequest request = JARVIS__V1__LIST_NODES_REQUEST__INIT;
	ProtobufCMessage *response = NULL;

	request.page_size = NODES_MAX;
	struct jv_status status =
		jv_invocation_call(invocation, "Worker/ListNodes", &request.base, &response);
	const Jarvis__V1__ListNodesResponse *page = (const void *)response;
	for (size_t i = 0; jv_is_ok(&status) && i < page->n_nodes; i++) {
		if (is_harmless(page->nodes[i]->id))
			jv_complete_add(page->nodes[i]->id, prefix, NULL, out);
	}
}

static void add_contexts(
	struct jv_invocation *invocation, const char *prefix, struct jv_buffer *out)
{
	struct jv_contexts *contexts = jv_arena_alloc(&invocation->arena, sizeof(*contexts));

	JV_ASSERT(contexts != NULL);
	struct jv_status status = jv_contexts_load(&invocation->arena, contexts);
	for (size_t i = 0; jv_is_ok(&status) && i < contexts->count; i++)
		jv_complete_add(contexts->items[i].name, prefix, contexts->items[i].server, out);
}

static void add_methods(struct jv_invocation *invocation, const char *prefix, struct jv_buffer *out)
{
	static const char ours[] = "/jarvis.v1.";
	size_t count = 0;
	const struct jv_method *methods = jv_schema_methods(invocation->schema, &count);

	for (size_t i = 0; i < count; i++) {
		if (strncmp(methods[i].path, ours, strlen(ours)) == 0 &&
			!methods[i].client_streaming)
			jv_complete_add(methods[i].path + strlen(ours), prefix, NULL, out);
	}
}

/* Failures are silent: a key was pressed, nobody asked for a message. */
static void add_names(const struct jv_arguments *arguments, enum jv_completes what,
	const char *prefix, struct jv_buffer *out)
{
	struct jv_invocation invocation;
	struct jv_status status = jv_invocation_init(&invocation, arguments);

	invocation.timeout_ms = TIMEOUT_MS;
	invocation.impatient = true;
	if (jv_is_ok(&status) && what == JV_COMPLETES_NODE)
		add_nodes(&invocation, prefix, out);
	else if (jv_is_ok(&status) && what == JV_COMPLETES_METHOD && arguments->count == 0)
		add_methods(&invocation, prefix, out);
	else if (jv_is_ok(&status) && what == JV_COMPLETES_CONTEXT)
		add_contexts(&invocation, prefix, out);
	else if (jv_is_ok(&status) && (what == JV_COMPLETES_TASK || what == JV_COMPLETES_LIVE_TASK))
		add_tasks(&invocation, what == JV_COMPLETES_LIVE_TASK, prefix, out);
	jv_invocation_deinit(&invocation);
}

static int run(struct jv_invocation *invocation)
{
	const struct jv_arguments *arguments = invocation->arguments;

	jv_complete(&jv_command_root, arguments->count, arguments->items, &invocation->arena,
		add_names, &invocation->out);
	return JV_EXIT_OK;
}

const struct jv_command jv_command_complete = {
	.name = "__complete",
	.arguments = "-- [WORD...]",
	.summary = "Prints what may stand next on a command line; for the scripts of shells.",
	.arguments_max = SIZE_MAX,
	.hidden = true,
	.run = run,
};
