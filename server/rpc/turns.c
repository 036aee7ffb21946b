#include "server/rpc/turns.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

void jv_grpc_turns_init(struct jv_grpc_turns *turns)
{
	memset(turns, 0, sizeof(*turns));
	jv_list_init(&turns->hosts);
}

static struct jv_grpc_peer *find(struct jv_grpc_turns *turns, const char *name)
{
	struct jv_grpc_peer *all = turns->peers;
	struct jv_grpc_peer *peer = NULL;

	HASH_FIND_STR(all, name, peer);
	return peer;
}

static struct jv_grpc_peer *add(
	struct jv_grpc_turns *turns, const char *name, struct jv_grpc_peer *host)
{
	struct jv_grpc_peer *all = turns->peers;
	struct jv_grpc_peer *peer = jv_calloc(1, sizeof(*peer));

	snprintf(peer->name, sizeof(peer->name), "%s", name);
	peer->host = host;
	jv_list_init(&peer->waiting);
	jv_list_init(&peer->link);
	HASH_ADD_STR(all, name, peer);
	turns->peers = all;
	return peer;
}

/* Who has one address of IPv6 has all of its /64. False if it is none: "ipv6:%5B2001:db8::1%5D", or
 * with brackets. */
static bool name_network(const char *address, size_t size, char name[JV_GRPC_PEER_MAX])
{
	const char *first = address + strcspn(address, "[B");
	char text[INET6_ADDRSTRLEN];
	struct in6_addr six;
	size_t length;

	if (strncmp(address, "ipv6:", 5) != 0 || *first == '\0')
		return false;
	length = strcspn(++first, "]%");
	if ((size_t)(first - address) + length > size || length >= sizeof(text))
		return false;
	memcpy(text, first, length);
	text[length] = '\0';
	if (inet_pton(AF_INET6, text, &six) != 1 || IN6_IS_ADDR_V4MAPPED(&six) ||
		IN6_IS_ADDR_LOOPBACK(&six))
		return false;
	memset(six.s6_addr + 8, 0, 8);
	inet_ntop(AF_INET6, &six, text, sizeof(text));
	snprintf(name, JV_GRPC_PEER_MAX, "@%s/64", text);
	return true;
}

/* The address without its port. A host's name never is that of a connection: it has a mark before
 * it. */
static void name_host(const char *address, char name[JV_GRPC_PEER_MAX])
{
	const char *colon = strrchr(address, ':');
	size_t size = strlen(address);

	if (strncmp(address, "ipv", 3) == 0 && colon != NULL)
		size = (size_t)(colon - address);
	if (!name_network(address, size, name))
		snprintf(name, JV_GRPC_PEER_MAX, "@%.*s", (int)size, address);
}

static struct jv_grpc_peer *find_host(struct jv_grpc_turns *turns, const char *address)
{
	char name[JV_GRPC_PEER_MAX];
	struct jv_grpc_peer *host;

	name_host(address, name);
	host = find(turns, name);
	return host != NULL ? host : add(turns, name, NULL);
}

struct jv_grpc_peer *jv_grpc_turns_enter(struct jv_grpc_turns *turns, const char *address)
{
	char name[JV_GRPC_PEER_MAX];
	struct jv_grpc_peer *peer;

	snprintf(name, sizeof(name), "%s", address);
	peer = find(turns, name);
	if (peer == NULL)
		peer = add(turns, name, find_host(turns, name));
	peer->calls++;
	peer->host->calls++;
	return peer;
}

static void drop_call(struct jv_grpc_turns *turns, struct jv_grpc_peer *peer)
{
	struct jv_grpc_peer *all = turns->peers;

	JV_ASSERT(peer->calls > 0);
	peer->calls--;
	if (peer->calls > 0)
		return;
	JV_ASSERT(jv_list_empty(&peer->waiting));
	jv_list_remove(&peer->link);
	HASH_DEL(all, peer);
	turns->peers = all;
	free(peer);
}

void jv_grpc_turns_leave(struct jv_grpc_turns *turns, struct jv_grpc_peer *peer)
{
	struct jv_grpc_peer *host = peer->host;

	drop_call(turns, peer);
	drop_call(turns, host);
}

/* Behind those that wait already. */
static void queue_up(struct jv_list *queue, struct jv_grpc_peer *peer)
{
	if (jv_list_empty(&peer->link))
		jv_list_push_back(queue, &peer->link);
}

void jv_grpc_turns_wait(
	struct jv_grpc_turns *turns, struct jv_grpc_peer *peer, struct jv_list *call)
{
	jv_list_push_back(&peer->waiting, call);
	turns->waiting++;
	queue_up(&peer->host->waiting, peer);
	queue_up(&turns->hosts, peer->host);
}

void jv_grpc_turns_give_up(struct jv_grpc_turns *turns, struct jv_list *call)
{
	JV_ASSERT(!jv_list_empty(call) && turns->waiting > 0);
	jv_list_remove(call);
	turns->waiting--;
	/* Its peers may wait for nothing now; that is seen when it is their turn. */
}

static struct jv_grpc_peer *pop(struct jv_list *queue)
{
	struct jv_list *link = jv_list_pop_front(queue);

	return link == NULL ? NULL : JV_CONTAINER_OF(link, struct jv_grpc_peer, link);
}

static struct jv_list *next_of_host(struct jv_grpc_peer *host)
{
	struct jv_grpc_peer *peer;

	while ((peer = pop(&host->waiting)) != NULL) {
		struct jv_list *call = jv_list_pop_front(&peer->waiting);
		if (!jv_list_empty(&peer->waiting))
			queue_up(&host->waiting, peer);
		if (call != NULL)
			return call;
	}
	return NULL;
}

struct jv_list *jv_grpc_turns_next(struct jv_grpc_turns *turns)
{
	struct jv_grpc_peer *host;

	while ((host = pop(&turns->hosts)) != NULL) {
		struct jv_list *call = next_of_host(host);
		if (!jv_list_empty(&host->waiting))
			queue_up(&turns->hosts, host);
		if (call == NULL)
			continue;
		turns->waiting--;
		return call;
	}
	JV_ASSERT(turns->waiting == 0);
	return NULL;
}
