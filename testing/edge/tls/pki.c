#include "testing/edge/tls/pki.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY 86400

static void extend(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(extension);
	assert_int_equal(X509_add_ext(cert, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

void pki_make(struct pki *made, const struct pki *signer, const char *common_name,
	const char *names, int from_days, int to_days)
{
	static int serial = 1;
	X509_NAME *name;

	made->key = EVP_EC_gen("P-256");
	made->cert = X509_new();
	assert_non_null(made->key);
	assert_non_null(made->cert);
	if (signer == NULL)
		signer = made;
	X509_set_version(made->cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(made->cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(made->cert), (long)from_days * DAY);
	X509_gmtime_adj(X509_getm_notAfter(made->cert), (long)to_days * DAY);
	X509_set_pubkey(made->cert, made->key);
	name = X509_get_subject_name(made->cert);
	X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1, 0);
	X509_set_issuer_name(made->cert, X509_get_subject_name(signer->cert));
	extend(made->cert, NID_basic_constraints, signer == made ? "critical,CA:TRUE" : "CA:FALSE");
	if (names != NULL)
		extend(made->cert, NID_subject_alt_name, names);
	assert_true(X509_sign(made->cert, signer->key, EVP_sha256()) > 0);
}

void pki_free(struct pki *made)
{
	EVP_PKEY_free(made->key);
	X509_free(made->cert);
}

void pki_write(const struct pki *made, const char *folder, const char *name)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.pem", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(PEM_write_X509(file, made->cert), 1);
	fclose(file);
	snprintf(path, sizeof(path), "%s/%s.key", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fchmod(fileno(file), 0600), 0);
	assert_int_equal(PEM_write_PrivateKey(file, made->key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
}

static void issue(const struct pki *ca, const char *folder, const char *name, const char *names,
	int from_days, int to_days)
{
	struct pki made;

	pki_make(&made, ca, name, names, from_days, to_days);
	pki_write(&made, folder, name);
	pki_free(&made);
}

void pki_folder_make(char folder[64])
{
	static const char here[] = "DNS:localhost,IP:127.0.0.1";
	struct pki ca, other;

	snprintf(folder, 64, "/tmp/jarvis-pki.XXXXXX");
	assert_non_null(mkdtemp(folder));
	pki_make(&ca, NULL, "the authority", NULL, -2, 30);
	pki_make(&other, NULL, "another authority", NULL, -2, 30);
	pki_write(&ca, folder, "ca");
	pki_write(&other, folder, "other-ca");
	issue(&ca, folder, "server", here, -2, 30);
	issue(&ca, folder, "expired", here, -2, -1);
	issue(&ca, folder, "other-host", "DNS:jarvis.example", -2, 30);
	issue(&ca, folder, "client", NULL, -2, 30);
	issue(&ca, folder, "expired-client", NULL, -2, -1);
	issue(&other, folder, "other-client", NULL, -2, 30);
	issue(&other, folder, "other-server", here, -2, 30);
	pki_free(&ca);
	pki_free(&other);
}

void pki_folder_remove(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			unlink(pki_path(folder, entry->d_name));
	closedir(dir);
	assert_int_equal(rmdir(folder), 0);
}

const char *pki_path(const char *folder, const char *file)
{
	static char paths[32][128];
	static unsigned at;
	char *path = paths[at++ % 32];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, file);
	return path;
}
