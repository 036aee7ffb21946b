/*
 * Clients, and the ledger of what they were told.
 *
 * Each job submits one task and follows it to its end: it retries what may have failed (with the
 * same request_id), cancels, waits, reads, and compares every answer with what it was told before
 * and, at the end, with what the runtimes saw. Other clients ask for lists and nodes, and watch.
 * Everything goes through the true handlers, over streams that break.
 *
 * Oracles: an acknowledged task is never unknown; a request_id names one task; revisions never go
 * back; a final state never changes, and is what the runtime said; the log of a finished attempt is
 * what it printed, byte for byte; changes come once each, in order.
 */
#ifndef JV_TESTING_SIM_CLIENT_H
#define JV_TESTING_SIM_CLIENT_H

#include "jarvis/v1/scheduler.pb-c.h"
#include "testing/sim/history.h"
#include "testing/sim/ledger.h"
#include "testing/sim/net.h"
#include "testing/sim/options.h"
#include "testing/sim/server.h"

#define JV_SIM_JOBS_MAX 64
#define JV_SIM_TEXT_MAX 32

struct jv_sim_clients;

enum jv_sim_job_step {
	JV_SIM_JOB_SUBMIT,
	JV_SIM_JOB_FOLLOW,
	JV_SIM_JOB_LOGS,
	JV_SIM_JOB_CHECK,
	JV_SIM_JOB_DONE,
	JV_SIM_JOB_ASK,  /* lists and nodes, for ever */
	JV_SIM_JOB_WATCH /* changes, for ever */
};

/* A call in progress. */
struct jv_sim_request {
	struct jv_sim_stream *stream; /* NULL: none */
	struct jv_sim_timer deadline;
	struct jv_buffer response; /* the last message */
	uint32_t responses;
	int64_t floor; /* an answer must not be older than this revision */
	bool cancelling;
};

struct jv_sim_job {
	struct jv_sim_clients *clients;
	struct jv_sim_link *way;
	uint32_t number;
	enum jv_sim_job_step step;
	struct jv_sim_request request;
	struct jv_sim_timer next;
	struct jv_random random; /* of its own */

	char name[JV_SIM_TEXT_MAX];
	char request_id[JV_SIM_TEXT_MAX]; /* "": none, and no retry */
	Jarvis__V1__TaskSpec spec;
	Jarvis__V1__Resources resources;
	Jarvis__V1__RetryPolicy retry;
	Jarvis__V1__Timeouts timeouts;
	Jarvis__V1__LogLimits log_limits; /* no runtime of ours keeps to it: the server must */
	Jarvis__V1__Constraint constraint;
	Jarvis__V1__Constraint *constraints[1];
	char *values[1];
	Google__Protobuf__Duration durations[6];
	bool cancel_wanted;
	bool cancel_sent;
	uint32_t again; /* submissions still to be repeated after the acknowledgement */
	uint32_t looks; /* at the final state, still to be done */
	uint32_t sent;  /* submissions so far */
	bool doubled;   /* some request was sent twice */

	/* What it was told: */
	bool acknowledged;
	int64_t accepted_revision; /* of the first answer */
	char task[JV_SIM_TEXT_MAX];
	int64_t status_revision;
	bool final;
	Jarvis__V1__TaskState state;
	Jarvis__V1__FailureReason failure;
	int32_t attempt;
	int32_t exit_code;
	struct jv_buffer status; /* packed, once final */
	struct jv_buffer log;
	int64_t watched; /* revision of the last change seen */
};

struct jv_sim_clients_terms {
	uint32_t jobs;          /* at most JV_SIM_JOBS_MAX - 2 */
	uint32_t hosts;         /* at most JV_SIM_CLIENT_HOSTS_MAX */
	int64_t arrival_max_ms; /* of the last job */
	int64_t cpu_millis_max;
	int64_t cancel_permille;
	int64_t think_max_ms;
	const struct jv_sim_set *kept; /* the other jobs are left out */
};

#define JV_SIM_CLIENT_HOSTS_MAX 4

struct jv_sim_clients {
	struct jv_sim_clock *clock;
	const struct jv_sim_ledger *ledger;
	const struct jv_sim_history *history;
	const struct jv_sim_server *server; /* for what its disk and clock explain */
	struct jv_sim_clients_terms terms;
	struct jv_sim_link links[JV_SIM_CLIENT_HOSTS_MAX];
	char names[JV_SIM_CLIENT_HOSTS_MAX][JV_SIM_TEXT_MAX];
	struct jv_sim_job jobs[JV_SIM_JOBS_MAX];
	uint32_t job_count;
	uint32_t done;
	uint32_t abandoned; /* submissions without request_id whose fate is not known */
	uint32_t changes;   /* watched */
	int64_t told;       /* the newest revision that anybody was told */
};

void jv_sim_clients_init(struct jv_sim_clients *clients, struct jv_sim_net *net,
	const struct jv_sim_ledger *ledger, const struct jv_sim_server *server,
	const struct jv_sim_clients_terms *terms);
void jv_sim_clients_deinit(struct jv_sim_clients *clients);
/* Lets every job that was acknowledged look once more. */
void jv_sim_clients_audit(struct jv_sim_clients *clients);
/* Every job has come to its end. */
bool jv_sim_clients_done(const struct jv_sim_clients *clients);
/* Says what each unfinished job waits for, as lines of the trace. */
void jv_sim_clients_explain(const struct jv_sim_clients *clients);

/* verify.c: the ledger's word against the server's. */
void jv_sim_verify_status(struct jv_sim_job *job, const Jarvis__V1__Task *task);
void jv_sim_verify_end(const struct jv_sim_job *job);
void jv_sim_verify_change(struct jv_sim_job *job, const Jarvis__V1__WatchTasksResponse *change);
/* Nothing happens any more: every watcher must have heard of everything. */
void jv_sim_verify_watched(const struct jv_sim_clients *clients);

#endif
