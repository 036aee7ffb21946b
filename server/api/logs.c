#include <inttypes.h>
#include <string.h>

#include "proto/wire/pb.h"
#include "server/api/convert.h"
#include "server/api/handlers.h"
#include "server/api/id.h"
#include "server/api/read.h"

#define TAIL_LINES_MAX 100000
/* Chunks looked at in one turn, so that neither a log of which nothing is wanted nor one without
 * lines holds the thread. */
#define TURN_MAX 64

/* A position in one attempt's log; each turn sends what the transport takes, and waits for it, for
 * more log, or for the next turn. */
struct logs_state {
	uint64_t task;
	uint32_t attempt;   /* 0 until the first one begins */
	int64_t offset;     /* everything before was sent, or was not wanted */
	int32_t lines_left; /* of the tail: to be found still, from tail_offset backward */
	int64_t tail_offset;
	bool tail_began;
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

static int64_t end_of(const struct jv_log_record *record)
{
	return record->offset + (int64_t)record->data.size;
}

static bool stream_wanted(const struct jv_rpc *rpc, const struct jv_log_record *record)
{
	const Jarvis__V1__GetTaskLogsRequest *request = (const void *)rpc->request;

	return request->stream == 0 || record->stream == (uint8_t)request->stream;
}

/* Whether the chunk is to be sent. */
static bool wanted(const struct jv_rpc *rpc, const struct jv_log_record *record)
{
	const struct logs_state *state = rpc->state;

	return stream_wanted(rpc, record) && end_of(record) > state->offset;
}

/* Sent, or not wanted. */
static void pass(struct logs_state *state, const struct jv_log_record *record)
{
	if (end_of(record) > state->offset)
		state->offset = end_of(record);
}

/* The next chunk at or after the position, in the wanted stream. False: there is none now, or the
 * turn is over. The record's data points into read->value. */
static bool next_chunk(
	struct jv_rpc *rpc, struct chunk_read *read, int *turns_left, struct jv_status *status)
{
	struct logs_state *state = rpc->state;
	struct jv_cursor *cursor = jv_cursor_open(rpc->edge->api->store, NULL);
	bool found = false;

	jv_key_log(&read->key, state->task, state->attempt, state->offset);
	/* The chunk that holds the offset begins at it or before. */
	jv_cursor_seek(cursor, jv_buffer_bytes(&read->key), true);
	if (!read_at(cursor, state, &read->record, status))
		jv_cursor_seek(cursor, jv_buffer_bytes(&read->key), false);
	while (!found && *turns_left > 0 && jv_is_ok(status) &&
		read_at(cursor, state, &read->record, status)) {
		(*turns_left)--;
		found = wanted(rpc, &read->record);
		if (found)
			break;
		pass(state, &read->record);
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
	response.revision = atomic_load(&rpc->edge->api->durable_revision);
	pass(state, record);
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

/* The tail's next chunk, going backward. */
static void look_back(struct jv_rpc *rpc, const struct jv_log_record *record)
{
	struct logs_state *state = rpc->state;

	if (stream_wanted(rpc, record)) {
		size_t size = tail_of(record->data, &state->lines_left, !state->tail_began);
		state->offset = end_of(record) - (int64_t)size;
		state->tail_began = true;
	}
	state->tail_offset = record->offset - 1;
	if (record->offset == 0)
		state->lines_left = 0;
}

/* Moves the position toward where the last lines begin; there, if no lines are left. */
static struct jv_status seek_tail(struct jv_rpc *rpc, int *turns_left)
{
	struct logs_state *state = rpc->state;
	struct jv_cursor *cursor;
	struct jv_status status = jv_ok();
	struct jv_log_record record;
	struct jv_buffer key = {0};

	if (state->lines_left == 0)
		return status;
	cursor = jv_cursor_open(rpc->edge->api->store, NULL);
	jv_key_log(&key, state->task, state->attempt, state->tail_offset);
	jv_cursor_seek(cursor, jv_buffer_bytes(&key), true);
	while (state->lines_left > 0 && *turns_left > 0 &&
		read_at(cursor, state, &record, &status)) {
		(*turns_left)--;
		look_back(rpc, &record);
		jv_cursor_step(cursor, true);
	}
	/* With turns left it ended because the log did. */
	if (*turns_left > 0)
		state->lines_left = 0;
	jv_buffer_deinit(&key);
	struct jv_status closed = jv_cursor_close(cursor);
	return jv_is_ok(&status) ? closed : status;
}

/* The end of what is there is the end of the log only if the task is there too: it may have been
 * removed between two reads, its log with it. */
static struct jv_status check_kept(const struct jv_rpc *rpc)
{
	const struct logs_state *state = rpc->state;
	struct jv_task_read read = {0};
	struct jv_status status = jv_read_task(rpc->edge->api, NULL, state->task, &read);

	jv_task_read_deinit(&read);
	return status;
}

/* Sends what can be sent; ends, or waits. The task is looked at before the log: if it had ended by
 * then, the log that is read after is whole. */
static void pump(struct jv_rpc *rpc)
{
	const Jarvis__V1__GetTaskLogsRequest *request = (const void *)rpc->request;
	const struct jv_env *env = rpc->edge->api->env;
	struct logs_state *state = rpc->state;
	struct chunk_read read = {0};
	bool going_on = false;
	bool found = true;
	int turns_left = TURN_MAX;
	struct jv_status status = look_at_task(rpc, &going_on);

	if (jv_is_ok(&status))
		status = seek_tail(rpc, &turns_left);
	while (found && turns_left > 0 && jv_is_ok(&status) && jv_rpc_writable(rpc)) {
		found = state->attempt > 0 && next_chunk(rpc, &read, &turns_left, &status);
		if (found)
			send_chunk(rpc, &read.record);
	}
	chunk_read_deinit(&read);
	bool at_end = !found && turns_left > 0 && !(request->follow && going_on);
	if (jv_is_ok(&status) && at_end)
		status = check_kept(rpc);
	if (!jv_is_ok(&status) || at_end)
		jv_rpc_finish(rpc, status);
	else if (turns_left == 0)
		/* Not at once: the others of this thread have their turn. */
		jv_rpc_set_timer(rpc, env->monotonic_ms(env) + 1);
	/* Suspended, if not finished: its writable, published and timer. */
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
	struct jv_status status = check(request, &state->task);

	if (!jv_is_ok(&status)) {
		jv_rpc_finish(rpc, status);
		return;
	}
	state->attempt = (uint32_t)request->attempt;
	state->offset = request->offset;
	state->lines_left = request->tail_lines;
	state->tail_offset = INT64_MAX;
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
	.min_revision = offsetof(Jarvis__V1__GetTaskLogsRequest, min_revision),
	.start = logs_start,
	.writable = pump,
	.published = logs_published,
	.timer = pump,
	.state_size = sizeof(struct logs_state),
};
