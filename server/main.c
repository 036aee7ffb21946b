/* jarvisd: reads its configuration, starts the server, and waits for the signal to stop it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/nearest.h"
#include "base/notify.h"
#include "base/version.h"
#include "server/app/app.h"
#include "server/app/memory.h"
#include "server/app/tls.h"

/* For tens of thousands of connections. */
#define DESCRIPTORS 65536
/* More than there are. */
#define OPTIONS_MAX 256
/* How often it is looked whether certificates have changed. */
#define LOOK_S 10

extern char **environ;

static const char usage[] =
	"Usage: jarvisd [--config FILE] [--KEY=VALUE ...]\n"
	"\n"
	"The Jarvis server: accepts container tasks, places them on workers, keeps what became of them.\n"
	"\n"
	"  --config FILE   read this YAML file (default: none; every key has a default)\n"
	"  --KEY=VALUE     set one key, such as --grpc.listen=0.0.0.0:7070; wins over file and environment\n"
	"  --check         check the configuration, with certificates and keys, print nothing if it is good,\n"
	"                  and exit\n"
	"  --describe      print every key with its meaning, unit, range and default, as a YAML file\n"
	"  --version       print the version\n"
	"  --help          print this\n"
	"\n"
	"Environment: JARVIS_ and the key in upper case, dots as underscores: JARVIS_GRPC_LISTEN.\n"
	"Signals: TERM and INT stop the server in order; running tasks go on and are adopted at the next start.\n"
	"         HUP reads certificates and keys again.\n"
	"Exit codes: 0 stopped, 64 wrong usage, 70 a commit failed, 75 cannot start now, 78 wrong configuration.\n"
	"\n"
	"Next: jarvis status --server 127.0.0.1:7070\n";

struct arguments {
	const char *config;
	const char **flags; /* NULL-terminated key=value */
	size_t flag_count;
	bool check;
	bool describe;
};

/* The key that the flag sets, `grpc.listen=...` or `grpc.listen`; NULL if it is none. */
static const char *key_of(const char *flag)
{
	size_t size = strcspn(flag, "=");

	for (const struct jv_config_field *field = jv_server_config_schema(); field->key != NULL;
		field++)
		if (strlen(field->key) == size && strncmp(field->key, flag, size) == 0)
			return field->key;
	return NULL;
}

/* The option or key that was meant, or NULL. */
static const char *nearest(const char *flag)
{
	const char *names[OPTIONS_MAX] = {"config", "check", "describe", "version", "help"};
	size_t count = 5;
	char name[64];

	for (const struct jv_config_field *field = jv_server_config_schema();
		field->key != NULL && count < OPTIONS_MAX - 1; field++)
		names[count++] = field->key;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(flag, "="), flag);
	return jv_nearest(name, names);
}

static int wrong_usage(const char *argument)
{
	bool flag = strncmp(argument, "--", 2) == 0;
	const char *name = flag ? argument + 2 : argument;
	const char *near = flag ? nearest(name) : NULL;

	if (flag && (strcmp(name, "config") == 0 || key_of(name) != NULL)) {
		fprintf(stderr, "jarvisd: --%s needs a value: --%s=VALUE\n", name, name);
		return EX_USAGE;
	}
	fprintf(stderr, "jarvisd: \"%.*s\" is no option", (int)strcspn(argument, "="), argument);
	if (near != NULL)
		fprintf(stderr, "; did you mean --%s?", near);
	fputs("; see jarvisd --help\n", stderr);
	return EX_USAGE;
}

/* 0 to go on, or the exit code + 1. */
static int parse(int argc, char **argv, struct arguments *arguments)
{
	arguments->flags = jv_calloc((size_t)argc + 1, sizeof(arguments->flags[0]));
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0)
			return fputs(usage, stdout), 1;
		else if (strcmp(argv[i], "--version") == 0)
			return puts("jarvisd " JV_VERSION), 1;
		else if (strcmp(argv[i], "--check") == 0)
			arguments->check = true;
		else if (strcmp(argv[i], "--describe") == 0)
			arguments->describe = true;
		else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
			arguments->config = argv[++i];
		else if (strncmp(argv[i], "--config=", 9) == 0)
			arguments->config = argv[i] + 9;
		else if (strncmp(argv[i], "--", 2) == 0 && strchr(argv[i], '=') != NULL &&
			key_of(argv[i] + 2) != NULL)
			arguments->flags[arguments->flag_count++] = argv[i] + 2;
		else
			return wrong_usage(argv[i]) + 1;
	}
	return 0;
}

