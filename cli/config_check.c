#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "cli/commands.h"
#include "cli/invocation.h"

extern char **environ;

static const struct jv_flag flags[] = {
	{.name = "worker", .help = "The file configures jarvis-worker, not jarvisd."},
	{.name = NULL},
};

/* The directory of this program with its slash; "" if it cannot be told. */
static const char *own_directory(struct jv_arena *arena)
{
	char path[4096];
	ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (size <= 0)
		return "";
	path[size] = '\0';
	char *slash = strrchr(path, '/');
	if (slash == NULL)
		return "";
	slash[1] = '\0';
	return jv_arena_copy_text(arena, path);
}

/* Beside this program when installed, in its own folder when built; otherwise by PATH. */
static const char *find_program(struct jv_arena *arena, const char *folder, const char *name)
{
	const char *own = own_directory(arena);
	const char *beside = jv_arena_printf(arena, "%s%s", own, name);
	const char *built = jv_arena_printf(arena, "%s../%s/%s", own, folder, name);

	if (own[0] != '\0' && access(beside, X_OK) == 0)
		return beside;
	if (own[0] != '\0' && access(built, X_OK) == 0)
		return built;
	return name;
}

static struct jv_status wait_for(pid_t child, const char *name, int *code)
{
	int result = 0;

	while (waitpid(child, &result, 0) < 0) {
		if (errno != EINTR)
			return jv_error(
				JV_INTERNAL, "cannot wait for %s: %s", name, strerror(errno));
	}
	if (!WIFEXITED(result))
		return jv_error(JV_INTERNAL, "%s was ended by signal %d", name, WTERMSIG(result));
	*code = WEXITSTATUS(result);
	return jv_ok();
}

/* A configuration is known only to the program that has it: so that one checks. */
static struct jv_status check(const char *program, const char *name, const char *file, int *code)
{
	char *arguments[] = {
		(char *)(uintptr_t)name,
		(char *)(uintptr_t) "--check",
		(char *)(uintptr_t) "--config",
		(char *)(uintptr_t)file,
		NULL,
	};
	pid_t child;
	int error = posix_spawnp(&child, program, NULL, NULL, arguments, environ);

	if (error != 0)
		return jv_error(JV_FAILED_PRECONDITION,
			"cannot run %s, which checks its configuration: %s; install it, or put it "
			"on the PATH",
			name, strerror(error));
	return wait_for(child, name, code);
}

static int run_check(struct jv_invocation *invocation)
{
	const char *file = invocation->arguments->items[0];
	bool is_worker = jv_arguments_has(invocation->arguments, "worker");
	const char *name = is_worker ? "jarvis-worker" : "jarvisd";
	const char *program =
		find_program(&invocation->arena, is_worker ? "worker" : "server", name);
	int code = 0;
	struct jv_status status = check(program, name, file, &code);

	JV_ASSERT(program != NULL);
	if (!jv_is_ok(&status)) {
		jv_invocation_fail(invocation, NULL, &status);
		return JV_EXIT_FAILED;
	}
	if (code != 0)
		return JV_EXIT_FAILED;
	jv_buffer_printf(&invocation->out, "%s: ok\n", file);
	return JV_EXIT_OK;
}

static const struct jv_command check_command = {
	.name = "check",
	.arguments = "FILE",
	.summary = "Checks a configuration file with the program that it is for.",
	.description =
		"Runs jarvisd --check (or jarvis-worker --check), from beside this program or "
		"from the PATH. Asks no server.",
	.flags = flags,
	.arguments_min = 1,
	.arguments_max = 1,
	.completes = JV_COMPLETES_FILE,
	.run = run_check,
	.examples = "  jarvis config check /etc/jarvis/jarvisd.yaml\n"
		    "  jarvis config check --worker /etc/jarvis/worker.yaml",
};

static const struct jv_command *const children[] = {&check_command, NULL};

const struct jv_command jv_command_config = {
	.name = "config",
	.summary = "Checks configuration files.",
	.children = children,
};
