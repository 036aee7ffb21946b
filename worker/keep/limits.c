#include "worker/keep/limits.h"

/* The least quota that the kernel takes. */
#define CPU_QUOTA_MIN_US 1000

void jv_plan_limits(const Jarvis__V1__TaskSpec *spec, struct jv_attempt_plan *plan)
{
	const Jarvis__V1__Resources *resources = spec->resources;
	if (resources == NULL)
		return;
	plan->memory_bytes = resources->memory_bytes;
	plan->pids = resources->pids;
	if (resources->cpu_millis > 0) {
		int64_t quota = resources->cpu_millis * JV_CPU_PERIOD_US / 1000;
		plan->cpu_quota_us = quota > CPU_QUOTA_MIN_US ? quota : CPU_QUOTA_MIN_US;
		plan->cpu_period_us = JV_CPU_PERIOD_US;
	}
}
