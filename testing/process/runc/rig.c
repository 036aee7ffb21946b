#include "testing/process/runc/rig.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/assert.h"
#include "worker/shim/cgroup.h"
#include "worker/shim/files.h"

#define SHIM "worker/shim/jarvis-shim"

static void must(struct jv_status status)
{
	if (!jv_is_ok(&status))
		fail_msg("%s", status.message);
}

const char *jv_rig_path(const struct jv_rig *rig, const char *rest)
{
	static char path[256];
	snprintf(path, sizeof(path), "%s/%s", rig->directory, rest);
	return path;
}

static void copy_file(const char *from, const char *to)
{
	struct jv_buffer content = {0};
	must(jv_file_read(AT_FDCWD, from, 64 << 20, &content));
	must(jv_file_write(AT_FDCWD, to, jv_buffer_bytes(&content), 0755));
	jv_buffer_deinit(&content);
}

static void make_rootfs(struct jv_rig *rig)
{
	static const char *const folders[] = {"bin", "etc", "proc", "sys", "dev", "tmp", "home"};
	static const char *const applets[] = {"sh", "cat", "echo", "sleep", "id", "env", "pwd",
		"kill", "dd", "head", "tail", "ls", "grep", "mount", "hostname", "touch", "yes",
		"seq", "ps", "stat", "wc", "mkdir", "nproc", "usleep", "ip", "rm", "unshare",
		"true"};
	char path[256];
	must(jv_file_directory(AT_FDCWD, rig->rootfs, 0755, true));
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", rig->rootfs, folders[i]);
		must(jv_file_directory(
			AT_FDCWD, path, strcmp(folders[i], "tmp") ? 0755 : 01777, true));
	}
	snprintf(path, sizeof(path), "%s/bin/busybox", rig->rootfs);
	copy_file("/bin/busybox", path);
	for (size_t i = 0; i < sizeof(applets) / sizeof(applets[0]); i++) {
		snprintf(path, sizeof(path), "%s/bin/%s", rig->rootfs, applets[i]);
		assert_int_equal(symlink("busybox", path), 0);
	}
	snprintf(path, sizeof(path), "%s/etc/passwd", rig->rootfs);
	must(jv_file_write(AT_FDCWD, path,
		jv_bytes_of_text(
			"root:x:0:0:root:/root:/bin/sh\nguest:x:1234:5678::/home:/bin/sh\n"),
		0644));
}

/* No mount of the machine may lead into the rig's directory. */
static void assert_no_mount(const struct jv_rig *rig)
{
	struct jv_buffer mounts = {0};
	must(jv_file_read(AT_FDCWD, "/proc/self/mounts", 1 << 20, &mounts));
	const char *found = strstr(jv_buffer_text(&mounts), rig->directory);
	if (found != NULL)
		fail_msg("%.200s is left", found);
	jv_buffer_deinit(&mounts);
}

void jv_rig_init(struct jv_rig *rig)
{
	static char shim[4096];
	static const char *allowed[1];
	*rig = (struct jv_rig){.directory = "/tmp/jarvis-test-XXXXXX"};
	if (mkdtemp(rig->directory) == NULL || realpath(SHIM, shim) == NULL)
		fail_msg("set-up: %s", strerror(errno));
	snprintf(rig->rootfs, sizeof(rig->rootfs), "%s/rootfs", rig->directory);
	snprintf(rig->state, sizeof(rig->state), "%s/state", rig->directory);
	snprintf(rig->parent, sizeof(rig->parent), "/%s", strrchr(rig->directory, '/') + 1);
	make_rootfs(rig);
	allowed[0] = rig->directory;
	rig->options = (struct jv_runc_options){
		.state_directory = rig->state,
		.shim = shim,
		.cgroup_parent = rig->parent,
		.images = {.allowed = allowed, .allowed_count = 1},
	};
}

static struct jv_rig_record *record_of(struct jv_rig *rig, const struct jv_execution_id *id)
{
	for (size_t i = 0; i < rig->count; i++)
		if (strcmp(rig->records[i].id.task, id->task) == 0 &&
			rig->records[i].id.attempt == id->attempt)
			return &rig->records[i];
	fail_msg("the sink was told of %s.%d, which nobody has started", id->task, id->attempt);
	return NULL;
}

static void on_started(void *context, const struct jv_execution_id *id, int64_t start_ms)
{
	struct jv_rig_record *record = record_of(context, id);
	record->started++;
	record->start_ms = start_ms;
	assert_int_equal(record->finished, 0);
}

static void on_progress(void *context, const struct jv_execution_id *id, const char *text)
{
	struct jv_rig_record *record = record_of(context, id);
	assert_int_equal(record->started + record->finished, 0);
	snprintf(record->progress, sizeof(record->progress), "%s", text);
}

static void on_output(void *context, const struct jv_execution_id *id, int64_t log_bytes)
{
	struct jv_rig_record *record = record_of(context, id);
	assert_true(log_bytes >= record->log_bytes && log_bytes > 0);
	record->log_bytes = log_bytes;
}

