#include "worker/runc/seccomp.h"

#include <string.h>

#include "base/assert.h"
#include "worker/seccomp/default.h"

#if defined(__x86_64__)
#define OCI_ARCHITECTURE    "SCMP_ARCH_X86_64"
#define DOCKER_ARCHITECTURE "amd64"
#elif defined(__aarch64__)
#define OCI_ARCHITECTURE    "SCMP_ARCH_AARCH64"
#define DOCKER_ARCHITECTURE "arm64"
#else
#error "name this architecture as libseccomp and as Docker do"
#endif

struct jv_bytes jv_seccomp_default(void)
{
	return jv_bytes_of(jv_seccomp_default_json, jv_seccomp_default_json_size);
}

static bool is_granted(const char *const *capabilities, const char *name)
{
	for (; *capabilities != NULL; capabilities++)
		if (strcmp(*capabilities, name) == 0)
			return true;
	return false;
}

static bool holds_text(const json_t *array, const char *text)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *value = json_string_value(json_array_get(array, i));
		if (value != NULL && strcmp(value, text) == 0)
			return true;
	}
	return false;
}

static size_t count_granted(const json_t *array, const char *const *capabilities)
{
	size_t count = 0;
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *name = json_string_value(json_array_get(array, i));
		count += name != NULL && is_granted(capabilities, name);
	}
	return count;
}

/* Docker's rule: all included capabilities must be granted, no excluded one may be. */
static bool applies(const json_t *entry, const char *const *capabilities)
{
	const json_t *includes = json_object_get(entry, "includes");
	const json_t *excludes = json_object_get(entry, "excludes");
	const json_t *caps = json_object_get(includes, "caps");
	const json_t *arches = json_object_get(includes, "arches");
	if (json_array_size(arches) > 0 && !holds_text(arches, DOCKER_ARCHITECTURE))
		return false;
	if (count_granted(caps, capabilities) < json_array_size(caps))
		return false;
	return count_granted(json_object_get(excludes, "caps"), capabilities) == 0 &&
		!holds_text(json_object_get(excludes, "arches"), DOCKER_ARCHITECTURE);
}

/* Copies a member that both forms have under one name. */
static void carry(const json_t *from, json_t *to, const char *key)
{
	json_t *value = json_object_get(from, key);
	bool empty = json_is_array(value) && json_array_size(value) == 0;
	if (value != NULL && !json_is_null(value) && !empty)
		json_object_set(to, key, value);
}

static json_t *convert_entry(const json_t *entry)
{
	json_t *rule = json_object();
	carry(entry, rule, "names");
	carry(entry, rule, "action");
	carry(entry, rule, "errnoRet");
	carry(entry, rule, "args");
	return rule;
}

static bool is_entry(const json_t *entry)
{
	return json_array_size(json_object_get(entry, "names")) > 0 &&
		json_is_string(json_object_get(entry, "action"));
}

static struct jv_status convert(
	const json_t *profile, const char *const *capabilities, json_t *seccomp)
{
	const json_t *entries = json_object_get(profile, "syscalls");
	if (!json_is_string(json_object_get(profile, "defaultAction")) || !json_is_array(entries))
		return jv_error(JV_INVALID_ARGUMENT,
			"the seccomp profile has no defaultAction and syscalls: it must be in "
			"Docker's form");
	carry(profile, seccomp, "defaultAction");
	carry(profile, seccomp, "defaultErrnoRet");
	json_object_set_new(seccomp, "architectures", json_pack("[s]", OCI_ARCHITECTURE));
	json_t *rules = json_array();
	json_object_set_new(seccomp, "syscalls", rules);
	for (size_t i = 0; i < json_array_size(entries); i++) {
		const json_t *entry = json_array_get(entries, i);
		if (!is_entry(entry))
			return jv_error(JV_INVALID_ARGUMENT,
				"entry %zu of the seccomp profile's syscalls has no names or no action",
				i);
		if (applies(entry, capabilities))
			json_array_append_new(rules, convert_entry(entry));
	}
	return jv_ok();
}

struct jv_status jv_seccomp_convert(
	struct jv_bytes profile, const char *const *capabilities, json_t **seccomp)
{
	json_error_t error;
	json_t *parsed = json_loadb((const char *)profile.data, profile.size, 0, &error);
	if (parsed == NULL)
		return jv_error(JV_INVALID_ARGUMENT, "the seccomp profile is not JSON: line %d: %s",
			error.line, error.text);
	*seccomp = json_object();
	struct jv_status status = convert(parsed, capabilities, *seccomp);
	json_decref(parsed);
	if (!jv_is_ok(&status)) {
		json_decref(*seccomp);
		*seccomp = NULL;
	}
	return status;
}
