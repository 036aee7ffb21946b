#include "base/version.h"

#include <string.h>

#include "cli/commands.h"
#include "cli/invocation.h"
#include "jarvis/v1/monitor.pb-c.h"
#include "proto/wire/json.h"

static const struct jv_flag flags[] = {
	{.name = "client", .help = "Only that of this program: ask no server."},
	{.name = NULL},
};

static void print(struct jv_invocation *invocation, const char *server)
{
	struct jv_buffer json = {0};

	if (!jv_invocation_is_raw(invocation)) {
		jv_buffer_append_text(&invocation->out, "jarvis " JV_VERSION "\n");
		if (server == NULL)
			return;
		jv_buffer_append_text(&invocation->out, "jarvisd ");
		jv_table_clean(server, &invocation->out);
		jv_buffer_printf(&invocation->out, " at %s\n", invocation->target.server);
		return;
	}
	jv_buffer_append_text(&json, "{\"client\":\"" JV_VERSION "\"");
	if (server != NULL) {
		jv_buffer_append_text(&json, ",\"server\":");
		jv_json_write_text(&json, jv_bytes_of_text(server));
	}
	jv_buffer_append_text(&json, "}");
	jv_invocation_print_json(invocation, jv_buffer_bytes(&json));
	jv_buffer_deinit(&json);
}

static int run(struct jv_invocation *invocation)
{
	Jarvis__V1__GetServerInfoRequest request = JARVIS__V1__GET_SERVER_INFO_REQUEST__INIT;
	ProtobufCMessage *response = NULL;
	struct jv_status status = jv_ok();

	if (!jv_arguments_has(invocation->arguments, "client"))
		status = jv_invocation_call(
			invocation, "Monitor/GetServerInfo", &request.base, &response);
	print(invocation,
		response != NULL
			? ((const Jarvis__V1__GetServerInfoResponse *)(const void *)response)
				  ->version
			: NULL);
	return jv_is_ok(&status) ? JV_EXIT_OK : jv_invocation_fail(invocation, NULL, &status);
}

static const char *const calls[] = {"Monitor/GetServerInfo", NULL};

const struct jv_command jv_command_version = {
	.name = "version",
	.summary = "Prints the versions of this program and of the server.",
	.flags = flags,
	.calls = calls,
	.run = run,
	.examples = "  jarvis version --client",
};
