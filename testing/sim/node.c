#include "testing/sim/node.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "proto/wire/pb.h"

#define WALL_AT_START_MS INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */
#define SESSION_PATH     "/jarvis.v1.Worker/Session"
#define MEMORY_BYTES     (INT64_C(64) << 30)
#define PIDS             1000000

static struct jv_agent_now read_now(const struct jv_sim_node *node)
{
	return (struct jv_agent_now){.monotonic_ms = jv_sim_machine_monotonic(&node->machine),
		.wall_ms = jv_sim_machine_wall(&node->machine)};
}

static void random_id(struct jv_sim_node *node, uint8_t id[JV_AGENT_ID_SIZE])
{
	for (size_t i = 0; i < JV_AGENT_ID_SIZE; i++)
		id[i] = (uint8_t)jv_random_next(&node->clock->random);
}

static void tick_soon(struct jv_sim_node *node)
{
	int64_t delay_ms =
		jv_sim_at(node->clock, node->link.number + 't', 0, node->terms.tick_delay_max_ms);

	if (node->agent != NULL)
		jv_sim_timer_hasten(node->clock, &node->tick, node->clock->now_ms + delay_ms);
}

/* The agent's sink: it must not be called from here. */

/* What the server may grant runs from here. */
static void note_sent(struct jv_sim_node *node, const Jarvis__V1__SessionRequest *message)
{
	int64_t now_ms = jv_sim_machine_monotonic(&node->machine);

	if (message->message_case == JARVIS__V1__SESSION_REQUEST__MESSAGE_HELLO)
		node->hello_ms = now_ms;
	else if (message->message_case == JARVIS__V1__SESSION_REQUEST__MESSAGE_HEARTBEAT)
		node->heartbeat_ms[message->heartbeat->sequence % JV_SIM_HEARTBEATS] = now_ms;
}

static void note_granted(struct jv_sim_node *node, const Jarvis__V1__SessionResponse *message)
{
	int64_t since_ms;

	if (message->message_case == JARVIS__V1__SESSION_RESPONSE__MESSAGE_WELCOME)
		since_ms = node->hello_ms;
	else if (message->message_case == JARVIS__V1__SESSION_RESPONSE__MESSAGE_HEARTBEAT_ACK)
		since_ms = node->heartbeat_ms[message->heartbeat_ack->sequence % JV_SIM_HEARTBEATS];
	else
		return;
	if (since_ms + node->terms.lease_ms > node->lease_most_ms)
		node->lease_most_ms = since_ms + node->terms.lease_ms;
}

static bool sink_send(void *context, const Jarvis__V1__SessionRequest *message)
{
	struct jv_sim_node *node = context;

	if (node->stream == NULL || !jv_sim_stream_room(node->stream, JV_SIM_CLIENT))
		return false;
	jv_sim_stream_send(node->stream, JV_SIM_CLIENT, &message->base);
	note_sent(node, message);
	return true;
}

static void redial(struct jv_sim_node *node)
{
	int64_t most_ms = node->terms.redial_min_ms << (node->failures < 10 ? node->failures : 10);

	if (most_ms > node->terms.redial_max_ms)
		most_ms = node->terms.redial_max_ms;
	node->failures++;
	jv_sim_timer_arm(node->clock, &node->dial,
		node->clock->now_ms +
			jv_sim_at(node->clock, node->link.number + 'r', most_ms / 2, most_ms));
}

static void sink_drop(void *context, const struct jv_status *why)
{
	struct jv_sim_node *node = context;

	jv_sim_trace(node->clock, "%s drops its session: %s", node->name, why->message);
	if (node->stream != NULL)
		jv_sim_stream_cancel(node->stream, JV_SIM_CLIENT);
	node->stream = NULL;
	redial(node);
}

static void sink_leased(void *context, int64_t until_ms)
{
	struct jv_sim_node *node = context;

	if (until_ms > node->lease_most_ms)
		jv_sim_fail(node->clock, "lease: %s takes a lease until %lld ms, granted is %lld",
			node->name, (long long)until_ms, (long long)node->lease_most_ms);
	node->machine.lease_until_ms = until_ms;
	node->failures = 0;
}

static void sink_joined(void *context, const uint8_t cluster_id[JV_AGENT_ID_SIZE])
{
	struct jv_sim_node *node = context;

	node->has_cluster = true;
	memcpy(node->cluster_id, cluster_id, JV_AGENT_ID_SIZE);
}

