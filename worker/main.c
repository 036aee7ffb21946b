#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/config.h"
#include "base/log.h"
#include "base/nearest.h"
#include "base/notify.h"
#include "base/version.h"
#include "worker/worker.h"

#define EXIT_USAGE       64
#define EXIT_UNAVAILABLE 69
#define EXIT_NOPERM      77
#define EXIT_CONFIG      78

#define STOP_GRACE_MS 3000

extern char **environ;

struct arguments {
	const char *file;
	const char **flags; /* NULL-terminated; borrowed from argv */
	size_t flag_count;
	bool help;
	bool version;
	bool check;
	bool describe;
};

static const char usage[] =
	"Usage: jarvis-worker [--config FILE] [--KEY=VALUE ...]\n"
	"\n"
	"Runs tasks on this machine for a Jarvis server.\n"
	"\n"
	"  --config FILE   read the configuration from this YAML file\n"
	"  --KEY=VALUE     set one key, such as --server.address=10.0.0.1:7070\n"
	"  --check         check the configuration, with certificates and token, and end\n"
	"  --describe      print a configuration file with every key and its default\n"
	"  --version       print the version\n"
	"  --help          print this\n"
	"\n"
	"The environment sets keys too, as JARVIS_WORKER_SERVER_ADDRESS; flags win over the\n"
	"environment, which wins over the file. Tasks that run go on when the worker is stopped\n"
	"(SIGTERM), and are adopted when it is started again within the lease. Certificates and\n"
	"token are read each time that it connects; SIGHUP changes nothing.\n"
	"\n"
	"Exit codes: 0 stopped, 64 wrong usage, 69 cannot start, 77 no permission, 78 wrong\n"
	"configuration.\n";

static bool is_key(const char *flag)
{
	size_t size = strcspn(flag, "=");

	for (const struct jv_config_field *field = jv_worker_config_schema; field->key != NULL;
		field++)
		if (strlen(field->key) == size && strncmp(field->key, flag, size) == 0)
			return true;
	return false;
}

static int refuse_flag(const char *flag)
{
	const char *names[64] = {"config", "check", "describe", "version", "help"};
	size_t count = 5;
	char name[64];
	const char *near;

	for (const struct jv_config_field *field = jv_worker_config_schema;
		field->key != NULL && count < 63; field++)
		names[count++] = field->key;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(flag, "="), flag);
	near = jv_nearest(name, names);
	fprintf(stderr, "jarvis-worker: there is no flag --%s", name);
	if (near != NULL)
		fprintf(stderr, "; did you mean --%s?", near);
	fprintf(stderr, "\nTry: jarvis-worker --help\n");
	return EXIT_USAGE;
}

/* 0, or an exit code after the message. */
static int take_flag(struct arguments *arguments, char **argv, int *at)
{
	const char *flag = argv[*at] + 2;

	if (strcmp(flag, "help") == 0) {
		arguments->help = true;
	} else if (strcmp(flag, "version") == 0) {
		arguments->version = true;
	} else if (strcmp(flag, "check") == 0) {
		arguments->check = true;
	} else if (strcmp(flag, "describe") == 0) {
		arguments->describe = true;
	} else if (strncmp(flag, "config=", 7) == 0) {
		arguments->file = flag + 7;
	} else if (strcmp(flag, "config") == 0 && argv[*at + 1] != NULL) {
		arguments->file = argv[++*at];
	} else if (strcmp(flag, "config") == 0 || (is_key(flag) && strchr(flag, '=') == NULL)) {
		fprintf(stderr, "jarvis-worker: --%s needs a value: --%s=VALUE\n", flag, flag);
		return EXIT_USAGE;
	} else if (is_key(flag)) {
		arguments->flags[arguments->flag_count++] = flag;
	} else {
		return refuse_flag(flag);
	}
	return 0;
}

static int take_arguments(struct arguments *arguments, int argc, char **argv)
{
	arguments->flags = jv_calloc((unsigned long)argc + 1, sizeof(char *));
	for (int at = 1; at < argc; at++) {
		int code;
		if (strcmp(argv[at], "-h") == 0) {
			arguments->help = true;
			continue;
		}
		if (strncmp(argv[at], "--", 2) != 0) {
			fprintf(stderr,
				"jarvis-worker: unexpected argument \"%s\"\n"
				"Try: jarvis-worker --help\n",
				argv[at]);
			return EXIT_USAGE;
		}
		code = take_flag(arguments, argv, &at);
		if (code != 0)
			return code;
	}
	return 0;
}

