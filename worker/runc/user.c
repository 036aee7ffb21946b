#include "worker/runc/user.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "worker/shim/files.h"

#define TABLE_MAX (1 << 20)
#define NAME_SIZE 128

/* Empty if the image has no such file, or something else in its place. */
static void read_table(const char *rootfs, const char *path, struct jv_buffer *out)
{
	int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return;
	const struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	close(root);
	if (fd < 0)
		return;
	char name[64];
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	struct jv_status status = jv_file_read(AT_FDCWD, name, TABLE_MAX, out);
	if (!jv_is_ok(&status))
		jv_buffer_clear(out);
	close(fd);
}

static bool parse_number(const char *text, uint32_t *number)
{
	char *end;
	errno = 0;
	unsigned long value = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value > INT32_MAX)
		return false;
	*number = (uint32_t)value;
	return true;
}

/* The field of a line name:x:first:second, counted from 0. */
static bool field_number(const char *line, int field, uint32_t *number)
{
	for (; field > 0; field--) {
		line += strcspn(line, ":\n");
		if (*line != ':')
			return false;
		line++;
	}
	char digits[16];
	snprintf(digits, sizeof(digits), "%.*s", (int)strcspn(line, ":\n"), line);
	return parse_number(digits, number);
}

/* The line whose name, or whose number in field 2, is the text. */
static const char *find_line(const char *table, const char *text)
{
	uint32_t wanted = 0;
	const bool by_number = parse_number(text, &wanted);
	const size_t length = strlen(text);
	for (const char *line = table; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
		line += *line == '\n';
		uint32_t id = 0;
		if (by_number ? field_number(line, 2, &id) && id == wanted
			      : strncmp(line, text, length) == 0 && line[length] == ':')
			return line;
	}
	return NULL;
}

static struct jv_status unknown(const char *what, const char *name)
{
	return jv_error(JV_INVALID_ARGUMENT,
		"%s %s is not known to the image: use a number, or add it to the image", what,
		name);
}

static struct jv_status resolve_user(
	const char *rootfs, const char *name, uint32_t *uid, uint32_t *gid)
{
	struct jv_buffer table = {0};
	read_table(rootfs, "etc/passwd", &table);
	const char *line = find_line(jv_buffer_text(&table), name);
	struct jv_status status = jv_ok();
	if (line != NULL && !field_number(line, 3, gid))
		*gid = 0;
	if (!parse_number(name, uid) && (line == NULL || !field_number(line, 2, uid)))
		status = unknown("user", name);
	jv_buffer_deinit(&table);
	return status;
}

static struct jv_status resolve_group(const char *rootfs, const char *name, uint32_t *gid)
{
	if (parse_number(name, gid))
		return jv_ok();
	struct jv_buffer table = {0};
	read_table(rootfs, "etc/group", &table);
	const char *line = find_line(jv_buffer_text(&table), name);
	struct jv_status status = jv_ok();
	if (line == NULL || !field_number(line, 2, gid))
		status = unknown("group", name);
	jv_buffer_deinit(&table);
	return status;
}

struct jv_status jv_user_resolve(const char *rootfs, const char *text, uint32_t *uid, uint32_t *gid)
{
	*uid = 0;
	*gid = 0;
	if (text == NULL || text[0] == '\0')
		return jv_ok();
	const char *colon = strchr(text, ':');
	size_t length = colon != NULL ? (size_t)(colon - text) : strlen(text);
	if (length == 0 || length >= NAME_SIZE)
		return jv_error(JV_INVALID_ARGUMENT, "user %.100s is not USER[:GROUP]", text);
	char user[NAME_SIZE];
	snprintf(user, sizeof(user), "%.*s", (int)length, text);
	JV_TRY(resolve_user(rootfs, user, uid, gid));
	return colon != NULL ? resolve_group(rootfs, colon + 1, gid) : jv_ok();
}
