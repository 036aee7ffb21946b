/*
 * Records: what Jarvis keeps in its store, and the bytes of each.
 *
 * A value is an envelope: kind (1 byte), version (1 byte), payload, CRC-32C (4 bytes, little
 * endian) over key, kind, version and payload; so a record that is damaged, cut or under the wrong
 * key is found. Payloads use the integers of base/bytes.h. A decoder reads its own version and all
 * older ones; a newer one is FAILED_PRECONDITION ("written by a newer Jarvis"), damage is
 * DATA_LOSS naming the key. docs/storage.md has the table; golden files pin every byte. Pure
 * functions, any thread.
 *
 * Keys: one letter, then big-endian numbers, so that every list of the API is a range scan:
 *   M                                meta            one
 *   H shape                          shape           while a live task has it
 *   L task                           live task
 *   D task                           done task
 *   S task                           spec            packed jarvis.v1.TaskSpec, opaque to the core
 *   O task                           log head        how much of a live attempt's log is stored
 *   G task attempt offset            log chunk
 *   N name                           node
 *   E revision index                 event           a task as a change left it, for watchers
 *   V revision                       node event      a node as a change left it, likewise
 *   R hash (16 bytes)                request         of a request_id
 *   Q name                           queue           what its finished tasks take together
 *   X queue expiry task              expiry          finished task, in the order of removal
 *   I kind value task                entry           of an index: a task has that value
 *   P task                           placed          which of sixteen neighbours are placed
 */
#ifndef JV_STORAGE_RECORD_H
#define JV_STORAGE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

enum jv_record_kind {
	JV_RECORD_META = 'M',
	JV_RECORD_SHAPE = 'H',
	JV_RECORD_LIVE = 'L',
	JV_RECORD_DONE = 'D',
	JV_RECORD_SPEC = 'S',
	JV_RECORD_LOG_HEAD = 'O',
	JV_RECORD_LOG = 'G',
	JV_RECORD_NODE = 'N',
	JV_RECORD_EVENT = 'E',
	JV_RECORD_NODE_EVENT = 'V',
	JV_RECORD_REQUEST = 'R',
	JV_RECORD_QUEUE = 'Q',
	JV_RECORD_EXPIRY = 'X',
	JV_RECORD_ENTRY = 'I',
	JV_RECORD_PLACED = 'P',
};

/* The states of jarvis.v1.TaskState; the numbers are the same. */
enum jv_task_state {
	JV_TASK_QUEUED = 1,
	JV_TASK_ASSIGNED = 2,
	JV_TASK_STARTING = 3,
	JV_TASK_RUNNING = 4,
	JV_TASK_STOPPING = 5,
	JV_TASK_SUCCEEDED = 6,
	JV_TASK_FAILED = 7,
	JV_TASK_CANCELLED = 8,
};

/* The reasons of jarvis.v1.FailureReason; the numbers are the same. */
enum jv_failure {
	JV_FAILURE_NONE = 0,
	JV_FAILURE_EXIT_CODE = 1,
	JV_FAILURE_SIGNAL = 2,
	JV_FAILURE_OUT_OF_MEMORY = 3,
	JV_FAILURE_QUEUED_TIMEOUT = 4,
	JV_FAILURE_STARTING_TIMEOUT = 5,
	JV_FAILURE_RUNNING_TIMEOUT = 6,
	JV_FAILURE_NO_OUTPUT_TIMEOUT = 7,
	JV_FAILURE_NODE_LOST = 8,
	JV_FAILURE_IMAGE = 9,
	JV_FAILURE_COMMAND = 10,
	JV_FAILURE_REJECTED = 11,
	JV_FAILURE_EXECUTOR = 12,
	JV_FAILURE_OUT_OF_DISK = 13,
	JV_FAILURE_LAST = JV_FAILURE_OUT_OF_DISK,
};

struct jv_usage {
	int64_t cpu_micros;
	int64_t memory_peak_bytes;
	int64_t throttled_periods;
	int64_t oom_kills;
};

/* A task but for its spec; also the payload of an event. Texts are borrowed, "" if absent. Times
 * are milliseconds since the epoch, 0 if not yet. */
