/*
 * The inside of the core: its entities, and the functions by which its files call one another.
 *
 * For the files of server/core only. One thread, as in core.h. A function here that changes state
 * is called inside a transaction: between jv_core_step, jv_core_tick or jv_core_schedule being
 * entered and left, while core->batch and core->effects are lent. Every change of what is stored
 * goes through write.c, so that memory and store never differ at a sealed revision.
 */
#ifndef JV_SERVER_CORE_PRIVATE_H
#define JV_SERVER_CORE_PRIVATE_H

#include "base/assert.h"
#include "base/bug.h"
#include "base/bytes.h"
#include "base/env.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "server/core/core.h"

#define JV_LOG_CHUNK_BYTES_MAX (64 << 10)
#define JV_MESSAGE_BYTES_MAX   1024
#define JV_TASK_STATES         (JV_TASK_CANCELLED + 1)

/* What is seldom set; most tasks never have one. */
struct jv_task_past {
	struct jv_usage usage;
	int32_t exit_code;
	int32_t signal;
	struct jv_bytes message;       /* owned */
	struct jv_bytes cancel_reason; /* owned */
	struct jv_bytes progress;      /* owned; only when STARTING */
};

/* What the timer of a queued task is for. */
enum jv_task_timer { JV_TIMER_NONE, JV_TIMER_BACKOFF, JV_TIMER_TIMEOUT };

/* A live task: 144 bytes with malloc's own, so that a million of them are no burden. */
struct jv_task {
	uint64_t id;
	struct jv_shape *shape;
	struct jv_node *node;      /* of the current or last attempt; NULL before the first */
	struct jv_task_past *past; /* owned; NULL: all zero */
	int64_t submit_ms;
	int64_t queued_ms;
	int64_t not_before_ms;
	int64_t assign_ms;
	int64_t start_ms;
	int64_t revision;
	int64_t log_bytes;
	int32_t priority;
	uint32_t attempt;
	uint32_t failed_attempts;
	uint32_t lost_attempts;
	uint8_t state;   /* enum jv_task_state */
	uint8_t failure; /* enum jv_failure */
	uint8_t timer;   /* enum jv_task_timer; only when queued */
	uint8_t resent;  /* how often its attempt was sent again, in this life of the server */
	bool cancelled : 1;
	bool reported : 1;  /* named in the Hello that is being reconciled; else false */
	uint8_t spread : 2; /* enum jv_log_spread, or more than it is */
	bool described : 1; /* it may have a name or labels */
	uint32_t kept_kib;  /* stored beside the log of this attempt: spec, logs of others */
	union {
		/* QUEUED: in its shape's heap, or in back-off with a timer. */
		struct {
			struct jv_heap_node waiting;
			struct jv_heap_node due;
			int64_t due_ms; /* monotonic */
		};
		/* On a node: in node->attempts. */
		struct jv_list link;
	};
};

#define JV_INDEX_PAGE JV_PLACED_PAGE

/* Sixteen neighbours by number, as long as one of them lives or their record of who is placed is
 * to be written. */
struct jv_index_page {
	uint64_t number; /* of its first task / JV_INDEX_PAGE */
	uint32_t count;
	struct jv_task *tasks[JV_INDEX_PAGE];
	struct jv_list touched; /* in index->touched */
	UT_hash_handle hh;
};

/* Live tasks by number. Numbers are given in order, so that neighbours mostly live at the same
 * time: a hash of pages is an eighth of a hash of tasks, and a page is near at hand when tasks are
 * loaded or submitted one after another. */
struct jv_index {
	struct jv_index_page *pages;
	uint32_t count;         /* of tasks */
	struct jv_list touched; /* pages of which a task was placed or has left its node */
};

/* All tasks once, in an order that the numbers added so far decide. The task that was given last
 * may be removed. */
struct jv_index_cursor {
	struct jv_index_page *page;
	struct jv_index_page *next;
	uint32_t left; /* of this page */
	uint32_t at;
};

