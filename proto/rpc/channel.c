#include <grpc/grpc_security.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "proto/rpc/args.h"
#include "proto/rpc/private.h"

#define METADATA_BYTES_MAX (16 * 1024)

static void fill_args(struct jv_args *args, const struct jv_client_options *options)
{
	jv_args_flow(args, options->message_bytes_max, METADATA_BYTES_MAX);
	/* A server that is gone without a word is noticed well before a lease ends. */
	jv_args_number(args, GRPC_ARG_KEEPALIVE_TIME_MS, options->keepalive_ms);
	jv_args_number(args, GRPC_ARG_KEEPALIVE_TIMEOUT_MS, options->keepalive_timeout_ms);
	jv_args_number(args, GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
	jv_args_number(args, GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
	jv_args_number(args, GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
	jv_args_number(args, GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 200);
	jv_args_number(args, GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, options->reconnect_backoff_ms_max);
	/* Retries are for who knows the request_id. */
	jv_args_number(args, GRPC_ARG_ENABLE_RETRIES, 0);
	jv_args_number(args, GRPC_ARG_ENABLE_CHANNELZ, 0);
	/* No surprises from the environment or from DNS TXT records. */
	jv_args_number(args, GRPC_ARG_ENABLE_HTTP_PROXY, 0);
	jv_args_number(args, GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
	jv_args_text(args, GRPC_ARG_PRIMARY_USER_AGENT_STRING, options->user_agent);
	if (options->tls && options->server_name != NULL && options->server_name[0] != '\0')
		jv_args_text(args, GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, options->server_name);
}

static void fill_number(int64_t *value, int64_t fallback)
{
	if (*value == 0)
		*value = fallback;
}

static void fill_options(struct jv_client_options *options)
{
	fill_number(&options->message_bytes_max, 4 << 20);
	fill_number(&options->arena_bytes_max, 64 << 20);
	fill_number(&options->keepalive_ms, 15000);
	fill_number(&options->keepalive_timeout_ms, 10000);
	fill_number(&options->reconnect_backoff_ms_max, 5000);
	if (options->write_queue_max == 0)
		options->write_queue_max = 256;
	if (options->user_agent == NULL)
		options->user_agent = "jarvis";
}

static bool is_port(const char *text)
{
	char *end;
	long port = strtol(text, &end, 10);

	return text[0] >= '0' && text[0] <= '9' && *end == 0 && port >= 1 && port <= 65535;
}

static struct jv_status check_target(const char *target)
{
	const char *colon = strrchr(target, ':');

	if (strncmp(target, "unix:", 5) == 0 && target[5] != 0)
		return jv_ok();
	if (colon != NULL && colon != target && is_port(colon + 1))
		return jv_ok();
	return jv_error(JV_INVALID_ARGUMENT,
		"\"%s\" is no address of a server; write host:port or unix:/path", target);
}

/* They were the caller's, for this call only. */
static void forget_texts(struct jv_client_options *options)
{
	options->user_agent = NULL;
	options->ca_file = NULL;
	options->cert_file = NULL;
	options->key_file = NULL;
	options->server_name = NULL;
	options->token = NULL;
}

static struct jv_status open_channel(struct jv_client *client, const char *target)
{
	grpc_channel_credentials *credentials;
	grpc_channel_args channel_args;
	struct jv_args args = {.count = 0};

	JV_TRY(jv_client_take_token(client, target, &client->options));
	JV_TRY(jv_client_credentials(&client->options, &credentials));
	fill_args(&args, &client->options);
	channel_args = jv_args_of(&args);
	client->channel = grpc_channel_create(target, credentials, &channel_args);
	grpc_channel_credentials_release(credentials);
	JV_ASSERT(client->channel != NULL);
	return jv_ok();
}

struct jv_status jv_client_open(struct jv_cq *cq, const char *target,
	const struct jv_client_options *options, struct jv_client **client)
{
	struct jv_client *opened;
	struct jv_status status;

	*client = NULL;
	JV_TRY(check_target(target));
	opened = jv_calloc(1, sizeof(*opened));
	opened->cq = cq;
	if (options != NULL)
		opened->options = *options;
	fill_options(&opened->options);
	status = open_channel(opened, target);
	forget_texts(&opened->options);
	if (jv_is_ok(&status))
		*client = opened;
	else
		jv_client_close(opened);
	return status;
}

void jv_client_close(struct jv_client *client)
{
	if (client == NULL)
		return;
	JV_ASSERT(client->calls == 0);
	if (client->channel != NULL)
		grpc_channel_destroy(client->channel);
	jv_client_forget_token(client);
	free(client);
}

uint32_t jv_client_calls(const struct jv_client *client)
{
	return client->calls;
}
