/*
 * The disk: a store in memory and, in the committer's place, commits that take time.
 *
 * Transactions that pile up while one is being synced are joined into the next, as the committer
 * does. What is being synced when the power goes is on the disk, whole, or it is not; what waits is
 * lost. Readers see what is durable only. The store outlives the server.
 */
#ifndef JV_TESTING_SIM_DISK_H
#define JV_TESTING_SIM_DISK_H

#include "storage/memory.h"
#include "testing/sim/clock.h"

struct jv_sim_disk {
	struct jv_sim_clock *clock;
	struct jv_store *store;
	struct jv_batch waiting;
	int64_t waiting_revision;
	struct jv_batch syncing;
	int64_t syncing_revision;
	bool busy;
	struct jv_sim_timer done;
	int64_t latency_min_ms;
	int64_t latency_max_ms;
	int64_t slow_until_ms; /* until then ten times slower */
	/* All up to the revision is durable; or (failed) the server must stop. */
	void (*durable)(void *context, int64_t revision);
	void (*failed)(void *context, const struct jv_status *status);
	void *context;
};

void jv_sim_disk_init(struct jv_sim_disk *disk, struct jv_sim_clock *clock);
void jv_sim_disk_deinit(struct jv_sim_disk *disk);
/* Takes the operations out of the batch. */
void jv_sim_disk_post(struct jv_sim_disk *disk, struct jv_batch *batch, int64_t revision);
/* The server is gone: nothing more is told, and clears a fault of the store. */
void jv_sim_disk_crash(struct jv_sim_disk *disk);

#endif
