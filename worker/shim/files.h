/*
 * Small files and whole directories: reading, publishing atomically, removing without recursion.
 *
 * Any thread; every path is relative to a directory descriptor (AT_FDCWD for the working
 * directory). Symbolic links are never followed out of a tree that is removed.
 */
#ifndef JV_WORKER_SHIM_FILES_H
#define JV_WORKER_SHIM_FILES_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

/* Appends the content of a file of at most `max` bytes. NOT_FOUND if there is none;
 * RESOURCE_EXHAUSTED if it is longer. */
struct jv_status jv_file_read(
	int directory, const char *name, size_t max, struct jv_buffer *out) JV_MUST_USE;
/* Creates a file, or writes over one; mode is set exactly, whatever the umask is. */
struct jv_status jv_file_write(
	int directory, const char *name, struct jv_bytes content, unsigned mode) JV_MUST_USE;
/* What a file is called until it is whole: its name with this behind. */
#define JV_FILE_FRESH ".new"
/* The same under another name, then renamed: a reader sees all of it or nothing. */
struct jv_status jv_file_publish(
	int directory, const char *name, struct jv_bytes content, unsigned mode) JV_MUST_USE;
/* Takes the room for a file of at most `size` bytes that is to be published later, so that a disk
 * that fills meanwhile does not prevent it. */
struct jv_status jv_file_reserve(int directory, const char *name, size_t size) JV_MUST_USE;
/* Makes a directory with exactly this mode; one that is there already is an error only if
 * `fresh`. */
struct jv_status jv_file_directory(
	int directory, const char *name, unsigned mode, bool fresh) JV_MUST_USE;
/* Makes a directory and the missing ones above it, mode 0755 for those. */
struct jv_status jv_file_directories(const char *path, unsigned mode) JV_MUST_USE;
/* Removes a file or a whole tree; nothing there is success. Holds two descriptors at most,
 * however deep the tree is; stops at a mount with an error. */
struct jv_status jv_file_remove(int directory, const char *name) JV_MUST_USE;
/* The same for all that is in a directory, which stays. */
struct jv_status jv_file_clear(int directory, const char *name) JV_MUST_USE;
/* A decimal number at the start of a file; "max" is INT64_MAX. False if there is none. */
bool jv_file_number(const char *path, int64_t *value);

/* Milliseconds since the epoch, and of jv_env_system's monotonic clock. */
int64_t jv_clock_wall_ms(void);
int64_t jv_clock_monotonic_ms(void);

#endif
