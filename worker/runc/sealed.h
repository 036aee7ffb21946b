/*
 * Sealed copies: the runtime's program in memory, where nobody can change it any more.
 *
 * A container could write to the runtime that started it through /proc/self/exe (CVE-2019-5736), so
 * runc and crun first make a copy of themselves, or a read-only mount, and execute that: once for
 * each container. From a sealed copy they start at once. One copy serves all containers of a
 * worker; when the file is replaced, the next container gets a new one.
 */
#ifndef JV_WORKER_RUNC_SEALED_H
#define JV_WORKER_RUNC_SEALED_H

#include <stdbool.h>
#include <sys/stat.h>

struct jv_sealed {
	int fd; /* -1: there is none, the file itself is to be executed */
	struct stat of;
};

/* Makes a copy. There is none of scripts, which their interpreter could not open, and none where
 * the kernel does not execute memory. */
void jv_sealed_open(struct jv_sealed *sealed, const char *path);
/* Makes a new one if the file is another by now. A file that is gone leaves the copy as it is. */
void jv_sealed_refresh(struct jv_sealed *sealed, const char *path);
void jv_sealed_close(struct jv_sealed *sealed);

#endif
