/*
 * Child processes and descriptors of the executor: spawning without a fork, and what epoll wakes.
 *
 * A fork of a large process that holds threads is dear and dangerous; posix_spawn is neither.
 * Worker's thread only.
 */
#ifndef JV_WORKER_KEEP_PROCESS_H
#define JV_WORKER_KEEP_PROCESS_H

#include <sys/types.h>

#include "base/status.h"

/* A descriptor in an epoll set, embedded in what it belongs to. */
struct jv_source {
	int fd; /* -1: in no set */
	void (*ready)(struct jv_source *source);
};

/* Takes fd; it is closed with the source. */
struct jv_status jv_source_open(int epoll, struct jv_source *source, int fd,
	void (*ready)(struct jv_source *source)) JV_MUST_USE;
/* Harmless if it is in no set. */
void jv_source_close(int epoll, struct jv_source *source);

struct jv_spawn {
	const char *const *arguments; /* NULL-terminated; the first is the path */
	const char *output; /* file that takes standard output and error; NULL: none does */
	int inherit;        /* a descriptor to pass as number 3, which it is not yet; -1: none */
	bool hold_signals;  /* what is sent before it is ready waits for it */
};

/* Starts a process in a session of its own, with default signals and no descriptor but 0, 1, 2 and
 * `inherit`. Its signal mask is empty, or blocks TERM and USR1 if hold_signals. */
struct jv_status jv_spawn_start(const struct jv_spawn *spawn, pid_t *pid, int *pidfd) JV_MUST_USE;
/* The pidfd of a child that was not reaped; a child of which there can be none is killed. */
struct jv_status jv_spawn_open(pid_t pid, const char *name, int *pidfd) JV_MUST_USE;
/* Reaps an ended child by its pidfd and returns its status as of waitpid; -1 if it is no child of
 * this process. */
int jv_spawn_reap(int pidfd);
/* "exited with code 1", "was ended by signal 9 (KILL)". */
void jv_spawn_describe(int wait_status, char *out, size_t size);

#endif
