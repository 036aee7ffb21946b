#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "server/rest/private.h"

#define KEEPALIVE_S 30

/* In one turn; the others have their turn then. */
#define ACCEPTS_MAX 64
/* When descriptors are out, some are given back by and by. */
#define AGAIN_MS 100
/* Between two lines of the log that say the same. */
#define QUIET_MS 1000
/* Memory goes back to the system when so many connections, and most of those there were, have gone.
 */
#define TRIM_MIN 1024

static void watch_listener(struct jv_rest_edge *rest, bool wanted)
{
	struct epoll_event event = {.events = wanted ? EPOLLIN : 0, .data.ptr = &rest->listen_fd};
	int result;

	if (rest->listening == wanted || rest->listen_fd < 0)
		return;
	rest->listening = wanted;
	result = epoll_ctl(rest->epoll_fd, EPOLL_CTL_MOD, rest->listen_fd, &event);
	JV_ASSERT(result == 0);
}

void jv_rest_accept_init(struct jv_rest_edge *rest)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &rest->listen_fd};
	int result = epoll_ctl(rest->epoll_fd, EPOLL_CTL_ADD, rest->listen_fd, &event);

	JV_ASSERT(result == 0);
	rest->listening = true;
	rest->listen_again_ms = INT64_MAX;
	jv_list_init(&rest->connections);
	jv_list_init(&rest->ready);
	jv_heap_init(&rest->dues, jv_rest_due_before);
}

static void make_key(const struct sockaddr *address, uint8_t key[16])
{
	memset(key, 0, 16);
	if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *six = (const void *)address;
		bool four = IN6_IS_ADDR_V4MAPPED(&six->sin6_addr);
		memcpy(key, &six->sin6_addr, four ? 16 : 8);
	} else {
		const struct sockaddr_in *four = (const void *)address;
		key[10] = key[11] = 0xff;
		memcpy(key + 12, &four->sin_addr, 4);
	}
}

/* Counts one more connection of the address; NULL if it has too many. */
static struct jv_rest_address *count_address(
	struct jv_rest_edge *rest, const struct sockaddr *address)
{
	uint32_t most = rest->options.connections_per_address_max;
	uint8_t key[16];
	struct jv_rest_address *found;

	make_key(address, key);
	HASH_FIND(hh, rest->addresses, key, sizeof(key), found);
	if (found != NULL && most > 0 && found->connections >= most)
		return NULL;
	if (found == NULL) {
		found = jv_calloc(1, sizeof(*found));
		memcpy(found->key, key, sizeof(key));
		HASH_ADD(hh, rest->addresses, key, sizeof(found->key), found);
	}
	found->connections++;
	return found;
}

static void uncount_address(struct jv_rest_edge *rest, struct jv_rest_address *address)
{
	if (--address->connections > 0)
		return;
	JV_ASSERT(address->bodies_bytes == 0);
	HASH_DEL(rest->addresses, address);
	free(address);
}

