/*
 * What jarvis-init, the first process of every container, has in common with those that start it.
 *
 *     jarvis-init exec COMMAND [ARGUMENT...]    becomes the command
 *     jarvis-init init COMMAND [ARGUMENT...]    stays as PID 1: passes signals on to the command,
 *                                               reaps orphans, ends as the command has ended
 *
 * Either way it first loads the container's seccomp filter, which the worker has compiled once for
 * all containers (the runtime would compile it for each), from a file that is bound read-only
 * beside it. It does nothing else before, and fails rather than go on without a filter. It knows
 * system calls only: no library, no file of the image, no setting of the environment but PATH.
 */
#ifndef JV_WORKER_INIT_INIT_H
#define JV_WORKER_INIT_INIT_H

/* Where its directory is bound inside of containers, and what is in there. */
#define JV_INIT_DIRECTORY "/dev/jarvis"
#define JV_INIT_PROGRAM   "jarvis-init"
#define JV_INIT_FILTER    "seccomp" /* struct sock_filter, one after another */

#define JV_INIT_MODE_EXEC "exec"
#define JV_INIT_MODE_INIT "init"

/* Its last line on standard error, and its exit codes, when there is no command to run. */
#define JV_INIT_SAYS         "jarvis-init: "
#define JV_INIT_SAYS_COMMAND "jarvis-init: exec "
#define JV_INIT_UNFIT        125 /* not the command's fault */
#define JV_INIT_CANNOT_EXEC  126
#define JV_INIT_NOT_FOUND    127

#endif
