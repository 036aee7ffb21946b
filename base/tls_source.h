/*
 * What a server proves itself with, and whom it asks to: read again without a restart.
 *
 * Whoever opened it reloads it; any thread may take a copy of what counts now, and learns by the
 * generation that there is something newer. What was taken lives until it is let go, so handshakes
 * that have begun are not disturbed.
 */
#ifndef JV_BASE_TLS_SOURCE_H
#define JV_BASE_TLS_SOURCE_H

#include "base/tls.h"

/* Whether clients have to show a certificate of the authorities in `ca`. */
enum jv_tls_client_auth {
	JV_TLS_CLIENT_NONE,    /* none is asked for */
	JV_TLS_CLIENT_REQUEST, /* whoever shows one shows a good one */
	JV_TLS_CLIENT_REQUIRE, /* there is no connection without one */
};

struct jv_tls_source;

/* Reads the files; texts are copied. The certificate and its key must be given, and the authorities
 * if clients are asked. Errors are those of jv_tls_read. */
struct jv_status jv_tls_source_open(const struct jv_tls_files *files,
	enum jv_tls_client_auth client_auth, struct jv_tls_source **source) JV_MUST_USE;
/* Nobody may use it any more. NULL is harmless. */
void jv_tls_source_close(struct jv_tls_source *source);

/* Reads the files again. On failure what there was still counts. */
struct jv_status jv_tls_source_reload(struct jv_tls_source *source) JV_MUST_USE;
/* Whether a file is another one, or has another time or size, than when it was read last, well or
 * not. Only for who reloads. */
bool jv_tls_source_changed(const struct jv_tls_source *source);

enum jv_tls_client_auth jv_tls_source_client_auth(const struct jv_tls_source *source);
/* Grows with each reload that succeeded; never 0. */
uint64_t jv_tls_source_generation(struct jv_tls_source *source);
/* A copy of what counts now, for jv_tls_deinit, and its generation. */
uint64_t jv_tls_source_take(struct jv_tls_source *source, struct jv_tls *tls);

#endif
