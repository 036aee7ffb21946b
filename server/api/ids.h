/*
 * Sets of tasks in the store, by number: what meets a condition, and what meets several.
 *
 * On an edge's thread, over one snapshot. A set is asked for its next member in one direction, and
 * finds it by seeks in the index (docs/storage.md, "Lists"), so a condition that few tasks meet
 * costs little however many tasks there are. The work of all sets of one walk is bounded: when it
 * is used up, a set says how far it has come instead.
 */
#ifndef JV_SERVER_API_IDS_H
#define JV_SERVER_API_IDS_H

#include "base/arena.h"
#include "storage/record.h"
#include "storage/store.h"

struct jv_ids;

/* What all sets of one walk share. They live in the arena. */
struct jv_ids_walk {
	struct jv_store *store;
	const struct jv_snapshot *snapshot;
	struct jv_arena *arena;
	bool backward;
	int64_t steps_left;      /* moves of cursors, looks; at 0 or below the walk is to stop */
	struct jv_status status; /* the first error of the store; of cursors at close */
};

/* Each returns NULL when the arena is full; a NULL among the parts makes NULL. */
struct jv_ids *jv_ids_live(struct jv_ids_walk *walk);
struct jv_ids *jv_ids_done(struct jv_ids_walk *walk);
/* Live and done. */
struct jv_ids *jv_ids_all(struct jv_ids_walk *walk);
/* Those that are placed: ASSIGNED to STOPPING. */
struct jv_ids *jv_ids_placed(struct jv_ids_walk *walk);
/* Those with an entry for the term. */
struct jv_ids *jv_ids_term(struct jv_ids_walk *walk, struct jv_term term);
/* parts are copied; at least one. */
struct jv_ids *jv_ids_union(struct jv_ids_walk *walk, struct jv_ids *const *parts, size_t count);
struct jv_ids *jv_ids_intersection(
	struct jv_ids_walk *walk, struct jv_ids *const *parts, size_t count);
/* Of the first but not of the second. */
struct jv_ids *jv_ids_without(struct jv_ids_walk *walk, struct jv_ids *of, struct jv_ids *excluded);

/* The first member that is `from` or behind it, in the direction of the walk; 0 if there is none.
 * From call to call `from` may only go on. When the steps are used up, what is returned may be no
 * member, but there is none before it. */
uint64_t jv_ids_seek(struct jv_ids *ids, uint64_t from);
/* Whether a number may be a member, by a question for each condition instead of a walk: for numbers
 * in no order. Unions of many are not asked; without a union the answer is exact. Costs steps;
 * false with walk->status when the store fails. */
bool jv_ids_may_have(const struct jv_ids *ids, uint64_t id);
/* The number behind one, in the direction of the walk; 0 at the end. */
uint64_t jv_ids_next(const struct jv_ids_walk *walk, uint64_t id);
/* Closes the cursors of the set and its parts. */
void jv_ids_close(struct jv_ids *ids);

#endif
