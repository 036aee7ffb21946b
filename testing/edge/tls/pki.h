/*
 * Authorities and certificates for tests, made as they are needed: good, for other names, of other
 * times.
 *
 * Elliptic keys, so that making one takes no time. Everything asserts.
 */
#ifndef JV_TESTING_EDGE_TLS_PKI_H
#define JV_TESTING_EDGE_TLS_PKI_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/x509.h>

struct pki {
	EVP_PKEY *key;
	X509 *cert;
};

/* signer NULL: an authority, which signs itself. names: as "DNS:localhost,IP:127.0.0.1"; NULL: of
 * an authority or a client. Good from now + from_days until now + to_days. */
void pki_make(struct pki *made, const struct pki *signer, const char *common_name,
	const char *names, int from_days, int to_days);
void pki_free(struct pki *made);
/* Writes folder/name.pem and folder/name.key. */
void pki_write(const struct pki *made, const char *folder, const char *name);

/* The folder of one test: `ca` has signed `server` (localhost, 127.0.0.1), `other-host`, `expired`
 * and `client`; `other-ca` has signed `other-client` and `other-server`. */
void pki_folder_make(char folder[64]);
void pki_folder_remove(const char *folder);
/* folder/file, in one of a few buffers that are used in turn. */
const char *pki_path(const char *folder, const char *file);

#endif
