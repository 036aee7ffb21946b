/*
 * The parts of jarvis-unpack: what the worker has done to images in processes of their own.
 *
 * Single-threaded; a process does one thing, says on its standard error why it could not, and is
 * killed when it takes too long, or when its worker dies.
 */
#ifndef JV_WORKER_IMAGE_UNPACK_UNPACK_H
#define JV_WORKER_IMAGE_UNPACK_UNPACK_H

#include <stdint.h>

#include "base/status.h"

/* Bytes of memory that a tool may take for data. A sanitizer's shadow is larger than any limit. */
#ifdef JV_SANITIZER
#define JV_UNPACK_MEMORY_MAX INT64_MAX
#else
#define JV_UNPACK_MEMORY_MAX (INT64_C(1) << 30)
#endif

struct jv_unpack_size {
	int64_t bytes;
	int64_t files;
};

/* limits.c */
/* Dies with its parent, which must be `parent`; low priority, no core dumps, bounded memory, open
 * files and length of files. What it execs inherits all of it. */
struct jv_status jv_unpack_limit(int64_t parent, int64_t file_bytes_max) JV_MUST_USE;
/* Leaves nothing in the environment but what finds programs, proxies and certificates. */
void jv_unpack_clear_environment(const char *temporary);
/* Runs a program and waits for it: OK if it exits with 0. input and output are taken: descriptors
 * for its standard input and output, or -1. */
struct jv_status jv_unpack_run(const char *const *arguments, int input, int output) JV_MUST_USE;
/* Starts one that dies with this process. */
struct jv_status jv_unpack_spawn(
	const char *const *arguments, int input, int output, int *pid) JV_MUST_USE;
/* DATA_LOSS if it exits with another code than 0. */
struct jv_status jv_unpack_wait(const char *name, int pid) JV_MUST_USE;

/* scan.c */
/* Looks through tars, compressed or not, and adds up what they take. */
struct jv_status jv_unpack_scan(const char *const *paths, struct jv_unpack_size limit,
	struct jv_unpack_size *size) JV_MUST_USE;

/* sandbox.c */
/* From here on this process and its children see every file system read-only and without devices,
 * but for one directory, have no network, and only the privileges of a file's owner. */
struct jv_status jv_unpack_confine(const char *directory) JV_MUST_USE;

/* settle.c */
/* Looks at what was unpacked: removes device nodes and sockets, and counts the rest. */
struct jv_status jv_unpack_settle(
	const char *rootfs, struct jv_unpack_size limit, struct jv_unpack_size *size) JV_MUST_USE;

#endif
