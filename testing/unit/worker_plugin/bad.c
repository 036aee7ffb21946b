/* Shared objects that are no executors for this worker, by the macro that they are built with. */
#include "worker/executor_abi.h"

#ifdef LATER
const struct jarvis_plugin *jarvis_executor_plugin(uint32_t host_version)
{
	static const struct jarvis_plugin later = {.size = 8, .abi_version = 2};
	(void)host_version;
	return &later;
}
#elif defined(NONE)
const struct jarvis_plugin *jarvis_executor_plugin(uint32_t host_version)
{
	(void)host_version;
	return NULL;
}
#else
int jv_nothing_here(void);

int jv_nothing_here(void)
{
	return 0;
}
#endif
