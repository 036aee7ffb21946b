/*
 * Bugs that the simulation plants: its negative builds.
 *
 * An oracle that never speaks proves nothing, so the code under test carries some bugs, each at the
 * place where it could have been made. In every normal build JV_BUG is the constant false, and what
 * depends on it is not compiled. In the build of testing/sim (JV_BUG_BUILD, see
 * testing/sim/sim.bzl) one of them can be chosen at run time, and some seed must notice it.
 * docs/simulation.md has the list with the oracles. Single-threaded, like the simulation.
 */
#ifndef JV_BASE_BUG_H
#define JV_BASE_BUG_H

#include <stdbool.h>

#define JV_BUGS(BUG)                                                                             \
	BUG(EARLY_RELEASE, "early-release", "replies leave before what they tell is durable")    \
	BUG(LEASE_FROM_ARRIVAL, "lease-from-arrival",                                            \
		"a lease runs from its acknowledgement's arrival")                               \
	BUG(FORGOTTEN_CAUSE, "forgotten-cause",                                                  \
		"a new worker does not know why the last one ended it")                          \
	BUG(START_TWICE, "start-twice", "a rebooted node is told to run the same attempt again") \
	BUG(END_BEFORE_LOG, "end-before-log", "an end is taken before the last byte of the log") \
	BUG(LOG_TWICE, "log-twice", "a chunk that comes again is appended again")                \
	BUG(NO_FENCE, "no-fence", "the server does not wait until the lease is over")            \
	BUG(KEEP_LOST, "keep-lost", "what a lost node may still run is started elsewhere")       \
	BUG(KEEPER_BLIND, "keeper-blind", "keepers do not end what outlives the lease")          \
	BUG(LATE_REPORT, "late-report", "a late report of an older attempt is accepted")         \
	BUG(REQUEST_APART, "request-apart", "a request_id is not stored with its task")          \
	BUG(WATCH_SKIP, "watch-skip", "a watch that resumes leaves out a change")                \
	BUG(NO_BACKOFF, "no-backoff", "what failed is tried again at once")                      \
	BUG(DOUBLE_FREE, "double-free", "an attempt frees its reservation twice")                \
	BUG(END_KEPT, "end-kept", "a task that has ended stays stored as a live one")            \
	BUG(NO_CHECKSUM, "no-checksum", "the checksum of a stored record is not compared")       \
	BUG(NO_WAKE, "no-wake", "what was freed is offered to nobody who waits")                 \
	BUG(LEFT_BEHIND, "left-behind", "the log of a removed task stays in the store")          \
	BUG(EARLY_REMOVAL, "early-removal", "a finished task is removed before its time")        \
	BUG(NO_LOG_LIMIT, "no-log-limit", "the server stores whatever a worker sends")           \
	BUG(NOT_FORGOTTEN, "not-forgotten", "a worker keeps attempts whose end was acknowledged")

enum jv_bug {
	JV_BUG_NONE,
#define JV_BUG_VALUE(name, word, text) JV_BUG_##name,
	JV_BUGS(JV_BUG_VALUE)
#undef JV_BUG_VALUE
		JV_BUG_COUNT
};

#ifdef JV_BUG_BUILD
extern enum jv_bug jv_bug_planted;
#define JV_BUG(name) (jv_bug_planted == JV_BUG_##name)
#else
/* The name must exist all the same. */
#define JV_BUG(name) (JV_BUG_##name == JV_BUG_NONE)
#endif

/* Its word, such as no-fence. */
const char *jv_bug_name(enum jv_bug bug);
/* What is wrong, as a sentence. */
const char *jv_bug_text(enum jv_bug bug);
/* NONE if no bug has that word. */
enum jv_bug jv_bug_find(const char *word);

#endif
