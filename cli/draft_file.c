#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/env.h"
#include "cli/draft.h"
#include "cli/yaml.h"
#include "proto/wire/json.h"

/* The server takes specs of 1 MiB. */
#define FILE_MAX ((size_t)1024 * 1024)

static struct jv_status read_all(int fd, const char *path, struct jv_buffer *out)
{
	for (;;) {
		const size_t step = 16384;
		uint8_t *at = jv_buffer_extend(out, step);
		ssize_t got = read(fd, at, step);
		out->size -= step;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return jv_error(JV_INVALID_ARGUMENT, "cannot read the task file %s: %s",
				path, strerror(errno));
		if (got == 0)
			return jv_ok();
		out->size += (size_t)got;
		if (out->size > FILE_MAX)
			return jv_error(JV_INVALID_ARGUMENT,
				"%s: a task file may be 1 MiB, this one is larger", path);
	}
}

/* "line 3, column 5: ..." becomes "file:3:5: field: ..."; YAML's columns are not those of the JSON
 * that was made of it. */
static struct jv_status place(const char *origin, bool with_column, struct jv_status status)
{
	unsigned line = 0;
	unsigned column = 0;
	int size = 0;
	char where[32] = "";
	const char *colon = status.field[0] != '\0' ? ": " : "";

	if (jv_is_ok(&status))
		return status;
	if (sscanf(status.message, "line %u, column %u: %n", &line, &column, &size) < 2 ||
		size == 0)
		return jv_status_context(status, "%s", origin);
	if (with_column)
		snprintf(where, sizeof(where), "%u:%u", line, column);
	else
		snprintf(where, sizeof(where), "%u", line);
	return jv_error(status.code, "%s:%s: %s%s%s", origin, where, status.field, colon,
		status.message + size);
}

static bool is_json(const char *origin)
{
	size_t size = strlen(origin);

	return size > 5 && strcmp(origin + size - 5, ".json") == 0;
}

Jarvis__V1__TaskSpec *jv_draft_new(struct jv_arena *arena)
{
	Jarvis__V1__TaskSpec *spec = jv_arena_alloc(arena, sizeof(*spec));

	JV_ASSERT(spec != NULL);
	jarvis__v1__task_spec__init(spec);
	return spec;
}

struct jv_status jv_draft_parse(const char *origin, struct jv_bytes text,
	const struct jv_schema *schema, struct jv_arena *arena, Jarvis__V1__TaskSpec **spec)
{
	struct jv_buffer json = {0};
	struct jv_status status = jv_ok();
	bool column = is_json(origin);

	*spec = jv_draft_new(arena);
	if (!column) {
		status = jv_yaml_to_json(origin, text, (*spec)->base.descriptor, &json);
		text = jv_buffer_bytes(&json);
	}
	if (jv_is_ok(&status))
		status = place(
			origin, column, jv_json_read(schema, text, NULL, arena, &(*spec)->base));
	jv_buffer_deinit(&json);
	return status;
}

struct jv_status jv_draft_read(const char *path, const struct jv_schema *schema,
	struct jv_arena *arena, Jarvis__V1__TaskSpec **spec)
{
	bool is_stdin = strcmp(path, "-") == 0;
	const char *origin = is_stdin ? "standard input" : path;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	struct jv_buffer text = {0};

	if (fd < 0)
		return jv_error(errno == ENOENT ? JV_NOT_FOUND : JV_INVALID_ARGUMENT,
			"cannot open the task file %s: %s", path, strerror(errno));
	struct jv_status status = read_all(fd, origin, &text);
	if (!is_stdin)
		close(fd);
	if (jv_is_ok(&status))
		status = jv_draft_parse(origin, jv_buffer_bytes(&text), schema, arena, spec);
	jv_buffer_deinit(&text);
	return status;
}

void jv_draft_identify(struct jv_arena *arena, Jarvis__V1__TaskSpec *spec)
{
	uint8_t bytes[16];
	char *id;

	if (spec->request_id[0] != '\0')
		return;
	id = jv_arena_alloc(arena, 2 * sizeof(bytes) + 1);
	JV_ASSERT(id != NULL);
	jv_env_system.random(&jv_env_system, bytes, sizeof(bytes));
	jv_hex_encode(jv_bytes_of(bytes, sizeof(bytes)), id);
	spec->request_id = id;
}
