/*
 * The network: streams between clients (agents among them) and the one server.
 *
 * A stream is what gRPC makes of a call: messages in order in both directions, then an end. It
 * delays, it breaks as a whole, and it never loses or reorders a message within; but streams
 * overtake one another. A partition holds packets back until it heals; one that is longer than the
 * keepalive breaks the streams. When a stream breaks, each end hears of it at a time of its own
 * (half-open until then). Messages are bytes on the way. Owned by the simulation's thread.
 */
#ifndef JV_TESTING_SIM_NET_H
#define JV_TESTING_SIM_NET_H

#include <protobuf-c/protobuf-c.h>

#include "base/bytes.h"
#include "base/list.h"
#include "base/status.h"
#include "testing/sim/clock.h"

enum jv_sim_side { JV_SIM_CLIENT, JV_SIM_SERVER };

/* What an end of a stream is told. After `ended` nothing more. */
struct jv_sim_peer {
	void (*message)(void *context, struct jv_bytes bytes);
	void (*ended)(void *context, const struct jv_status *status);
	/* There is room to send; may be NULL. */
	void (*room)(void *context);
};

struct jv_sim_stream;

struct jv_sim_net {
	struct jv_sim_clock *clock;
	struct jv_list streams;
	uint64_t links;
	struct jv_list garbage; /* streams that both ends have left */
	/* A stream has arrived at the server, which takes it by jv_sim_stream_accept. False: nobody
	 * listens. */
	bool (*arrived)(void *context, struct jv_sim_stream *stream);
	void *context;
	int64_t keepalive_ms;
	int64_t half_open_permille; /* of breaks that an end notices by keepalive only */
};

/* The way of one host to the server. */
struct jv_sim_link {
	struct jv_sim_net *net;
	const char *name;
	int64_t latency_min_ms;
	int64_t latency_max_ms;
	struct jv_random random;     /* of its own */
	uint64_t number;             /* of it in the net */
	uint32_t window;             /* packets on the way in one direction of a stream */
	int64_t blocked_until_ms[2]; /* packets to that side */
	int64_t flaky_until_ms;      /* until then streams break soon after they were opened */
	struct jv_sim_timer keepalive;
};

/* One end, and what is on its way to it. */
struct jv_sim_end {
	struct jv_sim_stream *stream;
	const struct jv_sim_peer *peer;
	void *context;
	bool open;
	struct jv_list packets;
	uint32_t count;
	int64_t last_ms;
	struct jv_sim_timer arrival;
};

struct jv_sim_stream {
	struct jv_list link; /* in net->streams or net->garbage */
	struct jv_sim_link *way;
	const char *path;   /* of the method */
	int64_t timeout_ms; /* the client's, as gRPC tells it to the server; 0: none */
	int64_t dialled_ms;
	bool accepted;
	bool broken;
	struct jv_sim_timer fate;  /* breaks it */
	struct jv_sim_end ends[2]; /* by enum jv_sim_side */
};

void jv_sim_net_init(struct jv_sim_net *net, struct jv_sim_clock *clock);
/* Frees all streams; nobody is told. */
void jv_sim_net_deinit(struct jv_sim_net *net);
/* Frees streams that both ends have left; not from inside a callback of one. */
void jv_sim_net_sweep(struct jv_sim_net *net);

void jv_sim_link_init(struct jv_sim_link *link, struct jv_sim_net *net, const char *name);
void jv_sim_link_deinit(struct jv_sim_link *link);
/* Holds packets to one side back for that long. */
void jv_sim_link_block(struct jv_sim_link *link, enum jv_sim_side to, int64_t ms);
/* Breaks streams that are opened within that time. */
void jv_sim_link_disturb(struct jv_sim_link *link, int64_t ms);
void jv_sim_link_heal(struct jv_sim_link *link);
/* Breaks all its streams. */
void jv_sim_link_cut(struct jv_sim_link *link);

/* path must outlive the stream. It arrives at the server with its first message. */
struct jv_sim_stream *jv_sim_stream_open(
	struct jv_sim_link *link, const char *path, const struct jv_sim_peer *peer, void *context);
void jv_sim_stream_accept(
	struct jv_sim_stream *stream, const struct jv_sim_peer *peer, void *context);
/* Sends from this side. Dropped if the other side is gone. */
void jv_sim_stream_send(
	struct jv_sim_stream *stream, enum jv_sim_side from, const ProtobufCMessage *message);
bool jv_sim_stream_room(const struct jv_sim_stream *stream, enum jv_sim_side from);
/* This side leaves in order: the other side hears the status behind all messages. */
void jv_sim_stream_end(
	struct jv_sim_stream *stream, enum jv_sim_side from, const struct jv_status *status);
/* This side leaves at once: what it has sent may be lost. */
void jv_sim_stream_cancel(struct jv_sim_stream *stream, enum jv_sim_side from);
/* The host of this side is gone: it hears nothing more, the other side learns of it in time. */
void jv_sim_stream_desert(struct jv_sim_stream *stream, enum jv_sim_side from);
/* The connection is gone. */
void jv_sim_stream_break(struct jv_sim_stream *stream);

#endif
