/*
 * The host: drives the core, seals its transactions, and lets outputs go once they are durable.
 *
 * It has no thread and no clock of its own: server/app runs it on the core's thread, the simulator
 * in virtual time. One pass takes all mail that there is, steps the core for each, ticks, schedules
 * with a budget, seals one transaction, hands it to `commit`, and parks replies, directives and
 * publications under its revision. jv_host_durable releases them in order. A pass that changed
 * nothing parks its outputs under the newest sealed revision, and releases at once if that is
 * durable already.
 */
#ifndef JV_SERVER_HOST_HOST_H
#define JV_SERVER_HOST_HOST_H

#include "server/core/core.h"
#include "storage/store.h"

struct jv_host;

/* Where outputs go. All are called on the host's thread, from jv_host_pass or jv_host_durable. */
struct jv_host_sink {
	/* Takes the batch's operations (leaving it empty); they become durable as revision, later.
	 */
	void (*commit)(void *context, struct jv_batch *batch, int64_t revision);
	/* A reply goes back to where its event came from. Takes the event. */
	void (*reply)(void *context, struct jv_event *event);
	/* Takes the directive. */
	void (*direct)(void *context, struct jv_directive *directive);
	/* The core's sweep, to be read for (server/api/sweep.h) and then put into the mail; not
	 * after jv_host_close. NULL if nothing is ever removed. */
	void (*sweep)(void *context, struct jv_event *event);
	/* What changed up to revision; lent during the call. */
	void (*publish)(void *context, int64_t revision, const struct jv_publication *publications,
		uint32_t count);
	void *context;
};

struct jv_host_options {
	struct jv_core_options core;
	uint32_t tick_budget;
	uint32_t schedule_budget;
	uint32_t unsynced_max; /* transactions handed to commit but not durable; at the limit no
				  mail is taken */
};

/* Creates the core and loads the store; synchronous, before any thread runs. The first transaction
 * of a new store is committed here. */
struct jv_status jv_host_open(const struct jv_host_options *options,
	const struct jv_host_sink *sink, struct jv_store *store, struct jv_now now,
	struct jv_host **host) JV_MUST_USE;
/* Nothing may be parked. */
void jv_host_close(struct jv_host *host);
/* One pass over the mail (a list of struct jv_event by link). What was not taken stays in the list:
 * all of it if the host is full, the rest if the transaction has grown to some MiB. True if it
 * wants to be called again without waiting. When full it returns false: call it again after
 * jv_host_durable. */
bool jv_host_pass(struct jv_host *host, struct jv_now now, struct jv_list *mail);
/* All revisions up to this one are durable. */
void jv_host_durable(struct jv_host *host, int64_t revision);
int64_t jv_host_deadline_ms(const struct jv_host *host);
/* True if nothing is parked and nothing waits to be durable. */
bool jv_host_idle(const struct jv_host *host);
struct jv_core *jv_host_core(struct jv_host *host);

#endif