static int describe(void)
{
	struct jv_buffer text = {0};

	jv_config_describe(jv_server_config_schema(), &text);
	fputs(jv_buffer_text(&text), stdout);
	jv_buffer_deinit(&text);
	return 0;
}

static int load(const struct arguments *arguments, struct jv_server_config *config)
{
	struct jv_config_source source = {
		.file = arguments->config,
		.prefix = "JARVIS_",
		.environ = (const char *const *)environ,
		.flags = arguments->flags,
	};
	struct jv_status status = jv_config_load(jv_server_config_schema(), &source, config);

	if (jv_is_ok(&status)) {
		status = jv_server_config_check(config);
		if (!jv_is_ok(&status))
			jv_config_deinit(jv_server_config_schema(), config);
	}
	if (jv_is_ok(&status))
		return 0;
	fprintf(stderr, "jarvisd: %s\n", status.message);
	return EX_CONFIG;
}

/* RocksDB and connections need descriptors: one each. What the system allows is taken, and who may
 * raise that does. */
static void raise_descriptors(void)
{
	struct rlimit limit, more;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	more.rlim_cur = more.rlim_max = DESCRIPTORS;
	if (limit.rlim_max < DESCRIPTORS && setrlimit(RLIMIT_NOFILE, &more) == 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		JV_WARN("server.descriptors", JV_KV("error", strerror(errno)));
	if (limit.rlim_max < DESCRIPTORS)
		JV_INFO("server.descriptors", JV_KI("limit", (int64_t)limit.rlim_max));
}

/* Returns the signal that ends the program. */
static int await_end(struct jv_app *app, const sigset_t *signals)
{
	const struct timespec look = {.tv_sec = LOOK_S};
	struct jv_memory_watch memory = {0};

	for (;;) {
		int number = sigtimedwait(signals, NULL, &look);
		if (number == SIGTERM || number == SIGINT)
			return number;
		if (number == SIGHUP)
			JV_INFO("server.reload");
		jv_app_reload(app, number == SIGHUP);
		jv_memory_look(&memory);
	}
}

static int check(const struct jv_server_config *config)
{
	struct jv_status status = jv_app_tls_check(config);

	if (jv_is_ok(&status))
		return 0;
	fprintf(stderr, "jarvisd: %s\n", status.message);
	return EX_CONFIG;
}

static int serve(const struct jv_server_config *config, const sigset_t *signals)
{
	struct jv_app *app = NULL;
	struct jv_notify notify;
	struct jv_status status;
	int signal_number;

	jv_notify_init(&notify);
	status = jv_app_open(config, &app);
	if (!jv_is_ok(&status)) {
		fprintf(stderr, "jarvisd: cannot start: %s\n", status.message);
		return EX_TEMPFAIL;
	}
	/* For scripts that let the kernel choose the ports. */
	printf("ready grpc_port=%d rest_port=%d\n", jv_app_grpc_port(app), jv_app_rest_port(app));
	fflush(stdout);
	jv_notify_tell(&notify, JV_NOTIFY_READY);
	signal_number = await_end(app, signals);
	JV_INFO("server.signal", JV_KV("signal", strsignal(signal_number)));
	jv_notify_tell(&notify, JV_NOTIFY_STOPPING);
	jv_app_close(app);
	return 0;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {0};
	struct jv_server_config config = {0};
	sigset_t signals;
	int code = parse(argc, argv, &arguments);

	if (code != 0 || arguments.describe) {
		free(arguments.flags);
		return code != 0 ? code - 1 : describe();
	}
	code = load(&arguments, &config);
	free(arguments.flags);
	if (code != 0)
		return code;
	if (arguments.check) {
		code = check(&config);
	} else {
		/* Before any thread: all threads inherit the mask, and only this one takes signals.
		 */
		sigemptyset(&signals);
		sigaddset(&signals, SIGTERM);
		sigaddset(&signals, SIGINT);
		sigaddset(&signals, SIGHUP);
		pthread_sigmask(SIG_BLOCK, &signals, NULL);
		signal(SIGPIPE, SIG_IGN);
		jv_log_open(STDERR_FILENO, (enum jv_log_level)config.log_level,
			(enum jv_log_format)config.log_format);
		raise_descriptors();
		code = serve(&config, &signals);
	}
	jv_config_deinit(jv_server_config_schema(), &config);
	return code;
}
