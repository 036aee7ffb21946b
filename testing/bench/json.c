/*
 * JSON of messages as Jarvis has them, beside the straight way to the same with what Debian has:
 * jansson parses the text into a tree, protobuf-c unpacks the same message from its bytes. What a
 * transcoder of that kind does between the two (to walk the tree, to fill or to print) is left out.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "jarvis/v1/scheduler.pb-c.h"
#include "proto/wire/jarvis.h"
#include "proto/wire/json.h"
#include "testing/bench/bench.h"
#include "testing/bench/spec.h"

#define PAGE        100
#define SECONDS     1.0
#define QUICK       0.02
#define MEMORY_MAX  ((size_t)64 << 20)
#define CHUNK_SIZE  ((size_t)1 << 16)
#define BATCH_BYTES 100000

/* One message in all the forms that it is needed in. */
struct sample {
	struct jv_schema *schema;
	const ProtobufCMessageDescriptor *type;
	struct jv_arena arena; /* of the message */
	ProtobufCMessage *message;
	struct jv_buffer text;
	struct jv_buffer packed;
	struct jv_arena scratch; /* of one round */
	struct jv_buffer out;
};

struct page {
	Jarvis__V1__ListTasksResponse response;
	Jarvis__V1__Task tasks[PAGE];
	Jarvis__V1__Task *list[PAGE];
	struct bench_spec specs[PAGE];
	Jarvis__V1__TaskStatus statuses[PAGE];
	Google__Protobuf__Timestamp times[PAGE][4];
	char ids[PAGE][40];
	char nodes[PAGE][40];
};

static void fill_time(Google__Protobuf__Timestamp *time, int64_t number, int32_t nanos)
{
	google__protobuf__timestamp__init(time);
	time->seconds = 1782000000 + number;
	time->nanos = nanos;
}

static void fill_status(struct page *page, size_t i)
{
	Jarvis__V1__TaskStatus *status = &page->statuses[i];
	jarvis__v1__task_status__init(status);
	for (size_t j = 0; j < 4; j++)
		fill_time(&page->times[i][j], (int64_t)(i + j), (int32_t)(i * 7919013 + j));
	snprintf(page->nodes[i], sizeof(page->nodes[i]), "worker-%02zu.example.org", i % 16);
	status->state = JARVIS__V1__TASK_STATE__TASK_STATE_SUCCEEDED;
	status->attempt = 1;
	status->node = page->nodes[i];
	status->submit_time = &page->times[i][0];
	status->assign_time = &page->times[i][1];
	status->start_time = &page->times[i][2];
	status->finish_time = &page->times[i][3];
}

/* An answer of ListTasks: a page of tasks that have ended. */
static struct page *page_new(void)
{
	struct page *page = jv_calloc(1, sizeof(*page));
	jarvis__v1__list_tasks_response__init(&page->response);
	for (size_t i = 0; i < PAGE; i++) {
		jarvis__v1__task__init(&page->tasks[i]);
		bench_spec_fill(&page->specs[i], (int64_t)i);
		fill_status(page, i);
		snprintf(page->ids[i], sizeof(page->ids[i]), "01jdk3v8x%017zu", i * 7919);
		page->tasks[i].id = page->ids[i];
		page->tasks[i].spec = &page->specs[i].spec;
		page->tasks[i].status = &page->statuses[i];
		page->list[i] = &page->tasks[i];
	}
	page->response.tasks = page->list;
	page->response.n_tasks = PAGE;
	page->response.next_page_token = page->ids[PAGE - 1];
	page->response.revision = INT64_C(123456789012);
	return page;
}

/* The forms are made from one another, so that they are surely the same. */
static void make_forms(struct sample *sample, const ProtobufCMessage *message)
{
	static const struct jv_json_write_options options = {.skip_defaults = false};
	struct jv_status status;
	sample->type = message->descriptor;
	jv_pb_pack(message, &sample->packed);
	status = jv_pb_unpack(
		sample->type, jv_buffer_bytes(&sample->packed), &sample->arena, &sample->message);
	JV_ASSERT(jv_is_ok(&status));
	status = jv_json_write(sample->schema, sample->message, &options, &sample->text);
	JV_ASSERT(jv_is_ok(&status));
}

