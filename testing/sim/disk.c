#include "testing/sim/disk.h"

#include <string.h>

#include "base/assert.h"
#include "storage/record.h"

#define SLOW_FACTOR    10
#define HIDDEN_TOLD_MS 60000

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

static struct jv_status write_down(struct jv_sim_disk *disk)
{
	if (disk->full_until_ms > disk->clock->now_ms)
		return jv_error(JV_RESOURCE_EXHAUSTED, "the simulated disk is full");
	return jv_store_commit(disk->store, &disk->syncing);
}

static void sync_done(void *context)
{
	struct jv_sim_disk *disk = context;
	int64_t revision = disk->syncing_revision;
	struct jv_status status;

	if (disk->held(disk->context, &disk->done))
		return;
	status = write_down(disk);
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

static void readable(void *context)
{
	struct jv_sim_disk *disk = context;

	if (disk->unreadable_until_ms > disk->clock->now_ms)
		disk->unreadable_until_ms = disk->clock->now_ms;
	jv_store_memory_fail_reads(disk->store, false);
}

void jv_sim_disk_init(struct jv_sim_disk *disk, struct jv_sim_clock *clock)
{
	*disk = (struct jv_sim_disk){.clock = clock, .store = jv_store_memory_open()};
	jv_sim_timer_init(&disk->done, sync_done, disk);
	jv_sim_timer_init(&disk->readable, readable, disk);
}

void jv_sim_disk_deinit(struct jv_sim_disk *disk)
{
	JV_ASSERT(!disk->busy);
	jv_sim_timer_disarm(disk->clock, &disk->readable);
	jv_batch_deinit(&disk->waiting);
	jv_batch_deinit(&disk->syncing);
	jv_buffer_deinit(&disk->damage.key);
	jv_buffer_deinit(&disk->damage.sound);
	jv_buffer_deinit(&disk->damage.flipped);
	jv_buffer_deinit(&disk->damage.names);
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
		struct jv_status status = write_down(disk);
		jv_sim_trace(disk->clock, "disk crash: revision %lld is %s",
			(long long)disk->syncing_revision,
			jv_is_ok(&status) ? "written" : "lost by a fault");
	}
	disk->busy = false;
	jv_batch_clear(&disk->syncing);
	jv_batch_clear(&disk->waiting);
	disk->waiting_revision = 0;
	disk->failing = false;
	jv_store_memory_crash(disk->store, 0);
}

void jv_sim_disk_fail(struct jv_sim_disk *disk, enum jv_memory_fault fault, uint32_t after)
{
	disk->failing = fault != JV_MEMORY_FAULT_NONE;
	jv_store_memory_fail(disk->store, fault, after);
}

/* Past the journal: as the medium does it. */
static void overwrite(
	struct jv_sim_disk *disk, const struct jv_buffer *key, const struct jv_buffer *value)
{
	struct jv_batch batch = {0};
	struct jv_status status;

	JV_ASSERT(!disk->failing);
	jv_batch_put(&batch, jv_buffer_bytes(key), jv_buffer_bytes(value));
	status = jv_store_commit(disk->store, &batch);
	JV_ASSERT(jv_is_ok(&status));
	jv_batch_deinit(&batch);
}

/* Some record of the kind; false if there is none. */
static bool pick(struct jv_sim_disk *disk, struct jv_random *random, uint8_t kind)
{
	struct jv_cursor *cursor = jv_cursor_open(disk->store, NULL);
	struct jv_bytes key, value;
	struct jv_status status;
	uint64_t seen = 0;

	jv_cursor_seek(cursor, jv_bytes_of(&kind, 1), false);
	while (jv_cursor_read(cursor, &key, &value) && key.data[0] == kind) {
		if (jv_random_below(random, ++seen) == 0) {
			jv_buffer_clear(&disk->damage.key);
			jv_buffer_append(&disk->damage.key, key.data, key.size);
			jv_buffer_clear(&disk->damage.sound);
			jv_buffer_append(&disk->damage.sound, value.data, value.size);
		}
		jv_cursor_step(cursor, false);
	}
	status = jv_cursor_close(cursor);
	JV_ASSERT(jv_is_ok(&status));
	return seen > 0;
}

