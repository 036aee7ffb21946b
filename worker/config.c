#include "worker/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/reference.h"

#define FIELD(name) offsetof(struct jv_worker_config, name)
#define MIB         (INT64_C(1) << 20)
#define TIB         (INT64_C(1) << 40)

#define NODE_NAME_MAX     63
#define LABELS_MAX        64
#define LABEL_KEY_MAX     63
#define LABEL_VALUE_MAX   256
#define CUSTOM_MAX        16
#define CUSTOM_NAME_MAX   63
#define CUSTOM_AMOUNT_MAX (INT64_C(1) << 53)
#define IMAGES_MAX        256
#define PLUGINS_MAX       8
#define EXECUTOR_NAME_MAX 63
#define DAYS_MAX          (INT64_C(365) * 86400000)

/* Of the program, in front of the others. */
#define PROGRAM_FIELDS 10

static const char *const levels[] = {"debug", "info", "warn", "error", "off", NULL};
static const char *const user_namespaces[] = {"auto", "on", "off", NULL};
static const char *const formats[] = {"text", "json", NULL};

static const struct jv_config_field mount_schema[] = {
	{.key = "path",
		.type = JV_CONFIG_TEXT,
		.offset = offsetof(struct jv_worker_mount, path),
		.help = "Absolute path on this machine; what is below it may be mounted too."},
	{.key = "writable",
		.type = JV_CONFIG_BOOL,
		.offset = offsetof(struct jv_worker_mount, writable),
		.default_value = "false",
		.help = "Whether tasks may mount it for writing."},
	{.key = NULL},
};

static const struct jv_config_field plugin_schema[] = {
	{.key = "name",
		.type = JV_CONFIG_TEXT,
		.offset = offsetof(struct jv_worker_plugin, name),
		.maximum = EXECUTOR_NAME_MAX,
		.help = "Name of the executor, as tasks ask for it."},
	{.key = "path",
		.type = JV_CONFIG_TEXT,
		.offset = offsetof(struct jv_worker_plugin, path),
		.help = "Absolute path of the shared object."},
	{.key = "options",
		.type = JV_CONFIG_MAP,
		.offset = offsetof(struct jv_worker_plugin, options),
		.help = "What the plugin is told; its own documentation says what it knows."},
	{.key = NULL},
};

