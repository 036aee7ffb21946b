#include "server/app/tls.h"

#include <time.h>

#include "base/log.h"

#define DAY_S 86400
/* Certificates that end so soon are told of: those that renew themselves have done so by now. */
#define SOON_S (14 * DAY_S)

static void log_loaded(struct jv_tls_source *source)
{
	struct jv_tls tls;
	int64_t left_s, days;

	jv_tls_source_take(source, &tls);
	left_s = tls.expires_s - (int64_t)time(NULL);
	days = left_s / DAY_S;
	if (left_s < 0)
		JV_ERROR("tls.expired", JV_KI("days_ago", -days),
			JV_KV("remedy",
				"clients refuse this certificate: renew it, and send SIGHUP"));
	else if (left_s < SOON_S)
		JV_WARN("tls.expires_soon", JV_KI("days", days));
	else
		JV_INFO("tls.loaded", JV_KI("days", days));
	if (tls.key_exposed)
		JV_WARN("tls.key_exposed",
			JV_KV("remedy", "everybody on this machine can read tls.key: chmod o-rwx"));
	jv_tls_deinit(&tls);
}

static struct jv_status open_source(
	const struct jv_server_config *config, struct jv_tls_source **source)
{
	const struct jv_tls_files files = {
		.cert = config->tls_cert, .key = config->tls_key, .ca = config->tls_client_ca};

	*source = NULL;
	if (!jv_server_config_grpc_tls(config) && !jv_server_config_rest_tls(config))
		return jv_ok();
	return jv_status_context(jv_tls_source_open(&files,
					 (enum jv_tls_client_auth)config->tls_client_auth, source),
		"tls");
}

struct jv_status jv_app_tls_open(
	const struct jv_server_config *config, struct jv_tls_source **source)
{
	JV_TRY(open_source(config, source));
	if (*source != NULL)
		log_loaded(*source);
	return jv_ok();
}

struct jv_status jv_app_tls_check(const struct jv_server_config *config)
{
	struct jv_tls_source *source;

	JV_TRY(open_source(config, &source));
	jv_tls_source_close(source);
	return jv_ok();
}

void jv_app_tls_reload(struct jv_tls_source *source, bool asked)
{
	struct jv_status status;

	if (source == NULL || (!asked && !jv_tls_source_changed(source)))
		return;
	status = jv_tls_source_reload(source);
	if (jv_is_ok(&status))
		log_loaded(source);
	else
		JV_WARN("tls.reload_failed", JV_KV("error", status.message),
			JV_KV("effect", "the certificate from before still counts"));
}
