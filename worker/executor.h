/*
 * Executors: the narrow vtable behind which tasks run.
 *
 * An executor starts, stops and removes executions (one attempt of one task each), captures their
 * output, and finds again after a restart what it had started before. It never blocks: it has a
 * descriptor that the worker's loop (one thread) polls, and tells what happened through its sink,
 * on that thread, from `dispatch` or `recover` only: never from inside start, stop or remove. The
 * same vtable is implemented by the runc executor, the no-op executor and the simulator's runtime.
 * Times are milliseconds since the epoch.
 */
#ifndef JV_WORKER_EXECUTOR_H
#define JV_WORKER_EXECUTOR_H

#include "base/bytes.h"
#include "base/status.h"
#include "jarvis/v1/task.pb-c.h"
#include "jarvis/v1/worker.pb-c.h"

#define JV_EXECUTOR_ABI_VERSION 3
#define JV_TASK_ID_MAX          32
#define JV_PROGRESS_MAX         256 /* with the NUL at its end */

/* Names an execution; an executor never starts the same one twice. */
struct jv_execution_id {
	char task[JV_TASK_ID_MAX]; /* such as t-42 */
	int32_t attempt;
};

/* Why an execution was ended from outside; the first cause stays. Numbers are never used anew:
 * executors keep them on the disk. */
enum jv_stop_cause {
	JV_STOP_NONE = 0,
	JV_STOP_SERVER = 1,   /* the server asked for it */
	JV_STOP_LEASE = 2,    /* the lease was over */
	JV_STOP_STARTING = 3, /* time-outs */
	JV_STOP_RUNNING = 4,
	JV_STOP_NO_OUTPUT = 5
};

/* What of an execution is known; log_bytes only grows. */
struct jv_execution_result {
	enum jv_stop_cause stopped_for;    /* NONE: it ended by itself */
	Jarvis__V1__FailureReason failure; /* UNSPECIFIED: it ran, and exited with 0 */
	int32_t exit_code;
	int32_t signal;
	int64_t start_ms; /* 0: the process never started */
	int64_t finish_ms;
	int64_t log_bytes; /* final */
	int64_t cpu_micros;
	int64_t memory_peak_bytes;
	int64_t throttled_periods;
	int64_t oom_kills;
	char message[512]; /* for people; "" if there is nothing to say */
};

/* A piece of captured output, as jarvis.v1.LogChunk. data is lent until the next call. */
struct jv_output_chunk {
	Jarvis__V1__LogStream stream;
	int64_t offset;
	int64_t time_ms;
	bool truncated;       /* the line that says that the rest was dropped */
	struct jv_bytes data; /* never empty */
};

/* What the executor tells; each function runs on the worker's thread. */
struct jv_executor_sink {
	/* The process runs. */
	void (*started)(void *context, const struct jv_execution_id *id, int64_t start_ms);
	/* What it waits for before it starts, in words for people: UTF-8, at most 255 bytes. May be
	 * told as often as it changes; the server hears of it now and then. */
	void (*progress)(void *context, const struct jv_execution_id *id, const char *text);
	/* There are log_bytes of output now. The same number again: it prints what cannot be read
	 * yet, for its log has come to its limit. */
	void (*output)(void *context, const struct jv_execution_id *id, int64_t log_bytes);
	/* It has ended; nothing of it is left but its output and this result, until remove. */
	void (*finished)(void *context, const struct jv_execution_id *id,
		const struct jv_execution_result *result);
	void *context;
};

/* One execution found by recover. */
struct jv_execution_found {
	struct jv_execution_id id;
	const Jarvis__V1__TaskSpec *spec; /* lent */
	bool running;                     /* started already */
	int64_t start_ms;
	int64_t log_bytes;
	enum jv_stop_cause stopped_for;           /* NONE: nobody has begun to end it */
	const struct jv_execution_result *result; /* set if it has ended */
};

struct jv_executor;

struct jv_executor_operations {
	uint32_t abi_version;
	const char *name; /* as TaskSpec.executor says it */
	/* Begins to prepare and run. Never fails at once: whatever goes wrong is told by
	 * `finished`. spec is lent during the call. */
	void (*start)(struct jv_executor *executor, const struct jv_execution_id *id,
		const Jarvis__V1__TaskSpec *spec);
	/* Asks for the end: TERM to its init, or (kill) KILL to all of it. Harmless if it has
	 * ended. The first cause (never NONE) is kept as long as the execution is, and before
	 * anything is sent: whatever happens to this process, recover and the result tell it. */
	void (*stop)(struct jv_executor *executor, const struct jv_execution_id *id, bool kill,
		enum jv_stop_cause cause);
	/* Reads output from an offset on: false if there is none (yet). A chunk is at most 64 KiB.
	 */
	bool (*read_output)(struct jv_executor *executor, const struct jv_execution_id *id,
		int64_t offset, struct jv_output_chunk *chunk);
	/* Forgets it: its output and result are no longer wanted. If it still runs it is killed
	 * first. Nothing is told of it any more. */
	void (*remove)(struct jv_executor *executor, const struct jv_execution_id *id);
	/* Calls found for each execution that outlived the last process; to be called once, before
	 * start. */
	void (*recover)(struct jv_executor *executor,
		void (*found)(void *context, const struct jv_execution_found *execution),
		void *context);
	/* A descriptor that becomes readable when dispatch has something to do, but for what start,
	 * stop and remove have left it: it is called after those anyway. -1 if it needs none. */
	int (*descriptor)(struct jv_executor *executor);
	/* Does what is due. Returns the monotonic time in milliseconds when it wants to be called
	 * again; INT64_MAX: only when its descriptor says so, or after start, stop or
	 * remove. */
	int64_t (*dispatch)(struct jv_executor *executor, int64_t now_ms);
	/* Stops polling and frees memory. What runs goes on running, to be found by recover. */
	void (*close)(struct jv_executor *executor);
};

/* Executors embed this first. */
struct jv_executor {
	const struct jv_executor_operations *operations;
	struct jv_executor_sink sink;
};

#endif