const struct jv_config_field jv_worker_config_schema[] = {
	{.key = "server.address",
		.type = JV_CONFIG_TEXT,
		.offset = FIELD(server_address),
		.default_value = "127.0.0.1:7070",
		.help = "Address and port of the server's gRPC services, or unix:PATH."},
	{.key = "server.tls",
		.type = JV_CONFIG_BOOL,
		.offset = FIELD(server_tls),
		.default_value = "false",
		.help = "Whether the server is spoken to over TLS."},
	{.key = "server.ca",
		.type = JV_CONFIG_TEXT,
		.offset = FIELD(server_ca),
		.help = "PEM file of the authorities that sign the server's certificate; empty means "
			"those of this machine."},
	{.key = "server.cert",
		.type = JV_CONFIG_TEXT,
		.offset = FIELD(server_cert),
		.help = "PEM file of this worker's certificate, if the server asks for one. Files are "
			"read again at each new connection."},
	{.key = "server.key",
		.type = JV_CONFIG_TEXT,
		.offset = FIELD(server_key),
		.help = "PEM file of its key, without a passphrase."},
	{.key = "server.name",
		.type = JV_CONFIG_TEXT,
		.offset = FIELD(server_name),
		.help = "Name that the server's certificate must have; empty means the host of "
			"server.address."},
	{.key = "server.token_file",
		.type = JV_CONFIG_TEXT,
		.offset = FIELD(server_token_file),
		.help = "File whose first line is sent as a bearer token; empty means none."},
	{.key = "server.token_in_clear",
		.type = JV_CONFIG_BOOL,
		.offset = FIELD(server_token_in_clear),
		.default_value = "false",
		.help = "Whether the token may go to another machine without TLS."},
	{.key = "log.level",
		.type = JV_CONFIG_CHOICE,
		.offset = FIELD(log_level),
		.default_value = "info",
		.choices = levels,
		.help = "Least important line that is logged."},
	{.key = "log.format",
		.type = JV_CONFIG_CHOICE,
		.offset = FIELD(log_format),
		.default_value = "text",
		.choices = formats,
		.help = "Form of the log's lines."},
	{.key = "node.name",
		.type = JV_CONFIG_TEXT,
		.offset = FIELD(node_name),
		.maximum = NODE_NAME_MAX,
		.help = "Name of this node, of a-z, 0-9, . and -; empty means the host name."},
	{.key = "node.labels",
		.type = JV_CONFIG_MAP,
		.offset = FIELD(labels),
		.help = "Labels for constraints of tasks, such as zone: a. At most 64."},
	{.key = "capacity.cpu_millis",
		.type = JV_CONFIG_INT,
		.offset = FIELD(cpu_millis),
		.default_value = "0",
		.maximum = 1024000,
		.help = "Thousandths of a CPU for tasks; 0 means all CPUs of this process."},
	{.key = "capacity.memory",
		.type = JV_CONFIG_BYTES,
		.offset = FIELD(memory_bytes),
		.default_value = "0",
		.maximum = 64 * TIB,
		.help = "Memory for tasks; 0 means the machine's, less a twentieth and at least "
			"128 MiB."},
	{.key = "capacity.disk",
		.type = JV_CONFIG_BYTES,
		.offset = FIELD(disk_bytes),
		.default_value = "0",
		.maximum = 1024 * 1024 * TIB,
		.help = "Disk for tasks; 0 means what is free where state.path is."},
	{.key = "capacity.pids",
		.type = JV_CONFIG_INT,
		.offset = FIELD(pids),
		.default_value = "0",
		.maximum = 4194304,
		.help = "Most processes and threads of one task; 0 means the kernel's limit."},
	{.key = "capacity.attempts",
		.type = JV_CONFIG_INT,
		.offset = FIELD(attempts_max),
		.default_value = "4096",
		.minimum = 1,
		.maximum = 16384,
		.help = "Tasks at a time; the server places no more."},
	{.key = "capacity.custom",
		.type = JV_CONFIG_MAP,
		.offset = FIELD(custom),
		.help = "Named amounts that tasks can ask for, such as licences: 4. At most 16."},
	{.key = "state.path",
		.type = JV_CONFIG_TEXT,
		.offset = FIELD(state_path),
		.default_value = "/var/lib/jarvis/worker",
		.help = "Directory of attempts, unpacked images and this worker's identity; "
			"made if it is missing. One worker at a time."},
	{.key = "executors",
		.type = JV_CONFIG_LIST,
		.offset = FIELD(executors),
		.default_value = "[runc]",
		.help = "What may run tasks: runc (containers), process (any command on this "
			"machine, without a container), noop (nothing, for benchmarks)."},
	{.key = "plugins",
		.type = JV_CONFIG_OBJECTS,
		.offset = FIELD(plugins),
		.fields = plugin_schema,
		.object_size = sizeof(struct jv_worker_plugin),
		.help = "Executors in shared objects, offered beside the others; see "
			"docs/executors.md. At most 8."},
	{.key = "runtime.path",
		.type = JV_CONFIG_TEXT,
		.offset = FIELD(runtime),
		.default_value = "runc",
		.help = "Name or path of runc, or of a runtime with its command line."},
	{.key = "runtime.shim",
		.type = JV_CONFIG_TEXT,
		.offset = FIELD(shim),
		.help = "Path of jarvis-shim; empty means beside this program."},
	{.key = "runtime.seccomp",
		.type = JV_CONFIG_TEXT,
		.offset = FIELD(seccomp),
		.help = "File of a seccomp profile in Docker's form; empty means the one built "
			"in."},
	{.key = "runtime.user_namespaces",
		.type = JV_CONFIG_CHOICE,
		.offset = FIELD(user_namespaces),
		.default_value = "auto",
		.choices = user_namespaces,
		.help = "Whether a container's root is nobody on this machine: auto means "
			"wherever kernel and file systems can."},
	{.key = "runtime.user_ids",
		.type = JV_CONFIG_INT,
		.offset = FIELD(user_ids),
		.default_value = "1073741824",
		.minimum = 65536,
		.maximum = 4227858432,
		.help = "The first of the user and group ids that containers get, 65536 each; "
			"nobody else on this machine may have them."},
	{.key = "runtime.disk",
		.type = JV_CONFIG_BYTES,
		.offset = FIELD(task_disk),
		.default_value = "10GiB",
		.maximum = 1024 * TIB,
		.help = "What a task may write into its container if it does not say "
			"resources.disk_bytes; 0 means all there is."},
	{.key = "runtime.files",
		.type = JV_CONFIG_INT,
		.offset = FIELD(task_files),
		.default_value = "1000000",
		.maximum = 1000000000,
		.help = "How many files a task may make in its container; 0 means as many as there "
			"is room for."},
	{.key = "cgroup.root",
		.type = JV_CONFIG_TEXT,
		.offset = FIELD(cgroup_root),
		.default_value = "/sys/fs/cgroup",
		.help = "Where the cgroup file systems are mounted."},
	{.key = "cgroup.parent",
		.type = JV_CONFIG_TEXT,
		.offset = FIELD(cgroup_parent),
		.default_value = "/jarvis",
		.help = "Control group below which those of tasks are made."},
	{.key = "mounts",
		.type = JV_CONFIG_OBJECTS,
		.offset = FIELD(mounts),
		.fields = mount_schema,
		.object_size = sizeof(struct jv_worker_mount),
		.help = "Paths of this machine that tasks may mount."},
	{.key = "network.allow_host",
		.type = JV_CONFIG_BOOL,
		.offset = FIELD(allow_host_network),
		.default_value = "false",
		.help = "Whether tasks may use this machine's network."},
	{.key = "images.names",
		.type = JV_CONFIG_MAP,
		.offset = FIELD(images),
		.help = "Names of images: docker://REFERENCE, oci:PATH[:TAG], or an absolute path "
			"of a root file system or a tar of one."},
	{.key = "images.allowed",
		.type = JV_CONFIG_LIST,
		.offset = FIELD(allowed_images),
		.help = "Directories below which tasks may name images by path."},
	{.key = "images.authfile",
		.type = JV_CONFIG_TEXT,
		.offset = FIELD(image_authfile),
		.help = "File of credentials for registries, as skopeo login --authfile writes it; "
			"empty means none."},
	{.key = "images.insecure_registries",
		.type = JV_CONFIG_LIST,
		.offset = FIELD(insecure_registries),
		.help = "Registries, HOST or HOST:PORT, that may be spoken to without TLS, or "
			"without looking at their certificates."},
	{.key = "images.recheck",
		.type = JV_CONFIG_DURATION,
		.offset = FIELD(image_recheck_ms),
		.default_value = "5m",
		.maximum = DAYS_MAX,
		.help = "For how long a tag is taken for the image that it was; 0 means that the "
			"registry is asked at each start of a task."},
	{.key = "images.pull_timeout",
		.type = JV_CONFIG_DURATION,
		.offset = FIELD(pull_timeout_ms),
		.default_value = "10m",
		.minimum = 100,
		.maximum = DAYS_MAX,
		.help = "Longest time of one try to fetch an image, and of unpacking it."},
	{.key = "images.pull_attempts",
		.type = JV_CONFIG_INT,
		.offset = FIELD(pull_attempts),
		.default_value = "3",
		.minimum = 1,
		.maximum = 20,
		.help = "Tries to fetch an image when the network or the registry fails."},
	{.key = "images.cache_max",
		.type = JV_CONFIG_BYTES,
		.offset = FIELD(image_cache_max),
		.default_value = "20GiB",
		.minimum = MIB,
		.maximum = 1024 * TIB,
		.help = "Most bytes of unpacked images and layers that are kept; what was used "
			"longest ago goes first, never what runs."},
	{.key = "images.image_max",
		.type = JV_CONFIG_BYTES,
		.offset = FIELD(image_max),
		.default_value = "10GiB",
		.minimum = MIB,
		.maximum = 1024 * TIB,
		.help = "Most bytes of one image, as layers and unpacked."},
	{.key = "images.files_max",
		.type = JV_CONFIG_INT,
		.offset = FIELD(image_files_max),
		.default_value = "1000000",
		.minimum = 1,
		.maximum = 1000000000,
		.help = "Most files of one image."},
	{.key = NULL},
};

