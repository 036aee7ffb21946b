/* config.json: valid by the OCI schema, and saying what the task asked for. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <spawn.h>
#include <sys/wait.h>

#include "worker/runc/bundle.h"
#include "worker/runc/seccomp.h"
#include "worker/runc/user.h"
#include "worker/shim/files.h"

#define FIXTURES "testing/fixtures/oci"

extern char **environ;

static char directory[] = "/tmp/jarvis-unit-XXXXXX";
static struct jv_bundle_settings settings;
static Jarvis__V1__TaskSpec spec;
static Jarvis__V1__Resources resources;
static char *command[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c"};
static char *args[] = {(char *)(uintptr_t) "echo \"é\"\n"};
static json_t *image;
static json_t *profile;
static uint32_t id_base;

static int set_up(void **state)
{
	(void)state;
	jarvis__v1__task_spec__init(&spec);
	jarvis__v1__resources__init(&resources);
	spec.resources = &resources;
	resources.cpu_millis = 1500;
	resources.memory_bytes = 1 << 28;
	resources.pids = 99;
	settings = (struct jv_bundle_settings){
		.tools = "/state/tools", .swap_limit = true, .allow_host_network = true};
	struct jv_status status =
		jv_seccomp_convert(jv_seccomp_default(), jv_bundle_capabilities(), &profile);
	image = json_pack("{s[s], s[s, s], s[s, s], ss, ss}", "Entrypoint", "/entry", "Cmd", "one",
		"two", "Env", "PATH=/image", "COLOUR=red", "WorkingDir", "/work", "User", "guest");
	return !jv_is_ok(&status);
}

static int tear_down(void **state)
{
	(void)state;
	json_decref(profile);
	json_decref(image);
	return 0;
}

static struct jv_status try_config(const json_t *of_image, json_t **config)
{
	const struct jv_bundle bundle = {.task = "t-1",
		.scratch = "/state/scratch",
		.cgroup_path = "/jarvis/x/t-1.1",
		.id_base = id_base,
		.image_rootfs = directory,
		.image = of_image,
		.spec = &spec};
	struct jv_buffer text = {0};
	struct jv_status status = jv_bundle_config(&settings, &bundle, &text);
	*config = jv_is_ok(&status) ? json_loadb((char *)text.data, text.size, 0, NULL) : NULL;
	jv_buffer_deinit(&text);
	return status;
}

static json_t *config_of(const json_t *of_image)
{
	json_t *config;
	struct jv_status status = try_config(of_image, &config);
	if (!jv_is_ok(&status))
		fail_msg("%s", status.message);
	return config;
}

static void validate(const json_t *config)
{
	char file[64];
	snprintf(file, sizeof(file), "%s/config.json", directory);
	assert_int_equal(json_dump_file(config, file, 0), 0);
	char *arguments[] = {(char *)(uintptr_t) "/usr/bin/python3",
		(char *)(uintptr_t)FIXTURES "/validate.py", (char *)(uintptr_t)FIXTURES, file,
		NULL};
	pid_t pid;
	int status = -1;
	assert_int_equal(posix_spawn(&pid, arguments[0], NULL, NULL, arguments, environ), 0);
	waitpid(pid, &status, 0);
	unlink(file);
	assert_int_equal(status, 0);
}

/* The text at a path such as process/args/2. */
static const char *text_at(const json_t *config, const char *path)
{
	char part[64];
	while (config != NULL && *path != '\0') {
		size_t length = strcspn(path, "/");
		snprintf(part, sizeof(part), "%.*s", (int)length, path);
		config = json_is_array(config) ? json_array_get(config, strtoul(part, NULL, 10))
					       : json_object_get(config, part);
		path += length + (path[length] == '/');
	}
	static char number[32];
	if (json_is_integer(config)) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(config));
		return number;
	}
	return json_is_true(config)      ? "true"
		: json_is_string(config) ? json_string_value(config)
					 : "";
}