static void on_finished(
	void *context, const struct jv_execution_id *id, const struct jv_execution_result *result)
{
	struct jv_rig_record *record = record_of(context, id);
	assert_int_equal(record->finished, 0);
	record->finished++;
	record->result = *result;
}

void jv_rig_open(struct jv_rig *rig)
{
	must(jv_runc_open(&rig->options, &rig->executor));
	rig->executor->sink = (struct jv_executor_sink){.started = on_started,
		.progress = on_progress,
		.output = on_output,
		.finished = on_finished,
		.context = rig};
}

void jv_rig_close(struct jv_rig *rig)
{
	rig->executor->operations->close(rig->executor);
	rig->executor = NULL;
}

static void on_found(void *context, const struct jv_execution_found *found)
{
	struct jv_rig *rig = context;
	size_t index = rig->found_count++;
	assert_true(index < JV_RIG_EVENTS_MAX);
	assert_non_null(found->spec);
	rig->found[index] = *found;
	if (found->result != NULL) {
		rig->found_results[index] = *found->result;
		rig->found[index].result = &rig->found_results[index];
	}
}

void jv_rig_recover(struct jv_rig *rig)
{
	rig->found_count = 0;
	rig->executor->operations->recover(rig->executor, on_found, rig);
}

static int count_cgroups(const struct jv_rig *rig, const char *hierarchy)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s%s", JV_CGROUP_ROOT, hierarchy, rig->parent);
	return access(path, F_OK) == 0;
}

int jv_rig_cgroups(const struct jv_rig *rig)
{
	DIR *entries = opendir(JV_CGROUP_ROOT);
	assert_non_null(entries);
	int count = count_cgroups(rig, ".");
	const struct dirent *entry;
	while ((entry = readdir(entries)) != NULL)
		if (entry->d_name[0] != '.')
			count += count_cgroups(rig, entry->d_name);
	closedir(entries);
	return count;
}

/* Processes whose command line names the rig: keepers and runtimes. */
static int count_processes(const struct jv_rig *rig)
{
	DIR *entries = opendir("/proc");
	assert_non_null(entries);
	int count = 0;
	const struct dirent *entry;
	while ((entry = readdir(entries)) != NULL) {
		char path[300];
		struct jv_buffer line = {0};
		snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
		struct jv_status status = jv_file_read(AT_FDCWD, path, 65536, &line);
		if (jv_is_ok(&status) && line.size > 0 &&
			memmem(line.data, line.size, rig->directory, strlen(rig->directory)) !=
				NULL)
			count++;
		jv_buffer_deinit(&line);
	}
	closedir(entries);
	return count;
}

static void assert_empty(const struct jv_rig *rig, const char *name)
{
	DIR *entries = opendir(jv_rig_path(rig, name));
	if (entries == NULL)
		return;
	const struct dirent *entry;
	while ((entry = readdir(entries)) != NULL)
		if (entry->d_name[0] != '.' || strncmp(entry->d_name, ".new", 4) == 0)
			fail_msg("%s/%s is left", name, entry->d_name);
	closedir(entries);
}

void jv_rig_deinit(struct jv_rig *rig)
{
	for (size_t i = 0; i < rig->count; i++) {
		if (rig->executor != NULL)
			jv_rig_remove(rig, &rig->records[i]);
		jv_buffer_deinit(&rig->records[i].out);
		jv_buffer_deinit(&rig->records[i].err);
	}
	if (rig->executor != NULL)
		jv_rig_close(rig);
	assert_no_mount(rig);
	assert_int_equal(jv_rig_cgroups(rig), 0);
	assert_int_equal(count_processes(rig), 0);
	assert_empty(rig, "state/attempts");
	assert_empty(rig, "state/trash");
	must(jv_file_remove(AT_FDCWD, rig->directory));
}

Jarvis__V1__TaskSpec *jv_rig_script(struct jv_rig *rig, const char *script)
{
	static Jarvis__V1__TaskSpec spec;
	static Jarvis__V1__Resources resources;
	static Jarvis__V1__LogLimits limits;
	static char *command[4];
	static char text[4096];
	snprintf(text, sizeof(text), "%s", script);
	command[0] = (char *)(uintptr_t) "/bin/sh";
	command[1] = (char *)(uintptr_t) "-c";
	command[2] = text;
	jarvis__v1__task_spec__init(&spec);
	jarvis__v1__resources__init(&resources);
	jarvis__v1__log_limits__init(&limits);
	resources.cpu_millis = 1000;
	resources.memory_bytes = 64 << 20;
	resources.pids = 64;
	limits.max_bytes = 1 << 20;
	spec.image = rig->rootfs;
	spec.command = command;
	spec.n_command = 3;
	spec.resources = &resources;
	spec.log_limits = &limits;
	return &spec;
}

struct jv_rig_record *jv_rig_adopt(struct jv_rig *rig, const struct jv_execution_id *id)
{
	assert_true(rig->count < JV_RIG_EVENTS_MAX);
	struct jv_rig_record *record = &rig->records[rig->count++];
	*record = (struct jv_rig_record){.id = *id};
	return record;
}