static void name_peer(struct jv_rest_connection *connection, const struct sockaddr *address)
{
	char host[48];
	char port[8];
	socklen_t size = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
							: sizeof(struct sockaddr_in);

	if (getnameinfo(address, size, host, sizeof(host), port, sizeof(port),
		    NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		snprintf(connection->peer, sizeof(connection->peer),
			address->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static void open_connection(struct jv_rest_edge *rest, int fd, const struct sockaddr *address)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	struct jv_rest_address *counted = count_address(rest, address);
	struct jv_rest_connection *connection;
	int one = 1, seconds = KEEPALIVE_S;

	if (counted == NULL) {
		close(fd);
		return;
	}
	connection = jv_calloc(1, sizeof(*connection));
	connection->rest = rest;
	connection->fd = fd;
	connection->address = counted;
	jv_list_push_back(&rest->connections, &connection->link);
	jv_list_init(&connection->ready_link);
	name_peer(connection, address);
	/* Answers are whole when they are written, and not to wait for more. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	/* A client that is gone without a word is noticed, also when there is nothing to say to it.
	 */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof(seconds));
	event.data.ptr = connection;
	int result = epoll_ctl(rest->epoll_fd, EPOLL_CTL_ADD, fd, &event);
	JV_ASSERT(result == 0 || errno == ENOMEM || errno == ENOSPC);
	if (rest->tls != NULL)
		jv_rest_tls_accept(connection);
	jv_rest_connection_enter(connection, rest->tls != NULL ? JV_REST_HANDSHAKE : JV_REST_IDLE);
	rest->connection_count++;
	if (rest->connection_count > rest->connection_peak)
		rest->connection_peak = rest->connection_count;
	jv_rest_count_connections(1);
}

/* Once in a while: there may be thousands a second. */
static void tell_full(struct jv_rest_edge *rest)
{
	int64_t now_ms = jv_rest_now_ms(rest);

	if (now_ms < rest->quiet_until_ms)
		return;
	rest->quiet_until_ms = now_ms + QUIET_MS;
	JV_WARN("rest.connection_refused", JV_KV("reason", "too many open files"),
		JV_KI("connections", rest->connection_count));
}

/* False: there is nothing more to accept now. */
static bool accept_one(struct jv_rest_edge *rest)
{
	struct sockaddr_storage address = {0};
	socklen_t size = sizeof(address);
	int fd = accept4(
		rest->listen_fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= rest->options.files_max) {
		tell_full(rest);
		close(fd);
		return true;
	}
	if (fd >= 0) {
		open_connection(rest, fd, (const struct sockaddr *)&address);
		return true;
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		JV_WARN("rest.accept_failed", JV_KV("error", strerror(errno)),
			JV_KI("connections", rest->connection_count));
		rest->listen_again_ms = jv_rest_now_ms(rest) + AGAIN_MS;
		watch_listener(rest, false);
		return false;
	}
	/* One that has gone while it waited is no reason to stop. */
	return errno == ECONNABORTED || errno == EINTR;
}

void jv_rest_accept(struct jv_rest_edge *rest)
{
	for (int i = 0; i < ACCEPTS_MAX && rest->listen_fd >= 0; i++) {
		if (rest->connection_count >= rest->options.connections_max) {
			watch_listener(rest, false);
			return;
		}
		if (!accept_one(rest))
			return;
	}
}

int64_t jv_rest_accept_tick(struct jv_rest_edge *rest)
{
	if (rest->listening || rest->listen_fd < 0 ||
		rest->connection_count >= rest->options.connections_max)
		return INT64_MAX;
	if (rest->listen_again_ms != INT64_MAX && jv_rest_now_ms(rest) < rest->listen_again_ms)
		return rest->listen_again_ms;
	rest->listen_again_ms = INT64_MAX;
	watch_listener(rest, true);
	return INT64_MAX;
}

void jv_rest_accept_stop(struct jv_rest_edge *rest)
{
	if (rest->listen_fd < 0)
		return;
	close(rest->listen_fd);
	rest->listen_fd = -1;
}

/* A crowd that has gone leaves its memory to the process, unless it is asked for. */
static void give_back(struct jv_rest_edge *rest)
{
	if (rest->connection_peak < TRIM_MIN || rest->connection_count > rest->connection_peak / 4)
		return;
	rest->connection_peak = rest->connection_count;
	malloc_trim(0);
}

void jv_rest_connection_close(struct jv_rest_connection *connection)
{
	struct jv_rest_edge *rest = connection->rest;

	if (connection->call != NULL)
		jv_rest_call_http_ended(connection->call);
	jv_list_remove(&connection->link);
	jv_list_remove(&connection->ready_link);
	jv_heap_remove(&rest->dues, &connection->due_node);
	uncount_address(rest, connection->address);
	if (connection->tls != NULL) {
		jv_rest_tls_end(connection);
		SSL_free(connection->tls);
	}
	close(connection->fd);
	jv_buffer_deinit(&connection->in);
	jv_buffer_deinit(&connection->out);
	jv_buffer_deinit(&connection->tail);
	free(connection);
	rest->connection_count--;
	jv_rest_count_connections(-1);
	give_back(rest);
}

void jv_rest_connection_close_all(struct jv_rest_edge *rest)
{
	while (!jv_list_empty(&rest->connections))
		jv_rest_connection_close(
			JV_CONTAINER_OF(rest->connections.next, struct jv_rest_connection, link));
}
