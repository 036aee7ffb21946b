/* gRPC over TLS: who gets through, and what is said to whom does not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testing/edge/grpc/echo.h"
#include "testing/edge/tls/pki.h"

struct rig {
	char folder[64];
	struct jv_tls_source *source;
	struct echo *echo;
};

static int make(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	pki_folder_make(rig->folder);
	*state = rig;
	return 0;
}

static int clean(void **state)
{
	struct rig *rig = *state;

	if (rig->echo != NULL)
		jv_echo_stop(rig->echo);
	jv_tls_source_close(rig->source);
	pki_folder_remove(rig->folder);
	free(rig);
	return 0;
}

static const char *in_folder(struct rig *rig, const char *name, const char *ending)
{
	char file[64];

	snprintf(file, sizeof(file), "%s%s", name, ending);
	return pki_path(rig->folder, file);
}

/* certificate NULL: a server without TLS. */
static void serve(struct rig *rig, const char *certificate, enum jv_tls_client_auth client_auth)
{
	struct jv_grpc_options options = {0};
	struct jv_tls_files files = {.ca = NULL};
	struct jv_status status;

	if (client_auth != JV_TLS_CLIENT_NONE)
		files.ca = pki_path(rig->folder, "ca.pem");
	if (certificate != NULL) {
		files.cert = in_folder(rig, certificate, ".pem");
		files.key = in_folder(rig, certificate, ".key");
		status = jv_tls_source_open(&files, client_auth, &rig->source);
		assert_string_equal(status.message, "");
		options.tls = rig->source;
	}
	rig->echo = jv_echo_start(&options, NULL);
}

/* What a client with these options has of its call. */
static struct jv_status say(struct rig *rig, const struct jv_client_options *options)
{
	Testing__Echo__Request request = TESTING__ECHO__REQUEST__INIT;
	struct jv_client *client;
	struct jv_arena arena;
	ProtobufCMessage *response;
	struct jv_status status;

	status = jv_client_open(&rig->echo->cq, rig->echo->target, options, &client);
	assert_string_equal(status.message, "");
	jv_arena_init(&arena, 0, 0);
	status = jv_client_call(
		client, jv_echo_say(rig->echo), &request.base, 10000, NULL, &arena, &response);
	jv_arena_deinit(&arena);
	jv_client_close(client);
	return status;
}

static struct jv_client_options trusting(struct rig *rig, const char *ca, const char *certificate)
{
	struct jv_client_options options = {.tls = true, .ca_file = in_folder(rig, ca, ".pem")};

	if (certificate != NULL) {
		options.cert_file = in_folder(rig, certificate, ".pem");
		options.key_file = in_folder(rig, certificate, ".key");
	}
	return options;
}

static void taken(struct rig *rig, const struct jv_client_options *options)
{
	struct jv_status status = say(rig, options);

	assert_string_equal(status.message, "");
}

