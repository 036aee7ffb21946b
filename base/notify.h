/*
 * Tells a supervisor that this program is ready, or about to stop: systemd's Type=notify.
 *
 * Each state is one datagram to the socket that NOTIFY_SOCKET names; without one nothing happens.
 * Nothing waits, and nothing fails: a supervisor that cannot be told runs into its own time-out.
 * Owned by the thread that starts and stops the program.
 */
#ifndef JV_BASE_NOTIFY_H
#define JV_BASE_NOTIFY_H

#include <sys/socket.h>
#include <sys/un.h>

#define JV_NOTIFY_READY    "READY=1"
#define JV_NOTIFY_STOPPING "STOPPING=1"

struct jv_notify {
	struct sockaddr_un address;
	socklen_t size; /* 0: there is no supervisor */
};

/* Takes NOTIFY_SOCKET out of the environment: a child that inherited it would speak for this
 * program, and runc would wait for its container to do so. Before the first thread is started. */
void jv_notify_init(struct jv_notify *notify);

void jv_notify_tell(const struct jv_notify *notify, const char *state);

#endif
