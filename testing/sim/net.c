#include "testing/sim/net.h"

#include <stdlib.h>

#include "base/assert.h"
#include "proto/wire/pb.h"
#include "testing/sim/cover.h"

#define NOTICE_MAX_MS     200
#define STRANDED_MAX_MS   10000
#define STRANDED_PERMILLE 700
#define FLAKY_MAX_MS      200

struct packet {
	struct jv_list link;
	int64_t due_ms;
	bool end;
	bool local;              /* noticed by the end's own host: no partition holds it back */
	struct jv_status status; /* of an end */
	struct jv_buffer bytes;
};

void jv_sim_net_init(struct jv_sim_net *net, struct jv_sim_clock *clock)
{
	*net = (struct jv_sim_net){.clock = clock};
	jv_list_init(&net->streams);
	jv_list_init(&net->garbage);
}

static void packet_free(struct packet *packet)
{
	jv_buffer_deinit(&packet->bytes);
	free(packet);
}

static void purge(struct jv_sim_end *end)
{
	struct jv_list *link;

	while ((link = jv_list_pop_front(&end->packets)) != NULL)
		packet_free(JV_CONTAINER_OF(link, struct packet, link));
	end->count = 0;
	jv_sim_timer_disarm(end->stream->way->net->clock, &end->arrival);
}

static void stream_free(struct jv_sim_stream *stream)
{
	purge(&stream->ends[JV_SIM_CLIENT]);
	purge(&stream->ends[JV_SIM_SERVER]);
	jv_sim_timer_disarm(stream->way->net->clock, &stream->fate);
	jv_list_remove(&stream->link);
	free(stream);
}

static void free_all(struct jv_list *streams)
{
	while (!jv_list_empty(streams))
		stream_free(JV_CONTAINER_OF(streams->next, struct jv_sim_stream, link));
}

void jv_sim_net_sweep(struct jv_sim_net *net)
{
	free_all(&net->garbage);
}

void jv_sim_net_deinit(struct jv_sim_net *net)
{
	free_all(&net->garbage);
	free_all(&net->streams);
}

static struct jv_sim_end *other_end(struct jv_sim_stream *stream, enum jv_sim_side side)
{
	return &stream->ends[side == JV_SIM_CLIENT ? JV_SIM_SERVER : JV_SIM_CLIENT];
}

static enum jv_sim_side side_of(const struct jv_sim_end *end)
{
	return end == &end->stream->ends[JV_SIM_CLIENT] ? JV_SIM_CLIENT : JV_SIM_SERVER;
}

static int64_t latency(const struct jv_sim_link *link)
{
	return jv_sim_at(
		link->net->clock, link->number, link->latency_min_ms, link->latency_max_ms);
}

static void arrival_arm(struct jv_sim_end *end)
{
	const struct packet *first;

	if (jv_list_empty(&end->packets))
		return;
	first = JV_CONTAINER_OF(end->packets.next, const struct packet, link);
	jv_sim_timer_arm(end->stream->way->net->clock, &end->arrival, first->due_ms);
}

/* In order: never before what was sent earlier. */
static void put(struct jv_sim_end *to, struct packet *packet)
{
	if (packet->due_ms < to->last_ms)
		packet->due_ms = to->last_ms;
	to->last_ms = packet->due_ms;
	to->count++;
	jv_list_push_back(&to->packets, &packet->link);
	if (to->count == 1)
		arrival_arm(to);
}

static struct packet *packet_new(const struct jv_sim_stream *stream)
{
	struct packet *packet = jv_calloc(1, sizeof(*packet));

	packet->due_ms = stream->way->net->clock->now_ms + latency(stream->way);
	return packet;
}

static void leave(struct jv_sim_end *end)
{
	struct jv_sim_stream *stream = end->stream;

	end->open = false;
	purge(end);
	if (stream->ends[JV_SIM_CLIENT].open || stream->ends[JV_SIM_SERVER].open)
		return;
	jv_list_remove(&stream->link);
	jv_list_push_back(&stream->way->net->garbage, &stream->link);
}

static void put_end(
	struct jv_sim_end *to, const struct jv_status *status, int64_t delay_ms, bool local)
{
	struct packet *packet = packet_new(to->stream);

	packet->end = true;
	packet->local = local;
	packet->status = *status;
	if (local)
		packet->due_ms = to->stream->way->net->clock->now_ms + delay_ms;
	put(to, packet);
}

/* The first packet finds the server, or nobody. */
static bool admitted(struct jv_sim_end *end)
{
	struct jv_sim_stream *stream = end->stream;
	struct jv_sim_net *net = stream->way->net;

	if (side_of(end) == JV_SIM_CLIENT || stream->accepted)
		return true;
	if (net->arrived(net->context, stream)) {
		JV_ASSERT(stream->accepted);
		return true;
	}
	struct jv_status status = jv_error(JV_UNAVAILABLE, "connection refused");
	leave(end);
	if (stream->ends[JV_SIM_CLIENT].open)
		put_end(&stream->ends[JV_SIM_CLIENT], &status, 0, false);
	return false;
}

