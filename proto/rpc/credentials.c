#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/tls.h"
#include "proto/rpc/private.h"

/* What gRPC takes as metadata, beside all else that a call has, in one frame. */
#define TOKEN_BYTES_MAX 8192

static bool given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static struct jv_status check_plain(const struct jv_client_options *options)
{
	const char *what = given(options->ca_file) ? "authorities"
		: given(options->cert_file)        ? "a certificate"
		: given(options->key_file)         ? "a key"
		: given(options->server_name)      ? "a name of the server"
						   : NULL;

	if (what == NULL)
		return jv_ok();
	return jv_error(JV_INVALID_ARGUMENT,
		"%s would be ignored without TLS: turn TLS on, or leave that away", what);
}

struct jv_status jv_client_credentials(
	const struct jv_client_options *options, grpc_channel_credentials **credentials)
{
	const struct jv_tls_files files = {
		.cert = options->cert_file, .key = options->key_file, .ca = options->ca_file};
	grpc_ssl_pem_key_cert_pair pair;
	struct jv_tls tls;

	if (!options->tls) {
		JV_TRY(check_plain(options));
		*credentials = grpc_insecure_credentials_create();
		return jv_ok();
	}
	JV_TRY(jv_tls_read(&files, &tls));
	pair.private_key = tls.key;
	pair.cert_chain = tls.cert;
	*credentials =
		grpc_ssl_credentials_create_ex(tls.ca, tls.cert == NULL ? NULL : &pair, NULL, NULL);
	jv_tls_deinit(&tls);
	if (*credentials == NULL)
		return jv_error(JV_INVALID_ARGUMENT, "gRPC takes neither of the certificates");
	return jv_ok();
}

/* Whether what is sent there leaves this machine at no point. */
static bool is_local(const char *target)
{
	const char *const names[] = {"unix:", "127.", "localhost:", "[::1]:", NULL};

	for (size_t i = 0; names[i] != NULL; i++)
		if (strncmp(target, names[i], strlen(names[i])) == 0)
			/* 127.example.com is a name like any other. */
			return i != 1 || target[strspn(target, "0123456789.")] == ':';
	return false;
}

static struct jv_status check_token(const char *target, const struct jv_client_options *options)
{
	size_t size = strlen(options->token);

	/* Its text is nobody's business, not even in an error. */
	for (size_t i = 0; i < size; i++)
		if (options->token[i] <= ' ' || options->token[i] > '~')
			return jv_error(JV_INVALID_ARGUMENT,
				"the token has a blank or a character that is not ASCII: was the "
				"file cut, or is it another one?");
	if (size > TOKEN_BYTES_MAX)
		return jv_error(JV_INVALID_ARGUMENT,
			"the token has %zu bytes; at most %d can be sent", size, TOKEN_BYTES_MAX);
	if (options->tls || options->token_in_clear || is_local(target))
		return jv_ok();
	return jv_error(JV_INVALID_ARGUMENT,
		"the token would go to %.100s unencrypted, for everyone on the way to read: turn "
		"TLS on, or allow that expressly",
		target);
}

struct jv_status jv_client_take_token(
	struct jv_client *client, const char *target, const struct jv_client_options *options)
{
	char *value;
	size_t size;

	if (!given(options->token))
		return jv_ok();
	JV_TRY(check_token(target, options));
	size = strlen("Bearer ") + strlen(options->token);
	value = jv_malloc(size + 1);
	snprintf(value, size + 1, "Bearer %s", options->token);
	client->token.key = grpc_slice_from_static_string("authorization");
	client->token.value = grpc_slice_from_copied_string(value);
	client->has_token = true;
	explicit_bzero(value, size);
	free(value);
	return jv_ok();
}

void jv_client_forget_token(struct jv_client *client)
{
	if (client->has_token)
		grpc_slice_unref(client->token.value);
	client->has_token = false;
}
