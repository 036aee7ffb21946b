/*
 * The two halves of a worker's session: what it says as events for the core, and what the core says
 * as messages.
 *
 * Private to server/api: session.c is the state machine, session_events.c makes events of messages.
 * On an edge's thread.
 */
#ifndef JV_SERVER_API_SESSION_H
#define JV_SERVER_API_SESSION_H

#include "jarvis/v1/worker.pb-c.h"
#include "server/api/edge.h"

/* An event of a session, with what it points to: it owns all of it. */
struct jv_session_event {
	struct jv_event event;
	struct jv_arena arena;
	struct jv_node_record node;
	bool given_up; /* of the server's own making: the agent awaits no answer */
};

/* Makes the event of one message of the agent; INVALID_ARGUMENT if it breaks the protocol. */
struct jv_status jv_session_event_new(struct jv_api *api, uint64_t session,
	const Jarvis__V1__SessionRequest *message, struct jv_session_event **event) JV_MUST_USE;
/* The same for one of the others in a message with reports. */
struct jv_status jv_session_event_report(uint64_t session, const Jarvis__V1__AttemptReport *report,
	struct jv_session_event **event) JV_MUST_USE;
/* An event without a message: JV_EVENT_SESSION_CLOSE. */
struct jv_session_event *jv_session_event_close(uint64_t session);
/* A report in the agent's place, of an attempt that it cannot be told of: it has ended, lost by the
 * server's own fault. Another attempt may come. */
struct jv_session_event *jv_session_event_give_up(
	uint64_t session, const struct jv_desired *desired, const char *why);
void jv_session_event_free(struct jv_session_event *event);

#endif