/* What scheduling reads of a spec, once for all tasks that have it. Kept as bytes, decoded when it
 * is looked at: decoded it is a hundred times larger. */
struct jv_shape {
	uint32_t id;
	uint32_t tasks; /* live tasks that have it */
	struct jv_queue *queue;
	int64_t retention_ms; /* these two as in the payload */
	int64_t log_bytes_max;
	struct jv_bytes payload;  /* owned */
	struct jv_heap waiting;   /* of tasks, by priority and id */
	struct jv_heap_node turn; /* in core->ready or core->blocked while any task waits */
	uint64_t searched_epoch;  /* no node that has not grown since then can take one */
	struct jv_node *possible; /* a node that can take one when empty; NULL: unknown */
	uint64_t possible_since;  /* core->forgotten then; else it may be gone */
	UT_hash_handle by_payload;
	UT_hash_handle by_id;
};

/* A queue with live or finished tasks. Of the finished ones only the sums are here. */
struct jv_queue {
	char name[JV_QUEUE_NAME_MAX + 1];
	struct jv_term term; /* of its tasks' entries */
	struct jv_retention retention;
	uint32_t shapes; /* live ones that name it */
	int64_t tasks;   /* finished, with an expiry record */
	int64_t bytes;   /* what they are counted with */
	/* None of them expires before; and none is stored before in the order of removal, so a
	 * sweep that begins here does not wade through what was removed. */
	int64_t first_ms;
	bool stored;          /* it has a record */
	struct jv_list dirty; /* in core->queues_dirty: tasks or bytes differ from the record */
	struct jv_heap_node
		due;    /* in core->queues_due, if it has finished tasks and is not swept */
	int64_t due_ms; /* monotonic */
	UT_hash_handle hh;
};

/* Amounts reserved on a node; custom ones in the order of its capacity. Pids are a limit that most
 * tasks stay far below: they are not reserved. */
struct jv_amounts {
	int64_t cpu_millis;
	int64_t memory_bytes;
	int64_t disk_bytes;
	int64_t gpus;
	int64_t custom[JV_CUSTOM_RESOURCES_MAX];
};

/* A node that was seen: from its first session until it has been lost for node_forget_ms, and no
 * live task names it. */
struct jv_node {
	struct jv_node_record record; /* borrows from key and value */
	struct jv_buffer key;
	struct jv_buffer value;
	struct jv_term term; /* of the entries of tasks that are or were here */
	enum jv_node_state state;
	struct jv_session *session; /* NULL if not connected */
	struct jv_amounts used;     /* sum over attempts */
	struct jv_list attempts;    /* of struct jv_task, by link */
	uint32_t attempt_count;
	uint32_t tasks;       /* live tasks whose present or last attempt is here */
	struct jv_list grown; /* in core->grown if READY */
	uint64_t grown_epoch; /* when something was freed here last, or it became ready */
	struct jv_heap_node due;
	int64_t due_ms;       /* monotonic: end of the lease; if lost, when it is forgotten */
	int64_t dial_ms;      /* of the latest session in this life of the server; 0: not known */
	int64_t life;         /* of the agent in that session; 0: not known */
	int64_t last_seen_ms; /* wall */
};

struct jv_session {
	uint64_t number;
	void *origin;
	struct jv_node *node;
	UT_hash_handle hh;
};

struct jv_request {
	struct jv_list link; /* in core->requests_by_age */
	uint8_t hash[JV_REQUEST_HASH_SIZE];
	enum jv_request_method method;
	uint64_t body_hash;
	uint64_t task;
	int64_t time_ms;
	int64_t revision;
	int64_t due_ms; /* monotonic */
	UT_hash_handle hh;
};

struct jv_core {
	struct jv_core_options options;
	struct jv_meta_record meta; /* revision: the newest that is sealed */
	bool has_meta;
	bool started;
	struct jv_random random;

