/*
 * Events: all that the core is ever told, and all that it answers.
 *
 * An event is a mail. The sender (an edge, the host, the simulator) owns it until it is posted; the
 * core's thread has it until it comes back as its own reply, in the same memory, after the revision
 * that it saw is durable. What an event points to is lent until then. The core keeps no pointer
 * into an event but `origin`, which it never looks into. Times are milliseconds.
 */
#ifndef JV_SERVER_CORE_EVENT_H
#define JV_SERVER_CORE_EVENT_H

#include "base/list.h"
#include "base/status.h"
#include "storage/record.h"

/* The moment of a step, read once by the host: the core has no clock. */
struct jv_now {
	int64_t monotonic_ms;
	int64_t wall_ms;
};

enum jv_event_kind {
	JV_EVENT_SUBMIT,
	JV_EVENT_CANCEL,
	JV_EVENT_EXPLAIN,
	JV_EVENT_NODES,
	JV_EVENT_STATS,
	JV_EVENT_SESSION_OPEN,
	JV_EVENT_SESSION_HEARTBEAT,
	JV_EVENT_SESSION_REPORT,
	JV_EVENT_SESSION_LOG,
	JV_EVENT_SESSION_CLOSE,
	JV_EVENT_SWEEP, /* the core's own: out as an effect, back with what was read; no reply */
	/* On their way to an edge only; never given to the core. */
	JV_EVENT_DIRECTIVE, /* a struct jv_directive */
	JV_EVENT_PUBLISHED, /* publications of server/api/edge.c */
};

/* Where an attempt is on its node; the numbers of jarvis.v1.AttemptPhase. */
enum jv_attempt_phase { JV_PHASE_STARTING = 1, JV_PHASE_RUNNING = 2, JV_PHASE_FINISHED = 3 };

/* jarvis.v1.AttemptReport. Texts are lent. */
struct jv_attempt_report {
	uint64_t task;
	uint32_t attempt;
	enum jv_attempt_phase phase;
	int64_t start_ms;
	int64_t finish_ms;
	int64_t log_bytes;
	struct jv_bytes progress; /* only when STARTING */
	/* The rest only when FINISHED. */
	enum jv_failure failure;
	int32_t exit_code;
	int32_t signal;
	bool stopped;
	struct jv_usage usage;
	struct jv_bytes message;
};

/* The request_id of a call that changes something, if it has one. */
struct jv_request_key {
	bool used;
	uint8_t hash[JV_REQUEST_HASH_SIZE]; /* of the id */
	uint64_t body_hash;                 /* of the request as it was sent */
};

/* A task to accept. The edge has validated it and filled in the defaults. */
struct jv_event_submit {
	struct jv_bytes shape; /* payload of a jv_shape_record */
	struct jv_bytes spec;  /* packed jarvis.v1.TaskSpec */
	int32_t priority;
	struct jv_request_key request;
	uint64_t spec_hash; /* if there is a request_id */
	/* By what lists find the task, beside what its shape says: */
	const struct jv_term *terms; /* of its labels; lent */
	uint32_t term_count;         /* at most JV_LABELS_MAX */
	struct jv_bytes name;        /* may be empty */
	/* Reply: */
	uint64_t task;
	bool duplicate;
	int64_t submit_ms;
	int64_t task_revision; /* of the task as it was accepted; 0: not known any more */
};

/* The end of a task, wanted by a client. Reply: status only; read the task from the store. With a
 * request_id the answer is in the record of the request. Of a task that is not live the core knows
 * nothing, NOT_FOUND: if the store has it as cancelled, the event comes again with that as answer,
 * for the record. */
struct jv_event_cancel {
	uint64_t task;
	struct jv_bytes reason;
	struct jv_request_key request;
	struct jv_bytes answer; /* as in jv_request_record; empty at first */
	bool duplicate;         /* reply */
};

#define JV_EXCLUSIONS_MAX 16

