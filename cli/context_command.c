#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "cli/commands.h"
#include "cli/invocation.h"
#include "cli/target.h"
#include "cli/view.h"
#include "proto/wire/json.h"

static const struct jv_flag add_flags[] = {
	{.name = "token-stdin",
		.help = "Read the token from standard input and keep it in the file of contexts, "
			"which only you may read; --token-file keeps the name of a file instead."},
	{.name = "use", .help = "Make it the current one; the first one is anyway."},
	{.name = "replace", .help = "Replace a context of this name."},
	{.name = NULL},
};

static int fail(struct jv_invocation *invocation, struct jv_status status)
{
	return jv_is_ok(&status) ? JV_EXIT_OK : jv_invocation_fail(invocation, NULL, &status);
}

static struct jv_contexts *contexts_new(struct jv_invocation *invocation)
{
	struct jv_contexts *contexts = jv_arena_alloc(&invocation->arena, sizeof(*contexts));

	JV_ASSERT(contexts != NULL);
	return contexts;
}

/* A file must be found from any directory, and be there. */
static struct jv_status absolute(
	struct jv_invocation *invocation, const char *flag, const char **path)
{
	if (*path == NULL)
		return jv_ok();
	char *real = realpath(*path, NULL);
	if (real == NULL || access(real, R_OK) != 0) {
		free(real);
		return jv_error(JV_INVALID_ARGUMENT, "--%s: cannot read %s: %s", flag, *path,
			strerror(errno));
	}
	*path = jv_arena_copy_text(&invocation->arena, real);
	free(real);
	return jv_ok();
}

static struct jv_status read_flags(struct jv_invocation *invocation, struct jv_context *context)
{
	const struct jv_arguments *arguments = invocation->arguments;

	jv_target_of_flags(arguments, context);
	context->name = arguments->items[0];
	JV_TRY(jv_context_check_name(context->name));
	if (context->server == NULL)
		return jv_error(JV_INVALID_ARGUMENT, "expected --server HOST:PORT");
	if ((context->cert == NULL) != (context->key == NULL))
		return jv_error(JV_INVALID_ARGUMENT, "--cert and --key belong together");
	JV_TRY(absolute(invocation, "ca", &context->ca));
	JV_TRY(absolute(invocation, "cert", &context->cert));
	JV_TRY(absolute(invocation, "key", &context->key));
	JV_TRY(absolute(invocation, "token-file", &context->token_file));
	if (!jv_arguments_has(arguments, "token-stdin"))
		return jv_ok();
	if (context->token_file != NULL)
		return jv_error(
			JV_INVALID_ARGUMENT, "--token-file and --token-stdin exclude one another");
	return jv_context_read_token("-", &invocation->arena, &context->token);
}

static struct jv_status add(
	struct jv_invocation *invocation, const struct jv_context *context, bool *current)
{
	struct jv_contexts *contexts = contexts_new(invocation);
	size_t index = 0;

	JV_TRY(jv_contexts_load(&invocation->arena, contexts));
	struct jv_status found = jv_contexts_find(contexts, context->name, &index);
	if (jv_is_ok(&found) && !jv_arguments_has(invocation->arguments, "replace"))
		return jv_error(JV_ALREADY_EXISTS,
			"there is a context %s; replace it with --replace", context->name);
	if (!jv_is_ok(&found)) {
		index = contexts->count;
		if (index == JV_CONTEXTS_MAX)
			return jv_error(
				JV_RESOURCE_EXHAUSTED, "there are %d contexts", JV_CONTEXTS_MAX);
		contexts->count++;
	}
	contexts->items[index] = *context;
	if (contexts->count == 1 || jv_arguments_has(invocation->arguments, "use"))
		contexts->current = context->name;
	*current = contexts->current != NULL && strcmp(contexts->current, context->name) == 0;
	return jv_contexts_save(&invocation->arena, contexts);
}

static int run_add(struct jv_invocation *invocation)
{
	struct jv_context context;
	bool current = false;
	int lock = -1;
	struct jv_status status = read_flags(invocation, &context);

	if (!jv_is_ok(&status))
		return jv_invocation_misuse(invocation, &status);
	status = jv_contexts_lock(&invocation->arena, &lock);
	if (jv_is_ok(&status))
		status = add(invocation, &context, &current);
	if (lock >= 0)
		close(lock);
	if (jv_is_ok(&status))
		jv_buffer_printf(&invocation->out, "context %s%s\n", context.name,
			current ? " (current)" : "");
	return fail(invocation, status);
}

static struct jv_status use(struct jv_invocation *invocation, const char *name)
{
	struct jv_contexts *contexts = contexts_new(invocation);
	size_t index = 0;

	JV_TRY(jv_contexts_load(&invocation->arena, contexts));
	JV_TRY(jv_contexts_find(contexts, name, &index));
	contexts->current = contexts->items[index].name;
	return jv_contexts_save(&invocation->arena, contexts);
}

static struct jv_status remove_one(struct jv_invocation *invocation, const char *name)
{
	struct jv_contexts *contexts = contexts_new(invocation);
	size_t index = 0;

