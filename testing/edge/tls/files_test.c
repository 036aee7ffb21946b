/* Certificates and keys in files: what is taken, and what is said of what cannot be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/tls_source.h"
#include "testing/edge/tls/pki.h"

static int make(void **state)
{
	char *folder = malloc(64);

	pki_folder_make(folder);
	*state = folder;
	return 0;
}

static int clean(void **state)
{
	pki_folder_remove(*state);
	free(*state);
	return 0;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* cert, key and ca are names in the folder, or NULL. */
static struct jv_status read_files(
	const char *folder, const char *cert, const char *key, const char *ca, struct jv_tls *tls)
{
	const struct jv_tls_files files = {
		.cert = cert == NULL ? NULL : pki_path(folder, cert),
		.key = key == NULL ? NULL : pki_path(folder, key),
		.ca = ca == NULL ? NULL : pki_path(folder, ca),
	};

	return jv_tls_read(&files, tls);
}

static void refused(const char *folder, const char *cert, const char *key, const char *ca,
	const char *text, const char *more)
{
	struct jv_tls tls;
	struct jv_status status = read_files(folder, cert, key, ca, &tls);

	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	if (strstr(status.message, text) == NULL || strstr(status.message, more) == NULL)
		fail_msg("\"%s\" does not say \"%s\" and \"%s\"", status.message, text, more);
	assert_null(tls.cert);
	assert_null(tls.key);
	assert_null(tls.ca);
}

static void a_pair_and_its_authority_are_taken(void **state)
{
	struct jv_tls tls;
	struct jv_status status = read_files(*state, "server.pem", "server.key", "ca.pem", &tls);

	assert_string_equal(status.message, "");
	assert_non_null(strstr(tls.cert, "BEGIN CERTIFICATE"));
	assert_non_null(strstr(tls.key, "PRIVATE KEY"));
	assert_non_null(strstr(tls.ca, "BEGIN CERTIFICATE"));
	assert_true(tls.expires_s > time(NULL) + 29 * 86400);
	assert_false(tls.key_exposed);
	jv_tls_deinit(&tls);
	assert_null(tls.key);
}

static void nothing_is_taken_too(void **state)
{
	struct jv_tls tls;
	struct jv_status status = read_files(*state, NULL, NULL, NULL, &tls);

	assert_true(jv_is_ok(&status));
	assert_int_equal(tls.expires_s, 0);
	jv_tls_deinit(&tls);
}

static void one_that_has_expired_is_taken_with_its_time(void **state)
{
	struct jv_tls tls;
	struct jv_status status = read_files(*state, "expired.pem", "expired.key", NULL, &tls);

	assert_true(jv_is_ok(&status));
	assert_true(tls.expires_s > 0 && tls.expires_s < time(NULL));
	jv_tls_deinit(&tls);
}

static void a_key_that_others_can_read_is_told(void **state)
{
	struct jv_tls tls;
	struct jv_status status;

	assert_int_equal(chmod(pki_path(*state, "server.key"), 0644), 0);
	status = read_files(*state, "server.pem", "server.key", NULL, &tls);
	assert_true(jv_is_ok(&status));
	assert_true(tls.key_exposed);
	jv_tls_deinit(&tls);
}

static void what_is_missing_is_named(void **state)
{
	refused(*state, "none.pem", "server.key", NULL, "none.pem", "No such file");
	refused(*state, "server.pem", "none.key", NULL, "none.key", "No such file");
	refused(*state, "server.pem", "server.key", "none.pem", "none.pem", "No such file");
	refused(*state, "server.pem", NULL, NULL, "server.pem", "go together");
	refused(*state, NULL, "server.key", NULL, "server.key", "go together");
}

