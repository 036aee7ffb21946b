#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "server/rest/private.h"

/* A body past the limit is still read and thrown away up to here, so that the client gets to read
 * its answer, and can go on: many look at it only after they have sent everything. */
#define DISCARD_BYTES_MAX ((size_t)64 << 20)
#define FREE_BYTES        ((size_t)16 << 10)
/* A body that has not come so far in a tenth of body_ms is slow: it loses what it holds when there
 * is no room for another. */
#define PACE_BYTES ((size_t)64 << 10)

/* Remembers the first reason to refuse the request. */
void jv_rest_refuse(struct jv_rest_call *call, unsigned http_status, struct jv_status status)
{
	if (!jv_is_ok(&call->refused))
		return;
	call->refused = status;
	call->refused_status = http_status;
	jv_rest_receive_forget(call);
}

static void refuse_size(struct jv_rest_call *call)
{
	jv_rest_refuse(call, 413,
		jv_error(JV_RESOURCE_EXHAUSTED,
			"the body of the request is larger than the limit of %zu bytes",
			call->rest->options.body_bytes_max));
}

/* False: it is a coding that nobody here knows. */
static bool start_coding(struct jv_rest_call *call)
{
	const char *coding = jv_rest_call_header(call, "Content-Encoding");

	if (coding == NULL || coding[0] == '\0' || strcasecmp(coding, "identity") == 0)
		return true;
	if (strcasecmp(coding, "gzip") == 0 || strcasecmp(coding, "x-gzip") == 0) {
		call->gunzip = jv_gunzip_new();
		return true;
	}
	jv_buffer_append_text(&call->headers, "Accept-Encoding: gzip\r\n");
	jv_rest_refuse(call, 415,
		jv_error(JV_INVALID_ARGUMENT,
			"the Content-Encoding %.40s is not known; send gzip, or none", coding));
	return false;
}

bool jv_rest_receive_start(struct jv_rest_call *call)
{
	const struct jv_head *head = &call->head;
	bool whole = call->connection->body.state == JV_BODY_DONE;

	if (head->length > call->rest->options.body_bytes_max)
		refuse_size(call);
	else if (!whole)
		start_coding(call);
	if (!jv_is_ok(&call->refused) &&
		(head->expects_continue || head->length > DISCARD_BYTES_MAX))
		return false;
	if (head->expects_continue && !whole &&
		call->connection->in_taken == call->connection->in.size)
		/* It goes out with the next step, or as soon as there is room for it, and what
		 * follows it comes behind. */
		jv_buffer_append_text(&call->connection->out, "HTTP/1.1 100 Continue\r\n\r\n");
	return true;
}

/* What of a body counts against what all together may take: small ones do not, so that large ones
 * keep nobody from asking. */
static size_t counted(size_t size)
{
	return size > FREE_BYTES ? size - FREE_BYTES : 0;
}

static void keep_pace(struct jv_rest_call *call)
{
	if (call->body_bytes - call->paced_bytes < PACE_BYTES)
		return;
	call->paced_bytes = call->body_bytes;
	call->paced_ms = jv_rest_now_ms(call->rest);
}

/* Of the slow bodies the largest; NULL: there is none. */
static struct jv_rest_call *find_slow(struct jv_rest_edge *rest)
{
	int64_t before_ms = jv_rest_now_ms(rest) - rest->options.body_ms / 10;
	struct jv_rest_call *found = NULL;

	JV_LIST_EACH(link, &rest->calls)
	{
		struct jv_rest_call *call = JV_CONTAINER_OF(link, struct jv_rest_call, calls_link);
		if (call->phase == JV_REST_RECEIVING && call->paced_ms < before_ms &&
			counted(call->body.size) > 0 &&
			(found == NULL || call->body.size > found->body.size))
			found = call;
	}
	return found;
}

/* One address must leave as much as it has: however many its bodies are, there is room for others.
 */
static bool fits(const struct jv_rest_call *call, size_t more)
{
	const struct jv_rest_edge *rest = call->rest;

	return rest->bodies_bytes + more + call->connection->address->bodies_bytes + more <=
		rest->options.bodies_bytes_max;
}

