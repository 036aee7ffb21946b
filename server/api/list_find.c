#include "base/assert.h"
#include "server/api/convert.h"
#include "server/api/filter.h"
#include "server/api/list.h"

/* States, and each label by itself, beside queues and nodes. */
#define CONDITIONS_MAX (3 + JV_FILTER_ENTRIES_MAX)
/* The final ones, and one for the rest. */
#define STATES_MAX 4

static struct jv_bytes nothing(void)
{
	return jv_bytes_of(NULL, 0);
}

static bool wants_placed(const Jarvis__V1__TaskFilter *filter)
{
	for (int state = JV_TASK_ASSIGNED; state <= JV_TASK_STOPPING; state++)
		if (jv_filter_state(filter, (enum jv_task_state)state))
			return true;
	return false;
}

/* Tasks that have succeeded have no entry of their own: most that are done have. Nor have queued
 * ones: most are placed before long. Beside other states all live tasks are taken: the way to the
 * next one that is not placed may be long, and would have to be gone again for each of the others.
 */
static struct jv_ids *of_states(struct jv_ids_walk *walk, const Jarvis__V1__TaskFilter *filter)
{
	struct jv_ids *placed = jv_ids_placed(walk);
	struct jv_ids *live = jv_ids_live(walk);
	struct jv_ids *parts[STATES_MAX];
	size_t count = 0;

	for (int state = JV_TASK_SUCCEEDED; state <= JV_TASK_CANCELLED; state++) {
		uint8_t letter = (uint8_t)state;
		if (jv_filter_state(filter, (enum jv_task_state)state))
			parts[count++] = jv_ids_term(
				walk, jv_term(JV_ENTRY_STATE, jv_bytes_of(&letter, 1), nothing()));
	}
	if (!jv_filter_state(filter, JV_TASK_QUEUED)) {
		if (wants_placed(filter))
			parts[count++] = placed;
	} else if (count > 0 || wants_placed(filter)) {
		parts[count++] = live;
	} else {
		return jv_ids_without(walk, live, placed);
	}
	return jv_ids_union(walk, parts, count);
}

static struct jv_ids *of_texts(
	struct jv_ids_walk *walk, enum jv_entry_kind kind, char *const *texts, size_t count)
{
	struct jv_ids *parts[JV_FILTER_ENTRIES_MAX];

	for (size_t i = 0; i < count; i++)
		parts[i] = jv_ids_term(walk, jv_term(kind, jv_bytes_of_text(texts[i]), nothing()));
	return jv_ids_union(walk, parts, count);
}

struct jv_ids *jv_listing_wanted(struct jv_ids_walk *walk, const Jarvis__V1__TaskFilter *filter)
{
	struct jv_ids *conditions[CONDITIONS_MAX];
	size_t count = 0;

	if (filter == NULL)
		return jv_ids_all(walk);
	if (filter->n_queues > 0)
		conditions[count++] =
			of_texts(walk, JV_ENTRY_QUEUE, filter->queues, filter->n_queues);
	if (filter->n_nodes > 0)
		conditions[count++] = of_texts(walk, JV_ENTRY_NODE, filter->nodes, filter->n_nodes);
	for (size_t i = 0; i < filter->n_labels; i++)
		conditions[count++] = jv_ids_term(walk,
			jv_term(JV_ENTRY_LABEL, jv_bytes_of_text(filter->labels[i]->key),
				jv_bytes_of_text(filter->labels[i]->value)));
	if (filter->n_states > 0)
		conditions[count++] = of_states(walk, filter);
	return count == 0 ? jv_ids_all(walk) : jv_ids_intersection(walk, conditions, count);
}

/* The place where a span is entered that a walk comes to at `from`; 0: it has passed it. */
static uint64_t entry_of(const struct jv_ids_walk *walk, struct jv_list_span span, uint64_t from)
{
	if (span.first > span.last)
		return 0;
	if (walk->backward)
		return from < span.first ? 0 : from < span.last ? from : span.last;
	return from > span.last ? 0 : from > span.first ? from : span.first;
}

/* Returns where to go on within the span; 0: nowhere. Looks at one task at least, so that pages
 * that cost too much come to an end, too. */