struct jv_config_field *jv_worker_config_below(const char *prefix, size_t offset, size_t *count)
{
	const struct jv_config_field *from = jv_worker_config_schema + PROGRAM_FIELDS;
	struct jv_config_field *fields;
	size_t size = 0;
	char *text;

	for (*count = 0; from[*count].key != NULL; (*count)++)
		size += strlen(prefix) + strlen(from[*count].key) + 1;
	/* The fields, then the texts of their keys. */
	fields = jv_calloc(1, (*count + 1) * sizeof(*fields) + size);
	text = (char *)(fields + *count + 1);
	for (size_t i = 0; i < *count; i++) {
		fields[i] = from[i];
		fields[i].key = text;
		fields[i].offset += offset;
		text += snprintf(text, size, "%s%s", prefix, from[i].key) + 1;
	}
	return fields;
}

static bool made_of(const char *text, size_t size_max, const char *others, bool upper)
{
	size_t size = strlen(text);

	if (size == 0 || size > size_max)
		return false;
	for (; *text != '\0'; text++) {
		bool good = (*text >= 'a' && *text <= 'z') || (*text >= '0' && *text <= '9') ||
			(upper && *text >= 'A' && *text <= 'Z') || strchr(others, *text) != NULL;
		if (!good)
			return false;
	}
	return true;
}

