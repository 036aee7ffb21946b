/*
 * Bundles: the OCI config.json of one attempt, from its spec, its image and the worker's settings.
 *
 * Pure but for the image's user table, the worker's own limits and the bounding set. The file is
 * of version 1.0.2 of the OCI runtime specification; docs/architecture.md says what a container
 * may and may not do.
 */
#ifndef JV_WORKER_RUNC_BUNDLE_H
#define JV_WORKER_RUNC_BUNDLE_H

#include <jansson.h>

#include "base/bytes.h"
#include "base/status.h"
#include "jarvis/v1/task.pb-c.h"
#include "worker/shim/attempt.h"

/* What all bundles of a worker have in common. */
struct jv_bundle_settings {
	const char *tools; /* directory of jarvis-init and its filter, on the host */
	bool swap_limit;   /* the kernel counts swap */
	bool allow_host_network;
};

struct jv_bundle {
	const char *task;    /* the host name */
	const char *scratch; /* of the keeper, absolute */
	const char *cgroup_path;
	uint32_t id_base;         /* the host's id that is its 0, in a user namespace; 0: none */
	const char *image_rootfs; /* where users are looked up */
	const json_t *image;      /* the image's own config (Env, Entrypoint …), or NULL */
	const Jarvis__V1__TaskSpec *spec;
};

/* What containers may do at most: NULL-terminated, such as CAP_CHOWN. */
const char *const *jv_bundle_capabilities(void);

/* Appends config.json. INVALID_ARGUMENT: the task's command, user or directory cannot be;
 * PERMISSION_DENIED: the worker's settings refuse it. */
struct jv_status jv_bundle_config(const struct jv_bundle_settings *settings,
	const struct jv_bundle *bundle, struct jv_buffer *out) JV_MUST_USE;

/* The parts that are in files of their own; the results are the caller's. */
json_t *jv_bundle_mounts(const struct jv_bundle_settings *settings, const struct jv_bundle *bundle);
json_t *jv_bundle_linux(const struct jv_bundle_settings *settings, const struct jv_bundle *bundle);

#endif