static void a_config_is_valid_and_says_what_was_asked(void **state)
{
	(void)state;
	spec.command = command;
	spec.n_command = 2;
	spec.args = args;
	spec.n_args = 1;
	json_t *config = config_of(NULL);
	validate(config);
	assert_string_equal(text_at(config, "ociVersion"), "1.0.2");
	assert_string_equal(text_at(config, "process/args/0"), "/dev/jarvis/jarvis-init");
	assert_string_equal(text_at(config, "process/args/1"), "init");
	assert_string_equal(text_at(config, "process/args/2"), "/bin/sh");
	assert_string_equal(text_at(config, "process/args/4"), "echo \"é\"\n");
	assert_string_equal(text_at(config, "process/noNewPrivileges"), "true");
	assert_string_equal(text_at(config, "process/user/uid"), "0");
	assert_string_equal(text_at(config, "process/cwd"), "/");
	assert_string_equal(text_at(config, "hostname"), "t-1");
	assert_string_equal(text_at(config, "root/path"), "/state/scratch/merged");
	assert_string_equal(text_at(config, "linux/cgroupsPath"), "/jarvis/x/t-1.1");
	assert_string_equal(text_at(config, "linux/resources/cpu/quota"), "150000");
	assert_string_equal(text_at(config, "linux/resources/cpu/shares"), "1536");
	assert_string_equal(text_at(config, "linux/resources/memory/limit"), "268435456");
	assert_string_equal(text_at(config, "linux/resources/memory/swap"), "268435456");
	assert_string_equal(text_at(config, "linux/resources/pids/limit"), "99");
	assert_string_equal(text_at(config, "mounts/7/destination"), "/dev/jarvis");
	assert_string_equal(text_at(config, "mounts/7/source"), "/state/tools");
	assert_string_equal(text_at(config, "mounts/7/options/1"), "ro");
	assert_int_equal(
		json_array_size(json_object_get(json_object_get(config, "linux"), "namespaces")),
		6);
	json_decref(config);
}

static void an_images_own_settings_are_defaults(void **state)
{
	(void)state;
	char passwd[64];
	snprintf(passwd, sizeof(passwd), "%s/etc", directory);
	mkdir(passwd, 0755);
	snprintf(passwd, sizeof(passwd), "%s/etc/passwd", directory);
	struct jv_status status = jv_file_write(
		AT_FDCWD, passwd, jv_bytes_of_text("root:x:0:0::/:\nguest:x:12:34::/:\n"), 0644);
	assert_true(jv_is_ok(&status));
	spec.n_command = 0;
	spec.n_args = 0;
	spec.no_init = 1;
	json_t *config = config_of(image);
	validate(config);
	assert_string_equal(text_at(config, "process/args/1"), "exec");
	assert_string_equal(text_at(config, "process/args/2"), "/entry");
	assert_string_equal(text_at(config, "process/args/4"), "two");
	assert_string_equal(text_at(config, "process/env/0"), "PATH=/image");
	assert_string_equal(text_at(config, "process/env/2"), "COLOUR=red");
	assert_string_equal(text_at(config, "process/cwd"), "/work");
	assert_string_equal(text_at(config, "process/user/uid"), "12");
	assert_string_equal(text_at(config, "process/user/gid"), "34");
	json_decref(config);
	spec.args = args;
	spec.n_args = 1;
	config = config_of(image);
	assert_string_equal(text_at(config, "process/args/2"), "/entry");
	assert_string_equal(text_at(config, "process/args/3"), "echo \"é\"\n");
	assert_string_equal(text_at(config, "process/args/4"), "");
	json_decref(config);
	spec.n_args = 0;
	spec.command = command;
	spec.n_command = 1;
	config = config_of(image);
	assert_string_equal(text_at(config, "process/args/2"), "/bin/sh");
	assert_string_equal(text_at(config, "process/args/3"), "");
	json_decref(config);
	spec.no_init = 0;
}

static void a_tasks_environment_wins(void **state)
{
	(void)state;
	Jarvis__V1__TaskSpec__EnvEntry entry = JARVIS__V1__TASK_SPEC__ENV_ENTRY__INIT;
	Jarvis__V1__TaskSpec__EnvEntry *entries[] = {&entry};
	entry.key = (char *)(uintptr_t) "COLOUR";
	entry.value = (char *)(uintptr_t) "blue=green";
	spec.env = entries;
	spec.n_env = 1;
	json_t *config = config_of(image);
	assert_string_equal(text_at(config, "process/env/2"), "COLOUR=blue=green");
	assert_string_equal(text_at(config, "process/env/3"), "");
	json_decref(config);
	spec.n_env = 0;
}