struct jv_rig_record *jv_rig_start(struct jv_rig *rig, const Jarvis__V1__TaskSpec *spec)
{
	struct jv_execution_id id = {.attempt = 1};
	snprintf(id.task, sizeof(id.task), "t-%zu", rig->sequence + rig->count + 1);
	struct jv_rig_record *record = jv_rig_adopt(rig, &id);
	rig->executor->operations->start(rig->executor, &id, spec);
	return record;
}

static void dispatch_once(struct jv_rig *rig, int timeout_ms)
{
	const struct jv_executor_operations *operations = rig->executor->operations;
	struct pollfd ready = {.fd = operations->descriptor(rig->executor), .events = POLLIN};
	int64_t now = jv_clock_monotonic_ms();
	int64_t next = operations->dispatch(rig->executor, now);
	int64_t wait = next == INT64_MAX ? timeout_ms : next - now;
	if (wait > timeout_ms)
		wait = timeout_ms;
	poll(&ready, 1, wait > 0 ? (int)wait : 0);
}

void jv_rig_dispatch_for(struct jv_rig *rig, int64_t ms)
{
	const int64_t end = jv_clock_monotonic_ms() + ms;
	while (jv_clock_monotonic_ms() < end)
		dispatch_once(rig, 10);
}

static void wait_for(struct jv_rig *rig, const struct jv_rig_record *record, const char *what,
	bool (*done)(const struct jv_rig_record *record, int64_t number), int64_t number)
{
	const int64_t end = jv_clock_monotonic_ms() + JV_RIG_WAIT_MS;
	while (!done(record, number)) {
		if (jv_clock_monotonic_ms() > end)
			fail_msg("%s.%d has not %s: %s", record->id.task, record->id.attempt, what,
				record->result.message);
		dispatch_once(rig, 100);
	}
}

static bool has_started(const struct jv_rig_record *record, int64_t number)
{
	(void)number;
	return record->started > 0 || record->finished > 0;
}

static bool has_finished(const struct jv_rig_record *record, int64_t number)
{
	(void)number;
	return record->finished > 0;
}

static bool has_printed(const struct jv_rig_record *record, int64_t number)
{
	return record->log_bytes >= number || record->finished > 0;
}

void jv_rig_wait_started(struct jv_rig *rig, const struct jv_rig_record *record)
{
	wait_for(rig, record, "started", has_started, 0);
	if (record->started == 0)
		fail_msg("%s has not started: %s", record->id.task, record->result.message);
}

void jv_rig_wait_finished(struct jv_rig *rig, const struct jv_rig_record *record)
{
	wait_for(rig, record, "finished", has_finished, 0);
}

void jv_rig_wait_output(struct jv_rig *rig, const struct jv_rig_record *record, int64_t bytes)
{
	wait_for(rig, record, "printed", has_printed, bytes);
}

void jv_rig_read(struct jv_rig *rig, struct jv_rig_record *record)
{
	struct jv_output_chunk chunk;
	int64_t offset = 0;
	jv_buffer_clear(&record->out);
	jv_buffer_clear(&record->err);
	record->truncated = false;
	while (rig->executor->operations->read_output(rig->executor, &record->id, offset, &chunk)) {
		assert_int_equal(chunk.offset, offset);
		assert_true(chunk.data.size <= 65536);
		assert_true(chunk.time_ms > 0);
		struct jv_buffer *into = chunk.stream == JARVIS__V1__LOG_STREAM__LOG_STREAM_STDERR
			? &record->err
			: &record->out;
		jv_buffer_append(into, chunk.data.data, chunk.data.size);
		offset += (int64_t)chunk.data.size;
		record->truncated |= chunk.truncated;
	}
	if (record->finished > 0)
		assert_int_equal(record->result.log_bytes, offset);
}

struct jv_rig_record *jv_rig_run(struct jv_rig *rig, const Jarvis__V1__TaskSpec *spec)
{
	struct jv_rig_record *record = jv_rig_start(rig, spec);
	jv_rig_wait_finished(rig, record);
	jv_rig_read(rig, record);
	return record;
}

void jv_rig_remove(struct jv_rig *rig, const struct jv_rig_record *record)
{
	const int64_t end = jv_clock_monotonic_ms() + JV_RIG_WAIT_MS;
	char path[256];
	snprintf(path, sizeof(path), "%s/attempts/%s.%d", rig->state, record->id.task,
		record->id.attempt);
	rig->executor->operations->remove(rig->executor, &record->id);
	do {
		dispatch_once(rig, 20);
		if (jv_clock_monotonic_ms() > end)
			fail_msg("%s is not removed", path);
	} while (access(path, F_OK) == 0);
}

int jv_rig_keeper(const struct jv_rig *rig, const struct jv_rig_record *record)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/attempts/%s.%d/keeper", rig->state, record->id.task,
		record->id.attempt);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return 0;
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int result = fcntl(fd, F_GETLK, &lock);
	close(fd);
	return result == 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
}

int jv_rig_set_up(void **state)
{
	jv_rig_init(*state);
	jv_rig_open(*state);
	return 0;
}

int jv_rig_tear_down(void **state)
{
	jv_rig_deinit(*state);
	return 0;
}
