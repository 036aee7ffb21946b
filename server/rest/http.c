#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/metric.h"
#include "server/rest/private.h"

/* A body past the limit is still read and thrown away up to here, so that the client gets to read
 * its answer: many look at it only after they have sent everything. */
#define DISCARD_BYTES_MAX ((size_t)64 << 20)
/* What libmicrohttpd needs of a connection's memory beside the headers, twice over for their parsed
 * form: buffers for reading and writing. */
#define CONNECTION_BYTES ((size_t)32 << 10)
#define STREAM_BLOCK     4096
#define STATUS_413       413
#define STATUS_431       431

static struct jv_metric metric_connections = {
	.name = "jarvis_rest_connections",
	.help = "Open HTTP connections.",
	.labels = "",
	.kind = JV_METRIC_GAUGE,
};

static struct jv_metric metric_requests = {
	.name = "jarvis_rest_request_seconds",
	.help = "Time of HTTP requests from their first line to the last byte of the answer.",
	.labels = "",
	.kind = JV_METRIC_HISTOGRAM,
};

void jv_rest_metrics_register(void)
{
	jv_metric_register(&metric_connections);
	jv_metric_register(&metric_requests);
}

const char *jv_rest_call_header(const struct jv_rest_call *call, const char *name)
{
	return MHD_lookup_connection_value(call->connection->http, MHD_HEADER_KIND, name);
}

static size_t content_length(const struct jv_rest_call *call)
{
	const char *text = jv_rest_call_header(call, "Content-Length");

	/* libmicrohttpd has refused what is not a number. */
	return text == NULL ? 0 : (size_t)strtoull(text, NULL, 10);
}

static bool expects_continue(const struct jv_rest_call *call)
{
	const char *text = jv_rest_call_header(call, "Expect");

	return text != NULL && strcasecmp(text, "100-continue") == 0;
}

/* Remembers the first reason to refuse the request. */
static void refuse(struct jv_rest_call *call, unsigned http_status, struct jv_status status)
{
	if (!jv_is_ok(&call->refused))
		return;
	call->refused = status;
	call->refused_status = http_status;
}

static void refuse_body(struct jv_rest_call *call)
{
	refuse(call, STATUS_413,
		jv_error(JV_RESOURCE_EXHAUSTED,
			"the body of the request is larger than the limit of %zu bytes",
			call->rest->options.body_bytes_max));
}

static void check_header_size(struct jv_rest_call *call)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		call->connection->http, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	if (info != NULL && info->header_size > call->rest->options.header_bytes_max)
		refuse(call, STATUS_431,
			jv_error(JV_RESOURCE_EXHAUSTED,
				"the headers of the request are larger than the limit of %zu bytes",
				call->rest->options.header_bytes_max));
}

/* Where a request ends must be beyond doubt: a proxy in front of us might see it otherwise. False:
 * the connection cannot go on. */
static bool check_framing(struct jv_rest_call *call, const char *version)
{
	const char *encoding = jv_rest_call_header(call, "Transfer-Encoding");

	if (strcmp(version, MHD_HTTP_VERSION_1_1) == 0 &&
		jv_rest_call_header(call, "Host") == NULL) {
		refuse(call, 0, jv_error(JV_INVALID_ARGUMENT, "the request has no Host header"));
		return false;
	}
	if (encoding != NULL && jv_rest_call_header(call, "Content-Length") != NULL) {
		refuse(call, 0,
			jv_error(JV_INVALID_ARGUMENT,
				"the request has both Content-Length and Transfer-Encoding"));
		return false;
	}
	if (encoding != NULL && strcasecmp(encoding, "chunked") != 0) {
		refuse(call, 0,
			jv_error(JV_UNIMPLEMENTED, "only the transfer encoding chunked is known"));
		return false;
	}
	return true;
}

/* The headers are there. False: nothing more of this request is wanted. */
static bool check_headers(struct jv_rest_call *call, const char *version)
{
	size_t length = content_length(call);

	if (!check_framing(call, version))
		return false;
	check_header_size(call);
	if (length <= call->rest->options.body_bytes_max)
		return true;
	refuse_body(call);
	return length <= DISCARD_BYTES_MAX && !expects_continue(call);
}