#define INVALID(key, ...) jv_field_error(JV_INVALID_ARGUMENT, key, __VA_ARGS__)

static struct jv_status check_labels(const struct jv_config_map *labels)
{
	if (labels->count > LABELS_MAX)
		return INVALID("node.labels", "node.labels has %zu entries; at most %d are allowed",
			labels->count, LABELS_MAX);
	for (size_t i = 0; i < labels->count; i++) {
		if (!made_of(labels->keys[i], LABEL_KEY_MAX, "_./-", true))
			return INVALID("node.labels",
				"node.labels: the key \"%.80s\" must be 1 to %d of a-z, A-Z, 0-9, "
				"_ . / -",
				labels->keys[i], LABEL_KEY_MAX);
		if (strlen(labels->values[i]) > LABEL_VALUE_MAX)
			return INVALID("node.labels",
				"node.labels: the value of \"%s\" is longer than %d bytes",
				labels->keys[i], LABEL_VALUE_MAX);
	}
	return jv_ok();
}

static struct jv_status check_custom(const struct jv_config_map *custom)
{
	if (custom->count > CUSTOM_MAX)
		return INVALID("capacity.custom",
			"capacity.custom has %zu entries; at most %d are allowed", custom->count,
			CUSTOM_MAX);
	for (size_t i = 0; i < custom->count; i++) {
		int64_t amount;
		if (!made_of(custom->keys[i], CUSTOM_NAME_MAX, "-", false))
			return INVALID("capacity.custom",
				"capacity.custom: the name \"%.80s\" must be 1 to %d of a-z, 0-9, "
				"-",
				custom->keys[i], CUSTOM_NAME_MAX);
		JV_TRY(jv_status_context(
			jv_parse_int(custom->values[i], 0, CUSTOM_AMOUNT_MAX, &amount),
			"capacity.custom.%s", custom->keys[i]));
	}
	return jv_ok();
}

static bool is_built_in(const char *name)
{
	return strcmp(name, "runc") == 0 || strcmp(name, "process") == 0 ||
		strcmp(name, "noop") == 0;
}

static struct jv_status check_executors(const struct jv_worker_config *config)
{
	const struct jv_config_list *executors = &config->executors;

	if (executors->count == 0 && config->plugins.count == 0)
		return INVALID("executors",
			"executors is empty: name runc, process or noop, or set plugins");
	for (size_t i = 0; i < executors->count; i++) {
		const char *name = executors->items[i];
		if (!is_built_in(name))
			return INVALID("executors",
				"executors: there is no executor \"%.64s\"; there are runc, "
				"process and noop, and those of plugins by themselves",
				name);
		for (size_t j = 0; j < i; j++)
			if (strcmp(executors->items[j], name) == 0)
				return INVALID("executors", "executors names %s twice", name);
	}
	return jv_ok();
}

