/*
 * jarvis-unpack: what jarvis-worker has done to images, in a process that can be killed.
 *
 *   jarvis-unpack PARENT fetch  BYTES TEMPORARY OUTPUT PROGRAM ARGUMENT…
 *   jarvis-unpack PARENT scan   BYTES FILES RESULT TAR…
 *   jarvis-unpack PARENT layout BYTES FILES RESULT DIRECTORY IMAGE
 *   jarvis-unpack PARENT tar    BYTES FILES RESULT DIRECTORY TAR
 *   jarvis-unpack PARENT remove DIRECTORY
 *
 * PARENT is the worker's process id: it ends with it. RESULT is written last: "BYTES FILES" that
 * were found. DIRECTORY gets the root file system as `rootfs`, and is all that can be written to.
 * The last line on the standard error says what went wrong, and the exit code is the status code.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "worker/image/unpack/unpack.h"
#include "worker/shim/files.h"

#define TAR   "/usr/bin/tar"
#define UMOCI "/usr/bin/umoci"

#define OUTPUT_MAX ((int64_t)8 << 20)

static int64_t number(const char *text)
{
	return strtoll(text, NULL, 10);
}

static struct jv_status need(const char *program, const char *package)
{
	if (access(program, X_OK) == 0)
		return jv_ok();
	return jv_error(
		JV_FAILED_PRECONDITION, "%s is not there: apt-get install %s", program, package);
}

static struct jv_status write_result(const char *path, struct jv_unpack_size size)
{
	char text[64];
	snprintf(text, sizeof(text), "%lld %lld\n", (long long)size.bytes, (long long)size.files);
	return jv_file_write(AT_FDCWD, path, jv_bytes_of_text(text), 0600);
}

/* BYTES TEMPORARY OUTPUT PROGRAM ARGUMENT… */
static struct jv_status fetch(int64_t parent, char **arguments)
{
	int output = open(arguments[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (output < 0)
		return jv_error(JV_INTERNAL, "open %s: %s", arguments[2], strerror(errno));
	JV_TRY(jv_unpack_limit(parent, number(arguments[0])));
	JV_TRY(need(arguments[3], "skopeo"));
	jv_unpack_clear_environment(arguments[1]);
	dup2(output, STDOUT_FILENO);
	execv(arguments[3], arguments + 3);
	return jv_error(JV_INTERNAL, "%s: %s", arguments[3], strerror(errno));
}

/* BYTES FILES RESULT TAR… */
static struct jv_status scan(int64_t parent, char **arguments)
{
	const struct jv_unpack_size limit = {number(arguments[0]), number(arguments[1])};
	struct jv_unpack_size size;
	JV_TRY(jv_unpack_limit(parent, OUTPUT_MAX));
	jv_unpack_clear_environment("/");
	JV_TRY(jv_unpack_scan((const char *const *)(uintptr_t)(arguments + 3), limit, &size));
	return write_result(arguments[2], size);
}

/* What it said itself is the last line, and says more than its exit code. */
static struct jv_status ended(const char *program, int pid)
{
	struct jv_status status = jv_unpack_wait(program, pid);
	if (status.code == JV_DATA_LOSS)
		status.message[0] = '\0';
	return status;
}

/* What is in its place after a crash of the machine must be whole. */
static struct jv_status sync_below(const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct jv_status status = fd >= 0 && syncfs(fd) == 0
		? jv_ok()
		: jv_error(JV_INTERNAL, "sync %s: %s", directory, strerror(errno));
	if (fd >= 0)
		close(fd);
	return status;
}

static struct jv_status run_confined(const char *directory, const char *const *program)
{
	int pid = fork();
	if (pid < 0)
		return jv_error(JV_INTERNAL, "fork: %s", strerror(errno));
	if (pid > 0)
		return ended(program[0], pid);
	struct jv_status status = jv_unpack_limit(getppid(), INT64_MAX);
	if (jv_is_ok(&status))
		status = jv_unpack_confine(directory);
	if (jv_is_ok(&status)) {
		jv_unpack_clear_environment(directory);
		execv(program[0], (char *const *)(uintptr_t)program);
		status = jv_error(JV_INTERNAL, "%s: %s", program[0], strerror(errno));
	}
	fprintf(stderr, "%s\n", status.message);
	_exit(1);
}

/* BYTES FILES RESULT DIRECTORY SOURCE */
static struct jv_status unpack(int64_t parent, char **arguments, bool layout)
{
	const struct jv_unpack_size limit = {number(arguments[0]), number(arguments[1])};
	const char *directory = arguments[3];
	struct jv_buffer rootfs = {0};
	struct jv_unpack_size size;
	jv_buffer_printf(&rootfs, "%s/rootfs", directory);
	const char *const umoci[] = {
		UMOCI, "raw", "unpack", "--image", arguments[4], jv_buffer_text(&rootfs), NULL};
	const char *const tar[] = {TAR, "--extract", "--same-permissions", "--numeric-owner",
		"--file", arguments[4], "--directory", jv_buffer_text(&rootfs), NULL};
	struct jv_status status = need(layout ? UMOCI : TAR, layout ? "umoci" : "tar");
	if (jv_is_ok(&status))
		status = jv_unpack_limit(parent, limit.bytes);
	if (jv_is_ok(&status) && !layout)
		status = jv_file_directory(AT_FDCWD, jv_buffer_text(&rootfs), 0755, true);
	if (jv_is_ok(&status))
		status = run_confined(directory, layout ? umoci : tar);
	if (jv_is_ok(&status))
		status = jv_unpack_settle(jv_buffer_text(&rootfs), limit, &size);
	if (jv_is_ok(&status))
		status = sync_below(directory);
	if (jv_is_ok(&status))
		status = write_result(arguments[2], size);
	jv_buffer_deinit(&rootfs);
	return status;
}

/* Everything in a directory. */
static struct jv_status empty(int64_t parent, const char *directory)
{
	JV_TRY(jv_unpack_limit(parent, 0));
	DIR *entries = opendir(directory);
	if (entries == NULL)
		return jv_error(JV_INTERNAL, "open %s: %s", directory, strerror(errno));
	struct jv_status status = jv_ok();
	const struct dirent *entry;
	while ((entry = readdir(entries)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		struct jv_status removed = jv_file_remove(dirfd(entries), entry->d_name);
		if (!jv_is_ok(&removed))
			status = removed;
	}
	closedir(entries);
	return status;
}

static struct jv_status act(int count, char **arguments)
{
	const int64_t parent = number(arguments[0]);
	const char *command = arguments[1];
	if (strcmp(command, "fetch") == 0 && count >= 6)
		return fetch(parent, arguments + 2);
	if (strcmp(command, "scan") == 0 && count >= 5)
		return scan(parent, arguments + 2);
	if (strcmp(command, "layout") == 0 && count == 7)
		return unpack(parent, arguments + 2, true);
	if (strcmp(command, "tar") == 0 && count == 7)
		return unpack(parent, arguments + 2, false);
	if (strcmp(command, "remove") == 0 && count == 3)
		return empty(parent, arguments[2]);
	return jv_error(JV_INVALID_ARGUMENT, "jarvis-unpack is started by jarvis-worker");
}

int main(int argc, char **argv)
{
	/* The shell's habit would end it without a word. */
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	struct jv_status status = argc < 3
		? jv_error(JV_INVALID_ARGUMENT, "jarvis-unpack is started by jarvis-worker")
		: act(argc - 1, argv + 1);
	if (jv_is_ok(&status))
		return 0;
	if (status.message[0] != '\0')
		fprintf(stderr, "%s\n", status.message);
	return (int)status.code;
}
