/*
 * The C ABI of executors that are loaded as shared objects, version 1.
 *
 * A plugin is a shared object that exports jarvis_executor_plugin(). A worker whose configuration
 * names it (`plugins`) loads it at its start and offers it to tasks under its name. This header is
 * all that a plugin needs of Jarvis: plain C, no other header of it. docs/executors.md tells how to
 * write one; docs/examples/executor is one.
 *
 * Threads: every function of a plugin is called on one thread of the worker, and must not block.
 * What the host offers may be called on that thread only, from within dispatch and recover; log
 * also from anywhere else on it. A plugin that has threads of its own wakes the worker through its
 * descriptor.
 *
 * Ownership: what either side passes is borrowed until the called function returns, unless said
 * otherwise. Texts end with a NUL and are UTF-8.
 *
 * Growth: fields are only ever added behind the others, and every struct says its own size, so that
 * a later minor addition breaks nobody. A change that does gets a new version, and the worker says
 * which ones it knows.
 *
 * What a plugin says is checked: an execution that was not started, an end that comes twice, a
 * piece of output that is too large or not where it was asked for are logged as the plugin's
 * fault (plugin.fault) and fail that task at most. A plugin that writes where it should not, or
 * never returns, harms the worker all the same: it is part of its process.
 *
 * Times are milliseconds since the epoch, unless they are called monotonic (CLOCK_BOOTTIME).
 */
#ifndef JV_WORKER_EXECUTOR_ABI_H
#define JV_WORKER_EXECUTOR_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define JARVIS_EXECUTOR_ABI_VERSION 1

#define JARVIS_TASK_ID_MAX     32    /* with its NUL */
#define JARVIS_NAME_MAX        63    /* of an executor: a-z, 0-9 and - */
#define JARVIS_OUTPUT_DATA_MAX 65536 /* of one piece */

/* Names one attempt of one task; none is ever started twice. */
struct jarvis_execution_id {
	char task[JARVIS_TASK_ID_MAX];
	int32_t attempt;
};

struct jarvis_pair {
	const char *key;
	const char *value;
};

enum jarvis_network { JARVIS_NETWORK_NONE = 1, JARVIS_NETWORK_HOST = 2 };

struct jarvis_mount {
	const char *source;
	const char *target;
	bool writable;
};

/* What a task asks for. A plugin that cannot give something ends the execution with
 * JARVIS_FAILURE_REJECTED and a message that names the field; it never leaves it out. */
struct jarvis_task {
	size_t size; /* of this struct, as the host knows it */
	const char *name;
	const char *image; /* "": none */
	const char *const *command;
	size_t command_count;
	const char *const *arguments; /* behind the command */
	size_t argument_count;
	const struct jarvis_pair *environment;
	size_t environment_count;
	const struct jarvis_pair *labels;
	size_t label_count;
	const struct jarvis_mount *mounts;
	size_t mount_count;
	const char *working_directory; /* "": the executor's choice, as user */
	const char *user;
	int32_t network; /* enum jarvis_network */
	bool read_only_root;
	int64_t cpu_millis; /* limits; 0: none */
	int64_t memory_bytes;
	int64_t disk_bytes;
	int64_t pids;
	int64_t log_bytes_max; /* what is behind it should be dropped; 0: no limit */
};

/* Why an execution failed; the numbers are those of jarvis.v1.FailureReason. */
enum jarvis_failure {
	JARVIS_FAILURE_NONE = 0,
	JARVIS_FAILURE_EXIT_CODE = 1,
	JARVIS_FAILURE_SIGNAL = 2,
	JARVIS_FAILURE_OUT_OF_MEMORY = 3,
	JARVIS_FAILURE_IMAGE = 9,
	JARVIS_FAILURE_COMMAND = 10,
	JARVIS_FAILURE_REJECTED = 11,
	JARVIS_FAILURE_EXECUTOR = 12
};

/* How an execution ended. */
struct jarvis_result {
	size_t size;       /* of this struct, as the plugin knows it */
	int32_t failure;   /* enum jarvis_failure */
	int32_t exit_code; /* 0..255 */
	int32_t signal;    /* 0: none */
	int64_t start_ms;  /* 0: it never started */
	int64_t finish_ms;
	int64_t log_bytes; /* of output, all of it; it can be read until remove */
	int64_t cpu_micros;
	int64_t memory_peak_bytes;
	const char *message; /* one sentence for people, or NULL */
};

enum jarvis_stream { JARVIS_STDOUT = 1, JARVIS_STDERR = 2 };

/* A piece of output. */
struct jarvis_output {
	size_t size;    /* of this struct, as the host knows it */
	int32_t stream; /* enum jarvis_stream */
	int64_t offset; /* of its first byte, over both streams: what was asked for */
	int64_t time_ms;
	bool truncated;      /* the line that says that the rest was dropped */
	const uint8_t *data; /* the plugin's, lent until its next function is called */
	size_t data_size;    /* 1..JARVIS_OUTPUT_DATA_MAX */
};