static void refused(struct rig *rig, const struct jv_client_options *options, const char *text)
{
	struct jv_status status = say(rig, options);

	assert_int_equal(status.code, JV_UNAVAILABLE);
	if (strstr(status.message, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", status.message, text);
}

static void a_client_that_knows_the_authority_gets_through(void **state)
{
	struct rig *rig = *state;

	serve(rig, "server", JV_TLS_CLIENT_NONE);
	struct jv_client_options options = trusting(rig, "ca", NULL);
	taken(rig, &options);
	options.token = "a-token";
	taken(rig, &options);
}

static void a_client_with_another_authority_refuses(void **state)
{
	struct rig *rig = *state;

	serve(rig, "server", JV_TLS_CLIENT_NONE);
	struct jv_client_options options = trusting(rig, "other-ca", NULL);
	refused(rig, &options, "certificate verify failed");
	/* The others are served as before. */
	options = trusting(rig, "ca", NULL);
	taken(rig, &options);
}

static void a_certificate_that_has_expired_is_refused(void **state)
{
	struct rig *rig = *state;

	serve(rig, "expired", JV_TLS_CLIENT_NONE);
	struct jv_client_options options = trusting(rig, "ca", NULL);
	refused(rig, &options, "certificate verify failed");
}

static void a_certificate_of_another_host_is_refused_unless_it_is_meant(void **state)
{
	struct rig *rig = *state;

	serve(rig, "other-host", JV_TLS_CLIENT_NONE);
	struct jv_client_options options = trusting(rig, "ca", NULL);
	refused(rig, &options, "127.0.0.1");
	options.server_name = "jarvis.example";
	taken(rig, &options);
}

static void clear_text_and_tls_do_not_meet(void **state)
{
	struct rig *rig = *state;
	struct jv_client_options plain = {0};

	serve(rig, "server", JV_TLS_CLIENT_NONE);
	refused(rig, &plain, "");
	struct jv_client_options options = trusting(rig, "ca", NULL);
	taken(rig, &options);
}

static void tls_to_a_server_without_it_fails(void **state)
{
	struct rig *rig = *state;

	serve(rig, NULL, JV_TLS_CLIENT_NONE);
	struct jv_client_options options = trusting(rig, "ca", NULL);
	refused(rig, &options, "");
	struct jv_client_options plain = {0};
	taken(rig, &plain);
}

static void a_client_must_show_a_certificate_where_one_is_required(void **state)
{
	struct rig *rig = *state;

	serve(rig, "server", JV_TLS_CLIENT_REQUIRE);
	struct jv_client_options none = trusting(rig, "ca", NULL);
	struct jv_client_options good = trusting(rig, "ca", "client");
	struct jv_client_options other = trusting(rig, "ca", "other-client");
	struct jv_client_options expired = trusting(rig, "ca", "expired-client");
	refused(rig, &none, "");
	refused(rig, &other, "");
	refused(rig, &expired, "");
	taken(rig, &good);
}

static void a_client_may_show_a_certificate_where_one_is_asked_for(void **state)
{
	struct rig *rig = *state;

	serve(rig, "server", JV_TLS_CLIENT_REQUEST);
	struct jv_client_options none = trusting(rig, "ca", NULL);
	struct jv_client_options good = trusting(rig, "ca", "client");
	struct jv_client_options other = trusting(rig, "ca", "other-client");
	taken(rig, &none);
	taken(rig, &good);
	refused(rig, &other, "");
}

static void a_new_certificate_counts_from_the_next_connection_on(void **state)
{
	struct rig *rig = *state;
	struct jv_status status;

	serve(rig, "server", JV_TLS_CLIENT_NONE);
	struct jv_client_options old = trusting(rig, "ca", NULL);
	struct jv_client_options new = trusting(rig, "other-ca", NULL);
	taken(rig, &old);
	assert_int_equal(rename(pki_path(rig->folder, "other-server.pem"),
				 pki_path(rig->folder, "server.pem")),
		0);
	assert_int_equal(rename(pki_path(rig->folder, "other-server.key"),
				 pki_path(rig->folder, "server.key")),
		0);
	taken(rig, &old);
	status = jv_tls_source_reload(rig->source);
	assert_string_equal(status.message, "");
	taken(rig, &new);
	refused(rig, &old, "certificate verify failed");
}

static void unopened(struct rig *rig, const char *target, const struct jv_client_options *options,
	const char *text)
{
	struct jv_client *client;
	struct jv_status status = jv_client_open(&rig->echo->cq, target, options, &client);

	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	if (strstr(status.message, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", status.message, text);
	assert_null(client);
}

static void options_that_cannot_be_meant_are_refused_at_once(void **state)
{
	struct rig *rig = *state;
	const char *target = "127.0.0.1:1";

	serve(rig, NULL, JV_TLS_CLIENT_NONE);
	struct jv_client_options options = trusting(rig, "none", NULL);
	unopened(rig, target, &options, "none.pem");
	options = trusting(rig, "ca", "client");
	options.key_file = in_folder(rig, "server", ".key");
	unopened(rig, target, &options, "does not belong");
	options = trusting(rig, "ca", NULL);
	options.tls = false;
	unopened(rig, target, &options, "turn TLS on");
	options = (struct jv_client_options){.server_name = "x"};
	unopened(rig, target, &options, "turn TLS on");
}

static void a_token_is_not_sent_where_others_can_read_it(void **state)
{
	struct rig *rig = *state;
	struct jv_client_options options = {.token = "secret-word"};

	serve(rig, NULL, JV_TLS_CLIENT_NONE);
	unopened(rig, "jarvis.example:7070", &options, "unencrypted");
	unopened(rig, "127.example.com:7070", &options, "unencrypted");
	unopened(rig, "localhost.example.com:7070", &options, "unencrypted");
	options.token = "secret\nword";
	unopened(rig, "127.0.0.1:7070", &options, "blank");
	options.token = "secret-word";
	taken(rig, &options);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, make, clean)
	const struct CMUnitTest tests[] = {
		STORY(a_client_that_knows_the_authority_gets_through),
		STORY(a_client_with_another_authority_refuses),
		STORY(a_certificate_that_has_expired_is_refused),
		STORY(a_certificate_of_another_host_is_refused_unless_it_is_meant),
		STORY(clear_text_and_tls_do_not_meet),
		STORY(tls_to_a_server_without_it_fails),
		STORY(a_client_must_show_a_certificate_where_one_is_required),
		STORY(a_client_may_show_a_certificate_where_one_is_asked_for),
		STORY(a_new_certificate_counts_from_the_next_connection_on),
		STORY(options_that_cannot_be_meant_are_refused_at_once),
		STORY(a_token_is_not_sent_where_others_can_read_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
