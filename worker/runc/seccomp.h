/*
 * Seccomp profiles: from Docker's form, with its conditions, to the plain one of the OCI runtime
 * specification.
 *
 * Docker's entries apply if capabilities are (or are not) granted and for certain architectures;
 * what does not apply here is dropped. Only this machine's own architecture is let in: three of
 * them cost each container 18 ms more, which is what compiling the filter takes.
 */
#ifndef JV_WORKER_RUNC_SECCOMP_H
#define JV_WORKER_RUNC_SECCOMP_H

#include <jansson.h>

#include "base/bytes.h"
#include "base/status.h"

/* Converts a profile in JSON for containers with these capabilities (NULL-terminated, such as
 * CAP_CHOWN). The caller owns *seccomp (json_decref). */
struct jv_status jv_seccomp_convert(
	struct jv_bytes profile, const char *const *capabilities, json_t **seccomp) JV_MUST_USE;
/* The profile that is built in: as strict as Docker's, with later system calls (worker/seccomp). */
struct jv_bytes jv_seccomp_default(void);

#endif
