/*
 * The inside of the agent, shared by its files only: agent.c (life and time), agent_session.c (what
 * the server says), agent_report.c (what it is told), ward.c (who is known), supervise.c (the
 * life of one attempt).
 *
 * Owned by whoever owns the agent. An attempt in the care of an agent is a ward. Wards are owned
 * by the agent's table, and are in at most one place of each list and of the heap of timers.
 */
#ifndef JV_WORKER_AGENT_PRIVATE_H
#define JV_WORKER_AGENT_PRIVATE_H

#include "base/arena.h"
#include "base/assert.h"
#include "base/bug.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "worker/agent.h"

#define JV_AGENT_EXECUTORS_MAX 16
#define JV_AGENT_HEARTBEATS    16 /* whose times are remembered */
#define JV_WARD_FLIGHT_MAX     16 /* chunks of one attempt sent and not acknowledged */
#define JV_WARD_CHUNK_MAX      65536

enum jv_ward_state {
	JV_WARD_STARTING,
	JV_WARD_RUNNING,
	JV_WARD_TERMINATING, /* TERM was sent, the grace runs */
	JV_WARD_KILLING,     /* KILL was sent */
	JV_WARD_FINISHED,
	JV_WARD_STATES
};

enum jv_ward_event {
	JV_WARD_EVENT_STARTED,  /* by the executor */
	JV_WARD_EVENT_FINISHED, /* by the executor; the result is there */
	JV_WARD_EVENT_STOP,     /* the server wants its end */
	JV_WARD_EVENT_FENCE,    /* the lease is over */
	JV_WARD_EVENT_DUE,      /* its timer */
	JV_WARD_EVENTS
};

/* Limits of an attempt in milliseconds; 0: none. */
struct jv_ward_limits {
	int64_t starting_ms;
	int64_t running_ms;
	int64_t no_output_ms;
	int64_t grace_ms; /* 0: KILL at once */
};

/* A chunk that is on its way. */
struct jv_ward_flight {
	int64_t end;
	int64_t size;
};

/* How far the output of an attempt has come in this session. */
struct jv_ward_log {
	int64_t acked; /* the server has all before; kept over sessions */
	int64_t sent;
	bool rewinding; /* a chunk was refused: wait for the others, then go on from acked */
	uint32_t flight_first;
	uint32_t flight_count;
	struct jv_ward_flight flight[JV_WARD_FLIGHT_MAX];
};

struct jv_ward {
	struct jv_execution_id id;
	struct jv_executor *executor; /* NULL: it was never started */
	enum jv_ward_state state;
	enum jv_stop_cause cause; /* why this or an earlier life ended it */
	struct jv_ward_limits limits;
	uint64_t number;                    /* order of arrival: makes the order of timers total */
	int64_t begin_ms;                   /* monotonic: when it was taken on */
	int64_t active_ms;                  /* monotonic: when the process started */
	int64_t output_ms;                  /* monotonic: when there was output last */
	bool keep;                          /* it goes on past the lease: on_disconnect */
	int64_t kill_ms;                    /* monotonic: when KILL is due (again) */
	int64_t due_ms;                     /* key of timer */
	int64_t start_ms;                   /* wall; 0: no process yet */
	int64_t log_bytes;                  /* output there is, as far as is known */
	uint64_t mentioned;                 /* number of the last full Desired that named it */
	struct jv_execution_result *result; /* set exactly when FINISHED */
	char *trace_parent;                 /* of its task; NULL: none, or not known any more */
	char *request_id;                   /* of its submission, likewise */
	char *progress;                     /* while STARTING; NULL: nothing is told */
	Jarvis__V1__AttemptPhase said;      /* phase reported in this session; UNSPECIFIED: none */
	int64_t said_beat;                  /* heartbeats sent when it was */
	struct jv_ward_log log;
	struct jv_heap_node timer;
	struct jv_list reporting; /* in agent->reporting: has something to report */
	struct jv_list holding;   /* in agent->holding: has something to report that can wait */
	int64_t held_until_ms;    /* monotonic: while in holding */
	struct jv_list talking;   /* in agent->talking: has output to send */
	struct jv_list waiting;   /* in agent->waiting: its progress is to be said */
	UT_hash_handle hh;
};

/* The highest attempt of a task that this life has seen. */
struct jv_agent_memory {
	char task[JV_TASK_ID_MAX];
	int32_t attempt;
	UT_hash_handle hh; /* in order of last use: the first is dropped first */
};

enum jv_agent_session {
	JV_AGENT_OFF,
	JV_AGENT_HELLO,    /* Hello was sent */
	JV_AGENT_WELCOMED, /* terms are known */
	JV_AGENT_SYNCED    /* what should run is known: reports and output may go */
};

struct jv_agent {
	struct jv_agent_options options;
	struct jv_agent_sink sink;
	struct jv_executor *executors[JV_AGENT_EXECUTORS_MAX];
	uint32_t executor_count;
	int64_t executors_due_ms; /* 0 once one was told anything */
	struct jv_agent_now now;

	enum jv_agent_session session;
	int64_t handshake_due_ms; /* until SYNCED */
	int64_t hello_ms;         /* when it was sent */
	int64_t heartbeat_interval_ms;
	int64_t heartbeat_due_ms;
	int64_t heartbeat_count; /* sent in this session */
	int64_t heartbeat_sent_ms[JV_AGENT_HEARTBEATS];
	int64_t desired_sequence;
	uint64_t full_count; /* full Desired in this life */

