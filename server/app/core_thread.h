/*
 * The core's thread: the loop that runs the host, between the inbox, the committer and the edges.
 *
 * Started after the edges exist and stopped after their last call has ended. The thread owns the
 * host; others only post events.
 */
#ifndef JV_SERVER_APP_CORE_THREAD_H
#define JV_SERVER_APP_CORE_THREAD_H

#include "server/api/edge.h"
#include "server/host/host.h"

struct jv_core_thread;

struct jv_core_thread_options {
	struct jv_host_options host;
	uint32_t inbox_max;
	struct jv_store *store;
	struct jv_api *api;
};

/* Loads the store (which may take a while) and fills in api->post, cluster_id and durable_revision.
 * No thread yet. */
struct jv_status jv_core_thread_open(
	const struct jv_core_thread_options *options, struct jv_core_thread **core) JV_MUST_USE;
/* Publications go to these edges, which must outlive the thread. */
void jv_core_thread_start(
	struct jv_core_thread *core, struct jv_edge *const *edges, size_t edge_count);
/* No call may be left on any edge. Waits until all is durable, joins, frees. Also right after open.
 */
void jv_core_thread_stop(struct jv_core_thread *core);

#endif
