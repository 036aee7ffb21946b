#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "server/rest/private.h"

static const char *const verbs[] = {"GET", "POST", "PUT", "PATCH", "DELETE", NULL};

static bool has_route(struct jv_rest_call *call, const char *verb)
{
	struct jv_route_match match;

	if (strcmp(verb, "GET") == 0 &&
		jv_rest_resource_find(call->rest->resources, call->path) != NULL)
		return true;
	return jv_routes_match(call->rest->routes, verb, jv_bytes_of_text(call->path), &call->arena,
		       &match) == JV_ROUTE_FOUND;
}

/* The methods of the path, as a list; empty: there is no such path. */
static void list_verbs(struct jv_rest_call *call, struct jv_buffer *out)
{
	bool all = strcmp(call->path, "*") == 0;

	for (size_t i = 0; verbs[i] != NULL; i++) {
		if (!all && !has_route(call, verbs[i]))
			continue;
		if (out->size > 0)
			jv_buffer_append_text(out, ", ");
		jv_buffer_append_text(out, i == 0 ? "GET, HEAD" : verbs[i]);
	}
	if (out->size > 0)
		jv_buffer_append_text(out, ", OPTIONS");
}

bool jv_rest_add_allow(struct jv_rest_call *call)
{
	struct jv_buffer list = {0};
	bool any;

	list_verbs(call, &list);
	any = list.size > 0;
	if (any)
		jv_buffer_printf(&call->headers, "Allow: %s\r\n", jv_buffer_text(&list));
	jv_buffer_deinit(&list);
	return any;
}

/* What the origin of the request may be told that it is; NULL: it may not read anything. */
static const char *allowed_origin(const struct jv_rest_call *call)
{
	const struct jv_rest_options *options = &call->rest->options;
	const char *origin = jv_rest_call_header(call, "Origin");

	for (size_t i = 0; origin != NULL && i < options->cors_origin_count; i++) {
		if (strcmp(options->cors_origins[i], "*") == 0)
			return "*";
		if (strcasecmp(options->cors_origins[i], origin) == 0)
			return origin;
	}
	return NULL;
}

bool jv_rest_origin_good(const struct jv_rest_call *call)
{
	const char *origin = jv_rest_call_header(call, "Origin");
	const char *host = jv_rest_call_header(call, "Host");
	const char *site;

	if (origin == NULL || allowed_origin(call) != NULL)
		return true;
	site = strstr(origin, "://");
	return site != NULL && host != NULL && strcasecmp(site + 3, host) == 0;
}

static bool is_listed(const struct jv_rest_options *options, const char *name, size_t size)
{
	for (size_t i = 0; i < options->host_count; i++)
		if (strlen(options->hosts[i]) == size &&
			strncasecmp(options->hosts[i], name, size) == 0)
			return true;
	return false;
}

bool jv_rest_host_good(const struct jv_rest_call *call)
{
	const struct jv_rest_options *options = &call->rest->options;
	const char *host = jv_rest_call_header(call, "Host");
	size_t size;

	/* Browsers always send one. Nobody can have a name without a dot, or an address, point
	 * elsewhere. */
	if (!options->hosts_checked || host == NULL || host[0] == '[')
		return true;
	size = strcspn(host, ":");
	return memchr(host, '.', size) == NULL || strspn(host, "0123456789.") == size ||
		is_listed(options, host, size);
}

void jv_rest_add_cors(struct jv_rest_call *call)
{
	const struct jv_rest_options *options = &call->rest->options;
	const char *origin = allowed_origin(call);

	if (options->cors_origin_count == 0)
		return;
	/* A cache must not give what one site was told to another. */
	if (strcmp(options->cors_origins[0], "*") != 0)
		jv_buffer_append_text(&call->headers, "Vary: Origin\r\n");
	if (origin == NULL)
		return;
	jv_buffer_printf(&call->headers, "Access-Control-Allow-Origin: %s\r\n", origin);
	if (options->cors_expose != NULL && options->cors_expose[0] != '\0')
		jv_buffer_printf(&call->headers, "Access-Control-Expose-Headers: %s\r\n",
			options->cors_expose);
}

/* A browser asks before it lets a page of another site send what forms cannot. */
static void add_preflight(struct jv_rest_call *call)
{
	const struct jv_rest_options *options = &call->rest->options;
	struct jv_buffer list = {0};

	list_verbs(call, &list);
	jv_buffer_printf(&call->headers,
		"Access-Control-Allow-Methods: %s\r\nAccess-Control-Allow-Headers: %s\r\n"
		"Access-Control-Max-Age: %lld\r\n",
		jv_buffer_text(&list), options->cors_headers,
		(long long)(options->cors_max_age_ms / 1000));
	jv_buffer_deinit(&list);
}

bool jv_rest_answer_options(struct jv_rest_call *call)
{
	if (!jv_rest_add_allow(call))
		return false;
	if (allowed_origin(call) != NULL &&
		jv_rest_call_header(call, "Access-Control-Request-Method") != NULL)
		add_preflight(call);
	jv_rest_receive_forget(call);
	call->phase = JV_REST_RUNNING;
	jv_rest_call_answer(call, 204, NULL);
	return true;
}
