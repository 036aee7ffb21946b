/* Worker.Session: the conversation with a node agent, and what ends it. */
#include "testing/unit/api/fixture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "storage/record.h"

static const Jarvis__V1__SessionResponse *said(const struct call *session, uint32_t n)
{
	return jv_call_nth(session, n);
}

static const Jarvis__V1__Desired *desired(const struct call *session, uint32_t n)
{
	assert_int_equal(
		said(session, n)->message_case, JARVIS__V1__SESSION_RESPONSE__MESSAGE_DESIRED);
	return said(session, n)->desired;
}

static void expect_attempt(
	const Jarvis__V1__Desired *what, size_t n, const char *task, Jarvis__V1__DesiredState state)
{
	assert_true(n < what->n_attempts);
	assert_string_equal(what->attempts[n]->task_id, task);
	assert_int_equal(what->attempts[n]->state, state);
}

#define RUN    JARVIS__V1__DESIRED_STATE__DESIRED_STATE_RUN
#define STOP   JARVIS__V1__DESIRED_STATE__DESIRED_STATE_STOP
#define FORGET JARVIS__V1__DESIRED_STATE__DESIRED_STATE_FORGET

/* The agent's Hello with reports, after it lost its session. */
static struct call *reconnect(struct fixture *fixture, const char *reports)
{
	struct call *session = jv_call(fixture, "Worker/Session", "{}");
	Jarvis__V1__GetServerInfoResponse *info =
		(void *)(uintptr_t)jv_call_answer(jv_call(fixture, "Monitor/GetServerInfo", "{}"));

	assert_string_equal(info->cluster_id, "07070707070707070707070707070707");
	jv_call_say(session,
		"{'hello':{'node':'n1','workerId':'AAAAAAAAAAAAAAAAAAAACQ==',"
		"'bootId':'AAAAAAAAAAAAAAAAAAAAAA==','clusterId':'BwcHBwcHBwcHBwcHBwcHBw==',"
		"'protocolVersion':1,'inventory':{'capacity':{'cpuMillis':4000,"
		"'memoryBytes':4294967296,'pids':10000,'diskBytes':1000000000},"
		"'executors':['noop']},'attempts':[%s]}}",
		reports);
	return session;
}

static void welcome_then_the_full_set(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = jv_fixture_node(fixture, "n1");

	assert_int_equal(session->answer_count, 2);
	assert_int_equal(
		said(session, 0)->message_case, JARVIS__V1__SESSION_RESPONSE__MESSAGE_WELCOME);
	assert_int_equal(said(session, 0)->welcome->lease->seconds, 30);
	assert_int_equal(said(session, 0)->welcome->cluster_id.len, 16);
	assert_true(desired(session, 1)->full);
	assert_int_equal(desired(session, 1)->sequence, 1);
	assert_int_equal(desired(session, 1)->n_attempts, 0);
	jv_call_say(session, "{'heartbeat':{'sequence':'7'}}");
	assert_int_equal(said(session, 2)->heartbeat_ack->sequence, 7);
	/* The agent closes its side. */
	jv_call_tell(session, NULL);
	jv_fixture_run(fixture);
	assert_true(session->released);
	assert_int_equal(session->status.code, JV_OK);
}

static void work_in_order(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = jv_fixture_node(fixture, "n1");
	uint64_t task = jv_fixture_submit(fixture, "'name':'it'");

	assert_false(desired(session, 2)->full);
	assert_int_equal(desired(session, 2)->sequence, 2);
	expect_attempt(desired(session, 2), 0, "t-1", RUN);
	assert_string_equal(desired(session, 2)->attempts[0]->spec->name, "it");
	jv_fixture_report_running(session, task, 1);
	assert_int_equal(said(session, 3)->report_ack->phase,
		JARVIS__V1__ATTEMPT_PHASE__ATTEMPT_PHASE_RUNNING);
	jv_fixture_log(session, task, 1, 0, 1, "abc");
	assert_int_equal(said(session, 4)->log_ack->offset, 3);
	/* A gap: the agent is to go on from where the server is. */
	jv_fixture_log(session, task, 1, 10, 1, "xyz");
	assert_int_equal(said(session, 5)->log_ack->offset, 3);
	/* An end whose log is not there yet is not acknowledged. */
	jv_fixture_report_finished(session, task, 1, 0, 6);
	assert_int_equal(session->answer_count, 6);
	jv_fixture_log(session, task, 1, 3, 1, "def");
	jv_fixture_report_finished(session, task, 1, 0, 6);
	assert_int_equal(said(session, 7)->report_ack->phase,
		JARVIS__V1__ATTEMPT_PHASE__ATTEMPT_PHASE_FINISHED);
	/* Of no interest any more, and told so. */
	jv_fixture_report_finished(session, task, 1, 0, 6);
	jv_fixture_log(session, task, 1, 6, 1, "late");
	assert_int_equal(said(session, session->answer_count - 1)->log_ack->offset, 10);
}

