/*
 * Users of an image: from the text of a task or image to numbers.
 *
 * Names are looked up in the image's own /etc/passwd and /etc/group, which are opened so that no
 * link of the image leads out of its root file system.
 */
#ifndef JV_WORKER_RUNC_USER_H
#define JV_WORKER_RUNC_USER_H

#include <stdint.h>

#include "base/status.h"

/* text is USER[:GROUP], each a number or a name; empty means 0:0. A user without a group has the
 * one that passwd gives, or 0. INVALID_ARGUMENT names what is unknown. */
struct jv_status jv_user_resolve(
	const char *rootfs, const char *text, uint32_t *uid, uint32_t *gid) JV_MUST_USE;

#endif