	/* The call from outside that is under way. */
	struct jv_now now;
	struct jv_batch *batch;
	struct jv_effects *effects;

	struct jv_index tasks;
	struct jv_heap tasks_due;
	struct jv_shape *shapes;       /* by payload */
	struct jv_shape *shapes_by_id; /* the same */
	int64_t shape_bytes;           /* what they take */
	struct jv_heap ready;          /* shapes whose first task may fit somewhere */
	struct jv_heap blocked;        /* shapes whose first task fits nowhere */
	struct jv_node **nodes;        /* by name */
	uint32_t node_count;
	uint32_t nodes_ready;
	struct jv_heap nodes_due;
	struct jv_list grown; /* READY nodes, the latest grown first */
	uint64_t epoch;       /* counts growths of nodes */
	uint64_t forgotten;   /* counts nodes that were freed */
	/* The last placement, if nothing but that shape was reserved anywhere since. */
	struct jv_shape *last_shape;
	struct jv_node *last_node;
	uint32_t visits;           /* nodes looked at in this pass */
	struct jv_amounts largest; /* of any node's capacity, each; custom unused */
	struct jv_session *sessions;
	struct jv_request *requests; /* by hash */
	struct jv_list requests_by_age;
	struct jv_queue *queues; /* by name */
	struct jv_heap queues_due;
	struct jv_list queues_dirty;
	int64_t finished, finished_bytes; /* sums over queues */
	struct jv_event sweep;            /* one at a time */
	struct jv_swept *swept;
	bool sweeping;                /* it is on its way */
	struct jv_queue *swept_queue; /* of EXPIRY, while it is */
	int64_t adopt_ms; /* monotonic: when to go on with old tasks, while there are any */
	uint64_t removed_first, removed_end; /* tasks removed since space was given back */
	int64_t removed_bytes;
	int64_t newest; /* revision of the last change; past meta.revision while a transaction is
			   open */

	int64_t states[JV_TASK_STATES];             /* live tasks by state */
	struct jv_term state_terms[JV_TASK_STATES]; /* of final states */
	struct jv_stats since_start;                /* only what counts since the start */

	const struct jv_shape *decoded; /* whose record is in shape_record; NULL: nobody's */
	struct jv_shape_record shape_record;
	bool answering;
	struct jv_buffer answer; /* an event's value; see jv_write_answer_begin */
	struct jv_buffer key;    /* scratch */
	struct jv_buffer value;
	struct jv_buffer text;
};

/* Every change of a task takes a revision of its own, so that a watcher can resume between any two;
 * a transaction is sealed under the last of its changes, or the next number if it has none. */
static inline int64_t jv_core_next_revision(struct jv_core *core)
{
	return ++core->newest;
}

/* The least revision that the open transaction can be sealed under. */
static inline int64_t jv_core_open_revision(const struct jv_core *core)
{
	return core->newest > core->meta.revision ? core->newest : core->meta.revision + 1;
}

static inline bool jv_task_active(const struct jv_task *task)
{
	return task->state >= JV_TASK_ASSIGNED && task->state <= JV_TASK_STOPPING;
}

/* core.c: every call from outside that changes state is between these. */
void jv_core_enter(struct jv_core *core, struct jv_now now, struct jv_batch *batch,
	struct jv_effects *effects);
void jv_core_leave(struct jv_core *core);

/* write.c: what is stored */
void jv_write_task(struct jv_core *core, const struct jv_task_record *record); /* and its event */
void jv_write_task_gone(struct jv_core *core, uint64_t task);
void jv_write_spec(struct jv_core *core, uint64_t task, struct jv_bytes spec);
void jv_write_shape(struct jv_core *core, const struct jv_shape *shape);
void jv_write_shape_gone(struct jv_core *core, uint32_t shape);
void jv_write_node(struct jv_core *core, const struct jv_node *node);
void jv_write_node_event(
	struct jv_core *core, const struct jv_node *node, bool removed, int64_t revision);
