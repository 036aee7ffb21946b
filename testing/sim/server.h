/*
 * The server: the true core, host and handlers, with this simulation's threads.
 *
 * What is a thread in jarvisd is a timer here: the core's pass over its mail, the edge's turn over
 * its own. A server lives, crashes (or stops itself when a commit fails) and lives again over the
 * same disk. Oracles of each pass: the invariants of the core, one digest a revision; at each start
 * and at quiet moments: what the disk holds has the digest of its revision.
 */
#ifndef JV_TESTING_SIM_SERVER_H
#define JV_TESTING_SIM_SERVER_H

#include "server/api/edge.h"
#include "server/host/host.h"
#include "testing/sim/disk.h"
#include "testing/sim/history.h"
#include "testing/sim/ledger.h"
#include "testing/sim/net.h"

#define JV_SIM_DIGESTS 256

struct jv_sim_server_terms {
	struct jv_host_options host;
	struct jv_limits limits;
	uint32_t inbox_max;
	int64_t heartbeat_ms;
	int64_t core_delay_max_ms; /* until a posted event is taken */
	int64_t edge_delay_max_ms;
	int64_t sweep_delay_max_ms; /* until the store has been read for the core */
};

/* The server's clocks. */
struct jv_sim_env {
	struct jv_env env;
	struct jv_sim_clock *clock;
	int64_t boot_ms; /* of the monotonic clock when the simulation began */
	int64_t wall_ms; /* likewise */
};

struct jv_sim_server {
	struct jv_sim_clock *clock;
	struct jv_sim_disk disk;
	struct jv_sim_server_terms terms;
	struct jv_schema *schema;
	struct jv_sim_env env;
	bool up;
	bool jumped;           /* its wall clock, ever */
	int64_t held_until_ms; /* stands still (SIGSTOP) */
	uint32_t lives;

	/* Of this life: */
	int64_t start_ms;
	struct jv_api api;
	struct jv_edge edge;
	struct jv_host *host;
	struct jv_list inbox; /* struct jv_event */
	uint32_t inbox_count;
	int64_t committed;
	struct jv_event *sweep; /* the core's, on its way to be read for; NULL: none is */
	struct jv_sim_timer swept;
	struct jv_sim_timer core_turn;
	struct jv_sim_timer edge_turn;
	struct jv_sim_timer restart;

	/* Of all lives: */
	int64_t acknowledged; /* the newest revision that was durable */
	struct {
		int64_t revision;
		uint64_t digest;
	} digests[JV_SIM_DIGESTS]; /* by revision */
	uint64_t reloads_checked;
	struct jv_sim_history history;
	const struct jv_sim_ledger *ledger; /* borrowed */
};

void jv_sim_server_init(struct jv_sim_server *server, struct jv_sim_clock *clock,
	const struct jv_sim_server_terms *terms);
void jv_sim_server_deinit(struct jv_sim_server *server);
void jv_sim_server_start(struct jv_sim_server *server);
/* Ends this life at once; the next begins down_ms later. */
void jv_sim_server_crash(struct jv_sim_server *server, int64_t down_ms);
/* Its process stands still. */
void jv_sim_server_hold(struct jv_sim_server *server, int64_t ms);
/* Its wall clock is set to so many milliseconds before or after the true time. */
void jv_sim_server_jump(struct jv_sim_server *server, int64_t ms);
/* The timer's function must wait: the process stands still. */
bool jv_sim_server_held(struct jv_sim_server *server, struct jv_sim_timer *timer);
/* Of struct jv_sim_net: server is the context. */
bool jv_sim_server_arrived(void *server, struct jv_sim_stream *stream);

/* call.c: takes a stream as a call of this life. False if the method is not known. */
bool jv_sim_call_accept(struct jv_sim_server *server, struct jv_sim_stream *stream);
/* call.c: the connection of a call is gone with its server. */
void jv_sim_call_desert(struct jv_rpc *rpc);

#endif
