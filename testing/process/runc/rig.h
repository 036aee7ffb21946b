/*
 * A rig for tests of the runc executor: a state directory, a busybox image and an executor of its
 * own, a sink that remembers, and a look at what a test has left on the machine.
 *
 * Single-threaded. Every rig has its own cgroup parent, so that tests do not meet.
 */
#ifndef JV_TESTING_PROCESS_RUNC_RIG_H
#define JV_TESTING_PROCESS_RUNC_RIG_H

#include "base/bytes.h"
#include "jarvis/v1/task.pb-c.h"
#include "worker/runc/runc.h"

#define JV_RIG_EVENTS_MAX 64
#define JV_RIG_WAIT_MS    30000

/* What the sink has heard of one execution. */
struct jv_rig_record {
	struct jv_execution_id id;
	int started;
	int finished;
	int64_t start_ms;
	int64_t log_bytes;
	char progress[JV_PROGRESS_MAX]; /* the last */
	struct jv_execution_result result;
	struct jv_buffer out; /* filled by jv_rig_read */
	struct jv_buffer err;
	bool truncated;
};

struct jv_rig {
	char directory[64]; /* everything below it */
	char rootfs[96];
	char parent[64]; /* of cgroups */
	char state[96];
	struct jv_runc_options options;
	struct jv_executor *executor;
	struct jv_rig_record records[JV_RIG_EVENTS_MAX];
	size_t count;
	size_t sequence; /* added to the numbers of tasks */
	/* What jv_rig_recover was told. */
	struct jv_execution_found found[JV_RIG_EVENTS_MAX];
	struct jv_execution_result found_results[JV_RIG_EVENTS_MAX];
	size_t found_count;
};

/* Makes directories and the image; options may be changed before jv_rig_open. */
void jv_rig_init(struct jv_rig *rig);
/* Opens the executor; a failure fails the test. */
void jv_rig_open(struct jv_rig *rig);
void jv_rig_close(struct jv_rig *rig);
void jv_rig_recover(struct jv_rig *rig);
/* Closes, asserts that no mount, cgroup, process or directory is left, and removes everything. */
void jv_rig_deinit(struct jv_rig *rig);

/* The same for cmocka, whose state is the rig: init and open; deinit. */
int jv_rig_set_up(void **state);
int jv_rig_tear_down(void **state);
#define JV_RIG_TEST(name, set_up, rig) \
	cmocka_unit_test_prestate_setup_teardown(name, set_up, jv_rig_tear_down, rig)

/* A task that runs `sh -c script` with small limits; lent until the next call. */
Jarvis__V1__TaskSpec *jv_rig_script(struct jv_rig *rig, const char *script);
/* Starts it as task t-N, attempt 1; the record lives as long as the rig. */
struct jv_rig_record *jv_rig_start(struct jv_rig *rig, const Jarvis__V1__TaskSpec *spec);
/* A record for an execution that was found. */
struct jv_rig_record *jv_rig_adopt(struct jv_rig *rig, const struct jv_execution_id *id);
/* Dispatches until it has started, finished, or printed so much; fails the test after a while. */
void jv_rig_wait_started(struct jv_rig *rig, const struct jv_rig_record *record);
void jv_rig_wait_finished(struct jv_rig *rig, const struct jv_rig_record *record);
void jv_rig_wait_output(struct jv_rig *rig, const struct jv_rig_record *record, int64_t bytes);
/* Dispatches for so long. */
void jv_rig_dispatch_for(struct jv_rig *rig, int64_t ms);
/* Reads all output from the start. */
void jv_rig_read(struct jv_rig *rig, struct jv_rig_record *record);
/* Start, wait, read. */
struct jv_rig_record *jv_rig_run(struct jv_rig *rig, const Jarvis__V1__TaskSpec *spec);
/* Removes it and dispatches until nothing of it is left. */
void jv_rig_remove(struct jv_rig *rig, const struct jv_rig_record *record);

/* Process id of an execution's keeper, or 0. */
int jv_rig_keeper(const struct jv_rig *rig, const struct jv_rig_record *record);
/* How many directories named so are below the machine's cgroup root. */
int jv_rig_cgroups(const struct jv_rig *rig);
/* Path below the rig's directory; lent until the next call. */
const char *jv_rig_path(const struct jv_rig *rig, const char *rest);

#endif