void jv_write_node_gone(struct jv_core *core, const struct jv_node *node);
void jv_write_log(struct jv_core *core, const struct jv_log_record *chunk, int64_t log_bytes);
void jv_write_log_head_gone(struct jv_core *core, uint64_t task);
/* From begin to end the answer that a request is stored with is the task as it was written last, at
 * first as it is now. Otherwise it is empty. */
void jv_write_answer_begin(struct jv_core *core, const struct jv_task *task);
/* Or it is this one, of a task that the core does not know. */
void jv_write_answer_set(struct jv_core *core, struct jv_bytes answer);
void jv_write_answer_end(struct jv_core *core);
void jv_write_request(struct jv_core *core, const struct jv_request *request);
void jv_write_request_gone(struct jv_core *core, const struct jv_request *request);
void jv_write_queue(struct jv_core *core, const struct jv_queue *queue);
void jv_write_queue_gone(struct jv_core *core, const struct jv_queue *queue);
void jv_write_expiry(struct jv_core *core, const struct jv_expiry_record *record);
/* Record, spec, expiry and log of a finished task. */
void jv_write_finished_gone(
	struct jv_core *core, struct jv_bytes queue, const struct jv_swept *swept);
void jv_write_meta(struct jv_core *core, int64_t revision);
void jv_request_describe(const struct jv_request *request, struct jv_request_record *record);

/* entry.c: by what lists find tasks */
void jv_entry_init(struct jv_core *core);
void jv_entry_submit(
	struct jv_core *core, const struct jv_task *task, const struct jv_event_submit *submit);
/* A queued task is about to be placed on the node. */
void jv_entry_place(struct jv_core *core, const struct jv_task *task, const struct jv_node *node);
/* It is about to leave its node. */
void jv_entry_leave(struct jv_core *core, const struct jv_task *task);
void jv_entry_end(struct jv_core *core, const struct jv_task_record *record);
/* Writes who is placed; at seal. */
void jv_entry_settle(struct jv_core *core);
/* For what was accepted before there were entries; some may be there. task: NULL if it is done, as
 * swept then says. */
void jv_entry_adopt(struct jv_core *core, const struct jv_task *task, const struct jv_swept *swept);
/* A finished task is removed. */
void jv_entry_gone(
	struct jv_core *core, const struct jv_queue *queue, const struct jv_swept *swept);

/* effect.c: what is told */
void jv_effect_reply(struct jv_core *core, struct jv_event *event);
void jv_effect_publish(struct jv_core *core, uint64_t task, uint32_t kinds);
void jv_effect_direct(struct jv_core *core, const struct jv_session *session,
	const struct jv_task *task, enum jv_desired_state state, const char *reason);
/* The core's sweep goes out. */
void jv_effect_sweep(struct jv_core *core);
void jv_effect_close(struct jv_core *core, const struct jv_session *session, struct jv_status why);
/* Takes back what was about to be told to a session that has ended. */
void jv_effect_withdraw(struct jv_core *core, uint64_t session);

/* watch.c: the events kept for watchers */
/* Drops the oldest changes beyond the limit; at seal. */
void jv_watch_trim(struct jv_core *core);

/* index.c: live tasks by number */
struct jv_task *jv_index_find(const struct jv_index *index, uint64_t id); /* NULL: not live */
void jv_index_add(struct jv_index *index, struct jv_task *task);
void jv_index_remove(struct jv_index *index, const struct jv_task *task);
void jv_index_touch(struct jv_index *index, const struct jv_task *task);
/* Takes a page out of those that were touched and says who is placed; false: there is none. */
bool jv_index_settle(struct jv_index *index, struct jv_placed_record *record);
/* Of a cursor whose `next` is index->pages: the first task; then the others. NULL at the end. */
struct jv_task *jv_index_next(struct jv_index_cursor *cursor);