static void sample_init(struct sample *sample, int which)
{
	*sample = (struct sample){.schema = jv_schema_new_jarvis()};
	jv_arena_init(&sample->arena, CHUNK_SIZE, MEMORY_MAX);
	jv_arena_init(&sample->scratch, CHUNK_SIZE, MEMORY_MAX);
	if (which == BENCH_JSON_LIST) {
		struct page *page = page_new();
		make_forms(sample, &page->response.base);
		free(page);
		return;
	}
	struct bench_spec spec;
	Jarvis__V1__SubmitTaskRequest request;
	jarvis__v1__submit_task_request__init(&request);
	bench_spec_fill(&spec, 4711);
	bench_spec_estrange(&spec, 4711);
	request.spec = &spec.spec;
	make_forms(sample, &request.base);
}

static void sample_deinit(struct sample *sample)
{
	jv_buffer_deinit(&sample->out);
	jv_buffer_deinit(&sample->packed);
	jv_buffer_deinit(&sample->text);
	jv_arena_deinit(&sample->scratch);
	jv_arena_deinit(&sample->arena);
	jv_schema_free(sample->schema);
}

static bool read_once(struct sample *sample)
{
	jv_arena_reset(&sample->scratch);
	ProtobufCMessage *message = jv_pb_new(sample->type, &sample->scratch);
	struct jv_status status = jv_json_read(
		sample->schema, jv_buffer_bytes(&sample->text), NULL, &sample->scratch, message);
	return jv_is_ok(&status);
}

static bool write_once(struct sample *sample)
{
	jv_buffer_clear(&sample->out);
	struct jv_status status =
		jv_json_write(sample->schema, sample->message, NULL, &sample->out);
	return jv_is_ok(&status) && sample->out.size == sample->text.size;
}

static void *allocate(void *arena, size_t size)
{
	return jv_arena_alloc(arena, size);
}

static void release(void *arena, void *memory)
{
	(void)arena;
	(void)memory;
}

/* Into an arena, as Jarvis does, which is faster than by malloc. */
static bool parse_and_unpack_once(struct sample *sample)
{
	json_error_t error;
	ProtobufCAllocator allocator = {allocate, release, &sample->scratch};
	json_t *tree = json_loadb((const char *)sample->text.data, sample->text.size, 0, &error);
	json_decref(tree);
	jv_arena_reset(&sample->scratch);
	return tree != NULL &&
		protobuf_c_message_unpack(
			sample->type, &allocator, sample->packed.size, sample->packed.data) != NULL;
}

/* Megabytes of text a second; negative if it went wrong. */
static double rate_of(
	const struct bench_programs *programs, int which, bool (*once)(struct sample *))
{
	struct sample sample;
	sample_init(&sample, which);
	int64_t length = (int64_t)((programs->quick ? QUICK : SECONDS) * 1e6);
	size_t batch = 1 + BATCH_BYTES / sample.text.size;
	size_t done = 0;
	bool ok = true;
	int64_t begun = bench_now_us();
	while (ok && bench_now_us() - begun < length) {
		for (size_t i = 0; i < batch; i++)
			ok = once(&sample) && ok;
		done += batch;
	}
	double rate = (double)(done * sample.text.size) / (double)(bench_now_us() - begun);
	sample_deinit(&sample);
	return ok ? rate : -1;
}

double bench_json_read(const struct bench_programs *programs, int which)
{
	return rate_of(programs, which, read_once);
}

double bench_json_write(const struct bench_programs *programs, int which)
{
	return rate_of(programs, which, write_once);
}

double bench_json_parse_and_unpack(const struct bench_programs *programs, int which)
{
	return rate_of(programs, which, parse_and_unpack_once);
}
