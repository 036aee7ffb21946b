/*
 * Whose turn it is: calls that have come wait here until they are served, and each client gets its
 * turn, however many calls another one has.
 *
 * Turns go round the hosts, and each host's turns go round its connections; the calls of one
 * connection are served in their order. So a client waits for as many calls as there are clients,
 * not for as many as a flood has sent. A peer is there as long as it has a call, waiting or in
 * progress. Belongs to an edge's thread.
 */
#ifndef JV_SERVER_RPC_TURNS_H
#define JV_SERVER_RPC_TURNS_H

#include "base/list.h"
#include "base/map.h"

#define JV_GRPC_PEER_MAX 64

/* A host, or one connection of it. */
struct jv_grpc_peer {
	char name[JV_GRPC_PEER_MAX];
	struct jv_grpc_peer *host; /* of a connection; NULL: this is a host */
	uint32_t calls;            /* waiting or in progress */
	struct jv_list waiting; /* of a connection: calls; of a host: connections that have any */
	struct jv_list link;    /* in what waits above it */
	UT_hash_handle hh;
};

struct jv_grpc_turns {
	struct jv_grpc_peer *peers; /* by name */
	struct jv_list hosts;       /* those with calls that wait; whose turn is next comes first */
	uint32_t waiting;
};

void jv_grpc_turns_init(struct jv_grpc_turns *turns);
/* A call has come from an address such as ipv4:10.0.0.7:4242. The connection that it counts for,
 * until jv_grpc_turns_leave. */
struct jv_grpc_peer *jv_grpc_turns_enter(struct jv_grpc_turns *turns, const char *address);
void jv_grpc_turns_leave(struct jv_grpc_turns *turns, struct jv_grpc_peer *peer);
/* The call, by a link of its own, waits for its turn. */
void jv_grpc_turns_wait(
	struct jv_grpc_turns *turns, struct jv_grpc_peer *peer, struct jv_list *call);
/* It does not wait any more: it has ended before. */
void jv_grpc_turns_give_up(struct jv_grpc_turns *turns, struct jv_list *call);
/* Whose turn it is, which does not wait any more then; NULL: nobody waits. */
struct jv_list *jv_grpc_turns_next(struct jv_grpc_turns *turns);

#endif