/* task.c: states and records */
struct jv_task *jv_task_find(struct jv_core *core, uint64_t id); /* NULL: not live */
struct jv_task *jv_task_new(struct jv_core *core, struct jv_shape *shape, int32_t priority);
/* From a record that was loaded; the caller has checked it. */
struct jv_task *jv_task_restore(struct jv_core *core, const struct jv_task_record *record,
	struct jv_shape *shape, struct jv_node *node);
void jv_task_free(struct jv_core *core, struct jv_task *task);
void jv_task_describe(const struct jv_task *task, struct jv_task_record *record);
struct jv_task_past *jv_task_past(struct jv_task *task);
/* Copied; cut at JV_MESSAGE_BYTES_MAX. */
void jv_task_message_set(struct jv_task *task, struct jv_bytes message);
/* True if it has changed; it ends with the state STARTING. */
bool jv_task_progress_set(struct jv_task *task, struct jv_bytes progress);
void jv_task_reason_set(struct jv_task *task, struct jv_bytes reason);
/* Stores the task as it is, with an event, and publishes the change. */
void jv_task_changed(struct jv_core *core, struct jv_task *task);
void jv_task_assign(struct jv_core *core, struct jv_task *task, struct jv_node *node);
/* To STARTING, RUNNING or STOPPING. */
void jv_task_advance(struct jv_core *core, struct jv_task *task, enum jv_task_state state);
/* Back into the queue after an attempt, to be placed in wait_ms. */
void jv_task_retry(struct jv_core *core, struct jv_task *task, int64_t wait_ms);
/* Into a final state; frees the task. */
void jv_task_end(struct jv_core *core, struct jv_task *task, enum jv_task_state state);

/* retention.c: finished tasks, by queue */
/* Finds or makes it. */
struct jv_queue *jv_queue_get(struct jv_core *core, struct jv_bytes name);
/* RESOURCE_EXHAUSTED if the queue would be one too many. */
struct jv_status jv_queue_room(const struct jv_core *core, struct jv_bytes name) JV_MUST_USE;
/* One shape fewer names it. */
void jv_queue_release(struct jv_core *core, struct jv_queue *queue);
struct jv_status jv_queue_restore(
	struct jv_core *core, const struct jv_queue_record *record) JV_MUST_USE;
void jv_queue_describe(const struct jv_queue *queue, struct jv_queue_record *record);
/* Stores the sums that have changed, forgets queues without tasks; at seal. */
void jv_queue_settle(struct jv_core *core);
bool jv_queue_before(const struct jv_heap_node *a, const struct jv_heap_node *b);
/* KiB that so many bytes take in the store. */
uint32_t jv_retention_kib(int64_t bytes);
/* A task has ended: gives it its place in the order of removal. Returns when it is removed. */
int64_t jv_retention_begin(
	struct jv_core *core, const struct jv_task *task, const struct jv_task_record *record);
void jv_retention_start(struct jv_core *core);
/* Monotonic time of the next sweep; INT64_MAX if none is due, or one is on its way. */
int64_t jv_retention_deadline_ms(const struct jv_core *core);
/* Puts out the sweep that is due. */
void jv_retention_due(struct jv_core *core);
/* The sweep has come back. */
void jv_retention_swept(struct jv_core *core, struct jv_event *event);

/* queue.c: waiting */
/* Puts a task that turned QUEUED where it waits: its shape's heap, or back-off. */
void jv_task_queue(struct jv_core *core, struct jv_task *task);
void jv_task_due(struct jv_core *core, struct jv_task *task); /* its timer has fired */

/* submit.c: what clients ask for */
void jv_task_submit(struct jv_core *core, struct jv_event *event);
void jv_task_cancel(struct jv_core *core, struct jv_event *event);

/* attempt.c: what nodes tell of attempts */
/* The task of a report if the report is of its present attempt on that node; else NULL. */
struct jv_task *jv_attempt_find(
	struct jv_core *core, const struct jv_node *node, uint64_t task, uint32_t attempt);
