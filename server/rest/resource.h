/*
 * What the REST edge serves as it is, beside the methods: the API's description and its page.
 *
 * /openapi.json is made of the schema; /docs and its files are embedded. Made at start-up and
 * read-only after, so any thread may look. A rule of a service that has the same path is served
 * instead.
 */
#ifndef JV_SERVER_REST_RESOURCE_H
#define JV_SERVER_REST_RESOURCE_H

#include "server/rest/route.h"

struct jv_rest_header {
	const char *name;
	const char *value;
};

/* Headers of a resource beside its Content-Type, with the NULL behind them. */
#define JV_REST_RESOURCE_HEADERS 6

struct jv_rest_resource {
	const char *path;
	const char *content_type;
	struct jv_bytes body;
	char etag[24];
	struct jv_rest_header headers[JV_REST_RESOURCE_HEADERS]; /* NULL-terminated */
};

struct jv_rest_resources;

/* schema and routes are not needed after. */
struct jv_rest_resources *jv_rest_resources_new(
	const struct jv_schema *schema, const struct jv_routes *routes);
/* NULL is allowed. */
void jv_rest_resources_free(struct jv_rest_resources *resources);
/* By the path as it stands in the request, without its query; NULL if there is none. Lives as long
 * as the resources. */
const struct jv_rest_resource *jv_rest_resource_find(
	const struct jv_rest_resources *resources, const char *path);
/* Whether the client has it already, by its If-None-Match; NULL if it sent none. */
bool jv_rest_resource_is_known(const struct jv_rest_resource *resource, const char *if_none_match);

#endif
