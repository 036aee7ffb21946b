/*
 * The guard: what stands between the network and gRPC.
 *
 * gRPC 1.51 neither bounds its connections, nor what one may send before a call is complete
 * (frames.h), and stops to accept for good when the process is out of files. It offers no place to
 * do better: so the program itself defines the few functions of libc and OpenSSL through which
 * gRPC reaches its sockets (listen, accept4, recvmsg, sendmsg, close, SSL_read, SSL_write), and
 * these look at what passes. Descriptors that gRPC does not listen on, and all that they do, pass
 * as they are. It works as long as gRPC is a shared library, which jv_grpc_guard_open makes sure
 * of.
 *
 * One guard for the process; any thread may call the functions of libc.
 */
#ifndef JV_SERVER_RPC_GUARD_H
#define JV_SERVER_RPC_GUARD_H

#include <stdint.h>

#include "server/rpc/frames.h"

/* Before gRPC listens. connections_max: of all listeners together; more are closed as soon as they
 * come, and so are those whose descriptor is not below files_max. What the bounds lend is filled in
 * here. */
void jv_grpc_guard_open(
	uint32_t connections_max, int files_max, const struct jv_grpc_bounds *bounds);
/* What this thread listens on from `begin` to `end` is gRPC's. */
void jv_grpc_guard_begin(void);
void jv_grpc_guard_end(void);

#endif
