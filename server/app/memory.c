#include "server/app/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

/* Less is not worth the faults of who takes it again. */
#define GROWTH_MIN ((size_t)16 << 20)

/* 0 if the kernel does not say. */
static size_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	size_t pages = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%*u %zu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

bool jv_memory_look(struct jv_memory_watch *watch)
{
	size_t resident = resident_bytes();

	if (watch->resident_bytes == 0 || resident < watch->resident_bytes)
		watch->resident_bytes = resident;
	if (resident < watch->resident_bytes + GROWTH_MIN || mallinfo2().fordblks < GROWTH_MIN)
		return false;
	malloc_trim(0);
	watch->resident_bytes = resident_bytes();
	return true;
}
