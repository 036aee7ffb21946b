/*
 * The keeper of one task: what jarvis-shim is made of.
 *
 * One process, one thread. It keeps a container, or a plain process of the host (jv_plain), for
 * which there is nothing to mount and no runtime. It makes the container's root file system in a
 * mount namespace of its own (so that every mount dies with it), lets the runtime start the
 * container, pumps its output into the attempt's directory, waits for its end, reads the kernel's
 * counters, removes everything but output and result, and ends. Signals from the worker: TERM asks
 * the container's init, or the process' group, to end, USR1 kills all of it. It kills all of it by
 * itself when the worker's lease is over. The working directory is the attempt's.
 */
#ifndef JV_WORKER_SHIM_KEEPER_H
#define JV_WORKER_SHIM_KEEPER_H

#include <sys/types.h>
#include <unistd.h>

#include "base/arena.h"
#include "worker/shim/attempt.h"
#include "worker/shim/cgroup.h"
#include "worker/shim/disk.h"
#include "worker/shim/lease.h"
#include "worker/shim/output.h"
#include "worker/shim/plain.h"

#define JV_KEEPER_HEAD_MAX 512

struct jv_keeper {
	const char *directory; /* the attempt's, absolute */
	struct jv_attempt_plan plan;
	bool is_plain; /* a process of the host instead of a container; see the plan */
	struct jv_plain plain;
	struct jv_arena arena; /* of the plan's texts */
	struct jv_cgroup cgroup;
	struct jv_attempt_result result;
	struct jv_output_writer output;
	struct jv_lease_watch lease;
	struct jv_disk_watch disk;
	struct jv_status disk_status; /* why the disk has ended it */
	int alarm;                    /* at lease.due_ms */
	int program_fd;               /* to be executed instead of the plan's runtime, or -1 */
	int signals;                  /* signalfd */
	int pipes[2];                 /* read ends of stdout and stderr, or -1 */
	int output_fd;
	pid_t runtime; /* 0 when it has ended */
	pid_t init; /* the container's, or the plain process; 0 before it is known and after it was
		       waited for */
	int init_pidfd;
	int runtime_status; /* as of waitpid, once runtime is 0 */
	int init_status;
	bool started;
	bool ended;       /* init_status is set */
	bool stop_wanted; /* TERM is still to be sent to the init */
	int stop_tries;
	bool kill_wanted;
	bool killed;                   /* the worker has asked for it, or the lease is over */
	char head[JV_KEEPER_HEAD_MAX]; /* first bytes of standard error */
	size_t head_size;
};

/* Whoever moves a process into a control group waits for all processors to pass by, some ten
 * milliseconds on an idle machine, unless another was moved shortly before: the kernel is then
 * still prepared (cgroup_threadgroup_rwsem; the mount option favordynmods prepares it for good).
 * This has it prepare while the mounts are made, so that the runtime need not wait. */
void jv_keeper_stir(const struct jv_keeper *keeper);
/* Makes mount namespace, scratch directory, overlay and the task's mounts. They end with the
 * processes that see them. */
struct jv_status jv_keeper_mount(const struct jv_keeper *keeper) JV_MUST_USE;
/* Runs the runtime with new pipes as the container's output. */
struct jv_status jv_keeper_run(struct jv_keeper *keeper) JV_MUST_USE;
/* Instead of both: executes the plain process, with new pipes as its output. INVALID_ARGUMENT: its
 * command or directory cannot be used. */
struct jv_status jv_keeper_exec(struct jv_keeper *keeper) JV_MUST_USE;
/* Becomes the runtime. */
_Noreturn void jv_keeper_become(const struct jv_keeper *keeper, const char *const *arguments);
/* After the runtime has ended well: finds the init, verifies limits, says `started`. */
struct jv_status jv_keeper_started(struct jv_keeper *keeper) JV_MUST_USE;
/* Waits for runtime, init, signals, output and the end of the lease until the container has ended.
 * ABORTED if it never started. */
struct jv_status jv_keeper_loop(struct jv_keeper *keeper) JV_MUST_USE;
/* What the worker wants, and who has ended. */
void jv_keeper_take_signals(struct jv_keeper *keeper);
struct jv_cgroup_limits jv_keeper_limits(const struct jv_keeper *keeper);
/* As the worker starts it: all processes of the container are in the keeper's PID namespace, and
 * are killed by the kernel when it dies. */
static inline bool jv_keeper_is_init(void)
{
	return getpid() == 1;
}
/* Kills all of it, if the worker's lease is over. */
void jv_keeper_obey_lease(struct jv_keeper *keeper);
/* Ends whatever is left, drains the pipes, removes cgroups, mounts and directories, and publishes
 * the result. */
void jv_keeper_end(struct jv_keeper *keeper, struct jv_status status);

/* Reads once from a pipe; closes it at its end. False if there was nothing to read. */
bool jv_keeper_pump(struct jv_keeper *keeper, int which);

#endif