static bool take_body(struct jv_rest_call *call, const char *data, size_t size)
{
	struct jv_rest_edge *rest = call->rest;

	call->body_bytes += size;
	if (call->body_bytes > rest->options.body_bytes_max)
		refuse_body(call);
	else if (rest->bodies_bytes + size > rest->options.bodies_bytes_max)
		refuse(call, 0,
			jv_error(JV_RESOURCE_EXHAUSTED,
				"the server is receiving too many large requests; try again after "
				"a moment"));
	if (jv_is_ok(&call->refused)) {
		jv_buffer_append(&call->body, data, size);
		rest->bodies_bytes += size;
	}
	return call->body_bytes <= DISCARD_BYTES_MAX;
}

/* Takes from the stream what fits; the handler is asked for more as soon as there is nothing. */
static ssize_t read_stream(void *context, uint64_t position, char *out, size_t room)
{
	struct jv_rest_call *call = context;
	size_t size;

	(void)position;
	if (call->cut)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (call->out.size == call->out_taken && call->sent && !call->rpc.ended) {
		call->sent = false;
		if (call->rpc.handler->writable != NULL)
			call->rpc.handler->writable(&call->rpc);
	}
	size = call->out.size - call->out_taken;
	if (size > 0) {
		size = size < room ? size : room;
		memcpy(out, call->out.data + call->out_taken, size);
		call->out_taken += size;
		if (call->out_taken == call->out.size) {
			call->out_taken = 0;
			jv_buffer_clear(&call->out);
		}
		return (ssize_t)size;
	}
	if (call->stream_done)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (call->connection->peer_closed) {
		jv_rest_call_cancel(call);
		return MHD_CONTENT_READER_END_WITH_ERROR;
	}
	MHD_suspend_connection(call->connection->http);
	call->suspended = true;
	return 0;
	/* Suspended: jv_rest_call_wake. */
}

static struct MHD_Response *make_response(struct jv_rest_call *call)
{
	struct MHD_Response *response;

	if (call->answer == JV_REST_STREAM)
		return MHD_create_response_from_callback(
			MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, call, NULL);
	response = MHD_create_response_from_buffer(
		call->out.size, call->out.data, MHD_RESPMEM_MUST_FREE);
	/* The response owns the bytes now. */
	if (response != NULL)
		call->out = (struct jv_buffer){0};
	return response;
}

static enum MHD_Result queue_answer(struct jv_rest_call *call)
{
	struct MHD_Response *response = make_response(call);
	enum MHD_Result result;

	if (response == NULL)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, call->content_type);
	if (call->challenge != NULL)
		MHD_add_response_header(
			response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, call->challenge);
	if (call->rest->draining)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	result = MHD_queue_response(call->connection->http, call->status, response);
	MHD_destroy_response(response);
	return result;
}

/* What is to be done with a request that is whole. */
static enum MHD_Result proceed(struct jv_rest_call *call)
{
	if (!call->cut && call->answer != JV_REST_NO_ANSWER)
		return queue_answer(call);
	if (call->connection->peer_closed)
		jv_rest_call_cancel(call);
	if (call->cut)
		return MHD_NO;
	MHD_suspend_connection(call->connection->http);
	call->suspended = true;
	return MHD_YES;
	/* Suspended: jv_rest_call_wake; libmicrohttpd asks again then. */
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *http, const char *url,
	const char *verb, const char *version, const char *data, size_t *size, void **request)
{
	struct jv_rest_call *call = *request;

	(void)context;
	(void)http;
	(void)url;
	JV_ASSERT(call != NULL);
	if (call->phase == JV_REST_HEADERS) {
		call->phase = JV_REST_BODY;
		if (check_headers(call, version))
			return MHD_YES;
		jv_rest_call_dispatch(call, verb);
	} else if (call->phase == JV_REST_BODY && *size > 0) {
		bool more = take_body(call, data, *size);
		*size = 0;
		return more ? MHD_YES : MHD_NO;
	} else if (call->phase == JV_REST_BODY) {
		jv_rest_call_dispatch(call, verb);
	}
	return proceed(call);
}

static struct jv_rest_connection *connection_of(struct MHD_Connection *http)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(http, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	JV_ASSERT(info != NULL && info->socket_context != NULL);
	return info->socket_context;
}

/* libmicrohttpd does not tell of the end of a request that it refuses by itself before it has its
 * headers, such as one with more parameters than its memory holds. */
static void end_untold(struct jv_rest_connection *connection)
{
	if (connection->call != NULL)
		jv_rest_call_http_ended(connection->call);
}

