/*
 * Pieces of a task's log on their way to the file descriptors of the same names.
 *
 * Written at once and unbuffered, bytes as they are: it is the task's output, not ours.
 */
#ifndef JV_CLI_CHUNK_H
#define JV_CLI_CHUNK_H

#include <stdbool.h>

#include "base/bytes.h"
#include "jarvis/v1/scheduler.pb-c.h"

/* Bytes to a file descriptor, as below. */
bool jv_chunk_write_to(int fd, struct jv_bytes bytes);
/* Standard error's to standard error, all else to standard output. Waits for a slow reader. False
 * if nobody reads it any more, or it cannot be written. */
bool jv_chunk_write(const Jarvis__V1__LogChunk *chunk);

#endif
