/*
 * Task specs as people send them: what differs from task to task, and what is shared by many.
 *
 * For the load (load.c) and the generator of stores (fill.c). The spec borrows from its struct, and
 * is good until the next call for that struct.
 */
#ifndef JV_TESTING_BENCH_SPEC_H
#define JV_TESTING_BENCH_SPEC_H

#include "jarvis/v1/task.pb-c.h"

#define BENCH_SPEC_LABELS  3
#define BENCH_SPEC_ENV     8
#define BENCH_SPEC_COMMAND 3
#define BENCH_SPEC_ARGS    5
#define BENCH_SPEC_TEXT    80

struct bench_spec {
	Jarvis__V1__TaskSpec spec;
	Jarvis__V1__Resources resources;
	Jarvis__V1__RetryPolicy retry;
	Jarvis__V1__Timeouts timeouts;
	Google__Protobuf__Duration running;
	Jarvis__V1__Constraint constraint;
	Jarvis__V1__Constraint *constraints[1];
	char *values[1];
	Jarvis__V1__TaskSpec__LabelsEntry labels[BENCH_SPEC_LABELS];
	Jarvis__V1__TaskSpec__LabelsEntry *label_list[BENCH_SPEC_LABELS];
	Jarvis__V1__TaskSpec__EnvEntry env[BENCH_SPEC_ENV];
	Jarvis__V1__TaskSpec__EnvEntry *env_list[BENCH_SPEC_ENV];
	char *command[BENCH_SPEC_COMMAND];
	char *args[BENCH_SPEC_ARGS];
	char name[BENCH_SPEC_TEXT];
	char request_id[BENCH_SPEC_TEXT];
	char input[BENCH_SPEC_TEXT];
	char output[BENCH_SPEC_TEXT];
	char offset[BENCH_SPEC_TEXT];
	char label[BENCH_SPEC_TEXT];
	char trace[BENCH_SPEC_TEXT];
	char rack[BENCH_SPEC_TEXT];
};

/* Of all tasks, NULL at the end. */
extern const char *const bench_queues[];
/* That of the task of that number. */
const char *bench_spec_queue(int64_t number);

/* The task of that number: a name, arguments, an environment, a label and a request_id of its own,
 * one of a few shapes. */
void bench_spec_fill(struct bench_spec *spec, int64_t number);
/* Gives it a shape of its own as well, as large as a client who means harm without being noticed
 * would make it. */
void bench_spec_estrange(struct bench_spec *spec, int64_t number);

#endif
