/*
 * The disk: a store in memory and, in the committer's place, commits that take time.
 *
 * Transactions that pile up while one is being synced are joined into the next, as the committer
 * does. What is being synced when the power goes is on the disk, whole, or it is not; what waits is
 * lost. Readers see what is durable only. The store outlives the server. One record at a time may
 * be damaged: a bit of it is flipped, until it is written anew or restored from a backup.
 */
#ifndef JV_TESTING_SIM_DISK_H
#define JV_TESTING_SIM_DISK_H

#include "storage/memory.h"
#include "testing/sim/clock.h"

struct jv_sim_damage {
	bool is;
	struct jv_buffer key;
	struct jv_buffer sound; /* what should be there */
	struct jv_buffer flipped;
	struct jv_buffer names; /* of all records that ever were, a line each */
};

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
	int64_t full_until_ms; /* until then nothing can be written */
	struct jv_sim_timer readable;
	int64_t unreadable_until_ms; /* until then nothing can be read */
	bool failing;                /* a commit is to fail */
	struct jv_sim_damage damage;
	/* All up to the revision is durable; or (failed) the server must stop. */
	void (*durable)(void *context, int64_t revision);
	void (*failed)(void *context, const struct jv_status *status);
	/* The server stands still: it hears of nothing now. The timer was armed for later. */
	bool (*held)(void *context, struct jv_sim_timer *timer);
	void *context;
};

void jv_sim_disk_init(struct jv_sim_disk *disk, struct jv_sim_clock *clock);
void jv_sim_disk_deinit(struct jv_sim_disk *disk);
/* Takes the operations out of the batch. */
void jv_sim_disk_post(struct jv_sim_disk *disk, struct jv_batch *batch, int64_t revision);
/* The commit after so many more fails. */
void jv_sim_disk_fail(struct jv_sim_disk *disk, enum jv_memory_fault fault, uint32_t after);
/* For so long nothing can be read. */
void jv_sim_disk_hide(struct jv_sim_disk *disk, int64_t ms);
/* Flips a bit of some record. */
void jv_sim_disk_damage(struct jv_sim_disk *disk, struct jv_random *random);
/* Puts back what was damaged, unless it was written anew. */
void jv_sim_disk_restore(struct jv_sim_disk *disk);
/* The damaged record is still there. */
bool jv_sim_disk_is_damaged(const struct jv_sim_disk *disk);
/* Whether a status tells of damage that there is or was, by the name of the record; or of reads
 * that fail, or did a moment ago. */
bool jv_sim_disk_explains(const struct jv_sim_disk *disk, const struct jv_status *status);
/* Every fault ends. */
void jv_sim_disk_heal(struct jv_sim_disk *disk);
/* The server is gone: nothing more is told, and clears a fault of the store. */
void jv_sim_disk_crash(struct jv_sim_disk *disk);

#endif
