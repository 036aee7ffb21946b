#include "server/core/private.h"

/* Entries of the index: by what lists find tasks (docs/storage.md, "Lists"). */

static void put(struct jv_core *core)
{
	JV_ASSERT(core->batch != NULL);
	jv_buffer_clear(&core->value);
	jv_entry_encode(&core->key, &core->value);
	jv_batch_put(core->batch, jv_buffer_bytes(&core->key), jv_buffer_bytes(&core->value));
}

static void drop(struct jv_core *core)
{
	JV_ASSERT(core->batch != NULL);
	jv_batch_delete(core->batch, jv_buffer_bytes(&core->key));
}

static void put_term(struct jv_core *core, struct jv_term term, uint64_t task)
{
	jv_key_term(&core->key, term, task);
	put(core);
}

static void drop_term(struct jv_core *core, struct jv_term term, uint64_t task)
{
	jv_key_term(&core->key, term, task);
	drop(core);
}

static struct jv_term term_of_state(enum jv_task_state state)
{
	uint8_t letter = (uint8_t)state;
	JV_ASSERT(jv_task_state_final(state));
	return jv_term(JV_ENTRY_STATE, jv_bytes_of(&letter, 1), jv_bytes_of(NULL, 0));
}

static struct jv_term term_of(enum jv_entry_kind kind, struct jv_bytes text)
{
	return jv_term(kind, text, jv_bytes_of(NULL, 0));
}

void jv_entry_init(struct jv_core *core)
{
	for (int state = JV_TASK_SUCCEEDED; state <= JV_TASK_CANCELLED; state++)
		core->state_terms[state] = term_of_state((enum jv_task_state)state);
}

void jv_entry_submit(
	struct jv_core *core, const struct jv_task *task, const struct jv_event_submit *submit)
{
	put_term(core, task->shape->queue->term, task->id);
	for (uint32_t i = 0; i < submit->term_count; i++)
		put_term(core, submit->terms[i], task->id);
	if (submit->name.size > 0) {
		jv_key_name(&core->key, submit->name, task->id);
		put(core);
	}
	if (task->priority != 0) {
		jv_key_priority(&core->key, task->priority, task->id);
		put(core);
	}
}

void jv_entry_place(struct jv_core *core, const struct jv_task *task, const struct jv_node *node)
{
	JV_ASSERT(task->state == JV_TASK_QUEUED);
	jv_index_touch(&core->tasks, task);
	if (task->node == node)
		return;
	if (task->node != NULL)
		drop_term(core, task->node->term, task->id);
	put_term(core, node->term, task->id);
}

void jv_entry_leave(struct jv_core *core, const struct jv_task *task)
{
	JV_ASSERT(jv_task_active(task));
	jv_index_touch(&core->tasks, task);
}

void jv_entry_settle(struct jv_core *core)
{
	struct jv_placed_record record;
	while (jv_index_settle(&core->tasks, &record)) {
		jv_buffer_clear(&core->key);
		jv_buffer_clear(&core->value);
		if (record.members == 0) {
			jv_key_placed(&core->key, record.last);
			drop(core);
			continue;
		}
		jv_placed_encode(&record, &core->key, &core->value);
		jv_batch_put(
			core->batch, jv_buffer_bytes(&core->key), jv_buffer_bytes(&core->value));
	}
}

void jv_entry_end(struct jv_core *core, const struct jv_task_record *record)
{
	put_term(core, core->state_terms[record->state], record->id);
	jv_key_finish(&core->key, record->state, record->finish_ms, record->id);
	put(core);
}

/* Puts or drops the entry of core->key. */
typedef void on_entry(struct jv_core *core);

static void act_term(struct jv_core *core, struct jv_term term, uint64_t task, on_entry *act)
{
	jv_key_term(&core->key, term, task);
	act(core);
}

/* What a task has from its submission on. */
static void act_submitted(
	struct jv_core *core, struct jv_term queue, const struct jv_swept *swept, on_entry *act)
{
	struct jv_bytes name = jv_bytes_of_text(swept->name);
	act_term(core, queue, swept->task, act);
	for (uint32_t i = 0; i < swept->term_count; i++)
		act_term(core, swept->terms[i], swept->task, act);
	if (name.size > 0) {
		jv_key_name(&core->key, name, swept->task);
		act(core);
	}
	if (swept->priority != 0) {
		jv_key_priority(&core->key, swept->priority, swept->task);
		act(core);
	}
}

static void act_finished(struct jv_core *core, const struct jv_swept *swept, on_entry *act)
{
	struct jv_bytes node = jv_bytes_of_text(swept->node);
	act_term(core, core->state_terms[swept->state], swept->task, act);
	if (node.size > 0)
		act_term(core, term_of(JV_ENTRY_NODE, node), swept->task, act);
	jv_key_finish(&core->key, (enum jv_task_state)swept->state, swept->finish_ms, swept->task);
	act(core);
}

void jv_entry_adopt(struct jv_core *core, const struct jv_task *task, const struct jv_swept *swept)
{
	act_submitted(core, term_of(JV_ENTRY_QUEUE, jv_bytes_of_text(swept->queue)), swept, put);
	if (task == NULL) {
		act_finished(core, swept, put);
		return;
	}
	if (jv_task_active(task))
		jv_index_touch(&core->tasks, task);
	if (task->node != NULL)
		put_term(core, task->node->term, task->id);
}

void jv_entry_gone(struct jv_core *core, const struct jv_queue *queue, const struct jv_swept *swept)
{
	if (swept->state == 0)
		return;
	act_submitted(core, queue->term, swept, drop);
	act_finished(core, swept, drop);
}
