/*
 * Inside of the runc executor: its structs, and the functions that its files share.
 *
 * An execution lives in one table from start (or recover) until remove and the end of its keeper.
 * Nothing is freed while the dispatch that may still point to it runs. Worker's thread only.
 */
#ifndef JV_WORKER_RUNC_PRIVATE_H
#define JV_WORKER_RUNC_PRIVATE_H

#include "base/list.h"
#include "base/map.h"
#include "worker/runc/bundle.h"
#include "worker/runc/probe.h"
#include "worker/runc/process.h"
#include "worker/runc/runc.h"
#include "worker/shim/attempt.h"
#include "worker/shim/cgroup.h"
#include "worker/shim/output.h"

#define JV_EXECUTION_KEY_MAX (JV_TASK_ID_MAX + 16)

/* Directories in the state directory. */
#define JV_RUNC_ATTEMPTS "attempts"
#define JV_RUNC_TRASH    "trash"
#define JV_RUNC_IMAGES   "images"
#define JV_RUNC_SCRATCH  "scratch" /* empty; where each keeper mounts its own tmpfs */
/* Of an attempt that has not been started yet. */
#define JV_RUNC_FRESH ".new."

enum jv_execution_phase {
	JV_EXECUTION_WAITING,  /* for its image, or its turn; it has no directory */
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
};

struct jv_runc;

struct jv_execution {
	char key[JV_EXECUTION_KEY_MAX]; /* task.attempt: directory, container and cgroup */
	struct jv_execution_id id;
	struct jv_runc *runc;
	enum jv_execution_phase phase;
	struct jv_buffer spec; /* packed; emptied once the keeper has started */
	struct jv_image *image;
	struct jv_list link;  /* in image->waiters, runc->ready or runc->cleaning */
	struct jv_list dirty; /* in runc->dirty: something is to be looked at or told */
	unsigned news;
	int watch; /* inotify; -1: none */
	struct jv_source keeper;
	int keeper_status; /* as of waitpid, once keeper.fd is -1; -1: unknown */
	int output_fd;
	struct jv_output_extent extent;
	struct jv_output_cursor cursor;
	bool starting; /* counted in runc->starting */
	bool started;
	bool told_started;
	bool told_finished;
	enum jv_stop_cause stopped_for; /* as its file `stop` says */
	bool removed;                   /* nobody wants to hear of it any more */
	int64_t start_ms;
	int64_t told_bytes;
	int64_t clean_deadline_ms;
	struct jv_execution_result result; /* set once FINISHED */
	UT_hash_handle hh;                 /* runc->by_key */
	UT_hash_handle hh_watch;           /* runc->by_watch */
};

struct jv_runc {
	struct jv_executor base; /* first */
	struct jv_probe probe;
	char description[160];
	char *state; /* paths, absolute */
	char *attempts;
	char *scratch;
	char *lease; /* or "" */
	char *shim;
	char *init;
	char *cgroup_root;
	char *cgroup_parent; /* this state directory's own */
	int lock_fd;
	int attempts_fd;
	int trash_fd;
	int epoll;
	struct jv_source inotify;
	struct jv_source wake; /* eventfd: something is to be done that no descriptor tells */
	struct jv_images images;
	struct jv_bundle_settings settings;
	struct jv_mount_rule *mounts;
	size_t mount_count;
	struct jv_image_name *image_names;
	const char **allowed_images;
	uint32_t starting;
	uint32_t starting_max;
	uint64_t trash_count;
	struct jv_execution *by_key;
	struct jv_execution *by_watch;
	struct jv_list ready;    /* wait for their turn to be started */
	struct jv_list cleaning; /* phase CLEANING */
	struct jv_list dirty;
	uint8_t chunk[JV_OUTPUT_DATA_MAX]; /* of the last read_output */
};

/* execution.c */
struct jv_execution *jv_execution_new(struct jv_runc *runc, const struct jv_execution_id *id);
struct jv_execution *jv_execution_find(struct jv_runc *runc, const struct jv_execution_id *id);
/* Closes and frees it, and removes its directory if it is `removed`. */
void jv_execution_free(struct jv_execution *execution);
/* Has it looked at by the next dispatch. */
void jv_execution_note(struct jv_execution *execution, unsigned news);
/* Ends it with a failure of ours; told by the next dispatch. */
void jv_execution_fail(
	struct jv_execution *execution, Jarvis__V1__FailureReason failure, const char *message);
/* Watches its directory. */
struct jv_status jv_execution_watch(struct jv_execution *execution) JV_MUST_USE;
/* Takes the pidfd of its keeper. */
struct jv_status jv_execution_keep(struct jv_execution *execution, int pidfd) JV_MUST_USE;
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
void jv_execution_release_turn(struct jv_execution *execution);

/* launch.c */
/* Makes the attempt's directory and starts its keeper; a failure ends the execution. */
void jv_execution_launch(struct jv_execution *execution);

/* clean.c */
/* After the keeper's death: begins to end what it kept. */
void jv_execution_clean(struct jv_execution *execution, const char *cause);
/* Goes on with it; false if it must be called again. */
bool jv_execution_clean_more(struct jv_execution *execution);
/* Removes cgroups and directories that belong to no execution. */
void jv_runc_sweep(struct jv_runc *runc);

/* runc.c */
extern const struct jv_executor_operations jv_runc_operations;
/* Opens epoll, inotify and the images. */
struct jv_status jv_runc_open_events(struct jv_runc *runc) JV_MUST_USE;

/* open.c */
/* Frees it when no execution is left; also one that is only half open. */
void jv_runc_free(struct jv_runc *runc);

/* recover.c */
void jv_runc_recover(struct jv_executor *executor,
	void (*found)(void *context, const struct jv_execution_found *execution), void *context);

#endif
