#include "cli/context.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/config_node.h"
#include "base/nearest.h"
#include "proto/wire/json.h"

#define TOKEN_MAX 8192
#define SIGNALS   3
#define LETTERS   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

/* The keys of a context, but for tls. */
static const struct {
	const char *key;
	size_t offset;
} texts[] = {
	{"server", offsetof(struct jv_context, server)},
	{"ca", offsetof(struct jv_context, ca)},
	{"cert", offsetof(struct jv_context, cert)},
	{"key", offsetof(struct jv_context, key)},
	{"server-name", offsetof(struct jv_context, server_name)},
	{"token-file", offsetof(struct jv_context, token_file)},
	{"token", offsetof(struct jv_context, token)},
};

#define TEXT_COUNT (sizeof(texts) / sizeof(texts[0]))

static const char **text_at(struct jv_context *context, size_t i)
{
	return (const char **)(void *)((char *)context + texts[i].offset);
}

struct jv_status jv_contexts_path(struct jv_arena *arena, const char **path)
{
	const char *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");

	if (config != NULL && config[0] == '/')
		*path = jv_arena_printf(arena, "%s/jarvis/contexts.yaml", config);
	else if (home != NULL && home[0] == '/')
		*path = jv_arena_printf(arena, "%s/.config/jarvis/contexts.yaml", home);
	else
		return jv_error(JV_FAILED_PRECONDITION,
			"contexts are kept below the home directory: set HOME or XDG_CONFIG_HOME");
	return jv_ok();
}

static struct jv_status unknown_key(
	const char *origin, const struct jv_config_node *value, const char *const *names)
{
	const char *nearest = jv_nearest(value->key->text, names);
	struct jv_status status =
		jv_error(JV_INVALID_ARGUMENT, "there is no key \"%.40s\"", value->key->text);

	if (nearest != NULL)
		status = jv_error(JV_INVALID_ARGUMENT,
			"there is no key \"%.40s\"; did you mean \"%s\"?", value->key->text,
			nearest);
	return jv_config_node_context(status, origin, value->key);
}

static struct jv_status expect(
	const char *origin, const struct jv_config_node *node, enum jv_config_node_kind kind)
{
	if (node->kind == kind)
		return jv_ok();
	return jv_config_node_context(
		jv_error(JV_INVALID_ARGUMENT,
			kind == JV_CONFIG_NODE_MAPPING ? "expected a mapping" : "expected a text"),
		origin, node);
}

static struct jv_status parse_value(
	const char *origin, const struct jv_config_node *value, struct jv_context *context)
{
	const char *names[TEXT_COUNT + 2] = {"tls"};

	JV_TRY(expect(origin, value, JV_CONFIG_NODE_SCALAR));
	if (strcmp(value->key->text, "tls") == 0) {
		context->tls = strcmp(value->text, "true") == 0;
		if (context->tls || strcmp(value->text, "false") == 0)
			return jv_ok();
		return jv_config_node_context(
			jv_error(JV_INVALID_ARGUMENT, "expected true or false"), origin, value);
	}
	for (size_t i = 0; i < TEXT_COUNT; i++) {
		names[i + 1] = texts[i].key;
		if (strcmp(texts[i].key, value->key->text) == 0) {
			*text_at(context, i) = value->text;
			return jv_ok();
		}
	}
	return unknown_key(origin, value, names);
}

static struct jv_status parse_contexts(
	const char *origin, const struct jv_config_node *node, struct jv_contexts *contexts)
{
	JV_TRY(expect(origin, node, JV_CONFIG_NODE_MAPPING));
	for (const struct jv_config_node *item = node->first; item != NULL; item = item->next) {
		if (contexts->count == JV_CONTEXTS_MAX)
			return jv_error(JV_INVALID_ARGUMENT, "%s: more than %d contexts", origin,
				JV_CONTEXTS_MAX);
		struct jv_context *context = &contexts->items[contexts->count++];
		*context = (struct jv_context){.name = item->key->text};
		JV_TRY(expect(origin, item, JV_CONFIG_NODE_MAPPING));
		JV_TRY(jv_config_node_context(
			jv_context_check_name(context->name), origin, item->key));
		for (const struct jv_config_node *value = item->first; value != NULL;
			value = value->next)
			JV_TRY(parse_value(origin, value, context));
	}
	return jv_ok();
}

