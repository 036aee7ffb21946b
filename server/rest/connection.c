#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "server/rest/private.h"

/* Steps of one connection in one turn: then the others go first. */
#define STEPS_MAX 32
/* How long, and how much, is listened to a client that has had its last answer: closing at once
 * could take the answer away from one that still sends. */
#define LINGER_MS        5000
#define LINGER_BYTES_MAX ((uint64_t)64 << 20)

enum step { STEP_AGAIN, STEP_WAIT, STEP_CLOSE };

void jv_rest_connection_ready(struct jv_rest_connection *connection)
{
	if (jv_list_empty(&connection->ready_link))
		jv_list_push_back(&connection->rest->ready, &connection->ready_link);
}

bool jv_rest_due_before(const struct jv_heap_node *a, const struct jv_heap_node *b)
{
	return JV_CONTAINER_OF(a, const struct jv_rest_connection, due_node)->due_ms <
		JV_CONTAINER_OF(b, const struct jv_rest_connection, due_node)->due_ms;
}

void jv_rest_connection_due(struct jv_rest_connection *connection, int64_t due_ms)
{
	struct jv_heap *dues = &connection->rest->dues;

	connection->due_ms = due_ms;
	if (due_ms == INT64_MAX)
		jv_heap_remove(dues, &connection->due_node);
	else if (jv_heap_holds(&connection->due_node))
		jv_heap_update(dues, &connection->due_node);
	else
		jv_heap_push(dues, &connection->due_node);
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* A body may take its time as long as it goes on, and not too slowly in the whole. */
static int64_t body_due(const struct jv_rest_connection *connection)
{
	const struct jv_rest_options *options = &connection->rest->options;

	return least(
		jv_rest_now_ms(connection->rest) + options->idle_ms, connection->body_until_ms);
}

/* Each byte buys time, but nobody has more than body_ms of it: who was fast may not be slow after.
 */
static void buy_time(struct jv_rest_connection *connection, size_t bytes)
{
	const struct jv_rest_options *options = &connection->rest->options;
	int64_t more_ms = (int64_t)(bytes * 1000) / options->body_rate_min;

	connection->body_until_ms = least(connection->body_until_ms + more_ms,
		jv_rest_now_ms(connection->rest) + options->body_ms);
}

static int64_t due_of(const struct jv_rest_connection *connection)
{
	const struct jv_rest_options *options = &connection->rest->options;

	switch (connection->state) {
	case JV_REST_HANDSHAKE:
		return connection->since_ms + options->head_ms;
	case JV_REST_IDLE:
		return connection->since_ms + options->idle_ms;
	case JV_REST_HEAD:
		return connection->since_ms + least(options->head_ms, options->idle_ms);
	case JV_REST_BODY:
		return body_due(connection);
	case JV_REST_ANSWER:
		return INT64_MAX;
	case JV_REST_LINGER:
		return connection->since_ms + LINGER_MS;
	default:
		JV_UNREACHABLE();
	}
}

void jv_rest_connection_enter(struct jv_rest_connection *connection, enum jv_rest_state state)
{
	connection->state = state;
	connection->since_ms = jv_rest_now_ms(connection->rest);
	jv_rest_connection_due(connection, due_of(connection));
}

/* More of what comes, behind what is there. */
static ssize_t read_more(struct jv_rest_connection *connection)
{
	struct jv_rest_edge *rest = connection->rest;
	ssize_t got = jv_rest_read(connection, rest->scratch, sizeof(rest->scratch));

	if (got <= 0)
		return got;
	if (connection->in_taken > 0) {
		connection->in.size -= connection->in_taken;
		memmove(connection->in.data, connection->in.data + connection->in_taken,
			connection->in.size);
		connection->in_taken = 0;
	}
	jv_buffer_append(&connection->in, rest->scratch, (size_t)got);
	return got;
}

static struct jv_bytes unread(const struct jv_rest_connection *connection)
{
	/* Nothing has come, and so there is no place to count from. */
	if (connection->in.data == NULL)
		return jv_bytes_of(NULL, 0);
	return jv_bytes_of(connection->in.data + connection->in_taken,
		connection->in.size - connection->in_taken);
}

static enum jv_code code_of(unsigned http_status)
{
	switch (http_status) {
	case 408:
		return JV_DEADLINE_EXCEEDED;
	case 413:
	case 414:
	case 431:
		return JV_RESOURCE_EXHAUSTED;
	case 501:
	case 505:
		return JV_UNIMPLEMENTED;
	default:
		return JV_INVALID_ARGUMENT;
	}
}

/* The last answer of this connection, as where the next request begins is not known. */
static void answer_fault(
	struct jv_rest_call *call, const struct jv_head_fault *fault, const char *verb)
{
	struct jv_rest_connection *connection = call->connection;

	connection->keep_alive = false;
	jv_rest_refuse(call, fault->status, jv_error(code_of(fault->status), "%s", fault->message));
	jv_rest_connection_enter(connection, JV_REST_ANSWER);
	jv_rest_call_dispatch(call, verb);
}

static enum step refuse_head(struct jv_rest_connection *connection, struct jv_head_fault fault)
{
	struct jv_head_fault none;
	struct jv_rest_call *call = jv_rest_call_new(connection, jv_bytes_of(NULL, 0), &none);

	answer_fault(call, &fault, "");
	return STEP_AGAIN;
}

static void begin_answer(struct jv_rest_call *call)
{
	const char *verb = call->head.verb;

	jv_rest_connection_enter(call->connection, JV_REST_ANSWER);
	call->head_only = strcmp(verb, "HEAD") == 0;
	if (call->head_only)
		verb = "GET";
	if (strcmp(verb, "OPTIONS") != 0 || !jv_is_ok(&call->refused) ||
		!jv_rest_answer_options(call))
		jv_rest_call_dispatch(call, verb);
}

/* A whole head is there, from scan.start to scan.at. */
static enum step take_head(struct jv_rest_connection *connection)
{
	struct jv_bytes text = unread(connection);
	struct jv_head_fault fault = {0};
	struct jv_rest_call *call;

	text = jv_bytes_of(
		text.data + connection->scan.start, connection->scan.at - connection->scan.start);
	connection->in_taken += connection->scan.at;
	connection->scan = (struct jv_head_scan){0};
	call = jv_rest_call_new(connection, text, &fault);
	connection->keep_alive = call->head.keep_alive;
	if (fault.status != 0) {
		answer_fault(call, &fault, "");
		return STEP_AGAIN;
	}
	jv_body_init(&connection->body, call->head.chunked, call->head.length);
	connection->body_until_ms =
		jv_rest_now_ms(connection->rest) + connection->rest->options.body_ms;
	jv_rest_connection_enter(connection, JV_REST_BODY);
	if (!jv_rest_receive_start(call)) {
		connection->keep_alive = false;
		begin_answer(call);
	}
	return STEP_AGAIN;
}

static enum step step_head(struct jv_rest_connection *connection)
{
	const struct jv_rest_options *options = &connection->rest->options;
	struct jv_bytes text = unread(connection);
	struct jv_head_fault fault = {0};
	ssize_t got;

	switch (jv_head_find(
		text.data, text.size, options->header_bytes_max, &connection->scan, &fault)) {
	case JV_HEAD_WHOLE:
		return take_head(connection);
	case JV_HEAD_BAD:
		return refuse_head(connection, fault);
	case JV_HEAD_LINE_TOO_LONG:
		return refuse_head(connection,
			(struct jv_head_fault){414, "the path of the request is too long"});
	case JV_HEAD_TOO_LARGE:
		return refuse_head(connection,
			(struct jv_head_fault){
				431, "the headers of the request are larger than the limit"});
	case JV_HEAD_MORE:
	default:
		break;
	}
	if (text.size > 0 && connection->state == JV_REST_IDLE)
		jv_rest_connection_enter(connection, JV_REST_HEAD);
	got = read_more(connection);
	return got > 0 ? STEP_AGAIN : got == 0 ? STEP_WAIT : STEP_CLOSE;
}

/* Gives the call what belongs to its body; returns how much of the data that was, *over whether no
 * more is wanted. */
static size_t take_body(
	struct jv_rest_connection *connection, const char *data, size_t size, bool *over)
{
	size_t taken = 0;
	size_t step, content_size;
	const char *content;

	*over = false;
	do {
		step = jv_body_take(
			&connection->body, data + taken, size - taken, &content, &content_size);
		taken += step;
		if (content_size > 0 && !jv_rest_receive(connection->call, content, content_size))
			*over = true;
	} while (step > 0 && !*over);
	buy_time(connection, taken);
	return taken;
}

static enum step end_body(struct jv_rest_connection *connection, bool over)
{
	struct jv_rest_call *call = connection->call;
	static const struct jv_head_fault bad = {400, "the chunks of the body are malformed"};

	if (connection->body.state == JV_BODY_BAD) {
		answer_fault(call, &bad, call->head.verb);
		return STEP_AGAIN;
	}
	if (over)
		connection->keep_alive = false;
	else
		jv_rest_receive_end(call);
	begin_answer(call);
	return STEP_AGAIN;
}

static enum step step_body(struct jv_rest_connection *connection)
{
	struct jv_rest_edge *rest = connection->rest;
	struct jv_bytes there = unread(connection);
	bool over = false;
	ssize_t got = 0;

	/* That the client may go on. */
	if (connection->out.size > 0 && jv_rest_flush(connection) == JV_REST_SENT_FAILED)
		return STEP_CLOSE;
	if (there.size > 0) {
		connection->in_taken +=
			take_body(connection, (const char *)there.data, there.size, &over);
	} else if (connection->body.state != JV_BODY_DONE) {
		got = jv_rest_read(connection, rest->scratch, sizeof(rest->scratch));
		if (got <= 0)
			return got == 0 ? STEP_WAIT : STEP_CLOSE;
		size_t taken = take_body(connection, rest->scratch, (size_t)got, &over);
		jv_buffer_clear(&connection->in);
		connection->in_taken = 0;
		jv_buffer_append(&connection->in, rest->scratch + taken, (size_t)got - taken);
	}
	if (over || connection->body.state == JV_BODY_DONE || connection->body.state == JV_BODY_BAD)
		return end_body(connection, over);
	jv_rest_connection_due(connection, body_due(connection));
	return STEP_AGAIN;
}

/* Nothing more is sent. */
static enum step linger(struct jv_rest_connection *connection)
{
	if (connection->tls != NULL)
		jv_rest_tls_end(connection);
	shutdown(connection->fd, SHUT_WR);
	jv_rest_connection_enter(connection, JV_REST_LINGER);
	return STEP_AGAIN;
}

/* The answer has gone out. */
static enum step end_answer(struct jv_rest_connection *connection)
{
	jv_rest_call_http_ended(connection->call);
	connection->reply_started = false;
	connection->reply_ended = false;
	if (connection->keep_alive) {
		jv_rest_connection_enter(connection, JV_REST_IDLE);
		return STEP_AGAIN;
	}
	return linger(connection);
}

/* There is more to come of the call's handler. */
static bool at_work(const struct jv_rest_call *call)
{
	return call->answer == JV_REST_NO_ANSWER || (call->rpc_live && !call->rpc.ended);
}

static enum step step_answer(struct jv_rest_connection *connection)
{
	struct jv_rest_call *call = connection->call;
	int64_t idle_ms = connection->rest->options.idle_ms;
	uint64_t sent_before = connection->sent_bytes;

	/* Also of a stream that always has something to send, which would never find out. */
	if (connection->peer_closed && at_work(call))
		jv_rest_call_cancel(call);
	if (call->cut)
		return STEP_CLOSE;
	if (call->answer == JV_REST_NO_ANSWER)
		return STEP_WAIT;
	switch (jv_rest_reply(call)) {
	case JV_REST_SENT_ALL:
		return end_answer(connection);
	case JV_REST_SENT_FAILED:
		return STEP_CLOSE;
	case JV_REST_SENT_SOME:
	default:
		break;
	}
	/* A stream without news may last; a client that does not read what there is may not,
	 * whatever it sends meanwhile. */
	if (connection->writable)
		jv_rest_connection_due(connection, INT64_MAX);
	else if (connection->sent_bytes != sent_before || connection->due_ms == INT64_MAX)
		jv_rest_connection_due(connection, jv_rest_now_ms(connection->rest) + idle_ms);
	return call->cut ? STEP_CLOSE : STEP_WAIT;
}

static enum step step_linger(struct jv_rest_connection *connection)
{
	struct jv_rest_edge *rest = connection->rest;
	ssize_t got = jv_rest_read(connection, rest->scratch, sizeof(rest->scratch));

	if (got <= 0)
		return got == 0 ? STEP_WAIT : STEP_CLOSE;
	connection->lingered += (uint64_t)got;
	return connection->lingered > LINGER_BYTES_MAX ? STEP_CLOSE : STEP_AGAIN;
}

static enum step step_handshake(struct jv_rest_connection *connection)
{
	int result = jv_rest_tls_handshake(connection);

	if (result == 0)
		return STEP_WAIT;
	if (result < 0)
		return connection->tls == NULL ? linger(connection) : STEP_CLOSE;
	jv_rest_connection_enter(connection, JV_REST_IDLE);
	return STEP_AGAIN;
}

static enum step step(struct jv_rest_connection *connection)
{
	switch (connection->state) {
	case JV_REST_HANDSHAKE:
		return step_handshake(connection);
	case JV_REST_IDLE:
	case JV_REST_HEAD:
		return step_head(connection);
	case JV_REST_BODY:
		return step_body(connection);
	case JV_REST_ANSWER:
		return step_answer(connection);
	case JV_REST_LINGER:
		return step_linger(connection);
	default:
		JV_UNREACHABLE();
	}
}

/* Nothing more can be done now: an idle connection keeps no memory. */
static void settle(struct jv_rest_connection *connection)
{
	if (connection->in_taken == connection->in.size) {
		jv_buffer_deinit(&connection->in);
		connection->in_taken = 0;
	}
	if (connection->state == JV_REST_IDLE)
		jv_buffer_deinit(&connection->out);
}

void jv_rest_connection_run(struct jv_rest_connection *connection)
{
	for (int i = 0; i < STEPS_MAX; i++) {
		switch (step(connection)) {
		case STEP_AGAIN:
			break;
		case STEP_WAIT:
			settle(connection);
			return;
		case STEP_CLOSE:
			jv_rest_connection_close(connection);
			return;
		default:
			JV_UNREACHABLE();
		}
	}
	jv_rest_connection_ready(connection);
}

/* What is told to a client that has been too slow; others are just left. */
static void overdue(struct jv_rest_connection *connection)
{
	if (connection->state == JV_REST_HEAD)
		refuse_head(connection,
			(struct jv_head_fault){408, "the headers of the request took too long"});
	else if (connection->state == JV_REST_BODY)
		answer_fault(connection->call,
			&(struct jv_head_fault){408, "the body of the request took too long"}, "");
	else {
		jv_rest_connection_close(connection);
		return;
	}
	jv_rest_connection_ready(connection);
}

int64_t jv_rest_run_dues(struct jv_rest_edge *rest)
{
	int64_t now_ms = jv_rest_now_ms(rest);
	struct jv_heap_node *node;

	while ((node = jv_heap_peek(&rest->dues)) != NULL) {
		struct jv_rest_connection *connection =
			JV_CONTAINER_OF(node, struct jv_rest_connection, due_node);
		if (connection->due_ms > now_ms)
			return connection->due_ms;
		overdue(connection);
	}
	return INT64_MAX;
}