/* One execution that outlived the last worker, for recover. */
struct jarvis_found {
	size_t size;
	struct jarvis_execution_id id;
	bool running; /* it has started, and not ended */
	int64_t start_ms;
	int64_t log_bytes;
	const struct jarvis_result *result; /* set if it has ended */
};

enum jarvis_log_level {
	JARVIS_LOG_DEBUG = 0,
	JARVIS_LOG_INFO = 1,
	JARVIS_LOG_WARN = 2,
	JARVIS_LOG_ERROR = 3
};

/* What the worker offers. Lives as long as the executor is open. */
struct jarvis_host {
	size_t size;
	uint32_t abi_version;
	void *context; /* the first argument of every function below */
	/* The process runs. */
	void (*started)(void *context, const struct jarvis_execution_id *id, int64_t start_ms);
	/* What it waits for before it starts, in words for people: at most 255 bytes. */
	void (*progress)(void *context, const struct jarvis_execution_id *id, const char *text);
	/* There are log_bytes of output now; more than before. */
	void (*output)(void *context, const struct jarvis_execution_id *id, int64_t log_bytes);
	/* It has ended, once, and nothing of it is left but its output, until remove. */
	void (*finished)(void *context, const struct jarvis_execution_id *id,
		const struct jarvis_result *result);
	/* One line in the worker's log. Never values of the environment. */
	void (*log)(void *context, enum jarvis_log_level level, const char *text);
};

/* The file named by jarvis_open.lease, in this machine's order: until when tasks of this worker may
 * run, whatever becomes of it. What outlives the worker must end them then. */
struct jarvis_lease {
	uint8_t boot_id[16]; /* /proc/sys/kernel/random/boot_id; of another boot it says nothing */
	int64_t until_ms;    /* monotonic; 0: there was none yet */
	uint64_t reserved;
};

/* What an executor is opened with. */
struct jarvis_open {
	size_t size;
	const char *state_directory;       /* absolute, made, and this executor's alone */
	const char *lease;                 /* path of a struct jarvis_lease */
	const struct jarvis_pair *options; /* as the configuration has them */
	size_t option_count;
};

struct jarvis_executor; /* the plugin's own */

struct jarvis_plugin {
	size_t size;
	uint32_t abi_version; /* JARVIS_EXECUTOR_ABI_VERSION */
	const char *name;     /* what it is, for the log */
	/* Opens an executor. NULL: it cannot, and error (of error_size bytes) says why and what to
	 * do. Unknown options are an error. May block. */
	struct jarvis_executor *(*open)(const struct jarvis_host *host,
		const struct jarvis_open *open, char *error, size_t error_size);
	/* Begins to run a task. Whatever goes wrong is told by `finished`, later. */
	void (*start)(struct jarvis_executor *executor, const struct jarvis_execution_id *id,
		const struct jarvis_task *task);
	/* Asks for the end: TERM, or (kill) at once and all of it. Harmless if it has ended. */
	void (*stop)(
		struct jarvis_executor *executor, const struct jarvis_execution_id *id, bool kill);
	/* Fills a piece of output from an offset on; false: there is none (yet). */
	bool (*read_output)(struct jarvis_executor *executor, const struct jarvis_execution_id *id,
		int64_t offset, struct jarvis_output *output);
	/* Forgets it, with its output; what still runs is killed first. Nothing is told of it any
	 * more. */
	void (*remove)(struct jarvis_executor *executor, const struct jarvis_execution_id *id);
	/* Calls found for each execution that outlived the last worker. Whatever is not found must
	 * not be running any more: its task is tried anew. NULL: nothing ever outlives a worker. */
	void (*recover)(struct jarvis_executor *executor,
		void (*found)(void *context, const struct jarvis_found *execution), void *context);
	/* A descriptor that is readable when dispatch has something to do, such as an epoll set;
	 * -1: none. Asked for once. NULL: none. */
	int (*descriptor)(struct jarvis_executor *executor);
	/* Does what is due, and tells it. Returns the monotonic time when it wants to be called
	 * again; INT64_MAX: only when its descriptor says so, or after another function. */
	int64_t (*dispatch)(struct jarvis_executor *executor, int64_t now_ms);
	/* Frees it. What runs goes on only if recover will find it. */
	void (*close)(struct jarvis_executor *executor);
};

/* What a plugin exports, by this name. host_version is the latest that the worker knows; a plugin
 * that does not know it may return an older struct, or NULL. The struct stays for good. */
#define JARVIS_EXECUTOR_SYMBOL "jarvis_executor_plugin"
const struct jarvis_plugin *jarvis_executor_plugin(uint32_t host_version);

#ifdef __cplusplus
}
#endif

#endif