static void deliver(struct jv_sim_end *end, struct packet *packet)
{
	struct jv_sim_stream *stream = end->stream;
	struct jv_sim_end *sender = other_end(stream, side_of(end));

	if (packet->end) {
		leave(end);
		if (end->peer != NULL)
			end->peer->ended(end->context, &packet->status);
		return;
	}
	end->peer->message(end->context, jv_buffer_bytes(&packet->bytes));
	if (sender->open && sender->peer != NULL && sender->peer->room != NULL)
		sender->peer->room(sender->context);
}

/* It was sent again and again, ever more rarely, as TCP does: streams come back one by one. */
static void hold_back(struct jv_sim_end *end, struct packet *packet, int64_t blocked_ms)
{
	struct jv_sim_link *link = end->stream->way;
	int64_t waited_ms = blocked_ms - packet->due_ms;
	uint64_t name = link->number ^ (uint64_t)end->stream->dialled_ms << 8;

	packet->due_ms = blocked_ms + latency(link) +
		jv_sim_at(link->net->clock, name, 0, waited_ms > 0 ? waited_ms : 0);
	arrival_arm(end);
}

static void arrive(void *context)
{
	struct jv_sim_end *end = context;
	struct jv_sim_link *link = end->stream->way;
	struct packet *packet = JV_CONTAINER_OF(end->packets.next, struct packet, link);
	int64_t blocked_ms = link->blocked_until_ms[side_of(end)];

	JV_ASSERT(end->open && end->count > 0);
	if (!packet->local && blocked_ms > link->net->clock->now_ms) {
		hold_back(end, packet, blocked_ms);
		return;
	}
	if (!packet->end && !admitted(end))
		return;
	jv_list_remove(&packet->link);
	end->count--;
	arrival_arm(end);
	deliver(end, packet);
	packet_free(packet);
}

static void keepalive_over(void *context)
{
	struct jv_sim_link *link = context;
	int64_t now_ms = link->net->clock->now_ms;

	if (link->blocked_until_ms[JV_SIM_CLIENT] > now_ms ||
		link->blocked_until_ms[JV_SIM_SERVER] > now_ms)
		jv_sim_link_cut(link);
}

void jv_sim_link_init(struct jv_sim_link *link, struct jv_sim_net *net, const char *name)
{
	*link = (struct jv_sim_link){.net = net, .name = name, .latency_max_ms = 1, .window = 16};
	link->random = jv_sim_random(net->clock, name);
	link->number = ++net->links;
	jv_sim_timer_init(&link->keepalive, keepalive_over, link);
}

void jv_sim_link_deinit(struct jv_sim_link *link)
{
	jv_sim_timer_disarm(link->net->clock, &link->keepalive);
}

void jv_sim_link_block(struct jv_sim_link *link, enum jv_sim_side to, int64_t ms)
{
	link->blocked_until_ms[to] = link->net->clock->now_ms + ms;
	if (ms > link->net->keepalive_ms)
		jv_sim_timer_hasten(link->net->clock, &link->keepalive,
			link->net->clock->now_ms + link->net->keepalive_ms);
}

void jv_sim_link_disturb(struct jv_sim_link *link, int64_t ms)
{
	link->flaky_until_ms = link->net->clock->now_ms + ms;
}

void jv_sim_link_heal(struct jv_sim_link *link)
{
	link->flaky_until_ms = 0;
	for (int side = 0; side < 2; side++) {
		link->blocked_until_ms[side] = 0;
		/* What was held back comes now. */
		JV_LIST_EACH(node, &link->net->streams)
		{
			struct jv_sim_stream *stream =
				JV_CONTAINER_OF(node, struct jv_sim_stream, link);
			struct jv_sim_end *end = &stream->ends[side];
			if (stream->way != link || end->count == 0)
				continue;
			JV_CONTAINER_OF(end->packets.next, struct packet, link)->due_ms =
				link->net->clock->now_ms + latency(link);
			arrival_arm(end);
		}
	}
}

void jv_sim_link_cut(struct jv_sim_link *link)
{
	JV_LIST_EACH(node, &link->net->streams)
	{
		struct jv_sim_stream *stream = JV_CONTAINER_OF(node, struct jv_sim_stream, link);
		if (stream->way == link)
			jv_sim_stream_break(stream);
	}
}

static void end_init(struct jv_sim_end *end, struct jv_sim_stream *stream)
{
	end->stream = stream;
	end->open = true;
	jv_list_init(&end->packets);
	jv_sim_timer_init(&end->arrival, arrive, end);
}

static void fate(void *context)
{
	jv_sim_stream_break(context);
}

struct jv_sim_stream *jv_sim_stream_open(
	struct jv_sim_link *link, const char *path, const struct jv_sim_peer *peer, void *context)
{
	struct jv_sim_stream *stream = jv_calloc(1, sizeof(*stream));

