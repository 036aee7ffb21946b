/*
 * Seccomp filters: a profile in the OCI form, compiled to what the kernel loads.
 *
 * A runtime compiles the profile anew for each container, by the same libseccomp; that is a sixth
 * of all the processor time that a container takes. The worker does it once, and jarvis-init
 * (worker/init) loads the result as the first thing in every container. The rules are those that
 * runc makes of the same profile, and like it a system call that is newer than all that the profile
 * knows fails with ENOSYS, for that is what C libraries expect of an older kernel.
 */
#ifndef JV_WORKER_RUNC_FILTER_H
#define JV_WORKER_RUNC_FILTER_H

#include <jansson.h>

#include "base/bytes.h"
#include "base/status.h"

/* Appends struct sock_filter, one after another. INVALID_ARGUMENT names what is wrong with the
 * profile. */
struct jv_status jv_filter_compile(const json_t *seccomp, struct jv_buffer *out) JV_MUST_USE;

#endif