/* False if the report must come again, after more log. May free the task. */
bool jv_attempt_report(
	struct jv_core *core, struct jv_task *task, const struct jv_attempt_report *report);
/* Ended by no fault of the task; why is a short text. May free the task. */
void jv_attempt_lost(struct jv_core *core, struct jv_task *task, enum jv_failure failure,
	const char *why, struct jv_bytes detail);
/* Its node is lost, and may run it still: on_disconnect is KEEP. Says so in its message. */
void jv_attempt_keep(struct jv_core *core, struct jv_task *task);
/* Its node has come back. */
void jv_attempt_kept(struct jv_core *core, struct jv_task *task);
/* Returns next_offset. */
int64_t jv_attempt_log(
	struct jv_core *core, struct jv_task *task, const struct jv_log_record *chunk);

/* node.c */
struct jv_node *jv_node_find(const struct jv_core *core, struct jv_bytes name);
/* The place of the first node whose name is not before name. */
uint32_t jv_node_place(const struct jv_core *core, struct jv_bytes name);
/* Makes it known, or replaces what is known of it; stores it if that differs. */
struct jv_node *jv_node_put(struct jv_core *core, const struct jv_node_record *record);
struct jv_status jv_node_restore(
	struct jv_core *core, struct jv_bytes key, struct jv_bytes value) JV_MUST_USE;
void jv_node_free(struct jv_node *node);
void jv_node_state_set(struct jv_core *core, struct jv_node *node, enum jv_node_state state);
void jv_node_lease(struct jv_core *core, struct jv_node *node);
/* A lost node will be forgotten when its time, counted from the loss, has come. */
void jv_node_expire(struct jv_core *core, struct jv_node *node);
void jv_node_due(struct jv_core *core, struct jv_node *node);
void jv_node_attach(struct jv_core *core, struct jv_node *node, struct jv_task *task);
void jv_node_detach(struct jv_core *core, struct jv_node *node, struct jv_task *task);
void jv_node_list(struct jv_core *core, struct jv_event *event);

/* session.c */
void jv_session_open(struct jv_core *core, struct jv_event *event);
void jv_session_heartbeat(struct jv_core *core, struct jv_event *event);
void jv_session_report(struct jv_core *core, struct jv_event *event);
void jv_session_log(struct jv_core *core, struct jv_event *event);
void jv_session_close(struct jv_core *core, struct jv_event *event);
/* Ends the node's session, if it has one, from this side. */
void jv_session_end(struct jv_core *core, struct jv_node *node, struct jv_status why);

/* shape.c */
struct jv_shape *jv_shape_find(struct jv_core *core, struct jv_bytes payload);
struct jv_shape *jv_shape_find_id(struct jv_core *core, uint32_t id);
/* Whether there is room for one more. */
bool jv_shape_fits(const struct jv_core *core, struct jv_bytes payload);
struct jv_shape *jv_shape_new(struct jv_core *core, struct jv_bytes payload);
struct jv_shape *jv_shape_restore(struct jv_core *core, uint32_t id, struct jv_bytes payload);
/* One live task fewer has it; with the last one it goes. */
void jv_shape_release(struct jv_core *core, struct jv_shape *shape);
void jv_shape_free(struct jv_core *core, struct jv_shape *shape);
/* Decoded; lent until the next call for another shape. */
const struct jv_shape_record *jv_shape_read(struct jv_core *core, const struct jv_shape *shape);
struct jv_task *jv_shape_head(const struct jv_shape *shape);
void jv_shape_wait(struct jv_core *core, struct jv_task *task);
void jv_shape_unwait(struct jv_core *core, struct jv_task *task);
/* The heap that holds the shape's turn; NULL if none of its tasks waits. */
struct jv_heap *jv_shape_heap(struct jv_core *core, const struct jv_shape *shape);
bool jv_shape_before(const struct jv_heap_node *a, const struct jv_heap_node *b);
bool jv_shape_task_before(const struct jv_heap_node *a, const struct jv_heap_node *b);

