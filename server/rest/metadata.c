#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/log.h"
#include "proto/wire/base64.h"
#include "server/rest/private.h"

#define IN_PREFIX "Grpc-Metadata-"

/* The key that a header has for handlers; NULL: it stays here. */
static const char *key_of(const char *name)
{
	if (strcasecmp(name, "Authorization") == 0)
		return name;
	if (strncasecmp(name, IN_PREFIX, sizeof(IN_PREFIX) - 1) != 0)
		return NULL;
	name += sizeof(IN_PREFIX) - 1;
	/* What this edge says itself nobody says in its place. */
	if (strcasecmp(name, "X-Forwarded-For") == 0 || strcasecmp(name, "X-Forwarded-Host") == 0)
		return NULL;
	return name;
}

/* What cannot be metadata is left out, as grpc-gateway does. */
static void add(struct jv_rest_call *call, const char *key, struct jv_bytes value)
{
	if (!jv_metadata_add(&call->rpc.received, &call->rpc.arena, jv_bytes_of_text(key), value))
		JV_DEBUG("rest.metadata", JV_KV("dropped", key));
}

static bool is_binary(const char *key)
{
	size_t size = strlen(key);

	return size > 4 && strcasecmp(key + size - 4, "-bin") == 0;
}

static struct jv_status take_binary(struct jv_rest_call *call, const char *key, const char *text)
{
	uint8_t *data = jv_arena_alloc(&call->rpc.arena, jv_base64_room(strlen(text)));
	size_t size;

	if (data == NULL || !jv_base64_decode(jv_bytes_of_text(text), data, &size))
		return jv_error(JV_INVALID_ARGUMENT,
			"the header " IN_PREFIX "%.60s is no base64; headers in -Bin have to be",
			key);
	add(call, key, jv_bytes_of(data, size));
	return jv_ok();
}

/* The host of "host:port" or "[v6]:port". */
static struct jv_bytes host_of(const char *peer)
{
	const char *colon = strrchr(peer, ':');

	if (colon == NULL)
		return jv_bytes_of_text(peer);
	if (peer[0] == '[' && colon > peer + 1)
		return jv_bytes_of(peer + 1, (size_t)(colon - peer) - 2);
	return jv_bytes_of(peer, (size_t)(colon - peer));
}

/* The way that the request has come: what proxies say, and the last of them. */
static void add_forwarded(struct jv_rest_call *call)
{
	struct jv_bytes host = host_of(call->connection->peer);
	const char *name = jv_rest_call_header(call, "X-Forwarded-Host");
	struct jv_buffer list = {0};

	for (size_t i = 0; i < call->head.field_count; i++)
		if (strcasecmp(call->head.fields[i].name, "X-Forwarded-For") == 0)
			jv_buffer_printf(&list, "%s%s", list.size > 0 ? ", " : "",
				call->head.fields[i].value);
	if (host.size > 0)
		jv_buffer_printf(&list, "%s%.*s", list.size > 0 ? ", " : "", (int)host.size,
			(const char *)host.data);
	if (list.size > 0)
		add(call, "x-forwarded-for", jv_buffer_bytes(&list));
	jv_buffer_deinit(&list);
	if (name == NULL)
		name = jv_rest_call_header(call, "Host");
	if (name != NULL)
		add(call, "x-forwarded-host", jv_bytes_of_text(name));
}

struct jv_status jv_rest_take_metadata(struct jv_rest_call *call)
{
	for (size_t i = 0; i < call->head.field_count; i++) {
		const struct jv_head_field *field = &call->head.fields[i];
		const char *key = key_of(field->name);
		if (key == NULL)
			continue;
		if (is_binary(key))
			JV_TRY(take_binary(call, key, field->value));
		else
			add(call, key, jv_bytes_of_text(field->value));
	}
	add_forwarded(call);
	return jv_ok();
}

/* As Go writes the names of headers. */
static void add_name(struct jv_buffer *out, const char *prefix, const char *key)
{
	bool upper = true;

	jv_buffer_append_text(out, prefix);
	for (; *key != '\0'; key++) {
		bool letter = *key >= 'a' && *key <= 'z';
		jv_buffer_append_byte(out, (uint8_t)(upper && letter ? *key - 'a' + 'A' : *key));
		upper = *key == '-';
	}
}

static void add_lines(struct jv_buffer *out, const char *prefix, struct jv_metadata *metadata)
{
	metadata->sent = true;
	for (const struct jv_metadatum *at = metadata->first; at != NULL; at = at->next) {
		add_name(out, prefix, at->key);
		jv_buffer_append_text(out, ": ");
		if (jv_metadata_is_binary(at->key))
			jv_base64_encode(at->value, out);
		else
			jv_buffer_append(out, at->value.data, at->value.size);
		jv_buffer_append_text(out, "\r\n");
	}
}

static bool takes_trailers(const struct jv_rest_call *call)
{
	const char *text = jv_rest_call_header(call, "TE");

	return call->head.minor > 0 && text != NULL && strcasestr(text, "trailers") != NULL;
}

void jv_rest_add_metadata(struct jv_rest_call *call)
{
	if (!call->rpc_live)
		return;
	add_lines(&call->headers, "Grpc-Metadata-", &call->rpc.headers);
	call->trailing = takes_trailers(call);
	if (!call->trailing || call->answer == JV_REST_STREAM)
		return;
	for (const struct jv_metadatum *at = call->rpc.trailers.first; at != NULL; at = at->next) {
		add_name(&call->headers, "Trailer: Grpc-Trailer-", at->key);
		jv_buffer_append_text(&call->headers, "\r\n");
	}
}

void jv_rest_add_trailers(struct jv_rest_call *call)
{
	if (call->rpc_live && call->trailing)
		add_lines(&call->trailers, "Grpc-Trailer-", &call->rpc.trailers);
}
