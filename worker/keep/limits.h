/*
 * The limits of a task, as control groups have them: what a runtime asks for and a keeper verifies.
 */
#ifndef JV_WORKER_KEEP_LIMITS_H
#define JV_WORKER_KEEP_LIMITS_H

#include "jarvis/v1/task.pb-c.h"
#include "worker/shim/attempt.h"

/* Period of CPU quotas. */
#define JV_CPU_PERIOD_US 100000

/* Sets memory, CPU quota and period, and pids of the plan. */
void jv_plan_limits(const Jarvis__V1__TaskSpec *spec, struct jv_attempt_plan *plan);

#endif