struct jv_status jv_contexts_parse(const char *origin, struct jv_bytes text, struct jv_arena *arena,
	struct jv_contexts *contexts)
{
	static const char *const names[] = {"current", "contexts", NULL};
	const struct jv_config_node *root = NULL;

	memset(contexts, 0, sizeof(*contexts));
	JV_TRY(jv_config_node_parse(arena, origin, text, &root));
	if (root == NULL)
		return jv_ok();
	JV_TRY(expect(origin, root, JV_CONFIG_NODE_MAPPING));
	for (const struct jv_config_node *value = root->first; value != NULL; value = value->next) {
		if (strcmp(value->key->text, "contexts") == 0) {
			JV_TRY(parse_contexts(origin, value, contexts));
		} else if (strcmp(value->key->text, "current") == 0) {
			JV_TRY(expect(origin, value, JV_CONFIG_NODE_SCALAR));
			contexts->current = value->text;
		} else {
			return unknown_key(origin, value, names);
		}
	}
	return jv_ok();
}

struct jv_status jv_contexts_load(struct jv_arena *arena, struct jv_contexts *contexts)
{
	const char *path;
	struct jv_buffer text = {0};

	memset(contexts, 0, sizeof(*contexts));
	JV_TRY(jv_contexts_path(arena, &path));
	struct jv_status status = jv_config_file_read(path, &text);
	if (jv_is_ok(&status))
		status = jv_contexts_parse(path, jv_buffer_bytes(&text), arena, contexts);
	else if (status.code == JV_NOT_FOUND)
		status = jv_ok();
	jv_buffer_deinit(&text);
	return status;
}

/* JSON's texts are YAML's too. */
static void pair_print(struct jv_buffer *out, const char *key, const char *value)
{
	jv_buffer_printf(out, "    %s: ", key);
	jv_json_write_text(out, jv_bytes_of_text(value));
	jv_buffer_append_byte(out, '\n');
}

void jv_contexts_print(const struct jv_contexts *contexts, struct jv_buffer *out)
{
	jv_buffer_append_text(out, "# Written by jarvis context; may hold tokens.\n");
	if (contexts->current != NULL) {
		jv_buffer_append_text(out, "current: ");
		jv_json_write_text(out, jv_bytes_of_text(contexts->current));
		jv_buffer_append_byte(out, '\n');
	}
	jv_buffer_append_text(out, contexts->count > 0 ? "contexts:\n" : "contexts: {}\n");
	for (size_t i = 0; i < contexts->count; i++) {
		struct jv_context context = contexts->items[i];
		jv_buffer_printf(out, "  \"%s\":\n    tls: %s\n", context.name,
			context.tls ? "true" : "false");
		for (size_t j = 0; j < TEXT_COUNT; j++) {
			if (*text_at(&context, j) != NULL)
				pair_print(out, texts[j].key, *text_at(&context, j));
		}
	}
}

/* Makes the folders above a file; those of others are left as they are. */
static void make_folders(char *path)
{
	for (char *at = path + 1; *at != '\0'; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		/* What cannot be made is noticed when the file is. */
		(void)mkdir(path, 0700);
		*at = '/';
	}
}

struct jv_status jv_contexts_lock(struct jv_arena *arena, int *fd)
{
	const char *path;

	JV_TRY(jv_contexts_path(arena, &path));
	char *folder = jv_arena_copy_text(arena, path);
	make_folders(folder);
	*strrchr(folder, '/') = '\0';
	*fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return jv_error(JV_INTERNAL, "cannot make %s: %s", folder, strerror(errno));
	while (flock(*fd, LOCK_EX) != 0 && errno == EINTR)
		continue;
	return jv_ok();
}

static bool write_all(int fd, const struct jv_buffer *text)
{
	for (size_t at = 0; at < text->size;) {
		ssize_t written = write(fd, text->data + at, text->size - at);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		at += (size_t)written;
	}
	return fsync(fd) == 0;
}

struct jv_status jv_contexts_save(struct jv_arena *arena, const struct jv_contexts *contexts)
{
	const char *path;
	struct jv_buffer text = {0};