	stream->way = link;
	stream->path = path;
	stream->dialled_ms = link->net->clock->now_ms;
	end_init(&stream->ends[JV_SIM_CLIENT], stream);
	end_init(&stream->ends[JV_SIM_SERVER], stream);
	stream->ends[JV_SIM_CLIENT].peer = peer;
	stream->ends[JV_SIM_CLIENT].context = context;
	jv_list_push_back(&link->net->streams, &stream->link);
	jv_sim_timer_init(&stream->fate, fate, stream);
	if (link->flaky_until_ms > link->net->clock->now_ms)
		jv_sim_timer_arm(link->net->clock, &stream->fate,
			stream->dialled_ms + jv_sim_draw(&link->random, 0, FLAKY_MAX_MS));
	return stream;
}

void jv_sim_stream_accept(
	struct jv_sim_stream *stream, const struct jv_sim_peer *peer, void *context)
{
	JV_ASSERT(!stream->accepted);
	stream->accepted = true;
	stream->ends[JV_SIM_SERVER].peer = peer;
	stream->ends[JV_SIM_SERVER].context = context;
}

void jv_sim_stream_send(
	struct jv_sim_stream *stream, enum jv_sim_side from, const ProtobufCMessage *message)
{
	struct jv_sim_end *to = other_end(stream, from);
	struct packet *packet;

	JV_ASSERT(stream->ends[from].open);
	if (!to->open || stream->broken)
		return;
	packet = packet_new(stream);
	jv_pb_pack(message, &packet->bytes);
	jv_sim_cover_message(message);
	put(to, packet);
}

bool jv_sim_stream_room(const struct jv_sim_stream *stream, enum jv_sim_side from)
{
	enum jv_sim_side to = from == JV_SIM_CLIENT ? JV_SIM_SERVER : JV_SIM_CLIENT;

	return stream->ends[to].count < stream->way->window;
}

void jv_sim_stream_end(
	struct jv_sim_stream *stream, enum jv_sim_side from, const struct jv_status *status)
{
	struct jv_sim_end *to = other_end(stream, from);

	JV_ASSERT(stream->ends[from].open);
	if (to->open && !stream->broken)
		put_end(to, status, 0, false);
	leave(&stream->ends[from]);
}

void jv_sim_stream_cancel(struct jv_sim_stream *stream, enum jv_sim_side from)
{
	struct jv_status status = jv_error(JV_CANCELLED, "the other side has left");
	struct jv_sim_end *to = other_end(stream, from);

	if (to->open && !stream->broken) {
		if (jv_sim_happens(&stream->way->random, 500))
			purge(to);
		if (from == JV_SIM_CLIENT && !stream->accepted && to->count == 0)
			leave(to);
		else
			put_end(to, &status, 0, false);
	}
	leave(&stream->ends[from]);
}

/* When an end hears that the connection is gone. */
static int64_t notice_ms(struct jv_sim_link *link)
{
	const struct jv_sim_net *net = link->net;

	if (jv_sim_happens(&link->random, net->half_open_permille))
		return jv_sim_draw(&link->random, NOTICE_MAX_MS, 2 * net->keepalive_ms);
	return jv_sim_draw(&link->random, 0, NOTICE_MAX_MS);
}

/* What is on its way is lost, or comes late: perhaps after what the next connection brings. */
static void strand(struct jv_sim_end *end)
{
	struct jv_sim_link *link = end->stream->way;
	bool blocked = link->blocked_until_ms[side_of(end)] > link->net->clock->now_ms;

	if (end->count > 0 && !blocked && jv_sim_happens(&link->random, STRANDED_PERMILLE)) {
		struct packet *first = JV_CONTAINER_OF(end->packets.next, struct packet, link);
		first->due_ms += jv_sim_draw(&link->random, 0, STRANDED_MAX_MS);
		arrival_arm(end);
		return;
	}
	purge(end);
	end->last_ms = 0;
}

static void notice(struct jv_sim_end *end)
{
	struct jv_sim_stream *stream = end->stream;
	struct jv_status status = jv_error(JV_UNAVAILABLE, "the connection is broken");

	if (!end->open)
		return;
	strand(end);
	if (side_of(end) == JV_SIM_SERVER && !stream->accepted && end->count == 0)
		leave(end);
	else
		put_end(end, &status, notice_ms(stream->way), true);
}

void jv_sim_stream_desert(struct jv_sim_stream *stream, enum jv_sim_side from)
{
	struct jv_sim_end *to = other_end(stream, from);

	if (!stream->broken) {
		stream->broken = true;
		notice(to);
	}
	leave(&stream->ends[from]);
}

void jv_sim_stream_break(struct jv_sim_stream *stream)
{
	if (stream->broken)
		return;
	stream->broken = true;
	notice(&stream->ends[JV_SIM_CLIENT]);
	notice(&stream->ends[JV_SIM_SERVER]);
}
