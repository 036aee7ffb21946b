/*
 * The state directory of a worker: who it is, whom it belongs to, until when its lease runs.
 *
 * One worker a directory: it is locked as long as it is open. Files: `worker.lock`; `worker_id` and
 * `cluster_id`, 16 bytes in hexadecimal, and `life`, a number, each replaced as a whole; `lease`,
 * 32 bytes that are mapped, so that the end of the lease survives the process (it means nothing
 * after a reboot), and that the keepers of containers see it (worker/shim/lease.h). Executors have
 * sub-directories of their own. Worker's thread, or the one that starts it.
 */
#ifndef JV_WORKER_STATE_H
#define JV_WORKER_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/env.h"
#include "base/status.h"

#define JV_STATE_ID_SIZE 16

struct jv_lease;

struct jv_state {
	char *path;
	int directory; /* descriptor */
	int lock;
	uint8_t worker_id[JV_STATE_ID_SIZE];
	uint8_t boot_id[JV_STATE_ID_SIZE];
	uint8_t cluster_id[JV_STATE_ID_SIZE];
	bool has_cluster;
	int64_t life;           /* how often the directory was opened, this time included */
	struct jv_lease *lease; /* mapped */
};

/* Makes what is missing. ALREADY_EXISTS if another worker has the directory; PERMISSION_DENIED,
 * DATA_LOSS (a file that is damaged) and INTERNAL name the path and the remedy. On failure there is
 * nothing to close. */
struct jv_status jv_state_open(
	const char *path, const struct jv_env *env, struct jv_state *state) JV_MUST_USE;
void jv_state_close(struct jv_state *state);

/* Remembers the cluster. */
struct jv_status jv_state_join(
	struct jv_state *state, const uint8_t cluster_id[JV_STATE_ID_SIZE]) JV_MUST_USE;
/* The lease ends at this monotonic time. Survives the process, not the machine. */
void jv_state_lease_set(struct jv_state *state, int64_t until_ms);
/* What the last life has set; 0 if it was before the machine started, or never. */
int64_t jv_state_lease_get(const struct jv_state *state);

#endif
