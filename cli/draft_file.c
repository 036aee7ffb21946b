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

/* The server takes specs of 1 MiB; a file may hold many. */
#define DOCUMENT_MAX ((size_t)1024 * 1024)
#define FILE_MAX     ((size_t)256 * 1024 * 1024)

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
				"%s: task files may be 256 MiB, this one is larger", path);
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

/* One document, which begins behind so many lines of its file. */
static struct jv_status parse_one(const char *origin, struct jv_bytes text, size_t lines,
	const struct jv_schema *schema, struct jv_arena *arena, Jarvis__V1__TaskSpec **spec)
{
	struct jv_buffer json = {0};
	struct jv_buffer placed = {0};
	bool is_yaml = !is_json(origin);

	if (text.size > DOCUMENT_MAX)
		return jv_error(
			JV_INVALID_ARGUMENT, "%s: a task may be 1 MiB, this one is larger", origin);
	*spec = jv_draft_new(arena);
	struct jv_status status = jv_ok();
	struct jv_bytes read = text;
	if (is_yaml) {
		status = jv_yaml_to_json(origin, text, (*spec)->base.descriptor, &json);
		read = jv_buffer_bytes(&json);
	}
	if (jv_is_ok(&status))
		status = place(
			origin, !is_yaml, jv_json_read(schema, read, NULL, arena, &(*spec)->base));
	/* What is wrong is told with its line in the file: read once more from there. */
	if (!jv_is_ok(&status) && lines > 0 && lines + text.size <= DOCUMENT_MAX) {
		memset(jv_buffer_extend(&placed, lines), '\n', lines);
		jv_buffer_append(&placed, text.data, text.size);
		status = parse_one(origin, jv_buffer_bytes(&placed), 0, schema, arena, spec);
	}
	jv_buffer_deinit(&placed);
	jv_buffer_deinit(&json);
	return status;
}

struct jv_status jv_draft_parse(const char *origin, struct jv_bytes text,
	const struct jv_schema *schema, struct jv_arena *arena, Jarvis__V1__TaskSpec **spec)
{
	return parse_one(origin, text, 0, schema, arena, spec);
}

/* A line of `---`, perhaps with a comment, parts documents. */
static bool is_divider(const uint8_t *line, size_t size)
{
	return size >= 3 && memcmp(line, "---", 3) == 0 &&
		(size == 3 || line[3] == ' ' || line[3] == '\r' || line[3] == '\t');
}

static size_t line_size(struct jv_bytes text, size_t at)
{
	const uint8_t *end = memchr(text.data + at, '\n', text.size - at);

	return end != NULL ? (size_t)(end - text.data) - at : text.size - at;
}

/* True if there is more than comments and blank lines. */
static bool has_content(struct jv_bytes text)
{
	for (size_t at = 0; at < text.size; at += line_size(text, at) + 1) {
		size_t size = line_size(text, at);
		size_t blanks = 0;
		while (blanks < size && strchr(" \t\r", text.data[at + blanks]) != NULL)
			blanks++;
		if (blanks < size && text.data[at + blanks] != '#')
			return true;
	}
	return false;
}

/* Documents on their way out of one text. */
struct splitter {
	const char *origin;
	const struct jv_schema *schema;
	struct jv_arena *arena;
	Jarvis__V1__TaskSpec **specs;
	size_t count;
	size_t room;
};

static struct jv_status take_document(struct splitter *splitter, struct jv_bytes text, size_t lines)
{
	if (!has_content(text))
		return jv_ok();
	if (splitter->count == JV_DRAFT_DOCUMENTS_MAX)
		return jv_error(JV_INVALID_ARGUMENT, "%s: more than %d tasks", splitter->origin,
			JV_DRAFT_DOCUMENTS_MAX);
	if (splitter->count == splitter->room) {
		size_t room = splitter->room == 0 ? 8 : splitter->room * 2;
		Jarvis__V1__TaskSpec **specs =
			jv_arena_calloc(splitter->arena, room, sizeof(specs[0]));
		JV_ASSERT(specs != NULL);
		for (size_t i = 0; i < splitter->count; i++)
			specs[i] = splitter->specs[i];
		splitter->specs = specs;
		splitter->room = room;
	}
	return parse_one(splitter->origin, text, lines, splitter->schema, splitter->arena,
		&splitter->specs[splitter->count++]);
}

struct jv_status jv_draft_parse_all(const char *origin, struct jv_bytes text,
	const struct jv_schema *schema, struct jv_arena *arena, Jarvis__V1__TaskSpec ***specs,
	size_t *count)
{
	struct splitter splitter = {.origin = origin, .schema = schema, .arena = arena};
	size_t start = 0;
	size_t start_line = 0;
	size_t line = 0;

	for (size_t at = 0; at < text.size && !is_json(origin); line++) {
		size_t size = line_size(text, at);
		if (is_divider(text.data + at, size)) {
			JV_TRY(take_document(
				&splitter, jv_bytes_of(text.data + start, at - start), start_line));
			start = at + size + 1 < text.size ? at + size + 1 : text.size;
			start_line = line + 1;
		}
		at += size + 1;
	}
	JV_TRY(take_document(
		&splitter, jv_bytes_of(text.data + start, text.size - start), start_line));
	*specs = splitter.specs;
	*count = splitter.count;
	if (splitter.count > 0)
		return jv_ok();
	return jv_error(JV_INVALID_ARGUMENT,
		"%s: there is no task in it; expected fields such as \"image: busybox\"", origin);
}

struct jv_status jv_draft_read_all(const char *path, const struct jv_schema *schema,
	struct jv_arena *arena, Jarvis__V1__TaskSpec ***specs, size_t *count)
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
		status = jv_draft_parse_all(
			origin, jv_buffer_bytes(&text), schema, arena, specs, count);
	jv_buffer_deinit(&text);
	return status;
}

struct jv_status jv_draft_read(const char *path, const struct jv_schema *schema,
	struct jv_arena *arena, Jarvis__V1__TaskSpec **spec)
{
	Jarvis__V1__TaskSpec **specs = NULL;
	size_t count = 0;

	JV_TRY(jv_draft_read_all(path, schema, arena, &specs, &count));
	if (count > 1)
		return jv_error(JV_INVALID_ARGUMENT,
			"%s: there are %zu tasks in it, expected one; see task submit",
			strcmp(path, "-") == 0 ? "standard input" : path, count);
	*spec = specs[0];
	return jv_ok();
}

char *jv_draft_random_id(struct jv_arena *arena)
{
	uint8_t bytes[16];
	char *id = jv_arena_alloc(arena, 2 * sizeof(bytes) + 1);

	JV_ASSERT(id != NULL);
	jv_env_system.random(&jv_env_system, bytes, sizeof(bytes));
	jv_hex_encode(jv_bytes_of(bytes, sizeof(bytes)), id);
	return id;
}

void jv_draft_identify(struct jv_arena *arena, Jarvis__V1__TaskSpec *spec)
{
	if (spec->request_id[0] == '\0')
		spec->request_id = jv_draft_random_id(arena);
}