static int exit_code_of(enum jv_code code)
{
	if (code == JV_PERMISSION_DENIED)
		return EXIT_NOPERM;
	return code == JV_INVALID_ARGUMENT ? EXIT_CONFIG : EXIT_UNAVAILABLE;
}

static int load(const struct arguments *arguments, struct jv_worker_config *config)
{
	struct jv_config_source source = {
		.file = arguments->file,
		.prefix = "JARVIS_WORKER_",
		.environ = (const char *const *)environ,
		.flags = arguments->flags,
	};
	struct jv_status status = jv_config_load(jv_worker_config_schema, &source, config);

	if (jv_is_ok(&status)) {
		status = jv_worker_config_check(config);
		if (!jv_is_ok(&status))
			jv_config_deinit(jv_worker_config_schema, config);
	}
	if (jv_is_ok(&status))
		return 0;
	fprintf(stderr, "jarvis-worker: %s\n", status.message);
	return EXIT_CONFIG;
}

/* Blocked before any thread starts, so that only the descriptor gets them. */
static int open_signals(void)
{
	sigset_t signals;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC);
}

static int next_signal(int signals)
{
	struct signalfd_siginfo info;
	ssize_t size;

	do
		size = read(signals, &info, sizeof(info));
	while (size < 0 && errno == EINTR);
	JV_ASSERT(size == (ssize_t)sizeof(info));
	return (int)info.ssi_signo;
}

static void wait_for_end(int signals)
{
	int number;

	/* As jarvisd takes it; here there is nothing to be read again that is not anyway. */
	while ((number = next_signal(signals)) == SIGHUP)
		JV_INFO("worker.reload",
			JV_KV("effect", "certificates and token are read when it connects next"));
	JV_INFO("worker.stopping", JV_KI("signal", number));
}

static int serve(const struct jv_worker_config *config)
{
	struct jv_worker_options options = {.config = config};
	struct jv_notify notify;
	struct jv_worker *worker;
	struct jv_status status;
	int signals = open_signals();

	JV_ASSERT(signals >= 0);
	jv_notify_init(&notify);
	jv_log_open(STDERR_FILENO, (enum jv_log_level)config->log_level,
		(enum jv_log_format)config->log_format);
	status = jv_worker_start(&options, &worker);
	if (!jv_is_ok(&status)) {
		fprintf(stderr, "jarvis-worker: %s\n", status.message);
		close(signals);
		return exit_code_of(status.code);
	}
	jv_notify_tell(&notify, JV_NOTIFY_READY);
	wait_for_end(signals);
	jv_notify_tell(&notify, JV_NOTIFY_STOPPING);
	jv_worker_stop(worker, STOP_GRACE_MS);
	close(signals);
	return 0;
}

static void describe(void)
{
	struct jv_buffer text = {0};

	jv_config_describe(jv_worker_config_schema, &text);
	fputs(jv_buffer_text(&text), stdout);
	jv_buffer_deinit(&text);
}

/* What is read at each connection too. */
static int check(const struct jv_worker_config *config)
{
	struct jv_status status = jv_worker_check(config);

	if (jv_is_ok(&status))
		puts("the configuration is good");
	else
		fprintf(stderr, "jarvis-worker: %s\n", status.message);
	return jv_is_ok(&status) ? 0 : EXIT_CONFIG;
}

static int act(const struct arguments *arguments)
{
	struct jv_worker_config config = {0};
	int code = 0;

	if (arguments->help) {
		fputs(usage, stdout);
	} else if (arguments->version) {
		printf("jarvis-worker %s\n", JV_VERSION);
	} else if (arguments->describe) {
		describe();
	} else {
		code = load(arguments, &config);
		if (code != 0)
			return code;
		if (arguments->check)
			code = check(&config);
		else
			code = serve(&config);
		jv_config_deinit(jv_worker_config_schema, &config);
	}
	return code;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {0};
	int code;

	/* gRPC's handlers are for fork without exec, and have deadlocked programs that spawn. */
	setenv("GRPC_ENABLE_FORK_SUPPORT", "0", 1);
	code = take_arguments(&arguments, argc, argv);
	if (code == 0)
		code = act(&arguments);
	free(arguments.flags);
	return code;
}
