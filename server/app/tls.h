/*
 * The certificates of both ports: opened at start, read again at SIGHUP and when a file has
 * changed.
 *
 * Owned by the main thread; the ports take what is new by themselves (base/tls_source.h).
 */
#ifndef JV_SERVER_APP_TLS_H
#define JV_SERVER_APP_TLS_H

#include "base/tls_source.h"
#include "server/app/config.h"

/* *source is NULL if neither port speaks TLS. Errors name the key of the configuration. */
struct jv_status jv_app_tls_open(
	const struct jv_server_config *config, struct jv_tls_source **source) JV_MUST_USE;
/* Whether it would be opened: the files are there, and fit together. */
struct jv_status jv_app_tls_check(const struct jv_server_config *config) JV_MUST_USE;
/* Reads again: always if it is `asked` for, else only what has changed. What cannot be taken is
 * logged, and changes nothing. source NULL is allowed. */
void jv_app_tls_reload(struct jv_tls_source *source, bool asked);

#endif
