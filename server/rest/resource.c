#include "server/rest/resource.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/version.h"
#include "server/rest/docs/docs.h"
#include "server/rest/openapi.h"

#define RESOURCES_MAX 4

/* The page runs its own script and talks to its own server, and nothing else. */
static const char policy[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
	"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct jv_rest_resources {
	struct jv_rest_resource items[RESOURCES_MAX];
	size_t count;
	struct jv_buffer openapi;
};

static void add(struct jv_rest_resources *resources, const char *path, const char *content_type,
	struct jv_bytes body)
{
	struct jv_rest_resource *item = &resources->items[resources->count++];

	JV_ASSERT(resources->count <= RESOURCES_MAX);
	item->path = path;
	item->content_type = content_type;
	item->body = body;
	snprintf(item->etag, sizeof(item->etag), "\"%016" PRIx64 "\"", jv_hash64(body));
	item->headers[0] = (struct jv_rest_header){"ETag", item->etag};
	/* Kept, but asked for each time: the answer is mostly 304. */
	item->headers[1] = (struct jv_rest_header){"Cache-Control", "no-cache"};
	item->headers[2] = (struct jv_rest_header){"X-Content-Type-Options", "nosniff"};
	item->headers[3] = (struct jv_rest_header){"Content-Security-Policy", policy};
	item->headers[4] = (struct jv_rest_header){"Referrer-Policy", "no-referrer"};
}

struct jv_rest_resources *jv_rest_resources_new(
	const struct jv_schema *schema, const struct jv_routes *routes)
{
	const struct jv_openapi_options options = {.title = "Jarvis API", .version = JV_VERSION};
	struct jv_rest_resources *resources = jv_calloc(1, sizeof(*resources));

	jv_openapi_write(schema, routes, &options, &resources->openapi);
	add(resources, "/openapi.json", "application/json", jv_buffer_bytes(&resources->openapi));
	add(resources, "/docs", "text/html; charset=utf-8",
		jv_bytes_of(jv_docs_page, jv_docs_page_size));
	add(resources, "/docs/docs.css", "text/css; charset=utf-8",
		jv_bytes_of(jv_docs_style, jv_docs_style_size));
	add(resources, "/docs/docs.js", "text/javascript; charset=utf-8",
		jv_bytes_of(jv_docs_script, jv_docs_script_size));
	return resources;
}

void jv_rest_resources_free(struct jv_rest_resources *resources)
{
	if (resources == NULL)
		return;
	jv_buffer_deinit(&resources->openapi);
	free(resources);
}

const struct jv_rest_resource *jv_rest_resource_find(
	const struct jv_rest_resources *resources, const char *path)
{
	for (size_t i = 0; i < resources->count; i++)
		if (strcmp(resources->items[i].path, path) == 0)
			return &resources->items[i];
	return NULL;
}

/* A list of tags, some of them weak; ours is in quotes, so a part of another is not taken for it.
 */
bool jv_rest_resource_is_known(const struct jv_rest_resource *resource, const char *if_none_match)
{
	if (if_none_match == NULL)
		return false;
	return strcmp(if_none_match, "*") == 0 || strstr(if_none_match, resource->etag) != NULL;
}
