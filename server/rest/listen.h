/*
 * A listening TCP socket from an address that a person wrote.
 *
 * Any thread; resolving a host name may block, so only at start-up. Errors are for that person:
 * they name the address and what to do.
 */
#ifndef JV_SERVER_REST_LISTEN_H
#define JV_SERVER_REST_LISTEN_H

#include <stdint.h>

#include "base/status.h"

/* Binds host:port, [v6]:port or :port (all addresses), non-blocking, close-on-exec. *fd is the
 * caller's; *port is the bound one. Errors as jv_rest_edge_open. */
struct jv_status jv_rest_listen(const char *address, int *fd, uint16_t *port) JV_MUST_USE;

#endif