	JV_TRY(jv_contexts_load(&invocation->arena, contexts));
	JV_TRY(jv_contexts_find(contexts, name, &index));
	contexts->count--;
	memmove(&contexts->items[index], &contexts->items[index + 1],
		(contexts->count - index) * sizeof(contexts->items[0]));
	if (contexts->current != NULL && strcmp(contexts->current, name) == 0)
		contexts->current = NULL;
	return jv_contexts_save(&invocation->arena, contexts);
}

static int change(struct jv_invocation *invocation,
	struct jv_status (*how)(struct jv_invocation *, const char *), const char *said)
{
	const char *name = invocation->arguments->items[0];
	int lock = -1;
	struct jv_status status = jv_contexts_lock(&invocation->arena, &lock);

	if (jv_is_ok(&status))
		status = how(invocation, name);
	if (lock >= 0)
		close(lock);
	if (jv_is_ok(&status))
		jv_buffer_printf(&invocation->out, "context %s %s\n", name, said);
	return fail(invocation, status);
}

static int run_use(struct jv_invocation *invocation)
{
	int code = change(invocation, use, "(current)");
	const char *server = getenv("JARVIS_SERVER");
	const char *context = getenv("JARVIS_CONTEXT");

	/* Otherwise somebody wonders why nothing has changed. */
	if (code == JV_EXIT_OK && context != NULL && context[0] != '\0')
		fputs("jarvis: JARVIS_CONTEXT is set, and outweighs it\n", stderr);
	else if (code == JV_EXIT_OK && server != NULL && server[0] != '\0')
		fputs("jarvis: JARVIS_SERVER is set, and outweighs it\n", stderr);
	return code;
}

static int run_remove(struct jv_invocation *invocation)
{
	return change(invocation, remove_one, "removed");
}

static const char *token_of(const struct jv_context *context)
{
	if (context->token_file != NULL)
		return context->token_file;
	return context->token != NULL ? "(kept)" : "";
}

/* Without tokens: output ends up in reports of bugs. */
static void json_print(const struct jv_context *context, bool current, struct jv_buffer *out)
{
	const struct {
		const char *key;
		const char *value;
	} pairs[] = {{"name", context->name}, {"server", context->server}, {"ca", context->ca},
		{"cert", context->cert}, {"key", context->key},
		{"serverName", context->server_name}, {"tokenFile", context->token_file}};

	jv_buffer_append_byte(out, '{');
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (pairs[i].value == NULL)
			continue;
		jv_buffer_printf(out, "\"%s\":", pairs[i].key);
		jv_json_write_text(out, jv_bytes_of_text(pairs[i].value));
		jv_buffer_append_byte(out, ',');
	}
	jv_buffer_printf(out, "\"tls\":%s,\"hasToken\":%s,\"current\":%s}",
		context->tls ? "true" : "false",
		context->token != NULL || context->token_file != NULL ? "true" : "false",
		current ? "true" : "false");
}

static void table_print(struct jv_invocation *invocation, const struct jv_contexts *contexts)
{
	static const struct jv_table_column columns[] = {
		{.title = "CURRENT"},
		{.title = "NAME", .min = 8},
		{.title = "SERVER", .min = 12},
		{.title = "TLS"},
		{.title = "TOKEN", .min = 6},
		{.title = NULL},
	};
	struct jv_table table;

	jv_table_init(&table, columns);
	for (size_t i = 0; i < contexts->count; i++) {
		const struct jv_context *context = &contexts->items[i];
		bool current =
			contexts->current != NULL && strcmp(contexts->current, context->name) == 0;
		jv_table_add(&table, current ? "*" : " ");
		jv_table_add(&table, context->name);
		jv_table_add(&table, context->server != NULL ? context->server : "");
		jv_table_add(&table, context->tls ? "yes" : "no");
		jv_table_add(&table, token_of(context));
	}
	jv_invocation_print_table(invocation, &table);
}

static int run_list(struct jv_invocation *invocation)
{
	struct jv_contexts *contexts = contexts_new(invocation);
	struct jv_status status = jv_contexts_load(&invocation->arena, contexts);
	struct jv_buffer json = {0};

	if (!jv_is_ok(&status))
		return fail(invocation, status);
	if (invocation->output == JV_OUTPUT_NAME) {
		for (size_t i = 0; i < contexts->count; i++)
			jv_buffer_printf(&invocation->out, "%s\n", contexts->items[i].name);
	} else if (jv_invocation_is_raw(invocation)) {
		jv_buffer_append_text(&json, "{\"contexts\":[");
		for (size_t i = 0; i < contexts->count; i++) {
			const char *name = contexts->items[i].name;
			jv_buffer_append_text(&json, i > 0 ? "," : "");
			json_print(&contexts->items[i],
				contexts->current != NULL && strcmp(contexts->current, name) == 0,
				&json);
		}
		jv_buffer_append_text(&json, "]}");
		jv_invocation_print_json(invocation, jv_buffer_bytes(&json));
		jv_buffer_deinit(&json);
	} else {
		table_print(invocation, contexts);
	}
	if (contexts->count == 0 && jv_invocation_flush(invocation))
		fputs("jarvis: there is no context; add one with: jarvis context add NAME --server "
		      "HOST:PORT\n",
			stderr);
	return JV_EXIT_OK;
}