/* The first line of a request is there. */
static void *on_uri(void *context, const char *uri, struct MHD_Connection *http)
{
	struct jv_rest_connection *connection = connection_of(http);

	(void)context;
	end_untold(connection);
	return jv_rest_call_new(connection, uri == NULL ? "" : uri);
}

static void on_completed(void *context, struct MHD_Connection *http, void **request,
	enum MHD_RequestTerminationCode why)
{
	struct jv_rest_call *call = *request;
	int64_t took_ms;

	(void)context;
	(void)http;
	*request = NULL;
	if (call == NULL)
		return;
	took_ms = jv_rest_now_ms(call->rest) - call->start_ms;
	jv_metric_observe(&metric_requests, took_ms * 1000);
	JV_DEBUG("rest.request", JV_KV("peer", call->connection->peer), JV_KV("path", call->path),
		JV_KI("status", call->status), JV_KI("ms", took_ms), JV_KI("ending", why));
	jv_rest_call_http_ended(call);
}

static void name_peer(struct jv_rest_connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection->http, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	char host[48];
	char port[8];
	const struct sockaddr *address = info == NULL ? NULL : info->client_addr;

	if (address == NULL)
		return;
	socklen_t size = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
							: sizeof(struct sockaddr_in);
	if (getnameinfo(address, size, host, sizeof(host), port, sizeof(port),
		    NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		snprintf(connection->peer, sizeof(connection->peer),
			address->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* libmicrohttpd does not look at suspended connections, so we look for their end ourselves. Edge
 * triggered: it is told once, and costs nothing until then. */
static void watch_peer(struct jv_rest_connection *connection)
{
	struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = connection};
	int result = epoll_ctl(connection->rest->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event);

	JV_ASSERT(result == 0);
}

static void *open_connection(struct jv_rest_edge *rest, struct MHD_Connection *http)
{
	struct jv_rest_connection *connection = jv_calloc(1, sizeof(*connection));
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(http, MHD_CONNECTION_INFO_CONNECTION_FD);

	connection->rest = rest;
	connection->http = http;
	jv_list_init(&connection->nudge_link);
	connection->fd = info->connect_fd;
	name_peer(connection);
	watch_peer(connection);
	jv_metric_add(&metric_connections, 1);
	return connection;
}

static void close_connection(struct jv_rest_connection *connection)
{
	end_untold(connection);
	JV_ASSERT(connection->call == NULL);
	connection->rest->closed_any = true;
	jv_list_remove(&connection->nudge_link);
	epoll_ctl(connection->rest->epoll_fd, EPOLL_CTL_DEL, connection->fd, NULL);
	jv_metric_add(&metric_connections, -1);
	free(connection);
}

static void on_connection(void *context, struct MHD_Connection *http, void **socket_context,
	enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		*socket_context = open_connection(context, http);
		return;
	}
	close_connection(*socket_context);
	*socket_context = NULL;
}

/* Paths and queries are decoded by the transcoder, which knows what a malformed escape is. */
static size_t leave_escaped(void *context, struct MHD_Connection *http, char *text)
{
	(void)context;
	(void)http;
	return strlen(text);
}

static void on_log(void *context, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

static void on_log(void *context, const char *format, va_list arguments)
{
	char text[256];

	(void)context;
	vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\r\n")] = '\0';
	JV_DEBUG("rest.http", JV_KV("message", text));
}

struct MHD_Daemon *jv_rest_daemon_start(struct jv_rest_edge *rest, int listen_fd)
{
	const struct jv_rest_options *options = &rest->options;
	size_t memory = 2 * options->header_bytes_max + CONNECTION_BYTES;
	unsigned idle_s = (unsigned)((options->idle_ms + 999) / 1000);

	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
		NULL, NULL, on_request, rest,
		/* The log first: what follows may already have something to say. */
		MHD_OPTION_EXTERNAL_LOGGER, on_log, rest, MHD_OPTION_LISTEN_SOCKET, listen_fd,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)options->connections_max,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)options->connections_per_address_max,
		MHD_OPTION_CONNECTION_TIMEOUT, idle_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory,
		MHD_OPTION_STRICT_FOR_CLIENT, 0, MHD_OPTION_NOTIFY_COMPLETED, on_completed, rest,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, rest, MHD_OPTION_URI_LOG_CALLBACK,
		on_uri, rest, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, rest, MHD_OPTION_END);
}
