#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "proto/wire/pb.h"
#include "server/api/convert.h"
#include "server/api/handlers.h"
#include "server/api/id.h"
#include "server/api/read.h"

#define TAIL_LINES_MAX 100000

/* A position in one attempt's log; each turn sends one chunk, and waits for the transport or for
 * more log. */
struct logs_state {
	uint64_t task;
	uint32_t attempt; /* 0 until the first one begins */
	int64_t offset;
};

/* A chunk's value and what was decoded of it. */
struct chunk_read {
	struct jv_buffer key;
	struct jv_buffer value;
	struct jv_log_record record;
};

static void chunk_read_deinit(struct chunk_read *read)
{
	jv_buffer_deinit(&read->key);
	jv_buffer_deinit(&read->value);
}

/* Reads the chunk under the cursor if it belongs to the attempt. */
static bool read_at(const struct jv_cursor *cursor, const struct logs_state *state,
	struct jv_log_record *record, struct jv_status *status)
{
	struct jv_bytes key, value;

	if (!jv_cursor_read(cursor, &key, &value) || key.data[0] != JV_RECORD_LOG)
		return false;
	*status = jv_log_decode(key, value, record);
	return jv_is_ok(status) && record->task == state->task && record->attempt == state->attempt;
}

static bool holds(const struct jv_log_record *record, const struct logs_state *state,
	bool wanted_all, uint8_t stream)
{
	int64_t end = record->offset + (int64_t)record->data.size;

	if (!wanted_all && record->stream != stream)
		return false;
	return end > state->offset;
}

/* The next chunk at or after the position, in the wanted stream. False: there is none now. The
 * record's data points into read->value. */
static bool next_chunk(struct jv_rpc *rpc, struct chunk_read *read, struct jv_status *status)
{
	const Jarvis__V1__GetTaskLogsRequest *request = (const void *)rpc->request;
	struct logs_state *state = rpc->state;
	struct jv_cursor *cursor = jv_cursor_open(rpc->edge->api->store, NULL);
	bool found = false;

	jv_key_log(&read->key, state->task, state->attempt, state->offset);
	/* The chunk that holds the offset begins at it or before. */
	jv_cursor_seek(cursor, jv_buffer_bytes(&read->key), true);
	if (!read_at(cursor, state, &read->record, status))
		jv_cursor_seek(cursor, jv_buffer_bytes(&read->key), false);
	while (!found && jv_is_ok(status) && read_at(cursor, state, &read->record, status)) {
		found = holds(&read->record, state, request->stream == 0, (uint8_t)request->stream);
		if (!found)
			jv_cursor_step(cursor, false);
	}
	if (found) {
		jv_buffer_clear(&read->value);
		jv_buffer_append(&read->value, read->record.data.data, read->record.data.size);
		read->record.data = jv_buffer_bytes(&read->value);
	}
	struct jv_status closed = jv_cursor_close(cursor);
	if (jv_is_ok(status))
		*status = closed;
	return found && jv_is_ok(status);
}

static void send_chunk(struct jv_rpc *rpc, const struct jv_log_record *record)
{
	Jarvis__V1__GetTaskLogsResponse response = JARVIS__V1__GET_TASK_LOGS_RESPONSE__INIT;
	struct logs_state *state = rpc->state;
	struct jv_arena arena;
	int64_t skip = state->offset > record->offset ? state->offset - record->offset : 0;

	jv_arena_init(&arena, 0, 0);
	response.chunk = jv_convert_log(&arena, record, (size_t)skip);
	state->offset = record->offset + (int64_t)record->data.size;
	jv_rpc_send(rpc, &response.base);
	jv_arena_deinit(&arena);
}

/* The attempt has more to come. An attempt named 0 is the last one, which may not have begun. */
static struct jv_status look_at_task(struct jv_rpc *rpc, bool *going_on)
{
	struct logs_state *state = rpc->state;
	struct jv_task_read read = {0};
	struct jv_status status = jv_read_task(rpc->edge->api, NULL, state->task, &read);

	*going_on = false;
	if (jv_is_ok(&status)) {
		bool final = jv_task_state_final(read.record.state);
		if (state->attempt == 0)
			state->attempt = read.record.attempt;
		if (state->attempt > read.record.attempt)
			status = jv_error(JV_NOT_FOUND,
				"task t-%" PRIu64 " has had %" PRIu32 " attempts", state->task,
				read.record.attempt);
		*going_on = !final && state->attempt == read.record.attempt &&
			(read.record.state != JV_TASK_QUEUED || state->attempt == 0);
	}
	jv_task_read_deinit(&read);
	return status;
}

/* Sends what can be sent; ends, or waits. The task is looked at before the log: if it had ended by
 * then, the log that is read after is whole. */
