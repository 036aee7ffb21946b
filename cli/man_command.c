#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "cli/commands.h"
#include "cli/invocation.h"
#include "cli/man.h"

static const struct jv_flag flags[] = {
	{.name = "directory",
		.letter = 'd',
		.value = "DIRECTORY",
		.completes = JV_COMPLETES_FILE,
		.help = "Write the pages of all commands into this directory, made if it is not "
			"there."},
	{.name = NULL},
};

static struct jv_status write_page(const char *directory, const struct jv_command *const *path,
	size_t depth, struct jv_arena *arena)
{
	struct jv_buffer name = {0};
	struct jv_buffer page = {0};

	jv_man_name(path, depth, &name);
	jv_man_print(path, depth, &page);
	const char *file = jv_arena_printf(arena, "%s/%s.1", directory, jv_buffer_text(&name));
	FILE *stream = fopen(file, "we");
	bool written = stream != NULL && fwrite(page.data, 1, page.size, stream) == page.size;
	int error = errno;
	if (stream != NULL && fclose(stream) != 0 && written) {
		written = false;
		error = errno;
	}
	jv_buffer_deinit(&name);
	jv_buffer_deinit(&page);
	return written ? jv_ok()
		       : jv_error(JV_INTERNAL, "cannot write %s: %s", file, strerror(error));
}

/* The page of a command, and those below it. */
static struct jv_status write_pages(
	const char *directory, const struct jv_command **path, size_t depth, struct jv_arena *arena)
{
	const struct jv_command *command = path[depth - 1];

	JV_TRY(write_page(directory, path, depth, arena));
	for (size_t i = 0; command->children != NULL && command->children[i] != NULL; i++) {
		if (command->children[i]->hidden)
			continue;
		JV_ASSERT(depth < JV_COMMAND_DEPTH_MAX);
		path[depth] = command->children[i];
		JV_TRY(write_pages(directory, path, depth + 1, arena));
	}
	return jv_ok();
}

static struct jv_status write_all(const char *directory, struct jv_arena *arena)
{
	const struct jv_command *path[JV_COMMAND_DEPTH_MAX] = {&jv_command_root};

	if (mkdir(directory, 0755) != 0 && errno != EEXIST)
		return jv_error(JV_INVALID_ARGUMENT, "--directory: cannot make %s: %s", directory,
			strerror(errno));
	return write_pages(directory, path, 1, arena);
}

/* The words are looked up as on a command line, so that a mistyped one is named with the nearest.
 */
static struct jv_status find(struct jv_invocation *invocation, struct jv_arguments *found)
{
	const struct jv_arguments *arguments = invocation->arguments;
	const char **words =
		jv_arena_calloc(&invocation->arena, arguments->count + 3, sizeof(words[0]));

	JV_ASSERT(words != NULL);
	words[0] = jv_command_root.name;
	for (size_t i = 0; i < arguments->count; i++)
		words[i + 1] = arguments->items[i];
	words[arguments->count + 1] = "--help";
	return jv_arguments_parse(
		&jv_command_root, (int)arguments->count + 2, words, &invocation->arena, found);
}

static int run(struct jv_invocation *invocation)
{
	const char *directory = jv_arguments_text(invocation->arguments, "directory");
	struct jv_arguments found;
	struct jv_status status;

	if (directory != NULL) {
		status = write_all(directory, &invocation->arena);
		return jv_is_ok(&status) ? JV_EXIT_OK
					 : jv_invocation_fail(invocation, NULL, &status);
	}
	status = find(invocation, &found);
	if (jv_is_ok(&status) && found.count > 0)
		status = jv_error(JV_INVALID_ARGUMENT, "\"%.60s\" is no command", found.items[0]);
	if (!jv_is_ok(&status))
		return jv_invocation_misuse(invocation, &status);
	jv_man_print(found.path, found.depth, &invocation->out);
	return JV_EXIT_OK;
}

const struct jv_command jv_command_man = {
	.name = "man",
	.arguments = "[COMMAND...]",
	.summary = "Prints the manual page of a command, in troff.",
	.description =
		"The pages hold what --help says. Packages install them; without one, see the "
		"examples.",
	.flags = flags,
	.arguments_max = JV_COMMAND_DEPTH_MAX - 1,
	.completes = JV_COMPLETES_COMMAND,
	.run = run,
	.examples = "  jarvis man task run | man -l -\n"
		    "  jarvis man --directory ~/.local/share/man/man1",
};
