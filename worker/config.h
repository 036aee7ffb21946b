/*
 * The configuration of a worker: one struct, and the schema that binds keys to it.
 *
 * Read once at start-up, read-only after. jarvis-worker reads all keys; jarvisd, whose embedded
 * worker is the same code, reads those of the worker itself below `worker.`.
 */
#ifndef JV_WORKER_CONFIG_H
#define JV_WORKER_CONFIG_H

#include "base/config.h"

/* A path of the host that tasks may mount. */
struct jv_worker_mount {
	char *path;
	bool writable;
};

/* An executor that is loaded from a shared object. */
struct jv_worker_plugin {
	char *name;
	char *path;
	struct jv_config_map options;
};

struct jv_worker_config {
	/* Of the program. */
	char *server_address;
	bool server_tls;
	char *server_ca;
	char *server_cert;
	char *server_key;
	char *server_name;
	char *server_token_file;
	bool server_token_in_clear;
	int64_t log_level;
	int64_t log_format;
	/* Of the worker. */
	char *node_name;
	struct jv_config_map labels;
	int64_t cpu_millis; /* 0 in the capacities: what the machine has */
	int64_t memory_bytes;
	int64_t disk_bytes;
	int64_t pids;
	int64_t attempts_max;
	struct jv_config_map custom;
	char *state_path;
	struct jv_config_list executors;
	struct jv_config_objects plugins; /* struct jv_worker_plugin */
	char *runtime;
	char *shim; /* "": looked for beside the program */
	char *seccomp;
	int64_t user_namespaces; /* enum jv_user_namespaces */
	int64_t user_ids;
	int64_t task_disk;
	int64_t task_files;
	char *cgroup_root;
	char *cgroup_parent;
	struct jv_config_objects mounts; /* struct jv_worker_mount */
	bool allow_host_network;
	struct jv_config_map images;
	struct jv_config_list allowed_images;
	struct jv_config_list insecure_registries;
	char *image_authfile;
	int64_t image_cache_max;
	int64_t image_max;
	int64_t image_files_max;
	int64_t pull_timeout_ms;
	int64_t pull_attempts;
	int64_t image_recheck_ms;
};

extern const struct jv_config_field jv_worker_config_schema[];

/* The fields of the worker itself with `prefix` in front of each key, for a struct that holds a
 * struct jv_worker_config at `offset`. Ends with a field without key; *count does not count it. One
 * block of memory, which the caller frees with free(). */
struct jv_config_field *jv_worker_config_below(const char *prefix, size_t offset, size_t *count);

/* What the ranges of single keys cannot say: names, labels, amounts. Names the key without prefix.
 */
struct jv_status jv_worker_config_check(const struct jv_worker_config *config) JV_MUST_USE;

#endif
