#include "worker/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "worker/shim/lease.h"

#define HEX_SIZE  ((size_t)2 * JV_STATE_ID_SIZE)
#define LIFE_SIZE 32

static struct jv_status failed(const struct jv_state *state, const char *what, int error)
{
	if (error == EACCES || error == EPERM || error == EROFS)
		return jv_error(JV_PERMISSION_DENIED,
			"%s %s: %s; run the worker as root, or set state.path to a directory of "
			"its own user",
			what, state->path, strerror(error));
	return jv_error(JV_INTERNAL, "%s %s: %s", what, state->path, strerror(error));
}

/* mkdir -p. */
static struct jv_status make_directories(const struct jv_state *state)
{
	char *path = jv_strdup(state->path);
	struct jv_status status = jv_ok();

	for (char *at = path + 1; jv_is_ok(&status); at++) {
		char ended = *at;
		if (ended != '/' && ended != '\0')
			continue;
		*at = '\0';
		if (mkdir(path, 0700) != 0 && errno != EEXIST)
			status = failed(state, "make the state directory", errno);
		*at = ended;
		if (ended == '\0')
			break;
	}
	free(path);
	return status;
}

static struct jv_status lock(struct jv_state *state)
{
	state->lock = openat(state->directory, "worker.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (state->lock < 0)
		return failed(state, "lock", errno);
	if (flock(state->lock, LOCK_EX | LOCK_NB) != 0)
		return jv_error(JV_ALREADY_EXISTS,
			"another worker uses %s: stop it, or give this one a state.path of its own",
			state->path);
	return jv_ok();
}

/* The text of a small file, without its newline; empty if there is none. */
static struct jv_status read_text(
	const struct jv_state *state, const char *name, char *text, size_t room)
{
	int fd = openat(state->directory, name, O_RDONLY | O_CLOEXEC);
	ssize_t size;

	text[0] = '\0';
	if (fd < 0)
		return errno == ENOENT ? jv_ok() : failed(state, name, errno);
	size = read(fd, text, room - 1);
	if (size < 0) {
		struct jv_status status = failed(state, name, errno);
		close(fd);
		return status;
	}
	close(fd);
	text[size] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return jv_ok();
}

static bool write_and_sync(int fd, const char *text)
{
	size_t size = strlen(text);

	return write(fd, text, size) == (ssize_t)size && fsync(fd) == 0;
}

/* Replaces a file as a whole, durably. */
static struct jv_status write_text(const struct jv_state *state, const char *name, const char *text)
{
	char temporary[64];
	struct jv_status status = jv_ok();
	int fd;

	snprintf(temporary, sizeof(temporary), "%s.new", name);
	fd = openat(state->directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return failed(state, "write to", errno);
	if (!write_and_sync(fd, text))
		status = failed(state, "write to", errno);
	close(fd);
	if (jv_is_ok(&status) &&
		(renameat(state->directory, temporary, state->directory, name) != 0 ||
			fsync(state->directory) != 0))
		status = failed(state, "write to", errno);
	return status;
}

static struct jv_status read_id(
	const struct jv_state *state, const char *name, uint8_t *id, bool *found)
{
	char text[HEX_SIZE + 8];

	JV_TRY(read_text(state, name, text, sizeof(text)));
	*found = text[0] != '\0';
	if (*found && !jv_hex_decode(text, id, JV_STATE_ID_SIZE))
		return jv_error(JV_DATA_LOSS,
			"%s/%s is damaged: if no task of this worker runs, remove the directory, "
			"and the worker starts anew",
			state->path, name);
	return jv_ok();
}

static struct jv_status write_id(const struct jv_state *state, const char *name, const uint8_t *id)
{
	char text[HEX_SIZE + 2];

	jv_hex_encode(jv_bytes_of(id, JV_STATE_ID_SIZE), text);
	text[HEX_SIZE] = '\n';
	text[HEX_SIZE + 1] = '\0';
	return write_text(state, name, text);
}

/* Durable before anybody is told, so that no two lives have one number. */
static struct jv_status count_life(struct jv_state *state)
{
	char text[LIFE_SIZE];
	char *end = NULL;