/* Why a task waits, as jarvis.v1.PendingReason. */
struct jv_explanation {
	char summary[512];
	uint32_t nodes_total;
	uint64_t tasks_ahead;
	uint32_t exclusion_count;
	struct {
		char condition[128];
		char remedy[192];
		uint32_t nodes;
	} exclusions[JV_EXCLUSIONS_MAX];
};

/* `out` is lent by the sender. If the task is not queued, waiting is false and out is untouched. */
struct jv_event_explain {
	uint64_t task;
	struct jv_explanation *out;
	bool waiting;
};

#define JV_NODE_NAME_MAX 64

struct jv_node_view {
	char name[JV_NODE_NAME_MAX];
	enum jv_node_state state;
	struct jv_resources allocated; /* names point into custom_names; no pids */
	char custom_names[JV_CUSTOM_RESOURCES_MAX][64];
	uint32_t attempts;
	int64_t connect_ms;
	int64_t last_seen_ms; /* 0: not in this life of the server */
};

/* A page of nodes by name: those after `after`, or exactly the one named if `exact`. views is lent,
 * room for limit. The inventory is in the node's record. */
struct jv_event_nodes {
	struct jv_bytes after;
	bool exact;
	uint32_t limit;
	struct jv_node_view *views;
	uint32_t count;
	bool more;
};

struct jv_stats {
	int64_t queued, starting, running, stopping;
	int64_t succeeded, failed, cancelled, submitted, lost; /* since the start */
	int64_t removed;                                       /* finished tasks, likewise */
	int64_t finished, finished_bytes; /* that are kept, but for old ones not yet looked at */
	uint32_t nodes_ready, nodes_total;
	int64_t revision;
};

/* What should be of an attempt; the numbers of jarvis.v1.DesiredState. */
enum jv_desired_state { JV_DESIRED_RUN = 1, JV_DESIRED_STOP = 2, JV_DESIRED_FORGET = 3 };

struct jv_desired {
	uint64_t task;
	uint32_t attempt;
	enum jv_desired_state state;
	bool known;         /* the agent named it in its Hello: no spec need be sent */
	const char *reason; /* static text, or NULL */
};

/* A Hello. `session` is a number that the sender never uses again. Reply: if status is OK, the full
 * desired set, malloc'ed, to be freed by the sender; each report that is not in it is to be
 * answered with FORGET, which the core has put into the set. */
struct jv_event_session_open {
	uint64_t session;
	const struct jv_node_record *node;
	bool same_cluster; /* the agent's attempts belong to this store */
	/* When the agent dialled, by its host's clock since boot, and in the how many-th of its
	 * lives. A Hello that comes after that of a session which was dialled later tells of the
	 * past, and is refused; 0: not known. */
	int64_t dial_ms;
	int64_t life;
	const struct jv_attempt_report *reports;
	uint32_t report_count;
	/* Reply: */
	struct jv_desired *desired;
	uint32_t desired_count;
};

struct jv_event_session_heartbeat {
	uint64_t session;
	int64_t sequence;
};

/* Reply: `accepted` says that it needs no repeating: it is durable, or of no interest. */
struct jv_event_session_report {
	uint64_t session;
	struct jv_attempt_report report;
	bool accepted;
};

/* Reply: `next_offset` is where the agent should go on. */
struct jv_event_session_log {
	uint64_t session;
	struct jv_log_record chunk;
	int64_t next_offset;
};

/* The stream has ended; after the reply no directive for the session comes any more. */
struct jv_event_session_close {
	uint64_t session;
};

/* What the core wants of the store when finished tasks are to be removed, for it keeps none of them
 * in memory. The event is the core's own: it is put out as an effect, once all that the core has
 * done before is durable, is read for (server/api/sweep.h), and comes back with what was found. */
enum jv_sweep_kind {
	JV_SWEEP_EXPIRY,  /* the first of a queue's finished tasks, in the order of their removal */
	JV_SWEEP_ADOPT,   /* finished tasks that have no expiry record, the newest first */
	JV_SWEEP_INDEX,   /* tasks, finished or not, that have no entries, the newest first */
	JV_SWEEP_RECLAIM, /* finds nothing: the space of removed tasks is to be given back */
};