static void page_print(
	struct jv_invocation *invocation, const struct jv_context *context, const char *path)
{
	jv_view_line(invocation, "Name", "%s", context->name);
	jv_view_line(invocation, "Server", "%s", context->server != NULL ? context->server : "");
	jv_view_line(invocation, "TLS", "%s", context->tls ? "yes" : "no");
	jv_view_line(invocation, "CA", "%s", context->ca != NULL ? context->ca : "");
	jv_view_line(invocation, "Certificate", "%s", context->cert != NULL ? context->cert : "");
	jv_view_line(invocation, "Key", "%s", context->key != NULL ? context->key : "");
	jv_view_line(invocation, "Server name", "%s",
		context->server_name != NULL ? context->server_name : "");
	jv_view_line(invocation, "Token", "%s", token_of(context));
	jv_view_line(invocation, "File", "%s", path);
}

static struct jv_status show(struct jv_invocation *invocation)
{
	struct jv_contexts *contexts = contexts_new(invocation);
	const char *name = invocation->arguments->items[0];
	struct jv_buffer json = {0};
	const char *path = "";
	size_t index = 0;

	JV_TRY(jv_contexts_load(&invocation->arena, contexts));
	JV_TRY(jv_contexts_path(&invocation->arena, &path));
	name = name != NULL ? name : contexts->current;
	if (name == NULL)
		return jv_error(JV_INVALID_ARGUMENT,
			"there is no current context; choose one with: jarvis context use NAME");
	JV_TRY(jv_contexts_find(contexts, name, &index));
	if (!jv_invocation_is_raw(invocation)) {
		page_print(invocation, &contexts->items[index], path);
		return jv_ok();
	}
	bool current = contexts->current != NULL && strcmp(contexts->current, name) == 0;
	json_print(&contexts->items[index], current, &json);
	jv_invocation_print_json(invocation, jv_buffer_bytes(&json));
	jv_buffer_deinit(&json);
	return jv_ok();
}

static int run_show(struct jv_invocation *invocation)
{
	return fail(invocation, show(invocation));
}

static const struct jv_command add_command = {
	.name = "add",
	.also = "create new set",
	.arguments = "NAME",
	.summary = "Adds a context.",
	.description =
		"How to reach the server is said with the global flags: --server, --tls, --ca, "
		"--cert, --key, --server-name, --token-file. Files are kept by their names.",
	.flags = add_flags,
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run_add,
	.examples = "  jarvis context add lab --server lab.example.com:7070 --ca ca.pem "
		    "--token-stdin < token\n"
		    "  jarvis context add here --server 127.0.0.1:7070 --use",
};

static const struct jv_command use_command = {
	.name = "use",
	.also = "switch select",
	.arguments = "NAME",
	.summary = "Makes a context the current one.",
	.arguments_min = 1,
	.arguments_max = 1,
	.completes = JV_COMPLETES_CONTEXT,
	.run = run_use,
	.examples = "  jarvis context use lab",
};

static const struct jv_command list_command = {
	.name = "list",
	.also = "ls",
	.summary = "Lists the contexts.",
	.run = run_list,
	.examples = "  jarvis context list",
};

static const struct jv_command show_command = {
	.name = "show",
	.also = "get inspect current",
	.arguments = "[NAME]",
	.summary = "Shows a context, the current one by default; its token is not shown.",
	.arguments_max = 1,
	.completes = JV_COMPLETES_CONTEXT,
	.run = run_show,
	.examples = "  jarvis context show",
};

static const struct jv_command remove_command = {
	.name = "remove",
	.also = "rm delete del",
	.arguments = "NAME",
	.summary = "Removes a context.",
	.arguments_min = 1,
	.arguments_max = 1,
	.completes = JV_COMPLETES_CONTEXT,
	.run = run_remove,
	.examples = "  jarvis context remove lab",
};

static const struct jv_command *const children[] = {
	&add_command, &use_command, &list_command, &show_command, &remove_command, NULL};

const struct jv_command jv_command_context = {
	.name = "context",
	.also = "ctx contexts login",
	.summary = "Names servers, with TLS and token, and chooses among them.",
	.description =
		"A context is used if --context or JARVIS_CONTEXT names it, or if it is the current "
		"one. Each setting is taken from the first that has it: flag, environment "
		"(JARVIS_SERVER, JARVIS_TLS, JARVIS_CA, JARVIS_TOKEN, JARVIS_TOKEN_FILE), context, "
		"default. A server that is named without a context sets the current one aside, so "
		"that its token goes nowhere else. Contexts are kept in "
		"$XDG_CONFIG_HOME/jarvis/contexts.yaml, by default below ~/.config.",
	.children = children,
};
