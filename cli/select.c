#include "cli/select.h"

#include "base/assert.h"
#include "base/config.h"
#include "cli/value.h"

const char *const jv_select_states[] = {"queued", "assigned", "starting", "running", "stopping",
	"succeeded", "failed", "cancelled", NULL};

static size_t count_texts(const char *const *texts)
{
	size_t count = 0;

	while (texts[count] != NULL)
		count++;
	return count;
}

static char **read_texts(struct jv_invocation *invocation, const char *flag, size_t *count)
{
	const char **texts = jv_arguments_texts(invocation->arguments, flag, &invocation->arena);

	*count = count_texts(texts);
	/* protobuf-c's texts are not const, though packing does not write to them. */
	return (char **)(uintptr_t)texts;
}

struct jv_status jv_select_read(struct jv_invocation *invocation, Jarvis__V1__TaskFilter *filter)
{
	size_t count = 0;
	char **states = read_texts(invocation, "state", &count);

	filter->queues = read_texts(invocation, "queue", &filter->n_queues);
	filter->nodes = read_texts(invocation, "node", &filter->n_nodes);
	filter->states = jv_arena_calloc(&invocation->arena, count + 1, sizeof(filter->states[0]));
	JV_ASSERT(filter->states != NULL);
	for (; filter->n_states < count; filter->n_states++) {
		int state = 0;
		struct jv_status status = jv_value_enum(
			&jarvis__v1__task_state__descriptor, states[filter->n_states], &state);
		JV_TRY(jv_status_context(status, "--state"));
		filter->states[filter->n_states] = (Jarvis__V1__TaskState)state;
	}
	return jv_ok();
}

struct jv_status jv_select_read_labels(
	struct jv_invocation *invocation, Jarvis__V1__TaskFilter *filter)
{
	struct jv_arena *arena = &invocation->arena;
	const char **texts = jv_arguments_texts(invocation->arguments, "label", arena);
	size_t count = 0;

	while (texts[count] != NULL)
		count++;
	filter->labels = jv_arena_calloc(arena, count + 1, sizeof(filter->labels[0]));
	JV_ASSERT(filter->labels != NULL);
	for (; filter->n_labels < count; filter->n_labels++) {
		Jarvis__V1__TaskFilter__LabelsEntry *entry = jv_arena_alloc(arena, sizeof(*entry));
		JV_ASSERT(entry != NULL);
		jarvis__v1__task_filter__labels_entry__init(entry);
		struct jv_status status =
			jv_value_pair(texts[filter->n_labels], arena, &entry->key, &entry->value);
		JV_TRY(jv_status_context(status, "--label"));
		filter->labels[filter->n_labels] = entry;
	}
	return jv_ok();
}

struct jv_status jv_select_min_revision(struct jv_invocation *invocation, int64_t *revision)
{
	const char *text = jv_arguments_text(invocation->arguments, "min-revision");

	*revision = 0;
	if (text == NULL)
		return jv_ok();
	return jv_status_context(jv_parse_int(text, 0, INT64_MAX, revision), "--min-revision");
}