static void sink_note(void *context, const struct jv_agent_note *note)
{
	struct jv_sim_node *node = context;

	jv_sim_trace(node->clock, "%s notes %s %s %d %s", node->name, note->event,
		note->id != NULL ? note->id->task : "", note->id != NULL ? note->id->attempt : 0,
		note->text);
}

/* The session's stream. */

static void message(void *context, struct jv_bytes bytes)
{
	struct jv_sim_node *node = context;
	ProtobufCMessage *response = NULL;
	struct jv_arena arena;
	struct jv_status status;

	jv_arena_init(&arena, 0, 0);
	status = jv_pb_unpack(&jarvis__v1__session_response__descriptor, bytes, &arena, &response);
	JV_ASSERT(jv_is_ok(&status));
	note_granted(node, (const Jarvis__V1__SessionResponse *)(const void *)response);
	jv_agent_receive(node->agent, (const Jarvis__V1__SessionResponse *)(const void *)response,
		read_now(node));
	jv_arena_deinit(&arena);
	tick_soon(node);
}

static void ended(void *context, const struct jv_status *status)
{
	struct jv_sim_node *node = context;

	jv_sim_trace(node->clock, "%s loses its session: %s", node->name, status->message);
	node->stream = NULL;
	jv_agent_disconnected(node->agent, read_now(node));
	redial(node);
	tick_soon(node);
}

static void room(void *context)
{
	tick_soon(context);
}

static const struct jv_sim_peer peer = {.message = message, .ended = ended, .room = room};

static bool held_up(struct jv_sim_node *node, struct jv_sim_timer *timer)
{
	if (node->paused_until_ms <= node->clock->now_ms)
		return false;
	jv_sim_timer_arm(node->clock, timer, node->paused_until_ms);
	return true;
}

static void dial(void *context)
{
	struct jv_sim_node *node = context;

	if (held_up(node, &node->dial))
		return;
	JV_ASSERT(node->agent != NULL && node->stream == NULL);
	jv_sim_trace(node->clock, "%s dials", node->name);
	node->stream = jv_sim_stream_open(&node->link, SESSION_PATH, &peer, node);
	jv_agent_connected(node->agent, read_now(node));
	tick_soon(node);
}

static void tick(void *context)
{
	struct jv_sim_node *node = context;
	int64_t due_ms;

	if (held_up(node, &node->tick))
		return;
	jv_agent_tick(node->agent, read_now(node));
	jv_agent_check(node->agent);
	due_ms = jv_sim_machine_moment(&node->machine, jv_agent_deadline_ms(node->agent));
	jv_sim_timer_hasten(node->clock, &node->tick, due_ms);
}

static void start(void *context)
{
	jv_sim_node_start(context);
}

static void runtime_wake(void *context)
{
	tick_soon(context);
}

static void inventory_fill(struct jv_sim_node *node)
{
	static char executor[] = JV_SIM_EXECUTOR;

	jarvis__v1__node_inventory__init(&node->inventory);
	jarvis__v1__resources__init(&node->capacity);
	node->capacity.cpu_millis = node->terms.cpu_millis;
	node->capacity.memory_bytes = MEMORY_BYTES;
	node->capacity.pids = PIDS;
	node->inventory.capacity = &node->capacity;
	node->executors[0] = executor;
	node->inventory.executors = node->executors;
	node->inventory.n_executors = 1;
	node->executor_list[0] = &node->runtime.executor;
}

static void boot(struct jv_sim_node *node)
{
	random_id(node, node->boot_id);
	jv_sim_machine_boot(&node->machine);
	node->lease_most_ms = 0;
}

void jv_sim_node_init(struct jv_sim_node *node, uint32_t number, struct jv_sim_net *net,
	struct jv_sim_ledger *ledger, const struct jv_sim_node_terms *terms)
{
	memset(node, 0, sizeof(*node));
	node->clock = net->clock;
	node->terms = *terms;
	snprintf(node->name, sizeof(node->name), "n%u", number);
	random_id(node, node->worker_id);
	jv_sim_link_init(&node->link, net, node->name);
	node->machine = (struct jv_sim_machine){
		.clock = net->clock, .ppm = terms->ppm, .wall_ms = WALL_AT_START_MS};
	jv_sim_runtime_init(
		&node->runtime, net->clock, ledger, &node->machine, node->name, &terms->runtime);
	node->runtime.wake = runtime_wake;
	node->runtime.context = node;
	inventory_fill(node);
	jv_sim_timer_init(&node->tick, tick, node);
	jv_sim_timer_init(&node->dial, dial, node);
	jv_sim_timer_init(&node->start, start, node);
	boot(node);
}

