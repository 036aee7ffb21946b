#include <string.h>

#include "base/assert.h"
#include "server/api/filter.h"
#include "server/api/list.h"

/* Letter and kind stand in front of every key of an entry; of JV_ENTRY_FINISH also the state. */
#define PREFIX_SIZE 2
#define BOUND_SIZE  3
#define RANGES_MAX  3
#define ID_SIZE     8

/* A range of entries, walked by its cursor. Several are walked as one, by what is behind `skip`. */
struct range {
	uint8_t lower[BOUND_SIZE];
	uint8_t upper[BOUND_SIZE]; /* not included */
	size_t skip;
	struct jv_cursor *cursor;
	struct jv_bytes suffix; /* of the key under the cursor; size 0: there is none */
};

struct ranges {
	struct jv_listing *listing;
	struct range range[RANGES_MAX];
	size_t count;
};

static void read_range(struct range *range)
{
	struct jv_bytes key, value;

	range->suffix = jv_bytes_of(NULL, 0);
	if (!jv_cursor_read(range->cursor, &key, &value) || key.size <= range->skip + ID_SIZE ||
		memcmp(key.data, range->lower, BOUND_SIZE) < 0 ||
		memcmp(key.data, range->upper, BOUND_SIZE) >= 0)
		return;
	range->suffix = jv_bytes_of(key.data + range->skip, key.size - range->skip);
}

static void step_range(const struct jv_listing *listing, struct range *range)
{
	jv_cursor_step(range->cursor, listing->walk.backward);
	read_range(range);
}

/* Behind the suffix, if there is one. */
static void open_range(
	struct jv_listing *listing, struct range *range, const struct jv_list_place *place)
{
	bool backward = listing->walk.backward;
	struct jv_buffer key = {0};

	range->cursor = jv_cursor_open(listing->walk.store, listing->walk.snapshot);
	if (place->by_entry) {
		jv_buffer_append(&key, range->lower, range->skip);
		jv_buffer_append(&key, place->suffix.data, place->suffix.size);
	} else {
		jv_buffer_append(&key, backward ? range->upper : range->lower, BOUND_SIZE);
	}
	jv_cursor_seek(range->cursor, jv_buffer_bytes(&key), backward);
	jv_buffer_deinit(&key);
	read_range(range);
	if (place->by_entry && jv_bytes_equal(range->suffix, place->suffix))
		step_range(listing, range);
}

/* The range whose entry is next; NULL at the end. */
static struct range *next_range(struct ranges *ranges)
{
	struct range *best = NULL;

	for (size_t i = 0; i < ranges->count; i++) {
		struct range *range = &ranges->range[i];
		if (range->suffix.size == 0)
			continue;
		if (best == NULL ||
			(jv_bytes_compare(range->suffix, best->suffix) < 0) !=
				ranges->listing->walk.backward)
			best = range;
	}
	return best;
}

static uint64_t id_of(struct jv_bytes suffix)
{
	struct jv_reader reader =
		jv_reader_of(jv_bytes_of(suffix.data + suffix.size - ID_SIZE, ID_SIZE));

	return jv_get_key_u64(&reader);
}

/* Remembers the entry as the last one taken. */
static void leave(struct jv_listing *listing, struct jv_list_place *place, struct jv_bytes suffix)
{
	char *copy = jv_arena_copy_bytes(listing->arena, suffix);

	if (copy == NULL)
		listing->status = jv_answer_too_large();
	place->by_entry = true;
	place->id = 1;
	place->suffix = jv_bytes_of(copy, suffix.size);
}

/* Whether a task has to be looked at: its entries say so, if it has all that it should have. */
static bool passes(struct jv_listing *listing, uint64_t id)
{
	return id >= listing->span.first && id <= listing->span.last &&
		(listing->probe == NULL || id < listing->meta.unindexed ||
			jv_ids_may_have(listing->probe, id));
}

static bool walk_entries(struct ranges *ranges, struct jv_list_place *place)
{
	struct jv_listing *listing = ranges->listing;
	struct range *range;
	bool over = false;

	for (size_t i = 0; i < ranges->count; i++)
		open_range(listing, &ranges->range[i], place);
	while (!over && (range = next_range(ranges)) != NULL) {
		listing->walk.steps_left--;
		if (passes(listing, id_of(range->suffix)))
			jv_listing_add(listing, id_of(range->suffix));
		over = jv_listing_over(listing);
		if (over)
			leave(listing, place, range->suffix);
		step_range(listing, range);
	}
	for (size_t i = 0; i < ranges->count; i++) {
		struct jv_status closed = jv_cursor_close(ranges->range[i].cursor);
		if (jv_is_ok(&listing->status))
			listing->status = closed;
	}
	return over;
}

static bool in_ranges(const struct ranges *ranges, struct jv_bytes suffix)
{
	for (size_t i = 0; i < ranges->count; i++) {
		const struct range *range = &ranges->range[i];
		uint8_t start[BOUND_SIZE];
		memcpy(start, range->lower, range->skip);
		memcpy(start + range->skip, suffix.data, BOUND_SIZE - range->skip);
		if (memcmp(start, range->lower, BOUND_SIZE) >= 0 &&
			memcmp(start, range->upper, BOUND_SIZE) < 0)
			return true;
	}
	return false;
}

/* Whether the page may hold an entry: it comes behind the last one of the page before. */
static bool is_behind(
	const struct jv_listing *listing, const struct jv_list_place *place, struct jv_bytes suffix)
{
	int order;

	if (!place->by_entry)
		return true;
	order = jv_bytes_compare(suffix, place->suffix);
	return listing->walk.backward ? order < 0 : order > 0;
}