static void a_trace_stands_in_the_environment_unless_the_task_sets_it(void **state)
{
	Jarvis__V1__TaskSpec__EnvEntry entry = JARVIS__V1__TASK_SPEC__ENV_ENTRY__INIT;
	Jarvis__V1__TaskSpec__EnvEntry *entries[] = {&entry};

	(void)state;
	spec.trace_parent = (char *)(uintptr_t) "00-1-2-01";
	json_t *config = config_of(image);
	assert_string_equal(text_at(config, "process/env/3"), "TRACEPARENT=00-1-2-01");
	json_decref(config);
	entry.key = (char *)(uintptr_t) "TRACEPARENT";
	entry.value = (char *)(uintptr_t) "mine";
	spec.env = entries;
	spec.n_env = 1;
	config = config_of(image);
	assert_string_equal(text_at(config, "process/env/3"), "TRACEPARENT=mine");
	assert_string_equal(text_at(config, "process/env/4"), "");
	json_decref(config);
	spec.n_env = 0;
	spec.trace_parent = (char *)(uintptr_t) "";
}

static void a_network_is_the_hosts_only_if_allowed(void **state)
{
	(void)state;
	json_t *config;
	spec.network = JARVIS__V1__NETWORK_MODE__NETWORK_MODE_HOST;
	config = config_of(image);
	validate(config);
	assert_int_equal(
		json_array_size(json_object_get(json_object_get(config, "linux"), "namespaces")),
		5);
	json_decref(config);
	settings.allow_host_network = false;
	struct jv_status status = try_config(image, &config);
	assert_int_equal(status.code, JV_PERMISSION_DENIED);
	settings.allow_host_network = true;
	spec.network = (Jarvis__V1__NetworkMode)77;
	status = try_config(image, &config);
	assert_int_equal(status.code, JV_PERMISSION_DENIED);
	spec.network = JARVIS__V1__NETWORK_MODE__NETWORK_MODE_NONE;
}

static void limits_of_zero_are_left_out(void **state)
{
	(void)state;
	jarvis__v1__resources__init(&resources);
	json_t *config = config_of(image);
	validate(config);
	const json_t *found = json_object_get(json_object_get(config, "linux"), "resources");
	assert_null(json_object_get(found, "cpu"));
	assert_null(json_object_get(found, "memory"));
	assert_null(json_object_get(found, "pids"));
	json_decref(config);
	resources.cpu_millis = 1;
	config = config_of(image);
	assert_string_equal(text_at(config, "linux/resources/cpu/quota"), "1000");
	assert_string_equal(text_at(config, "linux/resources/cpu/shares"), "10");
	json_decref(config);
}

static void users_are_resolved_inside_the_image(void **state)
{
	(void)state;
	uint32_t uid = 1;
	uint32_t gid = 1;
	struct jv_status status = jv_user_resolve(directory, "", &uid, &gid);
	assert_true(jv_is_ok(&status));
	assert_int_equal(uid + gid, 0);
	status = jv_user_resolve(directory, "5:6", &uid, &gid);
	assert_true(jv_is_ok(&status));
	assert_int_equal(uid, 5);
	assert_int_equal(gid, 6);
	status = jv_user_resolve(directory, "12", &uid, &gid);
	assert_int_equal(gid, 34);
	status = jv_user_resolve(directory, "99", &uid, &gid);
	assert_int_equal(uid, 99);
	assert_int_equal(gid, 0);
	static const char *const bad[] = {"nobody", "guest:staff", ":", ":1", "-1", "99999999999"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		status = jv_user_resolve(directory, bad[i], &uid, &gid);
		assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	}
	char path[64];
	snprintf(path, sizeof(path), "%s/etc/group", directory);
	assert_int_equal(symlink("/etc/group", path), 0);
	status = jv_user_resolve(directory, "0:root", &uid, &gid);
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
}

static void a_user_namespace_maps_all_its_ids(void **state)
{
	(void)state;
	json_t *config = config_of(image);
	assert_null(json_object_get(json_object_get(config, "linux"), "uidMappings"));
	json_decref(config);
	id_base = 1 << 30;
	config = config_of(image);
	validate(config);
	assert_string_equal(text_at(config, "linux/uidMappings/0/hostID"), "1073741824");
	assert_string_equal(text_at(config, "linux/gidMappings/0/size"), "65536");
	assert_string_equal(text_at(config, "linux/namespaces/5/type"), "user");
	json_decref(config);
	spec.user = (char *)(uintptr_t) "5:65536";
	struct jv_status status = try_config(image, &config);
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	spec.user = (char *)(uintptr_t) "";
	id_base = 0;
}

