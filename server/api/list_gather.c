#include <stdlib.h>

#include "server/api/list.h"

/* What may be spent, of limits.list_scan_max: steps to find the tasks, and tasks whose keys are
 * read. It is not taken from what the page may cost then: a page costs at most twice as much. */
#define STEPS_PART 4
#define TASKS_PART 8
/* Of specs, for names. */
#define SPEC_BYTES_MAX ((size_t)8 << 20)

struct gathering {
	struct jv_listing *listing;
	struct jv_ids_walk walk;
	uint64_t *ids;
	size_t count;
	size_t max;
	size_t spec_bytes;
	struct jv_buffer key;
};

/* Tasks without entries are in no set, but may have got a place in an order. */
static bool all_indexed(struct gathering *gathering)
{
	uint64_t unindexed = gathering->listing->meta.unindexed, oldest;
	struct jv_ids *all;

	if (unindexed <= 1)
		return true;
	all = jv_ids_all(&gathering->walk);
	if (all == NULL)
		return false;
	oldest = jv_ids_seek(all, 1);
	jv_ids_close(all);
	return oldest == 0 || oldest >= unindexed;
}

/* The tasks of a set; false if they are too many. */
static bool find(struct gathering *gathering, struct jv_ids *ids)
{
	struct jv_list_span span = gathering->listing->span;

	for (uint64_t from = span.first; from <= span.last; from++) {
		from = jv_ids_seek(ids, from);
		if (from == 0 || from > span.last)
			return true;
		if (gathering->walk.steps_left <= 0 || gathering->count == gathering->max)
			return false;
		gathering->ids[gathering->count++] = from;
	}
	return true;
}

static bool find_all(struct gathering *gathering)
{
	struct jv_ids_walk *walk = &gathering->walk;
	struct jv_ids *parts[] = {
		jv_listing_wanted(walk, gathering->listing->filter), jv_ids_done(walk)};
	struct jv_ids *ids = jv_ids_intersection(
		walk, parts, gathering->listing->field == JV_LIST_FINISH_TIME ? 2 : 1);
	bool found;

	if (ids == NULL)
		return false;
	found = find(gathering, ids);
	jv_ids_close(ids);
	return found;
}

/* An empty key: the task has no place in the order. */
static struct jv_status read_name(struct gathering *gathering, uint64_t id)
{
	struct jv_listing *listing = gathering->listing;
	Jarvis__V1__TaskSpec *spec = NULL;
	struct jv_arena arena;
	struct jv_status status;

	jv_arena_init(&arena, 0, 0);
	status = jv_read_spec(listing->api, listing->walk.snapshot, id, &arena, &spec);
	if (jv_is_ok(&status) && spec->name[0] != '\0')
		jv_key_name(&gathering->key, jv_bytes_of_text(spec->name), id);
	gathering->spec_bytes += arena.used;
	jv_arena_deinit(&arena);
	return status;
}

static struct jv_status read_key(struct gathering *gathering, uint64_t id)
{
	struct jv_listing *listing = gathering->listing;
	const struct jv_task_record *record = &listing->read.record;

	jv_buffer_clear(&gathering->key);
	if (listing->field == JV_LIST_NAME)
		return read_name(gathering, id);
	JV_TRY(jv_read_task(listing->api, listing->walk.snapshot, id, &listing->read));
	if (listing->field == JV_LIST_PRIORITY && record->priority != 0)
		jv_key_priority(&gathering->key, record->priority, id);
	if (listing->field == JV_LIST_FINISH_TIME && jv_task_state_final(record->state))
		jv_key_finish(&gathering->key, record->state, record->finish_ms, id);
	return jv_ok();
}

/* False if that takes too much. */
static bool read_keys(struct gathering *gathering, struct jv_list_few *few)
{
	struct jv_listing *listing = gathering->listing;
	/* Letter and kind; there also the state. */
	size_t skip = listing->field == JV_LIST_FINISH_TIME ? 3 : 2;

	for (size_t i = 0; i < gathering->count; i++) {
		struct jv_status status = read_key(gathering, gathering->ids[i]);
		/* An entry that was left behind. */
		if (status.code == JV_NOT_FOUND)
			continue;
		listing->status = status;
		if (!jv_is_ok(&status) || gathering->spec_bytes > SPEC_BYTES_MAX)
			return false;
		if (gathering->key.size == 0)
			continue;
		struct jv_bytes suffix =
			jv_bytes_of(gathering->key.data + skip, gathering->key.size - skip);
		suffix.data = (const uint8_t *)jv_arena_copy_bytes(listing->walk.arena, suffix);
		if (suffix.data == NULL)
			return false;
		few->suffixes[few->count++] = suffix;
	}
	return true;
}

static int compare(const void *first, const void *second)
{
	return jv_bytes_compare(*(const struct jv_bytes *)first, *(const struct jv_bytes *)second);
}

bool jv_listing_gather(struct jv_listing *listing, struct jv_list_few *few)
{
	int64_t steps_max = listing->api->limits->list_scan_max;
	struct gathering gathering = {
		.listing = listing, .walk = listing->walk, .max = (size_t)(steps_max / TASKS_PART)};
	struct jv_arena *arena = listing->walk.arena;
	bool gathered;

	gathering.walk.backward = false;
	gathering.walk.steps_left = steps_max / STEPS_PART;
	gathering.ids = jv_arena_alloc(arena, gathering.max * sizeof(gathering.ids[0]));
	*few = (struct jv_list_few){
		jv_arena_alloc(arena, gathering.max * sizeof(few->suffixes[0])), 0};
	if (gathering.ids == NULL || few->suffixes == NULL)
		return false;
	gathered = all_indexed(&gathering) && find_all(&gathering) &&
		jv_is_ok(&gathering.walk.status) && read_keys(&gathering, few);
	if (jv_is_ok(&listing->status))
		listing->status = gathering.walk.status;
	jv_buffer_deinit(&gathering.key);
	if (gathered)
		qsort(few->suffixes, few->count, sizeof(few->suffixes[0]), compare);
	return gathered;
}
