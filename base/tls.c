#include "base/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/assert.h"

/* A chain of certificates has a few KiB; a system's bundle of authorities some hundred. */
#define FILE_BYTES_MAX ((size_t)4 << 20)

static bool given(const char *path)
{
	return path != NULL && path[0] != '\0';
}

static struct jv_status unreadable(const char *what, const char *path, int error)
{
	return jv_error(JV_INVALID_ARGUMENT, "the %s %.200s cannot be read: %s", what, path,
		strerror(error));
}

static struct jv_status slurp(FILE *file, const char *what, const char *path, char **text)
{
	char *data = jv_malloc(FILE_BYTES_MAX + 1);
	size_t size = fread(data, 1, FILE_BYTES_MAX + 1, file);
	struct jv_status status = jv_ok();

	if (ferror(file))
		status = unreadable(what, path, errno);
	else if (size > FILE_BYTES_MAX)
		status = jv_error(JV_INVALID_ARGUMENT, "the %s %.200s is larger than %zu bytes",
			what, path, FILE_BYTES_MAX);
	else if (memchr(data, '\0', size) != NULL)
		status = jv_error(JV_INVALID_ARGUMENT,
			"the %s %.200s is not in PEM form: it holds bytes that are no text", what,
			path);
	if (jv_is_ok(&status)) {
		*text = jv_malloc(size + 1);
		memcpy(*text, data, size);
		(*text)[size] = '\0';
	}
	explicit_bzero(data, size);
	free(data);
	return status;
}

static struct jv_status read_file(const char *what, const char *path, char **text)
{
	FILE *file = fopen(path, "re");
	struct jv_status status;

	if (file == NULL)
		return unreadable(what, path, errno);
	/* No second copy of a key in a buffer of stdio's. */
	setvbuf(file, NULL, _IONBF, 0);
	status = slurp(file, what, path, text);
	fclose(file);
	return status;
}

static int64_t seconds_of(const ASN1_TIME *time)
{
	struct tm parts;

	return ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) : 0;
}

/* All certificates of the text are to be good; the first one is given out, or NULL. */
static X509 *parse_certificates(const char *text)
{
	BIO *bio = BIO_new_mem_buf(text, -1);
	X509 *first = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
	X509 *next = NULL;

	while (first != NULL && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
		X509_free(next);
	/* At the end there is none that begins; all else is damage. */
	if (first != NULL && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		X509_free(first);
		first = NULL;
	}
	ERR_clear_error();
	BIO_free(bio);
	return first;
}

static struct jv_status no_certificate(const char *what, const char *path)
{
	return jv_error(JV_INVALID_ARGUMENT,
		"the %s %.200s is no certificate in PEM form, or a damaged one; it begins with "
		"-----BEGIN CERTIFICATE-----",
		what, path);
}

/* Nobody is there to type one. */
static int no_passphrase(char *out, int size, int writing, void *asked)
{
	(void)out;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

static struct jv_status parse_key(const char *text, const char *path, EVP_PKEY **key)
{
	bool asked = false;
	BIO *bio = BIO_new_mem_buf(text, -1);

	*key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &asked);
	ERR_clear_error();
	BIO_free(bio);
	if (*key != NULL)
		return jv_ok();
	if (asked)
		return jv_error(JV_INVALID_ARGUMENT,
			"the key %.200s has a passphrase; write it without one (openssl pkey -in "
			"... -out ...), readable by nobody else",
			path);
	return jv_error(JV_INVALID_ARGUMENT,
		"the key %.200s is no private key in PEM form; it begins with -----BEGIN PRIVATE "
		"KEY----- or the like",
		path);
}

static struct jv_status check_pair(const struct jv_tls_files *files, struct jv_tls *tls)
{
	X509 *certificate = parse_certificates(tls->cert);
	EVP_PKEY *key = NULL;
	struct jv_status status;

	if (certificate == NULL)
		return no_certificate("certificate", files->cert);
	tls->expires_s = seconds_of(X509_get0_notAfter(certificate));
	status = parse_key(tls->key, files->key, &key);
	if (jv_is_ok(&status) && X509_check_private_key(certificate, key) != 1)
		status = jv_error(JV_INVALID_ARGUMENT,
			"the key %.150s does not belong to the certificate %.150s: name the two "
			"that were made together",
			files->key, files->cert);
	ERR_clear_error();
	EVP_PKEY_free(key);
	X509_free(certificate);
	return status;
}

static struct jv_status read_pair(const struct jv_tls_files *files, struct jv_tls *tls)
{
	struct stat info;

	if (!given(files->cert) && !given(files->key))
		return jv_ok();
	if (!given(files->cert) || !given(files->key))
		return jv_error(JV_INVALID_ARGUMENT,
			"the %s %.200s stands alone: a certificate and its key go together",
			given(files->cert) ? "certificate" : "key",
			given(files->cert) ? files->cert : files->key);
	JV_TRY(read_file("certificate", files->cert, &tls->cert));
	JV_TRY(read_file("key", files->key, &tls->key));
	tls->key_exposed = stat(files->key, &info) == 0 && (info.st_mode & S_IROTH) != 0;
	return check_pair(files, tls);
}

static struct jv_status read_ca(const struct jv_tls_files *files, struct jv_tls *tls)
{
	X509 *certificate;

	if (!given(files->ca))
		return jv_ok();
	JV_TRY(read_file("list of authorities", files->ca, &tls->ca));
	certificate = parse_certificates(tls->ca);
	if (certificate == NULL)
		return no_certificate("list of authorities", files->ca);
	X509_free(certificate);
	return jv_ok();
}

struct jv_status jv_tls_read(const struct jv_tls_files *files, struct jv_tls *tls)
{
	struct jv_status status;

	*tls = (struct jv_tls){0};
	status = read_pair(files, tls);
	if (jv_is_ok(&status))
		status = read_ca(files, tls);
	if (!jv_is_ok(&status))
		jv_tls_deinit(tls);
	return status;
}

void jv_tls_deinit(struct jv_tls *tls)
{
	if (tls->key != NULL)
		explicit_bzero(tls->key, strlen(tls->key));
	free(tls->key);
	free(tls->cert);
	free(tls->ca);
	*tls = (struct jv_tls){0};
}