/* Whether so many bytes more fit into what all requests together may take. */
static bool reserve(struct jv_rest_call *call, size_t size)
{
	struct jv_rest_edge *rest = call->rest;
	size_t more = counted(call->body.size + size) - counted(call->body.size);
	struct jv_rest_call *slow;

	keep_pace(call);
	while (more > 0 && !fits(call, more) && (slow = find_slow(rest)) != NULL)
		jv_rest_refuse(slow, 0,
			jv_error(JV_RESOURCE_EXHAUSTED,
				"the body came too slowly while there was no room for others"));
	/* It may have been this one. */
	if (!jv_is_ok(&call->refused))
		return false;
	if (more == 0 || fits(call, more)) {
		rest->bodies_bytes += more;
		call->connection->address->bodies_bytes += more;
		return true;
	}
	jv_rest_refuse(call, 0,
		jv_error(JV_RESOURCE_EXHAUSTED,
			"the server is receiving too many large requests; try again after a "
			"moment"));
	return false;
}

static void keep(struct jv_rest_call *call, const char *data, size_t size)
{
	if (call->body_bytes > call->rest->options.body_bytes_max)
		refuse_size(call);
	else if (reserve(call, size))
		jv_buffer_append(&call->body, data, size);
}

static void inflate(struct jv_rest_call *call, const char *data, size_t size)
{
	size_t before = call->body.size;
	size_t after;

	switch (jv_gunzip_add(call->gunzip, jv_bytes_of(data, size),
		call->rest->options.body_bytes_max, &call->body)) {
	case JV_GUNZIP_TOO_LARGE:
		call->body.size = before;
		jv_rest_refuse(call, 413,
			jv_error(JV_RESOURCE_EXHAUSTED,
				"the body of the request is larger than the limit of %zu bytes when it "
				"is inflated",
				call->rest->options.body_bytes_max));
		return;
	case JV_GUNZIP_BAD:
		call->body.size = before;
		jv_rest_refuse(call, 400,
			jv_error(JV_INVALID_ARGUMENT,
				"the body of the request is no gzip, though its Content-Encoding "
				"says so"));
		return;
	case JV_GUNZIP_MORE:
	case JV_GUNZIP_DONE:
	default:
		break;
	}
	/* It is counted by what it has become. */
	after = call->body.size;
	call->body.size = before;
	if (reserve(call, after - before))
		call->body.size = after;
}

bool jv_rest_receive(struct jv_rest_call *call, const char *data, size_t size)
{
	call->body_bytes += size;
	if (!jv_is_ok(&call->refused))
		return call->body_bytes <= DISCARD_BYTES_MAX;
	/* Empty blocks of gzip come to nothing, but not for ever. */
	if (call->gunzip != NULL && call->body_bytes > call->rest->options.body_bytes_max)
		refuse_size(call);
	else if (call->gunzip != NULL)
		inflate(call, data, size);
	else
		keep(call, data, size);
	return true;
}

void jv_rest_receive_end(struct jv_rest_call *call)
{
	if (call->gunzip == NULL || !jv_is_ok(&call->refused))
		return;
	if (jv_gunzip_add(call->gunzip, jv_bytes_of(NULL, 0), call->rest->options.body_bytes_max,
		    &call->body) != JV_GUNZIP_DONE)
		jv_rest_refuse(call, 400,
			jv_error(JV_INVALID_ARGUMENT,
				"the body of the request is cut off: its gzip does not end"));
}

void jv_rest_receive_forget(struct jv_rest_call *call)
{
	struct jv_rest_address *address = call->connection->address;
	size_t size = counted(call->body.size);

	JV_ASSERT(address->bodies_bytes >= size && call->rest->bodies_bytes >= size);
	address->bodies_bytes -= size;
	call->rest->bodies_bytes -= size;
	jv_buffer_deinit(&call->body);
	jv_gunzip_free(call->gunzip);
	call->gunzip = NULL;
}