static void what_is_no_certificate_or_key_is_named(void **state)
{
	write_file(pki_path(*state, "words.pem"), "a few words\n");
	write_file(pki_path(*state, "empty.pem"), "");
	write_file(pki_path(*state, "damaged.pem"),
		"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
	refused(*state, "words.pem", "server.key", NULL, "words.pem", "BEGIN CERTIFICATE");
	refused(*state, "empty.pem", "server.key", NULL, "empty.pem", "no certificate");
	refused(*state, "damaged.pem", "server.key", NULL, "damaged.pem", "damaged");
	refused(*state, "server.pem", "server.key", "words.pem", "words.pem", "authorities");
	refused(*state, "server.pem", "words.pem", NULL, "words.pem", "no private key");
	/* The two in each other's place. */
	refused(*state, "server.key", "server.pem", NULL, "server.key", "no certificate");
	refused(*state, ".", "server.key", NULL, "cannot be read", "directory");
	refused(*state, "/dev/zero", "server.key", NULL, "cannot be read", "");
}

static void a_damaged_second_certificate_is_found(void **state)
{
	struct jv_tls tls;
	struct jv_status status = read_files(*state, "server.pem", "server.key", NULL, &tls);
	FILE *file = fopen(pki_path(*state, "chain.pem"), "w");

	assert_true(jv_is_ok(&status));
	fprintf(file, "%s-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", tls.cert);
	fclose(file);
	jv_tls_deinit(&tls);
	refused(*state, "chain.pem", "server.key", NULL, "chain.pem", "damaged");
}

static void a_key_of_another_certificate_is_found(void **state)
{
	refused(*state, "server.pem", "client.key", NULL, "client.key", "does not belong");
}

static void a_key_with_a_passphrase_is_told_from_a_broken_one(void **state)
{
	struct pki made;
	FILE *file = fopen(pki_path(*state, "locked.key"), "w");

	pki_make(&made, NULL, "locked", NULL, 0, 1);
	assert_int_equal(
		PEM_write_PKCS8PrivateKey(file, made.key, EVP_aes_128_cbc(), "word", 4, NULL, NULL),
		1);
	fclose(file);
	pki_free(&made);
	refused(*state, "server.pem", "locked.key", NULL, "locked.key", "passphrase");
}

static struct jv_tls_source *open_source(const char *folder)
{
	const struct jv_tls_files files = {.cert = pki_path(folder, "server.pem"),
		.key = pki_path(folder, "server.key"),
		.ca = pki_path(folder, "ca.pem")};
	struct jv_tls_source *source;
	struct jv_status status = jv_tls_source_open(&files, JV_TLS_CLIENT_REQUIRE, &source);

	assert_string_equal(status.message, "");
	return source;
}

static void a_source_is_read_again_when_told(void **state)
{
	struct jv_tls_source *source = open_source(*state);
	struct jv_tls first, second;
	struct jv_status status;

	assert_int_equal(jv_tls_source_take(source, &first), 1);
	assert_false(jv_tls_source_changed(source));
	rename(pki_path(*state, "client.pem"), pki_path(*state, "server.pem"));
	assert_true(jv_tls_source_changed(source));
	/* Only half of it is new: what there was still counts, and nothing is tried over and over.
	 */
	status = jv_tls_source_reload(source);
	assert_int_equal(status.code, JV_INVALID_ARGUMENT);
	assert_int_equal(jv_tls_source_generation(source), 1);
	assert_false(jv_tls_source_changed(source));
	rename(pki_path(*state, "client.key"), pki_path(*state, "server.key"));
	assert_true(jv_tls_source_changed(source));
	status = jv_tls_source_reload(source);
	assert_string_equal(status.message, "");
	assert_int_equal(jv_tls_source_take(source, &second), 2);
	assert_string_not_equal(first.cert, second.cert);
	jv_tls_deinit(&first);
	jv_tls_deinit(&second);
	jv_tls_source_close(source);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, make, clean)
	const struct CMUnitTest tests[] = {
		STORY(a_pair_and_its_authority_are_taken),
		STORY(nothing_is_taken_too),
		STORY(one_that_has_expired_is_taken_with_its_time),
		STORY(a_key_that_others_can_read_is_told),
		STORY(what_is_missing_is_named),
		STORY(what_is_no_certificate_or_key_is_named),
		STORY(a_damaged_second_certificate_is_found),
		STORY(a_key_of_another_certificate_is_found),
		STORY(a_key_with_a_passphrase_is_told_from_a_broken_one),
		STORY(a_source_is_read_again_when_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
