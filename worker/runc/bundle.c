#include "worker/runc/bundle.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <linux/capability.h>

#include "base/assert.h"
#include "worker/init/init.h"
#include "worker/runc/user.h"
#include "worker/shim/files.h"
#include "worker/shim/idmap.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
/* Tasks are ended before their worker when the machine itself runs out of memory. */
#define OOM_SCORE      500
#define OPEN_FILES     1024
#define OPEN_FILES_MAX 524288

/* Docker's default without raw sockets, device nodes, audit records, file capabilities, another
 * root, and set-uid bits that stay when a file is written. */
static const struct {
	const char *name;
	int number;
} capabilities[] = {
	{"CAP_CHOWN", CAP_CHOWN},
	{"CAP_DAC_OVERRIDE", CAP_DAC_OVERRIDE},
	{"CAP_FOWNER", CAP_FOWNER},
	{"CAP_KILL", CAP_KILL},
	{"CAP_NET_BIND_SERVICE", CAP_NET_BIND_SERVICE},
	{"CAP_SETGID", CAP_SETGID},
	{"CAP_SETPCAP", CAP_SETPCAP},
	{"CAP_SETUID", CAP_SETUID},
};

#define CAPABILITY_COUNT (sizeof(capabilities) / sizeof(capabilities[0]))

const char *const *jv_bundle_capabilities(void)
{
	static const char *names[CAPABILITY_COUNT + 1];
	for (size_t i = 0; i < CAPABILITY_COUNT; i++)
		names[i] = capabilities[i].name;
	return names;
}

/* Only what the worker itself could give; the inheritable set stays empty (CVE-2022-24769). */
static json_t *capability_sets(void)
{
	json_t *set = json_array();
	for (size_t i = 0; i < CAPABILITY_COUNT; i++)
		if (prctl(PR_CAPBSET_READ, capabilities[i].number) == 1)
			json_array_append_new(set, json_string(capabilities[i].name));
	return json_pack("{sO, sO, so}", "bounding", set, "effective", set, "permitted", set);
}

static void append_texts(json_t *array, char *const *texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_string(texts[i]));
}

/* An array of the image's config, which says null for an empty one. */
static void append_image(json_t *array, const json_t *image, const char *key)
{
	const json_t *texts = json_object_get(image, key);
	for (size_t i = 0; i < json_array_size(texts); i++) {
		json_t *text = json_array_get(texts, i);
		if (json_is_string(text))
			json_array_append(array, text);
	}
}

static const char *image_text(const json_t *image, const char *key)
{
	const char *text = json_string_value(json_object_get(image, key));
	return text != NULL ? text : "";
}

static struct jv_status arguments(const struct jv_bundle *bundle, json_t *args)
{
	const Jarvis__V1__TaskSpec *spec = bundle->spec;
	json_array_append_new(args, json_string(JV_INIT_DIRECTORY "/" JV_INIT_PROGRAM));
	json_array_append_new(
		args, json_string(spec->no_init ? JV_INIT_MODE_EXEC : JV_INIT_MODE_INIT));
	const size_t before = json_array_size(args);
	append_texts(args, spec->command, spec->n_command);
	if (spec->n_command == 0)
		append_image(args, bundle->image, "Entrypoint");
	append_texts(args, spec->args, spec->n_args);
	if (spec->n_command == 0 && spec->n_args == 0)
		append_image(args, bundle->image, "Cmd");
	if (json_array_size(args) == before)
		return jv_error(JV_INVALID_ARGUMENT,
			"the task has no command, and neither has its image: set spec.command");
	return jv_ok();
}

/* The name that a text NAME=value begins with, with its sign. */
static size_t name_length(const char *text)
{
	const char *sign = strchr(text, '=');
	return sign != NULL ? (size_t)(sign - text) + 1 : strlen(text);
}

/* A later setting of a name takes the place of the earlier one. */
static void set_environment(json_t *environment, const char *text)
{
	const size_t length = name_length(text);
	for (size_t i = 0; i < json_array_size(environment); i++) {
		const char *there = json_string_value(json_array_get(environment, i));
		if (strncmp(there, text, length) == 0) {
			json_array_set_new(environment, i, json_string(text));
			return;
		}
	}
	json_array_append_new(environment, json_string(text));
}

static json_t *environment_of(const struct jv_bundle *bundle)
{
	json_t *environment = json_array();
	struct jv_buffer text = {0};
	set_environment(environment, DEFAULT_PATH);
	jv_buffer_printf(&text, "HOSTNAME=%s", bundle->task);
	set_environment(environment, jv_buffer_text(&text));
	const json_t *image = json_object_get(bundle->image, "Env");
	for (size_t i = 0; i < json_array_size(image); i++) {
		const char *setting = json_string_value(json_array_get(image, i));
		if (setting != NULL && strchr(setting, '=') != NULL)
			set_environment(environment, setting);
	}
	if (bundle->spec->trace_parent[0] != '\0') {
		jv_buffer_clear(&text);
		jv_buffer_printf(&text, "TRACEPARENT=%s", bundle->spec->trace_parent);
		set_environment(environment, jv_buffer_text(&text));
	}
	for (size_t i = 0; i < bundle->spec->n_env; i++) {
		jv_buffer_clear(&text);
		jv_buffer_printf(
			&text, "%s=%s", bundle->spec->env[i]->key, bundle->spec->env[i]->value);
		set_environment(environment, jv_buffer_text(&text));
	}
	jv_buffer_deinit(&text);
	return environment;
}