static void stopped_when_cancelled(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = jv_fixture_node(fixture, "n1");
	uint64_t task = jv_fixture_submit(fixture, "");

	jv_fixture_report_running(session, task, 1);
	jv_call(fixture, "Scheduler/CancelTask", "{'id':'t-1'}");
	expect_attempt(desired(session, 4), 0, "t-1", STOP);
	assert_null(desired(session, 4)->attempts[0]->spec);
}

/* In the full set what the agent knows; then what it does not, with specs; FORGET what is no one's.
 */
static void told_anew_after_a_reconnect(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = reconnect(fixture, "");
	struct call *again;

	for (int i = 0; i < 3; i++)
		jv_fixture_submit(fixture, "");
	jv_fixture_report_running(session, 1, 1);
	jv_call_leave(session);
	again = reconnect(fixture,
		"{'taskId':'t-1','attempt':1,'phase':'ATTEMPT_PHASE_RUNNING'},"
		"{'taskId':'t-1','attempt':7,'phase':'ATTEMPT_PHASE_RUNNING'},"
		"{'taskId':'t-99','attempt':1,'phase':'ATTEMPT_PHASE_STARTING'}");
	assert_int_equal(again->answer_count, 3);
	assert_true(desired(again, 1)->full);
	assert_int_equal(desired(again, 1)->n_attempts, 3);
	expect_attempt(desired(again, 1), 0, "t-1", RUN);
	assert_null(desired(again, 1)->attempts[0]->spec);
	expect_attempt(desired(again, 1), 1, "t-1", FORGET);
	expect_attempt(desired(again, 1), 2, "t-99", FORGET);
	assert_false(desired(again, 2)->full);
	assert_int_equal(desired(again, 2)->n_attempts, 2);
	expect_attempt(desired(again, 2), 0, "t-2", RUN);
	assert_non_null(desired(again, 2)->attempts[0]->spec);
	expect_attempt(desired(again, 2), 1, "t-3", RUN);
}

/* The rest of the full set goes before what was said after it. */
static void the_rest_of_a_full_set_comes_first(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = reconnect(fixture, "");
	struct call *again;

	jv_fixture_submit(fixture, "");
	jv_call_leave(session);
	again = jv_call_start(fixture, "Worker/Session", 0, "{}");
	jv_fixture_run(fixture);
	jv_call_say(again,
		"{'hello':{'node':'n1','workerId':'AAAAAAAAAAAAAAAAAAAACQ==',"
		"'bootId':'AAAAAAAAAAAAAAAAAAAAAA==','protocolVersion':1,'inventory':{"
		"'capacity':{'cpuMillis':4000,'memoryBytes':4294967296,'pids':10000},"
		"'executors':['noop']}}}");
	jv_fixture_submit(fixture, "");
	jv_call_say(again, "{'heartbeat':{'sequence':'1'}}");
	jv_call(fixture, "Scheduler/CancelTask", "{'id':'t-1'}");
	jv_call_read(again, 100);
	assert_true(desired(again, 1)->full);
	expect_attempt(desired(again, 2), 0, "t-1", RUN);
	expect_attempt(desired(again, 2), 1, "t-2", RUN);
	assert_int_equal(said(again, 3)->heartbeat_ack->sequence, 1);
	expect_attempt(desired(again, 4), 0, "t-1", STOP);
	assert_int_equal(desired(again, 4)->sequence, 3);
}

static void replaced_by_a_newer_session(void **state)
{
	struct fixture *fixture = *state;
	struct call *old = reconnect(fixture, "");
	struct call *young;

	jv_fixture_submit(fixture, "");
	young = reconnect(fixture, "{'taskId':'t-1','attempt':1,'phase':'ATTEMPT_PHASE_STARTING'}");
	jv_call_failed(old, JV_ABORTED);
	assert_true(old->released);
	assert_false(young->over);
	expect_attempt(desired(young, 1), 0, "t-1", RUN);
	jv_fixture_report_running(young, 1, 1);
}