struct jv_task_record {
	uint64_t id;    /* in the key of L and D, in the payload of E */
	uint32_t shape; /* 0 in done tasks */
	int32_t priority;
	enum jv_task_state state;
	enum jv_failure failure;
	uint32_t attempt;
	uint32_t failed_attempts;
	uint32_t lost_attempts;
	int32_t exit_code;
	int32_t signal;
	int64_t submit_ms;
	int64_t queued_ms; /* when it last entered the queue; timeouts.queued counts from here */
	int64_t not_before_ms;
	int64_t assign_ms;
	int64_t start_ms;
	int64_t finish_ms;
	int64_t revision;
	int64_t log_bytes;
	bool cancelled; /* a client asked for the end */
	/* Of done tasks: when it is removed at the latest; JV_NEVER_MS: by no clock. 0 if it has no
	 * expiry record: of live tasks, and of those done before there were any. */
	int64_t expire_ms;
	uint32_t kept_kib; /* what the store keeps of it beside the log of the last attempt */
	struct jv_usage usage;
	struct jv_bytes node;
	struct jv_bytes message;
	struct jv_bytes cancel_reason;
	struct jv_bytes progress; /* from version 2 on; only when STARTING */
};

/* A moment that does not come. */
#define JV_NEVER_MS INT64_MAX

#define JV_CLUSTER_ID_SIZE 16

struct jv_meta_record {
	uint8_t cluster_id[JV_CLUSTER_ID_SIZE];
	uint64_t next_task;
	uint32_t next_shape;
	int64_t revision;
	int64_t event_floor; /* changes up to this revision are no longer kept */
	/* Done tasks with numbers below this one may lack their expiry record: a release that did
	 * not write them ended them. 0: none. */
	uint64_t unexpiring;
	/* Tasks with numbers below this one may lack their entries: a release that did not write
	 * them accepted them. */
	uint64_t unindexed;
	/* The latest submission by the clock, and how far the clock was ever set back behind it:
	 * so tasks are in the order of their submission times, but for that much. */
	int64_t submit_ms_max;
	int64_t submit_back_ms;
};

enum jv_constraint_operator {
	JV_CONSTRAINT_IN = 1,
	JV_CONSTRAINT_NOT_IN = 2,
	JV_CONSTRAINT_EXISTS = 3,
	JV_CONSTRAINT_NOT_EXISTS = 4
};

#define JV_CONSTRAINTS_MAX       32
#define JV_CONSTRAINT_VALUES_MAX 16
#define JV_CUSTOM_RESOURCES_MAX  16
#define JV_RETRY_EXIT_CODES_MAX  32
#define JV_LABELS_MAX            64
#define JV_EXECUTORS_MAX         16
#define JV_IMAGES_MAX            256

struct jv_constraint {
	struct jv_bytes key;
	enum jv_constraint_operator operator;
	uint32_t value_count;
	struct jv_bytes values[JV_CONSTRAINT_VALUES_MAX];
};

struct jv_custom_resource {
	struct jv_bytes name;
	int64_t amount;
};

struct jv_resources {
	int64_t cpu_millis;
	int64_t memory_bytes;
	int64_t disk_bytes;
	int64_t gpus;
	int64_t pids;
	uint32_t custom_count;
	struct jv_custom_resource custom[JV_CUSTOM_RESOURCES_MAX]; /* by name, ascending */
};

/* What scheduling reads of a spec. Tasks with equal shapes share one record. */
struct jv_shape_record {
	struct jv_bytes queue;
	struct jv_bytes executor;
	struct jv_resources resources;
	uint32_t constraint_count;
	struct jv_constraint constraints[JV_CONSTRAINTS_MAX];
	int64_t queued_timeout_ms; /* 0: none */
	uint32_t max_attempts;
	uint32_t max_lost;
	int64_t backoff_initial_ms;
	int64_t backoff_max_ms;
	uint32_t retry_on; /* a bit for each enum jv_failure */
	uint32_t exit_code_count;
	uint8_t exit_codes[JV_RETRY_EXIT_CODES_MAX];
	int64_t retention_ms;  /* of the finished task; 0: as its queue says */
	int64_t log_bytes_max; /* of one attempt, but for a mark; 0: not known, of old records */
	bool keep;             /* on_disconnect: KEEP. Since version 2 */
};

