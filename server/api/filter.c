#include "server/api/filter.h"

#include <string.h>

#include "proto/wire/pb.h"
#include "server/api/convert.h"

static struct jv_status check_time(const Google__Protobuf__Timestamp *time, const char *field)
{
	if (time != NULL && (time->nanos < 0 || time->nanos > 999999999))
		return jv_field_error(JV_INVALID_ARGUMENT, field,
			"has %d nanoseconds; 0 to 999,999,999 are allowed", (int)time->nanos);
	return jv_ok();
}

struct jv_status jv_filter_check(const Jarvis__V1__TaskFilter *filter)
{
	if (filter == NULL)
		return jv_ok();
	if (filter->n_states > JV_FILTER_ENTRIES_MAX || filter->n_queues > JV_FILTER_ENTRIES_MAX ||
		filter->n_nodes > JV_FILTER_ENTRIES_MAX || filter->n_labels > JV_FILTER_ENTRIES_MAX)
		return jv_field_error(JV_INVALID_ARGUMENT, "filter",
			"has more than %d values of one kind", JV_FILTER_ENTRIES_MAX);
	for (size_t i = 0; i < filter->n_states; i++)
		if (filter->states[i] < (int)JV_TASK_QUEUED ||
			filter->states[i] > (int)JV_TASK_CANCELLED)
			return jv_field_error(JV_INVALID_ARGUMENT, "filter.states",
				"%d is no task state", (int)filter->states[i]);
	JV_TRY(check_time(filter->submitted_after, "filter.submitted_after"));
	return check_time(filter->submitted_before, "filter.submitted_before");
}

bool jv_filter_state(const Jarvis__V1__TaskFilter *filter, enum jv_task_state state)
{
	if (filter == NULL || filter->n_states == 0)
		return true;
	for (size_t i = 0; i < filter->n_states; i++)
		if (filter->states[i] == (Jarvis__V1__TaskState)state)
			return true;
	return false;
}

static bool text_wanted(char *const *texts, size_t count, struct jv_bytes text)
{
	for (size_t i = 0; i < count; i++)
		if (jv_bytes_equal(jv_bytes_of_text(texts[i]), text))
			return true;
	return count == 0;
}

/* The first millisecond that is not before the time; -1 if there is none. */
static int64_t bound_ms(const Google__Protobuf__Timestamp *time)
{
	int64_t ms = jv_convert_time_ms(time);

	return time != NULL && time->nanos % 1000000 != 0 ? ms + 1 : ms;
}

static bool time_wanted(const Jarvis__V1__TaskFilter *filter, int64_t submit_ms)
{
	int64_t after_ms = bound_ms(filter->submitted_after);
	int64_t before_ms = bound_ms(filter->submitted_before);

	return (after_ms < 0 || submit_ms >= after_ms) && (before_ms < 0 || submit_ms < before_ms);
}

bool jv_filter_record(const Jarvis__V1__TaskFilter *filter, const struct jv_task_record *record)
{
	if (filter == NULL)
		return true;
	return jv_filter_state(filter, record->state) &&
		text_wanted(filter->nodes, filter->n_nodes, record->node) &&
		time_wanted(filter, record->submit_ms);
}

bool jv_filter_needs_spec(const Jarvis__V1__TaskFilter *filter)
{
	return filter != NULL && (filter->n_queues > 0 || filter->n_labels > 0);
}

static bool has_label(const Jarvis__V1__TaskSpec *spec, const char *key, const char *value)
{
	for (size_t i = 0; i < spec->n_labels; i++)
		if (strcmp(spec->labels[i]->key, key) == 0)
			return strcmp(spec->labels[i]->value, value) == 0;
	return false;
}

bool jv_filter_spec(const Jarvis__V1__TaskFilter *filter, const Jarvis__V1__TaskSpec *spec)
{
	if (filter == NULL)
		return true;
	if (!text_wanted(filter->queues, filter->n_queues, jv_bytes_of_text(spec->queue)))
		return false;
	for (size_t i = 0; i < filter->n_labels; i++)
		if (!has_label(spec, filter->labels[i]->key, filter->labels[i]->value))
			return false;
	return true;
}

uint64_t jv_filter_hash(const Jarvis__V1__TaskFilter *filter)
{
	Jarvis__V1__TaskFilter rest = JARVIS__V1__TASK_FILTER__INIT;
	struct jv_buffer packed = {0};
	uint64_t hash;

	if (filter != NULL)
		rest = *filter;
	rest.n_labels = 0;
	jv_pb_pack(&rest.base, &packed);
	hash = jv_hash64(jv_buffer_bytes(&packed));
	/* A map has no order, and clients do send it in another one with the next page. */
	for (size_t i = 0; filter != NULL && i < filter->n_labels; i++) {
		jv_buffer_clear(&packed);
		jv_pb_pack(&filter->labels[i]->base, &packed);
		hash += jv_hash64(jv_buffer_bytes(&packed));
	}
	jv_buffer_deinit(&packed);
	return hash;
}