static bool walk_few(struct ranges *ranges, struct jv_list_place *place)
{
	struct jv_listing *listing = ranges->listing;
	const struct jv_list_few *few = listing->few;
	struct jv_bytes last = jv_bytes_of(NULL, 0);

	for (size_t i = 0; i < few->count; i++) {
		struct jv_bytes suffix =
			few->suffixes[listing->walk.backward ? few->count - 1 - i : i];
		if (!in_ranges(ranges, suffix) || !is_behind(listing, place, suffix))
			continue;
		if (last.size > 0 && jv_listing_over(listing)) {
			leave(listing, place, last);
			return true;
		}
		jv_listing_add(listing, id_of(suffix));
		last = suffix;
	}
	return false;
}

/* True if the page ends here; then place says where the next one begins, which is the same however
 * the tasks are found. */
static bool walk_ranges(struct ranges *ranges, struct jv_list_place *place)
{
	return ranges->listing->few != NULL ? walk_few(ranges, place) : walk_entries(ranges, place);
}

static void add_range(
	struct ranges *ranges, enum jv_entry_kind kind, uint16_t lower, uint16_t upper, size_t skip)
{
	struct range *range = &ranges->range[ranges->count++];

	*range = (struct range){.skip = skip};
	range->lower[0] = range->upper[0] = JV_RECORD_ENTRY;
	range->lower[1] = range->upper[1] = (uint8_t)kind;
	range->lower[2] = (uint8_t)lower;
	range->upper[2] = (uint8_t)upper;
	if (upper > UINT8_MAX)
		range->upper[1]++;
}

static void by_finish(struct jv_listing *listing, struct jv_list_place *place)
{
	struct ranges ranges = {.listing = listing};

	for (int state = JV_TASK_SUCCEEDED; state <= JV_TASK_CANCELLED; state++)
		if (jv_filter_state(listing->filter, (enum jv_task_state)state))
			add_range(&ranges, JV_ENTRY_FINISH, (uint16_t)state, (uint16_t)(state + 1),
				BOUND_SIZE);
	if (!walk_ranges(&ranges, place))
		place->id = 0;
}

static void by_name(struct jv_listing *listing, struct jv_list_place *place)
{
	struct ranges ranges = {.listing = listing};

	add_range(&ranges, JV_ENTRY_NAME, 0, UINT8_MAX + 1, PREFIX_SIZE);
	if (!walk_ranges(&ranges, place))
		place->id = 0;
}

/* Tasks with a priority above 0, or below it: most have none. */
static bool by_sign(struct jv_listing *listing, bool above, struct jv_list_place *place)
{
	struct ranges ranges = {.listing = listing};

	if (above)
		add_range(&ranges, JV_ENTRY_PRIORITY, 0x80, UINT8_MAX + 1, PREFIX_SIZE);
	else
		add_range(&ranges, JV_ENTRY_PRIORITY, 0, 0x80, PREFIX_SIZE);
	return walk_ranges(&ranges, place);
}

static void enter(struct jv_listing *listing, struct jv_list_place *place, uint8_t phase)
{
	*place = (struct jv_list_place){
		.phase = phase, .id = listing->walk.backward ? UINT64_MAX : 1};
}

/* Descending: above 0, the rest by number, below 0; ascending the other way round. */
static void by_priority(struct jv_listing *listing, struct jv_list_place *place)
{
	bool above_first = listing->walk.backward;

	if (place->phase == 0) {
		if (by_sign(listing, above_first, place))
			return;
		enter(listing, place, 1);
	}
	if (place->phase == 1 && !jv_listing_over(listing)) {
		listing->without_priority = true;
		jv_listing_by_id(listing, place);
		listing->without_priority = false;
		if (place->id != 0)
			return;
		enter(listing, place, 2);
	}
	if (place->phase == 2 && !jv_listing_over(listing) &&
		!by_sign(listing, !above_first, place))
		place->id = 0;
}

static void walk_order(struct jv_listing *listing, struct jv_list_place *place)
{
	switch (listing->field) {
	case JV_LIST_FINISH_TIME:
		by_finish(listing, place);
		return;
	case JV_LIST_PRIORITY:
		by_priority(listing, place);
		return;
	case JV_LIST_NAME:
		by_name(listing, place);
		return;
	case JV_LIST_SUBMIT_TIME:
	default:
		JV_UNREACHABLE();
	}
}

void jv_listing_by_order(struct jv_listing *listing, struct jv_list_place *place)
{
	struct jv_list_span span = listing->span;
	Jarvis__V1__TaskFilter rest = JARVIS__V1__TASK_FILTER__INIT;
	struct jv_list_few few;

	if (listing->filter != NULL)
		rest = *listing->filter;
	/* Its ranges are by state. */
	if (listing->field == JV_LIST_FINISH_TIME)
		rest.n_states = 0;
	if (rest.n_states + rest.n_queues + rest.n_nodes + rest.n_labels > 0) {
		listing->probe = jv_listing_wanted(&listing->walk, &rest);
		if (listing->probe == NULL)
			listing->status = jv_answer_too_large();
	}
	if ((listing->probe != NULL || span.first > 1 || span.last < listing->meta.next_task) &&
		jv_listing_gather(listing, &few))
		listing->few = &few;
	if (jv_is_ok(&listing->status))
		walk_order(listing, place);
	listing->few = NULL;
}
