#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/assert.h"
#include "server/rest/private.h"

/* Pieces of a stream that are sent in one turn. */
#define PIECES_MAX 64

/* Pieces of a stream that are there go out together, up to this. */
#define STREAM_BLOCK ((size_t)16 << 10)
/* Larger answers are not copied behind their heads, but sent from where they are. */
#define COPY_BYTES_MAX ((size_t)16 << 10)
/* Smaller ones gain nothing by being compressed: they fit into one packet as they are. */
#define GZIP_BYTES_MIN 1024

static const char *reason_of(unsigned status)
{
	static const struct {
		unsigned status;
		const char *reason;
	} reasons[] = {
		{200, "OK"},
		{204, "No Content"},
		{304, "Not Modified"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{406, "Not Acceptable"},
		{408, "Request Timeout"},
		{409, "Conflict"},
		{412, "Precondition Failed"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{415, "Unsupported Media Type"},
		{417, "Expectation Failed"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{499, "Client Closed Request"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
		{505, "HTTP Version Not Supported"},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

/* Text that shrinks; what is compressed already, or unknown, stays as it is. */
static bool is_text(const char *type)
{
	return strncasecmp(type, "text/", 5) == 0 ||
		strncasecmp(type, "application/json", 16) == 0 ||
		strncasecmp(type, "application/yaml", 16) == 0 ||
		strncasecmp(type, "application/javascript", 22) == 0;
}

static bool has_body(const struct jv_rest_call *call)
{
	return call->status != 204 && call->status != 304;
}

static bool may_compress(const struct jv_rest_call *call)
{
	static const char done[] = "Content-Encoding:";

	return call->rest->options.gzip && has_body(call) && call->content_type != NULL &&
		is_text(call->content_type) &&
		(call->headers.size == 0 ||
			memmem(call->headers.data, call->headers.size, done, sizeof(done) - 1) ==
				NULL);
}

static bool wants_gzip(const struct jv_rest_call *call)
{
	return may_compress(call) && jv_gzip_accepted(jv_rest_call_header(call, "Accept-Encoding"));
}

static void add_date(struct jv_buffer *out, int64_t wall_ms)
{
	time_t now = (time_t)(wall_ms / 1000);
	char text[64];
	struct tm parts;

	gmtime_r(&now, &parts);
	/* The program never leaves the C locale for times, so names are English. */
	strftime(text, sizeof(text), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
	jv_buffer_append_text(out, text);
}

static void add_line(struct jv_buffer *out, const char *name, const char *value)
{
	jv_buffer_append_text(out, name);
	jv_buffer_append_text(out, ": ");
	for (const char *at = value; *at != '\0'; at++)
		jv_buffer_append_byte(out, *at == '\r' || *at == '\n' ? ' ' : (uint8_t)*at);
	jv_buffer_append_text(out, "\r\n");
}

static void add_connection(struct jv_rest_call *call, struct jv_buffer *out)
{
	struct jv_rest_connection *connection = call->connection;

	/* An old client knows the end of a stream by that of the connection. */
	if (call->rest->draining ||
		(call->answer == JV_REST_STREAM && call->head.minor == 0 && !call->head_only))
		connection->keep_alive = false;
	if (!connection->keep_alive)
		jv_buffer_append_text(out, "Connection: close\r\n");
	else if (call->head.minor == 0)
		jv_buffer_append_text(out, "Connection: keep-alive\r\n");
}

/* How long the body is, or that it will show. */
static void add_length(struct jv_rest_call *call, size_t size, struct jv_buffer *out)
{
	if (!has_body(call))
		return;
	if (call->answer == JV_REST_WHOLE && !call->trailing)
		jv_buffer_printf(out, "Content-Length: %zu\r\n", size);
	else if (call->head.minor > 0)
		jv_buffer_append_text(out, "Transfer-Encoding: chunked\r\n");
}

static void add_head(struct jv_rest_call *call, size_t size, bool compressed)
{
	const struct jv_env *env = call->rest->api->env;
	struct jv_buffer *out = &call->connection->out;

	jv_buffer_printf(out, "HTTP/1.1 %u %s\r\n", call->status, reason_of(call->status));
	add_date(out, env->wall_ms(env));
	if (call->content_type != NULL && has_body(call))
		add_line(out, "Content-Type", call->content_type);
	if (call->challenge != NULL)
		add_line(out, "WWW-Authenticate", call->challenge);
	jv_rest_add_cors(call);
	if (may_compress(call))
		jv_buffer_append_text(out, "Vary: Accept-Encoding\r\n");
	if (compressed)
		jv_buffer_append_text(out, "Content-Encoding: gzip\r\n");
	jv_buffer_append(out, call->headers.data, call->headers.size);
	add_length(call, size, out);
	add_connection(call, out);
	jv_buffer_append_text(out, "\r\n");
}

static void compress_whole(struct jv_rest_call *call)
{
	struct jv_gzip *gzip = jv_gzip_new();
	struct jv_buffer small = {0};

	jv_gzip_add(gzip, jv_buffer_bytes(&call->out), true, &small);
	jv_gzip_free(gzip);
	jv_buffer_deinit(&call->out);
	call->out = small;
}

/* Puts a piece of the body where it is sent from, in a chunk if the client knows what that is. */
static void add_piece(struct jv_rest_call *call, struct jv_bytes piece)
{
	struct jv_buffer *out = &call->connection->out;

	if (piece.size == 0)
		return;
	call->sent_bytes += piece.size;
	if (call->head.minor > 0)
		jv_buffer_printf(out, "%zx\r\n", piece.size);
	jv_buffer_append(out, piece.data, piece.size);
	if (call->head.minor > 0)
		jv_buffer_append_text(out, "\r\n");
}

/* The last chunk, and what comes behind it. */
static void add_last(struct jv_rest_call *call)
{
	struct jv_buffer *out = &call->connection->out;

	jv_buffer_append_text(out, "0\r\n");
	jv_buffer_append(out, call->trailers.data, call->trailers.size);
	jv_buffer_append_text(out, "\r\n");
}

static void start_whole(struct jv_rest_call *call)
{
	struct jv_rest_connection *connection = call->connection;
	bool compressed = call->out.size >= GZIP_BYTES_MIN && wants_gzip(call);

	if (compressed)
		compress_whole(call);
	add_head(call, call->out.size, compressed);
	connection->reply_ended = true;
	if (call->head_only || !has_body(call))
		return;
	if (call->trailing) {
		add_piece(call, jv_buffer_bytes(&call->out));
		add_last(call);
		return;
	}
	call->sent_bytes = call->out.size;
	if (call->out.size <= COPY_BYTES_MAX) {
		jv_buffer_append(&connection->out, call->out.data, call->out.size);
	} else {
		connection->tail = call->out;
		call->out = (struct jv_buffer){0};
	}
}

static void start_stream(struct jv_rest_call *call)
{
	struct jv_rest_connection *connection = call->connection;
	bool compressed = wants_gzip(call);

	if (compressed && !call->head_only)
		call->gzip = jv_gzip_new();
	add_head(call, 0, compressed);
	if (!call->head_only)
		return;
	connection->reply_ended = true;
	jv_rest_call_end(call);
}

static void add_compressed(struct jv_rest_call *call, struct jv_bytes piece, bool last)
{
	struct jv_buffer small = {0};

	jv_gzip_add(call->gzip, piece, last, &small);
	add_piece(call, jv_buffer_bytes(&small));
	jv_buffer_deinit(&small);
}

static void end_stream(struct jv_rest_call *call)
{
	if (call->gzip != NULL)
		add_compressed(call, jv_bytes_of(NULL, 0), true);
	if (call->head.minor > 0)
		add_last(call);
	call->connection->reply_ended = true;
}

/* The handler may send more, once all that it has sent is on its way. */
static void ask_for_more(struct jv_rest_call *call)
{
	if (call->out.size != call->out_taken || !call->sent || call->rpc.ended)
		return;
	call->sent = false;
	if (call->rpc.handler->writable != NULL)
		call->rpc.handler->writable(&call->rpc);
}

/* Takes what there is of a stream. False: nothing. */
static bool take_stream(struct jv_rest_call *call)
{
	size_t size;

	ask_for_more(call);
	size = call->out.size - call->out_taken;
	if (size == 0 && !call->stream_done)
		return false;
	if (size == 0) {
		end_stream(call);
		return true;
	}
	size = size < STREAM_BLOCK ? size : STREAM_BLOCK;
	struct jv_bytes piece = jv_bytes_of(call->out.data + call->out_taken, size);
	if (call->gzip != NULL)
		add_compressed(call, piece, false);
	else
		add_piece(call, piece);
	call->out_taken += size;
	if (call->out_taken == call->out.size) {
		call->out_taken = 0;
		jv_buffer_clear(&call->out);
	}
	return true;
}

static struct jv_bytes left_of(const struct jv_buffer *buffer, size_t taken)
{
	return jv_bytes_of(
		buffer->data == NULL ? NULL : buffer->data + taken, buffer->size - taken);
}

static void took(struct jv_rest_connection *connection, size_t size)
{
	size_t of_out = connection->out.size - connection->out_taken;

	connection->sent_bytes += size;
	of_out = size < of_out ? size : of_out;
	connection->out_taken += of_out;
	connection->tail_taken += size - of_out;
}

enum jv_rest_sent jv_rest_flush(struct jv_rest_connection *connection)
{
	for (;;) {
		struct jv_bytes first = left_of(&connection->out, connection->out_taken);
		struct jv_bytes second = left_of(&connection->tail, connection->tail_taken);
		ssize_t sent;
		if (first.size + second.size == 0)
			break;
		sent = jv_rest_write(connection, first, second);
		if (sent <= 0)
			return sent < 0 ? JV_REST_SENT_FAILED : JV_REST_SENT_SOME;
		took(connection, (size_t)sent);
	}
	jv_buffer_clear(&connection->out);
	connection->out_taken = 0;
	jv_buffer_deinit(&connection->tail);
	connection->tail_taken = 0;
	return JV_REST_SENT_ALL;
}

enum jv_rest_sent jv_rest_reply(struct jv_rest_call *call)
{
	struct jv_rest_connection *connection = call->connection;

	if (!connection->reply_started) {
		connection->reply_started = true;
		if (call->answer == JV_REST_WHOLE)
			start_whole(call);
		else
			start_stream(call);
	}
	/* The first piece leaves with the head. */
	if (!connection->reply_ended && connection->out_taken == 0 &&
		connection->out.size < STREAM_BLOCK)
		take_stream(call);
	for (int i = 0; i < PIECES_MAX; i++) {
		enum jv_rest_sent sent = jv_rest_flush(connection);
		if (sent != JV_REST_SENT_ALL || connection->reply_ended)
			return sent;
		if (!take_stream(call))
			return JV_REST_SENT_SOME;
	}
	/* A client that reads as fast as we write: the others have their turn. */
	jv_rest_connection_ready(connection);
	return JV_REST_SENT_SOME;
}
