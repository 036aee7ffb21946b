#include "worker/runc/mount.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

/* True if path is directory or below it. */
static bool is_below(const char *path, const char *directory)
{
	const size_t length = strlen(directory);
	if (strcmp(directory, "/") == 0)
		return path[0] == '/';
	return strncmp(path, directory, length) == 0 &&
		(path[length] == '/' || path[length] == '\0');
}

static bool has_dots(const char *path)
{
	for (const char *part = path; part != NULL; part = strchr(part, '/')) {
		part += *part == '/';
		if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
			return true;
	}
	return false;
}

/* What the container's own file systems cover is not to be covered again. */
static struct jv_status check_target(const char *target)
{
	static const char *const reserved[] = {"/proc", "/sys", "/dev"};
	if (target[0] != '/' || target[1] == '\0' || has_dots(target))
		return jv_error(JV_INVALID_ARGUMENT,
			"mount target %s must be an absolute path below / without ..", target);
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (is_below(target, reserved[i]))
			return jv_error(JV_INVALID_ARGUMENT,
				"mount target %s is inside %s, which belongs to the container",
				target, reserved[i]);
	return jv_ok();
}

static struct jv_status fill(const char *rule, const char *real, bool writable,
	struct jv_arena *arena, struct jv_attempt_mount *allowed)
{
	const char *rest = strcmp(rule, "/") == 0 ? real : real + strlen(rule);
	rest += *rest == '/';
	*allowed = (struct jv_attempt_mount){
		.allowed = jv_arena_copy_text(arena, rule),
		.relative = jv_arena_copy_text(arena, *rest == '\0' ? "." : rest),
		.writable = writable,
	};
	return jv_ok();
}

struct jv_status jv_mount_check(const struct jv_mount_rule *rules, size_t rule_count,
	const char *source, const char *target, bool writable, struct jv_arena *arena,
	struct jv_attempt_mount *allowed)
{
	JV_TRY(check_target(target));
	char real[PATH_MAX];
	if (source[0] != '/')
		return jv_error(JV_INVALID_ARGUMENT, "mount source %s is not absolute", source);
	if (realpath(source, real) == NULL)
		return jv_error(JV_PERMISSION_DENIED,
			"mount %s: %s on this node: create it there, or mount something else",
			source, strerror(errno));
	bool read_only_match = false;
	for (size_t i = 0; i < rule_count; i++) {
		char rule[PATH_MAX];
		if (realpath(rules[i].path, rule) == NULL || !is_below(real, rule))
			continue;
		if (!writable || rules[i].writable)
			return fill(rule, real, writable, arena, allowed);
		read_only_match = true;
	}
	if (read_only_match)
		return jv_error(JV_PERMISSION_DENIED,
			"mount %s may only be read-only on this node: set writable: false, or allow "
			"writing in the worker's configuration",
			source);
	return jv_error(JV_PERMISSION_DENIED,
		"mount %s is not allowed on this node: list it in the worker's allowed mounts%s%s",
		source, strcmp(source, real) == 0 ? "" : "; it leads to ",
		strcmp(source, real) == 0 ? "" : real);
}
