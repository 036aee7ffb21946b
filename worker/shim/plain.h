/*
 * A plain process: what the keeper of one runs, without a container.
 *
 * Part of a plan (worker/shim/attempt.h), written by the process executor and read by the keeper;
 * fields are only ever added behind the others.
 */
#ifndef JV_WORKER_SHIM_PLAIN_H
#define JV_WORKER_SHIM_PLAIN_H

#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/status.h"

/* The name of the variable by which every process of an attempt can be found again; its value is
 * the attempt's cgroup path, whether there are control groups or not. */
#define JV_PLAIN_MARK "JARVIS_ATTEMPT"

struct jv_plain {
	char **arguments;   /* NULL-terminated, at least one */
	char **environment; /* NULL-terminated; PATH finds the command */
	const char *directory;
	bool set_user; /* else the keeper's own */
	uint32_t uid;
	uint32_t gid;
	/* Where control groups do not limit all of the task, the kernel limits each process. 0
	 * means none. */
	int64_t data_bytes; /* RLIMIT_DATA */
	int64_t processes;  /* RLIMIT_NPROC, which counts all of the user's */
};

void jv_plain_encode(const struct jv_plain *plain, struct jv_buffer *out);
/* Texts are allocated in the arena. */
struct jv_status jv_plain_decode(
	struct jv_bytes bytes, struct jv_arena *arena, struct jv_plain *plain) JV_MUST_USE;

/* Sends KILL to every process with this value of JV_PLAIN_MARK in its first environment that this
 * one may look at. Returns how many were found. */
uint32_t jv_plain_kill_marked(const char *mark);
/* Sends KILL to every child of this process. Returns how many there are. */
uint32_t jv_plain_kill_children(void);

#endif
