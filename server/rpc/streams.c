#include "server/rpc/streams.h"

#include <stdlib.h>

#include "base/assert.h"

/* As many are kept when none is open. */
#define ROOM_MIN 16

static uint32_t home(const struct jv_grpc_streams *streams, uint32_t id)
{
	return (id * 2654435769u >> 8) & (streams->room - 1);
}

/* Where it is, or where it would be. */
static uint32_t find(const struct jv_grpc_streams *streams, uint32_t id)
{
	uint32_t at = home(streams, id);

	while (streams->slots[at] != 0 && streams->slots[at] != id)
		at = (at + 1) & (streams->room - 1);
	return at;
}

static void grow(struct jv_grpc_streams *streams)
{
	struct jv_grpc_streams larger = {.room = streams->room == 0 ? ROOM_MIN : 2 * streams->room};

	larger.slots = jv_calloc(larger.room, sizeof(larger.slots[0]));
	for (uint32_t i = 0; i < streams->room; i++)
		if (streams->slots[i] != 0)
			larger.slots[find(&larger, streams->slots[i])] = streams->slots[i];
	larger.count = streams->count;
	free(streams->slots);
	*streams = larger;
}

void jv_grpc_streams_add(struct jv_grpc_streams *streams, uint32_t id)
{
	JV_ASSERT(id != 0);
	/* At most half full, so that every search ends soon. */
	if (2 * streams->count >= streams->room)
		grow(streams);
	streams->slots[find(streams, id)] = id;
	streams->count++;
}

/* Those that follow move up, or they would not be found any more. */
static void close_gap(struct jv_grpc_streams *streams, uint32_t gap)
{
	uint32_t mask = streams->room - 1;

	for (uint32_t at = (gap + 1) & mask; streams->slots[at] != 0; at = (at + 1) & mask) {
		uint32_t id = streams->slots[at];
		if (((at - home(streams, id)) & mask) < ((at - gap) & mask))
			continue;
		streams->slots[gap] = id;
		gap = at;
	}
	streams->slots[gap] = 0;
}

void jv_grpc_streams_remove(struct jv_grpc_streams *streams, uint32_t id)
{
	uint32_t at;

	if (streams->count == 0 || id == 0)
		return;
	at = find(streams, id);
	if (streams->slots[at] == 0)
		return;
	close_gap(streams, at);
	streams->count--;
	if (streams->count == 0 && streams->room > ROOM_MIN)
		jv_grpc_streams_deinit(streams);
}

void jv_grpc_streams_deinit(struct jv_grpc_streams *streams)
{
	free(streams->slots);
	*streams = (struct jv_grpc_streams){0};
}
