#include "worker/init/init.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/signal.h>
#include <linux/wait.h>
#include <stdbool.h>
#include <stddef.h>

#include "worker/init/machine.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PATH_MAX     4096
/* As the kernel takes it: one bit for each of 64 signals. */
#define SIGNALS_SIZE 8

void jv_init_start(const long *stack) __attribute__((noreturn));

static struct sock_filter filter[BPF_MAXINSNS];

static void __attribute__((noreturn)) leave(int code)
{
	for (;;)
		call4(__NR_exit_group, code, 0, 0, 0);
}

static unsigned long length_of(const char *text)
{
	unsigned long length = 0;
	while (text[length] != '\0')
		length++;
	return length;
}

static void say(const char *text)
{
	call4(__NR_write, 2, address(text), (long)length_of(text), 0);
}

static const char *reason(long error)
{
	switch (error) {
	case ENOENT:
		return "No such file or directory";
	case EACCES:
		return "Permission denied";
	case ENOEXEC:
		return "Exec format error";
	case ENOTDIR:
		return "Not a directory";
	case EISDIR:
		return "Is a directory";
	case ELOOP:
		return "Too many levels of symbolic links";
	case ENAMETOOLONG:
		return "File name too long";
	case E2BIG:
		return "Argument list too long";
	case ENOMEM:
		return "Cannot allocate memory";
	case ETXTBSY:
		return "Text file busy";
	case EINVAL:
		return "Invalid argument";
	case EAGAIN:
		return "Resource temporarily unavailable";
	default:
		return "the kernel has refused it";
	}
}

static void __attribute__((noreturn)) fail(const char *what, long error)
{
	say(JV_INIT_SAYS);
	say(what);
	say(": ");
	say(reason(error));
	say("\n");
	leave(JV_INIT_UNFIT);
}

/* No command of the container runs before this has gone well. */
static void load_filter(void)
{
	const char *path = JV_INIT_DIRECTORY "/" JV_INIT_FILTER;
	long file = call4(__NR_openat, AT_FDCWD, address(path), O_RDONLY | O_CLOEXEC, 0);
	if (file < 0)
		fail("open the seccomp filter", -file);
	long size = call4(__NR_read, file, address(filter), sizeof(filter), 0);
	call4(__NR_close, file, 0, 0, 0);
	if (size <= 0 || size % (long)sizeof(filter[0]) != 0)
		fail("read the seccomp filter", size < 0 ? -size : EINVAL);
	const struct sock_fprog program = {
		.len = (unsigned short)(size / (long)sizeof(filter[0])), .filter = filter};
	long result = call4(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0);
	if (result == 0)
		result = call4(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, address(&program), 0);
	if (result != 0)
		fail("load the seccomp filter", -result);
}

static const char *find_path(char *const *environment)
{
	for (; *environment != NULL; environment++) {
		const char *text = *environment;
		if (text[0] == 'P' && text[1] == 'A' && text[2] == 'T' && text[3] == 'H' &&
			text[4] == '=')
			return text + 5;
	}
	return PATH_DEFAULT;
}

static bool has_slash(const char *name)
{
	while (*name != '\0' && *name != '/')
		name++;
	return *name == '/';
}

/* Writes "folder/name"; an empty folder is the working directory. Returns what is behind the
 * folder. */
static const char *join(const char *folder, const char *name, char out[static PATH_MAX])
{
	unsigned long length = 0;
	for (; *folder != '\0' && *folder != ':'; folder++)
		if (length < PATH_MAX - 2)
			out[length++] = *folder;
	if (length > 0)
		out[length++] = '/';
	for (; *name != '\0' && length < PATH_MAX - 1; name++)
		out[length++] = *name;
	out[length] = '\0';
	return folder;
}

static long try_exec(const char *path, char *const *command, char *const *environment)
{
	return -call4(__NR_execve, address(path), address(command), address(environment), 0);
}

/* As execvp: what is found but may not be executed says more than what is not found later. */
static long search_exec(char *const *command, char *const *environment)
{
	char path[PATH_MAX];
	long denied = 0;
	if (has_slash(command[0]))
		return try_exec(command[0], command, environment);
	for (const char *folder = find_path(environment); command[0][0] != '\0';) {
		folder = join(folder, command[0], path);
		long error = try_exec(path, command, environment);
		if (error != ENOENT && error != ENOTDIR && error != EACCES)
			return error;
		if (error == EACCES)
			denied = error;
		if (*folder++ == '\0')
			break;
	}
	return denied != 0 ? denied : ENOENT;
}

static void __attribute__((noreturn)) become(char *const *command, char *const *environment)
{
	long error = search_exec(command, environment);
	say(JV_INIT_SAYS_COMMAND);
	say(command[0]);
	say(": ");
	say(reason(error));
	say("\n");
	leave(error == ENOENT ? JV_INIT_NOT_FOUND : JV_INIT_CANNOT_EXEC);
}

static void set_action(int number, __sighandler_t handler)
{
	struct sigaction action = {0};
	action.sa_handler = handler;
	call4(__NR_rt_sigaction, number, address(&action), 0, SIGNALS_SIZE);
}

static void set_mask(const uint64_t *wanted, uint64_t *before)
{
	call4(__NR_rt_sigprocmask, SIG_SETMASK, address(wanted), address(before), SIGNALS_SIZE);
}

/* All that have ended; the code if the command is one of them, -1 if it is not. */
static int reap(long command)
{
	int code = -1;
	int status = 0;
	long ended;
	while ((ended = call4(__NR_wait4, -1, address(&status), WNOHANG, 0)) > 0)
		if (ended == command)
			code = (status & 0x7f) != 0 ? 128 + (status & 0x7f) : (status >> 8) & 0xff;
	return code;
}

/* Everything that is sent to the init is taken by asking for it, so that nothing is lost and
 * nothing interrupts. */
static void __attribute__((noreturn)) pass_on(long command, const uint64_t *all)
{
	for (;;) {
		long number = call4(__NR_rt_sigtimedwait, address(all), 0, 0, SIGNALS_SIZE);
		if (number == SIGCHLD) {
			int code = reap(command);
			if (code >= 0)
				leave(code);
		} else if (number > 0) {
			call4(__NR_kill, command, number, 0, 0);
		}
	}
}

static void __attribute__((noreturn)) stay(char *const *command, char *const *environment)
{
	const uint64_t all = ~UINT64_C(0);
	uint64_t before = 0;
	set_mask(&all, &before);
	/* The keeper sees by this that a TERM would be taken (worker/shim/loop.c). */
	set_action(SIGTTIN, SIG_IGN);
	long child = call6(__NR_clone, SIGCHLD, 0, 0, 0, 0, 0);
	if (child < 0)
		fail("fork", -child);
	if (child > 0)
		pass_on(child, &all);
	call4(__NR_setpgid, 0, 0, 0, 0);
	set_action(SIGTTIN, SIG_DFL);
	set_mask(&before, NULL);
	become(command, environment);
}

void jv_init_start(const long *stack)
{
	char *const *arguments = (char *const *)(const void *)(stack + 1);
	char *const *environment = arguments + stack[0] + 1;
	if (stack[0] < 3) {
		say(JV_INIT_SAYS "is the first process of a container, and of no use by hand\n");
		leave(JV_INIT_UNFIT);
	}
	load_filter();
	if (arguments[1][0] == JV_INIT_MODE_INIT[0])
		stay(arguments + 2, environment);
	become(arguments + 2, environment);
}
