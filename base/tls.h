/*
 * Certificates and keys of TLS: read from PEM files and checked, so that what is wrong with them is
 * said in words before a handshake fails.
 *
 * Any thread. The texts are what the libraries of both transports take. A key is never part of a
 * message or a log line, and its memory is wiped before it is freed.
 */
#ifndef JV_BASE_TLS_H
#define JV_BASE_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* Paths; NULL or "": none. */
struct jv_tls_files {
	const char *cert; /* the certificate, then those that it was signed by */
	const char *key;  /* its key, without a passphrase */
	const char *ca;   /* the authorities whose certificates are taken of others */
};

/* The contents; NULL: none. Zero is a state with nothing in it. */
struct jv_tls {
	char *cert;
	char *key;
	char *ca;
	int64_t expires_s; /* seconds since 1970 when the certificate ends; 0: no certificate */
	bool key_exposed;  /* others of this machine can read the file of the key */
};

/* INVALID_ARGUMENT names the file and what to do: it cannot be read, holds no certificate or key,
 * the key is another's or wants a passphrase, one is given without the other. A certificate that
 * has expired is none of the errors. On failure there is nothing to free. */
struct jv_status jv_tls_read(const struct jv_tls_files *files, struct jv_tls *tls) JV_MUST_USE;
/* Wipes and frees. */
void jv_tls_deinit(struct jv_tls *tls);

#endif