	JV_TRY(read_text(state, "life", text, sizeof(text)));
	errno = 0;
	state->life = text[0] != '\0' ? strtoll(text, &end, 10) : 0;
	if (errno != 0 || (end != NULL && *end != '\0') || state->life < 0 ||
		state->life == INT64_MAX)
		return jv_error(JV_DATA_LOSS,
			"%s/life is damaged: write a number into it that is larger than the number "
			"of times that this worker was started",
			state->path);
	state->life++;
	snprintf(text, sizeof(text), "%" PRId64 "\n", state->life);
	return write_text(state, "life", text);
}

static struct jv_status map_lease(struct jv_state *state)
{
	JV_STATIC_ASSERT(JV_STATE_ID_SIZE == JV_BOOT_ID_SIZE, "ids of one size");
	struct jv_status status = jv_ok();
	int fd = openat(state->directory, JV_LEASE_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *mapped;

	if (fd < 0)
		return failed(state, "open the lease in", errno);
	if (ftruncate(fd, sizeof(*state->lease)) != 0)
		status = failed(state, "write to", errno);
	mapped = mmap(NULL, sizeof(*state->lease), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (jv_is_ok(&status) && mapped == MAP_FAILED)
		status = failed(state, "map the lease in", errno);
	close(fd);
	if (mapped != MAP_FAILED)
		state->lease = mapped;
	if (!jv_is_ok(&status))
		return status;
	if (memcmp(state->lease->boot_id, state->boot_id, JV_STATE_ID_SIZE) != 0) {
		atomic_store(&state->lease->until_ms, 0);
		memcpy(state->lease->boot_id, state->boot_id, JV_STATE_ID_SIZE);
	}
	return status;
}

static struct jv_status open_all(struct jv_state *state, const struct jv_env *env)
{
	bool found;

	JV_TRY(make_directories(state));
	state->directory = open(state->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state->directory < 0)
		return failed(state, "open", errno);
	JV_TRY(lock(state));
	JV_TRY(jv_boot_id_read(state->boot_id));
	JV_TRY(read_id(state, "worker_id", state->worker_id, &found));
	if (!found) {
		env->random(env, state->worker_id, JV_STATE_ID_SIZE);
		JV_TRY(write_id(state, "worker_id", state->worker_id));
	}
	JV_TRY(read_id(state, "cluster_id", state->cluster_id, &state->has_cluster));
	JV_TRY(count_life(state));
	return map_lease(state);
}

struct jv_status jv_state_open(const char *path, const struct jv_env *env, struct jv_state *state)
{
	struct jv_status status;

	memset(state, 0, sizeof(*state));
	state->directory = -1;
	state->lock = -1;
	if (path[0] != '/')
		return jv_field_error(
			JV_INVALID_ARGUMENT, "state.path", "\"%s\" is not an absolute path", path);
	state->path = jv_strdup(path);
	status = open_all(state, env);
	if (!jv_is_ok(&status))
		jv_state_close(state);
	return status;
}

void jv_state_close(struct jv_state *state)
{
	if (state->lease != NULL)
		munmap(state->lease, sizeof(*state->lease));
	if (state->lock >= 0)
		close(state->lock);
	if (state->directory >= 0)
		close(state->directory);
	free(state->path);
	memset(state, 0, sizeof(*state));
	state->directory = -1;
	state->lock = -1;
}

struct jv_status jv_state_join(struct jv_state *state, const uint8_t cluster_id[JV_STATE_ID_SIZE])
{
	JV_TRY(write_id(state, "cluster_id", cluster_id));
	memcpy(state->cluster_id, cluster_id, JV_STATE_ID_SIZE);
	state->has_cluster = true;
	return jv_ok();
}

void jv_state_lease_set(struct jv_state *state, int64_t until_ms)
{
	atomic_store(&state->lease->until_ms, until_ms);
}

int64_t jv_state_lease_get(const struct jv_state *state)
{
	return atomic_load(&state->lease->until_ms);
}
