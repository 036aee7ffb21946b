#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/invocation.h"

static const struct jv_command *const children[] = {
	&jv_command_task,
	&jv_command_node,
	&jv_command_server,
	&jv_command_status,
	&jv_command_version,
	&jv_command_context,
	&jv_command_call,
	&jv_command_config,
	&jv_command_completion,
	&jv_command_man,
	&jv_command_complete,
	NULL,
};

const struct jv_command jv_command_root = {
	.name = "jarvis",
	.summary = "Submits container tasks to a Jarvis server and follows them.",
	.flags = jv_invocation_flags,
	.children = children,
	.description =
		"Every command has --help; each mistake names the nearest thing that exists.\n"
		"\n"
		"Exit codes:\n"
		"  0      done\n"
		"  1      the request failed, or a task that was waited for did not succeed\n"
		"  2      wrong flags, arguments or values\n"
		"  3      there is no such task or node\n"
		"  4      no server in reach, or it does not take requests now\n"
		"  5      the time was over\n"
		"  128+N  ended by signal N: 130 by an interruption (Ctrl-C)\n"
		"task run ends with the exit code of the task instead; see its --help.\n"
		"\n"
		"Environment:\n"
		"  JARVIS_SERVER                    the server, HOST:PORT\n"
		"  JARVIS_CONTEXT                   the context; see jarvis context --help\n"
		"  JARVIS_TLS, JARVIS_CA            true for TLS; who may have signed\n"
		"  JARVIS_TOKEN, JARVIS_TOKEN_FILE  the token, or a file with it\n"
		"  NO_COLOR                         no colours unless --color asks for them\n"
		"  COLUMNS                          the width, instead of the terminal's",
	.examples =
		"  jarvis task run --memory 64MiB busybox -- sh -c 'echo hello from $(hostname)'\n"
		"  jarvis task list --state running\n"
		"  jarvis task logs t-1 --follow\n"
		"  jarvis status",
};

static void print_help(const struct jv_arguments *arguments, size_t columns, FILE *file)
{
	struct jv_buffer text = {0};

	jv_help_print(arguments, columns == 0 ? 80 : columns, &text);
	fputs(jv_buffer_text(&text), file);
	jv_buffer_deinit(&text);
}

static int misuse(const struct jv_arguments *arguments, const struct jv_status *status)
{
	struct jv_buffer command = {0};

	jv_arguments_print(arguments, &command);
	const char *words = jv_buffer_text(&command);
	const char *colon = command.size > 0 ? ": " : "";
	const char *blank = command.size > 0 ? " " : "";
	fprintf(stderr, "jarvis: %s%s%s\nhint: see: jarvis %s%s--help\n", words, colon,
		status->message, words, blank);
	jv_buffer_deinit(&command);
	return JV_EXIT_USAGE;
}

/* What was printed must have arrived, or a script would take half an answer for the whole. A reader
 * who has gone away is no news. */
static int finish(struct jv_invocation *invocation, int code)
{
	if (jv_invocation_flush(invocation))
		return code;
	if (invocation->write_error != EPIPE)
		fprintf(stderr, "jarvis: cannot write the output: %s\n",
			strerror(invocation->write_error));
	return code == JV_EXIT_OK ? JV_EXIT_FAILED : code;
}

static int run(const struct jv_arguments *arguments)
{
	struct jv_invocation invocation;
	struct jv_status status = jv_invocation_init(&invocation, arguments);
	int code;

	if (!jv_is_ok(&status))
		code = jv_invocation_misuse(&invocation, &status);
	else if (arguments->help)
		print_help(arguments, invocation.columns, stdout), code = JV_EXIT_OK;
	else
		code = finish(&invocation, jv_arguments_command(arguments)->run(&invocation));
	jv_invocation_deinit(&invocation);
	return code;
}

int jv_cli_main(int argc, char **argv)
{
	struct jv_arguments arguments;
	struct jv_arena arena;
	int code;

	/* Characters have widths in UTF-8 only; all else stays as in C. */
	setlocale(LC_CTYPE, "C.UTF-8");
	signal(SIGPIPE, SIG_IGN);
	/* What gRPC says on its way stands in the message of the failure. */
	jv_log_open(STDERR_FILENO, JV_LOG_ERROR, JV_LOG_TEXT);
	jv_arena_init(&arena, 0, 0);
	struct jv_status status = jv_arguments_parse(
		&jv_command_root, argc, (const char *const *)argv, &arena, &arguments);
	if (argc == 2 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0))
		puts("jarvis " JV_VERSION), code = JV_EXIT_OK;
	else if (argc < 2)
		print_help(&arguments, 0, stderr), code = JV_EXIT_USAGE;
	else if (!jv_is_ok(&status))
		code = misuse(&arguments, &status);
	else
		code = run(&arguments);
	jv_arena_deinit(&arena);
	return code;
}
