/* Worker.Session: what is said at one time shares messages. */
#include "testing/unit/api/fixture.h"

#include <inttypes.h>

static const Jarvis__V1__SessionResponse *said(const struct call *session, uint32_t n)
{
	return jv_call_nth(session, n);
}

static void acknowledgements_share_a_message(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = jv_fixture_node(fixture, "n1");
	const uint64_t first = jv_fixture_submit(fixture, "");
	const uint64_t second = jv_fixture_submit(fixture, "");
	const uint64_t third = jv_fixture_submit(fixture, "");
	const uint32_t before = session->answer_count;

	/* The agent does not read for a while. */
	session->room = 0;
	jv_fixture_report_finished(session, first, 1, 0, 0);
	jv_fixture_report_running(session, second, 1);
	jv_call_say(session, "{'heartbeat':{'sequence':'1'}}");
	jv_fixture_report_finished(session, third, 1, 0, 0);
	assert_int_equal(session->answer_count, before);
	jv_call_read(session, 10);
	const Jarvis__V1__ReportAck *ack = said(session, before)->report_ack;
	assert_string_equal(ack->task_id, "t-1");
	assert_int_equal(ack->n_more, 1);
	assert_string_equal(ack->more[0]->task_id, "t-2");
	assert_int_equal(ack->more[0]->phase, JARVIS__V1__ATTEMPT_PHASE__ATTEMPT_PHASE_RUNNING);
	/* The order stays. */
	assert_int_equal(said(session, before + 1)->heartbeat_ack->sequence, 1);
	assert_string_equal(said(session, before + 2)->report_ack->task_id, "t-3");
	assert_int_equal(said(session, before + 2)->report_ack->n_more, 0);
}

static void what_is_desired_shares_it_too(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = jv_fixture_node(fixture, "n1");
	const uint64_t first = jv_fixture_submit(fixture, "");
	const uint64_t second = jv_fixture_submit(fixture, "");
	const uint32_t before = session->answer_count;

	session->room = 0;
	jv_fixture_report_finished(session, first, 1, 0, 0);
	jv_fixture_report_finished(session, second, 1, 0, 0);
	jv_fixture_submit(fixture, "");
	jv_fixture_submit(fixture, "");
	jv_call_read(session, 10);
	const Jarvis__V1__Desired *desired = said(session, before)->desired;
	assert_int_equal(
		said(session, before)->message_case, JARVIS__V1__SESSION_RESPONSE__MESSAGE_DESIRED);
	assert_int_equal(desired->n_acknowledged, 2);
	assert_string_equal(desired->acknowledged[0]->task_id, "t-1");
	assert_string_equal(desired->acknowledged[1]->task_id, "t-2");
	assert_int_equal(desired->n_attempts, 2);
	assert_string_equal(desired->attempts[0]->task_id, "t-3");
	assert_string_equal(desired->attempts[1]->task_id, "t-4");
	assert_int_equal(session->answer_count, before + 1);
}

static void an_agent_that_cannot_hear_it_is_told_apart(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = jv_call(fixture, "Worker/Session", "{}");
	uint32_t before;

	jv_call_say(session,
		"{'hello':{'node':'n1','workerId':'AAAAAAAAAAAAAAAAAAAAAA==',"
		"'bootId':'AAAAAAAAAAAAAAAAAAAAAA==','protocolVersion':1,'inventory':{"
		"'capacity':{'cpuMillis':4000,'memoryBytes':4294967296,'pids':10000,"
		"'diskBytes':1000000000},'executors':['noop']}}}");
	const uint64_t first = jv_fixture_submit(fixture, "");
	before = session->answer_count;
	session->room = 0;
	jv_fixture_report_finished(session, first, 1, 0, 0);
	jv_fixture_submit(fixture, "");
	jv_call_read(session, 10);
	assert_int_equal(session->answer_count, before + 2);
	assert_string_equal(said(session, before)->report_ack->task_id, "t-1");
	assert_int_equal(said(session, before + 1)->desired->n_acknowledged, 0);
}

static void reports_share_a_message(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = jv_fixture_node(fixture, "n1");

	jv_fixture_submit(fixture, "");
	jv_fixture_submit(fixture, "");
	const uint32_t before = session->answer_count;
	jv_call_say(session,
		"{'report':{'taskId':'t-1','attempt':1,'phase':'ATTEMPT_PHASE_RUNNING',"
		"'startTimeMs':'%" PRId64 "','more':["
		"{'taskId':'t-2','attempt':1,'phase':'ATTEMPT_PHASE_FINISHED','result':{}},"
		"{'taskId':'t-9','attempt':1,'phase':'ATTEMPT_PHASE_RUNNING'}]}}",
		JV_FIXTURE_WALL_MS);
	const Jarvis__V1__ReportAck *ack = said(session, before)->report_ack;
	assert_string_equal(ack->task_id, "t-1");
	assert_int_equal(ack->n_more, 2);
	assert_string_equal(ack->more[0]->task_id, "t-2");
	assert_string_equal(ack->more[1]->task_id, "t-9");
	/* What is wrong with one of them ends the session; those before it stand. */
	jv_fixture_submit(fixture, "");
	jv_call_say(session,
		"{'report':{'taskId':'t-3','attempt':1,'phase':'ATTEMPT_PHASE_RUNNING','more':["
		"{'taskId':'t-3','attempt':1,'phase':'ATTEMPT_PHASE_RUNNING','more':[{}]}]}}");
	jv_call_failed(session, JV_INVALID_ARGUMENT);
}

static void no_message_has_too_many_reports(void **state)
{
	struct fixture *fixture = *state;
	struct call *session = jv_fixture_node(fixture, "n1");
	Jarvis__V1__SessionRequest request = JARVIS__V1__SESSION_REQUEST__INIT;
	Jarvis__V1__AttemptReport reports[257];
	Jarvis__V1__AttemptReport *more[256];

	for (size_t i = 0; i < 257; i++) {
		jarvis__v1__attempt_report__init(&reports[i]);
		reports[i].task_id = (char *)(uintptr_t) "t-1";
		reports[i].attempt = 1;
		reports[i].phase = JARVIS__V1__ATTEMPT_PHASE__ATTEMPT_PHASE_RUNNING;
		if (i > 0)
			more[i - 1] = &reports[i];
	}
	reports[0].more = more;
	reports[0].n_more = 255;
	request.message_case = JARVIS__V1__SESSION_REQUEST__MESSAGE_REPORT;
	request.report = &reports[0];
	jv_call_tell(session, &request.base);
	jv_fixture_run(fixture);
	assert_false(session->over);
	reports[0].n_more = 256;
	jv_call_tell(session, &request.base);
	jv_fixture_run(fixture);
	jv_call_failed(session, JV_INVALID_ARGUMENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JV_FIXTURE_TEST(acknowledgements_share_a_message),
		JV_FIXTURE_TEST(what_is_desired_shares_it_too),
		JV_FIXTURE_TEST(an_agent_that_cannot_hear_it_is_told_apart),
		JV_FIXTURE_TEST(reports_share_a_message),
		JV_FIXTURE_TEST(no_message_has_too_many_reports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
