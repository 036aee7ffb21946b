/* The two configurations of the bare loop. */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "testing/bench/bench.h"
#include "testing/bench/loop.h"
#include "worker/runc/bundle.h"
#include "worker/runc/ids.h"
#include "worker/runc/seccomp.h"
#include "worker/shim/files.h"

static json_t *example(const char *directory)
{
	char path[256];
	const char *arguments[] = {"/usr/bin/env", "runc", "spec", "--bundle", directory, NULL};
	struct bench_child child = bench_spawn(arguments);
	int status;

	waitpid(child.pid, &status, 0);
	snprintf(path, sizeof(path), "%s/config.json", directory);
	return json_load_file(path, 0, NULL);
}

static struct jv_status same(const char *directory, json_t **config)
{
	Jarvis__V1__TaskSpec spec = JARVIS__V1__TASK_SPEC__INIT;
	Jarvis__V1__Resources resources = JARVIS__V1__RESOURCES__INIT;
	char *command[] = {(char *)(uintptr_t) "/bin/true"};
	const struct jv_bundle_settings settings = {.tools = "/", .swap_limit = true};
	const struct jv_bundle bundle = {.task = "bench",
		.scratch = directory,
		.cgroup_path = "/none",
		.id_base = JV_IDS_DEFAULT_BASE,
		.image_rootfs = "/",
		.spec = &spec};
	struct jv_buffer text = {0};
	json_t *seccomp = NULL;

	resources.cpu_millis = 1000;
	resources.memory_bytes = 32 << 20;
	spec.resources = &resources;
	spec.command = command;
	spec.n_command = 1;
	JV_TRY(jv_bundle_config(&settings, &bundle, &text));
	*config = json_loadb((char *)text.data, text.size, 0, NULL);
	jv_buffer_deinit(&text);
	JV_TRY(jv_seccomp_convert(jv_seccomp_default(), jv_bundle_capabilities(), &seccomp));
	json_t *linux_section = json_object_get(*config, "linux");
	json_t *mounts = json_object_get(*config, "mounts");
	json_object_set_new(linux_section, "seccomp", seccomp);
	/* Each container of the loop needs a group of its own, and has no jarvis-init. */
	json_object_del(linux_section, "cgroupsPath");
	json_array_remove(mounts, json_array_size(mounts) - 1);
	return jv_ok();
}

struct jv_status bench_loop_bundle(const struct bench_loop *loop, const char *directory)
{
	char path[256];
	json_t *config = NULL;
	json_t *command = json_array();

	if (loop->config == BENCH_CONFIG_EXAMPLE)
		config = example(directory);
	else
		JV_TRY(same(directory, &config));
	json_t *process = json_object_get(config, "process");
	for (size_t i = 0; loop->command[i] != NULL; i++)
		json_array_append_new(command, json_string(loop->command[i]));
	json_object_set_new(process, "args", command);
	json_object_set_new(process, "terminal", json_false());
	json_object_set_new(json_object_get(config, "root"), "path", json_string(loop->rootfs));
	snprintf(path, sizeof(path), "%s/config.json", directory);
	int failed = json_dump_file(config, path, 0);
	json_decref(config);
	return failed == 0 ? jv_ok() : jv_error(JV_INTERNAL, "cannot write %s", path);
}