struct jv_label {
	struct jv_bytes key;
	struct jv_bytes value;
};

struct jv_node_record {
	struct jv_bytes name; /* in the key */
	uint8_t worker_id[16];
	uint8_t boot_id[16];
	struct jv_resources capacity;
	uint32_t label_count;
	struct jv_label labels[JV_LABELS_MAX];
	uint32_t executor_count;
	struct jv_bytes executors[JV_EXECUTORS_MAX];
	uint32_t attempts_max; /* at once; 0: no limit */
	bool lost;
	int64_t lost_ms; /* when its lease was found to be over; 0 if not lost */
	int64_t connect_ms;
	struct jv_bytes inventory; /* packed jarvis.v1.NodeInventory, opaque to the core */
};

/* The states of jarvis.v1.NodeState; the numbers are the same. */
enum jv_node_state { JV_NODE_READY = 1, JV_NODE_DISCONNECTED = 2, JV_NODE_LOST = 3 };

/* A change of a node; of one that was forgotten only the name is set. */
struct jv_node_event_record {
	struct jv_bytes name;
	bool removed;
	enum jv_node_state state; /* READY if removed */
	int64_t connect_ms;
	int64_t last_seen_ms; /* 0: not in that life of the server */
	struct jv_bytes inventory;
};

struct jv_log_record {
	uint64_t task;
	uint32_t attempt;
	int64_t offset;
	uint8_t stream; /* jarvis.v1.LogStream */
	bool truncated;
	int64_t time_ms;
	struct jv_bytes data;
};

struct jv_log_head_record {
	uint64_t task;
	uint32_t attempt;
	int64_t log_bytes;
};

#define JV_REQUEST_HASH_SIZE 16

/* The calls that take a request_id. */
enum jv_request_method {
	JV_REQUEST_OLD = 0, /* a submission, of a record of version 1 */
	JV_REQUEST_SUBMIT = 1,
	JV_REQUEST_CANCEL = 2,
};

struct jv_request_record {
	uint8_t hash[JV_REQUEST_HASH_SIZE]; /* of the request_id; in the key */
	enum jv_request_method method;
	uint64_t body_hash; /* of the request as it was sent; JV_REQUEST_OLD: of the whole spec */
	uint64_t task;
	int64_t time_ms;
	int64_t revision; /* of the first answer; 0 if not known */
	/* The first answer, if it cannot be made again from the request: the task, as the value of
	 * an event record of revision 0 and index 0. */
	struct jv_bytes answer;
};

#define JV_QUEUE_NAME_MAX 63
#define JV_TASK_NAME_MAX  128

/* The finished tasks of a queue that have an expiry record. */
struct jv_queue_record {
	struct jv_bytes name; /* in the key */
	int64_t tasks;
	int64_t bytes;
};

/* Where the log of a finished task is, so that most can be removed by their key. */
enum jv_log_spread {
	JV_LOG_NONE = 0,
	JV_LOG_ONE = 1, /* one chunk: the first of the last attempt */
	JV_LOG_MANY = 2,
};

/* All but bytes, attempt and spread is in the key. */
struct jv_expiry_record {
	struct jv_bytes queue; /* at most JV_QUEUE_NAME_MAX bytes */
	int64_t expire_ms;
	uint64_t task;
	int64_t bytes; /* what is counted for it in its queue's record */
	uint32_t attempt;
	enum jv_log_spread spread;
	/* What the task has entries for, so that they are removed with it. state 0: an older
	 * release, which did not note it. */
	uint8_t state;  /* enum jv_task_state, final */
	bool described; /* the spec has a name or labels */
	int32_t priority;
	int64_t finish_ms;
	struct jv_bytes node;
};

/* The kinds of entries: the second byte of their keys. They have no payload: the task is in their
 * key, behind the value that it has. */
