/*
 * The default seccomp profile in Docker's form, as it lies in default.json beside this header.
 *
 * It is containers/common's (Apache-2.0, LICENSE); constant, so any thread may read it.
 */
#ifndef JV_WORKER_SECCOMP_DEFAULT_H
#define JV_WORKER_SECCOMP_DEFAULT_H

#include <stddef.h>

extern const unsigned char jv_seccomp_default_json[];
extern const size_t jv_seccomp_default_json_size;

#endif