static size_t count_names(const json_t *seccomp, const char *name, const char *action)
{
	size_t count = 0;
	const json_t *rules = json_object_get(seccomp, "syscalls");
	for (size_t i = 0; i < json_array_size(rules); i++) {
		const json_t *rule = json_array_get(rules, i);
		const json_t *names = json_object_get(rule, "names");
		if (strcmp(json_string_value(json_object_get(rule, "action")), action) != 0)
			continue;
		for (size_t j = 0; j < json_array_size(names); j++)
			count += strcmp(json_string_value(json_array_get(names, j)), name) == 0;
	}
	return count;
}

static void a_profile_depends_on_capabilities(void **state)
{
	(void)state;
	static const char *const all[] = {
		"CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_AUDIT_WRITE", "CAP_BPF", NULL};
	static const char *const none[] = {NULL};
	json_t *much;
	json_t *little;
	struct jv_status status = jv_seccomp_convert(jv_seccomp_default(), all, &much);
	assert_true(jv_is_ok(&status));
	status = jv_seccomp_convert(jv_seccomp_default(), none, &little);
	assert_true(jv_is_ok(&status));
	assert_int_equal(count_names(much, "mount", "SCMP_ACT_ALLOW"), 1);
	assert_int_equal(count_names(little, "mount", "SCMP_ACT_ALLOW"), 0);
	assert_int_equal(count_names(profile, "mount", "SCMP_ACT_ALLOW"), 0);
	assert_int_equal(count_names(profile, "chroot", "SCMP_ACT_ALLOW"), 0);
	assert_int_equal(count_names(little, "chroot", "SCMP_ACT_ALLOW"), 0);
	assert_int_equal(count_names(little, "bpf", "SCMP_ACT_ALLOW"), 0);
	assert_int_equal(count_names(profile, "unshare", "SCMP_ACT_ERRNO"), 1);
	assert_int_equal(count_names(profile, "unshare", "SCMP_ACT_ALLOW"), 0);
	assert_int_equal(count_names(profile, "clone3", "SCMP_ACT_ALLOW"), 0);
	assert_int_equal(count_names(profile, "clone", "SCMP_ACT_ALLOW"), 1);
	assert_int_equal(count_names(much, "clone", "SCMP_ACT_ALLOW"), 1);
	assert_int_equal(count_names(profile, "keyctl", "SCMP_ACT_ERRNO"), 1);
	assert_int_equal(count_names(little, "read", "SCMP_ACT_ALLOW"), 1);
	assert_int_equal(count_names(little, "swapon", "SCMP_ACT_ALLOW"), 0);
	assert_int_equal(count_names(little, "s390_pci_mmio_read", "SCMP_ACT_ALLOW"), 0);
	assert_int_equal(json_array_size(json_object_get(little, "architectures")), 1);
	json_decref(much);
	json_decref(little);
}

static void a_bad_profile_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "[]", "{}", "{\"defaultAction\":\"x\"}",
		"{\"defaultAction\":\"x\",\"syscalls\":[{}]}"};
	static const char *const none[] = {NULL};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *seccomp;
		struct jv_status status =
			jv_seccomp_convert(jv_bytes_of_text(bad[i]), none, &seccomp);
		assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	}
}

static int open_all(void **state)
{
	return mkdtemp(directory) == NULL || set_up(state);
}

static int close_all(void **state)
{
	struct jv_status status = jv_file_remove(AT_FDCWD, directory);
	return tear_down(state) | !jv_is_ok(&status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_config_is_valid_and_says_what_was_asked),
		cmocka_unit_test(an_images_own_settings_are_defaults),
		cmocka_unit_test(a_tasks_environment_wins),
		cmocka_unit_test(a_trace_stands_in_the_environment_unless_the_task_sets_it),
		cmocka_unit_test(a_network_is_the_hosts_only_if_allowed),
		cmocka_unit_test(limits_of_zero_are_left_out),
		cmocka_unit_test(users_are_resolved_inside_the_image),
		cmocka_unit_test(a_user_namespace_maps_all_its_ids),
		cmocka_unit_test(a_profile_depends_on_capabilities),
		cmocka_unit_test(a_bad_profile_is_refused),
	};
	return cmocka_run_group_tests(tests, open_all, close_all);
}
