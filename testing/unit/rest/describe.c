/* Prints the OpenAPI document of jarvis.v1, or of resttest with the argument "resttest". */
#include <stdio.h>
#include <string.h>

#include "google/rpc/status.pb-c.h"
#include "proto/wire/jarvis.h"
#include "resttest.pb-c.h"
#include "server/rest/openapi.h"
#include "testing/unit/rest/resttest_set.h"

static struct jv_schema *schema_new(bool resttest)
{
	static const ProtobufCServiceDescriptor *const services[] = {
		&resttest__rest__descriptor, NULL};
	static const ProtobufCMessageDescriptor *const messages[] = {
		&google__rpc__status__descriptor, NULL};

	if (!resttest)
		return jv_schema_new_jarvis();
	return jv_schema_new(jv_bytes_of(resttest_set, resttest_set_size), services, messages);
}

int main(int argc, char **argv)
{
	const struct jv_openapi_options options = {.title = "A title", .version = "1.2.3"};
	struct jv_schema *schema = schema_new(argc > 1 && strcmp(argv[1], "resttest") == 0);
	struct jv_routes *routes = jv_routes_new(schema);
	struct jv_buffer out = {0};
	size_t written;

	jv_openapi_write(schema, routes, &options, &out);
	written = fwrite(out.data, 1, out.size, stdout);
	jv_buffer_deinit(&out);
	jv_routes_free(routes);
	jv_schema_free(schema);
	return written == 0;
}