struct jv_swept {
	uint64_t task;
	int64_t bytes;
	uint32_t attempt;
	enum jv_log_spread spread;
	int64_t finish_ms;
	/* Of EXPIRY, as in its record: */
	int64_t expire_ms;
	/* Of EXPIRY and INDEX: */
	uint8_t state; /* 0: nothing is known of its entries */
	int32_t priority;
	char node[JV_NODE_NAME_MAX];
	struct jv_term terms[JV_LABELS_MAX];
	uint32_t term_count;
	char name[JV_TASK_NAME_MAX + 1];
	/* Of ADOPT and INDEX: */
	char queue[JV_QUEUE_NAME_MAX + 1];
	/* Of ADOPT: */
	int64_t retention_ms; /* as the task says; 0: as its queue does */
};

struct jv_event_sweep {
	enum jv_sweep_kind kind;
	char queue[JV_QUEUE_NAME_MAX + 1]; /* of EXPIRY */
	int64_t from_ms;                   /* of EXPIRY: there is nothing before */
	uint64_t first, end;               /* tasks, but of EXPIRY; end not included */
	/* Reply: what was found goes to `found`, lent by the core, room for limit. */
	uint32_t limit;
	struct jv_swept *found;
	uint32_t count;
	bool more;     /* EXPIRY: there are others behind them */
	uint64_t left; /* ADOPT, INDEX: tasks from here on are looked at; 0: all are */
};

struct jv_event {
	struct jv_list link;
	enum jv_event_kind kind;
	void *origin;        /* the sender's; a directive for a session carries that of its OPEN */
	int64_t deadline_ms; /* monotonic; past it the core answers DEADLINE_EXCEEDED without
				acting; 0: none */
	struct jv_status status; /* reply */
	int64_t revision;        /* reply: the revision that holds the change, or that was seen */
	union {
		struct jv_event_submit submit;
		struct jv_event_cancel cancel;
		struct jv_event_explain explain;
		struct jv_event_nodes nodes;
		struct jv_stats stats;
		struct jv_event_session_open open;
		struct jv_event_session_heartbeat heartbeat;
		struct jv_event_session_report report;
		struct jv_event_session_log log;
		struct jv_event_session_close close;
		struct jv_event_sweep sweep;
	};
};

/* A change of what should run on a session's node, or (closed) the order to end the session:
 * another session of the same worker has replaced it, or its node was declared lost. malloc'ed; the
 * receiver frees it. */
struct jv_directive {
	struct jv_list link;
	enum jv_event_kind kind; /* set on its way by server/api/edge.c */
	void *origin;            /* of the session's OPEN event */
	uint64_t session;
	bool closed;
	struct jv_status why; /* if closed */
	struct jv_desired desired;
};

enum jv_publication_kind {
	JV_PUBLISH_CHANGED = 1,
	JV_PUBLISH_FINISHED = 2,
	JV_PUBLISH_LOG = 4,
	JV_PUBLISH_NODE = 8,
};

/* Stands for all nodes where a task is named. */
#define JV_PUBLICATION_NODES UINT64_MAX

/* A task has changed, ended, or has more log, or a node has changed: bits of jv_publication_kind.
 */
struct jv_publication {
	uint64_t task; /* or JV_PUBLICATION_NODES */
	uint32_t kinds;
};

/* What steps have put out, in order. */
struct jv_effects {
	struct jv_list replies;    /* struct jv_event */
	struct jv_list directives; /* struct jv_directive */
	struct jv_event *sweep;    /* NULL, or the core's; comes back to jv_core_step */
	struct jv_publication *publications;
	uint32_t publication_count;
	uint32_t publication_capacity;
};

void jv_effects_init(struct jv_effects *effects);
/* The lists must have been taken. */
void jv_effects_deinit(struct jv_effects *effects);

#endif