	bool leased;
	int64_t lease_ms;
	int64_t lease_until_ms;

	struct jv_ward *wards; /* uthash by id */
	uint64_t ward_number;
	uint32_t live;
	struct jv_agent_memory *memory; /* uthash by task */
	struct jv_heap timers;
	struct jv_list reporting;
	struct jv_list holding; /* the one held longest is first */
	struct jv_list talking;
	struct jv_list waiting;
	int64_t progress_due_ms; /* of the next report that says nothing but progress */
	int64_t log_in_flight;
};

/* agent.c */
void jv_agent_note(struct jv_agent *agent, const char *event, const struct jv_execution_id *id,
	const char *text);
void jv_agent_warn(struct jv_agent *agent, const char *event, const struct jv_execution_id *id,
	const char *text);
/* Ends the session from this side. */
void jv_agent_drop(struct jv_agent *agent, struct jv_status why);
/* The session is over, by whomever. */
void jv_agent_session_end(struct jv_agent *agent);
/* A lease that runs from sent_ms. */
void jv_agent_lease(struct jv_agent *agent, int64_t sent_ms);

/* agent_session.c */
void jv_agent_say_hello(struct jv_agent *agent);
void jv_agent_say_heartbeat(struct jv_agent *agent);
void jv_agent_hear(struct jv_agent *agent, const Jarvis__V1__SessionResponse *message);

/* agent_report.c */
/* Puts the attempt where it belongs: in reporting, holding, talking, or none of them. */
void jv_ward_changed(struct jv_agent *agent, struct jv_ward *ward);
/* Forgets what was said in the session that has ended. */
void jv_ward_unsay(struct jv_agent *agent, struct jv_ward *ward);
Jarvis__V1__AttemptReport *jv_ward_report_new(const struct jv_ward *ward, struct jv_arena *arena);
void jv_ward_report_acked(struct jv_agent *agent, const Jarvis__V1__ReportAck *ack);
void jv_ward_log_acked(struct jv_agent *agent, const Jarvis__V1__LogAck *ack);
/* Reports again what was not acknowledged for two heartbeats. */
void jv_ward_repeat(struct jv_agent *agent, int64_t heartbeat);
/* What it waits for has changed: to be said when it is its turn. */
void jv_ward_progressed(struct jv_agent *agent, struct jv_ward *ward);
/* Sends all there is to say, as far as there is room. */
void jv_agent_pump(struct jv_agent *agent);

/* ward.c */
/* False if it is no id: too long, empty, or no attempt number. */
bool jv_ward_id(const char *task, int32_t attempt, struct jv_execution_id *id);
struct jv_ward *jv_ward_find(struct jv_agent *agent, const struct jv_execution_id *id);
/* In state STARTING, without executor. It must not be known. */
struct jv_ward *jv_ward_new(struct jv_agent *agent, const struct jv_execution_id *id);
/* Removes it from its executor too. */
void jv_ward_forget(struct jv_agent *agent, struct jv_ward *ward);
void jv_ward_free(struct jv_agent *agent, struct jv_ward *ward);
/* The context of jv_ward_recover. */
struct jv_ward_finder {
	struct jv_agent *agent;
	struct jv_executor *executor;
};
void jv_ward_recover(void *context, const struct jv_execution_found *found);
/* True if this attempt, or a later one of its task, was seen in this life. */
bool jv_ward_seen(struct jv_agent *agent, const struct jv_execution_id *id);
void jv_ward_remember(struct jv_agent *agent, const struct jv_execution_id *id);
void jv_ward_memory_clear(struct jv_agent *agent);
struct jv_ward_limits jv_ward_limits_of(const Jarvis__V1__TaskSpec *spec);
bool jv_ward_keeps(const Jarvis__V1__TaskSpec *spec);

/* supervise.c */
void jv_ward_run(
	struct jv_agent *agent, const struct jv_execution_id *id, const Jarvis__V1__TaskSpec *spec);
/* Ends what never began, with a result that says why. */
void jv_ward_refuse(struct jv_agent *agent, const struct jv_execution_id *id,
	enum jv_stop_cause cause, Jarvis__V1__FailureReason failure, const char *message);
/* Goes on with what the last life had begun to end. */
void jv_ward_resume(struct jv_agent *agent, struct jv_ward *ward);
void jv_ward_step(struct jv_agent *agent, struct jv_ward *ward, enum jv_ward_event event);
void jv_ward_timers_fire(struct jv_agent *agent);
bool jv_ward_timer_before(const struct jv_heap_node *a, const struct jv_heap_node *b);
/* Sets the timer by state and limits. */
void jv_ward_timer_arm(struct jv_agent *agent, struct jv_ward *ward);
/* The functions of struct jv_executor_sink. */
void jv_ward_started(void *context, const struct jv_execution_id *id, int64_t start_ms);
void jv_ward_progress(void *context, const struct jv_execution_id *id, const char *text);
void jv_ward_output(void *context, const struct jv_execution_id *id, int64_t log_bytes);
void jv_ward_finished(
	void *context, const struct jv_execution_id *id, const struct jv_execution_result *result);

#endif
