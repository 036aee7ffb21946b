/*
 * Reads of the store on behalf of a call: tasks and their specs.
 *
 * On an edge's thread. Point reads and short scans only, so no handler blocks for long. What is
 * read is durable, so it may be told at once.
 */
#ifndef JV_SERVER_API_READ_H
#define JV_SERVER_API_READ_H

#include "jarvis/v1/task.pb-c.h"
#include "server/api/edge.h"

/* One task's record; its texts point into value. All zero before the first read. */
struct jv_task_read {
	struct jv_buffer key;
	struct jv_buffer value;
	struct jv_task_record record;
};

void jv_task_read_deinit(struct jv_task_read *read);
/* NOT_FOUND if there is no such task. snapshot may be NULL. */
struct jv_status jv_read_task(struct jv_api *api, const struct jv_snapshot *snapshot, uint64_t task,
	struct jv_task_read *read) JV_MUST_USE;
/* The spec as it is stored, packed; lent from value, which must be empty. */
struct jv_status jv_read_spec_bytes(struct jv_api *api, const struct jv_snapshot *snapshot,
	uint64_t task, struct jv_buffer *value, struct jv_bytes *packed) JV_MUST_USE;
/* The spec, in the arena. */
struct jv_status jv_read_spec(struct jv_api *api, const struct jv_snapshot *snapshot, uint64_t task,
	struct jv_arena *arena, Jarvis__V1__TaskSpec **spec) JV_MUST_USE;
/* The whole task as the API shows it, in the arena. read keeps the record. */
struct jv_status jv_read_task_message(struct jv_api *api, const struct jv_snapshot *snapshot,
	uint64_t task, struct jv_arena *arena, struct jv_task_read *read,
	Jarvis__V1__Task **message) JV_MUST_USE;
struct jv_status jv_read_meta(struct jv_api *api, const struct jv_snapshot *snapshot,
	struct jv_meta_record *meta) JV_MUST_USE;
/* Where a watch begins: behind a revision that the client names, or, 0, behind the newest.
 * INVALID_ARGUMENT or OUT_OF_RANGE of from_revision. */
struct jv_status jv_read_from(
	const struct jv_api *api, int64_t from_revision, int64_t *revision) JV_MUST_USE;
/* OUT_OF_RANGE if changes after that revision are lost to a watcher: it must list anew. For a
 * cursor that was opened before. */
struct jv_status jv_read_kept(struct jv_api *api, int64_t revision) JV_MUST_USE;
/* Memory that the messages of one answer may take, so that it stays below the limit on messages: it
 * is never less than what they are packed. */
size_t jv_answer_bytes_max(const struct jv_api *api);
/* RESOURCE_EXHAUSTED: the answer needs more memory than a call may have. */
struct jv_status jv_answer_too_large(void);

#endif