static void lost_with_its_lease(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = reconnect(fixture, "");

	jv_fixture_submit(fixture, "");
	jv_fixture_pass(fixture, 29000);
	assert_false(session->over);
	jv_fixture_pass(fixture, 12000);
	assert_true(session->over);
	assert_true(session->released);
	/* A late word of a session that has ended by itself is no crash. */
	session =
		reconnect(fixture, "{'taskId':'t-1','attempt':1,'phase':'ATTEMPT_PHASE_RUNNING'}");
	assert_false(session->over);
}

static void what_a_hello_must_have(void **state)
{
	static const struct {
		const char *hello;
		enum jv_code code;
		const char *field;
	} rows[] = {
		{"{'heartbeat':{'sequence':1}}", JV_INVALID_ARGUMENT, ""},
		{"{}", JV_INVALID_ARGUMENT, ""},
		{"{'hello':{'node':'n1','protocolVersion':2}}", JV_FAILED_PRECONDITION, ""},
		{"{'hello':{'node':'N_1','protocolVersion':1}}", JV_INVALID_ARGUMENT, "hello.node"},
		{"{'hello':{'node':'','protocolVersion':1}}", JV_INVALID_ARGUMENT, "hello.node"},
		{"{'hello':{'node':'n1','protocolVersion':1}}", JV_INVALID_ARGUMENT,
			"hello.worker_id"},
		{"{'hello':{'node':'n1','protocolVersion':1,'workerId':'AAAAAAAAAAAAAAAAAAAACQ==',"
		 "'bootId':'AAAAAAAAAAAAAAAAAAAAAA=='}}",
			JV_INVALID_ARGUMENT, "hello.inventory"},
		{"{'hello':{'node':'n1','protocolVersion':1,'workerId':'AAAAAAAAAAAAAAAAAAAACQ==',"
		 "'bootId':'AAAAAAAAAAAAAAAAAAAAAA==','inventory':{}}}",
			JV_INVALID_ARGUMENT, "hello.inventory.capacity"},
		{"{'hello':{'node':'n1','protocolVersion':1,'workerId':'AAAAAAAAAAAAAAAAAAAACQ==',"
		 "'bootId':'AAAAAAAAAAAAAAAAAAAAAA==','inventory':{'capacity':{'cpuMillis':-1}}}}",
			JV_INVALID_ARGUMENT, "hello.inventory.capacity"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct call *session = jv_call(*state, "Worker/Session", "{}");
		jv_call_say(session, "%s", rows[i].hello);
		assert_string_equal(jv_call_failed(session, rows[i].code)->field, rows[i].field);
		assert_true(session->released);
	}
}

static void one_hello_only(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = reconnect(fixture, "");

	jv_call_say(session, "{'hello':{'node':'n1','protocolVersion':1}}");
	jv_call_failed(session, JV_INVALID_ARGUMENT);
	/* Refused by the core; what was said right behind it is no crash. */
	session = jv_call(fixture, "Worker/Session", "{}");
	fixture->deaf = true;
	jv_call_say(session,
		"{'hello':{'node':'n1','workerId':'BBBBBBBBBBBBBBBBBBBBBA==',"
		"'bootId':'AAAAAAAAAAAAAAAAAAAAAA==','protocolVersion':1,'inventory':{"
		"'capacity':{'cpuMillis':1}}}}");
	jv_call_say(session, "{'heartbeat':{'sequence':'1'}}");
	fixture->deaf = false;
	jv_fixture_run(fixture);
	jv_call_failed(session, JV_ALREADY_EXISTS);
	assert_true(session->released);
}

/* A Hello with that inventory, built by hand: JSON has no room for its size. */
static void say_hello_with(struct call *session, Jarvis__V1__NodeInventory *inventory)
{
	Jarvis__V1__SessionRequest request = JARVIS__V1__SESSION_REQUEST__INIT;
	Jarvis__V1__Hello hello = JARVIS__V1__HELLO__INIT;
	Jarvis__V1__Resources capacity = JARVIS__V1__RESOURCES__INIT;
	uint8_t id[16] = {1};
	char node[] = "n1";

	capacity.cpu_millis = 1000;
	inventory->capacity = &capacity;
	hello.node = node;
	hello.worker_id.data = id;
	hello.worker_id.len = sizeof(id);
	hello.boot_id = hello.worker_id;
	hello.protocol_version = 1;
	hello.inventory = inventory;
	request.message_case = JARVIS__V1__SESSION_REQUEST__MESSAGE_HELLO;
	request.hello = &hello;
	jv_call_tell(session, &request.base);
	jv_fixture_run(session->fixture);
}

static void inventories_that_are_no_good(void **state)
{
	struct fixture *fixture = *state;
	Jarvis__V1__NodeInventory inventory = JARVIS__V1__NODE_INVENTORY__INIT;
	Jarvis__V1__NodeInventory__LabelsEntry label =
		JARVIS__V1__NODE_INVENTORY__LABELS_ENTRY__INIT;
	Jarvis__V1__NodeInventory__LabelsEntry *labels[2] = {&label, &label};
	char key[] = "zone";
	struct call *session = jv_call(fixture, "Worker/Session", "{}");

	label.key = key;
	inventory.labels = labels;
	inventory.n_labels = 2;
	say_hello_with(session, &inventory);
	assert_string_equal(
		jv_call_failed(session, JV_INVALID_ARGUMENT)->field, "hello.inventory.labels");
	/* It would be in every answer about the node. */
	inventory.n_labels = 0;
	inventory.kernel = jv_malloc(2 << 20);
	memset(inventory.kernel, 'k', 2 << 20);
	inventory.kernel[(2 << 20) - 1] = '\0';
	session = jv_call(fixture, "Worker/Session", "{}");
	say_hello_with(session, &inventory);
	assert_string_equal(jv_call_failed(session, JV_INVALID_ARGUMENT)->field, "hello.inventory");
	free(inventory.kernel);
}

static void reports_and_logs_out_of_range(void **state)
{
	static const char *const words[] = {
		"{'report':{'taskId':'x','attempt':1,'phase':1}}",
		"{'report':{'taskId':'t-1','attempt':0,'phase':1}}",
		"{'report':{'taskId':'t-1','attempt':1,'phase':0}}",
		"{'report':{'taskId':'t-1','attempt':1,'phase':4}}",
		"{'report':{'taskId':'t-1','attempt':1,'phase':3}}",
		"{'report':{'taskId':'t-1','attempt':1,'phase':2,'result':{}}}",
		"{'report':{'taskId':'t-1','attempt':1,'phase':2,'logBytes':'-1'}}",
		"{'report':{'taskId':'t-1','attempt':1,'phase':3,'result':{'failureReason':99}}}",
		"{'log':{'taskId':'t-1'}}",
		"{'log':{'taskId':'t-1','chunk':{'attempt':1,'stream':1}}}",
		"{'log':{'taskId':'t-1','chunk':{'attempt':1,'stream':0,'data':'YQ=='}}}",
		"{'log':{'taskId':'t-1','chunk':{'attempt':1,'stream':3,'data':'YQ=='}}}",
		"{'log':{'taskId':'t-1','chunk':{'attempt':0,'stream':1,'data':'YQ=='}}}",
		("{'log':{'taskId':'t-1','chunk':{'attempt':1,'stream':1,'data':'YQ==',"
		 "'offset':'9223372036854775807'}}}"),
		"{}",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct call *session = reconnect(*state, "");
		jv_call_say(session, "%s", words[i]);
		jv_call_failed(session, JV_INVALID_ARGUMENT);
	}
}

/* A task must be readable whatever its worker's clock says. */
static void clocks_that_are_beyond_all_calendars(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = reconnect(fixture, "");
	const Jarvis__V1__GetTaskResponse *response;
	const Jarvis__V1__GetTaskLogsResponse *logs;

	jv_fixture_submit(fixture, "");
	jv_call_say(session,
		"{'report':{'taskId':'t-1','attempt':1,'phase':2,"
		"'startTimeMs':'9223372036854775807'}}");
	Jarvis__V1__SessionRequest request = JARVIS__V1__SESSION_REQUEST__INIT;
	Jarvis__V1__AttemptLog log = JARVIS__V1__ATTEMPT_LOG__INIT;
	Jarvis__V1__LogChunk chunk = JARVIS__V1__LOG_CHUNK__INIT;
	Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	char id[] = "t-1";
	uint8_t data[] = "x";
	time.seconds = INT64_MAX;
	time.nanos = INT32_MAX;
	chunk = (Jarvis__V1__LogChunk){
		.base = chunk.base, .attempt = 1, .stream = 1, .time = &time};
	chunk.data.data = data;
	chunk.data.len = 1;
	log.task_id = id;
	log.chunk = &chunk;
	request.message_case = JARVIS__V1__SESSION_REQUEST__MESSAGE_LOG;
	request.log = &log;
	jv_call_tell(session, &request.base);
	jv_fixture_run(fixture);
	response = jv_call_answer(jv_call(fixture, "Scheduler/GetTask", "{'id':'t-1'}"));
	assert_true(response->task->status->start_time->seconds < INT64_C(253402300800));
	logs = jv_call_nth(jv_call(fixture, "Scheduler/GetTaskLogs", "{'id':'t-1'}"), 0);
	assert_null(logs->chunk->time);
}

/* What the core has not answered is bounded, by number and by size. */
static void no_more_in_flight_than_allowed(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = reconnect(fixture, "");
	char *line = jv_malloc(60001);
	int count = 0;

	fixture->deaf = true;
	for (; session->receiving; count++)
		jv_call_say(session, "{'heartbeat':{'sequence':'1'}}");
	assert_int_equal(count, 8);
	fixture->deaf = false;
	jv_fixture_run(fixture);
	assert_true(session->receiving);
	fixture->limits.session_events_max = 1000;
	fixture->deaf = true;
	memset(line, 'x', 60000);
	line[60000] = '\0';
	for (count = 0; session->receiving; count++)
		jv_fixture_log(session, 1, 1, 0, 1, line);
	assert_in_range(count, 17, 18);
	fixture->deaf = false;
	jv_fixture_run(fixture);
	assert_true(session->receiving);
	free(line);
}

/* Nor what the agent has not read. */
static void an_agent_that_does_not_read(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = reconnect(fixture, "");
	int count = 0;

	session->room = 0;
	for (; session->receiving; count++)
		jv_call_say(session, "{'heartbeat':{'sequence':'%d'}}", count);
	assert_int_equal(count, 8);
	jv_call_read(session, 1);
	assert_true(session->receiving);
	jv_call_read(session, 100);
	assert_int_equal(session->answer_count, 10);
	assert_int_equal(said(session, 9)->heartbeat_ack->sequence, 7);
}

/* Specs are large; messages are not. */
static void large_specs_are_spread_over_messages(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = reconnect(fixture, "");
	char *spec = jv_malloc(120000);
	uint32_t attempts = 0;

	snprintf(spec, 120000, "'resources':{'cpuMillis':1},'args':['%0100000d']", 0);
	fixture->limits.message_bytes_max = 1 << 20;
	session->room = 0;
	for (int i = 0; i < 30; i++)
		jv_fixture_submit(fixture, spec);
	jv_call_read(session, 100);
	for (uint32_t i = 2; i < session->answer_count; i++)
		attempts += (uint32_t)desired(session, i)->n_attempts;
	assert_int_equal(attempts, 30);
	assert_in_range(session->answer_count, 8, 20);
	assert_false(session->over);
	free(spec);
}

/* An agent that comes from elsewhere with more than one answer holds. */
static void a_hello_with_very_many_strangers(void **state)
{
	struct fixture *fixture = *state;
	Jarvis__V1__SessionRequest request = JARVIS__V1__SESSION_REQUEST__INIT;
	Jarvis__V1__Hello hello = JARVIS__V1__HELLO__INIT;
	Jarvis__V1__NodeInventory inventory = JARVIS__V1__NODE_INVENTORY__INIT;
	Jarvis__V1__Resources capacity = JARVIS__V1__RESOURCES__INIT;
	Jarvis__V1__AttemptReport report = JARVIS__V1__ATTEMPT_REPORT__INIT;
	Jarvis__V1__AttemptReport **reports = jv_calloc(100000, sizeof(reports[0]));
	struct call *session = jv_call(fixture, "Worker/Session", "{}");
	uint8_t id[16] = {1};
	char node[] = "n1";
	char task[] = "t-123456";

	report.task_id = task;
	report.attempt = 1;
	report.phase = JARVIS__V1__ATTEMPT_PHASE__ATTEMPT_PHASE_RUNNING;
	for (size_t i = 0; i < 100000; i++)
		reports[i] = &report;
	inventory.capacity = &capacity;
	hello.node = node;
	hello.worker_id.data = id;
	hello.worker_id.len = sizeof(id);
	hello.boot_id = hello.worker_id;
	hello.protocol_version = 1;
	hello.inventory = &inventory;
	hello.attempts = reports;
	hello.n_attempts = 100000;
	request.message_case = JARVIS__V1__SESSION_REQUEST__MESSAGE_HELLO;
	request.hello = &hello;
	jv_call_tell(session, &request.base);
	jv_fixture_run(fixture);
	assert_false(session->over);
	assert_true(desired(session, 1)->full);
	assert_in_range(desired(session, 1)->n_attempts, 1000, 99999);
	free(reports);
}

static void damage_spec(struct fixture *fixture, uint64_t task)
{
	struct jv_batch batch = {0};
	struct jv_buffer key = {0};

	jv_key_spec(&key, task);
	jv_batch_delete(&batch, jv_buffer_bytes(&key));
	assert_int_equal(jv_store_commit(fixture->store, &batch).code, JV_OK);
	jv_batch_deinit(&batch);
	jv_buffer_deinit(&key);
}

/* What was submitted a moment ago is not read from the disk. */
static void a_spec_that_need_not_be_read(void **state)
{
	struct fixture *fixture = *state;
	const Jarvis__V1__Desired *words;
	struct call *session;

	for (int i = 0; i < JV_RECENT_MAX + 1; i++)
		jv_fixture_submit(fixture, i == 1 ? "'command':['second']" : "");
	damage_spec(fixture, 1);
	damage_spec(fixture, 2);
	session = reconnect(fixture, "");
	words = desired(session, 2);
	expect_attempt(words, 0, "t-1", FORGET);
	expect_attempt(words, 1, "t-2", RUN);
	assert_string_equal(words->attempts[1]->spec->command[0], "second");
}

/* A damaged disk: the task must not wait for ever for an agent that was never told of it. */
static void a_spec_that_cannot_be_read(void **state)
{
	struct fixture *fixture = *state;
	struct call *session;
	struct call *waiting;

	char spec[4096];

	/* Too large to be kept. */
	snprintf(spec, sizeof(spec), "'retry':{'maxLost':1},'args':['%03000d']", 0);
	jv_fixture_submit(fixture, spec);
	waiting = jv_call(fixture, "Scheduler/WatchTasks", "{}");
	damage_spec(fixture, 1);
	session = reconnect(fixture, "");
	expect_attempt(desired(session, 2), 0, "t-1", FORGET);
	for (int i = 0; i < 10; i++)
		jv_fixture_pass(fixture, 2000);
	assert_false(session->over);
	struct jv_stats stats;
	jv_core_stats(jv_host_core(fixture->host), &stats);
	assert_int_equal(stats.failed, 1);
	assert_false(waiting->over);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JV_FIXTURE_TEST(welcome_then_the_full_set),
		JV_FIXTURE_TEST(work_in_order),
		JV_FIXTURE_TEST(stopped_when_cancelled),
		JV_FIXTURE_TEST(told_anew_after_a_reconnect),
		JV_FIXTURE_TEST(the_rest_of_a_full_set_comes_first),
		JV_FIXTURE_TEST(replaced_by_a_newer_session),
		JV_FIXTURE_TEST(lost_with_its_lease),
		JV_FIXTURE_TEST(what_a_hello_must_have),
		JV_FIXTURE_TEST(one_hello_only),
		JV_FIXTURE_TEST(inventories_that_are_no_good),
		JV_FIXTURE_TEST(reports_and_logs_out_of_range),
		JV_FIXTURE_TEST(clocks_that_are_beyond_all_calendars),
		JV_FIXTURE_TEST(no_more_in_flight_than_allowed),
		JV_FIXTURE_TEST(an_agent_that_does_not_read),
		JV_FIXTURE_TEST(large_specs_are_spread_over_messages),
		JV_FIXTURE_TEST(a_hello_with_very_many_strangers),
		JV_FIXTURE_TEST(a_spec_that_need_not_be_read),
		JV_FIXTURE_TEST(a_spec_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
