#include "cli/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define SERVER_DEFAULT "127.0.0.1:7070"

static const char *environment(const char *name)
{
	const char *text = getenv(name);

	return text != NULL && text[0] != '\0' ? text : NULL;
}

void jv_target_of_flags(const struct jv_arguments *arguments, struct jv_context *target)
{
	*target = (struct jv_context){
		.server = jv_arguments_text(arguments, "server"),
		.ca = jv_arguments_text(arguments, "ca"),
		.cert = jv_arguments_text(arguments, "cert"),
		.key = jv_arguments_text(arguments, "key"),
		.server_name = jv_arguments_text(arguments, "server-name"),
		.token_file = jv_arguments_text(arguments, "token-file"),
	};
	target->tls = jv_arguments_has(arguments, "tls") || target->ca != NULL ||
		target->cert != NULL || target->key != NULL || target->server_name != NULL;
}

/* What the target does not say is taken from another. Of token and token file, either says it. */
static void complete(struct jv_context *target, const struct jv_context *other)
{
	if (target->token == NULL && target->token_file == NULL) {
		target->token = other->token;
		target->token_file = other->token_file;
	}
	/* A certificate belongs to its key. */
	if (target->cert == NULL && target->key == NULL) {
		target->cert = other->cert;
		target->key = other->key;
	}
	target->server = target->server != NULL ? target->server : other->server;
	target->ca = target->ca != NULL ? target->ca : other->ca;
	target->server_name =
		target->server_name != NULL ? target->server_name : other->server_name;
	target->tls |= other->tls;
}

static struct jv_status complete_by_context(
	const char *name, struct jv_arena *arena, struct jv_context *target)
{
	struct jv_contexts *contexts = jv_arena_alloc(arena, sizeof(*contexts));
	size_t index = 0;

	JV_ASSERT(contexts != NULL);
	JV_TRY(jv_contexts_load(arena, contexts));
	name = name != NULL ? name : contexts->current;
	if (name == NULL)
		return jv_ok();
	JV_TRY(jv_contexts_find(contexts, name, &index));
	target->name = contexts->items[index].name;
	complete(target, &contexts->items[index]);
	return jv_ok();
}

static struct jv_context of_environment(void)
{
	struct jv_context target = {
		.server = environment("JARVIS_SERVER"),
		.ca = environment("JARVIS_CA"),
		.token = environment("JARVIS_TOKEN"),
		.token_file = environment("JARVIS_TOKEN_FILE"),
	};
	const char *tls = environment("JARVIS_TLS");

	if (target.token != NULL)
		target.token_file = NULL;
	target.tls = target.ca != NULL ||
		(tls != NULL && (strcmp(tls, "true") == 0 || strcmp(tls, "1") == 0));
	return target;
}

struct jv_status jv_target_find(
	const struct jv_arguments *arguments, struct jv_arena *arena, struct jv_context *target)
{
	struct jv_context from_environment = of_environment();
	const char *context = jv_arguments_text(arguments, "context");
	bool by_flag = context != NULL;

	jv_target_of_flags(arguments, target);
	/* Who names a server here does not think of what the shell has set: no token for it. */
	if (!by_flag && target->server == NULL)
		context = environment("JARVIS_CONTEXT");
	/* The flag outweighs the variable of the server; no context at all is asked for if a server
	 * is named and none is. */
	if (by_flag)
		JV_TRY(jv_status_context(complete_by_context(context, arena, target), "--context"));
	complete(target, &from_environment);
	if (!by_flag && context != NULL)
		JV_TRY(jv_status_context(
			complete_by_context(context, arena, target), "JARVIS_CONTEXT"));
	/* Somebody without a home has no contexts either. */
	const char *path;
	struct jv_status home = jv_contexts_path(arena, &path);
	if (context == NULL && target->server == NULL && jv_is_ok(&home))
		JV_TRY(complete_by_context(NULL, arena, target));
	if (target->server == NULL)
		target->server = SERVER_DEFAULT;
	if (target->token == NULL && target->token_file != NULL)
		return jv_context_read_token(target->token_file, arena, &target->token);
	return jv_ok();
}