static json_t *limit(const char *type, int resource, rlim_t soft, rlim_t hard)
{
	struct rlimit own;
	if (getrlimit((__rlimit_resource_t)resource, &own) != 0)
		own.rlim_max = soft;
	/* Raising a limit needs a capability that the worker may not have. */
	hard = hard < own.rlim_max ? hard : own.rlim_max;
	soft = soft < hard ? soft : hard;
	return json_pack(
		"{ss, sI, sI}", "type", type, "soft", (json_int_t)soft, "hard", (json_int_t)hard);
}

static int oom_score(void)
{
	int64_t own = 0;
	(void)!jv_file_number("/proc/self/oom_score_adj", &own);
	return own > OOM_SCORE ? (int)own : OOM_SCORE;
}

static struct jv_status process_of(const struct jv_bundle *bundle, json_t *process)
{
	const Jarvis__V1__TaskSpec *spec = bundle->spec;
	const bool own_directory = spec->working_directory[0] != '\0';
	const char *directory =
		own_directory ? spec->working_directory : image_text(bundle->image, "WorkingDir");
	const char *user = spec->user[0] != '\0' ? spec->user : image_text(bundle->image, "User");
	json_t *args = json_array();
	json_object_set_new(process, "args", args);
	JV_TRY(arguments(bundle, args));
	uint32_t uid = 0;
	uint32_t gid = 0;
	JV_TRY(jv_user_resolve(bundle->image_rootfs, user, &uid, &gid));
	if (bundle->id_base != 0 && (uid >= JV_IDMAP_SIZE || gid >= JV_IDMAP_SIZE))
		return jv_error(JV_INVALID_ARGUMENT,
			"user %s is %u:%u, but ids in a container are below %d: choose lower ones, or "
			"set runtime.user_namespaces: off",
			user, uid, gid, JV_IDMAP_SIZE);
	json_object_set_new(process, "terminal", json_false());
	json_object_set_new(process, "env", environment_of(bundle));
	json_object_set_new(process, "cwd", json_string(directory[0] == '/' ? directory : "/"));
	json_object_set_new(process, "user",
		json_pack("{sI, sI}", "uid", (json_int_t)uid, "gid", (json_int_t)gid));
	json_object_set_new(process, "capabilities", capability_sets());
	json_object_set_new(process, "noNewPrivileges", json_true());
	json_object_set_new(process, "oomScoreAdj", json_integer(oom_score()));
	json_object_set_new(process, "rlimits",
		json_pack("[o, o]",
			limit("RLIMIT_NOFILE", RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES_MAX),
			limit("RLIMIT_CORE", RLIMIT_CORE, 0, 0)));
	return jv_ok();
}

static struct jv_status check_network(
	const struct jv_bundle_settings *settings, const Jarvis__V1__TaskSpec *spec)
{
	if (spec->network == JARVIS__V1__NETWORK_MODE__NETWORK_MODE_HOST)
		return settings->allow_host_network
			? jv_ok()
			: jv_error(JV_PERMISSION_DENIED,
				  "the host's network is not allowed on this node: allow it in the "
				  "worker's configuration, or use network NONE");
	if (spec->network != JARVIS__V1__NETWORK_MODE__NETWORK_MODE_NONE &&
		spec->network != JARVIS__V1__NETWORK_MODE__NETWORK_MODE_UNSPECIFIED)
		return jv_error(JV_PERMISSION_DENIED,
			"network mode %d is not known to this worker: use NONE or HOST",
			(int)spec->network);
	return jv_ok();
}

static struct jv_status fill(
	const struct jv_bundle_settings *settings, const struct jv_bundle *bundle, json_t *config)
{
	json_t *process = json_object();
	json_object_set_new(config, "process", process);
	JV_TRY(check_network(settings, bundle->spec));
	JV_TRY(process_of(bundle, process));
	struct jv_buffer rootfs = {0};
	jv_buffer_printf(&rootfs, "%s/%s", bundle->scratch, JV_SCRATCH_MERGED);
	json_object_set_new(config, "ociVersion", json_string("1.0.2"));
	json_object_set_new(config, "root",
		json_pack("{ss, sb}", "path", jv_buffer_text(&rootfs), "readonly",
			(int)bundle->spec->read_only_rootfs));
	jv_buffer_deinit(&rootfs);
	json_object_set_new(config, "hostname", json_string(bundle->task));
	json_object_set_new(config, "mounts", jv_bundle_mounts(settings, bundle));
	json_object_set_new(config, "linux", jv_bundle_linux(settings, bundle));
	return jv_ok();
}

static int append_json(const char *text, size_t size, void *out)
{
	jv_buffer_append(out, text, size);
	return 0;
}

struct jv_status jv_bundle_config(const struct jv_bundle_settings *settings,
	const struct jv_bundle *bundle, struct jv_buffer *out)
{
	JV_ASSERT(bundle->scratch[0] == '/');
	JV_ASSERT(bundle->cgroup_path[0] == '/');
	json_t *config = json_object();
	struct jv_status status = fill(settings, bundle, config);
	/* Text that is not UTF-8 has been refused by the server. */
	if (jv_is_ok(&status) && json_dump_callback(config, append_json, out, JSON_COMPACT) != 0)
		status = jv_error(JV_INTERNAL, "config.json cannot be written");
	json_decref(config);
	return status;
}