static void pump(struct jv_rpc *rpc)
{
	const Jarvis__V1__GetTaskLogsRequest *request = (const void *)rpc->request;
	struct logs_state *state = rpc->state;
	struct chunk_read read = {0};
	bool going_on = false;
	bool found = true;
	struct jv_status status = jv_ok();

	while (found && jv_is_ok(&status) && jv_rpc_writable(rpc)) {
		status = look_at_task(rpc, &going_on);
		found = jv_is_ok(&status) && state->attempt > 0 && next_chunk(rpc, &read, &status);
		if (found)
			send_chunk(rpc, &read.record);
	}
	chunk_read_deinit(&read);
	if (!jv_is_ok(&status) || (!found && !(request->follow && going_on)))
		jv_rpc_finish(rpc, status);
	/* Suspended, if not finished: logs_writable, logs_published. */
}

/* How many of the last bytes of the chunk hold the lines still wanted; counts them down. */
static size_t tail_of(struct jv_bytes data, int32_t *lines_left, bool last)
{
	size_t at = data.size;

	/* A newline at the very end closes the last line and begins none. */
	if (last && at > 0 && data.data[at - 1] == '\n')
		at--;
	while (at > 0) {
		if (data.data[at - 1] == '\n' && --*lines_left == 0)
			break;
		at--;
	}
	return data.size - at;
}

/* Moves the position to where the last lines begin. */
static struct jv_status seek_tail(struct jv_rpc *rpc)
{
	const Jarvis__V1__GetTaskLogsRequest *request = (const void *)rpc->request;
	struct logs_state *state = rpc->state;
	struct jv_cursor *cursor = jv_cursor_open(rpc->edge->api->store, NULL);
	int32_t lines_left = request->tail_lines;
	struct jv_status status = jv_ok();
	struct jv_log_record record;
	struct jv_buffer key = {0};
	bool last = true;

	jv_key_log(&key, state->task, state->attempt, INT64_MAX);
	jv_cursor_seek(cursor, jv_buffer_bytes(&key), true);
	while (lines_left > 0 && read_at(cursor, state, &record, &status)) {
		bool wanted = request->stream == 0 || record.stream == (uint8_t)request->stream;
		if (wanted && record.data.size > 0) {
			size_t size = tail_of(record.data, &lines_left, last);
			state->offset = record.offset + (int64_t)(record.data.size - size);
			last = false;
		}
		jv_cursor_step(cursor, true);
	}
	jv_buffer_deinit(&key);
	struct jv_status closed = jv_cursor_close(cursor);
	return jv_is_ok(&status) ? closed : status;
}

static struct jv_status check(const Jarvis__V1__GetTaskLogsRequest *request, uint64_t *task)
{
	JV_TRY(jv_id_parse(request->id, "id", task));
	if (request->attempt < 0)
		return jv_field_error(JV_INVALID_ARGUMENT, "attempt", "must not be negative");
	if (request->offset < 0)
		return jv_field_error(JV_INVALID_ARGUMENT, "offset", "must not be negative");
	if (request->stream < 0 || request->stream > JARVIS__V1__LOG_STREAM__LOG_STREAM_STDERR)
		return jv_field_error(
			JV_INVALID_ARGUMENT, "stream", "%d is no stream", (int)request->stream);
	if (request->tail_lines < 0 || request->tail_lines > TAIL_LINES_MAX)
		return jv_field_error(
			JV_INVALID_ARGUMENT, "tail_lines", "must be from 0 to %d", TAIL_LINES_MAX);
	if (request->tail_lines > 0 && request->offset > 0)
		return jv_field_error(JV_INVALID_ARGUMENT, "tail_lines", "excludes offset");
	return jv_ok();
}

static void logs_start(struct jv_rpc *rpc)
{
	const Jarvis__V1__GetTaskLogsRequest *request = (const void *)rpc->request;
	struct logs_state *state = rpc->state;
	bool going_on = false;
	struct jv_status status = check(request, &state->task);

	state->attempt = (uint32_t)request->attempt;
	state->offset = request->offset;
	if (jv_is_ok(&status))
		status = look_at_task(rpc, &going_on);
	if (jv_is_ok(&status) && request->tail_lines > 0)
		status = seek_tail(rpc);
	if (!jv_is_ok(&status)) {
		jv_rpc_finish(rpc, status);
		return;
	}
	if (request->follow)
		jv_rpc_watch(rpc, state->task);
	pump(rpc);
}

static void logs_published(
	struct jv_rpc *rpc, int64_t revision, const struct jv_publication *publication)
{
	(void)revision;
	(void)publication;
	if (jv_rpc_writable(rpc))
		pump(rpc);
}

const struct jv_handler jv_handler_get_task_logs = {
	.path = "/jarvis.v1.Scheduler/GetTaskLogs",
	.start = logs_start,
	.writable = pump,
	.published = logs_published,
	.state_size = sizeof(struct logs_state),
};