static struct jv_status check_plugin(const struct jv_worker_plugin *plugins, size_t index)
{
	const struct jv_worker_plugin *plugin = &plugins[index];

	if (!made_of(plugin->name, EXECUTOR_NAME_MAX, "-", false) || is_built_in(plugin->name))
		return INVALID("plugins",
			"plugins: the name \"%.64s\" must be 1 to %d of a-z, 0-9, -, and none of "
			"runc, process and noop",
			plugin->name, EXECUTOR_NAME_MAX);
	if (plugin->path[0] != '/')
		return INVALID("plugins", "plugins: the path \"%.200s\" of %s must be absolute",
			plugin->path, plugin->name);
	for (size_t i = 0; i < index; i++)
		if (strcmp(plugins[i].name, plugin->name) == 0)
			return INVALID("plugins", "plugins names %s twice", plugin->name);
	return jv_ok();
}

static struct jv_status check_plugins(const struct jv_config_objects *plugins)
{
	if (plugins->count > PLUGINS_MAX)
		return INVALID("plugins", "plugins has %zu entries; at most %d are allowed",
			plugins->count, PLUGINS_MAX);
	for (size_t i = 0; i < plugins->count; i++)
		JV_TRY(check_plugin(plugins->items, i));
	return jv_ok();
}

static struct jv_status check_image(const char *name, const char *image)
{
	struct jv_reference reference;

	if (jv_reference_is(jv_bytes_of_text(image)))
		return jv_status_context(jv_reference_parse(jv_bytes_of_text(image), &reference),
			"images.names: %.64s", name);
	if (image[0] != '/' && strncmp(image, "oci:/", 5) != 0)
		return INVALID("images.names",
			"images.names: \"%.64s\" must be docker://REFERENCE, oci:PATH[:TAG] or an "
			"absolute path, got \"%.200s\"",
			name, image);
	return jv_ok();
}

static struct jv_status check_paths(const struct jv_worker_config *config)
{
	const struct jv_worker_mount *mounts = config->mounts.items;

	if (config->state_path[0] != '/')
		return INVALID("state.path", "state.path \"%.200s\" must be an absolute path",
			config->state_path);
	for (size_t i = 0; i < config->mounts.count; i++)
		if (mounts[i].path[0] != '/')
			return INVALID("mounts", "mounts: the path \"%.200s\" must be absolute",
				mounts[i].path);
	for (size_t i = 0; i < config->allowed_images.count; i++)
		if (config->allowed_images.items[i][0] != '/')
			return INVALID("images.allowed",
				"images.allowed: the path \"%.200s\" must be absolute",
				config->allowed_images.items[i]);
	if (config->images.count > IMAGES_MAX)
		return INVALID("images.names",
			"images.names has %zu entries; at most %d are allowed",
			config->images.count, IMAGES_MAX);
	for (size_t i = 0; i < config->images.count; i++)
		JV_TRY(check_image(config->images.keys[i], config->images.values[i]));
	if (config->image_authfile[0] != '\0' && config->image_authfile[0] != '/')
		return INVALID("images.authfile",
			"images.authfile: the path \"%.200s\" must be absolute",
			config->image_authfile);
	return jv_ok();
}

struct jv_status jv_worker_config_check(const struct jv_worker_config *config)
{
	if (config->node_name[0] != '\0' && !made_of(config->node_name, NODE_NAME_MAX, ".-", false))
		return INVALID("node.name",
			"node.name \"%.80s\" must be 1 to %d of a-z, 0-9, . and -",
			config->node_name, NODE_NAME_MAX);
	if (config->memory_bytes != 0 && config->memory_bytes < 4 * MIB)
		return INVALID("capacity.memory",
			"capacity.memory must be 0 or at least 4 MiB, which one task needs");
	JV_TRY(check_labels(&config->labels));
	JV_TRY(check_custom(&config->custom));
	JV_TRY(check_executors(config));
	JV_TRY(check_plugins(&config->plugins));
	return check_paths(config);
}
