/*
 * The zygote: a jarvis-shim that keeps nothing but forks the keepers.
 *
 * A fork of a small process that has done its start-up is several times cheaper than executing one
 * anew. The executor starts a zygote when it first needs a keeper, and asks it for each; a keeper
 * is the zygote's sibling (CLONE_PARENT), hence the executor's own child, and outlives both. The
 * zygote ends with the executor's end of the socket. One request at a time; single-threaded.
 */
#ifndef JV_WORKER_SHIM_ZYGOTE_H
#define JV_WORKER_SHIM_ZYGOTE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/status.h"

/* The descriptor of its socket (SOCK_SEQPACKET) that a zygote is started with. */
#define JV_ZYGOTE_FD 3
/* With the NUL at its end. */
#define JV_ZYGOTE_KEY_MAX 64

struct jv_zygote_request {
	char key[JV_ZYGOTE_KEY_MAX]; /* the attempt's directory, below the zygote's */
	bool own_pids; /* as the init of a new PID namespace: all in it dies with it */
};

/* The executor's side: *pid is a child of the caller, which holds the attempt's lock as descriptor
 * 3 and, unless it is -1, the program as descriptor 4. UNAVAILABLE: the zygote is gone or does not
 * answer, and may have started it or not. */
struct jv_status jv_zygote_ask(int socket, const struct jv_zygote_request *request, int lock,
	int program, pid_t *pid) JV_MUST_USE;

/* The zygote's side: returns in each keeper, with what was asked for; never in the zygote. */
void jv_zygote_serve(struct jv_zygote_request *request);

#endif
