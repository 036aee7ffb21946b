#include "worker/shim/plain.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "worker/shim/files.h"

#define VERSION         1
#define TEXTS_MAX       4096
#define ENVIRONMENT_MAX (1 << 20)

static void put_text(struct jv_buffer *out, const char *text)
{
	jv_put_bytes(out, jv_bytes_of_text(text));
}

static void put_texts(struct jv_buffer *out, char *const *texts)
{
	uint64_t count = 0;
	while (texts[count] != NULL)
		count++;
	jv_put_varint(out, count);
	for (; *texts != NULL; texts++)
		put_text(out, *texts);
}

static char **get_texts(struct jv_reader *reader, struct jv_arena *arena)
{
	uint64_t count = jv_get_varint(reader);
	if (count > TEXTS_MAX) {
		reader->failed = true;
		count = 0;
	}
	char **texts = jv_arena_calloc(arena, count + 1, sizeof(*texts));
	for (uint64_t i = 0; i < count; i++)
		texts[i] = jv_arena_copy_bytes(arena, jv_get_bytes(reader));
	return texts;
}

void jv_plain_encode(const struct jv_plain *plain, struct jv_buffer *out)
{
	JV_ASSERT(plain->arguments[0] != NULL);
	jv_put_u8(out, VERSION);
	put_texts(out, plain->arguments);
	put_texts(out, plain->environment);
	put_text(out, plain->directory);
	jv_put_u8(out, plain->set_user);
	jv_put_u32(out, plain->uid);
	jv_put_u32(out, plain->gid);
	jv_put_signed(out, plain->data_bytes);
	jv_put_signed(out, plain->processes);
}

struct jv_status jv_plain_decode(
	struct jv_bytes bytes, struct jv_arena *arena, struct jv_plain *plain)
{
	struct jv_reader reader = jv_reader_of(bytes);
	uint8_t version = jv_get_u8(&reader);
	*plain = (struct jv_plain){.arguments = get_texts(&reader, arena)};
	plain->environment = get_texts(&reader, arena);
	plain->directory = jv_arena_copy_bytes(arena, jv_get_bytes(&reader));
	plain->set_user = jv_get_u8(&reader) != 0;
	plain->uid = jv_get_u32(&reader);
	plain->gid = jv_get_u32(&reader);
	plain->data_bytes = jv_get_signed(&reader);
	plain->processes = jv_get_signed(&reader);
	if (reader.failed || version < VERSION || plain->arguments[0] == NULL)
		return jv_error(JV_DATA_LOSS, "the process of the attempt's plan is damaged");
	return jv_ok();
}

static void read_of(long pid, const char *name, struct jv_buffer *out)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%ld/%s", pid, name);
	struct jv_status status = jv_file_read(AT_FDCWD, path, ENVIRONMENT_MAX, out);
	if (!jv_is_ok(&status))
		jv_buffer_clear(out);
}

static bool is_marked(long pid, const void *context)
{
	const char *mark = context;
	struct jv_buffer content = {0};
	char setting[512];
	int length = snprintf(setting, sizeof(setting), JV_PLAIN_MARK "=%s", mark);
	read_of(pid, "environ", &content);
	bool found = false;
	for (const char *at = jv_buffer_text(&content), *end = at + content.size;
		at < end && !found; at += strlen(at) + 1)
		found = length < (int)sizeof(setting) && strcmp(at, setting) == 0;
	jv_buffer_deinit(&content);
	return found;
}

/* The parent stands behind the name, which may hold anything, and the state. */
static bool is_child(long pid, const void *context)
{
	const long *parent = context;
	struct jv_buffer content = {0};
	read_of(pid, "stat", &content);
	const char *behind = strrchr(jv_buffer_text(&content), ')');
	bool found =
		behind != NULL && strlen(behind) > 4 && strtol(behind + 4, NULL, 10) == *parent;
	jv_buffer_deinit(&content);
	return found;
}

static uint32_t kill_where(bool (*matches)(long pid, const void *context), const void *context)
{
	DIR *entries = opendir("/proc");
	uint32_t count = 0;
	if (entries == NULL)
		return 0;
	const struct dirent *entry;
	while ((entry = readdir(entries)) != NULL) {
		long pid = isdigit((unsigned char)entry->d_name[0]) != 0
			? strtol(entry->d_name, NULL, 10)
			: 0;
		if (pid <= 1 || !matches(pid, context))
			continue;
		count++;
		kill((pid_t)pid, SIGKILL);
	}
	closedir(entries);
	return count;
}

uint32_t jv_plain_kill_marked(const char *mark)
{
	JV_ASSERT(mark[0] != '\0');
	return kill_where(is_marked, mark);
}

uint32_t jv_plain_kill_children(void)
{
	const long self = getpid();
	return kill_where(is_child, &self);
}
