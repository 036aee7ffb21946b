/*
 * The file `lease` of a worker's state directory: until when what the worker runs may go on.
 *
 * The worker maps the file and moves the end on (worker/state.h); every keeper reads it when the
 * end that it knows has come, and ends its container if it has not moved. So at most one attempt of
 * a task lives, whatever becomes of the worker (docs/protocol.md, "Leases and fencing"). Times are
 * those of CLOCK_BOOTTIME, which the agent's lease is counted by too: it goes on while the machine
 * is suspended. They mean nothing after a reboot. Single-threaded.
 */
#ifndef JV_WORKER_SHIM_LEASE_H
#define JV_WORKER_SHIM_LEASE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/status.h"

#define JV_LEASE_FILE   "lease"
#define JV_BOOT_ID_SIZE 16

/* The bytes of the file, in this machine's order. */
struct jv_lease {
	uint8_t boot_id[JV_BOOT_ID_SIZE];
	_Atomic int64_t until_ms; /* 0: there was no lease yet */
	uint64_t reserved;
};

JV_STATIC_ASSERT(sizeof(struct jv_lease) == 32, "the file's layout is fixed");

/* Names this boot of the machine. INTERNAL without /proc. */
struct jv_status jv_boot_id_read(uint8_t boot_id[JV_BOOT_ID_SIZE]) JV_MUST_USE;

/* A descriptor that is readable from the moment on that it was set to, also when the machine was
 * suspended over that moment: the kernel's other waits sleep on. */
struct jv_status jv_alarm_open(int *fd) JV_MUST_USE;
/* The lease's clock; INT64_MAX: never. */
void jv_alarm_set(int fd, int64_t at_ms);
/* Not readable any more until it is set again. */
void jv_alarm_clear(int fd);

/* When the lease ends. False if the file is missing or short, of another boot, or tells of none. */
bool jv_lease_read(const char *path, const uint8_t boot_id[JV_BOOT_ID_SIZE], int64_t *until_ms);

/* A keeper's eye on the lease. */
struct jv_lease_watch {
	const char *path; /* lent; "" watches nothing */
	uint8_t boot_id[JV_BOOT_ID_SIZE];
	int64_t due_ms;   /* when to look next; INT64_MAX: never */
	int64_t pause_ms; /* before the next look for the first lease */
	bool known;       /* there has been one */
};

struct jv_status jv_lease_watch_init(struct jv_lease_watch *watch, const char *path) JV_MUST_USE;
/* Looks, if that is due, and says whether the lease is over. As long as there has been none it is
 * not; one that was there and is gone is. */
bool jv_lease_watch_over(struct jv_lease_watch *watch, int64_t now_ms);
/* The same, from what was found in the file (lease.c, and the simulated keepers). */
bool jv_lease_watch_step(
	struct jv_lease_watch *watch, int64_t now_ms, bool found, int64_t until_ms);

#endif
