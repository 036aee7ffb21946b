/*
 * Executors with keepers: what the runc and the process executor have in common.
 *
 * Each execution has a keeper process (worker/shim) that outlives the worker: it holds output and
 * exit status, and the next worker adopts it by recover. A struct jv_keep starts keepers, watches
 * their directories (inotify) and lives (pidfd), reads what they leave and cleans up after those
 * that died; its variant says what a keeper is to run. docs/architecture.md has the layout of the
 * state directory.
 *
 * A task's stop is reported as what the kernel saw (SIGNAL 15 or 9, or an exit code), and why it
 * was asked for: that is written into the attempt's directory before the signal is sent. An
 * execution that is stopped before it has started finishes with EXECUTOR.
 *
 * An execution lives in one table from start (or recover) until remove and the end of its keeper.
 * Nothing is freed while the dispatch that may still point to it runs. Worker's thread only.
 */
#ifndef JV_WORKER_KEEP_KEEP_H
#define JV_WORKER_KEEP_KEEP_H

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "worker/executor.h"
#include "worker/keep/process.h"
#include "worker/shim/attempt.h"
#include "worker/shim/cgroup.h"
#include "worker/shim/lease.h"
#include "worker/shim/output.h"

#define JV_EXECUTION_KEY_MAX (JV_TASK_ID_MAX + 16)

/* Directories in the state directory. */
#define JV_KEEP_ATTEMPTS "attempts"
#define JV_KEEP_TRASH    "trash"
#define JV_KEEP_SPARES   "spares"
/* How many directories of ended attempts are kept for the next ones, and from how many on they are
 * used again, in turn, so that each rests a while. */
#define JV_KEEP_SPARES_MAX   32
#define JV_KEEP_SPARES_LEAST 16
/* Of an attempt that has not been started yet. */
#define JV_KEEP_FRESH ".new."

#define JV_KEEP_DEFAULT_CGROUP_PARENT "/jarvis"

enum jv_execution_phase {
	JV_EXECUTION_WAITING,  /* for its variant, or its turn; it has no directory */
	JV_EXECUTION_KEPT,     /* its keeper was started */
	JV_EXECUTION_CLEANING, /* its keeper is gone without a result */
	JV_EXECUTION_FINISHED,
};

/* News of an attempt's directory. */
enum {
	JV_NEWS_STARTED = 1,
	JV_NEWS_OUTPUT = 2,
	JV_NEWS_RESULT = 4,
	JV_NEWS_ALL = 7,
	JV_NEWS_TAIL = 8, /* it prints what cannot be read yet */
};

struct jv_keep;

/* Variants embed this first. */
struct jv_execution {
	char key[JV_EXECUTION_KEY_MAX]; /* task.attempt: directory, container and cgroup */
	struct jv_execution_id id;
	struct jv_keep *keep;
	enum jv_execution_phase phase;
	struct jv_buffer spec; /* packed; emptied once the keeper has started */
	struct jv_list link;   /* in keep->ready, cleaning or leaving, or a list of the variant */
	struct jv_list dirty;  /* in keep->dirty: something is to be looked at or told */
	unsigned news;
	int watch; /* inotify; -1: none */
	struct jv_source keeper;
	int keeper_status; /* as of waitpid, once keeper.fd is -1; -1: unknown */
	int output_fd;
	struct jv_output_extent extent;
	bool printing; /* since it was told last */
	struct jv_output_cursor cursor;
	bool starting; /* counted in keep->starting */
	bool killed;   /* its keeper was told to kill it */
	bool started;
	bool told_started;
	bool told_finished;
	enum jv_stop_cause stopped_for; /* as its file `stop` says */
	bool removed;                   /* nobody wants to hear of it any more */
	int64_t start_ms;
	int64_t pid; /* of the task's first process; 0: not known */
	int64_t told_bytes;
	int64_t clean_deadline_ms;
	struct jv_execution_result result; /* set once FINISHED */
	UT_hash_handle hh;                 /* keep->by_key */
	UT_hash_handle hh_watch;           /* keep->by_watch */
};

/* Everything that a launch needs at hand, and forgets when it is over. */
struct jv_launch {
	struct jv_execution *execution;
	Jarvis__V1__TaskSpec *spec;
	struct jv_arena arena; /* of the plan's texts */
	struct jv_attempt_plan plan;
	struct jv_buffer config;           /* may hold plan.config */
	int directory;                     /* the attempt's; -1 before it is made */
	Jarvis__V1__FailureReason failure; /* if the launch fails now */
};

