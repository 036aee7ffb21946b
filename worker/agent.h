/*
 * The agent: the rules of a worker, from the server's words and the executors' events to reports
 * and to calls of executors.
 *
 * Deterministic: no I/O, no clock, no thread. Whoever owns it (the worker's loop, or the simulator)
 * brings the moment with each call, carries what it sends, and polls the executors' descriptors.
 * Equal inputs at equal times give equal outputs. After any other call the owner calls
 * jv_agent_tick, which dispatches the executors and sends what is to be said; so several
 * messages that came together are answered together.
 *
 * Invariants (docs/protocol.md): no attempt is ever started twice; past the lease no attempt runs
 * but those with on_disconnect: KEEP, and none is started; the end of an attempt is said only after
 * all its output; an attempt is forgotten only when the server has acknowledged its end, or does
 * not want it.
 */
#ifndef JV_WORKER_AGENT_H
#define JV_WORKER_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "jarvis/v1/worker.pb-c.h"
#include "worker/executor.h"

#define JV_AGENT_ID_SIZE 16
/* Version of the protocol that this agent speaks. */
#define JV_AGENT_PROTOCOL_VERSION 1
/* For how long the beginning of an attempt may go unsaid, so that one which is over so soon costs
 * the server one write instead of three. */
#define JV_AGENT_HOLD_MS 50

/* The moment of a call. */
struct jv_agent_now {
	int64_t monotonic_ms; /* for all durations */
	int64_t wall_ms;      /* since the epoch, for what people read */
};

/* 0 takes what is in parentheses. */
struct jv_agent_limits {
	uint32_t attempts_max;    /* attempts at once; more fail with EXECUTOR (4096) */
	uint32_t remembered_max;  /* tasks whose highest attempt is remembered (32768) */
	int64_t log_window_bytes; /* output sent and not acknowledged, of all attempts (1 MiB) */
	int64_t handshake_ms;     /* from connected to the first full Desired (10,000) */
};

/* Something worth a line in a log. All is lent. */
struct jv_agent_note {
	const char *event;                /* such as attempt.finished */
	const struct jv_execution_id *id; /* NULL if it is of no attempt */
	const char *text;                 /* "" if there is nothing to add */
	const char *trace_parent;         /* of the attempt's task; NULL: none */
	const char *request_id;           /* its submission's, likewise */
	bool warning;
};

/* What the agent puts out. The functions must not call the agent. */
struct jv_agent_sink {
	/* Sends to the server; the message is lent. False if there is no room now: the agent comes
	 * again with the next tick, which the owner calls when there is room. */
	bool (*send)(void *context, const Jarvis__V1__SessionRequest *message);
	/* The session is over for the agent: end it, deliver no more of it, connect again with
	 * back-off. jv_agent_disconnected need not follow, and is harmless. */
	void (*drop)(void *context, const struct jv_status *why);
	/* The lease now ends at this monotonic time; the next life of the agent should get it as
	 * lease_until_ms. May be NULL. */
	void (*leased)(void *context, int64_t until_ms);
	/* It belongs to this cluster from now on, likewise. May be NULL. */
	void (*joined)(void *context, const uint8_t cluster_id[JV_AGENT_ID_SIZE]);
	/* May be NULL. */
	void (*note)(void *context, const struct jv_agent_note *note);
	void *context;
};

/* All pointers are borrowed for the agent's life. */
struct jv_agent_options {
	const char *node;
	uint8_t worker_id[JV_AGENT_ID_SIZE];
	uint8_t boot_id[JV_AGENT_ID_SIZE];
	int64_t life;     /* the how many-th of this worker; 0: not counted */
	bool has_cluster; /* cluster_id is set: of an earlier life */
	uint8_t cluster_id[JV_AGENT_ID_SIZE];
	/* What the last life was told by `leased`; 0: nothing is known, which counts as over. What
	 * runs past it is stopped. Only comparable within one boot of the machine. */
	int64_t lease_until_ms;
	const Jarvis__V1__NodeInventory *inventory;
	struct jv_executor *const *executors; /* NULL-terminated; their sinks become the agent's */
	struct jv_agent_limits limits;
};

struct jv_agent;

/* Takes over what the executors find from earlier lives. To be followed by a tick. */
struct jv_agent *jv_agent_new(const struct jv_agent_options *options,
	const struct jv_agent_sink *sink, struct jv_agent_now now);
/* The executors are untouched, to be closed by their owner before or after. */
void jv_agent_free(struct jv_agent *agent);

/* A session can be spoken in: the agent says Hello. */
void jv_agent_connected(struct jv_agent *agent, struct jv_agent_now now);
/* It is gone. */
void jv_agent_disconnected(struct jv_agent *agent, struct jv_agent_now now);
/* A message of the present session; lent. Ignored when there is none. */
void jv_agent_receive(struct jv_agent *agent, const Jarvis__V1__SessionResponse *message,
	struct jv_agent_now now);
/* Does what is due, dispatches all executors, sends. */
void jv_agent_tick(struct jv_agent *agent, struct jv_agent_now now);
/* Monotonic time when the next tick is due at the latest; INT64_MAX: none. */
int64_t jv_agent_deadline_ms(const struct jv_agent *agent);

/* How things stand; for metrics and tests. */
struct jv_agent_status {
	bool synced;            /* a session is open, and has said what should run */
	bool leased;            /* within the lease */
	uint32_t attempts;      /* known, in any phase */
	uint32_t live;          /* of them not ended */
	int64_t log_in_flight;  /* bytes sent and not acknowledged */
	int64_t lease_until_ms; /* monotonic, if leased */
};

void jv_agent_status_get(const struct jv_agent *agent, struct jv_agent_status *status);
/* Asserts the invariants; O(n), for tests and the simulator. */
void jv_agent_check(const struct jv_agent *agent);

#endif
