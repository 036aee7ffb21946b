/*
 * The OpenAPI 3.1 document of what is routed: every binding as an operation.
 *
 * Made once, at start-up, from the schema and its routes; knows nothing of tasks. Any thread.
 *
 * Templates of google.api.http become paths as OpenAPI has them. A variable of one segment is a
 * parameter with its name; of a longer one, such as `{name=shelves / * / books / *}` (without the
 * blanks), each `*` is a parameter: name_1, name_2. `**` is one parameter, whose slashes may be
 * written as they are or as %2F. Of rules with one shape and one method the last declared is
 * described: the one that is served. Custom methods are in the path's `x-additionalOperations`.
 */
#ifndef JV_SERVER_REST_OPENAPI_H
#define JV_SERVER_REST_OPENAPI_H

#include "server/rest/route.h"

struct jv_openapi_options {
	const char *title;
	const char *version;
};

/* Appends the document, JSON in one line. The schema must know google.rpc.Status. */
void jv_openapi_write(const struct jv_schema *schema, const struct jv_routes *routes,
	const struct jv_openapi_options *options, struct jv_buffer *out);

#endif