enum jv_entry_kind {
	/* Terms: the hash of a condition that the task meets, so who finds it looks at it too. */
	JV_ENTRY_QUEUE = 1,
	JV_ENTRY_NODE = 2, /* present or last */
	JV_ENTRY_LABEL = 3,
	JV_ENTRY_STATE = 4, /* if FAILED or CANCELLED; the text is that one byte */
	/* 5 is none. */
	/* Orders: */
	JV_ENTRY_FINISH = 6,   /* final state, moment of the end */
	JV_ENTRY_PRIORITY = 7, /* if not 0 */
	JV_ENTRY_NAME = 8,     /* if it has one */
};

/* A condition. */
struct jv_term {
	enum jv_entry_kind kind;
	uint64_t hash;
};

/* value is for labels; else empty. */
struct jv_term jv_term(enum jv_entry_kind kind, struct jv_bytes text, struct jv_bytes value);

/* Tasks that are ASSIGNED to STOPPING, for lists: so many neighbours have one record, which is
 * written when what it says has changed, so those that come and go together cost little. */
#define JV_PLACED_PAGE 16

struct jv_placed_record {
	uint64_t last;    /* number of the page's last task: in the key */
	uint16_t members; /* bit 0: the page's first task; not 0 */
};

/* Encoders append to key and value, which the caller has cleared (asserted). Event: index tells
 * apart the changes of one revision. */
void jv_meta_encode(
	const struct jv_meta_record *record, struct jv_buffer *key, struct jv_buffer *value);
void jv_shape_encode(uint32_t id, const struct jv_shape_record *record, struct jv_buffer *key,
	struct jv_buffer *value);
void jv_task_encode(const struct jv_task_record *record, struct jv_buffer *key,
	struct jv_buffer *value); /* L or D, by state */
void jv_event_encode(const struct jv_task_record *record, int64_t revision, uint32_t index,
	struct jv_buffer *key, struct jv_buffer *value);
void jv_spec_encode(
	uint64_t task, struct jv_bytes spec, struct jv_buffer *key, struct jv_buffer *value);
void jv_log_encode(
	const struct jv_log_record *record, struct jv_buffer *key, struct jv_buffer *value);
void jv_log_head_encode(
	const struct jv_log_head_record *record, struct jv_buffer *key, struct jv_buffer *value);
void jv_node_encode(
	const struct jv_node_record *record, struct jv_buffer *key, struct jv_buffer *value);
void jv_node_event_encode(const struct jv_node_event_record *record, int64_t revision,
	struct jv_buffer *key, struct jv_buffer *value);
void jv_request_encode(
	const struct jv_request_record *record, struct jv_buffer *key, struct jv_buffer *value);
void jv_queue_encode(
	const struct jv_queue_record *record, struct jv_buffer *key, struct jv_buffer *value);
void jv_expiry_encode(
	const struct jv_expiry_record *record, struct jv_buffer *key, struct jv_buffer *value);

/* The payload of a shape alone, without envelope: equal shapes have equal bytes, so this is also
 * the key of the core's map of shapes. Constraints and lists are to be sorted by the caller;
 * custom resources (by name) and exit codes must ascend strictly, which is asserted. */
void jv_shape_encode_payload(const struct jv_shape_record *record, struct jv_buffer *payload);

/* The reverse. INVALID_ARGUMENT if it is not exactly one payload. Fields beyond a count are left as
 * they were: the record is large, and this is done for every placement. */
struct jv_status jv_shape_decode_payload(
	struct jv_bytes payload, struct jv_shape_record *record) JV_MUST_USE;

/* Decoders check the envelope; texts in the record are borrowed from key and value. */
struct jv_status jv_meta_decode(
	struct jv_bytes key, struct jv_bytes value, struct jv_meta_record *record) JV_MUST_USE;
struct jv_status jv_shape_decode(struct jv_bytes key, struct jv_bytes value, uint32_t *id,
	struct jv_shape_record *record) JV_MUST_USE;
struct jv_status jv_task_decode(struct jv_bytes key, struct jv_bytes value,
	struct jv_task_record *record) JV_MUST_USE; /* L or D */
