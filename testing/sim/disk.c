#include "testing/sim/disk.h"

#include "base/assert.h"

#define SLOW_FACTOR 10

static void sync_start(struct jv_sim_disk *disk)
{
	struct jv_batch empty = disk->syncing;
	int64_t ms = jv_sim_at(disk->clock, 'd', disk->latency_min_ms, disk->latency_max_ms);

	JV_ASSERT(!disk->busy && disk->syncing.count == 0 && disk->waiting.count > 0);
	disk->syncing = disk->waiting;
	disk->syncing_revision = disk->waiting_revision;
	disk->waiting = empty;
	disk->busy = true;
	if (disk->slow_until_ms > disk->clock->now_ms)
		ms = ms * SLOW_FACTOR + SLOW_FACTOR;
	jv_sim_timer_arm(disk->clock, &disk->done, disk->clock->now_ms + ms);
}

static void sync_done(void *context)
{
	struct jv_sim_disk *disk = context;
	int64_t revision = disk->syncing_revision;
	struct jv_status status = jv_store_commit(disk->store, &disk->syncing);

	disk->busy = false;
	jv_batch_clear(&disk->syncing);
	if (!jv_is_ok(&status)) {
		disk->failed(disk->context, &status);
		return;
	}
	if (disk->waiting.count > 0)
		sync_start(disk);
	disk->durable(disk->context, revision);
}

void jv_sim_disk_init(struct jv_sim_disk *disk, struct jv_sim_clock *clock)
{
	*disk = (struct jv_sim_disk){.clock = clock, .store = jv_store_memory_open()};
	jv_sim_timer_init(&disk->done, sync_done, disk);
}

void jv_sim_disk_deinit(struct jv_sim_disk *disk)
{
	JV_ASSERT(!disk->busy);
	jv_batch_deinit(&disk->waiting);
	jv_batch_deinit(&disk->syncing);
	jv_store_close(disk->store);
}

void jv_sim_disk_post(struct jv_sim_disk *disk, struct jv_batch *batch, int64_t revision)
{
	JV_ASSERT(batch->count > 0 && revision > disk->waiting_revision);
	jv_batch_join(&disk->waiting, batch);
	jv_batch_clear(batch);
	disk->waiting_revision = revision;
	if (!disk->busy)
		sync_start(disk);
}

void jv_sim_disk_crash(struct jv_sim_disk *disk)
{
	jv_sim_timer_disarm(disk->clock, &disk->done);
	if (disk->busy && jv_sim_chance(disk->clock, 500)) {
		struct jv_status status = jv_store_commit(disk->store, &disk->syncing);
		jv_sim_trace(disk->clock, "disk crash: revision %lld is %s",
			(long long)disk->syncing_revision,
			jv_is_ok(&status) ? "written" : "lost by a fault");
	}
	disk->busy = false;
	jv_batch_clear(&disk->syncing);
	jv_batch_clear(&disk->waiting);
	disk->waiting_revision = 0;
	jv_store_memory_crash(disk->store, 0);
}
