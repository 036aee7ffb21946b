#include <stdlib.h>

#include "server/core/private.h"

void jv_effects_init(struct jv_effects *effects)
{
	*effects = (struct jv_effects){0};
	jv_list_init(&effects->replies);
	jv_list_init(&effects->directives);
}

void jv_effects_deinit(struct jv_effects *effects)
{
	JV_ASSERT(jv_list_empty(&effects->replies));
	JV_ASSERT(jv_list_empty(&effects->directives));
	JV_ASSERT(effects->sweep == NULL);
	free(effects->publications);
	*effects = (struct jv_effects){0};
}

void jv_effect_reply(struct jv_core *core, struct jv_event *event)
{
	JV_ASSERT(core->effects != NULL);
	/* What the reply tells may rest on anything done before in this transaction. */
	event->revision = core->meta.revision;
	if (core->batch->count > 0)
		event->revision = jv_core_open_revision(core);
	jv_list_push_back(&core->effects->replies, &event->link);
}

void jv_effect_publish(struct jv_core *core, uint64_t task, uint32_t kinds)
{
	struct jv_effects *effects = core->effects;
	JV_ASSERT(kinds != 0);
	if (effects->publication_count > 0) {
		struct jv_publication *last =
			&effects->publications[effects->publication_count - 1];
		if (last->task == task) {
			last->kinds |= kinds;
			return;
		}
	}
	if (effects->publication_count == effects->publication_capacity) {
		JV_ASSERT(effects->publication_capacity <= UINT32_MAX / 2);
		uint32_t capacity = effects->publication_capacity * 2;
		effects->publication_capacity = capacity > 0 ? capacity : 16;
		effects->publications = jv_realloc(effects->publications,
			effects->publication_capacity * sizeof(*effects->publications));
	}
	effects->publications[effects->publication_count++] =
		(struct jv_publication){.task = task, .kinds = kinds};
}

static struct jv_directive *directive_new(struct jv_core *core, const struct jv_session *session)
{
	JV_ASSERT(core->effects != NULL);
	JV_ASSERT(session != NULL);
	struct jv_directive *directive = jv_calloc(1, sizeof(*directive));
	directive->kind = JV_EVENT_DIRECTIVE;
	directive->origin = session->origin;
	directive->session = session->number;
	directive->why = jv_ok();
	jv_list_push_back(&core->effects->directives, &directive->link);
	return directive;
}

void jv_effect_direct(struct jv_core *core, const struct jv_session *session,
	const struct jv_task *task, enum jv_desired_state state, const char *reason)
{
	JV_ASSERT(state >= JV_DESIRED_RUN && state <= JV_DESIRED_FORGET);
	JV_ASSERT(task->node == session->node);
	struct jv_directive *directive = directive_new(core, session);
	directive->desired = (struct jv_desired){
		.task = task->id, .attempt = task->attempt, .state = state, .reason = reason};
}

void jv_effect_close(struct jv_core *core, const struct jv_session *session, struct jv_status why)
{
	JV_ASSERT(!jv_is_ok(&why));
	struct jv_directive *directive = directive_new(core, session);
	directive->closed = true;
	directive->why = why;
}

void jv_effect_sweep(struct jv_core *core)
{
	JV_ASSERT(core->effects != NULL && core->effects->sweep == NULL);
	JV_ASSERT(core->sweeping);
	core->effects->sweep = &core->sweep;
}

void jv_effect_withdraw(struct jv_core *core, uint64_t session)
{
	JV_LIST_EACH(link, &core->effects->directives)
	{
		struct jv_directive *directive = JV_CONTAINER_OF(link, struct jv_directive, link);
		if (directive->session != session)
			continue;
		jv_list_remove(link);
		free(directive);
	}
}