struct jv_status jv_event_decode(struct jv_bytes key, struct jv_bytes value, int64_t *revision,
	uint32_t *index, struct jv_task_record *record) JV_MUST_USE;
struct jv_status jv_spec_decode(struct jv_bytes key, struct jv_bytes value, uint64_t *task,
	struct jv_bytes *spec) JV_MUST_USE;
struct jv_status jv_log_decode(
	struct jv_bytes key, struct jv_bytes value, struct jv_log_record *record) JV_MUST_USE;
struct jv_status jv_log_head_decode(
	struct jv_bytes key, struct jv_bytes value, struct jv_log_head_record *record) JV_MUST_USE;
struct jv_status jv_node_decode(
	struct jv_bytes key, struct jv_bytes value, struct jv_node_record *record) JV_MUST_USE;
struct jv_status jv_node_event_decode(struct jv_bytes key, struct jv_bytes value, int64_t *revision,
	struct jv_node_event_record *record) JV_MUST_USE;
struct jv_status jv_request_decode(
	struct jv_bytes key, struct jv_bytes value, struct jv_request_record *record) JV_MUST_USE;
struct jv_status jv_queue_decode(
	struct jv_bytes key, struct jv_bytes value, struct jv_queue_record *record) JV_MUST_USE;
struct jv_status jv_expiry_decode(
	struct jv_bytes key, struct jv_bytes value, struct jv_expiry_record *record) JV_MUST_USE;

void jv_placed_encode(
	const struct jv_placed_record *record, struct jv_buffer *key, struct jv_buffer *value);
struct jv_status jv_placed_decode(
	struct jv_bytes key, struct jv_bytes value, struct jv_placed_record *record) JV_MUST_USE;

/* Keys alone, for gets, scans and deletes. Each clears the buffer first. */
void jv_key_meta(struct jv_buffer *key);
void jv_key_shape(struct jv_buffer *key, uint32_t shape);
void jv_key_live(struct jv_buffer *key, uint64_t task);
void jv_key_done(struct jv_buffer *key, uint64_t task);
void jv_key_spec(struct jv_buffer *key, uint64_t task);
void jv_key_log_head(struct jv_buffer *key, uint64_t task);
void jv_key_log(struct jv_buffer *key, uint64_t task, uint32_t attempt, int64_t offset);
void jv_key_node(struct jv_buffer *key, struct jv_bytes name);
void jv_key_event(struct jv_buffer *key, int64_t revision, uint32_t index);
void jv_key_node_event(struct jv_buffer *key, int64_t revision);
void jv_key_request(struct jv_buffer *key, const uint8_t hash[JV_REQUEST_HASH_SIZE]);
void jv_key_queue(struct jv_buffer *key, struct jv_bytes name);
void jv_key_expiry(struct jv_buffer *key, struct jv_bytes queue, int64_t expire_ms, uint64_t task);
void jv_key_placed(struct jv_buffer *key, uint64_t task); /* of its page */

/* Of entries. */
void jv_key_term(struct jv_buffer *key, struct jv_term term, uint64_t task);
void jv_key_finish(
	struct jv_buffer *key, enum jv_task_state state, int64_t finish_ms, uint64_t task);
void jv_key_priority(struct jv_buffer *key, int32_t priority, uint64_t task);
/* name: 1..128 bytes, none of them 0. */
void jv_key_name(struct jv_buffer *key, struct jv_bytes name, uint64_t task);
/* The value of an entry with that key. */
void jv_entry_encode(const struct jv_buffer *key, struct jv_buffer *value);
/* What a key holds beside its task, lent. */
struct jv_status jv_entry_decode(struct jv_bytes key, struct jv_bytes value,
	enum jv_entry_kind *kind, struct jv_bytes *held, uint64_t *task) JV_MUST_USE;

/* Appends what a key names, for messages: "live task 42", "node n1"; hexadecimal if it names
 * nothing. */
void jv_key_describe(struct jv_bytes key, struct jv_buffer *text);

static inline bool jv_task_state_final(enum jv_task_state state)
{
	return state >= JV_TASK_SUCCEEDED;
}

#endif
