#include <stdlib.h>
#include <string.h>

#include "server/core/private.h"

/* As many request_ids as tasks would be too few: those of finished tasks are remembered too. */
#define REQUESTS_A_TASK 4

uint32_t jv_request_max(const struct jv_core *core)
{
	if (core->options.requests_max > 0)
		return core->options.requests_max;
	uint32_t tasks = core->options.tasks_max;
	return tasks > UINT32_MAX / REQUESTS_A_TASK ? UINT32_MAX : tasks * REQUESTS_A_TASK;
}

struct jv_request *jv_request_find(struct jv_core *core, const uint8_t hash[JV_REQUEST_HASH_SIZE])
{
	struct jv_request *request;
	HASH_FIND(hh, core->requests, hash, JV_REQUEST_HASH_SIZE, request);
	return request;
}

static struct jv_request *add(struct jv_core *core, const struct jv_request_record *record)
{
	JV_ASSERT(jv_request_find(core, record->hash) == NULL);
	struct jv_request *request = jv_calloc(1, sizeof(*request));
	memcpy(request->hash, record->hash, sizeof(request->hash));
	request->method = record->method;
	request->body_hash = record->body_hash;
	request->task = record->task;
	request->time_ms = record->time_ms;
	request->revision = record->revision;
	HASH_ADD(hh, core->requests, hash, sizeof(request->hash), request);
	jv_list_push_back(&core->requests_by_age, &request->link);
	return request;
}

static const char *method_name(enum jv_request_method method)
{
	return method == JV_REQUEST_CANCEL ? "CancelTask" : "SubmitTask";
}

struct jv_status jv_request_room(const struct jv_core *core, const struct jv_request_key *key)
{
	if (!key->used || HASH_COUNT(core->requests) < jv_request_max(core))
		return jv_ok();
	return jv_error(JV_RESOURCE_EXHAUSTED,
		"%u request_ids are remembered, as many as this server takes; try again later, or "
		"without a request_id",
		jv_request_max(core));
}

/* Names both: a submission is known by the task that it has made. */
static struct jv_status refuse(struct jv_core *core, const struct jv_request *before,
	enum jv_request_method method, uint64_t task)
{
	const char *field = method == JV_REQUEST_SUBMIT ? "spec.request_id" : "request_id";
	bool same_task = before->method == method && before->task == task;
	jv_buffer_clear(&core->text);
	if (method == JV_REQUEST_SUBMIT)
		jv_buffer_append_text(&core->text, "SubmitTask with another spec");
	else
		jv_buffer_printf(&core->text, "CancelTask of t-%llu%s", (unsigned long long)task,
			same_task ? " with another reason" : "");
	return jv_field_error(JV_ALREADY_EXISTS, field,
		"the request_id was used before, by %s %s t-%llu; this is %s: send the same "
		"request again, or choose a new request_id",
		method_name(before->method), before->method == JV_REQUEST_CANCEL ? "of" : "for",
		(unsigned long long)before->task, jv_buffer_text(&core->text));
}

const struct jv_request *jv_request_again(struct jv_core *core, const struct jv_request_key *key,
	enum jv_request_method method, uint64_t task, struct jv_status *status)
{
	const struct jv_request *request = key->used ? jv_request_find(core, key->hash) : NULL;
	*status = jv_ok();
	if (request == NULL)
		return NULL;
	bool same = request->method == method && request->body_hash == key->body_hash;
	if (!same)
		*status = refuse(core, request, method, task);
	return request;
}

void jv_request_new(struct jv_core *core, const struct jv_request_key *key,
	enum jv_request_method method, uint64_t task)
{
	struct jv_request_record record = {
		.method = method,
		.body_hash = key->body_hash,
		.task = task,
		.time_ms = core->now.wall_ms,
		.revision = jv_core_open_revision(core),
	};
	JV_ASSERT(key->used);
	memcpy(record.hash, key->hash, sizeof(record.hash));
	struct jv_request *request = add(core, &record);
	request->due_ms = core->now.monotonic_ms + core->options.request_window_ms;
	if (!JV_BUG(REQUEST_APART))
		jv_write_request(core, request);
}

struct jv_status jv_request_restore(struct jv_core *core, const struct jv_request_record *record)
{
	if (record->task == 0 || record->task >= core->meta.next_task)
		return jv_error(JV_DATA_LOSS, "a request names task %llu, which was never given",
			(unsigned long long)record->task);
	add(core, record);
	return jv_ok();
}

static int older_first(const void *a, const void *b)
{
	const struct jv_request *first = *(const struct jv_request *const *)a;
	const struct jv_request *second = *(const struct jv_request *const *)b;
	if (first->revision != second->revision)
		return first->revision < second->revision ? -1 : 1;
	return (first->task > second->task) - (first->task < second->task);
}

/* The store has them by hash. Revisions go up, and of the old ones that have none the numbers of
 * tasks, so their order is that of age, whatever the clock did meanwhile. */
void jv_request_start(struct jv_core *core)
{
	uint32_t count = HASH_COUNT(core->requests);
	struct jv_request **requests = jv_malloc(count * sizeof(struct jv_request *));
	uint32_t at = 0;
	struct jv_list *link;
	while ((link = jv_list_pop_front(&core->requests_by_age)) != NULL)
		requests[at++] = JV_CONTAINER_OF(link, struct jv_request, link);
	JV_ASSERT(at == count);
	qsort(requests, count, sizeof(struct jv_request *), older_first);
	int64_t window = core->options.request_window_ms;
	for (uint32_t i = 0; i < count; i++) {
		int64_t left = requests[i]->time_ms + window - core->now.wall_ms;
		left = left < 0 ? 0 : left > window ? window : left;
		requests[i]->due_ms = core->now.monotonic_ms + left;
		jv_list_push_back(&core->requests_by_age, &requests[i]->link);
	}
	free(requests);
}

/* The window is over. While the task lives the answer is still needed: then it stays for another
 * window. */
void jv_request_due(struct jv_core *core, struct jv_request *request)
{
	JV_ASSERT(request->due_ms <= core->now.monotonic_ms);
	jv_list_remove(&request->link);
	if (jv_task_find(core, request->task) != NULL) {
		request->due_ms = core->now.monotonic_ms + core->options.request_window_ms;
		jv_list_push_back(&core->requests_by_age, &request->link);
		return;
	}
	jv_write_request_gone(core, request);
	HASH_DEL(core->requests, request);
	free(request);
}
