/*
 * Serves the service over the true gRPC and REST edges until its input ends. Says the two ports on
 * one line of its output.
 *
 *     server [strict]
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "server/rest/edge.h"
#include "server/rpc/grpc.h"
#include "testing/edge/gateway/service.h"

static struct jv_grpc *open_grpc(struct jv_api *api)
{
	static const char *const listen[] = {"127.0.0.1:0", NULL};
	const struct jv_grpc_options options = {.listen = listen};
	struct jv_grpc *grpc;
	struct jv_status status = jv_grpc_open(&options, api, &grpc);

	if (!jv_is_ok(&status))
		jv_fatal("%s", status.message);
	jv_grpc_start(grpc);
	return grpc;
}

static struct jv_rest_edge *open_rest(struct jv_api *api, bool strict)
{
	struct jv_rest_options options = jv_rest_options_default();
	struct jv_rest_edge *rest;
	struct jv_status status;

	options.listen = "127.0.0.1:0";
	options.strict = strict;
	status = jv_rest_edge_open(&options, api, &rest);
	if (!jv_is_ok(&status))
		jv_fatal("%s", status.message);
	jv_rest_edge_start(rest);
	return rest;
}

int main(int argc, char **argv)
{
	struct jv_api *api = gateway_api();
	struct jv_grpc *grpc = open_grpc(api);
	struct jv_rest_edge *rest = open_rest(api, argc > 1 && strcmp(argv[1], "strict") == 0);
	char byte;

	printf("%d %d\n", jv_grpc_port(grpc, 0), (int)jv_rest_edge_port(rest));
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	jv_rest_edge_stop(rest, 1000);
	jv_rest_edge_close(rest);
	jv_grpc_close(grpc);
	gateway_api_free();
	return 0;
}