/* schedule.c */
/* Something was freed, or a node has appeared or changed: what was blocked may fit now. */
void jv_schedule_wake(struct jv_core *core);

/* placement.c: which node */
/* The first thing that keeps a node from taking a task; also the order of telling. */
enum jv_obstacle {
	JV_OBSTACLE_NONE,
	JV_OBSTACLE_STATE,
	JV_OBSTACLE_EXECUTOR,
	JV_OBSTACLE_CONSTRAINT, /* and the next ones, by index */
	JV_OBSTACLE_CPU = JV_OBSTACLE_CONSTRAINT + JV_CONSTRAINTS_MAX,
	JV_OBSTACLE_MEMORY,
	JV_OBSTACLE_DISK,
	JV_OBSTACLE_GPUS,
	JV_OBSTACLE_CUSTOM, /* and the next ones, by index */
	JV_OBSTACLE_PIDS = JV_OBSTACLE_CUSTOM + JV_CUSTOM_RESOURCES_MAX,
	JV_OBSTACLE_ATTEMPTS,
	JV_OBSTACLES,
};
/* empty: as if the node were connected and had no attempts. Returns an enum jv_obstacle, or one of
 * the numbers behind CONSTRAINT and CUSTOM. */
unsigned jv_placement_obstacle(
	const struct jv_shape_record *shape, const struct jv_node *node, bool empty);
/* What is needed of the resource that the obstacle names. */
int64_t jv_placement_need(const struct jv_shape_record *shape, unsigned obstacle);
/* What the node has (empty) or has left of the resource that the obstacle names; never negative. */
int64_t jv_placement_left(const struct jv_shape_record *shape, const struct jv_node *node,
	unsigned obstacle, bool empty);
struct jv_node *jv_placement_best(struct jv_core *core, struct jv_shape *shape);
/* What the node would have reserved, and after: adds (sign 1) or takes away (sign -1). */
void jv_placement_reserve(struct jv_node *node, const struct jv_resources *resources, int64_t sign);
/* Finds the largest capacities anew. */
void jv_placement_measure(struct jv_core *core);

/* explain.c */
void jv_explain(struct jv_core *core, struct jv_event *event);
/* FAILED_PRECONDITION if there are nodes, and none could ever run the shape. */
struct jv_status jv_explain_impossible(struct jv_core *core, struct jv_shape *known,
	const struct jv_shape_record *shape) JV_MUST_USE;

/* request.c */
struct jv_request *jv_request_find(struct jv_core *core, const uint8_t hash[JV_REQUEST_HASH_SIZE]);
/* RESOURCE_EXHAUSTED if it would be one too many. */
struct jv_status jv_request_room(
	const struct jv_core *core, const struct jv_request_key *key) JV_MUST_USE;
/* The request that had this id before; NULL if there is none, or no id. *status: whether the call
 * may have that one's answer; ALREADY_EXISTS names both. what: the method and its task, for that.
 */
const struct jv_request *jv_request_again(struct jv_core *core, const struct jv_request_key *key,
	enum jv_request_method method, uint64_t task, struct jv_status *status);
/* What was done for it is done: stores it, with the answer that write.c has gathered. */
void jv_request_new(struct jv_core *core, const struct jv_request_key *key,
	enum jv_request_method method, uint64_t task);
struct jv_status jv_request_restore(
	struct jv_core *core, const struct jv_request_record *record) JV_MUST_USE;
void jv_request_start(struct jv_core *core);
void jv_request_due(struct jv_core *core, struct jv_request *request);
uint32_t jv_request_max(const struct jv_core *core);

/* timer.c */
bool jv_timer_task_before(const struct jv_heap_node *a, const struct jv_heap_node *b);
bool jv_timer_node_before(const struct jv_heap_node *a, const struct jv_heap_node *b);

#endif
