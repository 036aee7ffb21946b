#include "worker/runc/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "worker/keep/process.h"
#include "worker/shim/files.h"

#define VERSION_TIMEOUT_MS 10000

static struct jv_status check_executable(const char *path)
{
	struct stat found;
	if (stat(path, &found) != 0)
		return jv_error(JV_NOT_FOUND, "%s: %s", path, strerror(errno));
	if (!S_ISREG(found.st_mode) || access(path, X_OK) != 0)
		return jv_error(JV_NOT_FOUND, "%s is not an executable file", path);
	return jv_ok();
}

struct jv_status jv_probe_program(const char *name, char *path, size_t size)
{
	if (strchr(name, '/') != NULL) {
		snprintf(path, size, "%s", name);
		return check_executable(path);
	}
	const char *search = getenv("PATH");
	struct jv_buffer folders = {0};
	/* A user's PATH often lacks the directories where Debian installs runc. */
	jv_buffer_printf(&folders,
		"%s:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin",
		search != NULL ? search : "/usr/bin");
	struct jv_status status = jv_error(JV_NOT_FOUND, "%s is not on the PATH", name);
	for (const char *at = jv_buffer_text(&folders); *at != '\0' && !jv_is_ok(&status);) {
		size_t length = strcspn(at, ":");
		snprintf(path, size, "%.*s/%s", (int)length, at, name);
		struct jv_status found = check_executable(path);
		if (length > 0 && at[0] == '/' && jv_is_ok(&found))
			status = found;
		at += length + (at[length] == ':');
	}
	jv_buffer_deinit(&folders);
	return status;
}

/* The first line that `--version` prints, by way of a file that has no name any more. */
static struct jv_status read_version(const char *runtime, char *version, size_t size)
{
	char file[] = "/tmp/jarvis-version-XXXXXX";
	int fd = mkostemp(file, O_CLOEXEC);
	if (fd < 0)
		return jv_error(JV_INTERNAL, "make a file in /tmp: %s", strerror(errno));
	const char *const arguments[] = {runtime, "--version", NULL};
	const struct jv_spawn spawn = {.arguments = arguments, .output = file, .inherit = -1};
	pid_t pid;
	int pidfd = -1;
	int wait_status = -1;
	struct jv_status status = jv_spawn_start(&spawn, &pid, &pidfd);
	if (jv_is_ok(&status)) {
		poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, VERSION_TIMEOUT_MS);
		wait_status = jv_spawn_reap(pidfd);
		close(pidfd);
	}
	unlink(file);
	ssize_t got = pread(fd, version, size - 1, 0);
	close(fd);
	version[got > 0 ? got : 0] = '\0';
	version[strcspn(version, "\n")] = '\0';
	if (jv_is_ok(&status) && wait_status != 0)
		status = jv_error(
			JV_FAILED_PRECONDITION, "%s --version fails: %s", runtime, version);
	return status;
}

bool jv_probe_refuses_hybrid(const char *version)
{
	return strncmp(version, "crun ", 5) == 0;
}

/* Those of Debian 12; what is asked of a runtime is tested with them. */
const char *jv_probe_too_old(const char *version)
{
	static const struct {
		const char *prefix;
		int major;
		int minor;
		const char *text;
	} oldest[] = {{"runc version ", 1, 1, "1.1"}, {"crun version ", 1, 8, "1.8"}};
	for (size_t i = 0; i < sizeof(oldest) / sizeof(oldest[0]); i++) {
		const size_t length = strlen(oldest[i].prefix);
		int major = 0;
		int minor = 0;
		if (strncmp(version, oldest[i].prefix, length) != 0 ||
			sscanf(version + length, "%3d.%5d", &major, &minor) != 2)
			continue;
		if (major < oldest[i].major ||
			(major == oldest[i].major && minor < oldest[i].minor))
			return oldest[i].text;
	}
	return NULL;
}

static struct jv_status check_version(const struct jv_probe *probe)
{
	const char *oldest = jv_probe_too_old(probe->version);
	if (oldest == NULL)
		return jv_ok();
	return jv_error(JV_FAILED_PRECONDITION,
		"%s is too old: it says \"%s\", and %s or later is needed; upgrade it, or set "
		"runtime.path to another",
		probe->runtime, probe->version, oldest);
}

static struct jv_status check_overlay(void)
{
	struct jv_buffer known = {0};
	struct jv_status status = jv_file_read(AT_FDCWD, "/proc/filesystems", 65536, &known);
	bool found = jv_is_ok(&status) && strstr(jv_buffer_text(&known), "\toverlay\n") != NULL;
	jv_buffer_deinit(&known);
	if (found)
		return jv_ok();
	return jv_error(JV_FAILED_PRECONDITION,
		"the kernel has no overlay file system: modprobe overlay, and list it in "
		"/etc/modules-load.d");
}

static struct jv_status check_cgroups(const char *root, struct jv_probe *probe)
{
	struct jv_cgroup cgroup;
	JV_TRY(jv_cgroup_open(&cgroup, root, "/probe"));
	probe->layout = cgroup.layout;
	probe->swap_limit = jv_cgroup_has_swap_limit(&cgroup);
	/* crun 1.8 fails wherever a second hierarchy lies at `unified`. */
	probe->hide_unified =
		probe->layout == JV_CGROUP_HYBRID && jv_probe_refuses_hybrid(probe->version);
	return jv_ok();
}

struct jv_status jv_probe_run(
	const char *runtime, const char *shim, const char *cgroup_root, struct jv_probe *probe)
{
	*probe = (struct jv_probe){.layout = JV_CGROUP_NONE};
	if (geteuid() != 0)
		return jv_error(JV_PERMISSION_DENIED,
			"containers need root: start the worker as root, or with sudo");
	struct jv_status status = jv_probe_program(runtime, probe->runtime, sizeof(probe->runtime));
	if (!jv_is_ok(&status))
		return jv_error(JV_FAILED_PRECONDITION,
			"no container runtime: %s; install it: apt-get install runc, or set "
			"runtime.path",
			status.message);
	JV_TRY(read_version(probe->runtime, probe->version, sizeof(probe->version)));
	JV_TRY(check_version(probe));
	JV_TRY(check_overlay());
	JV_TRY(check_cgroups(cgroup_root, probe));
	status = check_executable(shim);
	if (!jv_is_ok(&status))
		return jv_error(JV_FAILED_PRECONDITION,
			"no jarvis-shim: %s; it is built as //worker/shim:jarvis-shim, and runtime.shim "
			"says where it is",
			status.message);
	return jv_ok();
}