void jv_sim_node_start(struct jv_sim_node *node)
{
	struct jv_agent_sink sink = {
		sink_send, sink_drop, sink_leased, sink_joined, sink_note, node};
	struct jv_agent_options options = {.node = node->name,
		.life = ++node->life,
		.has_cluster = node->has_cluster,
		.lease_until_ms = node->machine.lease_until_ms,
		.inventory = &node->inventory,
		.executors = node->executor_list,
		.limits = node->terms.limits};

	JV_ASSERT(node->agent == NULL);
	memcpy(options.worker_id, node->worker_id, JV_AGENT_ID_SIZE);
	memcpy(options.boot_id, node->boot_id, JV_AGENT_ID_SIZE);
	memcpy(options.cluster_id, node->cluster_id, JV_AGENT_ID_SIZE);
	jv_sim_trace(node->clock, "%s starts", node->name);
	node->agent = jv_agent_new(&options, &sink, read_now(node));
	node->failures = 0;
	jv_sim_timer_arm(node->clock, &node->tick, node->clock->now_ms);
	jv_sim_timer_arm(node->clock, &node->dial, node->clock->now_ms);
}

static void worker_end(struct jv_sim_node *node)
{
	if (node->agent == NULL)
		return;
	if (node->stream != NULL)
		jv_sim_stream_desert(node->stream, JV_SIM_CLIENT);
	node->stream = NULL;
	node->paused_until_ms = 0;
	jv_agent_free(node->agent);
	node->agent = NULL;
	jv_sim_timer_disarm(node->clock, &node->tick);
	jv_sim_timer_disarm(node->clock, &node->dial);
}

void jv_sim_node_crash(struct jv_sim_node *node, int64_t down_ms)
{
	if (node->agent == NULL)
		return;
	jv_sim_trace(node->clock, "%s crashes for %lld ms", node->name, (long long)down_ms);
	worker_end(node);
	jv_sim_timer_arm(node->clock, &node->start, node->clock->now_ms + down_ms);
}

void jv_sim_node_reboot(struct jv_sim_node *node, int64_t down_ms)
{
	jv_sim_trace(node->clock, "%s reboots for %lld ms", node->name, (long long)down_ms);
	worker_end(node);
	jv_sim_runtime_reboot(&node->runtime);
	boot(node);
	jv_sim_timer_arm(node->clock, &node->start, node->clock->now_ms + down_ms);
}

void jv_sim_node_pause(struct jv_sim_node *node, int64_t ms)
{
	/* Not once more before it could do anything. */
	if (node->agent == NULL || node->paused_until_ms + 1000 > node->clock->now_ms)
		return;
	jv_sim_trace(node->clock, "%s stands still for %lld ms", node->name, (long long)ms);
	node->paused_until_ms = node->clock->now_ms + ms;
	if (node->link.blocked_until_ms[JV_SIM_CLIENT] < node->paused_until_ms)
		jv_sim_link_block(&node->link, JV_SIM_CLIENT, ms);
}

void jv_sim_node_jump(struct jv_sim_node *node, int64_t ms)
{
	jv_sim_trace(node->clock, "%s has its clock moved by %lld ms", node->name, (long long)ms);
	node->machine.wall_ms += ms;
}

void jv_sim_node_deinit(struct jv_sim_node *node)
{
	worker_end(node);
	jv_sim_runtime_reboot(&node->runtime);
	jv_sim_timer_disarm(node->clock, &node->start);
	jv_sim_link_deinit(&node->link);
}

void jv_sim_node_check(const struct jv_sim_node *node)
{
	int64_t over_ms = jv_sim_machine_monotonic(&node->machine) - node->machine.lease_until_ms;

	if (node->agent != NULL && node->paused_until_ms <= node->clock->now_ms)
		jv_agent_check(node->agent);
	if (over_ms > node->terms.lease_slack_ms && jv_sim_runtime_leased(&node->runtime) > 0)
		jv_sim_fail(node->clock, "lease: %s runs something %lld ms after its lease",
			node->name, (long long)over_ms);
}

void jv_sim_node_check_empty(const struct jv_sim_node *node)
{
	if (jv_sim_runtime_kept(&node->runtime) > 0 || jv_sim_runtime_live(&node->runtime) > 0)
		jv_sim_fail(node->clock, "left: %s still keeps %u containers, %u of them run",
			node->name, jv_sim_runtime_kept(&node->runtime),
			jv_sim_runtime_live(&node->runtime));
}