static uint64_t walk_span(
	struct jv_listing *listing, struct jv_ids *ids, struct jv_list_span span, uint64_t from)
{
	for (bool looked = false; from != 0; looked = true) {
		uint64_t id = jv_ids_seek(ids, from);
		if (id == 0 || entry_of(&listing->walk, span, id) != id)
			return 0;
		if (looked && jv_listing_over(listing))
			return id;
		jv_listing_add(listing, id);
		uint64_t next = jv_ids_next(&listing->walk, id);
		from = next == 0 ? 0 : entry_of(&listing->walk, span, next);
		if (from != 0 && jv_listing_over(listing))
			return from;
	}
	return 0;
}

/* The submission time of the last task up to a number, and that number; 0 if there is none. Each
 * look is a set of its own, as they go to and fro. */
static void look_back(struct jv_listing *listing, uint64_t at, uint64_t *id, int64_t *ms)
{
	struct jv_ids_walk walk = listing->walk;
	struct jv_ids *all;

	walk.backward = true;
	all = jv_ids_all(&walk);
	if (all == NULL) {
		listing->status = jv_answer_too_large();
		return;
	}
	*id = jv_ids_seek(all, at);
	jv_ids_close(all);
	/* A cursor that fails finds nothing, which is no answer. */
	listing->status = walk.status;
	if (!jv_is_ok(&listing->status) || *id == 0)
		return;
	listing->status = jv_read_task(listing->api, walk.snapshot, *id, &listing->read);
	*ms = listing->read.record.submit_ms;
}

/* The last number up to which everything was submitted before a moment, for certain: tasks are in
 * the order of their times, but for as much as the clock was ever set back. */
static uint64_t last_before(struct jv_listing *listing, int64_t moment_ms)
{
	uint64_t first = 1, end = listing->meta.next_task, found = 0;

	while (first < end && jv_is_ok(&listing->status)) {
		uint64_t middle = first + (end - first) / 2, id = 0;
		int64_t ms = 0;
		look_back(listing, middle, &id, &ms);
		if (id == 0 || ms < moment_ms) {
			found = middle;
			first = middle + 1;
		} else {
			end = id;
		}
	}
	return found;
}

void jv_listing_bound(struct jv_listing *listing)
{
	struct jv_list_span *span = &listing->span;
	int64_t back_ms = listing->meta.submit_back_ms;
	int64_t after_ms = -1, before_ms = -1, late_ms;

	*span = (struct jv_list_span){1, listing->meta.next_task};
	if (listing->filter != NULL) {
		after_ms = jv_convert_time_ms(listing->filter->submitted_after);
		before_ms = jv_convert_time_ms(listing->filter->submitted_before);
	}
	if (after_ms > back_ms)
		span->first = last_before(listing, after_ms - back_ms) + 1;
	/* From the first task on that is so late, none is early enough. */
	if (before_ms >= 0 && !__builtin_add_overflow(before_ms, back_ms, &late_ms))
		span->last = last_before(listing, late_ms + 1);
}

void jv_listing_by_id(struct jv_listing *listing, struct jv_list_place *place)
{
	struct jv_ids_walk *walk = &listing->walk;
	struct jv_ids *sets[] = {jv_listing_wanted(walk, listing->filter), jv_ids_all(walk)};
	struct jv_list_span span = listing->span;
	/* Before, not all tasks have entries. */
	uint64_t indexed = listing->meta.unindexed > 0 ? listing->meta.unindexed : 1;
	struct jv_list_span spans[] = {
		{span.first > indexed ? span.first : indexed, span.last},
		{span.first, span.last < indexed ? span.last : indexed - 1},
	};
	uint64_t next = 0;

	if (sets[0] == NULL || sets[1] == NULL) {
		listing->status = jv_answer_too_large();
		return;
	}
	for (size_t i = 0; i < 2 && next == 0; i++) {
		size_t n = walk->backward ? i : 1 - i;
		uint64_t entered = entry_of(walk, spans[n], place->id);
		if (entered != 0)
			next = jv_listing_over(listing)
				? entered
				: walk_span(listing, sets[n], spans[n], entered);
	}
	place->id = next;
	jv_ids_close(sets[0]);
	jv_ids_close(sets[1]);
}
