#include "cli/remote.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/env.h"

#define TRIES       3
#define TRY_WAIT_MS 250
#define NAME_SIZE   96

struct jv_status jv_remote_open(struct jv_remote *remote, const char *server,
	const struct jv_client_options *options, const struct jv_schema *schema)
{
	struct jv_status status;

	*remote = (struct jv_remote){.schema = schema};
	jv_cq_open(&remote->cq);
	status = jv_client_open(&remote->cq, server, options, &remote->client);
	if (!jv_is_ok(&status))
		jv_cq_close(&remote->cq);
	return status;
}

void jv_remote_close(struct jv_remote *remote)
{
	JV_ASSERT(jv_client_calls(remote->client) == 0);
	jv_client_close(remote->client);
	jv_cq_close(&remote->cq);
}

const struct jv_method *jv_remote_method(const struct jv_remote *remote, const char *name)
{
	char path[NAME_SIZE];

	snprintf(path, sizeof(path), "/jarvis.v1.%s", name);
	const struct jv_method *method = jv_schema_method(remote->schema, path);
	JV_ASSERT(method != NULL);
	return method;
}

int64_t jv_remote_now_ms(void)
{
	return jv_env_system.monotonic_ms(&jv_env_system);
}

void jv_remote_step(struct jv_remote *remote, int64_t wait_ms)
{
	jv_cq_run_once(&remote->cq, jv_remote_now_ms() + wait_ms);
}

struct jv_status jv_remote_call(struct jv_remote *remote, const char *name,
	const ProtobufCMessage *request, int64_t timeout_ms, bool patient, struct jv_arena *arena,
	ProtobufCMessage **response)
{
	const struct jv_method *method = jv_remote_method(remote, name);
	struct jv_status status;

	for (int tries = 1;; tries++) {
		status = jv_client_call(
			remote->client, method, request, timeout_ms, NULL, arena, response);
		if (status.code != JV_UNAVAILABLE || !patient || tries == TRIES)
			return status;
		int64_t until_ms = jv_remote_now_ms() + tries * TRY_WAIT_MS;
		while (jv_remote_now_ms() < until_ms)
			jv_remote_step(remote, until_ms - jv_remote_now_ms());
	}
}
