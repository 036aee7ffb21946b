/*
 * The program jarvis-init as bytes, for the worker to lay down; constant, so any thread may read
 * it.
 */
#ifndef JV_WORKER_INIT_EMBEDDED_H
#define JV_WORKER_INIT_EMBEDDED_H

#include <stddef.h>

extern const unsigned char jv_init_program[];
extern const size_t jv_init_program_size;

#endif