/* What makes the difference. */
struct jv_keep_variant {
	struct jv_executor_operations operations; /* all of them jv_keep_operations, but for name */
	size_t execution_size;
	/* Each keeper is the init of a PID namespace, so that all it has started dies with it,
	 * however it dies. Takes root. */
	bool own_pids;
	/* A new execution: calls jv_execution_ready or jv_execution_fail, now or later. spec is
	 * lent. */
	void (*admit)(struct jv_execution *execution, const Jarvis__V1__TaskSpec *spec);
	/* Says what the keeper is to do: fills the plan, whose id, cgroup, spec, log limit and
	 * lease are set. launch->failure is EXECUTOR unless it says otherwise. */
	struct jv_status (*plan)(struct jv_launch *launch);
	/* Makes more in the attempt's directory; may be NULL. */
	struct jv_status (*fill)(struct jv_launch *launch);
	/* After the keeper's death: kills what is left of the execution outside of its control
	 * group, and returns how many were found; may be NULL. */
	uint32_t (*kill_left)(struct jv_execution *execution);
	/* It was found, ended or not, with this plan, which an earlier worker made; may be NULL.
	 * plan is lent. */
	void (*found)(struct jv_execution *execution, const struct jv_attempt_plan *plan);
	/* It has ended, and needs nothing of the variant any more; may come again, and be NULL. */
	void (*release)(struct jv_execution *execution);
	/* Does what else is due; returns when it wants to be called again, as the executor's
	 * dispatch does. May be NULL. */
	int64_t (*dispatch)(struct jv_keep *keep);
	/* The execution is about to be freed; may be NULL. */
	void (*forget)(struct jv_execution *execution);
	/* Frees what the variant has, and itself but for what jv_keep_deinit frees. */
	void (*free)(struct jv_keep *keep);
};

/* Variants embed this first. */
struct jv_keep {
	struct jv_executor base; /* first */
	const struct jv_keep_variant *variant;
	char *state; /* paths, absolute */
	char *attempts;
	char *lease; /* or "" */
	char *shim;
	char *cgroup_root;   /* "": no control groups */
	char *cgroup_parent; /* this state directory's own */
	uint8_t boot_id[JV_BOOT_ID_SIZE];
	bool rebooted;  /* what recover finds was started in an earlier boot of the machine */
	int program_fd; /* what keepers execute, as JV_ATTEMPT_PROGRAM_FD; -1: none; borrowed */
	int lock_fd;
	int attempts_fd;
	int trash_fd;
	int spares_fd;
	int epoll;
	struct jv_source inotify;
	struct jv_source zygote; /* pidfd */
	int zygote_fd;           /* its socket; -1: there is none */
	uint32_t starting;
	uint32_t starting_max;
	uint64_t trash_count;
	uint32_t spare_first;
	uint32_t spare_count;
	struct jv_execution *by_key;
	struct jv_execution *by_watch;
	struct jv_list ready;    /* wait for their turn to be started */
	struct jv_list cleaning; /* phase CLEANING */
	struct jv_list leaving;  /* phase FINISHED, with a keeper that is about to end */
	struct jv_list dirty;
	uint8_t chunk[JV_OUTPUT_DATA_MAX]; /* of the last read_output */
};

/* Everything is borrowed during init only. */
struct jv_keep_options {
	const char *state_directory; /* absolute; made if missing; one executor each */
	const char *shim;            /* path of jarvis-shim */
	const char *cgroup_root;     /* NULL: no control groups */
	const char *cgroup_parent;   /* each state directory has a group of its own below it */
	const char *lease;           /* as jv_attempt_plan has it; NULL: none */
	uint32_t starting_max;       /* 0: the number of CPUs, at least 2 */
};

/* open.c */
/* Sets everything to "not open", so that the variant may be freed from here on. */
void jv_keep_init(struct jv_keep *keep, const struct jv_keep_variant *variant);
/* Makes and locks the state directory and opens what watches it. ALREADY_EXISTS if another worker
 * uses it. */
struct jv_status jv_keep_open(
	struct jv_keep *keep, const struct jv_keep_options *options) JV_MUST_USE;
/* Frees all of it but the struct; no execution may be left. Also one that is only half open. */
void jv_keep_deinit(struct jv_keep *keep);
/* All attempts of earlier boots are dealt with. */
void jv_keep_settled(struct jv_keep *keep);
/* A malloc'ed "directory/name". */
char *jv_keep_path(const char *directory, const char *name);

/* keep.c */
/* The operations that every variant has, under its name. */
#define JV_KEEP_OPERATIONS(variant_name)                                                          \
	{                                                                                         \
		.abi_version = JV_EXECUTOR_ABI_VERSION, .name = (variant_name),                   \
		.start = jv_keep_start, .stop = jv_keep_stop, .read_output = jv_keep_read_output, \
		.remove = jv_keep_remove, .recover = jv_keep_recover,                             \
		.descriptor = jv_keep_descriptor, .dispatch = jv_keep_dispatch,                   \
		.close = jv_keep_close                                                            \
	}
