/* TLS by OpenSSL, which gRPC brings along anyway; so both ports take the same files alike. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "base/log.h"
#include "server/rest/private.h"

struct jv_rest_tls {
	struct jv_tls_source *source;
	SSL_CTX *context; /* of `generation`; connections keep the one that they began with */
	uint64_t generation;
};

static X509 *next_certificate(BIO *bio)
{
	X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	ERR_clear_error();
	return certificate;
}

static bool use_certificate(SSL_CTX *context, const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *certificate = next_certificate(bio);
	bool used = certificate != NULL && SSL_CTX_use_certificate(context, certificate) == 1;

	X509_free(certificate);
	while (used && (certificate = next_certificate(bio)) != NULL) {
		used = SSL_CTX_add1_chain_cert(context, certificate) == 1;
		X509_free(certificate);
	}
	BIO_free(bio);
	return used;
}

static bool use_key(SSL_CTX *context, const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	bool used = key != NULL && SSL_CTX_use_PrivateKey(context, key) == 1 &&
		SSL_CTX_check_private_key(context) == 1;

	EVP_PKEY_free(key);
	BIO_free(bio);
	return used;
}

static void use_authorities(SSL_CTX *context, const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509_STORE *store = SSL_CTX_get_cert_store(context);
	X509 *certificate;

	while ((certificate = next_certificate(bio)) != NULL) {
		X509_STORE_add_cert(store, certificate);
		SSL_CTX_add_client_CA(context, certificate);
		X509_free(certificate);
	}
	BIO_free(bio);
}

/* HTTP/1.1 is all there is; a client that wants something else may find out by itself. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_size,
	const unsigned char *in, unsigned in_size, void *context)
{
	static const unsigned char ours[] = "\x08http/1.1";

	(void)ssl;
	(void)context;
	if (SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_size, ours,
		    sizeof(ours) - 1, in, in_size) == OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_OK;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static SSL_CTX *make_context(const struct jv_tls *tls, enum jv_tls_client_auth client_auth)
{
	static const unsigned char session_id[] = "jarvis-rest";
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	JV_ASSERT(context != NULL);
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_options(context,
		SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(context,
		SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
			SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* Tickets are enough; sessions that are kept here would be memory for strangers. */
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(context, session_id, sizeof(session_id) - 1);
	SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
	if (client_auth != JV_TLS_CLIENT_NONE)
		SSL_CTX_set_verify(context,
			SSL_VERIFY_PEER |
				(client_auth == JV_TLS_CLIENT_REQUIRE
						? SSL_VERIFY_FAIL_IF_NO_PEER_CERT
						: 0),
			NULL);
	if (tls->ca != NULL)
		use_authorities(context, tls->ca);
	if (use_certificate(context, tls->cert) && use_key(context, tls->key))
		return context;
	SSL_CTX_free(context);
	return NULL;
}

/* Takes what is new; what there was stays if OpenSSL does not take it. */
static bool refresh(struct jv_rest_tls *tls)
{
	struct jv_tls taken;
	SSL_CTX *context;

	if (jv_tls_source_generation(tls->source) == tls->generation)
		return true;
	tls->generation = jv_tls_source_take(tls->source, &taken);
	context = make_context(&taken, jv_tls_source_client_auth(tls->source));
	jv_tls_deinit(&taken);
	if (context == NULL) {
		ERR_clear_error();
		return false;
	}
	SSL_CTX_free(tls->context);
	tls->context = context;
	return true;
}

struct jv_status jv_rest_tls_open(struct jv_tls_source *source, struct jv_rest_tls **opened)
{
	struct jv_rest_tls *tls = jv_calloc(1, sizeof(*tls));

	tls->source = source;
	if (refresh(tls)) {
		*opened = tls;
		return jv_ok();
	}
	jv_rest_tls_close(tls);
	return jv_error(JV_INVALID_ARGUMENT,
		"OpenSSL does not take the certificate: its key may be too short, or its "
		"signature too old (openssl x509 -text -in ... shows them)");
}

void jv_rest_tls_close(struct jv_rest_tls *tls)
{
	if (tls == NULL)
		return;
	SSL_CTX_free(tls->context);
	free(tls);
}

void jv_rest_tls_accept(struct jv_rest_connection *connection)
{
	struct jv_rest_tls *tls = connection->rest->tls;

	if (!refresh(tls))
		JV_WARN("rest.tls_refused",
			JV_KV("error", "OpenSSL does not take the new certificate"));
	connection->tls = SSL_new(tls->context);
	if (connection->tls == NULL || SSL_set_fd(connection->tls, connection->fd) != 1)
		jv_fatal("the machine has no memory left for a TLS connection");
	SSL_set_accept_state(connection->tls);
}

/* Somebody who writes http:// where https:// is meant gets to read so. */
static void explain_plain(struct jv_rest_connection *connection)
{
	static const char answer[] =
		"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
		"This port speaks HTTPS: write https:// instead of http://.\n";

	SSL_free(connection->tls);
	connection->tls = NULL;
	connection->readable = true;
	send(connection->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
}

static void log_failed(struct jv_rest_connection *connection, unsigned long error)
{
	char text[128];

	ERR_error_string_n(error, text, sizeof(text));
	JV_DEBUG("rest.tls_failed", JV_KV("peer", connection->peer), JV_KV("error", text));
}

/* What a result that is no success means: 0 for later, -1 for never. */
static int explain(struct jv_rest_connection *connection, int result)
{
	int why = SSL_get_error(connection->tls, result);
	unsigned long error = ERR_peek_error();

	if (why == SSL_ERROR_WANT_READ) {
		connection->readable = false;
	} else if (why == SSL_ERROR_WANT_WRITE) {
		connection->writable = false;
	} else {
		if (error != 0)
			log_failed(connection, error);
		connection->readable = false;
		connection->writable = false;
		ERR_clear_error();
		return -1;
	}
	return 0;
}

int jv_rest_tls_handshake(struct jv_rest_connection *connection)
{
	ERR_clear_error();
	int result = SSL_do_handshake(connection->tls);
	bool plain = ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;

	if (result == 1)
		return 1;
	result = explain(connection, result);
	if (result < 0 && plain)
		explain_plain(connection);
	return result;
}

ssize_t jv_rest_tls_read(struct jv_rest_connection *connection, void *data, size_t size)
{
	ERR_clear_error();
	int got = SSL_read(connection->tls, data, (int)size);

	return got > 0 ? got : explain(connection, got);
}

ssize_t jv_rest_tls_write(struct jv_rest_connection *connection, const void *data, size_t size)
{
	ERR_clear_error();
	int sent = SSL_write(connection->tls, data, size > 16384 ? 16384 : (int)size);

	return sent > 0 ? sent : explain(connection, sent);
}

void jv_rest_tls_end(struct jv_rest_connection *connection)
{
	ERR_clear_error();
	if (SSL_is_init_finished(connection->tls))
		SSL_shutdown(connection->tls);
	ERR_clear_error();
}
