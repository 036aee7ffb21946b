/*
 * Memory that a crowd or a flood has left behind is given back to the machine.
 *
 * The allocator keeps what was freed for the next who asks, for each thread, and may so hold for
 * ever what an attack took for a second. Owner: one thread, which looks every few seconds. It gives
 * back only if that is worth it: when much is free, and the process has grown since it last did.
 */
#ifndef JV_SERVER_APP_MEMORY_H
#define JV_SERVER_APP_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* All zero at the start. */
struct jv_memory_watch {
	size_t resident_bytes; /* least since it was given back last */
};

/* Looks, and gives back what is free if there is much of it. True: it has. */
bool jv_memory_look(struct jv_memory_watch *watch);

#endif