void jv_keep_start(struct jv_executor *executor, const struct jv_execution_id *id,
	const Jarvis__V1__TaskSpec *spec);
void jv_keep_stop(struct jv_executor *executor, const struct jv_execution_id *id, bool kill,
	enum jv_stop_cause cause);
bool jv_keep_read_output(struct jv_executor *executor, const struct jv_execution_id *id,
	int64_t offset, struct jv_output_chunk *chunk);
void jv_keep_remove(struct jv_executor *executor, const struct jv_execution_id *id);
int jv_keep_descriptor(struct jv_executor *executor);
int64_t jv_keep_dispatch(struct jv_executor *executor, int64_t now_ms);
void jv_keep_close(struct jv_executor *executor);
/* Opens epoll and inotify. */
struct jv_status jv_keep_open_events(struct jv_keep *keep) JV_MUST_USE;

/* recover.c */
void jv_keep_recover(struct jv_executor *executor,
	void (*found)(void *context, const struct jv_execution_found *execution), void *context);

/* execution.c */
struct jv_execution *jv_execution_new(struct jv_keep *keep, const struct jv_execution_id *id);
struct jv_execution *jv_execution_find(struct jv_keep *keep, const struct jv_execution_id *id);
/* Closes and frees it, and removes its directory if it is `removed`. */
void jv_execution_free(struct jv_execution *execution);
/* Has it launched when it is its turn. */
void jv_execution_ready(struct jv_execution *execution);
/* Has it looked at by the next dispatch. */
void jv_execution_note(struct jv_execution *execution, unsigned news);
/* Ends it with a failure of ours; told by the next dispatch. */
void jv_execution_fail(
	struct jv_execution *execution, Jarvis__V1__FailureReason failure, const char *message);
/* Watches its directory. */
struct jv_status jv_execution_watch(struct jv_execution *execution) JV_MUST_USE;
/* Takes the pidfd of its keeper. */
struct jv_status jv_execution_keep(struct jv_execution *execution, int pidfd) JV_MUST_USE;
/* Reaps a keeper that has been waited for, if it has ended; if not, it is the next one's turn. */
void jv_keep_reap(struct jv_keep *keep);
/* Reads what its directory tells, and tells it on. The sink may remove the execution, which then
 * lives until the dispatch is over. */
void jv_execution_look(struct jv_execution *execution);
/* Takes the whole log's extent and the result file; true if there is a result. */
bool jv_execution_read_result(struct jv_execution *execution);
void jv_execution_read_started(struct jv_execution *execution);
void jv_execution_read_output(struct jv_execution *execution);
/* Its file `stop`, for the first cause of its end; without a directory the cause is known as long
 * as this process lives. */
void jv_execution_write_stop(struct jv_execution *execution, enum jv_stop_cause cause);
void jv_execution_read_stop(struct jv_execution *execution);
/* The limit of its output, as its keeper was told. False if that cannot be read. */
bool jv_execution_read_limit(const struct jv_execution *execution, int64_t *log_bytes_max);
void jv_execution_release_turn(struct jv_execution *execution);

/* launch.c */
/* Makes the attempt's directory and starts its keeper; a failure ends the execution. */
void jv_execution_launch(struct jv_execution *execution);

/* zygote.c */
/* Starts the keeper of an attempt, whose lock the caller holds too; *pidfd is the caller's.
 * UNAVAILABLE: somebody has killed or stopped the zygote, which is gone by now; the keeper may run
 * or not, and holds the lock if it does. */
struct jv_status jv_zygote_fork(
	struct jv_keep *keep, const char *key, int lock, int *pidfd) JV_MUST_USE;
/* Harmless if there is none. Keepers stay. */
void jv_zygote_stop(struct jv_keep *keep);

/* spare.c */
/* Empties a directory of the trash and keeps it; false if it is not kept, and is to be removed. */
bool jv_spare_put(struct jv_keep *keep, const char *trash);
/* Gives one of them this name below the attempts. Its files may be there already: the keeper's and
 * the output's are empty, the others are written over before they have a name that is read. False
 * if there is none. */
bool jv_spare_take(struct jv_keep *keep, const char *fresh);

/* clean.c */
/* After the keeper's death: begins to end what it kept. */
void jv_execution_clean(struct jv_execution *execution, const char *cause);
/* Goes on with it; false if it must be called again. */
bool jv_execution_clean_more(struct jv_execution *execution);
/* Removes what a keeper that has died behind its result has left of its control group. */
void jv_execution_clear_cgroup(const struct jv_execution *execution);
/* Removes cgroups and directories that belong to no execution. */
void jv_keep_sweep(struct jv_keep *keep);

#endif