	JV_TRY(jv_contexts_path(arena, &path));
	char *beside = jv_arena_printf(arena, "%s.XXXXXX", path);
	jv_contexts_print(contexts, &text);
	/* mkstemp makes it for its owner alone. */
	int fd = mkstemp(beside);
	bool saved = fd >= 0 && write_all(fd, &text);
	int error = errno;
	if (fd >= 0)
		close(fd);
	if (saved && rename(beside, path) != 0) {
		saved = false;
		error = errno;
	}
	if (fd >= 0 && !saved)
		unlink(beside);
	jv_buffer_deinit(&text);
	return saved ? jv_ok()
		     : jv_error(JV_INTERNAL, "cannot write %s: %s", path, strerror(error));
}

struct jv_status jv_contexts_find(
	const struct jv_contexts *contexts, const char *name, size_t *index)
{
	const char *names[JV_CONTEXTS_MAX + 1] = {NULL};

	for (size_t i = 0; i < contexts->count; i++) {
		names[i] = contexts->items[i].name;
		if (strcmp(names[i], name) == 0) {
			*index = i;
			return jv_ok();
		}
	}
	const char *nearest = jv_nearest(name, names);
	if (nearest != NULL)
		return jv_error(JV_INVALID_ARGUMENT,
			"there is no context \"%.63s\"; did you mean \"%s\"?", name, nearest);
	return jv_error(JV_INVALID_ARGUMENT, "there is no context \"%.63s\"", name);
}

struct jv_status jv_context_check_name(const char *name)
{
	size_t size = strlen(name);

	if (size >= 1 && size <= 63 && strspn(name, LETTERS) == size)
		return jv_ok();
	return jv_error(JV_INVALID_ARGUMENT,
		"a context's name has 1 to 63 characters of [a-zA-Z0-9._-], got \"%.63s\"", name);
}

/* The terminal that shows nothing now, and how it was before. */
static int hidden_fd;
static struct termios shown;

/* Who interrupts us must see again what is typed. */
static void show_again(int number)
{
	tcsetattr(hidden_fd, TCSAFLUSH, &shown);
	/* Once more, as if it had not been caught. */
	raise(number);
}

/* Reads a line; one that is typed at a terminal is asked for, and not shown. */
static bool read_line(FILE *file, char *line, size_t size)
{
	static const int numbers[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
	const struct sigaction action = {.sa_handler = show_again, .sa_flags = (int)SA_RESETHAND};
	struct sigaction before[SIGNALS];
	struct termios hidden;

	hidden_fd = fileno(file);
	if (!isatty(hidden_fd) || tcgetattr(hidden_fd, &shown) != 0)
		return fgets(line, (int)size, file) != NULL;
	for (size_t i = 0; i < SIGNALS; i++)
		sigaction(numbers[i], &action, &before[i]);
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	fputs("Token: ", stderr);
	tcsetattr(hidden_fd, TCSAFLUSH, &hidden);
	bool got = fgets(line, (int)size, file) != NULL;
	tcsetattr(hidden_fd, TCSAFLUSH, &shown);
	fputc('\n', stderr);
	for (size_t i = 0; i < SIGNALS; i++)
		sigaction(numbers[i], &before[i], NULL);
	return got;
}

struct jv_status jv_context_read_token(const char *path, struct jv_arena *arena, const char **token)
{
	bool is_stdin = strcmp(path, "-") == 0;
	const char *origin = is_stdin ? "standard input" : path;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	char line[TOKEN_MAX];

	if (file == NULL)
		return jv_error(JV_INVALID_ARGUMENT, "cannot read the token of %s: %s", origin,
			strerror(errno));
	bool got = read_line(file, line, sizeof(line));
	if (!is_stdin)
		fclose(file);
	char *start = line + (got ? strspn(line, " \t") : 0);
	size_t size = got ? strcspn(start, " \t\r\n") : 0;
	if (size == 0 || size == TOKEN_MAX - 1)
		return jv_error(JV_INVALID_ARGUMENT,
			"the first line of %s must be a token of 1 to %d characters", origin,
			TOKEN_MAX - 2);
	*token = jv_arena_copy_bytes(arena, jv_bytes_of(start, size));
	return jv_ok();
}
