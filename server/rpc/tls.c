#include <grpc/grpc_security.h>
#include <stdlib.h>

#include "base/assert.h"
#include "server/rpc/private.h"

/* gRPC asks before each handshake, one listener at a time, on a thread of its own. */
static grpc_ssl_certificate_config_reload_status fetch(
	void *context, grpc_ssl_server_certificate_config **config)
{
	struct jv_grpc_listener *listener = context;
	struct jv_tls_source *source = listener->grpc->options.tls;
	grpc_ssl_pem_key_cert_pair pair;
	struct jv_tls tls;

	if (jv_tls_source_generation(source) == listener->tls_generation)
		return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
	listener->tls_generation = jv_tls_source_take(source, &tls);
	pair.private_key = tls.key;
	pair.cert_chain = tls.cert;
	/* gRPC insists on authorities, also where no client is asked for anything. */
	*config = grpc_ssl_server_certificate_config_create(
		tls.ca != NULL ? tls.ca : tls.cert, &pair, 1);
	jv_tls_deinit(&tls);
	return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

static grpc_ssl_client_certificate_request_type request_type(struct jv_tls_source *source)
{
	switch (jv_tls_source_client_auth(source)) {
	case JV_TLS_CLIENT_NONE:
		return GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
	case JV_TLS_CLIENT_REQUEST:
		return GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
	case JV_TLS_CLIENT_REQUIRE:
		return GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
	default:
		JV_UNREACHABLE();
	}
}

grpc_server_credentials *jv_grpc_credentials(struct jv_grpc_listener *listener, bool plain)
{
	struct jv_tls_source *source = listener->grpc->options.tls;
	grpc_server_credentials *credentials;

	if (plain || source == NULL)
		return grpc_insecure_server_credentials_create();
	credentials = grpc_ssl_server_credentials_create_with_options(
		grpc_ssl_server_credentials_create_options_using_config_fetcher(
			request_type(source), fetch, listener));
	JV_ASSERT(credentials != NULL);
	return credentials;
}