void jv_sim_disk_damage(struct jv_sim_disk *disk, struct jv_random *random)
{
	static const uint8_t kinds[] = {JV_RECORD_META, JV_RECORD_SHAPE, JV_RECORD_NODE,
		JV_RECORD_LIVE, JV_RECORD_LOG_HEAD, JV_RECORD_REQUEST, JV_RECORD_SPEC,
		JV_RECORD_DONE, JV_RECORD_LOG, JV_RECORD_EVENT};
	struct jv_sim_damage *damage = &disk->damage;
	uint8_t kind = kinds[jv_sim_draw(random, 0, sizeof(kinds) - 1)];
	size_t bit;

	if (disk->failing || disk->unreadable_until_ms > disk->clock->now_ms || damage->is ||
		!pick(disk, random, kind))
		return;
	jv_buffer_clear(&damage->flipped);
	jv_buffer_append(&damage->flipped, damage->sound.data, damage->sound.size);
	bit = (size_t)jv_sim_draw(random, 0, 8 * (int64_t)damage->sound.size - 1);
	damage->flipped.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	damage->is = true;
	jv_key_describe(jv_buffer_bytes(&damage->key), &damage->names);
	jv_buffer_append_text(&damage->names, "\n");
	overwrite(disk, &damage->key, &damage->flipped);
	jv_sim_trace(disk->clock, "disk: bit %zu of a record %c is flipped", bit, kind);
}

bool jv_sim_disk_is_damaged(const struct jv_sim_disk *disk)
{
	const struct jv_sim_damage *damage = &disk->damage;
	struct jv_buffer found = {0};
	struct jv_status status;
	bool is;

	if (!damage->is || disk->unreadable_until_ms > disk->clock->now_ms)
		return false;
	status = jv_store_get(disk->store, NULL, jv_buffer_bytes(&damage->key), &found);
	is = jv_is_ok(&status) &&
		jv_bytes_equal(jv_buffer_bytes(&found), jv_buffer_bytes(&damage->flipped));
	jv_buffer_deinit(&found);
	return is;
}

void jv_sim_disk_restore(struct jv_sim_disk *disk)
{
	if (jv_sim_disk_is_damaged(disk))
		overwrite(disk, &disk->damage.key, &disk->damage.sound);
	disk->damage.is = false;
}

/* Also of one that was mended since: the answer may have been on its way. */
bool jv_sim_disk_explains(const struct jv_sim_disk *disk, const struct jv_status *status)
{
	struct jv_bytes names = jv_buffer_bytes(&disk->damage.names);

	if (status->code == JV_INTERNAL)
		return disk->unreadable_until_ms + HIDDEN_TOLD_MS > disk->clock->now_ms;
	if (status->code != JV_DATA_LOSS)
		return false;
	while (names.size > 0) {
		const uint8_t *end = memchr(names.data, '\n', names.size);
		size_t size = (size_t)(end - names.data);
		if (memmem(status->message, strlen(status->message), names.data, size) != NULL)
			return true;
		names = jv_bytes_of(end + 1, names.size - size - 1);
	}
	return false;
}

void jv_sim_disk_hide(struct jv_sim_disk *disk, int64_t ms)
{
	jv_sim_trace(disk->clock, "disk: nothing can be read for %lld ms", (long long)ms);
	disk->unreadable_until_ms = disk->clock->now_ms + ms;
	jv_store_memory_fail_reads(disk->store, true);
	jv_sim_timer_arm(disk->clock, &disk->readable, disk->unreadable_until_ms);
}

void jv_sim_disk_heal(struct jv_sim_disk *disk)
{
	jv_sim_disk_fail(disk, JV_MEMORY_FAULT_NONE, 0);
	disk->slow_until_ms = 0;
	disk->full_until_ms = 0;
	jv_sim_timer_disarm(disk->clock, &disk->readable);
	readable(disk);
	jv_sim_disk_restore(disk);
}
