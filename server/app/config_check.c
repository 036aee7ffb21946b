#include <inttypes.h>
#include <string.h>

#include "base/tls_source.h"
#include "server/app/config.h"
#include "storage/record.h"

static bool queue_named(const char *name)
{
	return name[0] != '\0' &&
		strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
}

static struct jv_status check_queues(const struct jv_server_config *config)
{
	const struct jv_server_queue *queues = config->queues.items;

	for (size_t i = 0; i < config->queues.count; i++) {
		if (!queue_named(queues[i].name))
			return jv_error(JV_INVALID_ARGUMENT,
				"queues: \"%.80s\" is no queue name: use 1 to %d of a-z, 0-9 and -",
				queues[i].name, JV_QUEUE_NAME_MAX);
		for (size_t j = 0; j < i; j++)
			if (strcmp(queues[i].name, queues[j].name) == 0)
				return jv_error(JV_INVALID_ARGUMENT,
					"queues: the queue \"%s\" stands twice", queues[i].name);
	}
	return jv_ok();
}

static const char *auth_name(const struct jv_server_config *config)
{
	return config->tls_client_auth == JV_TLS_CLIENT_REQUIRE ? "require" : "request";
}

static bool is_set(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static bool speaks_tls(const struct jv_server_config *config, int64_t choice, const char *listen)
{
	if (!is_set(listen) || strncmp(listen, "unix:", 5) == 0)
		return false;
	return choice == JV_SERVER_TLS_ON ||
		(choice == JV_SERVER_TLS_AUTO && is_set(config->tls_cert));
}

bool jv_server_config_grpc_tls(const struct jv_server_config *config)
{
	return speaks_tls(config, config->grpc_tls, config->grpc_listen);
}

bool jv_server_config_rest_tls(const struct jv_server_config *config)
{
	return speaks_tls(config, config->rest_tls, config->rest_listen);
}

static bool is_loopback(const char *listen)
{
	return strncmp(listen, "127.", 4) == 0 || strncmp(listen, "[::1]:", 6) == 0 ||
		strncmp(listen, "localhost:", 10) == 0;
}

/* A port that only this machine can reach is one for browsers on it, where any site can have a name
 * of its own point here. */
bool jv_server_config_rest_hosts(const struct jv_server_config *config)
{
	const struct jv_config_list *hosts = &config->rest_hosts;

	if (hosts->count > 0)
		return strcmp(hosts->items[0], "*") != 0;
	return is_loopback(config->rest_listen) && !jv_server_config_rest_tls(config);
}

static struct jv_status check_hosts(const struct jv_server_config *config)
{
	const struct jv_config_list *hosts = &config->rest_hosts;

	for (size_t i = 0; i < hosts->count; i++) {
		const char *host = hosts->items[i];
		if (strcmp(host, "*") == 0 && hosts->count == 1)
			continue;
		if (host[0] == '\0' || strpbrk(host, ":/ \t\r\n?#*@,") != NULL)
			return jv_error(JV_INVALID_ARGUMENT,
				"rest.hosts: \"%.100s\" is no name of a host: write names without "
				"scheme and port, or only \"*\"",
				host);
	}
	return jv_ok();
}

static struct jv_status check_tls(const struct jv_server_config *config)
{
	bool wanted = config->grpc_tls == JV_SERVER_TLS_ON || config->rest_tls == JV_SERVER_TLS_ON;

	if (config->grpc_tls == JV_SERVER_TLS_ON && !jv_server_config_grpc_tls(config))
		return jv_error(JV_INVALID_ARGUMENT,
			"grpc.tls is on, but %s is a unix socket, which has no TLS: say auto",
			config->grpc_listen);
	if (wanted && !is_set(config->tls_cert))
		return jv_error(JV_INVALID_ARGUMENT,
			"%s is on, but tls.cert and tls.key are not set",
			config->grpc_tls == JV_SERVER_TLS_ON ? "grpc.tls" : "rest.tls");
	if (is_set(config->tls_cert) != is_set(config->tls_key))
		return jv_error(JV_INVALID_ARGUMENT,
			"tls.cert and tls.key go together: %s is not set",
			is_set(config->tls_cert) ? "tls.key" : "tls.cert");
	if (config->tls_client_auth != JV_TLS_CLIENT_NONE && !is_set(config->tls_client_ca))
		return jv_error(JV_INVALID_ARGUMENT,
			"tls.client_auth is %s, but tls.client_ca, which says whose certificates are "
			"taken, is not set",
			auth_name(config));
	if (config->tls_client_auth == JV_TLS_CLIENT_NONE && is_set(config->tls_client_ca))
		return jv_error(JV_INVALID_ARGUMENT,
			"tls.client_ca is set, but tls.client_auth is none: say request or require");
	if (config->tls_client_auth != JV_TLS_CLIENT_NONE && !is_set(config->tls_cert))
		return jv_error(JV_INVALID_ARGUMENT,
			"tls.client_auth is %s, but without tls.cert there is no TLS",
			auth_name(config));
	return jv_ok();
}

/* They become lines of answers. */
static bool is_header_list(const char *text)
{
	return strspn(text,
		       "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_, *") ==
		strlen(text);
}

static struct jv_status check_cors(const struct jv_server_config *config)
{
	const struct jv_config_list *origins = &config->rest_cors_origins;

	for (size_t i = 0; i < origins->count; i++) {
		const char *origin = origins->items[i];
		const char *host = strstr(origin, "://");
		if (strcmp(origin, "*") == 0 && origins->count == 1)
			continue;
		if (host == NULL || host == origin || host[3] == '\0' ||
			strpbrk(host + 3, "/ \t\r\n?#*@,") != NULL)
			return jv_error(JV_INVALID_ARGUMENT,
				"rest.cors.origins: \"%.100s\" is no origin: write scheme://host or "
				"scheme://host:port without a path, or only \"*\"",
				origin);
	}
	if (!is_header_list(config->rest_cors_headers) || !is_header_list(config->rest_cors_expose))
		return jv_error(JV_INVALID_ARGUMENT,
			"rest.cors.headers and rest.cors.expose are names of headers with commas "
			"between them");
	return jv_ok();
}

struct jv_status jv_server_config_check(const struct jv_server_config *config)
{
	if (config->heartbeat_ms * 3 > config->lease_ms)
		return jv_error(JV_INVALID_ARGUMENT,
			"scheduler.heartbeat (%" PRId64 " ms) must be at most a third of "
			"scheduler.lease (%" PRId64 " ms)",
			config->heartbeat_ms, config->lease_ms);
	if (config->grpc_listen == NULL || config->grpc_listen[0] == '\0')
		return jv_error(JV_INVALID_ARGUMENT, "grpc.listen must not be empty");
	JV_TRY(check_queues(config));
	JV_TRY(check_tls(config));
	JV_TRY(check_hosts(config));
	JV_TRY(check_cors(config));
	if (config->worker_enabled)
		return jv_status_context(jv_worker_config_check(&config->worker), "worker");
	return jv_ok();
}
